"""Bit packing: integers of 1 to 8 bits, stored without unused bits between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.arguments import as_bool, as_dtype
from secateur.dtypes import INTEGERS
from secateur.messages import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import BitOrder

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]


def pack_ints(
    q: ArrayLike,
    bits: int,
    *,
    bitorder: BitOrder = "little",
    out: Bytes | None = None,
) -> Bytes:
    """Pack integers of 1 to 8 bits into bytes, without unused bits between them.

    Parameters
    ----------
    q : array_like of int8, uint8, or ml_dtypes' int4, uint4, int2 or uint2, any shape
        The integers, taken in C order. Signed integers are packed in two's complement.
    bits : int
        The width of the packed integers, 1 to 8.
    bitorder : {"little", "big"}
        The bit order. ``"little"`` fills bytes from their lowest bit, and integers begin with
        their lowest bit; ``"big"`` does both from the highest. See Notes.
    out : ndarray of uint8, of shape ``(ceil(q.size * bits / 8),)``, optional
        The array to write the result to.

    Returns
    -------
    ndarray of uint8, of shape ``(ceil(q.size * bits / 8),)``
        `out`, or a new array. Unused bits of the last byte are 0.

    Raises
    ------
    TypeError
        If `q` or `out` has an unsupported dtype, or `bits` is not an integer.
    ValueError
        If an element of `q` does not fit `bits` bits; if `bits` or `bitorder` is out of range; or if
        `out` does not fit `q` or overlaps it. Nothing is written in these cases, with one
        exception: when an element does not fit, a part of `out` may have been written.

    See Also
    --------
    unpack_ints : The inverse operation.

    Notes
    -----
    The packed bits form one stream. Element ``i`` occupies the bits from ``i * bits`` to
    ``(i + 1) * bits - 1``.

    ``"little"``: bit ``j`` of the stream is bit ``j % 8`` of byte ``j // 8``, and elements begin
    with their lowest bit. The first of two 4-bit integers is the lower half of a byte. This is the
    order of ONNX's 4-bit and 2-bit integers, of TensorFlow Lite's int4, of Keras's ``pack_int4``,
    and of GPTQ checkpoints, whose 32-bit words are little-endian. It is the order of
    ``np.packbits(..., bitorder="little")``.

    ``"big"``: bit ``j`` of the stream is bit ``7 - j % 8`` of byte ``j // 8``, and elements
    begin with their highest bit. The first of two 4-bit integers is the upper half of a byte. This
    is the order of bitsandbytes' 4-bit codes, and of torchao's 4-bit types until 2025. It is the
    default order of ``np.packbits``.

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
    """
    return _core.pack_ints(q, bits, bitorder, out)


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
    """Unpack integers that :func:`pack_ints` packed.

    Parameters
    ----------
    packed : array_like of uint8, any shape
        The packed integers, in C order. Bits after the first `n` integers are ignored.
    bits : int
        The width of the packed integers, 1 to 8.
    n : int
        The number of integers.
    signed : bool, default True
        Whether the integers are in two's complement, which gives int8, or unsigned, which gives
        uint8. Must not be False if `dtype` is given.
    bitorder : {"little", "big"}
        The bit order, as for :func:`pack_ints`.
    dtype : dtype, optional
        The dtype of the result, which then determines whether the integers are signed: int8,
        uint8, or ml_dtypes' int4, uint4, int2 or uint2 if their width is `bits`.
    out : ndarray of the dtype of the result, of shape ``(n,)``, optional
        The array to write the result to.

    Returns
    -------
    ndarray of int8, uint8 or `dtype`, of shape ``(n,)``
        `out`, or a new array.

    Raises
    ------
    TypeError
        If `packed` or `out` has an unsupported dtype, `dtype` is not supported, or `bits` or `n` is
        not an integer.
    ValueError
        If `packed` has too few bytes for `n` integers, an argument is out of range, or `out` does
        not fit or overlaps `packed`. Nothing is written in these cases.

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
    """
    return _core.unpack_ints(packed, bits, n, bitorder, result_dtype(signed, dtype), out)


def result_dtype(signed: bool, dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype that integers are unpacked to."""
    if dtype is None:
        return np.dtype(np.int8 if as_bool("signed", signed) else np.uint8)
    if not as_bool("signed", signed):
        msg = f"signed must be True (the default) if dtype is given, got {shown(signed)}"
        raise ValueError(msg)
    return as_dtype(
        "dtype", dtype, " or ".join(name for name, kind in INTEGERS.items() if kind.bits <= 8)
    )
