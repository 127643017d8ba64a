"""topk with residual=: selection from the sums, and what remains of them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from support.arrays import DTYPES, LANES, around, normal, of_type
from support.grids import grid, subset
from support.isas import LIBRARIES, library
from support.oracles import Ranking, assert_same_bits, sums
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses

HARD = ["normal", "coarse grid", "every exponent", "zeros of both signs", "raw bits"]


def check(lib: Any, w: np.ndarray, e: np.ndarray, k: int, nan: str, axis: int | None) -> None:
    total = sums(w, e)
    expected = Ranking(total, nan, axis)
    rest = np.where(expected.mask(k), np.zeros((), w.dtype), total)
    for by_rank in (False, True):
        residual = e.copy()
        found = lib.topk(w, k, axis=axis, residual=residual, sorted=by_rank, nan=nan)
        for a, b in zip(found, expected.topk(k, by_rank=by_rank), strict=True):
            assert_same_bits(a, b)
        assert_same_bits(residual, rest)


def pair(values: str, shape: tuple[int, ...], dtype: str) -> tuple[np.ndarray, np.ndarray]:
    n = int(np.prod(shape))
    w = of_type(values, n, dtype).reshape(shape)
    return w, np.ascontiguousarray(w[..., ::-1] if values != "raw bits" else np.roll(w, n // 3))


@pytest.mark.parametrize("values", HARD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sizes(lib: Any, dtype: str, values: str) -> None:
    for n in subset([*LANES, 1000, 4095, 4097], 6):
        w, e = pair(values, (n,), dtype)
        for k in subset(sorted({0, min(1, n), n // 10, n}), 3):
            check(lib, w, e, k, "keep", None)


@pytest.mark.parametrize("values", ["normal", "coarse grid"])
def test_sizes_from_memory(lib_on_threads: Any, values: str) -> None:
    """Around kInCache; few and many are selected by different methods."""
    for n, part in grid([*around(65_536), 300_003], (0.001, 0.01, 0.3, 1)):
        w, e = pair(values, (n,), "float32")
        check(lib_on_threads, w, e, max(1, int(n * part)), "raise", None)


@pytest.mark.parametrize("values", ["normal", "coarse grid", "raw bits"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_slices(lib: Any, dtype: str, values: str) -> None:
    for shape in ((40, 8), (8, 40), (3, 70_001), (5, 6, 7), (1025, 3)):
        w, e = pair(values, shape, dtype)
        for axis in range(len(shape)):
            check(lib, w, e, (shape[axis] + 2) // 3, "prune", axis)


def test_several_axes(lib: Any) -> None:
    w, e = pair("normal", (4, 3, 5, 6), "float32")
    for axes in ((1, 3), (0, 2), (2, 3)):
        others = [axis for axis in range(4) if axis not in axes]
        rows = [x.transpose(*others, *axes).reshape(-1, np.prod([w.shape[a] for a in axes]))
                for x in (w, e)]  # fmt: skip
        expected = Ranking(sums(*rows), "raise", 1)
        rest = np.where(expected.mask(7), np.float32(0), expected.w)
        residual = e.copy()
        lib.topk(w, 7, axis=axes, residual=residual)
        assert_same_bits(residual.transpose(*others, *axes).reshape(rest.shape), rest)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 100))
    w, e = (data.draw(floats(dtype, st.just(n))) for _ in range(2))
    k = data.draw(st.integers(0, n))
    nan = data.draw(st.sampled_from(POLICIES))
    if nan == "raise" and np.isnan(sums(w, e)).any():
        nan = "keep"
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, w, e, k, nan, None)


def test_steps_add_up(lib: Any) -> None:
    """Whole numbers: nothing is lost between what was sent and what remains."""
    gradients = np.round(normal(9, 500) * 8)
    residual, sent = np.zeros(500, np.float32), np.zeros(500, np.float32)
    for gradient in gradients:
        values, indices = lib.topk(gradient, 50, residual=residual)
        sent[indices] += values
        assert not residual[indices].any()
    assert np.array_equal(sent + residual, gradients.sum(0))


@pytest.mark.parametrize(
    "view",
    [
        lambda e: np.repeat(e, 2, axis=1)[:, ::2],
        np.asfortranarray,
        lambda e: e[::-1, ::-1].copy()[::-1, ::-1],
        lambda e: np.frombuffer(bytearray(b"x" + e.tobytes()), e.dtype, offset=1).reshape(e.shape),
    ],
    ids=["strided", "fortran", "reversed", "misaligned"],
)
def test_layouts(lib: Any, view: Any) -> None:
    w, e = normal(20, 30), normal(20, 30)[::-1].copy()
    for axis in (None, 0, 1):
        expected, residual = e.copy(), view(e)
        wanted = lib.topk(w, 5, axis=axis, residual=expected)
        found = lib.topk(np.asfortranarray(w), 5, axis=axis, residual=residual)
        for a, b in zip((*found, residual), (*wanted, expected), strict=True):
            assert_same_bits(a, b)


def test_what_is_returned(lib: Any) -> None:
    w, residual = normal(6, 7), np.zeros((6, 7), np.float32)
    top = lib.topk(w, 9, residual=residual)
    assert type(top) is sc.TopK
    assert_same_bits(top.values, w.ravel()[top.indices])
    assert all(not np.shares_memory(array, residual) for array in top)


def test_nan_leave_the_residual_unmodified(lib: Any) -> None:
    inf = np.float32(np.inf)
    for n in (20, 2000, 70_000):
        for shape, axis in (((n,), None), ((n // 10, 10), 1), ((10, n // 10), 0)):
            w, e = normal(n), normal(n)
            w[7], e[7], e[n - 2] = inf, -inf, np.nan
            words = ["w + residual has 2 NaN, the first at flat index 7; ", "nan="]
            for k in (0, 1, 3):
                assert_refuses(ValueError, words, lib.topk, w.reshape(shape), k, axis=axis,
                               residual=e.reshape(shape))  # fmt: skip


def test_index_of_nan_of_axes_that_are_not_adjacent(lib: Any) -> None:
    w, e = normal(4, 5, 6), normal(4, 5, 6)
    e[1, 2, 3] = np.nan
    words = [f"w + residual has 1 NaN, the first at flat index {30 + 12 + 3}; "]
    assert_refuses(ValueError, words, lib.topk, w, 2, axis=(0, 2), residual=e)


def read_only(e: np.ndarray) -> np.ndarray:
    e.flags.writeable = False
    return e


@pytest.mark.parametrize(
    ("residual", "error", "words"),
    [
        ([0.0] * 12, TypeError, ["residual must be an array of float32", "got list"]),
        (np.zeros(12), TypeError, ["residual must be float32", "got float64"]),
        (np.zeros(12, ">f4"), TypeError, ["residual must be float32 in native byte order", "got >f4"]),
        (np.zeros(13, np.float32), ValueError, ["residual must", "(12,)", "(13,)"]),
        (np.zeros((1, 12), np.float32), ValueError, ["residual must", "(12,)", "(1, 12)"]),
        (read_only(np.zeros(12, np.float32)), ValueError, ["residual must be writeable", "read-only"]),
        (np.broadcast_to(np.float32(0), 12), ValueError, ["residual must be writeable"]),
        (np.ma.masked_array(np.zeros(12, np.float32)), TypeError, ["residual must be a plain array"]),
    ],
)  # fmt: skip
def test_refused(lib: Any, residual: Any, error: type[Exception], words: list[str]) -> None:
    assert_refuses(error, words, lib.topk, normal(12), 2, residual=residual)


def test_refused_overlap(lib: Any) -> None:
    w = normal(24)
    for array, residual in ((w, w), (w[:12], w[6:18]), (w[:12], w[11::-1]), (w[::2], w[:12])):
        words = ["residual must", "no memory with", "got"]
        assert_refuses(ValueError, words, lib.topk, array, 2, residual=residual)
    lib.topk(w[::2], 2, residual=w[1::2])  # neighbours in memory, but not the same elements


def test_refused_with_scores(lib: Any) -> None:
    w, e = normal(12), normal(12)
    for name in ("scores", "factors"):
        words = [f"residual and {name} must not both be given; the magnitudes of w + residual rank"]
        assert_refuses(ValueError, words, lib.topk, w, 2, residual=e.copy(), **{name: e})
