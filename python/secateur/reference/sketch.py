"""Out-of-core selection: exact selection from data that are read in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur.reference.arguments import (
    as_dtype,
    float_type,
    floats,
    integer_in,
    one_of,
    refuse,
    refuse_nan,
    result,
)
from secateur.reference.order import INFINITIES, keys_of, largest_key, magnitudes_of
from secateur.reference.pruning import masked
from secateur.results import Bracket

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

BIN_BITS = 16


class MagnitudeSketch:
    """Find the exact k-th largest ``|w|`` of data that are read in chunks, in several passes.

    Parameters, results and errors are those of :class:`secateur.MagnitudeSketch`.

    Notes
    -----
    The method is radix selection. The first pass counts the top bits of the magnitudes; each
    further pass counts the next bits within the bin that the pass before found.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> chunks = [np.float32([3, -4]), np.float32([0, 1, -5])]
    >>> sketch = reference.MagnitudeSketch(np.float32)
    >>> for chunk in chunks:
    ...     sketch.update(chunk)
    >>> sketch = sketch.narrow(2)
    >>> for chunk in chunks:
    ...     sketch.update(chunk)
    >>> sketch.bracket(2)
    Bracket(low=np.float32(4.0), high=np.float32(4.0))
    """

    def __init__(self, dtype: DTypeLike = np.float32, *, nan: str = "raise") -> None:
        one_of("nan", nan, "raise", "keep", "prune")
        self.dtype = float_type("dtype", as_dtype("dtype", dtype, " or ".join(INFINITIES)))
        self.nan = nan
        self.passes = 1
        self.n = 0
        # Keys are offset by the lowest key, so that none is negative.
        self._lowest = 0
        if nan == "prune":
            self._lowest = INFINITIES[self.dtype.name] - largest_key(self.dtype)
        self._begin = 0  # the first key of the first bin
        self._shift = max(0, 8 * self.dtype.itemsize - 1 - BIN_BITS)  # a bin holds 2**shift keys
        self._bins = np.zeros(1 << BIN_BITS, np.int64)
        self._above = 0
        self._checksum = 0
        self._expected: tuple[int, int] | None = (
            None  # number and checksum, from the second pass on
        )
        # From the second pass on: the rank, and the ranks of the first and the last key of the bins.
        self._k: int | None = None
        self._ranks = (0, 0)
        # What prune() has pruned: elements, those larger than the k-th, kept ones equal to it.
        self._pruned = (0, 0, 0)

    @property
    def nbytes(self) -> int:
        """The memory of the counts in bytes."""
        return self._bins.nbytes

    @property
    def exact(self) -> bool:
        """Whether the k-th largest magnitude is known, so that `prune` can be called."""
        return self._k is not None and self._shift == 0 and self._bins.size == 1

    def update(self, chunk: ArrayLike) -> None:
        """Count a chunk of the data."""
        values = self._checked_chunk(chunk)
        keys = keys_of(values.reshape(-1), self.nan).astype(np.int64) - self._lowest
        places = (keys - self._begin) >> self._shift
        inside = (places >= 0) & (places < self._bins.size)
        self._bins += np.bincount(places[inside], minlength=self._bins.size)
        self._above += int(np.count_nonzero(places >= self._bins.size))
        self._checksum = (self._checksum + _checksum(keys)) % 2**64
        self.n += values.size

    def merge(self, other: MagnitudeSketch) -> None:
        """Add the counts of another sketch of the same pass over other data."""
        if not isinstance(other, MagnitudeSketch):
            refuse("other", "a MagnitudeSketch", type(other).__name__, TypeError)
        if self._pass() != other._pass():
            refuse("other", f"of the same pass, {self._pass()}", other._pass())
        self._bins += other._bins
        self._above += other._above
        self._checksum = (self._checksum + other._checksum) % 2**64
        self.n += other.n

    def bracket(self, k: int) -> Bracket:
        """Return the bounds of the bin that holds the k-th largest magnitude."""
        begin, _ = self._bin_of(k)
        ends = np.array([begin, begin + (1 << self._shift) - 1]) + self._lowest
        low, high = magnitudes_of(ends.astype(f"i{self.dtype.itemsize}"), self.dtype)
        return Bracket(low, high)

    def count_above(self, k: int) -> int:
        """Return the number of magnitudes above the bin that holds the k-th largest."""
        return self._bin_of(k)[1]

    def narrow(self, k: int) -> MagnitudeSketch:
        """Return an empty sketch over the bin of the k-th largest, for the next pass."""
        narrower = MagnitudeSketch(self.dtype, nan=self.nan)
        narrower.passes = self.passes + 1
        narrower._begin, above = self._bin_of(k)
        narrower._shift = max(0, self._shift - BIN_BITS)
        narrower._bins = np.zeros(1 << min(self._shift, BIN_BITS), np.int64)
        narrower._k = int(k)
        if self.exact and self.n == 0:
            narrower._expected, narrower._ranks = self._expected, self._ranks
        else:
            within = int(self._bins[(narrower._begin - self._begin) >> self._shift])
            narrower._expected = self.n, self._checksum
            narrower._ranks = above + 1, above + within
        return narrower

    def prune(self, chunk: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Set the elements of a chunk to zero that are not among the k largest of all data."""
        if self._k is None or self._expected is None or not self.exact:
            msg = f"prune() needs a sketch that is exact, got one of pass {self.passes}"
            raise ValueError(msg)
        values = self._checked_chunk(chunk)
        n, above = self._expected[0], self._ranks[0] - 1
        begin, earlier_larger, earlier_ties = self._pruned
        if values.size > n - begin:
            refuse("chunk", f"of at most {n - begin} elements", values.size)
        out = result(out, values.dtype, {"chunk": values}, in_place=True)
        keys = keys_of(values.reshape(-1), self.nan).astype(np.int64) - self._lowest
        kept = keys > self._begin
        larger = earlier_larger + int(np.count_nonzero(kept))
        tied = np.flatnonzero(keys == self._begin)[: self._k - above - earlier_ties]
        ties = earlier_ties + tied.size
        end = begin + values.size
        if larger > above or (end == n and (larger, ties) != (above, self._k - above)):
            refuse("the pruned data", f"the {n} elements that were counted", "others")
        kept[tied] = True
        masked(values, kept.reshape(values.shape), out)
        self._pruned = (end, larger, ties) if end < n else (0, 0, 0)
        return out

    def _checked_chunk(self, chunk: ArrayLike) -> NDArray[Any]:
        values = floats("chunk", chunk)
        if values.dtype != self.dtype:
            refuse("chunk", f"{self.dtype}", values.dtype, TypeError)
        refuse_nan("chunk", values, self.nan)
        return values

    def _bin_of(self, k: int) -> tuple[int, int]:
        """Return the first key of the bin of the k-th largest, and the number of keys above it."""
        if self.exact and self.n == 0:  # the data need not be counted again
            integer_in("k", k, *self._ranks)
            return self._begin, self._ranks[0] - 1
        if self._expected is not None and self._expected != (self.n, self._checksum):
            n = self._expected[0]
            got = f"{self.n} elements" if self.n != n else "different elements"
            counted = f"the data counted in pass {self.passes}"
            refuse(counted, f"the same {n} elements as in the pass before", got)
        if self.n == 0:
            msg = "a sketch must have counted at least one element, got none; call update() first"
            raise ValueError(msg)
        at_least = self._above + np.cumsum(self._bins[::-1])  # keys in a bin or above, from the top
        k = integer_in("k", k, self._above + 1, int(at_least[-1]))
        bin_ = self._bins.size - 1 - int(np.searchsorted(at_least, k))
        above = int(at_least[-1 - bin_] - self._bins[bin_])
        return self._begin + (bin_ << self._shift), above

    def _pass(self) -> tuple[Any, ...]:
        return self.dtype.name, self.nan, self.passes, self._begin, self._shift, self._expected


def _checksum(keys: NDArray[np.int64]) -> int:
    """Return the sum of the hashes of the keys (MurmurHash3's finalizer), in any order the same."""
    mixed = keys.astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed ^= mixed >> np.uint64(33)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(33)
    return int(np.sum(mixed, dtype=np.uint64))
