"""Refused calls: the type and the message of the error; outputs stay unmodified.

Every message names the argument, its value and the allowed values.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import secateur as sc
from secateur import FixedPoint, reference
from support.arrays import normal
from support.oracles import assert_same_bits
from support.refusals import FLOAT_NAMES

FMT = FixedPoint(8, 5)
WIDE = FixedPoint(16, 9)

Call = Callable[..., Any]


def with_defaults(function: Call, **defaults: Any) -> Call:
    """Return `function` with default values for its arguments after w."""
    return lambda w, **arguments: function(w, **{**defaults, **arguments})


CALLS: dict[str, Call] = {
    "kth_magnitude": with_defaults(sc.kth_magnitude, k=2),
    "topk": with_defaults(sc.topk, k=2),
    "prune_mask": with_defaults(sc.prune_mask, k=2),
    "prune": with_defaults(sc.prune, k=2),
    "prune threshold": with_defaults(sc.prune, threshold=0.5),
    "prune pattern": with_defaults(sc.prune, pattern="2:4"),
    "prune scores": with_defaults(sc.prune, k=2, scores=normal(12)),
    "soft_threshold": with_defaults(sc.soft_threshold, threshold=0.5),
    "apply_mask": with_defaults(sc.apply_mask, mask=np.array([True, False] * 6)),
    "quantize": with_defaults(sc.quantize, fmt=FMT),
    "fake_quantize": with_defaults(sc.fake_quantize, fmt=FMT),
    "prune_quantize": with_defaults(sc.prune_quantize, fmt=FMT, k=2),
    "dequantize": with_defaults(sc.dequantize, fmt=FMT),
}
OF_FLOATS = [name for name in CALLS if name != "dequantize"]
WITH_OUT = [name for name in CALLS if name not in ("kth_magnitude", "topk", "prune_mask")]
IN_PLACE = ["prune", "prune threshold", "prune pattern", "prune scores", "soft_threshold",
            "apply_mask", "fake_quantize"]  # fmt: skip
WITH_K = ["prune_mask", "prune", "prune scores", "prune_quantize"]
QUANTIZING = ["quantize", "fake_quantize", "prune_quantize"]
WITH_FMT = [*QUANTIZING, "dequantize"]
SELECTING = ["kth_magnitude", "topk", "prune_mask", "prune", "prune threshold", "prune pattern",
             "prune scores"]  # fmt: skip


def good_input(name: str) -> np.ndarray:
    return np.arange(12, dtype=np.int8) if name == "dequantize" else normal(12)


def assert_refused(
    name: str, error: type[Exception], argument: str, allowed: str, came: str, **arguments: Any
) -> None:
    """Check the error and its words. With `out`, the call fails too and leaves `out` unmodified."""
    message = f"^{re.escape(argument)} must .*{re.escape(allowed)}.*, got .*{re.escape(came)}"
    w = arguments.pop("w", None)
    w = good_input(name) if w is None else w
    with pytest.raises(error, match=re.compile(message, re.DOTALL)):
        CALLS[name](w, **arguments)
    if name not in WITH_OUT or "out" in arguments or not isinstance(w, np.ndarray):
        return
    outs = [np.full_like(CALLS[name](good_input(name)), 7)]
    if name in IN_PLACE and w.flags.writeable:
        outs.append(w)
    for out in outs:
        before = out.copy()
        with pytest.raises(error):
            CALLS[name](w, **arguments, out=out)
        assert np.array_equal(out, before)


# --- w ---------------------------------------------------------------------------------------

WRONG_ARRAYS = {
    "int32": np.arange(12, dtype=np.int32),
    "uint8": np.arange(12, dtype=np.uint8),
    "bool": np.ones(12, np.bool_),
    "complex64": normal(12).astype(np.complex64),
    "object": normal(12).astype(object),
    "<U3": np.array(["1.5"] * 12),
    "|S3": np.array([b"1.5"] * 12),
    "datetime64[D]": np.arange(12).astype("M8[D]"),
    "[('a', '<f4')]": np.zeros(12, [("a", np.float32)]),
    "longdouble": normal(12).astype(np.longdouble),
}


@pytest.mark.parametrize("name", OF_FLOATS)
@pytest.mark.parametrize("came", WRONG_ARRAYS)
def test_w_of_another_dtype(came: str, name: str) -> None:
    w = WRONG_ARRAYS[came]
    assert_refused(name, TypeError, "w", FLOAT_NAMES, str(w.dtype), w=w)


@pytest.mark.parametrize("name", OF_FLOATS)
@pytest.mark.parametrize(
    ("w", "came"),
    [
        ([1] * 12, "int64"),
        (["a"], "<U1"),
        ("abc", "<U3"),
        (None, "object"),
        ({}, "object"),
        ([np.float32(1), "a"], "<U"),
    ],
)
def test_w_that_becomes_another_dtype(w: object, came: str, name: str) -> None:
    with pytest.raises(TypeError, match=f"^w must be {FLOAT_NAMES}.*, got {came}"):
        CALLS[name](w)


@pytest.mark.parametrize("name", OF_FLOATS)
def test_ragged_lists(name: str) -> None:
    with pytest.raises(ValueError, match=r"^w must be an array with rows of equal lengths, got "):
        CALLS[name]([[np.float32(1)], [np.float32(1), np.float32(2)]])


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("mask", [False, True])
def test_masked_w(mask: bool, name: str) -> None:
    w = np.ma.masked_array(good_input(name), mask)
    argument = "q" if name == "dequantize" else "w"
    assert_refused(name, TypeError, argument, "a plain array", "masked", w=w)


@pytest.mark.parametrize("fmt", [FMT, WIDE, FixedPoint(8, 5, False), FixedPoint(16, 9, False)])
def test_codes_of_another_dtype(fmt: FixedPoint) -> None:
    for dtype in ("int8", "uint8", "int16", "uint16", "int32", "int64", "float32", "bool"):
        if dtype != fmt.dtype:
            q = np.zeros(12, dtype)
            with pytest.raises(TypeError, match=f"^q must be {fmt.dtype}, got {dtype}"):
                sc.dequantize(q, fmt)


def test_kth_magnitude_of_nothing() -> None:
    for shape in ((0,), (3, 0), (0, 3)):
        with pytest.raises(ValueError, match=r"^w must .*at least one element") as refused:
            sc.kth_magnitude(np.zeros(shape, np.float32), 1)
        assert str(shape) in str(refused.value)


# --- k, sparsity and threshold ---------------------------------------------------------------


@pytest.mark.parametrize("name", [*WITH_K, "topk", "kth_magnitude"])
@pytest.mark.parametrize("k", [-1, 13, 2**31, 2**32 + 2, 2**63, 2**64 + 2, -(2**64), np.int64(13)])
def test_k_out_of_range(k: int, name: str) -> None:
    least = 1 if name == "kth_magnitude" else 0
    assert_refused(name, ValueError, "k", f"an integer from {least} to 12", str(k), k=k)


@pytest.mark.parametrize("name", [*WITH_K, "topk", "kth_magnitude"])
@pytest.mark.parametrize(
    "k",
    [True, np.True_, 2.0, np.float32(2), np.nan, "2", b"2", [2], 2j, Decimal(2), np.array(2),
     np.array([2]), slice(2), FMT],
    ids=repr,
)  # fmt: skip
def test_k_that_is_no_integer(k: object, name: str) -> None:
    assert_refused(name, TypeError, "k", "an integer", repr(k), k=k)


def test_kth_magnitude_of_rank_zero() -> None:
    assert_refused("kth_magnitude", ValueError, "k", "an integer from 1 to 12", "0", k=0)


@pytest.mark.parametrize("name", WITH_K)
@pytest.mark.parametrize(
    "sparsity",
    [-0.1, 1.1, np.nextafter(1.0, 2), -5e-324, np.inf, -np.inf, np.nan, 2, -1, 10**400, -(10**400)],
    ids=lambda value: str(value)[:20],
)
def test_sparsity_out_of_range(sparsity: float, name: str) -> None:
    arguments = {"k": None, "sparsity": sparsity}
    assert_refused(name, ValueError, "sparsity", "a number from 0 to 1", repr(sparsity)[:100],
                   **arguments)  # fmt: skip


NOT_NUMBERS = [True, np.True_, "0.5", b"0.5", [0.5], np.array([0.5]), 0.5j, (), FMT]


@pytest.mark.parametrize("name", WITH_K)
@pytest.mark.parametrize("sparsity", NOT_NUMBERS, ids=repr)
def test_sparsity_that_is_no_number(sparsity: object, name: str) -> None:
    arguments = {"k": None, "sparsity": sparsity}
    assert_refused(name, TypeError, "sparsity", "a number", repr(sparsity), **arguments)


@pytest.mark.parametrize("name", ["prune threshold", "soft_threshold"])
@pytest.mark.parametrize(
    "threshold",
    [-1, -0.5, -5e-324, -np.inf, np.nan, np.float32(-1), -(10**400)],
    ids=lambda value: str(value)[:20],
)
def test_threshold_out_of_range(threshold: float, name: str) -> None:
    assert_refused(name, ValueError, "threshold", "a number, at least 0",
                   repr(threshold)[:100], threshold=threshold)  # fmt: skip


@pytest.mark.parametrize("name", ["prune threshold", "soft_threshold"])
@pytest.mark.parametrize("threshold", NOT_NUMBERS, ids=repr)
def test_threshold_that_is_no_number(threshold: object, name: str) -> None:
    came = repr(threshold)
    assert_refused(name, TypeError, "threshold", "a number", came, threshold=threshold)


def test_threshold_beyond_every_float() -> None:
    """Only infinity is above the threshold, as in Python."""
    w = np.float32([1, -np.inf, np.finfo(np.float32).max])
    np.testing.assert_array_equal(sc.prune(w, threshold=10**400), np.float32([0, -np.inf, 0]))


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("prune_mask", "k, sparsity, threshold, pattern"),
        ("prune", "k, sparsity, threshold, pattern"),
        ("prune_quantize", "k, sparsity"),
    ],
)
def test_exactly_one_way_to_say_how_many(name: str, names: str) -> None:
    w = good_input(name)
    with pytest.raises(ValueError, match=f"^exactly one of {names} must be given, got none"):
        CALLS[name](w, k=None)
    with pytest.raises(ValueError, match=f"^exactly one of {names} .* got k=2, sparsity=0.5"):
        CALLS[name](w, sparsity=0.5)
    if name == "prune":
        for others in ({"threshold": 1.5}, {"threshold": 1.5, "k": None, "sparsity": 0.25}):
            with pytest.raises(ValueError, match=f"^exactly one of {names} .* threshold=1.5"):
                sc.prune(w, **{"k": 2, **others})
        with pytest.raises(ValueError, match=f"^exactly one of {names} .* k=2, pattern='2:4'"):
            sc.prune(w, k=2, pattern="2:4")


# --- modes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SELECTING)
@pytest.mark.parametrize("nan", ["zero", "RAISE", "", None, 0, True, b"keep", np.nan, ["keep"]])
def test_nan_when_selecting(nan: object, name: str) -> None:
    assert_refused(name, ValueError, "nan", "'raise' or 'keep' or 'prune'", repr(nan), nan=nan)


@pytest.mark.parametrize("name", QUANTIZING)
@pytest.mark.parametrize("nan", ["keep", "prune", "Zero", "", None, 0, b"zero", ["zero"]])
def test_nan_when_quantizing(nan: object, name: str) -> None:
    assert_refused(name, ValueError, "nan", "'raise' or 'zero'", repr(nan), nan=nan)


@pytest.mark.parametrize("name", ["kth_magnitude", "topk", "prune_mask", "prune", "prune pattern"])
def test_axis(name: str) -> None:
    for axis in (1, -2, 2**64):
        assert_refused(name, ValueError, "axis", "an integer from -1 to 0", repr(axis), axis=axis)
    for axis in (0.0, True, "0", [0]):
        assert_refused(name, TypeError, "axis", "an integer", repr(axis), axis=axis)


@pytest.mark.parametrize("name", WITH_FMT)
def test_fmt_that_is_no_format(name: str) -> None:
    for fmt in (None, 8, (8, 5), "int8", np.int8, FixedPoint, {"bits": 8}):
        assert_refused(name, TypeError, "fmt", "a FixedPoint", repr(fmt), fmt=fmt)


# --- mask ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "error", "allowed", "came"),
    [
        (np.ones(11, np.bool_), ValueError, "(12,)", "(11,)"),
        (np.ones((12, 1), np.bool_), ValueError, "(12,)", "(12, 1)"),
        (np.ones((), np.bool_), ValueError, "(12,)", "()"),
        (np.ones(1, np.uint8), ValueError, "(2,)", "(1,)"),
        (np.ones(12, np.uint8), ValueError, "(2,)", "(12,)"),
        (np.ones((1, 2), np.uint8), ValueError, "(2,)", "(1, 2)"),
        (np.ones(12, np.int8), TypeError, "bool or uint8", "int8"),
        (np.ones(12, np.float32), TypeError, "bool or uint8", "float32"),
        (np.ones(12, object), TypeError, "bool or uint8", "object"),
        ([1] * 12, TypeError, "bool or uint8", "int64"),
        (None, TypeError, "bool or uint8", "object"),
        (np.ma.masked_array(np.ones(12, np.bool_)), TypeError, "a plain array", "masked"),
    ],
)
def test_mask(mask: object, error: type[Exception], allowed: str, came: str) -> None:
    assert_refused("apply_mask", error, "mask", allowed, came, mask=mask)


# --- out -------------------------------------------------------------------------------------


def result_dtype(name: str) -> np.dtype:
    return CALLS[name](good_input(name)).dtype


@pytest.mark.parametrize("name", WITH_OUT)
def test_out_of_another_shape(name: str) -> None:
    for shape in ((11,), (13,), (1, 12), (12, 1), (3, 4), (), (0,)):
        out = np.full(shape, 7, result_dtype(name))
        assert_refused(name, ValueError, "out", "shape (12,)", str(shape), out=out)
        assert (out == 7).all()


@pytest.mark.parametrize("name", WITH_OUT)
def test_out_of_another_dtype(name: str) -> None:
    own = result_dtype(name)
    for dtype in ("float32", "float64", "int8", "uint8", "int16", "uint16", "bool", "object"):
        if dtype != own:
            out = np.full(12, 1, dtype)
            assert_refused(name, TypeError, "out", str(own), dtype, out=out)
            assert (out == 1).all()


def test_remedies() -> None:
    """A remedy does what is meant: it does not change the numbers."""
    w, q = np.float32([[1, 2], [3, 4]]), np.int8([1, 2])
    one, mask = np.array([1]), np.uint8([[0, 1], [1, 0]])

    def assert_says(words: list[str], call: Callable[[], object]) -> None:
        with pytest.raises((TypeError, ValueError)) as refused:
            call()
        for word in words:
            assert word in str(refused.value)

    for quantize in (sc.quantize, sc.fake_quantize, partial(sc.prune_quantize, k=1)):
        assert_says(["requantize", "w.astype(np.float32)"], lambda f=quantize: f(q, FMT))
    assert_says(["signed=False has uint8"], lambda: sc.dequantize(q.view(np.uint8), sc.Affine(1.0)))
    assert_says(["quantize converts floats to integers"], lambda: sc.dequantize(w, FMT))
    assert_says(["bits="], lambda: sc.dequantize(q.astype(np.int64), FMT))
    assert_says(
        ["from_fmt with signed=True"], lambda: sc.requantize(q, sc.Affine(1.0, signed=False), FMT)
    )
    assert_says(["requantize"], lambda: sc.pack_ints(q.astype(np.int64), 4))
    assert_says(["dequantize(w_hat, fmt)"], lambda: sc.compare(w[0], q))
    assert_says(["mask != 0"], lambda: sc.apply_mask(w, mask))
    assert_says(["mask != 0"], lambda: sc.apply_mask(w, mask.astype(np.float32)))
    assert_says(["k.item()"], lambda: sc.prune(w, k=one))
    assert_says(["sparsity.item()"], lambda: sc.prune(w, sparsity=one * 0.5))
    assert_says(["threshold.item()"], lambda: sc.prune(w, threshold=one * 0.5))
    by_two = sc.Affine([1.0, 1.0], group_size=2)
    assert_says(["(2, 2)", "dimensions", "(2, 4)"], lambda: sc.quantize(np.ones((2, 4)), by_two))
    assert_says(["scale of shape (4,)"], lambda: sc.Affine(np.ones((4, 1)), axis=0))


class Sparse:
    def toarray(self) -> np.ndarray:
        return np.ones(3)


@pytest.mark.parametrize("module", [sc, reference])
def test_a_sparse_array_is_refused(module: Any) -> None:
    with pytest.raises(
        TypeError, match=r"^w must be an array, got Sparse; w\.toarray\(\) makes one"
    ):
        module.prune(Sparse(), k=1)


@pytest.mark.parametrize("name", [*IN_PLACE, "dequantize"])
def test_out_of_another_byte_order(name: str) -> None:
    out = np.full(12, 7, ">f4" if np.little_endian else "<f4")
    assert_refused(name, TypeError, "out", "float32 in native byte order", str(out.dtype), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("name", QUANTIZING[::2])
def test_integer_out_of_another_byte_order(name: str) -> None:
    out = np.full(12, 7, WIDE.dtype.newbyteorder())
    assert_refused(name, TypeError, "out", "int16 in native byte order", str(out.dtype), out=out,
                   fmt=WIDE)  # fmt: skip
    assert (out == 7).all()


@pytest.mark.parametrize("name", WITH_OUT)
def test_out_that_is_read_only(name: str) -> None:
    out = np.full(12, 7, result_dtype(name))
    out.flags.writeable = False
    assert_refused(name, ValueError, "out", "writeable", "read-only", out=out)
    assert (out == 7).all()


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_in_what_is_read_only(name: str) -> None:
    w = normal(12)
    w.flags.writeable = False
    assert_refused(name, ValueError, "out", "writeable", "read-only", w=w, out=w)
    assert_same_bits(w, normal(12))


@pytest.mark.parametrize("name", WITH_OUT)
@pytest.mark.parametrize("out", [[0.0] * 12, (), 7, "out", b"x" * 48, True])
def test_out_that_is_no_array(out: object, name: str) -> None:
    came = type(out).__name__
    assert_refused(name, TypeError, "out", f"an array of {result_dtype(name)}", came, out=out)


@pytest.mark.parametrize("name", WITH_OUT)
def test_masked_out(name: str) -> None:
    out = np.ma.masked_array(np.full(12, 7, result_dtype(name)), [True, False] * 6)
    assert_refused(name, TypeError, "out", "a plain array", "masked", out=out)
    assert (out.data == 7).all()


# --- overlap ---------------------------------------------------------------------------------


def assert_overlap_refused(name: str, buffer: np.ndarray, w: np.ndarray, out: np.ndarray) -> None:
    assert np.shares_memory(w, out)
    before = buffer.copy()
    given = "q" if name.startswith("dequantize") else "w"
    with pytest.raises(ValueError, match=rf"^out must .*share no memory with {given}, got "):
        CALLS[name](w, out=out)
    assert_same_bits(buffer, before)


@pytest.mark.parametrize("name", [name for name in OF_FLOATS if name in WITH_OUT])
@pytest.mark.parametrize("shift", [-11, -1, 1, 4, 11])
def test_shifted(shift: int, name: str) -> None:
    buffer = normal(36)
    dtype = result_dtype(name)
    steps = buffer.itemsize // dtype.itemsize
    begin = 12 * steps + shift
    out = buffer.view(dtype)[begin : begin + 12]
    assert_overlap_refused(name, buffer, buffer[12:24], out)


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize(
    "out_of",
    [
        lambda buffer: buffer[12:24][::-1],
        lambda buffer: buffer[11:35:2],
        lambda buffer: buffer[12:36:2],
        lambda buffer: buffer[:36:3],
        lambda buffer: buffer[23:11:-1],
        lambda buffer: buffer.view(np.uint8)[47 : 47 + 48].view(np.float32),  # moved by a byte
    ],
)
def test_partly_overlapping_strides(name: str, out_of: Callable[[np.ndarray], np.ndarray]) -> None:
    buffer = normal(36)
    assert_overlap_refused(name, buffer, buffer[12:24], out_of(buffer))


@pytest.mark.parametrize("name", ["prune", "prune threshold", "prune pattern", "soft_threshold",
                                  "fake_quantize"])  # fmt: skip
def test_the_transpose_overlaps(name: str) -> None:
    buffer = normal(12, 12)
    assert_overlap_refused(name, buffer, buffer, buffer.T)


@pytest.mark.parametrize("name", ["quantize", "prune_quantize"])
def test_integers_in_place_of_floats(name: str) -> None:
    """Integers cannot replace floats in place, because their size differs."""
    buffer = normal(12)
    assert_overlap_refused(name, buffer, buffer, buffer.view(np.int8)[:12])
    assert_overlap_refused(name, buffer, buffer, buffer.view(np.int8)[::4])


def test_floats_over_their_codes() -> None:
    buffer = np.zeros(12, np.float32)
    for q in (buffer.view(np.int8)[:12], buffer.view(np.int8)[::4], buffer.view(np.int8)[-12:]):
        assert_overlap_refused("dequantize", buffer, q, buffer)


@pytest.mark.parametrize("packed", [False, True])
def test_out_over_the_mask(packed: bool) -> None:
    out = normal(12)
    mask = out.view(np.uint8)[20:22] if packed else out.view(np.bool_)[20:32]
    mask[:] = True
    before = out.copy()
    with pytest.raises(ValueError, match=r"^out must share no memory with mask, got"):
        sc.apply_mask(normal(12), mask, out=out)
    assert_same_bits(out, before)


@pytest.mark.parametrize("ranking", ["scores", "factors"])
def test_out_over_what_ranks(ranking: str) -> None:
    buffer = normal(30)
    before = buffer.copy()
    with pytest.raises(ValueError, match=rf"^out must share no memory with {ranking}, got"):
        sc.prune(normal(12), k=3, **{ranking: buffer[10:22]}, out=buffer[:12])
    assert_same_bits(buffer, before)


@pytest.mark.parametrize("name", WITH_OUT)
@pytest.mark.parametrize(
    ("shape", "steps"), [((12,), (0,)), ((3, 4), (4, 0)), ((3, 4), (1, 1)), ((3, 4), (3, 1))]
)
def test_out_that_overlaps_itself(
    shape: tuple[int, ...], steps: tuple[int, ...], name: str
) -> None:
    buffer = np.full(12, 7, result_dtype(name))
    out = as_strided(buffer, shape, [step * buffer.itemsize for step in steps])
    w = good_input(name).reshape(shape)
    arguments = {"apply_mask": {"mask": w > 0}, "prune scores": {"scores": w.copy()}}.get(name, {})
    assert_refused(
        name, ValueError, "out", "overlapping elements", "overlap", w=w, out=out, **arguments
    )
    assert (buffer == 7).all()


def test_in_place_in_what_overlaps_itself() -> None:
    buffer = normal(12)
    w = as_strided(buffer, (3, 6), (12, 4))
    with pytest.raises(ValueError, match=r"^out must not have overlapping elements"):
        sc.prune(w, k=3, out=w)
    assert_same_bits(buffer, normal(12))


# --- the host --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, -1, 1025, 2**31, 2**70, -(2**70)])
def test_number_of_threads_out_of_range(n: int) -> None:
    before = sc.get_num_threads()
    message = f"^n must be an integer from 1 to 1024, got {n}"
    with pytest.raises(ValueError, match=message):
        sc.set_num_threads(n)
    with pytest.raises(ValueError, match=message), sc.threads(n):
        pytest.fail("entered")
    assert sc.get_num_threads() == before


@pytest.mark.parametrize("n", [1.0, True, None, "2", [2], np.array([2])], ids=repr)
def test_number_of_threads_that_is_no_integer(n: object) -> None:
    before = sc.get_num_threads()
    with pytest.raises(TypeError, match=r"^n must be an integer, got "):
        sc.set_num_threads(n)
    with pytest.raises(TypeError, match=r"^n must be an integer, got "), sc.threads(n):
        pytest.fail("entered")
    assert sc.get_num_threads() == before
