"""MagnitudeSketch finds the k-th magnitude of data that come in chunks, in several passes."""

import copy
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import _core
from support.arrays import DTYPES, LANES, generator, normal, of_type
from support.isas import LIBRARIES, library
from support.oracles import INFINITIES, Ranking, assert_same_bits, keys_of
from support.processes import in_child
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses

PASSES = {"float16": 1, "bfloat16": 1, "float32": 2, "float64": 4}
HARD = ["normal", "raw bits", "coarse grid", "90 % zeros", "constant", "subnormals", "30 % NaN",
        "every exponent", "all the same NaN", "a few neighbours"]  # fmt: skip


def chunks_of(w: np.ndarray) -> list[np.ndarray]:
    """Split an array into chunks of different lengths, including 0 and 1."""
    cuts = sorted({0, 1, 18, 1000, w.size // 3, w.size // 2})
    return np.split(w, [0, *(cut for cut in cuts if cut <= w.size)])


def count(sketch: Any, chunks: list[np.ndarray]) -> Any:
    for chunk in chunks:
        sketch.update(chunk)
    return sketch


def assert_finds(lib: Any, w: np.ndarray, ks: list[int], nan: str = "raise") -> None:
    """Check that each bracket contains the k-th magnitude, and is exact after the last pass."""
    chunks, ranked = chunks_of(w), Ranking(w, nan)
    first = count(lib.MagnitudeSketch(w.dtype, nan=nan), chunks)
    for k in ks:
        sketch = first
        kth = np.array(ranked.kth_magnitude(k))
        for passes in range(1, PASSES[w.dtype.name] + 1):
            if passes > 1:
                sketch = sketch.narrow(k)
                assert sketch.n == 0
                count(sketch, chunks)
            assert (sketch.passes, sketch.n) == (passes, w.size)
            low, high = sketch.bracket(k)
            ordered = keys_of(np.array([low, kth, high], w.dtype), nan)
            assert ordered[0] <= ordered[1] <= ordered[2]
            assert sketch.count_above(k) == np.count_nonzero(keys_of(w, nan) > ordered[2])
        assert_same_bits(low, kth)
        assert_same_bits(high, kth)


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("values", HARD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_after_the_passes(lib: Any, dtype: str, values: str, nan: str) -> None:
    assert_finds(lib, of_type(values, 3001, dtype), [1, 300, 1500, 3000, 3001], nan)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_chunks_of_all_sizes(lib: Any, dtype: str) -> None:
    sizes = [*LANES, 1023, 4097, 65_537]
    chunks = [of_type("coarse grid", n, dtype) for n in sizes]
    w = np.concatenate(chunks)
    sketch = lib.MagnitudeSketch(w.dtype)
    while sketch.passes < 2:
        sketch = count(sketch, chunks).narrow(w.size // 3)
    low, high = count(sketch, chunks).bracket(w.size // 3)
    assert_same_bits(low, Ranking(w).kth_magnitude(w.size // 3))
    assert_same_bits(high, low)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_chunks(lib_on_threads: Any, dtype: str) -> None:
    n = 600_001
    w = of_type("normal", n, dtype)
    sketch = lib_on_threads.MagnitudeSketch(dtype)
    for _ in range(PASSES[dtype] - 1):
        sketch.update(w)
        sketch = sketch.narrow(n // 10)
    sketch.update(w)
    assert_same_bits(sketch.bracket(n // 10).low, lib_on_threads.kth_magnitude(w, n // 10))
    assert_same_bits(sketch.bracket(n // 10).low, sketch.bracket(n // 10).high)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    w = data.draw(floats(dtype, st.integers(1, 60)))
    k, nan = data.draw(st.integers(1, w.size)), data.draw(st.sampled_from(POLICIES))
    for name in LIBRARIES:
        with library(name) as lib:
            assert_finds(lib, w, [k], nan)


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_the_order(lib: Any, dtype: str, nan: str) -> None:
    """The elements are zero, infinity, and the extreme numbers and NaN. Each is the k-th once."""
    w = of_type("raw bits", 0, dtype)
    sign = 1 << (8 * w.itemsize - 1)
    infinity = INFINITIES[dtype]
    bits = [0, 1, infinity - 1, infinity, infinity + 1, sign - 1, sign, sign | 1, sign | infinity]
    w = np.array(bits, f"u{w.itemsize}").view(w.dtype)
    assert_finds(lib, w, [*range(1, w.size + 1)], nan)


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_counted_elsewhere_are_merged(lib: Any, dtype: str) -> None:
    """In each pass, pickled sketches count the parts, and are then merged."""
    w = of_type("normal", 5000, dtype)
    k = 700
    sketch = lib.MagnitudeSketch(DTYPES[dtype])
    for passes in range(1, PASSES[dtype] + 1):
        empty = pickle.dumps(sketch)
        assert len(empty) < 600_000
        for part in np.split(w, [1000, 1000, 3500]):
            counted = pickle.loads(empty)
            counted.update(part)
            assert sketch.merge(pickle.loads(pickle.dumps(counted))) is None
        assert (sketch.n, sketch.passes) == (w.size, passes)
        if passes < PASSES[dtype]:
            sketch = sketch.narrow(k)
    low, high = sketch.bracket(k)
    assert_same_bits(low, Ranking(w).kth_magnitude(k))
    assert_same_bits(high, low)


def test_order_and_chunks_may_differ_between_passes(lib: Any) -> None:
    w = normal(4000)
    sketch = count(lib.MagnitudeSketch(), chunks_of(w)).narrow(99)
    count(sketch, np.split(generator(1).permutation(-w), 7 * [0] + [3, 77]))
    assert_same_bits(sketch.bracket(99).low, Ranking(w).kth_magnitude(99))


def test_every_rank_of_the_narrowed_range(lib: Any) -> None:
    """A narrowed sketch finds all ranks of its range, not only the rank given to narrow()."""
    w = of_type("a few neighbours", 500, "float32")  # all elements are in one bin of the first pass
    sketch = count(lib.MagnitudeSketch(), [w]).narrow(250)
    sketch.update(w)
    for k in (1, 100, 250, 400, 500):
        assert_same_bits(sketch.bracket(k).high, Ranking(w).kth_magnitude(k))


def test_what_is_returned(lib: Any) -> None:
    sketch = lib.MagnitudeSketch()
    assert (sketch.n, sketch.passes) == (0, 1)
    sketch.update(np.float32([3, -4]))
    bracket = sketch.bracket(1)
    assert type(bracket) is sc.Bracket
    assert bracket._fields == ("low", "high")
    assert type(bracket.low) is type(bracket.high) is np.float32
    assert bracket.low <= 4 <= bracket.high
    assert type(sketch.n) is type(sketch.passes) is type(sketch.nbytes) is int
    assert 0 < sketch.nbytes < 600_000
    assert len(pickle.dumps(sketch)) < 600_000
    halves = lib.MagnitudeSketch(DTYPES["bfloat16"])
    halves.update(np.ones(1, DTYPES["bfloat16"]))
    assert type(halves.bracket(1).low) is DTYPES["bfloat16"].type


def test_narrowing_leaves_the_sketch_as_it_is(lib: Any) -> None:
    w = normal(100)
    sketch = count(lib.MagnitudeSketch(), [w])
    before = sketch.bracket(50)
    narrower = sketch.narrow(50)
    assert (narrower.n, narrower.passes) == (0, 2)
    narrower.update(w)
    assert sketch.bracket(50) == before
    assert (sketch.n, sketch.passes) == (100, 1)
    low, high = narrower.bracket(50)
    assert before.low <= low == high <= before.high


@pytest.mark.parametrize(
    "form",
    [
        lambda w: w.reshape(20, 30),
        lambda w: np.asfortranarray(w.reshape(20, 30)),
        lambda w: np.repeat(w, 2)[::2],
        lambda w: w[::-1],
        lambda w: w.astype(w.dtype.newbyteorder()),
        list,
        lambda w: np.frombuffer(b"x" + w.tobytes(), w.dtype, offset=1),
    ],
)
def test_layouts(lib: Any, form: Any) -> None:
    w = normal(600)
    sketch = count(lib.MagnitudeSketch(np.float32), [form(w)]).narrow(60)
    sketch.update(form(w))
    assert_same_bits(sketch.bracket(60).low, Ranking(w).kth_magnitude(60))
    one = lib.MagnitudeSketch(np.float64)
    one.update(-2.0)
    one.update(np.zeros((0, 3)))
    assert one.n == 1


# --- what is refused -------------------------------------------------------------------------


def test_refused_nan_are_not_counted(lib: Any) -> None:
    w = normal(20, 50)
    other = w.copy()
    other.ravel()[[7, 999]] = np.nan
    sketch = count(lib.MagnitudeSketch(), [w])
    words = ["chunk has 2 NaN, the first at flat index 7; "]
    assert_refuses(ValueError, words, sketch.update, other)
    assert sketch.n == 1000
    narrower = count(sketch.narrow(10), [w])
    assert_refuses(ValueError, words, narrower.update, other)
    assert_same_bits(narrower.bracket(10).low, Ranking(w).kth_magnitude(10))


@pytest.mark.parametrize("at", [0, 70_000, 299_999])
@pytest.mark.parametrize("dtype", DTYPES)
def test_refused_nan_of_a_large_array(lib: Any, dtype: str, at: int) -> None:
    # Large arrays are counted in blocks, by several threads, which find the NaN as they count.
    w = of_type("normal", 300_000, dtype)
    other = w.copy()
    other[at] = np.nan
    sketch = count(lib.MagnitudeSketch(dtype), [w])
    for refusing in (sketch, count(sketch.narrow(10), [w])):
        words = [f"chunk has 1 NaN, the first at flat index {at}; "]
        assert_refuses(ValueError, words, refusing.update, other)
        assert refusing.n == w.size


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_data_in_a_later_pass(lib: Any, dtype: str) -> None:
    w = of_type("normal", 1000, dtype)
    changed = w.copy()
    changed[500] *= 1 + 2.0**-10
    twice = w.copy()
    twice[1] = twice[0]
    narrow = count(lib.MagnitudeSketch(w.dtype), [w]).narrow(100)
    for others in ([], [w[:-1]], [w, w[:1]], [w, w], [changed], [twice], [np.zeros_like(w)]):
        sketch = count(pickle.loads(pickle.dumps(narrow)), others)
        for call in (sketch.bracket, sketch.count_above, sketch.narrow):
            with pytest.raises(ValueError, match="pass"):
                call(100)
    same = count(narrow, [-w[::-1]])
    assert same.bracket(100).low <= Ranking(w).kth_magnitude(100) <= same.bracket(100).high


def test_ranks_outside_the_narrowed_range(lib: Any) -> None:
    w = np.repeat(np.float32([1, 2, 3, 4]), 10)
    sketch = count(lib.MagnitudeSketch(), [w]).narrow(15)  # the 3s have ranks 11 to 20
    sketch.update(w)
    for k in (11, 20):
        assert_same_bits(sketch.bracket(k).low, np.float32(3))
    for k in (1, 10, 21, 40):
        for call in (sketch.bracket, sketch.count_above, sketch.narrow):
            assert_refuses(ValueError, ["k ", str(k)], call, k)


def test_the_narrowed_range_ends_where_the_bracket_ends(lib: Any) -> None:
    """The bins of the next pass contain no elements outside the bracket."""
    w = np.float32([1, 1.001, 1.005, 1.02])  # the bins of the first pass are 2**-8 wide
    first = count(lib.MagnitudeSketch(), [w])
    low, high = first.bracket(4)
    sketch = count(first.narrow(4), [w])
    for k, value in enumerate(w[::-1], start=1):
        if low <= value <= high:
            assert sketch.bracket(k).low == value
        else:
            assert_refuses(ValueError, ["k ", str(k)], sketch.bracket, k)


@pytest.mark.parametrize("k", [0, -1, 13, 2**64])
def test_ranks_out_of_range(lib: Any, k: int) -> None:
    sketch = count(lib.MagnitudeSketch(), [normal(12)])
    for call in (sketch.bracket, sketch.count_above, sketch.narrow):
        words = ["k must be an integer from 1 to 12", f"got {k}"]
        assert_refuses(ValueError, words, call, k)


@pytest.mark.parametrize("k", [1.0, True, "1", None, [1], np.array(1)], ids=repr)
def test_ranks_that_are_no_integers(lib: Any, k: object) -> None:
    sketch = count(lib.MagnitudeSketch(), [normal(12)])
    for call in (sketch.bracket, sketch.count_above, sketch.narrow):
        assert_refuses(TypeError, ["k must be an integer", f"got {k!r}"], call, k)


def test_no_rank_of_nothing(lib: Any) -> None:
    sketch = lib.MagnitudeSketch()
    for call in (sketch.bracket, sketch.count_above, sketch.narrow):
        with pytest.raises(ValueError, match=r"must have counted at least one element"):
            call(1)


def test_sketches_that_do_not_merge(lib: Any) -> None:
    w = normal(100)
    sketch = count(lib.MagnitudeSketch(), [w])
    others = [
        lib.MagnitudeSketch(np.float64),
        lib.MagnitudeSketch(nan="keep"),
        sketch.narrow(5),
    ]
    for other in others:
        assert_refuses(ValueError, ["other"], sketch.merge, other)
    assert_refuses(ValueError, ["other"], sketch.narrow(5).merge, sketch.narrow(95))
    for other in (None, w, 3):
        assert_refuses(TypeError, ["other must be ", type(other).__name__], sketch.merge, other)
    assert sketch.n == 100


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "bool", "object"])
def test_chunks_of_another_type(lib: Any, dtype: str) -> None:
    sketch = lib.MagnitudeSketch()
    chunk = normal(12).astype(DTYPES.get(dtype, dtype))
    assert_refuses(TypeError, ["chunk must be ", "float32", dtype], sketch.update, chunk)
    assert sketch.n == 0


def test_arguments(lib: Any) -> None:
    for dtype in (np.int32, "bool", np.complex64, object):
        words = ["dtype must be float16 or bfloat16 or float32 or float64", np.dtype(dtype)]
        assert_refuses(TypeError, words, lib.MagnitudeSketch, dtype)
    for nan in ("zero", None, 0):
        words = ["nan must be 'raise' or 'keep' or 'prune'", f"got {nan!r}"]
        assert_refuses(ValueError, words, lib.MagnitudeSketch, nan=nan)
    masked_array = np.ma.masked_array(normal(3))
    assert_refuses(TypeError, ["chunk must be a plain array", "masked"], lib.MagnitudeSketch().update,
                   masked_array)  # fmt: skip


# --- copies and states -------------------------------------------------------------------------

BINS = 32_768  # the bins of the second pass of float32


def copies(sketch: Any) -> list[Any]:
    pickled = [
        pickle.loads(pickle.dumps(sketch, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    return [*pickled, copy.copy(sketch), copy.deepcopy(sketch)]


@pytest.mark.parametrize("passes", [1, 2])
def test_copies_are_equal_and_apart(passes: int) -> None:
    w = normal(1000)
    sketch = count(sc.MagnitudeSketch(), [w])
    if passes == 2:
        sketch = count(sketch.narrow(100), [w])
    bracket = sketch.bracket(100)
    for other in copies(sketch):
        assert (other.dtype, other.nan, other.n, other.passes) == (
            np.float32,
            "raise",
            1000,
            passes,
        )
        assert other.bracket(100) == bracket
        other.merge(sketch)
        other.update(w)
        assert (other.n, sketch.n) == (3000, 1000)
        assert sketch.bracket(100) == bracket


class Named(sc.MagnitudeSketch):
    def __init__(self, name: str) -> None:
        super().__init__(np.float16)
        self.name = name


def test_a_subclass_keeps_what_it_has() -> None:
    sketch = Named("layer 1")
    sketch.update(np.ones(3, np.float16))
    for other in copies(sketch):
        assert (type(other), other.name, other.n) == (Named, "layer 1", 3)
        other.update(np.ones(2, np.float16))
        assert (other.bracket(5), other.n, sketch.n) == (sketch.bracket(3), 5, 3)


def state_of(**changed: Any) -> dict[str, Any]:
    """Return the state of a sketch in its second pass, with some values changed."""
    w = np.float32([1.5])
    sketch = count(sc.MagnitudeSketch(nan="keep"), [w])
    return dict(count(sketch.narrow(1), [w]).__getstate__()) | changed


def assert_state_refused(state: Any, *words: str) -> None:
    used = count(sc.MagnitudeSketch(np.float16), [np.ones(5, np.float16)])
    for sketch in (sc.MagnitudeSketch.__new__(sc.MagnitudeSketch), used):
        assert_refuses(ValueError, ["in the state of a sketch must be ", *words],
                       sketch.__setstate__, state)  # fmt: skip
    assert used.n == 5
    used.update(np.ones(5, np.float16))
    assert used.bracket(10).low == 1


def test_states_that_are_good() -> None:
    sketch = sc.MagnitudeSketch.__new__(sc.MagnitudeSketch)
    sketch.__setstate__(state_of())
    assert (sketch.dtype, sketch.nan, sketch.n, sketch.passes) == (np.float32, "keep", 1, 2)
    assert sketch.bracket(1).low == sketch.bracket(1).high == 1.5
    first = count(sc.MagnitudeSketch(np.float64), [np.ones(7)])
    sketch.__setstate__(first.__getstate__())
    assert (sketch.dtype, sketch.n, sketch.passes) == (np.float64, 7, 1)


@pytest.mark.parametrize("name", state_of())
def test_states_in_which_something_is_missing(name: str) -> None:
    state = state_of()
    del state[name]
    assert_state_refused(state, name, "got none")


@pytest.mark.parametrize("state", [None, (), [], "state", 3, {}], ids=repr)
def test_invalid_states(state: Any) -> None:
    assert_state_refused(state, "got ")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("_dtype", [None, "float32", np.float32, np.dtype("int32"), np.dtype("V4"), 3]),
        ("_nan", [None, "zero", b"raise", 0, ["raise"], np.array(["raise", "keep"])]),
        ("_passes", [None, 0, -1, 2.0, True, "2", np.int64(2), 2**64]),
        ("_first", [None, -1, 2**31, 1.0, False, [0]]),
        ("_last", [None, -1, 2**31, 2**64, 1.0, [0]]),
        ("_n", [None, 0, -1, 2**64, 1.0, True]),
        ("_above", [None, 1, -1, 2**64, 0.0, False]),
        ("_checksum", [None, -1, 2**64, 0.5, "0"]),
        ("_expected", [None, 1, (), (1, 0, 1), (1, 0, 1, 0, 0), [1, 0, 1, 0], (1, 0, 1, 0.0)]),
    ],
)
def test_states_with_wrong_values(name: str, values: list[Any]) -> None:
    for value in values:
        assert_state_refused(state_of(**{name: value}), name, "got ")


def test_states_of_a_first_pass_that_expects_something() -> None:
    assert_state_refused(state_of(_passes=1), "_expected", "None")


NO_COUNTS = {
    "none": np.zeros(0, np.uint64),
    "one short": np.zeros(BINS - 1, np.uint64),
    "one more": np.zeros(BINS + 1, np.uint64),
    "two dimensions": np.zeros((BINS, 1), np.uint64),
    "a number": np.uint64(0),
    "signed": np.zeros(BINS, np.int64),
    "negative": np.full(BINS, -1),
    "floats": np.zeros(BINS, np.float32),
    "bools": np.zeros(BINS, np.bool_),
    "objects": np.zeros(BINS, object),
    "a list": [0] * BINS,
    "bytes": bytes(BINS),
    "None": None,
}


@pytest.mark.parametrize("counts", NO_COUNTS.values(), ids=NO_COUNTS)
def test_states_with_other_counts(counts: Any) -> None:
    assert_state_refused(state_of(_counts=counts), "_counts", f"({BINS},)", "got ")


def test_states_with_more_counts_than_elements() -> None:
    for most in (1, 2**63, 2**64 - 1):
        assert_state_refused(state_of(_counts=np.full(BINS, most, np.uint64)), "_n", "got 1")
    assert_state_refused(state_of(_counts=np.full(BINS, 2**48, np.uint64), _n=0), "_n")


@pytest.mark.parametrize("dtype", ["u1", ">u2", ">u8", "<u4"])
def test_states_with_counts_of_any_unsigned_type(dtype: str) -> None:
    counts = np.zeros(2 * BINS, dtype)[::2]
    counts[0] = 1
    sketch = sc.MagnitudeSketch.__new__(sc.MagnitudeSketch)
    sketch.__setstate__(state_of(_counts=counts, _n=1))
    sketch.update(np.ones(3, np.float32))
    assert (sketch.n, int(counts.sum())) == (4, 1)


COUNTS = BINS + 3  # the bins and the totals
WRONG_COUNTS = {
    "none": np.zeros(0, np.uint64),
    "one short": np.zeros(COUNTS - 1, np.uint64),
    "one more": np.zeros(COUNTS + 1, np.uint64),
    "two dimensions": np.zeros((COUNTS, 1), np.uint64),
    "signed": np.zeros(COUNTS, np.int64),
    "floats": np.zeros(COUNTS, np.float32),
    "objects": np.zeros(COUNTS, object),
    "a list": [0] * COUNTS,
    "None": None,
    "read-only": np.frombuffer(bytes(8 * COUNTS), np.uint64),
    "with gaps": np.zeros(2 * COUNTS, np.uint64)[::2],
    "backwards": np.zeros(COUNTS, np.uint64)[::-1],
    "misaligned": np.zeros(8 * COUNTS + 1, np.uint8)[1:].view(np.uint64),
    "of another byte order": np.zeros(COUNTS, np.dtype(np.uint64).newbyteorder()),
    "repeated": np.broadcast_to(np.uint64(0), COUNTS),
}


@pytest.mark.parametrize("counts", WRONG_COUNTS.values(), ids=WRONG_COUNTS)
def test_the_core_counts_in_nothing_else(counts: Any) -> None:
    """The core checks the array of counts, whatever the attributes of the sketch are set to."""
    sketch = sc.MagnitudeSketch.__new__(sc.MagnitudeSketch)
    sketch.__setstate__(state_of())
    own, sketch._counts = sketch._counts, counts
    with pytest.raises((TypeError, ValueError)):
        sketch.update(np.ones(3, np.float32))
    sketch._counts = own
    assert sketch.n == 1


def test_counts_that_shrink_while_a_chunk_is_read() -> None:
    counts = np.zeros(COUNTS, np.uint64)

    class Chunk:
        def __array__(self, *_: Any, **__: Any) -> np.ndarray:
            counts.resize(1, refcheck=False)
            return np.ones(3, np.float32)

    with pytest.raises(
        ValueError, match=rf"^counts must be {COUNTS} contiguous, aligned and writeable"
    ):
        _core.count_magnitudes(Chunk(), "float32", "keep", 0, BINS - 1, counts)
    with pytest.raises(ValueError, match=r"^counts must be "):
        _core.count_magnitudes(
            np.ones(3, np.float32), "float32", "keep", 1, 0, np.zeros(4, np.uint64)
        )


# --- threads -----------------------------------------------------------------------------------

THREADS = 8
HANG = 120.0  # seconds; threads that take longer are considered deadlocked


@contextmanager
def frequent_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def on_threads(*bodies: Callable[[], object]) -> None:
    """Run all functions at the same time on separate threads. Raise an exception of any of them."""
    start = threading.Barrier(len(bodies))
    errors: list[BaseException] = []

    def run(body: Callable[[], object]) -> None:
        try:
            start.wait()
            body()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=run, args=(body,), daemon=True) for body in bodies]
    with frequent_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG)
    assert not any(thread.is_alive() for thread in threads)
    for error in errors:
        raise error


def two_magnitudes(n: int) -> np.ndarray:
    """Return elements of two magnitudes, half of each. They belong to the same two bins."""
    return np.tile(np.float32([1, -2]), n // 2)


def assert_whole(sketch: Any) -> None:
    """Check that a sketch of two_magnitudes has lost no element, and has no part of a chunk."""
    sketch = copy.copy(sketch)
    state = sketch.__getstate__()
    assert int(state["_counts"].sum()) == sketch.n
    if sketch.n:
        assert sketch.count_above(sketch.n) == sketch.n // 2


@pytest.mark.parametrize("attempt", range(5))
def test_threads_update_one_sketch(attempt: int) -> None:  # noqa: ARG001
    chunks = 5 * [two_magnitudes(n) for n in (5000, 20_000, 64, 200_000)]
    sketch = sc.MagnitudeSketch()
    on_threads(*[lambda: count(sketch, chunks)] * THREADS)
    assert sketch.n == THREADS * sum(chunk.size for chunk in chunks)
    assert_whole(sketch)
    one = count(sc.MagnitudeSketch(), THREADS * chunks)
    for name, value in one.__getstate__().items():
        np.testing.assert_array_equal(sketch.__getstate__()[name], value)


def test_threads_read_while_others_update() -> None:
    chunk = two_magnitudes(20_000)
    sketch = count(sc.MagnitudeSketch(), [chunk])
    over = threading.Event()

    def update() -> None:
        for _ in range(200):
            sketch.update(chunk)
        over.set()

    def read() -> None:
        while not over.is_set():
            assert_whole(sketch)
            n, _, within, above = sketch.narrow(1)._expected or (0, 0, 0, 0)
            assert (2 * within, above) == (n, 0)
            assert sketch.count_above(1) == 0
            assert sketch.bracket(1).low <= 2 <= sketch.bracket(1).high
            assert pickle.loads(pickle.dumps(sketch)).n % chunk.size == 0
            assert "elements counted" in repr(sketch)

    on_threads(update, read, read)
    assert sketch.n == 201 * chunk.size
    assert_whole(sketch)


def test_threads_merge_into_one_sketch() -> None:
    total = sc.MagnitudeSketch()
    part = count(sc.MagnitudeSketch(), [two_magnitudes(1000)])

    def merge() -> None:
        for _ in range(50):
            total.merge(part)

    def update() -> None:
        for _ in range(50):
            total.update(two_magnitudes(1000))
            assert_whole(total)

    on_threads(*[merge] * THREADS, update)
    assert total.n == 1000 * 50 * (THREADS + 1)
    assert_whole(total)


def test_a_merged_sketch_is_whole() -> None:
    chunk = two_magnitudes(20_000)
    source = count(sc.MagnitudeSketch(), [chunk])

    def merge() -> None:
        for _ in range(50):
            copied = sc.MagnitudeSketch()
            copied.merge(source)
            assert_whole(copied)

    on_threads(merge, lambda: count(source, 100 * [chunk]), merge)


def test_sketches_merge_into_each_other_and_themselves() -> None:
    one = count(sc.MagnitudeSketch(), [two_magnitudes(100)])
    one.merge(one)
    assert one.n == 200
    assert_whole(one)
    a, b, c = (sc.MagnitudeSketch() for _ in range(3))  # they stay empty

    def merge(into: Any, other: Any) -> Callable[[], None]:
        return lambda: [into.merge(other) for _ in range(500)] and None

    on_threads(merge(a, b), merge(b, a), merge(b, c), merge(c, a), merge(a, a))
    assert a.n == b.n == c.n == 0


def test_code_of_the_callers_may_use_the_sketch() -> None:
    """Conversions of a chunk and of k call the sketch, also from another thread."""
    w = normal(5000)
    sketch = count(sc.MagnitudeSketch(), [w])

    class Chunk:
        def __array__(self, *_: Any, **__: Any) -> np.ndarray:
            sketch.update(w)
            on_threads(lambda: sketch.update(w))
            return w

    class Rank:
        def __index__(self) -> int:
            sketch.update(w)
            return 1

    on_threads(lambda: sketch.update(Chunk()))
    assert sketch.n == 4 * w.size
    on_threads(lambda: sketch.bracket(Rank()))  # type: ignore[arg-type]
    assert sketch.n == 5 * w.size


# --- interruption ------------------------------------------------------------------------------


class Stop(Exception):
    pass


@pytest.mark.parametrize("merges", [False, True])
def test_an_interrupted_call_counts_all_or_nothing(merges: bool) -> None:
    """A signal handler raises an exception. The call changes everything or nothing."""

    def stop(*_: object) -> None:
        raise Stop

    w = normal(20_000)
    whole = count(sc.MagnitudeSketch(), [w])
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for i in range(200):
            sketch = sc.MagnitudeSketch()
            with suppress(Stop):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 2e-5 * (1 + i % 20))
                    while True:
                        sketch.merge(whole) if merges else sketch.update(w)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            times, rest = divmod(sketch.n, w.size)
            assert rest == 0
            again = sc.MagnitudeSketch()
            for _ in range(times):
                again.merge(whole)
            assert pickle.dumps(sketch) == pickle.dumps(again)
    finally:
        signal.signal(signal.SIGALRM, before)


# --- forks --------------------------------------------------------------------------------------

forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
COUNTED = 100  # the number of elements before a fork


@contextmanager
def another_thread_within(sketch: Any, name: str) -> Iterator[None]:
    """Keep another thread in a read ("_totals") or a change ("_change") of the sketch."""
    within, done = threading.Event(), threading.Event()
    method = getattr(sketch, name)

    def wait() -> None:
        if threading.current_thread() is holder:
            within.set()
            done.wait()

    def change(counting: Callable[[], object]) -> None:
        method(lambda: (wait(), counting()))

    def read() -> Any:
        wait()
        return method()

    held, call = {
        "_totals": (read, lambda: sketch.n),
        "_change": (change, lambda: sketch.update(normal(3))),
    }[name]
    holder = threading.Thread(target=call)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sketch, name, held)
        holder.start()
        try:
            assert within.wait(60)
            yield
        finally:
            done.set()
            holder.join()


def refuses(call: Callable[[], object]) -> bool:
    try:
        call()
    except RuntimeError as error:
        return "another thread was changing it when the process forked" in str(error)
    return False


@forking
def test_a_child_refuses_a_sketch_that_another_thread_was_changing() -> None:
    sketch = count(sc.MagnitudeSketch(), [normal(COUNTED)])
    other = sc.MagnitudeSketch()

    def works() -> bool:
        calls: list[Callable[[], object]] = [
            lambda: sketch.n,
            lambda: sketch.update(normal(3)),
            lambda: sketch.merge(other),
            lambda: other.merge(sketch),
            lambda: sketch.bracket(1),
            lambda: sketch.count_above(1),
            lambda: sketch.narrow(1),
            lambda: pickle.dumps(sketch),
            lambda: copy.copy(sketch),
        ]
        assert all(refuses(call) for call in calls)
        assert "incomplete counts" in repr(sketch)
        assert sketch.passes == 1
        assert other.n == 0
        assert in_child(lambda: refuses(lambda: sketch.n)) == "right"  # also in its own child
        return True

    def works_on_a_new_thread() -> bool:
        # The new thread may have the same identity as the thread that was changing the sketch.
        on_threads(works)
        return refuses(lambda: sketch.n)

    with another_thread_within(sketch, "_change"):
        assert in_child(works) == "right"
        assert in_child(works) == "right"
        assert in_child(works_on_a_new_thread) == "right"
    assert sketch.n == COUNTED + 3  # the parent completes the change


@forking
def test_a_child_uses_a_sketch_that_another_thread_was_reading() -> None:
    sketch = count(sc.MagnitudeSketch(), [normal(COUNTED)])

    def works() -> bool:
        # Several threads use the sketch at once, for the first time in this process.
        on_threads(*[lambda: sketch.update(normal(1000))] * THREADS)
        return sketch.n == COUNTED + 1000 * THREADS and str(sketch.n) in repr(sketch)

    with another_thread_within(sketch, "_totals"):
        assert in_child(works) == "right"
        assert in_child(lambda: in_child(works) == "right") == "right"


@forking
def test_a_fork_by_the_thread_that_holds_the_sketch() -> None:
    """A signal handler or a finalizer may fork during any operation of the sketch."""
    sketch = count(sc.MagnitudeSketch(), [normal(COUNTED)])
    outcomes = []

    def works() -> bool:
        sketch.update(normal(7))
        return sketch.n == COUNTED + 7 and "107" in repr(sketch)

    with pytest.MonkeyPatch.context() as patched:
        totals, forked = sketch._totals, []

        def once() -> Any:
            if not forked:
                forked.append(True)
                outcomes.append(in_child(works))
            return totals()

        patched.setattr(sketch, "_totals", once)
        assert sketch.n == COUNTED
    assert outcomes == ["right"]


@forking
def test_other_threads_of_the_child_wait_for_the_thread_that_holds_the_sketch() -> None:
    sketch = count(sc.MagnitudeSketch(), [normal(COUNTED)])
    outcomes = []

    def fork_within() -> None:
        seen: list[int] = []

        def works() -> bool:
            other = threading.Thread(target=lambda: seen.append(sketch.n))
            with sketch._lock.current():  # like the change under way
                other.start()
                other.join(0.2)
                waits = other.is_alive()
            return waits and sketch._lock.current()._is_owned()  # type: ignore[attr-defined]

        outcomes.append(in_child(works))

    sketch._change(fork_within)
    assert outcomes == ["right"]
    assert sketch.n == COUNTED


@forking
def test_forks_wait_for_no_sketch() -> None:
    """A fork does not wait for a change by another thread, which may wait for the fork."""
    sketches = [sc.MagnitudeSketch() for _ in range(3)]
    with another_thread_within(sketches[1], "_change"):
        assert in_child(lambda: sketches[0].n == sketches[2].n == 0) == "right"


@forking
def test_sketches_are_made_and_forks_done_by_many_threads() -> None:
    sketch = sc.MagnitudeSketch()

    def make() -> None:
        for _ in range(300):
            count(sc.MagnitudeSketch("float16"), [])
            sketch.update(normal(10))

    def fork() -> None:
        for _ in range(10):
            assert in_child(lambda: sc.MagnitudeSketch().n == 0) == "right"

    on_threads(make, make, fork, fork)
    assert sketch.n == 6000


@forking
@pytest.mark.parametrize("copied", [False, True])
def test_a_child_of_a_fork_while_another_thread_counts(copied: bool) -> None:
    """The child sees only whole chunks, or refuses the sketch. A new sketch works."""
    sketch, w = sc.MagnitudeSketch(), normal(200_000)
    if copied:
        sketch = pickle.loads(pickle.dumps(sketch))
    done = threading.Event()

    def count_on() -> None:
        while not done.is_set():
            sketch.update(w)

    def is_whole_or_refused() -> bool:
        assert count(sc.MagnitudeSketch(), [w]).n == w.size
        try:
            n = pickle.loads(pickle.dumps(sketch)).n
        except RuntimeError:
            return refuses(lambda: sketch.n) and "incomplete" in repr(sketch)
        sketch.update(w[:10])
        return n % w.size == 0 and sketch.n == n + 10

    counting = threading.Thread(target=count_on)
    counting.start()
    try:
        assert [in_child(is_whole_or_refused) for _ in range(10)] == ["right"] * 10
    finally:
        done.set()
        counting.join()
