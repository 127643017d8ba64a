"""Granularity: the mapping of parameters to the elements of an array."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import integer_in, only_none, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def broadcast_parameters(
    name: str,
    parameters: Array,
    shape: tuple[int, ...],
    axis: int | None,
    group_size: int | None,
    group_name: str = "group_size",
) -> Array:
    """Return parameters in a shape that broadcasts to that of the array.

    Error messages call the parameters `name`. If it has a prefix, as ``"fmt.frac_bits"`` does, the
    names of the other arguments get it too: ``fmt.axis``.
    """
    prefix = name[: name.find(".") + 1]
    axis_name, group_name = f"{prefix}axis", f"{prefix}{group_name}"
    if parameters.ndim == 0:
        only_none(f" with {name} a single number", **{axis_name: axis, group_name: group_size})
        return parameters
    if group_size is not None:
        group_size = integer_in(group_name, group_size, 1, sys.maxsize)
        axis = -1 if axis is None else axis
    elif parameters.ndim > 1:
        allowed = f"a single number, or of one axis without {group_name}"
        refuse(name, f"{parameters.ndim} axes", allowed)
    elif axis is None:
        refuse(axis_name, "None", f"an integer with {name} an array")
    if not shape:
        allowed = "a single number for an array without axes"
        refuse(name, f"shape {parameters.shape}", allowed)
    axis = integer_in(axis_name, axis, -len(shape), len(shape) - 1) % len(shape)
    before, length, after = shape[:axis], shape[axis], shape[axis + 1 :]
    fitting = (length,) if group_size is None else (*before, -(-length // group_size), *after)
    if parameters.shape != fitting:
        along = f"axis {axis}" + ("" if group_size is None else f" in groups of {group_size}")
        allowed = f"of shape {fitting} for an array of shape {shape} along {along}"
        refuse(name, f"shape {parameters.shape}", allowed)
    if group_size is None:
        return parameters.reshape(-1, *[1] * len(after))
    return np.take(parameters, np.arange(length) // group_size, axis)
