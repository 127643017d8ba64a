"""axis= with several axes: elements whose other indices are equal compete."""

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import reference
from support.arrays import DTYPES, of_type
from support.oracles import assert_same_bits
from support.refusals import assert_refuses

# Some axes have length 1 or 0, and some arrays have one element.
SHAPES = [
    (3, 4),
    (5, 3, 4),
    (1, 5, 7),
    (5, 1, 6),
    (4, 3, 5, 2),
    (2, 70, 3, 40),
    (1, 1, 1),
    (33, 65, 4),
]
CALLS = ["kth_magnitude", "topk", "prune_mask", "prune"]


def tuples(ndim: int) -> list[tuple[int, ...]]:
    """Return all combinations of axes, in ascending order."""
    return [
        axes for n in range(1, ndim + 1) for axes in permutations(range(ndim), n)
        if list(axes) == sorted(axes)
    ]  # fmt: skip


def as_matrix(array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Return a matrix with a row for each selection."""
    moved = np.moveaxis(array, axes, range(-len(axes), 0))
    return moved.reshape(-1, math.prod(array.shape[i] for i in axes)).copy()


def from_matrix(rows: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    others = [length for i, length in enumerate(shape) if i not in axes]
    array = rows.reshape(*others, *(shape[i] for i in axes))
    return np.moveaxis(array, range(-len(axes), 0), axes)


def parts(result: Any) -> list[np.ndarray]:
    return [*result] if isinstance(result, tuple) else [np.asarray(result)]


def without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for i, length in enumerate(shape) if i not in axes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_each_selection_is_a_row(lib: Any, shape: tuple[int, ...], dtype: str) -> None:
    w = of_type("coarse grid", math.prod(shape), dtype).reshape(shape)
    for axes in tuples(len(shape)):
        rows = as_matrix(w, axes)
        n, others = rows.shape[1], without(shape, axes)
        for k in sorted({0, 1, n // 3, n}):
            how: dict[str, Any] = {"axis": axes, "nan": "keep"}
            of_rows: dict[str, Any] = {"axis": 1, "nan": "keep"}
            pruned = from_matrix(reference.prune(rows, k=k, **of_rows), shape, axes)
            assert_same_bits(lib.prune(w, k=k, **how), pruned)
            mask = from_matrix(reference.prune_mask(rows, k=k, **of_rows), shape, axes)
            assert_same_bits(lib.prune_mask(w, k=k, **how), mask)
            for bitorder in ("little", "big"):
                packed = np.packbits(mask, bitorder=bitorder)
                found = lib.prune_mask(w, k=k, packed=True, bitorder=bitorder, **how)
                assert_same_bits(found, packed)
            first = axes[0]
            for by_rank in (False, True):
                expected = reference.topk(rows, k, sorted=by_rank, **of_rows)
                for a, b in zip(lib.topk(w, k, sorted=by_rank, **how), expected, strict=True):
                    assert a.shape == (*others[:first], k, *others[first:])
                    assert_same_bits(np.moveaxis(a, first, -1).reshape(len(rows), k), b)
            if k:
                kth = reference.kth_magnitude(rows, k, **of_rows).reshape(others)
                assert_same_bits(lib.kth_magnitude(w, k, **how), kth)


def test_indices_are_flat_over_the_axes(lib: Any) -> None:
    w = of_type("normal", 2 * 3 * 4 * 5, "float32").reshape(2, 3, 4, 5)
    values, indices = lib.topk(w, 7, axis=(1, 3))
    assert values.shape == (2, 7, 4)
    rows, columns = np.unravel_index(indices, (3, 5))
    for i in range(2):
        for j in range(4):
            assert_same_bits(values[i, :, j], w[i, rows[i, :, j], j, columns[i, :, j]])
    largest = np.sort(np.abs(w).max(axis=(1, 3)).ravel())
    assert_same_bits(np.sort(lib.kth_magnitude(w, 1, axis=(1, 3)).ravel()), largest)


def test_the_order_and_the_sign_of_axes_do_not_matter(lib: Any) -> None:
    w = of_type("coarse grid", 4 * 5 * 6, "float32").reshape(4, 5, 6)
    for axes in ((0, 1), (1, 2), (0, 2), (0, 1, 2)):
        for name in CALLS:
            call = getattr(lib, name)
            expected = call(w, k=3, axis=axes)
            for other in (axes[::-1], tuple(i - 3 for i in axes), (axes[0] - 3, *axes[1:])):
                for a, b in zip(parts(call(w, k=3, axis=other)), parts(expected), strict=True):
                    assert_same_bits(a, b)
    for axis in range(3):
        assert_same_bits(lib.prune(w, k=3, axis=(axis,)), lib.prune(w, k=3, axis=axis))
    assert_same_bits(lib.prune(w, k=3, axis=(0, 1, 2)), lib.prune(w, k=3))


@pytest.mark.parametrize("axes", [(1, 2), (0, 2), (0, 1), (2, 0), (0, 1, 2)], ids=str)
def test_scores_and_factors(lib: Any, axes: tuple[int, ...]) -> None:
    shape = (6, 5, 8)
    w, scores = (of_type(name, 240, "float32").reshape(shape) for name in ("normal", "coarse grid"))
    ordered = tuple(sorted(axes))
    for factor in (scores[0], scores[:, :1], scores[:1, :, :1], scores, scores.astype(np.float16)):
        full = as_matrix(np.broadcast_to(factor, shape), ordered)
        expected = reference.prune(as_matrix(w, ordered), k=7, factors=full, axis=1)
        found = lib.prune(w, k=7, factors=factor, axis=axes)
        assert_same_bits(found, from_matrix(expected, shape, ordered))
    rows = reference.prune_mask(
        as_matrix(w, ordered), k=7, scores=as_matrix(scores, ordered), axis=1
    )
    found = lib.prune_mask(w, k=7, scores=scores, axis=axes)
    assert_same_bits(found, from_matrix(rows, shape, ordered))


@pytest.mark.parametrize("axes", [(1, 2), (0, 2), (0, 1, 3), (0, 1, 2, 3)], ids=str)
def test_patterns(lib: Any, axes: tuple[int, ...]) -> None:
    shape = (4, 3, 6, 8)
    w = of_type("coarse grid", math.prod(shape), "float32").reshape(shape)
    rows = as_matrix(w, axes)
    for pattern in ("1:2", "2:4", "3:6", "1:1"):
        if rows.shape[1] % int(pattern[2:]):
            continue
        expected = reference.prune(rows, pattern=pattern, axis=1)
        assert_same_bits(
            lib.prune(w, pattern=pattern, axis=axes), from_matrix(expected, shape, axes)
        )
        mask = reference.prune_mask(rows, pattern=pattern, axis=1)
        found = lib.prune_mask(w, pattern=pattern, axis=axes)
        assert_same_bits(found, from_matrix(mask, shape, axes))
    for wrong in ("2:5", "1:7"):
        if rows.shape[1] % int(wrong[2:]):
            words = ["w must ", f"a multiple of {wrong[2:]} elements along "]
            assert_refuses(ValueError, words, lib.prune, w, pattern=wrong, axis=axes)


@pytest.mark.parametrize("axes", [(1, 2), (0, 2), (2, 0), (0, 1)], ids=str)
def test_out_and_in_place(lib: Any, axes: tuple[int, ...]) -> None:
    w = of_type("normal", 5 * 6 * 7, "float32").reshape(5, 6, 7)
    expected = lib.prune(w, k=9, axis=axes)
    out = np.full(w.shape, np.nan, np.float32)
    assert lib.prune(w, k=9, axis=axes, out=out) is out
    assert_same_bits(out, expected)
    for given in (w.copy(), np.asfortranarray(w), np.repeat(w, 2, axis=2)[..., ::2]):
        assert lib.prune(given, k=9, axis=axes, out=given) is given
        assert_same_bits(given, expected)
    assert_refuses(ValueError, ["out", "w"], lib.prune, w[1:], k=3, axis=axes, out=w[:-1])


@pytest.mark.parametrize("axes", [(1, 2), (0, 2), (0, 1)], ids=str)
def test_refused_nan_is_counted_in_the_whole_array(lib: Any, axes: tuple[int, ...]) -> None:
    w = of_type("normal", 8 * 9 * 10, "float32").reshape(8, 9, 10)
    w.ravel()[[77, w.size - 5]] = np.nan
    words = ["w has 2 NaN, the first at flat index 77; "]
    for call in (lib.topk, lib.kth_magnitude, lib.prune_mask):
        assert_refuses(ValueError, words, call, w, k=2, axis=axes)
    assert_refuses(ValueError, words, lib.prune, w, k=2, axis=axes, out=w)
    words = ["NaN, the first at flat index 77; "]
    clean = np.nan_to_num(w)
    assert_refuses(ValueError, words, lib.prune, clean, k=2, axis=axes, scores=w)
    assert_refuses(ValueError, words, lib.prune, clean + 1, k=2, axis=axes, factors=w)


def test_arrays_without_elements(lib: Any) -> None:
    for shape in ((0, 3, 4), (3, 0, 4), (3, 4, 0)):
        w = np.zeros(shape, np.float32)
        for axes in tuples(3):
            assert lib.prune(w, sparsity=0.5, axis=axes).shape == shape
            assert lib.prune_mask(w, sparsity=0.5, axis=axes).shape == shape
            n, others = math.prod(shape[i] for i in axes), without(shape, axes)
            values, indices = lib.topk(w, 0, axis=axes)
            assert values.shape == indices.shape == (*others[: axes[0]], 0, *others[axes[0] :])
            if n:
                assert lib.kth_magnitude(w, n, axis=axes).shape == others
            else:
                words = ["w", "at least one element", str(shape)]
                assert_refuses(ValueError, words, lib.kth_magnitude, w, 1, axis=axes)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("axes", [(1, 2), (0, 2), (0, 1), (1, 2, 3), (0, 2, 3), (0, 1, 3)], ids=str)
def test_large(axes: tuple[int, ...]) -> None:
    shape = (8, 24, 33, 65)
    w = of_type("normal", math.prod(shape), "float32").reshape(shape)
    rows = as_matrix(w, axes)
    k = rows.shape[1] // 3
    expected = from_matrix(reference.prune(rows, k=k, axis=1), shape, axes)
    assert_same_bits(sc.prune(w, k=k, axis=axes), expected)
    kth = reference.kth_magnitude(rows, k, axis=1).reshape(without(shape, axes))
    assert_same_bits(sc.kth_magnitude(w, k, axis=axes), kth)


@pytest.mark.parametrize("name", CALLS)
def test_wrong_axes(lib: Any, name: str) -> None:
    call, w = getattr(lib, name), of_type("normal", 24, "float32").reshape(2, 3, 4)
    assert_refuses(ValueError, ["axis must be ", "at least one", "got ()"], call, w, k=1, axis=())
    for axes in ((0, 0), (1, -2), (0, 1, 2, 0)):
        words = ["axis must be a tuple of different axes", f"got {axes}"]
        assert_refuses(ValueError, words, call, w, k=1, axis=axes)
    for axes, i in (((3,), 0), ((0, -4), 1), ((0, 2**64), 1), ((0, 1, 9, 9), 2)):
        words = [f"axis[{i}] must be an integer from -3 to 2, got {axes[i]}"]
        assert_refuses(ValueError, words, call, w, k=1, axis=axes)
    for axes, i in (((1.0,), 0), ((0, True), 1), ((0, "1"), 1), (((0,), 1), 0), ((0, None), 1)):
        words = [f"axis[{i}] must be an integer", f"got {axes[i]!r}"]
        assert_refuses(TypeError, words, call, w, k=1, axis=axes)
    assert_refuses(ValueError, ["axis must be None"], call, np.float32(1), k=1, axis=(0,))
    n = 12
    assert_refuses(ValueError, [f"to {n}, got {n + 1}"], call, w, k=n + 1, axis=(1, 2))


def test_no_threshold_along_axes(lib: Any) -> None:
    w = of_type("normal", 24, "float32").reshape(2, 3, 4)
    assert_refuses(ValueError, ["axis", "threshold"], lib.prune, w, threshold=0.5, axis=(0, 1))
