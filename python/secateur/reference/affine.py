"""Affine quantization: the integer q represents (q - zero_point) * scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    as_double,
    as_dtype,
    floats,
    integer_in,
    native,
    one_of,
    only_none,
    plain,
    refuse,
    refuse_nan,
    result,
    result_float_type,
)
from secateur.reference.granularity import broadcast_parameters
from secateur.reference.integers import UP_TO_16_BITS, Integers
from secateur.reference.packing import bytes_of, check_packed, packed_codes, unpacked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import BitOrder

    Array = NDArray[Any]
    Floats = NDArray[Any]

INTEGERS = UP_TO_16_BITS | {"int32": Integers(32, True)}


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

    Parameters, results and errors are those of :func:`secateur.quantize_affine`.

    Notes
    -----
    The method is that of ONNX's operator QuantizeLinear.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.quantize_affine(np.float32([0, 0.25, -1, 100]), 0.5, 10)
    array([ 10,  10,   8, 127], dtype=int8)
    """
    one_of("nan", nan, "raise", "zero")
    wanted, kind = _integer_type("dtype", dtype)
    w = floats("w", w)
    computed = np.float64 if w.dtype == np.float64 else np.float32
    scales, zeros = _parameters(scale, zero_point, kind, computed, w.shape, axis, block_size)
    if check_packed(packed, "dtype", kind.bits, wanted.name, bitorder):
        shape: tuple[int, ...] = (bytes_of(kind.bits, w.size),)
        out = result(out, np.uint8, w, *_arrays(scale, zero_point), shape=shape)
    else:
        out = result(out, wanted, w, *_arrays(scale, zero_point))
    refuse_nan("w", w, nan)
    # float32 suffices for 16 bits: a sum that it rounds is out of range before and after.
    wide = np.float64 if kind.bits > 16 else computed
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # signalling NaN too
        r = np.asarray(np.divide(w.astype(computed, copy=False), scales, order="C"))
        r = np.rint(r, out=r).astype(wide, copy=False)
        r += zeros.astype(wide)
        if nan == "zero":
            np.copyto(r, zeros, where=np.isnan(r), casting="same_kind")
        codes = np.clip(r, kind.min, kind.max, out=r).astype(kind.dtype)
    codes = packed_codes(codes.reshape(-1), kind.bits, bitorder) if packed else codes
    np.copyto(out, codes.astype(out.dtype, copy=False))
    return out


def dequantize_affine(
    q: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    *,
    axis: int | None = None,
    block_size: int | None = None,
    dtype: DTypeLike = np.float32,
    shape: tuple[int, ...] | None = None,
    packed_dtype: DTypeLike | None = None,
    bitorder: BitOrder = "little",
    out: Floats | None = None,
) -> Floats:
    """Compute ``(q - zero_point) * scale``, as ONNX's DequantizeLinear.

    Parameters, results and errors are those of :func:`secateur.dequantize_affine`.

    Notes
    -----
    The method is that of ONNX's operator DequantizeLinear.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.dequantize_affine(np.int8([10, 8, 127]), 0.5, 10)
    array([ 0. , -1. , 58.5], dtype=float32)
    """
    number = result_float_type(dtype)
    if shape is None:
        only_none(" without shape", packed_dtype=packed_dtype)
        held, kind = _integer_type("q", plain("q", q).dtype.newbyteorder("="))
        given = q = native("q", q, held)
    else:
        held, kind = _integer_type("packed_dtype", packed_dtype)
        check_packed(True, "packed_dtype", kind.bits, held.name, bitorder)
        given, q = unpacked("q", q, shape, kind.bits, kind.signed, bitorder)
    wide = np.float64 if number == np.float64 else np.float32
    scales, zeros = _parameters(scale, zero_point, kind, wide, q.shape, axis, block_size)
    out = result(out, number, q, given, *_arrays(scale, zero_point))
    steps = q.astype(kind.dtype, copy=False).astype(np.int32) - zeros
    with np.errstate(over="ignore", under="ignore"):
        values = np.multiply(steps.astype(wide), scales)
        np.copyto(out, values, casting="same_kind")
    return out


# --- arguments ------------------------------------------------------------------------------


def _integer_type(name: str, dtype: DTypeLike | None) -> tuple[np.dtype[Any], Integers]:
    """Return a dtype and the integers that it holds."""
    wanted = as_dtype(name, dtype, " or ".join(INTEGERS))
    if wanted.name not in INTEGERS or not wanted.isnative:
        refuse(name, wanted, " or ".join(INTEGERS), TypeError)
    return wanted, INTEGERS[wanted.name]


def _arrays(*values: ArrayLike) -> list[Array]:
    return [value for value in values if isinstance(value, np.ndarray)]


def _parameters(
    scale: ArrayLike,
    zero_point: ArrayLike,
    kind: Integers,
    computed: type[np.float32 | np.float64],
    shape: tuple[int, ...],
    axis: int | None,
    block_size: int | None,
) -> tuple[Floats, Array]:
    """Return the scales, in the type `computed`, and the zero points.

    Their shapes broadcast to `shape`, that of the array.
    """
    scales = _scales(scale, computed)
    zeros = _zero_points(zero_point, kind)
    if zeros.ndim and zeros.shape != scales.shape:
        allowed = f"an integer or of the shape of scale, {scales.shape}"
        refuse("zero_point", f"shape {zeros.shape}", allowed)
    target = shape, axis, block_size, "block_size"
    scales = broadcast_parameters("scale", scales, *target)
    return scales, broadcast_parameters("zero_point", zeros, *target) if zeros.ndim else zeros


def _scales(scale: ArrayLike, computed: type[np.float32 | np.float64]) -> Floats:
    if isinstance(scale, (np.ndarray, list, tuple)):
        scales = floats("scale", scale)
    else:
        scales = np.asarray(as_double("scale", scale))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a signalling NaN
        scales = np.asarray(scales.astype(computed))
    wrong = ~(np.isfinite(scales) & (scales >= np.finfo(computed).tiny))
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        got = f"{scales[index]}" + (f" at {index}" if index else "")
        allowed = f"positive, finite and not subnormal in {np.dtype(computed)}"
        refuse("scale", got, allowed)
    return scales


def _zero_points(zero_point: ArrayLike, kind: Integers) -> Array:
    # As in ONNX, the zero point of int32 is 0.
    low, high = (0, 0) if kind.bits == 32 else (kind.min, kind.max)
    if not isinstance(zero_point, (np.ndarray, list, tuple)):
        return np.asarray(integer_in("zero_point", zero_point, low, high), np.int32)
    zeros = plain("zero_point", zero_point)
    if isinstance(zero_point, (list, tuple)) and not zeros.size:  # NumPy takes it for floats
        zeros = zeros.astype(np.int32)
    elif isinstance(zero_point, (list, tuple)) and zeros.dtype.kind in "Of":
        for value in np.asarray(zero_point, object).flat:
            if not isinstance(value, float):
                integer_in("zero_point", value, low, high)
    if zeros.dtype.name in INTEGERS:  # including ml_dtypes' dtypes, which NumPy cannot compare
        zeros = zeros.astype(np.int64)
    elif zeros.dtype.kind not in "iu":
        refuse("zero_point", zeros.dtype, "an integer or an array of integers", TypeError)
    wrong = (zeros < low) | (zeros > high)
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        refuse("zero_point", f"{zeros[index]} at {index}", f"integers from {low} to {high}")
    return zeros.astype(np.int32)
