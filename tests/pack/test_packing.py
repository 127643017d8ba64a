"""pack_ints and unpack_ints, compared with Python's integers and with NumPy's packbits."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.lib.stride_tricks import as_strided

import secateur as sc
from support.arrays import generator
from support.isas import on_every_isa
from support.oracles import assert_same_bits
from support.refusals import assert_refuses

BITS = range(1, 17)
BITORDERS = ["little", "big"]
# Around 8 integers, which fill whole bytes; around parts of a word that are loaded at once, the
# word of 64, pieces of 4096 and blocks of 65536.
SIZES = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 511, 513]
SIZES += [4095, 4096, 4097, 4160, 16383, 16384, 16385, 65535, 65536, 65537, 140_000]
# Around the pieces of 512 and of 2048 codes of two bytes, and blocks of 32768 of them.
SIZES += [512, 2047, 2048, 2049, 32767, 32769]
PAST_THE_CACHES = (8 << 20) + 67
NARROW = {
    "int4": (ml_dtypes.int4, 4, True),
    "uint4": (ml_dtypes.uint4, 4, False),
    "int2": (ml_dtypes.int2, 2, True),
    "uint2": (ml_dtypes.uint2, 2, False),
}

every_bits = pytest.mark.parametrize("bits", BITS)
every_bitorder = pytest.mark.parametrize("bitorder", BITORDERS)
signs = pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])


def lowest(bits: int, signed: bool) -> int:
    return -(1 << (bits - 1)) if signed else 0


def dtype_of(bits: int, signed: bool) -> np.dtype:
    return np.dtype(f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}")


def integers(n: int, bits: int, signed: bool) -> np.ndarray:
    low = lowest(bits, signed)
    codes = generator(n + bits).integers(low, low + (1 << bits), n)
    return codes.astype(dtype_of(bits, signed))


def by_packbits(q: np.ndarray, bits: int, bitorder: str) -> np.ndarray:
    in_order = q.astype(q.dtype.newbyteorder("<" if bitorder == "little" else ">"))
    of_each = np.unpackbits(in_order.reshape(-1, 1).view(np.uint8), axis=1, bitorder=bitorder)
    first = 0 if bitorder == "little" else 8 * q.itemsize - bits
    return np.packbits(of_each[:, first : first + bits], bitorder=bitorder)


def rows_by_packbits(q: np.ndarray, bits: int, row_align: int, bitorder: str) -> np.ndarray:
    size = -(-q.shape[-1] * bits // row_align) * row_align // 8
    packed = np.zeros((*q.shape[:-1], size), np.uint8)
    for row in np.ndindex(q.shape[:-1]):
        bytes_of_row = by_packbits(q[row], bits, bitorder)
        packed[row][: bytes_of_row.size] = bytes_of_row
    return packed if row_align == 8 else packed.view("<i4")


def by_python(q: list[int], bits: int, bitorder: str) -> bytes:
    """Return the bytes of one integer that contains all bits."""
    size = -(-len(q) * bits // 8)
    stream = 0
    for i, code in enumerate(q):
        place = i * bits if bitorder == "little" else 8 * size - (i + 1) * bits
        stream |= (code % (1 << bits)) << place
    return stream.to_bytes(size, bitorder)


# --- values ----------------------------------------------------------------------------------


@every_bits
@every_bitorder
@signs
def test_sizes(lib_on_threads: Any, bits: int, bitorder: str, signed: bool) -> None:
    lib = lib_on_threads
    for n in SIZES:
        q = integers(n, bits, signed)
        packed = by_packbits(q, bits, bitorder)
        assert_same_bits(lib.pack_ints(q, bits, bitorder=bitorder), packed)
        assert_same_bits(lib.unpack_ints(packed, bits, n, signed=signed, bitorder=bitorder), q)
        wide = q.astype(np.int16 if signed else np.uint16)
        assert_same_bits(lib.pack_ints(wide, bits, bitorder=bitorder), packed)
        back = lib.unpack_ints(packed, bits, n, bitorder=bitorder, dtype=wide.dtype)
        assert_same_bits(back, wide)


@pytest.mark.usefixtures("isa", "threads")
@every_bitorder
@pytest.mark.parametrize("bits", [1, 2, 4, 5, 8, 11, 16])
@pytest.mark.parametrize("offset", [0, 1, 24, 63])
def test_past_the_caches(bits: int, bitorder: str, offset: int) -> None:
    """Arrays may begin at any offset in a cache line."""
    n = PAST_THE_CACHES
    dtype = dtype_of(bits, True)
    offset *= dtype.itemsize
    q = begin_at(offset, n * dtype.itemsize).view(dtype)
    q[...] = integers(n, bits, True)
    expected = by_packbits(q, bits, bitorder)
    packed, codes = (begin_at(offset, size) for size in (expected.size, q.nbytes))
    assert_same_bits(sc.pack_ints(q, bits, bitorder=bitorder, out=packed), expected)
    codes = codes.view(dtype)
    assert_same_bits(sc.unpack_ints(packed, bits, n, bitorder=bitorder, out=codes), q)


def begin_at(offset: int, n: int) -> np.ndarray:
    buffer = np.zeros(n + 192, np.uint8)
    begin = -buffer.ctypes.data % 64 + offset
    return buffer[begin : begin + n]


@given(
    data=st.data(),
    bits=st.integers(1, 16),
    bitorder=st.sampled_from(BITORDERS),
    signed=st.booleans(),
)
def test_any_integers(data: st.DataObject, bits: int, bitorder: str, signed: bool) -> None:
    low = lowest(bits, signed)
    values = st.lists(st.integers(low, low + (1 << bits) - 1), max_size=300)
    q = np.array(data.draw(values), dtype_of(bits, signed))
    expected = np.frombuffer(by_python(q.tolist(), bits, bitorder), np.uint8)
    assert_same_bits(on_every_isa(lambda: sc.pack_ints(q, bits, bitorder=bitorder)), expected)
    back = on_every_isa(
        lambda: sc.unpack_ints(expected, bits, q.size, signed=signed, bitorder=bitorder)
    )
    assert_same_bits(back, q)


@given(packed=arrays(np.uint8, st.integers(0, 300)), bits=st.integers(1, 16), data=st.data())
def test_any_bytes(packed: np.ndarray, bits: int, data: st.DataObject) -> None:
    """The bytes may hold more integers, and spare bits may have any value."""
    n = data.draw(st.integers(0, packed.size * 8 // bits))
    stream = int.from_bytes(packed.tobytes(), "little")
    expected = [(stream >> (i * bits)) % (1 << bits) for i in range(n)]
    codes = on_every_isa(lambda: sc.unpack_ints(packed, bits, n, signed=False))
    assert codes.tolist() == expected


def test_bits_as_packbits_has_them() -> None:
    bits = integers(1000, 1, False)
    assert_same_bits(sc.pack_ints(bits, 1), np.packbits(bits, bitorder="little"))
    assert_same_bits(sc.pack_ints(bits, 1, bitorder="big"), np.packbits(bits))


@pytest.mark.parametrize("name", NARROW)
def test_as_onnx_has_them(name: str) -> None:
    helper = pytest.importorskip("onnx.numpy_helper")
    proto = pytest.importorskip("onnx").TensorProto
    if not hasattr(proto, name.upper()):
        pytest.skip("this version has not this type")
    dtype, bits, _ = NARROW[name]
    for n in (0, 1, 7, 8, 9, 1000):
        q = integers(n, bits, False).view(dtype)
        tensor = helper.from_array(q)
        assert sc.pack_ints(q, bits).tobytes() == tensor.raw_data
        packed = np.frombuffer(tensor.raw_data, np.uint8)
        assert_same_bits(sc.unpack_ints(packed, bits, n, dtype=dtype), helper.to_array(tensor))


def test_words_of_awq() -> None:
    """Pack words as the documentation describes."""
    q = integers(64, 4, False)
    words = sc.pack_ints(q.reshape(-1, 8)[:, [0, 2, 4, 6, 1, 3, 5, 7]], 4).view("<u4")
    for word, eight in zip(words.tolist(), q.reshape(-1, 8).tolist(), strict=True):
        nibbles = [(word >> (4 * i)) & 15 for i in range(8)]
        assert nibbles == [eight[i] for i in (0, 2, 4, 6, 1, 3, 5, 7)]


# --- integers that do not fit ----------------------------------------------------------------


@pytest.mark.parametrize("bits", range(1, 9))
@signs
def test_every_byte_fits_or_is_refused(lib: Any, bits: int, signed: bool) -> None:
    low = lowest(bits, signed)
    for n in (1, 70):
        for byte in range(256):
            q = integers(n, bits, signed)
            q.view(np.uint8)[n // 2] = byte
            value = int(q[n // 2])
            if low <= value < low + (1 << bits):
                lib.pack_ints(q, bits)
            else:
                high = low + (1 << bits) - 1
                words = ["q must be integers from", low, high, f"{bits} bits"]
                words.append(f"got {value} at flat index {n // 2}")
                assert_refuses(ValueError, words, lib.pack_ints, q, bits)


@every_bits
@signs
def test_wide_integers_fit_or_are_refused(lib: Any, bits: int, signed: bool) -> None:
    low = lowest(bits, signed)
    high = low + (1 << bits) - 1
    dtype = np.dtype(np.int16 if signed else np.uint16)
    limits = np.iinfo(dtype)
    for value in (low, high, low - 1, high + 1, low - 256, high + 256, limits.min, limits.max):
        if not limits.min <= value <= limits.max:
            continue
        q = integers(70, bits, signed).astype(dtype)
        q[35] = value
        if low <= value <= high:
            lib.pack_ints(q, bits)
        else:
            words = ["q must be integers from", low, high, f"got {value} at flat index 35"]
            assert_refuses(ValueError, words, lib.pack_ints, q, bits)


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("n", [65, 16385, 40_000, 2_000_003])
def test_the_first_that_does_not_fit_is_named(n: int) -> None:
    for places in ([0], [n - 1], [n // 3, n // 2, n - 1]):
        q = integers(n, 4, True)
        q[places] = 8
        words = ["from -8 to 7", f"got 8 at flat index {places[0]}"]
        assert_refuses(ValueError, words, sc.pack_ints, q, 4)


def test_the_index_is_that_of_the_shape(lib: Any) -> None:
    q = np.zeros((4, 5), np.uint8).T
    q[3, 2] = 200
    assert_refuses(ValueError, ["200 at flat index 14"], lib.pack_ints, q, 7)


# --- rows ------------------------------------------------------------------------------------

# Around eight codes, the longest rows that are staged, and blocks of 65536.
SHAPES = [(3, 1), (2, 3, 5), (70, 8), (300, 10), (9, 63), (9, 64), (9, 65), (20, 511), (20, 513)]
SHAPES += [(5,), (1, 9), (0, 5), (4, 0), (3, 66_001), (2, 131_075), (3000, 17)]
row_aligns = pytest.mark.parametrize("row_align", [8, 32])


@every_bitorder
@row_aligns
@signs
@pytest.mark.parametrize("bits", [1, 3, 4, 7, 8, 9, 12, 15, 16])
def test_rows(lib_on_threads: Any, bits: int, signed: bool, row_align: int, bitorder: str) -> None:
    lib = lib_on_threads
    how = {"row_align": row_align, "bitorder": bitorder}
    for shape in SHAPES:
        if lib.__name__.endswith("reference") and shape[0] > 100:
            continue  # a loop over rows
        q = integers(int(np.prod(shape)), bits, signed).reshape(shape)
        packed = rows_by_packbits(q, bits, row_align, bitorder)
        assert_same_bits(lib.pack_ints(q, bits, **how), packed)
        out = np.full_like(packed, -1 if row_align == 32 else 255)  # the padding is written
        assert lib.pack_ints(q, bits, **how, out=out) is out
        assert_same_bits(out, packed)
        assert_same_bits(lib.unpack_ints(packed, bits, shape, signed=signed, **how), q)


def test_rows_of_bits_as_packbits_has_them(lib: Any) -> None:
    mask = integers(60, 1, False).reshape(3, 20)
    for bitorder in BITORDERS:
        packed = np.packbits(mask, axis=-1, bitorder=bitorder)
        assert_same_bits(lib.pack_ints(mask, 1, row_align=8, bitorder=bitorder), packed)


@pytest.mark.parametrize("bits", range(1, 9))
def test_words_of_compressed_tensors(lib: Any, bits: int) -> None:
    """A row is one integer, which is cut into words."""
    q = integers(3 * 37, bits, True).reshape(3, 37)
    with_offset = (q.astype(np.int16) + (1 << (bits - 1))).astype(np.uint8)
    words = lib.pack_ints(with_offset, bits, row_align=32)
    assert words.shape == (3, -(-37 * bits // 32))
    for row, of_row in zip(words.view("<u4").tolist(), with_offset.tolist(), strict=True):
        stream = sum(code << (i * bits) for i, code in enumerate(of_row))
        assert row == [stream >> (32 * i) & 0xFFFFFFFF for i in range(len(row))]


def test_padding_of_rows_is_ignored(lib: Any) -> None:
    q = integers(5 * 13, 5, True).reshape(5, 13)
    words = lib.pack_ints(q, 5, row_align=32)
    words.view(np.uint8)[:, 9:] = 255
    words.view(np.uint8)[:, 8] |= 128 + 64 + 32 + 16 + 8 + 4 + 2
    assert_same_bits(lib.unpack_ints(words, 5, (5, 13), row_align=32), q)


def test_rows_of_other_memory_layouts(lib: Any) -> None:
    q = integers(24 * 30, 5, True).reshape(24, 30)
    for array in (np.asfortranarray(q), q[::-1, ::2], q.T, q.reshape(4, 6, 30).transpose(1, 0, 2)):
        packed = rows_by_packbits(np.ascontiguousarray(array), 5, 32, "little")
        assert_same_bits(lib.pack_ints(array, 5, row_align=32), packed)
        strided = np.asfortranarray(packed.astype(">i4"))
        assert_same_bits(lib.unpack_ints(strided, 5, array.shape, row_align=32), array)


@pytest.mark.parametrize("n", [300, 70_000])
def test_the_first_of_rows_that_does_not_fit_is_named(lib: Any, n: int) -> None:
    q = np.zeros((3, n), np.uint8)
    q[1, 17] = q[2, 0] = 8
    words = ["from 0 to 7", f"got 8 at flat index {n + 17}"]
    assert_refuses(ValueError, words, lib.pack_ints, q, 3, row_align=8)


def test_rows_that_are_refused(lib: Any) -> None:
    words = ["row_align must be None, 8 or 32", "got 16"]
    assert_refuses(ValueError, words, lib.pack_ints, Q, 4, row_align=16)
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, 3, row_align=16)
    assert_refuses(TypeError, ["row_align must be"], lib.pack_ints, Q, 4, row_align="8")
    words = ["q must have an axis", "got shape ()", "without row_align"]
    assert_refuses(ValueError, words, lib.pack_ints, np.int8(1), 4, row_align=8)
    words = ["shape must have an axis", "got shape ()", "without row_align"]
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, (), row_align=8)
    words = ["packed must have shape (2, 3)", "packed rows", "got (6,)"]
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, (2, 5), row_align=8)
    words = ["packed must be int32", "got uint8"]
    assert_refuses(TypeError, words, lib.unpack_ints, PACKED, 4, 3, row_align=32)
    words = ["out must be", "int32", "uint8"]
    assert_refuses(TypeError, words, lib.pack_ints, Q, 4, row_align=32, out=np.empty(2, np.uint8))
    words = ["out must", "shape (2, 3)", "(3, 2)"]
    out = np.empty((3, 2), np.uint8)
    assert_refuses(ValueError, words, lib.pack_ints, Q.reshape(2, 6), 4, row_align=8, out=out)


# --- shapes ----------------------------------------------------------------------------------


def test_shapes_to_unpack_to(lib: Any) -> None:
    q = integers(60, 11, True)
    packed = lib.pack_ints(q, 11)
    for shape in (60, (60,), (3, 20), [5, 4, 3], (60, 1)):
        lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
        assert_same_bits(lib.unpack_ints(packed, 11, shape), q.reshape(lengths))
    out = np.empty((20, 3), np.int16).T
    assert lib.unpack_ints(packed, 11, (3, 20), out=out) is out
    assert_same_bits(out, q.reshape(3, 20))
    assert_same_bits(lib.unpack_ints(packed, 11, ()), q[0].reshape(()))


def test_dtypes_to_unpack_to(lib: Any) -> None:
    packed = lib.pack_ints(integers(9, 8, True), 8)
    assert lib.unpack_ints(packed, 8, 9).dtype == np.int8
    assert lib.unpack_ints(packed, 9, 8).dtype == np.int16
    assert lib.unpack_ints(packed, 9, 8, signed=False).dtype == np.uint16
    words = ["bits must be at most 8 for dtype uint8", "got 9"]
    assert_refuses(ValueError, words, lib.unpack_ints, packed, 9, 8, dtype=np.uint8)


def test_narrow_dtypes_in_more_bits(lib: Any) -> None:
    for dtype, low in ((np.int8, -128), (np.uint8, 0), (ml_dtypes.int4, -8)):
        q = np.array([low, 1, 7], dtype)
        packed = by_packbits(q.astype(np.int16), 13, "little")
        assert_same_bits(lib.pack_ints(q, 13), packed)


# --- ml_dtypes -------------------------------------------------------------------------------


@every_bitorder
@pytest.mark.parametrize("name", NARROW)
def test_narrow_dtypes(lib: Any, name: str, bitorder: str) -> None:
    dtype, bits, signed = NARROW[name]
    q = integers(1000, bits, signed)
    narrow = q.astype(dtype)
    packed = by_packbits(q, bits, bitorder)
    assert_same_bits(lib.pack_ints(narrow, bits, bitorder=bitorder), packed)
    for back in (
        lib.unpack_ints(packed, bits, q.size, bitorder=bitorder, dtype=dtype),
        lib.unpack_ints(
            packed, bits, q.size, bitorder=bitorder, out=np.empty_like(narrow), dtype=dtype
        ),
    ):
        assert back.dtype == narrow.dtype
        assert back.tobytes() == narrow.tobytes()  # the same bytes as an array of ml_dtypes


@pytest.mark.parametrize("name", NARROW)
def test_bits_that_ml_dtypes_does_not_read(lib: Any, name: str) -> None:
    """Other libraries may leave copies of the sign, or anything, in the upper bits of a byte."""
    dtype, bits, signed = NARROW[name]
    q = generator(1).integers(0, 256, 500, dtype=np.uint8).view(dtype)
    values = q.astype(np.int8 if signed else np.uint8)
    for width in range(bits, 9):
        assert_same_bits(lib.pack_ints(q, width), by_packbits(values, width, "little"))
    assert_same_bits(lib.pack_ints(q[::3], bits), by_packbits(values[::3], bits, "little"))


def test_narrow_dtypes_in_fewer_bits(lib: Any) -> None:
    q = np.array([3, -4, 0, 1], ml_dtypes.int4)
    assert lib.unpack_ints(lib.pack_ints(q, 3), 3, 4).tolist() == [3, -4, 0, 1]
    assert_refuses(ValueError, ["-2 to 1", "got 3 at flat index 0"], lib.pack_ints, q, 2)


# --- layouts ---------------------------------------------------------------------------------

WHOLE = integers(720, 4, True)
LAYOUTS = {
    "0-d": WHOLE[1:2].reshape(()),
    "no rows": WHOLE[:0].reshape(0, 5),
    "4-d": WHOLE[:360].reshape(3, 4, 5, 6),
    "fortran": np.asfortranarray(WHOLE.reshape(24, 30)),
    "transposed": WHOLE[:504].reshape(7, 8, 9).transpose(2, 0, 1),
    "every other": WHOLE[::2],
    "reversed": WHOLE[::-1],
    "a corner": WHOLE.reshape(24, 30)[3:20, 5:29],
    "broadcast": np.broadcast_to(WHOLE[:30], (20, 30)),
    "overlapping windows": as_strided(WHOLE, (50, 10), (1, 1)),
    "misaligned": WHOLE[1:],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_in(lib: Any, name: str) -> None:
    q = LAYOUTS[name]
    assert_same_bits(lib.pack_ints(q, 4), by_packbits(np.ascontiguousarray(q), 4, "little"))
    strided = np.repeat(by_packbits(WHOLE, 4, "little"), 2)[::2].reshape(20, 18)
    assert_same_bits(lib.unpack_ints(strided, 4, 720), WHOLE)


def test_lists(lib: Any) -> None:
    assert lib.pack_ints([np.int8(-1), np.int8(1)], 4).tolist() == [0x1F]
    assert lib.unpack_ints([np.uint8(0x1F)], 4, 2).tolist() == [-1, 1]


def test_out(lib: Any) -> None:
    expected = by_packbits(WHOLE, 4, "little")
    for packed in (np.empty(360, np.uint8), np.empty(720, np.uint8)[::-2]):
        assert lib.pack_ints(WHOLE, 4, out=packed) is packed
        assert_same_bits(packed, expected)
        for codes in (np.empty(720, np.int8), np.empty(1440, np.int8)[::2]):
            assert lib.unpack_ints(packed, 4, 720, out=codes) is codes
            assert_same_bits(codes, WHOLE)


# --- what is refused -------------------------------------------------------------------------

Q = np.arange(-6, 6, dtype=np.int8)
PACKED = np.arange(6, dtype=np.uint8)
READ_ONLY = np.zeros(6, np.uint8)
READ_ONLY.flags.writeable = False
BOTH = np.zeros(12, np.int8)


@pytest.mark.parametrize("bits", [0, 17, -1, 2**70])
def test_bits_out_of_range(lib: Any, bits: int) -> None:
    words = ["bits must be an integer from 1 to 16", f"got {bits}"]
    assert_refuses(ValueError, words, lib.pack_ints, Q, bits)
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, bits, 3)


@pytest.mark.parametrize("bits", [4.0, "4", None, True, np.array(4)])
def test_bits_that_are_no_integer(lib: Any, bits: Any) -> None:
    assert_refuses(TypeError, ["bits must be an integer"], lib.pack_ints, Q, bits)
    assert_refuses(TypeError, ["bits must be an integer"], lib.unpack_ints, PACKED, bits, 3)


@pytest.mark.parametrize("bitorder", ["low_first", "awq", None, 0])
def test_bitorders(lib: Any, bitorder: Any) -> None:
    words = ["bitorder must be 'little' or 'big'", f"got {bitorder!r}"]
    assert_refuses(ValueError, words, lib.pack_ints, Q, 4, bitorder=bitorder)
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, 3, bitorder=bitorder)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.bool_, np.float32, ml_dtypes.bfloat16])
def test_other_dtypes(lib: Any, dtype: Any) -> None:
    name = np.dtype(dtype).name
    words = ["q must be", "int8", "uint2", f"got {name}"]
    assert_refuses(TypeError, words, lib.pack_ints, np.zeros(3, dtype), 4)
    words = ["packed must be uint8", f"got {name}"]
    assert_refuses(TypeError, words, lib.unpack_ints, np.zeros(3, dtype), 4, 3)
    words = ["dtype must be", "uint2", f"got {name}"]
    assert_refuses(TypeError, words, lib.unpack_ints, PACKED, 4, 3, dtype=dtype)


def test_masked_arrays(lib: Any) -> None:
    words = ["must be a plain array"]
    assert_refuses(TypeError, words, lib.pack_ints, np.ma.masked_array(Q), 4)
    assert_refuses(TypeError, words, lib.unpack_ints, np.ma.masked_array(PACKED), 4, 3)


@every_bits
def test_too_few_bytes(lib: Any, bits: int) -> None:
    most = PACKED.size * 8 // bits
    assert lib.unpack_ints(PACKED, bits, most).size == most
    words = ["packed must be" if lib.__name__.endswith("reference") else "packed must have"]
    words += [
        f"at least {-(-(most + 1) * bits // 8)}",
        f"{most + 1} integers of {bits} bits",
        "got 6",
    ]
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, bits, most + 1)


@pytest.mark.parametrize("n", [-1, 2**80])
def test_numbers_of_integers(lib: Any, n: int) -> None:
    words = ["shape must be an integer from 0", f"got {n}"]
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, n)
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, (1, n))
    assert_refuses(ValueError, ["shape must"], lib.unpack_ints, PACKED, 4, (2**40, 2**40))
    assert_refuses(ValueError, ["at most 64 axes"], lib.unpack_ints, PACKED, 4, (1,) * 65)
    assert_refuses(TypeError, ["shape must be an integer"], lib.unpack_ints, PACKED, 4, 3.0)


def test_signed_and_dtype(lib: Any) -> None:
    words = ["signed must be True", "got False"]
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 4, 3, signed=False, dtype=np.uint8)
    words = ["signed must be a bool", "got 1"]
    assert_refuses(TypeError, words, lib.unpack_ints, PACKED, 4, 3, signed=1)
    words = ["bits must be 4 for dtype int4", "got 5"]
    assert_refuses(ValueError, words, lib.unpack_ints, PACKED, 5, 3, dtype=ml_dtypes.int4)


@pytest.mark.parametrize(
    ("error", "words", "out"),
    [
        (TypeError, ["out must be", "uint8", "int8"], np.zeros(6, np.int8)),
        (TypeError, ["out must be an array of uint8", "list"], [0] * 6),
        (ValueError, ["out must", "shape (6,)", "(7,)"], np.zeros(7, np.uint8)),
        (ValueError, ["out must", "shape (6,)", "(2, 3)"], np.zeros((2, 3), np.uint8)),
        (ValueError, ["out must be writeable"], READ_ONLY),
        (
            ValueError,
            ["out must", "overlapping elements"],
            as_strided(np.zeros(3, np.uint8), (6,), (0,)),
        ),
    ],
)
def test_out_that_does_not_fit(
    lib: Any, error: type[Exception], words: list[str], out: Any
) -> None:
    assert_refuses(error, words, lib.pack_ints, Q, 4, out=out)


def test_out_that_overlaps(lib: Any) -> None:
    both = BOTH.copy()
    assert_refuses(ValueError, ["out"], lib.pack_ints, both, 4, out=both.view(np.uint8)[3:9])
    assert_refuses(ValueError, ["out"], lib.pack_ints, both, 8, out=both.view(np.uint8))
    packed = both.view(np.uint8)[:6]
    assert_refuses(ValueError, ["out"], lib.unpack_ints, packed, 4, 12, out=both)


@pytest.mark.parametrize("length", [2**59, 2**60, 2**62])
def test_rows_too_long_for_an_array(length: int) -> None:
    with pytest.raises(ValueError, match=r"^(packed|shape) must have"):
        sc.unpack_ints(np.zeros((0, 3), np.uint8), 16, (0, length), row_align=8)
