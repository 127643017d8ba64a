"""MagnitudeSketch: the k-th magnitude of data that come in chunks, pass by pass."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from arrays import DTYPES, LANES, generator, normal, of_type
from isas import LIBRARIES, library
from oracles import INFINITIES, Ranking, assert_same_bits, keys_of
from raw_bits import POLICIES, floats
from refusals import assert_refuses

PASSES = {"float16": 1, "bfloat16": 1, "float32": 2, "float64": 4}
HARD = ["normal", "raw bits", "coarse grid", "90 % zeros", "constant", "subnormals", "30 % NaN",
        "every exponent", "all the same NaN", "a few neighbours"]  # fmt: skip


def chunks_of(w: np.ndarray) -> list[np.ndarray]:
    """Of many lengths, none and one among them."""
    cuts = sorted({0, 1, 18, 1000, w.size // 3, w.size // 2})
    return np.split(w, [0, *(cut for cut in cuts if cut <= w.size)])


def count(sketch: Any, chunks: list[np.ndarray]) -> Any:
    for chunk in chunks:
        sketch.update(chunk)
    return sketch


def assert_finds(lib: Any, w: np.ndarray, ks: list[int], nan: str = "raise") -> None:
    """Within each bracket, which is exact after as many passes as the type needs."""
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
    """Each of them its own k-th: zero, the ends of the numbers, infinity, the ends of the NaN."""
    w = of_type("raw bits", 0, dtype)
    sign = 1 << (8 * w.itemsize - 1)
    infinity = INFINITIES[dtype]
    bits = [0, 1, infinity - 1, infinity, infinity + 1, sign - 1, sign, sign | 1, sign | infinity]
    w = np.array(bits, f"u{w.itemsize}").view(w.dtype)
    assert_finds(lib, w, [*range(1, w.size + 1)], nan)


@pytest.mark.parametrize("dtype", DTYPES)
def test_parts_counted_elsewhere_are_merged(lib: Any, dtype: str) -> None:
    """Each pass goes out by pickle, and comes back counted."""
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
    """Not only the one that was asked for."""
    w = of_type("a few neighbours", 500, "float32")  # all in one bin of the first pass
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
        for call in (sketch.bracket, sketch.narrow):
            with pytest.raises(ValueError, match="pass"):
                call(100)
    same = count(narrow, [-w[::-1]])
    assert same.bracket(100).low <= Ranking(w).kth_magnitude(100) <= same.bracket(100).high


def test_ranks_outside_the_narrowed_range(lib: Any) -> None:
    w = np.repeat(np.float32([1, 2, 3, 4]), 10)
    sketch = count(lib.MagnitudeSketch(), [w]).narrow(15)  # of the 3, which are 11th to 20th
    sketch.update(w)
    for k in (11, 20):
        assert_same_bits(sketch.bracket(k).low, np.float32(3))
    for k in (1, 10, 21, 40):
        for call in (sketch.bracket, sketch.narrow):
            assert_refuses(ValueError, ["k ", str(k)], call, k)


@pytest.mark.parametrize("k", [0, -1, 13, 2**64])
def test_ranks_out_of_range(lib: Any, k: int) -> None:
    sketch = count(lib.MagnitudeSketch(), [normal(12)])
    for call in (sketch.bracket, sketch.narrow):
        words = ["k must be an integer from 1 to 12", f"got {k}"]
        assert_refuses(ValueError, words, call, k)


@pytest.mark.parametrize("k", [1.0, True, "1", None, [1], np.array(1)], ids=repr)
def test_ranks_that_are_no_integers(lib: Any, k: object) -> None:
    sketch = count(lib.MagnitudeSketch(), [normal(12)])
    for call in (sketch.bracket, sketch.narrow):
        assert_refuses(TypeError, ["k must be an integer", f"got {k!r}"], call, k)


def test_no_rank_of_nothing(lib: Any) -> None:
    for call in (lib.MagnitudeSketch().bracket, lib.MagnitudeSketch().narrow):
        with pytest.raises(ValueError, match="must"):
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
