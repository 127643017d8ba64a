"""Pruning: set the least important elements to zero."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    axes_of,
    count,
    exactly_one,
    floats,
    limit,
    one_of,
    only_none,
    refuse,
    result,
    shown,
)
from secateur.reference.blocks import expand_mask, importance_of_blocks, require_adjacent
from secateur.reference.importance import Importance, importance
from secateur.reference.order import bits_of, from_rows, largest, largest_of_few, rounded

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, Norm, Remainder, SelectionNaN

    Array = NDArray[Any]
    Floats = NDArray[Any]
    Mask = NDArray[np.bool_]


def prune(
    w: ArrayLike,
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
    nan: SelectionNaN = "raise",
    out: Floats | None = None,
) -> Floats:
    """Set all but the largest magnitudes, or `scores`, to zero.

    Exactly one of `k`, `sparsity`, `threshold` and `pattern` must be given.

    Parameters, results and errors are those of :func:`secateur.prune`.

    Notes
    -----
    The method is that of magnitude pruning (Han et al. 2015, "Learning both weights and
    connections for efficient neural networks").

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> reference.prune(w, sparsity=0.5)
    array([ 3., -4.,  0.,  0.], dtype=float32)
    >>> reference.prune(w, threshold=0.5)
    array([ 3., -4.,  0.,  1.], dtype=float32)
    >>> reference.prune(w, pattern="1:2")
    array([ 0., -4.,  0.,  1.], dtype=float32)
    >>> reference.prune(w.reshape(2, 2), k=1, block=(1, 2))
    array([[ 3., -4.],
           [ 0.,  0.]], dtype=float32)
    """
    kept = Selection(
        w, k, sparsity, threshold, pattern, remainder, block, norm, scores, factors, axis, nan
    )
    out = result(out, kept.w.dtype, {"w": kept.w, **kept.by.sources}, in_place=True)
    return masked(kept.w, kept.mask(), out)


def soft_threshold(w: ArrayLike, threshold: float, *, out: Floats | None = None) -> Floats:
    """Soft-threshold an array: ``sign(w) * max(|w| - threshold, 0)``.

    Parameters, results and errors are those of :func:`secateur.soft_threshold`.

    Notes
    -----
    Soft-thresholding is the proximal operator of the L1 norm (Donoho 1995, "De-noising by
    soft-thresholding").

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.soft_threshold(np.float32([3, -4, 0.5, -1]), 1)
    array([ 2., -3.,  0.,  0.], dtype=float32)
    """
    w = floats("w", w)
    out = result(out, w.dtype, {"w": w}, in_place=True)
    bound = rounded(limit(threshold, exact=False), w.dtype)
    with np.errstate(invalid="ignore", over="ignore"):  # NaN, infinity minus infinity
        magnitudes = np.abs(w)
        shrunk = np.asarray(np.copysign(magnitudes - bound, w))
        kept = bits_of(shrunk) * (magnitudes > bound)
        np.copyto(bits_of(out), np.where(np.isnan(w), bits_of(w), kept))
    return out


class Selection:
    """The arguments of :func:`prune` that select elements, checked."""

    def __init__(
        self,
        w: ArrayLike,
        k: int | None,
        sparsity: float | None,
        threshold: float | None,
        pattern: str | None,
        remainder: Remainder,
        block: tuple[int, int] | None,
        norm: Norm | None,
        scores: ArrayLike | None,
        factors: ArrayLike | None,
        axis: Axes | None,
        nan: SelectionNaN,
    ) -> None:
        one_of("nan", nan, "raise", "keep", "prune")
        exactly_one(k=k, sparsity=sparsity, threshold=threshold, pattern=pattern)
        one_of("remainder", remainder, "raise", "keep", "pad")
        if pattern is None and remainder != "raise":
            refuse("remainder", "'raise' (the default) without pattern", shown(remainder))
        if block is not None:
            only_none(" with block", pattern=pattern)
        if threshold is not None:
            only_none(" with threshold", axis=axis)
        self.w = floats("w", w)
        self.by = importance_of_blocks(importance(self.w, scores, factors), block, norm, nan)
        self._axes = axes_of(self.w, axis)
        if block is not None and self._axes is not None:
            require_adjacent(axis, self._axes, self.by.values.shape)
        self._k, self._sparsity, self._threshold, self._pattern = k, sparsity, threshold, pattern
        self._block, self._nan, self._remainder = block, nan, remainder

    def mask(self) -> Mask:
        """Return the mask of the elements that are kept."""
        if self._threshold is not None:
            mask = self.by.above(self._threshold, self._nan)
        elif self._pattern is not None:
            mask = _kept_by_pattern(self.by, self._pattern, self._remainder, self._axes, self._nan)
        else:
            keys = self.by.keys(self._nan, self._axes)
            kept = largest(keys, count(keys.shape[1], self._k, self._sparsity))
            mask = from_rows(kept, self.by.values.shape, self._axes)
        return expand_mask(mask, self._block, self.w.shape)


def _kept_by_pattern(
    by: Importance, pattern: str, remainder: str, axes: tuple[int, ...] | None, nan: str
) -> Mask:
    n, m = _pattern(pattern)
    shape = by.values.shape
    if not shape:
        refuse("w", "of one axis or more to have a pattern", "shape ()")
    axes = (len(shape) - 1,) if axes is None else axes
    rest = math.prod(shape[axis] for axis in axes) % m
    if rest and remainder == "raise":
        refuse(
            "w",
            f"of a multiple of {m} elements along axes {axes}",
            f"shape {shape}; remainder='keep' and remainder='pad' say what to do with the last ones",
        )
    keys = by.keys(nan, axes)
    groups = keys[:, : keys.shape[1] - rest]
    kept = largest_of_few(groups.reshape(groups.size // m, m), n).reshape(groups.shape)
    if rest:
        n_of_rest = rest if remainder == "keep" else min(n, rest)
        kept = np.hstack([kept, largest_of_few(keys[:, -rest:], n_of_rest)])
    return from_rows(kept, shape, axes)


def _pattern(pattern: Any) -> tuple[int, int]:
    """Parse ``"N:M"`` to ``(N, M)``."""
    found = isinstance(pattern, str) and re.fullmatch(r"(\d\d?):(\d\d?)", pattern, re.ASCII)
    n, m = map(int, found.groups()) if found else (0, 0)
    if not 1 <= n <= m <= 32:
        allowed = "'N:M' with 1 <= N <= M <= 32, such as '2:4'"
        refuse("pattern", allowed, shown(pattern))
    return n, m


# --- masks ----------------------------------------------------------------------------------


def masked(w: Floats, mask: Mask, out: Floats) -> Floats:
    # Multiply the bits as integers, not the floats: a kept -0.0 or NaN keeps its bits, and a
    # removed element becomes +0.0.
    np.multiply(bits_of(w), mask, out=bits_of(out))
    return out
