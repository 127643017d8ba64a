"""Scratch memory: under a sixteenth of the array and a constant, however hard the selection is."""

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import secateur as sc
from arrays import VALUES, from_bits, raw
from test_adversary import FOUR, TWO, decoys_apart, sampled

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
pytestmark = pytest.mark.skipif(
    not RESET.exists() or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="needs Linux's record of peak memory and the GNU C library",
)

SIZE = 1 << 24
# What is documented, a quarter of a megabyte for each of two threads' blocks, and what the C library
# and the operating system add.
CONSTANT = 6 << 20


def apart(n: int) -> np.ndarray:
    """Nearly all of it within the first bracket, and the second and the third."""
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
    """Bytes in memory: VmRSS now, VmHWM at most since the last reset."""
    return int(STATUS.read_text().split(f"{field}:")[1].split()[0]) << 10


def run(name: str) -> None:
    """Prints how much more memory the calls had than before them."""
    w = INPUTS[name](SIZE)
    mask = np.ones(SIZE, np.bool_)
    ctypes.CDLL(None).malloc_trim(0)  # what was freed before must not serve now
    before = resident("VmRSS")
    RESET.write_text("5")
    with sc.threads(2):
        for k in (SIZE // 2, SIZE // 10):
            sc.kth_magnitude(w, k)
        sc.apply_mask(w, mask, out=w)
        sc.prune(w, k=SIZE // 3, out=w)
    print(resident("VmHWM") - before)


@pytest.mark.parametrize("name", INPUTS)
def test_scratch_is_small(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import test_memory; test_memory.run({name!r})"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert int(done.stdout) <= SIZE * 4 // 16 + CONSTANT
