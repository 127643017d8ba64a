"""Importance: the magnitudes of an array, separate scores, or products with factors."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from secateur.reference.arguments import floats, limit, refuse, refuse_nan
from secateur.reference.order import as_rows, key_at_most, keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[Any]
    Keys = NDArray[Any]
    Mask = NDArray[np.bool_]


class Importance(NamedTuple):
    """The importance of each element, and its name in error messages."""

    name: str
    values: Floats
    signed: bool  # whether elements rank by value, or by magnitude
    sources: Mapping[str, Floats] = MappingProxyType({})  # inputs besides w, by their names

    def keys(self, nan: str, axes: tuple[int, ...] | None = None) -> Keys:
        """Return the keys, with one row for each slice along the axes."""
        refuse_nan(self.name, self.values, nan)
        return keys_of(as_rows(self.values, axes), nan, signed=self.signed)

    def above(self, threshold: float, nan: str) -> Mask:
        """Return the mask of the elements whose importance is larger than the threshold."""
        bound = limit(threshold, signed=self.signed)
        mask = self.keys(nan) > key_at_most(bound, self.values.dtype)
        return mask.reshape(self.values.shape)


def importance(
    w: Floats, scores: ArrayLike | None, factors: ArrayLike | None, label: str = ""
) -> Importance:
    """Return the importance by `scores` or `factors` or, if both are None, by magnitude.

    `label` follows the names of the arguments in error messages. If it is not empty, `w` is one of
    several `arrays`.
    """
    w_name = f"arrays{label}" if label else "w"
    if factors is None:
        if scores is None:
            return Importance(w_name, w, signed=False)
        x = floats(f"scores{label}", scores)
        if x.shape != w.shape:
            allowed = f"of shape {w.shape}, that of {w_name}; factors= broadcasts to it"
            refuse(f"scores{label}", allowed, f"shape {x.shape}")
        return Importance(f"scores{label}", x, signed=True, sources={f"scores{label}": x})
    if scores is not None:
        msg = f"scores{label} and factors{label} must not both be given"
        raise ValueError(msg)
    x = floats(f"factors{label}", factors)
    try:
        factor = np.broadcast_to(x, w.shape)
    except ValueError:
        allowed = f"of shape {w.shape}, that of {w_name}, or broadcast to it"
        refuse(f"factors{label}", allowed, f"shape {x.shape}")
    # float16 and bfloat16 are exact in float32.
    dtype = np.float64 if np.float64 in (w.dtype, x.dtype) else np.float32
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        wide = w.astype(dtype, copy=False)
        product = wide * factor.astype(dtype, copy=False)
        # A product of two NaN is that of w, made quiet. NumPy may return either.
        product = np.where(np.isnan(wide), wide + 0, product)
    return Importance(
        f"{w_name} * factors{label}", product, signed=False, sources={f"factors{label}": x}
    )
