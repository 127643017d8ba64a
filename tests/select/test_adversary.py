"""Data that mislead the sampler, whose positions are known.

Every bracket misses the result, or contains nearly all elements, and the search continues without
samples. The results must still be exact. In place, nothing may be written before the selection is
known.
"""

from pathlib import Path

import numpy as np
import pytest

import secateur as sc
from secateur import FixedPoint
from support.arrays import from_bits, generator, with_signs
from support.grids import subset
from support.oracles import Ranking, assert_same_bits, bits_of
from support.sampler import (
    ATTEMPTS,
    FACTORS,
    IN_CACHE,
    ONE,
    SAMPLE,
    SEED,
    TWO,
    decoys_above,
    decoys_apart,
    decoys_below,
    decoys_equal,
    distinct,
    sampled,
)

TOPK_DIVISOR = 96
SIZES = [1025, 5000, 40_000, IN_CACHE, IN_CACHE + 1, 200_000, 1 << 20]

DECOYS = [decoys_above, decoys_below, decoys_equal, decoys_apart]


def misleading(n: int, decoys: np.ndarray, places: np.ndarray) -> np.ndarray:
    magnitudes = distinct(n, TWO)
    magnitudes[places] = decoys
    return with_signs(magnitudes)


def ranks_among_the_rest(n: int, places: np.ndarray) -> list[int]:
    """Return the rank of the middle of the other elements, for each kind of decoys.

    All decoys are larger, all are smaller, or half are larger and half smaller.
    """
    rest = n - places.size
    return [places.size + rest // 2, rest // 2, n // 2]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("decoys", DECOYS)
@pytest.mark.parametrize("n", SIZES)
def test_misled(n: int, decoys: object) -> None:
    places = sampled(n)
    w = misleading(n, decoys(places.size), places)
    expected = Ranking(w)
    fmt = FixedPoint(8, 2)
    for k in ranks_among_the_rest(n, places):
        pruned = expected.pruned(k)
        assert_same_bits(sc.kth_magnitude(w, k), expected.kth_magnitude(k))
        assert_same_bits(sc.prune_mask(w, k=k), expected.mask(k))
        assert_same_bits(sc.prune_mask(w, k=k, packed=True), expected.packed(k))
        assert_same_bits(sc.prune(w, k=k), pruned)
        assert_same_bits(sc.prune_quantize(w, fmt, k=k), sc.quantize(pruned, fmt))
        in_place = w.copy()
        sc.prune(in_place, k=k, out=in_place)
        assert_same_bits(in_place, pruned)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
@pytest.mark.parametrize("decoys", DECOYS)
@pytest.mark.parametrize("n", [40_000, 200_000])
def test_other_floats_misled(n: int, decoys: object, dtype: str) -> None:
    """Small k are tried too: then no element is above the bracket."""
    places = sampled(n)
    with np.errstate(over="ignore"):
        w = misleading(n, decoys(places.size), places).astype(dtype)
    expected = Ranking(w)
    for k in [*ranks_among_the_rest(n, places), 1, 250, n - 250, n - 1]:
        assert_same_bits(sc.kth_magnitude(w, k), expected.kth_magnitude(k))
        assert_same_bits(sc.prune(w, k=k), expected.pruned(k))


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("decoys", DECOYS)
@pytest.mark.parametrize("n", [IN_CACHE + 1, 200_000])
def test_few_misled(n: int, decoys: object) -> None:
    """For small k, topk takes a sample of its own first."""
    places = sampled(n, ATTEMPTS + 1)
    w = misleading(n, decoys(places.size), places)
    expected = Ranking(w)
    for k in (1, 20, n // TOPK_DIVISOR):
        values, indices = sc.topk(w, k)
        expected_values, expected_indices = expected.topk(k, by_rank=False)
        assert_same_bits(indices, expected_indices)
        assert_same_bits(values, expected_values)


def leaning(n: int, places: np.ndarray, more: int) -> np.ndarray:
    """Return distinct magnitudes. Half of the sample and `more` are from their larger half."""
    rng = generator(n)
    halves = [rng.permutation(n // 2), rng.permutation(np.arange(n // 2, n))]
    seen = places.size // 2 + more
    sample = rng.permutation(np.concatenate([halves[1][:seen], halves[0][: places.size - seen]]))
    rest = rng.permutation(np.concatenate([halves[1][seen:], halves[0][places.size - seen :]]))
    order = np.empty(n, np.uint32)
    order[places] = sample
    order[np.setdiff1d(np.arange(n), places)] = rest
    return with_signs(from_bits(TWO + order))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("more", [-50, 0, 50])
def test_leaning(more: int, dtype: str) -> None:
    """The bracket contains the k-th magnitude, but most of its candidates are on one side of it."""
    n = 200_000
    places = sampled(n, 1)
    w = leaning(n, places, more).astype(dtype)
    expected = Ranking(w)
    other = with_signs(distinct(n, ONE)).astype("float16")
    fmt = FixedPoint(8, 2)
    for k in (n // 2 - 300, n // 2, n // 2 + 300):
        mask = expected.mask(k)
        pruned = expected.pruned(k)
        assert_same_bits(sc.prune(w, k=k), pruned)
        assert_same_bits(sc.prune_mask(w, k=k), mask)
        assert_same_bits(sc.prune_mask(w, k=k, packed=True), expected.packed(k))
        assert_same_bits(
            sc.prune(other, k=k, scores=np.abs(w)), np.where(mask, other, other.dtype.type(0))
        )
        if dtype == "float32":
            assert_same_bits(sc.prune_quantize(w, fmt, k=k), sc.quantize(pruned, fmt))


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("decoys", DECOYS)
def test_misled_on_threads(decoys: object) -> None:
    n = (1 << 20) + 77
    places = sampled(n)
    w = misleading(n, decoys(places.size), places)
    expected = Ranking(w)
    for k in ranks_among_the_rest(n, places):
        assert_same_bits(sc.kth_magnitude(w, k), expected.kth_magnitude(k))
        assert_same_bits(sc.prune(w, k=k), expected.pruned(k))


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize(("n", "step"), [(5000, 1 << 13), (IN_CACHE + 4000, 3)])
def test_all_others_are_at_the_edge(n: int, step: int, share: float) -> None:
    """Brackets end at decoys. All other elements equal one decoy, or are next to it."""
    places = sampled(n)
    decoys = TWO + step * generator(n).permutation(places.size)
    first, last = ((np.array([-0.06, 0.06]) + 1 - share) * places.size).astype(int)
    beside = [-1, 0, 1, 4095, 4096] if step > 4096 else [-1, 0, 1]
    w = np.empty(n, np.uint32)
    k = int(n * share)
    for i, decoy in subset(enumerate(np.sort(decoys)[first:last]), 8):
        for others in decoy + np.array(beside):
            w[:] = others
            w[places] = decoys
            assert bits_of(sc.kth_magnitude(w.view(np.float32), k)) == others
        if i % 16 == 0:
            kept = w >= others
            kept[np.flatnonzero(w == others)[k - np.count_nonzero(w > others) :]] = False
            assert_same_bits(sc.prune_mask(w.view(np.float32), k=k), kept)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", SIZES)
def test_refused_nan_is_seen_past_decoys(n: int) -> None:
    """The bracket is decided early, but NaN after that must still be found."""
    places = sampled(n)
    for decoys in (decoys_above, decoys_below):
        w = misleading(n, decoys(places.size), places)
        last = np.setdiff1d([n - 1, n - 2], places)[-1]
        w[last] = np.nan
        before = w.copy()
        for k in (1, n // 2, n - 1):
            with pytest.raises(ValueError, match=f"w has 1 NaN, the first at flat index {last};"):
                sc.prune(w, k=k, out=w)
            with pytest.raises(ValueError, match=f"w has 1 NaN, the first at flat index {last};"):
                sc.kth_magnitude(w, k)
        assert_same_bits(w, before)


@pytest.mark.parametrize("n", SIZES)
def test_the_sample_misleads(n: int) -> None:
    """In every attempt, the whole sample is on one side of the k-th magnitude."""
    places = sampled(n)
    ranks = ranks_among_the_rest(n, places)
    for decoys, side, k in ((decoys_above, 1, ranks[0]), (decoys_below, -1, ranks[1])):
        w = np.abs(misleading(n, decoys(places.size), places))
        assert np.all(np.sign(w[places] - Ranking(w).kth_magnitude(k)) == side)


def test_the_sampler_looks_there() -> None:
    """The sources have the constants and formulas that the tests repeat."""
    folder = Path(__file__).parents[2] / "csrc"
    source = {name: (folder / name).read_text() for name in FACTS}
    assert [
        (name, fact) for name in FACTS for fact in FACTS[name] if fact not in source[name]
    ] == []


FACTS = {
    "select/sample.hpp": [
        "Runs(std::size_t n, std::size_t runs, std::size_t run, std::uint64_t attempt)",
        "stride_(n / runs), places_(stride_ - run + 1), seed_(kSeed + attempt * runs)",
        f"kSeed = {SEED:#x};",
        f"h = (i + seed_) * {FACTORS[0]:#x}u;",
        f"h = (h ^ (h >> 30)) * {FACTORS[1]:#x}u;",
        "return i * stride_ + static_cast<std::size_t>(((h >> 32) * places_) >> 32);",
    ],
    "select/sample.cpp": [
        f"kSample = {SAMPLE};",
        f"kAttempts = {ATTEMPTS};",
        "Runs places(n, kSample, 1, attempt);",
    ],
    "select/select.hpp": ["kInCache = std::size_t{1} << 16;"],
    "select/select.cpp": [
        f"kSampledAttempts = {ATTEMPTS};",
        f"kTopkDivisor = {TOPK_DIVISOR};",
        "sampled<K>(problem, k, kSampledAttempts)",
        "target = 2 * std::pow(static_cast<double>(n), 2.0 / 3.0);",
        "size = static_cast<std::size_t>(target) / kWord * kWord + kWord;",
        "Runs runs(n, size / kRun, kRun, attempt);",
    ],
}
