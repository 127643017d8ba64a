"""Test arrays: sizes at which the code switches its method, and values that are hard to select."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import ml_dtypes
import numpy as np

from support.grids import subset
from support.oracles import Ranking


def around(*sizes: int) -> list[int]:
    return sorted({size + step for size in sizes for step in (-1, 0, 1)})


# Around the lane counts, groups of four vectors, one word and two words.
LANES = [0, 1, 2, 3, *around(4, 8, 16, 32, 64, 128)]
# Around kBisectKeys, kBlock and kInCache.
IN_CACHE = around(1024, 16384, 65536)
# Results bypass the caches if a call reads and writes more than kStreamBytes. It reads 4 bytes per
# element, and writes 4, 2 or 1.
STREAMED = [(8 << 20) // (4 + written) + step for written in (4, 2, 1) for step in (0, 1)]
# Around the sizes from which 2 and 3 threads work: one for each kBytesPerThread.
SHARED = around(*(threads * (512 << 10) // 4 for threads in (2, 3)))
LARGE = (1 << 20) + 67

DTYPES = {
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
}

SUBNORMALS = 0x00800000  # the number of them, zero included
NAN = 0x7FC00000


def generator(n: int) -> np.random.Generator:
    return np.random.default_rng(n)


def normal(*shape: int) -> np.ndarray:
    return generator(7).standard_normal(shape, dtype=np.float32)


def raw(n: int) -> np.ndarray:
    return generator(n).integers(0, 1 << 32, n, dtype=np.uint32)


def from_bits(bits: np.ndarray) -> np.ndarray:
    return np.asarray(bits, np.uint32).view(np.float32)


def with_signs(magnitudes: np.ndarray) -> np.ndarray:
    """Return the same magnitudes with random signs."""
    signs = generator(magnitudes.size).integers(0, 2, magnitudes.size, dtype=np.uint32) << 31
    return from_bits(np.asarray(magnitudes, np.float32).view(np.uint32) | signs)


def some(n: int, share: float, of: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Replace exactly round(share * n) elements of `others` by elements of `of`."""
    chosen = generator(n).permutation(n)[: round(share * n)]
    bits = others.view(np.uint32).copy()
    bits[chosen] = of.view(np.uint32)[chosen]
    return bits.view(np.float32)


def in_memory_order(w: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Return a copy in whose memory the axes have this order."""
    return w.transpose(order).copy().transpose(np.argsort(order))


def standard(n: int) -> np.ndarray:
    return generator(n).standard_normal(n, dtype=np.float32)


def full(n: int, bits: int) -> np.ndarray:
    return np.full(n, bits, np.uint32).view(np.float32)


def organ_pipe(n: int) -> np.ndarray:
    return np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32)


def scaled_by_block(n: int) -> np.ndarray:
    """Return elements of which each block of 256 has its own scale."""
    scale = generator(n).integers(-30, 30, -(-n // 256))
    return np.ldexp(standard(n), np.repeat(scale, 256)[:n]).astype(np.float32)


def alike_in_blocks(n: int) -> np.ndarray:
    """Return nearly equal elements in each block of 512, so that a sample of runs tells little."""
    level = generator(n).integers(0x3F000000, 0x40000000, -(-n // 512), dtype=np.uint32)
    return from_bits(np.repeat(level, 512)[:n] + raw(n) % 8)


NUMBERS: dict[str, Callable[[int], np.ndarray]] = {
    "normal": standard,
    "uniform bits of 1 to 2": lambda n: with_signs(from_bits(0x3F800000 + raw(n) % 0x800000)),
    "zero": lambda n: full(n, 0),
    "zeros of both signs": lambda n: with_signs(full(n, 0)),
    "constant": lambda n: full(n, 0xBFC00000),
    "one larger": lambda n: np.where(np.arange(n) == n // 3, 2, 1).astype(np.float32),
    "one smaller": lambda n: np.where(np.arange(n) == n // 3, 1, 2).astype(np.float32),
    "two-valued": lambda n: with_signs((1 + raw(n) % 2).astype(np.float32)),
    "90 % zeros": lambda n: some(n, 0.9, with_signs(full(n, 0)), standard(n)),
    "10 % zeros": lambda n: some(n, 0.1, with_signs(full(n, 0)), standard(n)),
    "coarse grid": lambda n: np.round(standard(n) * 16) / np.float32(16),
    "bfloat16": lambda n: from_bits(standard(n).view(np.uint32) & 0xFFFF0000),
    "a few neighbours": lambda n: with_signs(from_bits(0x3F800000 + raw(n) % 4)),
    "sorted": lambda n: np.sort(standard(n)),
    "sorted magnitudes": lambda n: np.arange(n, dtype=np.float32),
    "reversed": lambda n: np.arange(n, dtype=np.float32)[::-1].copy(),
    "organ pipe": organ_pipe,
    "sawtooth": lambda n: (np.arange(n) % 1000 - 500).astype(np.float32),
    "blocks of own scale": scaled_by_block,
    "blocks alike": alike_in_blocks,
    "subnormals": lambda n: with_signs(from_bits(raw(n) % SUBNORMALS)),
    "every exponent": lambda n: with_signs(from_bits(raw(n) % 0x7F800001)),
    "some infinite": lambda n: some(n, 0.3, with_signs(full(n, 0x7F800000)), standard(n)),
    "all infinite": lambda n: with_signs(full(n, 0x7F800000)),
}
WITH_NAN: dict[str, Callable[[int], np.ndarray]] = {
    "raw bits": lambda n: from_bits(raw(n)),
    "one NaN": lambda n: some(n, 1 / max(n, 1), full(n, NAN), standard(n)),
    "30 % NaN": lambda n: some(n, 0.3, with_signs(from_bits(0x7F800001 + raw(n) % 0x7FFFFF)),
                               standard(n)),
    "all the same NaN": lambda n: full(n, NAN),
    "NaN of any payload": lambda n: with_signs(from_bits(0x7F800001 + raw(n) % 0x7FFFFF)),
    "half the largest NaN": lambda n: some(n, 0.5, with_signs(full(n, 0x7FFFFFFF)), standard(n)),
    "the smallest NaN among infinities": lambda n: with_signs(from_bits(0x7F800000 + raw(n) % 2)),
}  # fmt: skip
VALUES = NUMBERS | WITH_NAN

# Pairs of data and NaN policy. Data with NaN have only policies that accept NaN.
CASES = [(name, "raise") for name in NUMBERS]
CASES += [(name, nan) for name in WITH_NAN for nan in ("keep", "prune")]
CASES += [(name, "prune") for name in ("normal", "some infinite", "all infinite", "subnormals")]


def of_type(name: str, n: int, dtype: str) -> np.ndarray:
    """Return the array of that name and size, rounded to a dtype, or random bits of that dtype."""
    if name == "raw bits":
        raw_bytes = generator(n).integers(0, 256, n * DTYPES[dtype].itemsize, dtype=np.uint8)
        return raw_bytes.view(DTYPES[dtype])
    with np.errstate(over="ignore", invalid="ignore"):
        return VALUES[name](n).astype(DTYPES[dtype])


@lru_cache(maxsize=512)
def ranking(name: str, n: int, nan: str) -> Ranking:
    """Return the ranking of the array of that name and size. The array is read-only."""
    expected = Ranking(VALUES[name](n), nan)
    expected.w.flags.writeable = False
    return expected


def ks_to_try(w: np.ndarray) -> list[int]:
    """Return all or some k at both ends, in the middle, and near the number of nonzero elements."""
    n = w.size
    nonzero = int(np.count_nonzero(w))
    tried = {0, 1, 2, n // 100, n // 10, n // 2, n - n // 10, n - 1, n, *around(nonzero)}
    return subset((k for k in sorted(tried if n > 9 else range(n + 1)) if 0 <= k <= n), 4)


# Matrices of 16 rows and 24 columns that are not plain arrays.
MATRICES = {
    "fortran": np.asfortranarray(normal(16, 24)),
    "strided": normal(32, 72)[::2, ::-3],
    "a corner": normal(30, 40)[3:19, 5:29],
    "broadcast": np.broadcast_to(normal(24), (16, 24)),
    "byte-swapped": normal(16, 24).astype(">f4" if np.little_endian else "<f4"),
    "misaligned": np.frombuffer(b"x" + normal(384).tobytes(), np.float32, offset=1).reshape(16, 24),
}


# --- arrays of other libraries --------------------------------------------------------------


class Foreign:
    """An array of another library, which NumPy reads by one protocol alone."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


class WithArray(Foreign):
    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array


class WithDlpack(Foreign):
    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


FOREIGN = [WithArray, WithDlpack]
