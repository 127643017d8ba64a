"""Sums over groups of elements, in the documented order.

A group is the whole array, the elements of one index along an axis, or a block of neighbours along
it. Its elements form runs: of contiguous elements or, if no elements of the group are contiguous,
one run of all its elements, which are evenly spaced. Runs are divided into blocks. Element ``i`` of
a block is added to partial sum ``i % 8``. The eight partial sums are added pairwise, and the sums
of the blocks one after another.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Float64s = NDArray[np.float64]

CONTIGUOUS, SPACED = 4096, 256  # elements of a block, by the kind of its run


class Groups(NamedTuple):
    """Groups of equal size: their indices among all groups, and their elements."""

    indices: NDArray[np.intp]
    elements: Array  # [group][run][element]
    block: int


def groups_of(w: Array, axis: int | None, group_size: int | None) -> Iterator[Groups]:
    """Yield all groups of an array. `axis` is not negative."""
    if axis is None:
        yield Groups(np.arange(1), w.reshape(1, 1, -1), CONTIGUOUS)
        return
    length, inner = w.shape[axis], math.prod(w.shape[axis + 1 :])
    outer = math.prod(w.shape[:axis])
    slices = w.reshape(outer, length, inner)
    if group_size is None:
        along = np.arange(length)
        if length == 1:
            yield Groups(along, w.reshape(1, 1, -1), CONTIGUOUS)
        elif inner == 1:
            yield Groups(along, slices.transpose(1, 2, 0), CONTIGUOUS if outer == 1 else SPACED)
        else:
            yield Groups(along, slices.swapaxes(0, 1), CONTIGUOUS)
        return
    full, groups = length // group_size, -(-length // group_size)
    indices = np.arange(outer * groups * inner).reshape(outer, groups, inner)
    for begin, end in ((0, full), (full, groups)):  # the last group may be smaller
        if indices[:, begin:end].size:
            some = slices[:, begin * group_size : end * group_size]
            grouped = some.reshape(outer, end - begin, -1, inner).swapaxes(2, 3)
            block = CONTIGUOUS if inner == 1 else SPACED
            elements = grouped.reshape(-1, 1, grouped.shape[-1])
            yield Groups(indices[:, begin:end].ravel(), elements, block)


def total(terms: Float64s, block: int) -> Float64s:
    """Return the sum of each group, from its terms as [group][run][element]."""
    groups, _, length = terms.shape
    if terms.size == 0:
        return np.zeros(groups)
    block = min(block, -(-length // 8) * 8)
    terms = np.pad(terms, ((0, 0), (0, 0), (0, -length % block)))  # zeros change no sum
    octets = terms.reshape(groups, -1, block // 8, 8)
    s = reduce(np.add, np.moveaxis(octets, 2, 0))
    s = s[..., :4] + s[..., 4:]
    s = s[..., :2] + s[..., 2:]
    blocks = s[..., 0] + s[..., 1]
    return 0.0 + np.add.accumulate(blocks, axis=1)[:, -1]  # sums start at +0.0
