"""Conversion of the integers of one format to those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import as_bool, native, result
from secateur.reference.integers import (
    ends,
    extended,
    refuse_wider,
    storage_dtype,
)
from secateur.reference.quantization import (
    check_format,
    check_modes,
    check_scales,
    parameters_of,
    ranges_of,
    refuse_scales,
)
from secateur.reference.rounding import draws

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Overflow, Rounding

    Array = NDArray[Any]

_DRAWS = 1 << 31  # draws are integers below this

# How a number x is rounded: nearest, invert, invert_if_negative, invert_if_odd. nearest: the
# fraction rounds up above one half and down below it, and the other three decide ties. Otherwise
# they decide every nonzero fraction. It rounds up if an odd number of these hold: invert;
# invert_if_negative and x < 0; invert_if_odd and floor(x) is odd.
_UP = {
    "nearest_even": (True, False, False, True),
    "nearest_away": (True, True, True, False),
    "nearest_zero": (True, False, True, False),
    "nearest_up": (True, True, False, False),
    "nearest_down": (True, False, False, False),
    "floor": (False, False, False, False),
    "ceil": (False, True, False, False),
    "trunc": (False, False, True, False),
    "away": (False, True, True, False),
}


def requantize(
    q: ArrayLike,
    from_fmt: FixedPoint | Affine,
    to_fmt: FixedPoint | Affine,
    *,
    rounding: Rounding = "nearest_even",
    overflow: Overflow = "saturate",
    seed: int | None = None,
    index_offset: int = 0,
    sign_extend: bool = False,
    out: Array | None = None,
) -> Array:
    """Convert the integers of one format to the integers of another.

    Parameters, results and errors are those of :func:`secateur.requantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import Affine, FixedPoint, reference
    >>> accumulators = np.int32([96, -96, 160, 100_000])
    >>> reference.requantize(accumulators, FixedPoint(32, 8), FixedPoint(8, 2))
    array([  2,  -2,   2, 127], dtype=int8)
    >>> reference.requantize(accumulators, Affine(0.25, bits=32), Affine(0.75, zero_point=3))
    array([ 35, -29,  56, 127], dtype=int8)
    """
    check_format(from_fmt, "from_fmt", 64)
    check_format(to_fmt, "to_fmt")
    check_modes(to_fmt, rounding, overflow, "raise", seed, index_offset)
    sign_extend = as_bool("sign_extend", sign_extend)
    q = native("q", q, storage_dtype(from_fmt, q))
    up, down = _step(from_fmt, "from_fmt", q.shape), _step(to_fmt, "to_fmt", q.shape)
    out = result(out, storage_dtype(to_fmt, out), {"q": q})
    integers = q if q.dtype.kind in "iu" else q.astype(np.int64)  # ml_dtypes' have few operations
    integers = extended(integers, from_fmt) if sign_extend else integers
    refuse_wider(integers, from_fmt, "from_fmt")
    zero_points = _zero_points(from_fmt, "from_fmt", q.shape)
    # (Operations on arrays of objects without axes return the objects.)
    factors = np.asarray(up[0] * down[1], object)
    denominators = np.asarray(up[1] * down[0], object)
    common = np.asarray(np.gcd(factors, denominators), object)
    factors = np.asarray(factors // common, object)
    denominators = np.asarray(denominators // common, object)
    # Python's integers are exact, whatever their size; those of NumPy are faster.
    most = 1 + max(map(abs, ends(integers))) + max(map(abs, ends(zero_points)))
    most = max(most * max(map(abs, ends(factors))), *ends(denominators))
    kind = np.int64 if most < 2**61 and rounding != "stochastic" else object
    differences = np.asarray(integers.astype(kind) - zero_points.astype(kind), kind)
    numerators = np.asarray(differences * factors.astype(kind), kind)
    rounded = _rounded(numerators, denominators.astype(kind), rounding, seed, index_offset)
    to_zeros = _zero_points(to_fmt, "to_fmt", q.shape).astype(kind)
    codes = _in_range(np.asarray(rounded, kind), to_zeros, to_fmt, overflow)
    np.copyto(out, codes.astype(np.int64), casting="unsafe")
    return out


def _step(fmt: FixedPoint | Affine, name: str, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return the numerators and the denominators of the values of one unit."""
    if isinstance(fmt, Affine):
        steps = np.asarray(parameters_of(fmt, "scale", shape, name), np.float64)
        if name == "to_fmt":
            check_scales(steps, np.float64, name)
        else:
            refuse_scales(~np.isfinite(steps), steps, "finite", name)
    else:
        parameters_of(fmt, "bits", shape, name)  # checks the shape
        steps = np.ldexp(1.0, -parameters_of(fmt, "frac_bits", shape, name))
    ratios = [step.as_integer_ratio() for step in np.asarray(steps).ravel().tolist()]
    parts = np.empty((2, len(ratios)), object)
    for i, ratio in enumerate(ratios):
        parts[:, i] = ratio
    return parts[0].reshape(np.shape(steps)), parts[1].reshape(np.shape(steps))


def _zero_points(fmt: FixedPoint | Affine, name: str, shape: tuple[int, ...]) -> Array:
    if isinstance(fmt, Affine):
        return np.asarray(parameters_of(fmt, "zero_point", shape, name))
    return np.zeros((), np.int64)


def _rounded(
    numerators: Array, denominators: Array, rounding: str, seed: int | None, index_offset: int
) -> Array:
    """Return the quotients, rounded. Denominators are positive."""
    kind = numerators.dtype
    below = np.asarray(numerators // denominators, kind)
    rest = np.asarray(numerators - below * denominators, kind)  # from 0, below the denominator
    negative = np.asarray(numerators < 0, np.bool_)
    if rounding == "stochastic":
        # Away from zero if the fraction of the magnitude plus draw / 2^31 is at least 1.
        fraction = np.where(negative, denominators - rest, rest)
        drawn = draws(int(seed or 0), negative.size, int(index_offset)).reshape(negative.shape)
        sums = fraction * _DRAWS + drawn.astype(kind) * denominators
        up = np.asarray(sums >= denominators * _DRAWS, np.bool_) != negative
    else:
        is_nearest, always, if_negative, if_odd = _UP[rounding]
        odd = np.asarray(below % 2 == 1, np.bool_)
        up = always ^ (negative & if_negative) ^ (odd & if_odd)
        if is_nearest:
            twice = np.asarray(2 * rest, kind)
            is_tie = np.asarray(twice == denominators, np.bool_)
            up = np.where(is_tie, up, np.asarray(twice > denominators, np.bool_))
    return np.asarray(below + (np.asarray(rest > 0, np.bool_) & up), kind)


def _in_range(rounded: Array, zero_points: Array, fmt: FixedPoint | Affine, overflow: str) -> Array:
    """Add the zero points, and bring the sums into the range of the format."""
    kind = rounded.dtype
    low, high, count_of_codes = (
        np.asarray(x).astype(kind) for x in ranges_of(fmt, rounded.shape, "to_fmt")
    )
    codes = np.asarray(rounded + zero_points, kind)
    if overflow == "wrap":
        return np.asarray((codes - low) % count_of_codes + low)
    if overflow in ("saturate", "saturate_symmetric"):
        if fmt.signed and (high >= 0).all() and overflow == "saturate_symmetric":
            low = np.maximum(low, -high)
        return np.asarray(np.minimum(np.maximum(codes, low), high))
    beyond = np.asarray((codes < low) | (codes > high), np.bool_)
    if overflow == "saturate_zero":
        return np.where(beyond, zero_points, codes)
    if beyond.any():
        count = np.count_nonzero(beyond)
        msg = f"q has {count} {'element' if count == 1 else 'elements'} out of range of {fmt}, "
        msg += f"the first at flat index {beyond.argmax()}"
        raise OverflowError(msg)
    return codes
