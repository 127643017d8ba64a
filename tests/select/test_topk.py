"""topk: values and indices, in both orders. test_axis.py tests axis=."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from support.arrays import (
    CASES,
    DTYPES,
    IN_CACHE,
    LANES,
    LARGE,
    SHARED,
    generator,
    ks_to_try,
    normal,
    of_type,
    ranking,
)
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import Ranking, assert_same_bits
from support.raw_bits import POLICIES, float32s, floats
from support.refusals import assert_refuses

HARD = ["normal", "coarse grid", "90 % zeros", "zeros of both signs", "every exponent", "raw bits",
        "30 % NaN", "half the largest NaN", "sorted", "one larger"]  # fmt: skip

TOPK_DIVISOR = 96


def check(lib: Any, expected: Ranking, k: int, nan: str) -> None:
    for by_rank in (False, True):
        values, indices = lib.topk(expected.w, k, sorted=by_rank, nan=nan)
        expected_values, expected_indices = expected.topk(k, by_rank=by_rank)
        assert_same_bits(indices, expected_indices)
        assert_same_bits(values, expected_values)


@pytest.mark.parametrize(("values", "nan"), [case for case in CASES if case[0] in HARD])
def test_sizes_in_cache(lib: Any, values: str, nan: str) -> None:
    for n in LANES:
        expected = ranking(values, n, nan)
        for k in ks_to_try(expected.w):
            check(lib, expected, k, nan)
    for n in subset(IN_CACHE, 3):
        for k in subset((0, 1, n // 10, n - 1, n), 2):
            check(lib, ranking(values, n, nan), k, nan)


@pytest.mark.parametrize("values", ["normal", "coarse grid"])
def test_sizes_from_memory(lib_on_threads: Any, values: str) -> None:
    for n, part in grid([100_003, *SHARED[:2], LARGE], (0, 0.01, 1 / 3)):
        check(lib_on_threads, ranking(values, n, "raise"), max(1, int(n * part)), "raise")


@pytest.mark.parametrize(("values", "nan"), [case for case in CASES if case[0] in HARD])
def test_few_from_memory(lib_on_threads: Any, values: str, nan: str) -> None:
    """For small k, topk uses no mask. The largest k is just too large for that."""
    n = 150_000
    for k in subset((1, 2, n // 1000, n // TOPK_DIVISOR, n // TOPK_DIVISOR + 1), 2):
        check(lib_on_threads, ranking(values, n, nan), k, nan)


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("values", HARD[:7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_few_of_any_type(lib: Any, dtype: str, values: str, nan: str) -> None:
    n = 90_001
    expected = Ranking(of_type(values, n, dtype), nan)
    for k in (1, n // 300, n // TOPK_DIVISOR):
        check(lib, expected, k, nan)


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("values", HARD[:7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_types(lib: Any, dtype: str, values: str, nan: str) -> None:
    for n in (0, 1, 65, 1025, 70_001):
        expected = Ranking(of_type(values, n, dtype), nan)
        for k in {0, n // 10, n // 2, n}:
            check(lib, expected, k, nan)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sorted(lib: Any, dtype: str) -> None:
    """Small results are sorted by comparisons, larger ones by digits. Some digits are all equal."""
    width = 8 * DTYPES[dtype].itemsize
    for magnitudes in ([3], [3, 4], [0, 1 << (width - 3)], np.arange(1, 7) << (width - 6)):
        for k in (47, 48, 49, 50, 300, 1000):
            keys = generator(k).choice(np.asarray(magnitudes, np.uint64), k)
            signs = generator(k).integers(0, 2, k, np.uint64) << np.uint64(width - 1)
            w = (keys | signs).astype(f"u{width // 8}").view(DTYPES[dtype])
            for kept in (k, k - 1):
                check(lib, Ranking(w, "raise"), kept, "raise")


@given(w=float32s(), share=st.floats(0, 1), nan=st.sampled_from(POLICIES))
def test_any_bits(w: np.ndarray, share: float, nan: str) -> None:
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, Ranking(w, nan), round(share * w.size), nan)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits_of_any_type(dtype: str, data: st.DataObject) -> None:
    w = data.draw(floats(dtype, st.integers(0, 100)))
    k = data.draw(st.integers(0, w.size))
    nan = data.draw(st.sampled_from(POLICIES))
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, Ranking(w, nan), k, nan)


def test_nan_come_first_or_last(lib: Any) -> None:
    w = np.float32([1, np.nan, -np.inf, -np.nan, 2])
    for nan, indices in (("keep", [1, 3, 2, 4, 0]), ("prune", [2, 4, 0, 1, 3])):
        assert lib.topk(w, 5, sorted=True, nan=nan).indices.tolist() == indices


def test_what_is_returned(lib: Any) -> None:
    w = normal(6, 7)
    top = lib.topk(w, 9)
    assert type(top) is sc.TopK
    assert top._fields == ("values", "indices")
    assert top.indices.dtype == np.int64
    assert np.array_equal(top.values, w.ravel()[top.indices])
    for array in top:
        assert array.shape == (9,)
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert not np.shares_memory(array, w)


def test_agrees_with_the_mask(lib: Any) -> None:
    w = normal(50, 60)
    for k in (0, 7, 3000):
        assert np.array_equal(lib.topk(w, k).indices, np.flatnonzero(lib.prune_mask(w, k=k)))


@pytest.mark.parametrize(
    "w",
    [
        normal(1).reshape(()),
        normal(0, 5),
        np.asfortranarray(normal(9, 11)),
        normal(20, 30)[::2, ::-3],
        np.broadcast_to(normal(5), (4, 5)),
        normal(40).astype(">f4" if np.little_endian else "<f4"),
        np.frombuffer(b"x" + normal(33).tobytes(), np.float32, offset=1),
    ],
    ids=["0-d", "empty", "fortran", "strided", "broadcast", "byte-swapped", "misaligned"],
)
def test_layouts(lib: Any, w: np.ndarray) -> None:
    native = w.astype(np.float32)
    for k in {0, w.size // 3, w.size}:
        for by_rank in (False, True):
            top = lib.topk(w, k, sorted=by_rank)
            wanted = Ranking(native).topk(k, by_rank=by_rank)
            for array, expected in zip(top, wanted, strict=True):
                assert_same_bits(array, expected)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"k": -1}, ValueError, ["k must be an integer from 0 to 12", "got -1"]),
        ({"k": 13}, ValueError, ["k must be an integer from 0 to 12", "got 13"]),
        ({"k": 2.0}, TypeError, ["k must be an integer", "got 2.0"]),
        ({"k": True}, TypeError, ["k must be an integer", "got True"]),
        ({"sorted": "index"}, TypeError, ["sorted must be a bool", "got 'index'"]),
        ({"sorted": None}, TypeError, ["sorted must be a bool", "got None"]),
        ({"nan": "zero"}, ValueError, ["nan must be 'raise' or 'keep' or 'prune'", "got 'zero'"]),
    ],
)
def test_refused(
    lib: Any, arguments: dict[str, object], error: type[Exception], words: list[str]
) -> None:
    assert_refuses(error, words, lib.topk, normal(12), **{"k": 2, **arguments})


def test_refused_nan(lib: Any) -> None:
    for n in (20, 2000, 70_000):
        w = normal(n)
        w[[7, n - 2]] = np.nan
        for k in (0, 1, n // 2, n):
            words = ["w has 2 NaN, the first at flat index 7; "]
            assert_refuses(ValueError, words, lib.topk, w, k)
