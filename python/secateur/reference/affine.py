"""Affine quantization: floats as integers times a scale, about a zero point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur.formats import granularity, integer_in, integers_in, real
from secateur.reference.arguments import (
    floats,
    native,
    one_of,
    only_none,
    plain,
    refuse,
    refuse_nan,
    result,
    wanted_float,
)
from secateur.reference.granularity import spread_along
from secateur.reference.packing import (
    NARROW,
    bytes_of,
    packed_codes,
    packed_is_wanted,
    unpacked,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Floats = NDArray[Any]

# Of each type: how many bits, and whether one is the sign.
INTEGERS = NARROW | {"int16": (16, True), "uint16": (16, False), "int32": (32, True)}


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
    """The integers nearest to ``w / scale``, moved by the zero point.

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
    kind = _integer_type("dtype", dtype)
    w = floats("w", w)
    number = np.float64 if w.dtype == np.float64 else np.float32
    scales, zeros = _parameters(scale, zero_point, kind, number, w.shape, axis, block_size)
    if packed_is_wanted(packed, "dtype", kind.bits, kind.name, order):
        shape: tuple[int, ...] = (bytes_of(kind.bits, w.size),)
        out = result(out, np.uint8, w, *_arrays(scale, zero_point), shape=shape)
    else:
        out = result(out, kind.dtype, w, *_arrays(scale, zero_point))
    refuse_nan("w", w, nan)
    # Sums that float32 would round are out of range of 16 bits before and after.
    wide = np.float64 if kind.bits > 16 else number
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # signalling NaN too
        r = np.asarray(np.divide(w.astype(number, copy=False), scales, order="C"))
        r = np.rint(r, out=r).astype(wide, copy=False)
        r += zeros.astype(wide)
        if nan == "zero":
            np.copyto(r, zeros, where=np.isnan(r), casting="same_kind")
        codes = np.clip(r, kind.min, kind.max, out=r).astype(kind.held)
    codes = packed_codes(codes.reshape(-1), kind.bits, order) if packed else codes
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
    order: str = "low_first",
    out: Floats | None = None,
) -> Floats:
    """The values ``(q - zero_point) * scale``.

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
    number = wanted_float(dtype)
    if shape is None:
        only_none(" without shape", packed_dtype=packed_dtype)
        kind = _integer_type("q", plain("q", q).dtype.newbyteorder("="))
        given = q = native("q", q, kind.dtype)
    else:
        kind = _integer_type("packed_dtype", packed_dtype)
        packed_is_wanted(True, "packed_dtype", kind.bits, kind.name, order)
        given, q = unpacked("q", q, shape, kind.bits, kind.signed, order)
    wide = np.float64 if number == np.float64 else np.float32
    scales, zeros = _parameters(scale, zero_point, kind, wide, q.shape, axis, block_size)
    out = result(out, number, q, given, *_arrays(scale, zero_point))
    steps = q.astype(kind.held, copy=False).astype(np.int32) - zeros
    with np.errstate(over="ignore", under="ignore"):
        values = np.multiply(steps.astype(wide), scales)
        np.copyto(out, values, casting="same_kind")
    return out


# --- arguments ------------------------------------------------------------------------------


class _Integers(NamedTuple):
    """A type of integers."""

    dtype: np.dtype[Any]
    bits: int
    signed: bool

    @property
    def name(self) -> str:
        return self.dtype.name

    @property
    def held(self) -> np.dtype[Any]:
        """The type of NumPy's own that holds them."""
        return np.dtype(f"{'int' if self.signed else 'uint'}{max(self.bits, 8)}")

    @property
    def min(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def max(self) -> int:
        return (1 << self.bits - self.signed) - 1


def _integer_type(name: str, dtype: DTypeLike | None) -> _Integers:
    if dtype is None:  # which NumPy takes for float64
        refuse(name, "None", " or ".join(INTEGERS), TypeError)
    wanted = np.dtype(dtype)
    if wanted.name not in INTEGERS or not wanted.isnative:
        refuse(name, wanted, " or ".join(INTEGERS), TypeError)
    return _Integers(wanted, *INTEGERS[wanted.name])


def _arrays(*values: ArrayLike) -> list[Array]:
    return [value for value in values if isinstance(value, np.ndarray)]


def _parameters(
    scale: ArrayLike,
    zero_point: ArrayLike,
    kind: _Integers,
    number: type[np.float32 | np.float64],
    shape: tuple[int, ...],
    axis: int | None,
    block_size: int | None,
) -> tuple[Floats, Array]:
    """Scales as that type of float, and zero points; in shapes that broadcast to the array's."""
    scales = _scales(scale, number)
    zeros = _zero_points(zero_point, kind)
    if zeros.ndim and zeros.shape != scales.shape:
        allowed = f"an integer or of the shape of scale, {scales.shape}"
        refuse("zero_point", f"shape {zeros.shape}", allowed)
    how = granularity("scale", scales.shape, shape, axis, block_size, group_name="block_size")
    spread = spread_along(scales, how, shape, axis)
    return spread, spread_along(zeros, how if zeros.ndim else None, shape, axis)


def _scales(scale: ArrayLike, number: type[np.float32 | np.float64]) -> Floats:
    if isinstance(scale, (np.ndarray, list, tuple)):
        scales = floats("scale", scale)
    else:
        scales = np.asarray(real("scale", scale))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a signalling NaN
        scales = np.asarray(scales.astype(number))
    wrong = ~(np.isfinite(scales) & (scales >= np.finfo(number).tiny))
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        came = f"{scales[place]}" + (f" at {place}" if place else "")
        allowed = f"positive, finite and not subnormal in {np.dtype(number)}"
        refuse("scale", came, allowed)
    return scales


def _zero_points(zero_point: ArrayLike, kind: _Integers) -> Array:
    if isinstance(zero_point, (np.ndarray, list, tuple)):
        points = plain("zero_point", zero_point)
        if points.dtype.name in INTEGERS:  # among them those that NumPy does not know as integers
            points = points.astype(np.int64)
        zeros = integers_in("zero_point", points, kind.min, kind.max)
    else:
        zeros = np.asarray(integer_in("zero_point", zero_point, kind.min, kind.max))
    if kind.bits > 16 and zeros.any():
        refuse("zero_point", repr(zero_point), f"0 for {kind.name}")
    return zeros.astype(np.int32)
