"""quantized= of choose_format and choose_affine, compared with choosing and then quantizing."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import secateur as sc
from support.arrays import DTYPES, of_type
from support.quantizing import DETERMINISTIC
from support.refusals import assert_refuses

CHOOSE = ["choose_format", "choose_affine"]
# csrc/stats/choosing.cpp divides arrays into parts of 65,536 elements; the search for the least error,
# of 16,384.
GROUPS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((0,), {}),
    ((0, 3), {"group_size": 2}),
    ((1,), {}),
    ((), {}),
    ((1,), {"group_size": 1}),
    ((5, 7), {}),
    ((5, 7), {"axis": 0}),
    ((5, 7), {"axis": 1}),
    ((3, 5, 66), {"axis": (0, 2)}),
    ((6, 5), {"group_size": 1}),
    ((5, 100), {"group_size": 32}),
    ((100, 5), {"axis": 0, "group_size": 32}),
    ((9, 70), {"group_size": (4, 32)}),
    ((9, 4, 70), {"axis": (2, 0), "group_size": (32, 4)}),
    ((513, 128), {"group_size": 32}),
    ((40, 1701), {"group_size": 33}),
    ((2100, 33), {"axis": 0, "group_size": 32}),
    ((1, 70_001), {"axis": 0}),
    ((140_001,), {}),
    ((140_001,), {"group_size": 64}),
]


def chosen(lib: Any, choose: str, w: np.ndarray, q: np.ndarray, bits: int, **how: Any) -> Any:
    """Choose and quantize, and check both against the two calls one after the other."""
    fmt = getattr(lib, choose)(w, bits, quantized=q, **how)
    assert fmt == getattr(lib, choose)(w, bits, **how)
    expected = lib.quantize(w, fmt, rounding=how.get("rounding", "nearest_even"))
    np.testing.assert_array_equal(q.astype(np.int64), expected.astype(np.int64))
    return fmt


@pytest.mark.parametrize("choose", CHOOSE)
@pytest.mark.parametrize(("shape", "groups"), GROUPS)
@pytest.mark.parametrize("bits", [2, 8, 13])
@pytest.mark.parametrize("dtype", DTYPES)
def test_it_is_what_quantize_writes(
    lib_on_threads: Any,
    choose: str,
    shape: tuple[int, ...],
    groups: dict[str, Any],
    bits: int,
    dtype: str,
) -> None:
    w = of_type("normal", int(np.prod(shape)), dtype).reshape(shape)
    q = np.full(shape, 77, np.int8 if bits <= 8 else np.int16)
    chosen(lib_on_threads, choose, w, q, bits, **groups)


@pytest.mark.parametrize("choose", CHOOSE)
@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("size", [None, 32])
def test_every_method_and_rounding(
    lib: Any, choose: str, method: str, rounding: str, signed: bool, size: int | None
) -> None:
    w = of_type("normal", 20_000, "float32")
    if choose == "choose_format" and not signed:
        w = np.abs(w)
    q = np.zeros(w.shape, np.int8 if signed else np.uint8)
    how: Any = {"method": method, "percentile": 90, "rounding": rounding, "signed": signed}
    chosen(lib, choose, w, q, 5, group_size=size, **how)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("signed", [True, False])
def test_zero_points(lib: Any, symmetric: bool, signed: bool) -> None:
    w = of_type("normal", 3_000, "float32") + np.float32(0.5)
    w[32:64] = 0
    q = np.zeros(w.shape, np.int8 if signed else np.uint8)
    chosen(lib, "choose_affine", w, q, 8, symmetric=symmetric, signed=signed, group_size=32)


@pytest.mark.parametrize("bits", [17, 24, 32])
def test_wide_fixed_point(lib: Any, bits: int) -> None:
    w = of_type("normal", 3_000, "float32") * np.float32(1e30)
    w[::40] *= np.float32(1e-35)
    for size in (None, 16):
        chosen(lib, "choose_format", w, np.zeros(w.shape, np.int32), bits, group_size=size)


@pytest.mark.parametrize("choose", CHOOSE)
def test_layouts(lib: Any, choose: str) -> None:
    shape = (40, 96)
    plain = of_type("normal", 40 * 96, "float32").reshape(shape)
    wide = np.zeros((80, 192), np.float32)
    wide[::2, ::-2] = plain
    for w in (plain, np.asfortranarray(plain), wide[::2, ::-2], plain.astype(">f4")):
        for how in ({}, {"group_size": 32}, {"axis": 0, "group_size": 8}, {"axis": 1}):
            for q in (
                np.zeros(shape, np.int8),
                np.zeros(shape, np.int8, order="F"),
                np.zeros((40, 192), np.int8)[:, ::-2],
            ):
                chosen(lib, choose, w, q, 8, **how)


@pytest.mark.parametrize("choose", CHOOSE)
@pytest.mark.parametrize("offset", [0, 1, 4, 63])
def test_unaligned_and_large_enough_to_bypass_caches(
    choose: str, offset: int, threads: int
) -> None:
    del threads
    n = 1_800_003
    w = of_type("normal", n + 1, "float32")[1:]
    q = np.full(n + 64, 77, np.int8)
    chosen(sc, choose, w, q[offset : offset + n], 8, group_size=96)
    assert (q[:offset] == 77).all()
    assert (q[offset + n :] == 77).all()


@pytest.mark.parametrize("choose", CHOOSE)
@pytest.mark.parametrize("dtype", ["int4", "uint4", "int2"])
def test_narrow_dtypes(lib: Any, choose: str, dtype: str) -> None:
    w = np.abs(of_type("normal", 300, "float32"))
    q = np.zeros(300, getattr(ml_dtypes, dtype))
    chosen(lib, choose, w, q, int(dtype[-1]), signed=dtype[0] == "i", group_size=32)


@pytest.mark.parametrize("choose", CHOOSE)
def test_refusals(lib: Any, choose: str) -> None:
    call = getattr(lib, choose)
    w = of_type("normal", 12, "float32").reshape(3, 4)
    bad: list[tuple[type[Exception], list[str], Any]] = [
        (TypeError, ["quantized", "array of int8", "list"], [0]),
        (TypeError, ["quantized", "int8 in native byte order", "uint8"], w.astype(np.uint8)),
        (TypeError, ["quantized", "int8 in native byte order", "int16"], w.astype(np.int16)),
        (ValueError, ["quantized", "shape", "(3, 4)", "(4, 3)"], np.zeros((4, 3), np.int8)),
        (ValueError, ["quantized", "share no memory with w"], w.view(np.int8)[:, ::4]),
    ]
    read_only = np.zeros((3, 4), np.int8)
    read_only.flags.writeable = False
    bad.append((ValueError, ["quantized", "writeable", "read-only"], read_only))
    for error, words, q in bad:
        assert_refuses(error, words, call, w, 8, quantized=q)
        assert_refuses(error, words, call, w, 8, quantized=q, group_size=2)


def test_the_remedy_for_a_masked_array_that_receives_a_result() -> None:
    """It is a view of the array: a copy, such as filled() makes, would take the result with it."""
    w = of_type("normal", 12, "float32")
    fmt = sc.choose_affine(w)
    q = np.ma.zeros(12, np.int8)
    remedy = "q.data is the array without it"
    for name, call in {
        "quantized": lambda q: sc.choose_affine(w, quantized=q),
        "out": lambda q: sc.quantize(w, fmt, out=q),
    }.items():
        assert_refuses(TypeError, [remedy.replace("q", name, 1)], call, q)
        call(q.data)
        np.testing.assert_array_equal(q.data, sc.quantize(w, fmt))


@pytest.mark.parametrize("choose", CHOOSE)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_elements_that_are_not_finite(lib: Any, choose: str, value: float) -> None:
    w = of_type("normal", 140_000, "float32").reshape(700, 200)
    w[650, 3] = value
    q = np.zeros(w.shape, np.int8)
    for how in ({}, {"group_size": 40}, {"axis": 0, "group_size": 40}):
        with pytest.raises(ValueError, match=r"^w has 1 element that is .* flat index 130003; "):
            getattr(lib, choose)(w, 8, quantized=q, **how)


def test_negative_elements_of_an_unsigned_format(lib: Any) -> None:
    w = np.abs(of_type("normal", 100, "float32"))
    w[77] = -1
    for size in (None, 32):
        with pytest.raises(ValueError, match=r"^w must be at least 0 for an unsigned format"):
            lib.choose_format(
                w, 8, signed=False, quantized=np.zeros(100, np.uint8), group_size=size
            )
