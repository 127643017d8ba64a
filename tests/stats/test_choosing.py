"""choose_format and choose_affine, compared with all possible choices and between libraries."""

import math
from fractions import Fraction
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import Affine, FixedPoint
from support.arrays import DTYPES, LANES, NUMBERS, of_type
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import (
    elements_of_groups,
    ends,
    exact_integers,
    rounded,
    shape_of_parameters,
)
from support.quantizing import DETERMINISTIC
from support.refusals import assert_refuses

FINITE = [name for name in NUMBERS if "infinite" not in name and name != "every exponent"]
METHODS = ["max", "percentile", "mse"]

# csrc/stats/least_error_frac_bits.cpp starts the search in an array of at least MIN_SAMPLED elements
# with a sample of RUNS runs of RUN_LENGTH elements.
MIN_SAMPLED = 1 << 17
RUNS, RUN_LENGTH = 256, 64

# csrc/stats/least_error_scales.cpp searches a group of at least MIN_SAMPLED_AFFINE consecutive elements
# in a sample first.
MIN_SAMPLED_AFFINE = 1 << 22


def spread(n: int, dtype: str) -> np.ndarray:
    """Return finite numbers of every exponent."""
    w = of_type("every exponent", n, dtype)
    return np.where(np.isfinite(w), w, w.dtype.type(1))


def codes(w: np.ndarray, bits: int, frac_bits: int, signed: bool = True) -> list[tuple[int, int]]:
    """Return the rounded integers, before and after clipping."""
    low, high = ends(FixedPoint(bits, 0, signed))
    rounded = [round(Fraction(float(x)) * Fraction(2) ** frac_bits) for x in w.ravel()]
    return [(q, min(max(q, low), high)) for q in rounded]


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
    w[1] = -0.5  # rounds to 0
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
    for dtype, signed in subset([("float32", True), ("float16", True), ("float64", False)], 1):
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
        np.arange(n) % (n // RUNS) < RUN_LENGTH,
        0,
        of_type("normal", n, "float32"),
    ).astype(np.float32),
} | {name: lambda n, name=name: of_type(name, n, "float32") for name in FINITE}


@pytest.mark.parametrize("name", LARGE)
def test_mse_of_a_large_array_needs_no_luck(name: str) -> None:
    """The result is the same with a sample, without one, and by the exact sums.

    Several groups use no sample.
    """
    w = LARGE[name](MIN_SAMPLED + 5)
    for bits in subset((2, 4, 8, 16), 1):
        with_sample = frac_bits(sc, w, bits, method="mse")
        twice = sc.choose_format(np.stack([w, w]), bits, method="mse", axis=0)
        assert (twice.frac_bits == with_sample).all()
        x, range_ = w.astype(np.float64), ends(FixedPoint(bits))
        most = frac_bits(sc, w, bits)
        tried = range(most, min(256, most + 12) + 1)
        errors = []
        for p in tried if x.any() else ():
            codes = np.clip(np.rint(np.ldexp(x, p)), *range_)
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
                affine = lib.choose_affine(w, signed=False, method=method)
                found.append((lib.choose_format(w, 7, method=method), affine))
        assert found == [found[-1]] * len(found)


SHAPES = [(1, 5), (5, 1), (40, 70), (70, 40), (3, 5000), (700, 3), (6, 5, 17), (17, 9, 2), (2, 0)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_index_as_if_alone(lib, shape: tuple[int, ...], method: str) -> None:
    w = of_type("blocks of own scale", math.prod(shape), "float32").reshape(shape)
    for axis in range(-len(shape), len(shape)):
        fmt = lib.choose_format(w, 5, method=method, axis=axis)
        affine = lib.choose_affine(w, method=method, axis=axis)
        assert affine.axis == axis % len(shape)
        assert fmt.axis == axis % len(shape)
        assert affine.scale.dtype == np.float32
        for i, each in enumerate(np.moveaxis(w, axis, 0)):
            if i % 97 == 0:
                assert fmt.frac_bits[i] == frac_bits(lib, each, 5, method=method)
                alone = lib.choose_affine(each, method=method)
                assert (affine.scale[i], affine.zero_point[i]) == pair(alone)
        assert fmt.frac_bits.shape == affine.scale.shape == (shape[axis],)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [1, 3, 8, 64, 300])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_group_as_if_alone(lib, shape: tuple[int, ...], size: int, method: str) -> None:
    w = of_type("blocks of own scale", math.prod(shape), "float32").reshape(shape)
    for axis in range(len(shape)):
        fmt = lib.choose_format(w, 4, method=method, axis=axis, group_size=size)
        affine = lib.choose_affine(w, 4, signed=False, method=method, axis=axis, group_size=size)
        groups = -(-shape[axis] // size)
        assert (fmt.axis, fmt.group_size) == (affine.axis, affine.group_size) == (axis, size)
        assert lib.quantize(w, affine).shape == lib.quantize(w, fmt).shape == shape
        rows = np.moveaxis(w, axis, -1)
        found = np.moveaxis(fmt.frac_bits, axis, -1)
        scales = np.moveaxis(affine.scale, axis, -1)
        assert found.shape == scales.shape == (*rows.shape[:-1], groups)
        for place in list(np.ndindex(found.shape))[::211]:
            *row, j = place
            alone = rows[tuple(row)][j * size : (j + 1) * size]
            assert found[place] == frac_bits(lib, alone, 4, method=method)
            assert scales[place] == lib.choose_affine(alone, 4, signed=False, method=method).scale
    last = lib.choose_format(w, 4, group_size=size)
    assert last == lib.choose_format(w, 4, axis=-1, group_size=size)


OF_SEVERAL_AXES = [(3, 4), (4, 3, 5), (2, 3, 4, 5), (4, 1, 6), (1, 45, 1, 1), (3, 4, 1, 2), (1, 1, 1),
                   (0, 3, 2), (3, 0, 2), (9, 70)]  # fmt: skip
BLOCKS = [(1, 1), (2, 3), (1, 4), (3, 1), (100, 2), (2, 100)]


def several_axes(ndim: int) -> list[tuple[tuple[int, ...], Any]]:
    """Return any axes in any order, and any two axes with block sizes."""
    made: list[tuple[tuple[int, ...], Any]] = []
    for count in range(1, ndim + 1):
        made += [(axes, None) for axes in permutations(range(-ndim, 0), count)]
    return [*made, *product(permutations(range(ndim), 2), BLOCKS)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", OF_SEVERAL_AXES, ids=str)
def test_several_axes_and_blocks_as_if_alone(lib, shape: tuple[int, ...], method: str) -> None:
    w = of_type("blocks of own scale", math.prod(shape), "float32")
    how = {"method": method, "percentile": 80}
    for axis, size in subset(several_axes(len(shape)), 8, 48):
        layout = {"axis": axis, "group_size": size}
        fmt = lib.choose_format(w.reshape(shape), 5, **how, **layout)
        affine = lib.choose_affine(w.reshape(shape), 5, signed=False, **how, **layout)
        axes = sorted(along % len(shape) for along in axis)
        assert fmt.axis == affine.axis == (tuple(axes) if len(axes) > 1 else axes[0])
        sizes = size if size is None or axis[0] == axes[0] else size[::-1]
        assert fmt.group_size == affine.group_size == sizes
        lengths = shape_of_parameters(shape, **layout)
        assert fmt.frac_bits.shape == affine.scale.shape == affine.zero_point.shape == lengths
        for index, elements in subset(elements_of_groups(shape, **layout).items(), 8, 32):
            assert fmt.frac_bits[index] == frac_bits(lib, w[elements], 5, **how)
            alone = lib.choose_affine(w[elements], 5, signed=False, **how)
            assert (affine.scale[index], affine.zero_point[index]) == pair(alone)
        q = lib.quantize(w.reshape(shape), fmt)
        for index, elements in subset(elements_of_groups(shape, **layout).items(), 2, 8):
            one = FixedPoint(5, int(fmt.frac_bits[index]))
            assert q.ravel()[elements].tolist() == lib.quantize(w[elements], one).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_axes_is_free(lib, method: str) -> None:
    w = of_type("blocks of own scale", 3 * 4 * 70, "float32").reshape(3, 4, 70)
    for choose in (lib.choose_format, lib.choose_affine):
        for axes in (*combinations(range(3), 2), (0, 1, 2)):
            expected = choose(w, 6, method=method, axis=axes)
            for order in permutations(axes):
                assert choose(w, 6, method=method, axis=order) == expected
                negative = tuple(axis - 3 for axis in order)
                assert choose(w, 6, method=method, axis=negative) == expected
        for first, second in combinations(range(3), 2):
            expected = choose(w, 6, method=method, axis=(first, second), group_size=(2, 33))
            turned = choose(w, 6, method=method, axis=(second, first), group_size=(33, 2))
            assert turned == expected
            assert (turned.axis, turned.group_size) == ((first, second), (2, 33))
        one = choose(w, 6, method=method, axis=(-2,))
        assert one == choose(w, 6, method=method, axis=1)
        groups = choose(w, 6, method=method, axis=(0,), group_size=2)
        assert groups == choose(w, 6, method=method, axis=0, group_size=2)
        assert groups.axis == 0


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_and_layout_change_nothing(count: int) -> None:
    w = of_type("normal", 1 << 21, "float32")
    for how in ({}, {"axis": 0}, {"axis": 1}, {"group_size": 50}, {"axis": 0, "group_size": 50}):
        matrix = w.reshape(1024, 2048)
        expected = sc.choose_format(matrix, 5, method="mse", **how)
        with sc.threads(count):
            assert sc.choose_format(matrix, 5, method="mse", **how) == expected
            assert sc.choose_format(matrix.T.copy().T, 5, method="mse", **how) == expected
    cube = w.reshape(64, 32, 1024)
    for how in ({"axis": (0, 2)}, {"axis": (2, 0), "group_size": (100, 5)}):
        expected = sc.choose_format(cube, 5, method="mse", **how)
        with sc.threads(count):
            assert sc.choose_format(cube, 5, method="mse", **how) == expected
            assert sc.choose_format(cube.T.copy().T, 5, method="mse", **how) == expected


def test_negatives_that_an_unsigned_format_rounds_to_zero(lib) -> None:
    """They must round to 0 only with the frac_bits of "max". Other frac_bits saturate them at 0."""
    w = np.float32([100, -0.2, *[1] * 98])
    assert frac_bits(lib, w, 8, signed=False) == 1
    assert frac_bits(lib, w, 8, signed=False, method="percentile", percentile=50) == 7
    assert frac_bits(lib, w, 8, signed=False, method="mse") >= 1
    tiny = np.float32([-1e-30, 0, -1e-40])
    for method in METHODS:
        assert frac_bits(lib, tiny, 8, method=method, signed=False) == 8
        two = lib.choose_format(
            np.stack([tiny, [0, 3, -1e-9]]), 8, axis=0, method=method, signed=False
        )
        assert two.frac_bits.tolist() == [8, 6]


def test_nothing_and_zeros(lib) -> None:
    for method in METHODS:
        for w in (np.float32([]), np.zeros(3, np.float32), np.float16([-0.0]), np.float64(0)):
            assert frac_bits(lib, w, 8, method=method) == 7
            assert frac_bits(lib, w, 8, method=method, signed=False) == 8
            assert lib.choose_affine(w, method=method) == Affine(1)
            unsigned = {"signed": False, "method": method}
            assert lib.choose_affine(w, **unsigned) == Affine(1, signed=False)
            assert pair(lib.choose_affine(w, **unsigned, symmetric=True)) == (1, 128)
        w = np.zeros((2, 3), np.float32)
        w[1] = 1
        assert lib.choose_format(w, 8, method=method, axis=0).frac_bits.tolist() == [7, 6]


@pytest.mark.parametrize("method", METHODS)
def test_frac_bits_end_at_256(lib, method: str) -> None:
    for power, expected in ((-400, 256), (-248, 255), (262, -255), (264, -256)):
        w = np.float64([-(2.0**power)])  # the integer -128, except at the limits of frac_bits
        assert frac_bits(lib, w, 8, method=method) == expected


# --- affine ---------------------------------------------------------------------------------

KINDS = [*product((2, 3, 4, 8, 13, 16), (True, False))]
kinds = pytest.mark.parametrize(("bits", "signed"), KINDS)


def pair(fmt: Affine) -> tuple[Any, Any]:
    return fmt.scale, fmt.zero_point


def integers(bits: int, signed: bool) -> tuple[int, int]:
    return ends(FixedPoint(bits, 0, signed))


@kinds
@pytest.mark.parametrize("symmetric", [True, False])
def test_affine_holds_the_range(lib, bits: int, signed: bool, symmetric: bool) -> None:
    low, high = integers(bits, signed)
    pairs = [[-1, 3], [1, 3], [-3, -1], [1e-45, 0], [3e38, -3e38], [0.1, -1e-9]]
    for w in np.float32(pairs):
        fmt = lib.choose_affine(w, bits, signed=signed, symmetric=symmetric)
        assert (fmt.bits, fmt.signed, fmt.qmin, fmt.qmax) == (bits, signed, low, high)
        assert (type(fmt.scale), type(fmt.zero_point)) == (float, int)
        scale, zero_point = pair(fmt)
        assert scale == np.float32(scale) >= np.finfo(np.float32).tiny
        assert low <= zero_point <= high
        if symmetric:
            assert zero_point == (0 if low < 0 else (high + 1) // 2)
        codes = np.rint(w / np.float32(scale)) + zero_point
        assert low <= codes.min() <= codes.max() <= high
        if symmetric:
            assert scale == pytest.approx(max(np.abs(w).max() / (high - zero_point), 2**-126))
        elif scale > 2**-126:
            span = float(max(w.max(), 0)) - float(min(w.min(), 0))
            assert scale == pytest.approx(span / (high - low), rel=1e-6)


def test_affine_of_float64_is_float64(lib) -> None:
    w = np.float64([0, 1])
    assert lib.choose_affine(w).scale == 1 / 255
    assert lib.choose_affine(w, axis=0).scale.dtype == np.float64
    assert lib.choose_affine(w.astype(np.float16)).scale == np.float32(1 / 255)


def test_affine_percentile_clips_both_tails(lib) -> None:
    w = np.float32([*range(-50, 0), *range(100), 1000, -2000])
    how = {"method": "percentile", "percentile": 98}
    most = np.sort(np.abs(w))[math.ceil(len(w) * 98 / 100) - 1]
    expected = lib.choose_affine(np.clip(w, -most, most))
    assert lib.choose_affine(w, **how) == expected


@kinds
@pytest.mark.parametrize("method", METHODS)
def test_affine_by_hand(lib, bits: int, signed: bool, method: str) -> None:
    """Data that are all values of a format, from end to end, get that format."""
    low, high = integers(bits, signed)
    w = 0.25 * np.arange(low - low // 2, high - low // 2 + 1, dtype=np.float64)
    how = {"method": method, "percentile": 100}
    assert pair(lib.choose_affine(w, bits, signed=signed, **how)) == (0.25, low // 2)
    middle = 0 if low < 0 else (high + 1) // 2
    w = 0.25 * np.arange(middle - high, high - middle + 1, dtype=np.float64)
    how |= {"signed": signed, "symmetric": True}
    assert pair(lib.choose_affine(w, bits, **how)) == (0.25, middle)


SEARCHED = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, n),
    "Laplace": lambda rng, n: rng.laplace(size=n),
    "heavy-tailed": lambda rng, n: rng.standard_t(3, n),
    "sparse": lambda rng, n: rng.standard_normal(n) * (rng.random(n) < 0.1),
    "skewed": lambda rng, n: rng.gamma(1.5, size=n) - 0.3,
}


def errors_of_scales(w: np.ndarray, fmt: Affine, scales: np.ndarray, rounding: str) -> np.ndarray:
    """Return the sums of squared errors of a group with each of some scales.

    Quotients are rounded to the type of `w`, as quantize does, and all else is computed in float64.
    """
    scales = scales.astype(w.dtype).astype(np.float64)
    y = (w / scales[:, np.newaxis]).astype(w.dtype).astype(np.float64)
    q = np.clip(y, fmt.qmin - fmt.zero_point, fmt.qmax - fmt.zero_point)
    away = np.copysign(np.ceil(np.abs(q)), q)
    by_mode = {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "away": lambda _: away}
    q = by_mode.get(rounding, np.rint)(q)
    return np.square((y - q) * scales[:, np.newaxis]).sum(axis=1)


@pytest.mark.parametrize(
    "rounding", ["nearest_even", "nearest_up", "floor", "ceil", "trunc", "away"]
)
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", SEARCHED)
def test_affine_mse_is_near_the_least_of_200(
    lib, name: str, bits: int, symmetric: bool, rounding: str
) -> None:
    """The errors are within 1 % of those of the best among scale * i / 200, in all groups together."""
    ratios = np.arange(1, 201) / 200
    how = {"symmetric": symmetric, "rounding": rounding}
    for count, n in ((1, 6000), (20, 200), (80, 32)):
        w = SEARCHED[name](np.random.default_rng(n), count * n).astype(np.float32).reshape(count, n)
        largest = lib.choose_affine(w, bits, axis=0, **how)
        chosen = lib.choose_affine(w, bits, axis=0, method="mse", **how)
        assert (chosen.zero_point == largest.zero_point).all()
        found = least = 0.0
        for row, scale, most, zero in zip(
            w, chosen.scale, largest.scale, chosen.zero_point, strict=True
        ):
            fmt = Affine(float(scale), int(zero), bits=bits)
            mine, first = errors_of_scales(row, fmt, np.float64([scale, most]), rounding)
            assert mine <= first * (1 + 1e-6)
            found += mine
            least += errors_of_scales(row, fmt, ratios * float(most), rounding).min()
        assert found <= 1.01 * least


def with_missed_outliers(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return normal numbers and 20 large ones, of which a sample has a few at most."""
    w = rng.standard_normal(n)
    w[rng.choice(n, 20, replace=False)] = 1000
    return w


LARGE_AFFINE = SEARCHED | {
    "missed outliers": with_missed_outliers,
    "zeros": lambda _, n: np.zeros(n),
}


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("name", LARGE_AFFINE)
def test_affine_mse_of_a_large_array_is_near_the_least_of_200(
    name: str, bits: int, symmetric: bool
) -> None:
    """Also where the sample misleads, and all elements are searched."""
    rng = np.random.default_rng(7)
    w = LARGE_AFFINE[name](rng, MIN_SAMPLED_AFFINE + 5).astype(np.float32)
    largest = sc.choose_affine(w, bits, symmetric=symmetric)
    chosen = sc.choose_affine(w, bits, symmetric=symmetric, method="mse")
    assert chosen.zero_point == largest.zero_point

    def error(scale: float) -> float:
        fmt = Affine(float(np.float32(scale)), largest.zero_point, bits=bits)
        return float(sc.compare(w, sc.fake_quantize(w, fmt)).mse)

    least = min(error(largest.scale * i / 200) for i in subset(tuple(range(1, 201)), 50))
    assert error(chosen.scale) <= min(1.01 * least, error(largest.scale))


@pytest.mark.parametrize("n", [MIN_SAMPLED_AFFINE - 1, MIN_SAMPLED_AFFINE])
@pytest.mark.parametrize("name", ["normal", "missed outliers"])
def test_affine_mse_with_and_without_a_sample_in_every_library(name: str, n: int) -> None:
    w = LARGE_AFFINE[name](np.random.default_rng(7), n).astype(np.float32)
    found = []
    for each in LIBRARIES:
        with library(each) as lib:
            found.append(lib.choose_affine(w, 4, symmetric=True, method="mse"))
    for count in (1, 3):
        with sc.threads(count):
            found.append(sc.choose_affine(w, 4, symmetric=True, method="mse"))
    rows = sc.choose_affine(np.stack([w, w]), 4, symmetric=True, method="mse", axis=0)
    assert found == [found[0]] * len(found)
    assert (rows.scale == found[0].scale).all()


# Around the ends of segments, and of the groups that are searched in larger strides.
ENDS_OF_SEGMENTS = [255, 256, 257, 513, 4095, 4096, 4097, 4609, (1 << 16) - 1, 1 << 16]


@pytest.mark.parametrize("rounding", ["nearest_even", "trunc"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", ENDS_OF_SEGMENTS)
def test_affine_mse_of_groups_around_the_ends_of_segments(
    n: int, dtype: str, rounding: str
) -> None:
    """Also of rows, of columns, and of magnitudes whose errors are computed in float64."""
    w = np.stack([of_type("normal", n, "float64") * 2.0**power for power in (0, 3, -90, 110)])
    w = w.astype(DTYPES[dtype]) if dtype != "float16" else w[:2].astype(np.float16)
    for bits in (4, 6):
        found = []
        for each in LIBRARIES:
            with library(each) as lib:
                how = {"method": "mse", "rounding": rounding}
                rows = lib.choose_affine(w, bits, axis=0, **how)
                columns = lib.choose_affine(np.ascontiguousarray(w.T), bits, axis=1, **how)
                found.append((rows, columns))
        assert found == [found[0]] * len(found)


def test_affine_mse_of_values_that_a_format_has_is_exact(lib) -> None:
    """Of steps without error the largest is chosen."""
    for dtype in DTYPES.values():
        for power in (-10, 0, 10) if dtype == np.float16 else (-120, -1, 0, 50, 120):
            w = np.array([-(2.0**power), 0], dtype)
            chosen = lib.choose_affine(w, 2, symmetric=True, method="mse")
            assert chosen == Affine(2.0**power, bits=2)


def near_ends(bits: int, signed: bool, dtype: np.dtype) -> list[np.ndarray]:
    """Return pairs of numbers near the ends of the range, which some modes round out of it."""
    low, high = ends(FixedPoint(bits, 0, signed))
    lows = [low - 1, low - 0.5, low, 0] if signed else [0]
    pairs = product(lows, [high + 1, high + 0.5, high, 0.75])
    with np.errstate(all="ignore"):
        found = [np.float64(pair_).astype(dtype) for pair_ in pairs]
        found += [np.nextafter(w, dtype.type(to)) for w in found[:4] for to in (-9e4, 9e4)]
    return [w for w in found if signed or w.min() >= 0]


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_overflows_under_the_rounding(lib, dtype: str, signed: bool, rounding: str) -> None:
    """`frac_bits` is the most with which nothing does, and wrapping moves nothing."""
    how = {"signed": signed, "rounding": rounding}
    for bits in (2, 8):
        low, high = ends(FixedPoint(bits, 0, signed))
        for w in near_ends(bits, signed, DTYPES[dtype]):
            chosen = frac_bits(lib, w, bits, **how)
            for more, fits in ((0, True), (1, False)):
                scaled = [Fraction(float(x)) * Fraction(2) ** (chosen + more) for x in w]
                codes = [rounded(x, rounding, None, 0) for x in scaled]
                assert all(low <= q <= high for q in codes) == fits
            for symmetric in (True, False):
                fmt = lib.choose_affine(w, bits, symmetric=symmetric, **how)
                codes = [q + fmt.zero_point for q in exact_integers(w, fmt, rounding)]
                assert all(low <= q <= high for q in codes)
                nearest = lib.choose_affine(w, bits, symmetric=symmetric, signed=signed)
                lost = high - low if rounding == "away" and not symmetric else 0
                most = nearest.scale * (1 + 1e-6) * (lost / (lost - 1) if lost else 1)
                assert nearest.scale * (1 - 1e-6) <= fmt.scale <= most


def test_signs_stay_under_floor_and_wrap(lib) -> None:
    w = np.float32([127.4, -128.4])
    options = {"rounding": "floor", "overflow": "wrap"}
    for fmt in (
        lib.choose_format(w, 8, rounding="floor"),
        lib.choose_affine(w, 8, rounding="floor"),
        lib.choose_affine(w, 8, rounding="floor", symmetric=True),
    ):
        assert (np.sign(lib.fake_quantize(w, fmt, **options)) == [1, -1]).all()
    assert lib.quantize(w, lib.choose_format(w, 8), **options)[1] > 0


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_unsigned_and_negatives_that_round_to_zero(lib, rounding: str) -> None:
    """A negative element is refused unless it is rounded to 0."""
    for x in (-0.25, -0.5, -0.75, -1.0, -1e-30):
        w = np.float32([200, x])
        becomes_0 = rounded(Fraction(x), rounding, None, 0) == 0
        if becomes_0:
            assert frac_bits(lib, w, 8, signed=False, rounding=rounding) == 0
        else:
            words = ["w must be at least 0 for an unsigned format"]
            how = {"signed": False, "rounding": rounding}
            assert_refuses(ValueError, words, lib.choose_format, w, 8, **how)


@pytest.mark.parametrize("axis", [(0, 1), (1, 0), (0, 2), (1, 2)])
def test_the_negative_in_the_message_is_one_that_is_refused(lib: Any, axis: Any) -> None:
    """It is not one that only the range of another group would refuse."""
    w = np.zeros((2, 2, 2))
    in_order = np.moveaxis(w, axis, (1, 2))
    in_order[0, 0, 0] = -(2.0**-10)  # rounds to 0 in its group, which has no positive element
    in_order[1, 1] = [2.0**-10, -(2.0**-11)]
    words = ["w must be at least 0 for an unsigned format", "got -0.00048828125"]
    how: Any = {"signed": False, "axis": axis, "group_size": (1, 2)}
    assert_refuses(ValueError, words, lib.choose_format, w, 8, **how)


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("bits", [2, 5, 8])
def test_mse_under_a_rounding_is_the_least_of_all(lib, bits: int, rounding: str) -> None:
    low, high = ends(FixedPoint(bits))
    for name in subset(FINITE, 4):
        w = of_type(name, 30, "float32")
        if not w.any():
            continue
        most = frac_bits(lib, w, bits, rounding=rounding)
        errors = {}
        for p in range(max(most - 2, -256), min(most + bits + 8, 256) + 1):
            scaled = [Fraction(float(x)) * Fraction(2) ** p for x in w]
            codes = [min(max(rounded(x, rounding, None, 0), low), high) for x in scaled]
            sums = (((x - q) / Fraction(2) ** p) ** 2 for x, q in zip(scaled, codes, strict=True))
            errors[p] = sum(sums, Fraction(0))
        chosen = frac_bits(lib, w, bits, method="mse", rounding=rounding)
        assert float(errors[chosen]) == pytest.approx(float(min(errors.values())), rel=1e-12)


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_mse_under_a_rounding_with_and_without_a_sample(rounding: str) -> None:
    w = of_type("normal", MIN_SAMPLED + 5, "float32")
    for bits in subset((2, 4, 8), 2):
        with_sample = frac_bits(sc, w, bits, method="mse", rounding=rounding)
        twice = sc.choose_format(np.stack([w, w]), bits, method="mse", axis=0, rounding=rounding)
        assert (twice.frac_bits == with_sample).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_library_says_the_same_under_a_rounding(
    dtype: str, rounding: str, method: str
) -> None:
    for n in (*subset(LANES[1:], 4), 5000):
        w = of_type("normal", n, dtype)
        found = []
        for name in (*sc.isas(), "reference"):
            with library(name) as lib:
                how = {"method": method, "rounding": rounding}
                unsigned = lib.choose_affine(w, 3, signed=False, **how)
                found.append(
                    (lib.choose_format(w, 4, **how), unsigned, lib.choose_affine(w, **how))
                )
        assert found == [found[-1]] * len(found)


def test_affine_mse_leaves_an_outlier_out(lib) -> None:
    """Clipping the outlier gives a smaller squared error than a range that includes it."""
    w = np.resize(np.float32([-1, 1]), 1 << 18)
    w[1000] = 2.0**8
    assert lib.choose_affine(w, 2, symmetric=True, method="mse") == Affine(1, bits=2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_affine_of_any_magnitude(lib, method: str, symmetric: bool) -> None:
    """float64 represents all elements and steps, but their squares overflow or underflow."""
    w = of_type("normal", 200, "float64")
    how = {"method": method, "percentile": 95, "symmetric": symmetric}
    w[0] = 100
    for bits, signed in ((8, False), (2, True)):
        scale, zero_point = pair(lib.choose_affine(w, bits, signed=signed, **how))
        for power in (-1000, -600, 600, 1000):
            moved = lib.choose_affine(np.ldexp(w, power), bits, signed=signed, **how)
            assert pair(moved) == (math.ldexp(scale, power), zero_point)


def test_mse_of_elements_beyond_all_ranges_but_one(lib) -> None:
    """The distance of one element to the range is nearly all of the error."""
    for power in (318, 500):
        w = np.array([2.0**power, 1, 1, 1, 1, 1])
        assert lib.choose_format(w, 8, method="mse").frac_bits == -256


@pytest.mark.parametrize("power", [266, 318, 400, 760, 1000, -1000])
@pytest.mark.parametrize("n", [1, 7, 2**17 - 1, 2**17, 2**17 + 65])
def test_mse_of_large_arrays_of_any_magnitude(lib, n: int, power: int) -> None:
    """frac_bits ends at -256 and 256, and larger arrays are searched by a sample first."""
    fmt = lib.choose_format(np.full(n, math.ldexp(1, power)), 8, method="mse")
    assert fmt.frac_bits == (-256 if power > 0 else 256)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_affine_mse_is_no_worse_than_max(lib, dtype: str, symmetric: bool) -> None:
    rng = np.random.default_rng(8)
    reach = 25 if dtype == "float32" else 280
    for _ in range(60):
        w = rng.standard_normal(40) * 10.0 ** rng.integers(-reach, reach)
        w = (w * rng.choice([1, 1e-3, 30], 40)).astype(dtype)
        for bits in (2, 4, 8):
            errors = []
            for method in ("max", "mse"):
                fmt = lib.choose_affine(w, bits, method=method, symmetric=symmetric)
                w_hat = lib.fake_quantize(w, fmt)
                errors.append(
                    sum(
                        (Fraction(a) - Fraction(b)) ** 2
                        for a, b in zip(w.tolist(), w_hat.tolist(), strict=True)
                    )
                )
            assert errors[1] <= errors[0] * (1 + Fraction(1, 10**9))


def test_affine_of_what_no_normal_step_divides(lib) -> None:
    for dtype, least in (("float64", 2.0**-1074), ("float32", 2.0**-149)):
        for symmetric in (True, False):
            w = np.array([least, 0], dtype)
            for method in METHODS:
                how = {"signed": False, "method": method, "symmetric": symmetric}
                assert pair(lib.choose_affine(w, **how)) == (
                    np.finfo(dtype).tiny,
                    128 if symmetric else 0,
                )


def test_affine_mse_tries_the_least_normal_step(lib) -> None:
    """The last step tried is the smallest normal number, also if the next one would be less."""
    for dtype, tiny in (("float32", 2.0**-126), ("bfloat16", 2.0**-126), ("float64", 2.0**-1022)):
        w = (tiny * np.float64([-1] * 1000 + [-1.3])).astype(DTYPES[dtype])
        assert lib.choose_affine(w, 2, symmetric=True, method="mse") == Affine(tiny, bits=2)


def mixed(seed: int, dtype: str) -> np.ndarray:
    """Return rows of few values, for which many steps are equally good.

    Some rows are far larger or smaller than the others.
    """
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.integers(-2, 3, (40, 3)), np.tile([-1, 0, 0], (40, 1))])
    rows = np.ldexp(rows * rng.random((80, 1)), rng.integers(-9, 9, (80, 1)))
    if dtype != "float16":
        rows[::8] = np.abs(rows[::8]) * 2.0 ** rng.choice([-112, 112], (10, 1))
    return rows.astype(DTYPES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_groups_do_not_decide_for_each_other(dtype: str) -> None:
    """The choice for a group does not depend on other groups, and is the same in each library."""
    for seed, (bits, signed) in enumerate(((2, True), (2, False), (8, True))):
        w = mixed(seed, dtype)
        for symmetric in (True, False):
            how = {"bits": bits, "signed": signed, "method": "mse", "symmetric": symmetric}
            with library("reference") as lib:
                alone = [pair(lib.choose_affine(row, **how)) for row in w]
                formats = [frac_bits(lib, row, 3, method="mse") for row in w]
            for name in LIBRARIES:
                with library(name) as lib:
                    together = map(np.ndarray.tolist, pair(lib.choose_affine(w, axis=0, **how)))
                    assert [*zip(*together, strict=True)] == alone
                    assert [pair(lib.choose_affine(row, **how)) for row in w] == alone
                    fmt = lib.choose_format(w, 3, method="mse", axis=0)
                    assert fmt.frac_bits.tolist() == formats


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_must_be_finite(lib, dtype: str) -> None:
    for n in (5, MIN_SAMPLED + 3):
        w = np.ones(n, DTYPES[dtype])
        w[[3, n - 1]] = np.nan, -np.inf
        for method in METHODS:
            words = ["w has 2 elements", "NaN or infinite", "flat index 3"]
            assert_refuses(ValueError, words, lib.choose_format, w, 8, method=method)
            assert_refuses(ValueError, words, lib.choose_affine, w, method=method)
            matrix = w.reshape(1, -1)
            for how in ({"axis": 0}, {"axis": 1, "method": method}):
                assert_refuses(ValueError, words, lib.choose_format, matrix, 8, **how)


@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
def test_the_ends_of_float64_are_no_warning(lib, method: str) -> None:
    """No floating-point error is raised, even if the caller enables them in NumPy."""
    w = np.float64([-1.7e308, 1.7e308, 5e-324, 0])
    with np.errstate(all="raise"):
        lib.choose_format(w, 8, method=method)
        lib.choose_affine(w, method=method)
        lib.choose_affine(w[2:], signed=False, method=method)
        with pytest.raises(ValueError, match="w must be at least 0 for an unsigned format"):
            lib.choose_format(w, 8, signed=False, method=method)


def test_refusals(lib) -> None:
    w = np.ones((2, 3), np.float32)
    choose, affine = lib.choose_format, lib.choose_affine
    assert_refuses(TypeError, ["w must be", "int64"], choose, np.arange(3), 8)
    assert_refuses(TypeError, ["w must be", "masked"], choose, np.ma.array(w), 8)
    large = np.ma.array(np.ones(MIN_SAMPLED, np.float32))
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
    assert_refuses(ValueError, ["axis", "None"], choose, np.float32(1), 8, axis=(0,))
    for call in (choose, affine):
        assert_refuses(ValueError, ["axis[1]", "from -2 to 1", "2"], call, w, 8, axis=(0, 2))
        assert_refuses(ValueError, ["axis", "different", "(1, -1)"], call, w, 8, axis=(1, -1))
        assert_refuses(ValueError, ["axis", "at least one", "()"], call, w, 8, axis=())
        assert_refuses(TypeError, ["axis[0]", "0.5"], call, w, 8, axis=(0.5, 1))
        assert_refuses(TypeError, ["axis", "[0, 1]"], call, w, 8, axis=[0, 1])
        for axes, size in (((0, 1), 2), ((0,), (1, 2)), (1, (1, 2)), ((0, 0), (1, 2))):
            assert_refuses(ValueError, ["axis", axes], call, w, 8, axis=axes, group_size=size)
    for bits in (1, 17, 32):
        assert_refuses(ValueError, ["bits", "from 2 to 16", bits], affine, w, bits)
    assert_refuses(TypeError, ["bits", "int8"], affine, w, np.int8)
    assert_refuses(TypeError, ["signed", "1"], affine, w, signed=1)
    assert_refuses(TypeError, ["symmetric"], affine, w, symmetric=1)
    assert_refuses(ValueError, ["group_size", "0"], affine, w, group_size=0)
    assert_refuses(ValueError, ["method"], affine, w, method=None)
    for call in (choose, affine):
        assert_refuses(ValueError, ["rounding", "'floor'", "'up'"], call, w, 8, rounding="up")
        words = [
            "rounding must be deterministic",
            "choose with 'away' for 'stochastic'",
            "'stochastic'",
        ]
        assert_refuses(ValueError, words, call, w, 8, rounding="stochastic")


class Turning:
    """An integer whose value changes each time it is read."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def __index__(self) -> int:
        return self.numbers.pop(0) if len(self.numbers) > 1 else self.numbers[0]


def test_arguments_are_converted_once() -> None:
    w = np.float32([[1.5, 3, 0.25, 7]])
    for choose in (sc.choose_format, sc.choose_affine):
        assert choose(w, Turning(4, 8)) == choose(w, 4)
        assert choose(w, 4, group_size=Turning(2, 3)) == choose(w, 4, group_size=2)
        twice = choose(w, 4, group_size=(Turning(1, 3), Turning(2, 3)))
        assert twice == choose(w, 4, group_size=(1, 2))
        assert choose(w, 4, axis=Turning(1, 0)) == choose(w, 4, axis=1)
        assert choose(w, 4, axis=(Turning(1, 0),)) == choose(w, 4, axis=1)


def test_a_tuple_with_an_index_of_its_own(lib) -> None:
    class Hidden(tuple):
        def __getitem__(self, index: Any) -> Any:
            raise IndexError(index)

    w = np.float32([[1.5, 3], [0.25, 7]])
    assert sc.choose_format(w, 4, axis=Hidden((0, 1))) == lib.choose_format(w, 4, axis=(0, 1))


def test_an_array_of_no_dimensions_has_no_groups() -> None:
    for size, words in ((2, ["group_size must be None", "2"]), ((2, 2), ["two axes", "(2, 2)"])):
        assert_refuses(ValueError, words, sc.choose_format, np.float32(3), 8, group_size=size)


TINY = [-1e-14, -1e-17, -1e-20, -1e-45, -5e-324]


@pytest.mark.parametrize("rounding", ["floor", "ceil", "trunc", "away", "nearest_even"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_an_end_that_is_tiny_beside_the_other(
    lib: Any, bits: int, dtype: str, rounding: str
) -> None:
    """Its quotient by the scale may be lost in sums, and may underflow."""
    for tiny, signed, sign in product(TINY, [True, False], [1, -1]):
        w = np.array([tiny, 1.0], dtype) * sign
        if not w.all():
            continue
        how: Any = {"signed": signed, "rounding": rounding}
        fmt = lib.choose_affine(w, bits, **how)
        least, most = 1 / (2**bits - 1), 1 / (2**bits - 2)  # "away" has a step less
        assert 0.99 * least < fmt.scale < 1.01 * most
        sc.quantize(w, fmt, rounding=rounding, overflow="raise")


@pytest.mark.parametrize("rounding", ["floor", "away", "trunc", "nearest_even"])
def test_a_negative_that_underflows_in_steps(lib: Any, rounding: str) -> None:
    """It is still rounded away from 0 by the modes that do so, and then it is no unsigned integer."""
    w = np.array([1e10, -5e-324])
    if rounding in ("floor", "away"):
        with pytest.raises(ValueError, match=r"^w must be at least 0 for an unsigned format"):
            lib.choose_format(w, 8, signed=False, rounding=rounding)
    else:
        fmt = lib.choose_format(w, 8, signed=False, rounding=rounding)
        sc.quantize(w, fmt, rounding=rounding, overflow="raise")


@pytest.mark.parametrize("columns", [63, 64, 65, 1023, 1024, 1025, 2050])
@pytest.mark.parametrize("dtype", DTYPES)
def test_groups_down_columns(lib_on_threads: Any, dtype: str, columns: int) -> None:
    """The same groups as those of rows, around the sizes at which columns are read row by row."""
    for rows, group_size in ((7, 3), (32, 32), (70, 32), (1030, 1024), (1030, 1025)):
        w = spread(rows * columns, dtype).reshape(rows, columns)
        down = lib_on_threads.choose_affine(w, axis=0, group_size=group_size)
        along = lib_on_threads.choose_affine(w.T.copy(), axis=1, group_size=group_size)
        assert np.array_equal(down.scale, along.scale.T)
        assert np.array_equal(down.zero_point, along.zero_point.T)
    w[3, columns - 1] = np.nan
    assert_refuses(ValueError, ["NaN"], lib_on_threads.choose_affine, w, axis=0, group_size=32)
