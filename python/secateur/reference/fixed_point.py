"""Fixed point: floats as integers times a power of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import FixedPoint
from secateur.reference.arguments import (
    exactly_one,
    native,
    one_of,
    only_none,
    refuse,
    refuse_nan,
    result,
)
from secateur.reference.selection import topk_mask

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Float32s = NDArray[np.float32]


def quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """The integers nearest to ``w * 2**fmt.frac_bits``.

    The result is as if computed exactly and rounded once.

    Parameters, results and errors are those of :func:`secateur.quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.quantize(np.float32([0.25, 0.75, -1, 100]), FixedPoint(8, frac_bits=1))
    array([  0,   2,  -2, 127], dtype=int8)
    """
    fmt = _format(fmt)
    _check_modes(rounding, overflow, nan, seed)
    w = native("w", w, np.float32)
    out = result(out, fmt.dtype, w)
    refuse_nan("w", w, nan)
    real = _real_type(fmt)
    with np.errstate(over="ignore", invalid="ignore"):  # past the range, and signalling NaN
        q = np.asarray(np.multiply(w, real(2.0**fmt.frac_bits), dtype=real, order="C"))
        np.rint(q, out=q)
        np.clip(q, fmt.min, fmt.max, out=q)
        if nan == "zero":
            np.copyto(q, 0, where=np.isnan(q))
        np.copyto(out, q, casting="unsafe")
    return out


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint,
    *,
    dtype: DTypeLike = np.float32,
    out: Float32s | None = None,
) -> Float32s:
    """The values ``q * 2**-fmt.frac_bits``, rounded once.

    Parameters, results and errors are those of :func:`secateur.dequantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.dequantize(np.int8([0, 2, -2, 127]), FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    """
    fmt = _format(fmt)
    if np.dtype(dtype) != np.float32:
        refuse("dtype", np.dtype(dtype), "float32", TypeError)
    q = native("q", q, fmt.dtype)
    out = result(out, np.float32, q)
    real = _real_type(fmt)
    with np.errstate(over="ignore"):  # past float32's range is infinite
        np.multiply(q, real(fmt.resolution), out=out, dtype=real, casting="same_kind")
    return out


def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Float32s | None = None,
) -> Float32s:
    """The values that quantizing would leave: ``dequantize(quantize(w))``.

    Parameters, results and errors are those of :func:`secateur.fake_quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.fake_quantize(np.float32([0.3, -0.1, 100]), FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    w = native("w", w, np.float32)
    out = result(out, np.float32, w)
    q = quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed)
    return dequantize(q, fmt, out=out)


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
    w = native("w", w, np.float32)
    out = result(out, fmt.dtype, w)
    mask = topk_mask(w, k=k, sparsity=sparsity, nan="prune" if nan == "zero" else nan)
    quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed, out=out)
    return np.multiply(out, mask, out=out)  # integers are cheaper to mask than floats


# --- scales and modes -----------------------------------------------------------------------


def _real_type(fmt: FixedPoint) -> type[np.float32 | np.float64]:
    """In which products with the format's power of two can be rounded once to what is wanted."""
    # In float32 `w * 2**frac_bits` is exact, or infinite and saturates, or subnormal and becomes 0;
    # and `q * 2**-frac_bits` is exact or infinite. Where the power itself leaves float32's normal
    # numbers, float64 serves: 24 bits of w, and exponents between -405 and 384, are exact there.
    return np.float32 if abs(fmt.frac_bits) <= 126 else np.float64


def _format(fmt: FixedPoint) -> FixedPoint:
    if not isinstance(fmt, FixedPoint):
        refuse("fmt", repr(fmt), "a FixedPoint", TypeError)
    if fmt.bits not in (8, 16):
        refuse("fmt.bits", repr(fmt), "8 or 16")
    return fmt


def _check_modes(rounding: str, overflow: str, nan: str, seed: int | None) -> None:
    one_of("rounding", rounding, "nearest_even")
    one_of("overflow", overflow, "saturate")
    one_of("nan", nan, "raise", "zero")
    only_none(", the only value that this version supports", seed=seed)
