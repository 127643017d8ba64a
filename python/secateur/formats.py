"""Number formats: what an integer code means."""

from __future__ import annotations

import operator
import sys
from typing import Any, NoReturn

import numpy as np


def integer_in(name: str, value: Any, low: int, high: int) -> int:
    """`value` as an int, or an error that names the argument, what came and what is allowed."""
    # An array of one element and a bool have __index__, but neither is meant here as a number.
    if isinstance(value, (bool, np.bool_, np.ndarray)) or not hasattr(value, "__index__"):
        msg = f"{name} must be an integer, got {value!r}"
        raise TypeError(msg)
    number = operator.index(value)
    if not low <= number <= high:
        msg = f"{name} must be an integer from {low} to {high}, got {value!r}"
        raise ValueError(msg)
    return number


def real(name: str, value: Any) -> float:
    """`value` as a float, or an error as above."""
    if not isinstance(value, (bool, np.bool_, str, bytes)):  # which float() would take
        try:
            return float(value)
        except OverflowError:  # an int that no float holds: out of every range, but below infinity
            return sys.float_info.max if value > 0 else -sys.float_info.max
        except TypeError:
            pass
    msg = f"{name} must be a number, got {value!r}"
    raise TypeError(msg)


def truth(name: str, value: Any) -> bool:
    """`value` as a bool if it is one, of Python or of NumPy."""
    if not isinstance(value, (bool, np.bool_)):
        msg = f"{name} must be a bool, got {value!r}"
        raise TypeError(msg)
    return bool(value)


class FixedPoint:
    """A binary fixed-point format: the integer ``q`` stands for ``q * 2**-frac_bits``.

    Formats are immutable, and two of them are equal if all three fields are.

    Parameters
    ----------
    bits : int, default 8
        Width of the integers in bits, the sign bit included; 2 to 32.
    frac_bits : int, default 5
        How many of the bits lie behind the binary point; -256 to 256. It may be negative (steps
        larger than 1) or exceed `bits` (a range well within ±1).
    signed : bool, default True
        Two's complement if true, else unsigned.

    Raises
    ------
    TypeError
        If `bits` or `frac_bits` is not an integer, or `signed` is not a bool.
    ValueError
        If `bits` or `frac_bits` is out of its range.

    Notes
    -----
    In AMD's notation ``ap_fixed<W, I>`` counts the sign bit among the ``I`` integer bits:
    ``W = bits`` and ``I = bits - frac_bits``.

    Examples
    --------
    >>> from secateur import FixedPoint
    >>> fmt = FixedPoint(bits=8, frac_bits=5)
    >>> fmt.dtype, fmt.min, fmt.max
    (dtype('int8'), -128, 127)
    >>> fmt.resolution, fmt.range
    (0.03125, (-4.0, 3.96875))
    """

    __slots__ = ("bits", "frac_bits", "signed")

    bits: int
    frac_bits: int
    signed: bool

    def __init__(self, bits: int = 8, frac_bits: int = 5, signed: bool = True) -> None:
        put = object.__setattr__  # the only door past the __setattr__ below
        put(self, "bits", integer_in("bits", bits, 2, 32))
        put(self, "frac_bits", integer_in("frac_bits", frac_bits, -256, 256))
        put(self, "signed", truth("signed", signed))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"FixedPoint is immutable: cannot set {name!r}"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> NoReturn:
        msg = f"FixedPoint is immutable: cannot delete {name!r}"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[type[FixedPoint], tuple[int, int, bool]]:
        return FixedPoint, (self.bits, self.frac_bits, self.signed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FixedPoint):
            return NotImplemented
        return self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def __repr__(self) -> str:
        return f"FixedPoint(bits={self.bits}, frac_bits={self.frac_bits}, signed={self.signed})"

    @property
    def dtype(self) -> np.dtype[np.signedinteger[Any] | np.unsignedinteger[Any]]:
        """The smallest NumPy integer dtype that holds the format."""
        width = 8 if self.bits <= 8 else 16 if self.bits <= 16 else 32
        return np.dtype(f"int{width}" if self.signed else f"uint{width}")

    @property
    def min(self) -> int:
        """The lowest integer of the format."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """The highest integer of the format."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def resolution(self) -> float:
        """The value of one step, ``2.0**-frac_bits``."""
        return 2.0**-self.frac_bits

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value that the format represents."""
        return self.min * self.resolution, self.max * self.resolution
