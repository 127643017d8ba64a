"""Cases of quantization: rounding modes, overflow rules, formats, and hard values."""

from itertools import cycle, product

import numpy as np

from secateur import Affine, FixedPoint
from support.arrays import DTYPES
from support.oracles import INFINITIES, RAW, ends, ends_of_width

ROUNDINGS = ["nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", "floor",
             "ceil", "trunc", "away", "stochastic"]  # fmt: skip
DETERMINISTIC = [rounding for rounding in ROUNDINGS if rounding != "stochastic"]
OVERFLOWS = ["saturate", "saturate_symmetric", "saturate_zero", "wrap"]  # without raise
SEED = 0x0123_4567_89AB_CDEF

# Around the widths of the integer dtypes and of float32's significand, and the smallest and largest
# width allowed.
BITS = [2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 25, 31, 32]
# Around the limits of frac_bits and of the exponents of float16 and float32, and usual values.
FRAC_BITS = [5, 0, -256, 256, 7, -24, 149, -127, 16, 1, 126, -3, 31, -150, 24, 127, 200, -126]

FORMATS = [
    FixedPoint(bits, frac_bits, signed)
    for (bits, signed), frac_bits in zip(
        [*product(BITS, [True, False])] * 3, cycle(FRAC_BITS), strict=False
    )
]
# Formats as wide as each integer dtype, and a format narrower than its dtype.
USUAL = [FixedPoint(bits, bits - 4, signed) for bits in (8, 16, 32, 5) for signed in (True, False)]


def seed_of(rounding: str) -> dict[str, int]:
    """Return the seed argument, if the rounding needs one."""
    return {"seed": SEED} if rounding == "stochastic" else {}


def overflows_of(fmt: FixedPoint | Affine) -> list[str]:
    """Return the overflow rules that a format supports: wrap needs all integers of the width."""
    full = ends(fmt) == ends_of_width(fmt.bits, fmt.signed)
    return OVERFLOWS if full else [overflow for overflow in OVERFLOWS if overflow != "wrap"]


def hard(fmt: FixedPoint, dtype: str, nan: bool = True) -> np.ndarray:
    """Return values that are hard to quantize.

    These are multiples of half a step around zero and the ends of the range, with the neighbouring
    floats, and the boundary values of the float type.
    """
    unsigned = RAW[DTYPES[dtype].itemsize]
    sign = int(np.iinfo(unsigned).max) // 2 + 1
    low, high = ends(fmt)
    boundaries = (low, high, -high, 0, high // 2, 1 << fmt.bits)
    halves = np.array(
        [2 * boundary + step for boundary in boundaries for step in range(-4, 5)], np.float64
    )
    with np.errstate(over="ignore", under="ignore"):
        about = np.ldexp(halves, -1 - int(fmt.frac_bits)).astype(DTYPES[dtype]).view(unsigned)
    infinity = INFINITIES[dtype]
    normal = infinity & -infinity  # the bits of the smallest normal number
    type_limits = [
        0,
        1,
        2,
        normal - 1,
        normal,
        normal + 1,
        infinity - 1,
        infinity,
        infinity + 1,
        sign - 1,
    ]
    type_limits = np.array(type_limits, unsigned)
    both = np.concatenate([about, about + 1, about - 1, type_limits, type_limits | unsigned(sign)])
    is_nan = (both & unsigned(sign - 1)) > infinity
    return (both if nan else both[~is_nan]).view(DTYPES[dtype])


def normal(shape: int | tuple[int, ...], dtype: str, scale: float = 1.0) -> np.ndarray:
    """Return normal data, of which few are out of the range of a usual format."""
    rng = np.random.default_rng(np.atleast_1d(shape))
    return (rng.standard_normal(shape) * scale).astype(DTYPES[dtype])
