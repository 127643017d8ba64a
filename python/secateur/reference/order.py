"""Keys: integers with the order of floats, and the selection of the largest.

The bits of a float with the sign cleared, read as an integer, have the order of the magnitudes:
zero is lowest, infinity is above all numbers, and NaN is above infinity. If the integer then gets
the sign of the float, it has the order of the values, and the two zeros are equal. These integers
are the *keys*. Selections take a matrix of keys, with one row for each slice.
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

# The bits of infinity. Larger magnitudes are NaN.
INFINITIES = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}


def largest_key(dtype: np.dtype[Any]) -> int:
    """Return the largest key: all bits of a float but its sign."""
    return (1 << (8 * dtype.itemsize - 1)) - 1


def bits_of(values: Floats) -> Bits:
    return values.view(f"i{values.itemsize}")


# --- rows -----------------------------------------------------------------------------------


def as_rows(array: Array, axes: tuple[int, ...] | None) -> Array:
    """Return the slices along some axes, or the whole array, as the rows of a matrix."""
    if axes is None:
        return array.reshape(1, -1)
    slices = np.moveaxis(array, axes, range(-len(axes), 0))
    others, along = slices.shape[: -len(axes)], slices.shape[-len(axes) :]
    return slices.reshape(math.prod(others), math.prod(along))


def from_rows(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> Array:
    """Return the array of these rows: the inverse of `as_rows`."""
    if axes is None:
        return rows.reshape(shape)
    others = without(shape, axes)
    along = (shape[axis] for axis in axes)
    return np.moveaxis(rows.reshape(*others, *along), range(-len(axes), 0), axes)


def without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without some of its axes."""
    return tuple(length for axis, length in enumerate(shape) if axis not in axes)


# --- keys -----------------------------------------------------------------------------------


def keys_of(values: Floats, nan: str, *, signed: bool = False) -> Keys:
    """Return the keys of the magnitudes or, if `signed`, of the values, as a C-order array.

    NaN is above infinity or, if `nan` is ``"prune"``, below everything else. In both cases NaN are
    ordered by their payloads.
    """
    keys: Keys = np.bitwise_and(bits_of(values), largest_key(values.dtype), order="C")
    infinity = INFINITIES[values.dtype.name]
    if signed:
        is_nan = keys > infinity
        np.negative(keys, out=keys, where=(bits_of(values) < 0) & ~is_nan)
        if nan == "prune":
            keys[is_nan] = keys[is_nan] - infinity - 1 - largest_key(values.dtype)
    elif nan == "prune":  # the sign bit makes them negative, and keeps their order
        np.bitwise_or(keys, np.iinfo(keys.dtype).min, out=keys, where=keys > infinity)
    return keys


def magnitudes_of(keys: Keys, dtype: np.dtype[Any]) -> Floats:
    """Return the magnitudes of keys: the inverse of `keys_of` with ``signed=False``."""
    return np.bitwise_and(keys, largest_key(dtype)).view(dtype)


def key_at_most(limit: float, dtype: np.dtype[Any]) -> int:
    """Return the largest key of a value <= `limit`. Larger keys are those of values > `limit`."""
    with np.errstate(over="ignore"):
        nearest = np.array([limit]).astype(dtype)
    key = int(keys_of(nearest, "keep", signed=True)[0])
    return key - (float(nearest[0]) > limit)  # rounded up: the value before it is below `limit`


def rounded(value: float, dtype: np.dtype[Any]) -> Any:
    """Return a number as a scalar of the type, rounded half to even."""
    return rounded_to_type(np.array([value]), dtype)[0]


def rounded_to_type(values: NDArray[np.float64], dtype: np.dtype[Any]) -> Floats:
    """Return the values as floats of the type, rounded once, half to even."""
    with np.errstate(over="ignore", under="ignore"):
        if dtype.name != "bfloat16":
            return values.astype(dtype)
        # The conversion of ml_dtypes rounds to float32 first, and so would round twice. Rounding
        # to odd avoids that: an inexact value becomes the odd one of its two float32 neighbours,
        # which is never half way between two bfloat16.
        single = values.astype(np.float32)
        bits_of(single)[...] -= np.abs(single) > np.abs(values)
        bits_of(single)[...] |= single != values
        return single.astype(dtype)


def widened(values: Floats) -> Floats:
    """Return the values as float64. NaN keep their payloads, shifted, and are not made quiet."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        wide = values.astype(np.float64)
    infinity = INFINITIES[values.dtype.name]
    payload = np.bitwise_and(bits_of(values), largest_key(values.dtype)) - infinity
    nan = payload > 0
    fraction = (infinity & -infinity).bit_length() - 1  # bits of the fraction in this type
    bits_of(wide)[nan] = INFINITIES["float64"] + (payload[nan].astype(np.int64) << (52 - fraction))
    return wide


# --- selection ------------------------------------------------------------------------------


def kth_largest(keys: Keys, k: int) -> Keys:
    """Return the k-th largest key of each row, as a column."""
    index = keys.shape[1] - k
    return np.partition(keys, index)[:, index : index + 1]


def largest(keys: Keys, k: int) -> Mask:
    """Return the mask of the k largest keys of each row. Ties go to the lowest index."""
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
        # The position of each tie among those of its row, counted from the last, which has 1.
        from_last = np.repeat(np.cumsum(ties), ties) - np.arange(row.size)
        removed = from_last <= surplus[tied][row]
        mask[tied[row[removed]], column[removed]] = False
    return mask


def largest_of_few(keys: Keys, k: int) -> Mask:
    """Same as `largest`, for many short rows: compare all pairs of elements of each row."""
    columns = np.ascontiguousarray(keys.T)
    losses = np.zeros(columns.shape, np.uint8)
    for earlier, later in combinations(range(len(columns)), 2):
        later_wins = columns[later] > columns[earlier]
        losses[earlier] += later_wins
        losses[later] += ~later_wins
    return np.ascontiguousarray((losses < k).T)
