"""prune and apply_mask: by rank, by threshold and by mask, out of place and in place."""

import math

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
    NUMBERS,
    SHARED,
    STREAMED,
    VALUES,
    from_bits,
    ks_to_try,
    normal,
    ranking,
    raw,
    standard,
)
from support.grids import number, subset
from support.isas import on_every_isa
from support.oracles import Ranking, above, assert_same_bits, assert_writes, bits_of, masked
from support.raw_bits import POLICIES, float32s


def assert_prunes(w: np.ndarray, expected: np.ndarray, **arguments: object) -> None:
    assert_writes(sc.prune, w, expected, **arguments)


# --- by rank ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(("values", "nan"), CASES)
def test_sizes_in_cache(values: str, nan: str) -> None:
    for n in LANES + subset(IN_CACHE, 3):
        expected = ranking(values, n, nan)
        for k in ks_to_try(expected.w):
            assert_prunes(expected.w, expected.pruned(k), k=k, nan=nan)


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("values", ["normal", "coarse grid", "90 % zeros"])
def test_sizes_from_memory(values: str) -> None:
    for n in subset(STREAMED + SHARED, 2):
        expected = ranking(values, n, "raise")
        for k in subset((0, n // 10, n // 2, n), 2):
            assert_prunes(expected.w, expected.pruned(k), k=k)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(("values", "nan"), CASES)
def test_large(values: str, nan: str) -> None:
    n = number(LARGE, quick=300_003)
    expected = ranking(values, n, nan)
    nonzero = int(np.count_nonzero(expected.w))
    for k in {n // 10, n // 2, nonzero}:
        assert_prunes(expected.w, expected.pruned(k), k=k, nan=nan)


@pytest.mark.usefixtures("isa")
def test_very_large() -> None:
    n = 1 << 22
    expected = ranking("normal", n, "raise")
    assert_prunes(expected.w, expected.pruned(n // 10), sparsity=0.9)


@pytest.mark.parametrize("n", [10, 1000, 65_530, 65_550, LARGE - 3 - (LARGE - 3) % 10])
def test_sparsity_that_the_array_already_has(n: int) -> None:
    """Nine in ten elements are zeros of both signs, and about as many are removed."""
    w = VALUES["90 % zeros"](n)
    nonzero = n // 10
    assert np.count_nonzero(w) == nonzero
    for sparsity in (0.9, 1 - (nonzero + 1) / n, 1 - (nonzero - 1) / n):
        k = n - round(sparsity * n)
        result = on_every_isa(lambda sparsity=sparsity: sc.prune(w, sparsity=sparsity))
        assert_same_bits(result, ranking("90 % zeros", n, "raise").pruned(k))
        assert np.count_nonzero(result) == min(k, nonzero)


@given(w=float32s(), share=st.floats(0, 1), nan=st.sampled_from(POLICIES))
def test_any_bits(w: np.ndarray, share: float, nan: str) -> None:
    expected = Ranking(w, nan).pruned(w.size - round(share * w.size))
    assert_same_bits(on_every_isa(lambda: sc.prune(w, sparsity=share, nan=nan)), expected)
    in_place = on_every_isa(lambda: sc.prune(copy := w.copy(), sparsity=share, nan=nan, out=copy))
    assert_same_bits(in_place, expected)
    assert_same_bits(reference.prune(w, sparsity=share, nan=nan), expected)


@pytest.mark.parametrize("values", NUMBERS)
def test_exactly_k_are_kept(values: str) -> None:
    """The mask counts the kept elements, because a kept element may be zero."""
    n = 70_000
    w = VALUES[values](n)
    for k in (1, n // 3, n - 1):
        mask = sc.prune_mask(w, k=k)
        assert np.count_nonzero(mask) == k
        assert_same_bits(sc.prune(w, k=k), masked(w, mask))


@pytest.mark.parametrize("n", [5, 2000, 100_000])
def test_zeros_keep_their_sign_only_where_kept(n: int) -> None:
    w = np.full(n, -0.0, np.float32)
    assert np.array_equal(np.signbit(sc.prune(w, k=n - 1)), np.arange(n) < n - 1)


def test_the_lowest_index_wins() -> None:
    w = np.float32([[1, -2, 2], [-2, 2, 1]])
    assert_same_bits(sc.prune(w, k=2), np.float32([[0, -2, 2], [0, 0, 0]]))
    assert_same_bits(sc.prune(w.T, k=2), np.float32([[0, -2], [-2, 0], [0, 0]]))


# --- by threshold ----------------------------------------------------------------------------

ONE = 1.0
NEXT = float(np.nextafter(np.float32(1), np.float32(2)))
THRESHOLDS = [
    0.0,
    -0.0,
    5e-324,  # below every nonzero float32
    2.0**-149,  # the smallest nonzero float32
    1.5 * 2.0**-149,
    1e-40,
    2.0**-126,
    math.nextafter(ONE, 0),
    ONE,
    math.nextafter(ONE, 2),
    (ONE + NEXT) / 2,
    math.nextafter(NEXT, 1),
    NEXT,
    float(np.finfo(np.float32).max),
    float(np.finfo(np.float32).max) * (1 + 2**-25),  # float32 would round it down
    float(np.finfo(np.float32).max) * (1 + 2**-24),  # float32 would round it to infinity
    1e300,
    math.inf,
]


def around_thresholds() -> np.ndarray:
    """Return each threshold as a float32 and its neighbours; infinities, NaN and zeros."""
    with np.errstate(over="ignore"):
        bits = np.float32(THRESHOLDS).view(np.uint32)
    bits = np.concatenate([bits, bits + 1, bits - 1, [0x7F800000, 0x7F800001, 0x7FFFFFFF]])
    return from_bits(np.concatenate([bits, bits ^ np.uint32(1 << 31)]))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_threshold_is_strict_and_exact(threshold: float, nan: str) -> None:
    w = around_thresholds()
    expected = masked(w, above(w, threshold, nan))
    assert_prunes(w, expected, threshold=threshold, nan=nan)
    assert_same_bits(reference.prune(w, threshold=threshold, nan=nan), expected)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("threshold", [0, 1, np.float32(0.1), np.float64(0.1), np.int16(1)])
def test_threshold_is_any_real_number(threshold: float) -> None:
    w = np.float32([0.1, -0.1, 1, np.nextafter(np.float32(1), np.float32(2)), 0])
    assert_same_bits(sc.prune(w, threshold=threshold), masked(w, above(w, float(threshold))))


@pytest.mark.usefixtures("isa", "threads")
def test_threshold_at_all_sizes() -> None:
    for n in LANES + subset(IN_CACHE, 3) + subset(STREAMED + SHARED, 4):
        w = standard(n)
        assert_prunes(w, masked(w, above(w, 0.7)), threshold=0.7)


@given(
    w=float32s(),
    threshold=st.floats(min_value=0, allow_nan=False) | st.floats(min_value=0, width=32),
    nan=st.sampled_from(POLICIES),
)
def test_threshold_with_any_bits(w: np.ndarray, threshold: float, nan: str) -> None:
    expected = masked(w, above(w, threshold, nan))
    result = on_every_isa(lambda: sc.prune(w, threshold=threshold, nan=nan))
    assert_same_bits(result, expected)
    assert_same_bits(reference.prune(w, threshold=threshold, nan=nan), expected)


# --- by mask ---------------------------------------------------------------------------------


def assert_applies(w: np.ndarray, mask: np.ndarray) -> None:
    """Check a mask of bools and of bits: in a new array, in a given one, and in place."""
    expected = masked(w, mask)
    for form in (mask, np.packbits(mask, bitorder="little")):
        assert_writes(sc.apply_mask, w, expected, mask=form)
        assert_same_bits(reference.apply_mask(w, form), expected)


@pytest.mark.usefixtures("isa", "threads")
def test_masks_at_all_sizes() -> None:
    for n in LANES + subset(IN_CACHE, 3) + subset(STREAMED + SHARED + [LARGE], 4):
        assert_applies(from_bits(raw(n)), raw(n) % 3 == 0)


@given(w=float32s(), data=st.data())
def test_any_mask(w: np.ndarray, data: st.DataObject) -> None:
    bytes_needed = (w.size + 7) // 8
    packed = np.frombuffer(
        data.draw(st.binary(min_size=bytes_needed, max_size=bytes_needed)), np.uint8
    )
    mask = np.unpackbits(packed, count=w.size, bitorder="little").astype(np.bool_)
    assert_same_bits(on_every_isa(lambda: sc.apply_mask(w, mask)), masked(w, mask))
    # The bits of the last byte beyond the elements are ignored.
    assert_same_bits(on_every_isa(lambda: sc.apply_mask(w, packed)), masked(w, mask))
    assert_same_bits(reference.apply_mask(w, packed), masked(w, mask))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [1, 63, 64, 65, 1000, 200_000])
def test_any_byte_but_zero_is_true(n: int) -> None:
    """A bool array may be a view of other bytes. NumPy treats all but 0 as true."""
    bytes_ = (raw(n) % 4 * 85).astype(np.uint8)
    assert set(np.unique(bytes_)) <= {0, 85, 170, 255}
    w = standard(n)
    assert_same_bits(sc.apply_mask(w, bytes_.view(np.bool_)), masked(w, bytes_ != 0))


def test_a_mask_of_its_own_selection_prunes() -> None:
    w = normal(50, 60)
    for packed in (False, True):
        mask = sc.prune_mask(w, sparsity=0.7, packed=packed)
        assert_same_bits(sc.apply_mask(w, mask), sc.prune(w, sparsity=0.7))


# --- NaN refused -----------------------------------------------------------------------------

HOW = [
    {"sparsity": 0.5},
    {"sparsity": 0.0},
    {"sparsity": 1.0},
    {"threshold": 0.5},
    {"threshold": 9},
]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [1, 17, 100, 1025, 65_536, 65_537, 300_000, LARGE])
def test_refused_nan_is_counted_and_leaves_the_array(n: int) -> None:
    for places in ([0], [n - 1], [n // 2], [n // 3, n // 2, n - 1]):
        w = standard(n)
        w.view(np.uint32)[places] = 0xFF800001  # a signalling NaN
        before = w.copy()
        found = sorted({*places})
        message = f"^w has {len(found)} NaN, the first at flat index {found[0]}; nan="
        for how in HOW:
            with pytest.raises(ValueError, match=message):
                sc.prune(w, **how)
            with pytest.raises(ValueError, match=message):
                sc.prune(w, **how, out=w)
            assert_same_bits(w, before)
        for k in {1, n}:
            with pytest.raises(ValueError, match=message):
                sc.kth_magnitude(w, k)
            with pytest.raises(ValueError, match=message):
                sc.prune_mask(w, k=k)
        assert_same_bits(w, before)


def test_masks_take_nan_as_it_is() -> None:
    w = from_bits([0x7F800001, 0xFFC00000, 0x3F800000])
    assert bits_of(sc.apply_mask(w, [True, False, True])).tolist() == [0x7F800001, 0, 0x3F800000]
