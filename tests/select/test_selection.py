"""kth_magnitude and prune_mask: sizes, values, orders and NaN policies, on every ISA."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import reference
from support.arrays import (
    CASES,
    IN_CACHE,
    LANES,
    LARGE,
    SHARED,
    STREAMED,
    from_bits,
    ks_to_try,
    ranking,
)
from support.grids import number, subset
from support.isas import on_every_isa
from support.oracles import Ranking, assert_same_bits, bits_of
from support.raw_bits import POLICIES, float32s


def check(expected: Ranking, ks: Iterable[int], nan: str) -> None:
    w = expected.w
    for k in ks:
        assert_same_bits(sc.prune_mask(w, k=k, nan=nan), expected.mask(k))
        assert_same_bits(sc.prune_mask(w, k=k, nan=nan, packed=True), expected.packed(k))
        if k > 0:
            assert_same_bits(sc.kth_magnitude(w, k, nan=nan), expected.kth_magnitude(k))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(("values", "nan"), CASES)
def test_sizes_in_cache(values: str, nan: str) -> None:
    for n in LANES + subset(IN_CACHE, 3):
        expected = ranking(values, n, nan)
        check(expected, ks_to_try(expected.w), nan)


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("values", ["normal", "coarse grid", "90 % zeros"])
def test_sizes_from_memory(values: str) -> None:
    for n in subset(STREAMED + SHARED, 2):
        check(ranking(values, n, "raise"), subset([1, n // 10, n // 2, n - 1], 2), "raise")


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(("values", "nan"), CASES)
def test_large(values: str, nan: str) -> None:
    n = number(LARGE, quick=300_003)
    expected = ranking(values, n, nan)
    nonzero = int(np.count_nonzero(expected.w))
    check(expected, {1, n // 10, n // 2, nonzero or 1, min(nonzero + 1, n)}, nan)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("values", ["normal", "bfloat16"])
def test_very_large(values: str) -> None:
    expected = ranking(values, 1 << 22, "raise")
    check(expected, [(1 << 22) // 10], "raise")


@given(w=float32s(), share=st.floats(0, 1), nan=st.sampled_from(POLICIES))
def test_any_bits(w: np.ndarray, share: float, nan: str) -> None:
    expected = Ranking(w, nan)
    k = round(share * w.size)
    assert_same_bits(on_every_isa(lambda: sc.prune_mask(w, k=k, nan=nan)), expected.mask(k))
    packed = on_every_isa(lambda: sc.prune_mask(w, k=k, nan=nan, packed=True))
    assert_same_bits(packed, expected.packed(k))
    assert_same_bits(reference.prune_mask(w, k=k, nan=nan), expected.mask(k))
    assert_same_bits(reference.prune_mask(w, k=k, nan=nan, packed=True), expected.packed(k))
    if k > 0:
        kth = on_every_isa(lambda: sc.kth_magnitude(w, k, nan=nan))
        assert_same_bits(kth, expected.kth_magnitude(k))
        assert_same_bits(reference.kth_magnitude(w, k, nan=nan), kth)


@pytest.mark.parametrize("nan", POLICIES)
def test_order_at_its_ends(nan: str) -> None:
    """The elements are zero, infinity, and the extreme subnormals, normal numbers and NaN."""
    ends = [0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000, 0x7FFFFFFF]
    above_numbers = [m for m in ends if m > 0x7F800000]
    numbers = [m for m in ends if m <= 0x7F800000]
    ascending = numbers + above_numbers if nan == "keep" else above_numbers + numbers
    w = from_bits([m | sign for m in np.random.default_rng(0).permutation(ends)
                   for sign in (0, 1 << 31)])  # fmt: skip
    descending = np.repeat(ascending[::-1], 2)
    for k in range(1, w.size + 1):
        kth = on_every_isa(lambda k=k: sc.kth_magnitude(w, k, nan=nan))
        assert int(bits_of(kth)) == descending[k - 1]


def test_kth_magnitude_is_a_numpy_scalar() -> None:
    kth = sc.kth_magnitude(np.float32([[-2, 1]]), 1)
    assert type(kth) is np.float32
    assert kth == 2


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 10, 100, 127, 1000, 4095, 65_537, 100_003])
def test_sparsity_counts_half_to_even_in_float64(n: int) -> None:
    rng = np.random.default_rng(n)
    halves = (rng.integers(0, max(n, 1), 20) + 0.5) / max(n, 1)
    shares = np.concatenate(
        [np.linspace(0, 1, 21), np.arange(0.05, 1, 0.1), halves, rng.random(20)]
    )
    shares = np.concatenate([shares, np.nextafter(shares, 0), np.nextafter(shares, 1)])
    w = np.arange(n, dtype=np.float32)
    for share in np.clip(shares, 0, 1).tolist():
        removed = round(share * n)
        assert removed == Decimal(share * n).to_integral_value(ROUND_HALF_EVEN)
        mask = sc.prune_mask(w, sparsity=share)
        assert np.count_nonzero(mask) == n - removed
        assert np.array_equal(mask, np.arange(n) >= removed)


@pytest.mark.parametrize("sparsity", [0, 1, 0.5, np.float32(0.5), np.float64(0.5), np.int8(1)])
def test_sparsity_is_any_real_number(sparsity: float) -> None:
    w = np.arange(8, dtype=np.float32)
    assert np.count_nonzero(sc.prune_mask(w, sparsity=sparsity)) == 8 - int(8 * sparsity)


@pytest.mark.parametrize("k", [np.int64(2), np.uint8(2), np.uint64(2), np.intp(2)])
def test_k_is_any_integer(k: int) -> None:
    w = np.float32([1, -4, 3, -2])
    assert sc.kth_magnitude(w, k) == 3
    assert np.array_equal(sc.prune_mask(w, k=k), [False, True, True, False])
