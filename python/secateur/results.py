"""The named tuples that functions return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class TopK(NamedTuple):
    """The k elements that rank highest, as :func:`secateur.topk` returns them.

    Attributes
    ----------
    values : ndarray of the dtype of the input
        The elements with their signs, bit for bit.
    indices : ndarray of int64, of the shape of `values`
        Their indices: flat in C order, or along the axis.

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
    """Bounds of a magnitude, as :class:`secateur.MagnitudeSketch` returns them.

    Attributes
    ----------
    low, high : scalars of the dtype of the data
        ``low <= x <= high`` for the magnitude ``x``. If the bounds are equal, they are ``x``.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.results import Bracket
    >>> Bracket(np.float32(1), np.float32(2)).high
    np.float32(2.0)
    """

    low: np.floating[Any]
    high: np.floating[Any]


class ErrorStats(NamedTuple):
    """Error metrics of an approximation, as :func:`secateur.compare` returns them.

    Attributes
    ----------
    mse : float or ndarray of float64
        The mean of the squared differences.
    max_abs : float or ndarray of float64
        The largest absolute difference.
    sqnr_db : float or ndarray of float64
        The signal-to-quantization-noise ratio in decibels.
    cosine : float or ndarray of float64
        The cosine similarity of the two arrays as vectors.
    saturated : int or ndarray of int64, or None
        The number of elements out of the range of the format; None if no format was given.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.compare(np.float32([3, -4]), np.float32([3, -4]))
    ErrorStats(mse=0.0, max_abs=0.0, sqnr_db=inf, cosine=1.0, saturated=None)
    """

    mse: Any
    max_abs: Any
    sqnr_db: Any
    cosine: Any
    saturated: Any
