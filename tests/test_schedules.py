"""Sparsity over the steps of training, against exact fractions and by hand."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc

SHARES = st.floats(0, 1)


@given(
    st.integers(-(10**6), 10**6),
    st.integers(1, 10**6),
    st.integers(-(10**6), 3 * 10**6),
    SHARES,
    SHARES,
    st.integers(1, 5),
)
def test_exact_fractions(
    begin: int, length: int, step: int, initial: float, final: float, power: int
) -> None:
    end = begin + length
    left = 1 - Fraction(min(max(step, begin), end) - begin, length)
    exact = Fraction(final) + (Fraction(initial) - Fraction(final)) * left**power
    actual = sc.sparsity_schedule(
        step, begin=begin, end=end, initial=initial, final=final, power=power
    )
    assert isinstance(actual, float)
    assert abs(actual - exact) < 1e-9
    assert 0 <= actual <= 1


def test_the_ends_are_exact() -> None:
    hundredths = np.arange(101) / 100
    steps = np.array([-np.inf, 0, 3, 10, 11, np.inf])
    for initial in hundredths:
        for final in hundredths[::3]:
            actual = sc.sparsity_schedule(steps, begin=3, end=10, initial=initial, final=final)
            assert actual.tolist() == [initial] * 3 + [final] * 3


def test_a_step_alone_is_as_in_an_array() -> None:
    steps = np.arange(-10, 1000)
    how = {"begin": 0, "end": 977, "initial": 0.1, "final": 0.93, "power": 2.7}
    alone = [sc.sparsity_schedule(step, **how) for step in steps]
    assert sc.sparsity_schedule(steps, **how).tolist() == alone


def test_arrays_and_other_types_of_step() -> None:
    steps = np.arange(12).reshape(3, 4)
    actual = sc.sparsity_schedule(steps, begin=2, end=9, final=0.5)
    one_by_one = [
        [sc.sparsity_schedule(s, begin=2, end=9, final=0.5) for s in row] for row in steps
    ]
    assert np.array_equal(actual, one_by_one)
    assert actual.dtype == np.float64
    assert sc.sparsity_schedule(np.uint8(5), begin=0, end=10, final=1, power=1) == 0.5
    assert sc.sparsity_schedule([], begin=0, end=1, final=0.5).shape == (0,)


def test_ends_that_are_far_apart() -> None:
    assert sc.sparsity_schedule(0, begin=-1.5e308, end=1.5e308, final=0.8, power=1) == 0.4


def test_a_step_prunes_as_much() -> None:
    w = np.random.default_rng(0).standard_normal(1000, dtype=np.float32)
    for step in range(0, 110, 10):
        sparsity = sc.sparsity_schedule(step, begin=0, end=100, final=0.9)
        assert np.count_nonzero(sc.prune(w, sparsity=sparsity)) == 1000 - round(1000 * sparsity)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"begin": 10, "end": 10}, ValueError, "begin must be .* smaller than end, got begin=10"),
        ({"begin": 11, "end": 10}, ValueError, "begin must be"),
        ({"begin": np.nan}, ValueError, "begin must be"),
        ({"end": np.inf}, ValueError, "begin must be"),
        ({"begin": "0"}, TypeError, "begin must be a number, got '0'"),
        ({"end": None}, TypeError, "end must be a number, got None"),
        ({"initial": -0.1}, ValueError, "initial must be a number from 0 to 1, got -0.1"),
        ({"final": 1.5}, ValueError, "final must be a number from 0 to 1, got 1.5"),
        ({"final": np.nan}, ValueError, "final must be"),
        ({"final": True}, TypeError, "final must be a number, got True"),
        ({"power": 0}, ValueError, "power must be .* larger than 0, got 0"),
        ({"power": np.inf}, ValueError, "power must be"),
        ({"step": np.nan}, ValueError, "step must be numbers, got NaN"),
        ({"step": "5"}, TypeError, "step must be a real number"),
        ({"step": 1j}, TypeError, "step must be a real number .*, got complex128"),
        ({"step": [True]}, TypeError, "step must be a real number .*, got bool"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    valid = {"step": 5, "begin": 0, "end": 10, "final": 0.5}
    with pytest.raises(error, match=message):
        sc.sparsity_schedule(**(valid | arguments))
