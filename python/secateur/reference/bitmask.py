"""Bitmasks: arrays with many zeros, as one bit per element and the nonzero values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import native, plain, refuse, result
from secateur.reference.integers import SMALL_INTEGERS
from secateur.reference.packing import shape_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]

DTYPES = ("float16", "bfloat16", "float32", "float64", *SMALL_INTEGERS, "int16", "uint16", "int32",
          "uint32", "int64", "uint64", "bool")  # fmt: skip


class BitmaskArray:
    """An array with many zeros, as :func:`encode_bitmask` encodes it.

    Parameters, attributes, methods and errors are those of :class:`secateur.BitmaskArray`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.BitmaskArray(np.uint8([0b0010]), np.float32([7]), 4).decode()
    array([0., 7., 0., 0.], dtype=float32)
    """

    def __init__(self, bitmask: ArrayLike, values: ArrayLike, shape: int | tuple[int, ...]) -> None:
        self.shape = shape_of(shape)
        self.bitmask = plain("bitmask", bitmask)
        self.values = of_dtypes("values", values)
        if self.values.ndim != 1:
            refuse("values", "of one dimension", f"shape {self.values.shape}")
        kept = kept_of(self.bitmask, self.shape)
        count = np.count_nonzero(kept)
        if count != self.values.size:
            allowed = f"an element for each of the {count} bits of bitmask that are set"
            refuse("values", allowed, self.values.size)
        self.dtype = self.values.dtype
        self.size = math.prod(self.shape)
        self.nbytes = self.bitmask.nbytes + self.values.nbytes
        counts = np.asarray(kept.sum(axis=-1 if self.shape else None, dtype=np.int64))
        self.row_offsets = np.asarray(np.cumsum(counts).reshape(counts.shape) - counts)

    def decode(self, *, out: Array | None = None) -> Array:
        """Return the decoded array."""
        kept, values = kept_of(self.bitmask, self.shape), self.values
        inputs = {"values": self.values, "bitmask": self.bitmask}
        out = result(out, values.dtype, inputs, self.shape)
        count = np.count_nonzero(kept)
        if count != values.size:
            refuse("bitmask", f"a bit for each of the {values.size} values", f"{count} bits")
        decoded = np.zeros(self.shape, values.dtype)
        decoded[kept] = values
        np.copyto(out, decoded)
        return out

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            refuse("copy", "None or True, since decoding takes new memory", copy)
        return self.decode().astype(self.dtype if dtype is None else dtype, copy=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BitmaskArray):
            return NotImplemented
        return self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]

    def _key(self) -> tuple[object, ...]:
        return self.shape, self.dtype, self.bitmask.tobytes(), self.values.tobytes()

    def __repr__(self) -> str:
        return (
            f"BitmaskArray(shape={self.shape}, dtype={self.dtype}, values={self.values.size}, "
            f"nbytes={self.nbytes})"
        )


def encode_bitmask(w: ArrayLike, mask: ArrayLike | None = None) -> BitmaskArray:
    """Encode an array with many zeros as a bitmask and the other elements.

    Parameters, results and errors are those of :func:`secateur.encode_bitmask`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> sparse = reference.encode_bitmask(np.float32([0, 7, 0, 8]))
    >>> sparse.bitmask
    array([10], dtype=uint8)
    >>> sparse.values
    array([7., 8.], dtype=float32)
    """
    w = of_dtypes("w", w)
    if mask is None:
        bits = np.array(w, order="C").reshape(-1).view(f"u{w.itemsize}")
        kept = (bits != 0).reshape(w.shape)
    else:
        kept = native("mask", mask, np.bool_)
        if kept.shape != w.shape:
            refuse("mask", f"of shape {w.shape}, that of w", f"shape {kept.shape}")
    rows = kept.reshape(*w.shape[:-1], w.shape[-1] if w.ndim else 1)
    return BitmaskArray(np.packbits(rows, axis=-1, bitorder="little"), w[kept], w.shape)


def of_dtypes(name: str, values: ArrayLike) -> Array:
    """Return an array of one of the dtypes, in native byte order."""
    array = plain(name, values)
    if array.dtype.name not in DTYPES:
        refuse(name, " or ".join(DTYPES), array.dtype, TypeError)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def kept_of(bitmask: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the bits as bools in the shape of the array."""
    given = native("bitmask", bitmask, np.uint8)
    columns = shape[-1] if shape else 1
    wanted = (*shape[:-1], -(-columns // 8))
    if given.shape != wanted:
        refuse("bitmask", f"of shape {wanted}, whole bytes for each row of shape", f"{given.shape}")
    bits = np.unpackbits(given, axis=-1, bitorder="little").astype(np.bool_)
    if bits[..., columns:].any():
        row = int(bits[..., columns:].any(axis=-1).argmax())
        refuse("bitmask", "spare bits of 0", f"ones at the end of row {row}")
    return bits[..., :columns].reshape(shape)
