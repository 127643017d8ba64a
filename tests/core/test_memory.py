"""Scratch memory is less than a sixteenth of the array plus a constant, for any data."""

import contextlib
import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import secateur as sc
from support.arrays import VALUES, from_bits, raw
from support.processes import with_paths
from support.sampler import FOUR, TWO, decoys_apart, sampled
from support.sanitizers import not_under_sanitizers

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
pytestmark = [
    pytest.mark.skipif(
        not RESET.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"),
        reason="needs Linux's record of peak memory and the GNU C library",
    ),
    not_under_sanitizers("freed memory is kept, and each byte has a shadow"),
]

SIZE = 1 << 24
EACH, ARRAYS = 1 << 21, 20
# The documented constant, a quarter of a megabyte for the blocks of each of two threads, and the
# overhead of the C library and the operating system.
CONSTANT = 6 << 20


def apart(n: int) -> np.ndarray:
    """Nearly all elements lie within each of the first three brackets."""
    w = from_bits(TWO + (np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1)) % (FOUR - TWO))
    places = sampled(n)
    w[places] = decoys_apart(places.size)
    return w


INPUTS = {name: VALUES[name] for name in ("normal", "constant", "blocks alike", "coarse grid")}
INPUTS["misleading"] = apart
INPUTS["runs that tie"] = lambda n: np.repeat(np.float32(2) + raw(n // 64) % 2, 64).astype(
    np.float32
)


def resident(field: str) -> int:
    """Return the resident bytes: VmRSS is the current number, VmHWM the peak since a reset."""
    return int(STATUS.read_text().split(f"{field}:")[1].split()[0]) << 10


@contextlib.contextmanager
def printing_growth() -> Iterator[None]:
    """Print by how many bytes the calls in the block increase the resident memory at most."""
    ctypes.CDLL(None).malloc_trim(0)  # so that the calls cannot reuse freed memory
    before = resident("VmRSS")
    RESET.write_text("5")
    with sc.threads(2):
        yield
    print(resident("VmHWM") - before)


def run(name: str) -> None:
    w = INPUTS[name](SIZE)
    mask = np.ones(SIZE, np.bool_)
    with printing_growth():
        for k in (SIZE // 2, SIZE // 10):
            sc.kth_magnitude(w, k)
        sc.apply_mask(w, mask, out=w)
        sc.prune(w, k=SIZE // 3, out=w)


def run_global(name: str) -> None:
    arrays = [INPUTS[name](EACH) * np.float32(1 + i) for i in range(ARRAYS)]
    with printing_growth():
        sc.prune_global(arrays, sparsity=0.9, out=arrays)


def growth(call: str) -> int:
    """Return by how many bytes the memory of a process with this call grows."""
    done = subprocess.run(
        [sys.executable, "-c", f"import test_memory; test_memory.{call}"],
        env=with_paths(),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return int(done.stdout)


@pytest.mark.parametrize("name", INPUTS)
def test_scratch_is_small(name: str) -> None:
    assert growth(f"run({name!r})") <= SIZE * 4 // 16 + CONSTANT


@pytest.mark.parametrize("name", ["normal", "constant", "blocks alike"])
def test_scratch_is_bounded_by_the_largest_array(name: str) -> None:
    assert growth(f"run_global({name!r})") <= EACH * 4 // 16 + CONSTANT
