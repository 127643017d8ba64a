"""Expected results from code that shares only the classes of formats with the package.

Selection is a stable sort of the sign-cleared bits. Norms and soft thresholds are loops over Python's
floats and fractions. Quantization uses exact fractions where values are hard, and float64 for many
elements: the product of a float32 and 2**frac_bits is exact there, and `rint` rounds it half to even.
"""

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

import ml_dtypes
import numpy as np

from secateur import Affine, FixedPoint

# The bits of infinity. NaN have larger bits.
INFINITIES = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}
RAW = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def bits_of(array: np.ndarray) -> np.ndarray:
    """Return the bits of the elements. They distinguish -0.0 from 0.0, and different NaN."""
    array = np.asarray(array)
    return np.array(array, order="C").view(RAW[array.itemsize])


def is_nan(values: np.ndarray) -> np.ndarray:
    """Return which elements are NaN, by their bits: comparing signalling NaN would be invalid."""
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


def assert_same_arrays(actual: Iterable[np.ndarray], expected: Iterable[np.ndarray]) -> None:
    for one, other in zip(actual, expected, strict=True):
        assert_same_bits(one, other)


def keys_of(values: np.ndarray, nan: str, by_value: bool = False) -> np.ndarray:
    """Return integers that order as magnitudes or values do.

    NaN is above infinity or below all numbers. Several NaN are ordered by payload.
    """
    sign = 1 << (8 * values.itemsize - 1)
    bits = bits_of(values)
    keys = (bits & (sign - 1)).astype(np.int64)
    if by_value:
        keys = np.where((bits >= sign) & ~is_nan(values), -keys, keys)
    if nan == "prune":  # below the smallest value, ordered by payload
        keys[is_nan(values)] -= INFINITIES[values.dtype.name] + 1
        keys[is_nan(values)] -= sign - 1
    return keys


def assert_writes(
    call: Callable[..., np.ndarray], w: np.ndarray, expected: np.ndarray, **arguments: object
) -> None:
    """Check the result in a new array, in a given one, and in place."""
    assert_same_bits(call(w, **arguments), expected)
    out = np.full_like(w, 7)
    assert call(w, **arguments, out=out) is out
    assert_same_bits(out, expected)
    np.copyto(out, w)
    assert call(out, **arguments, out=out) is out
    assert_same_bits(out, expected)


class Ranking:
    """The largest elements, with nan="keep" (or "raise") or nan="prune".

    Elements rank by magnitude or by given keys, in the whole array or along an axis.
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
        order = np.argsort(-keys, self._along, kind="stable")  # ties are in index order
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

    def topk(self, k: int, *, by_rank: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the values and the indices of the k largest elements."""
        places = np.take(np.argsort(self.rank, self._along), range(k), self._along)
        places = places if by_rank else np.sort(places, self._along)
        values = np.take_along_axis(bits_of(self.w).reshape(self.rank.shape), places, self._along)
        return values.view(self.w.dtype), places.astype(np.int64)

    def _places(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the index of each element along the axis."""
        steps = [1] * len(shape)
        steps[self._along] = -1
        return np.broadcast_to(np.arange(shape[self._along]).reshape(steps), shape)


def masked(w: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the kept elements unmodified, and +0.0 for the others."""
    bits = bits_of(w)
    return np.where(mask, bits, bits.dtype.type(0)).view(np.asarray(w).dtype)


def kept_of_groups(keys: np.ndarray, n: int, m: int) -> np.ndarray:
    """Return the mask of the n largest of each m consecutive keys along the last axis."""
    groups = keys.reshape(-1, m).tolist()
    mask = np.zeros((len(groups), m), np.bool_)
    for group, kept in zip(groups, mask, strict=True):
        kept[sorted(range(m), key=lambda i: -group[i])[:n]] = True
    return mask.reshape(keys.shape)


def product(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return w * x, rounded once: to float64 if either is float64, else to float32."""
    x = np.broadcast_to(x, w.shape)
    with np.errstate(all="ignore"):
        if "float64" not in (w.dtype.name, x.dtype.name):  # exact in float64
            return (w.astype(np.float64) * x.astype(np.float64)).astype(np.float32)
        pairs = zip(w.ravel().tolist(), x.ravel().tolist(), strict=True)
        return np.array([exact_product(a, b) for a, b in pairs], np.float64).reshape(w.shape)


def sums(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return w + x, rounded once. All NaN are the positive one with only the quiet bit set.

    The type of the addition has at least 2p + 2 bits for a type of p bits, so that the second
    rounding is the same as a single one.
    """
    wide = {"bfloat16": np.float32, "float64": np.float64}.get(w.dtype.name, np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        total = (w.astype(wide) + x.astype(wide)).astype(w.dtype)
    total[is_nan(total)] = np.nan
    return total


def exact_product(a: float, b: float) -> float:
    if not (math.isfinite(a) and math.isfinite(b)):
        return a * b
    try:
        return float(Fraction(a) * Fraction(b))
    except OverflowError:
        return math.inf


def block_norms(w: np.ndarray, block: tuple[int, int], norm: str) -> np.ndarray:
    """Return the norms of blocks, summed in the documented order with Python's floats."""
    r, c = block
    *lead, rows, columns = w.shape
    norms = np.zeros((*lead, -(-rows // r), -(-columns // c)))
    with np.errstate(invalid="ignore"):  # for signalling NaN
        sizes = np.abs(w.astype(np.float64))
    for place in np.ndindex(norms.shape):
        *matrix, i, j = place
        part = sizes[(*matrix, slice(i * r, i * r + r), slice(j * c, j * c + c))]
        norms[place] = norm_of(part.tolist(), norm)
    return norms


def norm_of(rows: list[list[float]], norm: str) -> float:
    if any(math.isnan(value) for row in rows for value in row):
        return math.nan
    largest = max(map(max, rows))
    if norm == "max":
        return largest
    if norm == "l1":
        return ordered_sum(rows)

    def unscaled(part: list[list[float]]) -> float:
        if norm == "l2":
            return math.sqrt(ordered_sum([[x * x for x in row] for row in part]))
        return ordered_sum(part) / (len(part) * len(part[0]))

    result = unscaled(rows)
    is_wrong = math.isinf(result) or (norm == "l2" and result < 2.0**-484)
    if not is_wrong or not 0 < largest < math.inf:
        return result
    exponent = math.frexp(largest)[1] - 1
    scaled = unscaled([[math.ldexp(x, -exponent) for x in row] for row in rows])
    try:
        return math.ldexp(scaled, exponent)
    except OverflowError:
        return math.inf


def ordered_sum(rows: list[list[float]]) -> float:
    """Return the sum in the documented order: columns, columns modulo 8, partial sums."""
    columns = [0.0] * len(rows[0])
    for row in rows:
        for j, value in enumerate(row):
            columns[j] += value
    lanes = [0.0] * 8
    for j, total in enumerate(columns):
        lanes[j % 8] += total
    total = 0.0
    for lane in lanes:
        total += lane
    return total


def expand_block_mask(
    mask: np.ndarray, block: tuple[int, int], shape: tuple[int, ...]
) -> np.ndarray:
    """Return the mask of the elements of an array of that shape, from the mask of its blocks."""
    rows, columns = np.arange(shape[-2]) // block[0], np.arange(shape[-1]) // block[1]
    return mask[..., rows[:, None], columns[None, :]]


def wide_keys(values: np.ndarray, nan: str, by_value: bool) -> np.ndarray:
    """Return the keys of the values as float64, so that keys of different dtypes are comparable.

    This includes the keys of NaN.
    """
    fraction = {"float16": 10, "bfloat16": 7, "float32": 23, "float64": 52}[values.dtype.name]
    with np.errstate(invalid="ignore"):
        wide = bits_of(values.astype(np.float64)).copy()
    payload = bits_of(values) & ((1 << fraction) - 1)
    for place in map(tuple, np.argwhere(is_nan(values))):
        wide[place] = INFINITIES["float64"] | int(payload[place]) << (52 - fraction)
    return keys_of(wide.view(np.float64), nan, by_value)


def soft(w: np.ndarray, threshold: float) -> np.ndarray:
    """Return soft thresholds, computed with exact fractions and rounded once."""
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


# For each dtype: the number of fraction bits, the smallest and the largest exponent.
SCALES = {
    "float16": (10, -14, 15),
    "bfloat16": (7, -126, 127),
    "float32": (23, -126, 127),
    "float64": (52, -1022, 1023),
}


def nearest(value: float | Fraction, dtype: str) -> float:
    """Round a nonnegative number to a dtype, half to even."""
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
    """Return where |w| > threshold, in float64, which represents all other floats exactly."""
    with np.errstate(invalid="ignore"):  # for signalling NaN
        return np.where(is_nan(w), nan == "keep", np.abs(w.astype(np.float64)) > threshold)


def exact_codes(
    w: np.ndarray,
    fmt: FixedPoint | Affine,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    seed: int | None = None,
    index_offset: int = 0,
) -> np.ndarray:
    """Quantize with exact fractions. NaN is quantized like 0."""
    integers = exact_integers(w, fmt, rounding, seed, index_offset)
    zeros = zero_points_of(fmt, w.shape)
    codes = [apply_overflow(r, fmt, overflow, z) for r, z in zip(integers, zeros, strict=True)]
    return np.array(codes, code_dtype(fmt)).reshape(w.shape)


def ends(fmt: FixedPoint | Affine) -> tuple[int, int]:
    """Return the lowest and the highest integer in use."""
    if isinstance(fmt, Affine):
        return fmt.qmin, fmt.qmax
    return ends_of_width(fmt.bits, fmt.signed)


def ends_of_width(bits: int, signed: bool) -> tuple[int, int]:
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def code_dtype(fmt: FixedPoint | Affine) -> np.dtype:
    """Return the smallest dtype that holds all integers of the width."""
    low, high = ends_of_width(fmt.bits, fmt.signed)
    names = ("int8", "int16", "int32", "int64") if fmt.signed else ("u1", "u2", "u4", "u8")
    dtypes = map(np.dtype, names)
    return next(d for d in dtypes if np.iinfo(d).min <= low <= high <= np.iinfo(d).max)


def exact_integers(
    w: np.ndarray,
    fmt: FixedPoint | Affine,
    rounding: str,
    seed: int | None = None,
    index_offset: int = 0,
) -> list[float]:
    """Return the rounded elements before the zero point is added.

    Infinities and NaN are not modified. A FixedPoint rounds the exact product. An Affine rounds the
    quotient in float32 or float64.
    """
    with np.errstate(invalid="ignore"):  # for signalling NaN
        values = w.astype(np.float64).ravel().tolist()
    if isinstance(fmt, Affine):
        scaled = exact_quotients(values, fmt, w)
    else:
        positions = frac_bits_of(fmt, w.shape)
        scaled = [
            Fraction(value) * Fraction(2) ** position if math.isfinite(value) else value
            for value, position in zip(values, positions, strict=True)
        ]
    return [
        rounded(x, rounding, seed, (index_offset + i) % 2**64) if isinstance(x, Fraction) else x
        for i, x in enumerate(scaled)
    ]


def exact_quotients(values: list[float], fmt: Affine, w: np.ndarray) -> list[Fraction | float]:
    """Return the quotients of elements and scales, rounded once to the compute type."""
    compute = compute_type(w.dtype)
    quotients: list[Fraction | float] = []
    for value, scale in zip(values, scales_of(fmt, w.shape, compute), strict=True):
        if math.isfinite(value):
            value = signed_nearest(Fraction(value) / Fraction(scale), compute)  # noqa: PLW2901
        quotients.append(Fraction(value) if math.isfinite(value) else value)
    return quotients


def compute_type(dtype: np.dtype) -> str:
    """Return the type in which an Affine computes with floats of a dtype."""
    return "float64" if dtype == np.float64 else "float32"


def rounded(x: Fraction, rounding: str, seed: int | None, i: int) -> int:
    """Round a fraction by the definition of the mode."""
    half = Fraction(1, 2)
    sign = -1 if x < 0 else 1
    modes = {
        "nearest_even": lambda: round(x),
        "nearest_away": lambda: sign * math.floor(abs(x) + half),
        "nearest_zero": lambda: sign * math.ceil(abs(x) - half),
        "nearest_up": lambda: math.floor(x + half),
        "nearest_down": lambda: math.ceil(x - half),
        "floor": lambda: math.floor(x),
        "ceil": lambda: math.ceil(x),
        "trunc": lambda: sign * math.floor(abs(x)),
        "away": lambda: sign * math.ceil(abs(x)),
        "stochastic": lambda: sign * math.floor(abs(x) + Fraction(draw(seed or 0, i), 2**31)),
    }
    return modes[rounding]()


def draw(seed: int, i: int) -> int:
    """Return the 31 random bits of the element at that index."""

    def mixed(z: int) -> int:
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & (2**64 - 1)
        return z ^ z >> 31

    key = mixed(mixed((seed + 0x9E3779B97F4A7C15) & (2**64 - 1)) ^ i >> 32)
    x = (i ^ key) & (2**32 - 1)
    x = ((x ^ x >> 16) * 0x7FEB352D) & (2**32 - 1)
    x ^= x >> 15
    x = ((x ^ key >> 32) * 0x846CA68B) & (2**32 - 1)
    return (x ^ x >> 16) >> 1


def apply_overflow(r: float, fmt: FixedPoint | Affine, overflow: str, zero_point: int = 0) -> int:
    low, high = ends(fmt)
    # NaN is quantized like 0. With "wrap", infinity counts as a multiple of 2**bits.
    is_zero = isinstance(r, float) and (math.isnan(r) or overflow == "wrap")
    code = zero_point if is_zero else r + zero_point
    if overflow == "wrap":
        return (int(code) - low) % 2**fmt.bits + low
    # A range of only negative integers is not changed.
    symmetric = overflow == "saturate_symmetric" and fmt.signed and high >= 0
    low = max(low, -high) if symmetric else low
    if overflow == "saturate_zero":
        return int(code) if low <= code <= high else zero_point
    return int(min(max(code, low), high))


def frac_bits_of(fmt: FixedPoint, shape: tuple[int, ...]) -> list[int]:
    """Return the frac_bits of each element, in C order."""
    return of_elements(np.asarray(fmt.frac_bits), shape, fmt.axis, fmt.group_size).tolist()


def zero_points_of(fmt: FixedPoint | Affine, shape: tuple[int, ...]) -> list[int]:
    """Return the zero point of each element, in C order."""
    if not isinstance(fmt, Affine):
        return [0] * math.prod(shape)
    zeros = np.broadcast_to(fmt.zero_point, np.shape(fmt.scale))
    return of_elements(zeros, shape, fmt.axis, fmt.group_size).tolist()


def scales_of(fmt: Affine, shape: tuple[int, ...], compute: str) -> list[float]:
    """Return the scale of each element, in C order, rounded to the compute type."""
    scales = np.asarray(fmt.scale).astype(np.float64)
    rounded_scales = [rounded_to_type(scale, compute) for scale in scales.ravel().tolist()]
    each = np.array(rounded_scales, np.float64).reshape(scales.shape)
    return of_elements(each, shape, fmt.axis, fmt.group_size).tolist()


def of_elements(
    parameters: np.ndarray,
    shape: tuple[int, ...],
    axis: int | tuple[int, ...] | None,
    group_size: int | tuple[int, int] | None,
) -> np.ndarray:
    """Return the parameter of each element, in C order: one for all, per index, or per group."""
    if parameters.ndim == 0:
        return np.full(math.prod(shape), parameters[()])
    axes, sizes = axes_and_sizes(len(shape), axis, group_size)
    found = np.empty(math.prod(shape), parameters.dtype)
    for flat, place in enumerate(np.ndindex(shape)):
        if not sizes:
            found[flat] = parameters[tuple(place[one] for one in axes)]
        else:
            at = list(place)
            for one, size in zip(axes, sizes, strict=True):
                at[one] //= size
            found[flat] = parameters[tuple(at)]
    return found


def axes_and_sizes(
    ndim: int, axis: int | tuple[int, ...] | None, group_size: int | tuple[int, int] | None
) -> tuple[list[int], list[int]]:
    """Return the axes of an array as nonnegative numbers, and the group sizes, if any."""
    if group_size is None:
        given = axis if isinstance(axis, tuple) else () if axis is None else (axis,)
        return sorted(one % ndim for one in given), []
    sizes = group_size if isinstance(group_size, tuple) else (group_size,)
    axis = tuple(range(-len(sizes), 0)) if axis is None else axis
    return [one % ndim for one in (axis if isinstance(axis, tuple) else (axis,))], list(sizes)


def shape_of_parameters(
    shape: tuple[int, ...],
    axis: int | tuple[int, ...] | None = None,
    group_size: int | tuple[int, int] | None = None,
) -> tuple[int, ...]:
    """Return the shape of an array of parameters, one for each index or group."""
    axes, sizes = axes_and_sizes(len(shape), axis, group_size)
    if not sizes:
        return tuple(shape[one] for one in axes)
    lengths = list(shape)
    for one, size in zip(axes, sizes, strict=True):
        lengths[one] = -(-shape[one] // size)
    return tuple(lengths)


def elements_of_groups(
    shape: tuple[int, ...],
    axis: int | tuple[int, ...] | None = None,
    group_size: int | tuple[int, int] | None = None,
) -> dict[tuple[int, ...], list[int]]:
    """Return the flat indices of the elements of each group, by the index of its parameter."""
    lengths = shape_of_parameters(shape, axis, group_size)
    groups: list[list[int]] = [[] for _ in range(math.prod(lengths))]
    numbers = np.arange(len(groups)).reshape(lengths)
    for flat, number in enumerate(of_elements(numbers, shape, axis, group_size).tolist()):
        groups[number].append(flat)
    return dict(zip(np.ndindex(lengths), groups, strict=True))


def exact_values(q: np.ndarray, fmt: FixedPoint | Affine, dtype: str = "float32") -> np.ndarray:
    """Return the values of codes, computed with exact fractions and rounded once.

    An Affine rounds the difference and the product with the scale to the compute type, and the
    result to the dtype.
    """
    codes = q.astype(np.int64).ravel().tolist()
    if isinstance(fmt, Affine):
        compute = compute_type(dtype_of(dtype))
        scales, zeros = scales_of(fmt, q.shape, compute), zero_points_of(fmt, q.shape)
        values = []
        for code, scale, zero in zip(codes, scales, zeros, strict=True):
            difference = signed_nearest(Fraction(code - zero), compute)
            product = signed_nearest(Fraction(difference) * Fraction(scale), compute)
            product = math.copysign(product, scale * difference) if product == 0 else product
            values.append(rounded_to_type(product, dtype))
    else:
        pairs = zip(codes, frac_bits_of(fmt, q.shape), strict=True)
        values = [signed_nearest(code * Fraction(1, 2) ** place, dtype) for code, place in pairs]
    return np.array(values, np.float64).astype(dtype_of(dtype)).reshape(q.shape)


def rounded_to_type(value: float, dtype: str) -> float:
    """Return a float rounded to a dtype. Zeros and infinities keep their sign."""
    finite = math.isfinite(value) and value != 0
    return signed_nearest(Fraction(value), dtype) if finite else value


def signed_nearest(value: Fraction, dtype: str) -> float:
    """Return `value` rounded half to even. A value that rounds to zero keeps its sign."""
    size = nearest(abs(value), dtype)
    return -size if value < 0 else size


def dtype_of(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def bulk_codes(w: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    """Return the same as exact_codes, computed in float64."""
    with np.errstate(invalid="ignore"):  # for signalling NaN
        scaled = np.rint(w.astype(np.float64) * 2.0**fmt.frac_bits)
        codes = np.where(np.isnan(scaled), 0, np.clip(scaled, *ends(fmt)))
    return codes.astype(code_dtype(fmt))


def bulk_values(q: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    """Return the same as exact_values, computed in float64."""
    with np.errstate(over="ignore", under="ignore"):
        return (q.astype(np.float64) * 2.0**-fmt.frac_bits).astype(np.float32)
