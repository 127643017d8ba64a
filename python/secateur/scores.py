"""Importance other than magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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
