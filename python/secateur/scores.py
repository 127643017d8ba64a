"""The arguments `scores` and `factors`, which replace the magnitude as the importance of elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.arguments import array_of, native_array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def core_scores(
    w: ArrayLike, scores: ArrayLike | None, factors: ArrayLike | None, label: str = ""
) -> tuple[bool, NDArray[Any], int, NDArray[Any]] | None:
    """Convert `scores` or `factors` to the form that the core takes.

    Parameters
    ----------
    w : array_like
        The array whose elements are ranked.
    scores, factors : array_like or None
        See :func:`secateur.prune`.
    label : str, default ""
        What follows the names of the arguments in error messages, such as ``"[0]"``.

    Returns
    -------
    (are_scores, array, repeat, given), or None
        None if both are None, or if the dtype of `w` is not supported, which the core reports.
        `are_scores` is True if `array` holds scores, and False if it holds factors. The factor of
        element ``i`` of `w` is ``array.flat[i // repeat % array.size]``: factors that rows share,
        or that all elements of a channel share, are not expanded to the shape of `w`. `given` is
        the argument as an array, which `array` may be a copy of.

    Raises
    ------
    ValueError
        If both are given, if the shape of `scores` is not that of `w`, or if the shape of `factors`
        does not broadcast to it.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.scores import core_scores
    >>> w = np.zeros((2, 3, 4), np.float32)
    >>> core_scores(w, None, np.float32([[1], [2], [3]]))[:3]
    (False, array([1., 2., 3.], dtype=float32), 4)
    """
    if scores is None and factors is None:
        return None
    if scores is not None and factors is not None:
        msg = f"scores{label} and factors{label} must not both be given"
        raise ValueError(msg)
    ranked = array_of(f"w{label}", native_array(f"w{label}", w))
    if not _core.is_float_dtype(ranked.dtype):  # the core refuses such a w
        return None
    name = f"factors{label}" if scores is None else f"scores{label}"
    given = native_array(name, factors if scores is None else scores)
    array: NDArray[Any] = given if isinstance(given, np.ndarray) else array_of(name, given)
    if isinstance(array, np.ma.MaskedArray):  # the core refuses masked arrays
        return scores is not None, array, 1, array
    array = np.asarray(array)  # a matrix stays two-dimensional, whatever it is reshaped to
    shape = ranked.shape
    if scores is not None:
        if array.shape != shape:
            msg = (
                f"scores{label} must be of shape {shape}, that of w, got shape {array.shape}; "
                "factors= broadcasts to the shape of w"
            )
            raise ValueError(msg)
        return True, array, 1, array
    lengths = (1,) * (len(shape) - array.ndim) + array.shape
    if len(lengths) != len(shape) or any(
        a not in (1, b) for a, b in zip(lengths, shape, strict=True)
    ):
        msg = (
            f"factors{label} must be of a shape that broadcasts to {shape}, got shape {array.shape}"
        )
        raise ValueError(msg)
    if not math.prod(shape):  # no element has a factor
        return False, np.empty(0, array.dtype), 1, array
    varying = [axis for axis, length in enumerate(lengths) if length != 1]
    if not varying:
        return False, array.reshape(-1), math.prod(shape), array
    first, last = varying[0], varying[-1]
    inner = lengths[first : last + 1]
    expanded = np.broadcast_to(array.reshape(inner), shape[first : last + 1])
    return False, expanded.reshape(-1), math.prod(shape[last + 1 :]), array
