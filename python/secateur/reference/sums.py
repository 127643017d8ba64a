"""Sums over the cells of an array, formed in the one order that is documented.

A cell is what has results of its own: all elements, those of one index along an axis, or a group of
neighbours along it. Its elements come in runs, of those that lie in line or, where none do, of all
that lie evenly apart; and a run is cut in blocks. Element ``i`` of a block goes to one of eight sums,
the ``i % 8``-th. These are added by pairs, and blocks one after another.
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

IN_LINE, APART = 4096, 256  # elements of a block


class Cells(NamedTuple):
    """Some cells of an array, all of the same size: where they are among all, and their elements."""

    places: NDArray[np.intp]
    elements: Array  # [cell][run][element]
    block: int


def cells_of(w: Array, axis: int | None, group_size: int | None) -> Iterator[Cells]:
    """All cells; axes count from the first."""
    if axis is None:
        yield Cells(np.arange(1), w.reshape(1, 1, -1), IN_LINE)
        return
    length, inner = w.shape[axis], math.prod(w.shape[axis + 1 :])
    outer = math.prod(w.shape[:axis])
    slices = w.reshape(outer, length, inner)
    if group_size is None:
        along = np.arange(length)
        if length == 1:
            yield Cells(along, w.reshape(1, 1, -1), IN_LINE)
        elif inner == 1:
            yield Cells(along, slices.transpose(1, 2, 0), IN_LINE if outer == 1 else APART)
        else:
            yield Cells(along, slices.swapaxes(0, 1), IN_LINE)
        return
    whole, groups = length // group_size, -(-length // group_size)
    places = np.arange(outer * groups * inner).reshape(outer, groups, inner)
    for begin, end in ((0, whole), (whole, groups)):  # the last group may be smaller
        if places[:, begin:end].size:
            some = slices[:, begin * group_size : end * group_size]
            grouped = some.reshape(outer, end - begin, -1, inner).swapaxes(2, 3)
            block = IN_LINE if inner == 1 else APART
            elements = grouped.reshape(-1, 1, grouped.shape[-1])
            yield Cells(places[:, begin:end].ravel(), elements, block)


def total(terms: Float64s, block: int) -> Float64s:
    """The sum of each cell, from its terms as [cell][run][element]."""
    cells, _, length = terms.shape
    if terms.size == 0:
        return np.zeros(cells)
    block = min(block, -(-length // 8) * 8)
    terms = np.pad(terms, ((0, 0), (0, 0), (0, -length % block)))  # zeros change no sum
    eighths = terms.reshape(cells, -1, block // 8, 8)
    s = reduce(np.add, np.moveaxis(eighths, 2, 0))
    s = s[..., :4] + s[..., 4:]
    s = s[..., :2] + s[..., 2:]
    blocks = s[..., 0] + s[..., 1]
    return np.add.accumulate(blocks, axis=1)[:, -1]
