"""quantize, dequantize, fake_quantize and prune_quantize, compared with exact arithmetic."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import FixedPoint, reference
from support.arrays import (
    IN_CACHE,
    LANES,
    LARGE,
    NUMBERS,
    SHARED,
    STREAMED,
    VALUES,
    WITH_NAN,
    from_bits,
    ks_to_try,
    ranking,
    raw,
    standard,
)
from support.grids import grid, number, subset
from support.isas import on_every_isa
from support.oracles import (
    Ranking,
    assert_same_bits,
    bits_of,
    bulk_codes,
    bulk_values,
    exact_codes,
    exact_values,
)
from support.raw_bits import float32s

# Up to ±126 the compute type is float; beyond, double. 149 and 150 are at the end of float32's range.
FRAC_BITS = [-256, -253, -252, -251, -200, -150, -149, -128, -127, -126, -125, -100, -24, -16, -8]
FRAC_BITS += [-1, 0, 1, 5, 7, 8, 15, 16, 24, 100, 125, 126, 127, 128, 148, 149, 150, 151, 200]
FRAC_BITS += [251, 252, 253, 256]
KINDS = [(bits, signed) for bits in (8, 16) for signed in (True, False)]
KIND_NAMES = [f"{'int' if signed else 'uint'}{bits}" for bits, signed in KINDS]

kinds = pytest.mark.parametrize(("bits", "signed"), KINDS, ids=KIND_NAMES)
formats = st.builds(FixedPoint, st.sampled_from([8, 16]), st.integers(-256, 256), st.booleans())


def assert_quantizes(w: np.ndarray, fmt: FixedPoint, codes: np.ndarray, values: np.ndarray) -> None:
    """Check the results in new arrays, in given arrays, and in place."""
    assert_same_bits(sc.quantize(w, fmt, nan="zero"), codes)
    assert_same_bits(sc.dequantize(codes, fmt), values)
    assert_same_bits(sc.fake_quantize(w, fmt, nan="zero"), values)
    q, out = np.full_like(codes, 7), np.full_like(values, 7)
    assert sc.quantize(w, fmt, nan="zero", out=q) is q
    assert_same_bits(q, codes)
    assert sc.dequantize(q, fmt, out=out) is out
    assert_same_bits(out, values)
    np.copyto(out, w)
    assert sc.fake_quantize(out, fmt, nan="zero", out=out) is out
    assert_same_bits(out, values)


# --- values ----------------------------------------------------------------------------------


@cache
def hard(fmt: FixedPoint) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values that are hard to quantize, with their codes and dequantized values.

    These are multiples of half a step around the ends of the range and around zero, with the
    float32 on either side, and the boundary values of float32.
    """
    ends = (fmt.min, fmt.max, 0, fmt.max // 2)
    halves = np.array([2 * end + step for end in ends for step in range(-5, 6)], np.float64)
    with np.errstate(over="ignore"):
        bits = np.ldexp(halves, -1 - fmt.frac_bits).astype(np.float32).view(np.uint32)
    own = np.uint32(
        [0, 1, 2, 3, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FFFFFFF]
    )
    bits = np.concatenate([bits, bits + 1, bits - 1, own, own | np.uint32(1 << 31)])
    w = from_bits(bits)
    codes = exact_codes(w, fmt)
    return w, codes, exact_values(codes, fmt)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("frac_bits", FRAC_BITS)
def test_hard_values(frac_bits: int) -> None:
    for bits, signed in KINDS:
        fmt = FixedPoint(bits, frac_bits, signed)
        w, codes, values = hard(fmt)
        assert_quantizes(w, fmt, codes, values)
        assert_same_bits(reference.quantize(w, fmt, nan="zero"), codes)
        assert_same_bits(reference.dequantize(codes, fmt), values)
        assert_same_bits(reference.fake_quantize(w, fmt, nan="zero"), values)


@kinds
def test_every_scale(bits: int, signed: bool) -> None:
    for frac_bits in subset(range(-256, 257), 30):
        fmt = FixedPoint(bits, frac_bits, signed)
        w, codes, values = hard(fmt)
        assert_same_bits(on_every_isa(lambda w=w, fmt=fmt: sc.quantize(w, fmt, nan="zero")), codes)
        assert_same_bits(on_every_isa(lambda q=codes, fmt=fmt: sc.dequantize(q, fmt)), values)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("frac_bits", [-150, -127, -120, 0, 7, 120, 127, 149])
def test_every_upper_half_of_a_float(frac_bits: int) -> None:
    """The upper halves are all signs, exponents and upper bits of the mantissa."""
    lower = np.uint32([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    w = from_bits((np.arange(1 << 16, dtype=np.uint32)[:, None] << 16) | lower)
    for bits, signed in KINDS:
        fmt = FixedPoint(bits, frac_bits, signed)
        codes = bulk_codes(w, fmt)
        assert_same_bits(sc.quantize(w, fmt, nan="zero"), codes)
        assert_same_bits(sc.fake_quantize(w, fmt, nan="zero"), bulk_values(codes, fmt))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("frac_bits", FRAC_BITS)
def test_every_code(frac_bits: int) -> None:
    for bits, signed in KINDS:
        fmt = FixedPoint(bits, frac_bits, signed)
        q = np.arange(fmt.min, fmt.max + 1).astype(fmt.dtype)
        values = sc.dequantize(q, fmt)
        assert_same_bits(values, bulk_values(q, fmt))
        exact = values.astype(np.float64) == q * fmt.resolution
        assert_same_bits(sc.quantize(values, fmt)[exact], q[exact])  # the same codes as before


@given(w=float32s(), fmt=formats)
def test_any_bits(w: np.ndarray, fmt: FixedPoint) -> None:
    codes = exact_codes(w, fmt)
    values = exact_values(codes, fmt)
    assert_same_bits(on_every_isa(lambda: sc.quantize(w, fmt, nan="zero")), codes)
    assert_same_bits(on_every_isa(lambda: sc.dequantize(codes, fmt)), values)
    assert_same_bits(on_every_isa(lambda: sc.fake_quantize(w, fmt, nan="zero")), values)
    assert_same_bits(reference.quantize(w, fmt, nan="zero"), codes)
    assert_same_bits(reference.dequantize(codes, fmt), values)
    assert_same_bits(reference.fake_quantize(w, fmt, nan="zero"), values)


def test_zeros_are_positive() -> None:
    w = np.float32([-0.0, -0.4, 0.4, -1e-45])
    for fmt in (FixedPoint(8, 0), FixedPoint(16, 0, False)):
        assert_same_bits(on_every_isa(lambda fmt=fmt: sc.fake_quantize(w, fmt)), np.zeros_like(w))


# --- sizes -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("isa", "threads")
@kinds
def test_all_sizes(bits: int, signed: bool) -> None:
    fmt = FixedPoint(bits, bits - 3, signed)
    for n in LANES + subset(IN_CACHE, 3) + subset(STREAMED + SHARED + [LARGE], 4):
        w = standard(n)
        codes = bulk_codes(w, fmt)
        assert_quantizes(w, fmt, codes, bulk_values(codes, fmt))


def pruned_codes(expected: Ranking, k: int, fmt: FixedPoint) -> np.ndarray:
    return np.where(expected.mask(k), bulk_codes(expected.w, fmt), 0).astype(fmt.dtype)


def check_prune_quantize(expected: Ranking, k: int, fmt: FixedPoint, nan: str) -> None:
    codes = pruned_codes(expected, k, fmt)
    q = np.full_like(codes, 7)
    assert_same_bits(sc.prune_quantize(expected.w, fmt, k=k, nan=nan), codes)
    assert sc.prune_quantize(expected.w, fmt, k=k, nan=nan, out=q) is q
    assert_same_bits(q, codes)


def all_formats() -> Iterator[FixedPoint]:
    for bits, signed in KINDS:
        yield FixedPoint(bits, bits - 3, signed)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("values", VALUES)
def test_prune_quantize_in_cache(values: str) -> None:
    nan = "zero" if values in WITH_NAN else "raise"
    for n in LANES:
        expected = ranking(values, n, "prune")
        for fmt, k in grid(all_formats(), ks_to_try(expected.w)):
            check_prune_quantize(expected, k, fmt, nan)
    for n in subset(IN_CACHE, 3):
        expected = ranking(values, n, "prune")
        for k in (n // 10, n // 2):
            check_prune_quantize(expected, k, FixedPoint(8, 5), nan)


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("values", ["normal", "coarse grid", "90 % zeros", "raw bits"])
def test_prune_quantize_from_memory(values: str) -> None:
    nan = "zero" if values in WITH_NAN else "raise"
    for n, fmt in grid(subset(STREAMED + SHARED, 2), subset(all_formats(), 2)):
        check_prune_quantize(ranking(values, n, "prune"), n // 10, fmt, nan)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("values", VALUES)
def test_prune_quantize_large(values: str) -> None:
    nan = "zero" if values in WITH_NAN else "raise"
    n = number(LARGE, quick=300_003)
    expected = ranking(values, n, "prune")
    nonzero = int(np.count_nonzero(expected.w))
    for k in {n // 10, n - n // 10, nonzero}:
        check_prune_quantize(expected, k, FixedPoint(16, 9), nan)


@given(w=float32s(), fmt=formats, share=st.floats(0, 1))
def test_prune_quantize_of_any_bits(w: np.ndarray, fmt: FixedPoint, share: float) -> None:
    mask = Ranking(w, "prune").mask(w.size - round(share * w.size))
    expected = np.where(mask, exact_codes(w, fmt), 0).astype(fmt.dtype)
    arguments = {"sparsity": share, "nan": "zero"}
    assert_same_bits(on_every_isa(lambda: sc.prune_quantize(w, fmt, **arguments)), expected)
    assert_same_bits(reference.prune_quantize(w, fmt, **arguments), expected)


@pytest.mark.parametrize("values", NUMBERS)
def test_prune_quantize_is_both_after_another(values: str) -> None:
    w, fmt = VALUES[values](3000), FixedPoint(8, 4)
    expected = sc.quantize(sc.prune(w, sparsity=0.6), fmt)
    assert_same_bits(sc.prune_quantize(w, fmt, sparsity=0.6), expected)


# --- NaN refused -----------------------------------------------------------------------------


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [1, 17, 100, 65_536, 65_537, 300_000, LARGE])
def test_refused_nan_is_counted_and_leaves_the_array(n: int) -> None:
    fmt = FixedPoint(8, 5)
    for places in ([0], [n - 1], [n // 2], [n // 3, n // 2, n - 1]):
        w = standard(n)
        w.view(np.uint32)[places] = 0x7F800001  # a signalling NaN
        before = w.copy()
        found = sorted({*places})
        message = f"^w has {len(found)} NaN, the first at flat index {found[0]}; nan='zero'"
        with pytest.raises(ValueError, match=message):
            sc.fake_quantize(w, fmt, out=w)
        with pytest.raises(ValueError, match=message):
            sc.fake_quantize(w, fmt)
        with pytest.raises(ValueError, match=message):
            sc.quantize(w, fmt)
        for sparsity in (0, 0.5, 1):
            with pytest.raises(ValueError, match=message):
                sc.prune_quantize(w, fmt, sparsity=sparsity)
        assert_same_bits(w, before)


def test_any_nan_becomes_zero() -> None:
    payloads = np.concatenate([0x7F800001 + raw(1000) % 0x7FFFFF, np.uint32([0x7FFFFFFF])])
    w = from_bits(np.concatenate([payloads, payloads | np.uint32(1 << 31)]))
    assert np.isnan(w).all()
    for fmt in all_formats():
        assert not on_every_isa(lambda fmt=fmt: sc.quantize(w, fmt, nan="zero")).any()
        assert not bits_of(on_every_isa(lambda f=fmt: sc.fake_quantize(w, f, nan="zero"))).any()
        assert not on_every_isa(lambda f=fmt: sc.prune_quantize(w, f, k=7, nan="zero")).any()


# --- integers that do not belong to the format --------------------------------------------------


@pytest.mark.parametrize("bits", range(2, 33))
@pytest.mark.parametrize("signed", [True, False])
def test_any_integer_of_the_width_is_dequantized(bits: int, signed: bool) -> None:
    """An integer may be at either end of the format."""
    fmt = FixedPoint(bits, 5, signed=signed)
    high = fmt.max
    q = np.array([high, fmt.min, high // 2 + 1, max(high - 3, 0), 1, 0] * 20, fmt.dtype)
    expected = np.array([int(code) / 32 for code in q])  # exact in float64
    assert_same_bits(on_every_isa(lambda: sc.dequantize(q, fmt, dtype="f8")), expected)
    by_channel = FixedPoint(bits, np.arange(6, dtype=np.int32), signed=signed, axis=1)
    steps = np.ldexp(1.0, -np.arange(6))
    assert_same_bits(
        on_every_isa(lambda: sc.dequantize(q.reshape(-1, 6), by_channel, dtype="f8")),
        q.reshape(-1, 6).astype(np.float64) * steps,
    )


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
def test_integers_in_the_narrow_dtypes(lib: Any, name: str) -> None:
    """The dtypes of ml_dtypes are accepted if they hold all integers of the format."""
    held, signed = np.dtype(getattr(ml_dtypes, name)), name.startswith("i")
    for bits in range(2, 6):
        fmt = FixedPoint(bits, 1, signed=signed)
        w = np.arange(fmt.min, fmt.max + 1, dtype=np.float32) / 2
        codes = np.arange(fmt.min, fmt.max + 1)
        out = np.empty(w.shape, held)
        if bits > ml_dtypes.iinfo(held).bits:
            with pytest.raises(TypeError, match="out must be"):
                lib.quantize(w, fmt, out=out)
            with pytest.raises(TypeError, match="q must be"):
                lib.dequantize(out, fmt)
            continue
        assert lib.quantize(w, fmt, out=out) is out
        assert out.astype(np.int32).tolist() == codes.tolist()
        assert lib.prune_quantize(w, fmt, sparsity=0, out=out) is out
        assert out.astype(np.int32).tolist() == codes.tolist()
        assert_same_bits(lib.dequantize(out, fmt), w)
