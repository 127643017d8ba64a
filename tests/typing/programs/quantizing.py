"""A user's program: number formats, quantizing and bit packing."""

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import secateur as sc

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type

w = np.array([[0.3, -0.4, 0.5, 1], [0.2, -0.1, 0.25, 0.8]], np.float32)
out = np.empty_like(w)
codes = np.zeros(w.shape, np.int8)
fmt = sc.FixedPoint(8, 6)


def fixed_point() -> None:
    by_row = sc.FixedPoint(bits=8, frac_bits=[5, 6], signed=True, axis=0)
    by_group = sc.FixedPoint(4, np.array([[1, 2], [3, 4]]), axis=-1, group_size=2)
    assert_type(by_row, sc.FixedPoint)
    assert_type(fmt.bits, int | NDArray[np.int32])
    assert_type((fmt.min, fmt.max)[0], int | NDArray[np.int64])
    assert_type(fmt.signed, bool)
    assert_type(sc.FixedPoint([8, 4], 3, axis=0), sc.FixedPoint)
    assert_type(by_group.axis, int | tuple[int, ...] | None)
    assert_type(by_group.group_size, int | tuple[int, int] | None)
    assert_type(fmt.frac_bits, int | NDArray[np.int32])
    assert_type(fmt.resolution, float | NDArray[np.float64])
    assert_type(fmt.range, tuple[float, float] | tuple[NDArray[np.float64], NDArray[np.float64]])
    assert_type(fmt.dtype, np.dtype[np.signedinteger[Any] | np.unsignedinteger[Any]])
    assert_type(sc.FixedPoint.parse("Q2.5"), sc.FixedPoint)
    assert_type(fmt.to_q(sign_counted=True), str)
    assert_type(fmt.to_ap_fixed(), str)
    assert_type(len({fmt, by_row}), int)


def quantize() -> None:
    q = sc.quantize(w, fmt, rounding="stochastic", overflow="saturate", seed=1)
    assert_type(q, NDArray[Any])
    assert_type(sc.quantize(w, fmt, nan="zero", out=codes), NDArray[Any])
    nibbles = sc.FixedPoint(4, 3)
    packed = sc.quantize(w, nibbles, packed=True, bitorder="big")
    assert_type(packed, NDArray[Any])
    assert_type(sc.dequantize(q, fmt), NDArray[Any])
    assert_type(sc.dequantize(q, fmt, dtype="float64"), NDArray[Any])
    assert_type(sc.dequantize(q, fmt, out=out), NDArray[Any])
    assert_type(sc.dequantize(q, fmt, sign_extend=True), NDArray[Any])
    assert_type(sc.dequantize(packed, nibbles, shape=(2, 4), bitorder="big"), NDArray[Any])
    assert_type(sc.dequantize(packed, nibbles, shape=8, bitorder="big"), NDArray[Any])
    accumulators = sc.FixedPoint(64, 20)
    assert_type(sc.requantize([1, 2], accumulators, fmt, overflow="wrap"), NDArray[Any])
    assert_type(sc.requantize(q, fmt, nibbles, rounding="stochastic", seed=1), NDArray[Any])
    assert_type(sc.requantize(q, fmt, sc.Affine(0.1), index_offset=8, out=codes), NDArray[Any])
    assert_type(sc.fake_quantize(w, fmt, rounding="floor", out=out), NDArray[Any])
    assert_type(sc.prune_quantize(w, fmt, sparsity=0.5), NDArray[Any])
    assert_type(sc.prune_quantize(w, fmt, k=2, overflow="wrap", out=codes), NDArray[Any])
    assert_type(sc.prune_quantize(w, nibbles, k=2, packed=True), NDArray[Any])


def affine() -> None:
    by_row = sc.Affine([0.1, 0.2], [3, 4], bits=4, signed=False, axis=0)
    by_block = sc.Affine(np.array([[0.1, 0.2]], np.float32), qmin=-127, qmax=127, group_size=(2, 2))
    chosen = sc.choose_affine(w, 8, symmetric=True)
    assert_type(chosen, sc.Affine)
    assert_type((chosen.bits, chosen.signed, chosen.qmin, chosen.qmax), tuple[int, bool, int, int])
    assert_type((chosen.min, chosen.max), tuple[int, int])
    assert_type(chosen.scale, float | NDArray[np.floating[Any]])
    assert_type(chosen.zero_point, int | NDArray[np.int32])
    assert_type(by_row.axis, int | tuple[int, ...] | None)
    assert_type(by_block.group_size, int | tuple[int, int] | None)
    assert_type(chosen.resolution, float | NDArray[np.float64])
    assert_type(chosen.range, tuple[float, float] | tuple[NDArray[np.float64], NDArray[np.float64]])
    assert_type(chosen.dtype, np.dtype[np.signedinteger[Any] | np.unsignedinteger[Any]])
    q = sc.quantize(w, chosen)
    assert_type(q, NDArray[Any])
    assert_type(sc.quantize(w, by_row, rounding="floor", index_offset=8), NDArray[Any])
    assert_type(sc.quantize(w, by_row, packed=True), NDArray[Any])
    assert_type(sc.dequantize(q, chosen, dtype=np.float64), NDArray[Any])
    assert_type(sc.fake_quantize(w, by_block, out=out), NDArray[Any])
    assert_type(sc.prune_quantize(w, by_block, k=3), NDArray[Any])
    assert_type(len({chosen, by_row, fmt}), int)


def choose_and_compare() -> None:
    assert_type(sc.choose_format(w, 8), sc.FixedPoint)
    assert_type(sc.choose_format(w, 4, method="mse", axis=1, group_size=2), sc.FixedPoint)
    sc.choose_affine(w, 4, rounding="floor")
    q = np.zeros(w.shape, np.int8)
    assert_type(sc.choose_affine(w, group_size=2, quantized=q), sc.Affine)
    assert_type(sc.choose_format(w, 8, quantized=q), sc.FixedPoint)
    assert (
        sc.compare(w, w, fmt=sc.choose_format(w, 8, rounding="away"), rounding="away").saturated
        == 0
    )
    positive = sc.choose_format(abs(w), 4, signed=False, method="percentile", percentile=99)
    assert_type(positive, sc.FixedPoint)
    errors = sc.compare(w, sc.fake_quantize(w, fmt), fmt=fmt)
    assert_type(errors, sc.ErrorStats)
    sc.compare(w, w, axis=0, fmt=sc.choose_affine(w, axis=0, group_size=None, method="mse"))


def pack() -> None:
    packed = sc.pack_ints(np.array([1, -2, 3], np.int8), 4)
    assert_type(packed, NDArray[np.uint8])
    assert_type(sc.pack_ints(codes[0, :2], 4, bitorder="big", out=packed[:1]), NDArray[np.uint8])
    assert_type(sc.unpack_ints(packed, 4, 3), NDArray[Any])
    assert_type(sc.pack_ints(codes, 12, row_align=8), NDArray[np.uint8])
    words = sc.pack_ints(codes, 12, row_align=32)
    assert_type(words, NDArray[np.int32])
    assert_type(sc.unpack_ints(words, 12, codes.shape, row_align=32), NDArray[Any])
    assert_type(sc.unpack_ints(packed, 4, 3, signed=False, bitorder="big"), NDArray[Any])
    assert_type(sc.unpack_ints(packed, 4, 3, dtype="uint8"), NDArray[Any])
    assert_type(sc.unpack_ints(packed, 4, 3, out=np.empty(3, np.int8)), NDArray[Any])


def store_sparsely() -> None:
    sparse = sc.encode_bitmask(w, w > 0)
    assert_type(sparse, sc.BitmaskArray)
    assert_type(sc.BitmaskArray(sparse.bitmask, sparse.values, w.shape).decode(), NDArray[Any])
    assert_type(sparse.row_offsets, NDArray[np.int64])
    tensor = sc.compress(w, fmt, sparsity=0.5, rounding="floor", encoding="gaps")
    assert_type(tensor, sc.CompressedTensor)
    again = sc.CompressedTensor(tensor.packed, fmt, w.shape, w.dtype, gaps=tensor.gaps)
    assert_type(again.decompress(out=np.empty_like(w)), NDArray[Any])
    assert_type(again.ratio, float)
    assert_type(again.bitmask, NDArray[np.uint8] | None)


if TYPE_CHECKING:  # both type checkers report these errors
    sc.quantize(w, 8)  # type: ignore[arg-type]
    sc.quantize(w, fmt, bitorder="middle")  # type: ignore[arg-type]
    sc.dequantize(codes, fmt, shape=2.5)  # type: ignore[arg-type]
    sc.pack_ints(codes, 12, row_align=16)  # type: ignore[call-overload]
    sc.pack_ints(codes, 4, out=w)  # type: ignore[arg-type]
    sc.FixedPoint(8, signed=1.5)  # type: ignore[arg-type]
    sc.Affine(0.1, bits="8")  # type: ignore[arg-type]
    sc.Affine(0.1, 0, 8)  # type: ignore[call-arg]
    sc.Affine(0.1, group_size=(2, 2, 2))  # type: ignore[arg-type]
    sc.compress(w, fmt, encoding="zip")  # type: ignore[arg-type]
    fmt.to_q(True)  # type: ignore[call-arg]

if __name__ == "__main__":
    fixed_point()
    quantize()
    affine()
    choose_and_compare()
    pack()
    store_sparsely()
