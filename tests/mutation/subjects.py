"""The tests of each source file or folder. Tests that are most likely to fail come first."""

# Tests that check how the package is built, compare with other packages, or repeat other tests.
OTHERS = {"test_symbols", "test_peers", "test_quantizing_peers", "test_doctests", "test_cli"}

# Tests that read the sources.
DESELECTED = [
    "tests/test_candidates.py::test_the_room_is_as_large",
    "tests/test_adversary.py::test_the_sampler_looks_there",
]
# A test that only a build with all ISAs passes.
OF_ALL_ISAS = "tests/test_isa.py::test_all_that_the_cpu_has"

SELECTION = "selection topk pruning dtypes scores candidates adversary global axis blocks sketch threads layouts"
QUANTIZING = "quantization fixed_point affine granularity packed stochastic dtypes float_state threads layouts"
PYTHON = "errors layouts callers reference formats"

SUBJECTS = {
    "csrc/core": f"threads errors {SELECTION}",
    "csrc/core/arguments": f"errors {SELECTION} {QUANTIZING}",
    "csrc/core/bindings": "isa threads errors float_state interrupts",
    "csrc/core/blocks": "threads selection pruning quantization guard_pages memory",
    "csrc/core/c_api": "threads isa errors",
    "csrc/core/cpu": "isa selection threads",
    "csrc/core/dispatch": "isa selection threads",
    "csrc/core/dtype_table": f"dtypes errors packing {SELECTION} {QUANTIZING}",
    "csrc/core/dtypes": "dtypes sketch global soft_threshold packing",
    "csrc/core/float_state": "float_state",
    "csrc/core/interrupt": "interrupts threads",
    "csrc/core/kernels": f"guard_pages {SELECTION} {QUANTIZING}",
    "csrc/core/kernels/convert": "dtypes soft_threshold comparing scores sketch choosing blocks quantization",
    "csrc/core/kernels/row_loop": "axis comparing choosing blocks",
    "csrc/core/kernels/sort": "patterns topk axis",
    "csrc/core/kernels/transpose": "axis patterns comparing choosing guard_pages",
    "csrc/core/nan": "errors pruning quantization",
    "csrc/core/scratch": "memory threads selection allocation",
    "csrc/core/thread_state": "threads errors",
    "csrc/core/threads": "threads errors",
    "csrc/lanes": f"selection patterns {QUANTIZING} packing comparing choosing {SELECTION} soft_threshold",
    "csrc/pack": "packing packed errors guard_pages granularity",
    "csrc/prune": f"pruning masks soft_threshold patterns blocks global scores axis fixed_point errors {SELECTION}",
    "csrc/prune/block_pruning": "blocks masks global errors guard_pages threads",
    "csrc/prune/kernels/block_norms": "blocks guard_pages float_state",
    "csrc/prune/kernels/mask": "pruning masks layouts guard_pages dtypes",
    "csrc/prune/kernels/pattern": "patterns masks guard_pages",
    "csrc/prune/kernels/soft_threshold": "soft_threshold guard_pages float_state",
    "csrc/prune/mask": "masks pruning dtypes layouts",
    "csrc/prune/pattern": "patterns masks threads guard_pages",
    "csrc/prune/soft_threshold": "soft_threshold errors",
    "csrc/python": f"{PYTHON} {SELECTION} {QUANTIZING}",
    "csrc/python/module": "errors packing choosing comparing sketch isa",
    "csrc/quantize": f"{QUANTIZING} errors guard_pages",
    "csrc/quantize/parameters": "granularity affine fixed_point errors",
    "csrc/select": f"{SELECTION} errors",
    "csrc/select/columns": "axis errors guard_pages threads",
    "csrc/select/kernels": f"{SELECTION} guard_pages",
    "csrc/select/kernels/columns": "axis guard_pages layouts",
    "csrc/select/kernels/compact": "topk guard_pages dtypes",
    "csrc/select/kernels/rows": "axis topk guard_pages layouts",
    "csrc/select/kernels/sinks": f"{SELECTION} fixed_point guard_pages",
    "csrc/select/kernels/threshold_predictor": "axis topk",
    "csrc/select/locate": "selection adversary",
    "csrc/select/operand": "scores global selection fixed_point errors adversary guard_pages memory",
    "csrc/select/output_conversion": "fixed_point affine packed",
    "csrc/select/sample": "adversary candidates selection topk dtypes global memory",
    "csrc/select/scan": "candidates adversary selection topk fixed_point scores global dtypes threads memory",
    "csrc/select/select": "candidates adversary selection topk pruning global scores dtypes fixed_point threads memory",
    "csrc/select/slices": "axis errors guard_pages threads memory interrupts",
    "csrc/select/threshold": "pruning dtypes errors",
    "csrc/select/ties": "selection candidates adversary dtypes",
    "csrc/select/topk": "topk axis scores errors guard_pages",
    "csrc/sketch": "sketch errors guard_pages",
    "csrc/stats": "comparing choosing errors guard_pages",
    "csrc/targets": "isa selection threads",
    "python/secateur": f"{PYTHON} doctests",
    "python/secateur/affine": "affine granularity formats errors packed",
    "python/secateur/choosing": "choosing errors",
    "python/secateur/cli": "cli",
    "python/secateur/comparing": "comparing errors",
    "python/secateur/containers": "global errors",
    "python/secateur/dtypes": "dtypes choosing packing errors",
    "python/secateur/fixed_point": "formats fixed_point quantization granularity errors",
    "python/secateur/float_state": "float_state errors",
    "python/secateur/formats": "formats granularity quantization affine errors arguments",
    "python/secateur/host": "isa threads errors doctests",
    "python/secateur/locks": "sketch",
    "python/secateur/messages": "arguments errors",
    "python/secateur/masks": "masks pruning patterns blocks global scores axis errors",
    "python/secateur/packing": "packing packed errors",
    "python/secateur/patterns": "patterns errors",
    "python/secateur/pruning": "pruning patterns blocks global scores axis errors",
    "python/secateur/results": "comparing sketch topk choosing errors",
    "python/secateur/schedules": "schedules float_state",
    "python/secateur/scores": "scores global errors",
    "python/secateur/selection": "selection topk axis scores errors",
    "python/secateur/sketch": "sketch errors",
}


def tests_of(path: str, existing: list[str]) -> list[str]:
    """Return the names of the test files of a source file; all but OTHERS if it has no entry."""
    stem = path.rsplit(".", 1)[0]
    known = [name for name in SUBJECTS if stem == name or stem.startswith(name + "/")]
    if not known:
        return [name for name in existing if name not in OTHERS]
    wanted = [f"test_{name}" for name in SUBJECTS[max(known, key=len)].split()]
    return [name for name in dict.fromkeys(wanted) if name in existing]


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
    """Return whether the C and C++ tests contain a source file: all of csrc but the extension module."""
    return (
        path.startswith("csrc/") and not path.startswith("csrc/python") and "bindings" not in path
    )
