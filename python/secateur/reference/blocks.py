"""Blocks of matrices, and their norms."""

from __future__ import annotations

import operator
import sys
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import integer_in, one_of, only_none, refuse, refuse_nan, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from secateur.reference.importance import Importance

    Floats = NDArray[Any]
    Mask = NDArray[np.bool_]

PARTIAL_SUMS = 8  # of a norm
LEAST_L2_NORM = 2.0**-484  # of smaller ones, squares may have lost digits


def importance_of_blocks(
    by: Importance, block: Any, norm: str | None, nan: str, w_name: str = "w"
) -> Importance:
    """Return the importance of each block, which is the norm of the importances of its elements.

    The shape is (leading axes, block rows, block columns). Without `block`, return `by` itself.
    """
    if block is None:
        only_none(" without block", norm=norm)
        return by
    norm = "l1" if norm is None else norm
    one_of("norm", norm, "l1", "l2", "max", "mean")
    shape = _block_of(by.values, block, w_name)
    # Not of the norms: the error gives the number of NaN and the first index.
    refuse_nan(by.name, by.values, nan)
    return by._replace(values=_norms(by.values, shape, norm), signed=False)


def expand_mask(mask: Mask, block: tuple[int, int] | None, shape: tuple[int, ...]) -> Mask:
    """Expand a mask of blocks to a mask of the elements of an array of this shape."""
    if block is None:
        return mask.reshape(shape)
    if not mask.size:
        return np.zeros(shape, np.bool_)
    r, c = (
        min(operator.index(length), shape[axis])
        for length, axis in zip(block, (-2, -1), strict=True)
    )
    rows = np.repeat(mask, r, axis=-2)[..., : shape[-2], :]
    return np.repeat(rows, c, axis=-1)[..., : shape[-1]]


def require_adjacent(axis: Any, axes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Refuse axes that are separated by others of more than one block."""
    before = [i for i in range(axes[0]) if i not in axes]
    after = [i for i in range(axes[0], len(shape)) if i not in axes]
    order = [i for i in (*before, *axes, *after) if shape[i] > 1]
    if 0 not in shape and order != sorted(order):
        refuse("axis", "adjacent axes with block", shown(axis))


def _block_of(w: Floats, block: Any, w_name: str) -> tuple[int, int]:
    """Return the numbers of rows and columns of a block."""
    allowed = "a tuple of two positive integers"
    if not isinstance(block, (tuple, list)):
        refuse("block", allowed, shown(block), TypeError)
    if len(block) != 2:
        refuse("block", allowed, shown(block))
    if w.ndim < 2:
        refuse(w_name, "of two axes or more to have blocks", f"shape {w.shape}")
    r, c = (integer_in(f"block[{i}]", block[i], 1, sys.maxsize - 1) for i in (0, 1))
    return (min(r, w.shape[-2]), min(c, w.shape[-1])) if w.size else (r, c)


def _norms(w: Floats, block: tuple[int, int], norm: str) -> NDArray[np.float64]:
    """Return the norms of the blocks of all matrices.

    If an l2 norm or a mean overflows, or squares may have lost digits, it is computed again from
    elements that are divided by the power of two of the largest.
    """
    if not w.size:
        rows, columns = (-(-n // b) for n, b in zip(w.shape[-2:], block, strict=True))
        return np.zeros((*w.shape[:-2], rows, columns))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        magnitudes = np.abs(_in_blocks(w.astype(np.float64), block))
        counts = _sums(_in_blocks(np.ones(w.shape), block))
        norms = _unscaled_norms(magnitudes, norm, counts)
        if norm in ("l2", "mean"):
            largest = _unscaled_norms(magnitudes, "max", counts)
            wrong = np.isinf(norms) | ((norms < LEAST_L2_NORM) & (norm == "l2"))
            wrong &= np.isfinite(largest) & (largest > 0)
            exponents = np.frexp(np.where(wrong, largest, 1))[1] - 1
            scaled = np.ldexp(magnitudes, -exponents[..., :, None, :, None])
            again = np.ldexp(_unscaled_norms(scaled, norm, counts), exponents)
            norms = np.where(wrong, again, norms)
    norms[np.isnan(norms)] = np.nan  # the same bits, so that all NaN tie
    return norms


def _unscaled_norms(
    magnitudes: Floats, norm: str, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the norms of blocks of `counts` elements by their definition."""
    if norm == "max":
        return np.asarray(magnitudes.max(axis=(-3, -1)))
    if norm == "l2":
        return np.asarray(np.sqrt(_sums(np.square(magnitudes))))
    return _sums(magnitudes) / (counts if norm == "mean" else 1)


def _sums(terms: Floats) -> NDArray[np.float64]:
    """Return the sum of each block in the documented order.

    The order is over the rows of each column, then over columns whose indices are equal modulo
    eight, then over the eight partial sums.
    """
    columns = np.moveaxis(reduce(np.add, np.moveaxis(terms, -3, 0)), -1, 0)
    partial_sums = [
        reduce(np.add, columns[j::PARTIAL_SUMS]) for j in range(min(PARTIAL_SUMS, len(columns)))
    ]
    total: NDArray[np.float64] = reduce(np.add, partial_sums)
    return total


def _in_blocks(w: Floats, block: tuple[int, int]) -> Floats:
    """Reshape to (..., block row, row in block, block column, column in block).

    Zeros pad the blocks at the edges, which changes no norm.
    """
    *lead, rows, columns = w.shape
    r, c = block
    w = np.pad(w, [*((0, 0) for _ in lead), (0, -rows % r), (0, -columns % c)])
    return w.reshape(*lead, w.shape[-2] // r, r, w.shape[-1] // c, c)
