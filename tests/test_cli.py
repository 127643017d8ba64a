"""The command line: what it prints, where, and with which exit code."""

import json
import math
import struct
import subprocess
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from typer.testing import CliRunner, Result

import secateur as sc
from secateur import bench, demo, reference
from secateur.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def assert_refused(result: Result, *words: str) -> None:
    """One line on stderr, nothing else, and the exit code of wrong usage."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("secateur: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


def rows(result: Result) -> dict[str, list[str]]:
    """The cells of the printed table by its first column."""
    lines = [line.split() for line in result.stdout.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if len(cells) > 4}


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
        shape, k, threshold, frac_bits, sqnr, ns, times = table[name]
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
        assert float(times) > 0
    assert "1,305" in table["total"]  # elements


def test_demo_builtin(small_model: list[demo.Tensor]) -> None:
    result = run("demo", "--threads", 1)
    assert result.exit_code == 0, result.output
    matrices = [tensor for tensor in small_model if len(tensor.shape) == 2]
    table = rows(result)
    assert {tensor.name for tensor in matrices} <= set(table)
    assert "layers.0.norm.weight" not in table
    assert "1 tensors of fewer than two dimensions left out" in result.stdout
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
    assert tensor.load().shape == tensor.shape
    assert tensor.load().dtype == np.float32
    assert tensor.load().tobytes() == demo.builtin_model()[2].load().tobytes()


def write_safetensors(path: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    """By hand, for the dtypes that NumPy lacks."""
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        offsets = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_dtypes(tmp_path: Path) -> None:
    w = np.float32([[1, -0.5], [0.25, 3]])  # exact in bfloat16 too
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
    assert table["f8"][-5:] == ["skipped:", "F8_E4M3", "is", "not", "taken"]
    assert table["i8"][-5:] == ["skipped:", "I8", "is", "not", "taken"]
    assert table["none"][-2:] == ["skipped:", "empty"]


def test_what_is_refused_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    holes = np.ones((4, 6), np.float32)
    holes[1, 2] = holes[3, 3] = np.nan
    weights = {
        "a.holes": holes,
        "b.infinite": np.float32([[1, np.inf]]),
        "c.too_large": np.float64([[1e300, 1]]),
        "d.good": np.eye(3, dtype=np.float32),
    }
    save_file(weights, tmp_path / "m.safetensors")
    result = run("demo", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
    assert "refused: w has 2 NaN" in lines["a.holes"]
    assert "8" in lines["a.holes"].partition("refused")[2]  # the index of the first
    assert "refused: it holds an infinity" in lines["b.infinite"]
    assert "refused: it holds an infinity in float32" in lines["c.too_large"]
    assert "refused" not in lines["d.good"]
    assert result.stderr == ""


def test_a_name_is_not_markup(tmp_path: Path) -> None:
    name = "[red]layer[/] [/nope] :smile:"
    path = tmp_path / "[bold]m[" / "x].safetensors"
    path.parent.mkdir()
    save_file({name: np.eye(3, dtype=np.float32)}, path)
    result = run("demo", path)
    assert result.exit_code == 0, result.output
    assert name in result.stdout
    assert str(path) in result.stdout.replace("\n", "")  # a long line is broken


def test_a_wrong_result_is_told(
    small_model: list[demo.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: object, **more: object) -> np.ndarray:
        return reference.prune_quantize(*arguments, **more) + np.int8(1)

    monkeypatch.setattr(sc, "prune_quantize", wrong)
    result = run("demo")
    assert result.exit_code == 1
    assert result.stdout.count("differs from NumPy's") == len(small_model) - 1


@given(
    largest=st.floats(0, width=32, exclude_min=True, allow_infinity=False),
    bits=st.sampled_from([8, 16]),
)
def test_most_frac_bits_that_saturate_nothing(largest: float, bits: int) -> None:
    def saturates(frac_bits: int) -> bool:
        return round(Fraction(largest) * Fraction(2) ** frac_bits) > 2 ** (bits - 1) - 1

    frac_bits = demo.choose_frac_bits(largest, bits)
    assert not saturates(frac_bits)
    assert saturates(frac_bits + 1)
    sc.FixedPoint(bits, frac_bits)


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    assert_refused(run("demo", path), f"cannot read {path}: No such file")


def test_directory(tmp_path: Path) -> None:
    assert_refused(run("demo", tmp_path), f"cannot read {tmp_path}")


@pytest.mark.parametrize("length", [0, 4, 8, 40, -1])
def test_truncated_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"w": np.eye(3, dtype=np.float32)}, path)
    path.write_bytes(path.read_bytes()[:length])
    assert_refused(run("demo", path), "truncated or not a safetensors file")


@pytest.mark.parametrize("content", [b"hello, world, this is text", bytes(64), b"\xff" * 64])
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


def test_threads_are_put_back(small_model: list[demo.Tensor]) -> None:
    assert small_model
    before = sc.get_num_threads()
    run("demo", "--threads", before + 1)
    assert sc.get_num_threads() == before


# --- bench -----------------------------------------------------------------------------------


def test_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "QUICK", 1 << 10)
    monkeypatch.setattr(bench, "SAMPLE_SECONDS", 1e-5)
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
        assert row["times_numpy"] > 0
        assert row["operation"] in result.stdout
    share = next(row for row in written["results"] if row["operation"] == "prune")["share"]
    assert f"{share:.2f} of copy" in result.stdout


def test_bench_cannot_write(tmp_path: Path) -> None:
    result = run("bench", "--quick", "--json", tmp_path / "none" / "results.json")
    assert result.exit_code == 2
    assert "No such file" in result.stderr
    assert "Traceback" not in result.output


def test_bench_tells_a_wrong_result(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = bench.Entrant(lambda: np.float32(1)), bench.Entrant(lambda: np.float32(2))
    case = bench.Case("prune", "", 1024, 8, "", lambda: bench.Contest(*wrong))
    monkeypatch.setattr(bench, "cases", lambda _: [case])
    result = run("bench", "--quick")
    assert result.exit_code == 1
    assert "WRONG RESULT" in result.stdout
    assert result.stderr.startswith("secateur: a result differs")


def test_full_size_has_a_target_for_every_row_of_the_design() -> None:
    targets = {
        (case.operation, case.variant): (case.share_target, case.numpy_target)
        for case in bench.cases()
        if case.n == bench.FULL and case.numpy_target
    }
    assert targets["kth_magnitude", "k/n = 0.5"] == (1.25, 40)
    assert targets["prune", "in place"] == (1.0, 30)
    assert targets["prune_quantize", "int8"] == (0.75, 40)
    assert targets["topk_mask", "packed"] == (0.65, 40)
    assert targets["dequantize", "int8"] == (0.65, 3.5)


@pytest.mark.parametrize(
    ("values", "limit_met", "numpy_met"),
    [
        ({}, None, None),
        ({"share": 0.5}, None, None),
        ({"share": 0.5, "share_target": 0.6}, True, None),
        ({"share": 0.7, "share_target": 0.6}, False, None),
        ({"share": 0.5, "share_target": 0.6, "numpy_target": 11}, True, False),
        ({"numpy_target": 10}, None, True),
        ({"call_target": 2e-6}, True, None),
        ({"call_target": 0.5e-6, "numpy_target": 10}, False, True),
    ],
)
def test_targets_met(
    values: dict[str, float], limit_met: bool | None, numpy_met: bool | None
) -> None:
    row = dict.fromkeys(bench.Result.__dataclass_fields__)
    row |= {"seconds": 1e-6, "times_numpy": 10.0} | values
    result = bench.Result(**row)
    assert (result.limit_met, result.numpy_met) == (limit_met, numpy_met)
