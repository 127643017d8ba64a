"""Error metrics: how much an approximation differs from its reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import floats, refuse, shown
from secateur.reference.granularity import broadcast_parameters
from secateur.reference.integers import range_of
from secateur.reference.quantization import check_scales, real_of
from secateur.reference.sums import Layout, layout_of, total
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
    fmt: FixedPoint | Affine | None = None,
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
    if fmt is not None:
        _check_format(fmt, w, layout)
    count = math.prod(layout.shape)
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
                saturated[indices] = _saturated(x, fmt, indices, real_of(w.dtype))
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


def _check_format(fmt: Any, w: NDArray[Any], layout: Layout) -> None:
    """Refuse a format unless it has one parameter, or one for each group."""
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
    of_elements = np.broadcast_to(places, w.shape).astype(np.float64)
    fits = indices.size == math.prod(layout.shape) and all(
        (elements == np.reshape(groups, (-1, 1, 1))).all()
        for groups, elements, _ in layout.groups_of(of_elements)
    )
    if not fits:
        refuse("fmt", shown(fmt), f"of one {name}, or of one for each group that is compared")


def _parameter(fmt: FixedPoint | Affine, name: str, groups: Any) -> NDArray[Any]:
    """Return a field of a format for each of these groups, to broadcast over their elements."""
    values = np.ravel(getattr(fmt, name))
    return np.reshape(values if values.size == 1 else values[groups], (-1, 1, 1))


def _saturated(
    x: Float64s, fmt: FixedPoint | Affine, groups: Any, real: type[np.float32 | np.float64]
) -> NDArray[np.int64]:
    """Count the elements of each group whose integers are out of range."""
    if x.size == 0:
        return np.zeros(len(x), np.int64)
    with np.errstate(all="ignore"):
        if isinstance(fmt, Affine):
            scale = _parameter(fmt, "scale", groups).astype(real)
            quotients: NDArray[Any] = x.astype(real)
            quotients = np.rint(quotients / scale).astype(np.float64)
            integers = quotients + _parameter(fmt, "zero_point", groups)
        else:  # exact, but for products beyond the range of float64, which are out of range
            integers = np.rint(np.ldexp(x, _parameter(fmt, "frac_bits", groups)))
    low, high = range_of(fmt)
    wrong = (integers < low) | (integers > high)
    return np.asarray(np.count_nonzero(wrong, axis=(1, 2)))
