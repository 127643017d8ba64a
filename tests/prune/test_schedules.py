"""Sparsity over the steps of training, compared with exact fractions and constants."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from support.oracles import assert_same_bits

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


LIBRARIES = [sc, sc.reference]


@pytest.mark.parametrize("lib", LIBRARIES, ids=["package", "reference"])
def test_the_ends_are_exact(lib: Any) -> None:
    hundredths = [-0.0, *np.arange(101) / 100]
    steps = np.array([-np.inf, 0, 3, 10, 11, np.inf])
    for initial in hundredths:
        for final in hundredths[::3]:
            how = {"begin": 3, "end": 10, "initial": initial, "final": final}
            actual = lib.sparsity_schedule(steps, **how)
            assert_same_bits(actual, np.array([initial] * 3 + [final] * 3))


TINY, HUGE = 5e-324, 1.7976931348623157e308
SPANS = [
    (0, TINY), (-TINY, TINY), (TINY, 3 * TINY), (0, 2e-308), (TINY, HUGE), (-HUGE, HUGE),
    (-HUGE, TINY), (-HUGE, 0), (HUGE / 2, HUGE), (np.nextafter(HUGE, 0), HUGE), (1, 1 + 2**-52),
    (0, 1e-310), (0, 1), (-3, 1e300), (2**53, 2**53 + 2), (0, 10**400),
    (Fraction(1, 3), Fraction(2, 3)), (np.uint64(2**64 - 2**12), 2**64),
]  # fmt: skip


@pytest.mark.parametrize("lib", LIBRARIES, ids=["package", "reference"])
@pytest.mark.parametrize("span", SPANS, ids=str)
def test_spans_of_any_size(span: tuple[Any, Any], lib: Any) -> None:
    """The sparsity is exact at both ends. Between them it is monotonic."""
    begin, end = (HUGE if x > HUGE else float(x) for x in span)
    how = {"begin": span[0], "end": span[1]}
    inner = [begin / 2 * (1 - x) * 2 + end * x for x in np.arange(1, 100) / 100]
    near = [np.nextafter(begin, HUGE), np.nextafter(end, -HUGE)]
    within = np.sort(np.clip([*inner, *near], begin, end))
    for initial, final in [(0.1, 0.3), (0.3, 0.1), (0, 1), (1, 0), (0.93, 0.93), (1e-320, 1)]:
        for power in (1, 3, 0.1, 0.5, 7.3, 1e-300, 1e300):
            actual = lib.sparsity_schedule(
                [-HUGE, begin, *within, end, HUGE], **how, initial=initial, final=final, power=power
            )
            assert actual[0] == actual[1] == initial
            assert actual[-2] == actual[-1] == final
            assert (np.diff(actual) * (1 if final >= initial else -1) >= 0).all()
            assert actual.min() == min(initial, final)
            assert actual.max() == max(initial, final)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(st.floats(allow_nan=False)),
    SHARES,
    SHARES,
    st.floats(0.01, 100),
)
def test_any_floats(
    a: float, b: float, steps: list[float], initial: float, final: float, power: float
) -> None:
    begin, end = min(a, b), max(a, b)
    if begin == end:
        return
    how = {"begin": begin, "end": end, "initial": initial, "final": final, "power": power}
    actual = sc.sparsity_schedule(steps, **how)
    assert_same_bits(sc.reference.sparsity_schedule(steps, **how), actual)
    for step, sparsity in zip(steps, actual, strict=True):
        assert min(initial, final) <= sparsity <= max(initial, final)
        assert sparsity == initial or step > begin
        assert sparsity == final or step < end


@pytest.mark.parametrize("lib", LIBRARIES, ids=["package", "reference"])
@pytest.mark.parametrize(
    "step", [10**30, -(10**400), Fraction(1, 2), Decimal("0.5"), np.longdouble("1e400")], ids=str
)
def test_steps_that_are_numbers_of_other_types(step: Any, lib: Any) -> None:
    expected = 0.5 if step > 1 else 0 if step < 0 else 0.25
    assert lib.sparsity_schedule(step, begin=0, end=1, final=0.5, power=1) == expected


@pytest.mark.parametrize("lib", LIBRARIES, ids=["package", "reference"])
def test_masked_steps(lib: Any) -> None:
    with pytest.raises(TypeError, match=r"step must be .* masked"):
        lib.sparsity_schedule(np.ma.masked_array([1, 2], [0, 1]), begin=0, end=1, final=0.5)


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
        (
            {"begin": 10, "end": 10},
            ValueError,
            "begin and end must be .* smaller than end, got begin=10",
        ),
        ({"begin": 11, "end": 10}, ValueError, "begin and end must be"),
        ({"begin": np.nan}, ValueError, "begin and end must be"),
        ({"end": np.inf}, ValueError, "begin and end must be"),
        ({"begin": "0"}, TypeError, "begin must be a number, got '0'"),
        ({"end": None}, TypeError, "end must be a number, got None"),
        ({"initial": -0.1}, ValueError, "initial must be a number from 0 to 1, got -0.1"),
        ({"final": 1.5}, ValueError, "final must be a number from 0 to 1, got 1.5"),
        ({"final": np.nan}, ValueError, "final must be"),
        ({"final": True}, TypeError, "final must be a number, got True"),
        ({"power": 0}, ValueError, "power must be .* larger than 0, got 0"),
        ({"power": np.inf}, ValueError, "power must be"),
        ({"step": np.nan}, ValueError, "step must not contain NaN"),
        ({"step": "5"}, TypeError, "step must be a real number"),
        ({"step": 1j}, TypeError, "step must be a real number .*, got complex128"),
        ({"step": [True]}, TypeError, "step must be a real number .*, got bool"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    valid = {"step": 5, "begin": 0, "end": 10, "final": 0.5}
    with pytest.raises(error, match=message):
        sc.sparsity_schedule(**(valid | arguments))
