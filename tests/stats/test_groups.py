"""Groups of statistics: along several axes, of neighbours along an axis, and blocks of two axes."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import FixedPoint, reference
from support.arrays import DTYPES, of_type
from support.isas import on_every_isa
from support.oracles import assert_same_bits
from support.refusals import assert_refuses

# Blocks that divide their axes or do not, of one row or one column, and as large as an axis.
BLOCKS = [(1, 1), (2, 3), (3, 2), (128, 128), (1, 1000), (1000, 1), (1000, 1000), (5, 7), (64, 1)]
MATRICES = [(1, 1), (1, 9), (9, 1), (6, 6), (7, 10), (130, 257), (3, 5000), (600, 3), (2, 3, 5, 7)]


def integers(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Return small integers, whose sums are exact in any order."""
    generator = np.random.default_rng(math.prod(shape))
    return generator.integers(-8, 9, shape).astype(DTYPES[dtype])


def groups_of(
    shape: tuple[int, ...], axes: tuple[int, ...], sizes: tuple[int, ...]
) -> dict[tuple[int, ...], tuple[slice, ...]]:
    """Return the slices of the array that make each group, by the index of its result."""
    cuts: list[list[tuple[int, slice]]] = []
    for i, length in enumerate(shape):
        size = sizes[axes.index(i)] if i in axes else 1
        begins = range(0, length, size)
        cuts.append([(j, slice(begin, begin + size)) for j, begin in enumerate(begins)])
    return {tuple(j for j, _ in cut): tuple(part for _, part in cut) for cut in product(*cuts)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", BLOCKS, ids=str)
@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_blocks(lib: Any, shape: tuple[int, ...], block: tuple[int, int], dtype: str) -> None:
    """The metrics of blocks equal those of each block alone."""
    w, w_hat = integers(shape, dtype), integers(shape[::-1], dtype).reshape(shape)
    found = lib.compare(w, w_hat, group_size=block, fmt=FixedPoint(4, 0))
    groups = groups_of(shape, (len(shape) - 2, len(shape) - 1), block)
    x, y = w.astype(np.float64), w_hat.astype(np.float64)
    expected = np.zeros((3, *found.mse.shape))
    for index, part in groups.items():
        error = x[part] - y[part]
        saturated = np.count_nonzero((x[part] > 7) | (x[part] < -8))
        expected[(slice(None), *index)] = np.mean(error**2), np.abs(error).max(), saturated
    assert found.mse.shape == tuple(max(index) + 1 for index in zip(*groups, strict=True))
    np.testing.assert_array_equal(np.stack([found.mse, found.max_abs, found.saturated]), expected)


@pytest.mark.parametrize("axes", [(0, 1), (1, 0), (1, 2), (0, 2), (2, 0), (-1, -3)], ids=str)
def test_blocks_of_any_two_axes(lib: Any, axes: tuple[int, int]) -> None:
    w, w_hat = integers((7, 6, 11)), integers((11, 6, 7)).reshape(7, 6, 11)
    sizes = (3, 4)
    found = lib.compare(w, w_hat, axis=axes, group_size=sizes)
    for index, part in groups_of(w.shape, tuple(i % 3 for i in axes), sizes).items():
        assert found.mse[index] == np.mean((w[part] - w_hat[part]).astype(np.float64) ** 2)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (2,)], ids=str)
def test_groups_along_an_axis(lib: Any, axis: Any, size: int) -> None:
    w, w_hat = integers((4, 5, 6)), integers((6, 5, 4)).reshape(4, 5, 6)
    found = lib.compare(w, w_hat, axis=axis, group_size=size)
    along = (-1 if axis is None else np.ravel(axis)[0]) % 3
    for index, part in groups_of(w.shape, (int(along),), (size,)).items():
        assert found.mse[index] == np.mean((w[part] - w_hat[part]).astype(np.float64) ** 2)
    assert found.mse.shape[along] == -(-w.shape[along] // size)


@pytest.mark.parametrize(
    "axes", [(0,), (0, 1), (1, 2), (0, 2), (2, 0), (0, 1, 2), (-1, 1)], ids=str
)
def test_several_axes(lib: Any, axes: tuple[int, ...]) -> None:
    w, w_hat = integers((4, 5, 6)), integers((6, 5, 4)).reshape(4, 5, 6)
    others = tuple(i for i in range(3) if i not in [axis % 3 for axis in axes])
    found = lib.compare(w, w_hat, axis=axes)
    error = (w - w_hat).astype(np.float64)
    assert_same_bits(found.mse, np.mean(error**2, axis=others))
    assert_same_bits(found.max_abs, np.abs(error).max(axis=others))


CASES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((300, 500), {"group_size": (128, 128)}),
    ((300, 500), {"group_size": (1, 128)}),
    ((300, 5000), {"group_size": (7, 4500)}),
    ((300, 500), {"group_size": (300, 1)}),
    ((3, 400, 50), {"group_size": (270, 1)}),
    ((700, 9), {"group_size": (600, 2)}),
    ((700, 9), {"group_size": (600, 4)}),
    ((700, 9), {"group_size": (600, 9)}),
    ((3, 5, 7, 300), {"axis": (0, 2), "group_size": (2, 3)}),
    ((3, 5, 7, 300), {"axis": (2, 1), "group_size": (2, 3)}),
    ((40, 7, 300), {"axis": (0, 1)}),
    ((40, 7, 300), {"axis": (1, 2)}),
    ((40, 7, 300), {"axis": (0, 2)}),
    ((600, 7, 3), {"axis": (1, 2)}),
    ((600, 7, 3), {"axis": (1,)}),
    ((5, 9000), {"group_size": 4500}),
    ((9000, 5), {"axis": 0, "group_size": 300}),
]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("shape", "how"), CASES, ids=str)
def test_sums_have_the_documented_order(shape: tuple[int, ...], how: dict[str, Any]) -> None:
    n = math.prod(shape)
    w = of_type("normal", n, "float32").reshape(shape)
    for w_hat in (of_type("coarse grid", n, kind).reshape(shape) for kind in DTYPES):
        expected = reference.compare(w, w_hat, **how)
        found = on_every_isa(lambda w_hat=w_hat: np.stack(sc.compare(w, w_hat, **how)[:4]))
        assert_same_bits(found, np.stack(expected[:4]))


@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
@pytest.mark.parametrize("block", [(1, 1), (2, 3), (5, 7), (100, 2), (4, 100)], ids=str)
def test_affine_parameters_of_blocks(lib: Any, block: tuple[int, int], method: str) -> None:
    """The parameters of blocks equal those of each block alone."""
    for shape, axis in (((9, 11), None), ((3, 8, 10), None), ((3, 8, 10), (-2, 2))):
        axes = (len(shape) - 2, len(shape) - 1)
        w = of_type("normal", math.prod(shape), "float32").reshape(shape)
        how: dict[str, Any] = {"method": method, "percentile": 90}
        found = lib.choose_affine(w, 8, axis=axis, group_size=block, **how)
        for index, part in groups_of(shape, axes, block).items():
            alone = lib.choose_affine(w[part], 8, **how)
            assert found.scale[index] == np.float32(alone.scale)
            assert found.zero_point[index] == alone.zero_point
    assert_refuses(ValueError, ["axis"], lib.choose_affine, w[0], axis=(0,), group_size=block)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (4, 0), (2, 0, 4), (0, 3, 4)], ids=str)
def test_no_elements(lib: Any, shape: tuple[int, ...]) -> None:
    w = np.zeros(shape, np.float32)
    stats = lib.compare(w, w, group_size=(2, 3))
    assert stats.mse.shape == (*shape[:-2], -(-shape[-2] // 2), -(-shape[-1] // 3))
    for axes in ((0,), (0, 1), (1,)):
        stats = lib.compare(w, w, axis=axes, fmt=FixedPoint(8, 2))
        assert stats.mse.shape == tuple(shape[i] for i in axes)
        assert not stats.mse.any()
        assert (stats.cosine == 1).all()
        assert not stats.saturated.any()
    assert lib.choose_affine(w, 8, group_size=(2, 3)).scale.size == 0


def test_formats_of_the_same_groups(lib: Any) -> None:
    w = integers((6, 10))
    frac_bits = np.arange(6 * 4).reshape(6, 4) % 3 + 1
    fmt = FixedPoint(4, frac_bits, group_size=3)
    found = lib.compare(w, w, fmt=fmt, group_size=3).saturated
    for index, part in groups_of(w.shape, (1,), (3,)).items():
        single = FixedPoint(4, int(frac_bits[index]))
        assert found[index] == lib.compare(w[part], w[part], fmt=single).saturated
    same = lib.compare(w, w, fmt=fmt, group_size=(1, 3)).saturated
    assert_same_bits(same, found)
    for how in ({}, {"group_size": 2}, {"axis": 0, "group_size": 3}, {"group_size": (2, 3)}):
        assert_refuses(ValueError, ["fmt", "each group"], lib.compare, w, w, fmt=fmt, **how)


def test_wrong_groups(lib: Any) -> None:
    w = integers((6, 10))

    def refused(error: type[Exception], *words: str, x: Any = w, **how: Any) -> None:
        assert_refuses(error, words, lib.compare, x, x, **how)

    refused(ValueError, "group_size must be ", "a tuple of two", "got ()", group_size=())
    refused(ValueError, "group_size must be ", "a tuple of two", group_size=(1, 2, 3))
    refused(ValueError, "group_size must be an integer from 1 to", "got 0", group_size=0)
    refused(ValueError, "group_size[1] must be an integer from 1 to", "got 0", group_size=(1, 0))
    refused(ValueError, "group_size must be an integer from 1 to", group_size=2**63)
    refused(ValueError, "group_size[0] must be an integer from 1 to", group_size=(10**30, 1))
    refused(TypeError, "group_size[0] must be an integer", "got 1.0", group_size=(1.0, 1))
    refused(TypeError, "group_size must be an integer", "got [1, 2]", group_size=[1, 2])
    refused(ValueError, "axis must be ", "got (0, 1)", axis=(0, 1), group_size=2)
    refused(ValueError, "axis must be a tuple of two", "got 1", axis=1, group_size=(2, 2))
    refused(ValueError, "axis must be a tuple of two", axis=(0,), group_size=(2, 2))
    refused(ValueError, "axis must be a tuple of different", axis=(0, 0), group_size=(2, 2))
    refused(ValueError, "axis[1]", "got 2", axis=(0, 2), group_size=(2, 2))
    refused(ValueError, "w must ", "two axes", x=w[0], group_size=(2, 2))
    refused(ValueError, "axis[1]", "from -1 to 0", x=w[0], axis=(0, 1), group_size=(2, 2))
    choose = lib.choose_affine
    assert_refuses(ValueError, ["group_size[0]", "0"], choose, w, 8, group_size=(0, 1))
    assert_refuses(ValueError, ["axis", "two"], choose, w, 8, axis=1, group_size=(1, 1))


def test_nan_is_counted_in_the_whole_array(lib: Any) -> None:
    w = integers((3, 4, 5))
    w.ravel()[[13, 44]] = np.inf
    for axes in ((0, 1), (0, 2), (1, 2)):
        words = ["w has 2 elements that are NaN or infinite, the first at flat index 13"]
        how = {"axis": axes, "group_size": (2, 2)}
        assert_refuses(ValueError, words, lib.choose_affine, w, 8, **how)
