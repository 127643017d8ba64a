"""Masks: which elements pruning keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import as_bool, floats, plain, refuse, result
from secateur.reference.containers import rebuild
from secateur.reference.global_pruning import GlobalSelection
from secateur.reference.packing import check_bitorder, checked_row_align, packed_shape
from secateur.reference.pruning import Selection, masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, BitOrder, Norm, Remainder, SelectionNaN

    Array = NDArray[Any]
    Bits = NDArray[np.uint8]
    Floats = NDArray[Any]
    Mask = NDArray[np.bool_]


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

    Parameters, results and errors are those of :func:`secateur.prune_mask`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> w = np.float32([3, -4, 3, 1])
    >>> reference.prune_mask(w, k=2)
    array([ True,  True, False, False])
    >>> reference.prune_mask(w, k=2, packed=True)
    array([3], dtype=uint8)
    >>> reference.prune_mask(w, k=2, scores=np.float32([-1, -2, 0, 5]))
    array([False, False,  True,  True])
    """
    packed = _check_packed(packed, row_align, bitorder)
    kept = Selection(
        w, k, sparsity, threshold, pattern, remainder, block, norm, scores, factors, axis, nan
    )
    return _packed(kept.mask(), packed, row_align, bitorder)


def prune_mask_global(
    arrays: Mapping[Any, ArrayLike] | Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None = None,
    factors: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None = None,
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    max_sparsity: float | Mapping[Any, float | None] | Sequence[float | None] | None = None,
    packed: bool = False,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    nan: SelectionNaN = "raise",
) -> Any:
    """Return the masks of the elements that :func:`prune_global` keeps.

    Parameters, results and errors are those of :func:`secateur.prune_mask_global`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.prune_mask_global([np.float32([3, -4]), np.float32([5, 1, 2])], k=2)
    [array([False,  True]), array([ True, False, False])]
    """
    packed = _check_packed(packed, row_align, bitorder)
    given = GlobalSelection(arrays, k, sparsity, scores, factors, block, norm, max_sparsity, nan)
    return rebuild(arrays, [_packed(mask, packed, row_align, bitorder) for mask in given.masks()])


def apply_mask(
    w: ArrayLike,
    mask: ArrayLike,
    *,
    row_align: Literal[8] | None = None,
    bitorder: BitOrder = "little",
    out: Floats | None = None,
) -> Floats:
    """Set the elements that a mask removes to zero.

    Parameters, results and errors are those of :func:`secateur.apply_mask`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.apply_mask(np.float32([3, -4, 5]), [True, False, True])
    array([3., 0., 5.], dtype=float32)
    >>> reference.apply_mask(np.float32([3, -4, 5]), np.uint8([0b101]))
    array([3., 0., 5.], dtype=float32)
    """
    check_bitorder(bitorder)
    row_align = _checked_row_align(row_align)
    w, mask = floats("w", w), plain("mask", mask)
    out = result(out, w.dtype, {"w": w, "mask": mask}, in_place=True)
    return masked(w, _unpacked(mask, w, row_align, bitorder), out)


def _checked_row_align(row_align: Any) -> Literal[8] | None:
    if checked_row_align(row_align) == 32:
        refuse("row_align", "None or 8", 32)
    return None if row_align is None else 8


def _check_packed(packed: bool, row_align: Literal[8] | None, bitorder: BitOrder) -> bool:
    check_bitorder(bitorder)
    row_align = _checked_row_align(row_align)
    packed = as_bool("packed", packed)
    if row_align is not None and not packed:
        refuse("row_align", "None unless packed is True", row_align)
    return packed


def _packed(
    mask: Mask, packed: bool, row_align: Literal[8] | None, bitorder: BitOrder
) -> Mask | Bits:
    if not packed:
        return np.asarray(mask, order="C")
    if row_align is None:
        return np.packbits(mask, bitorder=bitorder)
    packed_shape("w", mask.shape, 1, row_align)  # refuses an array without axes
    return np.packbits(mask, axis=-1, bitorder=bitorder)


def _unpacked(mask: Array, w: Floats, row_align: Literal[8] | None, bitorder: BitOrder) -> Mask:
    """Return `mask`, packed or not, as a bool array of the shape of `w`."""
    if mask.dtype == np.bool_:
        if row_align is not None:
            refuse("row_align", "None for a mask of bool", row_align)
        if mask.shape != w.shape:
            refuse("mask", f"of shape {w.shape}, that of w", f"shape {mask.shape}")
        return mask
    if mask.dtype != np.uint8:
        refuse("mask", "bool or uint8", mask.dtype, TypeError)
    packed = packed_shape("w", w.shape, 1, row_align)
    if mask.shape != packed:
        meaning = "one bit for each element of w" if row_align is None else "that of packed rows"
        refuse("mask", f"of shape {packed}, {meaning}", f"shape {mask.shape}")
    if row_align is None:
        bits = np.unpackbits(mask, count=w.size, bitorder=bitorder)
    else:
        bits = np.unpackbits(mask, axis=-1, count=w.shape[-1], bitorder=bitorder)
    return bits.view(np.bool_).reshape(w.shape)
