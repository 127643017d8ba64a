"""Selection from data that are never in memory at once: pass by pass over their chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.formats import integer_in
from secateur.results import Bracket

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

FLOATS = ("float16", "bfloat16", "float32", "float64")
POLICIES = ("raise", "keep", "prune")
BIN_BITS = 16  # the core counts in as many as 2**16 bins


class MagnitudeSketch:
    """The exact k-th largest ``|w|`` of data that come in chunks and can be read again.

    A sketch counts magnitudes in bins, so that it knows between which two the k-th lies
    (:meth:`bracket`). :meth:`narrow` makes a sketch of finer bins between these two, for the next
    pass over the same data. The bracket is a single magnitude, the k-th itself, after one pass over
    float16 and bfloat16, two over float32 and four over float64, whatever the data. The chunks of a
    pass may come in any order, may be cut otherwise than in the last, and may be counted by
    several sketches, on several machines, that are merged.

    Parameters
    ----------
    dtype : float16, bfloat16, float32 or float64, default float32
        The dtype of the data.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Raises
    ------
    TypeError
        If `dtype` is another one.
    ValueError
        If `nan` is none of the three.

    Notes
    -----
    Bits of a float with the sign cleared are ordered as its magnitude is. The sketch is a histogram
    of their 16 highest bits, and in the passes that follow one of the next 16 among the elements
    that have the same bits before: a radix selection, by reading the data a few times with little
    memory (Munro and Paterson 1980, "Selection and sorting with limited storage"). It takes half a
    mebibyte, :attr:`nbytes`, however many elements are counted; pickled, no more.

    Passes after the first find out if the data are no longer the same, by their number, by a
    checksum of all magnitudes that does not depend on their order, and by how many lie within the
    range and above it. Data not made to deceive pass for others with a chance of about 2**-64.

    One thread at a time may use a sketch. A call uses several by itself for a large chunk; what
    reads chunks on several threads has a sketch on each, and merges them.

    Examples
    --------
    The median magnitude of a file larger than memory would be found like this:

    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.linspace(-1, 1, 100_001, dtype=np.float32)
    >>> chunks = np.array_split(w, 7)  # or slices of an np.memmap, or the files of a checkpoint
    >>> k = 50_001
    >>> sketch = sc.MagnitudeSketch(np.float32)
    >>> for chunk in chunks:
    ...     sketch.update(chunk)
    >>> sketch.bracket(k)
    Bracket(low=np.float32(0.5), high=np.float32(0.50195307))
    >>> sketch = sketch.narrow(k)
    >>> for chunk in chunks:
    ...     sketch.update(chunk)
    >>> sketch.bracket(k)
    Bracket(low=np.float32(0.5), high=np.float32(0.5))

    To prune the chunks one by one to the k largest of all, prune each by that threshold, which
    keeps what is larger, and keep as many of those equal to it as are wanting to make k:

    >>> threshold = sketch.bracket(k).high
    >>> ties = k - sketch.count_above(k)
    >>> kept = 0
    >>> for chunk in chunks:
    ...     pruned = sc.prune(chunk, threshold=threshold)
    ...     tied = np.flatnonzero(abs(chunk) == threshold)[:ties]
    ...     pruned[tied] = chunk[tied]
    ...     ties -= tied.size
    ...     kept += int(np.count_nonzero(pruned))
    >>> kept == k
    True

    Two machines count what each of them has, and one merges the counts, in each pass:

    >>> import pickle
    >>> sketch = sc.MagnitudeSketch(np.float32)
    >>> while True:
    ...     sent = pickle.dumps(sketch)
    ...     here, there = pickle.loads(sent), pickle.loads(sent)
    ...     here.update(w[:60_000])
    ...     there.update(w[60_000:])
    ...     here.merge(there)
    ...     low, high = here.bracket(k)
    ...     if low == high:
    ...         break
    ...     sketch = here.narrow(k)
    >>> low, here.passes
    (np.float32(0.5), 2)
    """

    def __init__(self, dtype: DTypeLike = np.float32, *, nan: str = "raise") -> None:
        self._dtype = np.dtype(dtype)
        if self._dtype.name not in FLOATS:
            msg = f"dtype must be {' or '.join(FLOATS)}, got {self._dtype}"
            raise TypeError(msg)
        self._dtype = self._dtype.newbyteorder("=")
        if nan not in POLICIES:
            msg = f"nan must be {' or '.join(map(repr, POLICIES))}, got {nan!r}"
            raise ValueError(msg)
        self._nan = nan
        self._passes = 1
        self._expected: tuple[int, ...] | None = None  # _summary() of a pass over the same data
        infinity = int(np.array(np.inf, self._dtype).view(f"u{self._dtype.itemsize}"))
        self._most = 2 ** (8 * self._dtype.itemsize - 1) - 1  # every bit but the sign
        # Keys as secateur.h has them: a magnitude's bits, turned so that NaN comes below zero.
        self._rotation = self._most - infinity if nan == "prune" else 0
        self._count_keys(0, infinity if nan == "raise" else self._most)

    def _count_keys(self, first: int, last: int) -> None:
        """From now on, count the keys from `first` to `last`, of which there are none yet."""
        self._first, self._last = first, last
        self._shift = ((last - first) >> BIN_BITS).bit_length()  # a bin has 2**shift keys
        self._counts = np.zeros(((last - first) >> self._shift) + 1, np.uint64)
        self._n = self._above = self._checksum = 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the data."""
        return self._dtype

    @property
    def nan(self) -> str:
        """What is done about NaN."""
        return self._nan

    @property
    def n(self) -> int:
        """How many elements have been counted in this pass."""
        return self._n

    @property
    def passes(self) -> int:
        """The number of this pass, from 1."""
        return self._passes

    @property
    def nbytes(self) -> int:
        """The memory that the counts take."""
        return self._counts.nbytes

    def update(self, chunk: ArrayLike) -> None:
        """Count a chunk of the data.

        Parameters
        ----------
        chunk : array_like of the dtype of the sketch, any shape
            Elements that have not been counted in this pass.

        Raises
        ------
        TypeError
            If `chunk` is of another dtype.
        ValueError
            If `chunk` holds NaN and the sketch refuses them. Nothing is counted then.
        """
        n, above, checksum = _core.count_magnitudes(
            chunk, self._dtype.name, self._nan, self._first, self._last, self._counts
        )
        self._add(n, above, checksum)

    def merge(self, other: MagnitudeSketch) -> None:
        """Add what another sketch has counted in the same pass.

        Parameters
        ----------
        other : MagnitudeSketch
            A sketch of other chunks, of the same dtype, policy for NaN and bracket: a copy of this
            one, or of what this one is a copy of.

        Raises
        ------
        TypeError
            If `other` is no sketch.
        ValueError
            If `other` is one of another pass.
        """
        if not issubclass(type(other), MagnitudeSketch):
            msg = f"other must be a MagnitudeSketch, got {type(other).__name__}"
            raise TypeError(msg)
        if other._pass() != self._pass():
            msg = f"other must be of the same pass as {self!r}, over the same data, got {other!r}"
            raise ValueError(msg)
        self._counts += other._counts
        self._add(other._n, other._above, other._checksum)

    def bracket(self, k: int) -> Bracket:
        """Between which magnitudes the k-th largest lies.

        Parameters
        ----------
        k : int
            The rank, 1 (the largest magnitude) to :attr:`n` (the smallest); from the second pass
            on, that of a magnitude in the bracket that this pass looks into.

        Returns
        -------
        Bracket of scalars of the dtype of the data
            ``low`` and ``high``, in the order that `nan` gives to NaN, both included. They are
            equal when the k-th is known.

        Raises
        ------
        TypeError
            If `k` is not an integer.
        ValueError
            If `k` is out of range, or the data counted are not those of the pass before.
        """
        first, last, _ = self._bin_of(k)
        return Bracket(self._magnitude(first), self._magnitude(last))

    def count_above(self, k: int) -> int:
        """How many magnitudes are larger than the bracket of the k-th.

        Once that is a single magnitude, ``k - count_above(k)`` of the elements equal to it are
        among the k largest.

        Parameters
        ----------
        k : int
            The rank, as :meth:`bracket` takes it, with the same errors.

        Returns
        -------
        int
            How many are larger than ``bracket(k).high``.
        """
        return self._bin_of(k)[2]

    def narrow(self, k: int) -> MagnitudeSketch:
        """An empty sketch over the bracket of the k-th, for the next pass over the same data.

        Parameters
        ----------
        k : int
            The rank, as :meth:`bracket` takes it, with the same errors.

        Returns
        -------
        MagnitudeSketch
            A new one; this one is as it was. Pickled, it can be sent to where the chunks are.
        """
        first, last, _ = self._bin_of(k)
        narrower = MagnitudeSketch(self._dtype, nan=self._nan)
        narrower._passes = self._passes + 1
        narrower._expected = self._summary(first, last)
        narrower._count_keys(first, last)
        return narrower

    def __getstate__(self) -> dict[str, Any]:
        # Most counts are small: integers of as many bytes as the largest needs.
        return vars(self) | {"_counts": self._counts.astype(np.min_scalar_type(self._counts.max()))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _counts=state["_counts"].astype(np.uint64))

    def __repr__(self) -> str:
        low, high = self._magnitude(self._first), self._magnitude(self._last)
        return (
            f"<MagnitudeSketch of {self._dtype}, nan={self._nan!r}: pass {self._passes}, "
            f"from {low} to {high}, {self._n} elements counted>"
        )

    def _add(self, n: int, above: int, checksum: int) -> None:
        self._n += n
        self._above += above
        self._checksum = (self._checksum + checksum) % 2**64

    def _pass(self) -> tuple[object, ...]:
        return self._dtype, self._nan, self._passes, self._first, self._last, self._expected

    def _summary(self, first: int, last: int) -> tuple[int, ...]:
        """What any pass over the data finds that looks into a range of whole bins of this one."""
        begin, end = (first - self._first) >> self._shift, (last - self._first) >> self._shift
        within, above = self._counts[begin : end + 1].sum(), self._counts[end + 1 :].sum()
        return self._n, self._checksum, int(within), self._above + int(above)

    def _bin_of(self, k: int) -> tuple[int, int, int]:
        """The first key and the last of the bin that holds the k-th, and how many lie above."""
        if self._expected not in (None, self._summary(self._first, self._last)):
            expected = f"the {self._expected[0]} elements of the pass before"
            got = f"{self._n} elements" if self._n != self._expected[0] else "others"
            msg = f"the data counted in pass {self._passes} must be {expected}, got {got}"
            raise ValueError(msg)
        if self._n == 0:
            msg = "a sketch must have counted an element to tell its rank; update() counts"
            raise ValueError(msg)
        from_above = np.cumsum(self._counts[::-1])
        k = integer_in("k", k, self._above + 1, self._above + int(from_above[-1]))
        bins_above = int(np.searchsorted(from_above, np.uint64(k - self._above)))
        bin_ = self._counts.size - 1 - bins_above
        first = self._first + (bin_ << self._shift)
        last = min(first + (1 << self._shift) - 1, self._last)
        return first, last, self._above + int(from_above[bins_above] - self._counts[bin_])

    def _magnitude(self, key: int) -> np.floating[Any]:
        bits = (key - self._rotation) & self._most
        magnitude: np.floating[Any] = np.array([bits], f"u{self._dtype.itemsize}").view(
            self._dtype
        )[0]
        return magnitude
