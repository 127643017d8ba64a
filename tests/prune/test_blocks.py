"""block=: whole blocks of the last two axes are kept or removed, by their norms."""

import math
from fractions import Fraction
from functools import lru_cache
from itertools import product as iterate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrays import DTYPES, MATRICES, from_bits, normal, of_type
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import (
    Ranking,
    assert_same_bits,
    assert_writes,
    block_norms,
    expand_block_mask,
    is_nan,
    masked,
    product,
)
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses

NORMS = ["l1", "l2", "max", "mean"]
# Blocks of one row and of one column; blocks that are narrower and wider than the eight partial
# sums, and than a vector. At the edges of an array, blocks are cut off.
BLOCKS = [(1, 1), (1, 4), (4, 1), (2, 2), (3, 5), (4, 4), (1, 7), (1, 8), (1, 9), (8, 8), (7, 16),
          (16, 17), (2, 33), (33, 2), (40, 70)]  # fmt: skip
HARD = ["normal", "coarse grid", "90 % zeros", "raw bits", "every exponent", "30 % NaN"]

Block = tuple[int, int]


@lru_cache(maxsize=1024)
def ranking(
    values: str, dtype: str, shape: tuple[int, ...], block: Block, norm: str, nan: str
) -> tuple[np.ndarray, Ranking]:
    """Return the array of that name, and the ranking of its blocks."""
    w = of_type(values, int(np.prod(shape)), dtype).reshape(shape)
    return w, Ranking(block_norms(w, block, norm), nan)


def expected(w: np.ndarray, block: Block, ranked: Ranking, k: int) -> np.ndarray:
    return masked(w, expand_block_mask(ranked.mask(k), block, w.shape))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_blocks(lib: Any, block: Block, norm: str) -> None:
    for values in HARD:
        for nan in POLICIES:
            w, ranked = ranking(values, "float32", (40, 70), block, norm, nan)
            n = ranked.w.size
            for k in {0, 1, n // 3, n}:
                result = expected(w, block, ranked, k)
                assert_writes(lib.prune, w, result, k=k, block=block, norm=norm, nan=nan)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 100), (100, 1), (17, 33), (64, 64), (3, 1025),
                                   (5, 6, 7), (2, 3, 9, 10), (1, 1, 8, 8)], ids=str)  # fmt: skip
def test_shapes(lib: Any, shape: tuple[int, ...]) -> None:
    """With leading axes, the blocks of all matrices compete."""
    for block in {(1, 1), (1, 2), (2, 1), (2, 3), (4, 4), (1, 32), shape[-2:]}:
        if block[0] <= shape[-2] and block[1] <= shape[-1]:
            w, ranked = ranking("coarse grid", "float32", shape, block, "l1", "raise")
            for k in {ranked.w.size // 2, ranked.w.size // 5}:
                assert_writes(
                    lib.prune, w, expected(w, block, ranked, k), k=k, block=block
                )  # the default norm is l1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_types(lib: Any, dtype: str, norm: str) -> None:
    for values in ("normal", "raw bits", "every exponent"):
        for block in ((4, 4), (1, 16), (5, 3)):
            for nan in POLICIES:
                w, ranked = ranking(values, dtype, (33, 70), block, norm, nan)
                k = ranked.w.size // 2
                result = expected(w, block, ranked, k)
                assert_writes(lib.prune, w, result, k=k, block=block, norm=norm, nan=nan)


@pytest.mark.parametrize(("dtype", "block"), [("float64", (4, 4)), ("float32", (1, 8)),
                                              ("bfloat16", (32, 32))])  # fmt: skip
def test_many_blocks(lib_on_threads: Any, dtype: str, block: Block) -> None:
    for norm in subset(NORMS, 1):
        w, ranked = ranking("normal", dtype, (500, 801), block, norm, "raise")
        k = ranked.w.size // 5
        assert_writes(
            lib_on_threads.prune, w, expected(w, block, ranked, k), k=k, block=block, norm=norm
        )


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 20)))
    w = data.draw(floats(dtype, shape))
    block = data.draw(st.integers(1, shape[1])), data.draw(st.integers(1, shape[2]))
    norm, nan = data.draw(st.sampled_from(NORMS)), data.draw(st.sampled_from(POLICIES))
    ranked = Ranking(block_norms(w, block, norm), nan)
    k = data.draw(st.integers(0, ranked.w.size))
    for name in LIBRARIES:
        with library(name) as lib:
            result = expected(w, block, ranked, k)
            assert_writes(lib.prune, w, result, k=k, block=block, norm=norm, nan=nan)


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.25, 0.5, 0.9, 1])
def test_sparsity_counts_blocks(lib: Any, sparsity: float) -> None:
    """Blocks at the edges count too: there are 5 rows of 6 blocks."""
    w = normal(17, 23)
    removed = round(sparsity * 30)  # half to even
    pruned = lib.prune(w, sparsity=sparsity, block=(4, 4))
    assert_same_bits(pruned, lib.prune(w, k=30 - removed, block=(4, 4)))
    kept = {(i // 4, j // 4) for i, j in np.argwhere(pruned)}
    assert len(kept) == 30 - removed


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("norm", NORMS)
def test_threshold_is_compared_with_the_norm(lib: Any, norm: str, nan: str) -> None:
    block = 3, 4
    w = of_type("30 % NaN", 1200, "float32").reshape(30, 40).copy()
    w[6:, :] = of_type("coarse grid", 24 * 40, "float32").reshape(24, 40)
    norms = block_norms(w, block, norm)
    level = float(norms[5, 5])
    for threshold in (0, level, np.nextafter(level, 0), np.nextafter(level, 9), 1e300, np.inf):
        mask = np.where(is_nan(norms), nan == "keep", norms > threshold)
        result = masked(w, expand_block_mask(mask, block, w.shape))
        assert_writes(lib.prune, w, result, threshold=threshold, block=block, norm=norm, nan=nan)


def test_sums_are_formed_in_the_order_that_is_documented(lib: Any) -> None:
    """Only the documented order gives these norms, which tie or differ in the last bit."""
    rng = np.random.default_rng(5)
    for block in ((1, 8), (1, 16), (4, 4), (16, 16), (3, 37), (37, 3)):
        part = rng.random(block[0] * block[1])
        parts = [rng.permutation(part).reshape(block) for _ in range(64)]
        w = np.concatenate(parts, axis=1)
        for norm in ("l1", "l2", "mean"):
            norms = block_norms(w, block, norm)
            assert len(np.unique(norms)) > 1
            ranked = Ranking(norms)
            for k in (1, 20, 40, 63):
                result = expected(w, block, ranked, k)
                assert_same_bits(lib.prune(w, k=k, block=block, norm=norm), result)


def test_l1_norms_beyond_the_range_tie(lib: Any) -> None:
    w = np.array([[1e200, 1, 1.5e308, 1e308, 1e308, 1e308]])
    assert np.flatnonzero(lib.prune(w, k=1, block=(1, 2))).tolist() == [2, 3]
    narrow = np.float32([[3e38, 3e38, 3.2e38, 3.1e38]])  # its norms fit float64, but not float32
    assert np.flatnonzero(lib.prune(narrow, k=1, block=(1, 2))).tolist() == [2, 3]


@pytest.mark.parametrize(
    "exponent", [1018, 700, 513, 505, -480, -486, -505, -540, -700, -1000, -1060]
)
@pytest.mark.parametrize("block", [(1, 2), (2, 1), (3, 11), (5, 8)], ids=str)
def test_l2_norms_of_any_magnitude(lib: Any, block: Block, exponent: int) -> None:
    """Squares overflow or underflow, and norms do not."""
    w = np.ldexp(1 + np.random.default_rng(3).random((15, 44)), exponent)
    w[:5] = np.ldexp(w[:5], -40)  # smaller, or small compared with others of the block
    norms = block_norms(w, block, "l2")
    exact = [
        math.sqrt(sum(Fraction(x) ** 2 for x in part.ravel().tolist()) / Fraction(4) ** exponent)
        for part in blocks_of(w, block)
    ]
    assert np.allclose(
        np.ldexp(norms.ravel(), -exponent), exact, rtol=1e-12, atol=2.0 ** (-1074 - exponent)
    )
    for k in (1, norms.size // 2, norms.size - 1):
        result = expected(w, block, Ranking(norms), k)
        assert_writes(lib.prune, w, result, k=k, block=block, norm="l2")
    for threshold in np.sort(norms.ravel())[[0, norms.size // 2]].tolist():
        mask = expand_block_mask(norms > threshold, block, w.shape)
        assert_writes(lib.prune, w, masked(w, mask), threshold=threshold, block=block, norm="l2")


def blocks_of(w: np.ndarray, block: Block) -> list[np.ndarray]:
    return [
        w[i : i + block[0], j : j + block[1]]
        for i in range(0, w.shape[0], block[0])
        for j in range(0, w.shape[1], block[1])
    ]


def test_l2_norms_of_zero_and_infinity(lib: Any) -> None:
    w = np.array([[0, -0.0, np.inf, 1e-300, 1e308, 1.7e308, 1e-320, 0, 5e-324, 5e-324]])
    norms = block_norms(w, (1, 2), "l2")
    assert norms.tolist()[0][:3] == [0, np.inf, np.inf]
    assert 0 < norms[0, 4] < norms[0, 3]
    for k in range(6):
        result = expected(w, (1, 2), Ranking(norms), k)
        assert_same_bits(lib.prune(w, k=k, block=(1, 2), norm="l2"), result)


def test_the_mean_does_not_favour_whole_blocks(lib: Any) -> None:
    """A last row of a matrix whose height is no multiple of that of a block competes fairly."""
    w = np.ones((9, 4), np.float32)
    w[8] = 2
    for norm, last_is_kept in (("l1", False), ("mean", True)):
        kept = lib.prune_mask(w, k=1, block=(4, 4), norm=norm)
        assert kept[8].all() == last_is_kept
        assert np.count_nonzero(kept) == (4 if last_is_kept else 16)


def test_means_of_any_magnitude(lib: Any) -> None:
    """The sum overflows, and the mean does not."""
    w = np.array([[0.9e308, 0.9e308, 1.7e308, 1.6e308, 1.7e308, np.inf, 5e-324, 0]])
    norms = block_norms(w, (1, 2), "mean")
    assert np.allclose(norms[0, :2] / 1e308, [0.9, 1.65])
    assert norms[0, 2] == np.inf
    for k in range(5):
        result = expected(w, (1, 2), Ranking(norms), k)
        assert_same_bits(lib.prune(w, k=k, block=(1, 2), norm="mean"), result)


@pytest.mark.parametrize("block", [(9, 2), (2, 100), (7, 8), (2**62, 2**62)], ids=str)
def test_blocks_larger_than_a_matrix_are_cut_off(lib: Any, block: Block) -> None:
    w = normal(3, 6, 7)
    cut = min(block[0], 6), min(block[1], 7)
    for norm in NORMS:
        for call in (lib.prune, lib.prune_mask):
            result = call(w, sparsity=0.5, block=block, norm=norm)
            assert_same_bits(result, call(w, sparsity=0.5, block=cut, norm=norm))


def test_norms_that_are_nan_tie(lib: Any) -> None:
    w = from_bits([[0x7F800001, 1, 0xFFFFFFFF, 0, 0x3F800000, 0, 0x7F800000, 0]])
    for norm in NORMS:
        for nan, falling in (("keep", [0, 1, 3, 2]), ("prune", [3, 2, 0, 1])):
            for k in range(5):
                mask = np.isin(np.arange(8) // 2, falling[:k])[None]
                result = lib.prune(w, k=k, block=(1, 2), norm=norm, nan=nan)
                assert_same_bits(result, masked(w, mask))


def test_refused_nan_is_counted_in_the_array(lib: Any) -> None:
    for shape in ((20, 30), (400, 500), (3, 40, 50)):
        w = normal(*shape)
        w.ravel()[[13, 14, w.size - 1]] = np.nan
        words = ["w has 3 NaN, the first at flat index 13; "]
        for how in ({"k": 3}, {"k": 0}, {"sparsity": 0.0}, {"threshold": 1.0}):
            for norm in NORMS:
                assert_refuses(
                    ValueError, words, lib.prune, w, block=(4, 4), norm=norm, out=w, **how
                )


def test_pruning_further_keeps_blocks_pruned(lib: Any) -> None:
    before = normal(40, 60)
    for sparsity in (0.2, 0.5, 0.5, 0.9):
        after = lib.prune(before, sparsity=sparsity, block=(4, 6))
        assert not after[before == 0].any()
        assert np.count_nonzero(after) == (100 - round(sparsity * 100)) * 24
        before = after


# --- scores, factors and axes ------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("dtype", "scored"), [("float32", "float32"), ("float16", "float64"),
                                               ("float64", "bfloat16"), ("bfloat16", "bfloat16")])  # fmt: skip
def test_norms_of_scores_and_products(lib: Any, dtype: str, scored: str, norm: str) -> None:
    for values in ("normal", "coarse grid", "every exponent", "30 % NaN"):
        w = of_type("normal", 33 * 70, dtype).reshape(33, 70)
        numbers = of_type(values, 33 * 70, scored).reshape(33, 70)
        for block, nan in subset([(block, nan) for block in BLOCKS for nan in POLICIES], 4):
            for how, ranks in (
                ({"scores": numbers}, numbers),
                ({"factors": numbers}, product(w, numbers)),
                ({"factors": numbers[3]}, product(w, numbers[3])),
                ({"factors": numbers[:, :1]}, product(w, numbers[:, :1])),
            ):
                norms = block_norms(ranks, block, norm)
                how |= {"block": block, "norm": norm, "nan": nan}
                if nan == "raise" and is_nan(norms).any():
                    words = ["scores" if "scores" in how else "w * factors", " NaN, the first at "]
                    assert_refuses(ValueError, words, lib.prune, w, k=1, **how)
                    continue
                ranked = Ranking(norms, nan)
                for k in {1, norms.size // 3}:
                    assert_writes(lib.prune, w, expected(w, block, ranked, k), k=k, **how)
                mask = np.where(is_nan(norms), nan == "keep", norms > 2)
                result = masked(w, expand_block_mask(mask, block, w.shape))
                assert_writes(lib.prune, w, result, threshold=2, **how)


@pytest.mark.parametrize(
    ("shape", "block"),
    [((300, 411), (5, 3)), ((300, 411), (4, 4096)), ((3, 200, 200), (7, 16)), ((70, 3, 3), (3, 3)),
     ((9000, 5), (3, 2)), ((2, 70_000), (2, 30_000)), ((70_000, 2), (30_000, 1)),
     ((2, 300, 300), (300, 300))],
    ids=str,
)  # fmt: skip
def test_products_of_many_blocks(lib_on_threads: Any, shape: tuple[int, ...], block: Block) -> None:
    """Products are computed for some rows of blocks at a time, for some blocks, or for one."""
    w = of_type("coarse grid", int(np.prod(shape)), "float32").reshape(shape)
    factors = of_type("normal", shape[-1], "float32")
    ranked = Ranking(block_norms(product(w, factors), block, "l1"))
    k = max(ranked.w.size // 3, 1)
    result = expected(w, block, ranked, k)
    assert_writes(lib_on_threads.prune, w, result, k=k, block=block, factors=factors)


def test_signs_of_scores_do_not_matter_for_norms(lib: Any) -> None:
    w, scores = np.ones((1, 4), np.float32), np.float32([[-5, 0, 1, 1]])
    kept = lib.prune_mask(w, k=1, block=(1, 2), scores=scores)
    assert kept.tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("layout", ["transposed", "strided"])
def test_scores_of_any_layout(lib: Any, layout: str) -> None:
    w, scores = normal(6, 14), normal(6, 14) * 2
    if layout == "transposed":
        w, scores = np.asfortranarray(w), np.asfortranarray(scores)
    else:
        w, scores = w[:, ::2], scores[:, ::-2]
    ranked = Ranking(block_norms(np.ascontiguousarray(scores), (2, 3), "l1"))
    result = expected(np.ascontiguousarray(w), (2, 3), ranked, 4)
    assert_same_bits(lib.prune(w, k=4, block=(2, 3), scores=scores), result)


@pytest.mark.parametrize(
    ("shape", "block", "axis"),
    [((40, 70), (4, 5), 0), ((40, 70), (4, 5), 1), ((41, 70), (4, 5), (0, 1)),
     ((6, 5, 3, 3), (3, 3), 1), ((6, 5, 3, 3), (1, 3), (1, 2, 3)), ((6, 5, 9, 8), (4, 4), (0, 1)),
     ((6, 5, 9, 8), (4, 4), -1), ((3, 40, 200), (2, 2), 2), ((3, 4000, 6), (1, 2), 1),
     ((1, 6, 8), (2, 2), (0, 2)), ((4, 6, 8), (6, 2), (0, 2))],
    ids=str,
)  # fmt: skip
def test_blocks_compete_along_axes(lib: Any, shape: Any, block: Block, axis: Any) -> None:
    w = of_type("coarse grid", int(np.prod(shape)), "float32").reshape(shape)
    norms = block_norms(w, block, "l1")
    axes = {a % w.ndim for a in (axis if isinstance(axis, tuple) else (axis,))}
    if shape[0] == 1:  # between the two axes is one of more than one block
        assert_refuses(ValueError, ["axis must be adjacent axes with block, got (0, 2)"],
                       lib.prune, w, k=1, block=block, axis=axis)  # fmt: skip
        return
    others = [range(n) if a not in axes else [slice(None)] for a, n in enumerate(norms.shape)]
    length = math.prod(norms.shape[a] for a in axes)
    for k in {0, 1, length // 2, length}:
        kept = np.zeros(norms.shape, np.bool_)
        for index in iterate(*others):
            kept[index] = Ranking(norms[index].ravel()).mask(k).reshape(norms[index].shape)
        result = masked(w, expand_block_mask(kept, block, w.shape))
        assert_writes(lib.prune, w, result, k=k, block=block, axis=axis)


def test_kernels_of_filters(lib: Any) -> None:
    """Each filter of a convolution keeps two of its kernels."""
    w = normal(8, 6, 3, 3)
    pruned = lib.prune(w, k=2, block=(3, 3), axis=1)
    assert (np.count_nonzero(pruned.any(axis=(2, 3)), axis=1) == 2).all()


ARRAYS = {**MATRICES, "transposed": normal(7, 16, 9).transpose(2, 0, 1)}


@pytest.mark.parametrize("layout", ARRAYS)
def test_layouts(lib: Any, layout: str) -> None:
    w = ARRAYS[layout]
    plain = np.array(w, np.float32, order="C")
    block = 3, 5
    ranked = Ranking(block_norms(plain, block, "l1"))
    result = expected(plain, block, ranked, 7)
    assert_same_bits(lib.prune(w, k=7, block=block), result)
    out = np.zeros(tuple(2 * n for n in w.shape), np.float32)[
        tuple([slice(None, None, 2)] * w.ndim)
    ]
    assert lib.prune(w, k=7, block=block, out=out) is out
    assert_same_bits(out, result)
    out[...] = w
    lib.prune(out, k=7, block=block, out=out)
    assert_same_bits(out, result)


@pytest.mark.parametrize(
    "shape", [(0, 5), (5, 0), (0, 0), (0, 4, 5), (3, 0, 5), (3, 5, 0)], ids=str
)
def test_empty(lib: Any, shape: tuple[int, ...]) -> None:
    """There are no blocks, and every block size is valid."""
    w = np.zeros(shape, np.float32)
    for block in ((1, 1), (2, 2), (7, 9), [10**9, 10**9]):
        for how in ({"k": 0}, {"sparsity": 0.5}, {"threshold": 1}):
            assert_same_bits(lib.prune(w, block=block, **how), w)
    assert_refuses(ValueError, ["k must be an integer from 0 to 0, got 1"], lib.prune, w, k=1,
                   block=(1, 1))  # fmt: skip


@pytest.mark.parametrize(
    ("block", "error"),
    [(4, TypeError), ("44", TypeError), (np.array([2, 2]), TypeError), ({2, 3}, TypeError),
     ((2.0, 2), TypeError), ((2, "2"), TypeError), ((2, None), TypeError), ((True, 2), TypeError),
     ((), ValueError), ((2,), ValueError), ((2, 2, 2), ValueError), ((0, 2), ValueError),
     ((2, -1), ValueError), ((2**64, 2), ValueError)],
    ids=str,
)  # fmt: skip
def test_invalid_blocks(lib: Any, block: Any, error: type[Exception]) -> None:
    w = normal(6, 7)
    assert_refuses(error, ["block", " must be ", "integer", "got "], lib.prune, w, k=1, block=block)


def test_lists_and_integers_of_numpy(lib: Any) -> None:
    w = normal(6, 7)
    for block in ([2, 3], (np.int64(2), np.uint8(3))):
        assert_same_bits(lib.prune(w, k=3, block=block), lib.prune(w, k=3, block=(2, 3)))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, ["exactly one of k, sparsity, threshold, pattern must be given, got none"]),
        ({"k": 10}, ["k must be an integer from 0 to 9, got 10"]),
        ({"sparsity": 1.5}, ["sparsity must be a number from 0 to 1, got 1.5"]),
        ({"threshold": -1.0}, ["threshold must be a number, at least 0, got -1.0"]),
        ({"threshold": np.nan}, ["threshold must be ", "got nan"]),
        ({"threshold": 1, "axis": 0}, ["axis must be None with threshold, got 0"]),
        ({"threshold": -1, "scores": normal(6, 7)}, ["threshold must be a number, at least 0"]),
        ({"k": 4, "axis": 0}, ["k must be an integer from 0 to 3, got 4"]),
        ({"k": 1, "axis": 2}, ["axis must be an integer from -2 to 1, got 2"]),
        ({"k": 1, "scores": normal(7)}, ["scores must be of shape (6, 7)", "(7,)"]),
        ({"k": 1, "factors": normal(6)}, ["factors must be of ", "shape", "(6, 7)", "(6,)"]),
        ({"k": 1, "scores": normal(6, 7), "factors": normal(7)}, ["scores", "factors", "both"]),
        ({"pattern": "2:4"}, ["pattern", "block"]),
        ({"k": 1, "norm": "l3"}, ["norm must be 'l1' or 'l2' or 'max' or 'mean'", "got 'l3'"]),
        ({"k": 1, "norm": 2}, ["norm must be 'l1' or 'l2' or 'max' or 'mean'", "got 2"]),
        ({"k": 1, "nan": "zero"}, ["nan must be 'raise' or 'keep' or 'prune'", "got 'zero'"]),
    ],
    ids=str,
)
def test_refused(lib: Any, how: dict[str, Any], words: list[str]) -> None:
    for call in (lib.prune, lib.prune_mask):
        assert_refuses(ValueError, words, call, normal(6, 7), block=(2, 3), **how)


def test_norm_without_blocks(lib: Any) -> None:
    assert_refuses(ValueError, ["norm", "block", "'l1'"], lib.prune, normal(6, 7), k=1, norm="l1")


def test_too_few_axes(lib: Any) -> None:
    for w in (normal(6), np.float32(1)):
        assert_refuses(ValueError, ["w must", w.shape], lib.prune, w, k=1, block=(1, 1))


@pytest.mark.parametrize("block", [(2**63, 1), (1, 2**70)])
def test_blocks_of_more_than_any_array(lib: Any, block: tuple[int, int]) -> None:
    """Blocks of more elements than any array are refused, even for an empty array."""
    with pytest.raises(ValueError, match=r"^block\[[01]\] must be "):
        lib.prune(np.ones((0, 2), np.float32), k=0, block=block)


@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (1, 0, 2, 3), (3, 2, 0), (0, 0)])
def test_blocks_of_empty_arrays(lib: Any, shape: tuple[int, ...]) -> None:
    """The array of norms has an axis of length 0 only where the array has one."""
    w = np.zeros(shape, np.float32)
    lengths = (*shape[:-2], *(-(-n // 2) for n in shape[-2:]))
    for axis, k in iterate(range(len(shape)), range(4)):
        if k <= lengths[axis]:
            assert lib.prune(w, k=k, block=(2, 2), axis=axis).shape == shape
        else:
            with pytest.raises(ValueError, match=r"^k must be"):
                lib.prune(w, k=k, block=(2, 2), axis=axis)
