"""Pruning: set the least important elements to zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.containers import label, match, members_of, rebuild, require_apart
from secateur.messages import shown
from secateur.patterns import parse_pattern
from secateur.scores import Times, describe

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]


def _require_none(when: str, **parameters: object) -> None:
    for name, value in parameters.items():
        if value is not None:
            msg = f"{name} must be None {when}, got {shown(value)}"
            raise ValueError(msg)


def prune(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    threshold: float | None = None,
    pattern: str | None = None,
    block: tuple[int, int] | None = None,
    norm: str | None = None,
    scores: ArrayLike | Times | None = None,
    axis: int | None = None,
    nan: str = "raise",
    out: Floats | None = None,
) -> Floats:
    """Set all but the largest magnitudes to zero.

    Exactly one of `k`, `sparsity`, `threshold` and `pattern` must be given. With `block`, whole
    blocks of matrices are kept or removed according to their norms.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to prune.
    k : int, optional
        The number of elements to keep, 0 to ``w.size``; with `axis`, in each slice, 0 to
        ``w.shape[axis]``; with `block`, the number of blocks.
    sparsity : float, optional
        The fraction to remove, 0 to 1. Of ``n`` candidates, ``round(sparsity * n)`` are removed,
        rounded half to even. The candidates are all elements; with `axis`, those of each slice;
        with `block`, the blocks.
    threshold : float, optional
        Keep the elements with ``|w| > threshold``. The comparison is strict and exact, also with an
        int, a Fraction or a Decimal between two floats.
    pattern : str, optional
        ``"N:M"``, 1 <= N <= M <= 32. Of each M consecutive elements along `axis`, the N of largest
        magnitude are kept; ties go to the lowest index. The length of the axis must be a multiple
        of M.
    block : (int, int), optional
        The numbers of rows and columns of a block in the last two axes. Each block is kept or
        removed as a whole. Blocks at the ends of these axes may be smaller. Blocks of all matrices
        (over the leading axes) compete with each other. Ties go to the first block in the order of
        matrix, block row and block column. Cannot be combined with `pattern`, `scores` or `axis`.
    norm : {"l1", "l2", "max"}, optional
        The norm that ranks a block: the sum of ``|w|``, the square root of the sum of squares, or
        the largest ``|w|``. It is computed in float64. The default is ``"l1"``. The norm of a block
        that holds NaN is NaN. Only with `block`.
    scores : array_like of float16, bfloat16, float32 or float64, or Times, optional
        The importance of the elements, used instead of ``|w|``. An array of the shape of `w` holds
        the scores themselves: the largest values are kept, by value and not by magnitude, and
        `threshold` is compared with them. An array of another shape that broadcasts to that of `w`
        holds factors: elements rank by ``|w * scores|``. The product is computed in float64 if `w`
        or `scores` is float64, else in float32, and rounded once. ``Times(x)`` makes `x` a factor
        whatever its shape. With `scores`, `nan` applies to the scores or the products.
    axis : int, optional
        Select within each slice along this axis. By default the whole array is one selection, and
        patterns run along the last axis. Cannot be combined with `threshold` or `block`.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.
    out : ndarray of the dtype and shape of `w`, optional
        The array to write the result to. It may be `w` itself, which prunes in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array. Kept elements keep their bits; removed elements are ``+0.0``.

    Raises
    ------
    TypeError
        If `w`, `scores` or `out` has an unsupported dtype, or `k` or `axis` is not an integer.
    ValueError
        If an argument is out of range; if not exactly one of `k`, `sparsity`, `threshold` and
        `pattern` is given; if the values that rank hold NaN and `nan` is ``"raise"``; if `scores`
        does not fit `w`; or if `out` does not fit `w`, overlaps it in part, or overlaps `scores`.
        Nothing is written in these cases, with one exception: when NaN is found, a part of an
        `out` other than `w` may have been written.

    Notes
    -----
    The method is magnitude pruning (Han et al. 2015, "Learning both weights and connections for
    efficient neural networks"). Pruning of whole blocks, which hardware can skip, follows Narang et
    al. 2017, "Block-Sparse Recurrent Neural Networks". Hardware multiplies by matrices of pattern
    2:4 faster than by dense ones (Mishra et al. 2021, "Accelerating sparse deep neural networks").
    With the norms of the input features as factors, and `axis` that of the features, the method is
    Wanda (Sun et al. 2023, "A simple and effective pruning approach for large language models").
    With the gradient as a factor it is the first-order Taylor criterion (Molchanov et al. 2017,
    "Pruning convolutional neural networks for resource efficient inference").

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
    >>> sc.prune(w.reshape(2, 2), k=1, axis=1, scores=np.float32([2, 1]))
    array([[3. , 0. ],
           [0.5, 0. ]], dtype=float32)
    >>> sc.prune(w.reshape(2, 2), k=1, block=(2, 1))
    array([[ 0., -4.],
           [ 0.,  1.]], dtype=float32)
    """
    if block is not None:
        _require_none("with block", pattern=pattern, scores=scores, axis=axis)
        return _core.prune_blocks(w, k, sparsity, threshold, block, norm, nan, out)
    _require_none("without block", norm=norm)
    if threshold is not None:
        _require_none("with threshold", axis=axis)
    members = None if pattern is None else parse_pattern(pattern)
    return _core.prune(w, k, sparsity, threshold, members, describe(w, scores), axis, nan, out)


def prune_global(
    arrays: Any,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Any = None,
    nan: str = "raise",
    out: Any = None,
) -> Any:
    """Set all but the largest magnitudes among several arrays to zero.

    All elements of all arrays compete in one selection. The sparsity of each array follows from
    how its magnitudes compare with those of the others. The arrays are not concatenated.

    Parameters
    ----------
    arrays : mapping or sequence of array_like of float16, bfloat16, float32 or float64
        The arrays, of any shapes and dtypes. Magnitudes of different dtypes compare by value.
    k : int, optional
        The number of elements to keep in total. Exactly one of `k` and `sparsity` must be given.
    sparsity : float, optional
        The fraction to remove, 0 to 1. Of all n elements, ``round(sparsity * n)`` are removed,
        rounded half to even.
    scores : mapping or sequence, optional
        For each array, by its key or index, the importance that replaces ``|w|``, as `scores` in
        :func:`prune`; or None, for ``|w|``. Scores, products and magnitudes compare by value.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.
    out : mapping or sequence of ndarray, optional
        The arrays to write the results to, of the same dtypes and shapes. It may be `arrays`
        itself, which prunes in place.

    Returns
    -------
    container of ndarray
        `out`, or a new container with new arrays. The new container has the type of `arrays` if
        that is a dict, a tuple or derived from one of them; else it is a dict or a list. Kept
        elements keep their bits; removed elements are ``+0.0``. Ties go to the first array, and
        within an array to the lowest flat index.

    Raises
    ------
    TypeError
        If `arrays` is not a mapping or a sequence, `scores` or `out` is not of the same kind, or
        an array has an unsupported dtype.
    ValueError
        If `arrays` is empty; if the keys or the length of `scores` or `out` differ from those of
        `arrays`; if an argument is out of range; if the values that rank hold NaN and `nan` is
        ``"raise"``; or if an array of `out` does not fit, or overlaps another array. Arrays that
        are pruned in place are then left unmodified.

    Notes
    -----
    The method is magnitude pruning, as in :func:`prune`, with one threshold for all arrays. It
    needs as much scratch memory as pruning the largest of the arrays, whatever their number.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> layers = {"a": np.float32([1, -5]), "b": np.float32([[4], [0.5]])}
    >>> sc.prune_global(layers, k=2)
    {'a': array([ 0., -5.], dtype=float32), 'b': array([[4.],
           [0.]], dtype=float32)}
    >>> sc.prune_global(layers, sparsity=0.5, out=layers) is layers
    True
    """
    members = members_of("arrays", arrays)
    if not members:
        msg = f"arrays must hold at least one array, got {shown(arrays)}"
        raise ValueError(msg)
    names = [label("", key) for key in members]
    ws = list(members.values())
    scores_of = [None] * len(ws) if scores is None else match("scores", scores, arrays)
    outs = [None] * len(ws) if out is None else match("out", out, arrays)
    for name, o in zip(names, outs, strict=True):
        if out is not None and o is None:
            msg = f"out{name} must be an array, got NoneType"
            raise TypeError(msg)
    described = [
        describe(w, score, f"scores{name}")
        for w, score, name in zip(ws, scores_of, names, strict=True)
    ]
    if all(isinstance(o, np.ndarray) for o in outs):
        inputs = [(f"arrays{name}", np.asarray(w)) for name, w in zip(names, ws, strict=True)]
        for name, score in zip(names, scores_of, strict=True):
            array = score.x if isinstance(score, Times) else score
            if isinstance(array, np.ndarray):
                inputs.append((f"scores{name}", array))
        require_apart([(f"out{name}", o) for name, o in zip(names, outs, strict=True)], inputs)
    results = _core.prune_global(ws, described, outs, names, k, sparsity, nan)
    return rebuild(arrays, results) if out is None else out


def apply_mask(w: ArrayLike, mask: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Set the elements that a mask removes to zero.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to mask.
    mask : array_like of bool, of the shape of `w`; or of uint8, of shape ``(ceil(w.size / 8),)``
        True where an element is kept, as :func:`topk_mask` returns it, packed or not. In a packed
        mask, the bits after the first ``w.size`` are ignored.
    out : ndarray of the dtype and shape of `w`, optional
        The array to write the result to. It may be `w` itself, which masks in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array. Kept elements keep their bits; removed elements are ``+0.0``.

    Raises
    ------
    TypeError
        If `w` or `out` has an unsupported dtype, or `mask` is neither bool nor uint8.
    ValueError
        If `mask` or `out` has another shape, `out` overlaps `mask`, or `out` overlaps `w` in part.

    Notes
    -----
    Retraining with a fixed mask, applied after each step, keeps the removed weights at zero (Han et
    al. 2015, "Learning both weights and connections for efficient neural networks").

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


def soft_threshold(w: ArrayLike, threshold: float, *, out: Floats | None = None) -> Floats:
    """Soft-threshold an array: ``sign(w) * max(|w| - threshold, 0)``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to soft-threshold. NaN is copied unchanged.
    threshold : float
        At least 0; may be infinite. The threshold is rounded to the dtype of `w`, and so is the
        difference.
    out : ndarray of the dtype and shape of `w`, optional
        The array to write the result to. It may be `w` itself, which works in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array; ``+0.0`` where ``|w| <= threshold``.

    Raises
    ------
    TypeError
        If `w` or `out` has an unsupported dtype, or `threshold` is not a number.
    ValueError
        If `threshold` is negative or NaN, or `out` does not fit `w` or overlaps it in part.

    Notes
    -----
    Soft-thresholding is the proximal operator of ``threshold * norm(w, 1)``. Proximal gradient
    methods (ISTA, FISTA) apply it after each gradient step to make weights sparse (Parikh and Boyd
    2014, "Proximal Algorithms", section 6.5.2). Donoho 1995, "De-noising by soft-thresholding",
    uses it to remove noise.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.soft_threshold(np.float32([3, -4, 0.5, -1]), 1)
    array([ 2., -3.,  0.,  0.], dtype=float32)
    """
    return _core.soft_threshold(w, threshold, out)
