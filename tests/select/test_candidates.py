"""Selections whose candidates just fit the memory for them, exceed it, or all tie.

The tests choose the elements that the sampler reads (see sampler.py). So the ends of the first
bracket are known, and the other elements are placed inside or outside of it.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import FixedPoint
from support.arrays import DTYPES, from_bits, generator, with_signs
from support.oracles import Ranking, assert_same_bits, wide_keys
from support.sampler import FOUR, ONE, TWO, distinct, sampled

N = 200_000
CAPACITY = N // 144 + (9 << 14)  # the maximum number of candidates
DEVIATIONS = 3.3
BLOCK = 16_384


def around_the_capacity(inside: int, seen: np.ndarray) -> np.ndarray:
    """Return data with `inside` candidates in the first bracket, and the median in their middle.

    The elements of each run of the sample alternate between large and small. So all runs are alike,
    and the bracket is as wide as for independent elements.
    """
    m = seen.size
    half = DEVIATIONS * math.sqrt(m / 4) + 1
    decoys = np.where(np.arange(m) % 2, distinct(m, FOUR), distinct(m, ONE))
    falling = -np.sort(-decoys)
    first, last = math.floor(m / 2 - half), math.ceil(m / 2 + half)
    rest = N - m
    between = inside - (last - first + 1)
    outside = rest - between
    others = np.concatenate([
        distinct(between, TWO),
        np.full(outside // 2, 64, np.float32),
        np.full(outside - outside // 2, 2**-64, np.float32),
    ])  # fmt: skip
    w = np.empty(N, np.float32)
    w[seen] = decoys
    w[np.setdiff1d(np.arange(N), seen)] = generator(inside).permutation(others)
    assert np.count_nonzero((w >= falling[last - 1]) & (w <= falling[first - 1])) == inside
    return with_signs(w)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("more", [-1, 0, 1, 20_000])
def test_around_the_capacity(more: int) -> None:
    w = around_the_capacity(CAPACITY + more, sampled(N, 1))
    expected, k = Ranking(w), N // 2
    assert_same_bits(sc.kth_magnitude(w, k), expected.kth_magnitude(k))
    assert_same_bits(sc.prune(w, k=k), expected.pruned(k))
    assert_same_bits(sc.prune_mask(w, k=k), expected.mask(k))


# --- more ties than the maximum number of candidates ------------------------------------------

HIGHER, LOWER = 0x42000000, 0x3E000000  # the bits of 32.0 and 0.125


def with_ties(n: int, places: np.ndarray) -> np.ndarray:
    """Return equal magnitudes, except where the sampler reads: half of these are larger."""
    w = from_bits(np.full(n, TWO + 1))  # no 16-bit float has this value
    decoys = np.where(np.arange(places.size) % 2, distinct(places.size, HIGHER),
                      distinct(places.size, LOWER))  # fmt: skip
    w[places] = decoys
    return with_signs(w)


def ks_to_try(w: np.ndarray) -> list[int]:
    """Return the ranks of the first tie, the last tie, and ties next to the end of a block."""
    size = np.abs(w).ravel()
    tie = from_bits([TWO + 1])[0]
    above, ties = np.count_nonzero(size > tie), np.cumsum(size == tie)
    return [above + r for r in (1, ties[BLOCK - 1], ties[BLOCK - 1] + 1, ties[3 * BLOCK], ties[-1])]


@pytest.mark.usefixtures("isa", "threads")
def test_more_ties_than_room() -> None:
    w = with_ties(N, sampled(N))
    expected, fmt = Ranking(w), FixedPoint(8, 2)
    for k in ks_to_try(w):
        pruned = expected.pruned(k)
        assert_same_bits(sc.kth_magnitude(w, k), expected.kth_magnitude(k))
        assert_same_bits(sc.prune(w, k=k), pruned)
        assert_same_bits(sc.prune_mask(w, k=k), expected.mask(k))
        assert_same_bits(sc.prune_mask(w, k=k, packed=True), expected.packed(k))
        assert_same_bits(sc.prune_quantize(w, fmt, k=k), sc.quantize(pruned, fmt))
        in_place = w.copy()
        sc.prune(in_place, k=k, out=in_place)
        assert_same_bits(in_place, pruned)


@pytest.mark.usefixtures("isa")
def test_more_ties_than_room_among_scores() -> None:
    """Scores rank by value, negative ones included, or as factors."""
    x = np.abs(with_ties(N, sampled(N)))
    w = with_signs(distinct(N, ONE)).astype(np.float64)
    for scores in (-x, x):
        expected = Ranking(w, keys=wide_keys(scores, "raise", by_value=True))
        ties = np.flatnonzero(x == from_bits([TWO + 1])[0]).size
        for r in (1, BLOCK, ties):
            k = (N - ties) // 2 + r
            assert_same_bits(sc.prune(w, k=k, scores=scores), expected.pruned(k))
    powers = np.exp2(generator(N).integers(-3, 4, N)).astype(np.float32)
    w = with_signs(x / powers)
    expected = Ranking(w, keys=wide_keys(w * powers, "raise", by_value=False))
    for k in ks_to_try(x):
        assert_same_bits(sc.prune(w, k=k, factors=powers), expected.pruned(k))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtypes", [["float32"], ["float32", "float16", "float64", "bfloat16"]])
def test_more_ties_than_room_in_several_arrays(dtypes: list[str]) -> None:
    """No array of 16-bit floats has the magnitude that ties."""
    sizes = [90_000, 5000, 95_003, 9997]
    together = with_ties(N, sampled(N))
    ends = np.cumsum([0, *sizes])
    arrays = [
        together[a:b].astype(DTYPES[dtypes[i % len(dtypes)]])
        for i, (a, b) in enumerate(pairwise(ends))
    ]
    keys = np.concatenate([wide_keys(w, "raise", by_value=False) for w in arrays])
    expected = Ranking(together, keys=keys)
    flat = np.concatenate([w.astype(np.float64) for w in arrays])
    for k in ks_to_try(flat):
        mask = expected.mask(k)
        for w, kept, pruned in zip(
            arrays, np.split(mask, ends[1:-1]), sc.prune_global(arrays, k=k), strict=True
        ):
            assert_same_bits(pruned, np.where(kept, w, w.dtype.type(0)))


FACTS: dict[str, list[str]] = {
    "select/scan.cpp": [
        "kLeast = std::size_t{9} << 14;",
        "max_bytes / (144 * sizeof(float)) + kLeast",
    ],
    "select/sample.cpp": [f"kDeviations = {DEVIATIONS};", "kDeviations * std::sqrt(variance) + 1"],
    "core/blocks.hpp": [f"kBlock = {BLOCK};"],
}


@pytest.mark.parametrize("name", FACTS)
def test_the_room_is_as_large(name: str) -> None:
    """The sources have the constants and formulas that the tests repeat."""
    source: Any = (Path(__file__).parents[2] / "csrc" / name).read_text()
    assert [fact for fact in FACTS[name] if fact not in source] == []
