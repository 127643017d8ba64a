"""Fixed point: floats as integers times a power of two."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.formats import integer_in

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import FixedPoint

    Array = NDArray[Any]


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

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. Infinities are out of range.
    fmt : FixedPoint
        The format.
    rounding : {"nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", \
            "floor", "ceil", "trunc", "stochastic"}
        To the nearest integer, with ties to the even one, away from zero, towards zero, up or down;
        down, up, or towards zero; or away from zero as often as the fraction says (see Notes).
    overflow : {"saturate", "saturate_symmetric", "saturate_zero", "wrap", "raise"}
        What is out of range becomes the nearest integer of the format; the same, of ``-max`` to
        ``max``; 0; the integer that is the same modulo ``2**bits``, where infinities count as NaN;
        or is refused.
    nan : {"raise", "zero"}
        Whether NaN is refused or becomes 0.
    seed : int, optional
        From 0 to 2**64 - 1, for stochastic rounding, which needs it.
    packed : bool, default False
        Whether integers of at most 8 bits are packed, as :func:`pack_ints` does, in the same pass.
    order : {"low_first", "high_first"}
        As for :func:`pack_ints`.
    out : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        Where the result goes. It may be of ml_dtypes' int4, uint4, int2 or uint2 too, if that holds
        the format; if packed, it is uint8 of ``ceil(w.size * fmt.bits / 8)`` bytes.

    Returns
    -------
    ndarray of ``fmt.dtype``, of the shape of `w`; or packed, of uint8
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `w` is not of floats, `out` of another dtype, or `fmt` not a FixedPoint.
    ValueError
        If `w` holds NaN and `nan` is ``"raise"``, a word is not one of those above, `seed` is
        missing or has nothing to say, `fmt` does not fit `w`, or `out` does not fit or overlaps it.
        Nothing is written then, except that NaN may be met when a part of `out` has been.
    OverflowError
        If `overflow` is ``"raise"`` and an element is out of range, with the count and the first
        index.

    Notes
    -----
    Stochastic rounding takes ``sign(x) * floor(abs(x) + u)`` of ``x = w * 2**frac_bits``, where
    ``u`` is one of 2**31 equidistant numbers from 0 to 1, drawn by mixing the seed and the index
    of the element in C order [1]_ [2]_: the same for every CPU and number of threads. What each
    mode is called elsewhere is said in ``docs/semantics.md``.

    References
    ----------
    .. [1] G. L. Steele Jr., D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
       OOPSLA 2014
    .. [2] C. Wellons, "Prospecting for hash functions", 2018

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([0.25, 0.75, -1, 100])
    >>> sc.quantize(w, sc.FixedPoint(8, frac_bits=1))
    array([  0,   2,  -2, 127], dtype=int8)
    >>> sc.quantize(w, sc.FixedPoint(8, frac_bits=1), rounding="ceil", overflow="wrap")
    array([  1,   2,  -2, -56], dtype=int8)

    Two integers of 4 bits to a byte:

    >>> sc.quantize(w, sc.FixedPoint(4, frac_bits=1), packed=True)
    array([ 32, 126], dtype=uint8)
    """
    return _core.quantize(w, fmt, rounding, overflow, nan, seed, packed, order, out)


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint,
    *,
    dtype: DTypeLike = np.float32,
    shape: int | tuple[int, ...] | None = None,
    order: str = "low_first",
    out: Array | None = None,
) -> Array:
    """The values ``q * 2**-fmt.frac_bits``, rounded once.

    Parameters
    ----------
    q : array_like of ``fmt.dtype``, any shape; or packed ones, of uint8
        The integers, as :func:`quantize` returns them; or of a narrower dtype of ml_dtypes.
    fmt : FixedPoint
        The format.
    dtype : dtype, default float32
        The dtype of the result: float16, bfloat16, float32 or float64.
    shape : int or tuple of int, optional
        Of the array that was packed; `q` is packed if this is given.
    order : {"low_first", "high_first"}
        As for :func:`pack_ints`.
    out : ndarray of `dtype`, of the shape of `q` or of `shape`, optional
        Where the result goes.

    Returns
    -------
    ndarray of `dtype`, of the shape of `q` or of `shape`
        `out`, or a new array. The integer 0 becomes ``+0.0``; what leaves the range of `dtype`
        becomes infinite, or 0.

    Raises
    ------
    TypeError
        If `q` is not ``fmt.dtype``, `dtype` not of floats, `out` of another dtype, or `fmt` not a
        FixedPoint.
    ValueError
        If packed integers are not as many bytes as `shape` takes, `fmt` does not fit `q`, or `out`
        does not fit or overlaps it.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.dequantize(np.int8([0, 2, -2, 127]), sc.FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    >>> sc.dequantize(np.uint8([32, 126]), sc.FixedPoint(4, frac_bits=1), shape=4)
    array([ 0. ,  1. , -1. ,  3.5], dtype=float32)
    """
    if shape is not None:
        shape = lengths(shape)
    return _core.dequantize(q, fmt, float_type(dtype), shape, order, out)


def float_type(dtype: DTypeLike | None) -> np.dtype[Any]:
    """The dtype of a result; which floats there are, the core knows."""
    wanted = None if dtype is None else np.dtype(dtype)  # which takes None for float64
    if wanted is None or not wanted.isnative:
        msg = "dtype must be float16 or bfloat16 or float32 or float64 in native byte order"
        msg += f", got {wanted}"
        raise TypeError(msg)
    return wanted


def lengths(shape: Any) -> tuple[int, ...]:
    """The shape of an array that was packed: lengths, or the only one."""
    given = shape if isinstance(shape, (tuple, list)) else (shape,)
    counted = tuple(integer_in("shape", length, 0, sys.maxsize) for length in given)
    integer_in("shape", math.prod(counted), 0, sys.maxsize)
    return counted


def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """The values that quantizing would leave: ``dequantize(quantize(w))``, in one pass.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. Infinities are out of range.
    fmt : FixedPoint
        The format.
    rounding, overflow, nan, seed
        As for :func:`quantize`.
    out : ndarray of the dtype and shape of `w`, optional
        Where the result goes; `w` itself to work in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array. The integer 0 becomes ``+0.0``.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for :func:`quantize`; `out` must be of the dtype of `w`, and may be `w`, which is then
        left as it was.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.fake_quantize(np.float32([0.3, -0.1, 100]), sc.FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    return _core.fake_quantize(w, fmt, rounding, overflow, nan, seed, out)


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

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to prune and quantize.
    fmt : FixedPoint
        The format.
    k, sparsity
        As for :func:`prune`.
    rounding, overflow, seed, packed, order
        As for :func:`quantize`.
    nan : {"raise", "zero"}
        Whether NaN is refused, or ranked below zero and quantized to 0.
    out : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        Where the result goes, as for :func:`quantize`.

    Returns
    -------
    ndarray of ``fmt.dtype``, of the shape of `w`; or packed, of uint8
        `out`, or a new array; dense, zeros where pruned.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for :func:`prune` and :func:`quantize`. Only elements that are kept can be out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> sc.prune_quantize(w, sc.FixedPoint(8, frac_bits=4), sparsity=0.5)
    array([ 48, -64,   0,   0], dtype=int8)
    """
    return _core.prune_quantize(
        w, fmt, k, sparsity, rounding, overflow, nan, seed, packed, order, out
    )
