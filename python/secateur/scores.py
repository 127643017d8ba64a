"""Importance other than magnitude."""

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
    """Scores that multiply: the importance of ``w`` is ``|w * x|``.

    An array given as `scores` is the importance itself if it has the shape of ``w``. This says that
    it is a factor, whatever its shape.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        Of the shape of ``w``, or broadcasting to it.

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
    """What the core is told of scores: are they values, the array, and the `repeat` of factors.

    Element ``i`` of `w` has the factor ``array.flat[i // repeat % array.size]``: factors that all
    rows share, or all elements of a channel, are not spread out to the shape of `w`.

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
    times = isinstance(scores, Times)
    factors = scores.x if isinstance(scores, Times) else scores
    array: NDArray[Any] = factors if isinstance(factors, np.ndarray) else np.asarray(factors)
    if isinstance(array, np.ma.MaskedArray):  # which the core refuses
        return False, array, 1
    shape = np.shape(w)
    if array.shape == shape and not times:
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
    spread = np.broadcast_to(array.reshape(inner), shape[first : last + 1])
    return False, spread.reshape(-1), max(math.prod(shape[last + 1 :]), 1)
