"""Memory runs out during each public function.

The call either gives the right result, or raises MemoryError and modifies no array. The limit is on
the address space, so that it applies to the core, NumPy, Python and the start of threads. Each call
runs in a separate process, because the core keeps scratch memory and threads for later calls. The
process is forked from one that has made no call.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import secateur as sc
from support.oracles import bits_of
from support.processes import with_paths
from support.sanitizers import not_under_sanitizers

N = 400_000
KB, MB = 1 << 10, 1 << 20
THREAD = 8 * MB + 4 * KB  # the size of its stack on most systems
# Limits in bytes: nothing; less than the scratch memory or the result; enough to start one or two
# threads, but not for their scratch memory; enough for everything.
LIMITS = [0, 64 * KB, 200 * KB, 400 * KB, MB, 2 * MB, 5 * MB, THREAD + 500 * KB, 2 * THREAD + 500 * KB,
         40 * MB]  # fmt: skip

FMT = sc.FixedPoint(8, 5)
NARROW = sc.FixedPoint(4, 2)
PER_GROUP = sc.FixedPoint(8, np.arange(1000 * 13).reshape(1000, 13) % 4, axis=1, group_size=32)
COLUMNS = sc.Affine([0.05] * 400, 3, axis=1)
BLOCKS = sc.Affine(np.full((100, 40), 0.05), 3, group_size=(10, 10))

Arrays = dict[str, np.ndarray]


def weights(dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((1000, N // 1000)).astype(dtype)


def arrays() -> Arrays:
    w = weights()
    return {
        "w": w,
        "strided": np.repeat(w, 2, axis=1)[:, ::2],
        "wide": w.astype(np.float64),
        "half": w.astype(np.float16),
        "mask": w > 0,
        "other": w[::-1].copy(),
        "codes": (w * 30).astype(np.int8),
        "small": (w * 2).astype(np.int8),
    }


# Calls whose names end with "in place" write to `w`.
CALLS: dict[str, Callable[[Any], Any]] = {
    "kth_magnitude": lambda a: sc.kth_magnitude(a["w"], N // 3),
    "kth_magnitude axis": lambda a: sc.kth_magnitude(a["w"], 50, axis=0),
    "topk": lambda a: sc.topk(a["w"], N // 3),
    "topk by magnitude": lambda a: sc.topk(a["w"], N // 3, sorted=True),
    "topk by factors": lambda a: sc.topk(a["w"], N // 3, factors=a["w"], sorted=True),
    "topk with a residual in place": lambda a: sc.topk(a["other"], 50, axis=1, residual=a["w"]),
    "topk axis": lambda a: sc.topk(a["half"], 50, axis=1, sorted=True),
    "prune_mask": lambda a: sc.prune_mask(a["strided"], sparsity=0.9),
    "prune_mask packed": lambda a: sc.prune_mask(a["w"], sparsity=0.9, packed=True),
    "prune_mask rows packed": lambda a: sc.prune_mask(
        a["w"], k=50, axis=1, packed=True, bitorder="big"
    ),
    "prune_mask threshold": lambda a: sc.prune_mask(a["w"], threshold=0.5),
    "prune_mask pattern": lambda a: sc.prune_mask(a["w"], pattern="2:4"),
    "prune_mask blocks": lambda a: sc.prune_mask(a["w"], sparsity=0.5, block=(2, 3)),
    "prune_mask_global": lambda a: sc.prune_mask_global([a["w"], a["half"]], sparsity=0.5),
    "encode_bitmask": lambda a: sc.encode_bitmask(a["w"], a["w"] > 0).values,
    "compress": lambda a: (
        sc.compress(a["w"], sc.FixedPoint(8, 5), sparsity=0.9, encoding="gaps").packed
    ),
    "decompress": lambda a: sc.compress(a["w"], sc.FixedPoint(8, 5), encoding="gaps").decompress(),
    "decode_bitmask": lambda a: sc.encode_bitmask(a["w"]).decode(),
    "prune": lambda a: sc.prune(a["strided"], sparsity=0.9),
    "prune k in place": lambda a: sc.prune(a["w"], k=N // 10, out=a["w"]),
    "prune rows in place": lambda a: sc.prune(a["w"], k=50, axis=1, out=a["w"]),
    "prune columns in place": lambda a: sc.prune(a["w"], k=50, axis=0, out=a["w"]),
    "prune threshold in place": lambda a: sc.prune(a["w"], threshold=0.5, out=a["w"]),
    "prune pattern in place": lambda a: sc.prune(a["w"], pattern="2:4", out=a["w"]),
    "prune block in place": lambda a: sc.prune(a["w"], sparsity=0.5, block=(2, 3), out=a["w"]),
    "prune by values in place": lambda a: sc.prune(
        a["w"], k=N // 10, scores=a["wide"], nan="keep", out=a["w"]
    ),
    "prune by products in place": lambda a: sc.prune(
        a["w"], sparsity=0.5, axis=1, factors=a["wide"][0], nan="keep", out=a["w"]
    ),
    "prune threshold by values in place": lambda a: sc.prune(
        a["w"], threshold=0.5, scores=a["wide"], nan="keep", out=a["w"]
    ),
    "prune pattern by products in place": lambda a: sc.prune(
        a["w"], pattern="2:4", factors=a["wide"], nan="keep", out=a["w"]
    ),
    "prune_global in place": lambda a: sc.prune_global(
        [a["w"], a["half"]], sparsity=0.5, out=[a["w"], a["half"]]
    ),
    "prune_global": lambda a: sc.prune_global([a["w"], a["half"], a["wide"]], sparsity=0.5),
    "prune_global limits in place": lambda a: sc.prune_global(
        [a["w"], a["half"]], sparsity=0.5, max_sparsity=[0.4, None], out=[a["w"], a["half"]]
    ),
    "prune_global blocks": lambda a: sc.prune_global(
        [a["w"], a["half"]], sparsity=0.5, block=(2, 3), factors=[a["wide"], None], nan="keep"
    ),
    "apply_mask in place": lambda a: sc.apply_mask(a["w"], a["mask"], out=a["w"]),
    "apply_mask": lambda a: sc.apply_mask(a["w"], a["mask"].T.copy().T),
    "soft_threshold in place": lambda a: sc.soft_threshold(a["w"], 0.5, out=a["w"]),
    "soft_threshold": lambda a: sc.soft_threshold(a["strided"], 0.5),
    "quantize": lambda a: sc.quantize(a["w"], FMT),
    "quantize packed": lambda a: sc.quantize(a["half"], NARROW, packed=True, rounding="floor"),
    "quantize groups": lambda a: sc.quantize(a["wide"], PER_GROUP, overflow="wrap"),
    "dequantize": lambda a: sc.dequantize(a["codes"], PER_GROUP, dtype=np.float16),
    "requantize": lambda a: sc.requantize(a["codes"], PER_GROUP, FMT, rounding="floor"),
    "requantize affine": lambda a: sc.requantize(a["codes"], BLOCKS, COLUMNS),
    "fake_quantize in place": lambda a: sc.fake_quantize(a["w"], PER_GROUP, out=a["w"]),
    "fake_quantize": lambda a: sc.fake_quantize(a["strided"], FMT, rounding="floor"),
    "prune_quantize": lambda a: sc.prune_quantize(a["w"], FMT, sparsity=0.9),
    "prune_quantize packed": lambda a: sc.prune_quantize(a["half"], NARROW, k=N // 3, packed=True),
    "quantize affine": lambda a: sc.quantize(a["w"], COLUMNS, rounding="ceil"),
    "dequantize affine": lambda a: sc.dequantize(a["codes"], BLOCKS, dtype=np.float64),
    "pack_ints": lambda a: sc.pack_ints(a["small"], 5),
    "unpack_ints": lambda a: sc.unpack_ints(a["codes"].view(np.uint8), 5, N),
    "compare": lambda a: sc.compare(a["w"], a["half"], fmt=FMT, axis=0),
    "choose_format": lambda a: sc.choose_format(a["w"], 8, method="mse"),
    "choose_format groups": lambda a: sc.choose_format(a["wide"], 8, group_size=32),
    "choose_affine quantized": lambda a: sc.choose_affine(
        a["wide"], group_size=32, quantized=np.empty(a["wide"].shape, np.int8)
    ),
    "choose_affine": lambda a: sc.choose_affine(a["w"], method="percentile", axis=0),
    "sparsity_schedule": lambda a: sc.sparsity_schedule(a["wide"], begin=0, end=1, final=0.5),
    "MagnitudeSketch": lambda a: counted(a["w"]),
}


def counted(w: np.ndarray) -> Any:
    sketch = sc.MagnitudeSketch()
    sketch.update(w)
    return sketch.bracket(1000)


def flat_bits(result: Any) -> list[bytes]:
    """Return the bits of all arrays and numbers of a result."""
    if isinstance(result, (tuple, list)):
        return [bits for member in result for bits in flat_bits(member)]
    if isinstance(result, sc.FixedPoint):
        return flat_bits([result.bits, result.frac_bits])
    if isinstance(result, sc.Affine):
        return flat_bits([result.bits, result.scale, result.zero_point])
    return [b"" if result is None else bits_of(result).tobytes()]


# --- in a separate process -------------------------------------------------------------------


def attempt(call: Callable[[Arrays], Any], given: Arrays, limit: int) -> str:
    """Make a call that may allocate this many bytes, and return its outcome."""
    before = {name: a.copy() for name, a in given.items()}
    error: BaseException | None = None
    result = None
    with limited(limit):
        try:
            result = call(given)
        except BaseException as raised:  # noqa: BLE001
            error = raised
    if error is None:
        return "right" if flat_bits(result) == flat_bits(call(before)) else "wrong"
    if not isinstance(error, MemoryError):
        return f"raised {error!r}"
    modified = [
        name for name in given if bits_of(given[name]).tobytes() != bits_of(before[name]).tobytes()
    ]
    return f"modified {modified}" if modified else "MemoryError"


@contextmanager
def limited(limit: int) -> Iterator[None]:
    """Limit further allocations to this many bytes. Free blocks below 1 KiB remain available."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    now = pages * resource.getpagesize()
    taken = []
    resource.setrlimit(resource.RLIMIT_AS, (now, hard))
    for block in (1 << 20, 1 << 16, 1 << 12, 1 << 10):
        with suppress(MemoryError):
            while True:
                taken.append(bytes(block))
    resource.setrlimit(resource.RLIMIT_AS, (now + limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        del taken


def in_child(call: Callable[[Arrays], Any], given: Arrays, limit: int) -> str:
    """Return the outcome of `attempt` in a fork of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, attempt(call, given, limit).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        outcome = told.read()
    status = os.waitpid(child, 0)[1]
    return outcome if status == 0 else f"crashed with wait status {status}"


def main() -> None:
    given = arrays()
    sc.set_num_threads(4)
    outcomes = {
        name: [in_child(call, given, limit) for limit in LIMITS] for name, call in CALLS.items()
    }
    json.dump(outcomes, sys.stdout)


# --- tests -----------------------------------------------------------------------------------


pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space"),
    not_under_sanitizers("its runtime takes more address space than there may be"),
]


@cache
def outcomes() -> dict[str, list[str]]:
    """Return the outcomes of each call, one for each limit."""
    # Our threads could reuse the stacks of ended threads of other libraries, whatever the limit is.
    environment = with_paths() | {"OPENBLAS_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    told: dict[str, list[str]] = json.loads(run.stdout)
    return told


@pytest.mark.parametrize("name", CALLS)
def test_memory_error_or_the_right_result(name: str) -> None:
    told = dict(zip(LIMITS, outcomes()[name], strict=True))
    assert set(told.values()) <= {"right", "MemoryError"}, told
    assert told[LIMITS[-1]] == "right"


def test_memory_does_run_out() -> None:
    without = {name for name, told in outcomes().items() if "MemoryError" not in told}
    # These calls use memory only on the stack.
    assert without <= {"apply_mask in place", "soft_threshold in place",
                       "prune threshold in place", "prune pattern in place"}  # fmt: skip


if __name__ == "__main__":
    main()
