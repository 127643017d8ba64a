"""Error metrics: how much an approximation differs from its reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import FixedPoint
from secateur.reference.arguments import axes_of, floats, refuse, shown
from secateur.reference.granularity import broadcast_parameters
from secateur.reference.integers import integers_of
from secateur.reference.sums import layout_of, total
from secateur.results import ErrorStats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, GroupSize

    Float64s = NDArray[np.float64]
    Floats = NDArray[Any]


def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    *,
    fmt: FixedPoint | None = None,
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
) -> ErrorStats:
    """Compute metrics of the error of `w_hat` as an approximation of `w`.

    Parameters, results and errors are those of :func:`secateur.compare`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.compare(np.float32([1, 2]), np.float32([1, 1.5])).mse
    0.125
    """
    w, w_hat = floats("w", w), floats("w_hat", w_hat)
    if w_hat.shape != w.shape:
        refuse("w_hat", f"shape {w_hat.shape}", f"of the shape {w.shape} of w")
    layout = layout_of(w, axis, group_size)
    frac_bits = np.zeros(1, np.int32)
    if fmt is not None:
        frac_bits = _frac_bits(fmt, w, axis, group_size)
    count = math.prod(layout.shape)
    frac_bits = np.broadcast_to(frac_bits.ravel(), count)
    noise, signal, of_y, products, max_abs = np.zeros((5, count))
    saturated = np.zeros(count, np.int64)
    with np.errstate(all="ignore"):
        pairs = zip(
            layout.groups_of(w.astype(np.float64)),
            layout.groups_of(w_hat.astype(np.float64)),
            strict=True,
        )
        for (indices, x, block), (_, y, _) in pairs:
            e = x - y
            for sums, terms in ((noise, e * e), (signal, x * x), (of_y, y * y), (products, x * y)):
                sums[indices] = total(terms, block)
            max_abs[indices] = np.abs(e).max(axis=(1, 2), initial=0)
            if fmt is not None:
                saturated[indices] = _saturated(x, fmt, frac_bits[indices])
        mse = noise / np.maximum(layout.counts(), 1)
        sqnr_db = np.where(noise == 0, np.inf, 10 * np.log10(signal / noise))
        cosine = _cosine(signal, of_y, products)
    metrics: list[Any] = [
        layout.arrange(values) for values in map(_one_nan, (mse, max_abs, sqnr_db, cosine))
    ]
    metrics.append(None if fmt is None else layout.arrange(saturated))
    if axis is None and group_size is None:
        metrics = [None if value is None else value.item() for value in metrics]
    return ErrorStats._make(metrics)


def _cosine(of_x: Float64s, of_y: Float64s, products: Float64s) -> Float64s:
    """Return the cosine from sums of squares and of products; exactly 1 if all three are equal."""
    cosine = np.clip(products / of_x / np.sqrt(of_y / of_x), -1, 1)
    zeros = (of_x == 0) | (of_y == 0)
    return np.where(zeros & ~np.isnan(products), of_x == of_y, cosine)


def _one_nan(values: Float64s) -> Float64s:
    """Return the values with every NaN replaced by ``np.nan``, so that its bits are fixed."""
    return np.where(np.isnan(values), np.nan, values)


def _frac_bits(
    fmt: FixedPoint, w: Floats, axis: Axes | None, group_size: GroupSize | None
) -> NDArray[np.int32]:
    """Return the frac_bits of a format: one, or one for each group, in the order of the groups."""
    if not isinstance(fmt, FixedPoint):
        refuse("fmt", shown(fmt), "a FixedPoint", TypeError)
    given = np.asarray(fmt.frac_bits)
    broadcast_parameters("fmt.frac_bits", given, w.shape, fmt.axis, fmt.group_size)
    if given.ndim:
        groups = -1 if axis is None and group_size is not None else axis
        same_axes = groups is not None and axes_of(w, groups) == axes_of(w, fmt.axis)
        if not same_axes or fmt.group_size != group_size:
            allowed = f"of one frac_bits, or of the groups axis={shown(axis)}, group_size={shown(group_size)}"
            refuse("fmt", shown(fmt), allowed)
    return given


def _saturated(x: Float64s, fmt: FixedPoint, frac_bits: NDArray[np.int32]) -> NDArray[np.int64]:
    # Exact, except for products beyond the range of float64, which are out of range anyway.
    with np.errstate(all="ignore"):
        rounded = np.rint(np.ldexp(x, frac_bits.reshape(-1, 1, 1)))
    low, high = integers_of(fmt).min, integers_of(fmt).max
    return np.asarray(np.count_nonzero((rounded < low) | (rounded > high), axis=(1, 2)))
