"""Argument checks and their error messages."""

from __future__ import annotations

import math
import numbers
import operator
import sys
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from secateur.reference.order import INFINITIES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from secateur.literals import Axes

    Array = NDArray[Any]
    Floats = NDArray[Any]


def refuse(name: str, allowed: str, got: Any, error: type[Exception] = ValueError) -> NoReturn:
    text = str(got)
    msg = f"{name} must be {allowed}, got {text if len(text) <= 400 else text[:400] + '...'}"
    raise error(msg) from None


def shown(value: Any) -> str:
    """Return the repr of a value; if it is long or fails, a short description."""
    try:
        if isinstance(value, np.ndarray) and value.size > 8:
            return f"{value.dtype} of shape {value.shape}"
        if isinstance(value, (list, tuple, dict, set, str, bytes)) and len(value) > 100:
            return f"a {type(value).__name__} of {len(value)}"
        text = repr(value)
    except Exception:  # noqa: BLE001  # of a __repr__, or of an int with too many digits
        text = object.__repr__(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


# --- arrays ---------------------------------------------------------------------------------


def plain(name: str, values: Any) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        refuse(name, "a plain array", "a masked one, whose mask would be lost", TypeError)
    if hasattr(values, "toarray"):
        refuse(name, "an array", f"{type(values).__name__}; {name}.toarray() makes one", TypeError)
    kind = type(values)
    try:
        if hasattr(kind, "__dlpack__") and not hasattr(kind, "__array__"):
            return np.from_dlpack(values)
        return np.asarray(values)
    except ValueError:
        if isinstance(values, (list, tuple)):
            refuse(name, "an array with rows of equal lengths", shown(values))
        raise


def native(name: str, values: ArrayLike, dtype: DTypeLike) -> Array:
    """Return `values` as an array of `dtype` in native byte order; refuse any other dtype."""
    array = plain(name, values)
    if array.dtype.newbyteorder("=") != dtype:
        refuse(name, f"{np.dtype(dtype)}", array.dtype, TypeError)
    return array.astype(dtype, copy=False)


def floats(name: str, values: ArrayLike) -> Floats:
    """Return `values` as an array of floats of their own dtype, in native byte order."""
    array = plain(name, values)
    return array.astype(float_type(name, array.dtype), copy=False)


def float_type(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return `dtype` in native byte order; refuse it unless it is one of the four floats."""
    if dtype.name not in INFINITIES:
        refuse(name, " or ".join(INFINITIES), dtype, TypeError)
    return dtype.newbyteorder("=")


def result_float_type(dtype: DTypeLike | None) -> np.dtype[Any]:
    """Return the dtype of a result; refuse it unless it is one of the four floats."""
    allowed = " or ".join(INFINITIES) + " in native byte order"
    wanted = as_dtype("dtype", dtype, allowed)
    if wanted.name not in INFINITIES or not wanted.isnative:
        refuse("dtype", allowed, wanted, TypeError)
    return wanted


def result(
    out: Any,
    dtype: DTypeLike,
    inputs: dict[str, Array],
    shape: tuple[int, ...] | None = None,
    *,
    in_place: bool = False,
) -> Array:
    """Return `out` if it can hold the result, or a new array in C order if `out` is None.

    The result has the shape of the first input, or `shape` if that is given.
    """
    if out is None:
        like = next(iter(inputs.values()))
        return np.empty(like.shape if shape is None else shape, dtype)
    return fitting("out", out, dtype, inputs, shape, in_place=in_place)


def fitting(
    name: str,
    out: Any,
    dtype: DTypeLike,
    inputs: dict[str, Array],
    shape: tuple[int, ...] | None = None,
    *,
    in_place: bool,
) -> Array:
    """Return `out` if it can hold the result.

    It may be the first input itself if `in_place`. Otherwise it must share no memory with an input.
    """
    first = next(iter(inputs))
    like = inputs[first]
    if not isinstance(out, np.ndarray):
        refuse(name, f"an array of {np.dtype(dtype)}", type(out).__name__, TypeError)
    plain(name, out)
    if out.dtype != dtype:
        refuse(name, f"{np.dtype(dtype)} in native byte order", out.dtype, TypeError)
    if shape is not None and out.shape != shape:
        refuse(name, f"of shape {shape}", f"shape {out.shape}")
    if shape is None and out.shape != like.shape:
        refuse(name, f"of {first}'s shape {like.shape}", f"shape {out.shape}")
    if not out.flags.writeable:
        refuse(name, "writeable", "a read-only array")
    if _overlaps_itself(out):
        msg = f"{name} must not have overlapping elements, got strides that may make them overlap"
        raise ValueError(msg)
    for given, array in inputs.items():
        may_be_same = in_place and given == first
        if not (may_be_same and _same(out, array)) and np.shares_memory(out, array):
            alternative = f"be {given} itself or " if may_be_same else ""
            msg = f"{name} must {alternative}share no memory with {given}, got one that does"
            raise ValueError(msg)
    return out


def _overlaps_itself(array: Array) -> bool:
    """Whether two elements may share memory, as in some results of `as_strided`."""
    extent = array.itemsize
    steps = zip(map(abs, array.strides), array.shape, strict=True)
    for step, length in sorted((step, length) for step, length in steps if length > 1):
        if step < extent:
            return array.size > 0
        extent += step * (length - 1)
    return False


def _same(a: Array, b: Array) -> bool:
    """Whether the two are views of the same elements in the same order."""
    steps = zip(a.strides, b.strides, a.shape, strict=True)
    return bool(a.__array_interface__["data"] == b.__array_interface__["data"]) and (
        (a.dtype, a.shape) == (b.dtype, b.shape)
        and all(x == y for x, y, length in steps if length > 1)
    )


def refuse_nan(name: str, values: Floats, nan: str, *, infinite: bool = False) -> None:
    """Refuse NaN, and infinities if `infinite`, unless the policy `nan` is not "raise"."""
    if nan != "raise":
        return
    with np.errstate(invalid="ignore"):  # a signalling NaN
        if not infinite and not np.isnan(np.max(values, initial=0)):  # the cheapest check for NaN
            return
        found = (~np.isfinite(values) if infinite else np.isnan(values)).ravel()
    if not found.any():
        return
    count, first = np.count_nonzero(found), found.argmax()
    kind = "NaN or infinities" if infinite else "NaN"
    msg = f"{name} has {count} {kind}, the first at flat index {first}"
    msg += "; nan= can say what to do with it"
    raise ValueError(msg)


# --- numbers and strings --------------------------------------------------------------------


def integer_in(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an int from `low` to `high`; refuse a bool and an array of one element."""
    if isinstance(value, (bool, np.bool_, np.ndarray)):
        refuse(name, "an integer", shown(value), TypeError)
    try:
        number = operator.index(value)
    except TypeError:
        refuse(name, "an integer", shown(value), TypeError)
    if not low <= number <= high:
        refuse(name, f"an integer from {low} to {high}", shown(value))
    return number


def as_double(name: str, value: Any) -> float:
    """Return `value` as the nearest float; refuse all but real numbers."""
    number = scalar(value)
    # float() also converts bools, strings and buffers, and scalars of NumPy of any kind.
    not_real = (bool, np.bool_, np.complexfloating, np.timedelta64, np.datetime64, np.character)
    of_another_kind = isinstance(number, (*not_real, np.void, np.ndarray))
    if of_another_kind or not {"__float__", "__index__"} & {*dir(type(number))}:
        refuse(name, "a number", shown(value), TypeError)
    try:
        return float(number)
    except OverflowError:  # finite, but beyond the range of float
        return sys.float_info.max if number > 0 else -sys.float_info.max
    except TypeError:
        refuse(name, "a number", shown(value), TypeError)


def scalar(value: Any) -> Any:
    """Return the element of an array without axes; any other value as it is."""
    is_scalar = isinstance(value, np.ndarray) and value.ndim == 0
    return value[()] if is_scalar and not isinstance(value, np.ma.MaskedArray) else value


def as_dtype(name: str, value: Any, allowed: str) -> np.dtype[Any]:
    """Return `value` as a dtype; refuse None, which NumPy takes for float64."""
    dtype: np.dtype[Any] | None = None
    with suppress(Exception):
        dtype = None if value is None else np.dtype(value)
    if dtype is None:
        refuse(name, allowed, shown(value), TypeError)
    return dtype


def as_bool(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        refuse(name, "a bool", shown(value), TypeError)
    return bool(value)


def axes_of(array: Array, axis: Axes | None) -> tuple[int, ...] | None:
    """Return None, or axes of the array as non-negative numbers in ascending order."""
    if axis is None:
        return None
    if isinstance(axis, tuple) and not axis:
        refuse("axis", "None, an integer or a tuple of at least one integer", shown(axis))
    if array.ndim == 0:
        refuse("axis", "None for an array without axes", shown(axis))
    given = (
        [("axis", axis)]
        if not isinstance(axis, tuple)
        else [(f"axis[{i}]", number) for i, number in enumerate(axis)]
    )
    low, high = -array.ndim, array.ndim - 1
    axes = sorted(integer_in(name, number, low, high) % array.ndim for name, number in given)
    if len({*axes}) != len(axes):
        refuse("axis", "a tuple of different axes", shown(axis))
    return tuple(axes)


def count(n: int, k: int | None, sparsity: float | None) -> int:
    """Return how many of n elements or blocks `k` or `sparsity` keeps."""
    if sparsity is None:
        return integer_in("k", k, 0, n)
    share = as_double("sparsity", sparsity)
    if not 0 <= share <= 1:
        refuse("sparsity", "a number from 0 to 1", shown(sparsity))
    return n - round(share * n)


def limit(threshold: Any, *, signed: bool = False, exact: bool = True) -> float:
    """Return a threshold for magnitudes or, if `signed`, for values.

    If `exact`, it is the largest float that does not exceed `threshold`, so that floats compare
    with both alike; else the nearest float.
    """
    value = as_double("threshold", threshold)
    if exact and not np.isnan(value) and _is_above(value, scalar(threshold)):
        value = math.nextafter(value, -math.inf)
    if signed and np.isnan(value):
        refuse("threshold", "a number other than NaN", shown(threshold))
    if not (signed or value >= 0):
        refuse("threshold", "a number, at least 0", shown(threshold))
    return value


def _is_above(value: float, number: Any) -> bool:
    """Compare exactly. Python compares its own numbers exactly, and NumPy long doubles."""
    if isinstance(number, np.integer):
        number = int(number)
    if isinstance(number, Decimal):  # without the context's traps on mixed comparisons
        return Decimal.from_float(value) > number
    comparable = isinstance(number, (np.longdouble, numbers.Rational))
    if not comparable and hasattr(type(number), "__index__"):
        return value > operator.index(number)
    return comparable and bool(value > number)


def one_of(name: str, value: Any, *allowed: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        refuse(name, " or ".join(map(repr, allowed)), shown(value))


def exactly_one(**choices: Any) -> None:
    given = [f"{name}={shown(value)}" for name, value in choices.items() if value is not None]
    if len(given) != 1:
        got = ", ".join(given) or "none"
        msg = f"exactly one of {', '.join(choices)} must be given, got {got}"
        raise ValueError(msg)


def only_none(context: str, **arguments: Any) -> None:
    """Refuse arguments that must be None in a context, such as " without block"."""
    for name, value in arguments.items():
        if value is not None:
            refuse(name, f"None{context}", shown(value))
