"""Selection by magnitude: find the largest elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from secateur import _core
from secateur.results import TopK
from secateur.scores import core_scores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, SelectionNaN


@overload
def kth_magnitude(
    w: ArrayLike, k: int, *, axis: None = None, nan: SelectionNaN = "raise"
) -> np.floating[Any]: ...
@overload
def kth_magnitude(
    w: ArrayLike, k: int, *, axis: Axes, nan: SelectionNaN = "raise"
) -> NDArray[Any]: ...
def kth_magnitude(
    w: ArrayLike, k: int, *, axis: Axes | None = None, nan: SelectionNaN = "raise"
) -> Any:
    """Return the k-th largest ``|w|``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        The rank: 1 (the largest magnitude) to ``w.size`` (the smallest); with `axis`, 1 to the
        number of elements along the axis or axes.
    axis : int or tuple of ints, optional
        Select within each slice along this axis, or among the elements that differ only along these
        axes: ``axis=(1, 2, 3)`` is one selection for each output channel of a convolution kernel.
        By default the whole array is one selection.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    scalar of the dtype of `w`
        The magnitude, with the sign cleared. Returned without `axis`.
    ndarray of the dtype of `w`, of the shape of `w` without the axis or axes
        The magnitude of each slice. Returned with `axis`.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, `k` is not an integer, or `axis` is not an integer or a
        tuple of integers.
    ValueError
        If `k` or `axis` is out of range, `axis` is empty or repeats an axis, or `w` holds NaN and
        `nan` is ``"raise"``.

    Notes
    -----
    The method is selection by sampling (Floyd and Rivest 1975, "Expected time bounds for
    selection"). A sample gives an interval that holds the k-th magnitude with high probability.
    One pass over the data counts the elements above the interval and collects the few within it.
    The k-th magnitude is then selected among the collected elements. The result is exact whatever
    the sample; see ``docs/algorithm.md``.

    With axes that are not adjacent, the selection works on a transposed copy.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.kth_magnitude(np.float32([3, -4, 0, 1]), 2)
    np.float32(3.0)
    >>> sc.kth_magnitude(np.float32([[3, -4], [0, 1]]), 1, axis=1)
    array([4., 1.], dtype=float32)
    >>> kernel = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
    >>> sc.kth_magnitude(kernel, 1, axis=(1, 2, 3))
    array([11., 23.], dtype=float32)
    """
    return _core.kth_magnitude(w, k, axis, nan)


def topk(
    w: ArrayLike,
    k: int,
    *,
    axis: Axes | None = None,
    scores: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    residual: NDArray[Any] | None = None,
    sorted: bool = False,
    nan: SelectionNaN = "raise",
) -> TopK:
    """Return the k elements of largest magnitude and their indices.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        The number of elements: 0 to ``w.size``; with `axis`, 0 to the number of elements along the
        axis or axes.
    axis : int or tuple of ints, optional
        Select within each slice along this axis, or among the elements that differ only along these
        axes, in the order that they have in `w`. By default the whole array, flattened in C order,
        is one selection.
    scores, factors : array_like of float16, bfloat16, float32 or float64, optional
        The importance that replaces ``|w|``, as in :func:`prune`. ``scores=w`` selects the largest
        values instead of the largest magnitudes.
    residual : ndarray of the dtype and shape of `w`, optional
        Error feedback: selects from the sums ``w + residual``, each rounded once to their dtype, and
        then writes to `residual` what was not selected: the sums, with 0 at the selected places. It
        must be writable and share no memory with `w`. An error leaves it unmodified. Cannot be
        combined with `scores` or `factors`.
    sorted : bool, default False
        If True, the result is sorted from the highest rank to the lowest, and ties by ascending
        index. If False, it is sorted by ascending index. Ties for the last places go to the lowest
        indices in both cases.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    TopK
        A named tuple. ``values`` has the dtype of `w` and holds the elements with their signs, or
        with `residual` the sums.
        ``indices`` is int64 and holds flat indices or, with `axis`, indices along it. Both have
        shape ``(k,)``; with `axis`, they have the shape of `w` with length k along the axis.
        Several axes are replaced by one of length k, at the place of the first. Indices are then
        flat, in C order, over these axes as they follow each other in `w`.

    Raises
    ------
    TypeError
        If `w`, `scores` or `factors` has an unsupported dtype, `residual` is not an array of the
        dtype of `w`, `k` is not an integer, `axis` is not an integer or a tuple of integers, or
        `sorted` is not a bool.
    ValueError
        If `k` or `axis` is out of range; if `axis` is empty or repeats an axis; if `scores` or
        `factors` does not fit `w`, or both are given; if `residual` has another shape than `w`, is
        read-only, shares memory with `w`, or is given with `scores` or `factors`; or if the values
        that rank hold NaN and `nan` is ``"raise"``.

    Notes
    -----
    The selection is that of :func:`kth_magnitude`, in one pass. With ``sorted=True``, a radix sort
    (Knuth 1998, "Sorting and searching", section 5.2.5) sorts the k selected elements.

    With `residual`, repeated calls compress the gradients of SGD with error feedback: what one step
    does not send is added to the gradient of the next (Seide et al. 2014, "1-bit stochastic gradient
    descent and its application to data-parallel distributed training of speech DNNs"; Stich et al.
    2018, "Sparsified SGD with memory", arXiv:1809.07599; Lin et al. 2017, "Deep gradient
    compression", arXiv:1712.01887). The sums are computed twice, once to select and once to store
    them, because an error must leave `residual` unmodified. A sum that is NaN is the positive NaN
    with only the quiet bit set.

    With axes that are not adjacent, the selection works on a transposed copy.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 0, 1])
    >>> sc.topk(w, 2)
    TopK(values=array([ 3., -4.], dtype=float32), indices=array([0, 1]))
    >>> sc.topk(w, 2, sorted=True).values
    array([-4.,  3.], dtype=float32)
    >>> sc.topk(w, 2, factors=np.float32([1, 0, 1, 2])).values
    array([3., 1.], dtype=float32)
    >>> sc.topk(w.reshape(1, 2, 2), 2, axis=(1, 2))
    TopK(values=array([[ 3., -4.]], dtype=float32), indices=array([[0, 1]]))

    Error feedback over two steps:

    >>> rest = np.zeros(4, np.float32)
    >>> for gradient in np.float32([[3, -4, 0, 1], [1, 1, 0, 1]]):
    ...     print(sc.topk(gradient, 1, residual=rest), rest)
    TopK(values=array([-4.], dtype=float32), indices=array([1])) [3. 0. 0. 1.]
    TopK(values=array([4.], dtype=float32), indices=array([0])) [0. 1. 0. 2.]
    """
    if residual is not None and (scores is not None or factors is not None):
        name = "factors" if scores is None else "scores"
        msg = f"residual and {name} must not both be given; the magnitudes of w + residual rank"
        raise ValueError(msg)
    ranked_by = core_scores(w, scores, factors)
    return TopK(*_core.topk(w, k, axis, ranked_by, residual, sorted, nan))
