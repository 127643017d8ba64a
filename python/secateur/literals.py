"""The words that arguments take, as types."""

from typing import Literal, TypeAlias

BitOrder: TypeAlias = Literal["little", "big"]
"""The order of bits in bytes, as in NumPy's ``packbits``."""

Norm: TypeAlias = Literal["l1", "l2", "max"]
"""The norm that ranks a block."""

SelectionNaN: TypeAlias = Literal["raise", "keep", "prune"]
"""What a selection does with NaN."""
