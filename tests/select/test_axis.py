"""axis=: kth_magnitude, topk, prune_mask and prune within each slice along an axis."""

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import secateur as sc
from support.arrays import DTYPES, around, generator, normal, of_type
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import Ranking, assert_same_bits, assert_writes, bits_of
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses

# Slices with lengths around the lane counts, kBisectKeys, kBlock and kInCache; many short slices
# and a few long ones; every position of the axis.
SHAPES = [
    (1, 1), (1, 8), (8, 1), (7, 16), (16, 7), (9, 17), (33, 31), (65, 64), (64, 65), (300, 8),
    (8, 300), (3, 1023), (1025, 3), (70, 1025), (2, 16_385), (16_383, 2), (2, 65_537), (65_535, 2),
    (70_001,), (5, 6, 7), (1, 40, 1), (33, 4, 34), (3, 2000, 5), (2, 3, 4, 5), (17, 2, 2, 16),
]  # fmt: skip
HARD = ["normal", "coarse grid", "90 % zeros", "raw bits", "constant"]


@lru_cache(maxsize=256)
def ranking(name: str, dtype: str, shape: tuple[int, ...], nan: str, axis: int) -> Ranking:
    w = of_type(name, int(np.prod(shape)), dtype).reshape(shape)
    return Ranking(w, nan, axis)


def check(lib: Any, expected: Ranking, axis: int, k: int, nan: str) -> None:
    """Check all four functions, and pruning in place."""
    w, how = expected.w, {"axis": axis, "nan": nan}
    assert_same_bits(lib.prune_mask(w, k=k, **how), expected.mask(k))
    assert_same_bits(lib.prune_mask(w, k=k, **how, packed=True),
                     np.packbits(expected.mask(k), bitorder="little"))  # fmt: skip
    assert_same_bits(lib.prune(w, k=k, **how), expected.pruned(k))
    copy = w.copy()
    assert lib.prune(copy, k=k, **how, out=copy) is copy
    assert_same_bits(copy, expected.pruned(k))
    for by_rank in (False, True):
        for actual, part in zip(
            lib.topk(w, k, **how, sorted=by_rank), expected.topk(k, by_rank=by_rank), strict=True
        ):
            assert_same_bits(actual, part)
    if k:
        assert_same_bits(lib.kth_magnitude(w, k, **how), expected.kth_magnitude(k))


@pytest.mark.parametrize("values", HARD)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(lib: Any, shape: tuple[int, ...], values: str) -> None:
    for axis in subset(range(len(shape)), 2):
        n = shape[axis]
        for k in subset(sorted({0, 1, n // 3, n}), 2):
            check(lib, ranking(values, "float32", shape, "keep", axis), axis, k, "keep")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES[5:16:2] + SHAPES[-4:], ids=str)
def test_types(lib: Any, shape: tuple[int, ...], dtype: str) -> None:
    for axis in range(len(shape)):
        for values, nan in (("raw bits", "prune"), ("coarse grid", "raise")):
            k = (shape[axis] + 1) // 2
            check(lib, ranking(values, dtype, shape, nan, axis), axis, k, nan)


# Around kMaxGroupSize, kTransposed, kWorthDropping, kWorthNarrowing, kMaxShortRowBytes / 4 and
# kMaxRows; and longer than kBlock.
LENGTHS = [*around(33, 128, 256, 512, 4096, 8192), 16_385]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_lengths(lib: Any, dtype: str, length: int) -> None:
    """There are more slices than lanes in a vector."""
    for shape, axis in (((37, length), 1), ((length, 37), 0)):
        for values in ("normal", "coarse grid") if length < 1000 else ("coarse grid",):
            expected = ranking(values, dtype, shape, "keep", axis)
            for k in subset(sorted({1, length // 10, length}), 1):
                assert_writes(lib.prune, expected.w, expected.pruned(k), k=k, axis=axis)
            kth = lib.kth_magnitude(expected.w, length // 3, axis=axis)
            assert_same_bits(kth, expected.kth_magnitude(length // 3))


# Around the lane counts and the word of 64; kTransposed; beyond it.
SHORT = [*range(1, 10), *around(16, 32, 64, 128), 200]


@pytest.mark.parametrize("values", ["normal", "coarse grid", "zeros of both signs", "raw bits"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_many_short_slices(lib: Any, dtype: str, values: str) -> None:
    """The counts of slices are around the lane counts; k is around kMaxInserted and kFew."""
    for length, count in grid(SHORT, (1, 15, 33, 70)):
        for shape, axis in (((count, length), 1), ((length, count), 0)):
            expected = ranking(values, dtype, shape, "keep", axis)
            ks = {k for k in (0, 1, 2, 3, 5, 8, 9, 48, 49, length) if k <= length}
            for k in subset(sorted(ks), 3):
                for by_rank in (False, True):
                    found = lib.topk(expected.w, k, axis=axis, sorted=by_rank, nan="keep")
                    for a, b in zip(found, expected.topk(k, by_rank=by_rank), strict=True):
                        assert_same_bits(a, b)
                if k:
                    kth = lib.kth_magnitude(expected.w, k, axis=axis, nan="keep")
                    assert_same_bits(kth, expected.kth_magnitude(k))


@pytest.mark.parametrize("values", ["normal", "raw bits"])
def test_slices_that_differ(lib: Any, values: str) -> None:
    """Adjacent slices have very different scales."""
    for shape, axis in (((50, 70), 1), ((50, 700), 1), ((70, 50), 0), ((700, 50), 0)):
        scales = np.ldexp(1.0, generator(3).integers(-60, 60, 50)).astype(np.float32)
        w = of_type(values, shape[0] * shape[1], "float32").reshape(shape)
        with np.errstate(over="ignore", invalid="ignore"):
            w = w * np.expand_dims(scales, axis)
        check(lib, Ranking(w, "prune", axis), axis, shape[axis] // 7, "prune")


@pytest.mark.parametrize("shape", [(1300, 1040), (260, 5003), (5003, 260)], ids=str)
def test_past_the_caches(lib_on_threads: Any, shape: tuple[int, int]) -> None:
    """Results may begin at any offset in a cache line."""
    n = shape[0] * shape[1]
    buffer = np.full(n + 64, 7, np.float32)
    line = -buffer.ctypes.data // buffer.itemsize % 16
    for axis in (0, 1):
        expected = ranking("normal", "float32", shape, "raise", axis)
        for offset in (0, 4, 15):
            begin = line + offset
            out = buffer[begin : begin + n].reshape(shape)
            buffer[:] = 7
            lib_on_threads.prune(expected.w, k=50, axis=axis, out=out)
            assert_same_bits(out, expected.pruned(50))
            assert (buffer[:begin] == 7).all()
            assert (buffer[begin + n :] == 7).all()


@pytest.mark.parametrize("shape", [(2048, 300), (300, 2048), (3, 70_000, 3)], ids=str)
def test_large(lib_on_threads: Any, shape: tuple[int, ...]) -> None:
    for axis in subset(range(len(shape)), 1):
        check(lib_on_threads, ranking("normal", "float32", shape, "raise", axis), axis, 3, "raise")


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    w = data.draw(floats(dtype, hnp.array_shapes(min_dims=1, max_dims=4, max_side=9)))
    axis = data.draw(st.integers(-w.ndim, w.ndim - 1))
    k = data.draw(st.integers(0, w.shape[axis]))
    nan = data.draw(st.sampled_from(POLICIES))
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, Ranking(w, nan, axis), axis, k, nan)


@pytest.mark.parametrize("values", HARD)
def test_slices_are_as_arrays_of_their_own(lib: Any, values: str) -> None:
    w = of_type(values, 6 * 50 * 4, "float32").reshape(6, 50, 4)
    pruned = lib.prune(w, k=20, axis=1, nan="prune")
    kth = lib.kth_magnitude(w, 20, axis=1, nan="prune")
    for i, j in np.ndindex(6, 4):
        assert_same_bits(pruned[i, :, j], lib.prune(w[i, :, j], k=20, nan="prune"))
        assert_same_bits(kth[i, j], lib.kth_magnitude(w[i, :, j], 20, nan="prune"))


def test_negative_axes_count_from_the_last(lib: Any) -> None:
    w = normal(3, 4, 5)
    for axis in range(3):
        for call in (lib.prune_mask, lib.prune):
            assert_same_bits(call(w, k=2, axis=axis - 3), call(w, k=2, axis=axis))
        assert_same_bits(lib.kth_magnitude(w, 2, axis=axis - 3), lib.kth_magnitude(w, 2, axis=axis))
    assert_same_bits(lib.prune(w, k=2, axis=np.int8(-1)), lib.prune(w, k=2, axis=2))


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.25, 0.5, 0.75, 1, 5 / 12, 1 / 7])
def test_sparsity_counts_within_each_slice(lib: Any, sparsity: float) -> None:
    w = normal(6, 10, 3)
    for axis, n in enumerate(w.shape):
        kept = n - round(sparsity * n)  # half to even
        assert_same_bits(
            lib.prune(w, sparsity=sparsity, axis=axis), lib.prune(w, k=kept, axis=axis)
        )
        mask = lib.prune_mask(w, sparsity=sparsity, axis=axis)
        assert (np.count_nonzero(mask, axis=axis) == kept).all()


def test_what_is_returned(lib: Any) -> None:
    w = normal(4, 5, 6)
    for axis in range(3):
        kth = lib.kth_magnitude(w, 2, axis=axis)
        assert isinstance(kth, np.ndarray)
        assert kth.shape == np.max(w, axis).shape
        top = lib.topk(w, 3, axis=axis)
        assert type(top) is sc.TopK
        for array in (kth, *top, lib.prune_mask(w, k=2, axis=axis), lib.prune(w, k=2, axis=axis)):
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert not np.shares_memory(array, w)
        assert_same_bits(np.take_along_axis(w, top.indices, axis), top.values)


@pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (0, 0), (3, 0, 4)], ids=str)
def test_empty(lib: Any, shape: tuple[int, ...]) -> None:
    w = np.zeros(shape, np.float32)
    for axis, n in enumerate(shape):
        check(lib, Ranking(w, "keep", axis), axis, 0, "raise")
        if n:
            kth = lib.kth_magnitude(w, n, axis=axis)
            assert (kth.shape, kth.dtype) == (shape[:axis] + shape[axis + 1 :], w.dtype)
            check(lib, Ranking(w, "keep", axis), axis, n, "raise")
        else:
            assert_refuses(ValueError, ["w must", shape], lib.kth_magnitude, w, 1, axis=axis)


LAYOUTS = {
    "fortran": np.asfortranarray(normal(19, 23)),
    "transposed": normal(7, 8, 9).transpose(2, 0, 1),
    "strided": normal(40, 66)[::2, ::-3],
    "a corner": normal(30, 40)[3:20, 5:30],
    "broadcast": np.broadcast_to(normal(1, 17), (9, 17)),
    "byte-swapped": normal(9, 17).astype(">f4" if np.little_endian else "<f4"),
    "misaligned": np.frombuffer(b"x" + normal(60).tobytes(), np.float32, offset=1).reshape(4, 15),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(lib: Any, layout: str) -> None:
    w = LAYOUTS[layout]
    plain = np.array(w, np.float32, order="C")
    for axis in range(w.ndim):
        expected = Ranking(plain, "keep", axis)
        assert_same_bits(lib.kth_magnitude(w, 3, axis=axis), expected.kth_magnitude(3))
        assert_same_bits(lib.prune(w, k=3, axis=axis), expected.pruned(3))
        assert_same_bits(lib.prune_mask(w, k=3, axis=axis), expected.mask(3))
        for actual, part in zip(
            lib.topk(w, 3, axis=axis), expected.topk(3, by_rank=False), strict=True
        ):
            assert_same_bits(actual, part)


@pytest.mark.parametrize("axis", [0, 1])
def test_out_and_in_place_of_any_strides(lib: Any, axis: int) -> None:
    expected = Ranking(normal(30, 50), "keep", axis).pruned(7)
    for view in (
        lambda buffer: buffer[:30, :50],
        lambda buffer: buffer[:60:2, 99:49:-1],
        lambda buffer: buffer[:50, :30].T,
    ):
        buffer = np.full((60, 100), 99, np.float32)
        out = view(buffer)
        assert lib.prune(normal(30, 50), k=7, axis=axis, out=out) is out
        assert_same_bits(out, expected)
        assert np.count_nonzero(buffer == 99) == buffer.size - out.size
        out[...] = normal(30, 50)
        assert lib.prune(out, k=7, axis=axis, out=out) is out
        assert_same_bits(out, expected)
        assert np.count_nonzero(buffer == 99) == buffer.size - out.size


def test_refused_nan_leaves_the_array(lib: Any) -> None:
    """NaN are counted in the whole array, and the index is that of the whole array."""
    for shape in ((20, 30), (300, 400), (8, 9, 10)):
        w = normal(*shape)
        w.ravel()[[77, w.size - 5]] = np.nan
        for axis in range(w.ndim):
            words = ["w has 2 NaN, the first at flat index 77; "]
            for call in (lib.topk, lib.kth_magnitude, lib.prune_mask):
                assert_refuses(ValueError, words, call, w, k=2, axis=axis)
            assert_refuses(ValueError, words, lib.prune, w, k=2, axis=axis, out=w)


def test_pruning_further_keeps_zeros_pruned(lib: Any) -> None:
    w = generator(3).standard_normal((40, 50)).astype(np.float32)
    for axis in (0, 1):
        before = w
        for sparsity in (0.2, 0.5, 0.5, 0.9, 1):
            after = lib.prune(before, sparsity=sparsity, axis=axis)
            kept = w.shape[axis] - round(sparsity * w.shape[axis])
            assert (np.count_nonzero(after, axis=axis) == kept).all()
            assert not bits_of(after)[before == 0].any()
            before = after


CALLS = ["kth_magnitude", "topk", "prune_mask", "prune"]


@pytest.mark.parametrize("name", CALLS)
def test_axis_out_of_range(lib: Any, name: str) -> None:
    for axis in (5, 2, -3, 2**63, -(2**64), np.int64(2)):
        words = ["axis must be an integer from -2 to 1, got ", repr(axis)]
        assert_refuses(ValueError, words, getattr(lib, name), normal(3, 4), k=1, axis=axis)
    for axis in (0, -1):
        words = ["axis must be ", f"got {axis}"]
        assert_refuses(ValueError, words, getattr(lib, name), np.float32(1), k=1, axis=axis)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("axis", [1.0, True, "0", [1], np.array(1), np.float32(1)], ids=repr)
def test_axis_that_is_no_integer(lib: Any, name: str, axis: object) -> None:
    words = ["axis must be an integer", f"got {axis!r}"]
    assert_refuses(TypeError, words, getattr(lib, name), normal(3, 4), k=1, axis=axis)


@pytest.mark.parametrize("name", CALLS)
def test_k_is_of_the_slices(lib: Any, name: str) -> None:
    w = normal(3, 4)
    least = 1 if name == "kth_magnitude" else 0
    for axis, n in enumerate(w.shape):
        for k in (n + 1, least - 1):
            words = [f"k must be an integer from {least} to {n}, got {k}"]
            assert_refuses(ValueError, words, getattr(lib, name), w, k=k, axis=axis)


def test_no_threshold_along_an_axis(lib: Any) -> None:
    """axis= is refused, because a threshold gives the same result without it."""
    words = ["axis", "threshold", "got 0"]
    assert_refuses(ValueError, words, lib.prune, normal(3, 4), threshold=0.5, axis=0)
