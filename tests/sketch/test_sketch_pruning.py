"""Check that prune() of a sketch prunes chunks to the k largest magnitudes of all of them."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import secateur as sc
from support.arrays import DTYPES, of_type
from support.oracles import assert_same_bits
from support.raw_bits import POLICIES

DATA = [
    "normal",
    "coarse grid",
    "90 % zeros",
    "constant",
    "30 % NaN",
    "all the same NaN",
    "raw bits",
]


def exact_sketch(lib: Any, chunks: list[np.ndarray], k: int, nan: str = "raise") -> Any:
    """Return the sketch of the documented loop, which must end after at most four passes."""
    sketch = lib.MagnitudeSketch(chunks[0].dtype, nan=nan)
    for _ in range(4):
        for chunk in chunks:
            sketch.update(chunk)
        sketch = sketch.narrow(k)
        if sketch.exact:
            return sketch
    raise AssertionError(sketch)


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("values", DATA)
@pytest.mark.parametrize("dtype", DTYPES)
def test_chunks_are_pruned_like_the_whole(lib: Any, dtype: str, values: str, nan: str) -> None:
    w = of_type(values, 3001, dtype)
    if nan == "raise" and np.isnan(w).any():
        return
    chunks = np.split(w, [0, 1, 18, 1000, 1064, 2500])
    for k in (1, 300, 1500, 3001):
        sketch = exact_sketch(lib, chunks, k, nan)
        pruned = np.concatenate([sketch.prune(chunk) for chunk in chunks])
        assert_same_bits(pruned, sc.reference.prune(w, k=k, nan=nan))


@pytest.mark.parametrize("nan", ["keep", "prune"])
def test_the_loop_ends_if_nan_are_among_the_largest(lib: Any, nan: str) -> None:
    w = np.float32([np.nan, 1, -np.nan, np.nan, 2, -3])
    for k in range(1, 7):
        sketch = exact_sketch(lib, [w[:2], w[2:]], k, nan)
        pruned = np.concatenate([sketch.prune(w[:2]), sketch.prune(w[2:])])
        assert_same_bits(pruned, sc.reference.prune(w, k=k, nan=nan))


def test_chunks_of_any_shape_and_order(lib: Any) -> None:
    w = of_type("coarse grid", 30 * 40 * 3, "float32").reshape(3, 30, 40)
    sketch = exact_sketch(lib, [w], 700)
    whole = sc.reference.prune(w, k=700)
    assert_same_bits(sketch.prune(w[0]), whole[0])
    with pytest.raises(TypeError, match=r"^chunk must"):
        sketch.prune(w[1].astype(np.float16))
    assert_same_bits(np.ascontiguousarray(sketch.prune(np.asfortranarray(w[1]))), whole[1])
    strided = np.repeat(w[2], 2, axis=1)[:, ::2]
    assert_same_bits(sketch.prune(strided), whole[2])


@pytest.mark.parametrize(
    "chunks", [[[5, 6, 7, 8]] * 2, [[1, 2, 3, 4]] * 2, [[0] * 8], [[6, 6, 6, 7], [1, 1, 1, 1]]]
)
def test_other_data_than_those_that_were_counted(lib: Any, chunks: list[list[int]]) -> None:
    """They are refused if other than k elements would be kept."""
    sketch = exact_sketch(lib, [np.arange(1, 9, dtype=np.float32)], 3)
    for chunk in chunks[:-1]:
        sketch.prune(np.float32(chunk))
    with pytest.raises(ValueError, match=r"^the pruned data must be the 8 elements"):
        sketch.prune(np.float32(chunks[-1]))


def test_a_chunk_may_be_pruned_again_in_place(lib: Any) -> None:
    """Pruning a pruned chunk gives the same result, as after an exception of a signal handler."""
    w = of_type("coarse grid", 600, "float32")
    sketch = exact_sketch(lib, [w], 123)
    again = copy.deepcopy(sketch) if lib is not sc else pickle.loads(pickle.dumps(sketch))
    data = w.copy()
    sketch.prune(data[:300], out=data[:300])
    again.prune(data[:300], out=data[:300])
    again.prune(data[300:], out=data[300:])
    assert_same_bits(data, sc.reference.prune(w, k=123))


def test_ties_of_matrices(lib: Any) -> None:
    chunks = [np.ones((1000, 2), np.float32), np.ones((1000, 2), np.float32)]
    sketch = exact_sketch(lib, chunks, 100)
    kept = [np.count_nonzero(sketch.prune(chunk)) for chunk in chunks]
    assert kept == [100, 0]


def test_in_place_and_again(lib: Any) -> None:
    w = of_type("coarse grid", 1000, "float32")
    sketch = exact_sketch(lib, [w], 123)
    for _ in range(2):  # after the last chunk, the sketch starts with the first again
        data = w.copy()
        for begin in range(0, 1000, 300):
            chunk = data[begin : begin + 300]
            assert sketch.prune(chunk, out=chunk) is chunk
        assert_same_bits(data, sc.reference.prune(w, k=123))


@pytest.mark.parametrize("copied", [copy.copy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_where_the_sketch_was(copied: Any) -> None:
    w = np.ones(100, np.float32)
    sketch = exact_sketch(sc, [w], 60)
    first = sketch.prune(w[:50])
    second = copied(sketch)
    assert np.count_nonzero(first) == 50
    assert np.count_nonzero(second.prune(w[:50])) == 10
    assert np.count_nonzero(sketch.prune(w[:50])) == 10


def test_an_exact_sketch_knows_its_bracket(lib: Any) -> None:
    w = np.float32([1, -2, 2, 3])
    sketch = exact_sketch(lib, [w], 2)
    assert sketch.n == 0
    for k in (2, 3):  # the ranks of the ties
        assert sketch.bracket(k) == (2, 2)
        assert sketch.count_above(k) == 1
        assert sketch.narrow(k).exact
    for k in (1, 4):
        with pytest.raises(ValueError, match=r"^k must be .*2 to 3"):
            sketch.bracket(k)
    assert np.count_nonzero(sketch.narrow(3).prune(w)) == 3


def test_sketches_that_are_not_exact(lib: Any) -> None:
    w = np.float32([1, -2, 2, 3])
    first = lib.MagnitudeSketch(np.float32)
    first.update(w)
    for sketch in (lib.MagnitudeSketch(np.float32), first, first.narrow(2)):
        assert not sketch.exact
        out = w.copy()
        with pytest.raises(ValueError, match=r"^prune\(\) needs a sketch that is exact"):
            sketch.prune(w, out=out)
        assert_same_bits(out, w)


def test_refused_chunks_change_nothing(lib: Any) -> None:
    w = np.ones(10, np.float32)
    sketch = exact_sketch(lib, [w], 6)
    sketch.prune(w[:4])
    out = w.copy()
    with pytest.raises(ValueError, match=r"^chunk must .*at most 6 elements.*got 7"):
        sketch.prune(w[:7], out=out[:7])
    with pytest.raises(TypeError, match=r"^chunk must be .*float32"):
        sketch.prune(w[:6].astype(np.float64))
    with pytest.raises(ValueError, match="NaN"):
        sketch.prune(np.float32([np.nan] * 6), out=out[:6])
    with pytest.raises(ValueError, match=r"^out must"):
        sketch.prune(w[:6], out=out)
    if lib is sc:
        with pytest.raises(ValueError, match=r"^out must be chunk itself or"):
            sketch.prune(out[:6], out=out[5::-1])
    assert_same_bits(out, w)
    assert np.count_nonzero(sketch.prune(w[:6])) == 2
