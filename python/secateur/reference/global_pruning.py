"""Pruning several arrays together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.containers import label, match, put_together, require_apart, take_apart
from secateur.reference.arguments import (
    count,
    exactly_one,
    fitting,
    floats,
    one_of,
    refuse,
    refuse_nan,
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
    """Set all but the largest magnitudes, or `scores`, of several arrays together to zero.

    Exactly one of `k` and `sparsity` is given.

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
    given = take_apart("arrays", arrays)
    if not given:
        refuse("arrays", "an empty one", "a container of at least one array")
    names = [label("arrays", key) for key in given]
    ws = [floats(name, w) for name, w in zip(names, given.values(), strict=True)]
    beside = [None] * len(ws) if scores is None else match("scores", scores, arrays)
    by = [
        importance(w, x, name, label("scores", key))
        for w, x, name, key in zip(ws, beside, names, given, strict=True)
    ]
    if out is None:
        outs = [np.empty(w.shape, w.dtype) for w in ws]
    else:
        outs = _fitting(out, arrays, [*zip(names, ws, strict=True)], by)
    kept = count(sum(w.size for w in ws), k, sparsity)
    keys = _comparable(by, nan)
    mask = largest(np.hstack(keys), kept)[0]
    parts = np.split(mask, np.cumsum([w.size for w in ws])[:-1])
    for w, part, target in zip(ws, parts, outs, strict=True):
        masked(w, part.reshape(w.shape), target)
    return put_together(arrays, outs) if out is None else out


def _fitting(
    out: Any, arrays: Any, inputs: list[tuple[str, Floats]], by: list[Importance]
) -> list[Floats]:
    """The members of `out`, if they can hold the results."""
    names = [label("out", key) for key in take_apart("arrays", arrays)]
    outs = [
        fitting(name, target, w.dtype, w)
        for name, target, (_, w) in zip(names, match("out", out, arrays), inputs, strict=True)
    ]
    sources = [(one.name, source) for one in by for source in one.sources]
    require_apart([*zip(names, outs, strict=True)], [*inputs, *sources])
    return outs


def _comparable(by: list[Importance], nan: str) -> list[Keys]:
    """The keys of each array in one row, in an order that holds among all of them.

    Values of several types are compared as float64. Where some count by value, so do the magnitudes
    of others, and their NaN rank among those.
    """
    wide = len({one.values.dtype for one in by}) > 1
    signed = any(one.signed for one in by)
    keys = []
    for one in by:
        refuse_nan(one.name, one.values, nan)
        values = as_rows(one.values, None)
        if wide:
            values = widened(values)
        if signed and not one.signed:
            values = magnitudes_of(keys_of(values, "keep"), values.dtype)
        keys.append(keys_of(values, nan, signed=signed))
    return keys
