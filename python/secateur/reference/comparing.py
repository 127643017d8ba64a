"""Error metrics: how much an approximation differs from its reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import axis_of, floats, refuse, shown
from secateur.reference.granularity import broadcast_parameters
from secateur.reference.quantization import check_scales, real_of
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
    if fmt is not None:
        _check_format(fmt, w, axis)
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
    saturated = None if fmt is None else _saturated(x, fmt, real_of(w.dtype))
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


def _check_format(fmt: Any, w: NDArray[Any], axis: int | None) -> None:
    """Refuse a format unless it has one parameter, or one for each index along `axis`."""
    if not isinstance(fmt, (FixedPoint, Affine)):
        refuse("fmt", shown(fmt), "a FixedPoint or an Affine", TypeError)
    name = "scale" if isinstance(fmt, Affine) else "frac_bits"
    shape = np.shape(getattr(fmt, name))
    if isinstance(fmt, Affine):
        check_scales(np.asarray(fmt.scale), real_of(w.dtype))
    if not shape:
        return
    indices = np.arange(math.prod(shape)).reshape(shape)
    places = broadcast_parameters(f"fmt.{name}", indices, w.shape, fmt.axis, fmt.group_size)
    if indices.size <= 1 or w.size == 0:
        return
    if axis is not None and fmt.group_size is None:
        along = np.arange(w.shape[axis]).reshape(-1, *[1] * (w.ndim - 1 - axis))
        if (np.broadcast_to(places, w.shape) == along).all():
            return
    refuse("fmt", shown(fmt), f"of one {name}, or of one for each index along axis={shown(axis)}")


def _saturated(
    x: Float64s, fmt: FixedPoint | Affine, real: type[np.float32 | np.float64]
) -> NDArray[np.int64]:
    """Count the elements of each slice whose integers are out of range."""
    if x.size == 0:
        return np.zeros(len(x), np.int64)
    with np.errstate(all="ignore"):
        if isinstance(fmt, Affine):
            scale = np.asarray(fmt.scale).astype(real).reshape(-1, 1, 1)
            zero_point = np.reshape(fmt.zero_point, (-1, 1, 1))
            quotients: NDArray[Any] = x.astype(real)
            quotients = np.rint(quotients / scale).astype(np.float64)
            integers = quotients + zero_point
        else:  # exact, but for products beyond the range of float64, which are out of range
            integers = np.rint(np.ldexp(x, np.reshape(fmt.frac_bits, (-1, 1, 1))))
    wrong = (integers < fmt.min) | (integers > fmt.max)
    return np.asarray(np.count_nonzero(wrong, axis=(1, 2)))
