"""Arguments: what is taken, and what is refused in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from secateur.formats import integer_in, real
from secateur.reference.order import INFINITIES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Floats = NDArray[Any]


def refuse(name: str, came: Any, allowed: str, error: type[Exception] = ValueError) -> NoReturn:
    msg = f"{name} must be {allowed}, got {came}"
    raise error(msg) from None


# --- arrays ---------------------------------------------------------------------------------


def plain(name: str, values: ArrayLike) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        refuse(name, "a masked one, whose mask would be lost", "a plain array", TypeError)
    return np.asarray(values)


def native(name: str, values: ArrayLike, dtype: DTypeLike) -> Array:
    """`values` as an array of a dtype in native byte order; never cast from another dtype."""
    array = plain(name, values)
    if array.dtype.newbyteorder("=") != dtype:
        refuse(name, array.dtype, f"{np.dtype(dtype)}", TypeError)
    return array.astype(dtype, copy=False)


def floats(name: str, values: ArrayLike) -> Floats:
    """`values` as floats of their own type in native byte order."""
    array = plain(name, values)
    return array.astype(float_type(name, array.dtype), copy=False)


def float_type(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """One of the four floats, in native byte order."""
    if dtype.name not in INFINITIES:
        refuse(name, dtype, " or ".join(INFINITIES), TypeError)
    return dtype.newbyteorder("=")


def wanted_float(dtype: DTypeLike) -> np.dtype[Any]:
    """One of the four floats, as the type of a result."""
    wanted = np.dtype(dtype)
    if wanted.name not in INFINITIES or not wanted.isnative:
        refuse("dtype", wanted, " or ".join(INFINITIES) + " in native byte order", TypeError)
    return wanted


def result(
    out: Any,
    dtype: DTypeLike,
    like: Array,
    *others: Array,
    shape: tuple[int, ...] | None = None,
) -> Array:
    """`out` if it can hold the result, else a new array in C order; of the shape of `like`, or
    of another that is given.
    """
    if out is None:
        return np.empty(like.shape if shape is None else shape, dtype)
    return fitting("out", out, dtype, like, *others, shape=shape)


def fitting(
    name: str,
    out: Any,
    dtype: DTypeLike,
    like: Array,
    *others: Array,
    shape: tuple[int, ...] | None = None,
) -> Array:
    """`out` if it can hold the result: it may be `like` itself, and else shares no memory."""
    if not isinstance(out, np.ndarray):
        refuse(name, type(out).__name__, f"an array of {np.dtype(dtype)}", TypeError)
    plain(name, out)
    if out.dtype != dtype:
        refuse(name, out.dtype, f"{np.dtype(dtype)} in native byte order", TypeError)
    if shape is not None and out.shape != shape:
        refuse(name, f"shape {out.shape}", f"of shape {shape}")
    if shape is None and out.shape != like.shape:
        refuse(name, f"shape {out.shape}", f"of the input's shape {like.shape}")
    if not out.flags.writeable:
        refuse(name, "a read-only array", "writeable")
    if _overlaps_itself(out):
        refuse(name, "strides that make them overlap", "an array with its elements apart")
    partly = not _same(out, like) and np.shares_memory(out, like)
    if partly or any(np.shares_memory(out, other) for other in others):
        allowed = "the input itself or share no memory with it"
        refuse(name, "an array that overlaps it in part", allowed)
    return out


def _overlaps_itself(array: Array) -> bool:
    """Whether two elements may share memory, as in some views that `as_strided` makes."""
    reach = array.itemsize
    steps = zip(map(abs, array.strides), array.shape, strict=True)
    for step, length in sorted((step, length) for step, length in steps if length > 1):
        if step < reach:
            return array.size > 0
        reach += step * (length - 1)
    return False


def _same(a: Array, b: Array) -> bool:
    steps = zip(a.strides, b.strides, a.shape, strict=True)
    return bool(a.__array_interface__["data"] == b.__array_interface__["data"]) and (
        (a.dtype, a.shape) == (b.dtype, b.shape)
        and all(x == y for x, y, length in steps if length > 1)
    )


def refuse_nan(name: str, values: Floats, nan: str, *, infinite: bool = False) -> None:
    """If that is the policy; infinities with them, if `infinite`."""
    if nan != "raise":
        return
    with np.errstate(invalid="ignore"):  # a signalling NaN
        if not infinite and not np.isnan(np.max(values, initial=0)):  # the cheapest look for NaN
            return
        found = (~np.isfinite(values) if infinite else np.isnan(values)).ravel()
    if not found.any():
        return
    count, first = np.count_nonzero(found), found.argmax()
    kind = "NaN or infinities" if infinite else "NaN"
    msg = f"{name} has {count} {kind}, the first at flat index {first}"
    msg += "; nan= can say what to do with it"
    raise ValueError(msg)


# --- numbers and words ----------------------------------------------------------------------


def axis_of(array: Array, axis: int | None) -> int | None:
    """None, or an axis that the array has, counted from the first."""
    if axis is None:
        return None
    if array.ndim == 0:
        refuse("axis", repr(axis), "None for an array without axes")
    return integer_in("axis", axis, -array.ndim, array.ndim - 1) % array.ndim


def count(n: int, k: int | None, sparsity: float | None) -> int:
    """How many of n are kept."""
    if sparsity is None:
        return integer_in("k", k, 0, n)
    share = real("sparsity", sparsity)
    if not 0 <= share <= 1:
        refuse("sparsity", repr(sparsity), "a number from 0 to 1")
    return n - round(share * n)


def limit(threshold: float, *, signed: bool = False) -> float:
    """A threshold for magnitudes, or if `signed` for values."""
    value = real("threshold", threshold)
    if signed and np.isnan(value):
        refuse("threshold", repr(threshold), "a number other than NaN")
    if not (signed or value >= 0):
        refuse("threshold", repr(threshold), "a number, at least 0")
    return value


def one_of(name: str, value: Any, *allowed: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        refuse(name, repr(value), " or ".join(map(repr, allowed)))


def exactly_one(**choices: Any) -> None:
    given = [f"{name}={value!r}" for name, value in choices.items() if value is not None]
    if len(given) != 1:
        came = ", ".join(given) or "none"
        msg = f"exactly one of {', '.join(choices)} must be given, got {came}"
        raise ValueError(msg)


def only_none(why: str, **arguments: Any) -> None:
    """Refuse arguments that do not go with what `why` says."""
    for name, value in arguments.items():
        if value is not None:
            refuse(name, repr(value), f"None{why}")
