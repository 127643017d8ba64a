"""Affine quantization: the integer q represents (q - zero_point) * scale."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur import _core
from secateur.fixed_point import float_type, lengths
from secateur.float_state import default_float_state
from secateur.formats import (
    array_of,
    as_bool,
    as_double,
    as_dtype,
    granularity,
    integer_in,
    integers_in,
)
from secateur.messages import shortened, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import Granularity
    from secateur.literals import BitOrder

    Array = NDArray[Any]

# The supported integer dtypes: (bits, signed). Dtypes of fewer than 8 bits are those of ml_dtypes.
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


class _IntegerType(NamedTuple):
    """An integer dtype, its width and its signedness."""

    dtype: np.dtype[Any]
    bits: int
    signed: bool


def _integer_type(name: str, dtype: DTypeLike | None, packed: bool = False) -> _IntegerType:
    return _integer_type_of(name, as_dtype(name, dtype, " or ".join(_INTEGERS)), packed)


@lru_cache
def _integer_type_of(name: str, wanted: np.dtype[Any], packed: bool) -> _IntegerType:
    if wanted.name not in _INTEGERS or not wanted.isnative:
        msg = f"{name} must be {' or '.join(_INTEGERS)}, got {shortened(str(wanted))}"
        raise TypeError(msg)
    kind = _IntegerType(wanted, *_INTEGERS[wanted.name])
    if packed and kind.bits > 8:
        msg = f"{name} must be of at most 8 bits to be packed, got {wanted}"
        raise ValueError(msg)
    return kind


class _Parameters(NamedTuple):
    """Scales, zero points (None if all are 0), and their mapping to the elements of an array."""

    scale: Array
    zero_point: NDArray[np.int32] | None
    granularity: Granularity | None


def _parameters(
    scale: ArrayLike,
    zero_point: ArrayLike,
    kind: _IntegerType,
    computed: type[np.float32 | np.float64],
    shape: tuple[int, ...],
    axis: int | None,
    block_size: int | None,
) -> _Parameters:
    are_numbers = (type(scale), type(zero_point)) == (float, int)
    if are_numbers and axis is None and block_size is None:
        hashable: Any = (scale, zero_point, kind, computed)
        return _parameters_of_numbers(*hashable)
    return _parameters_of_arrays(scale, zero_point, kind, computed, shape, axis, block_size)


@lru_cache  # the NumPy calls on two numbers take longer than quantizing a thousand elements
def _parameters_of_numbers(
    scale: float, zero_point: int, kind: _IntegerType, computed: type[np.float32 | np.float64]
) -> _Parameters:
    return _parameters_of_arrays(scale, zero_point, kind, computed, (), None, None)


def _parameters_of_arrays(
    scale: ArrayLike,
    zero_point: ArrayLike,
    kind: _IntegerType,
    computed: type[np.float32 | np.float64],
    shape: tuple[int, ...],
    axis: int | None,
    block_size: int | None,
) -> _Parameters:
    if isinstance(scale, (np.ndarray, list, tuple)):
        scales = array_of("scale", scale)
        if isinstance(scale, np.ma.MaskedArray) or not _is_float(scales.dtype):
            got = (
                "a masked array"
                if isinstance(scale, np.ma.MaskedArray)
                else shortened(str(scales.dtype))
            )
            msg = f"scale must be a number or an array of {' or '.join(_FLOATS)}, got {got}"
            raise TypeError(msg)
    else:
        scales = np.asarray(as_double("scale", scale))
    with default_float_state():
        scales = np.asarray(scales.astype(computed), order="C")
    wrong = ~((scales >= np.finfo(computed).tiny) & (scales <= np.finfo(computed).max))
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        msg = f"scale must be positive, finite and not subnormal in {np.dtype(computed)}"
        msg += f", got {scales[index]}" + (f" at {index}" if index else "")
        raise ValueError(msg)
    grouping = granularity("scale", scales.shape, shape, axis, block_size, group_name="block_size")
    zeros = _zero_points(zero_point, kind)
    if zeros.ndim and zeros.shape != scales.shape:
        msg = f"zero_point must be an integer or of the shape of scale, {scales.shape}"
        msg += f", got shape {zeros.shape}"
        raise ValueError(msg)
    if not zeros.any():
        return _Parameters(scales, None, grouping)
    zeros = np.ascontiguousarray(np.broadcast_to(zeros.astype(np.int32), scales.shape))
    return _Parameters(scales, zeros, grouping)


def _is_float(dtype: np.dtype[Any]) -> bool:
    return dtype.name in _FLOATS


def _zero_points(zero_point: ArrayLike, kind: _IntegerType) -> Array:
    low, high = -(1 << kind.bits - 1) if kind.signed else 0, (1 << kind.bits - kind.signed) - 1
    if kind.bits == 32:  # as in ONNX, the zero point of int32 is 0
        low = high = 0
    if not isinstance(zero_point, (np.ndarray, list, tuple)):
        return np.asarray(integer_in("zero_point", zero_point, low, high))
    points = zero_point
    if isinstance(points, np.ndarray) and points.dtype.name in _INTEGERS:
        points = points.astype(np.int64)  # NumPy does not count ml_dtypes' dtypes as integers
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
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Quantize to integers by scale and zero point, as ONNX's QuantizeLinear.

    The result is ``q = saturate(round(w / scale) + zero_point)``. The quotient is a true division,
    in float64 if `w` is float64, else in float32. It is rounded to the nearest integer, ties to
    even.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. Infinities saturate.
    scale : float or array_like of float
        The step between neighbouring values: positive, finite and not subnormal in the type of the
        division. One number applies to the whole array. With `axis`, there is one scale for each
        index along it. With `block_size`, the scales have the shape of `w`, but
        ``ceil(length / block_size)`` entries along `axis`.
    zero_point : int or array_like of int, default 0
        The integer that represents 0: one number, or an array of the shape of `scale`.
    dtype : dtype, default int8
        The dtype of the integers: int8, uint8, int16, uint16, or int32, whose zero point must be 0;
        or int4, uint4, int2 or uint2 of ml_dtypes.
    axis : int, optional
        The axis of `w` along which `scale` varies. It is required with a one-dimensional `scale`;
        with `block_size` the default is the last axis.
    block_size : int, optional
        The number of neighbours along `axis` that share a scale. The last block may be smaller.
    nan : {"raise", "zero"}
        Whether NaN is refused or quantized like 0.
    packed : bool, default False
        Pack the integers, of at most 8 bits, as :func:`pack_ints` does, in the same pass.
    bitorder : {"little", "big"}
        The bit order of packed integers, as for :func:`pack_ints`.
    out : ndarray of `dtype`, of the shape of `w`, optional
        The array to write the result to. If `packed`, it is uint8 of ``ceil(w.size * bits / 8)``
        elements.

    Returns
    -------
    ndarray of `dtype`, of the shape of `w`
        `out`, or a new array. Returned if `packed` is False.
    ndarray of uint8, of shape ``(ceil(w.size * bits / 8),)``
        `out`, or a new array. Returned if `packed` is True.

    Raises
    ------
    TypeError
        If `w`, `scale`, `zero_point` or `out` has an unsupported dtype or type, or `dtype` is not
        one of those listed.
    ValueError
        If `w` holds NaN and `nan` is ``"raise"``; if a scale or a zero point is out of range; if
        they do not fit `w`; or if `out` does not fit `w` or overlaps it.

    Notes
    -----
    The method is that of ONNX's operator QuantizeLinear [1]_, opset 25. If all scales are powers of
    two, a multiplication by the reciprocal replaces the division, which gives the same bits.

    References
    ----------
    .. [1] https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.quantize_affine(np.float32([0, 0.25, -1, 100]), 0.5, 10)
    array([ 10,  10,   8, 127], dtype=int8)

    One scale per row:

    >>> w = np.float32([[1, 2, 3], [10, 20, 30]])
    >>> sc.quantize_affine(w, [1.0, 10.0], axis=0)
    array([[1, 2, 3],
           [1, 2, 3]], dtype=int8)
    """
    kind = _integer_type("dtype", dtype, as_bool("packed", packed))
    w = w if isinstance(w, np.ndarray) else np.asarray(w)
    computed = np.float64 if w.dtype.char == "d" else np.float32
    parameters = _parameters(scale, zero_point, kind, computed, w.shape, axis, block_size)
    return _core.quantize_affine(
        w, *parameters, kind.bits, kind.signed, kind.dtype, nan, packed, bitorder, out
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
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Compute ``(q - zero_point) * scale``, as ONNX's DequantizeLinear.

    The difference is exact. The product is computed in float64 if `dtype` is float64, else in
    float32, and then rounded to `dtype`. (For a product in float32, differences of int32 are first
    rounded to float32.)

    Parameters
    ----------
    q : array_like of integers, any shape; or of uint8, packed
        The integers, as :func:`quantize_affine` returns them.
    scale, zero_point, axis, block_size
        As for :func:`quantize_affine`, with `q` in place of `w`.
    dtype : dtype, default float32
        The dtype of the result: float16, bfloat16, float32 or float64.
    shape : int or tuple of int, optional
        The shape before packing. If it is given, `q` holds packed integers.
    packed_dtype : dtype, optional
        The dtype before packing: a dtype of :func:`quantize_affine` of at most 8 bits. Required
        with `shape`, and not allowed without it.
    bitorder : {"little", "big"}
        The bit order of packed integers, as for :func:`pack_ints`.
    out : ndarray of `dtype`, of the shape of `q` or of `shape`, optional
        The array to write the result to.

    Returns
    -------
    ndarray of `dtype`, of the shape of `q` or of `shape`
        `out`, or a new array.

    Raises
    ------
    TypeError
        As for :func:`quantize_affine`.
    ValueError
        As for :func:`quantize_affine`; or if the number of packed bytes does not match `shape`.

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
            msg = f"packed_dtype must be None without shape, got {shown(packed_dtype)}"
            raise ValueError(msg)
        kind = _integer_type("q", q.dtype.newbyteorder("="))
        shape_of_q = q.shape
    else:
        kind = _integer_type("packed_dtype", packed_dtype, packed=True)
        shape_of_q = shape = lengths(shape)
    parameters = _parameters(scale, zero_point, kind, computed, shape_of_q, axis, block_size)
    return _core.dequantize_affine(
        q, *parameters, kind.bits, kind.signed, wanted, shape, bitorder, out
    )
