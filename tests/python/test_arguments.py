"""Pass numbers, bools and objects of every type to the package and its reference."""

import math
import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import secateur as sc
from secateur import Affine, FixedPoint
from support.arrays import DTYPES
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits

MAX = float(np.finfo(np.float64).max)
BOTH = [sc, sc.reference]
both = pytest.mark.parametrize("lib", BOTH, ids=["package", "reference"])

# --- thresholds between two floats -----------------------------------------------------------

THRESHOLDS = [
    0, 1, 2**24 + 1, 2**53 + 1, 2**53 + 3, 2**63 - 1, 2**64 - 1, 2**1024, 10**400, 10**5000,
    np.uint64(2**64 - 1), np.int64(2**53 + 1), np.int64(2**53 + 3), np.uint8(3),
    Fraction(1, 3), Fraction(2, 3), Fraction(2**53 + 1, 2**53), Fraction(1, 10**400),
    Fraction(10**400), Fraction(2**54 + 1, 2), Decimal("0.1"), Decimal("0.3"), Decimal("1e400"),
    Decimal("1e-400"), Decimal("1e999"), Decimal("1e-999"), Decimal(2**53 + 3), Decimal("inf"),
    np.longdouble("0.1"), np.longdouble("1e4000"), np.longdouble(2**53) + 3, np.float32(0.1),
    np.float16(0.1), ml_dtypes.bfloat16(0.1), np.float64(0.1), np.array(0.1), np.array(2**53 + 3),
    math.inf, MAX,
]  # fmt: skip
Exact = Fraction | float


def exact(number: Any) -> Exact:
    """Return the exact number as a fraction, or an infinite float."""
    if isinstance(number, np.ndarray):
        return exact(number[()])
    if isinstance(number, np.longdouble):
        return math.inf if np.isinf(number) else Fraction(*number.as_integer_ratio())
    if isinstance(number, np.integer):
        return Fraction(int(number))
    if isinstance(number, (np.generic, float)):
        return Fraction(float(number)) if np.isfinite(float(number)) else float(number)
    return math.inf if number == math.inf else Fraction(number)


def short(number: Any) -> str:
    try:
        return f"{type(number).__name__} {number!s:.25}"
    except ValueError:  # the int has too many digits
        return "int"


def near(threshold: Exact, dtype: str) -> np.ndarray:
    """Return the floats of a dtype around a threshold, some others, and infinity."""
    kind = DTYPES[dtype]
    largest = float(ml_dtypes.finfo(kind).max)
    middle = np.float64(min(threshold, largest)).astype(kind)
    bits = np.array([middle]).view(f"u{middle.itemsize}").astype(np.int64)
    infinity = int(np.array([np.inf], kind).view(f"u{middle.itemsize}")[0])
    around = np.clip(bits + np.arange(-3, 4), 0, infinity)
    magnitudes = around.astype(f"u{middle.itemsize}").view(kind)
    others = np.array([0, 1e-8, 1, 1000, np.inf]).astype(kind)
    return np.concatenate([magnitudes, -magnitudes, others])


@pytest.mark.parametrize("lib", LIBRARIES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threshold", THRESHOLDS, ids=short)
def test_thresholds_compare_exactly(threshold: Any, dtype: str, lib: str) -> None:
    limit = exact(threshold)
    w = near(limit, dtype)

    def above(values: np.ndarray, limit: Exact) -> np.ndarray:
        return np.array([exact(np.float64(x)) > limit for x in values], np.bool_)

    with library(lib) as module:
        expected = np.where(above(np.abs(w), limit), w, w.dtype.type(0))
        assert_same_bits(module.prune(w, threshold=threshold), expected)
        expected = np.where(above(w, limit), w, w.dtype.type(0))
        assert_same_bits(module.prune(w, scores=w, threshold=threshold), expected)
        if np.ndim(threshold) == 0 and not isinstance(threshold, np.ndarray):
            negative = -threshold if not isinstance(threshold, np.unsignedinteger) else None
            if negative is not None:
                expected = np.where(above(w, -limit), w, w.dtype.type(0))
                assert_same_bits(module.prune(w, scores=w, threshold=negative), expected)
        kept = above(np.abs(w), limit)[:, None]
        blocks = module.prune(w[:, None], threshold=threshold, block=(1, 1), norm="max")
        assert_same_bits(blocks, np.where(kept, w[:, None], w.dtype.type(0)))


@both
@pytest.mark.parametrize("threshold", [Fraction(-1, 10**400), Decimal("-1e-999"), -1, np.int8(-1)])
def test_thresholds_barely_below_zero(threshold: Any, lib: Any) -> None:
    with pytest.raises(ValueError, match=r"^threshold must be a number, at least 0, got .*-"):
        lib.prune(np.ones(3), threshold=threshold)


@both
@pytest.mark.parametrize("threshold", [math.nan, Decimal("nan"), np.float32("nan")])
def test_thresholds_that_are_nan(threshold: Any, lib: Any) -> None:
    for how in ({}, {"scores": np.ones(3)}):
        with pytest.raises(ValueError, match=r"^threshold must be"):
            lib.prune(np.ones(3), threshold=threshold, **how)


# --- numbers, integers and bools -------------------------------------------------------------

W = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
FMT = FixedPoint(8, 5)
Call = Callable[[Any, Any], Any]

NUMBERS: dict[str, Call] = {
    "threshold": lambda lib, x: lib.prune(W, threshold=x),
    "threshold of soft_threshold": lambda lib, x: lib.soft_threshold(W, x),
    "sparsity": lambda lib, x: lib.prune(W, sparsity=x),
    "sparsity of prune_mask": lambda lib, x: lib.prune_mask(W, sparsity=x),
    "sparsity of prune_global": lambda lib, x: lib.prune_global([W], sparsity=x),
    "sparsity of prune_quantize": lambda lib, x: lib.prune_quantize(W, FMT, sparsity=x),
    "percentile": lambda lib, x: lib.choose_format(W, 8, method="percentile", percentile=x),
    "scale": lambda lib, x: lib.quantize(W, Affine(x)),
    "begin": lambda lib, x: lib.sparsity_schedule(3, begin=x, end=9, final=0.5),
    "end": lambda lib, x: lib.sparsity_schedule(-3, begin=-4, end=x, final=0.5),
    "initial": lambda lib, x: lib.sparsity_schedule(3, begin=1, end=9, initial=x, final=0.5),
    "final": lambda lib, x: lib.sparsity_schedule(3, begin=1, end=9, final=x),
    "power": lambda lib, x: lib.sparsity_schedule(3, begin=1, end=9, final=0.5, power=x),
}


class Raising:
    """An object whose repr() and str() raise."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    __str__ = __repr__


NO_NUMBERS: list[Any] = [
    True, np.True_, np.array(True), "0.5", b"0.5", bytearray(b"0.5"), memoryview(b"0.5"),
    np.str_("0.5"), np.bytes_(b"0.5"), np.array("0.5"), 0.5j, np.complex64(0.5), np.complex128(0.5),
    np.array(0.5j), np.timedelta64(1), np.timedelta64(1, "s"), np.datetime64(1, "s"),
    np.void(b"12345678"), np.array([0.5]), np.array([[1]]), np.array([]), np.ones(10_000), [0.5],
    (0.5,), {}, [0.5] * 10_000, "5" * 10_000, object(), Raising(), type, slice(1), Ellipsis,
    np.ma.masked_array(0.5), np.ma.masked, np.dtype("f4"),
]  # fmt: skip


def kind_of(value: Any) -> str:
    return type(value).__name__


def assert_refused(call: Call, name: str, value: Any, error: Any = TypeError) -> None:
    """Check that both libraries refuse the value with a short error that names the argument."""
    name = name.split(" of ", maxsplit=1)[0]
    for lib in BOTH:
        with pytest.raises(error) as refused:
            call(lib, value)
        message = str(refused.value)
        assert re.match(rf"{re.escape(name)}(\[\d+\])? must be", message), message
        assert ", got " in message
        assert len(message) < 600


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=kind_of)
def test_values_that_are_not_numbers(value: Any, name: str) -> None:
    if name == "scale" and isinstance(value, (np.ndarray, list, tuple)):
        pytest.skip("scale may be an array")
    assert_refused(NUMBERS[name], name, value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [0.5, Fraction(1, 2), Decimal("0.5"), np.array(0.5), np.float16(0.5), np.float64(0.5),
     np.longdouble(0.5), ml_dtypes.bfloat16(0.5), 1, np.uint64(1), np.int8(1), np.array(1)],
    ids=kind_of,
)  # fmt: skip
def test_numbers(value: Any, name: str) -> None:
    if name == "scale" and isinstance(value, np.ndarray) and value.dtype.kind == "i":
        pytest.skip("an array of scales is of floats")
    for lib in BOTH:
        expected, actual = NUMBERS[name](lib, float(value)), NUMBERS[name](lib, value)
        assert type(actual) is type(expected)
        if not isinstance(actual, list):
            assert np.array_equal(actual, expected)


INTEGERS: dict[str, Call] = {
    "k": lambda lib, x: lib.prune(W, k=x),
    "k of topk": lambda lib, x: lib.topk(W, x).indices,
    "k of kth_magnitude": lambda lib, x: lib.kth_magnitude(W, x),
    "k of prune_mask": lambda lib, x: lib.prune_mask(W, k=x),
    "k of prune_global": lambda lib, x: lib.prune_global([W], k=x)[0],
    "k of prune_quantize": lambda lib, x: lib.prune_quantize(W, FMT, k=x),
    "axis": lambda lib, x: lib.prune(W, k=1, axis=x),
    "axis of topk": lambda lib, x: lib.topk(W, 1, axis=x).indices,
    "axis of kth_magnitude": lambda lib, x: lib.kth_magnitude(W, 1, axis=x),
    "axis of prune_mask": lambda lib, x: lib.prune_mask(W, k=1, axis=x),
    "axis of a pattern": lambda lib, x: lib.prune(W, pattern="1:1", axis=x),
    "axis of compare": lambda lib, x: lib.compare(W, W, axis=x).mse,
    "axis of choose_format": lambda lib, x: lib.choose_format(W, 8, axis=x).frac_bits,
    "axis of choose_format in groups": lambda lib, x: (
        lib.choose_format(W, 8, axis=x, group_size=2).frac_bits
    ),
    "axis of choose_affine": lambda lib, x: lib.choose_affine(W, axis=x).scale,
    "axis of percentiles": lambda lib, x: (
        lib.choose_affine(W, axis=x, group_size=2, method="percentile").scale
    ),
    "axis of an Affine": lambda lib, x: lib.quantize(
        np.ones((3, 3), np.float32), Affine([1.0, 2.0, 3.0], axis=x)
    ),
    "axis of several": lambda lib, x: lib.quantize(
        np.ones((1, 3, 3), np.float32), Affine(np.ones((3, 3)), axis=(x, 2))
    ),
    "axis of a FixedPoint": lambda lib, x: lib.quantize(
        np.ones((3, 3), np.float32), FixedPoint(8, [1, 2, 3], axis=x)
    ),
    "block[0]": lambda lib, x: lib.prune(W, k=1, block=(x, 1)),
    "block[1]": lambda lib, x: lib.prune(W, k=1, block=(1, x)),
    "bits": lambda lib, x: lib.pack_ints(np.zeros(3, np.int8), x),
    "bits of unpack_ints": lambda lib, x: lib.unpack_ints(np.zeros(9, np.uint8), x, 3),
    "bits of choose_format": lambda lib, x: lib.choose_format(W, x + 1).frac_bits,
    "shape of unpack_ints": lambda lib, x: lib.unpack_ints(np.zeros(9, np.uint8), 3, (x,)),
    "shape": lambda lib, x: lib.dequantize(np.zeros(1, np.uint8), FixedPoint(4, 1), shape=x),
    "shape of several": lambda lib, x: lib.dequantize(
        np.zeros(1, np.uint8), FixedPoint(4, 1), shape=(1, x)
    ),
    "seed": lambda lib, x: lib.quantize(W, FMT, rounding="stochastic", seed=x),
    "group_size": lambda lib, x: lib.choose_format(W, 8, group_size=x).frac_bits,
    "index_offset": lambda lib, x: lib.quantize(
        W, FMT, rounding="stochastic", seed=1, index_offset=x
    ),
    "index_offset of fake_quantize": lambda lib, x: lib.fake_quantize(W, FMT, index_offset=x),
    "index_offset of prune_quantize": lambda lib, x: lib.prune_quantize(
        W, FMT, k=5, rounding="stochastic", seed=1, index_offset=x
    ),
    "group_size of choose_affine": lambda lib, x: lib.choose_affine(W, group_size=x).scale,
    "group_size of an Affine": lambda lib, x: lib.quantize(
        np.ones((1, 1), np.float32), Affine(np.ones((1, 1)), group_size=x)
    ),
    "group_size of rows and columns": lambda lib, x: lib.quantize(
        np.ones((1, 1), np.float32), Affine(np.ones((1, 1)), group_size=(1, x))
    ),
    "zero_point": lambda lib, x: lib.quantize(W, Affine(1.0, x)),
    "bits of an Affine": lambda lib, x: lib.quantize(W, Affine(1.0, bits=x, qmax=0)),
    "qmin": lambda lib, x: lib.quantize(W, Affine(1.0, 2, qmin=x)),
    "qmax": lambda lib, x: lib.quantize(W, Affine(1.0, qmax=x)),
    "bits of choose_affine": lambda lib, x: lib.choose_affine(W, x + 1).scale,
    "bits of a FixedPoint": lambda lib, x: lib.quantize(W, FixedPoint(x + 1, 0)),
    "frac_bits": lambda lib, x: lib.quantize(W, FixedPoint(8, x)),
    "group_size of a FixedPoint": lambda lib, x: lib.quantize(
        np.ones((1, 1), np.float32), FixedPoint(8, [[1]], group_size=x)
    ),
}
INTEGERS_ONE_LESS = {"bits of choose_affine", "bits of choose_format", "bits of a FixedPoint"}


class Index:
    """An object that NumPy and Python accept as an index."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number

    def __add__(self, other: int) -> "Index":
        return Index(self.number + other)


class Int(int):
    pass


NO_INTEGERS: list[Any] = [
    True, np.True_, 1.0, np.float64(1), np.float32(1), Fraction(1), Decimal(1), "1", b"1", 1j,
    np.array(1), np.array([1]), np.array(True), np.ones(10_000), [1.0] * 10_000, {}, object(),
    Raising(), np.timedelta64(1), np.str_("1"), np.void(b"1"), math.nan, math.inf, slice(1),
]  # fmt: skip


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", NO_INTEGERS, ids=kind_of)
def test_values_that_are_not_integers(value: Any, name: str) -> None:
    is_array = isinstance(value, (np.ndarray, list))
    if name in INTEGERS_ONE_LESS:
        pytest.skip("they are added to")
    if is_array and name in ("zero_point", "frac_bits", "shape"):
        pytest.skip("they may be arrays")
    assert_refused(INTEGERS[name], name, value)


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(
    "kind",
    [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, Int, Index],
)
def test_integers(kind: Callable[[int], Any], name: str) -> None:
    for lib in BOTH:
        expected, actual = INTEGERS[name](lib, 1), INTEGERS[name](lib, kind(1))
        assert_same_bits(np.asarray(actual), np.asarray(expected))


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize(
    "value",
    [-(10**5000), -(2**63) - 1, -(2**31), -1000, 2**31, 2**63, 2**64, 2**64 + 1, 10**400, 10**5000,
     np.uint64(2**64 - 1), np.int64(-(2**63))],
    ids=short,
)  # fmt: skip
def test_integers_out_of_range(value: Any, name: str) -> None:
    if name.startswith(("seed", "index_offset")) and 0 <= value < 2**64:
        pytest.skip("in range")
    if value > 0 and ("size" in name or "block" in name):  # blocks and groups may be larger than w
        if value > 2**63 - 1:
            assert_refused(INTEGERS[name], name, value, ValueError)
        return
    if name == "n" or name.startswith("shape"):  # a valid number, which does not fit the bytes
        for lib in BOTH:
            with pytest.raises(ValueError, match=r"^(n|shape|packed|q) must"):
                INTEGERS[name](lib, value)
        return
    if name in INTEGERS_ONE_LESS and isinstance(value, np.generic):
        pytest.skip("they overflow when they are added to")
    expected = (
        "fmt.axis"
        if name in ("axis of a FixedPoint", "axis of an Affine", "axis of several")
        and abs(int(value)) < 2**63
        else name
    )
    assert_refused(INTEGERS[name], expected, value, ValueError)


@both
@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, np.uint64(2**64 - 1), np.int8(127)])
def test_seeds(seed: Any, lib: Any) -> None:
    def quantized(seed: Any) -> Any:
        return lib.quantize(W, FMT, rounding="stochastic", seed=seed)

    assert_same_bits(quantized(seed), quantized(int(seed)))


BOOLS: dict[str, Call] = {
    "packed": lambda lib, x: lib.prune_mask(W, k=3, packed=x),
    "sorted": lambda lib, x: lib.topk(W, 3, sorted=x).indices,
    "packed of prune_mask_global": lambda lib, x: lib.prune_mask_global([W], k=3, packed=x)[0],
    "packed of quantize": lambda lib, x: lib.quantize(W, FMT, packed=x),
    "packed of prune_quantize": lambda lib, x: lib.prune_quantize(W, FMT, k=2, packed=x),
    "packed of an Affine": lambda lib, x: lib.quantize(W, Affine(0.5), packed=x),
    "signed": lambda lib, x: lib.unpack_ints(np.zeros(9, np.uint8), 3, 3, signed=x),
    "signed of choose_format": lambda lib, x: lib.choose_format(abs(W), 8, signed=x).frac_bits,
    "symmetric": lambda lib, x: lib.choose_affine(W, symmetric=x).scale,
    "signed of a FixedPoint": lambda lib, x: lib.quantize(W, FixedPoint(8, 5, x)),
    "signed of an Affine": lambda lib, x: lib.quantize(W, Affine(0.5, signed=x)),
    "signed of choose_affine": lambda lib, x: lib.choose_affine(W, signed=x).scale,
}


@pytest.mark.parametrize("name", BOOLS)
def test_bools(name: str) -> None:
    for lib in BOTH:
        for value in (True, False):
            expected = BOOLS[name](lib, value)
            assert_same_bits(np.asarray(BOOLS[name](lib, np.bool_(value))), np.asarray(expected))


@pytest.mark.parametrize("name", BOOLS)
@pytest.mark.parametrize(
    "value",
    ["no", "", b"", 0, 1, 2, 0.0, None, [], [False], (), {}, np.array(True), np.array([True]),
     np.zeros(10_000, np.bool_), np.int8(1), np.float32(0), object(), Raising(), "x" * 10_000],
    ids=kind_of,
)  # fmt: skip
def test_values_that_are_not_bools(value: Any, name: str) -> None:
    assert_refused(BOOLS[name], name, value)


# --- words, dtypes and formats ---------------------------------------------------------------

WORDS: dict[str, Call] = {
    "nan": lambda lib, x: lib.prune(W, k=1, nan=x),
    "nan of quantize": lambda lib, x: lib.quantize(W, FMT, nan=x),
    "nan of MagnitudeSketch": lambda lib, x: lib.MagnitudeSketch(nan=x),
    "rounding": lambda lib, x: lib.quantize(W, FMT, rounding=x),
    "overflow": lambda lib, x: lib.quantize(W, FMT, overflow=x),
    "bitorder": lambda lib, x: lib.pack_ints(np.zeros(3, np.int8), 3, bitorder=x),
    "bitorder of prune_mask": lambda lib, x: lib.prune_mask(W, k=3, bitorder=x),
    "norm": lambda lib, x: lib.prune(W, k=1, block=(1, 1), norm=x),
    "method": lambda lib, x: lib.choose_format(W, 8, method=x),
    "pattern": lambda lib, x: lib.prune(W, pattern=x),
    "remainder": lambda lib, x: lib.prune(W, pattern="1:1", remainder=x),
}
NO_WORDS: list[Any] = [
    "", "raisе", "x" * 10_000, "\ud800", "\0", b"raise", 1, [], ["raise"], ("raise",) * 10_000,
    np.array("raise"), np.array(["raise"] * 1000), object(), Raising(), 10**5000, math.nan,
]  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("value", NO_WORDS, ids=kind_of)
def test_invalid_choices(value: Any, name: str) -> None:
    assert_refused(WORDS[name], name, value, ValueError)


OF_DTYPES: dict[str, Call] = {
    "dtype": lambda lib, x: lib.dequantize(np.zeros(3, np.int8), FMT, dtype=x),
    "dtype of an Affine": lambda lib, x: lib.dequantize(np.zeros(3, np.int8), Affine(1.0), dtype=x),
    "dtype of unpack_ints": lambda lib, x: lib.unpack_ints(np.zeros(3, np.uint8), 4, 3, dtype=x),
    "dtype of MagnitudeSketch": lambda lib, x: lib.MagnitudeSketch(x),
}
NO_DTYPES: list[Any] = [
    None, "", "nonsense", "f4,,", "x" * 10_000, "\ud800", 1, 1.5, [], [("a",)], {"names": 3}, object(),
    Raising(), "complex64", "M8[s]", "S3", [(f"field{i}", "f4") for i in range(1000)], "V5", "O",
    np.zeros(10_000), "bool",
]  # fmt: skip


@pytest.mark.parametrize("name", OF_DTYPES)
@pytest.mark.parametrize("value", NO_DTYPES, ids=kind_of)
def test_values_that_are_not_dtypes(value: Any, name: str) -> None:
    if value is None and name == "dtype of unpack_ints":
        pytest.skip("its default")
    assert_refused(OF_DTYPES[name], name, value)


FORMATTED: dict[str, Call] = {
    "fmt": lambda lib, x: lib.quantize(W, x),
    "fmt of fake_quantize": lambda lib, x: lib.fake_quantize(W, x),
    "fmt of prune_quantize": lambda lib, x: lib.prune_quantize(W, x, k=1),
    "fmt of dequantize": lambda lib, x: lib.dequantize(np.zeros(3, np.int8), x),
    "fmt of compare": lambda lib, x: lib.compare(W, W, fmt=x),
}


@pytest.mark.parametrize("name", FORMATTED)
@pytest.mark.parametrize("value", ["Q2.5", 8, (8, 5), np.zeros(10_000), FixedPoint, Affine, Raising()],
                         ids=kind_of)  # fmt: skip
def test_values_that_are_not_formats(value: Any, name: str) -> None:
    assert_refused(FORMATTED[name], name, value)


def test_long_keys_and_keys_without_a_text() -> None:
    w = {Raising(): np.zeros(3, np.int8), "x" * 10_000: np.zeros(3, np.float32)}
    for lib in BOTH:
        with pytest.raises(TypeError, match=r"^arrays\[.*Raising.*\] must be") as refused:
            lib.prune_global(w, k=1)
        assert len(str(refused.value)) < 600
        good = {f"{i}{'x' * 1000}": W for i in range(1000)}
        with pytest.raises(ValueError, match=r"^out must have") as refused:
            lib.prune_global(good, k=1, out={"a": W})
        assert len(str(refused.value)) < 2000


class Tensor:
    """A number as PyTorch has it: with an `__index__` that raises if it is not an integer."""

    def __init__(self, *values: float) -> None:
        self.values = values

    ndim = 0

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("Got unsupported ScalarType BFloat16")

    def __float__(self) -> float:
        if len(self.values) != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return float(self.values[0])

    def __index__(self) -> int:
        raise TypeError("only integer tensors of a single element can be converted to an index")


def test_numbers_with_an_index_that_raises() -> None:
    w = np.float32([0.25, 0.5, 0.75])
    assert np.array_equal(sc.prune(w, threshold=Tensor(0.5)), [0, 0, w[2]])  # type: ignore[arg-type]
    assert np.array_equal(sc.prune(w, sparsity=Tensor(0.5)), sc.prune(w, sparsity=0.5))  # type: ignore[arg-type]
    assert np.array_equal(sc.soft_threshold(w, Tensor(0.5)), sc.soft_threshold(w, 0.5))  # type: ignore[arg-type]
    assert Affine(Tensor(0.5)) == Affine(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["threshold", "sparsity"])
def test_tensors_that_are_not_numbers(name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be a number, got .*Tensor"):
        sc.prune(W, **{name: Tensor(1.0, 2.0)})  # type: ignore[call-overload]


# --- arrays of parameters --------------------------------------------------------------------

RAGGED: dict[str, Call] = {
    "frac_bits": lambda lib, x: lib.quantize(W, FixedPoint(8, x, axis=0)),
    "scale": lambda lib, x: lib.quantize(W, Affine(x, axis=0)),
    "zero_point": lambda lib, x: lib.quantize(W, Affine([1.0, 1.0, 1.0], x, axis=0)),
}
OF_INTEGERS = ["frac_bits", "zero_point"]


@pytest.mark.parametrize("name", RAGGED)
def test_lists_that_are_no_arrays(name: str) -> None:
    assert_refused(RAGGED[name], name, [[1.0], [1.0, 2.0]], ValueError)


@pytest.mark.parametrize("name", OF_INTEGERS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([10**30, 1, 1], ValueError),
        ([-(10**5000), 1, 1], ValueError),
        ([2**63, 1, 1], ValueError),
        ([-(2**63), 1, 1], ValueError),
        ([1, None, 1], TypeError),
        ([1, 10**30, True], ValueError),
        (["1", "1", "1"], TypeError),
        ([1.0, 1, 1], TypeError),
        ([math.nan, 1, 1], TypeError),
        ([True, False, True], TypeError),
        (np.array([1, 2, 3], object), TypeError),
        (np.ma.masked_array([1, 2, 3]), TypeError),
        (np.zeros(3, "m8[s]"), TypeError),
        (np.full(3, 2**64 - 1, np.uint64), ValueError),
    ],
    ids=kind_of,
)
def test_arrays_that_are_not_of_integers_in_range(value: Any, error: Any, name: str) -> None:
    assert_refused(RAGGED[name], name, value, error)


@both
def test_empty_lists_of_parameters(lib: Any) -> None:
    empty = np.zeros((0, 4), np.float32)
    fmt = FixedPoint(8, [], axis=0)
    assert eval(repr(fmt)) == fmt
    assert lib.quantize(empty, fmt).shape == (0, 4)
    assert lib.quantize(empty, Affine([], [], axis=0)).shape == (0, 4)


@both
def test_shapes_of_more_axes_than_arrays_have(lib: Any) -> None:
    packed = np.zeros(1, np.uint8)
    with pytest.raises(ValueError, match=r"^shape must .* at most 64 axes.* got 65"):
        lib.dequantize(packed, FixedPoint(8, 1), shape=(1,) * 65)
