"""quantize_affine and dequantize_affine: true division, zero points, and parameters of any shape."""

from fractions import Fraction
from functools import cache, partial
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import reference
from support.arrays import DTYPES, around
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import (
    INTEGERS,
    assert_same_bits,
    exact_affine_codes,
    exact_affine_values,
    nearest,
    of_elements,
)
from support.quantizing import normal
from support.raw_bits import floats
from support.refusals import assert_refuses

NARROW = ["int2", "uint2", "int4", "uint4"]
TYPES = {name: np.dtype(getattr(ml_dtypes, name) if name in NARROW else name) for name in INTEGERS}
dtypes = pytest.mark.parametrize("dtype", DTYPES)
integers = pytest.mark.parametrize("integers", INTEGERS)

NUMBERS = {"float64": "float64"}  # in which each type is divided; float32 for the others


def zero_points(integers: str) -> list[int]:
    low, high = INTEGERS[integers]
    return [0] if integers == "int32" else sorted({low, high, 0, (low + high) // 3})


def codes_of(values: list[int], integers: str, shape: Any = -1) -> np.ndarray:
    """An array of that type; of the narrow ones by way of int8."""
    array = np.array(values, np.int64)
    array = array.astype(np.int8) if integers in NARROW else array
    return array.astype(TYPES[integers]).reshape(shape)


def hard(dtype: str, scale: float, zero: int, integers: str) -> np.ndarray:
    """Multiples of half the scale about the ends of the range and zero, and their neighbours."""
    low, high = INTEGERS[integers]
    halves = [2 * (end - zero) + step for end in (low, high, zero) for step in range(-4, 5)]
    with np.errstate(all="ignore"):
        about = (np.array(halves) * (scale / 2)).astype(DTYPES[dtype])
        about = np.concatenate([about, np.nextafter(about, np.inf), np.nextafter(about, -np.inf)])
        own = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e300, 1e-40], np.float64)
        return np.concatenate([about, own.astype(DTYPES[dtype])]).astype(DTYPES[dtype])


SCALES = [1.0, 0.5, 0.1, 1 / 3, 3.0, 7e-3, 123.456, 1e-30, 2.0**-126, 1e30]


@cache
def hard_case(dtype: str, integers: str, scale: float, zero: int) -> tuple[Any, ...]:
    """Values; the codes, and what these stand for in each type."""
    w = hard(dtype, scale, zero, integers)
    every = np.full(w.size, scale), np.full(w.size, zero)
    codes = exact_affine_codes(w, *every, integers)
    values = {other: exact_affine_values(codes, *every, other) for other in DTYPES}
    return w, codes_of(codes, integers), values


@dtypes
@integers
def test_hard_values(lib: Any, dtype: str, integers: str) -> None:
    number = np.dtype(NUMBERS.get(dtype, "float32")).type
    for given_scale, zero in grid(subset(SCALES, 4), zero_points(integers)):
        scale = nearest(given_scale, NUMBERS.get(dtype, "float32"))
        w, q, values = hard_case(dtype, integers, scale, zero)
        how = {"dtype": TYPES[integers], "nan": "zero"}
        assert_same_bits(lib.quantize_affine(w, scale, zero, **how), q)
        assert_same_bits(lib.quantize_affine(w, number(scale), np.int32(zero), **how), q)
        for other, expected in values.items():
            actual = lib.dequantize_affine(q, scale, zero, dtype=DTYPES[other])
            assert_same_bits(actual, expected)


@given(
    data=st.data(),
    dtype=st.sampled_from(list(DTYPES)),
    integers=st.sampled_from(list(INTEGERS)),
    scale=st.floats(2.0**-126, 2.0**127, width=32) | st.floats(1e-3, 1e3),
)
def test_any_bits(data: st.DataObject, dtype: str, integers: str, scale: float) -> None:
    w = data.draw(floats(dtype, st.integers(0, 70)))
    zero = data.draw(st.sampled_from(zero_points(integers)))
    every = np.full(w.size, scale), np.full(w.size, zero)
    codes = exact_affine_codes(w, *every, integers)
    values = exact_affine_values(codes, *every, dtype)
    q = codes_of(codes, integers)
    for name in LIBRARIES:
        with library(name) as lib:
            how = {"dtype": TYPES[integers], "nan": "zero"}
            assert_same_bits(lib.quantize_affine(w, scale, zero, **how), q)
            assert_same_bits(lib.dequantize_affine(q, scale, zero, dtype=w.dtype), values)


# About what float32 holds of them exactly, halves between what it holds, and the ends.
INT32S = [sign * (2**power + step) for sign in (1, -1) for power in (0, 24, 25, 30)
          for step in (-3, -2, -1, 0, 1, 2, 3, 64, 65)] + [-(2**31), 2**31 - 1, 2**31 - 65]  # fmt: skip


@integers
def test_every_code(lib: Any, integers: str) -> None:
    low, high = INTEGERS[integers]
    step = 1 if high - low < 256 else 97
    codes = [*range(low, high, step), high] if integers != "int32" else INT32S
    q = codes_of(codes, integers)
    for dtype, scale, zero in grid(DTYPES, [0.1, 2.0**-126, 3e38], zero_points(integers)):
        every = np.full(q.size, scale), np.full(q.size, zero)
        values = lib.dequantize_affine(q, scale, zero, dtype=DTYPES[dtype])
        assert_same_bits(values, exact_affine_values(codes, *every, dtype))


def test_by_hand(lib: Any) -> None:
    w = np.float32([-1, -0.25, 0, 0.25, 0.75, 1, 100, -100, np.inf, -np.inf])
    q = lib.quantize_affine(w, 0.5, 10, dtype=np.uint8)
    assert_same_bits(q, np.uint8([8, 10, 10, 10, 12, 12, 210, 0, 255, 0]))
    values = lib.dequantize_affine(q, 0.5, 10)
    assert_same_bits(values, np.float32([-1, 0, 0, 0, 1, 1, 100, -5, 122.5, -5]))


def test_it_is_a_division(lib: Any) -> None:
    """By the reciprocal some of these would fall on the other side of a half."""
    scale = np.float32(0.1)
    halves = (np.arange(-255, 256, 2) * (scale / 2)).astype(np.float32)
    w = np.concatenate([halves, np.nextafter(halves, np.inf), np.nextafter(halves, -np.inf)])
    exact = [round(Fraction(nearest_quotient(value, scale))) for value in w.tolist()]
    q = lib.quantize_affine(w, scale)
    assert q.tolist() == [min(max(code, -128), 127) for code in exact]
    by_reciprocal = np.rint(w * (np.float32(1) / scale))
    assert (by_reciprocal != exact).any()


def nearest_quotient(value: float, scale: np.float32) -> float:
    size = nearest(abs(Fraction(value) / Fraction(float(scale))), "float32")
    return -size if value < 0 else size


def test_float32_is_what_narrow_floats_are_divided_in(lib: Any) -> None:
    """A scale in float64 becomes a float32 first, unless w is float64."""
    scale = 0.1
    for dtype in DTYPES:
        w = normal(2000, dtype, 5.0)
        number = np.float64 if dtype == "float64" else np.float32
        expected = np.clip(np.rint(w.astype(number) / number(scale)), -128, 127).astype(np.int8)
        assert_same_bits(lib.quantize_affine(w, scale), expected)
        assert_same_bits(lib.quantize_affine(w, np.float64(scale)), expected)


def test_nan_becomes_the_zero_point(lib: Any) -> None:
    w = np.float32([1, np.nan, -np.nan])
    for name in INTEGERS:
        for zero in zero_points(name):
            q = lib.quantize_affine(w, 1.0, zero, dtype=TYPES[name], nan="zero")
            assert q[1:].astype(np.int64).tolist() == [zero, zero]
            assert lib.dequantize_affine(q, 1.0, zero)[1:].tolist() == [0, 0]


@dtypes
@pytest.mark.parametrize("n", [1, 65, 16385])
def test_refused_nan(lib: Any, dtype: str, n: int) -> None:
    w = normal(n, dtype)
    places = sorted({n // 3, n - 1})
    w[places] = np.nan
    words = [f"w has {len(places)} NaN", f"the first at flat index {places[0]}"]
    assert_refuses(ValueError, words, lib.quantize_affine, w, 0.1)


SIZES = [0, 1, 2, 3, *around(4, 8, 16, 32, 64, 128, 512, 4096, 16384)]


@dtypes
@integers
def test_all_sizes(lib: Any, dtype: str, integers: str) -> None:
    zero = zero_points(integers)[-1] // 2
    for n in SIZES:
        w = normal(n, dtype, 3.0)
        expected = reference.quantize_affine(w, 0.03, zero, dtype=TYPES[integers])
        q = np.zeros_like(expected)
        assert_same_bits(lib.quantize_affine(w, 0.03, zero, dtype=TYPES[integers]), expected)
        assert lib.quantize_affine(w, 0.03, zero, dtype=TYPES[integers], out=q) is q
        assert_same_bits(q, expected)
        values = reference.dequantize_affine(q, 0.03, zero, dtype=w.dtype)
        out = np.zeros_like(values)
        assert lib.dequantize_affine(q, 0.03, zero, dtype=w.dtype, out=out) is out
        assert_same_bits(out, values)


@dtypes
def test_on_several_threads(lib_on_threads: Any, dtype: str) -> None:
    w = normal((1100, 1003), dtype)
    scale = np.linspace(0.01, 0.02, 1003)
    zero = np.arange(1003) % 11 - 5
    q = reference.quantize_affine(w, scale, zero, axis=1)
    assert_same_bits(lib_on_threads.quantize_affine(w, scale, zero, axis=1), q)
    values = reference.dequantize_affine(q, scale, zero, axis=1, dtype=w.dtype)
    actual = lib_on_threads.dequantize_affine(q, scale, zero, axis=1, dtype=w.dtype)
    assert_same_bits(actual, values)


# --- granularity -----------------------------------------------------------------------------


def parameters(
    shape: tuple[int, ...], axis: int, size: int | None, integers: str
) -> tuple[np.ndarray, np.ndarray]:
    """Scales and zero points that fit."""
    if size is None:
        fitting: tuple[int, ...] = (shape[axis],)
    else:
        lengths = list(shape)
        lengths[axis] = -(-shape[axis] // size)
        fitting = tuple(lengths)
    rng = np.random.default_rng(shape)
    low, high = INTEGERS[integers]
    zeros = rng.integers(low, high + 1, fitting) if integers != "int32" else np.zeros(fitting, int)
    return rng.uniform(0.05, 1.0, fitting), zeros


SHAPES = [(7,), (1, 1), (3, 5), (5, 3), (2, 3, 4), (4, 1, 6), (0, 3), (3, 0), (2, 2, 3, 2)]


@dtypes
@pytest.mark.parametrize("integers", ["int8", "uint8", "int4", "int16", "int32"])
def test_parameters_along_every_axis(lib: Any, dtype: str, integers: str) -> None:
    for shape in SHAPES:
        for size, axis in grid([None, 1, 2, 3, 100], range(-len(shape), len(shape))):
            w = normal(shape, dtype, 3.0)
            scales, zeros = parameters(shape, axis, size, integers)
            how = {"axis": axis, "block_size": size}
            every = of_elements(scales, shape, axis, size), of_elements(zeros, shape, axis, size)
            codes = exact_affine_codes(w, *every, integers)
            q = lib.quantize_affine(w, scales, zeros, dtype=TYPES[integers], **how)
            assert_same_bits(q, codes_of(codes, integers, shape))
            values = lib.dequantize_affine(q, scales, zeros, dtype=w.dtype, **how)
            expected = exact_affine_values(codes, *every, dtype).reshape(shape)
            assert_same_bits(values, expected)
            if size is not None and axis in (-1, len(shape) - 1):
                last = lib.quantize_affine(w, scales, zeros, dtype=TYPES[integers], block_size=size)
                assert_same_bits(last, q)


LARGE = [(3, 65), (65, 3), (5, 129, 2), (2, 4097), (4097, 2), (129, 127), (2, 3, 16385)]


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("integers", ["int8", "int4"])
def test_parameters_of_large_arrays(lib: Any, shape: tuple[int, ...], integers: str) -> None:
    w = normal(shape, "float32", 3.0)
    for axis, size in product(range(len(shape)), [None, 1, 16, 32, 33, 128]):
        scales, zeros = parameters(shape, axis, size, integers)
        how = {"axis": axis, "block_size": size}
        for zero in (zeros, 1):
            q = reference.quantize_affine(w, scales, zero, dtype=TYPES[integers], **how)
            actual = lib.quantize_affine(w, scales, zero, dtype=TYPES[integers], **how)
            assert_same_bits(actual, q)
            values = reference.dequantize_affine(q, scales, zero, **how)
            assert_same_bits(lib.dequantize_affine(q, scales, zero, **how), values)


@pytest.mark.parametrize("of", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, list])
def test_scales_of_any_floats(lib: Any, of: Any) -> None:
    w = normal((3, 5), "float32", 3.0)
    scales = np.array([0.125, 0.5, 2.0])
    q = lib.quantize_affine(w, scales, axis=0)
    given_scales = scales.tolist() if of is list else scales.astype(of)
    assert_same_bits(lib.quantize_affine(w, given_scales, axis=0), q)
    assert_same_bits(lib.quantize_affine(w, scales[::-1].copy()[::-1], axis=0), q)
    for dtype in ("int8", "uint8", "int16", "int32", "int64", ml_dtypes.int4):
        zeros = np.array([1, 2, 3]).astype(np.int8).astype(dtype)
        expected = lib.quantize_affine(w, scales, [1, 2, 3], axis=0)
        assert_same_bits(lib.quantize_affine(w, scales, zeros, axis=0), expected)


# --- what is refused --------------------------------------------------------------------------

BOTH = {
    "quantize_affine": lambda lib, shape=(6,): partial(lib.quantize_affine, np.ones(shape, "f4")),
    "dequantize_affine": lambda lib, shape=(6,): partial(
        lib.dequantize_affine, np.ones(shape, np.int8)
    ),
}
both = pytest.mark.parametrize("name", BOTH)


@both
@pytest.mark.parametrize("scale", [0.0, -0.0, -1.0, np.nan, np.inf, 1e-39, 1e-46, 1e39, -1e-320])
def test_scales_out_of_range(lib: Any, name: str, scale: float) -> None:
    """Subnormal, zero and infinite in float32, in which they are used."""
    call = BOTH[name](lib)
    words = ["scale must be positive, finite and not subnormal", "got"]
    assert_refuses(ValueError, words, call, scale)
    assert_refuses(ValueError, words, call, np.float64(scale))
    scales = np.ones(6)
    scales[4] = scale
    assert_refuses(ValueError, [*words, "(4,)"], call, scales, axis=0)


@dtypes
def test_scales_at_the_ends_of_their_range(lib: Any, dtype: str) -> None:
    """Of each type of float: the least and the largest that float32 or float64 takes."""
    number = np.dtype(NUMBERS.get(dtype, "float32"))
    least, most = (float(end) for end in (np.finfo(number).tiny, np.finfo(number).max))
    w = np.array([0.0], number)
    for scale in (least, most):
        assert lib.quantize_affine(w, scale).tolist() == [0]
        assert lib.dequantize_affine(np.int8([1]), scale, dtype=number).tolist() == [scale]
    scales = np.array([0.5, 1, 2], DTYPES[dtype])
    values = lib.dequantize_affine(np.int8([1, 2, 3]), scales, axis=0)
    assert values.tolist() == [0.5, 2, 6]


def test_scales_that_float64_takes(lib: Any) -> None:
    w = np.float64([1e-40, 2e-40, 1e39])
    assert lib.quantize_affine(w[:2], 1e-40).tolist() == [1, 2]
    assert lib.quantize_affine(w[2:], 1e38).tolist() == [10]
    assert lib.dequantize_affine(np.int8([1]), 1e-40, dtype=np.float64).tolist() == [1e-40]
    for scale in (2.0**-1023, 0.0, np.inf, np.nan):
        words = ["scale must be positive, finite and not subnormal"]
        assert_refuses(ValueError, words, lib.quantize_affine, w, scale)
    words = ["scale must be positive, finite and not subnormal"]
    assert_refuses(ValueError, words, lib.dequantize_affine, np.int8([1]), 1e-40)


@both
@pytest.mark.parametrize(
    "scale", ["1", None, True, 1j, np.int32([1] * 6), np.ones(6, bool)], ids=str
)
def test_scales_that_are_no_floats(lib: Any, name: str, scale: Any) -> None:
    how = {"axis": 0} if isinstance(scale, np.ndarray) else {}
    assert_refuses(TypeError, ["scale must be"], BOTH[name](lib), scale, **how)


@both
def test_zero_points_out_of_range(lib: Any, name: str) -> None:
    call = BOTH[name](lib)
    for zero in (-129, 128, 2**40):
        words = ["zero_point must be", "-128 to 127", f"got {zero}"]
        assert_refuses(ValueError, words, call, 1.0, zero)
        zeros = np.zeros(6, np.int64)
        zeros[4] = zero
        assert_refuses(ValueError, [*words, "(4,)"], call, np.ones(6), zeros, axis=0)
    for wrong in (0.0, "0", None, True, np.zeros(6), np.zeros(6, bool)):
        how: dict[str, Any] = {"axis": 0} if isinstance(wrong, np.ndarray) else {}
        scale = np.ones(6) if how else 1.0
        assert_refuses(TypeError, ["zero_point must be"], call, scale, wrong, **how)


@integers
def test_zero_points_of_each_type(lib: Any, integers: str) -> None:
    low, high = INTEGERS[integers]
    low, high = (0, 0) if integers == "int32" else (low, high)
    q = codes_of([0, 1], integers)
    for zero in (low - 1, high + 1):
        words = ["zero_point must be", f"got {zero}"]
        how = {"dtype": TYPES[integers]}
        assert_refuses(ValueError, words, lib.quantize_affine, np.ones(3), 1.0, zero, **how)
        assert_refuses(ValueError, words, lib.dequantize_affine, q, 1.0, zero)


@both
def test_parameters_that_do_not_fit(lib: Any, name: str) -> None:
    call = BOTH[name](lib, (4, 6))
    ones = np.ones
    for words, scale, zero, how in [
        (["axis must be", "None"], ones(6), 0, {}),
        (["axis must be", "0"], 1.0, 0, {"axis": 0}),
        (["block_size must be", "2"], 1.0, 0, {"block_size": 2}),
        (["axis must be", "2"], ones(6), 0, {"axis": 2}),
        (["axis must be", "-3"], ones(6), 0, {"axis": -3}),
        (["scale must be", "(6,)", "(4,)"], ones(4), 0, {"axis": 1}),
        (["scale must be", "2 axes"], ones((4, 6)), 0, {"axis": 1}),
        (["block_size must be", "0"], ones((4, 6)), 0, {"block_size": 0}),
        (["block_size must be", "-1"], ones((4, 6)), 0, {"block_size": -1}),
        (["scale must be", "(4, 3)", "(4, 2)"], ones((4, 2)), 0, {"block_size": 2}),
        (["scale must be", "(2, 6)", "(4, 3)"], ones((4, 3)), 0, {"axis": 0, "block_size": 2}),
        (["zero_point must be", "(6,)", "(4,)"], ones(6), np.zeros(4, int), {"axis": 1}),
        (["zero_point must be", "()", "(6,)"], 1.0, np.zeros(6, int), {}),
    ]:  # fmt: skip
        assert_refuses(ValueError, words, call, scale, zero, **how)
    for how in ({"axis": 1.0}, {"axis": True}, {"axis": 1, "block_size": 2.0}):
        words = ["block_size" if "block_size" in how else "axis", "must be an integer"]
        scale = ones((4, 3)) if "block_size" in how else ones(6)
        assert_refuses(TypeError, words, call, scale, 0, **how)


@pytest.mark.parametrize("dtype", ["int64", "uint32", "float32", "bool", "O", ">i2"])
def test_other_types_of_integers(lib: Any, dtype: str) -> None:
    words = ["dtype must be", "int8", f"got {np.dtype(dtype)}"]
    assert_refuses(TypeError, words, lib.quantize_affine, np.ones(3), 1.0, dtype=dtype)
    if dtype != ">i2":  # as an input it is converted
        words = ["q must be", "int8", f"got {np.dtype(dtype)}"]
        assert_refuses(TypeError, words, lib.dequantize_affine, np.ones(3, dtype), 1.0)


@both
def test_other_arguments(lib: Any, name: str) -> None:
    call = BOTH[name](lib)
    wrong = np.ones(3, np.int8) if name == "quantize_affine" else np.ones(3, np.float32)
    argument = "w" if name == "quantize_affine" else "q"
    words = [f"{argument} must be", f"got {wrong.dtype}"]
    assert_refuses(TypeError, words, getattr(lib, name), wrong, 1.0)
    assert_refuses(
        ValueError, ["out must", "(6,)", "(5,)"], call, 1.0, out=np.ones(5, call(1.0).dtype)
    )
    assert_refuses(TypeError, ["out must be", "int16"], call, 1.0, out=np.ones(6, np.int16))
    if name == "quantize_affine":
        assert_refuses(ValueError, ["nan must be", "'zero'", "'keep'"], call, 1.0, nan="keep")
    else:
        assert_refuses(TypeError, ["dtype must be", "float32", "int8"], call, 1.0, dtype=np.int8)


# --- layouts ---------------------------------------------------------------------------------


@dtypes
def test_layouts(lib: Any, dtype: str) -> None:
    w = normal((14, 26), dtype, 3.0)
    scales, zeros = parameters((14, 26), 1, 8, "int8")
    q = reference.quantize_affine(w, scales, zeros, block_size=8)
    values = reference.dequantize_affine(q, scales, zeros, block_size=8, dtype=w.dtype)
    views: list[Any] = [np.asfortranarray, lambda a: np.repeat(a, 2, axis=1)[:, ::2]]
    views += [lambda a: np.ascontiguousarray(a[::-1])[::-1]]
    if dtype != "bfloat16":
        views += [lambda a: a.astype(a.dtype.newbyteorder(">"))]
    for view in views:
        assert_same_bits(lib.quantize_affine(view(w), scales, zeros, block_size=8), q)
        assert_same_bits(lib.quantize_affine(w, view(scales), view(zeros), block_size=8), q)
        actual = lib.dequantize_affine(view(q), scales, zeros, block_size=8, dtype=w.dtype)
        assert_same_bits(actual, values)
        out = np.full((14, 52), 7, np.int8)[:, ::2]
        assert lib.quantize_affine(view(w), scales, zeros, block_size=8, out=out) is out
        assert_same_bits(out, q)
