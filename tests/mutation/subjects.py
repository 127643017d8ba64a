"""The tests of each source file. Tests that are most likely to fail come first."""

from collections.abc import Iterator
from pathlib import Path

# Tests that check how the package is built, compare with other packages, or repeat other tests.
OTHERS = {"doctests", "pruning_peers", "quantizing_peers", "symbols"}

# Tests that read the sources.
DESELECTED = [
    "tests/select/test_candidates.py::test_the_room_is_as_large",
    "tests/select/test_adversary.py::test_the_sampler_looks_there",
]
# A test that only a build with all ISAs passes.
OF_ALL_ISAS = "tests/core/test_isa.py::test_all_that_the_cpu_has"

# A source is tested by the tests that have its name or the name of a folder that it is in, and by
# these tests and folders of tests.
SUBJECTS = {
    "csrc/core": "errors select prune quantize",
    "csrc/core/cpu": "isa",
    "csrc/core/dispatch": "isa",
    "csrc/core/dtype_table": "dtypes errors pack select quantize",
    "csrc/core/dtypes": "dtypes sketch global soft_threshold pack",
    "csrc/core/interrupt": "interrupts",
    "csrc/core/kernels": "guard_pages select prune quantize pack stats sketch",
    "csrc/core/kernels/convert": "dtypes residual soft_threshold comparing scores sketch choosing blocks",
    "csrc/core/kernels/row_loop": "axis comparing choosing blocks",
    "csrc/core/kernels/sort": "patterns topk axis",
    "csrc/core/kernels/transpose": "axis patterns comparing choosing",
    "csrc/core/layout": "groups several_axes layouts_of_parameters",
    "csrc/core/nan": "errors pruning quantization",
    "csrc/core/scratch": "memory threads",
    "csrc/lanes": "select prune quantize pack stats sketch",
    "csrc/pack": "packed layouts_of_parameters errors guard_pages",
    "csrc/prune": "scores axis topk dtypes fixed_point layouts errors guard_pages threads",
    "csrc/prune/block_pruning": "blocks masks global",
    "csrc/prune/kernels/block_norms": "blocks guard_pages float_state",
    "csrc/prune/kernels/mask": "masks pruning layouts",
    "csrc/prune/kernels/pattern": "patterns masks guard_pages",
    "csrc/prune/mask": "masks",
    "csrc/prune/pattern": "patterns masks",
    "csrc/python": "select prune quantize pack stats sketch isa",
    "csrc/python/arguments": "allocation arguments errors",
    "csrc/python/formats": "affine formats layouts_of_parameters comparing packed errors",
    "csrc/python/gil": "threads interrupts callers",
    "csrc/python/layouts": "several_axes groups layouts_of_parameters errors arguments",
    "csrc/quantize": "dtypes float_state layouts errors guard_pages threads",
    "csrc/quantize/parameters": "layouts_of_parameters affine fixed_point",
    "csrc/select": "pruning global blocks fixed_point affine packed sketch layouts errors guard_pages memory threads",
    "csrc/select/columns": "axis",
    "csrc/select/kernels/columns": "axis guard_pages layouts",
    "csrc/select/kernels/compact": "topk guard_pages",
    "csrc/select/kernels/rows": "axis topk guard_pages layouts",
    "csrc/select/kernels/sinks": "selection fixed_point guard_pages",
    "csrc/select/operand": "scores residual global",
    "csrc/select/output_conversion": "fixed_point affine packed layouts_of_parameters",
    "csrc/select/slices": "axis interrupts",
    "csrc/select/threshold": "pruning dtypes",
    "csrc/sketch": "errors guard_pages",
    "csrc/stats": "errors guard_pages",
    "csrc/targets": "isa selection threads",
    "python/secateur": "doctests",
    "python/secateur/arguments": "arguments formats",
    "python/secateur/containers": "global",
    "python/secateur/dtypes": "dtypes choosing packing errors",
    "python/secateur/formats": "layouts_of_parameters affine quantization",
    "python/secateur/host": "isa threads",
    "python/secateur/locks": "sketch",
    "python/secateur/masks": "prune scores axis",
    "python/secateur/packing": "packed",
    "python/secateur/pruning": "prune scores axis",
    "python/secateur/quantization": "affine fixed_point packed stochastic layouts_of_parameters",
    "python/secateur/results": "stats sketch topk",
    "python/secateur/schedules": "float_state",
    "python/secateur/scores": "global",
    "python/secateur/selection": "topk axis scores residual",
    "python/secateur/terminal": "cli",
}


def test_files(root: Path) -> dict[str, list[str]]:
    """Return the files of each test and of each folder of tests, by name."""
    files: dict[str, list[str]] = {}
    for path in sorted(root.glob("tests/*/test_*.py")):
        name, file = path.stem.removeprefix("test_"), path.relative_to(root).as_posix()
        files.setdefault(name, []).append(file)
        if name not in OTHERS and name != path.parent.name:
            files.setdefault(path.parent.name, []).append(file)
    return files


def words_of(path: str) -> Iterator[str]:
    """Yield the names of tests or folders of tests, from the file to its outermost folder."""
    parts = path.rsplit(".", 1)[0].split("/")
    while parts:
        yield parts[-1]
        yield from SUBJECTS.get("/".join(parts), "").split()
        parts.pop()


def tests_of(path: str, files: dict[str, list[str]]) -> list[str]:
    """Return the test files of a source file."""
    found = [file for word in words_of(path) for file in files.get(word, [])]
    return list(dict.fromkeys(found))


def isas_of(path: str, here: list[str]) -> list[str]:
    """Return the ISAs to build for the mutants of a source file, of those that this machine has."""
    if path.startswith(("csrc/core/cpu", "csrc/core/dispatch")):
        return here
    wanted = ["scalar"]
    compiled_for_each = ("/kernels/", "csrc/lanes/common", "csrc/targets/")
    if any(part in path for part in compiled_for_each):
        wanted.append("avx2")
    elif path.startswith("csrc/lanes/"):
        wanted.append(path.rsplit("/", 1)[1].split(".", maxsplit=1)[0])
    return [isa for isa in here if isa in wanted]


def is_in_programs(path: str) -> bool:
    """Return whether the C and C++ tests contain a source file: all but the extension module."""
    return (
        path.startswith("csrc/") and not path.startswith("csrc/python") and "bindings" not in path
    )
