"""Conversion of integers between formats, against exact fractions of Python."""

from fractions import Fraction
from itertools import product
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import secateur as sc
from secateur import Affine, FixedPoint
from support.grids import grid, subset
from support.oracles import (
    apply_overflow,
    assert_same_bits,
    code_dtype,
    ends_of_width,
    frac_bits_of,
    rounded,
    scales_of,
    zero_points_of,
)
from support.quantizing import OVERFLOWS, ROUNDINGS, SEED, overflows_of, seed_of
from support.refusals import assert_refuses

Format = FixedPoint | Affine

# Sizes around a word, a chunk, and a block.
SIZES = [0, 1, 2, 63, 64, 65, 1023, 1024, 1025, 2 * 1024 + 3]
BITS = [2, 7, 8, 9, 16, 31, 32, 33, 40, 63, 64]


def steps_of(fmt: Format, shape: tuple[int, ...]) -> list[Fraction]:
    """Return the exact value of one unit of each element."""
    if isinstance(fmt, Affine):
        return [Fraction(scale) for scale in scales_of(fmt, shape, "float64")]
    return [Fraction(2) ** -position for position in frac_bits_of(fmt, shape)]


def exact(
    q: np.ndarray,
    source: Format,
    target: Format,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    seed: int | None = None,
    index_offset: int = 0,
) -> np.ndarray:
    """Convert each integer by the definition."""
    given = zip(
        q.astype(object).ravel().tolist() if q.dtype.kind in "iu" else map(int, q.ravel()),
        zero_points_of(source, q.shape),
        steps_of(source, q.shape),
        zero_points_of(target, q.shape),
        steps_of(target, q.shape),
        strict=True,
    )
    codes = []
    for i, (code, zero, step, to_zero, to_step) in enumerate(given):
        x = Fraction((code - zero) * step, to_step)
        r = rounded(x, rounding, seed, (index_offset + i) % 2**64)
        codes.append(apply_overflow(r, target, overflow, to_zero))
    return np.array(codes, code_dtype(target)).reshape(q.shape)


def hard_codes(source: Format, target: Format) -> np.ndarray:
    """Return integers around zero, the ends of both formats, and the halves of a step."""
    low, high = ends_of_width(source.bits, source.signed)
    step = Fraction(steps_of(target, (1,))[0], steps_of(source, (1,))[0])
    zero = zero_points_of(source, (1,))[0]
    halves = [int(step * n / 2) + zero for n in (*range(-9, 10), *ends_of_width(8, True))]
    to_low, to_high = ends_of_width(target.bits, target.signed)
    bounds = [
        int(step * (end + n) / 2) + zero for end in (2 * to_low, 2 * to_high) for n in (-1, 1)
    ]
    around = [center + n for center in (low, high, 0, *halves, *bounds) for n in range(-2, 3)]
    codes = sorted({min(max(code, low), high) for code in around})
    return np.array(codes, source.dtype)


# --- fixed point to fixed point ----------------------------------------------------------------


def fixed_pairs() -> list[tuple[FixedPoint, FixedPoint]]:
    pairs = []
    for i, (bits, signed) in enumerate(product(BITS, [True, False])):
        source = FixedPoint(bits, bits // 2, signed)
        for j, (to_bits, to_signed) in enumerate(product([2, 8, 12, 16, 31, 32], [True, False])):
            shift = [0, 1, 2, -1, 5, 8, 20, 31, 32, 33, -7, -31, -34, 62, 63, 64, 65, 126, 200][
                (7 * i + 5 * j) % 19
            ]
            pairs.append((source, FixedPoint(to_bits, bits // 2 - shift, to_signed)))
    return pairs


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_fixed_point(lib: Any, rounding: str, overflow: str) -> None:
    modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
    for source, target in subset(fixed_pairs(), 24):
        q = hard_codes(source, target)
        assert_same_bits(
            lib.requantize(q, source, target, **modes), exact(q, source, target, **modes)
        )


@pytest.mark.parametrize("shift", [*range(-36, 70), 126, 127, 128, 300, 512, -300, -512])
def test_every_shift(isa: str, shift: int) -> None:  # noqa: ARG001
    positions = (256, 256 - shift) if shift >= 0 else (-256, -256 - shift)
    for bits, signed, to_signed in grid((16, 31, 32, 64), (True, False), (True, False)):
        source = FixedPoint(bits, positions[0], signed)
        target = FixedPoint(32, positions[1], to_signed)
        q = hard_codes(source, target)
        for rounding, overflow in grid(ROUNDINGS, OVERFLOWS):
            modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
            actual = sc.requantize(q, source, target, **modes)
            assert_same_bits(actual, exact(q, source, target, **modes))


def test_an_accumulator_of_64_bits(lib: Any) -> None:
    """A sum that leaves int64 if the rounding adds a half before the shift."""
    q = np.array([2**59 + 2**19 - 1, 2**63 - 1, -(2**63), 2**59 + 2**19], np.int64)
    modes: dict[str, Any] = {"rounding": "nearest_up", "overflow": "wrap"}
    actual = lib.requantize(q, FixedPoint(64, 40), FixedPoint(32, 20), **modes)
    assert actual.tolist() == [0, 0, 0, 1]


def test_the_highest_uint64(lib: Any) -> None:
    """An unsigned integer above 2**63, with shifts at which the result is close to the range."""
    q = np.array([2**64 - 1, 2**63, 2**63 - 1, 0], np.uint64)
    source = FixedPoint(64, 0, signed=False)
    for shift, rounding, overflow in product((30, 31, 32, 33), ROUNDINGS, OVERFLOWS):
        target = FixedPoint(32, -shift, signed=False)
        modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        actual = lib.requantize(q, source, target, **modes)
        assert_same_bits(actual, exact(q, source, target, **modes))


@pytest.mark.parametrize("n", SIZES)
def test_sizes(lib_on_threads: Any, n: int) -> None:
    rng = np.random.default_rng(n)
    for bits, shift, rounding in ((32, 20, "nearest_even"), (64, 50, "floor"), (16, -3, "stochastic"),
                                  (64, 40, "stochastic"), (8, 4, "trunc")):  # fmt: skip
        source, target = FixedPoint(bits, 0), FixedPoint(8, -shift)
        low, high = ends_of_width(bits, True)
        q = rng.integers(low, high, n, source.dtype, endpoint=True)
        modes: dict[str, Any] = {"rounding": rounding, **seed_of(rounding)}
        actual = lib_on_threads.requantize(q, source, target, **modes)
        assert_same_bits(actual, exact(q, source, target, **modes))


def test_many_blocks(isa: str, threads: int) -> None:  # noqa: ARG001
    """Arrays that threads share, unaligned, streamed or not, against shifts of NumPy."""
    for n, first in ((3 * 65536 + 17, 1), (2_300_001, 3)):
        q = np.random.default_rng(n).integers(-(2**31), 2**31, n + first, np.int32)[first:]
        out = np.empty(n + 5, np.int16)[5:]
        sc.requantize(q, FixedPoint(32, 12), FixedPoint(16, 2), rounding="floor", out=out)
        np.testing.assert_array_equal(out, np.clip(q >> 10, -(2**15), 2**15 - 1))
        wide = q.astype(np.int64) << 20
        sc.requantize(wide, FixedPoint(64, 32), FixedPoint(16, 2), rounding="ceil", out=out)
        np.testing.assert_array_equal(out, np.clip(-(-q >> 10), -(2**15), 2**15 - 1))


# --- affine --------------------------------------------------------------------------------------

SCALES = [1.0, 0.5, 0.1, 1 / 3, float(np.float32(0.1)), 3.0, 2.0**-40, 1e-30, 1e30, 7 / 1024]


def affine_pairs() -> list[tuple[Format, Format]]:
    pairs: list[tuple[Format, Format]] = []
    for i, (scale, to_scale) in enumerate(product(SCALES, SCALES)):
        bits, to_bits = [8, 16, 32, 4, 31][i % 5], [8, 4, 16, 32, 1, 31][i % 6]
        signed, to_signed = i % 2 == 0, i % 3 == 0
        low, high = ends_of_width(bits, signed)
        to_low, to_high = ends_of_width(to_bits, to_signed)
        zero, to_zero = [0, low, high // 3, min(high, 2**31 - 1)][i % 4], [to_low // 2, 0, 1][i % 3]
        source = Affine(scale, zero, bits=bits, signed=signed)
        target = Affine(
            to_scale, max(min(to_zero, to_high), to_low), bits=to_bits, signed=to_signed
        )
        pairs += [(source, target)]
        if i % 7 == 0:
            pairs += [(FixedPoint(64, 30, signed), target), (source, FixedPoint(12, 4, to_signed))]
    return pairs


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_affine(lib: Any, rounding: str, overflow: str) -> None:
    modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
    for source, target in subset(affine_pairs(), 30):
        if overflow in overflows_of(target):
            q = hard_codes(source, target)
            actual = lib.requantize(q, source, target, **modes)
            assert_same_bits(actual, exact(q, source, target, **modes))


def test_affine_within_the_width(lib: Any) -> None:
    """The range of the result is qmin to qmax; that of the input is all integers of the width."""
    source, target = Affine(1.0, qmin=-100, qmax=100), Affine(2.0, 5, qmin=5, qmax=20)
    q = np.int8([-128, 127, 0, 1, 30, 3])
    for overflow in ("saturate", "saturate_symmetric", "saturate_zero"):
        actual = lib.requantize(q, source, target, overflow=overflow)
        assert_same_bits(actual, exact(q, source, target, overflow=overflow))


@pytest.mark.parametrize(
    "scale", [5e-324, 1e-310, 1.7e308, -1.0, -0.3, 0.0, 2.0**-1074, -(2.0**1000)]
)
def test_any_finite_scale_of_the_input(lib: Any, scale: float) -> None:
    source = Affine(scale, 3)
    q = np.arange(-128, 128, dtype=np.int8)
    for to_scale, overflow in product((2.3e-308, 0.7, 1e300), OVERFLOWS):
        target = Affine(to_scale, -4, bits=32)
        actual = lib.requantize(q, source, target, overflow=overflow)
        assert_same_bits(actual, exact(q, source, target, overflow=overflow))


def test_quotients_close_to_a_half(lib: Any) -> None:
    """Scales whose ratio is next to a half of an integer, where float64 cannot tell."""
    ratio = np.nextafter(0.5, 1)
    for scale, to_scale in ((ratio, 1.0), (1.0, 2 * ratio), (1 / 3, 2 / 3), (0.1, 0.2), (0.1, 0.3)):
        for rounding in ROUNDINGS:
            source, target = Affine(scale, bits=32), Affine(to_scale, bits=32)
            q = np.int32([1, 3, -1, -3, 2**31 - 1, -(2**31), 2**31 - 2, 6, -6, 9, 15])
            modes = {"rounding": rounding, **seed_of(rounding)}
            actual = lib.requantize(q, source, target, **modes)
            assert_same_bits(actual, exact(q, source, target, **modes))


# --- parameters, indices, dtypes ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fixed", "affine", "mixed"])
def test_parameters(lib: Any, kind: str) -> None:
    """Parameters of either format that vary along an axis, or by groups."""
    shape = (3, 70, 4)
    rng = np.random.default_rng(5)
    q = rng.integers(-(2**31), 2**31, shape, np.int32)
    ways: list[tuple[dict[str, Any], tuple[int, ...]]] = [
        ({"axis": 0}, (3,)),
        ({"axis": 1}, (70,)),
        ({"axis": -1}, (4,)),
        ({"axis": (0, 2)}, (3, 4)),
        ({"axis": 1, "group_size": 16}, (3, 5, 4)),
        ({"group_size": (32, 4)}, (3, 3, 1)),
    ]
    for (how, lengths), (to_how, to_lengths) in grid(ways, ways[::-1]):
        source: Format = FixedPoint(32, rng.integers(0, 20, lengths), **how)
        target: Format = FixedPoint(16, rng.integers(-30, 20, to_lengths), **to_how)
        if kind != "fixed":
            zeros = rng.integers(-100, 100, to_lengths)
            target = Affine(rng.uniform(0.5, 9, to_lengths), zeros, bits=16, **to_how)
        if kind == "affine":
            source = Affine(rng.uniform(-1, 1, lengths), bits=32, **how)
        assert_same_bits(lib.requantize(q, source, target), exact(q, source, target))


def test_wide_shifts_of_some_groups(lib: Any) -> None:
    """Among shifts that differ by group, only some are beyond the width of the integers."""
    q = np.array([[2**62, -(2**62), 1, -1, 0]] * 4, np.int64)
    source = FixedPoint(64, [200, 0, 70, 62], axis=0)
    for to in (FixedPoint(16, 0), FixedPoint(16, [0, 3, 8, -2, -100], axis=1)):
        for rounding in ROUNDINGS:
            modes = {"rounding": rounding, **seed_of(rounding)}
            actual = lib.requantize(q, source, to, **modes)
            assert_same_bits(actual, exact(q, source, to, **modes))


@pytest.mark.parametrize("first", [0, 5, 2**32 - 100, 2**64 - 300])
def test_index_offset(lib: Any, first: int) -> None:
    """Parts get the integers of the whole, also where the upper half of the index changes."""
    q = np.random.default_rng(0).integers(-(2**31), 2**31, 1000, np.int32)
    for target in (FixedPoint(16, -12), Affine(1000.3, bits=16)):
        modes: dict[str, Any] = {"rounding": "stochastic", "seed": SEED}
        source = FixedPoint(32, 0)
        whole = lib.requantize(q, source, target, **modes, index_offset=first)
        assert_same_bits(whole, exact(q, source, target, **modes, index_offset=first))
        second = (first + 300) % 2**64
        part = lib.requantize(q[300:], source, target, **modes, index_offset=second)
        assert_same_bits(part, whole[300:])


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
def test_narrow_dtypes(lib: Any, name: str) -> None:
    dtype = np.dtype(getattr(ml_dtypes, name))
    bits, signed = int(name[-1]), name[0] == "i"
    low, high = ends_of_width(bits, signed)
    q = np.arange(low, high + 1).astype(dtype)
    source = FixedPoint(bits, 1, signed)
    assert_same_bits(
        lib.requantize(q, source, FixedPoint(8, 3)), np.int8(np.arange(low, high + 1) * 4)
    )
    out = np.zeros(5, dtype)
    given = np.int8([-3, 0, 1, 2, 3])
    assert lib.requantize(given, FixedPoint(8, 1), source, out=out) is out
    assert out.astype(np.int8).tolist() == np.clip(given, low, high).tolist()


def test_strides_byte_orders_and_out(lib: Any) -> None:
    q = np.random.default_rng(1).integers(-(2**40), 2**40, (6, 10))
    source, target = FixedPoint(64, 32), FixedPoint(16, 8)
    expected = exact(q, source, target)
    assert_same_bits(lib.requantize(q.T, source, target), expected.T)
    assert_same_bits(lib.requantize(q[::2, ::-3], source, target), expected[::2, ::-3])
    assert_same_bits(lib.requantize(q.astype(">i8"), source, target), expected)
    assert_same_bits(lib.requantize(q.astype(np.longlong), source, target), expected)
    out = np.zeros((10, 6), np.int16).T
    assert lib.requantize(q, source, target, out=out) is out
    assert_same_bits(out, expected)


# --- errors ----------------------------------------------------------------------------------


def test_out_of_range_is_counted(lib: Any) -> None:
    q = np.zeros(3000, np.int32)
    q[[1500, 2999]] = 1000, -1000
    for target in (FixedPoint(8, 0), Affine(0.9)):
        assert_refuses(
            OverflowError,
            ["q has 2 elements out of range of", repr(target), "the first at flat index 1500"],
            *(lib.requantize, q, FixedPoint(32, 0), target),
            overflow="raise",
        )
    assert lib.requantize(q, FixedPoint(32, 3), FixedPoint(8, 0), overflow="raise")[1500] == 125


@pytest.mark.parametrize(
    ("bits", "code"), [(7, 64), (7, -65), (12, 2048), (24, 2**23), (40, -(2**40))]
)
def test_integers_that_the_format_lacks(lib: Any, bits: int, code: int) -> None:
    source = FixedPoint(bits, 2)
    q = np.zeros(1200, source.dtype)
    q[1100], q[1150] = code, code
    low, high = ends_of_width(bits, True)
    words = [
        f"q must have integers from {low} to {high} for this from_fmt, got {code}",
        "index 1100",
    ]
    for target in (FixedPoint(8, 1), Affine(0.3)):
        assert_refuses(ValueError, words, lib.requantize, q, source, target)


def test_unsigned_integers_that_the_format_lacks(lib: Any) -> None:
    for bits, code in ((5, 32), (20, 2**32 - 1), (62, 2**64 - 1)):
        source = FixedPoint(bits, 2, signed=False)
        q = np.array([0, code], source.dtype)
        words = [f"integers from 0 to {2**bits - 1} for this from_fmt, got {code} at flat index 1"]
        assert_refuses(ValueError, words, lib.requantize, q, source, FixedPoint(8, 1))


def test_arguments(lib: Any) -> None:
    q, wide, narrow = np.zeros(4, np.int32), FixedPoint(32, 4), FixedPoint(8, 2)
    refused = lambda *args, **how: assert_refuses(*args[:2], lib.requantize, *args[2:], **how)
    refused(TypeError, ["from_fmt must be a FixedPoint or an Affine, got 3"], q, 3, narrow)
    refused(TypeError, ["to_fmt must be a FixedPoint or an Affine, got None"], q, wide, None)
    refused(TypeError, ["q must be int32", "got int8"], np.int8([1]), wide, narrow)
    refused(TypeError, ["q must be int32", "got float32"], np.float32([1]), wide, narrow)
    refused(ValueError, ["to_fmt must have at most 32 bits", "bits=40"], q, wide, FixedPoint(40, 2))
    refused(ValueError, ["rounding must be", "'up'"], q, wide, narrow, rounding="up")
    refused(ValueError, ["seed must be"], q, wide, narrow, rounding="stochastic")
    refused(ValueError, ["seed must be None"], q, wide, narrow, seed=1)
    refused(ValueError, ["index_offset"], q, wide, narrow, index_offset=-1)
    wrap = {"overflow": "wrap"}
    refused(ValueError, ["overflow must be"], q, wide, Affine(1.0, qmin=-7, qmax=7), **wrap)
    refused(ValueError, ["to_fmt.scale must be positive"], q, wide, Affine(-1.0))
    refused(ValueError, ["to_fmt.scale", "float64"], q, wide, Affine(5e-324))
    refused(
        ValueError, ["from_fmt.frac_bits", "(3,)"], q, FixedPoint(32, [1, 2, 3], axis=0), narrow
    )
    refused(ValueError, ["to_fmt.axis"], q, wide, FixedPoint(8, [1, 2], axis=1))
    refused(TypeError, ["out must be", "int8"], q, wide, narrow, out=np.zeros(4, np.int32))
    refused(ValueError, ["out must", "share no memory"], q, wide, narrow, out=q.view(np.int8)[:4])


@pytest.mark.parametrize(
    "name", ["quantize", "dequantize", "fake_quantize", "prune_quantize", "compare"]
)
def test_wide_formats_are_of_requantize(lib: Any, name: str) -> None:
    fmt, w = FixedPoint(40, 8), np.float32([1, 2])
    calls: dict[str, Any] = {
        "quantize": lambda: lib.quantize(w, fmt),
        "dequantize": lambda: lib.dequantize(np.int64([1]), fmt),
        "fake_quantize": lambda: lib.fake_quantize(w, fmt),
        "prune_quantize": lambda: lib.prune_quantize(w, fmt, k=1),
        "compare": lambda: lib.compare(w, w, fmt=fmt),
    }
    assert_refuses(ValueError, ["fmt must have at most 32 bits", "requantize"], calls[name])


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize("fmt", [Affine(1.0, bits=1), Affine(1.0, bits=8, qmin=-100, qmax=0)])
def test_lanes_after_the_last_element_are_not_counted(fmt: Affine, dtype: Any) -> None:
    """Kernels convert whole words. What an earlier call left in memory must not round up there."""
    from_fmt = FixedPoint(8 * np.dtype(dtype).itemsize, 3)
    how: Any = {"rounding": "stochastic", "seed": SEED}
    for n in [*range(1, 130), 1000]:
        sc.requantize(np.full(4096, 5, dtype), from_fmt, fmt, **how)
        q = sc.requantize(np.zeros(n, dtype), from_fmt, fmt, **how, overflow="raise")
        assert_same_bits(q, np.zeros(n, fmt.dtype))
        with pytest.raises(OverflowError, match=r"^q has 1 elements? out of range .*index 0"):
            sc.requantize(np.arange(n)[::-1].astype(dtype)[:1] * 0 + 8, from_fmt, fmt, **how,
                          overflow="raise")  # fmt: skip
