"""Selection by magnitude: which elements are largest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secateur import _core
from secateur.unsupported import refuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Mask = NDArray[np.bool_]


def kth_magnitude(
    w: ArrayLike, k: int, *, axis: int | None = None, nan: str = "raise"
) -> np.floating[Any]:
    """The k-th largest ``|w|``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k : int
        The rank, 1 (the largest magnitude) to ``w.size`` (the smallest).
    axis : None
        Not yet supported: the selection is over the whole array.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Returns
    -------
    scalar of the dtype of `w`
        The magnitude, its sign cleared.

    Raises
    ------
    TypeError
        If `w` is of another dtype, or `k` is not an integer.
    ValueError
        If `k` is out of range, or `w` holds NaN and `nan` is ``"raise"``.

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
    """
    if axis is not None:
        refuse(axis=axis)
    return _core.kth_magnitude(w, k, nan)


def topk_mask(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: ArrayLike | None = None,
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
        How many elements are kept, 0 to ``w.size``. Exactly one of `k` and `sparsity` is given.
    sparsity : float, optional
        The share removed, 0 to 1: ``round(sparsity * w.size)`` elements, ties to even.
    scores, axis : None
        Not yet supported.
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
        If `k` or `sparsity` is out of range, both or neither is given, or `w` holds NaN and `nan`
        is ``"raise"``.

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
    if scores is not None or axis is not None:
        refuse(scores=scores, axis=axis)
    return _core.topk_mask(w, k, sparsity, packed, nan)
