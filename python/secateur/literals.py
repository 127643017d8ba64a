"""The types of arguments: the strings that they accept, and the axes."""

from typing import Literal, TypeAlias

Axes: TypeAlias = int | tuple[int, ...]
"""An axis of an array, or several."""

BitOrder: TypeAlias = Literal["little", "big"]
"""The order of bits in bytes, as in NumPy's ``packbits``."""

Encoding: TypeAlias = Literal["smallest", "dense", "bitmask", "gaps"]
"""How a compressed tensor says which integers it stores."""

GroupSize: TypeAlias = int | tuple[int, int]
"""The number of neighbours along an axis in a group, or the rows and columns of a block."""

Norm: TypeAlias = Literal["l1", "l2", "max", "mean"]
"""The norm that ranks a block."""

Remainder: TypeAlias = Literal["raise", "keep", "pad"]
"""What an N:M pattern does with the elements after the last whole group."""

RowAlign: TypeAlias = Literal[8, 32]
"""Packed rows are padded to a multiple of this many bits."""

SelectionNaN: TypeAlias = Literal["raise", "keep", "prune"]
"""What a selection does with NaN."""

QuantizationNaN: TypeAlias = Literal["raise", "zero"]
"""What quantization does with NaN."""

DeterministicRounding: TypeAlias = Literal[
    "nearest_even",
    "nearest_away",
    "nearest_zero",
    "nearest_up",
    "nearest_down",
    "floor",
    "ceil",
    "trunc",
    "away",
]
"""How numbers are rounded to integers without random draws."""

Rounding: TypeAlias = Literal[DeterministicRounding, "stochastic"]
"""How quantization rounds to integers."""

Overflow: TypeAlias = Literal["saturate", "saturate_symmetric", "saturate_zero", "wrap", "raise"]
"""What quantization does with integers out of range."""

ChoiceMethod: TypeAlias = Literal["max", "percentile", "mse"]
"""How a format is chosen."""
