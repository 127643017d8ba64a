"""Fixed-point quantization: the integer q represents q * 2**-frac_bits."""

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
    result_float_type,
    shown,
)
from secateur.reference.granularity import broadcast_parameters
from secateur.reference.integers import integers_of, storage_dtype
from secateur.reference.order import narrowed
from secateur.reference.packing import bytes_of, check_packed, packed_codes, unpacked
from secateur.reference.pruning import prune
from secateur.reference.rounding import check_rounding, to_integers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import BitOrder

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
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Quantize to the integers of a fixed-point format: ``round(w * 2**fmt.frac_bits)``.

    The result is that of exact arithmetic, rounded once.

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
    if check_packed(packed, "fmt.bits", fmt.bits, shown(fmt), bitorder):
        out = result(out, np.uint8, w, shape=(bytes_of(fmt.bits, w.size),))
        q = quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed)
        np.copyto(out, packed_codes(q.reshape(-1), fmt.bits, bitorder))
        return out
    # These modes need the exact product even where it is tiny or huge.
    exact = rounding in ("floor", "ceil") or overflow == "wrap"
    real = _real_type(w, fmt, exact or rounding == "stochastic")
    frac_bits = _frac_bits(fmt, w.shape)
    out = result(out, storage_dtype(fmt, out), w)
    refuse_nan("w", w, nan, infinite=overflow == "wrap")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # signalling NaN too
        r = to_integers(_scaled(w, frac_bits, real, exact), rounding, seed)
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
    bitorder: BitOrder = "little",
    out: Floats | None = None,
) -> Floats:
    """Compute ``q * 2**-fmt.frac_bits``, rounded once.

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
    dtype = result_float_type(dtype)
    if shape is None:
        given = native("q", q, storage_dtype(fmt, q))
        q = given.astype(integers_of(fmt).dtype, copy=False)
    else:
        check_packed(True, "fmt.bits", fmt.bits, shown(fmt), bitorder)
        given, q = unpacked("q", q, shape, fmt.bits, fmt.signed, bitorder)
    step = np.ldexp(1.0, -_frac_bits(fmt, q.shape))
    out = result(out, dtype, q, given)
    with np.errstate(over="ignore", under="ignore"):  # out of range becomes infinite or zero
        if dtype == np.float32 and _real_type(out, fmt, False) is np.float32:
            np.multiply(q, step.astype(np.float32), out=out, dtype=np.float32, casting="same_kind")
            return out
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
    """Round to the values of a fixed-point format: ``dequantize(quantize(w))``.

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
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Prune and quantize: ``quantize(prune(w))``.

    Exactly one of `k` and `sparsity` must be given.

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
    _frac_bits(fmt, w.shape)
    if check_packed(packed, "fmt.bits", fmt.bits, shown(fmt), bitorder):
        out = result(out, np.uint8, w, shape=(bytes_of(fmt.bits, w.size),))
    else:
        out = result(out, storage_dtype(fmt, out), w)
    kept = prune(w, k=k, sparsity=sparsity, nan="prune" if nan == "zero" else "raise")
    return quantize(
        kept,
        fmt,
        rounding=rounding,
        overflow=overflow,
        nan=nan,
        seed=seed,
        packed=packed,
        bitorder=bitorder,
        out=out,
    )


# --- scales and ranges ----------------------------------------------------------------------


def _frac_bits(fmt: FixedPoint, shape: tuple[int, ...]) -> Array:
    """Return the frac_bits of a format in a shape that broadcasts to `shape`."""
    given = np.asarray(fmt.frac_bits)
    return broadcast_parameters("fmt.frac_bits", given, shape, fmt.axis, fmt.group_size)


def _real_type(w: Floats, fmt: FixedPoint, exact: bool) -> type[np.float32 | np.float64]:
    """Return a type in which products with powers of two round only once, to the result."""
    # In float32, `w * 2**frac_bits` is exact; or infinite, and then out of range; or subnormal, and
    # then it rounds to 0. `q * 2**-frac_bits` is exact or infinite if q is exact in float32. If the
    # power is not a normal number of float32, float64 is used, where products of 32 bits with
    # exponents from -405 to 384 are exact.
    narrow = w.dtype != np.float64 and fmt.bits <= 24 and not exact
    small = np.max(np.abs(fmt.frac_bits), initial=0) <= 126
    return np.float32 if narrow and small else np.float64


def _scaled(w: Floats, frac_bits: Array, real: type, exact: bool) -> Floats:
    """Return ``w * 2**frac_bits``, or numbers that round and overflow in the same way."""
    if w.dtype == np.float64 and exact:
        # The product may leave the range of float64, so its exponent is clipped. A tiny number
        # rounds as 2^-64 does. A huge number matters only as a multiple of 2^32, and every float64
        # from 2^84 on is one.
        fraction, exponent = np.frexp(w)
        exponent = np.clip(exponent + frac_bits, -64, 128)
        return np.asarray(np.ldexp(fraction, exponent, order="C"))
    power = np.ldexp(real(1), frac_bits)
    return np.asarray(np.multiply(w.astype(real, copy=False), power, order="C"))


def _in_range(r: Floats, fmt: FixedPoint, overflow: str) -> Floats:
    """Replace the integers in `r` that are out of range of the format, in place."""
    low, high = integers_of(fmt).min, integers_of(fmt).max
    if overflow == "wrap":
        np.remainder(r, 2.0**fmt.bits, out=r)
        return np.subtract(r, 2.0**fmt.bits, out=r, where=r > high)
    if overflow.startswith("saturate") and overflow != "saturate_zero":
        symmetric = fmt.signed and overflow == "saturate_symmetric"
        return np.asarray(np.clip(r, -high if symmetric else low, high, out=r))
    beyond = (r < low) | (r > high)
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
        refuse("fmt", shown(fmt), "a FixedPoint", TypeError)
    return fmt


def _check_modes(rounding: str, overflow: str, nan: str, seed: int | None) -> None:
    check_rounding(rounding, seed)
    one_of("overflow", overflow, *OVERFLOWS)
    one_of("nan", nan, "raise", "zero")
