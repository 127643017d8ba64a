"""Formats chosen for the data: where the binary point goes, or which scale and zero point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur import _core
from secateur.float_state import default_float_state
from secateur.formats import FixedPoint, integer_in, real, truth
from secateur.results import AffineParameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Float64s = NDArray[np.float64]

# The integers of each dtype that choose_affine takes.
RANGES = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "uint16": (0, (1 << 16) - 1),
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int2": (-2, 1),
    "uint2": (0, 3),
}
METHODS = ("max", "percentile", "mse")
MOST = 256  # the largest and, negative, the smallest frac_bits
SAMPLED = 1 << 17  # elements from which on a sample says where the least error probably is
RUNS, RUN = 256, 64  # of that sample
NEAR = 3  # passes within which it must be found then
SHRINK = 2**0.25  # from one range that choose_affine tries to the next
SHRINKS = 64


class Core(NamedTuple):
    """The passes over the data that choosing takes."""

    find_ranges: Callable[..., Float64s]  # the lowest, and the highest
    sum_rounding_errors: Callable[..., Float64s]
    kth_magnitude: Callable[..., Any]


_CORE = Core(
    _core.find_ranges,
    _core.sum_rounding_errors,
    lambda w, k, axis=None: _core.kth_magnitude(w, k, axis, "raise"),
)


def choose_format(
    w: ArrayLike,
    bits: int,
    *,
    signed: bool = True,
    method: str = "max",
    percentile: float = 99.99,
    axis: int | None = None,
    group_size: int | None = None,
) -> FixedPoint:
    """The fixed-point format with the binary point where it suits the data.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array that is to be quantized; finite.
    bits : int
        Width of the integers, 2 to 32.
    signed : bool, default True
        Whether they are signed. Where they are not, negative elements must be so small that
        they round to 0 with the `frac_bits` of ``"max"``.
    method : {"max", "percentile", "mse"}
        ``"max"`` takes the most `frac_bits` with which no element saturates when it is rounded
        half to even; ``"percentile"`` takes as many as ``"max"`` for `w` clipped to ``±t``, where
        ``t`` is the percentile of ``|w|``; ``"mse"`` takes those of the least sum of squared
        errors, and the most of those that tie.
    percentile : float, default 99.99
        From 0 to 100; of ``n`` elements it is the one of rank ``ceil(n * percentile / 100)``, and
        at least 1, counted from the smallest ``|w|``.
    axis : int, optional
        Choose for each index along this axis; by default for the whole array.
    group_size : int, optional
        Choose for each group of so many neighbours along the axis, which is then the last by
        default. Groups at its end may have fewer.

    Returns
    -------
    FixedPoint
        With `frac_bits` an int, or an array along `axis`, or one of groups. They are from -256 to
        256, even if less or more would do. Where there is nothing but zeros, or nothing at all,
        they are ``bits - signed``: the range is ±1.

    Raises
    ------
    TypeError
        If `w` is of another dtype, or another argument of another type than above.
    ValueError
        If `w` has elements that are NaN, infinite, or negative where they must not be, or another
        argument is out of its range.

    Notes
    -----
    The highest integer ``h`` is odd and the lowest even, so that ``x * 2**frac_bits`` may be
    anything below ``h + 1/2``, and not less than the lowest minus 1/2.

    The sum of squared errors is looked at for as few `frac_bits` as decide it [1]_. With fewer than
    ``"max"`` takes, no element is nearer to the grid, of which every other point is gone. With more
    the range halves each time, and what saturates is further and further out of it: where that
    alone makes a sum that exceeds the least so far, no further one is less. Both hold for the sums
    as they are computed, in float64 and an order that depends on the shape alone (see
    :func:`secateur.compare`). Of a large array a sample says first where the least sum may be; one
    pass or two show that its neighbours, and all beyond, are excluded; and only if they do not are
    all others tried.

    References
    ----------
    .. [1] Widrow, B., & Kollár, I. (2008). Quantization Noise. Cambridge University Press, on
       the balance of granular and overload error.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([0.1, -0.25, 0.5, 1.5])
    >>> sc.choose_format(w, 8)
    FixedPoint(bits=8, frac_bits=6, signed=True)
    >>> sc.choose_format(w.reshape(2, 2), 8, axis=0)
    FixedPoint(bits=8, frac_bits=[9, 6], signed=True, axis=0)
    """
    how = bits, signed, method, percentile, axis, group_size
    with default_float_state():
        return choose_fixed_point(_CORE, w, *how)


def choose_affine(
    w: ArrayLike,
    dtype: DTypeLike,
    *,
    symmetric: bool = False,
    method: str = "max",
    percentile: float = 99.99,
    axis: int | None = None,
    block_size: int | None = None,
) -> AffineParameters:
    """The scale and the zero point that suit the data, by the rules of ONNX.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array that is to be quantized; finite.
    dtype : dtype
        Of the integers: int8, uint8, int16, uint16, or int4, uint4, int2, uint2 of ml_dtypes.
    symmetric : bool, default False
        Whether the zero point is 0, or for unsigned integers the middle of them (128 for uint8),
        and the range the same to both sides.
    method : {"max", "percentile", "mse"}
        ``"max"`` takes the range from the lowest to the highest element, and 0; ``"percentile"``
        the same of `w` clipped to ``±t``, where ``t`` is the percentile of ``|w|``; ``"mse"`` the
        one of the least sum of squared errors among that of ``"max"`` and those that are
        ``2**(j / 4)`` times smaller to both sides, for j from 1 to 64.
    percentile : float, default 99.99
        As for :func:`choose_format`.
    axis : int, optional
        Choose for each index along this axis; by default for the whole array.
    block_size : int, optional
        Choose for each block of so many neighbours along the axis, which is then the last by
        default. Blocks at its end may have fewer.

    Returns
    -------
    AffineParameters
        For :func:`secateur.quantize_affine`: numbers, or arrays of one dimension with `axis`, or
        of the shape of `w` with as many blocks along it. A scale is positive and normal: that of
        nothing but zeros is 1, with the zero point 0 or that of `symmetric`.

    Raises
    ------
    TypeError
        If `w` or `dtype` is another dtype, or another argument of another type than above.
    ValueError
        If `w` has elements that are NaN or infinite, or another argument is out of its range.

    Notes
    -----
    The range includes 0, and the zero point, which stands for it, is the integer nearest (half to
    even) to where 0 lies in the range [1]_: 0 is exact, as padding and ReLU need. The scale is
    ``(highest - lowest) / (q_max - q_min)``, or ``max(highest, -lowest) / q`` of a symmetric range
    with `q` integers to either side; rounded to float32, or float64 for float64 `w`. Ranges are
    tried from the largest on. As soon as what is out of range makes a sum of its own that exceeds
    the least so far, the others are smaller and need not be tried. There elements are multiplied by
    the reciprocal of the scale, and the sums are of float64.

    References
    ----------
    .. [1] ONNX operators, "DynamicQuantizeLinear" and "QuantizeLinear".

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.choose_affine(np.float32([-1, 0, 0.5, 4.1]), np.uint8)
    AffineParameters(scale=0.019999999552965164, zero_point=50)
    >>> sc.choose_affine(np.float32([[-1, 0.5], [127, 4]]), np.int8, symmetric=True, axis=0).scale
    array([0.00787402, 1.        ], dtype=float32)
    """
    how = dtype, symmetric, method, percentile, axis, block_size
    with default_float_state():
        return choose_scale(_CORE, w, *how)


# --- what is chosen, whatever counts and sums -----------------------------------------------


class Data:
    """An array as cells: all of it, slices of one index along an axis, or groups along it."""

    def __init__(
        self, core: Core, w: ArrayLike, axis: int | None, group_size: int | None, group_name: str
    ) -> None:
        if group_size is not None:
            group_size = integer_in(group_name, group_size, 1, 2**63 - 1)
            axis = -1 if axis is None else axis
        self.core, self.group_size = core, group_size
        # The core looks at w as it was given, which may be no plain array, before NumPy does.
        self._given = w
        self.whole = axis is None
        self._axis = axis
        self._ranges: Float64s | None = None

    @property
    def ranges(self) -> Float64s:
        """The lowest and the highest of each cell and 0."""
        if self._ranges is None:
            self._ranges = self.core.find_ranges(self._given, self._axis, self.group_size)
        return self._ranges

    @property
    def array(self) -> Array:
        return np.asarray(self._given)

    @property
    def axis(self) -> int | None:
        """Counted from the first."""
        return None if self._axis is None else self._axis % self.array.ndim

    def shape(self) -> tuple[int, ...]:
        """Of what is chosen."""
        shape, axis = self.array.shape, self.axis
        if axis is None:
            return ()
        if self.group_size is None:
            return (shape[axis],)
        return (*shape[:axis], -(-shape[axis] // self.group_size), *shape[axis + 1 :])

    def errors(self, multiplier: Float64s, low: Any, high: Any, ratio: float) -> Float64s:
        """Three sums for each cell: on a coarser grid, on this one, and on a finer one."""
        grids = np.stack(np.broadcast_arrays(multiplier, low, high), axis=1).astype(np.float64)
        return self.core.sum_rounding_errors(self._given, self._axis, self.group_size, grids, ratio)

    def clipped(self, percentile: float) -> Float64s:
        """The ranges within which that percentage of the elements is."""
        if self.array.size == 0:
            return self.ranges
        most = self._percentiles(percentile)
        return np.clip(self.ranges, -most, most)

    def _percentiles(self, percentile: float) -> Float64s:
        def of(w: Array, axis: int | None) -> Any:
            n = w.size if axis is None else w.shape[axis]
            rank = max(1, math.ceil(n * percentile / 100))
            return self.core.kth_magnitude(w, n + 1 - rank, axis)

        w, axis, size = self.array, self.axis, self.group_size
        if axis is None:
            found = of(w, None)
        elif size is None:
            found = of(np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1), 1)
        else:
            whole = w.shape[axis] // size * size
            groups, last = np.split(w, [whole], axis)
            parts = []
            if whole:
                lead, rest = w.shape[:axis], w.shape[axis + 1 :]
                parts.append(of(groups.reshape(*lead, -1, size, *rest), axis + 1))
            if last.size:
                parts.append(np.expand_dims(of(last, axis), axis))
            found = np.concatenate(parts, axis)
        return np.asarray(found, np.float64).ravel()

    def sample(self) -> Array | None:
        """Some runs of elements, if the whole is large."""
        if not self.whole or self.array.size < SAMPLED or not self.array.flags.c_contiguous:
            return None
        w = self.array.reshape(-1)
        return w[: w.size // RUNS * RUNS].reshape(RUNS, -1)[:, :RUN].copy()


def choose_fixed_point(
    core: Core,
    w: ArrayLike,
    bits: int,
    signed: bool,
    method: str,
    percentile: float,
    axis: int | None,
    group_size: int | None,
) -> FixedPoint:
    bits = integer_in("bits", bits, 2, 32)
    signed = truth("signed", signed)
    percentile = _percentage(method, percentile)
    data = Data(core, w, axis, group_size, "group_size")
    best = _best_of_sample(data, bits, signed) if method == "mse" else None
    if best is not None:
        return FixedPoint(bits, best, signed)
    frac_bits = most_frac_bits(data.ranges, bits, signed)
    if method == "percentile":
        frac_bits = most_frac_bits(data.clipped(percentile), bits, signed)
    elif method == "mse":
        some = data.ranges != 0
        frac_bits = _least_error(data, bits, signed, frac_bits, some)
    if data.whole:
        return FixedPoint(bits, int(frac_bits[0]), signed)
    each = frac_bits.reshape(data.shape())
    return FixedPoint(bits, each, signed, axis=data.axis, group_size=data.group_size)


def choose_scale(
    core: Core,
    w: ArrayLike,
    dtype: DTypeLike,
    symmetric: bool,
    method: str,
    percentile: float,
    axis: int | None,
    block_size: int | None,
) -> AffineParameters:
    low, high = _integers("dtype", dtype)
    symmetric = truth("symmetric", symmetric)
    percentile = _percentage(method, percentile)
    data = Data(core, w, axis, block_size, "block_size")
    ranges = data.ranges
    if method == "percentile":
        ranges = data.clipped(percentile)
    real_type = np.float64 if data.array.dtype.name == "float64" else np.float32
    scale, zero_point = affine_of(ranges, low, high, symmetric, real_type)
    if method == "mse":
        some = ranges != 0
        scale = _least_error_scale(data, scale, low - zero_point, high - zero_point, some)
    if data.whole:
        return AffineParameters(float(scale[0]), int(zero_point[0]))
    shape = data.shape()
    return AffineParameters(scale.reshape(shape), zero_point.reshape(shape))


# --- fixed point ----------------------------------------------------------------------------


def most_frac_bits(ranges: Float64s, bits: int, signed: bool) -> NDArray[np.int64]:
    """The most with which nothing from the lowest to the highest saturates."""
    lowest, highest = ranges
    above = 2.0 ** (bits - signed) - 0.5  # what this is, or more, is rounded out of range
    below = 2.0 ** (bits - 1) + 0.5  # and what is more than this
    size, exponent = np.frexp(highest)
    limit, limit_exponent = math.frexp(above)
    frac_bits = np.where(highest > 0, limit_exponent - exponent - (size >= limit), 2 * MOST)
    if signed:
        size, exponent = np.frexp(-lowest)
        limit, limit_exponent = math.frexp(below)
        of_lowest = limit_exponent - exponent - (size > limit)
        frac_bits = np.where(lowest < 0, np.minimum(frac_bits, of_lowest), frac_bits)
    some = (lowest < 0) & signed | (highest > 0)
    frac_bits = np.where(some, np.clip(frac_bits, -MOST, MOST), bits - signed)
    if not signed:
        negative = np.ldexp(lowest, frac_bits) < -0.5
        if negative.any():
            msg = "w must be at least 0 for an unsigned format, but for what is rounded to 0"
            msg += f", got {lowest[negative].min()}"
            raise ValueError(msg)
    return frac_bits.astype(np.int64)


def _least_error(
    data: Data, bits: int, signed: bool, frac_bits: NDArray[np.int64], some: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """From those with which nothing saturates upwards, in cells where there is something."""
    first = np.ldexp(1.0, -frac_bits)

    def step(j: Any) -> Float64s:
        return np.asarray(first * 2.0**-j)

    fmt = FixedPoint(bits, 0, signed)
    return frac_bits + _descend(data, step, fmt.min, fmt.max, 2.0, some, MOST - frac_bits)


def _best_of_sample(data: Data, bits: int, signed: bool) -> int | None:
    """The frac_bits of the least error, if a sample leads near them; then no range is needed.

    How far elements are out of the range of a finer grid is the least for all that follow, and how
    far they are from the points of a coarser one for all before: these sums exclude either side.
    """
    sample = data.sample() if signed else None
    if sample is None:
        return None
    of_sample = Data(data.core, sample, None, None, "")
    try:
        ranges = of_sample.ranges
    except ValueError:  # not finite: where, a look at all of them says
        return None
    start = most_frac_bits(ranges, bits, signed)
    place = int(_least_error(of_sample, bits, signed, start, ranges != 0)[0])
    fmt = FixedPoint(bits, 0, signed)
    errors: dict[int, float] = {}
    above = {
        -MOST - 1: math.inf
    }  # of what has at most so many frac_bits, no error is less than this
    below = {MOST + 1: math.inf}  # and of what has at least so many
    for _ in range(NEAR):
        step = 2.0**-place
        sums = data.errors(np.array([1 / step]), fmt.min, fmt.max, 2.0)[0] * (step * step)
        if not np.isfinite(sums).all():
            return None
        above[place - 1], errors[place], below[place + 1] = sums * (4, 1, 1 / 4)
        best = min(errors.values())
        least = max(p for p, error in above.items() if error >= best) + 1
        most = min((p for p, error in below.items() if error > best), default=0) - 1
        left = [p for p in range(least, most + 1) if p not in errors]
        if not left:
            return max(p for p, error in errors.items() if error == best)
        place = min(left, key=lambda p: abs(p - place), default=place)
    return None


# --- affine ---------------------------------------------------------------------------------


def affine_of(
    ranges: Float64s,
    low: int,
    high: int,
    symmetric: bool,
    real_type: type[np.float32 | np.float64],
) -> tuple[Array, NDArray[np.int32]]:
    """The scale and the zero point of ranges that include 0, for integers from low to high."""
    lowest, highest = ranges
    middle = 0 if low < 0 else (high + 1) // 2
    if symmetric:
        scale = np.maximum(highest, -lowest) / (high - middle)
    else:
        scale = highest / (high - low) - lowest / (high - low)
    scale = np.where(scale > 0, scale, 1)
    scale = np.maximum(scale.astype(real_type), np.finfo(real_type).tiny)
    if symmetric:
        return scale, np.full(scale.shape, middle, np.int32)
    zero_point = np.clip(np.rint(low - lowest / scale), low, high)
    nothing = (lowest == 0) & (highest == 0)
    return scale, np.where(nothing, 0, zero_point).astype(np.int32)


def _least_error_scale(
    data: Data, scale: Array, low: NDArray[Any], high: NDArray[Any], some: NDArray[np.bool_]
) -> Array:
    least = np.finfo(scale.dtype).tiny

    def step(j: Any) -> Float64s:
        smaller = (scale * np.power(SHRINK, -j)).astype(scale.dtype)
        return np.asarray(np.maximum(smaller, least), np.float64)

    tried = _descend(data, step, low, high, SHRINK, some, np.full(scale.shape, SHRINKS))
    return np.asarray(step(tried), scale.dtype)


def _descend(
    data: Data,
    step: Callable[[Any], Float64s],
    low: Any,
    high: Any,
    ratio: float,
    some: NDArray[np.bool_],
    most: NDArray[Any],
) -> NDArray[np.intp]:
    """The j, from 0 to `most`, with the least error of grids of ``step(j)``; the last that ties.

    A cell is done with as soon as what is out of the range of the next grid, and therefore of all
    that follow, makes a larger sum than the least so far.
    """
    open_ = some[0] | some[1]
    best = np.full(open_.shape, np.inf)
    chosen = np.zeros(open_.shape, np.intp)
    j = 0
    while open_.any():
        each = step(j)
        sums = data.errors(np.where(open_, 1 / each, 0), low, high, ratio)
        error = sums[:, 1] * each * each
        better = open_ & (error <= best)
        best = np.where(better, error, best)
        chosen = np.where(better, j, chosen)
        finer = sums[:, 2] * (each / ratio) * (each / ratio)
        open_ = open_ & (finer <= best) & (j < most)
        j += 1
    return chosen


# --- arguments ------------------------------------------------------------------------------


def _percentage(method: Any, percentile: Any) -> float:
    if not isinstance(method, str) or method not in METHODS:
        msg = f"method must be {' or '.join(map(repr, METHODS))}, got {method!r}"
        raise ValueError(msg)
    value = real("percentile", percentile)
    if not 0 <= value <= 100:
        msg = f"percentile must be a number from 0 to 100, got {percentile!r}"
        raise ValueError(msg)
    return value


def _integers(name: str, dtype: DTypeLike) -> tuple[int, int]:
    came = np.dtype(dtype)
    if came.name not in RANGES or not came.isnative:
        msg = f"{name} must be {' or '.join(RANGES)}, got {came}"
        raise TypeError(msg)
    return RANGES[came.name]
