"""What results must be, by means that share nothing with the package or its reference.

Selection is a stable sort of the sign-cleared bits. Norms and soft thresholds are loops over Python's
floats and fractions. Fixed point is exact fractions where values are
hard, and float64 in bulk: there the product of a float32 and 2**frac_bits is exact, and `rint`
rounds it once, half to even.
"""

import math
from collections.abc import Callable
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


def is_nan(values: np.ndarray) -> np.ndarray:
    """By the bits: to look at a signalling one as a float is an invalid operation."""
    sign = 1 << (8 * values.itemsize - 1)
    return (bits_of(values) & (sign - 1)) > INFINITIES[values.dtype.name]


def assert_same_bits(actual: np.ndarray, expected: np.ndarray) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    a, b = bits_of(actual).ravel(), bits_of(expected).ravel()
    wrong = np.flatnonzero(a != b)
    assert wrong.size == 0, (
        f"{wrong.size} of {a.size} differ, the first at {wrong[0]}: {a[wrong[0]]:#x}, "
        f"not {b[wrong[0]]:#x}"
    )


def keys_of(values: np.ndarray, nan: str, by_value: bool = False) -> np.ndarray:
    """int64 in the order of magnitudes, or of values: NaN above infinity, or below everything."""
    sign = 1 << (8 * values.itemsize - 1)
    bits = bits_of(values)
    keys = (bits & (sign - 1)).astype(np.int64)
    if by_value:
        return np.where(np.where(is_nan(values), nan == "prune", bits >= sign), -keys, keys)
    if nan == "prune":
        keys[is_nan(values)] -= sign - 1
        keys[is_nan(values)] -= 1
    return keys


def assert_writes(
    call: Callable[..., np.ndarray], w: np.ndarray, expected: np.ndarray, **arguments: object
) -> None:
    """To a new array, to one that is given, and in place."""
    assert_same_bits(call(w, **arguments), expected)
    out = np.full_like(w, 7)
    assert call(w, **arguments, out=out) is out
    assert_same_bits(out, expected)
    np.copyto(out, w)
    assert call(out, **arguments, out=out) is out
    assert_same_bits(out, expected)


class Ranking:
    """Which elements are largest, under nan="keep" (and "raise") or "prune".

    By magnitude, or by the keys that are given; among all elements, or along an axis.
    """

    def __init__(
        self,
        w: np.ndarray,
        nan: str = "keep",
        axis: int | None = None,
        keys: np.ndarray | None = None,
    ) -> None:
        self.w = np.array(w, order="C")
        self.axis = axis
        self._along = 0 if axis is None else axis
        keys = keys_of(self.w, nan) if keys is None else keys
        keys = keys.ravel() if axis is None else keys
        order = np.argsort(
            -keys, self._along, kind="stable"
        )  # of equal ones, the first comes first
        self.rank = np.empty(order.shape, np.uint32)
        np.put_along_axis(self.rank, order, self._places(order.shape), self._along)
        sign = 1 << (8 * self.w.itemsize - 1)
        magnitudes = (bits_of(self.w) & (sign - 1)).reshape(order.shape)
        self.sorted = np.take_along_axis(magnitudes, order, self._along)

    def kth_magnitude(self, k: int) -> np.ndarray:
        return np.take(self.sorted, k - 1, self._along).view(self.w.dtype)

    def mask(self, k: int) -> np.ndarray:
        return (self.rank < k).reshape(self.w.shape)

    def packed(self, k: int) -> np.ndarray:
        return np.packbits(self.rank < k, bitorder="little")

    def pruned(self, k: int) -> np.ndarray:
        return masked(self.w, self.mask(k))

    def topk(self, k: int, order: str) -> tuple[np.ndarray, np.ndarray]:
        """Values and indices."""
        by_rank = np.argsort(self.rank, self._along)
        places = np.take(by_rank, range(k), self._along)
        places = np.sort(places, self._along) if order == "index" else places
        values = np.take_along_axis(bits_of(self.w).reshape(self.rank.shape), places, self._along)
        return values.view(self.w.dtype), places.astype(np.int64)

    def _places(self, shape: tuple[int, ...]) -> np.ndarray:
        """Each element's place along the axis."""
        steps = [1] * len(shape)
        steps[self._along] = -1
        return np.broadcast_to(np.arange(shape[self._along]).reshape(steps), shape)


def masked(w: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The kept elements as they are, +0.0 for the others."""
    bits = bits_of(w)
    return np.where(mask, bits, bits.dtype.type(0)).view(np.asarray(w).dtype)


def kept_of_groups(keys: np.ndarray, n: int, m: int) -> np.ndarray:
    """The n largest keys of each m that follow one another along the last axis."""
    groups = keys.reshape(-1, m).tolist()
    mask = np.zeros((len(groups), m), np.bool_)
    for group, kept in zip(groups, mask, strict=True):
        kept[sorted(range(m), key=lambda i: -group[i])[:n]] = True
    return mask.reshape(keys.shape)


def product(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """w * x, rounded once to float64 if either is, else to float32."""
    x = np.broadcast_to(x, w.shape)
    with np.errstate(all="ignore"):
        if "float64" not in (w.dtype.name, x.dtype.name):  # exact in float64
            return (w.astype(np.float64) * x.astype(np.float64)).astype(np.float32)
        pairs = zip(w.ravel().tolist(), x.ravel().tolist(), strict=True)
        return np.array([exact_product(a, b) for a, b in pairs], np.float64).reshape(w.shape)


def exact_product(a: float, b: float) -> float:
    if not (math.isfinite(a) and math.isfinite(b)):
        return a * b
    try:
        return float(Fraction(a) * Fraction(b))
    except OverflowError:
        return math.inf


def block_norms(w: np.ndarray, block: tuple[int, int], norm: str) -> np.ndarray:
    """By the order of sums that is documented, in Python's floats."""
    r, c = block
    *lead, rows, columns = w.shape
    norms = np.zeros((*lead, -(-rows // r), -(-columns // c)))
    with np.errstate(invalid="ignore"):  # a signalling NaN
        sizes = np.abs(w.astype(np.float64))
    for place in np.ndindex(norms.shape):
        *matrix, i, j = place
        part = sizes[(*matrix, slice(i * r, i * r + r), slice(j * c, j * c + c))]
        norms[place] = norm_of(part.tolist(), norm)
    return norms


def norm_of(rows: list[list[float]], norm: str) -> float:
    if any(math.isnan(value) for row in rows for value in row):
        return math.nan
    if norm == "max":
        return max(map(max, rows))
    columns = [0.0] * len(rows[0])
    for row in rows:
        for j, value in enumerate(row):
            columns[j] += value * value if norm == "l2" else value
    lanes = [0.0] * 8
    for j, total in enumerate(columns):
        lanes[j % 8] += total
    total = 0.0
    for lane in lanes:
        total += lane
    return math.sqrt(total) if norm == "l2" else total


def in_blocks(mask: np.ndarray, block: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    """A mask of blocks, seen by each element of an array of that shape."""
    rows, columns = np.arange(shape[-2]) // block[0], np.arange(shape[-1]) // block[1]
    return mask[..., rows[:, None], columns[None, :]]


def wide_keys(values: np.ndarray, nan: str, by_value: bool) -> np.ndarray:
    """As keys_of, of the values as float64: comparable among all types, of NaN too."""
    fraction = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}[values.dtype.name]
    with np.errstate(invalid="ignore"):
        wide = bits_of(values.astype(np.float64)).copy()
    payload = bits_of(values) & ((1 << fraction) - 1)
    for place in map(tuple, np.argwhere(is_nan(values))):
        wide[place] = INFINITIES["float64"] | int(payload[place]) << (52 - fraction)
    return keys_of(wide.view(np.float64), nan, by_value)


def soft(w: np.ndarray, threshold: float) -> np.ndarray:
    """Soft thresholding by exact fractions, rounded once."""
    t = nearest(threshold, w.dtype.name)
    bits = bits_of(w).copy()
    for place, value in enumerate(w.ravel().tolist()):
        size = abs(float(value))
        if math.isnan(size):
            continue
        if size <= t:
            bits.flat[place] = 0
        elif math.isfinite(size):
            moved = nearest(Fraction(size) - Fraction(t), w.dtype.name)
            signed = np.float64(math.copysign(moved, float(value))).astype(w.dtype)
            bits.flat[place] = bits_of(signed).ravel()[0]
    return bits.view(w.dtype)


# Of each type: the bits of its fraction, the least and the largest exponent.
SCALES = {
    "float16": (10, -14, 15),
    "bfloat16": (7, -126, 127),
    "float32": (23, -126, 127),
    "float64": (52, -1022, 1023),
}


def nearest(value: float | Fraction, dtype: str) -> float:
    """A number not below zero as the nearest one of that type, half to even."""
    if value in (0, math.inf):
        return float(value)
    exact = Fraction(value)
    fraction, least, most = SCALES[dtype]
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    exponent -= exact < Fraction(2) ** exponent  # now 2**exponent <= exact < 2**(exponent + 1)
    unit = Fraction(2) ** (max(exponent, least) - fraction)
    rounded = round(exact / unit) * unit
    return math.inf if rounded >= Fraction(2) ** (most + 1) else float(rounded)


def above(w: np.ndarray, threshold: float, nan: str = "keep") -> np.ndarray:
    """Where |w| > threshold: in float64, which holds every float of another type."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        return np.where(is_nan(w), nan == "keep", np.abs(w.astype(np.float64)) > threshold)


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
    number = nearest(abs(value), "float32")
    return np.float32(-number if negative else number)


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
