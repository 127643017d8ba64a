"""Bit packing: integers of 1 to 16 bits, stored without unused bits between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    as_bool,
    as_dtype,
    integer_in,
    native,
    one_of,
    plain,
    refuse,
    result,
    shown,
)
from secateur.reference.integers import SMALL_INTEGERS, Integers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import BitOrder, RowAlign

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]


# The integers that can be packed, by dtype name.
PACKABLE = SMALL_INTEGERS | {"int16": Integers(16, True), "uint16": Integers(16, False)}
MAX_BITS = 16


def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    row_align: RowAlign | None = None,
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Pack integers of 1 to 16 bits into bytes, without unused bits between them.

    Parameters, results and errors are those of :func:`secateur.pack_ints`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.pack_ints(np.int8([1, -1, 7]), 4)
    array([241,   7], dtype=uint8)
    >>> reference.pack_ints(np.int8([1, -1, 7]), 4, bitorder="big")
    array([ 31, 112], dtype=uint8)
    >>> reference.pack_ints(np.int16([1, -1]), 12, row_align=32)
    array([16773121], dtype=int32)
    """
    bits = integer_in("bits", bits, 1, MAX_BITS)
    check_bitorder(bitorder)
    row_align = checked_row_align(row_align)
    q = plain("q", q)
    if q.dtype.name not in PACKABLE:
        refuse("q", " or ".join(PACKABLE), q.dtype, TypeError)
    given = PACKABLE[q.dtype.name]
    fitting = Integers(bits, given.signed)
    codes = q.astype(given.dtype).ravel()
    shape, dtype = packed_shape("q", q.shape, bits, row_align), packed_dtype(row_align)
    out = result(out, dtype, {"q": q}, shape)
    wrong = (codes < fitting.min) | (codes > fitting.max)
    if wrong.any():
        first = wrong.argmax()
        allowed = f"integers from {fitting.min} to {fitting.max}, those of {bits} bits"
        refuse("q", allowed, f"{codes[first]} at flat index {first}")
    packed = np.zeros(shape, dtype)
    if row_align is None:
        packed[...] = packed_codes(codes, bits, bitorder)
    elif packed.size > 0:
        rows = packed.view(np.uint8).reshape(-1, packed.shape[-1] * packed.itemsize)
        for row, of_row in zip(rows, codes.reshape(len(rows), -1), strict=True):
            row[: bytes_of(bits, of_row.size)] = packed_codes(of_row, bits, bitorder)
    np.copyto(out, packed)
    return out


def unpack_ints(
    packed: ArrayLike,
    bits: int,
    shape: int | tuple[int, ...],
    *,
    signed: bool = True,
    row_align: RowAlign | None = None,
    bitorder: BitOrder = "little",
    dtype: DTypeLike | None = None,
    out: Array | None = None,
) -> Array:
    """Unpack integers that :func:`pack_ints` packed.

    Parameters, results and errors are those of :func:`secateur.unpack_ints`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.unpack_ints(np.uint8([241, 7]), 4, 3)
    array([ 1, -1,  7], dtype=int8)
    >>> reference.unpack_ints(np.uint8([241, 7]), 4, 3, signed=False)
    array([ 1, 15,  7], dtype=uint8)
    >>> reference.unpack_ints(np.int32([16773121]), 12, 2, row_align=32)
    array([ 1, -1], dtype=int16)
    """
    bits = integer_in("bits", bits, 1, MAX_BITS)
    shape = shape_of(shape)
    n = math.prod(shape)
    check_bitorder(bitorder)
    row_align = checked_row_align(row_align)
    if as_bool("signed", signed):
        default = np.int8 if bits <= 8 else np.int16
        wanted = as_dtype("dtype", default if dtype is None else dtype, " or ".join(PACKABLE))
    elif dtype is None:
        wanted = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    else:
        refuse("signed", "True (the default) if dtype is given", shown(signed))
    if wanted.name not in PACKABLE:
        refuse("dtype", " or ".join(PACKABLE), wanted, TypeError)
    width, signed = PACKABLE[wanted.name]
    if bits > width if width >= 8 else bits != width:
        refuse("bits", f"{'at most ' * (width >= 8)}{width} for dtype {wanted}", bits)
    given = native("packed", packed, packed_dtype(row_align))
    rows_shape = packed_shape("shape", shape, bits, row_align)
    if row_align is None and given.size < bytes_of(bits, n):
        allowed = f"at least {bytes_of(bits, n)} bytes long, for {n} integers of {bits} bits"
        refuse("packed", allowed, given.size)
    if row_align is not None and given.shape != rows_shape:
        msg = f"packed must have shape {rows_shape}, that of the packed rows, got {given.shape}"
        raise ValueError(msg)
    out = result(out, wanted, {"packed": given}, shape)
    codes = np.zeros(shape, Integers(max(bits, 8), signed).dtype)
    if row_align is None:
        of_all = given.ravel()[: bytes_of(bits, n)]
        codes[...] = unpacked_codes(of_all, bits, n, signed, bitorder).reshape(shape)
    elif n > 0:
        rows = np.ascontiguousarray(given).view(np.uint8).reshape(n // shape[-1], -1)
        size = bytes_of(bits, shape[-1])
        for row, of_row in zip(codes.reshape(-1, shape[-1]), rows[:, :size], strict=True):
            row[...] = unpacked_codes(of_row, bits, shape[-1], signed, bitorder)
    np.copyto(out, codes.astype(wanted))
    return out


def checked_row_align(row_align: Any) -> RowAlign | None:
    if row_align is None:
        return None
    bits = integer_in("row_align", row_align, -(2**63), 2**63 - 1)
    if bits not in (8, 32):
        refuse("row_align", "None, 8 or 32", bits)
    return bits  # type: ignore[return-value]


def packed_dtype(row_align: RowAlign | None) -> type[np.uint8 | np.int32]:
    return np.int32 if row_align == 32 else np.uint8


def packed_shape(
    name: str, shape: tuple[int, ...], bits: int, row_align: RowAlign | None
) -> tuple[int, ...]:
    """Return the shape of the packed integers of an array; `name` is the argument with its shape."""
    if row_align is None:
        return (bytes_of(bits, math.prod(shape)),)
    if not shape:
        msg = f"{name} must have an axis whose rows are aligned, got shape ()"
        raise ValueError(f"{msg}; without row_align, no axis is needed")
    return (*shape[:-1], -(-shape[-1] * bits // row_align))


def check_bitorder(bitorder: BitOrder) -> None:
    one_of("bitorder", bitorder, "little", "big")


def check_packed(packed: bool, name: str, bits: int, got: str, bitorder: BitOrder) -> bool:
    """Return `packed`; refuse it if the integers are too wide."""
    check_bitorder(bitorder)
    if as_bool("packed", packed) and bits > MAX_BITS:
        refuse(name, f"at most {MAX_BITS} bits wide to be packed", got)
    return packed


def bytes_of(bits: int, n: int) -> int:
    """Return the number of bytes of n packed integers."""
    return -(-n * bits // 8)


def unpacked(
    name: str, packed: ArrayLike, shape: Any, bits: int, signed: bool, bitorder: BitOrder
) -> tuple[Bytes, Array]:
    """Return the packed bytes, and the integers in their shape before packing."""
    shape = shape_of(shape)
    n = math.prod(shape)
    given = native(name, packed, np.uint8)
    if given.size != bytes_of(bits, n):
        msg = f"{name} must have {bytes_of(bits, n)} bytes, those of {n} packed integers"
        raise ValueError(f"{msg}, got shape {given.shape}")
    return given, unpacked_codes(given.ravel(), bits, n, signed, bitorder).reshape(shape)


def shape_of(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple, from a sequence of lengths or one length."""
    lengths = (shape,) if not isinstance(shape, (tuple, list)) else shape
    if len(lengths) > 64:
        refuse("shape", "of at most 64 axes, as an array of NumPy", f"{len(lengths)} axes")
    lengths = tuple(integer_in("shape", length, 0, 2**63 - 1) for length in lengths)
    integer_in("shape", math.prod(lengths), 0, 2**63 - 1)
    return lengths


# The bits of each integer are a row of an array of bools, in the order of the stream.


def packed_codes(codes: Array, bits: int, bitorder: BitOrder) -> Bytes:
    """Return the bytes of a flat array of integers."""
    low_first = np.arange(bits)
    places = low_first if bitorder == "little" else low_first[::-1]
    stream = codes.reshape(-1, 1).astype(np.int32) >> places & 1
    return np.packbits(stream.astype(np.bool_), bitorder=bitorder)


def unpacked_codes(packed: Bytes, bits: int, n: int, signed: bool, bitorder: BitOrder) -> Array:
    """Return the n integers that start at the first of the bytes."""
    stream = np.unpackbits(packed, count=n * bits, bitorder=bitorder).reshape(n, bits)
    low_first = stream if bitorder == "little" else stream[:, ::-1]
    weights = 1 << np.arange(bits, dtype=np.int32)
    if signed:
        weights[-1] *= -1
    codes = low_first.astype(np.int32) @ weights
    return np.asarray(codes.astype(Integers(max(bits, 8), signed).dtype))
