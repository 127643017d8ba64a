"""Packing: integers of fewer bits than a byte, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.formats import truth

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]


def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    order: str = "low_first",
    out: Bytes | None = None,
) -> Bytes:
    """Integers of 1 to 8 bits side by side, with no bits between them.

    Parameters
    ----------
    q : array_like of int8, uint8, or ml_dtypes' int4, uint4, int2 or uint2, any shape
        The integers, in C order. Signed ones are packed as two's complements.
    bits : int
        How many bits each has, 1 to 8.
    order : {"low_first", "high_first"}
        Where bytes, and integers, begin: ``"low_first"`` with the lowest bit, ``"high_first"`` with
        the highest. See the notes.
    out : ndarray of uint8, of as many elements as bytes are needed, optional
        Where the result goes.

    Returns
    -------
    ndarray of uint8, of ``ceil(q.size * bits / 8)`` elements
        `out`, or a new array. Bits that are to spare in the last byte are 0.

    Raises
    ------
    TypeError
        If `q` or `out` is of another dtype, or `bits` is not an integer.
    ValueError
        If an element of `q` is not an integer of so many bits, `bits` or `order` is out of range,
        or `out` does not fit or overlaps `q`. Nothing is written then, except that such an element
        may be met when a part of `out` has been.

    See Also
    --------
    unpack_ints : The way back.

    Notes
    -----
    The bits make one stream, in which element ``i`` has those from ``i * bits`` on.

    ``"low_first"``: bit ``j`` of the stream is bit ``j % 8`` of byte ``j // 8``, and elements begin
    with their lowest bit; so the first of two 4-bit integers is the lower half of a byte. That is how
    ONNX stores its integers of 4 and 2 bits, TensorFlow Lite its int4, Keras its ``pack_int4``, and
    GPTQ checkpoints theirs, whose 32-bit words are little-endian. It is
    ``np.packbits(..., bitorder="little")``.

    ``"high_first"``: bit ``j`` is bit ``7 - j % 8``, and elements begin with their highest bit; so
    the first of two is the upper half. That is how bitsandbytes stores its 4-bit codes, and torchao
    stored its 4-bit types until 2025. It is ``np.packbits``.

    Formats that also change the order of the elements take that before: AWQ, which puts elements
    0, 2, 4, 6, 1, 3, 5, 7 of eight in a 32-bit word, is
    ``pack_ints(q.reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]], 4)``.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> q = np.int8([1, -2, 7])
    >>> [f"{byte:08b}" for byte in sc.pack_ints(q, 4)]
    ['11100001', '00000111']
    >>> [f"{byte:08b}" for byte in sc.pack_ints(q, 4, order="high_first")]
    ['00011110', '01110000']
    """
    return _core.pack_ints(q, bits, order, out)


def unpack_ints(
    packed: ArrayLike,
    bits: int,
    n: int,
    *,
    signed: bool = True,
    order: str = "low_first",
    dtype: DTypeLike | None = None,
    out: Array | None = None,
) -> Array:
    """The integers that :func:`pack_ints` packed.

    Parameters
    ----------
    packed : array_like of uint8, any shape
        The packed integers, in C order. What comes after the first `n` is not looked at.
    bits : int
        How many bits each has, 1 to 8.
    n : int
        How many there are.
    signed : bool, default True
        Whether they are two's complements, for int8, or not, for uint8.
    order : {"low_first", "high_first"}
        As for :func:`pack_ints`.
    dtype : dtype, optional
        The dtype of the result: int8, uint8, or ml_dtypes' int4, uint4, int2 or uint2 where `bits`
        is 4 or 2. It says what `signed` says otherwise, which must not be False then.
    out : ndarray of the dtype of the result, of `n` elements, optional
        Where the result goes.

    Returns
    -------
    ndarray of int8, uint8 or `dtype`, of `n` elements
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `packed`, `dtype` or `out` is of another dtype, or `bits` or `n` is not an integer.
    ValueError
        If `packed` has fewer bytes than `n` integers take, an argument is out of range, or `out`
        does not fit or overlaps `packed`. Nothing is written then.

    See Also
    --------
    pack_ints : How the bits are ordered.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> packed = np.uint8([0b11100001, 0b00000111])
    >>> sc.unpack_ints(packed, 4, 3)
    array([ 1, -2,  7], dtype=int8)
    >>> sc.unpack_ints(packed, 4, 3, signed=False)
    array([ 1, 14,  7], dtype=uint8)
    """
    return _core.unpack_ints(packed, bits, n, order, result_dtype(signed, dtype), out)


def result_dtype(signed: bool, dtype: DTypeLike | None) -> np.dtype[Any]:
    """What integers are unpacked to."""
    if dtype is None:
        return np.dtype(np.int8 if truth("signed", signed) else np.uint8)
    if not truth("signed", signed):
        msg = f"signed must be True, its default, where dtype says it, got {signed!r}"
        raise ValueError(msg)
    return np.dtype(dtype)
