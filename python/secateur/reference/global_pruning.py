"""Global pruning: one selection among several arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    as_double,
    count,
    exactly_one,
    fitting,
    floats,
    one_of,
    refuse,
    refuse_nan,
    shown,
)
from secateur.reference.blocks import expand_mask, importance_of_blocks
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
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Norm, SelectionNaN
    from secateur.reference.importance import Importance

    Floats = NDArray[Any]
    Keys = NDArray[Any]
    Mask = NDArray[np.bool_]


def prune_global(
    arrays: Mapping[Any, ArrayLike] | Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None = None,
    factors: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Mapping[Any, float | None] | Sequence[float | None] | None = None,
    nan: SelectionNaN = "raise",
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
    given = GlobalSelection(arrays, k, sparsity, scores, factors, block, norm, max_sparsity, nan)
    if out is None:
        outs = [np.empty(w.shape, w.dtype) for w in given.arrays]
    else:
        outs = _fitting(match("out", out, arrays), given)
    for w, mask, target in zip(given.arrays, given.masks(), outs, strict=True):
        masked(w, mask, target)
    return rebuild(arrays, outs) if out is None else out


class GlobalSelection:
    """The arguments of :func:`prune_global` that select elements, checked."""

    def __init__(
        self,
        arrays: Mapping[Any, ArrayLike] | Sequence[ArrayLike],
        k: int | None,
        sparsity: float | None,
        scores: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None,
        factors: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None,
        block: tuple[int, int] | None,
        norm: Norm | None,
        max_sparsity: float | Mapping[Any, float | None] | Sequence[float | None] | None,
        nan: SelectionNaN,
    ) -> None:
        one_of("nan", nan, "raise", "keep", "prune")
        exactly_one(k=k, sparsity=sparsity)
        members = members_of("arrays", arrays)
        if not members:
            refuse("arrays", "a container of at least one array", "an empty one")
        none = [None] * len(members)
        scores_of = none if scores is None else match("scores", scores, arrays)
        factors_of = none if factors is None else match("factors", factors, arrays)
        self.labels = [f"[{shown(key)}]" for key in members]
        self.arrays = [
            floats(f"arrays{x}", w) for x, w in zip(self.labels, members.values(), strict=True)
        ]
        limits = _limits(max_sparsity, arrays, self.labels)
        by = [
            importance(*each)
            for each in zip(self.arrays, scores_of, factors_of, self.labels, strict=True)
        ]
        self.sources = [source for each in by for source in each.sources.items()]
        self._importances = [
            importance_of_blocks(each, block, norm, nan, f"arrays{x}")
            for each, x in zip(by, self.labels, strict=True)
        ]
        sizes = [each.values.size for each in self._importances]
        self._least = [count(n, None, limit) for n, limit in zip(sizes, limits, strict=True)]
        self._kept = _enough(sum(sizes), k, sparsity, sum(self._least))
        self._block, self._nan = block, nan

    def masks(self) -> list[Mask]:
        """Return the mask of the elements that are kept of each array.

        The elements or blocks that an array keeps in any case are its own largest. The largest of
        the others of all arrays are kept too.
        """
        keys = _comparable_keys(self._importances, self._nan)
        masks = [largest(own, least) for own, least in zip(keys, self._least, strict=True)]
        mask = np.hstack(masks)[0]
        others = np.hstack(keys)[:, ~mask]
        mask[~mask] = largest(others, self._kept - sum(self._least))[0]
        parts = np.split(mask, np.cumsum([own.size for own in keys])[:-1])
        return [
            expand_mask(part.reshape(each.values.shape), self._block, w.shape)
            for part, each, w in zip(parts, self._importances, self.arrays, strict=True)
        ]


def _limits(max_sparsity: Any, arrays: Any, labels: list[str]) -> list[float]:
    """Return the largest sparsity of each array."""
    if isinstance(max_sparsity, (Mapping, Sequence)) and not isinstance(max_sparsity, str):
        limits = match("max_sparsity", max_sparsity, arrays)
        return [
            _fraction(f"max_sparsity{x}", limit) for x, limit in zip(labels, limits, strict=True)
        ]
    return [_fraction("max_sparsity", max_sparsity)] * len(labels)


def _fraction(name: str, value: Any) -> float:
    """Return a number from 0 to 1. None is 1."""
    number = 1.0 if value is None else as_double(name, value)
    if not 0 <= number <= 1:
        refuse(name, "a number from 0 to 1", shown(value))
    return number


def _enough(n: int, k: int | None, sparsity: float | None, least: int) -> int:
    """Return how many of n elements or blocks are kept, of which `least` must be."""
    kept = count(n, k, sparsity)
    if kept < least:
        allowed = f"at least {least} with this max_sparsity, which keeps that many of {n}"
        if k is None:
            allowed = f"a number that removes at most {n - least} of {n} with this max_sparsity"
            refuse("sparsity", allowed, f"{shown(sparsity)}, which removes {n - kept}")
        refuse("k", allowed, shown(k))
    return kept


def _fitting(outs: list[Any], given: GlobalSelection) -> list[Floats]:
    """Return `outs` if they can hold the results."""
    labels, ws = given.labels, given.arrays
    fit = [
        fitting(f"out{x}", out, w.dtype, {f"arrays{x}": w}, in_place=True)
        for x, out, w in zip(labels, outs, ws, strict=True)
    ]
    inputs = [(f"arrays{x}", w) for x, w in zip(labels, ws, strict=True)]
    named = [(f"out{x}", out) for x, out in zip(labels, fit, strict=True)]
    require_apart(named, [*inputs, *given.sources])
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
