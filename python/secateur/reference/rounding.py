"""Rounding to integers, and the draws of the stochastic way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.formats import integer_in
from secateur.reference.arguments import one_of, only_none, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[Any]

# When a nearest integer is the one further from zero, by the signed part behind the point: of a
# positive number compared with one half, of a negative one with minus one half.
_AWAY_FROM_ZERO = {
    "nearest_away": (np.greater_equal, np.less_equal),
    "nearest_zero": (np.greater, np.less),
    "nearest_up": (np.greater_equal, np.less),
    "nearest_down": (np.greater, np.less_equal),
}
_DIRECT = {"nearest_even": np.rint, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}
ROUNDINGS = (
    "nearest_even",
    *_AWAY_FROM_ZERO,
    "floor",
    "ceil",
    "trunc",
    "stochastic",
)
_DRAWS = 1 << 31  # what a draw is below


def check_rounding(rounding: str, seed: int | None) -> None:
    """A rounding that there is, with a seed if it is stochastic and only then."""
    one_of("rounding", rounding, *ROUNDINGS)
    if rounding != "stochastic":
        only_none(' without rounding="stochastic"', seed=seed)
    elif seed is None:
        refuse("seed", "None", 'an integer for rounding="stochastic"')
    else:
        integer_in("seed", seed, 0, 2**64 - 1)


def to_integers(x: Floats, rounding: str, seed: int | None) -> Floats:
    """Each element as an integer, in floats of the same type, which may be those of `x`."""
    if rounding in _DIRECT:
        return np.asarray(_DIRECT[rounding](x, out=x))
    whole = np.asarray(np.trunc(x))
    behind = np.subtract(x, whole, out=x)  # exact, and NaN for infinities
    if rounding == "stochastic":
        # floor(|x| + u) where u is draw / 2^31: one more if what is behind the point fills up to 1.
        least = 1 - draws(int(seed or 0), x.size).reshape(x.shape) / _DRAWS
        up, down = behind >= least, behind <= -least
    else:
        beyond, below = _AWAY_FROM_ZERO[rounding]
        up, down = beyond(behind, 0.5), below(behind, -0.5)
    np.add(whole, up, out=whole)
    np.subtract(whole, down, out=whole)
    return whole


def draws(seed: int, n: int, first: int = 0) -> NDArray[np.uint32]:
    """What is drawn for `n` elements from a flat index on: integers of 31 bits.

    A counter-based generator: each draw depends on the seed and the index alone. The key is made by
    the finalizer of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
    generators"); with it the index is mixed by the function "lowbias32" that C. Wellons found by
    search (2018, "Prospecting for hash functions").
    """
    found = np.empty(n, np.uint32)
    key_of_seed = _mix64((seed + 0x9E3779B97F4A7C15) % 2**64)
    begin = 0
    while begin < n:  # once for each 2^32 indices
        high, low = divmod(first + begin, 2**32)
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
        np.right_shift(x, np.uint32(1), out=found[begin:end])
        begin = end
    return found


def _mix64(z: int) -> int:
    z ^= z >> 30
    z = z * 0xBF58476D1CE4E5B9 % 2**64
    z ^= z >> 27
    z = z * 0x94D049BB133111EB % 2**64
    return z ^ z >> 31
