"""Error metrics: how much an approximation differs from its reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import Affine, FixedPoint
from secateur.reference.arguments import floats, refuse, shown
from secateur.reference.parameters import broadcast_parameters
from secateur.reference.quantization import (
    affine_compute_type,
    check_format,
    check_scales,
    parameters_of,
    ranges_of,
)
from secateur.reference.rounding import check_deterministic, to_integers
from secateur.reference.sums import Layout, layout_of, total
from secateur.results import ErrorStats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, DeterministicRounding, GroupSize

    Float64s = NDArray[np.float64]
    Floats = NDArray[Any]


def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    *,
    fmt: FixedPoint | Affine | None = None,
    rounding: DeterministicRounding = "nearest_even",
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
    check_deterministic(rounding)
    w, w_hat = floats("w", w), floats("w_hat", w_hat)
    if w_hat.shape != w.shape:
        refuse("w_hat", f"of the shape {w.shape} of w", f"shape {w_hat.shape}")
    layout = layout_of(w, axis, group_size)
    wrong = None if fmt is None else _out_of_range(w, fmt, rounding, layout)
    count = math.prod(layout.shape)
    noise, signal, of_y, products, max_abs = np.zeros((5, count))
    saturated = np.zeros(count, np.int64)
    with np.errstate(all="ignore"):
        pairs = zip(
            layout.groups_of(w.astype(np.float64)),
            layout.groups_of(w_hat.astype(np.float64)),
            strict=True,
        )
        for (indices, x, segment), (_, y, _) in pairs:
            e = x - y
            for sums, terms in ((noise, e * e), (signal, x * x), (of_y, y * y), (products, x * y)):
                sums[indices] = total(terms, segment)
            max_abs[indices] = np.abs(e).max(axis=(1, 2), initial=0)
        if wrong is not None:
            for indices, elements, _ in layout.groups_of(wrong):
                saturated[indices] = np.count_nonzero(elements, axis=(1, 2))
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


def _out_of_range(w: Floats, fmt: Any, rounding: str, layout: Layout) -> NDArray[np.bool_]:
    """Return which elements have integers that are out of the range of a format."""
    check_format(fmt)
    compute_type = affine_compute_type(w.dtype)
    if isinstance(fmt, Affine):
        check_scales(np.asarray(fmt.scale), compute_type)
    _check_groups(fmt, w.shape, layout)
    with np.errstate(all="ignore"):
        if isinstance(fmt, Affine):
            scales: Floats = parameters_of(fmt, "scale", w.shape).astype(compute_type)
            elements: Floats = w.astype(compute_type)
            quotients: Floats = np.asarray(elements / scales)
            integers = to_integers(quotients, rounding, None).astype(np.float64)
            integers = integers + parameters_of(fmt, "zero_point", w.shape)
        else:  # exact, but for products beyond the range of float64, which are out of range
            exponents = parameters_of(fmt, "frac_bits", w.shape)
            x = w.astype(np.float64)
            scaled = np.ldexp(x, exponents)
            # What underflows is still rounded away from 0 where its sign says so.
            tiny = np.copysign(np.finfo(np.float64).smallest_subnormal, x)
            scaled = np.where((scaled == 0) & (x != 0), tiny, scaled)
            integers = to_integers(scaled, rounding, None)
    low, high, _ = ranges_of(fmt, w.shape)
    return np.asarray((integers < low) | (integers > high))


def _check_groups(fmt: FixedPoint | Affine, shape: tuple[int, ...], layout: Layout) -> None:
    """Refuse a format unless it has one parameter, or one for each group."""
    name = "scale" if isinstance(fmt, Affine) else "frac_bits"
    if not isinstance(fmt, Affine) and np.ndim(fmt.frac_bits) == 0:
        name = "bits"
    given = np.shape(getattr(fmt, name))
    if not given:
        return
    count = math.prod(given)
    indices = np.arange(count).reshape(given)
    places = broadcast_parameters(f"fmt.{name}", indices, shape, fmt.axis, fmt.group_size)
    if count <= 1 or math.prod(shape) == 0:
        return
    fits = count == math.prod(layout.shape) and all(
        (elements == elements[:, :1, :1]).all()
        for _, elements, _ in layout.groups_of(np.broadcast_to(places, shape))
    )
    if not fits:
        allowed = "one parameter, or one for each group that is compared"
        raise ValueError(f"fmt must have {allowed}, got {shown(fmt)}")
