"""Formats chosen for the data: what the choice looks at, in plain NumPy.

How it is decided is in :mod:`secateur.choosing`, which is plain NumPy already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.choosing import Core, choose_fixed_point, choose_scale
from secateur.reference.arguments import axis_of, floats
from secateur.reference.selection import kth_magnitude
from secateur.reference.sums import cells_of, total

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.formats import FixedPoint
    from secateur.results import AffineParameters

    Float64s = NDArray[np.float64]


def choose_format(
    w: ArrayLike,
    bits: int,
    *,
    signed: bool = True,
    method: str = "max",
    percentile: float = 99.99,
    axis: int | None = None,
    group_size: int | None = None,
) -> FixedPoint:
    """The fixed-point format with the binary point where it suits the data.

    Parameters, results and errors are those of :func:`secateur.choose_format`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.choose_format(np.float32([0.1, -0.25, 0.5, 1.5]), 8)
    FixedPoint(bits=8, frac_bits=6, signed=True)
    """
    return choose_fixed_point(_CORE, w, bits, signed, method, percentile, axis, group_size)


def choose_affine(
    w: ArrayLike,
    dtype: DTypeLike,
    *,
    symmetric: bool = False,
    method: str = "max",
    percentile: float = 99.99,
    axis: int | None = None,
    block_size: int | None = None,
) -> AffineParameters:
    """The scale and the zero point that suit the data, by the rules of ONNX.

    Parameters, results and errors are those of :func:`secateur.choose_affine`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.choose_affine(np.float32([-127, 64]), np.int8, symmetric=True)
    AffineParameters(scale=1.0, zero_point=0)
    """
    return choose_scale(_CORE, w, dtype, symmetric, method, percentile, axis, block_size)


def _ranges(w: ArrayLike, axis: int | None, group_size: int | None) -> Float64s:
    w = floats("w", w)
    axis = axis_of(w, axis)
    wrong = ~np.isfinite(w).ravel()
    if wrong.any():
        msg = f"w has {np.count_nonzero(wrong)} elements that are NaN or infinite, the first at "
        msg += f"flat index {wrong.argmax()}; a format is chosen for finite numbers"
        raise ValueError(msg)
    ranges = np.zeros((2, _count(w, axis, group_size)))
    for cells in cells_of(w.astype(np.float64), axis, group_size):
        ranges[0, cells.places] = cells.elements.min(axis=(1, 2), initial=0)
        ranges[1, cells.places] = cells.elements.max(axis=(1, 2), initial=0)
    return ranges + 0  # no zero is negative


def _rounding_errors(
    w: ArrayLike, axis: int | None, group_size: int | None, grids: Float64s, ratio: float
) -> Float64s:
    """Three sums for each cell: on a coarser grid, on this one, and on a finer one."""
    w = floats("w", w)
    axis = axis_of(w, axis)
    multiplier, low, high = grids.T
    used = grids[multiplier > 0]
    narrow = (
        w.itemsize <= 4
        and not (
            (used[:, 0] < 2.0**-100)
            | (used[:, 0] > 2.0**100)
            | (np.abs(used[:, 1:]) > 1 << 24).any(1)
        ).any()
    )
    real = np.float32 if narrow else np.float64
    sums = np.zeros(grids.shape)
    for cells in cells_of(w.astype(real), axis, group_size):
        places = cells.places
        x = cells.elements

        def column(values: Float64s, places: Any = places) -> Any:
            return values[places].astype(real).reshape(-1, 1, 1)

        lowest, highest = column(low), column(high)
        y = x * column(multiplier)
        c = x * column(multiplier / ratio)
        z = x * column(multiplier * ratio)
        errors = c - np.rint(c), y - np.rint(np.clip(y, lowest, highest))
        for i, error in enumerate((*errors, z - np.clip(z, lowest, highest))):
            sums[places, i] = total(np.square(error.astype(np.float64)), cells.block)
    return sums


def _count(w: NDArray[Any], axis: int | None, group_size: int | None) -> int:
    if axis is None:
        return 1
    if group_size is None:
        return int(w.shape[axis])
    slices = w.size // w.shape[axis] if w.size else 0
    return int(slices * -(-w.shape[axis] // group_size))


_CORE = Core(_ranges, _rounding_errors, lambda w, k, axis=None: kth_magnitude(w, k, axis=axis))
