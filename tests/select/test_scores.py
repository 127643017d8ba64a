"""scores= and factors=: ranking by the values of another array, or by products with it."""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.arrays import (
    DTYPES,
    IN_CACHE,
    LANES,
    LARGE,
    NAN,
    SHARED,
    from_bits,
    generator,
    normal,
    of_type,
)
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import Ranking, assert_same_bits, bits_of, is_nan, keys_of, masked, product
from support.raw_bits import POLICIES, floats
from support.refusals import FLOAT_NAMES, assert_refuses

HARD = ["normal", "coarse grid", "90 % zeros", "raw bits", "30 % NaN", "zeros of both signs",
        "some infinite"]  # fmt: skip


def other(w: np.ndarray, dtype: str = "float32", *, name: str = "coarse grid") -> np.ndarray:
    """Return an unrelated array of the same shape."""
    n = w.size
    return of_type(name, n, dtype)[generator(n + 1).permutation(n)].reshape(w.shape)


def by_values(w: np.ndarray, x: np.ndarray, nan: str, axis: int | None = None) -> Ranking:
    return Ranking(w, nan, axis, keys_of(np.asarray(x), nan, by_value=True))


def by_product(w: np.ndarray, x: np.ndarray, nan: str, axis: int | None = None) -> Ranking:
    return Ranking(w, nan, axis, keys_of(product(w, x), nan))


def check(lib: Any, expected: Ranking, ks: set[int], **how: Any) -> None:
    w = expected.w
    for k in ks:
        mask = expected.mask(k)
        assert_same_bits(lib.prune_mask(w, k=k, **how), mask)
        packed = lib.prune_mask(w, k=k, packed=True, **how)
        assert_same_bits(packed, np.packbits(mask, bitorder="little"))
        assert_same_bits(lib.prune(w, k=k, **how), expected.pruned(k))
        copy = w.copy()
        assert lib.prune(copy, k=k, **how, out=copy) is copy
        assert_same_bits(copy, expected.pruned(k))
        for by_rank in (False, True):
            top = lib.topk(w, k, sorted=by_rank, **how)
            for actual, wanted in zip(top, expected.topk(k, by_rank=by_rank), strict=True):
                assert_same_bits(actual, wanted)


@lru_cache
def large_values(values: str, n: int) -> tuple[np.ndarray, Ranking]:
    x = of_type(values, n, "float32")
    return x, by_values(normal(n), x, "raise")


@lru_cache
def large_factors(how: str) -> tuple[Any, Ranking]:
    w = of_type("normal", 1000 * 1049, "float32").reshape(1000, 1049)
    factors = FACTORS[how](other(w, name="normal"))
    return factors, by_product(w, factors, "raise")


# --- by value --------------------------------------------------------------------------------


@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("values", HARD)
def test_values_of_all_sizes(lib: Any, values: str, nan: str) -> None:
    for n in LANES + subset(IN_CACHE, 3):
        w, x = normal(n), of_type(values, n, "float32")
        check(lib, by_values(w, x, nan), {0, 1, n // 2, n} & {*range(n + 1)}, scores=x, nan=nan)


@pytest.mark.parametrize("scored", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_of_another_type(lib: Any, dtype: str, scored: str) -> None:
    for n in (65, 1025, 70_001):
        w = of_type("raw bits", n, dtype)  # NaN in w have no effect
        for values, nan in (("raw bits", "prune"), ("raw bits", "keep"), ("coarse grid", "raise")):
            x = of_type(values, n, scored)
            check(lib, by_values(w, x, nan), {n // 3}, scores=x, nan=nan)


def test_values_from_memory(lib_on_threads: Any) -> None:
    for n in [SHARED[1], LARGE]:
        for values in ("normal", "90 % zeros"):
            x, ranked = large_values(values, n)
            check(lib_on_threads, ranked, {n // 10}, scores=x)


@pytest.mark.parametrize("scored", DTYPES)
@given(data=st.data())
def test_values_of_any_bits(scored: str, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=12))
    x = data.draw(floats(scored, shape))
    w = data.draw(floats("float32", shape))
    nan = data.draw(st.sampled_from(POLICIES))
    axis = data.draw(st.sampled_from([None, *range(w.ndim)]))
    k = data.draw(st.integers(0, w.size if axis is None else w.shape[axis]))
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, by_values(w, x, nan, axis), {k}, scores=x, axis=axis, nan=nan)


def test_values_by_hand(lib: Any) -> None:
    w = np.float32([1, np.nan, -3, 4, -0.0, 6])
    x = np.float64([-1, 2, 0.0, -0.0, -np.inf, np.inf])
    for kept in ([], [5], [5, 1], [5, 1, 2], [5, 1, 2, 3], [5, 1, 2, 3, 0], [5, 1, 2, 3, 0, 4]):
        mask = np.isin(range(6), kept)
        assert np.array_equal(lib.prune_mask(w, k=len(kept), scores=x), mask)
        assert_same_bits(lib.prune(w, k=len(kept), scores=x), masked(w, mask))


def test_the_order_of_values_that_are_nan(lib: Any) -> None:
    """NaN of either sign rank above infinity or below -infinity, by payload."""
    x = from_bits([0xFFC00001, 0x7F800000, NAN, 0x7F800001, 0xFFFFFFFF, 0xFF800000])
    for nan, falling in (("keep", [4, 0, 2, 3, 1, 5]), ("prune", [1, 5, 4, 0, 2, 3])):
        for k in range(7):
            mask = lib.prune_mask(normal(6), k=k, scores=x, nan=nan)
            assert np.flatnonzero(mask).tolist() == sorted(falling[:k])


THRESHOLDS = [-np.inf, -1e300, -3.5e38, -65504.0, -1.0, np.nextafter(-1, 0), -2.0**-149, -5e-324,
              -0.0, 0, 5e-324, 0.1, 1, np.nextafter(1, 2), 65519.99, 1e300, np.inf]  # fmt: skip


@pytest.mark.parametrize("scored", DTYPES)
def test_threshold_of_values(lib: Any, scored: str) -> None:
    """Comparison with a threshold is strict and exact. Thresholds may be negative."""
    with np.errstate(over="ignore"):
        beside = np.repeat(np.array(THRESHOLDS).astype(DTYPES[scored]), 3)
    bits_of_it = beside.view(f"u{beside.itemsize}")
    bits_of_it[::3] += 1
    bits_of_it[1::3] -= 1
    x = np.concatenate([beside, of_type("raw bits", 3001, scored)])
    w = normal(x.size)
    with np.errstate(invalid="ignore"):  # for signalling NaN
        wide = x.astype(np.float64)
    for threshold in THRESHOLDS:
        for nan in POLICIES:
            mask = np.where(is_nan(x), nan == "keep", wide > threshold)
            result = lib.prune(w, threshold=threshold, scores=x, nan=nan)
            assert_same_bits(result, masked(w, mask))
    assert_same_bits(lib.prune(w[:9], threshold=-(10**400), scores=np.float32([-1] * 9)), w[:9])


# --- by product ------------------------------------------------------------------------------

FACTORS = {
    "row": lambda w: w[0],
    "row of one": lambda w: w[:1],
    "column": lambda w: w[:, :1],
    "one": lambda w: w[0, 0],
    "one in a matrix": lambda w: w[:1, :1],
    "each": lambda w: w,
}


def apart(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return x without NaN where w has NaN: the result of two NaN is unspecified."""
    x = x.copy()
    x[is_nan(w) & is_nan(x)] = 1
    return x


@pytest.mark.parametrize("how", FACTORS)
@pytest.mark.parametrize(
    "shape", [(2, 9), (7, 65), (40, 33), (33, 500), (1025, 3), (300, 301)], ids=str
)
def test_factors(lib: Any, shape: tuple[int, int], how: str) -> None:
    w = of_type("coarse grid", shape[0] * shape[1], "float32").reshape(shape)
    x = FACTORS[how](other(w, name="normal"))
    check(lib, by_product(w, x, "raise"), {0, w.size // 10, w.size // 2, w.size}, factors=x)
    for axis in (0, 1):
        expected = by_product(w, x, "raise", axis)
        check(lib, expected, {(shape[axis] + 1) // 2}, factors=x, axis=axis)


@pytest.mark.parametrize("scored", DTYPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_factors_of_another_type(lib: Any, dtype: str, scored: str) -> None:
    """Products may have a NaN factor, be zero times infinity, overflow or underflow."""
    shape = 60, 70
    w = of_type("raw bits", 4200, dtype).reshape(shape)
    x = other(w, scored, name="raw bits")
    row = apart(np.zeros(70), other(w, scored, name="normal")[0])
    for nan in POLICIES:
        together = apart(w, x)
        check(lib, by_product(w, together, nan), {1000, 3000}, factors=together, nan=nan)
        check(lib, by_product(w, row, nan), {1000, 3000}, factors=row, nan=nan)


def test_factors_from_memory(lib_on_threads: Any) -> None:
    for how in ("row", "column", "each"):
        factors, ranked = large_factors(how)
        check(lib_on_threads, ranked, {ranked.w.size // 10}, factors=factors)


def test_factors_of_more_axes(lib: Any) -> None:
    w = normal(3, 4, 5, 6)
    for shape in ((4, 5, 6), (6,), (5, 1), (3, 1, 1, 1), (1, 4, 1, 6), (1, 1, 1, 1), (4, 1, 1)):
        x = normal(*shape)
        check(lib, by_product(w, x, "raise"), {100}, factors=x)
        for axis in range(4):
            check(lib, by_product(w, x, "raise", axis), {2}, factors=x, axis=axis)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_products_of_any_bits(dtype: str, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(max_dims=2, max_side=12))
    w = data.draw(floats(dtype, shape))
    x = apart(w, data.draw(floats(data.draw(st.sampled_from([*DTYPES])), shape)))
    nan = data.draw(st.sampled_from(POLICIES))
    k = data.draw(st.integers(0, w.size))
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, by_product(w, x, nan), {k}, factors=x, nan=nan)


def test_products_are_rounded_once(lib: Any) -> None:
    """Products in float32 tie if they overflow. Subnormal ones still differ."""
    big, small = np.float32(2.0**100), np.float32(2.0**-70)
    w = np.array([1, 2, 3, 4], np.float32)
    assert np.array_equal(lib.prune_mask(w * big, k=2, factors=np.full(4, big)), [1, 1, 0, 0])
    assert np.array_equal(lib.prune_mask(w * small, k=2, factors=np.full(4, small)),
                          [0, 0, 1, 1])  # fmt: skip
    # The square of 1 + 2**-12 is 1 + 2**-11 + 2**-24, halfway between two float32. The lower one
    # is even.
    near = np.float32([1 + 2**-12, 1 + 2**-11])
    x = np.float32([1 + 2**-12, 1])
    assert np.array_equal(lib.prune_mask(near, k=1, factors=x), [True, False])
    assert np.array_equal(lib.prune_mask(near[::-1], k=1, factors=x[::-1]), [True, False])
    wide = lib.prune_mask(near[::-1], k=1, factors=x[::-1].astype(np.float64))
    assert np.array_equal(wide, [False, True])


def test_half_products_are_not_rounded_to_halves(lib: Any) -> None:
    for dtype in ("float16", "bfloat16"):
        w = np.array([1, 1 + 2**-7, 300], DTYPES[dtype])
        x = np.array([1 + 2**-7, 1 + 2**-7, 1000], DTYPES[dtype])
        assert np.array_equal(lib.prune_mask(w, k=2, factors=x), [False, True, True])
        w, x = (np.array([a, b], DTYPES[dtype]) for a, b in ((1.5, 1 + 2**-6), (1, 1.5)))
        assert np.array_equal(lib.prune_mask(w, k=1, factors=x), [False, True])


def test_threshold_of_products(lib: Any) -> None:
    w = of_type("raw bits", 3000, "float32").reshape(50, 60)
    x = apart(np.zeros(60), other(w, name="normal")[0])
    values = product(w, x)
    sizes = np.abs(values.astype(np.float64))
    for threshold in (0, 2.0**-149, 1e-3, np.nextafter(sizes[20, 20], 0), sizes[20, 20], np.inf):
        for nan in POLICIES:
            mask = np.where(is_nan(values), nan == "keep", sizes > threshold)
            assert_same_bits(lib.prune(w, threshold=threshold, factors=x, nan=nan), masked(w, mask))


# --- valid and invalid scores ----------------------------------------------------------------


def test_scores_and_factors_differ(lib: Any) -> None:
    w = np.float32([[1, -4], [3, 2]])
    values = np.float32([[-9, 5], [1, 0]])
    assert_same_bits(lib.prune(w, k=1, scores=values), np.float32([[0, -4], [0, 0]]))
    assert_same_bits(lib.prune(w, k=1, factors=values), np.float32([[0, -4], [0, 0]]))
    assert_same_bits(lib.prune(w, k=1, factors=np.float32([-9, 1])), np.float32([[0, 0], [3, 0]]))
    assert_same_bits(lib.prune(w[0], k=1, scores=np.float32([-9, 1])), np.float32([0, -4]))
    assert_same_bits(lib.prune(w[0], k=1, factors=np.float32([-9, 1])), np.float32([1, 0]))


def test_scores_of_arrays_without_axes_or_elements(lib: Any) -> None:
    one = np.float32(-3)
    for how in ({"scores": np.float32(-1)}, {"factors": np.float32(2)}, {"scores": -1.0}):
        assert_same_bits(lib.prune(one, k=1, **how), np.array(one))
        assert_same_bits(lib.prune(one, k=0, **how), np.array(np.float32(0)))
    assert_same_bits(lib.prune(one, threshold=-2, scores=np.float32(-1)), np.array(one))
    empty = normal(0, 4)
    assert_same_bits(lib.prune(empty, k=0, scores=empty), empty)
    for factors in (empty, normal(4), normal(1, 4), np.float64(1)):
        assert_same_bits(lib.prune(empty, k=0, factors=factors), empty)


LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "reversed": lambda x: x[::-1, ::-1].copy()[::-1, ::-1],
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "list": lambda x: x.tolist(),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "misaligned": lambda x: np.frombuffer(b"x" + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(lib: Any, layout: str) -> None:
    w = normal(30, 40)
    x = other(w, "float64", name="normal")
    for name, values, ranked in (
        ("scores", x, by_values(w, x, "raise")),
        ("factors", x, by_product(w, x, "raise")),
        ("factors", x[3], by_product(w, x[3], "raise")),
    ):
        form = LAYOUTS[layout](np.atleast_2d(values))
        if values.ndim == 1:
            form = np.asarray(form)[0]
        before, by = np.array(form), {name: form}
        check(lib, ranked, {500}, **by)
        assert_same_bits(lib.prune(np.asfortranarray(w), k=500, **by), ranked.pruned(500))
        assert_same_bits(form, before)


def test_scores_that_are_a_broadcast_view_have_its_shape(lib: Any) -> None:
    w = normal(30, 40)
    x = np.broadcast_to(normal(40), w.shape)
    check(lib, by_values(w, x, "raise"), {500}, scores=x)


def test_nan_of_the_importance(lib: Any) -> None:
    w = normal(20, 30)
    x = other(w)
    x.ravel()[[7, 77, 599]] = np.nan
    for by, message in (
        ({"scores": x}, "scores has 3 NaN, the first at flat index 7; "),
        ({"factors": x}, "w * factors has 3 NaN, the first at flat index 7; "),
        ({"factors": x[0]}, "w * factors has 20 NaN, the first at flat index 7; "),
    ):
        for how in ({"k": 3}, {"sparsity": 0.5}, {"k": 3, "axis": 0}, {"threshold": 0.5},
                    {"pattern": "2:3"}):  # fmt: skip
            assert_refuses(ValueError, [message], lib.prune_mask, w, **how, **by)
            assert_refuses(ValueError, [message], lib.prune, w, **how, **by, out=w)
        for how in ({}, {"axis": 0}):
            assert_refuses(ValueError, [message], lib.topk, w, 3, **how, **by)


def test_zero_times_infinity_is_nan(lib: Any) -> None:
    w, zeros = np.zeros((20, 30), np.float32), np.zeros(30, np.float32)
    w[3, 4] = np.inf
    words = ["w * factors has 1 NaN, the first at flat index 94; "]
    assert_refuses(ValueError, words, lib.prune, w, k=3, factors=zeros)
    assert np.flatnonzero(lib.prune_mask(w, k=1, factors=zeros, nan="keep")).tolist() == [94]
    assert np.flatnonzero(~lib.prune_mask(w, k=599, factors=zeros, nan="prune")).tolist() == [94]


def test_an_infinite_factor_beyond_the_end_makes_no_nan(lib: Any) -> None:
    """Results may begin at any offset in a cache line, so the ends are ragged."""
    for n in (5, 1000, 70_001):
        w, factors = normal(n), np.full(n, np.inf, np.float32)
        buffer = np.empty(n + 16, np.float32)
        for offset in (0, 1, 5, 15):
            out = buffer[offset : offset + n]
            lib.prune(w, k=n // 2, factors=factors, out=out)
            assert_same_bits(out[: n // 2], w[: n // 2])
            assert not out[n // 2 :].any()


def test_nan_of_w_are_not_looked_at_beside_values(lib: Any) -> None:
    w = from_bits([NAN, 0xFF800001, 0x3F800000])
    kept = lib.prune(w, k=2, scores=np.float32([3, 2, 1]))
    assert bits_of(kept).tolist() == [NAN, 0xFF800001, 0]


@pytest.mark.parametrize(
    ("by", "error", "words"),
    [
        ({"scores": normal(4)}, ValueError, ["(3, 4)", "(4,)", "factors= broadcasts"]),
        ({"scores": normal(4, 3)}, ValueError, ["(3, 4)", "(4, 3)", "factors= broadcasts"]),
        ({"scores": normal(1, 3, 4)}, ValueError, ["(3, 4)", "(1, 3, 4)", "factors= broadcasts"]),
        ({"scores": normal(3, 4).astype(np.int32)}, TypeError, [FLOAT_NAMES, "int32"]),
        ({"scores": [["abc"] * 4] * 3}, TypeError, [FLOAT_NAMES, "<U3"]),
        ({"scores": np.ma.masked_array(normal(3, 4))}, TypeError, ["a plain array", "masked"]),
        ({"factors": normal(3)}, ValueError, ["(3, 4)", "(3,)"]),
        ({"factors": normal(4, 3)}, ValueError, ["(3, 4)", "(4, 3)"]),
        ({"factors": normal(2, 3, 4)}, ValueError, ["(3, 4)", "(2, 3, 4)"]),
        ({"factors": normal(1, 3, 4)}, ValueError, ["(3, 4)", "(1, 3, 4)"]),
        ({"factors": normal(0, 4)}, ValueError, ["(3, 4)", "(0, 4)"]),
        ({"factors": np.ones(4, np.bool_)}, TypeError, [FLOAT_NAMES, "bool"]),
        ({"factors": np.ones(4, np.int64)}, TypeError, [FLOAT_NAMES, "int64"]),
        ({"factors": [1, 2, 3, 4]}, TypeError, [FLOAT_NAMES, "int64"]),
        ({"factors": "abc"}, TypeError, [FLOAT_NAMES, "<U3"]),
        ({"factors": np.ma.masked_array(normal(4))}, TypeError, ["a plain array", "masked"]),
    ],
    ids=str,
)
def test_refused(lib: Any, by: dict[str, Any], error: type[Exception], words: list[str]) -> None:
    words = [next(iter(by)), " must ", *words]
    for call in (lib.prune_mask, lib.prune, lib.topk):
        assert_refuses(error, words, call, normal(3, 4), k=2, **by)


def test_not_both(lib: Any) -> None:
    w = normal(3, 4)
    words = ["scores and factors must not both be given"]
    for call in (lib.prune_mask, lib.prune, lib.topk):
        assert_refuses(ValueError, words, call, w, k=2, scores=w, factors=w)
    words = ["scores['b'] and factors['b'] must not both be given"]
    arrays = {"a": w, "b": w}
    for call in (lib.prune_mask_global, lib.prune_global):
        assert_refuses(ValueError, words, call, arrays, k=2, scores=arrays,
                       factors={"a": None, "b": normal(4)})  # fmt: skip


@pytest.mark.parametrize(("threshold", "error"), [(np.nan, ValueError), ("0", TypeError),
                                                  ([1.0], TypeError), (True, TypeError)])  # fmt: skip
def test_threshold_that_is_no_number(lib: Any, threshold: object, error: type[Exception]) -> None:
    w, words = normal(5), ["threshold must be ", f"got {threshold!r}"]
    assert_refuses(error, words, lib.prune, w, threshold=threshold, scores=w.copy())


def test_threshold_of_products_below_zero(lib: Any) -> None:
    for factors in (normal(5), np.float32(1)):
        words = ["threshold must be a number, at least 0", "got -0.5"]
        assert_refuses(ValueError, words, lib.prune, normal(5), threshold=-0.5, factors=factors)


def test_out_over_the_scores(lib: Any) -> None:
    buffer = normal(60)
    before = buffer.copy()
    words = ["out must ", "share no memory"]
    for by in ({"scores": buffer[10:30]}, {"factors": buffer[10:30]}, {"factors": buffer[10:11]}):
        assert_refuses(ValueError, words, lib.prune, normal(20), k=3, **by, out=buffer[:20])
    square = buffer[:16].reshape(4, 4)
    for factors in (square.T, square[:, ::-1], square[:, :1], square[1]):
        assert_refuses(ValueError, words, lib.prune, normal(4, 4), k=3, factors=factors, out=square)
    assert_same_bits(buffer, before)


def test_factors_of_no_elements_take_no_memory(lib: Any) -> None:
    w = np.zeros((2, 10**9, 2, 0), np.float32)
    factors = np.ones((2, 1, 2, 1), np.float32)
    assert lib.prune_mask(w, k=0, factors=factors).shape == w.shape
    assert lib.topk(w.reshape(0), 0, factors=np.float32(2)).indices.size == 0


def test_factors_of_no_elements_lie_anywhere(lib: Any) -> None:
    buffer = np.zeros(4 * 33 + 1, np.uint8)[1:].view(np.float32).reshape(33, 1)
    for factors in (buffer, buffer[::2][:1], buffer.T[:, :1]):
        w = np.zeros((0, *factors.shape), np.float32)
        assert lib.prune(w, k=0, factors=factors).shape == w.shape


def test_factors_in_a_matrix(lib: Any) -> None:
    w = np.float32([[1, 2], [3, 4]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        factors = np.asmatrix(np.array([[10.0, 1.0]]))
    assert_same_bits(lib.prune(w, k=1, axis=0, factors=factors), np.float32([[0, 0], [3, 4]]))
