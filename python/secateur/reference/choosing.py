"""Calibration: choose the binary point, or the scale and the zero point, that suit the data."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import (
    as_bool,
    as_double,
    axes_of,
    fitting,
    floats,
    integer_in,
    one_of,
    refuse,
    shown,
)
from secateur.reference.integers import Integers, storage_dtype
from secateur.reference.quantization import quantize
from secateur.reference.rounding import check_deterministic, to_integers
from secateur.reference.sums import Groups, Layout, layout_of, total

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, ChoiceMethod, DeterministicRounding, GroupSize

    Array = NDArray[Any]
    Float64s = NDArray[np.float64]
    Int32s = NDArray[np.int32]
    Mask = NDArray[np.bool_]

MAX_FRAC_BITS = 256  # frac_bits are from -MAX_FRAC_BITS to MAX_FRAC_BITS
METHODS = ("max", "percentile", "mse")


@np.errstate(all="ignore")
def choose_format(
    w: ArrayLike,
    bits: int,
    *,
    signed: bool = True,
    method: ChoiceMethod = "max",
    percentile: float = 99.99,
    rounding: DeterministicRounding = "nearest_even",
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
    quantized: NDArray[Any] | None = None,
) -> FixedPoint:
    """Choose the number of fraction bits of a fixed-point format that suits the data.

    Parameters, results and errors are those of :func:`secateur.choose_format`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.choose_format(np.float32([0.1, -0.25, 0.5, 1.5]), 8)
    FixedPoint(bits=8, frac_bits=6, signed=True)
    """
    integers = Integers(integer_in("bits", bits, 2, 32), as_bool("signed", signed))
    one_of("method", method, *METHODS)
    percentile = _checked_percentile(percentile)
    check_deterministic(rounding)
    w = floats("w", w)
    _check_quantized(quantized, w, integers)
    data = _data(w, axis, group_size)
    frac_bits = _most_frac_bits(data.low, data.high, integers, rounding)
    if not signed:  # negative elements are rounded to 0, or saturate there
        data = data._replace(low=np.zeros_like(data.low))
    if method == "percentile":
        frac_bits = _most_frac_bits(*_clipped(data, percentile), integers, rounding)
    elif method == "mse":

        def step(j: int) -> Float64s:
            return np.ldexp(1.0, -np.minimum(frac_bits + j, MAX_FRAC_BITS))

        tries = 2 * MAX_FRAC_BITS + 1
        chosen = _least_error(data, step, tries, integers.min, integers.max, rounding)
        frac_bits = 1 - np.frexp(chosen)[1]
    if data.whole:
        fmt = FixedPoint(bits, int(frac_bits[0]), signed)
    else:
        frac_bits = data.layout.arrange(frac_bits)
        fmt = FixedPoint(bits, frac_bits, signed, axis=data.axis, group_size=group_size)
    if quantized is not None:
        quantize(w, fmt, rounding=rounding, out=quantized)
    return fmt


@np.errstate(all="ignore")
def choose_affine(
    w: ArrayLike,
    bits: int = 8,
    *,
    signed: bool = True,
    symmetric: bool = False,
    method: ChoiceMethod = "max",
    percentile: float = 99.99,
    rounding: DeterministicRounding = "nearest_even",
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
    quantized: NDArray[Any] | None = None,
) -> Affine:
    """Choose an affine format that suits the data, by the rules of ONNX.

    Parameters, results and errors are those of :func:`secateur.choose_affine`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.choose_affine(np.float32([-127, 64]), symmetric=True)
    Affine(scale=1.0, zero_point=0, bits=8, signed=True)
    """
    integers = Integers(integer_in("bits", bits, 2, 16), as_bool("signed", signed))
    symmetric = as_bool("symmetric", symmetric)
    one_of("method", method, *METHODS)
    percentile = _checked_percentile(percentile)
    check_deterministic(rounding)
    w = floats("w", w)
    _check_quantized(quantized, w, integers)
    data = _data(w, axis, group_size)
    low, high = _clipped(data, percentile) if method == "percentile" else (data.low, data.high)
    scale, zero_point = _affine(low, high, integers, symmetric, data.compute_type, rounding)
    if method == "mse":
        ends = integers.min - zero_point, integers.max - zero_point
        scale = _least_error_scale(data, scale, *ends, rounding)
    if data.whole:
        fmt = Affine(float(scale[0]), int(zero_point[0]), bits=bits, signed=signed)
    else:
        scale, zero_point = data.layout.arrange(scale), data.layout.arrange(zero_point)
        groups: dict[str, Any] = {"axis": data.axis, "group_size": group_size}
        fmt = Affine(scale, zero_point, bits=bits, signed=signed, **groups)
    if quantized is not None:
        quantize(w, fmt, rounding=rounding, out=quantized)
    return fmt


# --- the data -------------------------------------------------------------------------------


class _Data(NamedTuple):
    """Finite numbers in groups. Each group has its own parameters."""

    groups: list[Groups]  # of float64
    low: Float64s  # the minimum of each group and 0
    high: Float64s  # the maximum of each group and 0
    compute_type: type[np.float32 | np.float64]  # of an Affine, and the type of its scales
    whole: bool  # whether the array is one group
    axis: Axes | None
    layout: Layout


def _check_quantized(quantized: Any, w: Array, integers: Integers) -> None:
    """Check that an array can hold the integers of `w`, unless it is None."""
    if quantized is not None:
        dtype = storage_dtype(integers, quantized)
        fitting("quantized", quantized, dtype, {"w": w}, in_place=False)


def _data(w: Array, axis: Axes | None, group_size: GroupSize | None) -> _Data:
    if group_size is not None and not isinstance(group_size, tuple):
        group_size = integer_in("group_size", group_size, 1, sys.maxsize)
    layout = layout_of(w, axis, group_size)
    default = (-2, -1) if isinstance(group_size, tuple) else -1
    axes = axes_of(w, default if axis is None and group_size is not None else axis)
    wrong = ~np.isfinite(w).ravel()
    if wrong.any():
        count = np.count_nonzero(wrong)
        msg = f"w has {count} {'element that is' if count == 1 else 'elements that are'} NaN or infinite"
        msg += f", the first at flat index {wrong.argmax()}; "
        msg += "a format can be chosen only if all elements are finite"
        raise ValueError(msg)
    groups = list(layout.groups_of(w.astype(np.float64)))
    low, high = np.zeros((2, math.prod(layout.shape)))
    for indices, elements, _ in groups:
        low[indices] = elements.min(axis=(1, 2), initial=0)
        high[indices] = elements.max(axis=(1, 2), initial=0)
    compute_type = np.float64 if w.dtype == np.float64 else np.float32
    given: Axes | None = axes
    if axes is not None and len(axes) == 1:
        given = axes[0]
    elif isinstance(axis, tuple) and group_size is not None:  # in the order of group_size
        given = tuple(i % w.ndim for i in axis)
    # + 0 turns -0.0 into +0.0.
    return _Data(groups, low + 0, high + 0, compute_type, axes is None, given, layout)


def _clipped(data: _Data, percentile: float) -> tuple[Float64s, Float64s]:
    """Return the range of each group, clipped to the percentile of its magnitudes."""
    limit = np.zeros(data.high.shape)
    for indices, elements, _ in data.groups:
        if elements.size:
            magnitudes = np.abs(elements).reshape(len(elements), -1)
            rank = max(1, math.ceil(magnitudes.shape[1] * percentile / 100))
            limit[indices] = np.partition(magnitudes, rank - 1, axis=1)[:, rank - 1]
    return np.maximum(data.low, -limit), np.minimum(data.high, limit)


# --- the choice -----------------------------------------------------------------------------


def _most_frac_bits(low: Float64s, high: Float64s, integers: Integers, rounding: str) -> Int32s:
    """Return the largest frac_bits with which no element is out of range, by bisection."""

    def rounded(values: Float64s, frac_bits: Int32s) -> Float64s:
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.ldexp(values, frac_bits)
            # What underflows is still rounded away from 0 where its sign says so.
            tiny = np.copysign(np.finfo(np.float64).smallest_subnormal, values)
            return to_integers(
                np.where((scaled == 0) & (values != 0), tiny, scaled), rounding, None
            )

    def fits(frac_bits: Int32s) -> Mask:
        lowest, highest = rounded(low, frac_bits), rounded(high, frac_bits)
        return (highest <= integers.max) & ((lowest >= integers.min) | (not integers.signed))

    frac_bits = np.full(high.shape, -MAX_FRAC_BITS, np.int32)
    for step in 2 ** np.arange(9, -1, -1, dtype=np.int32):
        tried = frac_bits + step
        frac_bits = np.where((tried <= MAX_FRAC_BITS) & fits(tried), tried, frac_bits)
    all_zero = (high == 0) & ((low == 0) | (not integers.signed))
    frac_bits[all_zero] = integers.bits - integers.signed
    negative = low[rounded(low, frac_bits) < 0]
    if negative.size and not integers.signed:
        allowed = "at least 0 for an unsigned format, except where it rounds to 0"
        refuse("w", allowed, negative.min())
    return frac_bits


def _affine(
    low: Float64s,
    high: Float64s,
    integers: Integers,
    symmetric: bool,
    compute_type: type[np.float32 | np.float64],
    rounding: str,
) -> tuple[NDArray[Any], Int32s]:
    """Return the scale and the zero point of each range.

    Scales are enlarged, each to the next larger number, until both ends of the range are rounded to
    integers of the format.
    """
    all_zero = (low == 0) & (high == 0)
    middle = 0 if integers.signed else 2 ** (integers.bits - 1)
    if symmetric:
        scale = np.maximum(high, -low) / (integers.max - middle)
    else:  # a difference of quotients, because high - low may be infinite
        lost = (low < 0) & (high > 0) & (rounding == "away")
        steps = integers.max - integers.min - lost
        scale = high / steps - low / steps
    scale = np.maximum(scale.astype(compute_type), np.finfo(compute_type).tiny)
    scale[all_zero] = 1
    # Directed modes round the quotient before the sum, in which a tiny quotient would be lost.
    directed = {"floor": np.ceil, "away": np.ceil, "ceil": np.floor}.get(rounding)
    ends = low.astype(compute_type), high.astype(compute_type)
    while True:
        zero_point = np.full(scale.shape, float(middle))
        if not symmetric:
            steps_below = -low / scale.astype(np.float64)
            if directed is None:
                zero_point = np.rint(integers.min + steps_below)
            else:
                zero_point = integers.min + directed(steps_below)
            zero_point = np.clip(zero_point, integers.min, integers.max)
        lowest, highest = (
            to_integers(end / scale, rounding, None).astype(np.float64) + zero_point for end in ends
        )
        fits = (lowest >= integers.min) & (highest <= integers.max) | all_zero
        if fits.all():
            break
        scale = np.where(fits, scale, np.nextafter(scale, compute_type(np.inf)))
    zero_point[all_zero] = middle if symmetric else 0
    return scale, zero_point.astype(np.int32)


def _least_error(
    data: _Data,
    step: Callable[[int], Float64s],
    tries: int,
    lowest: Any,
    highest: Any,
    rounding: str,
) -> Float64s:
    """Return, for each group, the step of the least sum of squared errors.

    The steps ``step(0)``, ``step(1)``, ... decrease. Of several with the least sum, the last is
    chosen, but none whose range is so small that the distance of the farthest element to it is
    rounded to that of the step before. A group of zeros gets the first, and so does a group whose
    error with the first overflows.
    """
    first = chosen = step(0)
    least = before = np.full(first.shape, np.inf)
    all_zero = (data.low == 0) & (data.high == 0)
    for current in map(step, range(tries)):
        ratio = current / first  # errors are in units of the first step, so that squares are finite
        with np.errstate(over="ignore", under="ignore"):
            errors = _squared_errors(data, current, lowest, highest, rounding)
            errors *= np.square(ratio)
            beyond = np.maximum(
                data.high / first - highest * ratio, lowest * ratio - data.low / first
            )
            resolved = (beyond <= 0) | (beyond != before)
            better = (errors < least) | (errors == least) & resolved
            better &= ~all_zero & np.isfinite(errors)
            before = beyond
            least, chosen = np.where(better, errors, least), np.where(better, current, chosen)
            # Stop when the error of the element farthest out of range alone exceeds the least sum:
            # it increases with each further step. The factor 2 allows for rounding of the sums.
            if (all_zero | np.isinf(least) | (beyond > 0) & (beyond**2 > 2 * least)).all():
                break
    return chosen


# Candidates for a scale: number 0 is the scale of the range, and the last has 2**-16 of it.
LAST_CANDIDATE = 1600
LARGE_GROUP, FEW_INTEGERS = 4096, 32  # on which the distances of the candidates tried first depend
# A group of at least MIN_SAMPLED consecutive elements is searched in a sample first.
MIN_SAMPLED, SAMPLE_RUNS, SAMPLE_RUN_LENGTH = 1 << 22, 1 << 14, 32
SAMPLE_REACH = 8  # from the best candidate of the sample to its neighbours that are tried


def _least_error_scale(
    data: _Data, scale: NDArray[Any], lowest: Any, highest: Any, rounding: str
) -> NDArray[Any]:
    """Return, for each group, the scale of the least sum of squared errors that the search finds."""
    chosen = scale.copy()
    lowest, highest = (np.broadcast_to(ends, scale.shape) for ends in (lowest, highest))
    for indices, elements, segment in data.groups:
        nonzero = (data.low[indices] != 0) | (data.high[indices] != 0)
        if nonzero.any():
            some = indices[nonzero]
            ends = lowest[some], highest[some]
            search = _ScaleSearch(elements[nonzero], segment, scale[some], *ends, rounding)
            chosen[some] = search.step(search.find())
    return chosen


class _ScaleSearch:
    """The search for the scales of some groups of equal size, none of which is all zeros."""

    def __init__(
        self,
        elements: Float64s,
        segment: int,
        scale: NDArray[Any],
        lowest: Any,
        highest: Any,
        rounding: str,
    ) -> None:
        self.elements, self.segment, self.scale = elements, segment, scale
        self.lowest, self.highest, self.rounding = lowest, highest, rounding
        self.first = scale.astype(np.float64)
        self.least = np.full(scale.shape, np.inf)
        self.best = np.zeros(scale.shape, np.int64)

    def step(self, j: Any) -> NDArray[Any]:
        """Return candidate `j` of each group."""
        ratio = (200 - j % 100) / 200 * 2.0 ** -(j // 100)
        tiny = np.finfo(self.scale.dtype).tiny
        return np.asarray(np.maximum((self.first * ratio).astype(self.scale.dtype), tiny))

    def find(self) -> Any:
        """Return the best candidate of each group."""
        if self.elements[0].size < MIN_SAMPLED or self.elements.shape[1] > 1 or self.segment < 4096:
            return self.find_in_all()
        (expected,) = _ScaleSearch(
            _sample(self.elements),
            self.segment,
            self.scale,
            self.lowest,
            self.highest,
            self.rounding,
        ).find_in_all()
        for j in (0, expected - SAMPLE_REACH, expected, expected + SAMPLE_REACH):
            self.evaluate(j, j >= 0)
        (best,) = self.best
        if best == expected or (best == 0 and expected <= SAMPLE_REACH):
            return self.best
        self.least[:], self.best[:] = np.inf, 0
        return self.find_in_all()

    def find_in_all(self) -> Any:
        """Return the best candidate of each group, without a sample."""
        size = self.elements[0].size
        nearest = self.rounding.startswith("nearest")
        few = (self.highest - self.lowest)[0] < FEW_INTEGERS
        stride = (16 if size >= LARGE_GROUP else 8 if few else 2) if nearest else 1
        most_granular = size * (0.25 if nearest else 1)  # in units of a squared step
        active = np.full(self.best.shape, True)
        for j in range(0, LAST_CANDIDATE + 1, stride):
            sums, squared_ratio = self.evaluate(j, active)
            saturated = (sums - most_granular) * squared_ratio
            active &= (self.least != 0) & (saturated < self.least)
            active &= self.step(j + stride) < self.step(j)
            if not active.any():
                break
        for distances in ((-4, 4, -8, 8), (-2, 2, -3, 3), (-1, 1)):
            center, wanted = self.best.copy(), self.least != 0
            for distance in distances:
                if abs(distance) < stride:
                    self.evaluate(center + distance, wanted & (center + distance >= 0))
        return self.best

    def evaluate(self, j: Any, wanted: Any) -> tuple[Float64s, Float64s]:
        """Try candidate `j` of the wanted groups.

        Returns the sums of their errors in units of the squared candidate, and the square of its
        ratio to candidate 0. Those of other groups are 0.
        """
        wanted = np.broadcast_to(wanted, self.best.shape)
        sums, squared_ratio = np.zeros(self.best.shape), np.zeros(self.best.shape)
        if wanted.any():
            step = self.step(np.maximum(j, 0)).astype(np.float64)[wanted]
            squared_ratio[wanted] = np.square(step * (1 / self.first[wanted]))
            sums[wanted] = self._sums(step, wanted)
            errors = sums * squared_ratio
            better = wanted & (errors < self.least)
            self.least[better] = errors[better]
            self.best[better] = np.broadcast_to(j, self.best.shape)[better]
        return sums, squared_ratio

    def _sums(self, step: Float64s, wanted: Mask) -> Float64s:
        """Return the sums of squared errors of the wanted groups, in units of their squared steps."""
        first = self.first[wanted]
        in_float32 = (first >= 2.0**-80) & (first <= 2.0**100) & (self.scale.dtype == np.float32)
        sums = np.empty(first.shape)
        for compute_type in np.float32, np.float64:
            some = in_float32 if compute_type is np.float32 else ~in_float32
            if some.any():
                ends = self.lowest[wanted][some], self.highest[wanted][some]
                elements = self.elements[wanted][some]
                errors = _errors(elements, step[some], *ends, self.rounding, compute_type)
                sums[some] = total(np.square(errors), self.segment)
        return sums


def _sample(group: Float64s) -> Float64s:
    """Return a sample of a group: a run of elements from each of equal stretches of it."""
    stretch = group.size // SAMPLE_RUNS
    i = np.arange(SAMPLE_RUNS, dtype=np.uint64)
    fraction = i * np.uint64(0x9E3779B1) % np.uint64(1 << 32)  # of the golden ratio
    offset = fraction * np.uint64(stretch - SAMPLE_RUN_LENGTH + 1) >> np.uint64(32)
    begin = (i * np.uint64(stretch) + offset).astype(np.intp)
    sample = group.ravel()[begin[:, np.newaxis] + np.arange(SAMPLE_RUN_LENGTH)]
    return np.asarray(sample.reshape(1, 1, -1))


def _errors(
    elements: Float64s,
    step: Float64s,
    lowest: Any,
    highest: Any,
    rounding: str,
    compute_type: type[np.float32 | np.float64],
) -> NDArray[Any]:
    """Return the errors of the elements of groups, in steps.

    Elements are multiplied by the rounded 1 / step, or if the mode does not round to nearest divided
    by the step.
    """
    s, multiplier, low, high = (
        np.asarray(values, np.float64).astype(compute_type).reshape(-1, 1, 1)
        for values in (step, 1 / step, lowest, highest)
    )
    x: Any = elements.astype(compute_type)
    y: Any = x * multiplier if rounding.startswith("nearest") else x / s
    return np.asarray(y - to_integers(np.clip(y, low, high), rounding, None))


def _squared_errors(
    data: _Data, step: Float64s, lowest: Any, highest: Any, rounding: str
) -> Float64s:
    """Return the sum of squared errors of each group, in squares of its step.

    Errors are computed in float32 if the data are float32 or narrower, 1 / step is from 2**-100 to
    2**100, and the integers are exact in float32; else in float64.
    """
    multiplier = 1 / step
    in_float32 = (multiplier >= 2.0**-100) & (multiplier <= 2.0**100)
    in_float32 &= data.compute_type == np.float32 and -lowest <= 2**24 and highest <= 2**24
    sums = np.empty(step.shape)
    for indices, elements, segment in data.groups:
        for compute_type in np.float32, np.float64:
            some = in_float32[indices] == (compute_type is np.float32)
            if some.any():
                chosen = indices[some]
                errors = _errors(
                    elements[some], step[chosen], lowest, highest, rounding, compute_type
                )
                sums[chosen] = total(np.square(errors), segment)
    return sums


# --- arguments ------------------------------------------------------------------------------


def _checked_percentile(percentile: Any) -> float:
    value = as_double("percentile", percentile)
    if not 0 <= value <= 100:
        refuse("percentile", "a number from 0 to 100", shown(percentile))
    return value
