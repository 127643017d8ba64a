"""Sparsity schedules: the sparsity as a function of the training step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from secateur.formats import as_double

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

    With ``power > 1`` the sparsity changes fast at first, and more slowly as it approaches `final`.

    Parameters
    ----------
    step : array_like of real numbers, any shape
        One or more steps. Before `begin` the sparsity is `initial`; after `end` it is `final`.
    begin, end : float
        The steps at which pruning begins and ends, ``begin < end``.
    initial, final : float
        The sparsities at `begin` and `end`, 0 to 1. `final` may be smaller than `initial`.
    power : float, default 3
        The exponent, larger than 0. With 1 the schedule is linear.

    Returns
    -------
    float, or ndarray of float64 of the shape of `step`
        ``final + (initial - final) * (1 - (step - begin) / (end - begin))**power``.

    Raises
    ------
    TypeError
        If an argument is not a number, or `step` is not an array of real numbers.
    ValueError
        If `begin` or `end` is not finite, ``begin >= end``, a sparsity is not from 0 to 1, `power`
        is not finite and larger than 0, or `step` holds NaN.

    Notes
    -----
    This is the gradual schedule of Zhu and Gupta (2017), "To prune, or not to prune: exploring the
    efficacy of pruning for model compression", equation 1.

    Examples
    --------
    >>> import secateur as sc
    >>> sc.sparsity_schedule(50, begin=0, end=100, final=0.5)
    0.4375
    >>> sc.sparsity_schedule([-1, 0, 50, 200], begin=0, end=100, final=0.5)
    array([0.    , 0.    , 0.4375, 0.5   ])
    """
    first, last = as_double("begin", begin), as_double("end", end)
    if not (np.isfinite(first) and np.isfinite(last) and first < last):
        msg = f"begin must be a finite number smaller than end, got begin={begin!r}, end={end!r}"
        raise ValueError(msg)
    ends = {"initial": as_double("initial", initial), "final": as_double("final", final)}
    for name, value in ends.items():
        if not 0 <= value <= 1:
            msg = f"{name} must be a number from 0 to 1, got {value!r}"
            raise ValueError(msg)
    exponent = as_double("power", power)
    if not (np.isfinite(exponent) and exponent > 0):
        msg = f"power must be a finite number larger than 0, got {power!r}"
        raise ValueError(msg)
    steps = np.asarray(step)
    if steps.dtype.kind not in "iuf":
        msg = f"step must be a real number or an array of such, got {steps.dtype}"
        raise TypeError(msg)
    steps = steps.astype(np.float64)
    if np.isnan(steps).any():
        msg = "step must be numbers, got NaN"
        raise ValueError(msg)
    # Halves: the difference of two finite numbers may be infinite.
    whole = last / 2 - first / 2
    remaining = 1 - (np.clip(steps, first, last) / 2 - first / 2) / whole
    # math.pow, because the result of np.power depends on the CPU: NumPy has SIMD code for some.
    curve = np.reshape([math.pow(x, exponent) for x in remaining.flat], remaining.shape)
    change = ends["initial"] - ends["final"]
    sparsity = np.where(remaining < 1, ends["final"] + change * curve, ends["initial"])
    return float(sparsity) if steps.ndim == 0 else sparsity
