"""Pruning: the elements that matter least become zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secateur import _core
from secateur.patterns import parse_pattern
from secateur.unsupported import refuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]


def prune(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    threshold: float | None = None,
    pattern: str | None = None,
    block: tuple[int, int] | None = None,
    scores: ArrayLike | None = None,
    axis: int | None = None,
    nan: str = "raise",
    out: Floats | None = None,
) -> Floats:
    """Set all but the largest magnitudes to zero.

    Exactly one of `k`, `sparsity`, `threshold` and `pattern` is given.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to prune.
    k : int, optional
        How many elements are kept, 0 to ``w.size``.
    sparsity : float, optional
        The share removed, 0 to 1: ``round(sparsity * w.size)`` elements, ties to even.
    threshold : float, optional
        Keep what is strictly larger, ``|w| > threshold``, compared exactly.
    pattern : str, optional
        ``"N:M"``, 1 <= N <= M <= 32: of each M consecutive elements along `axis` the N of largest
        magnitude are kept, of equal ones the first.
    axis : int, optional
        With `pattern`, the axis that groups lie along, the last by default. Its length is a
        multiple of M. Otherwise not yet supported.
    block, scores : None
        Not yet supported.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.
    out : ndarray of the dtype and shape of `w`, optional
        Where the result goes; `w` itself to prune in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array. What is kept keeps its bits, what is removed is ``+0.0``.

    Raises
    ------
    TypeError
        If `w` or `out` is of another dtype, or `k` is not an integer.
    ValueError
        If an argument is out of range, not exactly one of the four is given, `w` holds NaN and
        `nan` is ``"raise"``, or `out` does not fit or overlaps `w` in part. Nothing is written
        then, except that NaN may be met when a part of an `out` other than `w` has been.

    Notes
    -----
    The method is that of magnitude pruning (Han et al. 2015, "Learning both weights and
    connections for efficient neural networks"). Hardware multiplies by matrices of pattern 2:4
    faster than by dense ones (Mishra et al. 2021, "Accelerating sparse deep neural networks").

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> sc.prune(w, sparsity=0.5)
    array([ 3., -4.,  0.,  0.], dtype=float32)
    >>> sc.prune(w, threshold=0.5)
    array([ 3., -4.,  0.,  1.], dtype=float32)
    >>> sc.prune(w, pattern="1:2")
    array([ 0., -4.,  0.,  1.], dtype=float32)
    """
    if block is not None or scores is not None:
        refuse(block=block, scores=scores)
    if pattern is None and axis is not None:
        refuse(axis=axis)
    members = None if pattern is None else parse_pattern(pattern)
    return _core.prune(w, k, sparsity, threshold, members, axis, nan, out)


def apply_mask(w: ArrayLike, mask: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Set to zero what a mask does not keep.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to mask.
    mask : array_like of bool, of the shape of `w`; or of uint8, of shape ``(ceil(w.size / 8),)``
        True where kept, as :func:`topk_mask` returns it, packed or not. What the last byte of a
        packed mask holds beyond ``w.size`` bits is ignored.
    out : ndarray of the dtype and shape of `w`, optional
        Where the result goes; `w` itself to mask in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array. What is kept keeps its bits, what is removed is ``+0.0``.

    Raises
    ------
    TypeError
        If `w` or `out` is of another dtype, or `mask` is neither bool nor uint8.
    ValueError
        If `mask` or `out` is of another shape, or `out` overlaps `mask`, or `w` in part.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.apply_mask(np.float32([3, -4, 5]), [True, False, True])
    array([3., 0., 5.], dtype=float32)
    >>> sc.apply_mask(np.float32([3, -4, 5]), np.uint8([0b101]))
    array([3., 0., 5.], dtype=float32)
    """
    return _core.apply_mask(w, mask, out)
