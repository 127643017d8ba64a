"""prune_global with block=: the blocks of several arrays compete by their norms."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrays import DTYPES, normal, of_type
from support.global_pruning import Arrays, check_global
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import (
    Ranking,
    assert_same_arrays,
    assert_same_bits,
    block_norms,
    expand_block_mask,
    is_nan,
    product,
)
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses

NORMS = ["l1", "l2", "max", "mean"]
SHAPES = [(7, 9), (2, 5, 16), (1, 1), (40, 3), (0, 4), (3, 70)]

Block = tuple[int, int]


def expected_masks(
    arrays: Arrays, ranks: Arrays, block: Block, norm: str, nan: str, k: int
) -> Arrays:
    """Return the masks if arrays rank by the norms of the blocks of `ranks`."""
    norms = [block_norms(x, block, norm) for x in ranks]
    mask = Ranking(np.concatenate([each.ravel() for each in norms]), nan).mask(k)
    ends = np.cumsum([0, *(each.size for each in norms)])
    parts = [mask[a:b].reshape(x.shape) for (a, b), x in zip(pairwise(ends), norms, strict=True)]
    return [expand_block_mask(m, block, w.shape) for m, w in zip(parts, arrays, strict=True)]


def several(values: str) -> Arrays:
    dtypes = [*DTYPES, "float32", "bfloat16"]
    return [
        of_type(values, int(np.prod(shape)), dtype).reshape(shape)
        for shape, dtype in zip(SHAPES, dtypes, strict=True)
    ]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("values", ["normal", "coarse grid", "raw bits", "30 % NaN"])
def test_blocks_of_all_arrays_compete(lib: Any, values: str, norm: str) -> None:
    arrays = several(values)
    for block, nan in subset([(b, nan) for b in [(1, 1), (2, 3), (4, 4), (1, 9), (2**40, 8)]
                              for nan in POLICIES], 4):  # fmt: skip
        if nan == "raise" and any(is_nan(w).any() for w in arrays):
            continue
        n = sum(block_norms(w, block, norm).size for w in arrays)
        for k in {0, 1, n // 3, n}:
            masks = expected_masks(arrays, arrays, block, norm, nan, k)
            check_global(lib, arrays, masks, k=k, block=block, norm=norm, nan=nan)


@given(data=st.data())
def test_any_bits(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 3))
    arrays = [
        data.draw(floats(data.draw(st.sampled_from([*DTYPES])),
                         st.tuples(st.integers(0, 5), st.integers(0, 20))))
        for _ in range(count)
    ]  # fmt: skip
    block = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 30))
    norm, nan = data.draw(st.sampled_from(NORMS)), data.draw(st.sampled_from(["keep", "prune"]))
    n = sum(block_norms(w, block, norm).size for w in arrays)
    k = data.draw(st.integers(0, n))
    masks = expected_masks(arrays, arrays, block, norm, nan, k)
    for name in LIBRARIES:
        with library(name) as lib:
            check_global(lib, arrays, masks, k=k, block=block, norm=norm, nan=nan)


def test_large_arrays(lib_on_threads: Any) -> None:
    arrays = [of_type("coarse grid", n * 900, "float32").reshape(n, 900) for n in (400, 1, 701)]
    block = 4, 4
    masks = expected_masks(arrays, arrays, block, "l1", "raise", 20_000)
    check_global(lib_on_threads, arrays, masks, k=20_000, block=block)


def test_sparsity_counts_blocks(lib: Any) -> None:
    """There are 6 and 4 blocks; of 10, round(0.25 * 10) = 2 are removed."""
    arrays = {"a": normal(4, 5), "b": normal(3, 4)}
    pruned = lib.prune_mask_global(arrays, sparsity=0.25, block=(2, 2))
    kept = lib.prune_mask_global(arrays, k=8, block=(2, 2))
    assert list(pruned) == ["a", "b"]
    assert_same_arrays([*pruned.values()], [*kept.values()])


def test_one_array_is_as_prune(lib: Any) -> None:
    w = normal(2, 30, 50)
    for how in ({"k": 70}, {"sparsity": 0.9, "norm": "l2"}, {"k": 70, "scores": w + 1},
                {"k": 70, "factors": normal(50)}):  # fmt: skip
        together = how | {name: [how[name]] for name in ("scores", "factors") if name in how}
        assert_same_bits(
            lib.prune_global([w], block=(4, 3), **together)[0], lib.prune(w, block=(4, 3), **how)
        )


def test_scores_and_factors(lib: Any) -> None:
    arrays = [normal(9, 10), of_type("normal", 60, "float16").reshape(5, 12), normal(4, 8)]
    scores, factors = normal(9, 10) * 3, normal(12)
    ranks = [scores, product(arrays[1], factors), arrays[2]]
    how = {"scores": [scores, None, None], "factors": [None, factors, None]}
    for norm in NORMS:
        masks = expected_masks(arrays, ranks, (2, 4), norm, "raise", 11)
        check_global(lib, arrays, masks, k=11, block=(2, 4), norm=norm, **how)


def test_ties_go_by_the_order_of_the_arrays(lib: Any) -> None:
    arrays = [np.ones((2, 4), np.float16), np.ones((2, 2)), np.ones((1, 2), np.float32)]
    for k, kept in ((1, [4, 0, 0]), (2, [8, 0, 0]), (3, [8, 4, 0]), (4, [8, 4, 2])):
        pruned = lib.prune_global(arrays, k=k, block=(2, 2), norm="mean")
        assert [np.count_nonzero(w) for w in pruned] == kept


def test_refused_nan_names_the_member(lib: Any) -> None:
    arrays = {"a": normal(20, 30), "x": normal(20, 30)}
    arrays["x"].ravel()[[7, 9, 599]] = np.nan
    before = {key: w.copy() for key, w in arrays.items()}
    for how in ({"k": 3}, {"k": 0}, {"sparsity": 0.0}):
        words = ["arrays['x'] has 3 NaN, the first at flat index 7; "]
        assert_refuses(ValueError, words, lib.prune_global, arrays, **how, block=(4, 4), out=arrays)
    numbers = [normal(20, 30), normal(20, 30)]
    for name, words in (("scores", ["scores[1] has 3 NaN"]),
                        ("factors", ["arrays[1] * factors[1] has 3 NaN"])):  # fmt: skip
        how = {name: [None, arrays["x"]]}
        assert_refuses(ValueError, words, lib.prune_global, numbers, k=3, block=(4, 4), **how)
    assert_same_arrays([*arrays.values()], [*before.values()])


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"k": 1, "block": 4}, TypeError, ["block must be a tuple of two positive integers"]),
        ({"k": 1, "block": (2,)}, ValueError, ["block must be a tuple of two positive integers"]),
        ({"k": 1, "block": (0, 2)}, ValueError, ["block[0] must be an integer from 1 to "]),
        ({"k": 1, "norm": "l1"}, ValueError, ["norm must be None without block, got 'l1'"]),
        ({"k": 1, "block": (2, 2), "norm": "l3"}, ValueError, ["norm must be ", "'l1'", "'l3'"]),
        ({"k": 7, "block": (2, 2)}, ValueError, ["k must be an integer from 0 to 6, got 7"]),
    ],
    ids=str,
)
def test_refused(lib: Any, how: dict[str, Any], error: type[Exception], words: list[str]) -> None:
    arrays = [normal(3, 4), normal(2, 4)]
    for call in (lib.prune_global, lib.prune_mask_global):
        assert_refuses(error, words, call, arrays, **how)


def test_arrays_without_matrices(lib: Any) -> None:
    words = ["arrays['b'] must ", "axes", "(3,)"]
    arrays = {"a": normal(2, 2), "b": normal(3)}
    assert_refuses(ValueError, words, lib.prune_global, arrays, k=1, block=(2, 2))
