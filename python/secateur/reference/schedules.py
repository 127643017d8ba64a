"""Sparsity schedules: the sparsity as a function of the training step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from secateur.reference.arguments import as_double, refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def sparsity_schedule(
    step: ArrayLike,
    *,
    begin: float,
    end: float,
    initial: float = 0.0,
    final: float,
    power: float = 3,
) -> float | NDArray[np.float64]:
    """Return the sparsity to prune to at a training step.

    Parameters, results and errors are those of :func:`secateur.sparsity_schedule`.

    Examples
    --------
    >>> from secateur import reference
    >>> reference.sparsity_schedule([0, 50, 200], begin=0, end=100, final=0.5)
    array([0.    , 0.4375, 0.5   ])
    """
    first, last = as_double("begin", begin), as_double("end", end)
    if not -np.inf < first < last < np.inf:
        refuse("begin", f"begin={begin!r}, end={end!r}", "a finite number smaller than end")
    for name, sparsity in (("initial", initial), ("final", final)):
        if not 0 <= as_double(name, sparsity) <= 1:
            refuse(name, repr(sparsity), "a number from 0 to 1")
    if not 0 < as_double("power", power) < np.inf:
        refuse("power", repr(power), "a finite number larger than 0")
    steps = np.asarray(step)
    if steps.dtype.kind not in "iuf":
        refuse("step", steps.dtype, "a real number or an array of such", TypeError)
    if np.isnan(steps).any():
        refuse("step", "NaN", "numbers")
    first, last = first / 2, last / 2  # halves: their difference is finite
    done = (np.clip(steps.astype(np.float64) / 2, first, last) - first) / (last - first)
    curve = np.frompyfunc(math.pow, 2, 1)(1 - done, float(power))  # the same on every CPU
    result = float(final) + (float(initial) - float(final)) * np.asarray(curve, np.float64)
    result = np.where(1 - done < 1, result, float(initial))  # exactly `initial` at the begin
    return float(result) if steps.ndim == 0 else result
