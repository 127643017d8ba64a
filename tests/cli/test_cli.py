"""The command line: what it prints, where, and with which exit code."""

import contextlib
import io
import json
import math
import os
import platform
import signal
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

import secateur as sc
from secateur import bench, demo, reference
from secateur.cli import main
from secateur.cli.machine import cpu_name
from secateur.terminal import escaped, printable
from support.sanitizers import not_under_sanitizers


class Result(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


class Stream(io.TextIOWrapper):
    """A standard stream that keeps the text that the command writes to it."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()


def run(*arguments: object, terminal: bool = False) -> Result:
    """Run the command within this process."""
    stdout, stderr = Stream(terminal=terminal), Stream(terminal=terminal)
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        exit_code = main([str(argument) for argument in arguments])
    return Result(exit_code, stdout.text(), stderr.text())


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process."""
    return subprocess.run(
        [sys.executable, "-m", "secateur.cli", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_refused(result: Result, *words: str) -> None:
    """Check for one line on stderr, no other output, and the exit code of wrong usage."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert_one_line(result.stderr, *words)


def assert_one_line(stderr: str, *words: str) -> None:
    assert stderr.startswith("secateur: ")
    assert stderr.endswith("\n")
    assert stderr[:-1].isprintable()
    for word in words:
        assert word in stderr


def rows(result: Result) -> dict[str, list[str]]:
    """Return the cells of each row of the printed table, by the first cell of the row."""
    lines = [line.split() for line in result.stdout.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 4}


def lines_of(result: Result) -> dict[str, str]:
    """Return the lines of the printed table, by their first word."""
    return {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}


@pytest.fixture
def small_model(monkeypatch: pytest.MonkeyPatch) -> list[demo.Tensor]:
    build = partial(demo.builtin_model, layers=1, width=32, vocabulary=100)
    monkeypatch.setattr(demo, "builtin_model", build)
    return build()


# --- info ------------------------------------------------------------------------------------


def test_info() -> None:
    result = run("info")
    assert result.exit_code == 0, result.output
    lines = {line.strip().partition("  ")[0]: line for line in result.stdout.splitlines()}
    assert sc.__version__ in lines["secateur"]
    assert sc.isa() in lines["ISA used"]
    assert all(isa in lines["ISAs available"] for isa in sc.isas())
    assert str(sc.get_num_threads()) in lines["threads"]
    assert {"caches", "CPU"} <= set(lines)


@pytest.mark.parametrize("missing", ["typer", "rich", "safetensors"])
def test_without_the_extra(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from secateur.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert 'pip install "secateur[cli]"' in done.stderr


# --- demo ------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.93])
def test_demo_table(tmp_path: Path, sparsity: float, bits: int) -> None:
    rng = np.random.default_rng(3)
    weights = {
        "a": rng.standard_normal((40, 30), dtype=np.float32),
        "b": rng.standard_normal((3, 5, 7), dtype=np.float32) * np.float32(0.01),
    }
    save_file(weights, tmp_path / "model.safetensors")
    result = run("demo", tmp_path / "model.safetensors", "--sparsity", sparsity, "--bits", bits)
    assert result.exit_code == 0, result.output

    table = rows(result)
    for name, w in weights.items():
        shape, k, threshold, frac_bits, sqnr, ns, speedup = table[name]
        magnitudes = np.sort(np.abs(w), axis=None)[::-1]
        kept = w.size - round(sparsity * w.size)
        assert shape == "x".join(map(str, w.shape))
        assert int(k.replace(",", "")) == kept
        assert float(threshold) == pytest.approx(float(magnitudes[kept - 1]), rel=1e-3)

        step = 2.0 ** -int(frac_bits)
        pruned = np.where(np.abs(w) >= magnitudes[kept - 1], w, 0).astype(np.float64)
        error = w - np.round(pruned / step) * step
        expected = 10 * math.log10(np.sum(w.astype(np.float64) ** 2) / np.sum(error**2))
        assert float(sqnr) == pytest.approx(expected, abs=0.006)
        assert float(ns) > 0
        assert float(speedup) > 0
    assert "1,305" in table["total"]  # the total number of elements


def test_demo_builtin(small_model: list[demo.Tensor]) -> None:
    result = run("demo", "--threads", 1)
    assert result.exit_code == 0, result.output
    matrices = [tensor for tensor in small_model if len(tensor.shape) == 2]
    table = rows(result)
    assert {tensor.name for tensor in matrices} <= set(table)
    assert "layers.0.norm.weight" not in table
    assert "1 tensor of fewer than two dimensions left out" in result.stdout
    assert "1 thread" in result.stdout
    assert result.stderr == ""


@pytest.mark.usefixtures("small_model")
def test_demo_all() -> None:
    result = run("demo", "--all")
    assert result.exit_code == 0, result.output
    assert "layers.0.norm.weight" in rows(result)


@pytest.mark.usefixtures("small_model")
def test_demo_prunes_everything() -> None:
    result = run("demo", "--sparsity", 1)
    assert result.exit_code == 0, result.output
    shape, k, threshold, _, sqnr, *_ = rows(result)["embedding.weight"]
    assert (shape, k, threshold, sqnr) == ("100x32", "0", "-", "0.00")


@pytest.mark.usefixtures("small_model")
def test_piped_output_is_plain_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    result = run("demo")
    assert "\x1b" not in result.output
    assert "…" not in result.output


def test_builtin_model_is_seeded_and_of_the_promised_size() -> None:
    model = demo.builtin_model()
    assert 20e6 < sum(tensor.size for tensor in model) < 30e6
    tensor = model[2]
    assert tensor.load().shape == (tensor.size,)
    assert tensor.load().dtype == np.float32
    assert tensor.load().tobytes() == demo.builtin_model()[2].load().tobytes()


def write_safetensors(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    """Write the format directly, because NumPy lacks some of the dtypes."""
    header, data = {}, []
    end = 0
    for name, (dtype, shape, raw) in tensors.items():
        begin, end = end, end + len(raw)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
        data.append(raw)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


EYE = ("F32", [2, 2], np.eye(2, dtype=np.float32).tobytes())


def test_dtypes(tmp_path: Path) -> None:
    w = np.float32([[1, -0.5], [0.25, 3]])  # float16 and bfloat16 represent these exactly
    bfloat16 = (w.view(np.uint32) >> 16).astype(np.uint16)
    write_safetensors(
        tmp_path / "m.safetensors",
        {
            "f32": ("F32", [2, 2], w.tobytes()),
            "f64": ("F64", [2, 2], w.astype(np.float64).tobytes()),
            "f16": ("F16", [2, 2], w.astype(np.float16).tobytes()),
            "bf16": ("BF16", [2, 2], bfloat16.tobytes()),
            "f8": ("F8_E4M3", [2, 2], b"1234"),
            "i8": ("I8", [2, 2], b"1234"),
            "none": ("F32", [0, 2], b""),
        },
    )
    result = run("demo", tmp_path / "m.safetensors", "--sparsity", "0.5")
    assert result.exit_code == 0, result.output
    table = rows(result)
    for name in ("f64", "f16", "bf16"):
        assert table[name][:5] == table["f32"][:5]
        assert table[name][-3:] == ["converted", "from", name.upper()]
    assert table["f32"][1:4] == ["2", "1", "5"]  # 3 * 2**5 is 96
    assert table["f8"][-5:] == ["skipped:", "F8_E4M3", "is", "not", "supported"]
    assert table["i8"][-5:] == ["skipped:", "I8", "is", "not", "supported"]
    assert table["none"][-2:] == ["skipped:", "empty"]


def test_what_is_refused_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    holes = np.ones((4, 6), np.float32)
    holes[1, 2] = holes[3, 3] = np.nan
    weights = {
        "a.holes": holes,
        "b.infinite": np.float32([[1, np.inf]]),
        "c.too_large": np.float64([[1e300, 1]]),
        "d.infinite": np.float64([[1, -np.inf]]),
        "e.good": np.eye(3, dtype=np.float32),
    }
    save_file(weights, tmp_path / "m.safetensors")
    result = run("demo", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    lines = lines_of(result)
    for name, first in (("a.holes", 8), ("b.infinite", 1), ("d.infinite", 1)):
        assert "refused: w has " in lines[name]
        assert f"NaN or infinite, the first at flat index {first}" in lines[name]
    assert "refused: it holds values beyond float32's range" in lines["c.too_large"]
    assert "refused" not in lines["e.good"]
    assert_one_line(result.stderr, "4 of 5 tensors refused")


def test_every_finite_weight_is_taken(tmp_path: Path) -> None:
    """The largest weight is rounded to a power of two that is too large for float32."""
    largest, smallest = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    weights = {
        "largest": np.full((3, 3), largest),
        "one": np.array([[largest, 1]], np.float32),
        "smallest": np.full((3, 3), smallest),
        "both": np.array([[largest, smallest, 0, -1]], np.float32),
        "zeros": np.zeros((3, 3), np.float32),
    }
    save_file(weights, tmp_path / "m.safetensors")
    for bits in (8, 16):
        result = run("demo", tmp_path / "m.safetensors", "--bits", bits, "--sparsity", 0)
        assert result.exit_code == 0, result.output
        sqnr = {name: cells[4] for name, cells in rows(result).items() if name in weights}
        assert sqnr["zeros"] == "-"
        assert sqnr["smallest"] == "inf"
        # The result is 2**128, instead of 2**128 - 2**104.
        assert float(sqnr["largest"]) == pytest.approx(20 * math.log10(2.0**24 - 1), abs=0.01)


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32", "F64"])
def test_signaling_nan_is_refused_without_a_warning(tmp_path: Path, dtype: str) -> None:
    bits = {"F16": "<H", "BF16": "<H", "F32": "<I", "F64": "<Q"}
    signaling = {"F16": 0x7C01, "BF16": 0x7F81, "F32": 0x7F800001, "F64": 0x7FF0000000000001}
    raw = struct.pack(bits[dtype], signaling[dtype])
    write_safetensors(tmp_path / "m.safetensors", {"w": (dtype, [1, 1], raw), "good": EYE})
    result = run("demo", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    assert "refused: w has 1 element that is NaN" in lines_of(result)["w"]


def test_more_axes_than_numpy_has(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"deep": ("F32", [1] * 68 + [2, 2], EYE[2]), "flat": EYE})
    result = run("demo", path)
    assert result.exit_code == 0, result.output
    lines = lines_of(result)
    assert " 70 axes " in lines["deep"]
    assert lines["deep"].split()[3:7] == lines["flat"].split()[2:6]


def test_tensors_that_are_left_out_or_skipped_or_alone(tmp_path: Path) -> None:
    one = np.float32(3).tobytes()
    tensors = {
        "none": ("F32", [0, 2], b""),
        "none.huge": ("F32", [0, 2**63], b""),
        "scalar": ("F32", [], one),
        "vector": ("F32", [1], one),
        "float8": ("F8_E4M3", [1, 1], b"1"),
        "bool": ("BOOL", [1, 1], b"1"),
        "integer": ("I64", [1, 1], b"12345678"),
        "complex": ("C64", [1, 1], b"12345678"),
    }
    write_safetensors(tmp_path / "m.safetensors", tensors)
    result = run("demo", tmp_path / "m.safetensors", "--sparsity", 0)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "2 tensors of fewer than two dimensions left out" in result.stdout
    result = run("demo", tmp_path / "m.safetensors", "--sparsity", 0, "--all")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = lines_of(result)
    assert lines["scalar"].split()[:5] == ["scalar", "scalar", "1", "3", "5"]
    assert lines["vector"].split()[:5] == ["vector", "1", "1", "3", "5"]
    for name, reason in (
        ("none", "empty"),
        ("none.huge", "empty"),
        ("float8", "F8_E4M3 is not supported"),
        ("bool", "BOOL is not supported"),
        ("integer", "I64 is not supported"),
        ("complex", "C64 is not supported"),
    ):
        assert f"skipped: {reason}" in lines[name]


def test_many_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.timing, "SAMPLE_SECONDS", 1e-9)
    write_safetensors(tmp_path / "m.safetensors", {f"w.{i}": EYE for i in range(300)})
    result = run("demo", tmp_path / "m.safetensors")
    assert result.exit_code == 0, result.output
    assert sum(name.startswith("w.") for name in rows(result)) == 300


def test_a_file_that_shrinks_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, dict.fromkeys("abc", EYE))
    process = demo.process

    def process_and_cut(tensor: demo.Tensor, *how: Any) -> demo.Report:
        report = process(tensor, *how)
        os.truncate(path, path.stat().st_size - 20)  # cuts into the second of three tensors
        return report

    monkeypatch.setattr(demo, "process", process_and_cut)
    result = run("demo", path)
    assert result.exit_code == 1
    lines = lines_of(result)
    assert "refused" not in lines["a"]
    for name in "bc":
        assert "refused: the file has become shorter since its header was read" in lines[name]
    assert_one_line(result.stderr, "2 of 3 tensors refused")


def test_a_file_that_vanishes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"w": EYE})
    read = demo.read_safetensors

    def read_and_remove(file: Path) -> list[demo.Tensor]:
        tensors = read(file)
        file.unlink()
        return tensors

    monkeypatch.setattr(demo, "read_safetensors", read_and_remove)
    result = run("demo", path)
    assert result.exit_code == 1
    assert "refused: No such file or directory" in lines_of(result)["w"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(MemoryError("Unable to allocate 3 GiB"), "Unable to allocate 3 GiB"),
     (MemoryError(), "MemoryError")],
)  # fmt: skip
def test_memory_that_is_not_to_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: MemoryError, reason: str
) -> None:
    choose_format = sc.choose_format

    def choose(w: np.ndarray, bits: int) -> sc.FixedPoint:
        if w.size > 4:
            raise error
        return choose_format(w, bits)

    monkeypatch.setattr(sc, "choose_format", choose)
    large = ("F32", [1, 8], bytes(32))
    write_safetensors(tmp_path / "m.safetensors", {"large": large, "small": EYE})
    result = run("demo", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    assert f"refused: {reason}" in lines_of(result)["large"]
    assert "refused" not in lines_of(result)["small"]


@pytest.fixture
def python_handles_sigint() -> Iterator[None]:
    """Install Python's handler of SIGINT, which is absent if a shell started the tests with `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_sigint")
def test_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "process", lambda *_: signal.raise_signal(signal.SIGINT))
    for terminal in (False, True):
        result = run("demo", terminal=terminal)
        assert result.exit_code == 130
        assert result.stdout == ""
        assert result.stderr.endswith("secateur: interrupted\n")
        assert "Traceback" not in result.stderr
    assert_one_line(run("demo").stderr.lstrip("\n"))  # older Typer prints a newline first


# --- control characters in files and arguments are escaped ------------------------------------

HOSTILE = {
    "escape": "\x1b[2J\x1b]0;title\x07",
    "C1": "\x9b31m\x85",
    "NUL": "a\x00b",
    "bidirectional": "\u202egnp.\u2066\u200f",
    "lines": "a\nb\rc\u2028d\x0b",
    "invisible": "\u200b\ufeff\U000e0041",
}


def assert_plain(text: str) -> None:
    for line in text.split("\n"):
        assert line.isprintable(), ascii(line)


@given(st.text(st.characters()))
def test_escaped_text_is_one_printable_line_from_which_the_original_follows(text: str) -> None:
    assert escaped(text).isprintable()
    assert escaped(escaped(text)) == escaped(text)
    if text.isprintable():
        assert escaped(text) == text
    if "\\" not in text and "'" not in text:
        assert repr(text) == f"'{escaped(text)}'"


@given(st.text(st.characters(), max_size=20), st.integers(0, 10_000))
def test_long_text_loses_its_middle(text: str, times: int) -> None:
    long = text * times
    assert printable(long).isprintable()
    if len(long) <= 200:
        assert printable(long) == escaped(long)
    else:
        assert printable(long).startswith(escaped(long[:100]))
        assert printable(long).endswith(f"{escaped(long[-100:])} ({len(long):,} characters)")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_names_are_shown_escaped(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {text: EYE, f"bad{text}": ("I8", [1, 1], b"1")})
    result = run("demo", path)
    assert result.exit_code == 0, result.output
    assert_plain(result.stdout)
    lines = [line.strip() for line in result.stdout.split("\n")]
    assert any(line.startswith(f"{escaped(text)} ") for line in lines)
    assert any(line.startswith(f"bad{escaped(text)} ") for line in lines)


@pytest.mark.parametrize("text", [*HOSTILE.values(), "[bold]x[/] :smile: {task}"], ids=ascii)
def test_names_are_shown_escaped_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    write_safetensors(tmp_path / "m.safetensors", {text: EYE})
    result = run("demo", tmp_path / "m.safetensors", terminal=True)
    assert result.exit_code == 0, result.output
    for stream in (result.stdout, result.stderr):
        assert escaped(text) in stream
        if not text.isprintable():
            assert text not in stream


@pytest.mark.parametrize("text", [text for text in HOSTILE.values() if "\0" not in text], ids=ascii)
def test_paths_and_arguments_are_shown_escaped(tmp_path: Path, text: str) -> None:
    missing = tmp_path / text
    assert_refused(run("demo", missing), escaped(str(missing)), "No such file")
    missing.mkdir()
    assert_refused(run("demo", missing), escaped(str(missing)))
    broken = missing / "broken"
    broken.write_bytes(b"")
    assert_refused(run("demo", broken), escaped(str(broken)), "not a safetensors file")
    good = missing / "good"
    write_safetensors(good, {"w": EYE})
    result = run("demo", good)
    assert result.exit_code == 0, result.output
    assert_plain(result.stdout)
    assert escaped(str(good)) in result.stdout.replace("\n", "")
    for arguments in ([text], ["demo", f"--{text}"], ["demo", "a", text], ["demo", "--bits", text],
                      ["bench", "--json", missing / "none" / "results.json"]):  # fmt: skip
        assert_refused(run(*arguments), " --help)")


def test_what_other_libraries_say_is_shown_escaped_and_short(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"w": ("F7\x1b[2J", [1, 1], b"1")})
    assert_refused(run("demo", path), "F7\\x1b[2J")
    write_safetensors(path, {"w": ("F" * 100_000, [1, 1], b"1")})
    result = run("demo", path)
    assert_refused(result, "not a safetensors file")
    assert len(result.stderr) < 1000


def test_what_the_machine_is_called_is_shown_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "CPU [red]\x1b[2J\u202e[/nope]"
    monkeypatch.setattr("secateur.cli.machine.cpu_name", lambda: name)
    monkeypatch.setattr(bench, "cases", lambda _: [])
    for arguments in (["info"], ["bench", "--quick"]):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
        assert_plain(result.stdout)
        assert escaped(name) in result.stdout


def test_a_long_name_takes_one_line(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "m.safetensors", {"x" * 100_000: EYE})
    result = run("demo", tmp_path / "m.safetensors")
    assert result.exit_code == 0, result.output
    (line,) = (line for line in result.stdout.splitlines() if "xxx" in line)
    assert "(100,000 characters)" in line
    assert " 2x2 " in line


def test_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    tensors = {"layer.0.attention.weight" * 5: EYE, "i8": ("I8", [1, 1], b"1")}
    write_safetensors(tmp_path / "m.safetensors", tensors)
    result = run("demo", tmp_path / "m.safetensors", terminal=True)
    assert result.exit_code == 0, result.output
    assert "…" not in result.stdout
    assert "skipped: I8 is not supported" in result.stdout


def test_output_that_is_ascii(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"größe": EYE})
    done = command("demo", path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gr\\xf6\\xdfe" in done.stdout
    done = command("demo", tmp_path / "größe", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert_one_line(done.stderr, "gr\\xf6\\xdfe", "No such file")


def test_a_path_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"bad\xff.safetensors")
    assert_refused(run("demo", path), "bad\\udcff", "No such file")
    try:
        write_safetensors(path, {"w": EYE})
    except OSError:
        pytest.skip("needs a file system that takes any bytes for names")
    result = run("demo", path)
    assert result.exit_code == 0, result.output
    assert "bad\\udcff" in result.stdout.replace("\n", "")


def test_a_name_is_not_markup(tmp_path: Path) -> None:
    name = "[red]layer[/] [/nope] :smile:"
    path = tmp_path / "[bold]m[" / "x].safetensors"
    path.parent.mkdir()
    save_file({name: np.eye(3, dtype=np.float32)}, path)
    result = run("demo", path)
    assert result.exit_code == 0, result.output
    assert name in result.stdout
    assert str(path) in result.stdout.replace("\n", "")  # the table wraps long lines


def test_a_wrong_result_is_told(
    small_model: list[demo.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: object, **more: object) -> np.ndarray:
        return reference.prune_quantize(*arguments, **more) + np.int8(1)

    monkeypatch.setattr(sc, "prune_quantize", wrong)
    result = run("demo")
    assert result.exit_code == 1
    assert result.stdout.count("differs from NumPy's") == len(small_model) - 1


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    assert_refused(run("demo", path), f"cannot read {path}: No such file")


def test_directory(tmp_path: Path) -> None:
    assert_refused(run("demo", tmp_path), f"cannot read {tmp_path}: it is not a regular file")


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = command("demo", tmp_path / "fifo")
    assert done.returncode == 2
    assert_one_line(done.stderr, "it is not a regular file")


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"w": EYE})
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("needs a user who is not root")
    assert_refused(run("demo", path), f"cannot read {path}: Permission denied")


@pytest.mark.parametrize("length", [0, 4, 8, 40, -1])
def test_truncated_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"w": np.eye(3, dtype=np.float32)}, path)
    path.write_bytes(path.read_bytes()[:length])
    assert_refused(run("demo", path), "truncated or not a safetensors file")


def with_length(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header


ENTRY = b'{"dtype":"F32","shape":[1,1],"data_offsets":[%d,%d]}'


@pytest.mark.parametrize(
    "content",
    [
        b"hello, world, this is text",
        bytes(64),
        b"\xff" * 64,
        with_length(b'{"\xff":' + ENTRY % (0, 4) + b"}") + bytes(4),
        with_length(b'{"w":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        with_length(b'{"w":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"),
        with_length(b'{"w":' + ENTRY % (0, 4) + b',"w":' + ENTRY % (4, 8) + b"}") + bytes(8),
        with_length(b"[]"),
        with_length(b'{"w":["F32",[1,1],[0,4]]}') + bytes(4),
        with_length(b'{"w":' + ENTRY.replace(b'"F32"', b'{"F32":null}') % (0, 4) + b"}") + bytes(4),
        with_length(b'{"w":' + ENTRY.replace(b"[1,1]", b"4") % (0, 4) + b"}") + bytes(4),
    ],
    ids=[
        "text",
        "zeros",
        "ones",
        "not UTF-8",
        "deep",
        "deep entry",
        "name twice",
        "list",
        "entry as a list",
        "dtype as an object",
        "shape as a number",
    ],
)
def test_not_a_safetensors_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    assert_refused(run("demo", path), "truncated or not a safetensors file")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sparsity", "1.01", "--sparsity must be between 0 and 1; got 1.01"),
        ("--sparsity", "-0.5", "--sparsity must be between 0 and 1; got -0.5"),
        ("--sparsity", "nan", "--sparsity must be between 0 and 1; got nan"),
        ("--bits", "7", "--bits must be 8 or 16; got 7"),
        ("--threads", "0", "--threads must be between 1 and 1024; got 0"),
    ],
)
def test_option_out_of_range(option: str, value: str, message: str) -> None:
    assert_refused(run("demo", f"{option}={value}"), message)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["demo", "--help"]])
def test_help(arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: secateur")


def test_threads_are_put_back(small_model: list[demo.Tensor]) -> None:
    assert small_model
    before = sc.get_num_threads()
    run("demo", "--threads", before + 1)
    assert sc.get_num_threads() == before


# --- bench -----------------------------------------------------------------------------------


def test_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK", 1 << 10)
    monkeypatch.setattr(bench.timing, "SAMPLE_SECONDS", 1e-5)
    path = tmp_path / "results.json"
    result = run("bench", "--quick", "--json", path)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output

    written = json.loads(path.read_text())
    assert written["machine"]["secateur"] == sc.__version__
    assert len(written["results"]) == len(bench.cases(1 << 10))
    for row in written["results"]:
        assert row["identical"] is True
        assert row["seconds"] > 0
        assert row["speedup_over_numpy"] > 0
        assert row["operation"] in result.stdout
    ratio = next(row for row in written["results"] if row["operation"] == "prune")["ratio"]
    assert f"{ratio:.2f} of copy" in result.stdout


def test_bench_cannot_write(tmp_path: Path) -> None:
    result = run("bench", "--quick", "--json", tmp_path / "none" / "results.json")
    assert_refused(result, "--json", "No such file")


def one_case(*results: int) -> list[bench.Case]:
    """Return a case that compares calls that return these numbers."""
    contenders = [bench.Contender(partial(np.float32, result)) for result in results]
    return [bench.Case("prune", "", 1024, 8, "", lambda: bench.Comparison(*contenders))]


def test_bench_tells_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "cases", lambda _: one_case(1, 2))
    result = run("bench", "--quick")
    assert result.exit_code == 1
    assert "WRONG RESULT" in result.stdout
    assert_one_line(result.stderr, "a result differs")


@pytest.mark.parametrize("quick", [False, True])
def test_bench_takes_fewer_rounds_of_smaller_arrays_if_quick(
    monkeypatch: pytest.MonkeyPatch, quick: bool
) -> None:
    sizes, counts = [], []
    measure = bench.measure

    def cases(n: int) -> list[bench.Case]:
        sizes.append(n)
        return one_case(1, 1)

    def measure_once(case: bench.Case, rounds: int) -> bench.Result:
        counts.append(rounds)
        return measure(case, rounds=1)

    monkeypatch.setattr(bench, "cases", cases)
    monkeypatch.setattr(bench, "measure", measure_once)
    assert run("bench", *(["--quick"] if quick else [])).exit_code == 0
    assert (sizes, counts) == (([bench.QUICK], [7]) if quick else ([bench.FULL], [21]))


@pytest.mark.parametrize("cpus", [0, 1, 2])
def test_the_name_of_the_cpu(monkeypatch: pytest.MonkeyPatch, cpus: int) -> None:
    """/proc/cpuinfo may list a single CPU, and may not name it."""
    text = "processor\t: 0\nmodel name\t: Some: CPU\n\n" * cpus
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    name = cpu_name()
    assert name == "Some: CPU" if cpus else name in (platform.processor(), platform.machine())


def test_bench_shows_targets_and_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    call = bench.Contender(lambda: np.float32(1))
    comparison = bench.Comparison(call, call, call, peers={"Peer": call})
    targets: dict[str, dict[str, float]] = {
        "prune": {"ratio_target": 1e9},
        "quantize": {"ratio_target": 1e-9},
        "compare": {"call_target": 1e3},
        "topk": {"call_target": 1e-12},
        "dequantize": {},
    }
    cases = [
        bench.Case(name, "", 1024, 8, "copy", lambda: comparison, **target)
        for name, target in targets.items()
    ]
    monkeypatch.setattr(bench, "cases", lambda _: cases)
    lines = lines_of(run("bench", "--quick"))
    assert "x Peer" in lines["operation"]
    assert "<= 1e+09 yes" in lines["prune"]
    assert "<= 1e-09 NO" in lines["quantize"]
    assert "<= 1e+09 us yes" in lines["compare"]
    assert "<= 1e-06 us NO" in lines["topk"]
    assert "<=" not in lines["dequantize"]


def ratio_targets(main: int) -> dict[tuple[str, str, int], float | None]:
    """Return the target of each case of a machine of two CPUs, None for small calls."""
    cases = bench.cases(main, cpus=2)
    targets = {(case.operation, case.variant, case.n): case.ratio_target for case in cases}
    assert len(targets) == len(cases)  # no two rows have the same description
    return targets


def test_targets_at_each_size() -> None:
    targets = ratio_targets(bench.FULL)
    assert targets["kth_magnitude", "k/n = 0.5", 1 << 24] == 1.15
    assert targets["kth_magnitude", "k/n = 0.5", 1 << 20] == 2.5
    assert targets["prune", "", 1 << 24] == 0.95
    assert targets["prune", "in place", 1 << 24] == 1.1
    assert targets["prune", "in place, nothing changes", 1 << 24] == 1.1
    assert targets["prune", "float64", 1 << 24] == 1.1
    assert targets["quantize", "int8", 1 << 24] == 0.55
    assert targets["quantize", "", 1 << 20] == 0.55
    assert targets["quantize", "stochastic", 1 << 24] == 0.9
    assert targets["quantize", "stochastic", 1 << 20] == 1.5
    assert targets["quantize", "2 threads", 1 << 21] == 1 / 1.5
    assert targets["quantize", "2 threads", 1 << 24] is None  # measured: the gain of a copy


def test_variants_of_quantize_have_the_same_target() -> None:
    """It is that of each rounding, overflow rule and layout of parameters, at both sizes."""
    compared = [
        case
        for case in bench.cases()
        if case.yardstick == "default" and "float" not in case.variant  # other dtypes
    ]
    assert len(compared) == 2 * (7 + 4 + 5)
    assert {case.n for case in compared} == {1 << 20, 1 << 24}
    assert {case.ratio_target for case in compared} == {1.3}


def test_small_calls_have_a_target_in_seconds() -> None:
    assert {case.call_target for case in bench.cases() if case.n == 64} == {1.2e-6, 4e-6}
    assert {case.call_target for case in bench.cases() if case.n != 64} == {None}


def test_targets_of_other_sizes_are_left_out() -> None:
    full, quick = ratio_targets(bench.FULL), ratio_targets(bench.QUICK)
    of_any_size = {key for key, target in quick.items() if key[2] == bench.QUICK and target}
    assert {target for key, target in quick.items() if key in of_any_size} == {2}  # other data
    smaller = {key: target for key, target in quick.items() if key[2] < bench.QUICK}
    assert smaller.items() <= full.items()


def test_two_threads_need_two_cpus() -> None:
    variants = [{case.variant for case in bench.cases(cpus=cpus)} for cpus in (1, 2)]
    assert variants[1] - variants[0] == {"2 threads"}


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ({}, None),
        ({"ratio": 0.5}, None),
        ({"ratio": 0.5, "ratio_target": 0.6}, True),
        ({"ratio": 0.7, "ratio_target": 0.6}, False),
        ({"call_target": 2e-6}, True),
        ({"call_target": 0.5e-6}, False),
    ],
)
def test_target_met(values: dict[str, float], met: bool | None) -> None:
    row = dict.fromkeys(bench.Result.__dataclass_fields__) | {"seconds": 1e-6} | values
    assert bench.Result(**row).time_target_met == met


def test_in_place_cases_prune_the_same_data() -> None:
    """The second prunes what is pruned already. Its contenders have arrays of their own."""
    cases = {case.variant: case for case in bench.cases(1 << 10) if case.operation == "prune"}
    first, again = (cases[variant].build() for variant in ("in place", "in place, nothing changes"))
    before = first.ours.results()[0]
    assert np.count_nonzero(before) == 102
    for contender in (first.numpy, again.ours, again.numpy, again.ours):
        np.testing.assert_array_equal(contender.results()[0], before)
    assert again.ours.call() is not again.numpy.call()


# --- output that cannot be written -------------------------------------------------------------

FULL_DISK = Path("/dev/full")
needs_full_disk = pytest.mark.skipif(not FULL_DISK.exists(), reason="needs /dev/full")
EVERY_COMMAND = [["info"], ["demo", "FILE"], ["bench", "--quick"], ["--help"], ["demo", "--help"]]
WITH_ONE_CASE = """
import sys
from secateur import bench, cli
call = bench.Contender(lambda: 1)
case = bench.Case("prune", "", 1024, 8, "", lambda: bench.Comparison(call, call))
bench.cases = lambda _: [case]
sys.exit(cli.main(sys.argv[1:]))
"""


def with_output(arguments: Iterable[str], tmp_path: Path, stdout: Any) -> tuple[int, str]:
    """Run a command with this stdout, and return its exit code and its stderr."""
    path = tmp_path / "m.safetensors"
    write_safetensors(path, {"w": EYE})
    given = [str(path) if argument == "FILE" else argument for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-c", WITH_ONE_CASE, *given],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stderr


@needs_full_disk
@pytest.mark.parametrize("arguments", EVERY_COMMAND, ids=" ".join)
def test_full_disk(tmp_path: Path, arguments: list[str]) -> None:
    with FULL_DISK.open("w") as full:
        exit_code, stderr = with_output(arguments, tmp_path, full)
    assert exit_code == 1
    assert_one_line(stderr, "No space left on device")


@pytest.mark.parametrize("arguments", EVERY_COMMAND, ids=" ".join)
def test_closed_pipe(tmp_path: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert with_output(arguments, tmp_path, writer) == (1, "")
    finally:
        os.close(writer)


@needs_full_disk
@pytest.mark.parametrize("wrong", [False, True])
def test_full_disk_for_json(monkeypatch: pytest.MonkeyPatch, wrong: bool) -> None:
    """The table is printed even if the JSON file cannot be written."""
    monkeypatch.setattr(bench, "cases", lambda _: one_case(1, 1 + wrong))
    result = run("bench", "--quick", "--json", FULL_DISK)
    assert result.exit_code == 1
    assert_one_line(result.stderr, "cannot write /dev/full: No space left on device")
    assert ("WRONG RESULT" in result.stdout) == wrong
    assert "prune" in result.stdout


@not_under_sanitizers("its runtime crashes without the streams", ("tsan",))
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    """Streams may be closed, as by >&- in a shell. Messages for stderr never go to stdout."""
    missing = tmp_path / "missing"
    redirect = {"stdout": ">&-", "stderr": "2>&-"}[closed]
    script = f'exec "$0" -m secateur.cli demo "$1" {redirect}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, str(missing)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == ""
    if closed == "stdout":
        assert done.returncode == 1
        assert_one_line(done.stderr, "standard output is closed")
    else:
        assert done.returncode == 2
        assert done.stderr == ""


@needs_full_disk
def test_stderr_on_a_full_disk(tmp_path: Path) -> None:
    code = "import sys; from secateur import cli; sys.exit(cli.main(sys.argv[1:]))"
    with FULL_DISK.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code, "demo", str(tmp_path / "missing")],
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stdout) == (2, b"")
