"""Rounding to integers, and the random numbers of stochastic rounding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import integer_in, one_of, only_none, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

# For each mode, when to round away from zero: the comparison of the fraction with 1/2 for positive
# numbers, and with -1/2 for negative ones.
_TIE_COMPARISONS = {
    "nearest_away": (np.greater_equal, np.less_equal),
    "nearest_zero": (np.greater, np.less),
    "nearest_up": (np.greater_equal, np.less),
    "nearest_down": (np.greater, np.less_equal),
}
_DIRECT = {"nearest_even": np.rint, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}
ROUNDINGS = (
    "nearest_even",
    *_TIE_COMPARISONS,
    "floor",
    "ceil",
    "trunc",
    "away",
    "stochastic",
)
# Modes that round tiny positive or negative numbers to 1 or -1.
TINY_TO_ONE = ("floor", "ceil", "away")
_DRAWS = 1 << 31  # draws are integers below this


def check_rounding(rounding: str, seed: int | None) -> None:
    """Check the rounding mode, and that there is a seed if and only if it is stochastic."""
    one_of("rounding", rounding, *ROUNDINGS)
    if rounding != "stochastic":
        only_none(' without rounding="stochastic"', seed=seed)
    elif seed is None:
        refuse("seed", 'an integer for rounding="stochastic"', "None")
    else:
        integer_in("seed", seed, 0, 2**64 - 1)


def check_deterministic(rounding: str) -> None:
    """Check the rounding mode, which must not draw."""
    one_of("rounding", rounding, *ROUNDINGS)
    if rounding == "stochastic":
        refuse("rounding", "deterministic (choose with 'away' for 'stochastic')", "'stochastic'")


def to_integers(x: Floats, rounding: str, seed: int | None, index_offset: int = 0) -> Floats:
    """Round each element to an integer, as floats of the same type. Overwrites `x`."""
    if rounding in _DIRECT:
        return np.asarray(_DIRECT[rounding](x, out=x))
    if rounding == "away":
        return np.copysign(np.ceil(np.abs(x)), x, out=x)
    whole = np.asarray(np.trunc(x))
    fraction = np.subtract(x, whole, out=x)  # exact; NaN for infinities
    if rounding == "stochastic":
        # floor(|x| + u) with u = draw / 2^31 is larger than floor(|x|) if |fraction| >= 1 - u.
        bound = 1 - draws(int(seed or 0), x.size, index_offset).reshape(x.shape) / _DRAWS
        up, down = fraction >= bound, fraction <= -bound
    else:
        compare_positive, compare_negative = _TIE_COMPARISONS[rounding]
        up, down = compare_positive(fraction, 0.5), compare_negative(fraction, -0.5)
    np.add(whole, up, out=whole)
    np.subtract(whole, down, out=whole)
    return whole


def draws(seed: int, n: int, first: int = 0) -> NDArray[np.uint32]:
    """Return random integers of 31 bits for `n` elements, from flat index `first` on.

    This is a counter-based generator: each draw depends on the seed and the index alone. The
    finalizer of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
    generators") computes a key from the seed and the upper 32 bits of the index. The key and the
    lower 32 bits are mixed by the function "lowbias32" (C. Wellons 2018, "Prospecting for hash
    functions").
    """
    drawn = np.empty(n, np.uint32)
    key_of_seed = _mix64((seed + 0x9E3779B97F4A7C15) % 2**64)
    begin = 0
    while begin < n:  # each pass has one key, for up to 2^32 indices
        high, low = divmod((first + begin) % 2**64, 2**32)
        end = min(n, begin + 2**32 - low)
        key = _mix64(key_of_seed ^ high)
        x = np.arange(low, low + end - begin, dtype=np.uint64).astype(np.uint32)
        x ^= np.uint32(key % 2**32)
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x7FEB352D)
        x ^= x >> np.uint32(15)
        x ^= np.uint32(key >> 32)
        x *= np.uint32(0x846CA68B)
        x ^= x >> np.uint32(16)
        np.right_shift(x, np.uint32(1), out=drawn[begin:end])
        begin = end
    return drawn


def _mix64(z: int) -> int:
    z ^= z >> 30
    z = z * 0xBF58476D1CE4E5B9 % 2**64
    z ^= z >> 27
    z = z * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31
