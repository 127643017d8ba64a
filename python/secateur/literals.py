"""The words that arguments take, as types."""

from typing import Literal, TypeAlias

BitOrder: TypeAlias = Literal["little", "big"]
"""The order of bits in bytes, as in NumPy's ``packbits``."""
