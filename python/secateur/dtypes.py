"""The supported dtypes, from the table of the core."""

from __future__ import annotations

from typing import NamedTuple

from secateur import _core


class Integers(NamedTuple):
    """The integers of a dtype: in two's complement if signed, else unsigned."""

    bits: int
    signed: bool

    @property
    def range(self) -> tuple[int, int]:
        """The lowest and the highest integer."""
        lowest = -(1 << self.bits - 1) if self.signed else 0
        return lowest, lowest + (1 << self.bits) - 1


# Names, in the order of error messages. Those that NumPy lacks are of ml_dtypes.
FLOATS = tuple(name for name, *_ in _core.float_dtypes)
INTEGERS = {name: Integers(bits, signed) for name, bits, signed in _core.integer_dtypes}
