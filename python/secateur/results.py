"""What functions return when it is more than one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TopK(NamedTuple):
    """The k largest magnitudes, as :func:`secateur.topk` returns them.

    Attributes
    ----------
    values : ndarray of the dtype of the input
        The elements themselves, with their signs, bit for bit.
    indices : ndarray of int64, of the shape of `values`
        Where each was: flat in C order, or along the axis.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> values, indices = reference.topk(np.float32([3, -4, 0, 1]), 2)
    >>> values
    array([ 3., -4.], dtype=float32)
    >>> indices
    array([0, 1])
    """

    values: NDArray[Any]
    indices: NDArray[np.int64]


class Bracket(NamedTuple):
    """Two magnitudes between which another lies, as :class:`secateur.MagnitudeSketch` tells them.

    Attributes
    ----------
    low, high : scalars of the dtype of the data
        ``low <= x <= high`` for the magnitude ``x``; it is known exactly when they are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.results import Bracket
    >>> Bracket(np.float32(1), np.float32(2)).high
    np.float32(2.0)
    """

    low: np.floating[Any]
    high: np.floating[Any]
