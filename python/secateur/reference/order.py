"""The order of floats as integers, and what is largest in it.

The bits of a float with the sign cleared, read as an integer, have the order of the magnitudes:
zero is lowest, infinity is above all numbers, and NaN above infinity. With the sign put back as that
of the integer, they have the order of the values, and the two zeros are equal. So a selection is of
integers here, its *keys*, one row for each slice that it is made in.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Bits = NDArray[Any]  # integers of the floats' width
    Floats = NDArray[Any]
    Keys = NDArray[Any]  # signed integers of the floats' width
    Mask = NDArray[np.bool_]

# The bits of infinity; NaN are the magnitudes above it.
INFINITIES = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}


def most(dtype: np.dtype[Any]) -> int:
    """Every bit of a float but its sign: the largest of all keys."""
    return (1 << (8 * dtype.itemsize - 1)) - 1


def bits_of(values: Floats) -> Bits:
    return values.view(f"i{values.itemsize}")


# --- rows -----------------------------------------------------------------------------------


def as_rows(array: Array, axis: int | None) -> Array:
    """The slices along an axis as the rows of a matrix, or the whole array as its only row."""
    if axis is None:
        return array.reshape(1, -1)
    slices = np.moveaxis(array, axis, -1)
    return slices.reshape(math.prod(slices.shape[:-1]), slices.shape[-1])


def from_rows(rows: Array, shape: tuple[int, ...], axis: int | None) -> Array:
    """The array that has those rows: the inverse of `as_rows`, but for the length of the axis."""
    if axis is None:
        return rows.reshape(shape)
    others = shape[:axis] + shape[axis + 1 :]
    return np.moveaxis(rows.reshape(*others, rows.shape[-1]), -1, axis)


# --- keys -----------------------------------------------------------------------------------


def keys_of(values: Floats, nan: str, *, signed: bool = False) -> Keys:
    """Integers in the order of the magnitudes, or if `signed` of the values; in C order.

    NaN are above infinity; or, if `nan` is ``"prune"``, below everything else.
    """
    keys: Keys = np.bitwise_and(bits_of(values), most(values.dtype), order="C")
    infinity = INFINITIES[values.dtype.name]
    if signed:
        down = bits_of(values) < 0
        down[keys > infinity] = nan == "prune"
        np.negative(keys, out=keys, where=down)
    elif nan == "prune":  # as if negative, and in the same order among themselves
        np.bitwise_or(keys, np.iinfo(keys.dtype).min, out=keys, where=keys > infinity)
    return keys


def magnitudes_of(keys: Keys, dtype: np.dtype[Any]) -> Floats:
    """The magnitudes that keys stand for: the inverse of `keys_of`."""
    return np.bitwise_and(keys, most(dtype)).view(dtype)


def key_below(limit: float, dtype: np.dtype[Any]) -> int:
    """The largest key of a value that is no larger than `limit`: what is above it is larger."""
    with np.errstate(over="ignore"):
        nearest = np.array([limit]).astype(dtype)
    key = int(keys_of(nearest, "keep", signed=True)[0])
    return key - (float(nearest[0]) > limit)  # its neighbour, for nothing lies between the two


def rounded(value: float, dtype: np.dtype[Any]) -> Any:
    """A number as a scalar of the type; to nearest, half to even."""
    return narrowed(np.array([value]), dtype)[0]


def narrowed(values: NDArray[np.float64], dtype: np.dtype[Any]) -> Floats:
    """The values as floats of a type; to nearest, half to even, once."""
    with np.errstate(over="ignore", under="ignore"):
        if dtype.name != "bfloat16":
            return values.astype(dtype)
        # Its own conversion rounds to float32 first. To odd, that loses nothing: a number that is
        # not a float32 becomes the neighbour that is odd, and so none half way.
        single = values.astype(np.float32)
        bits_of(single)[...] -= np.abs(single) > np.abs(values)
        bits_of(single)[...] |= single != values
        return single.astype(dtype)


def widened(values: Floats) -> Floats:
    """The same values as float64; the payload of NaN is moved up, and none made quiet."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        wide = values.astype(np.float64)
    infinity = INFINITIES[values.dtype.name]
    payload = np.bitwise_and(bits_of(values), most(values.dtype)) - infinity
    nan = payload > 0
    fraction = (infinity & -infinity).bit_length() - 1  # how many bits of it the type has
    bits_of(wide)[nan] = INFINITIES["float64"] + (payload[nan].astype(np.int64) << (52 - fraction))
    return wide


# --- selection ------------------------------------------------------------------------------


def kth_largest(keys: Keys, k: int) -> Keys:
    """The k-th largest of each row, as a column."""
    place = keys.shape[1] - k
    return np.partition(keys, place)[:, place : place + 1]


def largest(keys: Keys, k: int) -> Mask:
    """True at the k largest of each row; of equal ones, at those of lowest index."""
    if k == 0:
        return np.zeros(keys.shape, np.bool_)
    kth = kth_largest(keys, k)
    mask = keys >= kth
    surplus = np.count_nonzero(mask, axis=1) - k
    tied = np.flatnonzero(surplus)
    if len(keys) == 1 and tied.size:
        mask[0, np.flatnonzero(keys == kth)[-surplus[0] :]] = False
    elif tied.size:
        row, column = np.nonzero(keys[tied] == kth[tied])
        ties = np.bincount(row)
        left = np.repeat(np.cumsum(ties), ties) - np.arange(row.size)  # in its row: 1 at the last
        lost = left <= surplus[tied][row]
        mask[tied[row[lost]], column[lost]] = False
    return mask


def largest_of_few(keys: Keys, k: int) -> Mask:
    """As `largest`, for many short rows: each element is compared with each other of its row."""
    columns = np.ascontiguousarray(keys.T)
    losses = np.zeros(columns.shape, np.uint8)
    for earlier, later in combinations(range(len(columns)), 2):
        later_wins = columns[later] > columns[earlier]
        losses[earlier] += later_wins
        losses[later] += ~later_wins
    return np.ascontiguousarray((losses < k).T)
