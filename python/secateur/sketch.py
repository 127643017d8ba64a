"""Out-of-core selection: exact selection from data that are read in chunks, in several passes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import _core
from secateur.arguments import as_dtype, integer, integer_in, native_array
from secateur.dtypes import FLOATS
from secateur.locks import ForkSafeLock
from secateur.messages import shortened, shown
from secateur.results import Bracket

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, DTypeLike, NDArray

POLICIES = ("raise", "keep", "prune")
BIN_BITS = 16  # the core counts in at most 2**16 bins
SEGMENT = 256  # bins that are summed when one is located
TOTALS = 3  # follow the counts of the bins: keys above them, keys below them, and the checksum


class MagnitudeSketch:
    """Find the exact k-th largest ``|w|`` of data that are read in chunks, in several passes.

    A sketch counts magnitudes in bins. :meth:`bracket` returns the bounds of the bin that holds the
    k-th largest magnitude. :meth:`narrow` returns a sketch with finer bins within these bounds, for
    the next pass over the same data. The bounds are equal, and thus the k-th largest magnitude is
    known, after one pass over float16 and bfloat16, two over float32 and four over float64,
    whatever the data. Then :attr:`exact` is True, and :meth:`prune` prunes the data chunk by chunk. The chunks of a pass may come in any order and may differ from those of other
    passes. Several sketches, on several machines, may count them, and are then merged.

    Parameters
    ----------
    dtype : float16, bfloat16, float32 or float64, default float32
        The dtype of the data.
    nan : {"raise", "keep", "prune"}
        Whether NaN is refused, ranked above infinity, or ranked below zero.

    Raises
    ------
    TypeError
        If `dtype` is an unsupported dtype.
    ValueError
        If `nan` is not one of the three values.

    Notes
    -----
    The bits of a float with the sign cleared, read as an integer, have the order of the magnitudes.
    The sketch of the first pass is a histogram of the 16 highest of these bits. The sketch of each
    further pass is a histogram of the next 16 bits, of the elements that agree with the bracket in
    all higher bits. This is a radix selection, which reads the data several times and needs little
    memory (Munro and Paterson 1980, "Selection and sorting with limited storage"). A sketch takes
    at most about half a mebibyte (:attr:`nbytes`), however many elements it counts. So does a
    pickled sketch.

    Passes after the first check that the data are the same as in the pass before. They compare the
    number of elements, a checksum of all magnitudes that does not depend on their order, and the
    numbers of elements within and above the range. Data that differ, but not by intent, go
    undetected with a probability of about 2**-64.

    Several threads may use a sketch at the same time. A lock serializes their calls, so that each
    call sees either all or nothing of a chunk that another thread counts. A call may itself use
    several threads for a large chunk. To avoid waiting for the lock, give each thread a sketch of
    its own and merge them.

    The process may fork at any time. If another thread is then within :meth:`update` or
    :meth:`merge`, the counts of that sketch may be incomplete in the child, where all that needs
    them raises a RuntimeError. The parent is not affected.

    Examples
    --------
    Find the median magnitude of a file larger than memory:

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

    Prune the chunks one by one to the k largest magnitudes of all data. The loop ends for every
    dtype:

    >>> sketch = sc.MagnitudeSketch(np.float32)
    >>> while not sketch.exact:
    ...     for chunk in chunks:
    ...         sketch.update(chunk)
    ...     sketch = sketch.narrow(k)
    >>> pruned = [sketch.prune(chunk) for chunk in chunks]
    >>> np.array_equal(np.concatenate(pruned), sc.prune(w, k=k))
    True

    In each pass, two machines count a part of the data each, and one of them merges the counts:

    >>> import pickle
    >>> sketch = sc.MagnitudeSketch(np.float32)
    >>> while not sketch.exact:
    ...     sent = pickle.dumps(sketch)
    ...     here, there = pickle.loads(sent), pickle.loads(sent)
    ...     here.update(w[:60_000])
    ...     there.update(w[60_000:])
    ...     here.merge(there)
    ...     sketch = here.narrow(k)
    >>> sketch.bracket(k).high
    np.float32(0.5)
    """

    def __init__(self, dtype: DTypeLike = np.float32, *, nan: str = "raise") -> None:
        self._dtype = as_dtype("dtype", dtype, " or ".join(FLOATS))
        if self._dtype.name not in FLOATS:
            msg = f"dtype must be {' or '.join(FLOATS)}, got {shortened(str(self._dtype))}"
            raise TypeError(msg)
        self._dtype = self._dtype.newbyteorder("=")
        if not isinstance(nan, str) or nan not in POLICIES:  # type: ignore[redundant-expr]
            msg = f"nan must be {' or '.join(map(repr, POLICIES))}, got {shown(nan)}"
            raise ValueError(msg)
        self._nan = nan
        # Protects the counts. Reentrant: a finalizer or a signal handler may use the sketch.
        self._lock = ForkSafeLock()
        self._changing = False  # True while the counts may be incomplete
        self._passes = 1
        self._expected: tuple[int, ...] | None = None  # _summary() of the pass before
        self._k: int | None = None  # the rank that the sketch was narrowed to
        # What prune() has done: the number of elements, of those larger than the k-th, and of kept
        # ones equal to it. One attribute, so that a signal handler finds all or nothing.
        self._pruned = (0, 0, 0)
        infinity = int(np.array(np.inf, self._dtype).view(f"u{self._dtype.itemsize}"))
        self._largest_key = 2 ** (8 * self._dtype.itemsize - 1) - 1  # all bits but the sign
        # Keys as secateur.h defines them: the bits of a magnitude, rotated by an offset that ranks
        # NaN below zero.
        self._rotation = self._largest_key - infinity if nan == "prune" else 0
        self._start_counts(0, infinity if nan == "raise" else self._largest_key)

    def _start_counts(self, first: int, last: int) -> None:
        """Start empty counts of the keys from `first` to `last`."""
        self._first, self._last = first, last
        self._shift = ((last - first) >> BIN_BITS).bit_length()  # a bin holds 2**shift keys
        # One array holds all that counting changes, so that a single call of the core or of NumPy
        # changes it. An exception of a signal handler is raised before or after that call.
        self._counts = np.zeros(((last - first) >> self._shift) + 1 + TOTALS, np.uint64)

    @property
    def _bins(self) -> np.ndarray[Any, np.dtype[np.uint64]]:
        return self._counts[:-TOTALS]

    def _totals(self) -> tuple[int, int, int]:
        """The number of elements, the number of those above the bins, and the checksum."""
        above, below, checksum = map(int, self._counts[-TOTALS:])
        # Without temporary arrays, which take longer. There are at most 2**BIN_BITS bins.
        may_overflow = self._bins.max() >= 2 ** (64 - BIN_BITS)
        within = sum(map(int, self._bins)) if may_overflow else int(self._bins.sum())
        return within + above + below, above, checksum

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the data."""
        return self._dtype

    @property
    def nan(self) -> str:
        """The policy for NaN: ``"raise"``, ``"keep"`` or ``"prune"``."""
        return self._nan

    @property
    def n(self) -> int:
        """The number of elements counted in this pass."""
        with self._lock.current():
            self._require_complete()
            return self._totals()[0]

    @property
    def passes(self) -> int:
        """The number of this pass; the first is 1."""
        return self._passes

    @property
    def exact(self) -> bool:
        """Whether the k-th largest magnitude is known, so that :meth:`prune` can be called.

        True if :meth:`narrow` returned this sketch for a bracket of a single magnitude. Such a
        sketch need not count the data again.
        """
        return self._k is not None and self._first == self._last

    @property
    def nbytes(self) -> int:
        """The memory of the counts in bytes."""
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
            If `chunk` holds NaN and `nan` is ``"raise"``. No element is counted then.

        Notes
        -----
        If a signal handler raises an exception during the call, such as KeyboardInterrupt, either the
        whole chunk or none of it has been counted. :attr:`n` tells which.
        """
        # Before the lock is taken: the conversion may read a file.
        chunk = native_array("chunk", chunk)
        chunk = chunk if isinstance(chunk, np.ndarray) else np.asarray(chunk)
        self._change(
            lambda: _core.count_magnitudes(
                chunk, self._dtype.name, self._nan, self._first, self._last, self._counts
            )
        )

    def merge(self, other: MagnitudeSketch) -> None:
        """Add the counts of another sketch of the same pass.

        Parameters
        ----------
        other : MagnitudeSketch
            A sketch of other chunks, with the same dtype, NaN policy and bracket. The two sketches
            are usually copies of one empty sketch.

        Raises
        ------
        TypeError
            If `other` is not a MagnitudeSketch.
        ValueError
            If the dtype, the NaN policy, the pass or the bracket of `other` differs, or if it was
            narrowed from other data.
        """
        if not issubclass(type(other), MagnitudeSketch):
            msg = f"other must be a MagnitudeSketch, got {type(other).__name__}"
            raise TypeError(msg)
        if other._pass() != self._pass():
            msg = (
                f"other must have the dtype, NaN policy, pass and bracket of {self!r}, narrowed from "
                f"the same data, got {shown(other)}"
            )
            raise ValueError(msg)
        # One lock at a time, so that two sketches that are merged into each other cannot deadlock.
        with other._lock.current():
            other._require_complete()
            counts = other._counts.copy()
        # Modulo 2**64, as the checksum is.
        self._change(lambda: np.add(self._counts, counts, out=self._counts))

    def bracket(self, k: int) -> Bracket:
        """Return bounds of the k-th largest magnitude.

        Parameters
        ----------
        k : int
            The rank: 1 (the largest magnitude) to :attr:`n` (the smallest). From the second pass
            on, it must be the rank of a magnitude within the bracket that the sketch was narrowed
            to.

        Returns
        -------
        Bracket of scalars of the dtype of the data
            ``low`` and ``high``, both inclusive, in the order that `nan` gives to NaN. They are
            equal when the k-th largest magnitude is known.

        Raises
        ------
        TypeError
            If `k` is not an integer.
        ValueError
            If `k` is out of range, or the counted data differ from those of the pass before.
        """
        first, last, _ = self._bin_of(k)
        return Bracket(self._magnitude(first), self._magnitude(last))

    def count_above(self, k: int) -> int:
        """Return the number of magnitudes larger than ``bracket(k).high``.

        Once the bracket is a single magnitude, ``k - count_above(k)`` of the elements equal to it
        are among the k largest.

        Parameters
        ----------
        k : int
            The rank, as for :meth:`bracket`.

        Returns
        -------
        int
            The number of magnitudes.

        Raises
        ------
        TypeError, ValueError
            As for :meth:`bracket`.
        """
        return self._bin_of(k)[2]

    def narrow(self, k: int) -> MagnitudeSketch:
        """Return an empty sketch over ``bracket(k)``, for the next pass over the same data.

        Parameters
        ----------
        k : int
            The rank, as for :meth:`bracket`.

        Returns
        -------
        MagnitudeSketch
            A new sketch; this one is left unmodified. It can be pickled and sent to other machines.

        Raises
        ------
        TypeError, ValueError
            As for :meth:`bracket`.
        """
        narrower = MagnitudeSketch(self._dtype, nan=self._nan)
        narrower._passes = self._passes + 1
        narrower._k = k = integer("k", k)
        with self._lock.current():
            self._require_complete()
            first, last, _ = self._locate(k)
            narrower._expected = self._summary(first, last)
        narrower._start_counts(first, last)
        return narrower

    def prune(self, chunk: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Set the elements of a chunk to zero that are not among the k largest of all data.

        `k` is the rank that :meth:`narrow` was called with. The results of all chunks, in the order
        of the data, are those of ``prune(data, k=k)``: of elements that are equal to the k-th
        largest, the first ones are kept. After the last chunk the sketch starts again with the
        first.

        Parameters
        ----------
        chunk : array_like of the dtype of the sketch, any shape
            The next elements of the data, in C order.
        out : ndarray of the dtype and shape of `chunk`, optional
            The array to write the result to. It may be `chunk` itself.

        Returns
        -------
        ndarray of the dtype and shape of `chunk`
            `out`, or a new array. Kept elements keep their bits; removed elements are ``+0.0``.

        Raises
        ------
        TypeError
            If `chunk` or `out` is of another dtype.
        ValueError
            If the sketch is not :attr:`exact`; if the chunk has more elements than are left of the
            data; if the chunks have not the k largest of the data that were counted, which may be
            found at the last chunk only; if `chunk` holds NaN and `nan` is ``"raise"``; or if `out` does not fit
            `chunk`. The chunk does not count as pruned then.

        Notes
        -----
        If a signal handler raises an exception during the call, prune the same chunk again: the
        result is the same, also in place.
        """
        if self._k is None or self._expected is None or not self.exact:
            msg = (
                f"prune() needs a sketch that is exact, got {self!r}; count all chunks with "
                "update(), replace the sketch by narrow(k), and repeat both until it is exact"
            )
            raise ValueError(msg)
        chunk = native_array("chunk", chunk)
        chunk = chunk if isinstance(chunk, np.ndarray) else np.asarray(chunk)
        n, _, _, above = self._expected
        with self._lock.current():
            before = self._pruned
            begin, earlier_larger, earlier_ties = before
            if chunk.size > n - begin:
                msg = (
                    f"chunk must have at most {n - begin} elements, as many as are left of the "
                    f"{n} that were counted, got {chunk.size}"
                )
                raise ValueError(msg)
            counts = np.zeros(1 + TOTALS, np.uint64)
            _core.count_magnitudes(
                chunk, self._dtype.name, self._nan, self._first, self._last, counts
            )
            end, larger = begin + chunk.size, int(counts[1])
            ties = min(int(counts[0]), self._k - above - earlier_ties)
            pruned = end, earlier_larger + larger, earlier_ties + ties
            if pruned[1] > above or (end == n and pruned[1:] != (above, self._k - above)):
                msg = f"the pruned data must be the {n} elements that were counted, got others"
                raise ValueError(msg)
            result = self._pruned_chunk(chunk, larger + ties, out)
            if self._pruned is not before:
                msg = "prune() must not be called by a signal handler within prune()"
                raise RuntimeError(msg)
            self._pruned = pruned if end < n else (0, 0, 0)
        return result

    def _pruned_chunk(self, chunk: NDArray[Any], k: int, out: NDArray[Any] | None) -> NDArray[Any]:
        try:
            return _core.prune(chunk, k, None, None, None, "raise", None, None, self._nan, out)
        except (TypeError, ValueError) as error:  # the core names the array w
            raise type(error)(re.sub(r"\bw\b", "chunk", str(error))) from None

    def __getstate__(self) -> dict[str, Any]:
        with self._lock.current():
            self._require_complete()
            state = vars(self).copy()
            # Most counts are small, so the smallest integer type that holds the largest suffices.
            state["_counts"] = self._bins.astype(np.min_scalar_type(self._bins.max()))
            state["_n"], state["_above"], state["_checksum"] = self._totals()
        # The lock belongs to this process; the others are derived from those that are kept.
        for name in ("_lock", "_changing", "_largest_key", "_rotation", "_shift"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, **vars(_restored(state)))

    def __repr__(self) -> str:
        low, high = self._magnitude(self._first), self._magnitude(self._last)
        with self._lock.current():
            counted = "incomplete counts" if self._is_incomplete() else f"{self.n} elements counted"
        return (
            f"<MagnitudeSketch of {self._dtype}, nan={self._nan!r}: pass {self._passes}, "
            f"from {low} to {high}, {counted}>"
        )

    def _change(self, change: Callable[[], object]) -> None:
        """Call a function that changes the counts, and mark them as incomplete meanwhile."""
        with self._lock.current():
            self._require_complete()
            before = self._changing  # True in a signal handler within another call
            try:
                self._changing = True
                change()
            finally:
                self._changing = before

    def _is_incomplete(self) -> bool:
        """Whether another thread was changing the counts when this process was forked."""
        if self._lock.orphaned and not self._changing:
            self._lock.orphaned = False  # the other thread was only reading
        return self._lock.orphaned

    def _require_complete(self) -> None:
        if self._is_incomplete():
            msg = (
                "the counts of this sketch are incomplete: another thread was changing it when the "
                "process forked; count into a new sketch"
            )
            raise RuntimeError(msg)

    def _pass(self) -> tuple[object, ...]:
        return self._dtype, self._nan, self._passes, self._first, self._last, self._expected

    def _summary(self, first: int, last: int) -> tuple[int, ...]:
        """The totals that a pass over the same data and the keys from `first` to `last` must give.

        The totals are the number of elements, the checksum, and the numbers of keys within and
        above the range. The range must consist of whole bins of this sketch.
        """
        n, above, checksum = self._totals()
        if n == 0 and self.exact and self._expected is not None:
            return self._expected  # the data need not be counted again
        begin, end = (first - self._first) >> self._shift, (last - self._first) >> self._shift
        within, above_in_bins = self._bins[begin : end + 1].sum(), self._bins[end + 1 :].sum()
        return n, checksum, int(within), above + int(above_in_bins)

    def _bin_of(self, k: int) -> tuple[int, int, int]:
        """The first and the last key of the bin of the k-th, and the number of keys above it."""
        k = integer("k", k)  # before the lock is taken: __index__ may run code of the caller
        with self._lock.current():
            self._require_complete()
            return self._locate(k)

    def _locate(self, k: int) -> tuple[int, int, int]:
        counted = self._summary(self._first, self._last)
        n, _, within, above = counted
        if self._expected is not None and self._expected != counted:
            expected = f"the same {self._expected[0]} elements as in the pass before"
            got = f"{n} elements" if n != self._expected[0] else "different elements"
            msg = f"the data counted in pass {self._passes} must be {expected}, got {got}"
            raise ValueError(msg)
        if n == 0:
            msg = "a sketch must have counted at least one element, got none; call update() first"
            raise ValueError(msg)
        k = integer_in("k", k, above + 1, above + within)
        if self._first == self._last:
            return self._first, self._last, above
        # The segment of the bin is located first: cumulative sums of all bins take longer.
        segments = np.add.reduceat(self._bins, np.arange(0, self._bins.size, SEGMENT))
        segment, above_segment = _count_of_rank(segments, k - above)
        bins = self._bins[segment * SEGMENT : (segment + 1) * SEGMENT]
        bin_, above_bin = _count_of_rank(bins, k - above - above_segment)
        first = self._first + (segment * SEGMENT + bin_ << self._shift)
        last = min(first + (1 << self._shift) - 1, self._last)
        return first, last, above + above_segment + above_bin

    def _magnitude(self, key: int) -> np.floating[Any]:
        bits = (key - self._rotation) & self._largest_key
        magnitude: np.floating[Any] = np.array([bits], f"u{self._dtype.itemsize}").view(
            self._dtype
        )[0]
        return magnitude


def _count_of_rank(counts: NDArray[np.uint64], k: int) -> tuple[int, int]:
    """Return the index of the count that includes the k-th from the end, and the sum after it."""
    from_end = np.cumsum(counts[::-1])
    after = int(np.searchsorted(from_end, np.uint64(k)))
    index = counts.size - 1 - after
    return index, int(from_end[after] - counts[index])


def _restored(state: Any) -> MagnitudeSketch:
    """Return a sketch from the state that __getstate__ returned, or raise a ValueError.

    The state is not trusted. In particular, the number of counts must be the number of bins of the
    range of keys, because the core writes to that many.
    """

    def take(name: str, allowed: str, fits: Callable[[Any], bool]) -> Any:
        if isinstance(state, dict) and name in state:
            value = state[name]
            if fits(value):
                return value
            is_array = isinstance(value, np.ndarray)
            got = f"{value.dtype} of shape {value.shape}" if is_array else shown(value)
        else:
            got = "none" if isinstance(state, dict) else f"a state of {type(state).__name__}"
        msg = f"{name} in the state of a sketch must be {allowed}, got {got}"
        raise ValueError(msg)

    def take_integer(name: str, low: int, high: int) -> int:
        allowed = f"an integer from {low} to {high}"
        return int(take(name, allowed, lambda x: type(x) is int and low <= x <= high))

    dtype = take(
        "_dtype", " or ".join(FLOATS), lambda x: isinstance(x, np.dtype) and x.name in FLOATS
    )
    words = " or ".join(map(repr, POLICIES))
    sketch = MagnitudeSketch(
        dtype, nan=take("_nan", words, lambda x: isinstance(x, str) and x in POLICIES)
    )
    last = take_integer("_last", 0, sketch._last)
    sketch._start_counts(take_integer("_first", 0, last), last)
    sketch._passes = take_integer("_passes", 1, 2**63)
    if sketch._passes == 1:
        take("_expected", "None in the first pass", lambda x: x is None)
        take("_k", "None in the first pass", lambda x: x is None)
    else:
        sketch._expected = take(
            "_expected",
            "a tuple of four integers after the first pass",
            lambda x: isinstance(x, tuple) and [type(number) for number in x] == [int] * 4,
        )
        n, _, within, above = sketch._expected
        sketch._k = k = take_integer("_k", above + 1, above + within)
        sketch._pruned = take(
            "_pruned",
            "a tuple of three counts",
            lambda x: (
                isinstance(x, tuple)
                and [type(count) for count in x] == [int] * 3
                and 0 <= x[0] < n
                and 0 <= x[1] <= above
                and 0 <= x[2] <= k - above
            ),
        )
    shape = sketch._bins.shape
    sketch._bins[:] = take(
        "_counts",
        f"unsigned integers of shape {shape}",
        lambda x: isinstance(x, np.ndarray) and x.dtype.kind == "u" and x.shape == shape,
    )
    within = sketch._totals()[0]
    n = take_integer("_n", within, 2**64 - 1)
    above = take_integer("_above", 0, n - within)
    sketch._counts[-TOTALS:] = above, n - within - above, take_integer("_checksum", 0, 2**64 - 1)
    return sketch
