"""What results must be, by means that share nothing with the package or its reference.

Selection is a stable sort of the sign-cleared bits. Fixed point is exact fractions where values are
hard, and float64 in bulk: there the product of a float32 and 2**frac_bits is exact, and `rint`
rounds it once, half to even.
"""

import math
import struct
from fractions import Fraction

import numpy as np

from secateur import FixedPoint

# The bits of infinity; those of NaN are above.
INFINITIES = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}
RAW = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def bits_of(array: np.ndarray) -> np.ndarray:
    """The bits of the elements: -0.0 differs from 0.0, and every NaN from every other."""
    array = np.asarray(array)
    return np.array(array, order="C").view(RAW[array.itemsize])


def assert_same_bits(actual: np.ndarray, expected: np.ndarray) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    a, b = bits_of(actual).ravel(), bits_of(expected).ravel()
    wrong = np.flatnonzero(a != b)
    assert wrong.size == 0, (
        f"{wrong.size} of {a.size} differ, the first at {wrong[0]}: {a[wrong[0]]:#x}, "
        f"not {b[wrong[0]]:#x}"
    )


class Ranking:
    """Which magnitudes of an array are largest, under nan="keep" (and "raise") or "prune"."""

    def __init__(self, w: np.ndarray, nan: str = "keep") -> None:
        self.w = np.array(w, order="C")
        sign = 1 << (8 * self.w.itemsize - 1)
        magnitudes = bits_of(self.w).ravel() & (sign - 1)
        keys = magnitudes.astype(np.int64)
        if nan == "prune":
            is_nan = keys > INFINITIES[self.w.dtype.name]
            keys[is_nan] -= sign - 1
            keys[is_nan] -= 1
        order = np.argsort(-keys, kind="stable")  # of equal ones, the first comes first
        self.rank = np.empty(order.size, np.uint32)
        self.rank[order] = np.arange(order.size)
        self.sorted = magnitudes[order]

    def kth_magnitude(self, k: int) -> np.floating:
        return self.sorted[k - 1 : k].view(self.w.dtype)[0]

    def mask(self, k: int) -> np.ndarray:
        return (self.rank < k).reshape(self.w.shape)

    def packed(self, k: int) -> np.ndarray:
        return np.packbits(self.rank < k, bitorder="little")

    def pruned(self, k: int) -> np.ndarray:
        return masked(self.w, self.mask(k))


def masked(w: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The kept elements as they are, +0.0 for the others."""
    bits = bits_of(w)
    return np.where(mask, bits, bits.dtype.type(0)).view(np.asarray(w).dtype)


def above(w: np.ndarray, threshold: float, nan: str = "keep") -> np.ndarray:
    """Where |w| > threshold: in float64, which holds every float of another type."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return np.where(np.isnan(w), nan == "keep", np.abs(w.astype(np.float64)) > threshold)


def exact_codes(w: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    """Fixed point by exact fractions; 0 for NaN."""
    scale = Fraction(2) ** fmt.frac_bits

    def code(value: float) -> int:
        if math.isnan(value):
            return 0
        if math.isinf(value):
            return fmt.max if value > 0 else fmt.min
        return min(max(round(Fraction(value) * scale), fmt.min), fmt.max)  # round: half to even

    return np.array([code(value) for value in w.ravel().tolist()], fmt.dtype).reshape(w.shape)


def exact_values(q: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    """What the codes stand for, by exact fractions rounded once to float32."""
    step = Fraction(1, 2) ** fmt.frac_bits
    values = [nearest_float32(code * step, code < 0) for code in q.ravel().tolist()]
    return np.array(values, np.float32).reshape(q.shape)


def nearest_float32(value: Fraction, negative: bool) -> np.float32:
    """`value` rounded half to even; what rounds to zero keeps its sign."""
    size = abs(value)
    if size == 0:
        return np.float32(0)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent  # now 2**exponent <= size < 2**(exponent + 1)
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    rounded = round(size / unit) * unit
    number = math.inf if rounded >= 2**128 else float(rounded)
    return np.float32(struct.unpack("f", struct.pack("f", -number if negative else number))[0])


def bulk_codes(w: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    """As exact_codes, in float64."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        scaled = np.rint(w.astype(np.float64) * 2.0**fmt.frac_bits)
        codes = np.where(np.isnan(scaled), 0, np.clip(scaled, fmt.min, fmt.max))
    return codes.astype(fmt.dtype)


def bulk_values(q: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    """As exact_values, in float64."""
    with np.errstate(over="ignore", under="ignore"):
        return (q.astype(np.float64) * 2.0**-fmt.frac_bits).astype(np.float32)
