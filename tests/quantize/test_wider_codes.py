"""Integers in a dtype that is wider than their format: refused, or reduced to their lowest bits."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from secateur import Affine, FixedPoint
from support.grids import grid
from support.oracles import assert_same_bits, ends_of_width
from support.refusals import assert_refuses

Format = FixedPoint | Affine

# Sizes around a vector, a word, a chunk, and a block.
SIZES = [0, 1, 7, 63, 64, 65, 1023, 1024, 1025, 70_001]
# Each is narrower than its dtype.
BITS = [2, 3, 5, 7, 9, 12, 15, 17, 24, 31]


def formats(bits: int, signed: bool) -> list[Format]:
    zero = 3 if signed and bits > 2 else 1
    return [FixedPoint(bits, 2, signed), Affine(0.25, zero, bits=bits, signed=signed)]


def words_of(dtype: np.dtype[Any], n: int) -> np.ndarray:
    """Return integers whose bits are random."""
    return np.random.default_rng(n).integers(0, 256, n * dtype.itemsize, np.uint8).view(dtype)


def lowest_bits(q: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    """Return the integers modulo 2^bits, by Python's arithmetic."""
    low, _ = ends_of_width(bits, signed)
    reduced = [(int(code) - low) % 2**bits + low for code in q.ravel()]
    return np.array(reduced, q.dtype).reshape(q.shape)


def message(fmt: Format, code: int, index: int, name: str = "fmt") -> str:
    low, high = ends_of_width(fmt.bits, fmt.signed)
    return (
        f"q must have integers from {low} to {high} for this {name}, got {code} at flat index "
        f"{index}; set sign_extend to take the lowest {fmt.bits} bits of each"
    )


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("signed", [True, False])
def test_lowest_bits(lib: Any, bits: int, signed: bool) -> None:
    for fmt, n in grid(formats(bits, signed), SIZES):
        q = words_of(fmt.dtype, n)
        expected = lib.dequantize(lowest_bits(q, bits, signed), fmt, dtype="f8")
        assert_same_bits(lib.dequantize(q, fmt, dtype="f8", sign_extend=True), expected)
        zero = fmt.zero_point if isinstance(fmt, Affine) else 0
        values = [(int(code) - zero) / 4 for code in lowest_bits(q, bits, signed)]
        assert_same_bits(expected, np.array(values))


def test_words_of_registers(lib_on_threads: Any) -> None:
    codes = np.arange(-(2**23), 2**23, 97, dtype=np.int32)
    expected = codes.astype(np.float32) / 2**12
    for upper in (0, 0x5A, 0xFF):
        words = codes.view(np.uint32) & 0xFFFFFF | np.uint32(upper << 24)
        fmt = FixedPoint(24, 12)
        actual = lib_on_threads.dequantize(words.view(np.int32), fmt, sign_extend=True)
        assert_same_bits(actual, expected)


@pytest.mark.parametrize("bits", [*BITS, 33, 40, 63])
@pytest.mark.parametrize("signed", [True, False])
def test_requantized(lib: Any, bits: int, signed: bool) -> None:
    sources = formats(bits, signed) if bits <= 32 else [FixedPoint(bits, 2, signed)]
    targets = [FixedPoint(8, 1), FixedPoint(12, -2, signed=False), Affine(0.3, 5)]
    for source, to, n in grid(sources, targets, [1, 65, 1025]):
        q = words_of(source.dtype, n)
        expected = lib.requantize(lowest_bits(q, bits, signed), source, to)
        assert_same_bits(lib.requantize(q, source, to, sign_extend=True), expected)
        modes: dict[str, Any] = {"rounding": "stochastic", "seed": 5, "overflow": "wrap"}
        if isinstance(to, FixedPoint):
            expected = lib.requantize(lowest_bits(q, bits, signed), source, to, **modes)
            assert_same_bits(lib.requantize(q, source, to, **modes, sign_extend=True), expected)


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_narrow_dtypes(lib: Any, name: str) -> None:
    dtype, signed = np.dtype(getattr(ml_dtypes, name)), name.startswith("i")
    q = np.arange(*ends_of_width(4, signed)).astype(dtype)
    for bits in (2, 3, 4):
        fmt = FixedPoint(bits, 0, signed)
        expected = lowest_bits(q.astype(np.int8), bits, signed).astype(np.float32)
        assert_same_bits(lib.dequantize(q, fmt, sign_extend=True), expected)
        if bits < 4:
            low, high = ends_of_width(bits, signed)
            index = 0 if signed else high + 1
            words = [message(fmt, int(q[index]), index)]
            assert_refuses(ValueError, words, lib.dequantize, q, fmt)
            if low:
                assert_refuses(ValueError, words, lib.dequantize, q[: -low + 1], fmt)


@pytest.mark.parametrize("bits", [2, 4, 8, 16, 32])
@pytest.mark.parametrize("signed", [True, False])
def test_no_effect(lib: Any, bits: int, signed: bool) -> None:
    """Codes as wide as their format, and packed codes, have no other bits."""
    fmt = FixedPoint(bits, 1, signed)
    low, high = ends_of_width(bits, signed)
    q = np.array([low, high, 0, 1, high // 2], fmt.dtype)
    expected = lib.dequantize(q, fmt)
    assert_same_bits(lib.dequantize(q, fmt, sign_extend=True), expected)
    if bits <= 16:
        packed = lib.quantize(q / 2, fmt, packed=True)
        actual = lib.dequantize(packed, fmt, shape=q.shape, sign_extend=True)
        assert_same_bits(actual, expected)


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("signed", [True, False])
def test_wider_codes_are_refused(lib: Any, bits: int, signed: bool) -> None:
    low, high = ends_of_width(bits, signed)
    for fmt, n in grid(formats(bits, signed), SIZES[1:]):
        info = np.iinfo(fmt.dtype)
        q = np.array([low, high] * n, fmt.dtype)[:n]
        assert lib.dequantize(q, fmt).shape == (n,)
        wrong = [high + 1, info.max, *([low - 1, info.min] if signed else [])]
        for index, code in zip(sorted({0, n // 2, n - 1}), wrong, strict=False):
            given = q.copy()
            given[index:] = code
            words = [message(fmt, code, index)]
            if fmt.dtype == np.uint8:
                words = [f"{words[0]}; if q holds packed integers, pass shape="]
            assert_refuses(ValueError, words, lib.dequantize, given, fmt)


def test_first_of_several(lib_on_threads: Any) -> None:
    q = np.zeros(3_000_000, np.int16)
    q[[1_234_567, 2_000_001, 2_999_999]] = 300, -700, 301
    fmt = FixedPoint(9, 2)
    words = [message(fmt, 300, 1_234_567)]
    assert_refuses(ValueError, words, lib_on_threads.dequantize, q, fmt)


def test_index_is_of_the_array_of_the_caller(lib: Any) -> None:
    q = np.zeros((3, 4, 5), np.int8)
    q[1, 2, 3], q[2, 0, 0] = 64, 65
    for axes in [(0, 1, 2), (2, 1, 0), (1, 2, 0)]:
        given = q.transpose(axes)
        first = int((given > 63).argmax())
        words = [message(FixedPoint(7, 0), int(given.ravel()[first]), first)]
        assert_refuses(ValueError, words, lib.dequantize, given, FixedPoint(7, 0))
        words = [message(FixedPoint(7, 0), int(given.ravel()[first]), first, "from_fmt")]
        assert_refuses(ValueError, words, lib.requantize, given, FixedPoint(7, 0), FixedPoint(8, 0))


def test_integers_outside_the_range_in_use(lib: Any) -> None:
    """Integers of the width are accepted, even below qmin and above qmax."""
    fmt = Affine(0.5, 1, bits=5, qmin=-3, qmax=6)
    q = np.arange(-16, 16, dtype=np.int8)
    assert_same_bits(lib.dequantize(q, fmt), (q - 1).astype(np.float32) / 2)
    assert_refuses(
        ValueError, [message(fmt, 16, 32)], lib.dequantize, np.append(q, [16]).astype(np.int8), fmt
    )


@pytest.mark.parametrize("given", [1, 0, "yes", None])
def test_arguments(lib: Any, given: Any) -> None:
    q = np.zeros(3, np.int8)
    words = ["sign_extend must be a bool", f"got {given!r}"]
    assert_refuses(TypeError, words, lib.dequantize, q, FixedPoint(7, 0), sign_extend=given)
    two = (FixedPoint(7, 0), FixedPoint(8, 0))
    assert_refuses(TypeError, words, lib.requantize, q, *two, sign_extend=given)
