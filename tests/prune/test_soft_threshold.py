"""soft_threshold moves every element towards zero by a threshold, with one rounding."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.arrays import DTYPES, IN_CACHE, LANES, LARGE, SHARED, from_bits, normal, of_type
from support.isas import LIBRARIES, library
from support.oracles import (
    INFINITIES,
    assert_same_bits,
    assert_writes,
    bits_of,
    is_nan,
    nearest,
    soft,
)
from support.raw_bits import floats
from support.refusals import FLOAT_NAMES, assert_refuses

HARD = ["normal", "raw bits", "every exponent", "coarse grid", "subnormals", "zeros of both signs",
        "some infinite"]  # fmt: skip


def check(lib: Any, w: np.ndarray, threshold: float, expected: np.ndarray) -> None:
    assert_writes(lib.soft_threshold, w, expected, threshold=threshold)


def in_bulk(w: np.ndarray, threshold: float) -> np.ndarray:
    """Compute soft thresholds of float32 in float64, where only one rounding affects the result."""
    t = float(np.float32(threshold))
    wide = w.astype(np.float64)
    return np.where(np.abs(wide) > t, wide - np.copysign(t, wide), 0).astype(np.float32)


def test_sizes(lib: Any) -> None:
    for n in LANES + IN_CACHE:
        w = of_type("normal", n, "float32")
        for threshold in (0.3, 1):
            check(lib, w, threshold, in_bulk(w, threshold))


def test_sizes_from_memory(lib_on_threads: Any) -> None:
    for n in [*SHARED[1::3], LARGE, (8 << 20) // 8 + 1]:
        w = of_type("normal", n, "float32")
        check(lib_on_threads, w, 0.5, in_bulk(w, 0.5))


@pytest.mark.parametrize("values", HARD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_types(lib: Any, dtype: str, values: str) -> None:
    w = of_type(values, 519, dtype)
    for threshold in (0, 2.0**-149, 2.0**-26, 1e-5, 0.1, 1, 3.7, 1000, 1e30, np.inf):
        check(lib, w, threshold, soft(w, threshold))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    w = data.draw(floats(dtype, st.integers(0, 80)))
    beside = [abs(float(value)) for value in w[:3] if math.isfinite(float(value))]
    threshold = data.draw(st.floats(min_value=0, allow_nan=False) | st.sampled_from([0.0, *beside]))
    expected = soft(w, threshold)
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, w, threshold, expected)


def test_by_hand(lib: Any) -> None:
    w = np.float32([3, -4, 1, -1, 0.5, -0.0, 0, np.inf, -np.inf])
    check(lib, w, 1, np.float32([2, -3, 0, 0, 0, 0, 0, np.inf, -np.inf]))
    check(lib, w, 0, np.float32([3, -4, 1, -1, 0.5, 0, 0, np.inf, -np.inf]))  # not -0.0
    check(lib, w, np.inf, np.zeros(9, np.float32))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stay_as_they_are(lib: Any, dtype: str) -> None:
    """NaN stay unmodified, signalling ones included."""
    w = of_type("raw bits", 70_001, dtype)
    bits = bits_of(w) | bits_of(w).dtype.type(INFINITIES[dtype] + 1)
    for threshold in (0, 1, np.inf):
        check(lib, bits.view(w.dtype), threshold, bits.view(w.dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_threshold_is_rounded_once(lib: Any, dtype: str) -> None:
    """Thresholds halfway between two floats, or next to that, are not rounded to float32 first."""
    step = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}[
        dtype
    ]
    thresholds = [1 + step]
    if dtype != "float64":
        for half in (1 + step / 2, 1 + 1.5 * step):
            thresholds += [half, half + 2.0**-40, half - 2.0**-40]
    w = np.array([2, -2, 1, 1 + step, 1 + 2 * step], DTYPES[dtype])
    for threshold in thresholds:
        check(lib, w, threshold, soft(w, threshold))
        assert float(lib.soft_threshold(w, threshold)[0]) == 2 - nearest(threshold, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_threshold_past_the_range(lib: Any, dtype: str) -> None:
    most = float(np.ldexp(2.0 - 2.0**-52, {"float16": 15, "float64": 1023}.get(dtype, 127)))
    w = np.array([1, -np.inf, np.inf, np.nan], DTYPES[dtype])
    for threshold in [10**400] if dtype == "float64" else [most, 1e300]:
        rounded = nearest(min(threshold, 1.7976931348623157e308), dtype)
        check(lib, w, threshold, soft(w, rounded))


def test_differences_are_rounded_once(lib: Any) -> None:
    """Compare differences of 16-bit floats with exact fractions."""
    for dtype in ("float16", "bfloat16"):
        w = of_type("raw bits", 300, dtype)
        for threshold in abs(w[~is_nan(w)][:20].astype(np.float64)):
            check(lib, w, threshold, soft(w, threshold))


def test_repeated_steps_shrink_to_zero(lib: Any) -> None:
    w = normal(1000)
    for _ in range(50):
        smaller = lib.soft_threshold(w, 0.125)
        assert (np.abs(smaller) <= np.abs(w)).all()
        assert not bits_of(smaller)[w == 0].any()
        w = smaller
    assert not w.any()


LAYOUTS = {
    "0-d": normal(1).reshape(()),
    "empty": normal(3, 0),
    "fortran": np.asfortranarray(normal(9, 11)),
    "strided": normal(20, 30)[::2, ::-3],
    "broadcast": np.broadcast_to(normal(5), (4, 5)),
    "byte-swapped": normal(40).astype(">f4" if np.little_endian else "<f4"),
    "misaligned": np.frombuffer(b"x" + normal(33).tobytes(), np.float32, offset=1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(lib: Any, layout: str) -> None:
    w = LAYOUTS[layout]
    expected = in_bulk(w.astype(np.float32), 0.5)
    result = lib.soft_threshold(w, 0.5)
    assert_same_bits(result, expected)
    assert type(result) is np.ndarray
    out = np.zeros(tuple(2 * n for n in w.shape), np.float32)[
        (*[slice(None, None, 2)] * w.ndim, ...)
    ]
    assert lib.soft_threshold(w, 0.5, out=out) is out
    assert_same_bits(out, expected)
    out[...] = w
    lib.soft_threshold(out, 0.5, out=out)
    assert_same_bits(out, expected)


@pytest.mark.parametrize(
    ("threshold", "error", "allowed"),
    [(-1, ValueError, "at least 0"), (-5e-324, ValueError, "at least 0"), (np.nan, ValueError, ""),
     (-np.inf, ValueError, "at least 0"), (None, TypeError, "a number"), ("1", TypeError, "a number"),
     (True, TypeError, "a number"), ([1.0], TypeError, "a number"), (1j, TypeError, "a number")],
)  # fmt: skip
def test_invalid_thresholds(
    lib: Any, threshold: object, error: type[Exception], allowed: str
) -> None:
    words = ["threshold must be ", allowed, f"got {threshold!r}"]
    w = normal(9)
    assert_refuses(error, words, lib.soft_threshold, w, threshold, out=w)


@pytest.mark.parametrize("threshold", [1, np.float32(1), np.float64(1), np.int8(1), np.uint64(1)])
def test_threshold_is_any_real_number(lib: Any, threshold: Any) -> None:
    w = normal(30)
    assert_same_bits(lib.soft_threshold(w, threshold), lib.soft_threshold(w, 1.0))


def test_refused(lib: Any) -> None:
    w = normal(12)
    for other in (w.astype(np.int32), w > 0, w.astype(complex), w.astype(object)):
        words = [f"w must be {FLOAT_NAMES}", f"got {other.dtype}"]
        assert_refuses(TypeError, words, lib.soft_threshold, other, 1)
    assert_refuses(TypeError, ["w must be a plain array", "masked"], lib.soft_threshold,
                   np.ma.masked_array(w), 1)  # fmt: skip
    for out, error, words in (
        (np.ones(11, np.float32), ValueError, ["out must", "(12,)", "(11,)"]),
        (np.ones(12), TypeError, ["out must be float32", "float64"]),
        ([0.0] * 12, TypeError, ["out must be an array of float32", "list"]),
        (w[::-1], ValueError, ["out must", "share no memory"]),
        (np.broadcast_to(np.float32(1), 12), ValueError, ["out must be writeable"]),
    ):
        assert_refuses(error, words, lib.soft_threshold, w, 1, out=out)
    buffer = from_bits(np.arange(20))
    assert_refuses(ValueError, ["out must", "share no memory"], lib.soft_threshold, buffer[:12], 1,
                   out=buffer[3:15])  # fmt: skip
