"""How much two arrays differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.comparing import frac_bits_along, statistics
from secateur.reference.arguments import axis_of, floats, refuse
from secateur.reference.sums import cells_of, total

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.formats import FixedPoint
    from secateur.results import ErrorStats


def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    *,
    fmt: FixedPoint | None = None,
    axis: int | None = None,
) -> ErrorStats:
    """How much `w_hat` differs from `w`.

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
    with np.errstate(all="ignore"):
        (a,) = cells_of(w.astype(np.float64), axis, None)
        (b,) = cells_of(w_hat.astype(np.float64), axis, None)
        x, y = a.elements, b.elements
        e = x - y
        sums = [total(terms, a.block) for terms in (e * e, x * x, y * y, x * y)]
        largest = np.fmax(np.abs(e), 0).max(axis=(1, 2), initial=0)
        saturated = None if fmt is None else _saturated(x, fmt, frac_bits_along(fmt, w.ndim, axis))
    count = x.shape[1] * x.shape[2]
    return statistics(np.stack([*sums, largest]), saturated, count, per_axis=axis is not None)


def _saturated(
    x: NDArray[np.float64], fmt: FixedPoint, frac_bits: NDArray[np.int32]
) -> NDArray[Any]:
    if frac_bits.size not in (1, len(x)):
        refuse("fmt", f"{frac_bits.size}", f"of one frac_bits or of {len(x)}")
    # Exact but for what is beyond float64's range, and out of every other.
    rounded = np.rint(np.ldexp(x, frac_bits.reshape(-1, 1, 1)))
    outside = (rounded < fmt.min) | (rounded > fmt.max)
    return np.asarray(np.count_nonzero(outside, axis=(1, 2)))
