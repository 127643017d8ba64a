"""Compressed tensors: arrays that were pruned and quantized, in as few bytes as that takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from secateur import _core
from secateur.arguments import array_of, as_dtype, as_shape, native_array, require_one_of
from secateur.dtypes import FLOATS
from secateur.formats import Affine, FixedPoint
from secateur.literals import Encoding
from secateur.messages import shown
from secateur.packing import pack_ints, unpack_ints
from secateur.pruning import RAISE, prune
from secateur.quantization import dequantize, prune_quantize, quantize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import Axes, Norm, Overflow, QuantizationNaN, Remainder, Rounding

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]

FLOAT32 = np.dtype(np.float32)
MAX_BITS = _core.max_packed_bits


class CompressedTensor:
    """An array that was pruned and quantized, as :func:`secateur.compress` stores it.

    The integers are packed without unused bits between them. A dense tensor stores all of them. A sparse
    one omits those that represent zero, and has a bitmask or gaps that say where the others are.

    Parameters
    ----------
    packed : array_like of uint8
        The stored integers in C order, packed as :func:`secateur.pack_ints` does, without padding.
    fmt : FixedPoint or Affine
        Their format, of at most 16 bits.
    shape : int or tuple of int
        The shape of the array.
    dtype : dtype, default float32
        The dtype of the array that was compressed: float16, bfloat16, float32 or float64.
    bitmask : array_like of uint8, of shape ``(*shape[:-1], ceil(shape[-1] / 8))``, optional
        Which integers are stored, as for :class:`secateur.BitmaskArray`.
    gaps : array_like of uint8, optional
        The same in another form: for each stored integer the number of integers, in C order, between
        it and the stored one before. These numbers are unsigned LEB128. Cannot be combined with
        `bitmask`.

    Attributes
    ----------
    packed, fmt, shape, dtype, bitmask, gaps
        The parameters. The arrays are not copied.

    Raises
    ------
    TypeError
        If `packed`, `bitmask` or `gaps` is not of uint8, `fmt` is not a format, or `dtype` is not one of
        the dtypes above.
    ValueError
        If `fmt` has more than 16 bits, both `bitmask` and `gaps` are given, one of them does not fit
        `shape`, or `packed` has another number of bytes than the stored integers take.

    See Also
    --------
    compress : Compresses an array.

    Notes
    -----
    LEB128 (Little Endian Base 128, DWARF 5, section 7.6) stores 7 bits of a number in each byte, from
    the lowest on; the highest bit of a byte is 1 if another byte follows. A gap takes a byte up to 127,
    and so a bitmask, with a bit for each element, is smaller than gaps if more than about an eighth of
    the integers are stored.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> fmt = sc.FixedPoint(4, frac_bits=1)
    >>> tensor = sc.CompressedTensor(np.uint8([0x72]), fmt, (2, 4), gaps=np.uint8([1, 4]))
    >>> tensor.decompress()
    array([[0. , 1. , 0. , 0. ],
           [0. , 0. , 3.5, 0. ]], dtype=float32)
    """

    __slots__ = ("_bitmask", "_count", "_dtype", "_fmt", "_gaps", "_packed", "_shape")

    def __init__(
        self,
        packed: ArrayLike,
        fmt: FixedPoint | Affine,
        shape: int | tuple[int, ...],
        dtype: DTypeLike = np.float32,
        *,
        bitmask: ArrayLike | None = None,
        gaps: ArrayLike | None = None,
    ) -> None:
        if bitmask is not None and gaps is not None:
            msg = "gaps must be None with bitmask, got both; one says which integers are stored"
            raise ValueError(msg)
        fmt = _checked_format(fmt)
        shape = as_shape(shape)
        allowed = " or ".join(FLOATS) + " in native byte order"
        dtype = as_dtype("dtype", dtype, allowed)
        if dtype.name not in FLOATS or not dtype.isnative:
            msg = f"dtype must be {allowed}, got {dtype}"
            raise TypeError(msg)
        count = math.prod(shape)
        if bitmask is not None:
            bitmask, count, _ = _core.count_bitmask(bitmask, shape)
        if gaps is not None:
            gaps, decoded = _core.decode_gaps(gaps, shape)
            _, count, _ = _core.count_bitmask(decoded, shape)
        unpack_ints(packed, _width(fmt), count, signed=fmt.signed)  # checks `packed`
        packed = array_of("packed", native_array("packed", packed))
        bytes_of_count = _packed_nbytes(count, fmt)
        if packed.shape != (bytes_of_count,):
            msg = (
                f"packed must have shape ({bytes_of_count},), for {count} stored integers of "
                f"{_width(fmt)} bits, got {packed.shape}"
            )
            raise ValueError(msg)
        self._set(packed, fmt, shape, dtype, bitmask, gaps, count)

    def _set(
        self,
        packed: Bytes,
        fmt: FixedPoint | Affine,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        bitmask: Bytes | None,
        gaps: Bytes | None,
        count: int,
    ) -> CompressedTensor:
        """Set the fields without a check, and return the tensor."""
        self._packed, self._bitmask, self._gaps = packed, bitmask, gaps
        self._fmt, self._shape, self._dtype = fmt, shape, dtype
        self._count = count
        return self

    @property
    def packed(self) -> Bytes:
        return self._packed

    @property
    def fmt(self) -> FixedPoint | Affine:
        return self._fmt

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._dtype

    @property
    def bitmask(self) -> Bytes | None:
        return self._bitmask

    @property
    def gaps(self) -> Bytes | None:
        return self._gaps

    @property
    def encoding(self) -> str:
        """``"dense"``, ``"bitmask"`` or ``"gaps"``."""
        if self._bitmask is not None:
            return "bitmask"
        return "dense" if self._gaps is None else "gaps"

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._shape)

    @property
    def count(self) -> int:
        """The number of stored integers."""
        return self._count

    @property
    def nbytes(self) -> int:
        """The bytes of the stored integers, of what says where they are, and of the arrays of `fmt`."""
        arrays = (self._packed, self._bitmask, self._gaps, *_arrays_of(self._fmt))
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def ratio(self) -> float:
        """How many times as many bytes the array of `dtype` has; infinity if `nbytes` is 0."""
        uncompressed = self.size * self._dtype.itemsize
        return uncompressed / self.nbytes if self.nbytes else math.inf

    def integers(self) -> Array:
        """Return the integers of the whole array.

        Returns
        -------
        ndarray of ``fmt.dtype``
            What :func:`secateur.quantize` returned, bit for bit.

        Raises
        ------
        ValueError
            If the arrays of this tensor were changed so that they no longer fit.

        Examples
        --------
        >>> import numpy as np
        >>> import secateur as sc
        >>> sc.compress(np.float32([0, 1, 0, 3.5]), sc.FixedPoint(4, frac_bits=1)).integers()
        array([0, 2, 0, 7], dtype=int8)
        """
        stored = self._unpacked()
        bitmask = self._bitmask
        if self._gaps is not None:
            _, bitmask = _core.decode_gaps(self._gaps, self._shape)
        if bitmask is None:
            return stored.reshape(self._shape)
        q = _core.decode_bitmask(bitmask, stored, self._shape, None)
        zero = _zero(self._fmt, self._shape)
        if np.any(zero):
            ones = np.ones(self._count, np.bool_)
            np.copyto(q, zero, where=~_core.decode_bitmask(bitmask, ones, self._shape, None))
        return q

    def decompress(self, *, dtype: DTypeLike | None = None, out: Array | None = None) -> Array:
        """Return the array of floats that the integers represent.

        Parameters
        ----------
        dtype : dtype, optional
            As for :func:`secateur.dequantize`; by default the `dtype` of this tensor.
        out : ndarray of `dtype` and of this shape, optional
            The array to write the result to.

        Returns
        -------
        ndarray of `dtype`
            `out`, or a new array.

        Raises
        ------
        TypeError, ValueError
            As for :func:`secateur.dequantize` and :meth:`integers`.

        Examples
        --------
        >>> import numpy as np
        >>> import secateur as sc
        >>> sc.compress(np.float32([0.9, -0.2]), sc.FixedPoint(4, frac_bits=2)).decompress()
        array([ 1.  , -0.25], dtype=float32)
        """
        dtype = self._dtype if dtype is None else dtype
        if self.encoding == "dense":
            return dequantize(self._packed, self._fmt, dtype=dtype, shape=self._shape, out=out)
        return dequantize(self.integers(), self._fmt, dtype=dtype, out=out)

    def _unpacked(self) -> Array:
        width = _width(self._fmt)
        stored = unpack_ints(self._packed, width, self._count, signed=self._fmt.signed)
        return stored.astype(self._fmt.dtype, copy=False)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """Return the decompressed array, for :func:`numpy.asarray`."""
        if copy is False:
            msg = "copy must be None or True, since decompressing takes new memory, got False"
            raise ValueError(msg)
        return self.decompress().astype(self._dtype if dtype is None else dtype, copy=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (
            self._packed,
            self._fmt,
            self._shape,
            self._dtype,
            self._bitmask,
            self._gaps,
        )

    def __eq__(self, other: object) -> bool:
        """Whether both have the same shape, dtype, format and stored bytes."""
        if not isinstance(other, CompressedTensor):
            return NotImplemented
        return self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]  # its arrays may change

    def _key(self) -> tuple[object, ...]:
        arrays = (self._packed, self._bitmask, self._gaps)
        stored = (None if array is None else array.tobytes() for array in arrays)
        return self._shape, self._dtype, self._fmt, *stored

    def __repr__(self) -> str:
        return (
            f"CompressedTensor(shape={self._shape}, dtype={self._dtype}, bits={_width(self._fmt)}, "
            f"encoding={self.encoding!r}, count={self._count}, nbytes={self.nbytes}, "
            f"ratio={self.ratio:.1f})"
        )


def compress(
    w: ArrayLike,
    fmt: FixedPoint | Affine,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    threshold: float | None = None,
    pattern: str | None = None,
    remainder: Remainder = "raise",
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    scores: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    axis: Axes | None = None,
    rounding: Rounding = "nearest_even",
    overflow: Overflow = "saturate",
    nan: QuantizationNaN = "raise",
    seed: int | None = None,
    index_offset: int = 0,
    encoding: Encoding = "smallest",
) -> CompressedTensor:
    """Prune, quantize and pack an array.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to compress.
    fmt : FixedPoint or Affine
        The format of the integers, of at most 16 bits.
    k, sparsity, threshold, pattern, remainder, block, norm, scores, factors, axis
        What to keep, as for :func:`prune`. By default everything is kept.
    rounding, overflow
        As for :func:`quantize`.
    nan : {"raise", "zero"}
        Whether NaN is refused, or ranked below zero and quantized like 0.
    seed, index_offset
        As for :func:`quantize`.
    encoding : {"smallest", "dense", "bitmask", "gaps"}
        What the result stores. ``"dense"``: all integers. ``"bitmask"``: those that do not represent
        zero, and a bit for each element. ``"gaps"``: the same, and the distances between them.
        ``"smallest"``: whichever takes the fewest bytes, the first of these if several do.

    Returns
    -------
    CompressedTensor
        Its integers are those of ``quantize(prune(w, ...), fmt, ...)``, bit for bit.

    Raises
    ------
    TypeError, ValueError, OverflowError
        As for :func:`prune` and :func:`quantize`; or if `fmt` has more than 16 bits, or `encoding` is
        not one of those above.

    See Also
    --------
    CompressedTensor.decompress : The inverse operation.
    prune_quantize : Returns the integers as an array.

    Notes
    -----
    With `k` or `sparsity` alone, the array is read once. Pruned and quantized weights in few bytes are
    two of the three stages of Deep Compression (Han et al. 2016, "Deep compression: compressing deep
    neural networks with pruning, trained quantization and Huffman coding"), which stores distances
    between weights too.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.random.default_rng(0).standard_normal((1000, 1000), np.float32)
    >>> fmt = sc.choose_affine(w, 8, symmetric=True)
    >>> tensor = sc.compress(w, fmt, sparsity=0.9)
    >>> tensor.encoding, tensor.count, tensor.nbytes
    ('gaps', 100000, 200001)
    >>> bool(np.abs(tensor.decompress() - sc.prune(w, sparsity=0.9)).max() <= fmt.scale / 2)
    True
    """
    _checked_format(fmt)
    require_one_of("encoding", encoding, get_args(Encoding))
    w = native_array("w", w)
    modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, "nan": nan}
    modes |= {"seed": seed, "index_offset": index_offset}
    selection: dict[str, Any] = {"threshold": threshold, "pattern": pattern, "block": block}
    selection |= {"norm": norm, "scores": scores, "factors": factors, "axis": axis}
    if remainder is not RAISE or any(value is not None for value in selection.values()):
        selection |= {"k": k, "sparsity": sparsity, "remainder": remainder}
        w = prune(w, **selection, nan="prune" if nan == "zero" else "raise")
        q = quantize(w, fmt, **modes)
    elif k is None and sparsity is None:
        q = quantize(w, fmt, **modes)
    else:
        q = prune_quantize(w, fmt, k=k, sparsity=sparsity, **modes)
    dtype = np.asarray(w).dtype.newbyteorder("=")
    return _encoded(q, fmt, dtype, encoding)


def _encoded(
    q: Array, fmt: FixedPoint | Affine, dtype: np.dtype[Any], encoding: Encoding
) -> CompressedTensor:
    """Return integers in an encoding."""
    width = _width(fmt)
    tensor = CompressedTensor.__new__(CompressedTensor)
    if encoding != "dense":
        zero = _zero(fmt, q.shape)
        bitmask, stored, _ = _core.encode_bitmask(q, q != zero if np.any(zero) else None)
        packed = pack_ints(stored, width)
        gaps = None
        # Each gap takes a byte at least.
        if encoding == "gaps" or (encoding == "smallest" and stored.size < bitmask.nbytes):
            gaps = _core.encode_gaps(bitmask, q.shape, stored.size)
        if encoding == "smallest" and gaps is not None and gaps.nbytes >= bitmask.nbytes:
            gaps = None
        positions = bitmask if gaps is None else gaps
        if encoding != "smallest" or packed.nbytes + positions.nbytes < _packed_nbytes(q.size, fmt):
            kept_bitmask = bitmask if gaps is None else None
            return tensor._set(packed, fmt, q.shape, dtype, kept_bitmask, gaps, stored.size)
    return tensor._set(pack_ints(q, width), fmt, q.shape, dtype, None, None, q.size)


def _checked_format(fmt: Any) -> FixedPoint | Affine:
    if not isinstance(fmt, (FixedPoint, Affine)):
        msg = f"fmt must be a FixedPoint or an Affine, got {shown(fmt)}"
        raise TypeError(msg)
    if _width(fmt) > MAX_BITS:
        msg = f"fmt must be at most {MAX_BITS} bits wide to be packed, got {shown(fmt)}"
        raise ValueError(msg)
    return fmt


def _width(fmt: FixedPoint | Affine) -> int:
    """Return the width of the stored integers."""
    return int(np.max(fmt.bits))


def _packed_nbytes(count: int, fmt: FixedPoint | Affine) -> int:
    return -(-count * _width(fmt) // 8)


def _zero(fmt: FixedPoint | Affine, shape: tuple[int, ...]) -> Any:
    """Return the integer that represents zero, or an array of those of all elements."""
    if isinstance(fmt, FixedPoint) or not np.any(fmt.zero_point):
        return 0
    if np.ndim(fmt.zero_point) == 0:
        return fmt.zero_point
    return quantize(np.zeros(shape), fmt)  # in float64, which represents every scale


def _arrays_of(fmt: FixedPoint | Affine) -> list[Array]:
    names = ("bits", "frac_bits") if isinstance(fmt, FixedPoint) else ("scale", "zero_point")
    return [value for name in names if isinstance(value := getattr(fmt, name), np.ndarray)]


def _restored(
    packed: Bytes,
    fmt: FixedPoint | Affine,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    bitmask: Bytes | None,
    gaps: Bytes | None,
) -> CompressedTensor:
    return CompressedTensor(packed, fmt, shape, dtype, bitmask=bitmask, gaps=gaps)
