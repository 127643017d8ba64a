"""Masks: which elements pruning keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import as_bool, floats, plain, refuse, result
from secateur.reference.containers import rebuild
from secateur.reference.global_pruning import GlobalSelection
from secateur.reference.packing import check_bitorder
from secateur.reference.pruning import Selection, masked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, BitOrder, Norm, SelectionNaN

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
    block: tuple[int, int] | None = None,
    norm: Norm | None = None,
    scores: ArrayLike | None = None,
    factors: ArrayLike | None = None,
    axis: Axes | None = None,
    packed: bool = False,
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
    packed = _check_packed(packed, bitorder)
    kept = Selection(w, k, sparsity, threshold, pattern, block, norm, scores, factors, axis, nan)
    return _packed(kept.mask(), packed, bitorder)


def prune_mask_global(
    arrays: Mapping[Any, ArrayLike] | Sequence[ArrayLike],
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None = None,
    factors: Mapping[Any, ArrayLike | None] | Sequence[ArrayLike | None] | None = None,
    packed: bool = False,
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
    packed = _check_packed(packed, bitorder)
    masks = GlobalSelection(arrays, k, sparsity, scores, factors, nan).masks()
    return rebuild(arrays, [_packed(mask, packed, bitorder) for mask in masks])


def apply_mask(
    w: ArrayLike, mask: ArrayLike, *, bitorder: BitOrder = "little", out: Floats | None = None
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
    w, mask = floats("w", w), plain("mask", mask)
    out = result(out, w.dtype, w, mask)
    return masked(w, _unpacked(mask, w, bitorder), out)


def _check_packed(packed: bool, bitorder: BitOrder) -> bool:
    check_bitorder(bitorder)
    return as_bool("packed", packed)


def _packed(mask: Mask, packed: bool, bitorder: BitOrder) -> Mask | Bits:
    return np.packbits(mask, bitorder=bitorder) if packed else np.asarray(mask, order="C")


def _unpacked(mask: Array, w: Floats, bitorder: BitOrder) -> Mask:
    """Return `mask`, packed or not, as a bool array of the shape of `w`."""
    if mask.dtype == np.bool_:
        if mask.shape != w.shape:
            refuse("mask", f"of shape {w.shape}, that of w", f"shape {mask.shape}")
        return mask
    if mask.dtype != np.uint8:
        refuse("mask", "bool or uint8", mask.dtype, TypeError)
    packed = ((w.size + 7) // 8,)
    if mask.shape != packed:
        refuse("mask", f"of shape {packed}, one bit for each element of w", f"shape {mask.shape}")
    bits = np.unpackbits(mask, count=w.size, bitorder=bitorder)
    return bits.view(np.bool_).reshape(w.shape)
