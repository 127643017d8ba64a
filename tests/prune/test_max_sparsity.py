"""max_sparsity=: how much of each array prune_global may remove."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrays import DTYPES, normal, of_type
from support.global_pruning import Arrays, check_global
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits, block_norms, expand_block_mask, wide_keys
from support.raw_bits import POLICIES
from support.refusals import assert_refuses


def kept_of(keys: Arrays, least: list[int], k: int) -> Arrays:
    """Return the masks by the definition, one element after another, in the order of their rank."""
    ranked = sorted(
        ((-int(key), i, j) for i, own in enumerate(keys) for j, key in enumerate(own.ravel())),
    )
    masks = [np.zeros(own.size, np.bool_) for own in keys]
    for _, i, j in ranked:  # the largest of each array, in any case
        if np.count_nonzero(masks[i]) < least[i]:
            masks[i][j] = True
    remaining = k - sum(map(np.count_nonzero, masks))
    for _, i, j in ranked:
        if remaining and not masks[i][j]:
            masks[i][j] = True
            remaining -= 1
    return [mask.reshape(own.shape) for mask, own in zip(masks, keys, strict=True)]


def least_of(arrays: Arrays, limits: list[float | None]) -> list[int]:
    return [
        0 if limit is None else w.size - round(Fraction(limit * w.size))
        for w, limit in zip(arrays, limits, strict=True)
    ]


def of_scales(values: str, sizes: list[int], dtypes: list[str]) -> Arrays:
    """Return arrays of falling scales, so that the last ones would lose most."""
    arrays = []
    for i, n in enumerate(sizes):
        w = of_type(values, n, dtypes[i % len(dtypes)])
        with np.errstate(invalid="ignore"):  # for signalling NaN
            arrays.append((w.astype(np.float64) / 2.0**i).astype(w.dtype))
    return arrays


@pytest.mark.parametrize("values", ["normal", "coarse grid", "constant", "90 % zeros"])
@pytest.mark.parametrize("dtypes", [["float32"], ["float16", "float64"], [*DTYPES]], ids="+".join)
def test_limits(lib: Any, dtypes: list[str], values: str) -> None:
    sizes = [50, 0, 64, 1, 65, 300]
    arrays = of_scales(values, sizes, dtypes)
    n = sum(sizes)
    keys = [wide_keys(w, "raise", by_value=False) for w in arrays]
    for limits in ([0.8] * 6, [1, 0.5, None, 0, 0.9, 0.95], [0.0] * 6, [None] * 5 + [0.3]):
        least = least_of(arrays, limits)
        for k in sorted({sum(least), (sum(least) + n) // 2, n - 5 if sum(least) < n - 5 else n}):
            check_global(lib, arrays, kept_of(keys, least, k), k=k, max_sparsity=limits)


@given(data=st.data())
def test_any_limits(data: st.DataObject) -> None:
    """Arrays of few different values, so that many tie."""
    count = data.draw(st.integers(1, 5))
    values = st.lists(st.sampled_from([0, 0.5, 1, -1, 2, 1024]), max_size=8)
    arrays = [
        np.array(data.draw(values), DTYPES[data.draw(st.sampled_from([*DTYPES]))])
        for _ in range(count)
    ]
    limits = [data.draw(st.none() | st.floats(0, 1)) for _ in arrays]
    least = least_of(arrays, limits)
    k = data.draw(st.integers(sum(least), sum(w.size for w in arrays)))
    masks = kept_of([wide_keys(w, "raise", by_value=False) for w in arrays], least, k)
    for name in LIBRARIES:
        with library(name) as lib:
            check_global(lib, arrays, masks, k=k, max_sparsity=limits)


@pytest.mark.parametrize("nan", POLICIES[1:])
def test_nan(lib: Any, nan: str) -> None:
    arrays = of_scales("30 % NaN", [60, 40, 50], ["float32", "float16"])
    keys = [wide_keys(w, nan, by_value=False) for w in arrays]
    least = least_of(arrays, [0.5, 0.75, 0.9])
    for k in (sum(least), 70, 120):
        check_global(
            lib, arrays, kept_of(keys, least, k), k=k, nan=nan, max_sparsity=[0.5, 0.75, 0.9]
        )


def test_scores(lib: Any) -> None:
    arrays = [normal(40), normal(30) * 5, normal(20)]
    scores = -normal(30)
    keys = [wide_keys(w, "raise", by_value=False) for w in arrays]
    keys[1] = wide_keys(scores, "raise", by_value=True)
    least = least_of(arrays, [0.9, 0.6, 0.7])
    for k in (sum(least), 50):
        masks = kept_of(keys, least, k)
        check_global(
            lib, arrays, masks, k=k, scores=[None, scores, None], max_sparsity=[0.9, 0.6, 0.7]
        )


def test_blocks(lib: Any) -> None:
    """The limits count blocks."""
    arrays = [normal(10, 12), normal(9, 9) / 8, normal(2, 5, 6) / 64]
    block = 3, 4
    norms = [block_norms(w, block, "l2") for w in arrays]
    for limits in ([0.5] * 3, [1, 0.75, None]):
        least = least_of(norms, limits)
        for k in (sum(least), 20, 25):
            kept = kept_of([x.view(np.int64) for x in norms], least, k)
            masks = [
                expand_block_mask(m, block, w.shape) for m, w in zip(kept, arrays, strict=True)
            ]
            check_global(lib, arrays, masks, k=k, block=block, norm="l2", max_sparsity=limits)


def test_large_arrays(lib_on_threads: Any) -> None:
    """The arrays are too large to be selected in cache, and the limits of two are reached in turn."""
    arrays = of_scales("normal", [200_000, 100_000, 70_000], ["float32"])
    for limits, k in subset([([0.9] * 3, 60_000), ([None, 0.5, 0.7], 150_000)], 1):
        least = least_of(arrays, limits)
        pruned = lib_on_threads.prune_global(arrays, k=k, max_sparsity=limits)
        counts = [np.count_nonzero(w) for w in pruned]
        assert sum(counts) == k
        assert counts[1:] == least[1:]
        for w, result, kept in zip(arrays, pruned, counts, strict=True):
            assert_same_bits(result, lib_on_threads.prune(w, k=kept))


def test_no_layer_collapses(lib: Any) -> None:
    layers = {"first": normal(1000) / 100, "second": normal(500)}
    pruned = lib.prune_global(layers, sparsity=0.9)
    assert np.count_nonzero(pruned["first"]) == 0
    pruned = lib.prune_global(layers, sparsity=0.9, max_sparsity=0.95)
    assert [np.count_nonzero(w) for w in pruned.values()] == [50, 100]
    pruned = lib.prune_global(layers, sparsity=0.9, max_sparsity={"second": 0.8, "first": None})
    assert [np.count_nonzero(w) for w in pruned.values()] == [0, 150]


def test_a_limit_that_the_sparsity_just_meets(lib: Any) -> None:
    """Each array loses round(0.5 * 5) = 2 at most, half to even, so that all lose at most 4."""
    arrays = [normal(5), normal(5)]
    assert sum(map(np.count_nonzero, lib.prune_global(arrays, k=6, max_sparsity=0.5))) == 6
    words = ["sparsity must ", "remove", "at most 4 of ", "10 ", "0.5", "which removes 5"]
    assert_refuses(ValueError, words, lib.prune_global, arrays, sparsity=0.5, max_sparsity=0.5)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"k": 2, "max_sparsity": 0.5}, ValueError, ["k must be at least 3", "of ", "7", "got 2"]),
        ({"k": 1, "block": (1, 2), "max_sparsity": 0.5}, ValueError, ["k must be at least 2", "4"]),
        ({"k": 3, "max_sparsity": 1.5}, ValueError, ["max_sparsity must be a number from 0 to 1"]),
        ({"k": 3, "max_sparsity": np.nan}, ValueError, ["max_sparsity must be a number from 0"]),
        ({"k": 3, "max_sparsity": "1"}, TypeError, ["max_sparsity must be a number, got '1'"]),
        ({"k": 3, "max_sparsity": True}, TypeError, ["max_sparsity must be a number, got True"]),
        ({"k": 3, "max_sparsity": [1, -1]}, ValueError, ["max_sparsity[1] must be ", "got -1"]),
        ({"k": 3, "max_sparsity": [1, "x"]}, TypeError, ["max_sparsity[1] must be a number"]),
        ({"k": 3, "max_sparsity": [1]}, ValueError, ["max_sparsity must ", "2", "1"]),
        ({"k": 3, "max_sparsity": {0: 1, 1: 1}}, TypeError, ["max_sparsity must be a sequence"]),
    ],
    ids=str,
)
def test_refused(lib: Any, how: dict[str, Any], error: type[Exception], words: list[str]) -> None:
    arrays = [normal(1, 3), normal(1, 4)]
    for call in (lib.prune_global, lib.prune_mask_global):
        assert_refuses(error, words, call, arrays, **how)


def test_limits_by_key(lib: Any) -> None:
    arrays = {"a": normal(3), "b": normal(4)}
    for limits in ({"a": 1}, {"a": 1, "b": 1, "c": 1}):
        assert_refuses(ValueError, ["max_sparsity must have the same keys as arrays"]
                       if lib.__name__ == "secateur" else ["max_sparsity must "],
                       lib.prune_global, arrays, k=3, max_sparsity=limits)  # fmt: skip
    assert_refuses(TypeError, ["max_sparsity must "], lib.prune_global, arrays, k=3,
                   max_sparsity=[1, 1])  # fmt: skip
