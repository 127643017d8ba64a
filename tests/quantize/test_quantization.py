"""Every rounding, overflow and NaN rule of quantize, dequantize, fake_quantize, prune_quantize."""

import warnings
from fractions import Fraction
from functools import cache, partial
from itertools import cycle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import FixedPoint, reference
from support.arrays import DTYPES, around
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import (
    Ranking,
    apply_overflow,
    assert_same_bits,
    exact_codes,
    exact_integers,
    exact_values,
    is_nan,
)
from support.quantizing import (
    BITS,
    FORMATS,
    FRAC_BITS,
    OVERFLOWS,
    ROUNDINGS,
    SEED,
    USUAL,
    hard,
    normal,
    seed_of,
)
from support.raw_bits import floats
from support.refusals import assert_refuses

dtypes = pytest.mark.parametrize("dtype", DTYPES)
roundings = pytest.mark.parametrize("rounding", ROUNDINGS)
overflows = pytest.mark.parametrize("overflow", OVERFLOWS)


def on_every_library(call: Any, expected: np.ndarray) -> None:
    for name in LIBRARIES:
        with library(name) as lib:
            assert_same_bits(call(lib), expected)


# --- values ----------------------------------------------------------------------------------


@cache
def integers(dtype: str, fmt: FixedPoint, rounding: str) -> list[float]:
    return exact_integers(hard(fmt, dtype), fmt, rounding, SEED)


@dtypes
@roundings
def test_hard_values(lib: Any, dtype: str, rounding: str) -> None:
    for fmt, overflow in grid(subset(FORMATS, 20), OVERFLOWS):
        modes = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed_of(rounding)}
        codes = [apply_overflow(r, fmt, overflow) for r in integers(dtype, fmt, rounding)]
        assert_same_bits(lib.quantize(hard(fmt, dtype), fmt, **modes), np.array(codes, fmt.dtype))


@dtypes
def test_hard_values_come_back_as_floats(lib: Any, dtype: str) -> None:
    for fmt in subset(FORMATS, 12):
        w = hard(fmt, dtype)
        codes = exact_codes(w, fmt)
        for other in subset(DTYPES, 2):
            values = lib.dequantize(codes, fmt, dtype=DTYPES[other])
            assert_same_bits(values, exact_values(codes, fmt, other))
        expected = exact_values(codes, fmt, dtype)
        assert_same_bits(lib.fake_quantize(w, fmt, nan="zero"), expected)
        out = w.copy()
        assert lib.fake_quantize(out, fmt, nan="zero", out=out) is out
        assert_same_bits(out, expected)


@given(
    data=st.data(),
    dtype=st.sampled_from(list(DTYPES)),
    fmt=st.builds(FixedPoint, st.integers(2, 32), st.integers(-256, 256), st.booleans()),
    rounding=st.sampled_from(ROUNDINGS),
    overflow=st.sampled_from(OVERFLOWS),
    seed=st.integers(0, 2**64 - 1),
)
def test_any_bits(
    data: st.DataObject, dtype: str, fmt: FixedPoint, rounding: str, overflow: str, seed: int
) -> None:
    w = data.draw(floats(dtype, st.integers(0, 70)))
    modes = {"rounding": rounding, "overflow": overflow, "nan": "zero"}
    modes |= {"seed": seed} if rounding == "stochastic" else {}
    codes = exact_codes(w, fmt, rounding, overflow, seed)
    values = exact_values(codes, fmt, dtype)
    on_every_library(lambda lib: lib.quantize(w, fmt, **modes), codes)
    on_every_library(lambda lib: lib.dequantize(codes, fmt, dtype=w.dtype), values)
    on_every_library(lambda lib: lib.fake_quantize(w, fmt, **modes), values)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("frac_bits", FRAC_BITS)
def test_every_code_as_every_float(lib: Any, bits: int, frac_bits: int) -> None:
    """A value that the float type represents exactly is quantized to its code."""
    for signed in (True, False):
        fmt = FixedPoint(bits, frac_bits, signed)
        q = np.arange(fmt.min, fmt.max + 1).astype(fmt.dtype)
        for dtype in DTYPES.values():
            values = lib.dequantize(q, fmt, dtype=dtype)
            assert_same_bits(values, reference.dequantize(q, fmt, dtype=dtype))
            exact = values.astype(np.float64) == q * fmt.resolution
            assert_same_bits(lib.quantize(values, fmt)[exact], q[exact])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@roundings
def test_every_float_of_16_bits(lib: Any, dtype: str, rounding: str) -> None:
    w = np.arange(1 << 16, dtype=np.uint16).view(DTYPES[dtype])
    for fmt, overflow in zip(FORMATS[::5], OVERFLOWS * 9, strict=False):
        modes = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed_of(rounding)}
        assert_same_bits(lib.quantize(w, fmt, **modes), reference.quantize(w, fmt, **modes))
        fake = reference.fake_quantize(w, fmt, **modes)
        assert_same_bits(lib.fake_quantize(w, fmt, **modes), fake)


def test_the_middle_of_two_bfloat16_by_one_float32(lib: Any) -> None:
    """Values are near the middle of two bfloat16. Rounding to float32 first would make ties."""
    fmt = FixedPoint(32, 0)
    q = np.int32([0x01010001, 0x01010000, 0x0100FFFF, 0x01030001, 0x01030000, 0x0102FFFF])
    q = np.concatenate([q, -q])
    assert_same_bits(
        lib.dequantize(q, fmt, dtype=ml_dtypes.bfloat16), exact_values(q, fmt, "bfloat16")
    )
    half = FixedPoint(32, 16)  # the middle of two float16
    q = np.int32([0x00801000, 0x00801001, 0x00800FFF, 0x40080001, 0x40080000, 0x4007FFFF])
    assert_same_bits(lib.dequantize(q, half, dtype=np.float16), exact_values(q, half, "float16"))


def test_roundings_by_hand(lib: Any) -> None:
    w = np.float32([-2.5, -1.5, -1.25, -0.5, -0.25, -0.0, 0.25, 0.5, 1.25, 1.5, 2.5])
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
    for rounding, codes in expected.items():
        q = lib.quantize(w, FixedPoint(8, 0), rounding=rounding)
        assert_same_bits(q, np.int8(codes))


def test_overflows_by_hand(lib: Any) -> None:
    w = np.float32([-20, -9, -8, -7, 7, 8, 9, 23, 24, 1e30, -np.inf, np.inf])
    signed, unsigned = FixedPoint(4, 0), FixedPoint(4, 0, signed=False)
    expected = {
        "saturate": [-8, -8, -8, -7, 7, 7, 7, 7, 7, 7, -8, 7],
        "saturate_symmetric": [-7, -7, -7, -7, 7, 7, 7, 7, 7, 7, -7, 7],
        "saturate_zero": [0, 0, -8, -7, 7, 0, 0, 0, 0, 0, 0, 0],
        "wrap": [-4, 7, -8, -7, 7, -8, -7, 7, -8, 0, 0, 0],
    }
    for overflow, codes in expected.items():
        q = lib.quantize(w, signed, overflow=overflow, nan="zero")
        assert_same_bits(q, np.int8(codes))
    q = lib.quantize(w, unsigned, overflow="wrap", nan="zero")
    assert_same_bits(q, np.uint8([12, 7, 8, 9, 7, 8, 9, 7, 8, 0, 0, 0]))
    for overflow in ("saturate", "saturate_symmetric"):
        q = lib.quantize(w, unsigned, overflow=overflow)
        assert_same_bits(q, np.uint8([0, 0, 0, 0, 7, 8, 9, 15, 15, 15, 0, 15]))


def test_wrapping_huge_numbers(lib: Any) -> None:
    """Multiples of 2^32 wrap to 0, even if the product exceeds the range of float64."""
    huge = 1.7976931348623157e308
    w = np.float64([huge, -huge, 2.0**84, 2.0**83 + 2.0**31, 2.0**52 + 1, -(2.0**52) - 1, 2.0**31])
    expected = [0, 0, 0, -(2**31), 1, -1, -(2**31)]
    assert_same_bits(lib.quantize(w, FixedPoint(32, 0), overflow="wrap"), np.int32(expected))
    assert not lib.quantize(w[:4], FixedPoint(32, 256), overflow="wrap").any()


@pytest.mark.parametrize("tiny", [5e-324, 2.0**-1022, 2.0**-200])
def test_directed_rounding_of_tiny_numbers(lib: Any, tiny: float) -> None:
    w = np.float64([tiny, -tiny])
    for frac_bits in (-256, 0, 5):
        fmt = FixedPoint(8, frac_bits)
        assert lib.quantize(w, fmt, rounding="ceil").tolist() == [1, 0]
        assert lib.quantize(w, fmt, rounding="floor").tolist() == [0, -1]
        assert lib.quantize(w, fmt, rounding="trunc").tolist() == [0, 0]
        assert lib.quantize(w, fmt, rounding="away").tolist() == [1, -1]


# --- sizes, threads --------------------------------------------------------------------------

SIZES = [0, 1, 2, 3, *around(4, 8, 16, 32, 64, 128, 512, 4096, 16384)]


@dtypes
@roundings
def test_all_sizes(lib: Any, dtype: str, rounding: str) -> None:
    for (n, overflow), fmt in grid(zip(SIZES, cycle(OVERFLOWS), strict=False), USUAL):
        w = normal(n, dtype, 20.0)
        modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        codes = reference.quantize(w, fmt, **modes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        q, out = np.full_like(codes, 7), w.copy()
        assert_same_bits(lib.quantize(w, fmt, **modes), codes)
        assert lib.quantize(w, fmt, **modes, out=q) is q
        assert_same_bits(q, codes)
        assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
        assert lib.fake_quantize(out, fmt, **modes, out=out) is out
        assert_same_bits(out, values)


@dtypes
@roundings
def test_on_several_threads(lib_on_threads: Any, dtype: str, rounding: str) -> None:
    for n, fmt in ((300_001, USUAL[0]), (1_100_003, USUAL[3])):
        w = normal(n, dtype, 20.0)
        w[n // 3], w[n // 2] = np.inf, np.nan
        modes = {"rounding": rounding, "nan": "zero", **seed_of(rounding)}
        codes = reference.quantize(w, fmt, **modes)
        assert_same_bits(lib_on_threads.quantize(w, fmt, **modes), codes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        assert_same_bits(lib_on_threads.dequantize(codes, fmt, dtype=w.dtype), values)
        assert_same_bits(lib_on_threads.fake_quantize(w, fmt, **modes), values)


# --- prune_quantize --------------------------------------------------------------------------


@dtypes
@roundings
@pytest.mark.parametrize("n", [0, 1, 65, 1025, 70_001])
def test_prune_quantize_is_both_after_another(lib: Any, dtype: str, rounding: str, n: int) -> None:
    w = normal(n, dtype, 20.0)
    k = n // 3
    kept = np.where(Ranking(w).mask(k), w, np.zeros((), w.dtype))
    for fmt, overflow in zip(USUAL, OVERFLOWS * 2, strict=True):
        modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        expected = reference.quantize(kept, fmt, **modes)
        assert_same_bits(lib.prune_quantize(w, fmt, k=k, **modes), expected)
        q = np.full_like(expected, 7)
        assert lib.prune_quantize(w, fmt, k=k, **modes, out=q) is q
        assert_same_bits(q, expected)


@given(
    data=st.data(),
    dtype=st.sampled_from(list(DTYPES)),
    fmt=st.builds(FixedPoint, st.integers(2, 32), st.integers(-256, 256), st.booleans()),
    rounding=st.sampled_from(ROUNDINGS),
    overflow=st.sampled_from(OVERFLOWS),
    share=st.floats(0, 1),
)
def test_prune_quantize_of_any_bits(
    data: st.DataObject, dtype: str, fmt: FixedPoint, rounding: str, overflow: str, share: float
) -> None:
    w = data.draw(floats(dtype, st.integers(0, 70)))
    mask = Ranking(w, "prune").mask(w.size - round(share * w.size))
    codes = np.where(mask, exact_codes(w, fmt, rounding, overflow, SEED), 0).astype(fmt.dtype)
    modes = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed_of(rounding)}
    on_every_library(lambda lib: lib.prune_quantize(w, fmt, sparsity=share, **modes), codes)


@pytest.mark.parametrize("n", [1000, 100_000])
def test_what_loses_among_many_cannot_overflow(lib: Any, n: int) -> None:
    """Candidates written before the selection is known do not count as overflow."""
    w = np.float32(np.random.default_rng(0).uniform(50, 100, n))
    w[np.argsort(w)[: n // 2]] *= -1
    fmt = FixedPoint(8, 0, signed=False)
    q = lib.prune_quantize(w, fmt, k=n // 2, overflow="raise")
    assert q.tobytes() == reference.prune_quantize(w, fmt, k=n // 2).tobytes()
    words = [f"w has {n // 2} elements", "out of range"]
    assert_refuses(
        OverflowError, words, lib.prune_quantize, w * 100, fmt, k=n // 2, overflow="raise"
    )


@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "uint2"])
@pytest.mark.parametrize("n", [1000, 100_000])
def test_pruned_to_narrow_integers(lib: Any, name: str, n: int) -> None:
    if lib is reference:
        return  # the reference has no narrow integers
    dtype = np.dtype(getattr(pytest.importorskip("ml_dtypes"), name))
    fmt = FixedPoint(int(name[-1]), 0, signed=name[0] == "i")
    w = np.random.default_rng(1).normal(size=n).astype(np.float32)
    whole = np.zeros(n + 64, np.uint8)
    q = lib.prune_quantize(w, fmt, k=n // 3, out=whole[:n].view(dtype))
    expected = reference.prune_quantize(w, fmt, k=n // 3)
    assert q.astype(expected.dtype).tobytes() == expected.tobytes()
    assert not whole[n:].any()


def test_only_what_is_kept_can_overflow(lib: Any) -> None:
    w = np.float32([1, -200, 3, 300, 5])
    fmt = FixedPoint(8, 0)
    message = r"w has 2 elements out of range of .*, the first at flat index 1$"
    for k in (2, 5):
        with pytest.raises(OverflowError, match=message):
            lib.prune_quantize(w, fmt, k=k, overflow="raise")
    with pytest.raises(OverflowError, match=r"w has 1 element.*, the first at flat index 3$"):
        lib.prune_quantize(w, fmt, k=1, overflow="raise")
    assert not lib.prune_quantize(w, fmt, k=0, overflow="raise").any()


# --- layouts ---------------------------------------------------------------------------------


def unaligned(w: np.ndarray) -> np.ndarray:
    buffer = np.empty(w.nbytes + 1, np.uint8)[1:]
    array = buffer.view(w.dtype).reshape(w.shape) if w.size else w
    array[...] = w
    return array


def spaced(w: np.ndarray) -> np.ndarray:
    buffer = np.zeros((*w.shape[:-1], 3 * w.shape[-1]), w.dtype)
    buffer[..., ::3] = w
    return buffer[..., ::3]


LAYOUTS = {
    "strided": spaced,
    "reversed": lambda w: np.ascontiguousarray(w[::-1, ::-1])[::-1, ::-1],
    "transposed": np.asfortranarray,
    "unaligned": unaligned,
    "big-endian": lambda w: w.astype(w.dtype.newbyteorder(">")),
    "read-only": lambda w: np.frombuffer(w.tobytes(), w.dtype).reshape(w.shape),
}


@dtypes
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("rounding", ["nearest_even", "floor", "stochastic"])
def test_layouts(lib: Any, dtype: str, layout: str, rounding: str) -> None:
    """Draws depend on the index in C order, whatever the memory layout is."""
    if (dtype, layout) == ("bfloat16", "big-endian"):
        pytest.skip("ml_dtypes has none")
    w = normal((37, 29), dtype, 20.0)
    given_w = LAYOUTS[layout](w)
    assert given_w.shape == w.shape
    modes = {"rounding": rounding, **seed_of(rounding)}
    for fmt in (
        *USUAL,
        FixedPoint(8, np.arange(29) % 7, axis=1),
        FixedPoint(8, np.arange(37 * 4).reshape(37, 4) % 7, group_size=8),
    ):
        codes = reference.quantize(w, fmt, **modes)
        assert_same_bits(lib.quantize(given_w, fmt, **modes), codes)
        given_q = codes if (layout, codes.itemsize) == ("unaligned", 1) else LAYOUTS[layout](codes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        assert_same_bits(lib.dequantize(given_q, fmt, dtype=w.dtype), values)
        assert_same_bits(lib.fake_quantize(given_w, fmt, **modes), values)
        for where in (spaced, np.asfortranarray, unaligned):
            out = where(np.full_like(codes, 7))
            assert lib.quantize(given_w, fmt, **modes, out=out) is out
            assert_same_bits(out, codes)


# --- what is refused --------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("n", [1, 17, 129, 16385, 300_001])
def test_refused_nan(lib: Any, dtype: str, n: int) -> None:
    """NaN is refused before overflow. Nothing is written, neither in place nor elsewhere."""
    fmt = FixedPoint(8, 5)
    w = normal(n, dtype)
    w[[0, n // 2]] = 1000
    places = sorted({n // 3, n // 2, n - 1})
    w[places] = np.nan
    words = [f"w has {len(places)} NaN", f"the first at flat index {places[0]}"]
    for rounding, overflow in zip(ROUNDINGS, [*OVERFLOWS, "raise"] * 2, strict=False):
        modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        assert_refuses(ValueError, words, lib.quantize, w, fmt, **modes)
        assert_refuses(ValueError, words, lib.fake_quantize, w, fmt, **modes)
        assert_refuses(ValueError, words, lib.fake_quantize, w, fmt, **modes, out=w)
        assert_refuses(ValueError, words, lib.prune_quantize, w, fmt, k=n, **modes)


@dtypes
@pytest.mark.parametrize("n", [1, 17, 129, 16385, 300_001])
def test_refused_overflow(lib: Any, dtype: str, n: int) -> None:
    w = normal(n, dtype)
    places = sorted({n // 3, n // 2, n - 1})
    for value in (1000, -np.inf):
        w[places] = value
        for fmt in (FixedPoint(8, 4), FixedPoint(16, 10, False), FixedPoint(32, 26)):
            v = np.abs(w) if not fmt.signed else w
            words = [f"w has {len(places)} element", "out of range of", str(fmt)]
            words += [f"the first at flat index {places[0]}"]
            for call in (lib.quantize, lib.fake_quantize, partial(lib.prune_quantize, k=n)):
                assert_refuses(OverflowError, words, call, v, fmt, overflow="raise")
            assert_refuses(OverflowError, words, lib.fake_quantize, v, fmt, overflow="raise", out=v)
    w[places] = np.nan
    codes = lib.quantize(w, FixedPoint(8, 4), overflow="raise", nan="zero")
    assert_same_bits(codes, reference.quantize(w, FixedPoint(8, 4), nan="zero"))


def test_what_is_just_in_range_is_not_refused(lib: Any) -> None:
    fmt = FixedPoint(8, 0)
    for rounding, least, most in (
        ("nearest_even", -128.5, 127.25),
        ("nearest_away", -128.25, 127.25),
        ("nearest_up", -128.5, 127.25),
        ("floor", -128.0, 127.75),
        ("ceil", -128.75, 127.0),
        ("trunc", -128.75, 127.75),
        ("away", -128.0, 127.0),
    ):
        w = np.float32([least, most])
        q = lib.quantize(w, fmt, rounding=rounding, overflow="raise")
        assert_same_bits(q, np.int8([-128, 127]))
        for value in (least - 0.25, most + 0.25):
            with pytest.raises(OverflowError, match="w has 1 element"):
                lib.quantize(np.float32([value]), fmt, rounding=rounding, overflow="raise")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinity_cannot_be_wrapped(lib: Any, value: float) -> None:
    w = np.float32([1, 2, value, 3, value])
    fmt = FixedPoint(8, 2)
    words = ["w has 2 NaN", "the first at flat index 2"]
    assert_refuses(ValueError, words, lib.quantize, w, fmt, overflow="wrap")
    assert_refuses(ValueError, words, lib.fake_quantize, w, fmt, overflow="wrap", out=w)
    q = lib.quantize(w, fmt, overflow="wrap", nan="zero")
    assert_same_bits(q, np.int8([4, 8, 0, 12, 0]))


@pytest.mark.parametrize("n", [8, 200_000])  # in cache, and larger
@pytest.mark.parametrize("packed", [False, True])
def test_pruned_infinities_do_not_count(lib: Any, packed: bool, n: int) -> None:
    w = np.ones(n, np.float32)
    w[[2, 5, n - 1]] = np.inf, -np.inf, np.inf
    call = partial(lib.prune_quantize, w, FixedPoint(8, 2), overflow="wrap", packed=packed)
    assert not call(k=0).any()
    for k, words in [
        (1, ["w has 1 NaN", "the first at flat index 2"]),
        (2, ["w has 2 NaN", "the first at flat index 2"]),
        (3, ["w has 3 NaN", "the first at flat index 2"]),
        (7, ["w has 3 NaN", "the first at flat index 2"]),
    ]:
        assert_refuses(ValueError, words, call, k=k)
    w[:2] = np.nan  # NaN is refused even in pruned elements
    assert_refuses(ValueError, ["w has 2 NaN", "the first at flat index 0"], call, k=0)
    assert not call(k=2, nan="zero").any()


CALLS = {
    "quantize": lambda lib: lib.quantize,
    "fake_quantize": lambda lib: lib.fake_quantize,
    "prune_quantize": lambda lib: partial(lib.prune_quantize, k=2),
}
calls = pytest.mark.parametrize("name", CALLS)


@calls
@pytest.mark.parametrize(
    "rounding", ["nearest", "half_even", "NEAREST_EVEN", "", None, 0, b"floor"]
)
def test_unknown_roundings(lib: Any, name: str, rounding: object) -> None:
    words = ["rounding must be", *map(repr, ROUNDINGS), f"got {rounding!r}"]
    call = CALLS[name](lib)
    assert_refuses(ValueError, words, call, np.ones(3), FixedPoint(), rounding=rounding)


@calls
@pytest.mark.parametrize("overflow", ["clip", "WRAP", "", None, 0])
def test_unknown_overflows(lib: Any, name: str, overflow: object) -> None:
    words = ["overflow must be", *map(repr, [*OVERFLOWS, "raise"]), f"got {overflow!r}"]
    call = CALLS[name](lib)
    assert_refuses(ValueError, words, call, np.ones(3), FixedPoint(), overflow=overflow)


@calls
def test_seeds(lib: Any, name: str) -> None:
    call, w, fmt = CALLS[name](lib), np.ones(3), FixedPoint()
    stochastic = partial(call, w, fmt, rounding="stochastic")
    assert_refuses(ValueError, ["seed", "stochastic", "None"], stochastic)
    for seed in (-1, 2**64, -(2**70)):
        words = ["seed must be an integer from 0 to 18446744073709551615", f"got {seed}"]
        assert_refuses(ValueError, words, stochastic, seed=seed)
    for seed in (1.0, "1", True, np.array(1), [1]):
        words = ["seed must be an integer", f"got {seed!r}"]
        assert_refuses(TypeError, words, stochastic, seed=seed)
    for rounding in sorted({*ROUNDINGS} - {"stochastic"}):
        words = ["seed must be None", "stochastic", "got 1"]
        assert_refuses(ValueError, words, call, w, fmt, rounding=rounding, seed=1)
    for seed in (0, 2**63, 2**64 - 1, np.uint64(2**64 - 1), np.int8(1)):
        assert isinstance(stochastic(seed=seed), np.ndarray)


@calls
@pytest.mark.parametrize(
    "dtype", ["int8", "int64", "uint8", "bool", "complex64", "O", "longdouble"]
)
def test_quantizing_what_is_no_float(lib: Any, name: str, dtype: str) -> None:
    words = ["w must be", *DTYPES, f"got {np.dtype(dtype)}"]
    assert_refuses(TypeError, words, CALLS[name](lib), np.ones(3, dtype), FixedPoint())


@pytest.mark.parametrize("bits", BITS)
def test_dequantizing_other_integers(lib: Any, bits: int) -> None:
    for signed in (True, False):
        fmt = FixedPoint(bits, 3, signed)
        for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32"):
            if dtype != fmt.dtype:
                words = [f"q must be {fmt.dtype}", f"got {dtype}"]
                assert_refuses(TypeError, words, lib.dequantize, np.zeros(3, dtype), fmt)


@pytest.mark.parametrize("dtype", [np.int8, ">f4", object, np.longdouble, bool])
def test_dequantizing_to_what_is_no_float(lib: Any, dtype: object) -> None:
    words = ["dtype must be", *DTYPES, f"got {np.dtype(dtype)}"]
    assert_refuses(TypeError, words, lib.dequantize, np.int8([1]), FixedPoint(), dtype=dtype)


def test_out_that_does_not_fit(lib: Any) -> None:
    w, fmt = normal(12, "float64"), FixedPoint(12, 8)
    for dtype in (np.int8, np.uint16, np.int32, np.float64):
        words = ["out must be int16", f"got {np.dtype(dtype)}"]
        assert_refuses(TypeError, words, lib.quantize, w, fmt, out=np.ones(12, dtype))
    words = ["out must", "(12,)", "(11,)"]
    assert_refuses(ValueError, words, lib.quantize, w, fmt, out=np.ones(11, np.int16))
    q = lib.quantize(w, fmt)
    for dtype in DTYPES.values():
        for other in DTYPES.values():
            if other != dtype:
                words = [f"out must be {dtype}", f"got {other}"]
                out = np.ones(12, other)
                assert_refuses(TypeError, words, lib.dequantize, q, fmt, dtype=dtype, out=out)
    words = ["out must be float64", "got float32"]
    assert_refuses(TypeError, words, lib.fake_quantize, w, fmt, out=np.ones(12, np.float32))
    both = np.ones(20)
    words = ["out must", "share no memory"]
    assert_refuses(ValueError, words, lib.fake_quantize, both[:12], fmt, out=both[8:])
    into = both.view(np.int16)[4:16]
    assert_refuses(ValueError, words, lib.quantize, both[:12], fmt, out=into)


def test_no_warnings(lib: Any) -> None:
    """Signalling NaN, infinities, overflow and underflow cause no warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype, rounding in [(d, r) for d in DTYPES for r in ROUNDINGS]:
            for fmt in (FixedPoint(8, 256), FixedPoint(32, -256), FixedPoint(16, 5)):
                for overflow in OVERFLOWS:
                    modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
                    lib.fake_quantize(hard(fmt, dtype), fmt, **modes, nan="zero")


# --- the oracle itself ------------------------------------------------------------------------


def test_the_oracle_by_hand() -> None:
    w = np.float64([0.5, -0.5, 1.5, 5e-324])
    assert exact_integers(w, FixedPoint(8, 0), "nearest_even") == [0, 0, 2, 0]
    assert exact_integers(w, FixedPoint(8, 1), "ceil") == [1, -1, 3, 1]
    assert not is_nan(hard(FixedPoint(8, 5), "bfloat16", nan=False)).any()
    assert Fraction(float(hard(FixedPoint(8, 0), "float64")[0])) == Fraction(-130)


@pytest.mark.parametrize("n", [1000, 100_000])
def test_what_is_pruned_is_out_of_no_range(lib: Any, n: int) -> None:
    """Pruned elements, negative ones included, never count as out of range."""
    rng = np.random.default_rng(0)
    w = rng.uniform(-1, 1, n).astype(np.float32)
    kept = rng.permutation(n)[: n // 10]
    w[kept] = rng.uniform(1, 2, kept.size).astype(np.float32)
    with pytest.raises(OverflowError, match=f"w has {kept.size} elements"):
        lib.prune_quantize(w, FixedPoint(8, 12), k=kept.size, overflow="raise")
    unsigned = FixedPoint(8, 4, signed=False)
    q = lib.prune_quantize(w, unsigned, k=kept.size, overflow="raise")
    assert_same_bits(q, reference.quantize(np.where(w > 1, w, 0), unsigned))
