"""Bit packing: integers of 1 to 16 bits, stored without unused bits between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from secateur import _core
from secateur.arguments import as_bool, as_dtype, as_shape, integer
from secateur.dtypes import INTEGERS
from secateur.messages import shown

if TYPE_CHECKING:
    from typing import Literal

    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import BitOrder, RowAlign

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]
    Words = NDArray[np.int32]


@overload
def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    out: Bytes | None = None,
) -> Bytes: ...
@overload
def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    row_align: Literal[32],
    bitorder: BitOrder = "little",
    out: Words | None = None,
) -> Words: ...
@overload
def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    row_align: RowAlign | None,
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array: ...
def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    row_align: RowAlign | None = None,
    bitorder: BitOrder = "little",
    out: Array | None = None,
) -> Array:
    """Pack integers of 1 to 16 bits into bytes, without unused bits between them.

    Parameters
    ----------
    q : array_like of int8, uint8, int16, uint16, or ml_dtypes' int4, uint4, int2 or uint2, any shape
        The integers, taken in C order. Signed integers are packed in two's complement.
    bits : int
        The width of the packed integers, 1 to 16.
    row_align : {None, 8, 32}
        The padding of rows, which run along the last axis. None packs the flat array, without
        padding between rows. 8 pads each row to a multiple of 8 bits (byte-aligned rows), and 32 to
        a multiple of 32 bits.
    bitorder : {"little", "big"}
        The bit order. ``"little"`` fills bytes from their lowest bit, and integers begin with
        their lowest bit; ``"big"`` does both from the highest. See Notes.
    out : ndarray of the dtype and shape of the result, optional
        The array to write the result to.

    Returns
    -------
    ndarray of uint8, of shape ``(ceil(q.size * bits / 8),)``
        `out`, or a new array. Unused bits of the last byte are 0. Returned if `row_align` is None.
    ndarray of uint8, of shape ``(*q.shape[:-1], ceil(q.shape[-1] * bits / 8))``
        The same for each row. Returned if `row_align` is 8.
    ndarray of int32, of shape ``(*q.shape[:-1], ceil(q.shape[-1] * bits / 32))``
        The bytes of each row, padded with zeros and viewed as 32-bit words. Returned if `row_align`
        is 32.

    Raises
    ------
    TypeError
        If `q` or `out` has an unsupported dtype, or `bits` or `row_align` is not an integer.
    ValueError
        If an element of `q` does not fit `bits` bits; if `bits`, `row_align` or `bitorder` is out of
        range; if `row_align` is given and `q` has no axis; or if `out` does not fit `q` or overlaps
        it. Nothing is written in these cases, with one exception: when an element does not fit, a
        part of `out` may have been written.

    See Also
    --------
    unpack_ints : The inverse operation.

    Notes
    -----
    The packed bits form one stream, or with `row_align` one for each row. Element ``i`` occupies the
    bits from ``i * bits`` to ``(i + 1) * bits - 1``.

    ``"little"``: bit ``j`` of the stream is bit ``j % 8`` of byte ``j // 8``, and elements begin
    with their lowest bit. The first of two 4-bit integers is the lower half of a byte. This is the
    order of ONNX's 4-bit and 2-bit integers, of TensorFlow Lite's int4, of Keras's ``pack_int4``,
    and of GPTQ checkpoints, whose 32-bit words are little-endian. It is the order of
    ``np.packbits(..., bitorder="little")``.

    ``"big"``: bit ``j`` of the stream is bit ``7 - j % 8`` of byte ``j // 8``, and elements
    begin with their highest bit. The first of two 4-bit integers is the upper half of a byte. This
    is the order of bitsandbytes' 4-bit codes, and of torchao's 4-bit types until 2025. It is the
    default order of ``np.packbits``.

    The format ``pack-quantized`` of compressed-tensors has a matrix of int32 words for each weight.
    It stores integers of ``b`` bits with the offset ``2**(b - 1)``, as unsigned ones:
    ``pack_ints((q + 8).astype(np.uint8), 4, row_align=32)`` gives ``weight_packed`` for q of 4 bits.

    For formats that also permute the elements, apply the permutation first. AWQ stores elements
    0, 2, 4, 6, 1, 3, 5, 7 of eight in a 32-bit word, which is
    ``pack_ints(q.reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]], 4)``.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> q = np.int8([1, -2, 7])
    >>> [f"{byte:08b}" for byte in sc.pack_ints(q, 4)]
    ['11100001', '00000111']
    >>> [f"{byte:08b}" for byte in sc.pack_ints(q, 4, bitorder="big")]
    ['00011110', '01110000']

    Byte-aligned rows:

    >>> sc.pack_ints(np.uint8([[1, 2, 3], [4, 5, 6]]), 4, row_align=8)
    array([[33,  3],
           [84,  6]], dtype=uint8)
    """
    return _core.pack_ints(q, bits, row_align, bitorder, out)


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

    Parameters
    ----------
    packed : array_like of uint8, any shape; with `row_align`, of the shape of the packed rows
        The packed integers, in C order. Without `row_align`, bits after the last integer are
        ignored. With a `row_align` of 32, the dtype is int32.
    bits : int
        The width of the packed integers, 1 to 16.
    shape : int or tuple of int
        The shape of the integers, or their number.
    signed : bool, default True
        Whether the integers are in two's complement, which gives int8 or int16, or unsigned, which
        gives uint8 or uint16. Must not be False if `dtype` is given.
    row_align : {None, 8, 32}
        The padding of rows, as for :func:`pack_ints`.
    bitorder : {"little", "big"}
        The bit order, as for :func:`pack_ints`.
    dtype : dtype, optional
        The dtype of the result, which then determines whether the integers are signed: int8 or
        uint8, int16 or uint16, if `bits` is at most their width; or ml_dtypes' int4, uint4, int2 or
        uint2, if `bits` is their width.
    out : ndarray of the dtype of the result, of shape `shape`, optional
        The array to write the result to.

    Returns
    -------
    ndarray of `dtype`, of shape `shape`
        `out`, or a new array. Without `dtype`, integers of at most 8 bits are of int8 or uint8, and
        wider ones of int16 or uint16.

    Raises
    ------
    TypeError
        If `packed` or `out` has an unsupported dtype, `dtype` is not supported, or `bits`,
        `row_align` or a length of `shape` is not an integer.
    ValueError
        If `packed` has too few bytes for `shape` or, with `row_align`, another shape; if an argument
        is out of range; or if `out` does not fit or overlaps `packed`. Nothing is written in these
        cases.

    See Also
    --------
    pack_ints : The inverse operation.

    Notes
    -----
    The bit orders are those of :func:`pack_ints`.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> packed = np.uint8([0b11100001, 0b00000111])
    >>> sc.unpack_ints(packed, 4, 3)
    array([ 1, -2,  7], dtype=int8)
    >>> sc.unpack_ints(packed, 4, 3, signed=False)
    array([ 1, 14,  7], dtype=uint8)

    Byte-aligned rows:

    >>> packed = np.uint8([[33, 3], [84, 6]])
    >>> sc.unpack_ints(packed, 4, (2, 3), row_align=8)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=int8)
    """
    wanted = result_dtype(bits, signed, dtype)
    return _core.unpack_ints(packed, bits, as_shape(shape), row_align, bitorder, wanted, out)


def result_dtype(bits: int, signed: bool, dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype that integers are unpacked to."""
    if dtype is None:
        types = (np.int8, np.int16) if as_bool("signed", signed) else (np.uint8, np.uint16)
        return np.dtype(types[integer("bits", bits) > 8])
    if not as_bool("signed", signed):
        msg = f"signed must be True (the default) if dtype is given, got {shown(signed)}"
        raise ValueError(msg)
    return as_dtype(
        "dtype", dtype, " or ".join(name for name, kind in INTEGERS.items() if kind.bits <= 16)
    )
