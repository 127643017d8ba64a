"""The arrays that the cases run on: normal data, other distributions, and what derives from them."""

from __future__ import annotations

import contextlib
from functools import cached_property, lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

import secateur as sc
from secateur import reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]

FORMAT = sc.FixedPoint(bits=8, frac_bits=5)  # 6 in 100,000 normal numbers saturate
NIBBLES = sc.FixedPoint(bits=4, frac_bits=2)
WORDS = sc.FixedPoint(bits=24, frac_bits=20)  # of registers
ZERO_POINT = 3
AFFINE = sc.Affine(0.03, ZERO_POINT)
# The weights of all-MiniLM-L6-v2: embeddings, six layers, and the pooler.
MINILM = [
    *[(30522, 384), (512, 384), (2, 384), (384,), (384,)],
    *6 * [*4 * [(384, 384), (384,)], *4 * [(384,)], (1536, 384), (1536,), (384, 1536), (384,)],
    *[(384, 384), (384,)],
]


@lru_cache(maxsize=2)
def normal(n: int) -> Array:
    """Return seeded normal float32. The cases of one size share it, so it is read-only."""
    w = np.random.default_rng(2024).standard_normal(n, dtype=np.float32)
    w.flags.writeable = False
    return w


class Inputs:
    """The inputs of a call: an array, the fraction to keep, and values derived from the two."""

    def __init__(self, w: Array, kept: float = 0.1) -> None:
        self.w = w
        self.kept = kept
        self.k = round(kept * w.size)

    @cached_property
    def mask(self) -> Array:
        mask: Array = reference.prune_mask(self.w, k=self.k)
        return mask

    @cached_property
    def packed_mask(self) -> Array:
        return np.packbits(self.mask, bitorder="little")

    @cached_property
    def codes(self) -> Array:
        return reference.quantize(self.w, FORMAT)

    @cached_property
    def approximation(self) -> Array:
        return reference.fake_quantize(self.w, FORMAT)

    @cached_property
    def matrix(self) -> Array:
        return as_matrix(self.w)

    @cached_property
    def norms(self) -> Array:
        """Factors of the columns, as the norms of the input features are in Wanda."""
        return np.abs(_other_normal(self.matrix[0]))

    @cached_property
    def scores(self) -> Array:
        """A second array of the shape of the matrix, such as its gradient or given scores."""
        return _other_normal(self.matrix)


def as_matrix(w: Array) -> Array:
    """Reshape to a matrix that is square, or twice as high as wide."""
    return w.reshape(-1, 1 << (w.size.bit_length() - 1) // 2)


def affine_rows(w: Array) -> sc.Affine:
    """Return an affine format with a scale for each row of a matrix."""
    return sc.Affine(np.linspace(0.01, 0.05, len(w), dtype=np.float32), ZERO_POINT, axis=0)


def other_floats() -> list[np.dtype[Any]]:
    """Return the float dtypes other than float32; bfloat16 only if ml_dtypes is installed."""
    dtypes: list[np.dtype[Any]] = [np.dtype(np.float64), np.dtype(np.float16)]
    with contextlib.suppress(ImportError):
        dtypes.append(np.dtype(import_module("ml_dtypes").bfloat16))
    return dtypes


def _other_normal(w: Array) -> Array:
    """Return normal float32 of the shape of `w`, independent of it."""
    return np.random.default_rng(4).standard_normal(w.shape, dtype=np.float32)


# --- distributions and orders that are hard for a selection by samples ------------------------


def _mostly_zero(w: Array) -> Array:
    """Return an array with 98 % zeros, so that the k-th largest magnitude is 0."""
    return np.where(np.random.default_rng(1).random(w.size) < 0.02, w, np.float32(0))


def _by_magnitude(w: Array) -> Array:
    return w[np.argsort(np.abs(w))]


def _organ_pipe(w: Array) -> Array:
    """Return the elements sorted so that magnitudes rise to the middle and then fall."""
    rising = _by_magnitude(w)
    return np.concatenate([rising[::2], rising[1::2][::-1]])


def _similar_runs(count: int, w: Array) -> Array:
    """Return runs of `count` elements that differ by a thousandth at most."""
    jitter = np.random.default_rng(count).uniform(1, 1.001, w.size)
    return (np.repeat(w[: -(-w.size // count)], count)[: w.size] * jitter).astype(np.float32)


def _block_scales(w: Array) -> Array:
    """Multiply each block of 4096 elements by a random power of two from 2**-12 to 2**11."""
    blocks = np.random.default_rng(2).integers(-12, 12, w.size // 4096 + 1)
    return np.ldexp(w, np.repeat(blocks, 4096)[: w.size]).astype(np.float32)


def _periodic_outliers(w: Array) -> Array:
    """Multiply every 16th element by 1000. A sample at regular distances finds all or none."""
    large = w.copy()
    large[::16] *= 1000
    return large


def _burst(w: Array) -> Array:
    """Multiply one run of elements by 1000. A sample may miss this run."""
    large = w.copy()
    middle = w.size // 2
    large[middle : middle + w.size // 11] *= 1000
    return large


def _consecutive_bits(w: Array) -> Array:
    """Return magnitudes whose bits are consecutive integers, in random order."""
    order = np.random.default_rng(3).permutation(w.size).astype(np.uint32)
    return (order + np.uint32(0x3F800000)).view(np.float32)


# Functions of normal data.
DISTRIBUTIONS: dict[str, Callable[[Array], Array]] = {
    "constant": lambda w: np.full_like(w, 0.5),
    "two values": lambda w: np.where(w > 1, np.float32(1), np.float32(0.5)),
    "mostly zero": _mostly_zero,
    "coarse grid": lambda w: np.round(w * 4) / np.float32(4),
    "consecutive bits": _consecutive_bits,
    "sorted": _by_magnitude,
    "reversed": lambda w: _by_magnitude(w)[::-1].copy(),
    "organ pipe": _organ_pipe,
    "block scales": _block_scales,
    "alike in 64s": partial(_similar_runs, 64),
    "alike in 256s": partial(_similar_runs, 256),
    "periodic outliers": _periodic_outliers,
    "one burst": _burst,
}
