"""The objects FixedPoint and Affine: fields, equality, copies, and arguments that are refused."""

import copy
import math
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import Affine, FixedPoint
from support.arrays import FOREIGN


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


@pytest.mark.parametrize("signed", [True, False])
def test_every_width(signed: bool) -> None:
    """A format has 2**bits integers, and the smallest dtype that holds them."""
    signed_dtypes = [np.int8, np.int16, np.int32, np.int64]
    dtypes = signed_dtypes if signed else [np.uint8, np.uint16, np.uint32, np.uint64]
    for bits in range(2, 65):
        fmt = FixedPoint(bits, 0, signed)
        assert fmt.max - fmt.min == 2**bits - 1
        assert fmt.min == (-fmt.max - 1 if signed else 0)
        holding = [d for d in dtypes if np.iinfo(d).min <= fmt.min and fmt.max <= np.iinfo(d).max]
        assert fmt.dtype == holding[0]


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


@pytest.mark.parametrize("bits", [-8, 0, 1, 65, 2**70])
def test_bits_out_of_range(bits: int) -> None:
    with pytest.raises(ValueError, match=rf"^bits must be an integer from 2 to 64, got {bits}"):
        FixedPoint(bits)


@pytest.mark.parametrize("frac_bits", [-257, 257, 2**70])
def test_frac_bits_out_of_range(frac_bits: int) -> None:
    allowed = "frac_bits must be an integer from -256 to 256"
    with pytest.raises(ValueError, match=f"{allowed}, got {frac_bits}"):
        FixedPoint(8, frac_bits)


NOT_INTEGERS = [True, np.True_, 8.0, "8", None, np.array(8)]


@pytest.mark.parametrize(
    "value",
    [
        *(value for value in NOT_INTEGERS if not isinstance(value, np.ndarray)),
        *([8.0], [True], [None], ["8"], np.float32([8]), np.ma.array([8]), np.ma.array(8)),
    ],
)
def test_bits_and_frac_bits_are_integers(value: object) -> None:
    with pytest.raises(TypeError, match=r"^bits must be an integer\b.*, got "):
        FixedPoint(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^frac_bits must be an integer\b.*, got "):
        FixedPoint(8, value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, 1, None, "yes"])
def test_signed_is_a_bool(value: object) -> None:
    with pytest.raises(TypeError, match="signed must be a bool"):
        FixedPoint(8, 5, value)  # type: ignore[arg-type]


# --- a binary point for each index, or for each group -----------------------------------------

ARRAYS = {
    "axis": FixedPoint(8, [5, -256, 256], axis=0),
    "last axis": FixedPoint(8, [5, 6], axis=-1),
    "groups": FixedPoint(12, [[5, 6, 7], [1, 2, 3]], False, group_size=32),
    "groups along the first": FixedPoint(12, [[5, 6, 7]], axis=0, group_size=32),
    "none": FixedPoint(8, np.zeros(0, np.int64), axis=0),
    "many": FixedPoint(8, np.arange(200).reshape(2, 100), group_size=4),
}
arrays = pytest.mark.parametrize("fmt", ARRAYS.values(), ids=ARRAYS)


@pytest.mark.parametrize("dtype", "bhilqBHILQ")
def test_frac_bits_of_any_integers(dtype: str) -> None:
    given_bits = np.array([[9, 5], [7, 0]], dtype)[:, ::-1]
    fmt = FixedPoint(8, given_bits, axis=1, group_size=4)
    assert isinstance(fmt.frac_bits, np.ndarray)
    assert fmt.frac_bits.dtype == np.int32
    assert fmt.frac_bits.flags.c_contiguous
    assert fmt.frac_bits.flags.aligned
    assert fmt.frac_bits.tolist() == [[5, 9], [0, 7]]
    given_bits[...] = 1
    assert fmt.frac_bits.tolist() == [[5, 9], [0, 7]]


@arrays
def test_arrays_are_read_only_for_good(fmt: FixedPoint) -> None:
    assert isinstance(fmt.frac_bits, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        fmt.frac_bits[...] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        fmt.frac_bits.flags.writeable = True


@arrays
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_are_copied_and_pickled(fmt: FixedPoint, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(fmt, protocol))
    for other in (again, copy.copy(fmt), copy.deepcopy(fmt)):
        assert other == fmt
        assert hash(other) == hash(fmt)
        assert repr(other) == repr(fmt)
    with pytest.raises(ValueError, match="read-only"):
        again.frac_bits[...] = 0


def test_formats_with_arrays_are_told_apart() -> None:
    different = [
        *ARRAYS.values(),
        FixedPoint(8, 5),
        FixedPoint(8, [5], axis=0),
        FixedPoint(8, [5], axis=1),
        FixedPoint(8, [5], group_size=1),
        FixedPoint(8, [5], group_size=2),
        FixedPoint(8, [[5]], group_size=2),
        FixedPoint(8, [5, 5], axis=0),
    ]
    assert len(set(different)) == len(different)
    assert FixedPoint(8, [[1, 2]], group_size=4) == FixedPoint(8, [[1, 2]], axis=1, group_size=4)


def test_repr_of_arrays() -> None:
    for name, frac_bits, rest in (
        ("axis", "[5, -256, 256]", "signed=True, axis=0"),
        ("groups", "[[5, 6, 7], [1, 2, 3]]", "signed=False, axis=1, group_size=32"),
        (
            "many",
            "[[0, 1, ..., 98, 99], [100, 101, ..., 198, 199]]",
            "signed=True, axis=1, group_size=4",
        ),
    ):
        fmt = ARRAYS[name]
        assert repr(fmt) == f"FixedPoint(bits={fmt.bits}, frac_bits={frac_bits}, {rest})"
        if name != "many":
            assert eval(repr(fmt)) == fmt


@arrays
def test_values_of_arrays(fmt: FixedPoint) -> None:
    assert isinstance(fmt.frac_bits, np.ndarray)
    assert isinstance(fmt.resolution, np.ndarray)
    assert fmt.resolution.shape == fmt.range[0].shape == fmt.range[1].shape == fmt.frac_bits.shape
    for place, frac_bits in np.ndenumerate(fmt.frac_bits):
        one = FixedPoint(fmt.bits, int(frac_bits), fmt.signed)
        assert fmt.resolution[place] == one.resolution
        assert (fmt.range[0][place], fmt.range[1][place]) == one.range


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"frac_bits": [5, 257]}, ValueError, r"frac_bits must be integers .*, got 257 at \(1,\)"),
        ({"frac_bits": [[5], [-257]]}, ValueError, r"got -257 at \(1, 0\)"),
        ({"frac_bits": np.array([2**63], np.uint64)}, ValueError, "got 9223372036854775808 at"),
        ({"axis": None}, ValueError, "axis must be given with an array of frac_bits, got None"),
        ({"axis": 0.0}, TypeError, "axis must be an integer, got 0.0"),
        ({"axis": True}, TypeError, "axis must be an integer, got True"),
        ({"frac_bits": [[1]]}, ValueError, "axis must be a tuple of 2 .* without group_size, got 0"),
        ({"group_size": 0}, ValueError, "group_size must be an integer from 1 to .*, got 0"),
        ({"group_size": -4}, ValueError, "group_size must be an integer from 1 to .*, got -4"),
        ({"group_size": 4.0}, TypeError, "group_size must be an integer, got 4.0"),
        ({"group_size": 4, "axis": 1}, ValueError, "axis must be an integer from -1 to 0, got 1"),
        ({"frac_bits": 5}, ValueError, "axis must be None with frac_bits a single number, got 0"),
        ({"frac_bits": 5, "axis": None, "group_size": 4}, ValueError,
         "group_size must be None with frac_bits a single number, got 4"),
    ],
)  # fmt: skip
def test_arrays_refused(arguments: dict[str, object], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        FixedPoint(8, **{"frac_bits": [5, 6], "axis": 0, **arguments})  # type: ignore[arg-type]


# --- Affine ------------------------------------------------------------------------------------

AFFINE = {
    "one": Affine(0.1),
    "zero point": Affine(0.1, 3, bits=4, signed=False),
    "range": Affine(0.1, -3, bits=12, qmin=-2000, qmax=2047),
    "axis": Affine([0.1, 0.2, 1e30], [1, 2, -3], axis=0),
    "last axis": Affine(np.float32([0.5, 2]), 7, axis=-1),
    "axes": Affine(np.float16([[0.5, 2, 4]]), axis=(0, 1)),
    "groups": Affine([[0.1, 0.2], [1, 2]], [[1, 2], [3, 4]], bits=16, group_size=32),
    "distant axes": Affine([[0.5, 2, 4]], axis=(0, -1)),
    "blocks": Affine(np.full((2, 3), 0.1, ml_dtypes.bfloat16), 9, group_size=(128, 64)),
    "blocks of distant axes": Affine([[[0.5]], [[2]]], axis=(0, 2), group_size=(128, 64)),
    "none": Affine([], axis=0),
    "many": Affine(np.arange(1, 201).reshape(2, 100) / 8, group_size=4),
}
affines = pytest.mark.parametrize("fmt", AFFINE.values(), ids=AFFINE)


def test_affine_defaults() -> None:
    fmt = Affine(0.5)
    assert (fmt.scale, fmt.zero_point, fmt.bits, fmt.signed) == (0.5, 0, 8, True)
    assert (fmt.qmin, fmt.qmax, fmt.min, fmt.max) == (-128, 127, -128, 127)
    assert (fmt.axis, fmt.group_size) == (None, None)


@pytest.mark.parametrize("signed", [True, False])
def test_every_width_of_affine(signed: bool) -> None:
    for bits in range(1, 33):
        fmt = Affine(0.5, bits=bits, signed=signed)
        other = FixedPoint(max(bits, 2), 1, signed)
        assert fmt.dtype == other.dtype
        assert fmt.max - fmt.min == 2**bits - 1
        assert fmt.min == (-fmt.max - 1 if signed else 0)


@affines
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_affine_is_copied_and_pickled(fmt: Affine, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(fmt, protocol))
    for other in (
        again,
        copy.copy(fmt),
        copy.deepcopy(fmt),
        copy.replace(fmt) if hasattr(copy, "replace") else again,
    ):
        assert type(other) is Affine
        assert other == fmt
        assert hash(other) == hash(fmt)
        assert repr(other) == repr(fmt)
        for name in ("scale", "zero_point"):
            ours, theirs = getattr(fmt, name), getattr(other, name)
            assert type(ours) is type(theirs)
            assert np.asarray(ours).dtype == np.asarray(theirs).dtype
    if isinstance(again.scale, np.ndarray):
        with pytest.raises(ValueError, match="read-only"):
            again.scale[...] = 0


def test_affine_formats_are_told_apart() -> None:
    different = [
        *AFFINE.values(),
        Affine(0.2),
        Affine(0.1, 1),
        Affine(0.1, bits=7),
        Affine(0.1, signed=False),
        Affine(0.1, qmin=-127),
        Affine(0.1, qmax=126),
        Affine([0.1], axis=0),
        Affine([0.1], axis=1),
        Affine([0.1, 0.1], axis=0),
        Affine([0.1], [0], axis=0),
        Affine([0.1], group_size=1),
        Affine([[0.1]], group_size=1),
        Affine([[0.1]], group_size=(1, 1)),
        Affine([[0.1]], group_size=(1, 2)),
        Affine([[0.1]], axis=(1, 0), group_size=(1, 2)),
        Affine([[0.1]], axis=(0, 1)),
        Affine([[0.1]], axis=(0, 2)),
        Affine([[[0.1]]], axis=(0, 2), group_size=(1, 2)),
        Affine([[[0.1]]], axis=(1, 2), group_size=(1, 2)),
        Affine(np.float32([0.5]), axis=0),
        Affine(np.float64([0.5]), axis=0),
        FixedPoint(8, 5),
    ]
    assert len(set(different)) == len(different)
    for i, one in enumerate(different):
        assert [one == other for other in different] == [i == j for j in range(len(different))]
        assert one != "Affine"
    assert Affine(0.5, qmin=-128, qmax=127) == Affine(np.float32(0.5), np.int8(0))
    assert Affine([[0.5]], group_size=4) == Affine([[0.5]], axis=-1, group_size=4)
    assert Affine([[0.5]], group_size=(4, 4)) == Affine([[0.5]], axis=(0, -1), group_size=(4, 4))


def test_subclasses() -> None:
    class Weights(Affine):
        """A format with a name."""

        name = "weights"

    fmt = Weights(0.1, 3)
    assert fmt == Affine(0.1, 3)
    assert Affine(0.1, 3) == fmt
    assert hash(fmt) == hash(Affine(0.1, 3))
    assert repr(fmt) == "Weights(scale=0.1, zero_point=3, bits=8, signed=True)"
    assert type(copy.copy(fmt)) is Weights
    assert fmt != Affine(0.1, 4)
    w = np.float32([1, 2])
    assert sc.quantize(w, fmt).tolist() == sc.quantize(w, Affine(0.1, 3)).tolist()


def test_repr_of_affine() -> None:
    scales = "[[ 0.125, 0.25 , ..., 12.375, 12.5 ], [12.625, 12.75 , ..., 24.875, 25. ]]"
    for name, text in (
        ("one", "Affine(scale=0.1, zero_point=0, bits=8, signed=True)"),
        ("zero point", "Affine(scale=0.1, zero_point=3, bits=4, signed=False)"),
        ("range", "Affine(scale=0.1, zero_point=-3, bits=12, signed=True, qmin=-2000, qmax=2047)"),
        ("last axis", "Affine(scale=[0.5, 2. ], zero_point=7, bits=8, signed=True, axis=-1)"),
        ("none", "Affine(scale=[], zero_point=0, bits=8, signed=True, axis=0)"),
        ("distant axes", "Affine(scale=[[0.5, 2. , 4. ]], zero_point=0, bits=8, signed=True, axis=(0, -1))"),
        ("blocks of distant axes",
         "Affine(scale=[[[0.5]], [[2. ]]], zero_point=0, bits=8, signed=True, axis=(0, 2), group_size=(128, 64))"),
        ("many", f"Affine(scale={scales}, zero_point=0, bits=8, signed=True, axis=1, group_size=4)"),
    ):  # fmt: skip
        assert repr(AFFINE[name]) == text
    for name in ("one", "zero point", "range", "axis", "distant axes", "groups",
                 "blocks of distant axes", "none"):  # fmt: skip
        assert eval(repr(AFFINE[name])) == AFFINE[name]


@pytest.mark.parametrize(
    "name",
    ["scale", "zero_point", "bits", "signed", "qmin", "axis", "group_size", "dtype", "other"],
)
def test_affine_is_immutable(name: str) -> None:
    fmt = Affine(0.1)
    with pytest.raises(AttributeError, match=f"Affine is immutable: cannot set '{name}'"):
        setattr(fmt, name, 4)
    with pytest.raises(AttributeError, match=f"Affine is immutable: cannot delete '{name}'"):
        delattr(fmt, name)
    assert fmt == Affine(0.1)


@pytest.mark.parametrize("name", ["axis", "groups", "blocks", "many"])
def test_affine_arrays_are_read_only_for_good(name: str) -> None:
    fmt = AFFINE[name]
    for array in (fmt.scale, fmt.zero_point):
        if isinstance(array, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 1
            with pytest.raises(ValueError, match="WRITEABLE"):
                array.flags.writeable = True
            array.shape = -1  # changes only a view
    assert np.shape(fmt.scale) != (np.size(fmt.scale),) or name == "axis"


def test_what_is_given_is_copied() -> None:
    scale, zero = np.float32([0.5, 0.25]), np.int64([1, 2])
    fmt = Affine(scale, zero, axis=0)
    scale[...], zero[...] = 7, 7
    assert (fmt.scale.tolist(), fmt.zero_point.tolist()) == ([0.5, 0.25], [1, 2])
    assert sc.dequantize(np.int8([2, 3]), fmt).tolist() == [0.5, 0.25]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f2", ">f4", ">f8", ml_dtypes.bfloat16])
def test_scales_of_each_dtype(dtype: Any) -> None:
    scale = np.array([[0.5, 0.25], [2, 4]], dtype)[:, ::-1]
    fmt = Affine(scale, axis=0, group_size=8)
    assert isinstance(fmt.scale, np.ndarray)
    assert fmt.scale.dtype == np.dtype(dtype).newbyteorder("=")
    assert fmt.scale.flags.c_contiguous
    assert fmt.scale.flags.aligned
    assert fmt.scale.astype(float).tolist() == [[0.25, 0.5], [4, 2]]
    assert fmt.resolution.dtype == np.float64


@pytest.mark.parametrize(
    "scale",
    [0.5, np.float16(0.5), np.float32(0.5), np.float64(0.5), ml_dtypes.bfloat16(0.5), np.array(0.5),
     np.array(0.5, np.float16), Fraction(1, 2), Decimal("0.5"), np.longdouble(0.5)],
    ids=lambda scale: type(scale).__name__,
)  # fmt: skip
def test_scales_that_are_numbers(scale: Any) -> None:
    fmt = Affine(scale)
    assert type(fmt.scale) is float
    assert fmt == Affine(0.5)
    assert Affine(np.int8(2)) == Affine(np.array(2)) == Affine(2)


@pytest.mark.parametrize(
    "zero",
    [3, np.int8(3), np.uint64(3), np.array(3), np.array(3, np.uint8), np.array(3, ">i4"),
     np.array(3).astype(ml_dtypes.int4), ml_dtypes.uint4(3)],
    ids=lambda zero: type(zero).__name__,
)  # fmt: skip
def test_zero_points_that_are_numbers(zero: Any) -> None:
    fmt = Affine(0.5, zero)
    assert type(fmt.zero_point) is int
    assert fmt == Affine(0.5, 3)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", ">i2", "i4", "u4", "i8", "u8", ">u8",
                                   ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2])  # fmt: skip
def test_zero_points_of_each_dtype(dtype: Any) -> None:
    zero = np.array([0, 1, 0, 1]).astype(np.int8).astype(dtype)[::-1].reshape(2, 2)
    fmt = Affine([[0.5, 0.25], [2, 4]], zero, axis=0, group_size=8)
    assert isinstance(fmt.zero_point, np.ndarray)
    assert fmt.zero_point.dtype == np.int32
    assert fmt.zero_point.flags.c_contiguous
    assert fmt.zero_point.tolist() == [[1, 0], [1, 0]]
    assert fmt == Affine([[0.5, 0.25], [2, 4]], [[1, 0], [1, 0]], axis=0, group_size=8)


def test_lists_of_scales() -> None:
    for scale in ([1, 2], (1, 2), [1, 2.0], [np.float32(1), 2], (np.int8(1), np.int8(2))):
        fmt = Affine(scale, axis=0)
        assert fmt.scale.dtype == np.float64 if not isinstance(scale[0], np.float32) else True
        assert fmt.scale.tolist() == [1, 2]


@affines
def test_values_of_affine(fmt: Affine) -> None:
    scale = np.asarray(fmt.scale).astype(np.float64)
    zero = np.broadcast_to(fmt.zero_point, scale.shape)
    low, high = (np.asarray(end) for end in fmt.range)
    assert np.shape(fmt.resolution) == low.shape == high.shape == scale.shape
    for place, step in np.ndenumerate(scale):
        assert np.asarray(fmt.resolution)[place] == step
        exact = [Fraction(float(step)) * (q - int(zero[place])) for q in (fmt.qmin, fmt.qmax)]
        assert [low[place], high[place]] == [float(value) for value in exact]


def test_range_of_zero_points_at_the_ends() -> None:
    """The difference of an integer and a zero point may need more than 32 bits."""
    zero = [-(2**31), 2**31 - 1]
    low, high = Affine([1.0, 1.0], zero, bits=32, axis=0).range
    assert low.tolist() == [0, -(2.0**32) + 1]
    assert high.tolist() == [2.0**32 - 1, 0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bits": 0}, ValueError, "^bits must be an integer from 1 to 32, got 0"),
        ({"bits": 33}, ValueError, "^bits must be an integer from 1 to 32, got 33"),
        ({"bits": 8.0}, TypeError, "^bits must be an integer, got 8.0"),
        ({"bits": np.int8}, TypeError, "^bits must be an integer, got <class"),
        ({"bits": None}, TypeError, "^bits must be an integer, got None"),
        ({"signed": 1}, TypeError, "^signed must be a bool, got 1"),
        ({"qmin": -129}, ValueError, "^qmin must be an integer from -128 to 126, got -129"),
        ({"qmin": 127}, ValueError, "^qmin must be an integer from -128 to 126, got 127"),
        ({"qmin": 5, "qmax": 5}, ValueError, "^qmax must be an integer from 6 to 127, got 5"),
        ({"qmax": 128}, ValueError, "^qmax must be an integer from -127 to 127, got 128"),
        ({"qmax": -128}, ValueError, "^qmax must be an integer from -127 to 127, got -128"),
        ({"qmin": 1.0}, TypeError, "^qmin must be an integer, got 1.0"),
        ({"qmax": True}, TypeError, "^qmax must be an integer, got True"),
        ({"qmin": 1}, ValueError, "^zero_point must be an integer from 1 to 127, got 0"),
        ({"qmax": -1}, ValueError, "^zero_point must be an integer from -128 to -1, got 0"),
        ({"zero_point": 128}, ValueError, "^zero_point must be an integer from -128 to 127, got 128"),
        ({"zero_point": 0.0}, TypeError, "^zero_point must be an integer, got 0.0"),
        ({"zero_point": None}, TypeError, "^zero_point must be an integer, got None"),
        ({"zero_point": "3"}, TypeError, "^zero_point must be an integer, got '3'"),
        ({"zero_point": np.array(1.0)}, TypeError, "^zero_point must be an integer, got "),
        ({"zero_point": np.ma.array(1)}, TypeError, "^zero_point must be an integer, got "),
        ({"zero_point": np.array(200)}, ValueError, "^zero_point must be an integer from .*200"),
        ({"zero_point": [1, 2]}, ValueError, r"^zero_point must be .* shape of scale, \(\), got shape \(2,\)"),
        ({"axis": 0}, ValueError, "^axis must be None with scale a single number, got 0"),
        ({"group_size": 4}, ValueError, "^group_size must be None with scale a single number, got 4"),
        ({"scale": math.nan}, ValueError, "^scale must be finite, got nan"),
        ({"scale": math.inf}, ValueError, "^scale must be finite, got inf"),
        ({"scale": np.array(-np.inf)}, ValueError, "^scale must be finite, got "),
        ({"scale": "0.1"}, TypeError, "^scale must be a number, got '0.1'"),
        ({"scale": None}, TypeError, "^scale must be a number, got None"),
        ({"scale": True}, TypeError, "^scale must be a number, got True"),
        ({"scale": 1j}, TypeError, "^scale must be a number, got 1j"),
        ({"scale": np.ma.array(0.5)}, TypeError, "^scale must be a number, got "),
    ],
)  # fmt: skip
def test_affine_refuses(arguments: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Affine(**{"scale": 0.5, **arguments})


TWO_AXES = "^axis must be None or two different axes with two numbers in group_size"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scale": [0.5, np.nan]}, ValueError, r"^scale must be finite, got nan at \(1,\)"),
        ({"scale": np.float16([np.inf, 1])}, ValueError, r"^scale must be finite, got inf at \(0,\)"),
        ({"scale": np.array([True, False])}, TypeError, "^scale must be a number or an array of float16 .* bool"),
        ({"scale": np.ones(2, bool)}, TypeError, "^scale must be a number or an array of .* bool"),
        ({"scale": np.ones(2, np.longdouble)}, TypeError, "^scale must be a number or an array of .*"),
        ({"scale": np.ones(2, complex)}, TypeError, "^scale must be a number or an array of .* complex128"),
        ({"scale": ["0.5", "1"]}, TypeError, "^scale must be a number or an array of .*, got <U3"),
        ({"scale": [True, False]}, TypeError, "^scale must be a number or an array of .*, got bool"),
        ({"scale": [None, 1.0]}, TypeError, "^scale must be a number or an array of .*, got object"),
        ({"scale": [1.0, [1.0]]}, ValueError, "^scale must be an array with rows of equal lengths"),
        ({"scale": np.ma.array([0.5, 1])}, TypeError, "^scale must be .*, got a masked array"),
        ({"zero_point": np.ma.array([1, 2])}, TypeError, "^zero_point must be .*, got a masked array"),
        ({"zero_point": [1.0, 2.0]}, TypeError, "^zero_point must be .*, got float64"),
        ({"zero_point": [True, False]}, TypeError, "^zero_point must be .*, got bool"),
        ({"zero_point": [1, 128]}, ValueError, r"^zero_point must be integers from -128 to 127, got 128 at \(1,\)"),
        ({"zero_point": [1, 2, 3]}, ValueError, r"^zero_point must be .* \(2,\), got shape \(3,\)"),
        ({"zero_point": [[1], [2]]}, ValueError, r"^zero_point must be .* \(2,\), got shape \(2, 1\)"),
        ({"axis": None}, ValueError, "^axis must be given with an array of scale, got None"),
        ({"axis": 0.0}, TypeError, "^axis must be an integer, got 0.0"),
        ({"axis": True}, TypeError, "^axis must be an integer, got True"),
        ({"axis": "0"}, TypeError, "^axis must be an integer, got '0'"),
        ({"axis": (0, 1)}, ValueError, r"^axis must have 1 axes, as scale has, got \(0, 1\)"),
        ({"axis": ()}, ValueError, r"^axis must have 1 axes, as scale has, got \(\)"),
        ({"axis": (0.0,)}, TypeError, "^axis must be an integer, got 0.0"),
        ({"scale": np.ones((2, 3))}, ValueError, "^axis must be a tuple of 2 integers for scale of 2 dim"),
        ({"scale": np.ones((2, 3)), "axis": (0, 1, 2)}, ValueError, "^axis must have 2 axes"),
        ({"group_size": 0}, ValueError, "^group_size must be an integer from 1 to .*, got 0"),
        ({"group_size": 4.0}, TypeError, "^group_size must be an integer, got 4.0"),
        ({"group_size": [4, 4]}, TypeError, r"^group_size must be an integer, got \[4, 4\]"),
        ({"group_size": 4, "axis": 1}, ValueError, "^axis must be an integer from -1 to 0, got 1"),
        ({"group_size": 4, "axis": (0,)}, TypeError, r"^axis must be an integer, got \(0,\)"),
        ({"group_size": (4, 4)}, ValueError, "^scale must have at least two axes .* group_size, got one"),
        ({"scale": np.ones((2, 2)), "group_size": (4,)}, ValueError, "^group_size must be .* or two of them"),
        ({"scale": np.ones((2, 2)), "group_size": ()}, ValueError, "^group_size must be .* or two of them"),
        ({"scale": np.ones((2, 2)), "group_size": (1, 2, 3)}, ValueError, "^group_size must be .* or two"),
        ({"scale": np.ones((2, 2)), "group_size": (4, 0)}, ValueError, r"^group_size\[1\] must be .*, got 0"),
        ({"scale": np.ones((2, 2)), "group_size": ("4", 4)}, TypeError, r"^group_size\[0\] must be an integer, got '4'"),
        ({"scale": np.ones((2, 2)), "group_size": (4, 4), "axis": 1}, ValueError, f"{TWO_AXES}, got 1"),
        ({"scale": np.ones((2, 2)), "group_size": (4, 4), "axis": (1,)}, ValueError, rf"{TWO_AXES}, got \(1,\)"),
        ({"scale": np.ones((2, 2)), "group_size": (4, 4), "axis": (1, 1)}, ValueError, rf"{TWO_AXES}, got \(1, 1\)"),
        ({"scale": np.ones((2, 2)), "group_size": (4, 4), "axis": (1, -1)}, ValueError, rf"{TWO_AXES}, got \(1, -1\)"),
        ({"scale": np.ones((1, 1, 1)), "group_size": (4, 4), "axis": (0, 1, 2)}, ValueError, TWO_AXES),
        ({"scale": np.ones((2, 2)), "group_size": (4, 4), "axis": (0, 2)}, ValueError, "^axis must be an integer from -2 to 1, got 2"),
        ({"scale": np.ones((2, 2)), "group_size": (4, 4), "axis": (0, 1.0)}, TypeError, "^axis must be an integer, got 1.0"),
    ],
)  # fmt: skip
def test_affine_arrays_refused(arguments: dict[str, Any], error: type, message: str) -> None:
    axis = {} if "group_size" in arguments else {"axis": 0}
    with pytest.raises(error, match=message):
        Affine(**{"scale": [0.5, 1.0], **axis, **arguments})


@pytest.mark.parametrize("kind", [FixedPoint, Affine])
@pytest.mark.parametrize(
    ("ndim", "axis", "expected"),
    [
        (2, None, (0, 1)),
        (2, (0, 1), (0, 1)),
        (2, (1, 0), (0, 1)),
        (2, (-1, 0), (0, 1)),
        (3, None, (1, 2)),
        (3, (0, 1), (0, 1)),
        (3, (0, 2), (0, 2)),
        (3, (-1, -3), (0, 2)),
        (4, (2, 1), (1, 2)),
        (4, (np.int8(0), np.int64(-1)), (0, 3)),
    ],
)
def test_blocks_of_any_two_axes(
    kind: type[FixedPoint] | type[Affine], ndim: int, axis: Any, expected: tuple[int, int]
) -> None:
    """The format sorts the axes, and reorders the sizes of the blocks with them."""

    def blocks_of(axis: Any, group_size: tuple[int, int]) -> FixedPoint | Affine:
        ones = np.ones((1,) * ndim, int)
        if kind is Affine:
            return Affine(ones / 2, axis=axis, group_size=group_size)
        return FixedPoint(8, ones, axis=axis, group_size=group_size)

    is_turned = axis is not None and axis[0] % ndim > axis[1] % ndim
    fmt = blocks_of(axis, (4, 2))
    other = blocks_of(expected, (2, 4) if is_turned else (4, 2))
    assert (fmt.axis, fmt.group_size) == (expected, (2, 4) if is_turned else (4, 2))
    assert (fmt, hash(fmt), repr(fmt)) == (other, hash(other), repr(other))
    assert fmt != blocks_of(expected, (4, 2) if is_turned else (2, 4))
    assert pickle.loads(pickle.dumps(fmt)) == fmt
    assert type(fmt.axis[0]) is int


def test_positional_arguments_of_affine() -> None:
    with pytest.raises(TypeError, match="positional"):
        Affine(0.1, 0, 8)  # type: ignore[misc]


# --- Q notation and ap_fixed -------------------------------------------------------------------


@pytest.mark.parametrize("foreign", FOREIGN)
def test_parameters_of_other_libraries(foreign: Any) -> None:
    scale, points = np.float32([0.5, 0.25]), np.int32([3, -3])
    assert Affine(foreign(scale), foreign(points), axis=0) == Affine(scale, points, axis=0)
    assert Affine(foreign(scale[:1]), foreign(points[:1])) == Affine(0.5, 3)
    assert Affine(foreign(scale[0:1].reshape(())), 3) == Affine(0.5, 3)
    assert FixedPoint(8, foreign(points), axis=0) == FixedPoint(8, points, axis=0)
    assert FixedPoint(8, foreign(points[:1])) == FixedPoint(8, 3)


def test_arrays_that_numpy_cannot_read() -> None:
    class Device:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise TypeError("on a device; use .cpu()")

    for make in (
        Affine,
        lambda x: Affine([1.0], x, axis=0),
        lambda x: FixedPoint(8, x),
    ):
        with pytest.raises(
            TypeError, match=r"^(scale|zero_point|frac_bits) must be .*Device: on a dev"
        ):
            make(Device())


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_arrays_of_one_element_are_single_parameters(shape: tuple[int, ...]) -> None:
    assert Affine(np.full(shape, 0.5), np.full(shape, 3)) == Affine(0.5, 3)
    assert FixedPoint(8, np.full(shape, 3)) == FixedPoint(8, 3)
    assert FixedPoint(8, np.full(shape, 3, ml_dtypes.int4)) == FixedPoint(8, 3)
    with pytest.raises(TypeError, match=r"got a masked array$"):
        Affine(np.ma.ones(shape or (1,)))


def test_scales_may_be_arrays_of_integers() -> None:
    expected = Affine([1.0, 2.0], axis=0)
    assert Affine([1, 2], axis=0) == expected
    for dtype in ("i1", "u2", "i4", "i8"):
        assert Affine(np.array([1, 2], dtype), axis=0) == expected


@pytest.mark.parametrize(
    ("text", "counted"), [("Q1.15", 16), ("Q16.16", 32), ("Q1.31", 32), ("Q3.5", 8), ("Q12.12", 24)]
)
def test_ambiguous_notations_show_both_readings(text: str, counted: int) -> None:
    readings = rf"got '{text}', which has {counted} bits if .*Arm.* and {counted + 1} if not"
    with pytest.raises(ValueError, match=rf"^text must .*{readings}.*sign_counted=True"):
        FixedPoint.parse(text)
    assert FixedPoint.parse(text, sign_counted=True).bits == counted


@pytest.mark.parametrize(("text", "bits"), [("Q2.5", 8), ("Q7.8", 16), ("Q0.31", 32), ("Q5.6", 12)])
def test_other_notations_do_not_count_the_sign(text: str, bits: int) -> None:
    assert FixedPoint.parse(text) == FixedPoint.parse(text, sign_counted=False)
    assert FixedPoint.parse(text).bits == bits


@pytest.mark.parametrize(
    ("text", "sign_counted", "fmt"),
    [
        ("Q2.5", False, FixedPoint(8, 5)),
        ("Q3.5", True, FixedPoint(8, 5)),
        ("Q15", False, FixedPoint(16, 15)),
        ("Q15", True, FixedPoint(16, 15)),
        ("Q0.15", False, FixedPoint(16, 15)),
        ("Q1.15", True, FixedPoint(16, 15)),
        ("UQ8.8", False, FixedPoint(16, 8, False)),
        ("UQ8.8", True, FixedPoint(16, 8, False)),
        ("uq16", False, FixedPoint(16, 16, False)),
        ("Q10.-3", False, FixedPoint(8, -3)),
        ("Q-2.9", False, FixedPoint(8, 9)),
        ("Q-1.9", True, FixedPoint(8, 9)),
        (" Q2.5 ", False, FixedPoint(8, 5)),
        ("ap_fixed<8, 3>", False, FixedPoint(8, 5)),
        ("ap_fixed<8, 3>", True, FixedPoint(8, 5)),
        ("ap_ufixed<8,3>", False, FixedPoint(8, 5, False)),
        (" ap_fixed < 8 , 12 > ", False, FixedPoint(8, -4)),
        ("ap_fixed<8,-2>", False, FixedPoint(8, 10)),
    ],
)
def test_other_notations(text: str, sign_counted: bool, fmt: FixedPoint) -> None:
    assert FixedPoint.parse(text, sign_counted=sign_counted) == fmt


@given(
    fmt=st.builds(FixedPoint, st.integers(2, 32), st.integers(-256, 256), st.booleans()),
    sign_counted=st.booleans(),
)
def test_notations_come_back(fmt: FixedPoint, sign_counted: bool) -> None:
    text = fmt.to_q(sign_counted=sign_counted)
    assert FixedPoint.parse(text, sign_counted=sign_counted) == fmt
    assert FixedPoint.parse(fmt.to_ap_fixed()) == fmt


@pytest.mark.parametrize(
    "text",
    ["", "Q", "Q.5", "Q2.", "2.5", "Q2,5", "Q2.5.1", "QQ2.5", "Q2.5x", "fixed<8, 3>", "ap_fixed<8>",
     "ap_fixed<8, 3", "ap_fixed<>", "ap_int<8>", "Q+2.5", "Q٢.5", "Q99999.1", "Q1.99999", "ap_fixed<8, 99999>"],
)  # fmt: skip
def test_invalid_notation(text: str) -> None:
    with pytest.raises(ValueError, match=r"^text must be a format such as .*, got ") as refused:
        FixedPoint.parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Q0.0", "bits must be an integer from 2 to 64, got 1"),
        ("Q32.33", "bits must be an integer from 2 to 64, got 66"),
        ("Q-300.310", "frac_bits must be an integer from -256 to 256, got 310"),
        ("ap_fixed<65, 3>", "bits must be an integer from 2 to 64, got 65"),
        ("ap_fixed<-8, 3>", "bits must be an integer from 2 to 64, got -8"),
    ],
)
def test_notation_of_a_format_out_of_range(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FixedPoint.parse(text)


@pytest.mark.parametrize(
    ("modes", "instead"),
    [
        ("AP_RND", 'rounding="nearest_up"'),
        ("AP_RND_ZERO", 'rounding="nearest_zero"'),
        ("AP_RND_MIN_INF", 'rounding="nearest_down"'),
        ("AP_RND_INF", 'rounding="nearest_away"'),
        ("AP_RND_CONV", 'rounding="nearest_even"'),
        ("AP_TRN", 'rounding="floor"'),
        ("AP_TRN_ZERO", 'rounding="trunc"'),
        ("AP_TRN, AP_SAT", 'rounding="floor", overflow="saturate"'),
        ("AP_TRN,AP_SAT_ZERO", 'rounding="floor", overflow="saturate_zero"'),
        ("AP_TRN,AP_SAT_SYM", 'rounding="floor", overflow="saturate_symmetric"'),
        ("AP_TRN,AP_WRAP", 'rounding="floor", overflow="wrap"'),
    ],
)
def test_modes_are_not_of_a_format(modes: str, instead: str) -> None:
    text = f"ap_fixed<8, 3, {modes}>"
    with pytest.raises(ValueError, match=r"^text must not contain rounding or overf") as refused:
        FixedPoint.parse(text)
    assert str(refused.value).endswith(f"got {text!r}; pass {instead} to quantize")


@pytest.mark.parametrize(
    ("modes", "instead"),
    [
        ("AP_TRN,2", """; pass rounding="floor" to quantize; '2' is not supported"""),
        ("AP_WRAP_SM,2", "; 'AP_WRAP_SM' is not supported; '2' is not supported"),
        ("", "; '' is not supported"),
    ],
)
def test_modes_that_quantize_does_not_have(modes: str, instead: str) -> None:
    text = f"ap_fixed<8, 3, {modes}>"
    with pytest.raises(ValueError, match=r"^text must not contain rounding or overf") as refused:
        FixedPoint.parse(text)
    assert str(refused.value).endswith(f"got {text!r}{instead}")


def test_notations_of_something_else() -> None:
    with pytest.raises(TypeError, match="text must be a str, got 8"):
        FixedPoint.parse(8)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sign_counted must be a bool, got 1"):
        FixedPoint.parse("Q2.5", sign_counted=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sign_counted must be a bool, got 'no'"):
        FixedPoint().to_q(sign_counted="no")  # type: ignore[arg-type]
    for call in (ARRAYS["axis"].to_q, ARRAYS["axis"].to_ap_fixed):
        with pytest.raises(ValueError, match=r"^frac_bits must be one integer for .*, got Fixed"):
            call()
