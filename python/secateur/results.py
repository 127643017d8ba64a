"""What functions return when it is more than one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np


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
