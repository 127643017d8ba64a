"""How much two arrays differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.float_state import default_float_state
from secateur.formats import FixedPoint, integer_in
from secateur.results import ErrorStats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float64s = NDArray[np.float64]


def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    *,
    fmt: FixedPoint | None = None,
    axis: int | None = None,
) -> ErrorStats:
    """How much `w_hat` differs from `w`, in one pass over both.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        What is meant.
    w_hat : array_like of any of these dtypes, of the shape of `w`
        What stands for it: dequantized or pruned, say.
    fmt : FixedPoint, optional
        A format whose range elements of `w` may leave. If its `frac_bits` is an array, it is one
        along the same `axis`, without groups.
    axis : int, optional
        Compare the slices of each index along this axis by themselves; by default all at once.

    Returns
    -------
    ErrorStats
        Numbers; or with `axis` arrays of as many as the axis is long.

    Raises
    ------
    TypeError
        If `w` or `w_hat` is of another dtype, `axis` not an integer, or `fmt` not a FixedPoint.
    ValueError
        If the shapes differ, `axis` is out of range, or `fmt` is not as fine as it says above.

    Notes
    -----
    With ``e = w - w_hat``, and sums over all elements or a slice of ``m`` of them:

    * mse is ``sum(e**2) / m``, and max_abs the largest ``|e|``.
    * sqnr_db, the ratio of signal to quantization noise in decibels, is
      ``10 * log10(sum(w**2) / sum(e**2))``: infinite where there is no error, minus infinity where
      there is nothing but errors.
    * cosine is ``sum(w * w_hat) / sqrt(sum(w**2) * sum(w_hat**2))``: 1 of two vectors of zeros,
      and 0 where only one is.
    * saturated is how many elements of `w`, rounded half to even to a multiple of the resolution,
      are out of the range of `fmt`, infinite ones included.

    Nothing differs in arrays without elements: mse and max_abs are 0, sqnr_db is infinite and
    cosine 1. NaN makes everything NaN that it takes part in, but it does not saturate. Where one
    of two elements is infinite mse and max_abs are; where both are, with the same sign, they are
    NaN.

    Everything is computed in float64, and summed in an order that depends on the shape alone: in
    blocks of 4096 elements in line (256 where slices lie side by side), within which every eighth
    element goes to one of eight sums. An element then takes part in at most ``d = 514 + b``
    additions, of ``b`` blocks, and its square comes from three roundings, so that sums of squares
    have a relative error of at most ``(d + 3) * 2**-53`` to first order [1]_: ``5.2e-13`` of
    ``2**24`` elements. The sum of products has that times ``sum(|w * w_hat|)``. Squares
    below ``1e-308`` lose digits, and beyond ``1e308`` they are infinite, as only those of float64
    can be.

    References
    ----------
    .. [1] Higham, N. J. (1993). The accuracy of floating point summation. SIAM Journal on
       Scientific Computing, 14(4), 783-799.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([0.3, -0.1, 100, 0])
    >>> fmt = sc.FixedPoint(8, frac_bits=1)
    >>> stats = sc.compare(w, sc.fake_quantize(w, fmt), fmt=fmt)
    >>> stats.max_abs, stats.saturated
    (36.5, 1)
    >>> sc.compare(np.eye(2), np.float16([[1, 0], [0, 0.5]]), axis=0).mse
    array([0.   , 0.125])
    """
    bits, signed, each = 0, True, np.zeros(1, np.int32)
    if fmt is not None:
        each = frac_bits_along(fmt, np.ndim(w), axis)
        fmt.for_shape(np.shape(w))
        bits, signed = fmt.bits, fmt.signed
    sums = _core.compare(w, w_hat, axis, bits, signed, each)
    saturated = None if fmt is None else sums.view(np.int64)[:, -1].copy()
    count = np.size(w) // max(len(sums), 1)
    with default_float_state():
        return statistics(sums[:, :-1].T, saturated, count, per_axis=axis is not None)


def frac_bits_along(fmt: Any, ndim: int, axis: int | None) -> NDArray[np.int32]:
    """The frac_bits of a format: one, or one for each index along the axis."""
    if not isinstance(fmt, FixedPoint):
        msg = f"fmt must be a FixedPoint, got {fmt!r}"
        raise TypeError(msg)
    own = fmt.axis
    fits = own is None
    if own is not None and axis is not None and fmt.group_size is None:
        fits = (own - integer_in("axis", axis, -ndim, ndim - 1)) % ndim == 0
    if not fits:
        msg = f"fmt must have one frac_bits, or an array along axis={axis!r}, got {fmt!r}"
        raise ValueError(msg)
    return np.atleast_1d(np.asarray(fmt.frac_bits, np.int32))


def statistics(
    sums: Float64s, saturated: NDArray[np.int64] | None, count: int, *, per_axis: bool
) -> ErrorStats:
    """What is told of the sums of e**2, w**2, w_hat**2 and w * w_hat, and the largest |e|."""
    error, of_w, of_w_hat, products, largest = sums
    with np.errstate(all="ignore"):
        mse = error / max(count, 1)
        max_abs = np.where(np.isnan(error), np.nan, largest)
        sqnr_db = np.where(error == 0, np.inf, 10 * np.log10(of_w / error))
        # In this order it is 1 exactly of arrays that are the same.
        cosine = np.clip(products / of_w / np.sqrt(of_w_hat / of_w), -1, 1)
        zero = ((of_w == 0) | (of_w_hat == 0)) & ~np.isnan(products)
        cosine = np.where(zero, of_w == of_w_hat, cosine)
    mse, max_abs, sqnr_db, cosine = (
        np.where(np.isnan(x), np.nan, x) for x in (mse, max_abs, sqnr_db, cosine)
    )
    if per_axis:
        return ErrorStats(mse, max_abs, sqnr_db, cosine, saturated)
    total = None if saturated is None else int(saturated[0])
    return ErrorStats(mse.item(), max_abs.item(), sqnr_db.item(), cosine.item(), total)
