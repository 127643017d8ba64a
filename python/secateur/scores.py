"""Scores: measures of importance that replace the magnitude."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


FLOATS = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True, eq=False)
class Times:
    """Factors of the importance: an element ranks by ``|w * x|``.

    Without `Times`, an array of the shape of ``w`` given as `scores` is the importance itself. With
    `Times`, it holds factors.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        The factors, of the shape of ``w`` or broadcastable to it.

    Notes
    -----
    With the gradient of the loss for `x`, this is the first-order Taylor criterion of Molchanov et
    al. (2017), "Pruning convolutional neural networks for resource efficient inference".

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import Times, reference
    >>> w, gradient = np.float32([3, -4, 1]), np.float32([1, 0, -2])
    >>> reference.prune(w, k=1, scores=Times(gradient))
    array([3., 0., 0.], dtype=float32)
    """

    x: ArrayLike


def describe(
    w: ArrayLike, scores: ArrayLike | Times | None, name: str = "scores"
) -> tuple[bool, NDArray[Any], int] | None:
    """Convert `scores` to the form that the core takes.

    Parameters
    ----------
    w : array_like
        The array that the scores rank.
    scores : array_like, Times or None
        Scores or factors; see :func:`secateur.prune`.
    name : str, default "scores"
        The name of `scores` in error messages.

    Returns
    -------
    (is_score, array, repeat), or None
        None if there are no scores. `is_score` is True if `array` holds the scores, and False if it
        holds factors. The factor of element ``i`` of `w` is
        ``array.flat[i // repeat % array.size]``: factors that rows share, or that all elements of
        a channel share, are not expanded to the shape of `w`.

    Raises
    ------
    ValueError
        If the shape of `scores` does not broadcast to that of `w`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.scores import describe
    >>> w = np.zeros((2, 3, 4), np.float32)
    >>> describe(w, np.float32([[1], [2], [3]]))
    (False, array([1., 2., 3.], dtype=float32), 4)
    """
    if scores is None or np.asanyarray(w).dtype.name not in FLOATS:  # the core refuses such a w
        return None
    are_factors = isinstance(scores, Times)
    values = scores.x if isinstance(scores, Times) else scores
    array: NDArray[Any] = values if isinstance(values, np.ndarray) else np.asarray(values)
    if isinstance(array, np.ma.MaskedArray):  # the core refuses masked arrays
        return False, array, 1
    array = np.asarray(array)  # a matrix stays two-dimensional, whatever it is reshaped to
    shape = np.shape(w)
    if array.shape == shape and not are_factors:
        return True, array, 1
    lengths = (1,) * (len(shape) - array.ndim) + array.shape
    if len(lengths) != len(shape) or any(
        a not in (1, b) for a, b in zip(lengths, shape, strict=True)
    ):
        msg = f"{name} must be of a shape that broadcasts to {shape}, got shape {array.shape}"
        raise ValueError(msg)
    varying = [axis for axis, length in enumerate(lengths) if length != 1]
    if not varying:
        return False, array.reshape(-1), max(math.prod(shape), 1)
    first, last = varying[0], varying[-1]
    inner = lengths[first : last + 1]
    expanded = np.broadcast_to(array.reshape(inner), shape[first : last + 1])
    return False, expanded.reshape(-1), max(math.prod(shape[last + 1 :]), 1)
