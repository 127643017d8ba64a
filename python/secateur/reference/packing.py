"""Bit packing: integers of 1 to 8 bits, stored without unused bits between them."""

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

    from secateur.literals import BitOrder

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]


def pack_ints(
    q: ArrayLike, bits: int, *, bitorder: BitOrder = "little", out: Bytes | None = None
) -> Bytes:
    """Pack integers of 1 to 8 bits into bytes, without unused bits between them.

    Parameters, results and errors are those of :func:`secateur.pack_ints`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.pack_ints(np.int8([1, -1, 7]), 4)
    array([241,   7], dtype=uint8)
    >>> reference.pack_ints(np.int8([1, -1, 7]), 4, bitorder="big")
    array([ 31, 112], dtype=uint8)
    """
    bits = integer_in("bits", bits, 1, 8)
    check_bitorder(bitorder)
    q = plain("q", q)
    if q.dtype.name not in SMALL_INTEGERS:
        refuse("q", " or ".join(SMALL_INTEGERS), q.dtype, TypeError)
    given = SMALL_INTEGERS[q.dtype.name]
    fitting = Integers(bits, given.signed)
    codes = q.astype(given.dtype).ravel()
    out = result(out, np.uint8, q, q, shape=(bytes_of(bits, q.size),))
    wrong = (codes < fitting.min) | (codes > fitting.max)
    if wrong.any():
        first = wrong.argmax()
        allowed = f"integers from {fitting.min} to {fitting.max}, those of {bits} bits"
        refuse("q", allowed, f"{codes[first]} at flat index {first}")
    np.copyto(out, packed_codes(codes, bits, bitorder))
    return out


def unpack_ints(
    packed: ArrayLike,
    bits: int,
    n: int,
    *,
    signed: bool = True,
    bitorder: BitOrder = "little",
    dtype: DTypeLike | None = None,
    out: Array | None = None,
) -> Array:
    """Unpack `n` integers that :func:`pack_ints` packed.

    Parameters, results and errors are those of :func:`secateur.unpack_ints`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.unpack_ints(np.uint8([241, 7]), 4, 3)
    array([ 1, -1,  7], dtype=int8)
    >>> reference.unpack_ints(np.uint8([241, 7]), 4, 3, signed=False)
    array([ 1, 15,  7], dtype=uint8)
    """
    bits = integer_in("bits", bits, 1, 8)
    n = integer_in("n", n, 0, 2**63 - 1)
    check_bitorder(bitorder)
    if as_bool("signed", signed):
        wanted = as_dtype("dtype", np.int8 if dtype is None else dtype, " or ".join(SMALL_INTEGERS))
    elif dtype is None:
        wanted = np.dtype(np.uint8)
    else:
        refuse("signed", "True (the default) if dtype is given", shown(signed))
    if wanted.name not in SMALL_INTEGERS:
        refuse("dtype", " or ".join(SMALL_INTEGERS), wanted, TypeError)
    width, signed = SMALL_INTEGERS[wanted.name]
    if width not in (8, bits):
        refuse("bits", f"{width} for dtype {wanted}", bits)
    given = native("packed", packed, np.uint8)
    if given.size < bytes_of(bits, n):
        allowed = f"at least {bytes_of(bits, n)} bytes long, for {n} integers of {bits} bits"
        refuse("packed", allowed, given.size)
    out = result(out, wanted, given, given, shape=(n,))
    codes = unpacked_codes(given.ravel()[: bytes_of(bits, n)], bits, n, signed, bitorder)
    np.copyto(out, codes.astype(wanted))
    return out


def check_bitorder(bitorder: BitOrder) -> None:
    one_of("bitorder", bitorder, "little", "big")


def check_packed(packed: bool, name: str, bits: int, got: str, bitorder: BitOrder) -> bool:
    """Return `packed`; refuse it if the integers have more than 8 bits."""
    check_bitorder(bitorder)
    if as_bool("packed", packed) and bits > 8:
        refuse(name, "at most 8 bits wide to be packed", got)
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


# Eight integers of `bits` bits take exactly `bits` bytes. They are packed in a word of 64 bits, and
# the first `bits` bytes of the word are the result. The word is little-endian for "little" and
# big-endian for "big".


def packed_codes(codes: Array, bits: int, bitorder: BitOrder) -> Bytes:
    eights = np.zeros((-(-codes.size // 8), 8), np.uint8)
    eights.reshape(-1)[: codes.size] = codes.view(np.uint8)
    eights &= np.uint8((1 << bits) - 1)
    words = np.zeros(len(eights), _words(bitorder))
    for j, shift in enumerate(_shifts(bits, bitorder)):
        words |= eights[:, j].astype(np.uint64) << shift
    packed = words.view(np.uint8).reshape(-1, 8)[:, :bits]
    return packed.reshape(-1)[: bytes_of(bits, codes.size)]


def unpacked_codes(packed: Bytes, bits: int, n: int, signed: bool, bitorder: BitOrder) -> Array:
    words = np.zeros(-(-n // 8), _words(bitorder))
    padded = np.zeros(words.size * bits, np.uint8)
    padded[: packed.size] = packed
    words.view(np.uint8).reshape(-1, 8)[:, :bits] = padded.reshape(-1, bits)
    eights = np.empty((words.size, 8), np.uint8)
    for j, shift in enumerate(_shifts(bits, bitorder)):
        eights[:, j] = words >> shift & np.uint64((1 << bits) - 1)
    codes = eights.reshape(-1)[:n]
    if not signed:
        return codes
    sign = np.uint8(1 << bits - 1)
    return ((codes ^ sign) - sign).view(np.int8)


def _words(bitorder: BitOrder) -> str:
    return "<u8" if bitorder == "little" else ">u8"


def _shifts(bits: int, bitorder: BitOrder) -> list[np.uint64]:
    """Return the position in the word of each of eight integers, as a left shift."""
    low_first = bitorder == "little"
    return [np.uint64(bits * j if low_first else 64 - bits * (j + 1)) for j in range(8)]
