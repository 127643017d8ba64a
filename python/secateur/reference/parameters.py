"""The parameter of each element of an array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import integer_in, refuse, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def broadcast_parameters(
    name: str, parameters: Array, shape: tuple[int, ...], axis: Any, group_size: Any
) -> Array:
    """Return parameters in a shape that broadcasts to that of the array.

    Without groups, they vary along one axis or several. With groups, they have as many axes as the
    array. The names of other arguments in error messages have the prefix of `name`, such as
    ``fmt.``.
    """
    if not shape:
        allowed = "a single number for an array without axes"
        refuse(name, allowed, f"shape {parameters.shape}")
    if not (group_size is None or isinstance(group_size, tuple) or parameters.ndim == len(shape)):
        along_last = (*shape[:-1], -(-shape[-1] // group_size))
        msg = (
            f"{name} must have as many dimensions as the array with group_size, got shape "
            f"{parameters.shape} for an array of shape {shape}; groups along the last axis take "
            f"shape {along_last}"
        )
        raise ValueError(msg)
    prefix = name[: name.find(".") + 1]
    given = axis if isinstance(axis, tuple) else (axis,)
    ndim = len(shape)
    axes = [integer_in(f"{prefix}axis", one, -ndim, ndim - 1) % ndim for one in given]
    if axes != sorted({*axes}):
        refuse(f"{prefix}axis", "a tuple of axes in ascending order", shown(axis))
    if group_size is None:
        _check_shape(name, parameters, tuple(shape[along] for along in axes), shape)
        return parameters.reshape([shape[i] if i in axes else 1 for i in range(ndim)])
    sizes_given = group_size if isinstance(group_size, tuple) else (group_size,)
    sizes = dict(zip(axes, sizes_given, strict=True))
    groups = tuple(-(-n // sizes.get(i, 1)) for i, n in enumerate(shape))
    _check_shape(name, parameters, groups, shape)
    for along, size in sizes.items():
        parameters = np.take(parameters, np.arange(shape[along]) // size, along)
    return parameters


def _check_shape(
    name: str, parameters: Array, fitting: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    if parameters.shape != fitting:
        allowed = f"of shape {fitting} for an array of shape {shape}"
        refuse(name, allowed, f"shape {parameters.shape}")
