"""Affine quantization: floats as integers times a scale, about a zero point."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur import _core
from secateur.fixed_point import float_type, lengths
from secateur.float_state import default_float_state
from secateur.formats import granularity, integer_in, integers_in, real

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import Granularity

    Array = NDArray[Any]

# The integers of each dtype: how many bits they have, and whether one is the sign. Those of fewer bits than a
# byte are ml_dtypes' own.
_INTEGERS = {
    "int8": (8, True),
    "uint8": (8, False),
    "int16": (16, True),
    "uint16": (16, False),
    "int4": (4, True),
    "uint4": (4, False),
    "int2": (2, True),
    "uint2": (2, False),
    "int32": (32, True),
}
_FLOATS = ("float16", "bfloat16", "float32", "float64")


class _Kind(NamedTuple):
    """Integers of a dtype."""

    dtype: np.dtype[Any]
    bits: int
    signed: bool


def _kind(name: str, dtype: DTypeLike | None, packed: bool = False) -> _Kind:
    wanted = None if dtype is None else np.dtype(dtype)  # which takes None for float64
    return _kind_of(name, wanted, packed)


@lru_cache
def _kind_of(name: str, wanted: np.dtype[Any] | None, packed: bool) -> _Kind:
    if wanted is None or wanted.name not in _INTEGERS or not wanted.isnative:
        msg = f"{name} must be {' or '.join(_INTEGERS)}, got {wanted}"
        raise TypeError(msg)
    kind = _Kind(wanted, *_INTEGERS[wanted.name])
    if packed and kind.bits > 8:
        msg = f"{name} must be of at most 8 bits to be packed, got {wanted}"
        raise ValueError(msg)
    return kind


class _Parameters(NamedTuple):
    """Scales, zero points unless they are all 0, and which of them goes with which element."""

    scale: Array
    zero_point: NDArray[np.int32] | None
    granularity: Granularity | None


def _parameters(
    scale: ArrayLike,
    zero_point: ArrayLike,
    kind: _Kind,
    computed: type[np.float32 | np.float64],
    shape: tuple[int, ...],
    axis: int | None,
    block_size: int | None,
) -> _Parameters:
    are_numbers = (type(scale), type(zero_point)) == (float, int)
    if are_numbers and axis is None and block_size is None:
        hashable: Any = (scale, zero_point, kind, computed)
        return _of_numbers(*hashable)
    return _of_arrays(scale, zero_point, kind, computed, shape, axis, block_size)


@lru_cache  # for what NumPy does with two numbers takes longer than quantizing a thousand
def _of_numbers(
    scale: float, zero_point: int, kind: _Kind, computed: type[np.float32 | np.float64]
) -> _Parameters:
    return _of_arrays(scale, zero_point, kind, computed, (), None, None)


def _of_arrays(
    scale: ArrayLike,
    zero_point: ArrayLike,
    kind: _Kind,
    computed: type[np.float32 | np.float64],
    shape: tuple[int, ...],
    axis: int | None,
    block_size: int | None,
) -> _Parameters:
    if isinstance(scale, (np.ndarray, list, tuple)):
        scales = np.asarray(scale)
        if isinstance(scale, np.ma.MaskedArray) or not _is_float(scales.dtype):
            came = "a masked array" if isinstance(scale, np.ma.MaskedArray) else scales.dtype
            msg = f"scale must be a number or an array of {' or '.join(_FLOATS)}, got {came}"
            raise TypeError(msg)
    else:
        scales = np.asarray(real("scale", scale))
    with default_float_state(), np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scales = np.asarray(scales.astype(computed), order="C")
    wrong = ~((scales >= np.finfo(computed).tiny) & (scales <= np.finfo(computed).max))
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        msg = f"scale must be positive, finite and not subnormal in {np.dtype(computed)}"
        msg += f", got {scales[place]}" + (f" at {place}" if place else "")
        raise ValueError(msg)
    how = granularity("scale", scales.shape, shape, axis, block_size, group_name="block_size")
    zeros = _zero_points(zero_point, kind)
    if zeros.ndim and zeros.shape != scales.shape:
        msg = f"zero_point must be an integer or of the shape of scale, {scales.shape}"
        msg += f", got shape {zeros.shape}"
        raise ValueError(msg)
    if not zeros.any():
        return _Parameters(scales, None, how)
    beside = np.ascontiguousarray(np.broadcast_to(zeros.astype(np.int32), scales.shape))
    return _Parameters(scales, beside, how)


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.name in _FLOATS


def _zero_points(zero_point: ArrayLike, kind: _Kind) -> Array:
    low, high = -(1 << kind.bits - 1) if kind.signed else 0, (1 << kind.bits - kind.signed) - 1
    if kind.bits == 32:  # as in ONNX
        low = high = 0
    if not isinstance(zero_point, (np.ndarray, list, tuple)):
        return np.asarray(integer_in("zero_point", zero_point, low, high))
    points = zero_point
    if isinstance(points, np.ndarray) and points.dtype.name in _INTEGERS:
        points = points.astype(np.int64)  # ml_dtypes' are none of NumPy's integers
    return integers_in("zero_point", points, low, high)


def quantize_affine(
    w: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    *,
    dtype: DTypeLike = np.int8,
    axis: int | None = None,
    block_size: int | None = None,
    nan: str = "raise",
    packed: bool = False,
    order: str = "low_first",
    out: Array | None = None,
) -> Array:
    """The integers nearest to ``w / scale``, moved by the zero point: ONNX's QuantizeLinear.

    ``q = saturate(round(w / scale) + zero_point)``: a true division, in float64 where `w` is
    float64 and else in float32; rounded to the nearest integer, ties to even.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. Infinities saturate.
    scale : float or array_like of float
        The steps: positive, finite and not subnormal in the type that is computed in. One for the
        whole array; or with `axis` one for each index along it; or with `block_size` an array of
        the shape of `w`, but with ``ceil(length / block_size)`` entries along `axis`.
    zero_point : int or array_like of int, default 0
        The integers that stand for 0: one, or as many as there are scales.
    dtype : dtype, default int8
        Of the integers: int8, uint8, int16, uint16, or int32, whose zero point is 0; or int4, uint4,
        int2 or uint2 of ml_dtypes.
    axis : int, optional
        Of `w`, with an array of scales; with `block_size` the last by default.
    block_size : int, optional
        How many neighbours along `axis` share a scale; at the end of the axis it may be fewer.
    nan : {"raise", "zero"}
        Whether NaN is refused, or quantized as 0 is.
    packed : bool, default False
        Whether integers of at most 8 bits are packed, as :func:`pack_ints` does, in the same pass.
    order : {"low_first", "high_first"}
        As for :func:`pack_ints`.
    out : ndarray of `dtype`, of the shape of `w`, optional
        Where the result goes; if packed, uint8 of ``ceil(w.size * bits / 8)`` bytes.

    Returns
    -------
    ndarray of `dtype`, of the shape of `w`; or packed, of uint8
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `w`, `scale`, `zero_point` or `dtype` is of another type, or `out` of another dtype.
    ValueError
        If `w` holds NaN and `nan` is ``"raise"``, a scale or a zero point is out of its range, they
        do not fit `w`, or `out` does not fit or overlaps `w`.

    Notes
    -----
    Where all scales are powers of two, elements are multiplied instead, which gives the same bits.
    The method is that of ONNX's operator QuantizeLinear [1]_, opset 25.

    References
    ----------
    .. [1] https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.quantize_affine(np.float32([0, 0.25, -1, 100]), 0.5, 10)
    array([ 10,  10,   8, 127], dtype=int8)

    One scale for each row:

    >>> w = np.float32([[1, 2, 3], [10, 20, 30]])
    >>> sc.quantize_affine(w, [1.0, 10.0], axis=0)
    array([[1, 2, 3],
           [1, 2, 3]], dtype=int8)
    """
    kind = _kind("dtype", dtype, packed)
    w = w if isinstance(w, np.ndarray) else np.asarray(w)
    computed = np.float64 if w.dtype.char == "d" else np.float32
    parameters = _parameters(scale, zero_point, kind, computed, w.shape, axis, block_size)
    return _core.quantize_affine(
        w, *parameters, kind.bits, kind.signed, kind.dtype, nan, packed, order, out
    )


def dequantize_affine(
    q: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    *,
    axis: int | None = None,
    block_size: int | None = None,
    dtype: DTypeLike = np.float32,
    shape: int | tuple[int, ...] | None = None,
    packed_dtype: DTypeLike | None = None,
    order: str = "low_first",
    out: Array | None = None,
) -> Array:
    """The values ``(q - zero_point) * scale``: ONNX's DequantizeLinear.

    The difference is exact, and the product is formed in float64 if `dtype` is float64 and else in
    float32 (to which differences of int32 are rounded first), and then rounded to `dtype`.

    Parameters
    ----------
    q : array_like of integers, any shape; or packed ones
        As :func:`quantize_affine` returns them.
    scale, zero_point, axis, block_size
        As for :func:`quantize_affine`, beside `q` in the place of `w`.
    dtype : dtype, default float32
        The dtype of the result: float16, bfloat16, float32 or float64.
    shape : int or tuple of int, optional
        Of the array that was packed; `q` is packed if this is given.
    packed_dtype : dtype, optional
        Of the integers, if they are packed: one that :func:`quantize_affine` takes, of 8 bits at
        most.
    order : {"low_first", "high_first"}
        As for :func:`pack_ints`.
    out : ndarray of `dtype`, of the shape of `q` or of `shape`, optional
        Where the result goes.

    Returns
    -------
    ndarray of `dtype`, of the shape of `q` or of `shape`
        `out`, or a new array.

    Raises
    ------
    TypeError, ValueError
        As for :func:`quantize_affine`; or if packed integers are not as many bytes as `shape` takes.

    Notes
    -----
    The method is that of ONNX's operator DequantizeLinear [1]_, opset 25.

    References
    ----------
    .. [1] https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.dequantize_affine(np.int8([10, 8, 127]), 0.5, 10)
    array([ 0. , -1. , 58.5], dtype=float32)
    """
    wanted = float_type(dtype)
    computed = np.float64 if wanted == np.float64 else np.float32
    q = q if isinstance(q, np.ndarray) else np.asarray(q)
    if shape is None:
        if packed_dtype is not None:
            msg = f"packed_dtype must be None without shape, got {packed_dtype!r}"
            raise ValueError(msg)
        kind = _kind("q", q.dtype.newbyteorder("="))
        of = q.shape
    else:
        kind = _kind("packed_dtype", packed_dtype, packed=True)
        of = shape = lengths(shape)
    parameters = _parameters(scale, zero_point, kind, computed, of, axis, block_size)
    return _core.dequantize_affine(
        q, *parameters, kind.bits, kind.signed, wanted, shape, order, out
    )
