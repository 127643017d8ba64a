"""Selection by magnitude: which elements are largest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secateur import _core
from secateur.results import TopK
from secateur.scores import describe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from secateur.scores import Times

    Mask = NDArray[np.bool_]


def kth_magnitude(w: ArrayLike, k: int, *, axis: int | None = None, nan: str = "raise") -> Any:
    """The k-th largest ``|w|``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        The rank, 1 (the largest magnitude) to ``w.size`` (the smallest), or to ``w.shape[axis]``.
    axis : int, optional
        Select along this axis; by default from the whole array.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    scalar of the dtype of `w`
        The magnitude, its sign cleared; or, with `axis`,
    ndarray of that dtype, of the shape of `w` without the axis
        the magnitude of each slice.

    Raises
    ------
    TypeError
        If `w` is of another dtype, or `k` or `axis` is not an integer.
    ValueError
        If `k` or `axis` is out of range, or `w` holds NaN and `nan` is ``"raise"``.

    Notes
    -----
    Selection by sampling (Floyd and Rivest 1975, "Expected time bounds for selection"): a sample
    gives an interval that holds the k-th magnitude almost surely, one pass over the data counts
    what is above it and collects the few within, and the rest is selecting among those. The result
    is exact whatever the sample; see ``docs/algorithm.md``.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.kth_magnitude(np.float32([3, -4, 0, 1]), 2)
    np.float32(3.0)
    >>> sc.kth_magnitude(np.float32([[3, -4], [0, 1]]), 1, axis=1)
    array([4., 1.], dtype=float32)
    """
    return _core.kth_magnitude(w, k, axis, nan)


def topk(
    w: ArrayLike, k: int, *, axis: int | None = None, order: str = "index", nan: str = "raise"
) -> TopK:
    """The k elements of largest magnitude, and where they are.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        How many, 0 to ``w.size``, or to ``w.shape[axis]``.
    axis : int, optional
        Select along this axis; by default from the whole array, flattened in C order.
    order : {"index", "magnitude"}
        Whether the lowest index comes first, or the largest magnitude; those that tie are in the
        order of their indices.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    TopK
        A named tuple: ``values``, of the dtype of `w`, with their signs; and ``indices``, int64,
        flat or along the axis. Both are of shape ``(k,)``; with `axis`, of that of `w` with the
        axis of length k.

    Raises
    ------
    TypeError
        If `w` is of another dtype, or `k` or `axis` is not an integer.
    ValueError
        If `k`, `axis` or `order` is not what is allowed, or `w` holds NaN and `nan` is ``"raise"``.

    Notes
    -----
    Selected as by :func:`kth_magnitude`, in one pass. What is sorted by magnitude are the k kept
    elements alone, by a radix sort (Knuth 1998, "Sorting and searching", section 5.2.5), which
    takes some 40 bytes of scratch memory for each, beside one bit for each element of `w`.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 0, 1])
    >>> sc.topk(w, 2)
    TopK(values=array([ 3., -4.], dtype=float32), indices=array([0, 1]))
    >>> sc.topk(w, 2, order="magnitude").values
    array([-4.,  3.], dtype=float32)
    """
    return TopK(*_core.topk(w, k, axis, order, nan))


def topk_mask(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: ArrayLike | Times | None = None,
    axis: int | None = None,
    packed: bool = False,
    nan: str = "raise",
) -> Mask | NDArray[np.uint8]:
    """Where the k largest ``|w|`` are.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int, optional
        How many elements are kept, 0 to ``w.size``, or to ``w.shape[axis]`` in each slice. Exactly
        one of `k` and `sparsity` is given.
    sparsity : float, optional
        The share removed, 0 to 1: ``round(sparsity * n)`` of n elements, ties to even.
    scores : array_like of such floats or Times, optional
        What to rank by instead of ``|w|``, as in :func:`prune`.
    axis : int, optional
        Select along this axis; by default from the whole array.
    packed : bool, default False
        Return one bit per element instead of one byte.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    ndarray of bool, of the shape of `w`
        True where kept; or, if `packed`,
    ndarray of uint8, of shape ``(ceil(w.size / 8),)``
        the same bits in C order, the lowest bit of each byte first, the last byte filled with 0.

    Raises
    ------
    TypeError
        If `w` is of another dtype, or `k` is not an integer.
    ValueError
        If `k`, `sparsity` or `axis` is out of range, both or neither of the first two is given,
        `scores` does not fit `w`, or what ranks holds NaN and `nan` is ``"raise"``.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 3, 1])
    >>> sc.topk_mask(w, k=2)
    array([ True,  True, False, False])
    >>> sc.topk_mask(w, k=2, packed=True)
    array([3], dtype=uint8)
    """
    return _core.topk_mask(w, k, sparsity, describe(w, scores), axis, packed, nan)
