"""Quantize to packed integers, and dequantize packed integers."""

from itertools import cycle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import Affine, FixedPoint, reference
from support.arrays import DTYPES, around
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits
from support.quantizing import ROUNDINGS, normal, seed_of
from support.refusals import assert_refuses

BITORDERS = ["little", "big"]
bitorders = pytest.mark.parametrize("bitorder", BITORDERS)
SIZES = [0, 1, 2, 3, *around(4, 8, 16, 32, 64, 128, 512, 4096, 16384)]


def packed_bits(codes: list[int], bits: int, bitorder: str) -> np.ndarray:
    """Write the integers as a string of bits, and return its bytes."""
    words = [format(code % (1 << bits), f"0{bits}b") for code in codes]
    if bitorder == "little":
        words = [word[::-1] for word in words]  # the lowest bit first
    stream = "".join(words)
    stream += "0" * (-len(stream) % 8)
    cut = [stream[i : i + 8] for i in range(0, len(stream), 8)]
    if bitorder == "little":
        cut = [byte[::-1] for byte in cut]
    return np.array([int(byte, 2) for byte in cut], np.uint8)


@bitorders
@pytest.mark.parametrize("bits", range(2, 17))
def test_fixed_point(lib: Any, bits: int, bitorder: str) -> None:
    for n, signed in grid(subset(SIZES, 12), (True, False)):
        fmt = FixedPoint(bits, bits - 3, signed)
        w = normal(n, "float32", 2.0)
        q = reference.quantize(w, fmt)
        expected = packed_bits(q.tolist(), bits, bitorder)
        assert_same_bits(lib.quantize(w, fmt, packed=True, bitorder=bitorder), expected)
        out = np.full_like(expected, 7)
        assert lib.quantize(w, fmt, packed=True, bitorder=bitorder, out=out) is out
        assert_same_bits(out, expected)
        values = lib.dequantize(expected, fmt, shape=(n,), bitorder=bitorder)
        assert_same_bits(values, reference.dequantize(q, fmt))


@bitorders
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_mode_and_float(lib: Any, dtype: str, rounding: str, bitorder: str) -> None:
    for bits, shape in ((4, (33, 7)), (3, (5, 13, 3)), (8, (65,)), (2, ())):
        for axis in (None, *range(len(shape))):
            frac_bits = 1 if axis is None else np.arange(shape[axis]) % 3
            fmt = FixedPoint(bits, frac_bits, axis=axis)
            w = normal(shape, dtype, 2.0)
            modes = {"rounding": rounding, "overflow": "wrap", **seed_of(rounding)}
            q = reference.quantize(w, fmt, **modes)
            packed = packed_bits(q.ravel().tolist(), bits, bitorder)
            assert_same_bits(lib.quantize(w, fmt, **modes, packed=True, bitorder=bitorder), packed)
            values = reference.dequantize(q, fmt, dtype=w.dtype)
            actual = lib.dequantize(packed, fmt, dtype=w.dtype, shape=shape, bitorder=bitorder)
            assert_same_bits(actual, values)


@bitorders
@pytest.mark.parametrize("bits", range(1, 17))
@pytest.mark.parametrize("signed", [True, False])
def test_affine(lib: Any, bits: int, signed: bool, bitorder: str) -> None:
    for (n, rounding), grouped in grid(zip(subset(SIZES, 12), cycle(ROUNDINGS)), (0, 1, 2)):
        w = normal((3, n), "float32", 2.0)
        groups = {1: 32, 2: (2, 64)}.get(grouped)
        lengths = {1: (3, -(-n // 32)), 2: (2, -(-n // 64))}.get(grouped, ())
        scale = np.full(lengths, 0.25) if grouped else 0.25
        fmt = Affine(scale, 0, bits=bits, signed=signed, group_size=groups)
        modes = {"rounding": rounding, **seed_of(rounding)}
        q = reference.quantize(w, fmt, **modes)
        packed = packed_bits(q.ravel().astype(np.int64).tolist(), bits, bitorder)
        how = {"packed": True, "bitorder": bitorder}
        assert_same_bits(lib.quantize(w, fmt, **modes, **how), packed)
        k = w.size // 2
        pruned = reference.prune_quantize(w, fmt, k=k, **modes).ravel().astype(np.int64)
        actual = lib.prune_quantize(w, fmt, k=k, **modes, **how)
        assert_same_bits(actual, packed_bits(pruned.tolist(), bits, bitorder))
        values = lib.dequantize(packed, fmt, shape=(3, n), bitorder=bitorder)
        assert_same_bits(values, reference.dequantize(q, fmt))


@bitorders
def test_on_several_threads(lib_on_threads: Any, bitorder: str) -> None:
    """The parts of two threads may share a byte."""
    w = normal(1_100_003, "float32", 2.0)
    for bits in (3, 4, 5, 8, 11, 16):
        fmt = FixedPoint(bits, bits - 3)
        q = reference.quantize(w, fmt)
        packed = reference.pack_ints(q, bits, bitorder=bitorder)
        assert_same_bits(lib_on_threads.quantize(w, fmt, packed=True, bitorder=bitorder), packed)
        values = lib_on_threads.dequantize(packed, fmt, shape=w.shape, bitorder=bitorder)
        assert_same_bits(values, reference.dequantize(q, fmt))


@given(
    data=st.data(),
    bits=st.integers(2, 16),
    signed=st.booleans(),
    bitorder=st.sampled_from(BITORDERS),
)
def test_any_bytes_are_integers(
    data: st.DataObject, bits: int, signed: bool, bitorder: str
) -> None:
    """Any bytes are valid integers, and spare bits at the end are ignored."""
    n = data.draw(st.integers(0, 100))
    packed = np.frombuffer(
        data.draw(st.binary(min_size=-(-n * bits // 8), max_size=-(-n * bits // 8))), np.uint8
    )
    fmt = FixedPoint(bits, 2, signed)
    q = reference.unpack_ints(packed, bits, n, signed=signed, bitorder=bitorder)
    stream = "".join(format(byte, "08b")[:: 1 if bitorder == "big" else -1] for byte in packed)
    words = [stream[i * bits : (i + 1) * bits] for i in range(n)]
    words = words if bitorder == "big" else [word[::-1] for word in words]
    codes = [int(word, 2) for word in words]
    expected = [code - (1 << bits) if signed and code > fmt.max else code for code in codes]
    assert q.tolist() == expected
    for name in LIBRARIES:
        with library(name) as lib:
            values = lib.dequantize(packed, fmt, shape=n, bitorder=bitorder)
            assert_same_bits(values, reference.dequantize(q, fmt))


@bitorders
def test_errors_leave_out_as_it_was(lib: Any, bitorder: str) -> None:
    w = normal(100, "float32")
    w[70] = np.nan
    out = np.full(50, 7, np.uint8)
    words = ["w has 1 NaN", "the first at flat index 70"]
    how = {"packed": True, "bitorder": bitorder}
    assert_refuses(ValueError, words, lib.quantize, w, FixedPoint(4, 2), **how)
    w[70] = 1000
    words = ["w has 1 element", "the first at flat index 70"]
    how["overflow"] = "raise"
    assert_refuses(OverflowError, words, lib.quantize, w, FixedPoint(4, 0), **how)
    del how["overflow"]
    for words, error, wrong in (
        (["out must", "(50,)", "(51,)"], ValueError, np.zeros(51, np.uint8)),
        (["out must", "(50,)", "(100,)"], ValueError, np.zeros(100, np.uint8)),
        (["out must", "uint8", "int8"], TypeError, np.zeros(50, np.int8)),
    ):
        assert_refuses(error, words, lib.quantize, w, FixedPoint(4, 2), **how, out=wrong)
    assert lib.quantize(w, FixedPoint(4, 2), **how, out=out) is out


def test_what_cannot_be_packed(lib: Any) -> None:
    w = normal(10, "float32")
    for bits in (17, 32):
        fmt = FixedPoint(bits, 2)
        words = ["fmt.bits must be", "at most 16", repr(fmt)]
        assert_refuses(ValueError, words, lib.quantize, w, fmt, packed=True)
        q = np.zeros(10 * bits // 8 + 1, np.uint8)
        assert_refuses(ValueError, words, lib.dequantize, q, fmt, shape=(10,))
        affine = Affine(1.0, bits=bits)
        words = ["fmt.bits must be", "at most 16", repr(affine)]
        assert_refuses(ValueError, words, lib.quantize, w, affine, packed=True)
        assert_refuses(ValueError, words, lib.dequantize, q, affine, shape=(10,))
    for packed in (1, None, "yes"):
        words = ["packed must be a bool", repr(packed)]
        assert_refuses(TypeError, words, lib.quantize, w, FixedPoint(), packed=packed)
    for bitorder in ("low_first", "", None, 0):
        words = ["bitorder must be 'little' or 'big'", repr(bitorder)]
        assert_refuses(
            ValueError, words, lib.quantize, w, FixedPoint(), packed=True, bitorder=bitorder
        )


@pytest.mark.parametrize("size", [0, 49, 51, 100])
def test_packed_that_does_not_fit_the_shape(lib: Any, size: int) -> None:
    packed = np.zeros(size, np.uint8)
    words = ["q must have 50 bytes, those of 100 packed integers", f"({size},)"]
    for shape in ((100,), (10, 10), [20, 5], 100):
        assert_refuses(ValueError, words, lib.dequantize, packed, FixedPoint(4, 2), shape=shape)
        affine = Affine(1.0, bits=4)
        assert_refuses(ValueError, words, lib.dequantize, packed, affine, shape=shape)


def test_packed_of_other_arguments(lib: Any) -> None:
    packed, fmt = np.zeros(50, np.uint8), FixedPoint(4, 2)
    words = ["q must be uint8", "int8"]
    assert_refuses(TypeError, words, lib.dequantize, packed.view(np.int8), fmt, shape=(100,))
    assert np.array_equal(
        lib.dequantize(packed.reshape(5, 10), fmt, shape=(100,)), np.zeros(100, np.float32)
    )
    for shape in ((-1,), (10, -10), (2**62, 4)):
        assert_refuses(ValueError, ["shape must be"], lib.dequantize, packed, fmt, shape=shape)
    for shape in ((10.0,), "100", (True,)):
        assert_refuses(TypeError, ["shape must be"], lib.dequantize, packed, fmt, shape=shape)
