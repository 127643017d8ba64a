"""Sparsity schedules: the sparsity as a function of the training step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from secateur.arguments import as_double
from secateur.float_state import default_float_state
from secateur.messages import shortened, shown

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
        One or more steps. Up to `begin` the sparsity is exactly `initial`; from `end` on it is
        exactly `final`.
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
    with default_float_state():
        return _schedule(step, begin, end, initial, final, power)


def _schedule(
    step: ArrayLike, begin: float, end: float, initial: float, final: float, power: float
) -> float | NDArray[np.float64]:
    first, last = as_double("begin", begin), as_double("end", end)
    if not (np.isfinite(first) and np.isfinite(last) and first < last):
        msg = "begin and end must be finite, and begin smaller than end"
        msg += f", got begin={shown(begin)}, end={shown(end)}"
        raise ValueError(msg)
    ends = {"initial": as_double("initial", initial), "final": as_double("final", final)}
    for name, value in ends.items():
        if not 0 <= value <= 1:
            msg = f"{name} must be a number from 0 to 1, got {shown(value)}"
            raise ValueError(msg)
    exponent = as_double("power", power)
    if not (np.isfinite(exponent) and exponent > 0):
        msg = f"power must be a finite number larger than 0, got {shown(power)}"
        raise ValueError(msg)
    steps = _real_numbers(step)
    # If ``last - first`` overflows, compute with half of each number. Otherwise do not: half of a
    # subnormal number may be rounded.
    half = 1.0 if math.isfinite(last - first) else 0.5
    done = (np.clip(steps, first, last) * half - first * half) / (last * half - first * half)
    # math.pow, because the result of np.power depends on the CPU: NumPy has SIMD code for some.
    curve = np.reshape([math.pow(x, exponent) for x in (1 - done).flat], done.shape)
    initially, finally_ = ends["initial"], ends["final"]
    sparsity = finally_ + (initially - finally_) * curve
    # Rounding may lead beyond the ends by a unit in the last place.
    sparsity = np.clip(sparsity, min(initially, finally_), max(initially, finally_))
    sparsity = np.where(steps <= first, initially, np.where(steps >= last, finally_, sparsity))
    return float(sparsity) if steps.ndim == 0 else sparsity


def _real_numbers(step: ArrayLike) -> NDArray[np.float64]:
    steps = np.asarray(step)
    if steps.dtype.kind == "O" and steps.ndim == 0:  # such as an int of more than 64 bits
        steps = np.asarray(as_double("step", steps))
    masked = isinstance(step, np.ma.MaskedArray)
    if masked or steps.dtype.kind not in "iuf":
        got = "a masked array" if masked else shortened(str(steps.dtype))
        msg = f"step must be a real number or an array of such, got {got}"
        raise TypeError(msg)
    steps = steps.astype(np.float64)
    if np.isnan(steps).any():
        msg = "step must not contain NaN"
        raise ValueError(msg)
    return steps
