"""Selection by magnitude: find the largest elements."""

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
    """Return the k-th largest ``|w|``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        The rank: 1 (the largest magnitude) to ``w.size`` (the smallest); with `axis`, 1 to
        ``w.shape[axis]``.
    axis : int, optional
        Select within each slice along this axis. By default the whole array is one selection.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    scalar of the dtype of `w`
        The magnitude, with the sign cleared. Returned without `axis`.
    ndarray of the dtype of `w`, of the shape of `w` without the axis
        The magnitude of each slice. Returned with `axis`.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or `k` or `axis` is not an integer.
    ValueError
        If `k` or `axis` is out of range, or `w` holds NaN and `nan` is ``"raise"``.

    Notes
    -----
    The method is selection by sampling (Floyd and Rivest 1975, "Expected time bounds for
    selection"). A sample gives an interval that holds the k-th magnitude with high probability.
    One pass over the data counts the elements above the interval and collects the few within it.
    The k-th magnitude is then selected among the collected elements. The result is exact whatever
    the sample; see ``docs/algorithm.md``.

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
    """Return the k elements of largest magnitude and their indices.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        The number of elements: 0 to ``w.size``; with `axis`, 0 to ``w.shape[axis]``.
    axis : int, optional
        Select within each slice along this axis. By default the whole array, flattened in C order,
        is one selection.
    order : {"index", "magnitude"}
        Sort the result by ascending index, or by descending magnitude. Elements of equal magnitude
        are sorted by ascending index. Ties for the last places go to the lowest indices.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    TopK
        A named tuple. ``values`` has the dtype of `w` and holds the elements with their signs.
        ``indices`` is int64 and holds flat indices or, with `axis`, indices along it. Both have
        shape ``(k,)``; with `axis`, they have the shape of `w` with length k along the axis.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or `k` or `axis` is not an integer.
    ValueError
        If `k`, `axis` or `order` is out of range, or `w` holds NaN and `nan` is ``"raise"``.

    Notes
    -----
    The selection is that of :func:`kth_magnitude`, in one pass. For ``order="magnitude"`` a radix
    sort (Knuth 1998, "Sorting and searching", section 5.2.5) sorts the k selected elements. It
    needs about 40 bytes of scratch memory per selected element, and one bit per element of `w`.

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
    """Return the mask of the k largest ``|w|``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int, optional
        The number of elements to keep: 0 to ``w.size``; with `axis`, in each slice, 0 to
        ``w.shape[axis]``. Exactly one of `k` and `sparsity` must be given.
    sparsity : float, optional
        The fraction to remove, 0 to 1. Of n elements, ``round(sparsity * n)`` are removed, rounded
        half to even.
    scores : array_like of float16, bfloat16, float32 or float64, or Times, optional
        The importance that replaces ``|w|``, as in :func:`prune`.
    axis : int, optional
        Select within each slice along this axis. By default the whole array is one selection.
    packed : bool, default False
        Return one bit per element instead of one byte.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    ndarray of bool, of the shape of `w`
        True where an element is kept. Returned if `packed` is False.
    ndarray of uint8, of shape ``(ceil(w.size / 8),)``
        The same bits in C order, the lowest bit of each byte first. Unused bits of the last byte
        are 0. Returned if `packed` is True.

    Raises
    ------
    TypeError
        If `w` or `scores` has an unsupported dtype, or `k` or `axis` is not an integer.
    ValueError
        If `k`, `sparsity` or `axis` is out of range; if both or neither of `k` and `sparsity` are
        given; if `scores` does not fit `w`; or if the values that rank hold NaN and `nan` is
        ``"raise"``.

    Notes
    -----
    The selection is that of :func:`kth_magnitude`. Ties go to the lowest index.

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
