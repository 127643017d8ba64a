"""Checks and conversions of arguments.

Errors name the argument, what is allowed, and the value received.
"""

from __future__ import annotations

import math
import operator
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.messages import shortened, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_AXES = 64  # of an array of NumPy


def integer(name: str, value: Any) -> int:
    """Return `value` as an int, or raise an error that names the argument and what is allowed."""
    # A bool and an array of one element have __index__, but are not accepted as integers.
    if isinstance(value, (bool, np.bool_, np.ndarray)) or not hasattr(type(value), "__index__"):
        msg = f"{name} must be an integer, got {shown(value)}{item_of(name, value)}"
        raise TypeError(msg)
    return operator.index(value)


def item_of(name: str, value: Any) -> str:
    """Return the remedy if `value` is an array of one element where a number is required."""
    is_one = isinstance(value, np.ndarray) and value.size == 1
    return f"; {name}.item() is its element" if is_one else ""


def integer_in(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an int from `low` to `high`, or raise an error."""
    number = integer(name, value)
    if not low <= number <= high:
        msg = f"{name} must be an integer from {low} to {high}, got {shown(value)}"
        raise ValueError(msg)
    return number


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return the argument `shape` as a tuple, from a sequence of lengths or one length."""
    given = shape if isinstance(shape, (tuple, list)) else (shape,)
    if len(given) > MAX_AXES:
        msg = f"shape must have at most {MAX_AXES} axes, got {len(given)}"
        raise ValueError(msg)
    checked = tuple(integer_in("shape", length, 0, sys.maxsize) for length in given)
    integer_in("shape", math.prod(checked), 0, sys.maxsize)
    return checked


def native_array(name: str, value: Any) -> Any:
    """Return an array of another library as an array of NumPy; any other value as it is.

    An array of no dimensions that NumPy cannot read, such as a tensor of bfloat16, may be a number.
    """
    if isinstance(value, (np.ndarray, np.generic)):
        return value
    try:
        if hasattr(type(value), "__array__"):
            return np.asarray(value)
        if hasattr(type(value), "__dlpack__"):
            return np.from_dlpack(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        if getattr(value, "ndim", None) == 0:
            return value
        msg = f"{name} must be an array that NumPy can read, got {type(value).__name__}: {error}"
        raise TypeError(msg) from error
    return value


def array_of(name: str, values: Any) -> NDArray[Any]:
    """Return `values` as an array, or raise an error if NumPy cannot make one of them."""
    try:
        return np.asarray(values)
    except ValueError:
        msg = f"{name} must be an array with rows of equal lengths, got {shown(values)}"
        raise ValueError(msg) from None


def integers_in(name: str, values: Any, low: int, high: int) -> NDArray[Any]:
    """Return `values` as an array of integers from `low` to `high`, or raise an error."""
    array = array_of(name, values)
    if isinstance(values, (list, tuple)):
        if array.size == 0:  # which NumPy takes for floats
            array = array.astype(np.int32)
        if array.dtype.kind in "Of":  # integers that NumPy has no common type for, or others
            for value in np.asarray(values, object).flat:
                if not isinstance(value, float):
                    integer_in(name, value, low, high)
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "iu":
        got = (
            "a masked array"
            if isinstance(values, np.ma.MaskedArray)
            else shortened(str(array.dtype))
        )
        msg = f"{name} must be an integer or an array of them, got {got}"
        raise TypeError(msg)
    wrong = (array < low) | (array > high)
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        msg = f"{name} must be integers from {low} to {high}, got {array[index]} at {index}"
        raise ValueError(msg)
    return array


# Scalars of NumPy with a __float__ that are no real numbers.
_NOT_REAL = (np.bool_, np.character, np.complexfloating, np.timedelta64, np.datetime64, np.void)


def _scalar(value: Any) -> Any:
    """Return the element of an array of no dimensions, and None for any other array.

    Any other value, also a masked array, is returned as it is.
    """
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return value[()] if value.ndim == 0 else None
    return value


def as_double(name: str, value: Any) -> float:
    """Return `value` as the nearest float, or raise an error that names the argument."""
    number = _scalar(value)
    # float() also takes strings and buffers, and bools have __float__.
    converts = hasattr(type(number), "__float__") or hasattr(type(number), "__index__")
    if converts and not isinstance(number, (bool, *_NOT_REAL, np.ndarray)):
        try:
            return float(number)
        except OverflowError:  # an int or a fraction beyond the range of float, but finite
            return sys.float_info.max if number > 0 else -sys.float_info.max
        except (TypeError, ValueError):  # tensors of several elements raise either
            pass
    msg = f"{name} must be a number, got {shown(value)}{item_of(name, value)}"
    raise TypeError(msg)


def double_below(name: str, value: Any) -> float:
    """Return the largest float that does not exceed `value`, or raise an error as `as_double` does.

    A float is larger than `value` if and only if it is larger than the result.

    Examples
    --------
    >>> from secateur.arguments import double_below
    >>> double_below("threshold", 2**53 + 3) == 2**53 + 2
    True
    """
    nearest = as_double(name, value)
    if isinstance(value, float):
        return nearest
    return math.nextafter(nearest, -math.inf) if _exceeds(nearest, _scalar(value)) else nearest


def _exceeds(number: float, value: Any) -> bool:
    """Whether a float is larger than a number of another type, in exact arithmetic."""
    # Imported here because most programs need neither, and import takes time.
    from decimal import Decimal  # noqa: PLC0415
    from fractions import Fraction  # noqa: PLC0415
    from numbers import Rational  # noqa: PLC0415

    if isinstance(value, np.longdouble):
        return bool(np.longdouble(number) > value)
    with suppress(TypeError):  # tensors of floats have an __index__ that raises it
        return number > operator.index(value)  # NumPy would round its own integers
    if isinstance(value, Decimal):  # which may be too large or too small for a Fraction
        return not value.is_nan() and Decimal.from_float(number) > value
    if isinstance(value, Rational):
        return number > Fraction(int(value.numerator), int(value.denominator))
    return False


def as_dtype(name: str, value: Any, allowed: str) -> np.dtype[Any]:
    """Return `value` as a dtype, or raise an error. None is not accepted as float64."""
    dtype: np.dtype[Any] | None = None
    if value is not None:
        with suppress(Exception):  # NumPy has several errors for what is no dtype
            dtype = np.dtype(value)
    if dtype is None:
        msg = f"{name} must be {allowed}, got {shown(value)}"
        raise TypeError(msg)
    return dtype


def as_bool(name: str, value: Any) -> bool:
    """Return a bool of Python or NumPy as a bool; raise an error for any other type."""
    if not isinstance(value, (bool, np.bool_)):
        msg = f"{name} must be a bool, got {shown(value)}"
        raise TypeError(msg)
    return bool(value)


def as_string(name: str, value: Any) -> str:
    """Return `value` if it is a str, or raise an error."""
    if not isinstance(value, str):
        msg = f"{name} must be a str, got {shown(value)}"
        raise TypeError(msg)
    return value


def require_one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise an error unless `value` is one of the strings."""
    if not isinstance(value, str) or value not in allowed:
        msg = f"{name} must be {' or '.join(map(repr, allowed))}, got {shown(value)}"
        raise ValueError(msg)
