"""pattern="N:M": the N largest of each M consecutive elements along an axis."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import reference
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
    words = ["w", "must", "multiple of 4", str(shape[axis]), "remainder='keep'", "'pad'"]
    w = normal(*shape)
    assert_refuses(ValueError, words, lib.prune, w, pattern="2:4", axis=axis, out=w)


# --- lengths that groups do not divide -------------------------------------------------------

REMAINDERS = ["keep", "pad"]


def kept_with_rest(keys: np.ndarray, pattern: str, remainder: str) -> np.ndarray:
    """Return the mask of what is kept along the last axis."""
    n, m = numbers(pattern)
    padding = np.full((*keys.shape[:-1], -keys.shape[-1] % m), np.iinfo(np.int64).min)
    mask = kept_of_groups(np.concatenate([keys, padding], axis=-1), n, m)[..., : keys.shape[-1]]
    if remainder == "keep":
        mask[..., keys.shape[-1] // m * m :] = True
    return mask


def expected_with_rest(
    w: np.ndarray, pattern: str, keys: np.ndarray, axis: int, remainder: str
) -> np.ndarray:
    mask = kept_with_rest(np.moveaxis(keys, axis, -1), pattern, remainder)
    return masked(w, np.moveaxis(mask, -1, axis))


@pytest.mark.parametrize("remainder", REMAINDERS)
@pytest.mark.parametrize("pattern", ["2:4", "1:2", "1:4", "4:8", "3:5", "16:17", "31:32", "1:32"])
@pytest.mark.parametrize(
    "shape",
    [(1,), (3,), (11,), (70,), (5, 7), (7, 5), (300, 3), (40, 67), (3, 5, 9), (2, 33, 40), (6, 1025),
     (1025, 6), (0, 5), (5, 0), (3, 17_001), (9, 2049)],
    ids=str,
)  # fmt: skip
def test_remainders(lib: Any, shape: tuple[int, ...], pattern: str, remainder: str) -> None:
    arrays = [("coarse grid", "float32"), ("raw bits", "bfloat16"), ("30 % NaN", "float64")]
    for axis, (values, dtype) in grid(range(len(shape)), arrays):
        w = of_type(values, int(np.prod(shape)), dtype).reshape(shape)
        how = {"pattern": pattern, "axis": axis, "remainder": remainder}
        for nan in ("keep", "prune"):
            result = expected_with_rest(w, pattern, keys_of(w, nan), axis, remainder)
            assert_writes(lib.prune, w, result, **how, nan=nan)


@pytest.mark.parametrize("remainder", REMAINDERS)
@pytest.mark.parametrize(
    "shape", [(7,), (40, 9), (9, 40), (3, 18, 5), (2, 4097), (4097, 3)], ids=str
)
def test_remainders_of_masks_and_by_scores(
    lib: Any, shape: tuple[int, ...], remainder: str
) -> None:
    w, x = normal(*shape), normal(*shape)[::-1]
    for axis in range(len(shape)):
        how = {"pattern": "2:4", "axis": axis, "remainder": remainder}
        by_scores = expected_with_rest(w, "2:4", keys_of(x, "raise", True), axis, remainder)
        assert_writes(lib.prune, w, by_scores, **how, scores=x)
        for by in ({}, {"scores": x}, {"factors": x.astype(np.float64)}):
            mask = lib.prune_mask(w, **how, **by)
            assert_same_bits(masked(w, mask), lib.prune(w, **how, **by))
            for bitorder in ("little", "big"):
                packed = lib.prune_mask(w, **how, **by, packed=True, bitorder=bitorder)
                assert_same_bits(packed, np.packbits(mask, bitorder=bitorder))


def test_remainders_by_hand(lib: Any) -> None:
    w = np.float32([1, -2, 3, 4, 6, -5, 0])
    keep = lib.prune(w, pattern="1:4", remainder="keep")
    assert keep.tolist() == [0, 0, 0, 4, 6, -5, 0]
    assert lib.prune(w, pattern="1:4", remainder="pad").tolist() == [0, 0, 0, 4, 6, 0, 0]
    assert lib.prune(w, pattern="2:4", remainder="pad").tolist() == [0, 0, 3, 4, 6, -5, 0]
    nan = np.float32([np.nan, np.nan])  # ranks below zeros, but not below the padding
    assert np.isnan(lib.prune(nan, pattern="2:4", remainder="pad", nan="prune")).all()
    assert lib.prune(w[:4], pattern="1:4", remainder="keep").tolist() == [0, 0, 0, 4]


def test_remainders_of_several_axes(lib: Any) -> None:
    w = normal(3, 5, 7)
    flat = lib.prune(w.reshape(3, 35), pattern="2:4", remainder="pad")
    actual = lib.prune(w, pattern="2:4", axis=(1, 2), remainder="pad")
    assert_same_bits(actual, flat.reshape(w.shape))
    across = np.ascontiguousarray(w.transpose(1, 0, 2)).reshape(5, 21)
    expected = lib.prune(across, pattern="2:4", remainder="keep")
    actual = lib.prune(w, pattern="2:4", axis=(0, 2), remainder="keep")
    assert_same_bits(actual, expected.reshape(5, 3, 7).transpose(1, 0, 2).copy())


@pytest.mark.usefixtures("threads", "isa")
@pytest.mark.parametrize("remainder", REMAINDERS)
def test_remainders_from_memory(remainder: str) -> None:
    for shape, axis in (((20_001, 103), 1), ((2, 1_000_003), 1), ((1003, 2100), 0)):
        w = normal(*shape)
        how = {"pattern": "2:4", "axis": axis, "remainder": remainder}
        assert_writes(sc.prune, w, reference.prune(w, **how), **how)


def test_nan_in_the_rest_is_refused(lib: Any) -> None:
    w = normal(3, 10)
    w[1, 9] = np.nan
    for remainder in REMAINDERS:
        words = ["w has 1 NaN", "flat index 19"]
        how = {"pattern": "2:4", "remainder": remainder}
        assert_refuses(ValueError, words, lib.prune, w, **how, out=w)


@pytest.mark.parametrize("remainder", ["drop", "", None, 0, "KEEP"])
def test_other_remainders(lib: Any, remainder: Any) -> None:
    words = ["remainder must be 'raise' or 'keep' or 'pad'", f"got {remainder!r}"]
    for call in (lib.prune, lib.prune_mask):
        assert_refuses(ValueError, words, call, normal(8), pattern="2:4", remainder=remainder)


def test_remainders_without_a_pattern(lib: Any) -> None:
    words = ["remainder must be 'raise'", "without pattern", "got 'keep'"]
    for how in ({"k": 3}, {"threshold": 0.5}, {"k": 1, "block": (1, 2)}):
        for call in (lib.prune, lib.prune_mask):
            assert_refuses(ValueError, words, call, normal(4, 4), **how, remainder="keep")
            call(normal(4, 4), **how, remainder="raise")


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
