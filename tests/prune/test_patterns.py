"""pattern="N:M": the N largest of each M consecutive elements along an axis."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrays import DTYPES, MATRICES, from_bits, normal, of_type
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import (
    assert_same_bits,
    assert_writes,
    bits_of,
    kept_of_groups,
    keys_of,
    masked,
    product,
)
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses

PATTERNS = ["2:4", "1:2", "1:1", "1:4", "3:4", "4:4", "4:8", "1:3", "2:5", "5:7", "6:12", "3:16",
            "16:17", "1:32", "16:32", "31:32", "32:32"]  # fmt: skip
HARD = ["normal", "coarse grid", "zeros of both signs", "raw bits", "30 % NaN"]
# Numbers of groups. Some groups end within a vector, a word of 64 or a block of 16384 elements.
GROUPS = [0, 1, 2, 3, 5, 15, 16, 17, 33, 63, 64, 65, 257]
MANY = [4095, 4097, 16_387]


def numbers(pattern: str) -> tuple[int, int]:
    n, m = pattern.split(":")
    return int(n), int(m)


def expected(w: np.ndarray, pattern: str, keys: np.ndarray, axis: int = -1) -> np.ndarray:
    mask = kept_of_groups(np.moveaxis(keys, axis, -1), *numbers(pattern))
    return masked(w, np.moveaxis(mask, -1, axis))


@pytest.mark.parametrize("values", HARD)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(lib: Any, pattern: str, values: str) -> None:
    for groups in GROUPS:
        w = of_type(values, groups * numbers(pattern)[1], "float32")
        for nan in POLICIES:
            assert_writes(
                lib.prune, w, expected(w, pattern, keys_of(w, nan)), pattern=pattern, nan=nan
            )


@pytest.mark.parametrize("pattern", ["2:4", "1:2", "4:8", "3:5"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_types(lib: Any, dtype: str, pattern: str) -> None:
    for groups in (1, 17, 65, 1025):
        for values in ("normal", "raw bits", "coarse grid"):
            w = of_type(values, groups * numbers(pattern)[1], dtype)
            for nan in POLICIES:
                assert_writes(
                    lib.prune, w, expected(w, pattern, keys_of(w, nan)), pattern=pattern, nan=nan
                )


@pytest.mark.parametrize("groups", MANY)
def test_many_groups(lib_on_threads: Any, groups: int) -> None:
    for pattern in subset(("2:4", "4:8", "3:16"), 1):
        w = of_type("coarse grid", groups * numbers(pattern)[1], "float32")
        assert_writes(
            lib_on_threads.prune, w, expected(w, pattern, keys_of(w, "raise")), pattern=pattern
        )


@pytest.mark.parametrize(
    "shape",
    [(8,), (4, 4), (1, 4), (4, 1), (12, 20), (20, 12), (64, 36), (36, 64), (3, 8, 5), (8, 3, 4),
     (2, 4, 3, 8), (4, 65), (8, 1000), (16, 1025), (0, 4), (4, 0), (3, 0, 8)],
    ids=str,
)  # fmt: skip
def test_axes(lib: Any, shape: tuple[int, ...]) -> None:
    """Groups lie along every axis whose length is a multiple of M."""
    arrays = [("coarse grid", "float32"), ("raw bits", "bfloat16")]
    for axis, (values, dtype), pattern in grid(
        range(-len(shape), len(shape)), arrays, ("2:4", "1:2")
    ):
        if shape[axis] % numbers(pattern)[1] == 0:
            w = of_type(values, int(np.prod(shape)), dtype).reshape(shape)
            result = expected(w, pattern, keys_of(w, "prune"), axis)
            assert_writes(lib.prune, w, result, pattern=pattern, axis=axis, nan="prune")


def test_the_last_axis_is_the_default(lib: Any) -> None:
    w = normal(8, 4, 12)
    assert_same_bits(lib.prune(w, pattern="2:4"), lib.prune(w, pattern="2:4", axis=2))


def test_by_hand(lib: Any) -> None:
    w = np.float32([1, -2, 2, -2, 0, -0.0, 0, 0])
    assert_same_bits(lib.prune(w, pattern="2:4"), np.float32([0, -2, 2, 0, 0, -0.0, 0, 0]))
    assert_same_bits(lib.prune(w.reshape(4, 2), pattern="1:4", axis=0),
                     np.float32([[0, -2], [2, 0], [0, 0], [0, 0]]))  # fmt: skip
    nan = from_bits([0x7F800001, 0xFFC00000, 0x7F800000, 0x3F800000])
    assert np.flatnonzero(lib.prune(nan, pattern="1:4", nan="keep")).tolist() == [1]
    assert np.flatnonzero(lib.prune(nan, pattern="2:4", nan="prune")).tolist() == [2, 3]
    assert np.flatnonzero(lib.prune(nan, pattern="3:4", nan="prune")).tolist() == [1, 2, 3]


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    m = data.draw(st.integers(1, 32))
    pattern = f"{data.draw(st.integers(1, m))}:{m}"
    shape = data.draw(st.sampled_from([(3 * m,), (3, 2 * m), (2, m, 1)]))
    w = data.draw(floats(dtype, shape))
    axis = 1 if len(shape) == 3 else -1
    nan = data.draw(st.sampled_from(POLICIES))
    result = expected(w, pattern, keys_of(w, nan), axis)
    for name in LIBRARIES:
        with library(name) as lib:
            assert_writes(lib.prune, w, result, pattern=pattern, axis=axis, nan=nan)


@pytest.mark.parametrize("nan", POLICIES)
def test_scores(lib: Any, nan: str) -> None:
    w = of_type("raw bits", 24 * 40, "float32").reshape(24, 40)
    x = of_type("30 % NaN", 24 * 40, "float64").reshape(24, 40)[::-1]
    row = normal(40)
    for axis in (0, 1):
        for pattern in ("2:4", "1:8"):
            how = {"pattern": pattern, "axis": axis, "nan": nan}
            by_value = keys_of(np.ascontiguousarray(x), nan, by_value=True)
            assert_writes(lib.prune, w, expected(w, pattern, by_value, axis), **how, scores=x)
            by_product = keys_of(product(w, row), nan)
            assert_writes(lib.prune, w, expected(w, pattern, by_product, axis), **how, factors=row)


@pytest.mark.parametrize("layout", MATRICES)
def test_layouts(lib: Any, layout: str) -> None:
    w = MATRICES[layout]
    plain = np.array(w, np.float32, order="C")
    for axis in (0, 1):
        result = expected(plain, "2:4", keys_of(plain, "raise"), axis)
        assert_same_bits(lib.prune(w, pattern="2:4", axis=axis), result)
        out = np.zeros((32, 48), np.float32)[::2, ::-2]
        assert lib.prune(w, pattern="2:4", axis=axis, out=out) is out
        assert_same_bits(out, result)


def test_every_group_keeps_as_many(lib: Any) -> None:
    """Without zeros, the nonzero results show that each group keeps N elements.

    Pruning again to as many elements changes nothing. Pruning in two steps equals one step.
    """
    w = normal(64, 64)
    once = lib.prune(w, pattern="4:8")
    twice = lib.prune(once, pattern="2:8")
    assert (np.count_nonzero(once.reshape(-1, 8), axis=1) == 4).all()
    assert (np.count_nonzero(twice.reshape(-1, 8), axis=1) == 2).all()
    assert_same_bits(lib.prune(once, pattern="4:8"), once)
    assert_same_bits(lib.prune(w, pattern="2:8"), twice)


def test_refused_nan_leaves_the_array(lib: Any) -> None:
    for shape in ((64,), (20, 32), (400, 500)):
        w = normal(*shape)
        w.ravel()[[13, w.size - 1]] = np.nan
        words = ["w has 2 NaN, the first at flat index 13; "]
        for pattern in ("2:4", "4:4"):
            assert_refuses(ValueError, words, lib.prune, w, pattern=pattern)
            assert_refuses(ValueError, words, lib.prune, w, pattern=pattern, axis=0, out=w)


@pytest.mark.parametrize(
    "pattern",
    ["", "2", "2:", ":4", "2:4:8", "0:4", "5:4", "1:33", "33:33", "-2:4", "+2:4", " 2:4", "2:4 ",
     "2:4\n", "2 :4", "2.0:4", "a:b", "2/4", "２:４", "2:٤", "²:4", "1_0:20", "2:400000000000000000000",
     "0:0", 24, 2.4, (2, 4), b"2:4", True, ["2:4"]],
    ids=ascii,
)  # fmt: skip
def test_invalid_patterns(lib: Any, pattern: object) -> None:
    words = ["pattern must be ", "N:M", "32", f"got {pattern!r}"]
    assert_refuses(ValueError, words, lib.prune, normal(4, 40), pattern=pattern)


@pytest.mark.parametrize(("shape", "axis"), [((10,), -1), ((4, 10), -1), ((10, 4), 0), ((3,), 0)])
def test_lengths_that_groups_do_not_fit(lib: Any, shape: tuple[int, ...], axis: int) -> None:
    words = ["w", "must", "multiple of 4", str(shape[axis]), "pad", "slice"]
    w = normal(*shape)
    assert_refuses(ValueError, words, lib.prune, w, pattern="2:4", axis=axis, out=w)


def test_what_does_not_go_with_it(lib: Any) -> None:
    w = normal(8, 8)
    for how in ({"k": 3}, {"sparsity": 0.5}, {"threshold": 1.0}):
        words = ["exactly one of k, sparsity, threshold, pattern must be given", "pattern='2:4'"]
        assert_refuses(ValueError, words, lib.prune, w, pattern="2:4", **how)
    assert_refuses(ValueError, ["block"], lib.prune, w, pattern="2:4", block=(2, 2))
    assert_refuses(ValueError, ["norm"], lib.prune, w, pattern="2:4", norm="l1")
    assert_refuses(ValueError, ["axis must be an integer from -2 to 1, got 2"], lib.prune, w,
                   pattern="2:4", axis=2)  # fmt: skip
    assert_refuses(ValueError, ["w must", "()"], lib.prune, np.float32(1), pattern="1:1")


def test_bits_of_the_kept_are_their_own(lib: Any) -> None:
    w = from_bits([0xFF800001, 0x80000000, 0x00000001, 0x80000001])
    assert bits_of(lib.prune(w, pattern="4:4", nan="keep")).tolist() == bits_of(w).tolist()


@pytest.mark.parametrize("pattern", ["2:4", "1:2", "4:8"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_bands_longer_than_a_block(lib: Any, dtype: str, pattern: str) -> None:
    """A block is a part of the columns of one band.

    A band has as many columns as a block, one more or fewer, or as many as several blocks.
    """
    of = numbers(pattern)[1]
    fit = 16_384 // of
    for bands, columns in ((1, fit - 1), (2, fit), (2, fit + 1), (3, 2 * fit), (2, 2 * fit + 77)):
        shape = bands * of, columns
        w, x = (
            of_type(v, math.prod(shape), dtype).reshape(shape) for v in ("coarse grid", "normal")
        )
        prune = partial(lib.prune, pattern=pattern)
        assert_same_bits(prune(w, axis=0), largest_of_columns(w, np.abs(w), pattern))
        expected = largest_of_columns(w, x, pattern)
        assert_same_bits(prune(w, axis=0, scores=x), expected)
        both = prune(np.stack([w, x]), axis=1, scores=np.stack([x, x]))
        assert_same_bits(both, np.stack([expected, largest_of_columns(x, x, pattern)]))


def largest_of_columns(w: np.ndarray, scores: np.ndarray, pattern: str) -> np.ndarray:
    """Keep the elements with the largest scores of each group along columns, the first of ties."""
    n, of = numbers(pattern)
    groups = -scores.astype(np.float64).reshape(-1, of, w.shape[1])
    order = np.argsort(groups, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")
    return masked(w, (ranks < n).reshape(w.shape))
