"""Which parameter goes with which element: per axis, and in groups; and quantizing by it.

Affine parameters are in test_affine.py.
"""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import Affine, FixedPoint, reference
from support.arrays import DTYPES
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits, exact_codes, exact_values, of_elements
from support.quantizing import OVERFLOWS, ROUNDINGS, SEED, normal, seed_of
from support.raw_bits import floats
from support.refusals import assert_refuses

SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


# --- quantizing by it --------------------------------------------------------------------------

KINDS = [(8, True), (8, False), (16, True), (5, True), (32, True), (24, False)]


def grouped(
    shape: tuple[int, ...],
    axis: int,
    size: int | None,
    bits: int = 8,
    signed: bool = True,
    spread: int = 4,
) -> FixedPoint:
    """A format that fits an array of normal data, with positions of the point at random."""
    fitting: tuple[int, ...] = (shape[axis],)
    if size is not None:
        lengths = list(shape)
        lengths[axis] = -(-shape[axis] // size)
        fitting = tuple(lengths)
    middle = max(min(bits - 3, 250), -250)
    frac_bits = np.random.default_rng(shape).integers(middle - spread, middle + spread + 1, fitting)
    return FixedPoint(bits, frac_bits, signed, axis=axis, group_size=size)


SMALL = [(7,), (1, 1), (3, 5), (5, 3), (2, 3, 4), (4, 1, 6), (0, 3), (3, 0), (2, 2, 3, 2)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", ["nearest_even", "nearest_up", "ceil", "stochastic"])
def test_along_every_axis(lib: Any, dtype: str, rounding: str) -> None:
    """Per index, and in groups of any size: ragged ones, of one, of more than there are."""
    number = 0
    for shape in SMALL:
        for size, axis in grid([None, 1, 2, 3, 100], range(-len(shape), len(shape))):
            number += 1
            w = normal(shape, dtype, 2.0)
            fmt = grouped(shape, axis, size, *KINDS[number % len(KINDS)])
            overflow = OVERFLOWS[number % len(OVERFLOWS)]
            modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
            codes = exact_codes(w, fmt, rounding, overflow, SEED)
            values = exact_values(codes, fmt, dtype)
            assert_same_bits(lib.quantize(w, fmt, **modes), codes)
            assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
            assert_same_bits(lib.fake_quantize(w, fmt, **modes), values)
            assert_same_bits(lib.prune_quantize(w, fmt, k=w.size, **modes), codes)


LARGE = [(3, 65), (65, 3), (5, 129, 2), (2, 4097), (4097, 2), (129, 127), (2, 3, 16385), (513, 512)]


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_arrays(lib: Any, shape: tuple[int, ...], dtype: str) -> None:
    sizes = [None, 1, 16, 32, 33, 128]
    for number, (axis, size) in subset(enumerate(product(range(len(shape)), sizes)), 6):
        w = normal(shape, dtype, 2.0)
        fmt = grouped(shape, axis, size, *KINDS[number % len(KINDS)])
        rounding = ROUNDINGS[-1 - number % len(ROUNDINGS)]
        modes = {"rounding": rounding, **seed_of(rounding)}
        codes = reference.quantize(w, fmt, **modes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        q, out = np.zeros_like(codes), w.copy()
        assert lib.quantize(w, fmt, **modes, out=q) is q
        assert_same_bits(q, codes)
        assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
        assert lib.fake_quantize(out, fmt, **modes, out=out) is out
        assert_same_bits(out, values)
        kept = lib.prune_quantize(w, fmt, sparsity=0.5, **modes)
        assert_same_bits(kept, reference.prune_quantize(w, fmt, sparsity=0.5, **modes))


@pytest.mark.parametrize("size", [8, 16, 24, 32, 128, 1000, 1024, 4096])
@pytest.mark.parametrize("bits", [8, 16])
def test_wherever_arrays_begin(lib: Any, size: int, bits: int) -> None:
    """In a line: of few elements, and of so many that their results bypass the caches."""
    for number, n in subset(enumerate([1087, 20_480, (1 << 21) + 4096]), 2):
        room = normal(n + 64, "float32", 2.0)
        fmt = grouped((n,), 0, size, bits, bool(number % 2))
        codes, values = reference.quantize(room[:n], fmt), np.empty(n + 64, np.float32)
        expected = reference.dequantize(codes, fmt)
        for begin in subset((0, 1, 4, 5, 16, 60) if n < 1 << 20 else (4, 5, 16), 2):
            q = np.empty(n + 64, codes.dtype)[begin : begin + n]
            assert_same_bits(lib.quantize(room[:n], fmt, out=q), codes)
            out = values[begin : begin + n]
            assert_same_bits(lib.dequantize(codes, fmt, out=out), expected)
            assert_same_bits(lib.fake_quantize(room[:n], fmt, out=out), expected)
            room[begin : begin + n] = room[:n].copy()
            w = room[begin : begin + n]
            assert_same_bits(lib.quantize(w, fmt), codes)
            room[:n] = w.copy()


@pytest.mark.parametrize("shape", [(1025, 2050), (2050, 1025)])
def test_rows_and_columns_past_the_caches(lib: Any, shape: tuple[int, int]) -> None:
    """With and without zero points, which lie as the scales do."""
    w = normal(shape, "float32", 2.0)
    for axis, size in product(range(2), [None, 16, 33]):
        fmt = grouped(shape, axis, size)
        codes = reference.quantize(w, fmt)
        assert_same_bits(lib.quantize(w, fmt), codes)
        scale = np.ldexp(np.float32(1.25), -fmt.frac_bits)
        for zero_point in (0, fmt.frac_bits - 3):
            affine = Affine(scale, zero_point, axis=axis, group_size=size)
            assert_same_bits(lib.quantize(w, affine), reference.quantize(w, affine))


@pytest.mark.parametrize("dtype", DTYPES)
def test_on_several_threads(lib_on_threads: Any, dtype: str) -> None:
    """Parts of the array begin in the middle of groups and of rows."""
    cases: list[tuple[tuple[int, ...], int, int | None]] = [
        ((701, 1003), 0, None),
        ((701, 1003), 1, None),
        ((1_000_003,), 0, 97),
        ((701, 1003), 1, 48),
        ((701, 1003), 0, 48),
    ]
    for shape, axis, size in subset(cases, 2):
        w = normal(shape, dtype, 2.0)
        fmt = grouped(shape, axis, size)
        codes = reference.quantize(w, fmt)
        assert_same_bits(lib_on_threads.quantize(w, fmt), codes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        assert_same_bits(lib_on_threads.dequantize(codes, fmt, dtype=w.dtype), values)
        assert_same_bits(lib_on_threads.fake_quantize(w, fmt), values)


@given(
    data=st.data(),
    dtype=st.sampled_from(list(DTYPES)),
    shape=SHAPES,
    size=st.none() | st.integers(1, 7),
    bits=st.integers(2, 32),
    signed=st.booleans(),
    rounding=st.sampled_from(ROUNDINGS),
    overflow=st.sampled_from(OVERFLOWS),
)
def test_any_bits(
    data: st.DataObject,
    dtype: str,
    shape: tuple[int, ...],
    size: int | None,
    bits: int,
    signed: bool,
    rounding: str,
    overflow: str,
) -> None:
    """Any positions of the point: neighbours may be 2^512 apart."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    lengths = [length if size is None else -(-length // size) for length in shape]
    fitting = (shape[axis],) if size is None else (*shape[:axis], lengths[axis], *shape[axis + 1 :])
    count = math.prod(fitting)
    frac_bits = data.draw(st.lists(st.integers(-256, 256), min_size=count, max_size=count))
    given_bits = np.array(frac_bits, np.int64).reshape(fitting)
    fmt = FixedPoint(bits, given_bits, signed, axis=axis, group_size=size)
    w = data.draw(floats(dtype, shape))
    modes = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed_of(rounding)}
    codes = exact_codes(w, fmt, rounding, overflow, SEED)
    values = exact_values(codes, fmt, dtype)
    for name in LIBRARIES:
        with library(name) as lib:
            assert_same_bits(lib.quantize(w, fmt, **modes), codes)
            assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
            assert_same_bits(lib.fake_quantize(w, fmt, **modes), values)


def test_equal_positions_are_one(lib: Any) -> None:
    w = normal((40, 70), "float32", 2.0)
    expected = lib.quantize(w, FixedPoint(8, 5))
    for axis, size, fitting in ((0, None, 40), (1, None, 70), (1, 32, (40, 3)), (0, 7, (6, 70))):
        fmt = FixedPoint(8, np.full(fitting, 5), axis=axis, group_size=size)
        assert_same_bits(lib.quantize(w, fmt), expected)


def test_where_a_refused_element_is(lib: Any) -> None:
    """By its index in the whole array, whatever the axis."""
    for axis, size in product((0, 1), (None, 4)):
        w = normal((9, 70), "float32", 0.1)
        fmt = grouped(w.shape, axis, size, 16, True, 1)
        w[3, 5], w[8, 1] = np.nan, np.nan
        words = ["w has 2 NaN", f"the first at flat index {3 * 70 + 5}"]
        assert_refuses(ValueError, words, lib.fake_quantize, w, fmt, out=w)
        w[3, 5], w[8, 1] = 1e6, -np.inf
        words = ["w has 2 element", f"the first at flat index {3 * 70 + 5}"]
        assert_refuses(OverflowError, words, lib.fake_quantize, w, fmt, overflow="raise", out=w)
        assert_refuses(OverflowError, words, lib.quantize, w, fmt, overflow="raise")


NOT_FITTING = [
    (FixedPoint(8, [5, 6, 7], axis=1), (3, 4), ["fmt.frac_bits must be", "(4,)", "(3,)"]),
    (FixedPoint(8, [5, 6, 7], axis=2), (3, 4), ["fmt.axis must be", "from -2 to 1", "2"]),
    (FixedPoint(8, [5, 6, 7], axis=0), (), ["fmt.frac_bits must be", "without axes"]),
    (FixedPoint(8, [5, 6, 7], axis=0), (0, 4), ["fmt.frac_bits must be", "(0,)", "(3,)"]),
    (FixedPoint(8, [[5, 6]], group_size=4), (1, 9), ["fmt.frac_bits must be", "(1, 3)", "(1, 2)"]),
    (FixedPoint(8, [[5, 6]], group_size=4), (8,), ["fmt.axis must be", "from -1 to 0", "1"]),
    (FixedPoint(8, [5, 6], group_size=4), (8, 2), ["fmt.frac_bits must be", "(2, 2)", "(2,)"]),
    (FixedPoint(8, [[5, 6]], axis=0, group_size=4), (5, 2), ["fmt.frac_bits must be", "(2, 2)"]),
]


@pytest.mark.parametrize(("fmt", "shape", "words"), NOT_FITTING)
def test_formats_that_do_not_fit(
    lib: Any, fmt: FixedPoint, shape: tuple[int, ...], words: list[str]
) -> None:
    w, q = np.zeros(shape, np.float32), np.zeros(shape, np.int8)
    for call in (lib.quantize, lib.fake_quantize):
        assert_refuses(ValueError, words, call, w, fmt)
    assert_refuses(ValueError, words, lib.prune_quantize, w, fmt, k=0)
    assert_refuses(ValueError, words, lib.dequantize, q, fmt)


def test_the_oracle_by_hand() -> None:
    found = of_elements(np.array([[1, 2], [3, 4]]), (2, 3), 1, 2)
    assert found.tolist() == [1, 1, 2, 3, 3, 4]
    assert of_elements(np.array([5, 6]), (2, 2), 0, None).tolist() == [5, 5, 6, 6]
