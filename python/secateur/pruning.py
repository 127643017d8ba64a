"""Pruning: the elements that matter least become zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.containers import label, match, put_together, require_apart, take_apart
from secateur.patterns import parse_pattern
from secateur.scores import Times, describe

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]


def _require_none(when: str, **parameters: object) -> None:
    for name, value in parameters.items():
        if value is not None:
            msg = f"{name} must be None {when}, got {value!r}"
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

    Exactly one of `k`, `sparsity`, `threshold` and `pattern` is given. With `block`, they are about whole
    blocks of matrices and their norms.

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
        magnitude are kept, of equal ones the first. The axis has a multiple of M elements.
    axis : int, optional
        Select along this axis: `k` and `sparsity` are then about each slice. By default the whole
        array is selected from; patterns run along the last axis. Not with `threshold` or `block`.
    scores : array_like of such floats or Times, optional
        What to rank by instead of ``|w|``. An array of the shape of `w` holds the scores: the
        largest values are kept, negative ones included, and `threshold` compares with them. An
        array that broadcasts to that shape holds factors: ranked is ``|w * scores|``, formed in
        float64 if either is, else in float32, and rounded once. ``Times(x)`` says that `x` is a
        factor whatever its shape. `nan` is then about the scores, or the products.
        Not yet supported.
    block : (int, int), optional
        Rows and columns of the blocks, in the last two axes, that are kept or removed as a whole.
        What does not fill a block at the edges is a smaller one. Blocks of all matrices (the
        leading axes) are compared with each other, and `k` and `sparsity` count them. Ties go to
        the first in the order of matrices, block rows and block columns.
    norm : {"l1", "l2", "max"}, optional
        What is compared of a block, ``"l1"`` if not given: the sum of ``|w|``, the root of the sum
        of squares, or the largest ``|w|``; in float64. That of a block with NaN is NaN.
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
    connections for efficient neural networks"); of whole blocks, which hardware can skip, that of
    Narang et al. 2017, "Block-Sparse Recurrent Neural Networks". Hardware multiplies by matrices of
    pattern 2:4 faster than by dense ones (Mishra et al. 2021, "Accelerating sparse deep neural
    networks"). Factors that are the norms of the input features are Wanda (Sun et al. 2023, "A
    simple and effective pruning approach for large language models"), where `axis` is that of the
    features; the gradient as a factor is the first-order Taylor criterion (Molchanov et al. 2017).

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

    All elements of all arrays compete, so that each array becomes as sparse as its elements are
    small. Nothing is concatenated.

    Parameters
    ----------
    arrays : mapping or sequence of array_like of float16, bfloat16, float32 or float64
        The arrays, of any shapes and dtypes. Magnitudes of different dtypes compare as numbers.
    k : int, optional
        How many elements are kept in all. Exactly one of `k` and `sparsity` is given.
    sparsity : float, optional
        The share removed of all n elements, 0 to 1: ``round(sparsity * n)``, ties to even.
    scores : mapping or sequence, optional
        For each array, by its key or in its place, what to rank by instead of ``|w|``, as `scores`
        in :func:`prune`, or None. Whatever ranks an element compares as a number.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.
    out : mapping or sequence of ndarray, optional
        Where the results go: arrays of the same dtypes and shapes; `arrays` itself to prune in
        place.

    Returns
    -------
    container of ndarray
        `out`, or a container of the kind of `arrays` (dict, tuple or one derived from these; else a
        dict or a list) with new arrays. What is kept keeps its bits, what is removed is
        ``+0.0``. Of elements that tie, those in the first arrays are kept, and the first of these.

    Raises
    ------
    TypeError
        If `arrays` is not a mapping or sequence, `scores` or `out` is not of its kind, or an array
        is of another dtype.
    ValueError
        If `arrays` is empty, `scores` or `out` has other keys or another length, an argument is out
        of range, what ranks holds NaN and `nan` is ``"raise"``, or arrays of `out` do not fit, or
        overlap others. Nothing is written in place then.

    Notes
    -----
    Scratch memory is that of pruning the largest of the arrays, whatever their number.

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
    members = take_apart("arrays", arrays)
    if not members:
        msg = f"arrays must hold at least one array, got {arrays!r}"
        raise ValueError(msg)
    names = [label("", key) for key in members]
    given = list(members.values())
    ranked_by = [None] * len(given) if scores is None else match("scores", scores, arrays)
    outs = [None] * len(given) if out is None else match("out", out, arrays)
    for name, o in zip(names, outs, strict=True):
        if out is not None and o is None:
            msg = f"out{name} must be an array, got NoneType"
            raise TypeError(msg)
    described = [
        describe(w, by, f"scores{name}")
        for w, by, name in zip(given, ranked_by, names, strict=True)
    ]
    if all(isinstance(o, np.ndarray) for o in outs):
        inputs = [(f"arrays{name}", np.asarray(w)) for name, w in zip(names, given, strict=True)]
        for name, by in zip(names, ranked_by, strict=True):
            array = by.x if isinstance(by, Times) else by
            if isinstance(array, np.ndarray):
                inputs.append((f"scores{name}", array))
        require_apart([(f"out{name}", o) for name, o in zip(names, outs, strict=True)], inputs)
    results = _core.prune_global(given, described, outs, names, k, sparsity, nan)
    return put_together(arrays, results) if out is None else out


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


def soft_threshold(w: ArrayLike, threshold: float, *, out: Floats | None = None) -> Floats:
    """Bring every magnitude closer to zero by a threshold, and to zero within it.

    The result is ``sign(w) * max(|w| - threshold, 0)``.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to shrink. NaN stay as they are.
    threshold : float
        At least 0; may be infinite. It is rounded to the dtype of `w`, as is the difference.
    out : ndarray of the dtype and shape of `w`, optional
        Where the result goes; `w` itself to shrink in place.

    Returns
    -------
    ndarray of the dtype and shape of `w`
        `out`, or a new array; ``+0.0`` where ``|w| <= threshold``.

    Raises
    ------
    TypeError
        If `w` or `out` is of another dtype, or `threshold` is not a number.
    ValueError
        If `threshold` is negative or NaN, or `out` does not fit or overlaps `w` in part.

    Notes
    -----
    This is the proximal operator of ``threshold * norm(w, 1)``: the step that proximal gradient
    methods (ISTA, FISTA) take after each gradient step to make weights sparse (Parikh and Boyd
    2014, "Proximal Algorithms", section 6.5.2). As a rule for removing noise it is that of Donoho
    1995, "De-noising by soft-thresholding".

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.soft_threshold(np.float32([3, -4, 0.5, -1]), 1)
    array([ 2., -3.,  0.,  0.], dtype=float32)
    """
    return _core.soft_threshold(w, threshold, out)
