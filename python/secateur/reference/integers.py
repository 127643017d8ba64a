"""Integers of a given width: their range, and the dtypes that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur.formats import Affine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from secateur.formats import FixedPoint

    Array = NDArray[Any]


class Integers(NamedTuple):
    """Integers of `bits` bits: in two's complement if signed, else unsigned."""

    bits: int
    signed: bool

    @property
    def min(self) -> int:
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def max(self) -> int:
        return self.min + (1 << self.bits) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest dtype of NumPy itself that holds them."""
        return np.min_scalar_type(self.min if self.signed else self.max)


# By dtype name. Dtypes of fewer than 8 bits are those of ml_dtypes.
SMALL_INTEGERS = {
    "int2": Integers(2, True),
    "uint2": Integers(2, False),
    "int4": Integers(4, True),
    "uint4": Integers(4, False),
    "int8": Integers(8, True),
    "uint8": Integers(8, False),
}


def integers_of(fmt: FixedPoint | Affine | Integers) -> Integers:
    """Return the integers of the largest width of a format."""
    return Integers(width_of(fmt), fmt.signed)


def width_of(fmt: FixedPoint | Affine | Integers) -> int:
    """Return the width of stored integers, the largest of all groups."""
    return int(np.max(fmt.bits, initial=1))


def range_of(fmt: FixedPoint | Affine) -> tuple[int, int]:
    """Return the lowest and the highest integer in use, in any group."""
    if isinstance(fmt, Affine):
        return fmt.qmin, fmt.qmax
    integers = integers_of(fmt)
    return integers.min, integers.max


def storage_dtype(fmt: FixedPoint | Affine | Integers, array: Any) -> np.dtype[Any]:
    """Return the dtype of an array if it has fewer than 8 bits and holds the format.

    Otherwise return the default dtype of the format.
    """
    dtype = getattr(array, "dtype", None)
    small = SMALL_INTEGERS.get(getattr(dtype, "name", ""))
    if small is not None and small.signed == fmt.signed and width_of(fmt) <= small.bits < 8:
        return np.dtype(dtype)
    return integers_of(fmt).dtype


def extended(q: Array, fmt: FixedPoint | Affine) -> Array:
    """Return the lowest bits of integers, extended by their sign, or by 0 in unsigned formats."""
    unused = 8 * q.dtype.itemsize - width_of(fmt)
    return np.asarray((q << unused) >> unused)


def refuse_wider(q: Array, fmt: FixedPoint | Affine, name: str, remedy: str = "") -> None:
    """Refuse integers of more bits than the format `name`."""
    low, high = integers_of(fmt).min, integers_of(fmt).max
    least, most = ends(q)
    if least < low or most > high:
        integers = q.ravel().astype(object)
        index = int(((integers < low) | (integers > high)).argmax())
        msg = f"q must have integers from {low} to {high} for this {name}"
        msg += f", got {integers[index]} at flat index {index}"
        msg += f"; set sign_extend to take the lowest {width_of(fmt)} bits of each{remedy}"
        raise ValueError(msg)


def ends(integers: Array) -> tuple[int, int]:
    """Return the lowest and the highest integer; 0 for both if there are none."""
    return (int(integers.min()), int(integers.max())) if integers.size else (0, 0)
