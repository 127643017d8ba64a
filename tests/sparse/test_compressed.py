"""compress and CompressedTensor, compared with prune, quantize, pack_ints and gaps in plain Python."""

import copy
import pickle
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import reference
from support.arrays import generator
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits
from support.refusals import FLOAT_NAMES, assert_refuses

ENCODINGS = ["dense", "bitmask", "gaps"]
DTYPES = {name: np.dtype(getattr(ml_dtypes, name, name)) for name in reference.order.INFINITIES}
FORMATS = {
    "int8": sc.FixedPoint(8, 5),
    "4 bits": sc.FixedPoint(4, 1),
    "3 bits, unsigned": sc.FixedPoint(3, 1, signed=False),
    "16 bits": sc.FixedPoint(16, 12),
    "11 bits, affine": sc.Affine(0.01, bits=11),
    "zero point": sc.Affine(0.05, 7, bits=5),
    "uint8": sc.Affine(0.02, 128, signed=False),
}
# Around bytes and words of bits, and the parts whose gaps are found at a time.
SIZES = [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 200, 16_383, 16_384, 16_385, 70_001]
SHAPES = [(), (0, 5), (5, 0), (1, 1), (2, 3, 7), (9, 64), (7, 65), (3, 16_391), (300, 3)]


def normal(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return generator(sum(shape)).standard_normal(shape).astype(DTYPES[dtype])


def gaps_of(stored: np.ndarray) -> list[int]:
    """Return the bytes of the gaps, from the distances as strings of bits."""
    data = []
    run = 0
    for is_stored in stored.ravel().tolist():
        if not is_stored:
            run += 1
            continue
        bits = f"{run:b}"
        digits = [bits[max(end - 7, 0) : end] for end in range(len(bits), 0, -7)]
        data += [int(digit, 2) | 128 for digit in digits[:-1]] + [int(digits[-1], 2)]
        run = 0
    return data


def check(lib: Any, q: np.ndarray, tensor: Any, zero: Any = 0) -> None:
    """Check the parts of a tensor against its integers, and that the others decode to them."""
    fmt = tensor.fmt
    stored = np.ones(q.shape, np.bool_) if tensor.encoding == "dense" else q != zero
    assert_same_bits(tensor.packed, lib.pack_ints(q[stored], fmt.bits))
    assert tensor.count == stored.sum()
    rows = stored.reshape(1) if stored.ndim == 0 else stored
    if tensor.encoding == "bitmask":
        assert_same_bits(tensor.bitmask, np.packbits(rows, axis=-1, bitorder="little"))
    else:
        assert tensor.bitmask is None
    if tensor.encoding == "gaps":
        assert tensor.gaps.dtype == np.uint8
        assert tensor.gaps.tolist() == gaps_of(stored)
    else:
        assert tensor.gaps is None
    assert_same_bits(tensor.integers(), q)
    expected = lib.dequantize(q, fmt, dtype=tensor.dtype)
    assert_same_bits(tensor.decompress(), expected)
    out = np.ones(q.shape, np.float64)
    assert tensor.decompress(dtype=np.float64, out=out) is out
    assert_same_bits(out, lib.dequantize(q, fmt, dtype=np.float64))
    parts = (tensor.packed, fmt, tensor.shape, tensor.dtype)
    assert lib.CompressedTensor(*parts, bitmask=tensor.bitmask, gaps=tensor.gaps) == tensor
    assert pickle.loads(pickle.dumps(tensor)) == tensor == copy.copy(tensor)


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("n", SIZES)
def test_sizes(lib: Any, n: int, fmt: Any) -> None:
    w = normal((n,))
    zero = getattr(fmt, "zero_point", 0)
    for sparsity in (0, 0.5, 0.9, 0.997, 1):
        q = lib.prune_quantize(w, fmt, sparsity=sparsity)
        for encoding in ENCODINGS:
            tensor = lib.compress(w, fmt, sparsity=sparsity, encoding=encoding)
            assert (tensor.encoding, tensor.shape, tensor.dtype) == (encoding, (n,), np.float32)
            check(lib, q, tensor, zero)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes(lib: Any, dtype: str, shape: tuple[int, ...]) -> None:
    w = normal(shape, dtype)
    fmt = FORMATS["int8"]
    for sparsity in (0.5, 0.99):
        q = lib.quantize(lib.prune(w, sparsity=sparsity), fmt)
        for encoding in ENCODINGS:
            check(lib, q, lib.compress(w, fmt, sparsity=sparsity, encoding=encoding))


@pytest.mark.parametrize("sparsity", [0, 0.1, 0.5, 0.87, 0.88, 0.9, 0.99, 1])
@pytest.mark.parametrize("bits", [1, 2, 8, 16])
def test_smallest(lib: Any, bits: int, sparsity: float) -> None:
    """The encoding of the fewest bytes is chosen, and the first of several."""
    w = normal((40, 100))
    fmt = (
        sc.Affine(0.5 if bits < 8 else 0.01, bits=bits, qmin=-1, qmax=0)
        if bits == 1
        else sc.FixedPoint(bits, 0)
    )
    tensors = [lib.compress(w, fmt, sparsity=sparsity, encoding=name) for name in ENCODINGS]
    fewest = min(tensors, key=lambda tensor: tensor.nbytes)
    assert lib.compress(w, fmt, sparsity=sparsity) == fewest


def test_selections(lib: Any) -> None:
    """Every selection of prune, and each mode of quantize."""
    w, fmt = normal((8, 12)), FORMATS["4 bits"]
    for selection in (
        {"k": 10},
        {"threshold": 0.5},
        {"pattern": "2:4"},
        {"pattern": "2:5", "remainder": "pad"},
        {"sparsity": 0.5, "axis": 1},
        {"sparsity": 0.5, "block": (2, 3), "norm": "max"},
        {"k": 10, "scores": -w},
        {"k": 10, "factors": np.float32(range(12))},
    ):
        q = lib.quantize(lib.prune(w, **selection), fmt)
        check(lib, q, lib.compress(w, fmt, **selection))
    for modes in (
        {"rounding": "away", "overflow": "wrap"},
        {"rounding": "stochastic", "seed": 3, "index_offset": 5},
        {"overflow": "saturate_symmetric"},
    ):
        check(lib, lib.quantize(w, fmt, **modes), lib.compress(w, fmt, **modes))
        q = lib.quantize(lib.prune(w, pattern="2:4"), fmt, **modes)
        check(lib, q, lib.compress(w, fmt, pattern="2:4", **modes))


@pytest.mark.parametrize(
    "fmt",
    [
        sc.FixedPoint(8, [3, 4, 5], axis=0),
        sc.FixedPoint([4, 7, 3], 2, axis=0),
        sc.Affine([0.1, 0.2, 0.3], [0, 3, -5], axis=0),
        sc.Affine(np.full((3, 3), 0.1), np.arange(9).reshape(3, 3), axis=1, group_size=4),
        sc.Affine(np.full((2, 2), 0.1), 4, axis=(0, 1), group_size=(2, 6)),
    ],
    ids=str,
)
def test_groups(lib: Any, fmt: Any) -> None:
    """Parameters of groups: an omitted integer is the zero point of its group."""
    w = normal((3, 12))
    zero = lib.quantize(np.zeros_like(w), fmt)
    width = int(np.max(fmt.bits))
    for sparsity in (0, 0.6, 1):
        q = lib.prune_quantize(w, fmt, sparsity=sparsity)
        for encoding in ENCODINGS:
            tensor = lib.compress(w, fmt, sparsity=sparsity, encoding=encoding)
            assert_same_bits(tensor.integers(), q)
            assert_same_bits(tensor.decompress(), lib.dequantize(q, fmt))
            stored = q if encoding == "dense" else q[q != zero]
            assert_same_bits(tensor.packed, lib.pack_ints(stored, width))
    parameters = [getattr(fmt, name, 0) for name in ("bits", "frac_bits", "scale", "zero_point")]
    arrays = [value for value in parameters if isinstance(value, np.ndarray)]
    dense = lib.compress(w, fmt, encoding="dense")
    assert dense.nbytes == dense.packed.nbytes + sum(array.nbytes for array in arrays)


@given(data=st.data())
def test_any_gaps(data: st.DataObject) -> None:
    """Runs of zeros of any length, the longest of several bytes."""
    runs = data.draw(st.lists(st.sampled_from([0, 1, 62, 63, 64, 126, 127, 128, 129, 300, 17_000])))
    tail = data.draw(st.integers(0, 200))
    flat = np.concatenate([*(np.int8([0] * run + [1]) for run in runs), np.zeros(tail, np.int8)])
    columns = data.draw(st.sampled_from([flat.size or 1, 1, 3, 64, 100]))
    w = np.resize(np.append(flat, 0), (-(-max(flat.size, 1) // columns), columns)).astype(
        np.float32
    )
    w.reshape(-1)[flat.size :] = 0
    for name in LIBRARIES:
        with library(name) as lib:
            check(lib, w.astype(np.int8), lib.compress(w, sc.FixedPoint(8, 0), encoding="gaps"))


def test_nan(lib: Any) -> None:
    w = np.float32([np.nan, 3, 0.2, np.nan])
    fmt = sc.FixedPoint(8, 1)
    assert_refuses(ValueError, ["NaN", "index 0"], lib.compress, w, fmt, k=2)
    assert_refuses(ValueError, ["NaN", "index 0"], lib.compress, w, fmt)
    for selection in ({}, {"k": 3}, {"threshold": 1}, {"pattern": "1:2"}):
        tensor = lib.compress(w, fmt, nan="zero", **selection)
        assert tensor.integers().tolist() == [0, 6, 0, 0]


def test_a_value(lib: Any) -> None:
    fmt = sc.FixedPoint(8, 2)
    w = np.float32([[0, 1.5, 0, 0], [2, 0, 0, 0]])
    tensor = lib.compress(w, fmt)
    assert tensor.encoding == "bitmask"
    assert (tensor.size, tensor.count, tensor.nbytes, tensor.ratio) == (8, 2, 4, 8)
    assert tensor != lib.compress(w, fmt, encoding="dense")
    assert tensor != lib.compress(w, sc.FixedPoint(8, 1))
    assert tensor != lib.compress(w.astype(np.float64), fmt)
    assert tensor != lib.compress(-w, fmt)
    assert tensor != 3
    assert repr(tensor) == (
        "CompressedTensor(shape=(2, 4), dtype=float32, bits=8, encoding='bitmask', count=2, "
        "nbytes=4, ratio=8.0)"
    )
    assert np.asarray(tensor).tolist() == w.tolist()
    assert np.array(tensor, np.float64).dtype == np.float64
    assert lib.compress(w * 0, fmt).ratio == np.inf
    assert_refuses(TypeError, ["unhashable"], hash, tensor)
    assert_refuses(ValueError, ["copy must ", "False"], tensor.__array__, None, False)
    assert lib.compress([1.0, 0], fmt).dtype == np.float64
    assert lib.compress(w.astype(">f4"), fmt) == tensor


INT8 = sc.FixedPoint(8, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.zeros(2, np.int8), INT8, 2), TypeError, ["packed must ", "uint8", "int8"]),
        ((np.zeros(2, np.uint8), INT8, 3), ValueError, ["packed must ", "3 ", "2"]),
        ((np.zeros(4, np.uint8), INT8, 3), ValueError, ["packed must ", "shape (3,)", "3 stored", "(4,)"]),
        ((np.zeros(2, np.uint8), 8, 2), TypeError, ["fmt must ", "FixedPoint", "8"]),
        ((np.zeros(4, np.uint8), sc.FixedPoint(17, 0), 1), ValueError, ["fmt must ", "16 bits"]),
        ((np.zeros(2, np.uint8), INT8, -2), ValueError, ["shape must ", "-2"]),
        ((np.zeros(2, np.uint8), INT8, 2, np.int8), TypeError, ["dtype must ", FLOAT_NAMES, "int8"]),
        ((np.zeros(2, np.uint8), INT8, 2, ">f4"), TypeError, ["dtype must ", "native byte order"]),
    ],
    ids=str,
)  # fmt: skip
def test_refused_parts(lib: Any, arguments: Any, error: type[Exception], words: list[str]) -> None:
    assert_refuses(error, words, lib.CompressedTensor, *arguments)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"bitmask": np.uint8([3]), "gaps": np.uint8([0])}, ["gaps must be None with bitmask"]),
        ({"bitmask": np.uint8([64])}, ["bitmask must ", "spare bits of 0"]),
        ({"bitmask": np.uint8([1, 0])}, ["bitmask must ", "(1,)", "(2,)"]),
        ({"bitmask": np.uint8([7])}, ["packed must ", "3 ", "2"]),
        ({"bitmask": np.uint8([1])}, ["packed must ", "shape (1,)", "1 stored", "(2,)"]),
        ({"gaps": np.uint8([0])}, ["packed must ", "shape (1,)", "1 stored", "(2,)"]),
        ({"gaps": np.uint8([5, 0])}, ["gaps must ", "the 6 bits", "a gap of 0 with 0 bits left"]),
        ({"gaps": np.uint8([1, 4])}, ["gaps must ", "the 6 bits", "a gap of 4 with 4 bits left"]),
        ({"gaps": np.uint8([1, 0x80])}, ["gaps must ", "LEB128", "byte 1"]),
        ({"gaps": np.uint8([0x81, 0])}, ["gaps must ", "as short as possible", "byte 0"]),
        ({"gaps": np.uint8([0xFF] * 9 + [1])}, ["gaps must ", f"a gap of {2**64 - 1} with 6 bits"]),
        ({"gaps": np.uint8([0xFF] * 9 + [2])}, ["gaps must ", "64 bits", "byte 0"]),
        ({"gaps": np.uint8([0x80] * 10 + [1])}, ["gaps must ", "64 bits", "byte 0"]),
    ],
    ids=str,
)  # fmt: skip
def test_refused_positions(lib: Any, parts: Any, words: list[str]) -> None:
    assert_refuses(ValueError, words, lib.CompressedTensor, np.zeros(2, np.uint8), INT8, 6, **parts)


def test_masked_arrays(lib: Any) -> None:
    """A mask would be lost."""
    parts = {"packed": np.uint8([1, 2]), "gaps": np.uint8([0, 1]), "bitmask": np.uint8([5])}
    for name, part in parts.items():
        masked = {name: np.ma.array(part, mask=True)}
        given = dict.fromkeys({"packed", name}, part) | masked
        assert_refuses(TypeError, [f"{name} must ", "mask"], lib.CompressedTensor, fmt=INT8,
                       shape=6, **given)  # fmt: skip


def test_refused_dtypes_of_positions(lib: Any) -> None:
    for name in ("bitmask", "gaps"):
        positions = {name: np.int8([3])}
        words = [f"{name} must ", "uint8", "int8"]
        assert_refuses(TypeError, words, lib.CompressedTensor, np.zeros(2, np.uint8), INT8, 6,
                       **positions)  # fmt: skip


def test_refused(lib: Any) -> None:
    w = np.ones(4, np.float32)
    assert_refuses(TypeError, ["fmt must ", "None"], lib.compress, w, None)
    assert_refuses(ValueError, ["fmt must ", "16 bits"], lib.compress, w, sc.FixedPoint(17, 0))
    assert_refuses(ValueError, ["encoding must ", "'gaps'", "'zip'"], lib.compress, w, INT8,
                   encoding="zip")  # fmt: skip
    assert_refuses(ValueError, ["encoding must ", "3"], lib.compress, w, INT8, encoding=3)
    assert_refuses(
        ValueError, ["exactly one", "k=1, sparsity=0.5"], lib.compress, w, INT8, k=1, sparsity=0.5
    )
    assert_refuses(ValueError, ["remainder must "], lib.compress, w, INT8, k=1,
                   remainder="pad")  # fmt: skip
    assert_refuses(TypeError, ["w must ", "int32"], lib.compress, w.astype(np.int32), INT8)


def test_arrays_that_change(lib: Any) -> None:
    """The parts are not copied, so that a change is found when they are used."""
    tensor = lib.compress(np.float32([1, 0, 2, 0, 0, 0]), INT8, encoding="bitmask")
    tensor.bitmask[0] = 7
    assert_refuses(ValueError, ["bitmask must ", "2 values", "3 bits"], tensor.integers)
    tensor = lib.compress(np.float32([1, 0, 2, 0, 0, 0]), INT8, encoding="gaps")
    tensor.gaps[0] = 9
    assert_refuses(ValueError, ["gaps must ", "a gap of 9"], tensor.integers)
