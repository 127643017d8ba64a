"""Calibration: choose the binary point, or the scale and the zero point, that suit the data."""

from __future__ import annotations

import math
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.arguments import as_bool, as_double, integer, integer_in
from secateur.float_state import default_float_state
from secateur.formats import Affine, FixedPoint
from secateur.messages import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, ChoiceMethod, GroupSize

    Array = NDArray[Any]
    Float64s = NDArray[np.float64]

METHODS = ("max", "percentile", "mse")
MAX_FRAC_BITS = 256  # frac_bits are from -MAX_FRAC_BITS to MAX_FRAC_BITS
MIN_SAMPLED_SIZE = 1 << 17  # arrays of as many elements use a sample to start the "mse" search
RUNS, RUN_LENGTH = 256, 64  # the sample: this many runs of this many consecutive elements
MAX_SAMPLED_PASSES = 3  # passes after which the search from the sample gives up
STEPS_PER_HALVING = 4  # choose_affine tries scales 2**(-j / STEPS_PER_HALVING) times the largest
MAX_STEPS = 64  # the largest j
# A lower bound of the ratio of one scale to the next, after both are rounded.
MIN_STEP_RATIO = 2 ** (1 / STEPS_PER_HALVING) * (1 - 2**-16)
MAX_FLOAT32_MULTIPLIER = 2.0**100  # errors are computed in float32 from 1 / this to this


def choose_format(
    w: ArrayLike,
    bits: int,
    *,
    signed: bool = True,
    method: ChoiceMethod = "max",
    percentile: float = 99.99,
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
) -> FixedPoint:
    """Choose the number of fraction bits of a fixed-point format that suits the data.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. All elements must be finite.
    bits : int
        The width of the integers, 2 to 32.
    signed : bool, default True
        Whether the integers are signed. If not, negative elements must round to 0 with the
        `frac_bits` that ``"max"`` chooses.
    method : {"max", "percentile", "mse"}
        ``"max"`` chooses the largest `frac_bits` with which no element saturates when it is rounded
        half to even. ``"percentile"`` chooses what ``"max"`` does for `w` clipped to ``±t``, where
        ``t`` is the percentile of ``|w|``. ``"mse"`` chooses the `frac_bits` of the least sum of
        squared errors, and of several such the largest.
    percentile : float, default 99.99
        From 0 to 100. Of ``n`` elements, the percentile is the one of rank
        ``max(1, ceil(n * percentile / 100))``, counted from the smallest ``|w|``.
    axis : int or tuple of int, optional
        Choose for each index along this axis, or along these axes. By default one format serves the
        whole array.
    group_size : int or (int, int), optional
        Choose for each group of this many neighbours along the axis, by default the last axis. With
        two numbers, choose for each block of two axes, by default the last two. Groups at the ends
        of the axes may be smaller.

    Returns
    -------
    FixedPoint
        The format. `frac_bits` is an int; or an array along `axis`; or an array of one entry per
        group. Each is limited to -256 to 256. For a group without nonzero elements it is
        ``bits - signed``, which gives the range ±1.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or another argument has an unsupported type.
    ValueError
        If `w` holds NaN, infinities, or negative elements that an unsigned format excludes; or if
        another argument is out of range.

    Notes
    -----
    ``"max"``: the highest integer ``h`` is odd and the lowest integer ``l`` is even. With rounding
    half to even, ``x`` does not saturate if ``l - 1/2 <= x * 2**frac_bits < h + 1/2``.

    ``"mse"``: the search evaluates the sum of squared errors only for as many `frac_bits` as the
    minimum needs [1]_. With fewer bits than ``"max"`` chooses, the grid loses every other point, so
    that no error decreases. With more bits, the range halves with each bit, so that the
    errors of the elements out of range increase. Once the sum of these errors alone exceeds the
    least sum so far, more bits cannot be better. Both statements hold for the computed sums, which
    are of float64 in an order that depends on the shape alone (see :func:`secateur.compare`). For a
    large array, the search starts at the optimum of a sample. Usually one or two passes over the
    array show that no other `frac_bits` is better; otherwise the full search follows.

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
    with default_float_state():
        return _choose_format(w, bits, signed, method, percentile, axis, group_size)


def choose_affine(
    w: ArrayLike,
    bits: int = 8,
    *,
    signed: bool = True,
    symmetric: bool = False,
    method: ChoiceMethod = "max",
    percentile: float = 99.99,
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
) -> Affine:
    """Choose an affine format that suits the data, by the rules of ONNX.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. All elements must be finite.
    bits : int, default 8
        The width of the integers, 2 to 16.
    signed : bool, default True
        Whether the integers are signed.
    symmetric : bool, default False
        Whether the range is symmetric about 0. The zero point is then 0 or, for unsigned integers,
        their middle (128 for 8 bits).
    method : {"max", "percentile", "mse"}
        ``"max"`` chooses the smallest range that holds all elements and 0. ``"percentile"`` chooses
        what ``"max"`` does for `w` clipped to ``±t``, where ``t`` is the percentile of ``|w|``.
        ``"mse"`` divides both ends of the range of ``"max"`` by ``2**(j / 4)``, for j from 0 to 64,
        and chooses the range of the least sum of squared errors, and of several such the smallest.
    percentile : float, default 99.99
        As for :func:`choose_format`.
    axis : int or tuple of int, optional
        Choose for each index along this axis, or along these axes. By default one scale serves the
        whole array.
    group_size : int or (int, int), optional
        Choose for each group of this many neighbours along the axis, by default the last axis. With
        two numbers, choose for each block of two axes, by default the last two. Groups at the ends
        of the axes may be smaller.

    Returns
    -------
    Affine
        The format. Its scales are positive and not subnormal, of float32, or of float64 if `w` is
        float64. For a group without nonzero elements the scale is 1, and the zero point is 0 or
        that of `symmetric`.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or another argument has an unsupported type.
    ValueError
        If `w` holds NaN or infinities, or another argument is out of range.

    Notes
    -----
    The range includes 0. The zero point is the integer nearest to the position of 0 in the range,
    rounded half to even [1]_. So 0 is represented exactly, as padding and ReLU need. The scale is
    ``(highest - lowest) / (q_max - q_min)``; for a symmetric range with `q` integers on either side
    of the zero point it is ``max(highest, -lowest) / q``. It is rounded to float32, or to float64
    if `w` is float64.

    ``"mse"`` tries the ranges from the largest to the smallest. It stops when the errors of the
    elements out of range alone exceed the least sum so far, because they increase as the range
    shrinks. For these sums, elements are multiplied by the reciprocal of the scale, and squares are
    added in float64; ``docs/semantics.md`` defines the sums to the bit.

    References
    ----------
    .. [1] ONNX operators, "DynamicQuantizeLinear" and "QuantizeLinear".

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([-1, 0, 0.5, 4.1])
    >>> fmt = sc.choose_affine(w, signed=False)
    >>> fmt
    Affine(scale=0.019999999552965164, zero_point=50, bits=8, signed=False)
    >>> sc.quantize(w, fmt)
    array([  0,  50,  75, 255], dtype=uint8)
    >>> sc.choose_affine(np.float32([[-1, 0.5], [127, 4]]), symmetric=True, axis=0).scale
    array([0.00787402, 1.        ], dtype=float32)
    """
    with default_float_state():
        return _choose_affine(w, bits, signed, symmetric, method, percentile, axis, group_size)


# --- the data -------------------------------------------------------------------------------


class Data:
    """An array in groups: one group, one for each index along axes, or blocks of one or two axes."""

    def __init__(self, w: ArrayLike, axis: Axes | None, group_size: GroupSize | None) -> None:
        if group_size is not None and not isinstance(group_size, tuple):
            group_size = integer_in("group_size", group_size, 1, 2**63 - 1)
        elif group_size is not None:
            group_size = _pair("group_size", group_size, 1, 2**63 - 1)
        if axis is None and group_size is not None:
            axis = (-2, -1) if isinstance(group_size, tuple) else -1
        elif isinstance(axis, tuple):
            axis = tuple(integer(f"axis[{i}]", one) for i, one in enumerate(axis))
        elif axis is not None:
            axis = integer("axis", axis)
        self.group_size = group_size
        # The argument as given, which need not be an array. The core checks it before NumPy
        # converts it.
        self._given = w
        self.whole = axis is None
        self._axis = axis
        self._ranges: Float64s | None = None
        self._shape: tuple[int, ...] = ()

    @property
    def ranges(self) -> Float64s:
        """For each group, the minimum and the maximum of its elements and 0."""
        if self._ranges is None:
            ranges = _core.find_ranges(self._given, self._axis, self.group_size)
            self._shape = ranges.shape[1:]
            self._ranges = ranges.reshape(2, math.prod(self._shape))
        return self._ranges

    @property
    def array(self) -> Array:
        return np.asarray(self._given)

    @property
    def axis(self) -> Any:
        """The axis or axes as non-negative numbers, as a format takes them; None for one group."""
        if self._axis is None:
            return None
        given = self._axis if isinstance(self._axis, tuple) else (self._axis,)
        axes = tuple(axis % self.array.ndim for axis in given)
        if len(axes) == 1:
            return axes[0]
        return axes if self.group_size is not None else tuple(sorted(axes))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array of parameters: one for each group."""
        if not self.whole and self._ranges is None:
            _ = self.ranges
        return self._shape

    def errors(self, multiplier: Float64s, low: Any, high: Any, ratio: float) -> Float64s:
        """Three sums of squares for each group, each in squares of the step of its own grid.

        The grid of a group has the integers from `low` to `high` and the step ``1 / multiplier``; a
        multiplier of 0 skips the group. The sums are those of

        * the distances to the integers of the grid that is coarser by `ratio`, range ignored;
        * the quantization errors on the grid;
        * the distances to the range of the grid that is finer by `ratio`.
        """
        grids = np.stack(np.broadcast_arrays(multiplier, low, high), axis=1).astype(np.float64)
        if self.whole or self.array.dtype.name == "float64":
            return self._sums(grids, ratio)
        # The core computes in float32 if all multipliers of a call allow it. Two calls keep the
        # result of a group independent of the other groups.
        in_float32 = (multiplier >= 1 / MAX_FLOAT32_MULTIPLIER) & (
            multiplier <= MAX_FLOAT32_MULTIPLIER
        )
        masks = [mask for mask in (in_float32, ~in_float32) if multiplier[mask].any()]
        sums = [self._sums(np.where(mask[:, None], grids, 0), ratio) for mask in masks]
        return sums[0] if len(sums) == 1 else np.where(in_float32[:, None], *sums)

    def _sums(self, grids: Float64s, ratio: float) -> Float64s:
        grids = grids.reshape(*self.shape, 3)
        sums = _core.sum_rounding_errors(self._given, self._axis, self.group_size, grids, ratio)
        return sums.reshape(math.prod(self.shape), 3)

    def clipped(self, percentile: float) -> Float64s:
        """The ranges, clipped to the percentile of the magnitudes of each group."""
        if self.array.size == 0:
            return self.ranges
        limit = self._percentiles(percentile)
        return np.clip(self.ranges, -limit, limit)

    def _percentiles(self, percentile: float) -> Float64s:
        def percentiles_of(w: Array, axis: Axes | None) -> Any:
            axes = axis if isinstance(axis, tuple) else (axis,)
            n = w.size if axis is None else math.prod(w.shape[i] for i in axes if i is not None)
            rank = max(1, math.ceil(n * percentile / 100))
            return _core.kth_magnitude(w, n + 1 - rank, axis, "raise")

        w, axis, sizes = self.array, self.axis, self.group_size
        if axis is None:
            return np.asarray(percentiles_of(w, None), np.float64).ravel()
        axes = axis if isinstance(axis, tuple) else (axis,)
        if sizes is None:
            others = tuple(i for i in range(w.ndim) if i not in axes)
            limits = percentiles_of(w, others) if others else np.abs(w.astype(np.float64))
            return np.asarray(limits, np.float64).ravel()
        size_of = dict(zip(axes, sizes if isinstance(sizes, tuple) else (sizes,), strict=True))
        # Each axis is cut into its full groups and the last one, if it is smaller. Within such a
        # part, an axis becomes two: the groups, and the elements of each.
        cuts = [sorted({0, w.shape[i] // size * size, w.shape[i]}) for i, size in size_of.items()]
        limits = np.empty(self.shape)
        for ends in product(*(list(pairwise(cut)) for cut in cuts)):
            part, places = [slice(None)] * w.ndim, [slice(None)] * w.ndim
            for (i, size), (begin, end) in zip(size_of.items(), ends, strict=True):
                part[i], places[i] = slice(begin, end), slice(begin // size, -(-end // size))
            lengths: list[int] = []
            within: list[int] = []
            for i, length in enumerate(w[tuple(part)].shape):
                if i in size_of:
                    each = min(size_of[i], length)
                    within.append(len(lengths) + 1)
                    lengths += [length // each, each]
                else:
                    lengths.append(length)
            grouped = w[tuple(part)].reshape(lengths)
            limits[tuple(places)] = percentiles_of(grouped, tuple(within))
        return limits.ravel()

    def sample(self) -> Array | None:
        """Runs of elements at equal distances; None unless the array is one large group."""
        large = self.whole and self.array.size >= MIN_SAMPLED_SIZE
        if not large or not self.array.flags.c_contiguous:
            return None
        w = self.array.reshape(-1)
        return w[: w.size // RUNS * RUNS].reshape(RUNS, -1)[:, :RUN_LENGTH].copy()


def _choose_format(
    w: ArrayLike,
    bits: int,
    signed: bool,
    method: str,
    percentile: float,
    axis: Axes | None,
    group_size: GroupSize | None,
) -> FixedPoint:
    bits = integer_in("bits", bits, 2, 32)
    signed = as_bool("signed", signed)
    percentile = _percentage(method, percentile)
    data = Data(w, axis, group_size)
    best = _best_of_sample(data, bits, signed) if method == "mse" else None
    if best is not None:
        return FixedPoint(bits, best, signed)
    frac_bits = most_frac_bits(data.ranges, bits, signed)
    if method == "percentile":
        frac_bits = most_frac_bits(data.clipped(percentile), bits, signed)
    elif method == "mse":
        frac_bits = _least_error_frac_bits(data, bits, signed, frac_bits)
    if data.whole:
        return FixedPoint(bits, int(frac_bits[0]), signed)
    frac_bits = frac_bits.reshape(data.shape)
    return FixedPoint(bits, frac_bits, signed, axis=data.axis, group_size=data.group_size)


def _choose_affine(
    w: ArrayLike,
    bits: int,
    signed: bool,
    symmetric: bool,
    method: str,
    percentile: float,
    axis: Axes | None,
    group_size: GroupSize | None,
) -> Affine:
    integers = Affine(1.0, bits=integer_in("bits", bits, 2, 16), signed=signed)
    low, high = integers.qmin, integers.qmax
    symmetric = as_bool("symmetric", symmetric)
    percentile = _percentage(method, percentile)
    data = Data(w, axis, group_size)
    ranges = data.ranges
    if method == "percentile":
        ranges = data.clipped(percentile)
    real_type = np.float64 if data.array.dtype.name == "float64" else np.float32
    scale, zero_point = affine_of(ranges, low, high, symmetric, real_type)
    if method == "mse":
        scale = _least_error_scale(data, scale, low - zero_point, high - zero_point)
    signed = integers.signed
    if data.whole:
        return Affine(float(scale[0]), int(zero_point[0]), bits=bits, signed=signed)
    scale, zero_point = scale.reshape(data.shape), zero_point.reshape(data.shape)
    groups: dict[str, Any] = {"axis": data.axis, "group_size": data.group_size}
    return Affine(scale, zero_point, bits=bits, signed=signed, **groups)


# --- fixed point ----------------------------------------------------------------------------


def most_frac_bits(ranges: Float64s, bits: int, signed: bool) -> NDArray[np.int64]:
    """The largest frac_bits with which no value of the ranges saturates."""
    lowest, highest = ranges
    upper = 2.0 ** (bits - signed) - 0.5  # values >= upper round out of range
    lower = 2.0 ** (bits - 1) + 0.5  # values < -lower round out of range
    fraction, exponent = np.frexp(highest)
    limit, limit_exponent = math.frexp(upper)
    unlimited = 2 * MAX_FRAC_BITS  # clipped below
    frac_bits = np.where(highest > 0, limit_exponent - exponent - (fraction >= limit), unlimited)
    if signed:
        fraction, exponent = np.frexp(-lowest)
        limit, limit_exponent = math.frexp(lower)
        of_lowest = limit_exponent - exponent - (fraction > limit)
        frac_bits = np.where(lowest < 0, np.minimum(frac_bits, of_lowest), frac_bits)
    nonzero = (lowest < 0) & signed | (highest > 0)
    clipped = np.clip(frac_bits, -MAX_FRAC_BITS, MAX_FRAC_BITS)
    frac_bits = np.where(nonzero, clipped, bits - signed)
    if not signed:
        negative = np.ldexp(lowest, frac_bits) < -0.5
        if negative.any():
            msg = "w must be at least 0 for an unsigned format, but for what is rounded to 0"
            msg += f", got {lowest[negative].min()}"
            raise ValueError(msg)
    return frac_bits.astype(np.int64)


def _least_error_frac_bits(
    data: Data, bits: int, signed: bool, frac_bits: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The frac_bits of the least error, from the given ones, those of "max", upwards."""
    first = np.ldexp(1.0, -frac_bits)

    def step(j: Any) -> Float64s:
        return np.asarray(first * 2.0**-j)

    fmt = FixedPoint(bits, 0, signed)
    return frac_bits + _descend(data, step, fmt.min, fmt.max, 2.0, MAX_FRAC_BITS - frac_bits)


def _best_of_sample(data: Data, bits: int, signed: bool) -> int | None:
    """The frac_bits of the least error, or None if the search from a sample does not find them.

    This search does not need the range of the whole array. Each pass gives two lower bounds of the
    error. The distances of the elements to the range of the next finer grid bound the error for all
    larger frac_bits. Their distances to the points of the next coarser grid bound it for all
    smaller frac_bits. The search ends when these bounds exclude all candidates that have not been
    evaluated.
    """
    sample = data.sample() if signed else None
    if sample is None:
        return None
    of_sample = Data(sample, None, None)
    try:
        ranges = of_sample.ranges
    except ValueError:  # not finite: the search of the whole array reports the elements
        return None
    start = most_frac_bits(ranges, bits, signed)
    candidate = int(_least_error_frac_bits(of_sample, bits, signed, start)[0])
    fmt = FixedPoint(bits, 0, signed)
    errors: dict[int, float] = {}
    # bounds_up_to[f] is a lower bound of the errors of all frac_bits <= f; bounds_from[f], of all
    # frac_bits >= f.
    bounds_up_to = {-MAX_FRAC_BITS - 1: math.inf}
    bounds_from = {MAX_FRAC_BITS + 1: math.inf}
    for _ in range(MAX_SAMPLED_PASSES):
        step = 2.0**-candidate
        sums = data.errors(np.array([1 / step]), fmt.min, fmt.max, 2.0)[0] * (step * step)
        if not np.isfinite(sums).all():
            return None
        # The sums of the coarser and the finer grid are in squares of their own steps.
        scaled = sums * (4, 1, 1 / 4)
        bounds_up_to[candidate - 1], errors[candidate], bounds_from[candidate + 1] = scaled
        best = min(errors.values())
        low = max(f for f, bound in bounds_up_to.items() if bound >= best) + 1
        high = min((f for f, bound in bounds_from.items() if bound > best), default=0) - 1
        remaining = [f for f in range(low, high + 1) if f not in errors]
        if not remaining:
            return max(f for f, error in errors.items() if error == best)
        candidate = min(remaining, key=lambda f: abs(f - candidate), default=candidate)
    return None


# --- affine ---------------------------------------------------------------------------------


def affine_of(
    ranges: Float64s,
    low: int,
    high: int,
    symmetric: bool,
    real_type: type[np.float32 | np.float64],
) -> tuple[Array, NDArray[np.int32]]:
    """The scales and the zero points of ranges that include 0, for integers from low to high."""
    lowest, highest = ranges
    middle = 0 if low < 0 else (high + 1) // 2
    if symmetric:
        scale = np.maximum(highest, -lowest) / (high - middle)
    else:
        scale = highest / (high - low) - lowest / (high - low)
    all_zero = (lowest == 0) & (highest == 0)
    scale = np.maximum(scale.astype(real_type), np.finfo(real_type).tiny)
    scale = np.where(all_zero, real_type(1), scale)
    if symmetric:
        return scale, np.full(scale.shape, middle, np.int32)
    zero_point = np.clip(np.rint(low - lowest / scale), low, high)
    return scale, np.where(all_zero, 0, zero_point).astype(np.int32)


def _least_error_scale(data: Data, scale: Array, low: NDArray[Any], high: NDArray[Any]) -> Array:
    """The scale of the least error, from the given one, that of "max", downwards."""
    smallest_normal = np.finfo(scale.dtype).tiny

    def step(j: Any) -> Float64s:
        smaller = scale.astype(np.float64) * np.exp2(-np.asarray(j) / STEPS_PER_HALVING)
        return np.asarray(np.maximum(smaller.astype(scale.dtype), smallest_normal), np.float64)

    chosen = _descend(data, step, low, high, MIN_STEP_RATIO, np.full(scale.shape, MAX_STEPS))
    return np.asarray(step(chosen), scale.dtype)


def _descend(
    data: Data,
    step: Callable[[Any], Float64s],
    low: Any,
    high: Any,
    ratio: float,
    max_j: NDArray[Any],
) -> NDArray[np.intp]:
    """For each group, the j from 0 to `max_j` whose step, ``step(j)``, has the least error.

    Of several such, the largest j is chosen. Groups of zeros get 0. The search of a group ends when
    the distances of its elements to the range of the next grid give a larger sum than the least
    error so far: the ranges of all further grids are smaller. The core computes that sum for a step
    smaller by `ratio`, which is not less than the next step. The exception is a next step that is
    the smallest normal number, which may be larger.
    """
    active = (data.ranges != 0).any(axis=0)
    best = np.full(active.shape, np.inf)
    chosen = np.zeros(active.shape, np.intp)
    first = current = step(0)
    j = 0
    while active.any():
        following = step(j + 1)
        sums = data.errors(np.where(active, 1 / current, 0), low, high, ratio)
        # In squares of the first step: the square of a step itself may overflow or underflow.
        error = sums[:, 1] * np.square(current / first)
        better = active & (error <= best)
        best = np.where(better, error, best)
        chosen = np.where(better, j, chosen)
        bound = sums[:, 2] * np.square(following / first)
        is_bound = following * ratio <= current
        active = active & (j < max_j) & np.where(is_bound, bound <= best, following < current)
        current = following
        j += 1
    return chosen


# --- arguments ------------------------------------------------------------------------------


def _pair(name: str, given: Any, low: int, high: int) -> tuple[int, int]:
    if not isinstance(given, tuple):
        integer(name, given)  # refuses other types
    numbers = [
        integer_in(f"{name}[{i}]", number, low, high)
        for i, number in enumerate(given if isinstance(given, tuple) else ())
    ]
    if len(numbers) != 2:
        msg = f"{name} must be a tuple of two integers, got {shown(given)}"
        raise ValueError(msg)
    return numbers[0], numbers[1]


def _percentage(method: Any, percentile: Any) -> float:
    if not isinstance(method, str) or method not in METHODS:
        msg = f"method must be {' or '.join(map(repr, METHODS))}, got {shown(method)}"
        raise ValueError(msg)
    value = as_double("percentile", percentile)
    if not 0 <= value <= 100:
        msg = f"percentile must be a number from 0 to 100, got {shown(percentile)}"
        raise ValueError(msg)
    return value
