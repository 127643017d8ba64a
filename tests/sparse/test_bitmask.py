"""encode_bitmask and BitmaskArray, compared with NumPy's packbits and boolean indices."""

import copy
import pickle
import sys
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from support.arrays import generator
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits
from support.refusals import assert_refuses

DTYPES = {
    name: np.dtype(getattr(ml_dtypes, name, name))
    for name in ("float16", "bfloat16", "float32", "float64", "int8", "uint8", "int16", "uint16",
                 "int32", "uint32", "int64", "uint64", "int4", "uint4", "int2", "uint2", "bool")
}  # fmt: skip
# Around whole bytes, the lanes and the word of 64; around parts of an array of 8, 4, 2 and 1 bytes for
# each element.
SIZES = [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 200]
SIZES += [8191, 8192, 8193, 16_383, 16_384, 16_385, 32_769, 65_535, 65_537, 150_001]
SHAPES = [(), (0, 5), (5, 0), (1, 1), (3, 1), (2, 3, 7), (9, 64), (7, 65), (4, 130), (1000, 10),
          (3, 20_000), (3, 16_391)]  # fmt: skip
DENSITIES = [0, 0.1, 0.5, 1]
PAST_THE_CACHES = (2 << 20) + 67  # of float32: written with streaming stores


def sparse_array(dtype: str, shape: tuple[int, ...], density: float) -> np.ndarray:
    """Return an array of random bits and zeros."""
    kind, random = DTYPES[dtype], generator(hash_of(dtype, shape, density))
    n = int(np.prod(shape))
    if dtype == "bool":
        return (random.random(n) < density).reshape(shape)
    raw = np.frombuffer(random.bytes(n * kind.itemsize), f"u{kind.itemsize}")
    return np.where(random.random(n) < density, raw, 0).astype(raw.dtype).view(kind).reshape(shape)


def hash_of(dtype: str, shape: tuple[int, ...], density: float) -> int:
    return [*DTYPES].index(dtype) * 1000 + sum(shape) + int(density * 7)


def nonzero(w: np.ndarray) -> np.ndarray:
    """Return which elements have a bit that is set."""
    return np.array(w, order="C").reshape(-1).view(f"u{w.itemsize}").reshape(w.shape) != 0


def check(lib: Any, w: np.ndarray, mask: np.ndarray | None = None) -> None:
    kept = nonzero(w) if mask is None else mask
    sparse = lib.encode_bitmask(w) if mask is None else lib.encode_bitmask(w, mask)
    rows = kept.reshape(1) if kept.ndim == 0 else kept
    assert isinstance(sparse, lib.BitmaskArray)
    assert (sparse.shape, sparse.dtype, sparse.size) == (w.shape, w.dtype, w.size)
    assert_same_bits(sparse.bitmask, np.packbits(rows, axis=-1, bitorder="little"))
    assert_same_bits(sparse.values, w[kept])
    assert sparse.nbytes == sparse.bitmask.nbytes + sparse.values.nbytes
    counts = np.asarray(kept.sum(axis=-1 if w.ndim else None, dtype=np.int64))
    assert_same_bits(
        sparse.row_offsets, np.asarray(np.cumsum(counts).reshape(counts.shape) - counts)
    )
    expected = np.zeros_like(w, order="C")
    expected[kept] = w[kept]
    assert_same_bits(sparse.decode(), expected)
    out = np.ones(w.shape, w.dtype)
    assert sparse.decode(out=out) is out
    assert_same_bits(out, expected)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sizes(lib_on_threads: Any, dtype: str, n: int) -> None:
    for density in DENSITIES:
        check(lib_on_threads, sparse_array(dtype, (n,), density))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64", "uint8", "bool"])
def test_rows(lib_on_threads: Any, dtype: str, shape: tuple[int, ...]) -> None:
    for density in DENSITIES:
        w = sparse_array(dtype, shape, density)
        check(lib_on_threads, w)
        check(lib_on_threads, w, generator(3).random(shape) < np.full(shape, 0.3))


@pytest.mark.parametrize("density", [0.02, 0.6])
def test_past_the_caches(lib_on_threads: Any, density: float) -> None:
    w = sparse_array("float32", (PAST_THE_CACHES,), density)
    check(lib_on_threads, w)
    # The result begins within a cache line, as those of NumPy do.
    sparse = lib_on_threads.encode_bitmask(w)
    for offset in range(1, 17, 5):
        memory = np.ones(w.size + offset, np.float32)
        sparse.decode(out=memory[offset:])
        assert_same_bits(memory[offset:], w)
        assert (memory[:offset] == 1).all()


@given(data=st.data())
def test_any_bits(data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([np.float16, np.float32, np.float64, np.int8, np.uint64]))
    shape = data.draw(st.tuples(*[st.integers(0, 70)] * data.draw(st.integers(1, 2))))
    w = data.draw(arrays(dtype, shape))
    mask = data.draw(st.none() | arrays(np.bool_, shape))
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, w, mask)


def test_every_bit_of_kept_elements(lib: Any) -> None:
    """Negative zeros and NaN with payloads are values; a mask keeps zeros."""
    w = np.array([0.0, -0.0, np.nan, 1e-45, np.inf], np.float32)
    w[2:3].view(np.uint32)[0] |= 0x80001234
    check(lib, w)
    assert lib.encode_bitmask(w).values.size == 4
    check(lib, w, np.array([True, False, True, False, False]))


def test_layouts(lib: Any) -> None:
    w = sparse_array("float32", (40, 70), 0.3)
    for given_w in (np.asfortranarray(w), w[:, ::-1], w[::2], w.astype(">f4")):
        plain = np.array(given_w, np.float32, order="C")
        assert lib.encode_bitmask(given_w) == lib.encode_bitmask(plain)
        out = np.ones((2 * plain.shape[0], plain.shape[1]), np.float32)[::2]
        lib.encode_bitmask(plain).decode(out=out)
        assert_same_bits(out, plain)
    assert lib.encode_bitmask([0, 3, 0]).values.tolist() == [3]


def test_values_of_another_byte_order(lib: Any) -> None:
    """They are the same values, and decode as what they are."""
    w = np.int16([0, 3, 0, -4])
    sparse = lib.encode_bitmask(w)
    swapped = lib.BitmaskArray(sparse.bitmask, sparse.values.astype(">i2"), w.shape)
    assert swapped == sparse
    assert swapped.dtype == w.dtype == swapped.decode().dtype
    assert swapped.decode(out=np.empty_like(w)).tolist() == w.tolist()


def test_pruned(lib: Any) -> None:
    """What prune keeps is what prune_mask says, zeros included."""
    w = np.zeros((20, 33), np.float32)
    w[3, 5:9] = 2
    sparse = lib.encode_bitmask(lib.prune(w, k=50), lib.prune_mask(w, k=50))
    assert sparse.values.size == 50
    assert_same_bits(sparse.decode(), w)


def test_a_value(lib: Any) -> None:
    sparse = lib.encode_bitmask(np.float32([[0, 1.5], [2, 0]]))
    again = lib.BitmaskArray(np.uint8([[2], [1]]), np.float32([1.5, 2]), [2, 2])
    assert sparse == again
    assert sparse == pickle.loads(pickle.dumps(sparse)) == copy.deepcopy(sparse)
    assert type(copy.copy(sparse)) is lib.BitmaskArray
    assert sparse != lib.encode_bitmask(np.float32([[0, 1.5], [-2, 0]]))
    assert sparse != lib.encode_bitmask(np.float32([0, 1.5, 2, 0]))
    assert sparse != lib.encode_bitmask(np.int32([[0, 1], [2, 0]]))
    assert sparse != 3
    assert repr(sparse) == "BitmaskArray(shape=(2, 2), dtype=float32, values=2, nbytes=10)"
    assert np.asarray(sparse).tolist() == [[0, 1.5], [2, 0]]
    assert np.array(sparse, np.float64).dtype == np.float64
    assert_refuses(TypeError, ["unhashable"], hash, sparse)
    assert_refuses(ValueError, ["copy must ", "False"], sparse.__array__, None, False)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.zeros(1, np.int8), np.zeros(0), 3), TypeError, ["bitmask must ", "uint8", "int8"]),
        ((np.zeros(2, np.uint8), np.zeros(0), 3), ValueError, ["bitmask must ", "(1,)", "(2,)"]),
        ((np.zeros((1, 3), np.uint8), np.zeros(0), (3, 1)), ValueError, ["bitmask must ", "(3, 1)"]),
        ((np.uint8([9]), np.zeros(2), 3), ValueError, ["bitmask must ", "spare bits of 0", "row 0"]),
        ((np.uint8([[0], [16]]), np.zeros(1), (2, 4)), ValueError, ["spare bits of 0", "row 1"]),
        ((np.uint8([5]), np.zeros(3), 3), ValueError, ["values must ", "each of the 2 bits", "3"]),
        ((np.uint8([5]), np.zeros((1, 2)), 3), ValueError, ["values must ", "one dimension", "(1, 2)"]),
        ((np.uint8([5]), np.zeros(2), -3), ValueError, ["shape must be ", "-3"]),
        ((np.uint8([5]), np.zeros(2), 1.5), TypeError, ["shape must be an integer, got 1.5"]),
        ((np.uint8([5]), np.zeros(2), (sys.maxsize, 9)), ValueError, ["shape must be ", "integer"]),
        ((np.uint8([5]), np.zeros(2), sys.maxsize), ValueError, [f"({2**60},)", "(1,)"]),
        ((np.uint8([5]), np.zeros(2, complex), 3), TypeError, ["values must be float16", "complex128"]),
        ((np.uint8([5]), ["a", "b"], 3), TypeError, ["values must be float16", "<U1"]),
        ((np.uint8([5]), [1, [2]], 3), ValueError, ["values must ", "rows of equal lengths"]),
        ((np.uint8([5]), np.ma.masked_array([1, 2], [0, 1]), 3), TypeError, ["values must be a plain"]),
        ((np.ma.masked_array(np.uint8([5]), 1), [1, 2], 3), TypeError, ["bitmask must be a plain"]),
    ],
    ids=str,
)  # fmt: skip
def test_refused_parts(lib: Any, arguments: Any, error: type[Exception], words: list[str]) -> None:
    assert_refuses(error, words, lib.BitmaskArray, *arguments)


def test_refused(lib: Any) -> None:
    w = np.zeros((2, 3), np.float32)
    assert_refuses(TypeError, ["w must ", "complex64"], lib.encode_bitmask, w.astype(np.complex64))
    assert_refuses(TypeError, ["mask must ", "bool", "uint8"], lib.encode_bitmask, w,
                   np.ones((2, 3), np.uint8))  # fmt: skip
    assert_refuses(ValueError, ["mask must ", "(2, 3)", "(3, 2)"], lib.encode_bitmask, w,
                   np.ones((3, 2), np.bool_))  # fmt: skip
    sparse = lib.encode_bitmask(w + 1)
    for out, error, words in (
        (np.zeros(6, np.float32), ValueError, ["out must ", "(2, 3)", "(6,)"]),
        (np.zeros((2, 3)), TypeError, ["out must ", "float32", "float64"]),
        (sparse.values.reshape(2, 3), ValueError, ["out must ", "values"]),
    ):
        assert_refuses(error, words, sparse.decode, out=out)


def test_arrays_that_change(lib: Any) -> None:
    """The parts are not copied, so that a change is found when they are used."""
    sparse = lib.encode_bitmask(np.float32([1, 0, 2]))
    sparse.bitmask[0] = 7
    assert_refuses(ValueError, ["bitmask must ", "each of the 2 values", "3"], sparse.decode)
