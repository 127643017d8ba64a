"""Fixed-point formats whose groups have widths of their own.

An element must become what it becomes in a format of one width, that of its group.
"""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from secateur import FixedPoint
from support.arrays import DTYPES
from support.oracles import assert_same_bits, of_elements
from support.quantizing import DETERMINISTIC, OVERFLOWS, ROUNDINGS, hard, normal, seed_of
from support.refusals import assert_refuses

Array = np.ndarray

# (shape, arguments, shape of the parameters): runs of all lengths, columns, groups and blocks
LAYOUTS: list[tuple[tuple[int, ...], dict[str, Any], tuple[int, ...]]] = [
    ((7,), {"axis": 0}, (7,)),
    ((3, 5), {"axis": 0}, (3,)),
    ((5, 70), {"axis": 1}, (70,)),
    ((4, 6, 33), {"axis": 1}, (6,)),
    ((3, 4, 5), {"axis": (0, 2)}, (3, 5)),
    ((3, 2100), {"axis": 0}, (3,)),
    ((6, 64), {"group_size": 32}, (6, 2)),
    ((6, 70), {"group_size": 16}, (6, 5)),
    ((70, 5), {"axis": 0, "group_size": 16}, (5, 5)),
    ((9, 11), {"group_size": (2, 3)}, (5, 4)),
    ((1, 4), {"axis": 0}, (1,)),
    ((0, 3), {"axis": 1}, (3,)),
    ((3, 0), {"axis": 1}, (0,)),
]


def format_of(
    layout: dict[str, Any], lengths: tuple[int, ...], most: int, signed: bool, seed: int
) -> FixedPoint:
    """Return a format of random widths up to `most`, and random frac_bits or a single one."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, most + 1, lengths)
    bits.flat[-1:] = most
    frac_bits = rng.integers(-2, most, lengths) if seed % 2 else most // 2
    return FixedPoint(bits, frac_bits, signed, **layout)


def widths(fmt: FixedPoint, shape: tuple[int, ...]) -> Array:
    """Return the width of each element."""
    return of_elements(np.asarray(fmt.bits), shape, fmt.axis, fmt.group_size).reshape(shape)


def of_one_width(fmt: FixedPoint, bits: int) -> FixedPoint:
    single = np.ndim(fmt.frac_bits) == 0
    layout = {} if single else {"axis": fmt.axis, "group_size": fmt.group_size}
    return FixedPoint(bits, fmt.frac_bits, fmt.signed, **layout)


def by_width(call: Callable[..., Array], *arrays: Any, fmt: FixedPoint, **modes: Any) -> Array:
    """Call with a format of each width, and take the elements of this width."""
    each = widths(fmt, arrays[0].shape)
    largest = int(np.max(fmt.bits, initial=2))
    found = call(*arrays, of_one_width(fmt, largest), **modes).copy()
    for bits in np.unique(each).tolist():
        of_width = call(*arrays, of_one_width(fmt, bits), **modes)
        np.copyto(found, of_width, where=each == bits, casting="unsafe")
    return found


def cases() -> list[tuple[tuple[int, ...], FixedPoint]]:
    found = []
    for i, (shape, layout, lengths) in enumerate(LAYOUTS):
        for j, most in enumerate((8, 5, 16, 24, 32)):
            found.append((shape, format_of(layout, lengths, most, (i + j) % 3 != 0, i + j)))
    return found


def data(shape: tuple[int, ...], fmt: FixedPoint, dtype: str) -> Array:
    """Return elements in range of the format and out of it, with ties and infinities."""
    bits = int(np.max(fmt.bits, initial=2))
    values = hard(FixedPoint(bits, int(np.max(fmt.frac_bits, initial=0)), fmt.signed), dtype, False)
    rng = np.random.default_rng(5)
    scale = 2.0 ** min(bits - int(np.max(fmt.frac_bits, initial=0)), 12)
    w = normal(shape, dtype, scale)
    return np.where(rng.random(shape) < 0.3, rng.choice(values, shape), w).astype(w.dtype)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_quantize(lib: Any, rounding: str, overflow: str, dtype: str) -> None:
    modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
    modes["nan"] = "zero"  # infinities do not wrap
    for shape, fmt in cases()[:: 1 if rounding == "nearest_even" else 7]:
        w = data(shape, fmt, dtype)
        expected = by_width(lib.quantize, w, fmt=fmt, **modes)
        q = lib.quantize(w, fmt, **modes)
        assert_same_bits(q, expected.astype(fmt.dtype))
        values = by_width(lib.fake_quantize, w, fmt=fmt, **modes)
        assert_same_bits(lib.fake_quantize(w, fmt, **modes), values)
        assert_same_bits(lib.dequantize(q, fmt, dtype=w.dtype), values)


@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_prune_quantize_and_packed(lib: Any, overflow: str) -> None:
    for shape, fmt in cases()[::3]:
        w = normal(shape, "float32", 4.0)
        how: dict[str, Any] = {"overflow": overflow, "k": w.size // 3}
        expected = by_width(lib.prune_quantize, w, fmt=fmt, **how)
        assert_same_bits(lib.prune_quantize(w, fmt, **how), expected.astype(fmt.dtype))
        bits = int(np.max(fmt.bits, initial=2))
        if bits <= 16:
            packed = lib.prune_quantize(w, fmt, **how, packed=True)
            unpacked = lib.unpack_ints(packed, bits, shape, signed=fmt.signed)
            assert_same_bits(unpacked, expected.astype(fmt.dtype))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_requantize(lib: Any, rounding: str, overflow: str) -> None:
    modes: dict[str, Any] = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
    for shape, fmt in cases()[::5]:
        for source in (FixedPoint(32, 16), FixedPoint(64, 30)):
            rng = np.random.default_rng(3)
            q = rng.integers(-(2**30), 2**30, shape).astype(source.dtype) >> rng.integers(
                0, 28, shape
            )
            q = q.astype(source.dtype)
            expected = by_width(lib.requantize, q, source, fmt=fmt, **modes)
            actual = lib.requantize(q, source, fmt, **modes)
            assert_same_bits(actual, expected.astype(fmt.dtype))


def test_integers_are_read_with_the_largest_width(lib: Any) -> None:
    fmt = FixedPoint([2, 7], 1, axis=0)
    q = np.int8([[63, -64], [63, -64]])
    assert lib.dequantize(q, fmt).tolist() == (q / 2).tolist()
    assert lib.requantize(q, fmt, FixedPoint(8, 1)).tolist() == q.tolist()
    words = ["integers from -64 to 63", "got 64", "the lowest 7 bits"]
    assert_refuses(ValueError, words, lib.dequantize, q + np.int8([[1], [0]]), fmt)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 1024, 1025, 100_000])
def test_first_out_of_range(lib_on_threads: Any, n: int) -> None:
    fmt = FixedPoint([8, 4, 6], [0, 1, 2], axis=0)
    w = np.zeros((3, n), np.float32)
    w[0], w[1], w[2] = 127, 3.5, 7.75  # the highest of each
    assert lib_on_threads.quantize(w, fmt, overflow="raise")[:, 0].tolist() == [127, 7, 31]
    for name in ("quantize", "fake_quantize"):
        given = w.copy()
        given[1, n // 2 :], given[2, 0] = 4, 1000
        count, first = n - n // 2 + 1, n + n // 2
        words = [
            f"{count} element",
            f"the first at flat index {first}",
            "FixedPoint(bits=[8, 4, 6]",
        ]
        call = getattr(lib_on_threads, name)
        assert_refuses(OverflowError, words, call, given, fmt, overflow="raise")
        words = [f"{count} element", f"the first at flat index {n // 2 * 3 + 1}"]
        by_column = FixedPoint([8, 4, 6], [0, 1, 2], axis=1)
        if n > 2:
            assert_refuses(
                OverflowError, ["flat index 2"], call, given.T, by_column, overflow="raise"
            )
    q = np.full((3, n), 7, np.int16)
    q[1, -1] = 8
    words = ["q has 1 element", f"flat index {2 * n - 1}"]
    refused = FixedPoint([8, 4, 6], 0, axis=0)
    call = lib_on_threads.requantize
    assert_refuses(OverflowError, words, call, q, FixedPoint(16, 0), refused, overflow="raise")


@pytest.mark.parametrize("rounding", DETERMINISTIC)
def test_saturated(lib: Any, rounding: str) -> None:
    fmt = FixedPoint([8, 4, 6], [0, 1, 2], axis=0)
    w = normal((3, 500), "float32", 20.0)
    found = lib.compare(w, w, fmt=fmt, axis=0, rounding=rounding).saturated
    expected = [
        lib.compare(row, row, fmt=FixedPoint(bits, frac_bits), rounding=rounding).saturated
        for row, bits, frac_bits in zip(w, [8, 4, 6], [0, 1, 2], strict=True)
    ]
    assert found.tolist() == expected
    single = FixedPoint([8, 4, 6], 1, axis=0)
    assert lib.compare(w, w, fmt=single, axis=0).saturated[0] <= 500
    words = ["fmt must have one parameter, or one for each group that is compared", "axis=0"]
    for refused in (fmt, single):
        assert_refuses(ValueError, words, lib.compare, w, w, fmt=refused, axis=1)


# --- the class -------------------------------------------------------------------------------


def test_attributes() -> None:
    fmt = FixedPoint([8, 4, 12], [3, 1, 2], axis=0)
    assert isinstance(fmt.bits, Array)
    assert (fmt.bits.tolist(), fmt.bits.dtype, fmt.bits.flags.writeable) == (
        [8, 4, 12],
        "int32",
        False,
    )
    assert fmt.dtype == np.int16
    assert np.asarray(fmt.min).tolist() == [-128, -8, -2048]
    assert np.asarray(fmt.max).tolist() == [127, 7, 2047]
    assert [np.asarray(end).tolist() for end in fmt.range] == [
        [-16, -4, -512],
        [15.875, 3.5, 511.75],
    ]
    assert repr(fmt) == "FixedPoint(bits=[8, 4, 12], frac_bits=[3, 1, 2], signed=True, axis=0)"
    copied = pickle.loads(pickle.dumps(fmt))
    assert (copied == fmt, hash(copied) == hash(fmt)) == (True, True)
    assert fmt != FixedPoint([8, 5, 12], [3, 1, 2], axis=0)
    assert fmt != FixedPoint(12, [3, 1, 2], axis=0)
    unsigned = FixedPoint([2, 32], 0, False, axis=0)
    assert (np.asarray(unsigned.min).tolist(), np.asarray(unsigned.max).tolist()) == (
        [0, 0],
        [3, 2**32 - 1],
    )
    assert isinstance(FixedPoint(np.array([8]), 3).bits, int)  # an array of one element
    one_fraction = FixedPoint([8, 4], 3, axis=0)
    assert one_fraction.frac_bits == 3
    assert one_fraction.resolution == 0.125


@pytest.mark.parametrize(
    ("error", "words", "arguments"),
    [
        (ValueError, ["axis must be given with an array of bits"], {"bits": [4, 8]}),
        (
            ValueError,
            ["bits must be integers from 2 to 32, got 33 at (1,)"],
            {"bits": [4, 33], "axis": 0},
        ),
        (
            ValueError,
            ["bits must be integers from 2 to 32, got 1 at (0,)"],
            {"bits": [1, 3], "axis": 0},
        ),
        (TypeError, ["bits must be an integer or an array of them"], {"bits": [4.0, 3], "axis": 0}),
        (
            ValueError,
            ["frac_bits must be an integer or of the shape of bits, (2,), got shape (3,)"],
            {"bits": [4, 8], "frac_bits": [1, 2, 3], "axis": 0},
        ),
    ],
)
def test_arguments(error: type[Exception], words: list[str], arguments: dict[str, Any]) -> None:
    assert_refuses(error, words, FixedPoint, **arguments)


def test_shapes_that_do_not_fit(lib: Any) -> None:
    fmt = FixedPoint([4, 8], 3, axis=0)
    w = np.zeros((3, 2), np.float32)
    words = ["fmt.bits must be of shape (3,) for an array of shape (3, 2)", "got shape (2,)"]
    assert_refuses(ValueError, words, lib.quantize, w, fmt)
    assert_refuses(ValueError, words, lib.fake_quantize, w, fmt)
    assert_refuses(ValueError, words, lib.prune_quantize, w, fmt, k=1)
    assert_refuses(ValueError, words, lib.dequantize, w.astype(np.int8), fmt)
    words = ["to_fmt.bits must be of shape (3,)"]
    assert_refuses(ValueError, words, lib.requantize, w.astype(np.int8), FixedPoint(8, 1), fmt)


@pytest.mark.parametrize("notation", ["to_q", "to_ap_fixed"])
def test_notations_have_one_width(notation: str) -> None:
    fmt = FixedPoint([4, 8], 3, axis=0)
    assert_refuses(ValueError, ["bits must be one integer"], getattr(fmt, notation))
