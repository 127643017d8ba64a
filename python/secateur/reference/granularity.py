"""Parameters beside the elements that they go with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from secateur.formats import Granularity

    Array = NDArray[Any]


def spread_along(
    parameters: Array, how: Granularity | None, shape: tuple[int, ...], axis: int | None
) -> Array:
    """Parameters in a shape that broadcasts to that of the array, as `how` says."""
    if how is None:
        return parameters
    axis = (-1 if axis is None else axis) % len(shape)
    if how.shared:
        return parameters.reshape(-1, *[1] * (len(shape) - axis - 1))
    return np.take(parameters, np.arange(how.length) // how.block, axis)
