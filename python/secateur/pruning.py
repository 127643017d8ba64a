"""Pruning: set the least important elements to zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from secateur import _core
from secateur.arguments import as_double
from secateur.containers import label, match, members_of, rebuild, require_apart
from secateur.messages import shown
from secateur.patterns import parse_pattern
from secateur.scores import core_scores

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, Norm, Remainder, SelectionNaN

    Floats = NDArray[Any]
    Container = TypeVar("Container")
    Key = TypeVar("Key")


# The default of `remainder`. A call compares it by identity, which takes no time. An equal string that is
# another object only takes the longer way through check_combination().
RAISE = "raise"


def _require_none(when: str, **parameters: object) -> None:
    for name, value in parameters.items():
        if value is not None:
            msg = f"{name} must be None {when}, got {shown(value)}"
            raise ValueError(msg)


def check_combination(
    threshold: float | None,
    pattern: str | None,
    remainder: Any,
    block: tuple[int, int] | None,
    norm: str | None,
    axis: Axes | None,
) -> None:
    """Raise an error if these arguments of :func:`prune` cannot be combined."""
    if pattern is None and not (isinstance(remainder, str) and remainder == "raise"):
        msg = f"remainder must be 'raise' (the default) without pattern, got {shown(remainder)}"
        raise ValueError(msg)
    if block is None:
        _require_none("without block", norm=norm)
    else:
        _require_none("with block", pattern=pattern)
    if threshold is not None:
        _require_none("with threshold", axis=axis)


def _fraction(name: str, value: Any) -> float:
    number = as_double(name, value)
    if not 0 <= number <= 1:
        msg = f"{name} must be a number from 0 to 1, got {shown(value)}"
        raise ValueError(msg)
    return number


def prune(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    threshold: float | None = None,
    pattern: str | None = None,
    remainder: Remainder = "raise",
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    scores: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    axis: Axes | None = None,
    nan: SelectionNaN = "raise",
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
        The number of elements to keep, 0 to ``w.size``; with `axis`, in each slice, 0 to the number
        of elements along the axis or axes; with `block`, the number of blocks.
    sparsity : float, optional
        The fraction to remove, 0 to 1. Of ``n`` elements, ``round(sparsity * n)`` are removed,
        rounded half to even. With `axis`, ``n`` is the number of elements of a slice; with `block`,
        the number of blocks.
    threshold : float, optional
        Keep the elements with ``|w| > threshold``; with `block`, the blocks whose norm is larger
        than it. The comparison is strict and exact. The
        threshold may be an int, a Fraction or a Decimal that no float represents.
    pattern : str, optional
        ``"N:M"``, 1 <= N <= M <= 32. Of each M consecutive elements along `axis`, the N of largest
        magnitude are kept; ties go to the lowest index. Several axes count as one, flattened in C
        order.
    remainder : {"raise", "keep", "pad"}
        What to do with the last elements if the length of the axis is not a multiple of M.
        ``"raise"``: ValueError. ``"keep"``: all are kept. ``"pad"``: they form a shorter group, of
        which at most N are kept. Only with `pattern`.
    block : (int, int), optional
        The numbers of rows and columns of a block in the last two axes. Each block is kept or
        removed as a whole. Blocks at the ends of these axes may be smaller, and blocks larger than
        a matrix are cut off. Blocks of all matrices
        (over the leading axes) compete with each other, unless `axis` is given. Ties go to the first
        block in the order of matrix, block row and block column. Cannot be combined with `pattern`.
    norm : {"l1", "l2", "max", "mean"}, optional
        The norm that ranks a block: the sum of ``|w|``, the square root of the sum of squares, the
        largest ``|w|``, or the mean of ``|w|``, in which smaller blocks at the ends of an axis are
        at no disadvantage. It is computed in float64. The default is ``"l1"``. The norm of a block
        that holds NaN is NaN. With `scores` or `factors`, it is the norm of the scores or products in
        the block. Only with `block`.
    scores : array_like of float16, bfloat16, float32 or float64, of the shape of `w`, optional
        The importance of the elements, used instead of ``|w|``. The largest values are kept, by
        value and not by magnitude, and `threshold` is compared with them; with `block`, the norms of
        the scores decide, which do not depend on their signs. `nan` applies to the scores. Cannot be
        combined with `factors`.
    factors : array_like of float16, bfloat16, float32 or float64, optional
        Factors of the importance, of a shape that broadcasts to that of `w`: elements rank by
        ``|w * factors|``. The product is computed in float64 if `w` or `factors` is float64, else
        in float32, and rounded once. `nan` applies to the products.
    axis : int or tuple of ints, optional
        Select within each slice along this axis, or among the elements that differ only along these
        axes: ``axis=(1, 2, 3)`` is one selection for each output channel of a convolution kernel.
        By default the whole array is one selection, and patterns run along the last axis. Axes that
        are not adjacent cost a transposed copy. With `block`, the axes are those of the array of
        norms, in which the last two count block rows and block columns. They must be adjacent, and
        blocks that differ only along them compete. Cannot be combined with `threshold`.
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
        If `w`, `scores`, `factors` or `out` has an unsupported dtype, `k` is not an integer, or
        `axis` is not an integer or a tuple of integers.
    ValueError
        If an argument is out of range; if not exactly one of `k`, `sparsity`, `threshold` and
        `pattern` is given; if the values that rank hold NaN and `nan` is ``"raise"``; if `scores`
        or `factors` does not fit `w`, or both are given; or if `out` does not fit `w`, overlaps it
        in part, or overlaps `scores` or `factors`. Nothing is written in these cases, with one
        exception: when NaN is found, a part of an `out` other than `w` may have been written.

    See Also
    --------
    prune_mask : The mask of the elements that are kept.

    Notes
    -----
    The method is magnitude pruning (Han et al. 2015, "Learning both weights and connections for
    efficient neural networks"). Pruning of whole blocks, which hardware can skip, follows Narang et
    al. 2017, "Block-Sparse Recurrent Neural Networks". Hardware multiplies by matrices of pattern
    2:4 faster than by dense ones (Mishra et al. 2021, "Accelerating sparse deep neural networks").
    The automatic sparsity of NVIDIA's Apex pads with zeros, as ``remainder="pad"`` does.
    With the norms of the input features as factors, and `axis` set to the feature axis, the method
    is Wanda (Sun et al. 2023, "A simple and effective pruning approach for large language models").
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
    >>> sc.prune(np.float32([3, -4, 0.5, 1, 2]), pattern="1:3", remainder="pad")
    array([ 0., -4.,  0.,  0.,  2.], dtype=float32)
    >>> sc.prune(w.reshape(2, 2), k=1, axis=1, factors=np.float32([2, 1]))
    array([[3. , 0. ],
           [0.5, 0. ]], dtype=float32)
    >>> sc.prune(w.reshape(2, 2), k=1, block=(2, 1))
    array([[ 0., -4.],
           [ 0.,  1.]], dtype=float32)
    >>> sc.prune(w.reshape(2, 2), k=1, block=(1, 2), factors=np.float32([[1], [9]]))
    array([[0. , 0. ],
           [0.5, 1. ]], dtype=float32)
    >>> sc.prune(w.reshape(2, 1, 2), k=1, axis=(1, 2))
    array([[[ 0., -4.]],
    <BLANKLINE>
           [[ 0.,  1.]]], dtype=float32)
    """
    has_remainder = remainder is not RAISE
    if threshold is not None or block is not None or norm is not None or has_remainder:
        check_combination(threshold, pattern, remainder, block, norm, axis)
    ranked_by = core_scores(w, scores, factors)
    if block is not None:
        return _core.prune_blocks(w, k, sparsity, threshold, block, norm, ranked_by, axis, nan, out)
    n_of_m = None if pattern is None else parse_pattern(pattern)
    return _core.prune(w, k, sparsity, threshold, n_of_m, remainder, ranked_by, axis, nan, out)


@overload
def prune_global(
    arrays: Mapping[Any, ArrayLike] | Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Any = None,
    factors: Any = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: Any = None,
    nan: SelectionNaN = "raise",
    out: Container,
) -> Container: ...
@overload
def prune_global(
    arrays: Mapping[Key, ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Mapping[Key, ArrayLike | None] | None = None,
    factors: Mapping[Key, ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Mapping[Key, float | None] | None = None,
    nan: SelectionNaN = "raise",
    out: None = None,
) -> dict[Key, Floats]: ...
@overload
def prune_global(  # type: ignore[overload-overlap] # a tuple is a sequence, and stays a tuple
    arrays: tuple[ArrayLike, ...],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Sequence[ArrayLike | None] | None = None,
    factors: Sequence[ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Sequence[float | None] | None = None,
    nan: SelectionNaN = "raise",
    out: None = None,
) -> tuple[Floats, ...]: ...
@overload
def prune_global(
    arrays: Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Sequence[ArrayLike | None] | None = None,
    factors: Sequence[ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Sequence[float | None] | None = None,
    nan: SelectionNaN = "raise",
    out: None = None,
) -> list[Floats]: ...
def prune_global(
    arrays: Any,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Any = None,
    factors: Any = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: Any = None,
    nan: SelectionNaN = "raise",
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
        The number of elements to keep in total; with `block`, the number of blocks. Exactly one of
        `k` and `sparsity` must be given.
    sparsity : float, optional
        The fraction to remove, 0 to 1. Of all n elements or blocks, ``round(sparsity * n)`` are
        removed, rounded half to even.
    scores, factors : mapping or sequence of array_like or None, optional
        For each array, by its key or index, the importance that replaces ``|w|``, as in
        :func:`prune`; or None. An array that has neither scores nor factors ranks by ``|w|``.
        Scores, products and magnitudes compare by value.
    block : (int, int), optional
        The numbers of rows and columns of a block in the last two axes of each array. Blocks of all
        arrays compete, as those of one array do in :func:`prune`; blocks larger than an array are cut
        off.
    norm : {"l1", "l2", "max", "mean"}, optional
        The norm that ranks a block, as in :func:`prune`. Only with `block`.
    max_sparsity : float, or mapping or sequence of float or None, optional
        The largest fraction that may be removed of each array, 0 to 1; one number for all, or one for
        each array, by its key or index. None is no limit. An array of n elements or blocks loses at
        most ``round(max_sparsity * n)`` of them: the others, its largest, are kept in any case.
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
        If `arrays` is not a mapping or a sequence, `scores`, `factors` or `out` is not of the same
        kind, or an array has an unsupported dtype.
    ValueError
        If `arrays` is empty; if the keys or the length of `scores`, `factors` or `out` differ from
        those of `arrays`; if an array has both scores and factors; if an argument is out of range;
        if `k` or `sparsity` removes more than `max_sparsity` allows; if the values that rank hold
        NaN and `nan` is ``"raise"``; or if an array of `out` does not fit, or overlaps another
        array. Arrays that are pruned in place are then left unmodified.

    See Also
    --------
    prune_mask_global : The masks of the elements that are kept.

    Notes
    -----
    The method is magnitude pruning, as in :func:`prune`, with one threshold for all arrays. It
    needs as much scratch memory as pruning the largest of the arrays, whatever their number.

    One threshold for all arrays can remove most of a layer, or all of it, which disconnects the
    network; `max_sparsity` prevents that (Tanaka et al. 2020, "Pruning neural networks without any
    data by iteratively conserving synaptic flow", describe the problem as layer collapse). With it
    the arrays are read once more for each time that further arrays reach their limits.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> layers = {"a": np.float32([1, -5]), "b": np.float32([[4], [0.5]])}
    >>> sc.prune_global(layers, k=2)
    {'a': array([ 0., -5.], dtype=float32), 'b': array([[4.],
           [0.]], dtype=float32)}
    >>> sc.prune_global({"a": np.float32([1, 2]), "b": np.float32([3, 4])}, k=2, max_sparsity=0.5)
    {'a': array([0., 2.], dtype=float32), 'b': array([0., 4.], dtype=float32)}
    >>> sc.prune_global(layers, sparsity=0.5, out=layers) is layers
    True
    """
    given = Members(arrays, scores, factors, block, norm, max_sparsity)
    outs = given.match("out", out)
    for name, o in zip(given.labels, outs, strict=True):
        if out is not None and o is None:
            msg = f"out{name} must be an array, got NoneType"
            raise TypeError(msg)
    if all(isinstance(o, np.ndarray) for o in outs):
        require_apart(
            [(f"out{x}", o) for x, o in zip(given.labels, outs, strict=True)], given.inputs()
        )
    results = _core.prune_global(
        given.arrays,
        given.ranked_by,
        outs,
        given.labels,
        k,
        sparsity,
        block,
        norm,
        given.max_sparsity,
        nan,
    )
    return rebuild(arrays, results) if out is None else out


class Members:
    """The arrays of a global selection, with their scores or factors and their limits."""

    def __init__(
        self,
        arrays: Any,
        scores: Any,
        factors: Any,
        block: tuple[int, int] | None,
        norm: str | None,
        max_sparsity: Any,
    ) -> None:
        if block is None:
            _require_none("without block", norm=norm)
        members = members_of("arrays", arrays)
        if not members:
            msg = f"arrays must hold at least one array, got {shown(arrays)}"
            raise ValueError(msg)
        self._container = arrays
        self.labels = [label("", key) for key in members]
        self.arrays = list(members.values())
        self._scores = self.match("scores", scores)
        self._factors = self.match("factors", factors)
        self.ranked_by = [
            core_scores(*each)
            for each in zip(self.arrays, self._scores, self._factors, self.labels, strict=True)
        ]
        self.max_sparsity = self._limits(max_sparsity)

    def _limits(self, max_sparsity: Any) -> list[float]:
        """Return the largest sparsity of each array."""
        name = "max_sparsity"
        if isinstance(max_sparsity, (Mapping, Sequence)) and not isinstance(max_sparsity, str):
            limits = self.match(name, max_sparsity)
            return [
                1.0 if limit is None else _fraction(f"{name}{x}", limit)
                for x, limit in zip(self.labels, limits, strict=True)
            ]
        limit = 1.0 if max_sparsity is None else _fraction(name, max_sparsity)
        return [limit] * len(self.arrays)

    def match(self, name: str, container: Any) -> list[Any]:
        """Return the member of a container for each array; None for each if it is None."""
        if container is None:
            return [None] * len(self.arrays)
        return match(name, container, self._container)

    def inputs(self) -> list[tuple[str, Floats]]:
        """Return all arrays that the selection reads, and their names."""
        named = [
            (f"arrays{x}", np.asarray(w)) for x, w in zip(self.labels, self.arrays, strict=True)
        ]
        for name, values in (("scores", self._scores), ("factors", self._factors)):
            for x, array in zip(self.labels, values, strict=True):
                if isinstance(array, np.ndarray):
                    named.append((f"{name}{x}", array))
        return named


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
