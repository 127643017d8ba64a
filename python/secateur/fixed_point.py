"""Fixed point: floats as integers times a power of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.unsupported import refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import FixedPoint

    Float32s = NDArray[np.float32]
    Array = NDArray[Any]


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

    Parameters
    ----------
    w : array_like of float32, any shape
        The array to quantize. Infinities saturate.
    fmt : FixedPoint
        The format; of 8 or 16 bits for now.
    rounding : {"nearest_even"}
        To the nearest integer, ties to even.
    overflow : {"saturate"}
        What is out of range becomes the nearest integer of the format.
    nan : {"raise", "zero"}
        Whether NaN is refused or becomes 0.
    seed : None
        Not yet supported.
    out : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        Where the result goes.

    Returns
    -------
    ndarray of ``fmt.dtype``, of the shape of `w`
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `w` is not float32, `out` not ``fmt.dtype``, or `fmt` not a FixedPoint.
    ValueError
        If `w` holds NaN and `nan` is ``"raise"``, a mode is not supported, or `out` does not fit
        or overlaps `w`. Nothing is written then, except that NaN may be met when a part of `out`
        has been.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.quantize(np.float32([0.25, 0.75, -1, 100]), sc.FixedPoint(8, frac_bits=1))
    array([  0,   2,  -2, 127], dtype=int8)
    """
    if seed is not None:
        refuse(seed=seed)
    return _core.quantize(w, fmt, rounding, overflow, nan, out)


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint,
    *,
    dtype: DTypeLike = np.float32,
    out: Float32s | None = None,
) -> Float32s:
    """The values ``q * 2**-fmt.frac_bits``, rounded once.

    Parameters
    ----------
    q : array_like of ``fmt.dtype``, any shape
        The integers, as :func:`quantize` returns them.
    fmt : FixedPoint
        The format; of 8 or 16 bits for now.
    dtype : dtype, default float32
        The dtype of the result; only float32 for now.
    out : ndarray of `dtype`, of the shape of `q`, optional
        Where the result goes.

    Returns
    -------
    ndarray of float32, of the shape of `q`
        `out`, or a new array. The values are exact unless they leave float32's range.

    Raises
    ------
    TypeError
        If `q` is not ``fmt.dtype``, `out` or `dtype` not float32, or `fmt` not a FixedPoint.
    ValueError
        If `out` does not fit or overlaps `q`.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.dequantize(np.int8([0, 2, -2, 127]), sc.FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    """
    if dtype is not np.float32 and np.dtype(dtype) != np.float32:
        msg = f"dtype must be float32, got {np.dtype(dtype)}"
        raise TypeError(msg)
    return _core.dequantize(q, fmt, out)


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

    Parameters
    ----------
    w : array_like of float32, any shape
        The array to quantize. Infinities saturate.
    fmt : FixedPoint
        The format; of 8 or 16 bits for now.
    rounding, overflow, nan, seed
        As for :func:`quantize`.
    out : ndarray of float32, of the shape of `w`, optional
        Where the result goes; `w` itself to work in place.

    Returns
    -------
    ndarray of float32, of the shape of `w`
        `out`, or a new array. The integer 0 becomes ``+0.0``.

    Raises
    ------
    TypeError, ValueError
        As for :func:`quantize`; `out` must be float32, and may be `w`.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.fake_quantize(np.float32([0.3, -0.1, 100]), sc.FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    if seed is not None:
        refuse(seed=seed)
    return _core.fake_quantize(w, fmt, rounding, overflow, nan, out)


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

    Parameters
    ----------
    w : array_like of float32, any shape
        The array to prune and quantize.
    fmt : FixedPoint
        The format; of 8 or 16 bits for now.
    k, sparsity
        As for :func:`prune`.
    rounding, overflow, seed
        As for :func:`quantize`.
    nan : {"raise", "zero"}
        Whether NaN is refused, or ranked below zero and quantized to 0.
    out : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        Where the result goes.

    Returns
    -------
    ndarray of ``fmt.dtype``, of the shape of `w`
        `out`, or a new array; dense, zeros where pruned.

    Raises
    ------
    TypeError, ValueError
        As for :func:`prune` and :func:`quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> sc.prune_quantize(w, sc.FixedPoint(8, frac_bits=4), sparsity=0.5)
    array([ 48, -64,   0,   0], dtype=int8)
    """
    if seed is not None:
        refuse(seed=seed)
    return _core.prune_quantize(w, fmt, k, sparsity, rounding, overflow, nan, out)
