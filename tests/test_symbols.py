"""The object files of the targets, as the library that is installed for embedders holds them.

A target is compiled for one instruction set. If its object offered a function that others may use
too, an inline one from some header, the linker might pick that copy for all, and older CPUs would
die of it. So each must define its table and nothing else, need nothing from outside but the C
library's copying of bytes, and run nothing when it is loaded.
"""

import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import secateur as sc

LIBRARY = Path(sc.get_cmake_dir()).parents[1] / "libsecateur.a"

# What GCC and Clang make of copying and clearing bytes; and what they call, where they are set to
# guard the stack, when that was overrun.
FOREIGN = {"memcpy", "memset", "__stack_chk_fail"}

# Registers that only a newer instruction set has.
VECTORS = {"scalar": set(), "avx2": {"ymm"}, "avx512": {"ymm", "zmm"}}


def tool(name: str, *arguments: object) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    command = [name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The object files of the library, by their name without suffixes."""
    folder = tmp_path_factory.mktemp("objects")
    assert LIBRARY.is_file()
    for line in tool("ar", "t", LIBRARY).splitlines():
        if line.endswith(".o"):
            (folder / line).write_bytes(
                subprocess.run(["ar", "p", LIBRARY, line], capture_output=True, check=True).stdout
            )
    return {path.name.split(".")[0]: path for path in folder.iterdir()}


@pytest.fixture(params=sc.isas())
def target(request: pytest.FixtureRequest, members: dict[str, Path]) -> Path:
    return members[request.param]


def symbols(path: Path) -> list[tuple[str, str]]:
    """(type, name) of each: upper case is global."""
    found = re.findall(r"^[0-9a-f ]* ([A-Za-z]) (\S+)$", tool("nm", path), re.MULTILINE)
    # macOS puts an underscore before the names of C.
    strip = "_" if sys.platform == "darwin" else ""
    return [(kind, name.removeprefix(strip)) for kind, name in found]


def test_every_isa_has_a_target(members: dict[str, Path]) -> None:
    assert set(sc.isas()) <= set(members)
    assert "select" in members  # as others of the library


def test_a_target_defines_its_table_alone(target: Path) -> None:
    defined = [name for kind, name in symbols(target) if kind.isupper() and kind != "U"]
    isa = target.name.split(".")[0]
    assert defined == [f"_ZN8secateur{len(isa)}{isa}7kernelsE"]


def test_a_target_has_nothing_that_could_be_replaced(target: Path) -> None:
    kinds = {kind for kind, _ in symbols(target)}
    assert kinds.isdisjoint("VvWwu")
    assert {"U", "t"} & kinds  # there are symbols to look at


def test_a_target_needs_nothing_foreign(target: Path) -> None:
    assert {name for kind, name in symbols(target) if kind == "U"} <= FOREIGN


@pytest.mark.skipif(sys.platform == "darwin", reason="needs ELF")
def test_a_target_runs_nothing_when_loaded(target: Path) -> None:
    sections = re.findall(r"^ *\d+ (\S+)", tool("objdump", "-h", target), re.MULTILINE)
    assert any(section.startswith(".text") for section in sections)
    started = (".init_array", ".ctors", ".preinit_array", ".tdata", ".tbss")
    assert [section for section in sections if section.startswith(started)] == []


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 registers")
def test_objects_have_the_instructions_of_their_name(members: dict[str, Path]) -> None:
    """The targets theirs; all others, which run on every CPU, none but the common ones."""
    found = {
        name: set(re.findall(r"%([yz]mm)", tool("objdump", "-d", path)))
        for name, path in members.items()
    }
    assert found == {name: VECTORS.get(name, set()) for name in found}
