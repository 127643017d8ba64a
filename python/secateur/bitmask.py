"""Bitmasks: arrays with many zeros, as one bit per element and the nonzero values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from secateur import _core
from secateur.arguments import as_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]


class BitmaskArray:
    """An array with many zeros, as :func:`secateur.encode_bitmask` encodes it.

    A bitmask says which elements are stored, and `values` has these in C order. The others are zeros.

    Parameters
    ----------
    bitmask : array_like of uint8, of shape ``(*shape[:-1], ceil(shape[-1] / 8))``
        A bit for each element: bit ``j % 8``, counted from the lowest, of byte ``j // 8`` is that of
        element ``j`` of a row. Spare bits at the end of a row are 0. An array without axes has one
        byte.
    values : array_like, one-dimensional
        The elements whose bit is set, of any dtype that :func:`secateur.encode_bitmask` takes.
    shape : int or tuple of int
        The shape of the array.

    Attributes
    ----------
    bitmask, values, shape
        The parameters. The arrays are not copied, unless `values` are in another byte order than that
        of this machine.

    Raises
    ------
    TypeError
        If `bitmask` is not of uint8, or `values` has an unsupported dtype.
    ValueError
        If `bitmask` does not fit `shape`, has a spare bit that is set, or has another number of bits
        that are set than `values` has elements; or if `values` has not one dimension.

    See Also
    --------
    encode_bitmask : Encodes an array.

    Notes
    -----
    This is the layout of the sparse tensors of compressed-tensors 0.14 (``sparse-bitmask``), whose
    ``compressed``, ``bitmask`` and ``row_offsets`` are `values`, `bitmask` and `row_offsets` here.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sparse = sc.BitmaskArray(np.uint8([[0b0010], [0b1001]]), np.float32([7, 8, 9]), (2, 4))
    >>> sparse.decode()
    array([[0., 7., 0., 0.],
           [8., 0., 0., 9.]], dtype=float32)
    >>> sparse.row_offsets
    array([0, 1])
    """

    __slots__ = ("_bitmask", "_row_offsets", "_shape", "_values")

    def __init__(self, bitmask: ArrayLike, values: ArrayLike, shape: int | tuple[int, ...]) -> None:
        self._shape = as_shape(shape)
        self._bitmask, count, self._row_offsets = _core.count_bitmask(bitmask, self._shape)
        self._values = _core.check_bitmask_values(values)
        if self._values.ndim != 1:
            msg = f"values must have one dimension, got shape {self._values.shape}"
            raise ValueError(msg)
        if count != self._values.size:
            msg = (
                f"values must have an element for each of the {count} bits of bitmask that are set, "
                f"got {self._values.size}"
            )
            raise ValueError(msg)

    @property
    def bitmask(self) -> NDArray[np.uint8]:
        return self._bitmask

    @property
    def values(self) -> Array:
        return self._values

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the elements."""
        return self._values.dtype

    @property
    def size(self) -> int:
        """The number of elements, zeros included."""
        return math.prod(self._shape)

    @property
    def nbytes(self) -> int:
        """The bytes of the bitmask and of the values."""
        return self._bitmask.nbytes + self._values.nbytes

    @property
    def row_offsets(self) -> NDArray[np.int64]:
        """The index in `values` of the first element of each row, of shape ``shape[:-1]``."""
        return self._row_offsets

    def decode(self, *, out: Array | None = None) -> Array:
        """Return the array.

        Parameters
        ----------
        out : ndarray of this dtype and shape, optional
            The array to write the result to. It shares no memory with `bitmask` and `values`.

        Returns
        -------
        ndarray
            `out`, or a new array.

        Raises
        ------
        TypeError
            If `out` has another dtype.
        ValueError
            If `out` has another shape or overlaps `bitmask` or `values`, or if these were changed so
            that they no longer fit.

        Examples
        --------
        >>> import numpy as np
        >>> import secateur as sc
        >>> sc.encode_bitmask(np.int8([0, 0, 3])).decode()
        array([0, 0, 3], dtype=int8)
        """
        return _core.decode_bitmask(self._bitmask, self._values, self._shape, out)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """Return the decoded array, for :func:`numpy.asarray`."""
        if copy is False:
            msg = "copy must be None or True, since decoding takes new memory, got False"
            raise ValueError(msg)
        return self.decode().astype(self.dtype if dtype is None else dtype, copy=False)

    def __reduce__(self) -> tuple[type[BitmaskArray], tuple[Any, ...]]:
        return type(self), (self._bitmask, self._values, self._shape)

    def __eq__(self, other: object) -> bool:
        """Whether both have the same shape, dtype and bits."""
        if not isinstance(other, BitmaskArray):
            return NotImplemented
        return (
            (self._shape, self.dtype) == (other._shape, other.dtype)
            and self._bitmask.tobytes() == other._bitmask.tobytes()
            and self._values.tobytes() == other._values.tobytes()
        )

    __hash__ = None  # type: ignore[assignment]  # its arrays may change

    def __repr__(self) -> str:
        return (
            f"BitmaskArray(shape={self._shape}, dtype={self.dtype}, values={self._values.size}, "
            f"nbytes={self.nbytes})"
        )


def encode_bitmask(w: ArrayLike, mask: ArrayLike | None = None) -> BitmaskArray:
    """Encode an array with many zeros as a bitmask and the other elements.

    Parameters
    ----------
    w : array_like of floats or integers of 2 to 64 bits, or of bool, any shape
        The array; of floats, also ml_dtypes' bfloat16.
    mask : array_like of bool, of the shape of `w`, optional
        The elements to store, zeros among them. By default those that are not +0.0 or the integer 0:
        -0.0 is stored, so that decoding gives every bit back.

    Returns
    -------
    BitmaskArray
        The encoded array. Elements that are not stored decode as 0.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or `mask` is not of bool.
    ValueError
        If `mask` has another shape.

    See Also
    --------
    prune_mask : Chooses the elements to keep.
    pack_ints : Packs integers, without regard to zeros.

    Notes
    -----
    An array of n elements takes ``n / 8 + nonzeros * itemsize`` bytes, with whole bytes of bits for
    each row.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([[0, 1.5, 0, 0], [0, 0, -0.0, 2]])
    >>> sparse = sc.encode_bitmask(w)
    >>> sparse
    BitmaskArray(shape=(2, 4), dtype=float32, values=3, nbytes=14)
    >>> sparse.values
    array([ 1.5, -0. ,  2. ], dtype=float32)
    >>> np.array_equal(sparse.decode(), w)
    True
    """
    return BitmaskArray(*_core.encode_bitmask(w, mask))
