"""Quantization to the integers of a format, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import (
    as_bool,
    exactly_one,
    floats,
    integer_in,
    native,
    one_of,
    refuse,
    refuse_nan,
    result,
    result_float_type,
    shown,
)
from secateur.reference.integers import (
    extended,
    integers_of,
    range_of,
    refuse_wider,
    storage_dtype,
    width_of,
)
from secateur.reference.order import rounded_to_type
from secateur.reference.packing import bytes_of, check_packed, packed_codes, unpacked
from secateur.reference.parameters import broadcast_parameters
from secateur.reference.pruning import prune
from secateur.reference.rounding import TINY_TO_ONE, check_rounding, to_integers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import BitOrder, Overflow, QuantizationNaN, Rounding

    Array = NDArray[Any]
    Floats = NDArray[Any]
    Float64s = NDArray[np.float64]

OVERFLOWS = ("saturate", "saturate_symmetric", "saturate_zero", "wrap", "raise")


def quantize(
    w: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    rounding: Rounding = "nearest_even",
    overflow: Overflow = "saturate",
    nan: QuantizationNaN = "raise",
    seed: int | None = None,
    index_offset: int = 0,
    packed: bool = False,
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Quantize to the integers of a format.

    Parameters, results and errors are those of :func:`secateur.quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import Affine, FixedPoint, reference
    >>> w = np.float32([0.25, 0.75, -1, 100])
    >>> reference.quantize(w, FixedPoint(8, frac_bits=1))
    array([  0,   2,  -2, 127], dtype=int8)
    >>> reference.quantize(w, FixedPoint(8, frac_bits=1), rounding="ceil", overflow="wrap")
    array([  1,   2,  -2, -56], dtype=int8)
    >>> reference.quantize(w, Affine(0.5, zero_point=10))
    array([ 10,  12,   8, 127], dtype=int8)
    """
    check_format(fmt)
    modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, "nan": nan}
    modes |= {"seed": seed, "index_offset": index_offset}
    check_modes(fmt, **modes)
    w = floats("w", w)
    if check_packed(packed, "fmt.bits", width_of(fmt), shown(fmt), bitorder):
        out = result(out, np.uint8, {"w": w}, (bytes_of(width_of(fmt), w.size),))
        q = quantize(w, fmt, **modes)
        np.copyto(out, packed_codes(q.reshape(-1), width_of(fmt), bitorder))
        return out
    if isinstance(fmt, Affine):
        scaled = _quotients(w, fmt)
        zero_points = parameters_of(fmt, "zero_point", w.shape).astype(np.float64)
    else:
        scaled = _products(w, fmt, rounding, overflow)
        zero_points = np.zeros(())
    out = result(out, storage_dtype(fmt, out), {"w": w})
    refuse_nan("w", w, nan, infinite=overflow == "wrap")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # signalling NaN too
        is_number = ~np.isnan(w) if overflow != "wrap" else np.isfinite(w)
        r = to_integers(scaled, rounding, seed, int(index_offset))
        np.copyto(r, 0, where=~is_number)
        np.copyto(out, _in_range(r, fmt, overflow, zero_points), casting="unsafe")
    return out


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    dtype: DTypeLike = np.float32,
    shape: tuple[int, ...] | None = None,
    bitorder: BitOrder = "little",
    sign_extend: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Compute the values that the integers of a format represent.

    Parameters, results and errors are those of :func:`secateur.dequantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import Affine, FixedPoint, reference
    >>> reference.dequantize(np.int8([0, 2, -2, 127]), FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    >>> reference.dequantize(np.uint8([225]), FixedPoint(4, frac_bits=1), shape=(2,))
    array([ 0.5, -1. ], dtype=float32)
    >>> reference.dequantize(np.int8([10, 8, 127]), Affine(0.5, zero_point=10))
    array([ 0. , -1. , 58.5], dtype=float32)
    """
    check_format(fmt)
    sign_extend = as_bool("sign_extend", sign_extend)
    dtype = result_float_type(dtype)
    if shape is None:
        given = _stored_codes(q, fmt)
        q = given.astype(integers_of(fmt).dtype, copy=False)
        q = extended(q, fmt) if sign_extend else q
    else:
        check_packed(True, "fmt.bits", width_of(fmt), shown(fmt), bitorder)
        given, q = unpacked("q", q, shape, width_of(fmt), fmt.signed, bitorder)
    if isinstance(fmt, Affine):
        return _dequantize_affine(given, q, fmt, dtype, out)
    parameters_of(fmt, "bits", q.shape)  # checks the shape
    step = np.ldexp(1.0, -parameters_of(fmt, "frac_bits", q.shape))
    out = result(out, dtype, {"q": given}, q.shape)
    refuse_wider(q, fmt, "fmt", _remedy_for_bytes(given, fmt))
    with np.errstate(over="ignore", under="ignore"):  # out of range becomes infinite or zero
        if dtype == np.float32 and _fixed_point_compute_type(out, fmt, False) is np.float32:
            np.multiply(q, step.astype(np.float32), out=out, dtype=np.float32, casting="same_kind")
            return out
        values = np.asarray(np.multiply(q, step, dtype=np.float64))
        np.copyto(out, rounded_to_type(values, dtype))
    return out


_IF_PACKED = "; if q holds packed integers, pass shape="


def _stored_codes(q: ArrayLike, fmt: FixedPoint | Affine) -> Array:
    """Return `q` as an array; refuse bytes for integers that have signs and are narrower."""
    if width_of(fmt) < 8 and fmt.signed and getattr(q, "dtype", None) == np.uint8:
        raise TypeError(f"q must be {integers_of(fmt).dtype} for this fmt, got uint8{_IF_PACKED}")
    return native("q", q, storage_dtype(fmt, q))


def _remedy_for_bytes(q: Array, fmt: FixedPoint | Affine) -> str:
    return _IF_PACKED if q.dtype == np.uint8 and width_of(fmt) < 8 else ""


def _dequantize_affine(
    given: Array,
    q: Array,
    fmt: Affine,
    dtype: np.dtype[Any],
    out: Floats | None,
) -> Floats:
    compute_type = affine_compute_type(dtype)
    scales = _scales(fmt, compute_type, q.shape)
    refuse_scales(~np.isfinite(scales), scales, "finite")
    out = result(out, dtype, {"q": given}, q.shape)
    refuse_wider(q, fmt, "fmt", _remedy_for_bytes(given, fmt))
    steps = q.astype(np.int64) - parameters_of(fmt, "zero_point", q.shape)
    with np.errstate(over="ignore", under="ignore"):
        np.copyto(out, np.multiply(steps.astype(compute_type), scales), casting="same_kind")
    return out


def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    rounding: Rounding = "nearest_even",
    overflow: Overflow = "saturate",
    nan: QuantizationNaN = "raise",
    seed: int | None = None,
    index_offset: int = 0,
    out: Floats | None = None,
) -> Floats:
    """Round to the values of a format: ``dequantize(quantize(w))``.

    Parameters, results and errors are those of :func:`secateur.fake_quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.fake_quantize(np.float32([0.3, -0.1, 100]), FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    w = floats("w", w)
    out = result(out, w.dtype, {"w": w}, in_place=True)
    modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, "nan": nan}
    q = quantize(w, fmt, **modes, seed=seed, index_offset=index_offset)
    return dequantize(q, fmt, dtype=w.dtype, out=out)


def prune_quantize(
    w: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    rounding: Rounding = "nearest_even",
    overflow: Overflow = "saturate",
    nan: QuantizationNaN = "raise",
    seed: int | None = None,
    index_offset: int = 0,
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
    check_format(fmt)
    modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, "nan": nan}
    modes |= {"seed": seed, "index_offset": index_offset}
    check_modes(fmt, **modes)
    exactly_one(k=k, sparsity=sparsity)
    w = floats("w", w)
    for name in ("scale",) if isinstance(fmt, Affine) else ("bits", "frac_bits"):
        parameters_of(fmt, name, w.shape)
    if check_packed(packed, "fmt.bits", width_of(fmt), shown(fmt), bitorder):
        out = result(out, np.uint8, {"w": w}, (bytes_of(width_of(fmt), w.size),))
    else:
        out = result(out, storage_dtype(fmt, out), {"w": w})
    kept = prune(w, k=k, sparsity=sparsity, nan="prune" if nan == "zero" else "raise")
    return quantize(kept, fmt, **modes, packed=packed, bitorder=bitorder, out=out)


# --- scales and ranges ----------------------------------------------------------------------


def parameters_of(
    fmt: FixedPoint | Affine, name: str, shape: tuple[int, ...], argument: str = "fmt"
) -> Array:
    """Return a field of a format in a shape that broadcasts to `shape`."""
    given = np.asarray(getattr(fmt, name))
    if given.ndim == 0:
        return given
    return broadcast_parameters(f"{argument}.{name}", given, shape, fmt.axis, fmt.group_size)


def ranges_of(
    fmt: FixedPoint | Affine, shape: tuple[int, ...], argument: str = "fmt"
) -> tuple[Any, Any, Any]:
    """Return the lowest integer, the highest integer and ``2**bits`` of each element.

    They are numbers, or arrays that broadcast to `shape`.
    """
    if np.ndim(fmt.bits) == 0:
        return *range_of(fmt), 2 ** width_of(fmt)
    codes = 1 << parameters_of(fmt, "bits", shape, argument).astype(np.int64)
    low = -(codes // 2) if fmt.signed else np.zeros_like(codes)
    return low, low + codes - 1, codes


def affine_compute_type(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    """Return the type in which an Affine computes with floats of a dtype."""
    return np.float64 if dtype == np.float64 else np.float32


def _scales(fmt: Affine, compute_type: type, shape: tuple[int, ...]) -> Floats:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(parameters_of(fmt, "scale", shape).astype(compute_type))


def check_scales(
    scales: Floats, compute_type: type[np.float32 | np.float64], argument: str = "fmt"
) -> None:
    """Refuse scales by which a quantization in the type `compute_type` cannot divide."""
    with np.errstate(over="ignore", under="ignore"):
        scales = scales.astype(compute_type)
    wrong = ~(np.isfinite(scales) & (scales >= np.finfo(compute_type).tiny))
    refuse_scales(wrong, scales, "positive, finite and not subnormal", argument)


def refuse_scales(
    wrong: NDArray[np.bool_], scales: Floats, allowed: str, argument: str = "fmt"
) -> None:
    """Raise an error if any scale is wrong."""
    if wrong.any():
        first = scales[tuple(np.argwhere(wrong)[0])]
        refuse(f"{argument}.scale", f"{allowed} in {scales.dtype}", first)


def _quotients(w: Floats, fmt: Affine) -> Floats:
    """Return the elements divided by their scales, as float64."""
    compute_type = affine_compute_type(w.dtype)
    scales = _scales(fmt, compute_type, w.shape)
    check_scales(scales, compute_type)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(np.divide(w.astype(compute_type), scales, order="C").astype(np.float64))


def _products(w: Floats, fmt: FixedPoint, rounding: str, overflow: str) -> Floats:
    # These modes need the exact product even where it is tiny or huge.
    exact = rounding in TINY_TO_ONE or overflow == "wrap"
    compute_type = _fixed_point_compute_type(w, fmt, exact or rounding == "stochastic")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        parameters_of(fmt, "bits", w.shape)  # checks the shape
        return _scaled(w, parameters_of(fmt, "frac_bits", w.shape), compute_type, exact)


def _fixed_point_compute_type(
    w: Floats, fmt: FixedPoint, exact: bool
) -> type[np.float32 | np.float64]:
    """Return a type in which products with powers of two round only once, to the result."""
    # In float32, `w * 2**frac_bits` is exact; or infinite, and then out of range; or subnormal, and
    # then it rounds to 0. `q * 2**-frac_bits` is exact or infinite if q is exact in float32. If the
    # power is not a normal number of float32, float64 is used, where products of 32 bits with
    # exponents from -405 to 384 are exact.
    fits = w.dtype != np.float64 and width_of(fmt) <= 24 and not exact
    is_normal = np.max(np.abs(fmt.frac_bits), initial=0) <= 126
    return np.float32 if fits and is_normal else np.float64


def _scaled(w: Floats, frac_bits: Array, compute_type: type, exact: bool) -> Floats:
    """Return ``w * 2**frac_bits``, or numbers that round and overflow in the same way."""
    if w.dtype == np.float64 and exact:
        # The product may leave the range of float64, so its exponent is clipped. A tiny number
        # rounds as 2^-64 does. A huge number matters only as a multiple of 2^32, and every float64
        # from 2^84 on is one.
        fraction, exponent = np.frexp(w)
        exponent = np.clip(exponent + frac_bits, -64, 128)
        return np.asarray(np.ldexp(fraction, exponent, order="C"))
    power = np.ldexp(compute_type(1), frac_bits)
    return np.asarray(np.multiply(w.astype(compute_type, copy=False), power, order="C"))


def _in_range(r: Floats, fmt: FixedPoint | Affine, overflow: str, zero_points: Float64s) -> Floats:
    """Add the zero points to the integers in `r`, and bring the sums into the range of the format.

    May overwrite `r`.
    """
    low, high, codes = (np.asarray(x, np.float64).astype(r.dtype) for x in ranges_of(fmt, r.shape))
    if overflow == "wrap":
        np.copyto(r, 0, where=np.isinf(r))  # so large that it is a multiple of 2**bits
        np.remainder(r, codes, out=r)
        r = np.asarray(np.remainder(r + zero_points, codes))
        return np.asarray(np.subtract(r, codes, out=r, where=r > high))
    if zero_points.any():
        r = np.asarray(r + zero_points)
    if overflow.startswith("saturate") and overflow != "saturate_zero":
        if fmt.signed and (high >= 0).all() and overflow == "saturate_symmetric":
            low = np.maximum(low, -high)
        return np.asarray(np.clip(r, low, high, out=r))
    beyond = (r < low) | (r > high)
    if overflow == "saturate_zero":
        np.copyto(r, zero_points, where=beyond, casting="same_kind")
    elif beyond.any():
        count = np.count_nonzero(beyond)
        msg = f"w has {count} {'element' if count == 1 else 'elements'} out of range of {fmt}, "
        msg += f"the first at flat index {beyond.argmax()}"
        raise OverflowError(msg)
    return r


# --- arguments ------------------------------------------------------------------------------


def check_format(fmt: Any, name: str = "fmt", max_bits: int = 32) -> None:
    if not isinstance(fmt, (FixedPoint, Affine)):
        refuse(name, "a FixedPoint or an Affine", shown(fmt), TypeError)
    if width_of(fmt) > max_bits:
        msg = f"{name} must have at most {max_bits} bits, got {shown(fmt)}"
        msg += "; requantize takes wider integers as from_fmt"
        raise ValueError(msg)


def check_modes(
    fmt: FixedPoint | Affine,
    rounding: str,
    overflow: str,
    nan: str,
    seed: int | None,
    index_offset: int,
) -> None:
    check_rounding(rounding, seed)
    one_of("overflow", overflow, *OVERFLOWS)
    one_of("nan", nan, "raise", "zero")
    integer_in("index_offset", index_offset, 0, 2**64 - 1)
    integers = integers_of(fmt)
    if overflow == "wrap" and range_of(fmt) != (integers.min, integers.max):
        refuse(
            "overflow",
            f"another rule, because {shown(fmt)} does not use all integers of its width",
            "'wrap'",
        )
