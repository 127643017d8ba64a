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
    ws = {label("arrays", key): floats(label("arrays", key), w) for key, w in given.items()}
    beside = [None] * len(ws) if scores is None else match("scores", scores, arrays)
    by = [
        importance(w, x, name, label("scores", key))
        for key, (name, w), x in zip(given, ws.items(), beside, strict=True)
    ]
    outs = _outs(out, arrays, ws, by)
    kept = count(sum(w.size for w in ws.values()), k, sparsity)
    keys = _comparable(by, nan)
    masks = np.split(
        largest(np.hstack(keys), kept)[0], np.cumsum([part.size for part in keys])[:-1]
    )
    for w, mask, target in zip(ws.values(), masks, outs, strict=True):
        masked(w, mask.reshape(w.shape), target)
    return put_together(arrays, outs) if out is None else out


def _outs(out: Any, arrays: Any, ws: dict[str, Floats], by: list[Importance]) -> list[Floats]:
    if out is None:
        return [np.empty(w.shape, w.dtype) for w in ws.values()]
    names = [label("out", key) for key in take_apart("arrays", arrays)]
    outs = {
        name: fitting(name, target, w.dtype, w)
        for name, target, w in zip(names, match("out", out, arrays), ws.values(), strict=True)
    }
    require_apart(outs, ws | {one.name: source for one in by for source in one.sources})
    return list(outs.values())


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
