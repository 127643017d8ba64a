"""choose_format and choose_affine: against all that could be chosen, and the same everywhere."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import secateur as sc
from arrays import DTYPES, LANES, NUMBERS, of_type
from isas import library
from refusals import assert_refuses
from secateur import FixedPoint, choosing, reference

FINITE = [name for name in NUMBERS if "infinite" not in name and name != "every exponent"]
METHODS = ["max", "percentile", "mse"]


def spread(n: int, dtype: str) -> np.ndarray:
    """Finite numbers of every exponent."""
    w = of_type("every exponent", n, dtype)
    return np.where(np.isfinite(w), w, w.dtype.type(1))


def codes(w: np.ndarray, bits: int, frac_bits: int, signed: bool = True) -> list[tuple[int, int]]:
    """What is rounded to, before and after the range is looked at."""
    fmt = FixedPoint(bits, 0, signed)
    rounded = [round(Fraction(float(x)) * Fraction(2) ** frac_bits) for x in w.ravel()]
    return [(q, min(max(q, fmt.min), fmt.max)) for q in rounded]


def saturates(w: np.ndarray, bits: int, frac_bits: int, signed: bool = True) -> bool:
    return any(q != clipped for q, clipped in codes(w, bits, frac_bits, signed))


def squared_error(w: np.ndarray, bits: int, frac_bits: int, signed: bool = True) -> Fraction:
    step = Fraction(2) ** -frac_bits
    chosen = codes(w, bits, frac_bits, signed)
    errors = (Fraction(float(x)) - q * step for x, (_, q) in zip(w.ravel(), chosen, strict=True))
    return sum((e * e for e in errors), Fraction(0))


def frac_bits(lib, *given, **how) -> int:
    return lib.choose_format(*given, **how).frac_bits


# --- fixed point ----------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 8, 32])
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_is_the_most_that_saturates_nothing(lib, dtype: str, bits: int) -> None:
    top, bottom = 2.0 ** (bits - 1) - 0.5, -(2.0 ** (bits - 1)) - 0.5
    ends = np.float64([top, np.nextafter(top, 0), bottom, np.nextafter(bottom, -9e9), 1, -1, 0.3])
    kind = DTYPES[dtype]
    with np.errstate(over="ignore"):
        tried = [np.asarray([x], kind) for x in ends]
        tried += [np.nextafter(x, kind.type(to)) for x in tried for to in (-9, 9)]
    tried += [np.concatenate(tried[:4]), spread(9, dtype), of_type("subnormals", 3, dtype)]
    for w in tried:
        if not np.isfinite(w.astype(np.float64)).all() or not w.any():
            continue
        chosen = frac_bits(lib, w, bits)
        assert chosen == -256 or not saturates(w, bits, chosen)
        assert chosen == 256 or saturates(w, bits, chosen + 1)


@pytest.mark.parametrize("bits", [2, 8, 31])
def test_max_of_unsigned(lib, bits: int) -> None:
    w = np.float64([2.0**bits - 0.5, 1, 0])
    assert frac_bits(lib, w, bits, signed=False) == -1
    w[0] = np.nextafter(w[0], 0)
    assert frac_bits(lib, w, bits, signed=False) == 0
    w[1] = -0.5  # is rounded to 0
    assert frac_bits(lib, w, bits, signed=False) == 0
    w[1] = np.nextafter(-0.5, -1)
    for method in METHODS:
        words = ["w must be at least 0", "unsigned", -0.5]
        assert_refuses(ValueError, words, lib.choose_format, w, bits, signed=False, method=method)


def test_percentile_is_max_of_the_clipped(lib) -> None:
    for name in ("normal", "sorted magnitudes", "one larger", "90 % zeros"):
        for n in (1, 10, 999):
            w = of_type(name, n, "float32")
            for percentile in (0, 1e-9, 10, 50, 99.9, 100):
                rank = max(1, math.ceil(n * percentile / 100))
                most = np.sort(np.abs(w))[rank - 1]
                expected = lib.choose_format(np.clip(w, -most, most), 6)
                how = {"method": "percentile", "percentile": percentile}
                assert lib.choose_format(w, 6, **how) == expected


@pytest.mark.parametrize("bits", [2, 3, 5, 8, 17, 32])
@pytest.mark.parametrize("name", [*FINITE, "spread"])
def test_mse_is_the_least_of_all(lib, name: str, bits: int) -> None:
    for dtype, signed in (("float32", True), ("float16", True), ("float64", False)):
        w = spread(30, dtype) if name == "spread" else of_type(name, 30, dtype)
        w = w if signed else np.abs(w)
        if not w.any():
            continue
        most = frac_bits(lib, w, bits, signed=signed)
        tried = range(max(most - 2, -256), min(most + bits + 8, 256) + 1)
        errors = {p: squared_error(w, bits, p, signed) for p in tried}
        chosen = frac_bits(lib, w, bits, signed=signed, method="mse")
        least = min(errors.values())
        assert float(errors[chosen]) == pytest.approx(float(least), rel=1e-12)
        assert chosen == max(p for p, error in errors.items() if error == errors[chosen])


def outlier(n: int) -> np.ndarray:
    w = of_type("normal", n, "float32")
    w[n // 2 + 17] = 1e20
    return w


LARGE = {
    "one outlier": outlier,
    "tails": lambda n: np.random.default_rng(1).standard_cauchy(n).astype(np.float32),
    "nothing but zeros in the sample": lambda n: np.where(
        np.arange(n) % (n // choosing.RUNS) < choosing.RUN, 0, of_type("normal", n, "float32")
    ).astype(np.float32),
} | {name: lambda n, name=name: of_type(name, n, "float32") for name in FINITE}


@pytest.mark.parametrize("name", LARGE)
def test_mse_of_a_large_array_needs_no_luck(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the sample, without it, and by the sums of all."""
    w = LARGE[name](choosing.SAMPLED + 5)
    for bits in (2, 4, 8, 16):
        with_sample = frac_bits(sc, w, bits, method="mse")
        with monkeypatch.context() as patch:
            patch.setattr(choosing, "SAMPLED", w.size + 1)
            assert frac_bits(sc, w, bits, method="mse") == with_sample
        x, fmt = w.astype(np.float64), FixedPoint(bits)
        most = frac_bits(sc, w, bits)
        tried = range(most, min(256, most + 12) + 1)
        errors = []
        for p in tried if x.any() else ():
            codes = np.clip(np.rint(np.ldexp(x, p)), fmt.min, fmt.max)
            errors.append(math.fsum(np.square(x - np.ldexp(codes, -p))))
        least = min(errors, default=0)
        assert not errors or errors[with_sample - most] == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_library_says_the_same(method: str, dtype: str) -> None:
    for n in (*LANES[1:], 4095, 4097, 40_000):
        w = of_type("normal", n, dtype)
        found = []
        for name in (*sc.isas(), "reference"):
            with library(name) as lib:
                affine = lib.choose_affine(w, np.uint8, method=method)
                found.append((lib.choose_format(w, 7, method=method), affine))
        assert found == [found[-1]] * len(found)


SHAPES = [(1, 5), (5, 1), (40, 70), (70, 40), (3, 5000), (700, 3), (6, 5, 17), (17, 9, 2), (2, 0)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_index_as_if_alone(lib, shape: tuple[int, ...], method: str) -> None:
    w = of_type("blocks of own scale", math.prod(shape), "float32").reshape(shape)
    for axis in range(-len(shape), len(shape)):
        fmt = lib.choose_format(w, 5, method=method, axis=axis)
        affine = lib.choose_affine(w, np.int8, method=method, axis=axis)
        assert fmt.axis == axis % len(shape)
        assert affine.scale.dtype == np.float32
        for i, each in enumerate(np.moveaxis(w, axis, 0)):
            if i % 97 == 0:
                assert fmt.frac_bits[i] == frac_bits(lib, each, 5, method=method)
                alone = lib.choose_affine(each, np.int8, method=method)
                assert (affine.scale[i], affine.zero_point[i]) == alone
        assert fmt.frac_bits.shape == affine.scale.shape == (shape[axis],)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 3, 8, 64, 300])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_group_as_if_alone(lib, shape: tuple[int, ...], size: int, method: str) -> None:
    w = of_type("blocks of own scale", math.prod(shape), "float32").reshape(shape)
    for axis in range(len(shape)):
        fmt = lib.choose_format(w, 4, method=method, axis=axis, group_size=size)
        affine = lib.choose_affine(w, ml_dtypes.uint4, method=method, axis=axis, block_size=size)
        groups = -(-shape[axis] // size)
        assert (fmt.axis, fmt.group_size) == (axis, size)
        assert fmt.for_shape(shape) is not None
        rows = np.moveaxis(w, axis, -1)
        found = np.moveaxis(fmt.frac_bits, axis, -1)
        scales = np.moveaxis(affine.scale, axis, -1)
        assert found.shape == scales.shape == (*rows.shape[:-1], groups)
        for place in list(np.ndindex(found.shape))[::211]:
            *row, j = place
            alone = rows[tuple(row)][j * size : (j + 1) * size]
            assert found[place] == frac_bits(lib, alone, 4, method=method)
            assert scales[place] == lib.choose_affine(alone, ml_dtypes.uint4, method=method).scale
    last = lib.choose_format(w, 4, group_size=size)
    assert last == lib.choose_format(w, 4, axis=-1, group_size=size)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_and_layout_change_nothing(count: int) -> None:
    w = of_type("normal", 1 << 21, "float32")
    for how in ({}, {"axis": 0}, {"axis": 1}, {"group_size": 50}, {"axis": 0, "group_size": 50}):
        matrix = w.reshape(1024, 2048)
        expected = sc.choose_format(matrix, 5, method="mse", **how)
        with sc.threads(count):
            assert sc.choose_format(matrix, 5, method="mse", **how) == expected
            assert sc.choose_format(matrix.T.copy().T, 5, method="mse", **how) == expected


def test_nothing_and_zeros(lib) -> None:
    for method in METHODS:
        for w in (np.float32([]), np.zeros(3, np.float32), np.float16([-0.0]), np.float64(0)):
            assert frac_bits(lib, w, 8, method=method) == 7
            assert frac_bits(lib, w, 8, method=method, signed=False) == 8
            assert lib.choose_affine(w, np.int8, method=method) == (1, 0)
            assert lib.choose_affine(w, np.uint8, method=method) == (1, 0)
            assert lib.choose_affine(w, np.uint8, method=method, symmetric=True) == (1, 128)
        w = np.zeros((2, 3), np.float32)
        w[1] = 1
        assert lib.choose_format(w, 8, method=method, axis=0).frac_bits.tolist() == [7, 6]


# --- affine ---------------------------------------------------------------------------------

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16]
INTEGERS += [getattr(ml_dtypes, name) for name in ("int4", "uint4", "int2", "uint2")]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_affine_holds_the_range(lib, dtype: type, symmetric: bool) -> None:
    low, high = choosing.RANGES[np.dtype(dtype).name]
    pairs = [[-1, 3], [1, 3], [-3, -1], [1e-45, 0], [3e38, -3e38], [0.1, -1e-9]]
    for w in np.float32(pairs):
        scale, zero_point = lib.choose_affine(w, dtype, symmetric=symmetric)
        assert scale == np.float32(scale) >= np.finfo(np.float32).tiny
        assert low <= zero_point <= high
        if symmetric:
            assert zero_point == (0 if low < 0 else (high + 1) // 2)
        codes = np.rint(w / np.float32(scale)) + zero_point
        slack = 0 if symmetric else 1  # the zero point is rounded, and a tie may fall out of range
        assert low - slack <= codes.min() <= codes.max() <= high + slack
        if symmetric:
            assert scale == pytest.approx(max(np.abs(w).max() / (high - zero_point), 2**-126))
        elif scale > 2**-126:
            span = float(max(w.max(), 0)) - float(min(w.min(), 0))
            assert scale == pytest.approx(span / (high - low), rel=1e-6)


def test_affine_of_float64_is_float64(lib) -> None:
    w = np.float64([0, 1])
    assert lib.choose_affine(w, np.uint8).scale == 1 / 255
    assert lib.choose_affine(w, np.uint8, axis=0).scale.dtype == np.float64
    assert lib.choose_affine(w.astype(np.float16), np.uint8).scale == np.float32(1 / 255)


def test_affine_percentile_clips_both_tails(lib) -> None:
    w = np.float32([*range(-50, 0), *range(100), 1000, -2000])
    how = {"method": "percentile", "percentile": 98}
    most = np.sort(np.abs(w))[math.ceil(len(w) * 98 / 100) - 1]
    expected = lib.choose_affine(np.clip(w, -most, most), np.int8)
    assert lib.choose_affine(w, np.int8, **how) == expected


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, ml_dtypes.int4, ml_dtypes.uint2])
@pytest.mark.parametrize("symmetric", [True, False])
def test_affine_mse_is_the_least_of_its_grid(lib, dtype: type, symmetric: bool) -> None:
    low, high = choosing.RANGES[np.dtype(dtype).name]
    for name in ("normal", "blocks of own scale", "90 % zeros", "two-valued"):
        w = of_type(name, 2000, "float32")
        first, zero_point = lib.choose_affine(w, dtype, symmetric=symmetric)
        chosen = lib.choose_affine(w, dtype, symmetric=symmetric, method="mse")
        assert chosen.zero_point == zero_point
        errors = {}
        for j in range(65):
            scale = float(np.float32(first * choosing.SHRINK**-j))
            q = np.clip(np.rint(w.astype(np.float64) / scale) + zero_point, low, high)
            errors[scale] = math.fsum(np.square(w - (q - zero_point) * scale))
        assert chosen.scale in errors
        assert errors[chosen.scale] == pytest.approx(min(errors.values()), rel=1e-5)


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_must_be_finite(lib, dtype: str) -> None:
    for n in (5, choosing.SAMPLED + 3):
        w = np.ones(n, DTYPES[dtype])
        w[[3, n - 1]] = np.nan, -np.inf
        for method in METHODS:
            words = ["w has 2 elements", "NaN or infinite", "flat index 3"]
            assert_refuses(ValueError, words, lib.choose_format, w, 8, method=method)
            assert_refuses(ValueError, words, lib.choose_affine, w, np.int8, method=method)
            matrix = w.reshape(1, -1)
            for how in ({"axis": 0}, {"axis": 1, "method": method}):
                assert_refuses(ValueError, words, lib.choose_format, matrix, 8, **how)


def test_refusals(lib) -> None:
    w = np.ones((2, 3), np.float32)
    choose, affine = lib.choose_format, lib.choose_affine
    assert_refuses(TypeError, ["w must be", "int64"], choose, np.arange(3), 8)
    assert_refuses(TypeError, ["w must be", "masked"], choose, np.ma.array(w), 8)
    large = np.ma.array(np.ones(choosing.SAMPLED, np.float32))
    assert_refuses(TypeError, ["w must be", "masked"], choose, large, 8, method="mse")
    assert_refuses(ValueError, ["bits", "33"], choose, w, 33)
    assert_refuses(TypeError, ["signed", "1"], choose, w, 8, signed=1)
    assert_refuses(ValueError, ["method", "'max'", "'min'"], choose, w, 8, method="min")
    assert_refuses(ValueError, ["percentile", "101"], choose, w, 8, percentile=101)
    assert_refuses(TypeError, ["percentile"], choose, w, 8, percentile="1")
    assert_refuses(ValueError, ["axis", "2"], choose, w, 8, axis=2)
    assert_refuses(TypeError, ["axis"], choose, w, 8, axis=1.5)
    assert_refuses(ValueError, ["group_size", "0"], choose, w, 8, group_size=0)
    assert_refuses(ValueError, ["axis", "None"], choose, np.float32(1), 8, axis=0)
    assert_refuses(TypeError, ["dtype", "int32"], affine, w, np.int32)
    assert_refuses(TypeError, ["symmetric"], affine, w, np.int8, symmetric=1)
    assert_refuses(ValueError, ["block_size", "0"], affine, w, np.int8, block_size=0)
    assert_refuses(ValueError, ["method"], affine, w, np.int8, method=None)


def test_the_reference_shares_no_pass_with_the_core() -> None:
    assert reference.choose_format.__module__ == "secateur.reference.choosing"
    w = of_type("normal", 50, "float32")
    assert reference.choose_format(w, 8) == sc.choose_format(w, 8)
