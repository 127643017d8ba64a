"""compare: sums against exact fractions, the same bits on every ISA, NaN, empty arrays, saturation."""

import math
from fractions import Fraction
from functools import cache
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import Affine, FixedPoint, reference
from support.arrays import DTYPES, LANES, LARGE, SHARED, VALUES, of_type
from support.grids import subset
from support.isas import on_every_isa
from support.oracles import (
    assert_same_bits,
    elements_of_groups,
    ends,
    ends_of_width,
    exact_codes,
    exact_integers,
    rounded,
    shape_of_parameters,
    zero_points_of,
)
from support.quantizing import DETERMINISTIC
from support.refusals import assert_refuses

ROUNDING = 2.0**-53


def stats_of(library, *given, **how) -> np.ndarray:
    """Return the first four statistics of each group, stacked."""
    return np.stack([np.atleast_1d(x) for x in library.compare(*given, **how)[:4]])


def exact_sums(w: np.ndarray, w_hat: np.ndarray) -> tuple[Fraction, ...]:
    x, y = ([Fraction(float(v)) for v in array.ravel()] for array in (w, w_hat))
    pairs = list(zip(x, y, strict=True))
    error = sum(((a - b) ** 2 for a, b in pairs), Fraction(0))
    return error, sum(a * a for a in x), sum(b * b for b in y), sum(a * b for a, b in pairs)


@pytest.mark.parametrize(("left", "right"), list(product(DTYPES, DTYPES)))
def test_sums_are_within_the_bound(left: str, right: str) -> None:
    w = of_type("normal", 5000, left)
    w_hat = (w.astype(np.float64) + 0.01).astype(DTYPES[right])
    error, of_w, of_w_hat, products = exact_sums(w, w_hat)
    stats = sc.compare(w, w_hat)
    bound = (514 + 2 + 4) * ROUNDING
    assert stats.mse == pytest.approx(float(error / w.size), rel=bound)
    assert stats.sqnr_db == pytest.approx(10 * math.log10(of_w / error), rel=1e-12)
    cosine = float(products) / math.sqrt(of_w) / math.sqrt(of_w_hat)
    assert stats.cosine == pytest.approx(cosine, rel=1e-12)
    differences = w.astype(np.float64) - w_hat.astype(np.float64)
    assert stats.max_abs == np.abs(differences).max()
    assert stats.saturated is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [*LANES, 4095, 4096, 4097, 16385, SHARED[1], LARGE])
def test_same_bits_as_the_reference(n: int, dtype: str) -> None:
    w, other = of_type("normal", n, dtype), of_type("coarse grid", n, "float32")
    for pair in ((w, other), (other, w)):
        expected = stats_of(reference, *pair)
        assert_same_bits(on_every_isa(lambda pair=pair: stats_of(sc, *pair)), expected)


SHAPES = [(1, 1), (7, 1), (1, 7), (600, 5), (5, 600), (257, 65), (3, 5000), (5000, 3), (2, 3, 4)]
SHAPES += [(300, 4, 9), (9, 4, 300), (3, 2, 70_000), (2, 300_000), (300_000, 2), (4, 0, 3), (0, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_axis(shape: tuple[int, ...]) -> None:
    n = math.prod(shape)
    w = of_type("normal", n, "float32").reshape(shape)
    w_hat = of_type("coarse grid", n, "bfloat16").reshape(shape)
    for axis in subset(range(-len(shape), len(shape)), 2):
        frac_bits = np.arange(shape[axis]) % 7
        how = {"axis": axis}
        if len(frac_bits):
            how["fmt"] = FixedPoint(4, frac_bits, axis=axis)
        expected = reference.compare(w, w_hat, **how)
        found = on_every_isa(lambda how=how: np.stack(sc.compare(w, w_hat, **how)[:4]))
        assert_same_bits(found, np.stack(expected[:4]))
        if len(frac_bits):
            np.testing.assert_array_equal(sc.compare(w, w_hat, **how).saturated, expected.saturated)
        slices = np.moveaxis(w, axis, 0), np.moveaxis(w_hat, axis, 0)
        for i in range(0, shape[axis], 97):
            alone = sc.compare(slices[0][i], slices[1][i])
            assert expected.mse[i] == pytest.approx(alone.mse, rel=1e-12)
            assert expected.max_abs[i] == alone.max_abs


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_alignment_and_layout_change_nothing(count: int) -> None:
    w, w_hat = of_type("normal", LARGE, "float32"), of_type("coarse grid", LARGE, "float32")
    expected = sc.compare(w, w_hat)
    with sc.threads(count):
        assert sc.compare(w, w_hat) == expected
        buffer = np.empty(LARGE + 3, np.float32)
        for begin in range(4):
            buffer[begin : begin + LARGE] = w
            assert sc.compare(buffer[begin : begin + LARGE], w_hat) == expected
        assert sc.compare(w[::-1][::-1], np.repeat(w_hat, 2)[::2]) == expected
        matrix = w[: 1 << 20].reshape(1024, 1024)
        for axis in (0, 1):
            stats = sc.compare(matrix, matrix.T, axis=axis)
            assert_same_bits(stats.mse, reference.compare(matrix, matrix.T, axis=axis).mse)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_strange_values(name: str, dtype: str) -> None:
    w, w_hat = of_type(name, 999, dtype), of_type("normal", 999, "float32")
    for pair in ((w, w_hat), (w_hat, w), (w, w)):
        expected = stats_of(reference, *pair)
        assert_same_bits(on_every_isa(lambda pair=pair: stats_of(sc, *pair)), expected)


def test_what_is_decided(lib) -> None:
    nothing, zeros, ones = np.float32([]), np.zeros(3, np.float32), np.ones(3, np.float32)
    assert lib.compare(nothing, nothing) == (0, 0, np.inf, 1, None)
    assert lib.compare(zeros, zeros) == (0, 0, np.inf, 1, None)
    assert lib.compare(zeros, ones) == (1, 1, -np.inf, 0, None)
    assert lib.compare(ones, zeros) == (1, 1, 0, 0, None)
    assert lib.compare(ones, -ones) == (4, 2, pytest.approx(-6.0206, abs=1e-4), -1, None)
    assert np.isnan(lib.compare(np.float32([1, np.nan]), np.float32([1, 1]))[:4]).all()
    assert np.isnan(lib.compare(np.float32([0, 0]), np.float32([np.nan, 1]))[:4]).tolist() == [
        True, True, True, True,
    ]  # fmt: skip
    infinite = lib.compare(np.float32([1, np.inf]), np.float32([1, 1]))
    assert infinite[:2] == (np.inf, np.inf)
    assert np.isnan(infinite.cosine)
    both = np.float32([-np.inf])
    assert np.isnan(lib.compare(both, both).mse)


def test_equal_arrays_have_a_cosine_of_one(lib) -> None:
    for name in ("normal", "subnormals", "two-valued"):
        w = of_type(name, 1001, "float32")
        assert lib.compare(w, w)[:4] == (0, 0, np.inf, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("signed", [True, False])
def test_saturated(lib, dtype: str, signed: bool, rounding: str) -> None:
    """The elements are around both ends of the range, and of every exponent. NaN do not count."""
    for bits, frac_bits in ((8, 5), (2, 0), (4, -3), (8, 256), (16, -256), (32, 1)):
        fmt = FixedPoint(bits, frac_bits, signed)
        ends = [Fraction(q) + Fraction(half, 2) for q in (fmt.min, fmt.max) for half in (-1, 0, 1)]
        with np.errstate(all="ignore"):
            near = np.float64([float(e) for e in ends]) * fmt.resolution
            near = near.astype(DTYPES[dtype])
            w = np.concatenate([near, np.nextafter(near, near.dtype.type(9)),
                                np.nextafter(near, near.dtype.type(-9)),
                                of_type("every exponent", 500, dtype)])  # fmt: skip
        finite = w[np.isfinite(w.astype(np.float64))]
        scaled = [Fraction(float(x)) * Fraction(2) ** frac_bits for x in finite]
        expected = sum(not fmt.min <= rounded(x, rounding, None, 0) <= fmt.max for x in scaled)
        infinite = np.isinf(w.astype(np.float64)).sum()
        w = np.append(w, w.dtype.type(np.nan))
        stats = lib.compare(w, w, fmt=fmt, rounding=rounding)
        assert stats.saturated == expected + infinite


def test_saturated_is_what_quantize_clips() -> None:
    w, fmt = of_type("normal", 3000, "float32"), FixedPoint(8, 6)
    wide = exact_codes(w, FixedPoint(16, 6))
    assert sc.compare(w, w, fmt=fmt).saturated == np.count_nonzero((wide < -128) | (wide > 127))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("signed", [True, False])
def test_saturated_of_affine(lib, dtype: str, signed: bool, rounding: str) -> None:
    """Quotients around both ends of the range are rounded to float32 or float64 first."""
    for bits, scale in product((1, 2, 8, 13, 32), (0.1, 0.25, 2.0**-126, 1e30, 3.0)):
        low, high = ends_of_width(bits, signed)
        ranges = [(low, high), (low + 1, high)] if bits > 1 else [(low, high)]
        for (qmin, qmax), where in product(ranges, range(3)):
            zero = (qmin, min(qmax, 2**31 - 1), max(qmin, min(qmax, 3)))[where]
            fmt = Affine(scale, zero, bits=bits, signed=signed, qmin=qmin, qmax=qmax)
            halves = [2 * (q - zero) + step for q in (qmin, qmax) for step in range(-3, 4)]
            with np.errstate(all="ignore"):
                near = (np.float64(halves) * (scale / 2)).astype(DTYPES[dtype])
                w = np.concatenate([near, np.nextafter(near, near.dtype.type(9)),
                                    np.nextafter(near, near.dtype.type(-9)),
                                    of_type("every exponent", 50, dtype)])  # fmt: skip
            integers = exact_integers(w, fmt, rounding)
            expected = sum(not qmin <= r + zero <= qmax for r in integers)
            w = np.append(w, w.dtype.type(np.nan))
            assert lib.compare(w, w, fmt=fmt, rounding=rounding).saturated == expected


def test_saturated_of_each_slice(lib) -> None:
    w = of_type("normal", 6 * 70, "float32").reshape(2, 3, 70) * np.float32(20)
    for axis in (0, 1, 2, -1, -2, -3):
        n = w.shape[axis]
        scale = np.linspace(0.1, 0.5, n)
        for zero in (np.arange(n) % 7 - 3, 5):
            fmt = Affine(scale, zero, bits=7, axis=axis)
            saturated = lib.compare(w, w, fmt=fmt, axis=axis).saturated
            assert saturated.dtype == np.int64
            for i, each in enumerate(np.moveaxis(w, axis, 0)):
                one = Affine(scale[i], int(np.broadcast_to(zero, n)[i]), bits=7)
                assert saturated[i] == lib.compare(each, each, fmt=one).saturated
            shared = lib.compare(w, w, fmt=Affine(0.3, 5, bits=7), axis=axis).saturated
            assert shared.sum() == lib.compare(w, w, fmt=Affine(0.3, 5, bits=7)).saturated


# Along axes of length 1, different axes and group sizes give the same groups.
DIVIDED = [(6, 10), (4, 3, 5), (4, 1, 6), (1, 45, 1, 1), (3, 4, 1, 2), (2, 3, 4, 5), (1, 1), (0, 3, 2),
           (3, 0, 2)]  # fmt: skip
GROUP_SIZES = [1, 2, 3, 100]
BLOCKS = [(1, 1), (2, 3), (1, 2), (2, 1), (100, 2), (3, 1), (1, 100)]

Division = tuple[Any, Any]  # axis and group_size
Groups = frozenset[frozenset[int]]


@cache
def divisions(shape: tuple[int, ...]) -> dict[Division, Groups]:
    """Return all axes and group sizes, each with its nonempty groups as sets of flat indices."""
    axes = range(len(shape))
    made: list[Division] = [
        (None, None),
        *product(range(-len(shape), len(shape)), [None, *GROUP_SIZES]),
    ]
    for count in range(1, len(shape) + 1):
        made += [(chosen, None) for chosen in permutations(axes, count)]
    made += product([None, *permutations(axes, 2)], BLOCKS)
    return {
        (axis, size): frozenset(map(frozenset, elements_of_groups(shape, axis, size).values()))
        - {frozenset()}
        for axis, size in made
    }


def is_of_format(division: Division) -> bool:
    """Return whether a format with an array of parameters may have this division."""
    axis, size = division
    if isinstance(axis, tuple) and size is None:
        return axis == tuple(sorted(axis))
    return division != (None, None)


def format_of(kind: type, shape: tuple[int, ...], division: Division) -> FixedPoint | Affine:
    """Return a format whose parameters all differ."""
    axis, size = division
    lengths = shape_of_parameters(shape, axis, size)
    rng = np.random.default_rng(math.prod(lengths))
    places = (rng.permutation(math.prod(lengths)) - math.prod(lengths) // 2).reshape(lengths)
    if kind is FixedPoint:
        return FixedPoint(5, places, axis=axis, group_size=size)
    scales = 1.1 * np.exp2(places / 2)
    return Affine(scales, places[::-1], bits=8, axis=axis, group_size=size)


def of_every_exponent(shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return two arrays. About half of the first is out of the range of any format_of()."""
    n = math.prod(shape)
    rng = np.random.default_rng(n)
    w = np.ldexp(rng.standard_normal((2, n)), rng.integers(-n // 2, n // 2 + 1, n) + 4)
    x, y = w.reshape(2, *shape).astype(DTYPES[dtype])
    return x, y


@pytest.mark.parametrize("shape", DIVIDED, ids=str)
@pytest.mark.parametrize("kind", [FixedPoint, Affine])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_formats_of_the_same_groups(lib, shape: tuple[int, ...], kind: type, dtype: str) -> None:
    """A format fits a comparison if their groups are equal, even if their arguments differ."""
    w, w_hat = of_every_exponent(shape, dtype)
    found = divisions(shape)
    same = [
        (compared, given)
        for compared, given in product(found, filter(is_of_format, found))
        if len(found[given]) <= 1 or found[given] == found[compared]
    ]
    for (axis, size), given in subset(same, 40, 400):
        fmt = format_of(kind, shape, given)
        stats = lib.compare(w, w_hat, fmt=fmt, axis=axis, group_size=size)
        sums = zip(exact_integers(w, fmt, "nearest_even"), zero_points_of(fmt, shape), strict=True)
        low, high = ends(fmt)
        is_out = np.array([not low <= r + zero <= high for r, zero in sums], bool)
        groups = elements_of_groups(shape, axis, size)
        expected = [np.count_nonzero(is_out[elements]) for elements in groups.values()]
        assert np.ravel(stats.saturated).tolist() == expected
        assert np.shape(stats.saturated) == shape_of_parameters(shape, axis, size)
        plain = lib.compare(w, w_hat, axis=axis, group_size=size)
        for with_fmt, without in zip(stats[:4], plain[:4], strict=True):
            assert_same_bits(with_fmt, without)


@pytest.mark.parametrize("shape", DIVIDED, ids=str)
@pytest.mark.parametrize("kind", [FixedPoint, Affine])
def test_formats_of_other_groups(lib, shape: tuple[int, ...], kind: type) -> None:
    w, w_hat = of_every_exponent(shape, "float32")
    found = divisions(shape)
    others = [
        (compared, given)
        for compared, given in product(found, filter(is_of_format, found))
        if len(found[given]) > 1 and found[given] != found[compared]
    ]
    for (axis, size), given in subset(others, 20, 400):
        how = {"fmt": format_of(kind, shape, given), "axis": axis, "group_size": size}
        assert_refuses(ValueError, ["fmt must "], lib.compare, w, w_hat, **how)


def test_saturated_is_what_quantize_clips_of_affine() -> None:
    w = of_type("normal", 3000, "float32")
    wide = exact_codes(w, Affine(0.01, 3, bits=16))
    count = np.count_nonzero((wide < -100) | (wide > 120))
    assert sc.compare(w, w, fmt=Affine(0.01, 3, qmin=-100, qmax=120)).saturated == count


def test_refusals(lib) -> None:
    w, m = np.ones(4, np.float32), np.ones((2, 3), np.float32)
    words = [
        "rounding must be deterministic",
        "choose with 'away' for 'stochastic'",
        "'stochastic'",
    ]
    assert_refuses(ValueError, words, lib.compare, w, w, rounding="stochastic")
    assert_refuses(ValueError, ["rounding", "'floor'", "'up'"], lib.compare, w, w, rounding="up")
    assert_refuses(TypeError, ["w_hat", "int64"], lib.compare, w, np.arange(4))
    assert_refuses(TypeError, ["w must be"], lib.compare, np.arange(4), w)
    assert_refuses(TypeError, ["w_hat", "masked"], lib.compare, w, np.ma.array(w))
    assert_refuses(ValueError, ["w_hat", "(2, 2)", "(4,)"], lib.compare, w, w.reshape(2, 2))
    assert_refuses(ValueError, ["axis", "1"], lib.compare, w, w, axis=1)
    assert_refuses(TypeError, ["axis"], lib.compare, w, w, axis=0.5)
    assert_refuses(TypeError, ["fmt", "8"], lib.compare, w, w, fmt=8)
    per_row = FixedPoint(8, [5, 6], axis=0)
    assert_refuses(ValueError, ["fmt", "each group"], lib.compare, m, m, fmt=per_row)
    assert_refuses(ValueError, ["fmt", "each group"], lib.compare, m, m, fmt=per_row, axis=1)
    wrong = FixedPoint(8, [5, 6, 7], axis=0)
    assert_refuses(ValueError, ["fmt", "3", "2"], lib.compare, m, m, fmt=wrong, axis=0)
    grouped = FixedPoint(8, [[5, 6], [5, 6]], group_size=2)
    assert_refuses(ValueError, ["fmt"], lib.compare, m, m, fmt=grouped, axis=1)
    per_row = Affine([0.5, 0.6], axis=0)
    for axis in (None, 1):
        assert_refuses(ValueError, ["fmt"], lib.compare, m, m, fmt=per_row, axis=axis)
    each = Affine(np.ones((2, 3)), axis=(0, 1))
    for axis in (None, 0, 1):
        assert_refuses(ValueError, ["fmt"], lib.compare, m, m, fmt=each, axis=axis)
    words = ["fmt.scale must be positive, finite and not subnormal"]
    for scale in (0.0, -1.0, 1e-40, 1e39):
        assert_refuses(ValueError, words, lib.compare, m, m, fmt=Affine(scale))
        assert_refuses(ValueError, words, lib.compare, m, m, fmt=Affine([1, scale], axis=0), axis=0)
    assert lib.compare(m.astype(np.float64), m, fmt=Affine(1e-40)).saturated == 6


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("length", [4095, 4096, 4097, 5000, 8192, 8193])
def test_many_long_slices(length: int) -> None:
    """A thread compares several slices at once, in blocks of 4096. Sums of integers are exact."""
    rows = 30
    generator = np.random.default_rng(length)
    w, w_hat = generator.integers(-9, 10, (2, rows, length))
    stats = sc.compare(w.astype(np.float32), w_hat.astype(np.float64), fmt=FixedPoint(4, 0), axis=0)
    error = ((w - w_hat) ** 2).sum(axis=1)
    assert stats.mse.tolist() == (error / length).tolist()
    assert stats.max_abs.tolist() == np.abs(w - w_hat).max(axis=1).tolist()
    sqnr = 10 * np.log10((w**2).sum(axis=1) / error)
    np.testing.assert_allclose(stats.sqnr_db, sqnr, rtol=1e-12)
    norms = np.sqrt((w**2).sum(axis=1)) * np.sqrt((w_hat**2).sum(axis=1))
    np.testing.assert_allclose(stats.cosine, (w * w_hat).sum(axis=1) / norms, rtol=1e-12)
    assert stats.saturated.tolist() == np.count_nonzero((w < -8) | (w > 7), axis=1).tolist()
