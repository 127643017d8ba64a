"""Masks: which elements pruning keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from secateur import _core
from secateur.containers import rebuild
from secateur.patterns import parse_pattern
from secateur.pruning import RAISE, Members, check_combination
from secateur.scores import core_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal, TypeVar

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, BitOrder, Norm, Remainder, SelectionNaN

    Bits = NDArray[np.uint8]
    Floats = NDArray[Any]
    Key = TypeVar("Key")
    Mask = NDArray[np.bool_]


@overload
def prune_mask(
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
    packed: Literal[False] = False,
    row_align: None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> Mask: ...
@overload
def prune_mask(
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
    packed: Literal[True],
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> Bits: ...
@overload
def prune_mask(
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
    packed: bool,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> Mask | Bits: ...
def prune_mask(
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
    packed: bool = False,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> Mask | Bits:
    """Return the mask of the elements that :func:`prune` keeps.

    :func:`apply_mask` with this mask gives the result of :func:`prune` with the same arguments. A
    kept zero is in the mask.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to select from.
    k, sparsity, threshold, pattern, remainder, block, norm, scores, factors, axis
        The selection, as in :func:`prune`. Exactly one of `k`, `sparsity`, `threshold` and
        `pattern` must be given.
    packed : bool, default False
        Return one bit per element instead of one byte.
    row_align : {None, 8}
        The padding of the rows of a packed mask; a row runs along the last axis. None packs the
        flat array, without padding between rows. 8 pads each row to a multiple of 8 bits
        (byte-aligned rows), as ``numpy.packbits(mask, axis=-1)`` does. Must be None if `packed` is
        False.
    bitorder : {"little", "big"}
        The order of the bits in each byte of a packed mask, as in ``numpy.packbits``.
    nan : {"raise", "keep", "prune"}
        Where NaN ranks, as in :func:`prune`.

    Returns
    -------
    ndarray of bool, of the shape of `w`
        True where an element is kept. Returned if `packed` is False.
    ndarray of uint8, of shape ``(ceil(w.size / 8),)``
        The same bits, of the flat array in C order. Unused bits of the last byte are 0. Returned if
        `packed` is True.
    ndarray of uint8, of shape ``(*w.shape[:-1], ceil(w.shape[-1] / 8))``
        The same bits, of each row. Unused bits of the last byte of a row are 0. Returned if
        `row_align` is 8.

    Raises
    ------
    TypeError
        If `w`, `scores` or `factors` has an unsupported dtype, `k` is not an integer, `axis` is not
        an integer or a tuple of integers, or `packed` is not a bool.
    ValueError
        If an argument is out of range, as in :func:`prune`; if `row_align` is 8 and `packed` is
        False; if `row_align` is 8 and `w` has no axis; or if the values that rank hold NaN and
        `nan` is ``"raise"``.

    See Also
    --------
    prune : The elements themselves.
    apply_mask : Sets the elements that a mask removes to zero.

    Notes
    -----
    Packed masks of selections along an axis, of some patterns, and of rows whose last byte has unused
    bits, need ``w.size`` bytes of scratch memory.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([3, -4, 3, 1])
    >>> sc.prune_mask(w, k=2)
    array([ True,  True, False, False])
    >>> sc.prune_mask(w, k=2, packed=True)
    array([3], dtype=uint8)
    >>> sc.prune_mask(w, pattern="1:2")
    array([False,  True,  True, False])
    >>> sc.prune_mask(w.reshape(2, 2), k=2, packed=True, row_align=8)
    array([[3],
           [0]], dtype=uint8)
    """
    has_remainder = remainder is not RAISE
    if threshold is not None or block is not None or norm is not None or has_remainder:
        check_combination(threshold, pattern, remainder, block, norm, axis)
    ranked_by = core_scores(w, scores, factors)
    if block is not None:
        return _core.prune_mask_blocks(
            w,
            k,
            sparsity,
            threshold,
            block,
            norm,
            ranked_by,
            axis,
            packed,
            row_align,
            bitorder,
            nan,
        )
    n_of_m = None if pattern is None else parse_pattern(pattern)
    return _core.prune_mask(
        w,
        k,
        sparsity,
        threshold,
        n_of_m,
        remainder,
        ranked_by,
        axis,
        packed,
        row_align,
        bitorder,
        nan,
    )


@overload
def prune_mask_global(
    arrays: Mapping[Key, ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Mapping[Key, ArrayLike | None] | None = None,
    factors: Mapping[Key, ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Mapping[Key, float | None] | None = None,
    packed: bool = False,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> dict[Key, NDArray[Any]]: ...
@overload
def prune_mask_global(  # type: ignore[overload-overlap] # a tuple is a sequence, and stays a tuple
    arrays: tuple[ArrayLike, ...],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Sequence[ArrayLike | None] | None = None,
    factors: Sequence[ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Sequence[float | None] | None = None,
    packed: bool = False,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> tuple[NDArray[Any], ...]: ...
@overload
def prune_mask_global(
    arrays: Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Sequence[ArrayLike | None] | None = None,
    factors: Sequence[ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Sequence[float | None] | None = None,
    packed: bool = False,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> list[NDArray[Any]]: ...
def prune_mask_global(
    arrays: Any,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Any = None,
    factors: Any = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: Any = None,
    packed: bool = False,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> Any:
    """Return the masks of the elements that :func:`prune_global` keeps.

    Parameters
    ----------
    arrays : mapping or sequence of array_like of float16, bfloat16, float32 or float64
        The arrays to select from.
    k, sparsity, scores, factors, block, norm, max_sparsity
        The selection, as in :func:`prune_global`. Exactly one of `k` and `sparsity` must be given.
    packed, row_align, bitorder
        The form of the masks, as in :func:`prune_mask`.
    nan : {"raise", "keep", "prune"}
        Where NaN ranks, as in :func:`prune_global`.

    Returns
    -------
    container of ndarray
        A new container of the kind that :func:`prune_global` returns, with a mask for each array,
        as :func:`prune_mask` returns it.

    Raises
    ------
    TypeError
        If `arrays` is not a mapping or a sequence, `scores` or `factors` is not of the same kind,
        an array has an unsupported dtype, or `packed` is not a bool.
    ValueError
        As in :func:`prune_global` and :func:`prune_mask`.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> sc.prune_mask_global({"a": np.float32([1, -5]), "b": np.float32([[4], [0.5]])}, k=2)
    {'a': array([False,  True]), 'b': array([[ True],
           [False]])}
    """
    given = Members(arrays, scores, factors, block, norm, max_sparsity)
    masks = _core.prune_mask_global(
        given.arrays,
        given.ranked_by,
        given.labels,
        k,
        sparsity,
        block,
        norm,
        given.max_sparsity,
        packed,
        row_align,
        bitorder,
        nan,
    )
    return rebuild(arrays, masks)


def apply_mask(
    w: ArrayLike,
    mask: ArrayLike,
    *,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    out: Floats | None = None,
) -> Floats:
    """Set the elements that a mask removes to zero.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to mask.
    mask : array_like of bool, of the shape of `w`; or of uint8, packed
        True where an element is kept, as :func:`prune_mask` returns it. A mask of uint8 has the shape
        ``(ceil(w.size / 8),)`` or, if `row_align` is 8, ``(*w.shape[:-1], ceil(w.shape[-1] / 8))``.
        Unused bits are ignored.
    row_align : {None, 8}
        The padding of the rows of a packed mask, as for :func:`prune_mask`. Must be None for a mask
        of bool.
    bitorder : {"little", "big"}
        The order of the bits in each byte of a packed mask, as in ``numpy.packbits``.
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
        If `mask` or `out` has another shape, `bitorder` or `row_align` is out of range, `row_align`
        is given for a mask of bool or a `w` without axes, `out` overlaps `mask`, or `out` overlaps
        `w` in part.

    Notes
    -----
    Packed rows whose last byte has unused bits need ``w.size`` bytes of scratch memory.

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
    return _core.apply_mask(w, mask, row_align, bitorder, out)
