"""Selection by magnitude: find the largest elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from secateur.reference.arguments import (
    as_bool,
    axes_of,
    fitting,
    floats,
    integer_in,
    one_of,
    refuse,
    refuse_nan,
    shown,
)
from secateur.reference.importance import importance
from secateur.reference.order import (
    as_rows,
    from_rows,
    keys_of,
    kth_largest,
    largest,
    magnitudes_of,
    without,
)
from secateur.results import TopK

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, SelectionNaN

    Floats = NDArray[Any]


def kth_magnitude(
    w: ArrayLike, k: int, *, axis: Axes | None = None, nan: SelectionNaN = "raise"
) -> np.floating[Any] | Floats:
    """Return the k-th largest ``|w|`` of the array or of each slice along an axis.

    Parameters, results and errors are those of :func:`secateur.kth_magnitude`.

    Notes
    -----
    The method is ``numpy.partition`` (introselect) on the bits with the sign cleared.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.kth_magnitude(np.float32([3, -4, 0, 1]), 2)
    np.float32(3.0)
    >>> reference.kth_magnitude(np.float32([[3, -4], [0, 1]]), 1, axis=1)
    array([4., 1.], dtype=float32)
    """
    one_of("nan", nan, "raise", "keep", "prune")
    w = floats("w", w)
    axes = axes_of(w, axis)
    n = as_rows(w, axes).shape[1]
    if n == 0:
        along = "" if axes is None else f" along axis {shown(axis)}"
        refuse("w", f"of at least one element{along}", f"shape {w.shape}")
    k = integer_in("k", k, 1, n)
    refuse_nan("w", w, nan)
    kth = magnitudes_of(kth_largest(keys_of(as_rows(w, axes), nan), k), w.dtype)
    if axes is None:
        return cast("np.floating[Any]", kth[0, 0])
    return kth.reshape(without(w.shape, axes))


def topk(
    w: ArrayLike,
    k: int,
    *,
    axis: Axes | None = None,
    scores: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    residual: Floats | None = None,
    sorted: bool = False,
    nan: SelectionNaN = "raise",
) -> TopK:
    """Return the k elements of largest ``|w|`` and their indices.

    Parameters, results and errors are those of :func:`secateur.topk`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> w = np.float32([3, -4, 0, 1])
    >>> reference.topk(w, 2).indices
    array([0, 1])
    >>> reference.topk(w, 2, sorted=True).values
    array([-4.,  3.], dtype=float32)
    """
    one_of("nan", nan, "raise", "keep", "prune")
    by_rank = as_bool("sorted", sorted)
    if residual is not None and (scores is not None or factors is not None):
        name = "factors" if scores is None else "scores"
        msg = f"residual and {name} must not both be given; the magnitudes of w + residual rank"
        raise ValueError(msg)
    w = floats("w", w)
    axes = axes_of(w, axis)
    elements = w if residual is None else _sums(w, residual)
    rows = as_rows(elements, axes)
    k = integer_in("k", k, 0, rows.shape[1])
    ranked_by = importance(elements, scores, factors)
    if residual is not None:
        ranked_by = ranked_by._replace(name="w + residual")
    keys = ranked_by.keys(nan, axes)
    indices = np.nonzero(largest(keys, k))[1].reshape(len(rows), k)
    if by_rank:
        descending = ~np.take_along_axis(keys, indices, axis=1)  # ~ reverses the order
        ranks = np.argsort(descending, axis=1, kind="stable")
        indices = np.take_along_axis(indices, ranks, axis=1)
    values = np.take_along_axis(rows, indices, axis=1)
    if residual is not None:
        rest = rows.copy()
        np.put_along_axis(rest, indices, 0, axis=1)
        residual[...] = from_rows(rest, w.shape, axes)
    first = 0 if axes is None else axes[0]
    others = () if axes is None else without(w.shape, axes)
    shape = (*others[:first], k, *others[first:])
    return TopK(
        np.asarray(from_rows(values, shape, (first,)), order="C"),
        np.asarray(from_rows(indices, shape, (first,)), np.int64, order="C"),
    )


def _sums(w: Floats, residual: Any) -> Floats:
    """Return w + residual, with one NaN for all sums that are NaN."""
    fitting("residual", residual, w.dtype, {"w": w}, in_place=False)
    with np.errstate(over="ignore", invalid="ignore"):
        sums: Floats = w + residual
    return np.where(np.isnan(sums), np.array(np.nan, w.dtype), sums)
