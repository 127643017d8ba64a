"""Error metrics: how much an approximation differs from its reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.float_state import default_float_state
from secateur.results import ErrorStats

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.formats import Affine, FixedPoint
    from secateur.literals import Axes, DeterministicRounding, GroupSize

    Float64s = NDArray[np.float64]


def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    *,
    fmt: FixedPoint | Affine | None = None,
    rounding: DeterministicRounding = "nearest_even",
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
) -> ErrorStats:
    """Compute metrics of the error of `w_hat` as an approximation of `w`, in one pass over both.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The reference.
    w_hat : array_like of float16, bfloat16, float32 or float64, of the shape of `w`
        The approximation, such as dequantized or pruned weights.
    fmt : FixedPoint or Affine, optional
        Count the elements of `w` out of the range of this format. The format must have one
        parameter, or one for each group that is compared.
    rounding : {"nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", "floor", \
"ceil", "trunc", "away"}
        How elements of `w` are rounded to integers of `fmt`, as for :func:`quantize`.
    axis : int or tuple of ints, optional
        Compute the metrics for each index along this axis, or for each combination of indices along
        these axes. By default they are of the whole arrays.
    group_size : int or (int, int), optional
        Compute the metrics for each group of this many neighbours along `axis`, by default the last
        axis. With two numbers, the rows and the columns of a block, compute them for each block of
        the two axes of `axis`, by default the last two. Groups at the ends of the axes may be
        smaller.

    Returns
    -------
    ErrorStats
        A named tuple of numbers; with `axis`, of arrays of the lengths of these axes, in the order
        of `w`; with `group_size`, of arrays of the shape of `w`, with one entry per group along
        the axis or axes.

    Raises
    ------
    TypeError
        If `w` or `w_hat` has an unsupported dtype, `axis` or `group_size` is not an integer or a
        tuple of integers, or `fmt` is not a format.
    ValueError
        If the shapes differ, `axis` or `group_size` is out of range, `fmt` has more than 32 bits,
        or the parameters of `fmt` vary otherwise than the groups.

    Notes
    -----
    With ``e = w - w_hat``, and sums over the ``m`` elements of the array or of a group:

    * mse is ``sum(e**2) / m``, and max_abs is the largest ``|e|``.
    * sqnr_db, the signal-to-quantization-noise ratio in decibels, is
      ``10 * log10(sum(w**2) / sum(e**2))``. It is infinite if ``sum(e**2)`` is 0, and minus
      infinity if only ``sum(w**2)`` is 0.
    * cosine is the cosine similarity of `w` and `w_hat`: ``sum(w * w_hat)`` divided by the square
      roots of the two sums of squares. It is 1 if both arrays are all zeros, and 0 if only one is.
    * saturated is the number of elements of `w` whose integer is out of the range of `fmt`.
      Infinities count.

    For arrays without elements, mse and max_abs are 0, sqnr_db is infinite and cosine is 1. NaN
    makes every metric NaN that depends on it, but NaN does not count as saturated. If one of two
    corresponding elements is infinite, mse and max_abs are infinite. If both are infinite with the
    same sign, mse and max_abs are NaN.

    All sums are computed in float64, in an order that depends on the shape alone;
    ``docs/semantics.md`` defines it, and how the cosine is computed. The rows or the columns of a
    group are divided into segments of at most 4096 elements, and each segment has eight partial
    sums. So an element takes part in at most ``d = 514 + b`` additions for ``b`` segments, and its
    square has three roundings. Sums of squares therefore have a relative error of at most
    ``(d + 3) * 2**-53`` to first order [1]_, which is ``5.12e-13`` for ``2**24`` elements. The error
    of the sum of products is at most this factor times ``sum(|w * w_hat|)``. Squares below
    ``1e-308`` lose digits, and squares above ``1e308`` become infinite; both occur only for float64
    data.

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
    >>> sc.compare(np.eye(4), np.zeros((4, 4)), group_size=(2, 4)).mse
    array([[0.25],
           [0.25]])
    """
    sums = _core.compare(w, w_hat, axis, group_size, fmt, rounding)
    whole = sums.ndim == 1
    if whole:
        sums = sums[np.newaxis]
    saturated = None if fmt is None else sums.view(np.int64)[..., -1].copy()
    count: Any = max(np.size(w) // max(sums.size // sums.shape[-1], 1), 1)
    if group_size is not None:
        count = group_lengths(np.shape(w), axis, group_size)
    with default_float_state():
        return statistics([sums[..., i] for i in range(5)], saturated, count, whole=whole)


def group_lengths(
    shape: tuple[int, ...], axis: Axes | None, group_size: GroupSize
) -> NDArray[np.int64]:
    """Return the number of elements of each group, in a shape that broadcasts to the groups."""
    sizes = group_size if isinstance(group_size, tuple) else (group_size,)
    axes: tuple[int, ...] = tuple(range(-len(sizes), 0))
    if axis is not None:
        axes = axis if isinstance(axis, tuple) else (axis,)
    lengths = np.ones((1,) * len(shape), np.int64)
    for i, size in zip(axes, sizes, strict=True):
        along = np.arange(0, shape[i], size)
        along = np.minimum(shape[i] - along, size)
        lengths = lengths * along.reshape(
            [-1 if j == i % len(shape) else 1 for j in range(len(shape))]
        )
    return lengths


def statistics(
    sums: list[Float64s], saturated: NDArray[np.int64] | None, count: Any, *, whole: bool
) -> ErrorStats:
    """Compute the metrics from the sums of e**2, w**2, w_hat**2 and w * w_hat, and the largest |e|.

    The sums are over `count` elements, at least 1, for each group. If the group is the `whole`
    array, the metrics are numbers.
    """
    error, w_squared, w_hat_squared, products, largest = sums
    with np.errstate(all="ignore"):
        mse = error / count
        max_abs = np.where(np.isnan(error), np.nan, largest)
        sqnr_db = np.where(error == 0, np.inf, 10 * np.log10(w_squared / error))
        # With this order of operations, the cosine of equal arrays is exactly 1.
        cosine = np.clip(products / w_squared / np.sqrt(w_hat_squared / w_squared), -1, 1)
        zero = ((w_squared == 0) | (w_hat_squared == 0)) & ~np.isnan(products)
        cosine = np.where(zero, w_squared == w_hat_squared, cosine)
    # Every NaN gets the bits of np.nan.
    mse, max_abs, sqnr_db, cosine = (
        np.where(np.isnan(x), np.nan, x) for x in (mse, max_abs, sqnr_db, cosine)
    )
    if not whole:
        return ErrorStats(mse, max_abs, sqnr_db, cosine, saturated)
    total = None if saturated is None else int(saturated[0])
    return ErrorStats(mse.item(), max_abs.item(), sqnr_db.item(), cosine.item(), total)
