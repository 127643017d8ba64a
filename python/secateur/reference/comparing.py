"""Error metrics: how much an approximation differs from its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import axis_of, floats, refuse, shown
from secateur.reference.granularity import broadcast_parameters
from secateur.reference.integers import integers_of
from secateur.reference.sums import groups_of, total
from secateur.results import ErrorStats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float64s = NDArray[np.float64]


def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    *,
    fmt: FixedPoint | Affine | None = None,
    axis: int | None = None,
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
    axis = axis_of(w, axis)
    frac_bits = np.zeros(1, np.int32) if fmt is None else _frac_bits(fmt, w.shape, axis)
    with np.errstate(all="ignore"):
        (a,) = groups_of(w.astype(np.float64), axis, None)
        (b,) = groups_of(w_hat.astype(np.float64), axis, None)
        x, y = a.elements, b.elements
        e = x - y
        noise, signal, of_y, products = (total(z, a.block) for z in (e * e, x * x, y * y, x * y))
        mse = noise / max(x.shape[1] * x.shape[2], 1)
        max_abs = np.abs(e).max(axis=(1, 2), initial=0)
        sqnr_db = np.where(noise == 0, np.inf, 10 * np.log10(signal / noise))
        cosine = _cosine(signal, of_y, products)
    saturated = None if fmt is None else _saturated(x, fmt, frac_bits)
    metrics: list[Any] = [*map(_one_nan, (mse, max_abs, sqnr_db, cosine)), saturated]
    if axis is None:
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


def _frac_bits(fmt: FixedPoint, shape: tuple[int, ...], axis: int | None) -> NDArray[np.int32]:
    """Return the frac_bits of a format: one, or one for each index along `axis`."""
    if not isinstance(fmt, FixedPoint):
        refuse("fmt", shown(fmt), "a FixedPoint", TypeError)
    given = np.asarray(fmt.frac_bits)
    broadcast_parameters("fmt.frac_bits", given, shape, fmt.axis, fmt.group_size)
    elsewhere = fmt.axis is not None and (axis is None or (fmt.axis - axis) % len(shape) != 0)
    if elsewhere or fmt.group_size is not None:
        refuse("fmt", shown(fmt), f"of one frac_bits, or of an array along axis={shown(axis)}")
    return given.reshape(-1)


def _saturated(x: Float64s, fmt: FixedPoint, frac_bits: NDArray[np.int32]) -> NDArray[np.int64]:
    # Exact, except for products beyond the range of float64, which are out of range anyway.
    with np.errstate(all="ignore"):
        rounded = np.rint(np.ldexp(x, frac_bits.reshape(-1, 1, 1)))
    low, high = integers_of(fmt).min, integers_of(fmt).max
    return np.asarray(np.count_nonzero((rounded < low) | (rounded > high), axis=(1, 2)))
