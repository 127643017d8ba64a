"""Quantization to the integers of a format, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.arguments import as_dtype, as_shape
from secateur.dtypes import FLOATS
from secateur.messages import shortened

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import Affine, FixedPoint
    from secateur.literals import BitOrder, Overflow, QuantizationNaN, Rounding

    Array = NDArray[Any]

FLOAT32 = np.dtype(np.float32)


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

    For a :class:`FixedPoint`, the result is ``round(w * 2**fmt.frac_bits)``, that of exact
    arithmetic, rounded once. For an :class:`Affine`, it is ``round(w / fmt.scale) +
    fmt.zero_point``; the quotient is computed in float64 if `w` is float64, else in float32.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. Infinities are out of range.
    fmt : FixedPoint or Affine
        The format.
    rounding : {"nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", \
            "floor", "ceil", "trunc", "away", "stochastic"}
        The rounding to integers. The ``nearest_`` modes round to the nearest integer, with ties to
        the even one, away from zero, towards zero, up, or down. ``"floor"`` rounds down,
        ``"ceil"`` up, ``"trunc"`` towards zero, and ``"away"`` away from zero. ``"stochastic"``
        rounds away from zero with the probability given by the fraction, else towards zero (see
        Notes).
    overflow : {"saturate", "saturate_symmetric", "saturate_zero", "wrap", "raise"}
        The result for elements out of range: ``"saturate"`` gives the nearest integer of the
        format; ``"saturate_symmetric"`` the same, but in signed formats none below ``-max``, unless
        ``max`` is negative; ``"saturate_zero"`` gives 0 for a FixedPoint, the zero point for an Affine; ``"wrap"`` gives the integer of the
        format that is equal modulo ``2**bits``, and treats infinities as NaN; ``"raise"`` raises an
        OverflowError.
    nan : {"raise", "zero"}
        Whether NaN is refused, or becomes 0 for a FixedPoint, the zero point for an Affine.
    seed : int, optional
        The seed of stochastic rounding, 0 to 2**64 - 1. Required for it, and not allowed otherwise.
    index_offset : int, default 0
        The index of the first element of `w` for stochastic rounding, 0 to 2**64 - 1. An array that
        is quantized in parts, each with the index of its first element, gets the integers of the
        whole array.
    packed : bool, default False
        Pack the integers, of at most 16 bits, as :func:`pack_ints` does, in the same pass.
    bitorder : {"little", "big"}
        The bit order of packed integers, as for :func:`pack_ints`.
    out : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        The array to write the result to. Its dtype may also be int4, uint4, int2 or uint2 of
        ml_dtypes, if that dtype holds the format. If `packed`, it is uint8 of
        ``ceil(w.size * fmt.bits / 8)`` elements.

    Returns
    -------
    ndarray of ``fmt.dtype``, of the shape of `w`
        `out`, or a new array. Returned if `packed` is False.
    ndarray of uint8, of shape ``(ceil(w.size * fmt.bits / 8),)``
        `out`, or a new array. Returned if `packed` is True.

    Raises
    ------
    TypeError
        If `w` or `out` has an unsupported dtype, or `fmt` is not a format.
    ValueError
        If `w` holds NaN and `nan` is ``"raise"``; if an argument is not one of the values above; if
        `seed` is missing, or given without stochastic rounding; if `fmt` has more than 32 bits; if
        packed integers would have more than 16 bits; if `fmt` does not fit `w`; if a scale is not
        positive, or is subnormal; if `overflow` is ``"wrap"`` and `fmt` does not use all integers
        of its width; or if `out` does not fit `w` or overlaps it. Nothing is written in these
        cases, with one exception: when NaN is found, a part of `out` may have been written.
    OverflowError
        If `overflow` is ``"raise"`` and elements are out of range. The message has their number
        and the index of the first.

    Notes
    -----
    Stochastic rounding computes ``sign(x) * floor(abs(x) + u)`` of the scaled element ``x``. The
    number ``u`` is one of 2**31 equidistant numbers in [0, 1). It is a hash of the seed and of the
    index of the element in C order [1]_ [2]_, and so does not depend on the CPU or the number of
    threads. ``docs/semantics.md`` lists the names of all modes in other software.

    With the default rounding and overflow, an :class:`Affine` gives the integers of ONNX's operator
    QuantizeLinear, opset 25. If all scales are powers of two, a multiplication by the reciprocal
    replaces the division, which gives the same bits.

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

    Two integers of 4 bits per byte:

    >>> sc.quantize(w, sc.FixedPoint(4, frac_bits=1), packed=True)
    array([ 32, 126], dtype=uint8)
    """
    return _core.quantize(
        w, fmt, rounding, overflow, nan, seed, index_offset, packed, bitorder, out
    )


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    dtype: DTypeLike = np.float32,
    shape: int | tuple[int, ...] | None = None,
    bitorder: BitOrder = "little",
    sign_extend: bool = False,
    out: Array | None = None,
) -> Array:
    """Compute the values that the integers of a format represent.

    For a :class:`FixedPoint`, the result is ``q * 2**-fmt.frac_bits``, rounded once. For an
    :class:`Affine`, it is ``(q - fmt.zero_point) * fmt.scale``. The difference and the product are
    computed in float64 if `dtype` is float64, else in float32; the product is then rounded to
    `dtype`.

    Parameters
    ----------
    q : array_like of ``fmt.dtype``, any shape; or of uint8, packed
        The integers, as :func:`quantize` returns them, or of a narrower dtype of ml_dtypes that
        holds the format.
    fmt : FixedPoint or Affine
        The format.
    dtype : dtype, default float32
        The dtype of the result: float16, bfloat16, float32 or float64.
    shape : int or tuple of int, optional
        The shape before packing. If it is given, `q` holds packed integers.
    bitorder : {"little", "big"}
        The bit order of packed integers, as for :func:`pack_ints`.
    sign_extend : bool, default False
        Use only the lowest ``fmt.bits`` bits of each integer: the integer modulo ``2**fmt.bits``, in
        the range of a format of that width. Words of hardware registers need this where their upper
        bits do not repeat the sign. It has no effect on packed integers, or if the dtype of `q` has
        as many bits as the format.
    out : ndarray of `dtype`, of the shape of `q` or of `shape`, optional
        The array to write the result to.

    Returns
    -------
    ndarray of `dtype`, of the shape of `q` or of `shape`
        `out`, or a new array. Values beyond the range of `dtype` become infinite or 0.

    Raises
    ------
    TypeError
        If `q` or `out` has an unsupported dtype, `dtype` is not supported, or `fmt` is not a format.
    ValueError
        If `fmt` has more than 32 bits; if packed integers would have more than 16 bits; if the
        number of packed bytes does not match `shape`; if `q` has an integer of more bits than the
        format and `sign_extend` is False; if `fmt` does not fit `q`; if a scale is not finite in the
        type of the computation; or if `out` does not fit `q` or overlaps it. Nothing is written in
        these cases, with one exception: when an integer is refused, a part of `out` may have been
        written.

    Notes
    -----
    This is the inverse of :func:`quantize`, but for the rounding error; ``docs/semantics.md``
    defines both. An :class:`Affine` gives the values of ONNX's operator DequantizeLinear, opset 25.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.dequantize(np.int8([0, 2, -2, 127]), sc.FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    >>> sc.dequantize(np.uint8([32, 126]), sc.FixedPoint(4, frac_bits=1), shape=4)
    array([ 0. ,  1. , -1. ,  3.5], dtype=float32)

    Words of a register of 24 bits, whose upper bits are 0:

    >>> words = np.int32([0x000001, 0xFFFFFF])
    >>> sc.dequantize(words, sc.FixedPoint(24, frac_bits=1), sign_extend=True)
    array([ 0.5, -0.5], dtype=float32)
    """
    if shape is not None:
        shape = as_shape(shape)
    return _core.dequantize(q, fmt, float_type(dtype), shape, bitorder, sign_extend, out)


def float_type(dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype of a result. (The core checks that it is a supported float.)"""
    if dtype is np.float32:  # the default, without the time of a conversion
        return FLOAT32
    allowed = " or ".join(FLOATS) + " in native byte order"
    wanted = as_dtype("dtype", dtype, allowed)
    if not wanted.isnative:
        msg = f"dtype must be {allowed}, got {shortened(str(wanted))}"
        raise TypeError(msg)
    return wanted


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

    The result is the exact quotient of the value of `q` and the step of `to_fmt`, rounded once,
    plus the zero point of `to_fmt`, brought into range by `overflow`. Between two FixedPoint it is
    a shift by ``from_fmt.frac_bits - to_fmt.frac_bits`` bits with rounding.

    Parameters
    ----------
    q : array_like of ``from_fmt.dtype``, any shape
        The integers to convert, also in a narrower dtype of ml_dtypes that holds the format.
    from_fmt : FixedPoint or Affine
        The format of `q`. A FixedPoint may have up to 64 bits, as accumulators do.
    to_fmt : FixedPoint or Affine
        The format of the result, of up to 32 bits.
    rounding, overflow, seed, index_offset
        As for :func:`quantize`.
    sign_extend : bool, default False
        Use only the lowest ``from_fmt.bits`` bits of each integer, as for :func:`dequantize`.
    out : ndarray of ``to_fmt.dtype``, of the shape of `q`, optional
        The array to write the result to. Its dtype may also be one of ml_dtypes, as for
        :func:`quantize`.

    Returns
    -------
    ndarray of ``to_fmt.dtype``, of the shape of `q`
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `q` or `out` has an unsupported dtype, or `from_fmt` or `to_fmt` is not a format.
    ValueError
        If `q` has an integer of more bits than `from_fmt`, such as 200 in a format of 7 bits, and
        `sign_extend` is False; if `to_fmt` has more than 32 bits; if a format does not fit `q`; if a scale of `to_fmt` is not
        positive, or is subnormal in float64; if an argument is not one of the values above; or if
        `out` does not fit `q` or overlaps it. Nothing is written in these cases, with one exception:
        when an integer is refused, a part of `out` may have been written.
    OverflowError
        If `overflow` is ``"raise"`` and elements are out of range. The message has their number
        and the index of the first.

    See Also
    --------
    quantize : Converts floats to integers.
    dequantize : Converts integers to floats.

    Notes
    -----
    The value of ``q`` is ``q * 2**-frac_bits``, or ``(q - zero_point) * scale`` in exact arithmetic,
    where the scale is the float64 that the format stores. A scale such as 0.1 that was meant to be a
    float32 must be given as ``np.float32(0.1)``. :func:`dequantize` and :func:`quantize` round the
    scale, the difference, the product and the quotient, so that going through floats rounds several
    times. Integer-only inference needs this conversion after each layer (Jacob et al. 2018,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference");
    it replaces the ratio of the scales by a multiplier of 31 bits, and this function does not.

    Where all steps are powers of two and there are no zero points, vector code shifts integers of
    32 or 64 bits. Other steps need a division; it takes several times as long.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> accumulators = np.int32([96, -96, 160, 100_000])
    >>> sc.requantize(accumulators, sc.FixedPoint(32, 8), sc.FixedPoint(8, 2))
    array([  2,  -2,   2, 127], dtype=int8)
    >>> sc.requantize(accumulators, sc.FixedPoint(32, 8), sc.FixedPoint(8, 2), rounding="floor")
    array([  1,  -2,   2, 127], dtype=int8)

    The accumulators of a quantized layer:

    >>> sc.requantize(accumulators, sc.Affine(0.25, bits=32), sc.Affine(0.75, zero_point=3))
    array([ 35, -29,  56, 127], dtype=int8)
    """
    return _core.requantize(
        q, from_fmt, to_fmt, rounding, overflow, seed, index_offset, sign_extend, out
    )


def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    rounding: Rounding = "nearest_even",
    overflow: Overflow = "saturate",
    nan: QuantizationNaN = "raise",
    seed: int | None = None,
    index_offset: int = 0,
    out: Array | None = None,
) -> Array:
    """Round to the values of a format: ``dequantize(quantize(w))``, in one pass.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. Infinities are out of range.
    fmt : FixedPoint or Affine
        The format.
    rounding, overflow, nan, seed, index_offset
        As for :func:`quantize`.
    out : ndarray of the dtype and shape of `w`, optional
        The array to write the result to. It may be `w` itself, which works in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array. Elements whose integer represents 0 become ``+0.0``.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for :func:`quantize`, such as a ValueError if `fmt` has more than 32 bits, except that
        `out` must have the dtype of `w` and may be `w`. In case of an error, `w` is left
        unmodified.

    Notes
    -----
    Training with quantized weights uses this function in the forward pass (Jacob et al. 2018,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference").

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.fake_quantize(np.float32([0.3, -0.1, 100]), sc.FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    return _core.fake_quantize(w, fmt, rounding, overflow, nan, seed, index_offset, out)


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
    """Prune and quantize in one call: ``quantize(prune(w))``.

    The elements of largest magnitude are quantized. The others become 0 for a FixedPoint, the zero
    point for an Affine. Exactly one of `k` and `sparsity` must be given.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to prune and quantize.
    fmt : FixedPoint or Affine
        The format.
    k, sparsity
        As for :func:`prune`.
    rounding, overflow
        As for :func:`quantize`.
    nan : {"raise", "zero"}
        Whether NaN is refused, or ranked below zero and quantized like 0.
    seed, index_offset, packed, bitorder
        As for :func:`quantize`.
    out : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        The array to write the result to, as for :func:`quantize`.

    Returns
    -------
    ndarray of ``fmt.dtype``, of the shape of `w`; or of uint8, packed
        `out`, or a new array. It is dense.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for :func:`prune` and :func:`quantize`, such as a ValueError if `fmt` has more than 32
        bits. Only kept elements can be out of range.

    Notes
    -----
    The methods are those of :func:`prune` and :func:`quantize`. No pruned array of floats is
    stored.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> sc.prune_quantize(w, sc.FixedPoint(8, frac_bits=4), sparsity=0.5)
    array([ 48, -64,   0,   0], dtype=int8)
    """
    return _core.prune_quantize(
        w, fmt, k, sparsity, rounding, overflow, nan, seed, index_offset, packed, bitorder, out
    )
