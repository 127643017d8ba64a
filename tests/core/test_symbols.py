"""The object files of the library that is installed for programs that embed it.

The kernels of an ISA are compiled for CPUs that have it. If one of their objects exported another
function, such as an inline function of a header, the linker might use that copy everywhere, and
older CPUs would crash. So each object defines only its table. It uses only the tables of other
objects and the C library's functions that copy bytes. It runs nothing when it is loaded.
"""

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import secateur as sc
from support.sanitizers import not_under_sanitizers

pytestmark = not_under_sanitizers("objects call its runtime")

CSRC = Path(__file__).parents[2] / "csrc"
LIBRARY = Path(sc.get_cmake_dir()).parents[1] / "libsecateur.a"

# Functions that compilers call to copy and clear bytes, and to report a stack overflow if stack
# protection is on.
FOREIGN = {"memcpy", "memset", "__stack_chk_fail"}

# Registers that only a newer instruction set has.
VECTORS = {"scalar": set(), "avx2": {"ymm"}, "avx512": {"ymm", "zmm"}}
# The library has objects for ISAs that this CPU may lack.
ISAS = sorted({*VECTORS, *sc.isas()})


def tool(name: str, *arguments: object) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    command = [name, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def archived(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each member of a GNU archive. Names may repeat."""
    data = path.read_bytes()
    assert data.startswith(b"!<arch>\n")
    at, long_names = 8, b""
    while at < len(data):
        name, size = data[at : at + 16].decode().rstrip(), int(data[at + 48 : at + 58])
        content = data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
        if name == "//":
            long_names = content
        elif name.removeprefix("/").isdigit():
            yield long_names[int(name[1:]) :].split(b"/\n", 1)[0].decode(), content
        elif name not in ("/", "/SYM64/"):
            yield name.removesuffix("/"), content


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Extract the object files of the library."""
    if sys.platform == "darwin":
        pytest.skip("needs the format of GNU ar")
    folder = tmp_path_factory.mktemp("objects")
    paths = []
    for i, (name, content) in enumerate(archived(LIBRARY)):
        paths.append(folder / f"{i}-{name}")
        paths[-1].write_bytes(content)
    return paths


def defined(path: Path) -> list[str]:
    return [name for kind, name in symbols(path) if kind.isupper() and kind != "U"]


def table_of(path: Path) -> tuple[str, str] | None:
    """Return the ISA and the table of an object, or None if the object is for every CPU."""
    for name in defined(path):
        for isa in ISAS:
            if found := re.match(rf"_ZN8secateur{len(isa)}{isa}\d+(\w*kernels)E$", name):
                return isa, found[1]
    return None


def isa_of(path: Path) -> str:
    table = table_of(path)
    return table[0] if table else ""


@pytest.fixture(params=ISAS)
def targets(request: pytest.FixtureRequest, members: list[Path]) -> list[Path]:
    """The objects with the kernels of an ISA."""
    found = [path for path in members if isa_of(path) == request.param]
    if not found and request.param not in sc.isas():
        pytest.skip("not in this build")
    return found


def symbols(path: Path) -> list[tuple[str, str]]:
    """Return the type and the name of each symbol. Upper-case types are global."""
    found = re.findall(r"^[0-9a-f ]* ([A-Za-z]) (\S+)$", tool("nm", path), re.MULTILINE)
    # macOS adds an underscore before C names.
    strip = "_" if sys.platform == "darwin" else ""
    return [(kind, name.removeprefix(strip)) for kind, name in found]


SUBJECTS = [path.parents[1].name for path in CSRC.glob("*/kernels/table.cpp")]


def test_every_object_of_an_isa_defines_its_table_alone(targets: list[Path]) -> None:
    assert [len(defined(path)) for path in targets] == [1] * len(targets)
    tables = [table[1] for table in map(table_of, targets) if table]
    assert sorted(tables) == sorted(["kernels", *(f"{subject}_kernels" for subject in SUBJECTS)])


def test_only_the_objects_of_an_isa_define_what_is_in_its_namespace(members: list[Path]) -> None:
    others = [path for path in members if not isa_of(path)]
    assert len(others) > 20
    isas = "|".join(f"{len(isa)}{isa}" for isa in ISAS)
    for path in others:
        assert [name for name in defined(path) if re.match(f"_ZN8secateur({isas})", name)] == []


def test_an_object_of_an_isa_has_nothing_that_could_be_replaced(targets: list[Path]) -> None:
    for path in targets:
        kinds = {kind for kind, _ in symbols(path)}
        assert kinds.isdisjoint("VvWwu")


def test_an_object_of_an_isa_needs_nothing_foreign(targets: list[Path]) -> None:
    tables = {name for path in targets for name in defined(path)}
    for path in targets:
        assert {name for kind, name in symbols(path) if kind == "U"} <= FOREIGN | tables


def test_an_object_of_an_isa_runs_nothing_when_loaded(targets: list[Path]) -> None:
    started = (".init_array", ".ctors", ".preinit_array", ".tdata", ".tbss")
    for path in targets:
        sections = re.findall(r"^ *\d+ (\S+)", tool("objdump", "-h", path), re.MULTILINE)
        assert any(section.startswith(".text") for section in sections)
        assert [section for section in sections if section.startswith(started)] == []


def test_nothing_is_thread_local(members: list[Path]) -> None:
    """glibc aborts the process if it has no memory for thread-local variables."""
    found = {
        (path.name, line.split()[-1])
        for path in members
        for line in tool("readelf", "-sW", path).splitlines()
        if " TLS " in line or "__tls_get_addr" in line
    }
    assert found == set()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 registers")
def test_objects_have_the_instructions_of_their_isa(members: list[Path]) -> None:
    """The objects of no ISA run on every CPU, and use no newer registers."""
    used: dict[str, set[str]] = {}
    for path in members:
        registers = set(re.findall(r"%([yz]mm)", tool("objdump", "-d", path)))
        used.setdefault(isa_of(path), set()).update(registers)
        assert registers <= VECTORS.get(isa_of(path), set()), path.name
    assert used == {isa: VECTORS.get(isa, set()) for isa in used}
