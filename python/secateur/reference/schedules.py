"""Sparsity schedules: the sparsity as a function of the training step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.float_state import default_float_state
from secateur.reference.arguments import as_double, plain, refuse, shown

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
    with default_float_state():  # the state of the thread alone; the computation is NumPy's
        return _schedule(step, begin, end, initial, final, power)


def _schedule(
    step: Any, begin: Any, end: Any, initial: Any, final: Any, power: Any
) -> float | NDArray[np.float64]:
    first, last = as_double("begin", begin), as_double("end", end)
    if not -np.inf < first < last < np.inf:
        allowed = "finite, and begin smaller than end"
        refuse("begin and end", allowed, f"begin={shown(begin)}, end={shown(end)}")
    first_share, last_share = as_double("initial", initial), as_double("final", final)
    for name, share in (("initial", first_share), ("final", last_share)):
        if not 0 <= share <= 1:
            refuse(name, "a number from 0 to 1", shown(share))
    exponent = as_double("power", power)
    if not 0 < exponent < np.inf:
        refuse("power", "a finite number larger than 0", shown(power))
    steps = plain("step", step)
    if steps.dtype == object and not steps.ndim:
        steps = np.asarray(as_double("step", steps))
    if steps.dtype.kind not in "iuf":
        refuse("step", "a real number or an array of such", steps.dtype, TypeError)
    if np.isnan(steps).any():
        msg = "step must not contain NaN"
        raise ValueError(msg)
    steps = steps.astype(np.float64)
    shift = -1 if np.isinf(last - first) else 0  # by halves, if their difference is infinite
    begun, first_, last_ = (np.ldexp(x, shift) for x in (np.clip(steps, first, last), first, last))
    left = 1 - (begun - first_) / (last_ - first_)
    curve = np.asarray(np.frompyfunc(math.pow, 2, 1)(left, exponent), np.float64)  # as on any CPU
    result = last_share + (first_share - last_share) * curve
    result = np.clip(result, min(first_share, last_share), max(first_share, last_share))
    result = np.select([steps <= first, steps >= last], [first_share, last_share], result)
    return float(result) if steps.ndim == 0 else result
