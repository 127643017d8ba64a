"""Global pruning: one selection among several arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    count,
    exactly_one,
    fitting,
    floats,
    one_of,
    refuse,
    refuse_nan,
    shown,
)
from secateur.reference.containers import (
    match,
    members_of,
    rebuild,
    require_apart,
)
from secateur.reference.importance import importance
from secateur.reference.order import as_rows, keys_of, largest, magnitudes_of, widened
from secateur.reference.pruning import masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from secateur.reference.importance import Importance

    Floats = NDArray[Any]
    Keys = NDArray[Any]


def prune_global(
    arrays: Mapping[Any, ArrayLike] | Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Mapping[Any, Any] | Sequence[Any] | None = None,
    nan: str = "raise",
    out: Any = None,
) -> Any:
    """Set all but the largest magnitudes, or `scores`, among several arrays to zero.

    Exactly one of `k` and `sparsity` must be given.

    Parameters, results and errors are those of :func:`secateur.prune_global`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.prune_global([np.float32([3, -4]), np.float32([5, 1, 2])], k=2)
    [array([ 0., -4.], dtype=float32), array([5., 0., 0.], dtype=float32)]
    """
    one_of("nan", nan, "raise", "keep", "prune")
    exactly_one(k=k, sparsity=sparsity)
    members = members_of("arrays", arrays)
    if not members:
        refuse("arrays", "an empty one", "a container of at least one array")
    labels = [f"[{shown(key)}]" for key in members]
    ws = [floats(f"arrays{x}", w) for x, w in zip(labels, members.values(), strict=True)]
    scores_of = [None] * len(ws) if scores is None else match("scores", scores, arrays)
    importances = [
        importance(w, score, f"arrays{x}", f"scores{x}")
        for w, score, x in zip(ws, scores_of, labels, strict=True)
    ]
    if out is None:
        outs = [np.empty(w.shape, w.dtype) for w in ws]
    else:
        outs = _fitting(match("out", out, arrays), ws, importances, labels)
    kept = count(sum(w.size for w in ws), k, sparsity)
    keys = _comparable_keys(importances, nan)
    mask = largest(np.hstack(keys), kept)[0]
    parts = np.split(mask, np.cumsum([w.size for w in ws])[:-1])
    for w, part, target in zip(ws, parts, outs, strict=True):
        masked(w, part.reshape(w.shape), target)
    return rebuild(arrays, outs) if out is None else out


def _fitting(
    outs: list[Any], ws: list[Floats], importances: list[Importance], labels: list[str]
) -> list[Floats]:
    """Return `outs` if they can hold the results."""
    fit = [fitting(f"out{x}", out, w.dtype, w) for x, out, w in zip(labels, outs, ws, strict=True)]
    inputs = [(f"arrays{x}", w) for x, w in zip(labels, ws, strict=True)]
    sources = [(each.name, source) for each in importances for source in each.sources]
    named = [(f"out{x}", out) for x, out in zip(labels, fit, strict=True)]
    require_apart(named, [*inputs, *sources])
    return fit


def _comparable_keys(importances: list[Importance], nan: str) -> list[Keys]:
    """Return the keys of each array as one row, in an order that is common to all arrays.

    Values of several dtypes are compared as float64. If some arrays rank by value (scores), the
    magnitudes of the others are compared as values too, and so are their NaN.
    """
    wide = len({each.values.dtype for each in importances}) > 1
    signed = any(each.signed for each in importances)
    keys = []
    for each in importances:
        refuse_nan(each.name, each.values, nan)
        values = as_rows(each.values, None)
        if wide:
            values = widened(values)
        if signed and not each.signed:
            values = magnitudes_of(keys_of(values, "keep"), values.dtype)
        keys.append(keys_of(values, nan, signed=signed))
    return keys
