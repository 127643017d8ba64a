"""secateur.containers: which outputs may be written together. test_global.py tests the rest."""

import re
from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from secateur.containers import require_apart
from support.refusals import assert_refuses

# Indices that make views of an array of 8 rows of 8 elements.
SIDE = 8
slices = st.builds(
    slice,
    st.none() | st.integers(0, SIDE),
    st.none() | st.integers(0, SIDE),
    st.sampled_from([None, 1, 2, 3, -1, -2, -5]),
)
views = st.tuples(slices, slices | st.integers(0, SIDE - 1))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[tuple[slice, slice]], list[tuple[slice, slice]]]:
    count = draw(st.integers(1, 4))
    outs = draw(st.lists(views, min_size=count, max_size=count))
    others = draw(st.lists(views, min_size=count, max_size=count + 3))
    return outs, others


@given(case=cases(), dtype=st.sampled_from([np.uint8, np.float32, np.float64]))
def test_outputs_share_no_memory(case: tuple[list, list], dtype: type) -> None:
    """Arrays share memory if they contain the same element."""
    buffer = np.zeros((SIDE, SIDE), dtype)
    elements = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    outs, inputs = (
        [(f"{name}[{i}]", buffer[view], set(elements[view].ravel().tolist())) for i, view in enumerate(some)]
        for name, some in zip(("out", "arrays"), case, strict=True)
    )  # fmt: skip
    both = chain(
        combinations(outs, 2),
        ((o, x) for (i, o), (j, x) in product(enumerate(outs), enumerate(inputs)) if i != j),
    )
    shared = {(one[0], other[0]) for one, other in both if one[2] & other[2]}
    arguments = [[(name, array) for name, array, _ in some] for some in (outs, inputs)]
    if not shared:
        require_apart(*arguments)
        return
    with pytest.raises(ValueError, match="shares no memory") as raised:
        require_apart(*arguments)
    found = re.match(
        r"(\S+) must be an array that shares no memory with (\S+), ", str(raised.value)
    )
    assert found is not None
    assert found.groups() in shared


def test_neighbours_in_memory() -> None:
    """Two arrays share one byte, or are adjacent. Their strides have either sign."""
    buffer = np.zeros(30, np.uint8)
    signs = slice(None), slice(None, None, -1)
    for length, gap, one, other in product((1, 2, 10), (-1, 0), signs, signs):
        begin = length + gap
        pair = [buffer[:length][one], buffer[begin : begin + length][other]]
        for outs in (pair, pair[::-1]):
            named = [(f"out[{i}]", out) for i, out in enumerate(outs)]
            if gap == -1:
                assert_refuses(ValueError, ["out[0]", "out[1]"], require_apart, named, [])
            else:
                require_apart(named, [])


def test_elements_in_turn() -> None:
    """Arrays may interleave if they share no element."""
    buffer = np.zeros((4, 6), np.float32)
    require_apart([(f"out[{i}]", buffer[:, i]) for i in range(6)], [])
    require_apart(
        [("out[0]", buffer[::2])], [("arrays[0]", buffer[::2]), ("arrays[1]", buffer[1::2])]
    )


def test_what_is_too_hard_to_tell_is_refused() -> None:
    """With these strides, it takes a minute to find out whether a byte is shared."""
    buffer = np.zeros(192_163_377, np.int8)  # these pages are never accessed
    one = as_strided(buffer, strides=(36_674, 61_119, 85_569), shape=(1049, 1049, 1049))
    other = as_strided(buffer[64_023_025:], strides=(12_223, 12_224, 1), shape=(1049, 1049, 1))
    with pytest.raises(np.exceptions.TooHardError):
        np.shares_memory(one, other, max_work=1_000_000)
    words = ["out[0]", "shares no memory", "arrays[1]"]
    inputs = [("arrays[0]", np.zeros(1)), ("arrays[1]", other)]
    assert_refuses(ValueError, words, require_apart, [("out[0]", one)], inputs)
