"""Which ISA the package uses, and how it is chosen.

The tests need not find out which kernels run: the name from `sc.isa()` and the kernels are in the same
constant of the ISA's object file. test_symbols.py checks that no other object can replace them, and
that the object has the instructions of its ISA.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import secateur as sc
from secateur import _core
from support.arrays import normal
from support.isas import running
from support.oracles import Ranking, assert_same_bits
from support.processes import imported


@pytest.mark.parametrize("name", sc.isas())
def test_the_environment_forces_one(name: str) -> None:
    done = imported(SECATEUR_ISA=name)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == name
    assert done.stdout.split()[2] == "97.0"


@pytest.mark.parametrize("environment", [{}, {"SECATEUR_ISA": ""}])
def test_the_best_is_the_default(environment: dict[str, str]) -> None:
    done = imported(**environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == sc.isas()[-1]


@pytest.mark.parametrize("name", ["sse9", "AVX2", "avx2 ", "scalar,avx2", "0", "näh"])
def test_a_name_that_this_cpu_has_not_is_refused(name: str) -> None:
    done = imported(SECATEUR_ISA=name)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    names = ", ".join(sc.isas())
    assert last == (
        f"ImportError: SECATEUR_ISA must be an ISA of this CPU and this build ({names}), got '{name}'"
    )


@pytest.mark.parametrize("variable", ["SECATEUR_ISA", "SECATEUR_NUM_THREADS"])
@pytest.mark.parametrize(
    "value",
    [b"\xff", b"\xe9t\xe9", b"\xf0\x9f", b"\xed\xa0\x80", b"\x80" * 1000],
    ids=["no such byte", "Latin-1", "cut", "surrogate", "long"],
)
def test_a_value_that_is_not_utf8_is_refused_as_any_other(variable: str, value: bytes) -> None:
    done = imported(**{variable: os.fsdecode(value)})
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: {variable} must be ")
    assert f"got '{value.decode('utf-8', 'backslashreplace')}"[:100] in last


@pytest.mark.parametrize("character", ["é", "日", "🌳"])
def test_a_long_message_is_cut_between_characters(character: str) -> None:
    """The limit may fall on any byte of a character."""
    width = len(character.encode())
    for shift in range(width):
        name = "x" * shift + character * 600
        with pytest.raises(ValueError, match=r"^isa must be ") as refused:
            _core.set_isa(name)
        message = str(refused.value)
        assert 511 - width < len(message.encode()) <= 511
        assert message.partition("got '")[2] == name[: len(message.partition("got '")[2])]


def test_a_short_message_is_whole() -> None:
    with pytest.raises(ValueError, match=r"got 'né🌳'$"):
        _core.set_isa("né🌳")


def test_bytes_that_are_not_utf8_are_shown_escaped() -> None:
    with pytest.raises(ValueError, match=r"got 'a\\xffb'$"):
        _core.set_isa(b"a\xffb")


def test_names() -> None:
    assert sc.isas()[0] == "scalar"
    assert sc.isa() in sc.isas()
    assert len(set(sc.isas())) == len(sc.isas())
    assert set(sc.isas()) <= {"scalar", "avx2", "avx512", "neon"}


def test_all_that_the_cpu_has() -> None:
    """Compare with the flags in /proc/cpuinfo."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((set(line.split()) for line in lines if line.startswith("flags")), None)
    if flags is None:
        pytest.skip("needs the flags of /proc/cpuinfo")
    avx2 = {"avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "popcnt"} <= flags
    avx512 = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vbmi2"} <= flags
    expected = ["scalar"] + ["avx2"] * avx2 + ["avx512"] * (avx2 and avx512)
    assert list(sc.isas()) == expected


def test_set_isa() -> None:
    before = sc.isa()
    for name in sc.isas():
        with running(name):
            assert sc.isa() == name
    assert sc.isa() == before


@pytest.mark.parametrize("name", ["", "sse9", "AVX2", "scalar "])
def test_set_isa_refuses_other_names(name: str) -> None:
    before = sc.isa()
    names = ", ".join(sc.isas())
    with pytest.raises(ValueError, match=rf"^isa must be .* \({names}\), got '{name}'$"):
        _core.set_isa(name)
    assert sc.isa() == before


def test_a_change_reaches_other_threads() -> None:
    """Calls under way in other threads return the same result."""
    w = np.tile(normal(1000), 400)
    expected = Ranking(w).pruned(1234)
    with ThreadPoolExecutor(2) as pool, running(sc.isa()):
        calls = [pool.submit(sc.prune, w, k=1234) for _ in range(40)]
        while not all(call.done() for call in calls):
            for name in sc.isas():
                _core.set_isa(name)
                assert pool.submit(sc.isa).result() in sc.isas()
        for call in calls:
            assert_same_bits(call.result(), expected)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
@pytest.mark.parametrize(
    ("isas", "error"),
    [
        ("scalar", None),
        ("scalar;sse9", 'SECATEUR_ISAS must be a list of names from "scalar'),
        ("", 'SECATEUR_ISAS must contain scalar, got ""'),
    ],
)
def test_a_build_has_the_isas_that_are_asked_for(
    tmp_path: Path, isas: str, error: str | None
) -> None:
    root = Path(__file__).parents[2]
    options = [f"-DSECATEUR_ISAS={isas}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    done = subprocess.run(
        ["cmake", "-S", root, "-B", tmp_path, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if error is None:
        assert done.returncode == 0, done.stderr
        targets = re.findall(
            r"-DSECATEUR_TARGET=(\w+)", (tmp_path / "compile_commands.json").read_text()
        )
        assert set(targets) == set(isas.split(";"))
    else:
        assert done.returncode != 0
        assert error in " ".join(done.stderr.split())
