"""Groups of elements, and sums over them in the documented order.

An array is viewed as matrices, and the matrices are divided into blocks. Each block is a group or,
if the blocks are shared, the blocks at the same position in every matrix form one group. The
elements of a group form runs: the rows of its blocks or, if blocks are one element wide, their
columns. Runs that are contiguous in all blocks are merged into one. Runs are divided into segments
of 4096 elements of a row, or of 256 elements of a column. Element ``i`` of a segment is added to
partial sum ``i % 8``. The eight partial sums are added pairwise, and the sums of the segments in
order.
"""

from __future__ import annotations

import math
import sys
from functools import reduce
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur.reference.arguments import axes_of, integer_in, refuse, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from secateur.literals import Axes, GroupSize

    Array = NDArray[Any]
    Float64s = NDArray[np.float64]

ROW_SEGMENT, COLUMN_SEGMENT = 4096, 256  # elements of a segment, by the kind of its run


class Groups(NamedTuple):
    """Groups of equal size: their indices among all groups, and their elements."""

    indices: NDArray[np.intp]
    elements: Array  # [group][run][element]
    segment: int  # elements of a segment of a run


class Layout(NamedTuple):
    """A view of arrays as matrices, and their division into groups."""

    order: tuple[int, ...]  # of the axes
    lengths: tuple[int, int, int]  # of the matrices: how many, rows, columns
    block: int  # rows of a block
    inner_block: int  # columns of a block
    shared: bool
    shape: tuple[int, ...]  # of the results, in the order of the groups
    axes: tuple[int, ...] = ()  # where `arrange` moves the last result axes; () if it moves none

    def arrange(self, results: Array) -> Array:
        """Return results of all groups in the shape that the caller expects."""
        results = results.reshape(self.shape)
        last = range(len(self.shape) - len(self.axes), len(self.shape))
        return np.ascontiguousarray(np.moveaxis(results, last, self.axes)) if self.axes else results

    def counts(self) -> NDArray[np.intp]:
        """Return the number of elements of each group."""
        outer, length, inner = self.lengths
        rows, columns = (
            np.minimum(size, axis - np.arange(0, axis, size)) if axis else np.zeros(1, np.intp)
            for axis, size in ((length, self.block), (inner, self.inner_block))
        )
        each = np.outer(rows, columns).ravel()
        return np.resize(each * outer if self.shared else each, math.prod(self.shape))

    def groups_of(self, w: Array) -> Iterator[Groups]:
        """Yield all groups of an array."""
        count = math.prod(self.shape)
        if w.size == 0:
            yield Groups(np.arange(count), np.zeros((count, 1, 0), w.dtype), ROW_SEGMENT)
            return
        outer, length, inner = self.lengths
        matrices = w.transpose(self.order).reshape(self.lengths)
        indices = np.arange(count).reshape(
            -1, -(-length // self.block), -(-inner // self.inner_block)
        )
        for along, across in product(
            _equal_blocks(length, self.block), _equal_blocks(inner, self.inner_block)
        ):
            some = matrices[:, along.elements, across.elements].reshape(
                outer, along.blocks, along.size, across.blocks, across.size
            )
            blocks = some.swapaxes(2, 3)  # [matrix][row of blocks][column of blocks][row][column]
            elements, segment = self._runs(blocks)
            yield Groups(indices[:, along.indices, across.indices].ravel(), elements, segment)

    def _runs(self, blocks: Array) -> tuple[Array, int]:
        """Return the elements of some blocks as [group][run][element], and the segment length."""
        outer, length, inner = self.lengths
        height, width = blocks.shape[3:]
        is_wide = self.inner_block == inner
        is_narrow = self.inner_block == 1 < inner
        runs = 1 if is_wide or is_narrow else height
        segment = COLUMN_SEGMENT if is_narrow else ROW_SEGMENT
        if not self.shared:
            return blocks.reshape(-1, runs, height * width // runs), segment
        is_column = self.block * self.inner_block == 1  # of elements at the same place
        is_continuous = is_column or ((is_wide or is_narrow) and self.block == length)
        if is_column and self.block < length:
            segment = COLUMN_SEGMENT
        if not is_continuous:
            runs *= outer
        groups = np.moveaxis(blocks, 0, 2)  # [row of blocks][column of blocks][matrix][row][column]
        return groups.reshape(-1, runs, outer * height * width // runs), segment


class _EqualBlocks(NamedTuple):
    """Blocks of equal length along an axis."""

    blocks: int  # how many
    size: int  # elements of a block along the axis
    elements: slice
    indices: slice  # among the blocks


def _equal_blocks(length: int, size: int) -> list[_EqualBlocks]:
    """Return the full blocks along an axis, then the last block if it is smaller."""
    full, rest = divmod(length, size)
    blocks = [_EqualBlocks(full, size, slice(0, full * size), slice(0, full))]
    if rest:
        blocks.append(_EqualBlocks(1, rest, slice(full * size, None), slice(full, None)))
    return blocks


def layout_of(
    w: Array, axis: Axes | None, group_size: GroupSize | None, group_name: str = "group_size"
) -> Layout:
    """Return the groups of an array.

    There is one group for each index along `axis`; with `group_size`, for each block of
    `group_size` neighbours along it; with two numbers, for each block of two axes. Without either,
    the array is one group.
    """
    if isinstance(group_size, tuple):
        return _blocks(w, axis, group_size, group_name)
    if group_size is not None:
        group_size = integer_in(group_name, group_size, 1, sys.maxsize)
        axis = -1 if axis is None else axis
    shape, order = w.shape, tuple(range(w.ndim))
    axes = axes_of(w, axis)
    if axes is None:
        return Layout(order, (1, 1, w.size), 1, max(w.size, 1), shared=True, shape=())
    if group_size is not None:
        if len(axes) != 1:
            refuse("axis", f"one axis with a single {group_name}", shown(axis))
        (along,) = axes
        lengths = math.prod(shape[:along]), shape[along], math.prod(shape[along + 1 :])
        groups = (*shape[:along], -(-shape[along] // group_size), *shape[along + 1 :])
        size = min(group_size, max(shape[along], 1))
        return Layout(order, lengths, size, 1, shared=False, shape=groups)
    before, others = order[: axes[0]], [i for i in order[axes[0] :] if i not in axes]
    selected = tuple(shape[i] for i in axes)
    outer, inner = (math.prod(shape[i] for i in part) for part in (before, others))
    lengths = outer, math.prod(selected), inner
    return Layout((*before, *axes, *others), lengths, 1, max(inner, 1), shared=True, shape=selected)


def _blocks(w: Array, axis: Axes | None, sizes: tuple[int, ...], group_name: str) -> Layout:
    if len(sizes) != 2:
        refuse(group_name, "a positive integer or a tuple of two", shown(sizes))
    named = [(f"{group_name}[{i}]", size) for i, size in enumerate(sizes)]
    rows, columns = (integer_in(name, size, 1, sys.maxsize) for name, size in named)
    if w.ndim < 2 and axis is None:
        refuse("w", f"of two axes or more for {group_name}={shown(sizes)}", f"shape {w.shape}")
    axes = axes_of(w, (-2, -1) if axis is None else axis)
    if axes is None or len(axes) != 2:
        refuse("axis", f"a tuple of two axes with {group_name} a tuple", shown(axis))
    if isinstance(axis, tuple) and axis[0] % w.ndim != axes[0]:
        rows, columns = columns, rows
    others = [i for i in range(w.ndim) if i not in axes]
    length, inner = w.shape[axes[0]], w.shape[axes[1]]
    outer = math.prod(w.shape[i] for i in others)
    shape = (*(w.shape[i] for i in others), -(-length // rows), -(-inner // columns))
    rows, columns = min(rows, max(length, 1)), min(columns, max(inner, 1))
    order = (*others, *axes)
    return Layout(
        order, (outer, length, inner), rows, columns, shared=False, shape=shape, axes=axes
    )


def total(terms: Array, segment: int) -> Float64s:
    """Return the sum of each group, from its terms as [group][run][element].

    Runs are divided into segments of `segment` elements. Those of float32 have 16 partial sums, which
    are computed in float32.
    """
    groups, _, length = terms.shape
    if terms.size == 0:
        return np.zeros(groups)
    count = 64 // terms.itemsize  # of partial sums
    segment = min(segment, -(-length // count) * count)
    terms = np.pad(terms, ((0, 0), (0, 0), (0, -length % segment)))  # zeros change no sum
    lines = terms.reshape(groups, -1, segment // count, count)
    s = reduce(np.add, np.moveaxis(lines, 2, 0))
    while count > 1:
        count //= 2
        s = s[..., :count] + s[..., count:]
    segments = s[..., 0].astype(np.float64)
    return 0.0 + np.add.accumulate(segments, axis=1)[:, -1]  # sums start at +0.0
