"""Stochastic rounding: the bits of the draws, their bias, and what they depend on."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import FixedPoint
from secateur.reference.rounding import draws
from support.arrays import DTYPES
from support.oracles import assert_same_bits, draw
from support.quantizing import normal

SEEDS = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 0x61C8864680B583EB]


# --- the draws -------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**64 - 1), first=st.integers(0, 2**48), n=st.integers(0, 40))
def test_draws_by_pythons_integers(seed: int, first: int, n: int) -> None:
    expected = [draw(seed, first + i) for i in range(n)]
    assert_same_bits(draws(seed, n, first), np.array(expected, np.uint32))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("first", [2**32 - 5, 2**33 - 1, 7 * 2**32 - 3])
def test_draws_past_indices_of_32_bits(seed: int, first: int) -> None:
    expected = [draw(seed, first + i) for i in range(10)]
    assert_same_bits(draws(seed, 10, first), np.array(expected, np.uint32))


def test_draws_by_hand() -> None:
    """The first draws equal constants, because draws must never change."""
    for seed, first, expected in (
        (0, 0, [1043068201, 1220949610, 976953223, 2124573472]),
        (2**64 - 1, 0, [1428081659, 1618113597, 145119663, 765900812]),
        (0, 2**32, [79367317, 417997158, 208085066, 1092990719]),
    ):
        assert [draw(seed, first + i) for i in range(4)] == expected
        assert draws(seed, 4, first).tolist() == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_every_draw_decides_as_it_should(lib: Any, seed: int) -> None:
    """|x| = m / 2^31 rounds to 1 exactly if m + draw ≥ 2^31."""
    found = np.array([draw(seed, i) for i in range(200)])
    fmt = FixedPoint(8, 0)
    for step in (-1, 0, 1):
        m = 2**31 - found + step
        for sign in (1, -1):
            q = lib.quantize(sign * m / 2**31, fmt, rounding="stochastic", seed=seed)
            assert q.tolist() == [sign * int(step >= 0)] * 200


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 63, 64, 65, 129, 4097, 70_001])
def test_an_element_depends_on_seed_and_index_alone(lib: Any, dtype: str, n: int) -> None:
    """The result does not depend on other elements, on their number, or on the shape."""
    fmt = FixedPoint(8, 4)
    w = normal(n, dtype)
    q = lib.quantize(w, fmt, rounding="stochastic", seed=5)
    part = lib.quantize(w[: n // 2], fmt, rounding="stochastic", seed=5)
    assert_same_bits(part, q[: n // 2])
    other = normal(n, dtype)[::-1].copy()
    other[n // 2] = w[n // 2]
    assert lib.quantize(other, fmt, rounding="stochastic", seed=5)[n // 2] == q[n // 2]
    tall = lib.quantize(w.reshape(n, 1), fmt, rounding="stochastic", seed=5)
    assert_same_bits(tall.ravel(), q)
    if n > 100:
        assert (lib.quantize(w, fmt, rounding="stochastic", seed=6) != q).any()


def test_the_type_of_float_does_not_matter(lib: Any) -> None:
    w = normal(5000, "bfloat16")
    fmt = FixedPoint(8, 4)
    q = lib.quantize(w, fmt, rounding="stochastic", seed=5)
    for dtype in (np.float32, np.float64):
        assert_same_bits(lib.quantize(w.astype(dtype), fmt, rounding="stochastic", seed=5), q)


# --- statistics of the draws -------------------------------------------------------------------


def test_integers_stay(lib: Any) -> None:
    w = np.arange(-128, 128, dtype=np.float32).repeat(40)
    for seed in SEEDS:
        q = lib.quantize(w, FixedPoint(8, 0), rounding="stochastic", seed=seed)
        assert_same_bits(q, w.astype(np.int8))


def test_one_of_both_neighbours(lib: Any) -> None:
    w = normal(20_000, "float32", 10.0)
    q = lib.quantize(w, FixedPoint(8, 0), rounding="stochastic", seed=1)
    assert ((q == np.floor(w)) | (q == np.ceil(w))).all()


# For a fraction f, the mean of n errors has a standard deviation of sqrt(f (1 - f) / n) steps. For
# the means below, it is 3.1e-5 for one sign, and 2.2e-5 for both.
NEAR_INTEGERS = [1 / 64, 3 / 128, 1 / 32, 1 / 16, 15 / 16, 31 / 32, 125 / 128, 63 / 64]
N = 1 << 22


def errors(fraction: float, seed: int) -> float:
    """Return the mean error of N elements, in steps."""
    w = np.full(N, fraction, np.float32)
    q = sc.quantize(w, FixedPoint(8, 0), rounding="stochastic", seed=seed)
    return float(np.mean(q, dtype=np.float64)) - fraction


def test_no_bias() -> None:
    """A bias of 1e-4 of a step, up, down or away from zero, exceeds a limit."""
    up = [errors(fraction, seed) for seed, fraction in enumerate(NEAR_INTEGERS)]
    down = [errors(-fraction, seed) for seed, fraction in enumerate(NEAR_INTEGERS, 100)]
    assert abs(np.mean(up)) < 8e-5
    assert abs(np.mean(down)) < 8e-5
    assert abs(np.mean(up + down)) < 6e-5


@pytest.mark.parametrize("fraction", [0.1, 1 / 3, 0.5, 0.75])
def test_no_bias_in_between(fraction: float) -> None:
    limit = 4 * np.sqrt(fraction * (1 - fraction) / N)
    assert abs(errors(fraction, 7)) < limit
    assert abs(errors(-fraction, 8)) < limit


def test_neighbours_are_independent() -> None:
    """Draws of nearby indices and of different seeds are uncorrelated."""
    rows = np.stack([draws(seed, 1 << 18) for seed in range(4)]) / 2**31 - 0.5
    limit = 5 / 12 / np.sqrt(1 << 18)  # five standard deviations of a mean of products
    for lag in (1, 2, 3, 4, 8, 16, 32, 64, 1024):
        assert np.abs(np.mean(rows[:, lag:] * rows[:, :-lag], axis=1)).max() < limit
    products = rows @ rows.T / (1 << 18)
    assert np.abs(products - np.diag(np.diag(products))).max() < limit


def test_draws_are_uniform() -> None:
    """Check chi-squared of 1024 bins within six standard deviations, and each bit separately."""
    found = draws(3, 1 << 20)
    counts = np.bincount(found >> 21, minlength=1024)
    chi_squared = np.sum((counts - 1024.0) ** 2) / 1024
    assert abs(chi_squared - 1023) < 6 * np.sqrt(2 * 1023)
    ones = [np.count_nonzero(found >> bit & 1) for bit in range(31)]
    assert np.abs(np.array(ones) - (1 << 19)).max() < 5 * (1 << 9)
