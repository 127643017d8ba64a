"""FixedPoint: what it holds, what it refuses, and what follows from it."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest

from secateur import FixedPoint


def test_defaults() -> None:
    fmt = FixedPoint()
    assert (fmt.bits, fmt.frac_bits, fmt.signed) == (8, 5, True)


@pytest.mark.parametrize(
    ("bits", "signed", "dtype", "low", "high"),
    [
        (2, True, np.int8, -2, 1),
        (2, False, np.uint8, 0, 3),
        (8, True, np.int8, -128, 127),
        (8, False, np.uint8, 0, 255),
        (9, True, np.int16, -256, 255),
        (9, False, np.uint16, 0, 511),
        (16, True, np.int16, -32768, 32767),
        (16, False, np.uint16, 0, 65535),
        (17, True, np.int32, -65536, 65535),
        (17, False, np.uint32, 0, 131071),
        (32, True, np.int32, -(2**31), 2**31 - 1),
        (32, False, np.uint32, 0, 2**32 - 1),
    ],
)
def test_integers(bits: int, signed: bool, dtype: type, low: int, high: int) -> None:
    fmt = FixedPoint(bits, 0, signed)
    assert fmt.dtype == dtype
    assert isinstance(fmt.dtype, np.dtype)
    assert (fmt.min, fmt.max) == (low, high)


@pytest.mark.parametrize("frac_bits", [-256, -3, 0, 5, 8, 40, 256])
@pytest.mark.parametrize("bits", [2, 8, 16, 32])
def test_values_are_exact(bits: int, frac_bits: int) -> None:
    fmt = FixedPoint(bits, frac_bits)
    step = Fraction(2) ** -frac_bits
    assert Fraction(fmt.resolution) == step
    assert [Fraction(end) for end in fmt.range] == [fmt.min * step, fmt.max * step]


def test_equal_formats_are_one_key() -> None:
    assert FixedPoint(8, 5) == FixedPoint(bits=8, frac_bits=5, signed=True)
    assert len({FixedPoint(8, 5), FixedPoint(8, 5), FixedPoint(8, 5, signed=False)}) == 2


@pytest.mark.parametrize("other", [FixedPoint(9, 5), FixedPoint(8, 4), FixedPoint(8, 5, False)])
def test_every_field_tells_formats_apart(other: FixedPoint) -> None:
    assert FixedPoint(8, 5) != other


def test_not_equal_to_something_else() -> None:
    assert FixedPoint(8, 5) != (8, 5, True)


def test_repr_makes_the_format_again() -> None:
    fmt = FixedPoint(16, -3, signed=False)
    assert repr(fmt) == "FixedPoint(bits=16, frac_bits=-3, signed=False)"
    assert eval(repr(fmt)) == fmt


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol: int) -> None:
    fmt = FixedPoint(16, -3, signed=False)
    assert pickle.loads(pickle.dumps(fmt, protocol)) == fmt


def test_copies() -> None:
    fmt = FixedPoint(16, -3, signed=False)
    assert copy.copy(fmt) == copy.deepcopy(fmt) == fmt


@pytest.mark.parametrize("name", ["bits", "frac_bits", "signed", "dtype", "other"])
def test_immutable(name: str) -> None:
    fmt = FixedPoint()
    with pytest.raises(AttributeError, match=name):
        setattr(fmt, name, 4)
    with pytest.raises(AttributeError, match=name):
        delattr(fmt, name)
    assert fmt == FixedPoint()


def test_numpy_integers_and_bools_become_pythons() -> None:
    fmt = FixedPoint(np.uint8(16), np.int64(-3), np.bool_(False))
    assert fmt == FixedPoint(16, -3, False)
    assert [type(field) for field in (fmt.bits, fmt.frac_bits, fmt.signed)] == [int, int, bool]


@pytest.mark.parametrize("bits", [-8, 0, 1, 33, 2**70])
def test_bits_out_of_range(bits: int) -> None:
    with pytest.raises(ValueError, match=rf"^bits must be an integer from 2 to 32, got {bits}"):
        FixedPoint(bits)


@pytest.mark.parametrize("frac_bits", [-257, 257, 2**70])
def test_frac_bits_out_of_range(frac_bits: int) -> None:
    allowed = "frac_bits must be an integer from -256 to 256"
    with pytest.raises(ValueError, match=f"{allowed}, got {frac_bits}"):
        FixedPoint(8, frac_bits)


@pytest.mark.parametrize("value", [True, np.True_, 8.0, "8", None, [8], np.array(8), np.array([8])])
@pytest.mark.parametrize("name", ["bits", "frac_bits"])
def test_not_an_integer(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"^{name} must be an integer, got "):
        FixedPoint(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_signed_is_a_bool(value: object) -> None:
    with pytest.raises(TypeError, match="signed must be a bool"):
        FixedPoint(8, 5, value)  # type: ignore[arg-type]
