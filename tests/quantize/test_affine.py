"""Affine formats: quotients, zero points, scales, and integers in use."""

from fractions import Fraction
from functools import cache, partial
from itertools import cycle, pairwise, product
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import Affine, FixedPoint, reference
from support.arrays import DTYPES, around
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import (
    Ranking,
    apply_overflow,
    assert_same_bits,
    compute_type,
    ends_of_width,
    exact_codes,
    exact_integers,
    exact_values,
)
from support.quantizing import BITS, ROUNDINGS, SEED, normal, overflows_of, seed_of
from support.raw_bits import floats
from support.refusals import assert_refuses

dtypes = pytest.mark.parametrize("dtype", DTYPES)
roundings = pytest.mark.parametrize("rounding", ROUNDINGS)

# --- values ----------------------------------------------------------------------------------

# For powers of two, the library multiplies by the reciprocal. Two are near the limits of float32.
SCALES = [0.1, 1.0, 1 / 3, 0.5, 3.0, 2.0**-126, 7e-3, 2.0**127, 123.456, 1e-30, 1e30, 2.0**24]


def zero_points(low: int, high: int) -> list[int]:
    """Return zero points: both ends, 0 and one more, of those that fit in 32 bits."""
    high = min(high, 2**31 - 1)
    inside = {low, high, low + (high - low) // 3, max(low, min(0, high))}
    return sorted(point for point in inside if -(2**31) <= point <= high)


def formats() -> list[Affine]:
    """Return formats of every width, with all or some integers in use, and various zero points."""
    made = []
    scales = cycle(SCALES)
    for bits, signed in product((1, *BITS), (True, False)):
        low, high = ends_of_width(bits, signed)
        third = (high - low) // 3
        ranges = [(low, high), (low + 1, high), (low + third, low + 2 * third), (low, low + 1)]
        for qmin, qmax in ranges:
            if qmin < qmax and qmin < 2**31:
                how = {"bits": bits, "signed": signed, "qmin": qmin, "qmax": qmax}
                points = zero_points(qmin, qmax)
                made += [Affine(scale, z, **how) for scale, z in zip(scales, points)]  # type: ignore[arg-type]  # noqa: B905
    return made


FORMATS = formats()


def hard(fmt: Affine, dtype: str) -> np.ndarray:
    """Return multiples of half the scale around the ends of the range and zero, with neighbours."""
    low, high, zero = fmt.qmin, fmt.qmax, int(fmt.zero_point)
    turns = (low, high, -high, zero, low + (1 << fmt.bits), 0)
    halves = [2 * (turn - zero) + step for turn in turns for step in range(-3, 4)]
    with np.errstate(all="ignore"):
        near = (np.array(halves, np.float64) * (float(fmt.scale) / 2)).astype(DTYPES[dtype])
        near = np.concatenate([near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf)])
        own = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e300, 1e-40, 3e-39], "f8")
        own = np.concatenate([own.astype(DTYPES[dtype]), np.array([fmt.scale]).astype(near.dtype)])
        return np.concatenate([near, own]).astype(DTYPES[dtype])


@cache
def integers(dtype: str, fmt: Affine, rounding: str) -> list[float]:
    return exact_integers(hard(fmt, dtype), fmt, rounding, SEED)


@dtypes
@roundings
def test_hard_values(lib: Any, dtype: str, rounding: str) -> None:
    for fmt in subset(FORMATS, 24, 48):
        w, zero = hard(fmt, dtype), int(fmt.zero_point)
        for overflow in overflows_of(fmt):
            modes = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed_of(rounding)}
            codes = [apply_overflow(r, fmt, overflow, zero) for r in integers(dtype, fmt, rounding)]
            q = np.array(codes, fmt.dtype)
            assert_same_bits(lib.quantize(w, fmt, **modes), q)
        values = exact_values(q, fmt, dtype)
        assert_same_bits(lib.dequantize(q, fmt, dtype=w.dtype), values)
        out = w.copy()
        assert lib.fake_quantize(out, fmt, **modes, out=out) is out
        assert_same_bits(out, np.where(values == 0, values.dtype.type(0), values))


ANY_SCALE = st.floats(2.0**-126, 2.0**127, width=32) | st.floats(1e-3, 1e3)


@st.composite
def any_format(draw: st.DrawFn) -> Affine:
    bits, signed = draw(st.integers(1, 32)), draw(st.booleans())
    low, high = ends_of_width(bits, signed)
    if draw(st.booleans()):
        low = draw(st.integers(low, min(high, 2**31) - 1))
        high = draw(st.integers(low + 1, high))
    zero = draw(st.integers(low, min(high, 2**31 - 1)) | st.sampled_from(zero_points(low, high)))
    scale = draw(ANY_SCALE)
    return Affine(scale, zero, bits=bits, signed=signed, qmin=low, qmax=high)


@given(
    data=st.data(),
    dtype=st.sampled_from(list(DTYPES)),
    fmt=any_format(),
    rounding=st.sampled_from(ROUNDINGS),
    seed=st.integers(0, 2**64 - 1),
    index_offset=st.integers(0, 2**64 - 1) | st.integers(2**32 - 70, 2**32),
)
def test_any_bits(
    data: st.DataObject, dtype: str, fmt: Affine, rounding: str, seed: int, index_offset: int
) -> None:
    w = data.draw(floats(dtype, st.integers(0, 70)))
    overflow = data.draw(st.sampled_from(overflows_of(fmt)))
    modes = {"rounding": rounding, "overflow": overflow, "nan": "zero"}
    modes |= {"index_offset": index_offset}
    modes |= {"seed": seed} if rounding == "stochastic" else {}
    codes = exact_codes(w, fmt, rounding, overflow, seed, index_offset)
    values = exact_values(codes, fmt, dtype)
    mask = Ranking(w, "prune").mask(w.size // 2)
    of_zeros = exact_codes(np.zeros_like(w), fmt, overflow=overflow)
    pruned = np.where(mask, codes, of_zeros)
    for name in LIBRARIES:
        with library(name) as lib:
            assert_same_bits(lib.quantize(w, fmt, **modes), codes)
            assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
            assert_same_bits(lib.fake_quantize(w, fmt, **modes), values)
            assert_same_bits(lib.prune_quantize(w, fmt, k=w.size // 2, **modes), pruned)


# Around the largest consecutive integers of float32, around the halves between its larger values,
# and the ends of int32.
INT32S = [sign * (2**power + step) for sign in (1, -1) for power in (0, 24, 25, 30)
          for step in (-3, -2, -1, 0, 1, 2, 3, 64, 65)] + [-(2**31), 2**31 - 1, 2**31 - 65]  # fmt: skip


@pytest.mark.parametrize("bits", [1, 2, 5, 8, 11, 16, 32])
@pytest.mark.parametrize("signed", [True, False])
def test_every_code(lib: Any, bits: int, signed: bool) -> None:
    """The scales have any sign and size: dequantize only needs them to be finite."""
    low, high = ends_of_width(bits, signed)
    codes = [*range(low, high, 1 if bits < 10 else 97), high]
    if bits == 32:
        codes = INT32S if signed else [code % 2**32 for code in INT32S]
    scales = [0.1, 2.0**-126, 3e38, -0.3, 0.0, -0.0, 1e-40, 1e-46, -1e-45]
    for (dtype, scale), zero in grid(product(DTYPES, scales), zero_points(low, high)):
        fmt = Affine(scale, zero, bits=bits, signed=signed)
        q = np.array(codes).astype(fmt.dtype)
        values = lib.dequantize(q, fmt, dtype=DTYPES[dtype])
        assert_same_bits(values, exact_values(q, fmt, dtype))


# --- by hand ---------------------------------------------------------------------------------


def test_by_hand(lib: Any) -> None:
    w = np.float32([-1, -0.25, 0, 0.25, 0.75, 1, 100, -100, np.inf, -np.inf])
    fmt = Affine(0.5, 10, signed=False)
    q = lib.quantize(w, fmt)
    assert_same_bits(q, np.uint8([8, 10, 10, 10, 12, 12, 210, 0, 255, 0]))
    values = lib.dequantize(q, fmt)
    assert_same_bits(values, np.float32([-1, 0, 0, 0, 1, 1, 100, -5, 122.5, -5]))


def test_roundings_by_hand(lib: Any) -> None:
    """The quotient is rounded before the zero point is added, so ties are ties of the quotient."""
    w = np.float32([-2.5, -1.5, -1.25, -0.5, -0.25, -0.0, 0.25, 0.5, 1.25, 1.5, 2.5]) * 4
    expected = {
        "nearest_even": [-2, -2, -1, 0, 0, 0, 0, 0, 1, 2, 2],
        "nearest_away": [-3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3],
        "nearest_zero": [-2, -1, -1, 0, 0, 0, 0, 0, 1, 1, 2],
        "nearest_up": [-2, -1, -1, 0, 0, 0, 0, 1, 1, 2, 3],
        "nearest_down": [-3, -2, -1, -1, 0, 0, 0, 0, 1, 1, 2],
        "floor": [-3, -2, -2, -1, -1, 0, 0, 0, 1, 1, 2],
        "ceil": [-2, -1, -1, 0, 0, 0, 1, 1, 2, 2, 3],
        "trunc": [-2, -1, -1, 0, 0, 0, 0, 0, 1, 1, 2],
        "away": [-3, -2, -2, -1, -1, 0, 1, 1, 2, 2, 3],
    }
    for (rounding, codes), zero in product(expected.items(), (0, 3)):
        q = lib.quantize(w, Affine(4.0, zero), rounding=rounding)
        assert_same_bits(q, np.int8(codes) + np.int8(zero))


def test_overflows_by_hand(lib: Any) -> None:
    w = np.float32([-20, -9, -8, 4, 5, 6, 24, 1e30, -np.inf, np.inf]) / 2
    fmt = Affine(0.5, 2, bits=4)
    expected = {
        "saturate": [-8, -7, -6, 6, 7, 7, 7, 7, -8, 7],
        "saturate_symmetric": [-7, -7, -6, 6, 7, 7, 7, 7, -7, 7],
        "saturate_zero": [2, -7, -6, 6, 7, 2, 2, 2, 2, 2],
        "wrap": [-2, -7, -6, 6, 7, -8, -6, 2, 2, 2],
    }
    for overflow, codes in expected.items():
        assert_same_bits(lib.quantize(w, fmt, overflow=overflow, nan="zero"), np.int8(codes))
    narrow = Affine(0.5, 2, bits=4, qmin=-3, qmax=5)
    expected = {
        "saturate": [-3, -3, -3, 5, 5, 5, 5, 5, -3, 5],
        "saturate_symmetric": [-3, -3, -3, 5, 5, 5, 5, 5, -3, 5],
        "saturate_zero": [2, 2, 2, 2, 2, 2, 2, 2, 2, 2],
    }
    for overflow, codes in expected.items():
        assert_same_bits(lib.quantize(w, narrow, overflow=overflow), np.int8(codes))


@pytest.mark.parametrize("bits", [3, 8, 16, 32])
def test_ranges_on_one_side_of_zero(lib: Any, bits: int) -> None:
    """All integers in use have the same sign, so that saturate_symmetric has no effect."""
    w = np.float32([-1e30, -9, -1, 0, 1, 9, 1e30])
    for qmin, qmax, zero in ((1, 3, 2), (-3, -1, -2), (-4, -3, -3), (2, 3, 3)):
        fmt = Affine(1.0, zero, bits=bits, qmin=qmin, qmax=qmax)
        for overflow in ("saturate", "saturate_symmetric", "saturate_zero"):
            q = lib.quantize(w, fmt, overflow=overflow)
            assert_same_bits(q, exact_codes(w, fmt, overflow=overflow))
            assert qmin <= q.min() <= q.max() <= qmax


def test_it_is_a_division(lib: Any) -> None:
    """Multiplying by the reciprocal would round some of these differently."""
    scale = np.float32(0.1)
    halves = (np.arange(-255, 256, 2) * (scale / 2)).astype(np.float32)
    w = np.concatenate([halves, np.nextafter(halves, np.inf), np.nextafter(halves, -np.inf)])
    exact = [round(Fraction(float(value)) / Fraction(float(scale))) for value in w]
    q = lib.quantize(w, Affine(scale))
    rounded_once = np.rint(w / scale)
    assert q.tolist() == np.clip(rounded_once, -128, 127).tolist()
    assert (np.rint(w * (np.float32(1) / scale)) != rounded_once).any()
    assert (rounded_once != exact).any()  # because the quotient is rounded to float32 first


def test_quotients_that_float32_and_float64_round_differently(lib: Any) -> None:
    """The quotients are near halves and integers, and float32 rounds them to these."""
    for scale in (0.1, 0.3, 0.7):
        scale32 = float(np.float32(scale))
        w = (np.arange(1, 250) * (scale32 / 2)).astype(np.float32)
        exact = [Fraction(float(value)) / Fraction(scale32) for value in w]
        narrow = (w / np.float32(scale)).tolist()
        pairs = zip(narrow, exact, strict=True)
        found = w[[x != y and 2 * x == int(2 * x) for x, y in pairs]]
        assert found.size > 20
        fmt, differs = Affine(scale32), set()
        for rounding in sorted({*ROUNDINGS} - {"stochastic"}):
            codes = exact_codes(found, fmt, rounding)
            wide = exact_codes(found.astype(np.float64), fmt, rounding)
            assert_same_bits(lib.quantize(found, fmt, rounding=rounding), codes)
            assert_same_bits(lib.quantize(found.astype("f8"), fmt, rounding=rounding), wide)
            differs |= {rounding} if (codes != wide).any() else set()
        assert {"nearest_even", "floor", "ceil", "trunc"} <= differs


def test_narrow_floats_are_divided_in_float32(lib: Any) -> None:
    """A float64 scale is rounded to float32 first, unless w is float64."""
    scale = 0.1
    for dtype in DTYPES:
        w = normal(2000, dtype, 5.0)
        number = np.float64 if dtype == "float64" else np.float32
        expected = np.clip(np.rint(w.astype(number) / number(scale)), -128, 127).astype(np.int8)
        assert_same_bits(lib.quantize(w, Affine(scale)), expected)
        assert_same_bits(lib.quantize(w, Affine(np.float64(scale))), expected)


@pytest.mark.parametrize("zero", [-128, 0, 5, 127])
def test_quotients_beyond_the_range_of_floats(lib: Any, zero: int) -> None:
    """Elements are finite, but their quotients overflow or underflow."""
    for kind, huge, small in ((np.float32, 3e38, 2.0**-126), (np.float64, 1e308, 2.0**-1022)):
        w = np.array([huge, -huge, 0, small], kind)
        fmt = Affine(small, zero)
        first = int(np.clip(zero + 1, -128, 127))
        assert lib.quantize(w, fmt).tolist() == [127, -128, zero, first]
        q = lib.quantize(w, fmt, overflow="saturate_zero")
        assert q.tolist() == [zero, zero, zero, zero + 1 if zero < 127 else zero]
        q = lib.quantize(w, fmt, overflow="wrap")
        assert q.tolist() == [zero, zero, zero, zero + 1 if zero < 127 else -128]
        words = ["w has", "out of range of", repr(fmt), "the first at flat index 0"]
        assert_refuses(OverflowError, words, lib.quantize, w, fmt, overflow="raise")
        tiny = np.array([small, -small, np.finfo(kind).smallest_subnormal], kind)
        fmt = Affine(huge, zero)
        assert lib.quantize(tiny, fmt).tolist() == [zero] * 3
        # The quotient underflows to zero, which no mode rounds away from zero.
        assert lib.quantize(tiny, fmt, rounding="ceil").tolist() == [zero] * 3
        assert lib.quantize(tiny, fmt, rounding="floor").tolist() == [zero] * 3


def test_nan_becomes_the_zero_point(lib: Any) -> None:
    w = np.float32([1, np.nan, -np.nan])
    for bits, signed in product((1, 4, 8, 16, 32), (True, False)):
        for zero in zero_points(*ends_of_width(bits, signed)):
            fmt = Affine(1.0, zero, bits=bits, signed=signed)
            q = lib.quantize(w, fmt, nan="zero")
            assert q[1:].tolist() == [zero, zero]
            assert lib.dequantize(q, fmt)[1:].tolist() == [0, 0]
            assert lib.prune_quantize(w, fmt, k=1, nan="zero")[1:].tolist() == [zero, zero]


@dtypes
@pytest.mark.parametrize("n", [1, 65, 16385])
def test_refused_nan(lib: Any, dtype: str, n: int) -> None:
    w = normal(n, dtype)
    places = sorted({n // 3, n - 1})
    w[places] = np.nan
    words = [f"w has {len(places)} NaN", f"the first at flat index {places[0]}"]
    words += ["nan='zero' quantizes it to the zero point"]
    for call in (lib.quantize, lib.fake_quantize, partial(lib.prune_quantize, k=n)):
        expected = words[:2] if lib is reference or call is not lib.quantize else words
        assert_refuses(ValueError, expected, call, w, Affine(0.1, 3))


@dtypes
@pytest.mark.parametrize("n", [1, 17, 129, 16385, 300_001])
def test_refused_overflow(lib: Any, dtype: str, n: int) -> None:
    w = normal(n, dtype)
    places = sorted({n // 3, n // 2, n - 1})
    for value, fmt in ((1000, Affine(0.1, 3)), (-np.inf, Affine(0.01, -5, bits=12, qmin=-2000))):
        w[places] = value
        words = [f"w has {len(places)} element", "out of range of", repr(fmt)]
        words += [f"the first at flat index {places[0]}"]
        for call in (lib.quantize, lib.fake_quantize, partial(lib.prune_quantize, k=n)):
            assert_refuses(OverflowError, words, call, w, fmt, overflow="raise")
        assert_refuses(OverflowError, words, lib.fake_quantize, w, fmt, overflow="raise", out=w)
    w[places] = np.nan
    expected = reference.quantize(w, Affine(0.1, 3), nan="zero")
    assert_same_bits(lib.quantize(w, Affine(0.1, 3), overflow="raise", nan="zero"), expected)


def test_only_some_integers_cannot_be_wrapped_to(lib: Any) -> None:
    w = np.ones(5, np.float32)
    for how in ({"qmin": -127}, {"qmax": 126}, {"qmin": -3, "qmax": 3}):
        fmt = Affine(0.1, **how)
        words = ["overflow must be", "wrap"]
        for call in (lib.quantize, lib.fake_quantize, partial(lib.prune_quantize, k=2)):
            assert_refuses(ValueError, words, call, w, fmt, overflow="wrap")
    full = Affine(0.1, qmin=-128, qmax=127)
    assert_same_bits(lib.quantize(w, full, overflow="wrap"), np.int8([10] * 5))


# --- sizes, parts -----------------------------------------------------------------------------

SIZES = [0, 1, 2, 3, *around(4, 8, 16, 32, 64, 128, 512, 4096, 16384)]
USUAL = [Affine(0.3, 5), Affine(0.25, 100, signed=False), Affine(0.02, -7, bits=16),
         Affine(0.02, 3, bits=13, signed=False), Affine(1e-7, 9, bits=32), Affine(2.0, bits=3, qmin=-3),
         Affine(1e-7, 9, bits=32, signed=False)]  # fmt: skip


@dtypes
@roundings
def test_all_sizes(lib: Any, dtype: str, rounding: str) -> None:
    for n, fmt in grid(SIZES, USUAL):
        w = normal(n, dtype, 3.0)
        overflow = overflows_of(fmt)[n % len(overflows_of(fmt))]
        modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        codes = reference.quantize(w, fmt, **modes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        q, out = np.zeros_like(codes), w.copy()
        assert_same_bits(lib.quantize(w, fmt, **modes), codes)
        assert lib.quantize(w, fmt, **modes, out=q) is q
        assert_same_bits(q, codes)
        assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
        assert lib.fake_quantize(out, fmt, **modes, out=out) is out
        assert_same_bits(out, values)
        kept = np.where(Ranking(w).mask(n // 3), w, np.zeros((), w.dtype))
        pruned = lib.prune_quantize(w, fmt, k=n // 3, **modes)
        assert_same_bits(pruned, reference.quantize(kept, fmt, **modes))


@pytest.mark.parametrize("start", [0, 5, 2**32 - 100, 2**33 - 1000, 2**64 - 300])
def test_an_array_in_parts_is_the_whole(lib: Any, start: int) -> None:
    """The indices cross multiples of 2**32, where the key of the draws changes."""
    w = normal(1500, "float32", 3.0)
    for fmt in (Affine(0.3, 5), Affine(0.3, 5, bits=4), FixedPoint(8, 2)):
        modes = {"rounding": "stochastic", "seed": SEED}
        for name in ("quantize", "fake_quantize"):
            call = partial(getattr(lib, name), fmt=fmt, **modes)
            whole = call(w, index_offset=start)
            for cuts in ((700,), (1, 64, 65, 1000), (100, 101, 1499)):
                ends = (0, *cuts, w.size)
                parts = [call(w[a:b], index_offset=(start + a) % 2**64) for a, b in pairwise(ends)]
                assert_same_bits(np.concatenate(parts), whole)
        codes = exact_codes(w, fmt, "stochastic", "saturate", SEED, start)
        assert_same_bits(lib.quantize(w, fmt, **modes, index_offset=start), codes)
        pruned = lib.prune_quantize(w, fmt, k=w.size, **modes, index_offset=start)
        assert_same_bits(pruned, codes)
        if fmt.bits == 4:
            packed = lib.quantize(w, fmt, **modes, index_offset=start, packed=True)
            assert_same_bits(packed, reference.pack_ints(codes, 4))


# --- scales -----------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize(
    "scale", [0.0, -0.0, -1.0, 1e-39, 1e-46, 1e39, -1e-320, 2.0**-1023, 1e-320]
)
def test_scales_that_only_dequantize_takes(lib: Any, dtype: str, scale: float) -> None:
    """Quantizing refuses scales that are not positive and normal in the compute type."""
    w, q = np.ones(6, DTYPES[dtype]), np.arange(6, dtype=np.int8)
    scales = np.ones(6)
    scales[4] = scale
    fine_in_float64 = dtype == "float64" and scale in (1e-39, 1e-46, 1e39)
    for fmt, place in ((Affine(scale), ""), (Affine(scales, axis=0), " at (4,)")):
        words = [
            "fmt.scale must be positive, finite and not subnormal",
            compute_type(w.dtype),
            "got",
        ]
        for call in (lib.quantize, lib.fake_quantize, partial(lib.prune_quantize, k=3)):
            if fine_in_float64:
                call(w, fmt)
            else:
                more = [] if lib is reference else [place]
                assert_refuses(ValueError, [*words, *more], call, w, fmt)
        if scale == 1e39 and dtype != "float64":
            words = ["fmt.scale must be finite in float32", "got"]
            assert_refuses(ValueError, words, lib.dequantize, q, fmt, dtype=w.dtype)
        else:
            values = lib.dequantize(q, fmt, dtype=w.dtype)
            assert_same_bits(values, exact_values(q, fmt, dtype))


@dtypes
def test_scales_at_the_ends_of_their_range(lib: Any, dtype: str) -> None:
    """The smallest and the largest scale of each compute type are valid."""
    number = np.dtype(compute_type(DTYPES[dtype]))
    least, most = (float(end) for end in (np.finfo(number).tiny, np.finfo(number).max))
    w = np.array([0.0], number)
    for scale in (least, most):
        assert lib.quantize(w, Affine(scale)).tolist() == [0]
        assert lib.dequantize(np.int8([1]), Affine(scale), dtype=number).tolist() == [scale]
    scales = np.array([0.5, 1, 2], DTYPES[dtype])
    values = lib.dequantize(np.int8([1, 2, 3]), Affine(scales, axis=0))
    assert values.tolist() == [0.5, 2, 6]


def test_scales_that_float64_takes(lib: Any) -> None:
    w = np.float64([1e-40, 2e-40, 1e39])
    assert lib.quantize(w[:2], Affine(1e-40)).tolist() == [1, 2]
    assert lib.quantize(w[2:], Affine(1e38)).tolist() == [10]
    assert lib.quantize(w[2:], Affine(1e39)).tolist() == [1]
    assert lib.dequantize(np.int8([1]), Affine(1e-40), dtype=np.float64).tolist() == [1e-40]


@pytest.mark.parametrize("of", [*DTYPES.values(), list, tuple], ids=str)
def test_scales_of_any_floats(lib: Any, of: Any) -> None:
    w = normal((3, 5), "float32", 3.0)
    scales = np.array([0.125, 0.5, 2.0])
    q = lib.quantize(w, Affine(scales, axis=0))
    given_scales = of(scales.tolist()) if of in (list, tuple) else scales.astype(of)
    assert_same_bits(lib.quantize(w, Affine(given_scales, axis=0)), q)
    assert_same_bits(lib.quantize(w, Affine(scales[::-1].copy()[::-1], axis=0)), q)
    if of not in (list, tuple) and of != ml_dtypes.bfloat16:
        swapped = given_scales.astype(of.newbyteorder())
        assert_same_bits(lib.quantize(w, Affine(swapped, axis=0)), q)
    expected = lib.quantize(w, Affine(scales, [1, 2, 3], axis=0))
    narrow = [ml_dtypes.int4, ml_dtypes.uint4]
    for dtype in ("int8", "uint8", "int16", ">i4", "int64", "uint64", *narrow):
        zeros = np.array([1, 2, 3]).astype(np.int8).astype(dtype)
        assert_same_bits(lib.quantize(w, Affine(scales, zeros, axis=0)), expected)


# --- codes of other dtypes -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
def test_integers_in_the_narrow_dtypes(lib: Any, name: str) -> None:
    """The dtypes of ml_dtypes are accepted if they hold all integers of the format."""
    held, signed = np.dtype(getattr(ml_dtypes, name)), name.startswith("i")
    for bits in range(1, 6):
        fmt = Affine(0.5, 0, bits=bits, signed=signed)
        codes = np.arange(fmt.min, fmt.max + 1)
        w = (codes / 2).astype(np.float32)
        out = np.empty(w.shape, held)
        if bits > ml_dtypes.iinfo(held).bits:
            assert_refuses(TypeError, ["out must be"], lib.quantize, w, fmt, out=out)
            assert_refuses(TypeError, ["q must be"], lib.dequantize, out, fmt)
            continue
        assert lib.quantize(w, fmt, out=out) is out
        assert out.astype(np.int32).tolist() == codes.tolist()
        assert lib.prune_quantize(w, fmt, sparsity=0, out=out) is out
        assert out.astype(np.int32).tolist() == codes.tolist()
        assert_same_bits(lib.dequantize(out, fmt), w)


@pytest.mark.parametrize("bits", range(1, 33))
@pytest.mark.parametrize("signed", [True, False])
def test_any_integer_of_the_width_is_dequantized(lib: Any, bits: int, signed: bool) -> None:
    """An integer may be at either end of the width."""
    low, high = ends_of_width(bits, signed)
    zero = max(low, -100) if signed else min(high, 100)
    fmt = Affine(0.25, zero, bits=bits, signed=signed)
    ones = min(1, high)
    q = np.array([high, low, high // 2 + ones, max(high - 3, 0), ones, 0] * 20, fmt.dtype)
    expected = np.array([(int(code) - zero) / 4 for code in q])  # exact in float64
    assert_same_bits(lib.dequantize(q, fmt, dtype="f8"), expected)


PACKED = "; if q holds packed integers, pass shape="


@pytest.mark.parametrize(
    "kind", [lambda **how: Affine(0.5, **how), lambda **how: FixedPoint(frac_bits=1, **how)]
)
@pytest.mark.parametrize("bits", [2, 4, 7])
def test_packed_integers_without_their_shape(lib: Any, kind: Any, bits: int) -> None:
    """Bytes that no integer of the format has, and bytes of a signed format, may be packed."""
    signed, unsigned = kind(bits=bits, signed=True), kind(bits=bits, signed=False)
    for n in (1, 2, 7, 5000):
        q = np.full(n, 2**bits - 1, np.uint8)
        assert lib.dequantize(q, unsigned).shape == (n,)
        for index in {0, n // 2, n - 1}:
            q[index:] = 2**bits + index % 2
            allowed = f"integers from 0 to {2**bits - 1} for this fmt"
            words = [f"q must have {allowed}, got {q[index]} at flat index {index}"]
            words += [f"; set sign_extend to take the lowest {bits} bits of each{PACKED}"]
            assert_refuses(ValueError, words, lib.dequantize, q, unsigned)
            q[index:] = 2**bits - 1
        words = ["q must be int8", f"got uint8{PACKED}"]
        assert_refuses(TypeError, words, lib.dequantize, q, signed)
    whole = np.arange(256, dtype=np.uint8)  # a format that uses all bits of a byte
    assert lib.dequantize(whole, kind(bits=8, signed=False)).shape == (256,)


def test_packed_integers_of_any_shape(lib: Any) -> None:
    w = np.arange(8, dtype=np.float32).reshape(2, 4)
    fmt = Affine(1.0, bits=4, signed=False)
    packed = lib.quantize(w, fmt, packed=True)
    for q in (packed, packed.reshape(2, 2), packed.reshape(4, 1)):
        assert_same_bits(lib.dequantize(q, fmt, shape=w.shape), w)
    words = ["q must have 4 bytes, those of 8 packed integers, got shape (1, 3)"]
    assert_refuses(ValueError, words, lib.dequantize, packed[None, :3], fmt, shape=w.shape)


@pytest.mark.parametrize("dtype", ["int64", "uint32", "float32", "bool", "int16", ">i2"])
def test_other_dtypes_of_integers(lib: Any, dtype: str) -> None:
    words = ["q must be", "int8", f"got {np.dtype(dtype)}"]
    assert_refuses(TypeError, words, lib.dequantize, np.ones(3, dtype), Affine(1.0))
    words = ["out must be", "int8", f"got {np.dtype(dtype)}"]
    out = np.ones(3, dtype)
    assert_refuses(TypeError, words, lib.quantize, np.ones(3), Affine(1.0), out=out)
