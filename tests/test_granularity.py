"""Which parameter goes with which element: per axis, and in groups."""

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import FixedPoint
from secateur.formats import Granularity, granularity

SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


def places(how: Granularity, size: int) -> list[int]:
    """The flat index of the parameter of each element, by the formula that Granularity states."""
    length, inner, block, shared = how
    found = []
    for flat in range(size):
        o, rest = divmod(flat, length * inner)
        a, i = divmod(rest, inner)
        found.append(a if shared else (o * -(-length // block) + a // block) * inner + i)
    return found


@given(shape=SHAPES, data=st.data())
def test_along_an_axis(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    how = granularity("scale", (shape[axis],), shape, axis, None)
    assert how is not None
    assert how.shared
    expected = np.indices(shape)[axis].ravel()
    assert places(how, math.prod(shape)) == expected.tolist()


@given(shape=SHAPES, size=st.integers(1, 7), data=st.data())
def test_in_groups(shape: tuple[int, ...], size: int, data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    groups = list(shape)
    groups[axis] = -(-shape[axis] // size)
    how = granularity("scale", tuple(groups), shape, axis, size)
    assert how is not None
    assert not how.shared
    indices = np.indices(shape)
    indices[axis] //= size
    expected = np.ravel_multi_index(tuple(indices), groups) if math.prod(shape) else indices[0]
    assert places(how, math.prod(shape)) == expected.ravel().tolist()
    if axis in (-1, len(shape) - 1):
        assert granularity("scale", tuple(groups), shape, None, size) == how


@pytest.mark.parametrize("shape", [(), (0,), (3, 4)])
def test_one_for_all(shape: tuple[int, ...]) -> None:
    assert granularity("scale", (), shape, None, None) is None
    assert FixedPoint(8, 5).for_shape(shape) is None


def test_groups_larger_than_the_axis() -> None:
    how = Granularity(length=5, inner=1, block=sys.maxsize, shared=False)
    assert granularity("scale", (3, 1), (3, 5), None, sys.maxsize) == how


@pytest.mark.parametrize(
    ("params", "shape", "axis", "size", "error", "message"),
    [
        ((3,), (3, 4), None, None, ValueError, "axis must be an integer with scale an array, got N"),
        ((), (3,), 0, None, ValueError, "axis must be None with scale a single number, got 0"),
        ((), (3,), None, 4, ValueError, "block_size must be None with scale a single number, got 4"),
        ((3, 4), (3, 4), 0, None, ValueError, "scale must be .* without block_size, got 2 axes"),
        ((3,), (3, 4), 2, None, ValueError, "axis must be an integer from -2 to 1, got 2"),
        ((3,), (3, 4), -3, None, ValueError, "axis must be an integer from -2 to 1, got -3"),
        ((3,), (3, 4), 0.0, None, TypeError, "axis must be an integer, got 0.0"),
        ((3,), (3, 4), True, None, TypeError, "axis must be an integer, got True"),
        ((3,), (), 0, None, ValueError, r"scale must be a single number .* got shape \(3,\)"),
        ((3,), (3, 4), 1, None, ValueError, r"scale must be of shape \(4,\) .* got shape \(3,\)"),
        ((3, 2), (3, 4), 1, 3, None, ""),
        ((3, 1), (3, 4), 1, 3, ValueError, r"\(3, 2\) .* axis 1 in groups of 3, got shape \(3, 1\)"),
        ((3, 2, 1), (3, 4), 1, 3, ValueError, r"shape \(3, 2\) .*, got shape \(3, 2, 1\)"),
        ((2,), (3, 4), 1, 3, ValueError, r"shape \(3, 2\) .*, got shape \(2,\)"),
        ((3, 2), (3, 4), 1, 0, ValueError, "block_size must be an integer from 1 to .*, got 0"),
        ((3, 2), (3, 4), 1, -3, ValueError, "block_size must be an integer from 1 to .*, got -3"),
        ((3, 2), (3, 4), 1, 3.0, TypeError, "block_size must be an integer, got 3.0"),
    ],
)  # fmt: skip
def test_what_does_not_fit(
    params: tuple[int, ...],
    shape: tuple[int, ...],
    axis: int | None,
    size: int | None,
    error: type[Exception] | None,
    message: str,
) -> None:
    if error is None:
        assert granularity("scale", params, shape, axis, size, group_name="block_size") is not None
        return
    with pytest.raises(error, match=message):
        granularity("scale", params, shape, axis, size, group_name="block_size")


def test_a_format_that_does_not_fit_is_named() -> None:
    fmt = FixedPoint(8, [5, 6, 7], axis=1)
    with pytest.raises(ValueError, match=r"^fmt.frac_bits must be of shape \(4,\) .* \(3,\)"):
        fmt.for_shape((3, 4))
    with pytest.raises(ValueError, match=r"^fmt.axis must be an integer from -1 to 0, got 1"):
        fmt.for_shape((3,))
    fmt = FixedPoint(8, [[5, 6, 7]], group_size=4)
    with pytest.raises(ValueError, match=r"^fmt.frac_bits must be of shape \(1, 4\) .* \(1, 3\)"):
        fmt.for_shape((1, 13))
    assert fmt.for_shape((1, 12)) == Granularity(length=12, inner=1, block=4, shared=False)
