"""Compressed tensors: arrays that were pruned and quantized, in as few bytes as that takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    native,
    one_of,
    plain,
    refuse,
    result_float_type,
    shown,
)
from secateur.reference.bitmask import encode_bitmask, kept_of
from secateur.reference.integers import width_of
from secateur.reference.packing import MAX_BITS, bytes_of, pack_ints, shape_of, unpack_ints
from secateur.reference.pruning import prune
from secateur.reference.quantization import check_format, dequantize, quantize

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import Affine, FixedPoint
    from secateur.literals import (
        Axes,
        Encoding,
        Norm,
        Overflow,
        QuantizationNaN,
        Remainder,
        Rounding,
    )

    Array = NDArray[Any]
    Bytes = NDArray[np.uint8]


class CompressedTensor:
    """An array that was pruned and quantized, as :func:`compress` stores it.

    Parameters, attributes, methods and errors are those of :class:`secateur.CompressedTensor`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> fmt = reference.FixedPoint(8, 0)
    >>> reference.CompressedTensor(np.uint8([7]), fmt, 3, gaps=np.uint8([1])).decompress()
    array([0., 7., 0.], dtype=float32)
    """

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
        _check(fmt)
        self.fmt = fmt
        self.shape = shape_of(shape)
        self.size = math.prod(self.shape)
        self.dtype = result_float_type(dtype)
        self.packed = plain("packed", packed)
        self.bitmask = None if bitmask is None else plain("bitmask", bitmask)
        self.gaps = None if gaps is None else plain("gaps", gaps)
        self.encoding = "dense" if self.gaps is None else "gaps"
        if self.bitmask is not None:
            self.encoding = "bitmask"
        self.count = int(self._stored().sum())
        parameters = [getattr(fmt, name, None) for name in PARAMETERS]
        arrays = [self.packed, self.bitmask, self.gaps, *parameters]
        self.nbytes = sum(a.nbytes for a in arrays if isinstance(a, np.ndarray))
        self.ratio = self.size * self.dtype.itemsize / self.nbytes if self.nbytes else math.inf
        self._unpacked()
        wanted = (bytes_of(width_of(fmt), self.count),)
        if self.packed.shape != wanted:
            what = f"{self.count} stored integers of {width_of(fmt)} bits"
            refuse("packed", f"of shape {wanted}, for {what}", f"{self.packed.shape}")

    def integers(self) -> Array:
        """Return the integers of the whole array."""
        q = np.empty(self.shape, self.fmt.dtype)
        q[...] = quantize(np.zeros(self.shape), self.fmt)
        stored = self._stored()
        if stored.sum() != self.count:
            allowed = f"a bit for each of the {self.count} values"
            refuse("bitmask", allowed, f"{stored.sum()} bits")
        q[stored] = self._unpacked()
        return q

    def decompress(self, *, dtype: DTypeLike | None = None, out: Array | None = None) -> Array:
        """Return the array of floats that the integers represent."""
        dtype = self.dtype if dtype is None else dtype
        return dequantize(self.integers(), self.fmt, dtype=dtype, out=out)

    def _stored(self) -> Array:
        """Return which integers are stored."""
        if self.bitmask is not None:
            return kept_of(self.bitmask, self.shape)
        if self.gaps is None:
            return np.ones(self.shape, np.bool_)
        stored = np.zeros(self.size, np.bool_)
        position = -1
        for gap in numbers(native("gaps", self.gaps, np.uint8)):
            left = self.size - position - 1
            if gap >= left:
                got = f"a gap of {gap} with {left} bits left"
                refuse("gaps", f"within the {self.size} bits of bitmask", got)
            position += gap + 1
            stored[position] = True
        return stored.reshape(self.shape)

    def _unpacked(self) -> Array:
        fmt = self.fmt
        stored = unpack_ints(self.packed, width_of(fmt), self.count, signed=fmt.signed)
        return stored.astype(fmt.dtype)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            refuse("copy", "None or True, since decompressing takes new memory", copy)
        return self.decompress().astype(self.dtype if dtype is None else dtype, copy=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompressedTensor):
            return NotImplemented
        return self._key() == other._key()

    __hash__ = None  # type: ignore[assignment]

    def _key(self) -> tuple[object, ...]:
        arrays = (self.packed, self.bitmask, self.gaps)
        stored = (None if array is None else array.tobytes() for array in arrays)
        return self.shape, self.dtype, self.fmt, *stored

    def __repr__(self) -> str:
        return (
            f"CompressedTensor(shape={self.shape}, dtype={self.dtype}, bits={width_of(self.fmt)}, "
            f"encoding={self.encoding!r}, count={self.count}, nbytes={self.nbytes}, "
            f"ratio={self.ratio:.1f})"
        )


RAISE = "raise"
PARAMETERS = ("bits", "frac_bits", "scale", "zero_point")


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

    Parameters, results and errors are those of :func:`secateur.compress`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> tensor = reference.compress(np.float32([0, 1, 0, 0, 3]), reference.FixedPoint(8, 0), k=1)
    >>> tensor.encoding, tensor.gaps, tensor.packed
    ('bitmask', None, array([3], dtype=uint8))
    """
    _check(fmt)
    one_of("encoding", encoding, "smallest", "dense", "bitmask", "gaps")
    selection: dict[str, Any] = {"k": k, "sparsity": sparsity, "threshold": threshold}
    selection |= {"pattern": pattern, "block": block, "norm": norm, "axis": axis}
    selection |= {"scores": scores, "factors": factors}
    if remainder is not RAISE or any(value is not None for value in selection.values()):
        selection |= {"remainder": remainder, "nan": "prune" if nan == "zero" else "raise"}
        w = prune(w, **selection)
    q = quantize(
        *(w, fmt),
        rounding=rounding,
        overflow=overflow,
        nan=nan,
        seed=seed,
        index_offset=index_offset,
    )
    dtype = np.asarray(w).dtype.newbyteorder("=")
    stored = q != quantize(np.zeros(q.shape), fmt)
    sparse = encode_bitmask(q, stored)
    gaps = encoded_gaps(stored)
    packed = pack_ints(sparse.values, width_of(fmt))
    made = {
        "dense": CompressedTensor(pack_ints(q, width_of(fmt)), fmt, q.shape, dtype),
        "bitmask": CompressedTensor(packed, fmt, q.shape, dtype, bitmask=sparse.bitmask),
        "gaps": CompressedTensor(packed, fmt, q.shape, dtype, gaps=gaps),
    }
    if encoding != "smallest":
        return made[encoding]
    return min(made.values(), key=lambda tensor: tensor.nbytes)


def encoded_gaps(stored: Array) -> Bytes:
    """Return the gaps of a mask: the numbers of False before each True, as LEB128."""
    data = bytearray()
    for distance in np.diff(np.flatnonzero(stored), prepend=-1).tolist():
        gap = distance - 1
        while gap >= 128:
            data.append(gap % 128 + 128)
            gap //= 128
        data.append(gap)
    return np.array(data, np.uint8)


def numbers(data: Bytes) -> list[int]:
    """Return the numbers that are stored as LEB128."""
    found, number, first = [], 0, 0
    for i, byte in enumerate(data.ravel().tolist()):
        number += byte % 128 << 7 * (i - first)
        if number >= 2**64 or i - first == 10:
            break
        if byte < 128:
            if byte == 0 and i != first:
                break
            found.append(number)
            number, first = 0, i + 1
    if first != data.size:
        allowed = "LEB128 numbers of at most 64 bits, each as short as possible"
        refuse("gaps", allowed, f"others at byte {first}")
    return found


def _check(fmt: Any) -> None:
    check_format(fmt, max_bits=64)
    if width_of(fmt) > MAX_BITS:
        refuse("fmt", f"at most {MAX_BITS} bits wide to be packed", shown(fmt))
