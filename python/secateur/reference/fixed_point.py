"""Fixed point: floats as integers times a power of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import FixedPoint
from secateur.reference.arguments import (
    exactly_one,
    floats,
    native,
    one_of,
    refuse,
    refuse_nan,
    result,
    wanted_float,
)
from secateur.reference.granularity import spread_along
from secateur.reference.order import narrowed
from secateur.reference.packing import (
    bytes_of,
    packed_codes,
    packed_is_wanted,
    unpacked,
)
from secateur.reference.pruning import prune
from secateur.reference.rounding import check_rounding, to_integers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Floats = NDArray[Any]

OVERFLOWS = ("saturate", "saturate_symmetric", "saturate_zero", "wrap", "raise")


def quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    packed: bool = False,
    order: str = "low_first",
    out: Array | None = None,
) -> Array:
    """The integers nearest to ``w * 2**fmt.frac_bits``.

    The result is as if computed exactly and rounded once.

    Parameters, results and errors are those of :func:`secateur.quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> w = np.float32([0.25, 0.75, -1, 100])
    >>> reference.quantize(w, FixedPoint(8, frac_bits=1))
    array([  0,   2,  -2, 127], dtype=int8)
    >>> reference.quantize(w, FixedPoint(8, frac_bits=1), rounding="ceil", overflow="wrap")
    array([  1,   2,  -2, -56], dtype=int8)
    """
    fmt = _format(fmt)
    _check_modes(rounding, overflow, nan, seed)
    w = floats("w", w)
    if packed_is_wanted(packed, "fmt.bits", fmt.bits, repr(fmt), order):
        out = result(out, np.uint8, w, shape=(bytes_of(fmt.bits, w.size),))
        q = quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed)
        np.copyto(out, packed_codes(q.reshape(-1), fmt.bits, order))
        return out
    # Where rounding or overflow needs the number itself, no matter how small or large.
    exactly = rounding in ("floor", "ceil") or overflow == "wrap"
    real = _real_type(w, fmt, exactly or rounding == "stochastic")
    frac_bits = _frac_bits(fmt, w.shape)
    out = result(out, fmt.dtype, w)
    refuse_nan("w", w, nan, infinite=overflow == "wrap")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # signalling NaN too
        r = to_integers(_scaled(w, frac_bits, real, exactly), rounding, seed)
        if nan == "zero":
            np.copyto(r, 0, where=np.isnan(r) if overflow != "wrap" else ~np.isfinite(r))
        np.copyto(out, _in_range(r, fmt, overflow), casting="unsafe")
    return out


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint,
    *,
    dtype: DTypeLike = np.float32,
    shape: tuple[int, ...] | None = None,
    order: str = "low_first",
    out: Floats | None = None,
) -> Floats:
    """The values ``q * 2**-fmt.frac_bits``, rounded once.

    Parameters, results and errors are those of :func:`secateur.dequantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.dequantize(np.int8([0, 2, -2, 127]), FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    >>> reference.dequantize(np.uint8([225]), FixedPoint(4, frac_bits=1), shape=(2,))
    array([ 0.5, -1. ], dtype=float32)
    """
    fmt = _format(fmt)
    dtype = wanted_float(dtype)
    if shape is None:
        given = q = native("q", q, fmt.dtype)
    else:
        packed_is_wanted(True, "fmt.bits", fmt.bits, repr(fmt), order)
        given, q = unpacked("q", q, shape, fmt.bits, fmt.signed, order)
    step = np.ldexp(1.0, -_frac_bits(fmt, q.shape))
    out = result(out, dtype, q, given)
    with np.errstate(over="ignore", under="ignore"):  # past the range is infinite, or zero
        if dtype == np.float32 and _real_type(out, fmt, False) is np.float32:
            return np.multiply(
                q, step.astype(np.float32), out=out, dtype=np.float32, casting="same_kind"
            )
        values = np.asarray(np.multiply(q, step, dtype=np.float64))
        np.copyto(out, narrowed(values, dtype))
    return out


def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Floats | None = None,
) -> Floats:
    """The values that quantizing would leave: ``dequantize(quantize(w))``.

    Parameters, results and errors are those of :func:`secateur.fake_quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.fake_quantize(np.float32([0.3, -0.1, 100]), FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    w = floats("w", w)
    out = result(out, w.dtype, w)
    q = quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed)
    return dequantize(q, fmt, dtype=w.dtype, out=out)


def prune_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    packed: bool = False,
    order: str = "low_first",
    out: Array | None = None,
) -> Array:
    """The integers of the largest magnitudes, and zero for the rest: ``quantize(prune(w))``.

    Exactly one of `k` and `sparsity` is given.

    Parameters, results and errors are those of :func:`secateur.prune_quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> reference.prune_quantize(w, FixedPoint(8, frac_bits=4), sparsity=0.5)
    array([ 48, -64,   0,   0], dtype=int8)
    """
    fmt = _format(fmt)
    _check_modes(rounding, overflow, nan, seed)
    exactly_one(k=k, sparsity=sparsity)
    w = floats("w", w)
    fmt.for_shape(w.shape)
    if packed_is_wanted(packed, "fmt.bits", fmt.bits, repr(fmt), order):
        out = result(out, np.uint8, w, shape=(bytes_of(fmt.bits, w.size),))
    else:
        out = result(out, fmt.dtype, w)
    kept = prune(w, k=k, sparsity=sparsity, nan="prune" if nan == "zero" else nan)
    return quantize(
        kept,
        fmt,
        rounding=rounding,
        overflow=overflow,
        nan=nan,
        seed=seed,
        packed=packed,
        order=order,
        out=out,
    )


# --- scales and ranges ----------------------------------------------------------------------


def _frac_bits(fmt: FixedPoint, shape: tuple[int, ...]) -> Array:
    """In a shape that broadcasts to that one."""
    how = fmt.for_shape(shape)
    return spread_along(np.asarray(fmt.frac_bits), how, shape, fmt.axis)


def _real_type(w: Floats, fmt: FixedPoint, exactly: bool) -> type[np.float32 | np.float64]:
    """In which products with powers of two can be rounded once to what is wanted."""
    # In float32 `w * 2**frac_bits` is exact, or infinite and out of range, or subnormal and rounded
    # to 0; and `q * 2**-frac_bits` is exact or infinite, if q is. Where the power itself leaves
    # float32's normal numbers, float64 serves: 32 bits and exponents between -405 and 384 are exact
    # there.
    narrow = w.dtype != np.float64 and fmt.bits <= 24 and not exactly
    small = np.max(np.abs(fmt.frac_bits), initial=0) <= 126
    return np.float32 if narrow and small else np.float64


def _scaled(w: Floats, frac_bits: Array, real: type, exactly: bool) -> Floats:
    """A new array of ``w * 2**frac_bits``, or of what rounds and overflows alike."""
    if w.dtype == np.float64 and exactly:
        # What is tiny rounds as 2^-64 does; and of what is huge only its being a multiple of 2^32
        # matters, which all floats from 2^84 are. So float64's own range does not.
        fraction, exponent = np.frexp(w)
        exponent = np.clip(exponent + frac_bits, -64, 128)
        return np.asarray(np.ldexp(fraction, exponent, order="C"))
    power = np.ldexp(real(1), frac_bits)
    return np.asarray(np.multiply(w.astype(real, copy=False), power, order="C"))


def _in_range(r: Floats, fmt: FixedPoint, overflow: str) -> Floats:
    """Integers of the format, from those in `r`, where they become so."""
    if overflow == "wrap":
        np.remainder(r, 2.0**fmt.bits, out=r)
        return np.subtract(r, 2.0**fmt.bits, out=r, where=r > fmt.max)
    if overflow.startswith("saturate") and overflow != "saturate_zero":
        symmetric = fmt.signed and overflow == "saturate_symmetric"
        return np.asarray(np.clip(r, -fmt.max if symmetric else fmt.min, fmt.max, out=r))
    beyond = (r < fmt.min) | (r > fmt.max)
    if overflow == "saturate_zero":
        np.copyto(r, 0, where=beyond)
    elif beyond.any():
        count = np.count_nonzero(beyond)
        msg = f"w has {count} {'element' if count == 1 else 'elements'} out of range of {fmt}, "
        msg += f"the first at flat index {beyond.argmax()}"
        raise OverflowError(msg)
    return r


# --- arguments ------------------------------------------------------------------------------


def _format(fmt: FixedPoint) -> FixedPoint:
    if not isinstance(fmt, FixedPoint):
        refuse("fmt", repr(fmt), "a FixedPoint", TypeError)
    return fmt


def _check_modes(rounding: str, overflow: str, nan: str, seed: int | None) -> None:
    check_rounding(rounding, seed)
    one_of("overflow", overflow, *OVERFLOWS)
    one_of("nan", nan, "raise", "zero")
