"""The types of arguments: the words that they take, and the axes."""

from typing import Literal, TypeAlias

Axes: TypeAlias = int | tuple[int, ...]
"""An axis of an array, or several."""

BitOrder: TypeAlias = Literal["little", "big"]
"""The order of bits in bytes, as in NumPy's ``packbits``."""

GroupSize: TypeAlias = int | tuple[int, int]
"""The number of neighbours along an axis in a group, or the rows and columns of a block."""

Norm: TypeAlias = Literal["l1", "l2", "max"]
"""The norm that ranks a block."""

SelectionNaN: TypeAlias = Literal["raise", "keep", "prune"]
"""What a selection does with NaN."""
