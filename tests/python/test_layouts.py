"""Inputs and outputs of any shape, strides, alignment and byte order.

Layouts are handled above the kernels, so one ISA suffices. Results that bypass the caches are the
exception: the kernels handle their alignment.
"""

import re
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import secateur as sc
from secateur import FixedPoint, reference
from support.arrays import DTYPES, FOREIGN, in_memory_order, normal, standard
from support.oracles import assert_same_bits

FMT = FixedPoint(8, 5)
WIDE = FixedPoint(16, 9, signed=False)


def is_gapless(w: np.ndarray) -> bool:
    """Return whether the elements follow each other in memory, in some order of the axes."""
    order = np.argsort([-step for step in w.strides], kind="stable")
    return w.transpose(order).flags.c_contiguous


def mask_of(w: np.ndarray) -> np.ndarray:
    return np.abs(w) > 0.5


def codes_of(w: np.ndarray, fmt: FixedPoint) -> np.ndarray:
    return np.clip(w * 30, fmt.min, fmt.max).astype(fmt.dtype)


def by_pattern(w: np.ndarray) -> dict[str, object]:
    """Keep half of the elements, in the largest groups that fit."""
    if w.ndim == 0:
        return {"k": 0}
    m = max(m for m in range(1, 33) if w.shape[-1] % m == 0)
    return {"pattern": f"{(m + 1) // 2}:{m}"}


def by_blocks(w: np.ndarray) -> dict[str, object]:
    if w.ndim < 2:
        return {"k": 0}
    return {
        "sparsity": 0.5,
        "block": tuple(min(n, most) or 1 for n, most in zip(w.shape[-2:], (2, 3), strict=True)),
    }


def axis_of(w: np.ndarray) -> int | None:
    return 0 if w.ndim else None


# Each call takes float32 and returns an array of the same shape. All but the mask take out=.
CALLS: dict[str, Callable[..., np.ndarray]] = {
    "prune k": lambda w, **out: sc.prune(w, k=w.size // 3, **out),
    "prune threshold": lambda w, **out: sc.prune(w, threshold=0.5, **out),
    "prune axis": lambda w, **out: sc.prune(w, sparsity=0.6, axis=axis_of(w), **out),
    "prune pattern": lambda w, **out: sc.prune(w, **by_pattern(w), **out),
    "prune blocks": lambda w, **out: sc.prune(w, **by_blocks(w), **out),
    "prune scores": lambda w, **out: sc.prune(w, k=w.size // 3, scores=np.sin(w), **out),
    "prune products": lambda w, **out: sc.prune(w, k=w.size // 3, factors=np.sin(w), **out),
    "soft_threshold": lambda w, **out: sc.soft_threshold(w, 0.5, **out),
    "apply_mask": lambda w, **out: sc.apply_mask(w, mask_of(w), **out),
    "apply_mask packed": lambda w, **out: sc.apply_mask(
        w, np.packbits(mask_of(w), bitorder="little"), **out
    ),
    "quantize": lambda w, **out: sc.quantize(w, FMT, **out),
    "quantize 16": lambda w, **out: sc.quantize(w, WIDE, **out),
    "dequantize": lambda w, **out: sc.dequantize(codes_of(w, FMT), FMT, **out),
    "dequantize 16": lambda w, **out: sc.dequantize(codes_of(w, WIDE), WIDE, **out),
    "fake_quantize": lambda w, **out: sc.fake_quantize(w, FMT, **out),
    "prune_quantize": lambda w, **out: sc.prune_quantize(w, FMT, k=w.size // 3, **out),
    "prune_quantize 16": lambda w, **out: sc.prune_quantize(w, WIDE, k=w.size // 3, **out),
    "prune_mask": lambda w: sc.prune_mask(w, k=w.size // 3),
    "prune_mask axis": lambda w: sc.prune_mask(w, sparsity=0.6, axis=axis_of(w)),
    "prune_mask threshold": lambda w: sc.prune_mask(w, threshold=0.5),
    "prune_mask pattern": lambda w: sc.prune_mask(w, **by_pattern(w)),
    "prune_mask blocks": lambda w: sc.prune_mask(w, **by_blocks(w)),
}
# Those that treat each element whatever its index is.
ELEMENTWISE = ["prune threshold", "soft_threshold", "apply_mask", "quantize", "quantize 16", "dequantize",
               "dequantize 16", "fake_quantize", "prune_mask threshold"]  # fmt: skip
WITH_OUT = [name for name in CALLS if not name.startswith("prune_mask")]
IN_PLACE = [name for name in WITH_OUT if "quantize" not in name] + ["fake_quantize"]


def at_byte(offset: int, n: int, dtype: np.dtype) -> np.ndarray:
    """Return a writeable array whose first byte is at this offset in a cache line."""
    buffer = np.zeros(n * dtype.itemsize + 128, np.uint8)
    begin = -buffer.ctypes.data % 64 + offset
    return buffer[begin : begin + n * dtype.itemsize].view(dtype)


def swapped(w: np.ndarray) -> np.ndarray:
    return w.astype(w.dtype.newbyteorder())


class Subclass(np.ndarray):
    """A subclass of np.ndarray, like np.memmap."""


INPUTS = {
    "0-d": normal(3)[1:2].reshape(()),
    "no elements": normal(0),
    "no rows": normal(0, 5),
    "no columns": normal(5, 0),
    "no elements, strided": normal(4, 6)[1:1, ::2],
    "one element": normal(1, 1, 1),
    "4-d": normal(3, 4, 5, 6),
    "fortran": np.asfortranarray(normal(40, 50)),
    "transposed": normal(7, 8, 9).transpose(2, 0, 1),
    "reversed axes": normal(7, 8, 9).T,
    "channels last": normal(3, 6, 5, 4).transpose(0, 3, 1, 2),
    "channels last, one channel": normal(3, 6, 5, 1).transpose(0, 3, 1, 2),
    "channels last, reversed": normal(3, 6, 5, 4)[:, ::-1].transpose(0, 3, 1, 2),
    "every other": normal(200)[::2],
    "reversed": normal(200)[::-1],
    "reversed rows": normal(20, 30)[::-1],
    "a corner": normal(30, 40)[3:20, 5:30],
    "broadcast": np.broadcast_to(normal(1, 70), (30, 70)),
    "misaligned": np.frombuffer(b"x" + normal(100).tobytes(), np.float32, offset=1),
    "byte-swapped": swapped(normal(100)),
    "byte-swapped and strided": swapped(normal(20, 30))[::2, ::-1],
    "subclass": normal(5, 20).view(Subclass),
    "overlapping windows": as_strided(normal(60), (50, 10), (4, 4)),
    "large and strided": standard(200_000)[::-2],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("layout", INPUTS)
def test_inputs(layout: str, name: str) -> None:
    w = INPUTS[layout]
    before = w.copy()
    plain = np.array(w, np.float32, order="C")
    result = CALLS[name](w)
    assert_same_bits(result, CALLS[name](plain))
    assert result.shape == w.shape
    read = codes_of(w, FMT) if name.startswith("dequantize") else w
    like = read if name in ELEMENTWISE and is_gapless(read) else plain
    assert result.strides == np.empty_like(like, result.dtype, order="K").strides
    assert result.flags.writeable
    assert type(result) is np.ndarray
    assert_same_bits(w, before)


PERMUTED = [(shape, order) for shape in [(9, 70), (4, 5, 6), (2, 3, 1, 5), (3, 2, 4, 5)]
            for order in permutations(range(len(shape)))]  # fmt: skip

# Arguments for which each element depends on its index, or an error names one.
BY_INDEX: dict[str, Callable[..., np.ndarray]] = {
    "stochastic": lambda w: sc.quantize(w, FMT, rounding="stochastic", seed=3),
    "stochastic floats": lambda w: sc.fake_quantize(w, FMT, rounding="stochastic", seed=3),
    "packed": lambda w: sc.quantize(w, FMT, packed=True),
    "topk": lambda w: sc.topk(w, 5).indices,
    "overflow": lambda w: sc.quantize(w * 9, FMT, overflow="raise"),
    "overflow of floats": lambda w: sc.fake_quantize(w * 9, FMT, overflow="raise"),
    "NaN": lambda w: sc.quantize(with_nan(w), FMT),
    "NaN and a threshold": lambda w: sc.prune(with_nan(w), threshold=0.5),
    "NaN and k": lambda w: sc.prune(with_nan(w), k=5),
    "NaN and a rank": lambda w: sc.kth_magnitude(with_nan(w), 5),
    "wrong bytes": lambda w: sc.dequantize(
        np.abs(w * 50).astype(np.uint8), FixedPoint(4, 0, signed=False)
    ),
    "factors": lambda w: sc.prune(w, threshold=0.5, factors=normal(w.shape[-1])),
    "factors of rows": lambda w: sc.prune_mask(w, threshold=1.5, factors=np.sin(w[..., :1])),
    "scores": lambda w: sc.prune(w, threshold=0.1, scores=np.sin(w)),
    "compare": lambda w: np.array(sc.compare(w, np.sin(w)).mse),
    "choose": lambda w: np.array(sc.choose_affine(w, method="mse").scale),
}


def with_nan(w: np.ndarray) -> np.ndarray:
    w = w.copy(order="K")
    w[(0,) * (w.ndim - 1) + (2,)] = np.nan
    w[(1,) + (0,) * (w.ndim - 1)] = np.nan
    return w


@pytest.mark.parametrize(("shape", "order"), PERMUTED)
@pytest.mark.parametrize("name", BY_INDEX)
def test_indices_are_of_c_order(name: str, shape: tuple[int, ...], order: tuple[int, ...]) -> None:
    plain = normal(*shape)
    w = in_memory_order(plain, order)
    try:
        expected = BY_INDEX[name](plain)
    except (ValueError, OverflowError) as error:
        with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
            BY_INDEX[name](w)
    else:
        assert_same_bits(BY_INDEX[name](w), expected)


# The sizes of the tiles in which matrices are transposed, and a part of one.
TRANSPOSED = [(256, 300), (1, 257), (513, 255), (3, 17, 300), (2, 260, 31), (70_000, 3)]


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("dtype", [*DTYPES.values(), np.dtype(np.int8), np.dtype(bool)])
@pytest.mark.parametrize("shape", TRANSPOSED)
def test_matrices_are_transposed(shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Arrays of other layouts are copied to C order, and results are copied back."""
    bits = np.random.default_rng(0).integers(0, 2, (*shape, dtype.itemsize), np.uint8)
    plain = np.ascontiguousarray(bits).view(dtype)[..., 0]
    order = [*range(len(shape) - 2), len(shape) - 1, len(shape) - 2]
    w = in_memory_order(plain, order)
    out = in_memory_order(np.zeros_like(plain), order)
    if dtype == bool:
        values = normal(*shape)
        assert_same_bits(sc.apply_mask(values, w), np.where(plain, values, np.float32(0)))
    elif dtype == np.int8:
        assert_same_bits(sc.pack_ints(w, 8), plain.ravel().view(np.uint8))
    else:
        k = plain.size // 2
        assert sc.prune(w, k=k, out=out) is out
        assert_same_bits(out, sc.prune(plain, k=k))


@pytest.mark.parametrize("layout", [name for name, w in INPUTS.items() if w.size])
def test_inputs_of_kth_magnitude(layout: str) -> None:
    w = INPUTS[layout]
    plain = np.array(w, np.float32, order="C")
    for k in (1, (w.size + 1) // 2, w.size):
        assert_same_bits(sc.kth_magnitude(w, k), np.sort(np.abs(plain), None)[w.size - k])


@pytest.mark.parametrize("layout", INPUTS)
def test_packed_masks_are_of_c_order(layout: str) -> None:
    w = INPUTS[layout]
    mask = sc.prune_mask(w, sparsity=0.5)
    expected = np.packbits(mask.ravel(), bitorder="little")
    assert_same_bits(sc.prune_mask(w, sparsity=0.5, packed=True), expected)


@pytest.mark.parametrize("as_bools", [True, False])
def test_masks_of_any_layout(as_bools: bool) -> None:
    w = normal(24, 40)
    mask = mask_of(w)
    expected = sc.apply_mask(w, mask)
    if as_bools:
        forms = [np.asfortranarray(mask), np.repeat(mask, 2, 1)[:, ::2], mask.tolist()]
        for form in forms:
            assert_same_bits(sc.apply_mask(w, form), expected)
        with_row = np.broadcast_to(mask[:1], w.shape)
        assert_same_bits(sc.apply_mask(w, with_row), sc.apply_mask(w, with_row.copy()))
    else:
        packed = np.packbits(mask, bitorder="little")
        for form in (packed[::-1].copy()[::-1], np.repeat(packed, 3)[::3]):
            assert_same_bits(sc.apply_mask(w, form), expected)


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("module", [sc, reference])
def test_arrays_of_other_libraries(module: Any, foreign: Any) -> None:
    w = normal(6, 8)
    codes = sc.quantize(w, FMT)
    calls: list[Callable[..., Any]] = [
        lambda x: module.prune(x(w), k=9),
        lambda x: module.prune(x(w), k=9, scores=x(np.sin(w))),
        lambda x: module.prune_mask(x(w), k=9, factors=x(w[0])),
        lambda x: module.topk(x(w), 3).indices,
        lambda x: module.soft_threshold(x(w), 0.5),
        lambda x: module.quantize(x(w), FMT),
        lambda x: module.dequantize(x(codes), FMT),
        lambda x: module.pack_ints(x(codes), 8),
        lambda x: np.array(module.kth_magnitude(x(w), 3)),
        lambda x: np.array(module.compare(x(w), x(w)).max_abs),
        lambda x: module.apply_mask(x(w), x(np.packbits(mask_of(w), bitorder="little"))),
    ]
    for call in calls:
        assert_same_bits(call(foreign), call(np.asarray))


def test_arrays_that_numpy_cannot_read() -> None:
    class Device:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            raise TypeError("on a device; use .cpu()")

    for name, call in {
        "w": lambda: sc.prune(Device(), k=1),
        "q": lambda: sc.dequantize(Device(), FMT),
        "scores": lambda: sc.prune(normal(3), k=1, scores=Device()),
        "chunk": lambda: sc.MagnitudeSketch(np.float32).update(Device()),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} must be .*, got Device: on a device"):
            call()


# --- out -------------------------------------------------------------------------------------


def outs(shape: tuple[int, ...], dtype: np.dtype) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return arrays of that shape, and the memory that contains each."""
    rows, columns = shape
    reversed_ = np.zeros((rows, columns), dtype)
    wide = np.zeros((rows, 2 * columns), dtype)
    framed = np.zeros((rows + 2, columns + 2), dtype)
    turned = np.zeros((columns, rows), dtype)
    loose = np.zeros(rows * columns * dtype.itemsize + 1, np.uint8)
    return {
        "fortran": (turned.T, turned),
        "reversed": (reversed_[::-1, ::-1], reversed_),
        "every other": (wide[:, ::2], wide),
        "framed": (framed[1:-1, 1:-1], framed),
        "misaligned": (loose[1:].view(dtype).reshape(shape), loose),
    }


@pytest.mark.parametrize("name", WITH_OUT)
@pytest.mark.parametrize("layout", outs((1, 1), np.dtype(np.int8)))
def test_outs(layout: str, name: str) -> None:
    w = normal(30, 50)
    expected = CALLS[name](w)
    out, buffer = outs(w.shape, expected.dtype)[layout]
    buffer[...] = 99
    untouched = buffer.copy()
    blank = out.copy()
    assert CALLS[name](w, out=out) is out
    assert_same_bits(out, expected)
    out[...] = blank
    assert_same_bits(buffer, untouched)  # elements outside `out` stay unmodified too


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("layout", outs((1, 1), np.dtype(np.float32)))
def test_in_place(layout: str, name: str) -> None:
    w, _ = outs((30, 50), np.dtype(np.float32))[layout]
    w[...] = normal(30, 50)
    expected = CALLS[name](w.copy())
    assert CALLS[name](w, out=w) is w
    assert_same_bits(w, expected)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_through_another_view(name: str) -> None:
    w = normal(30, 50)
    expected = CALLS[name](w)
    CALLS[name](w, out=w[:])
    assert_same_bits(w, expected)


@pytest.mark.parametrize("name", WITH_OUT)
def test_out_in_a_subclass_is_returned(name: str) -> None:
    w = normal(30, 50)
    expected = CALLS[name](w)
    out = np.zeros_like(expected).view(Subclass)
    assert CALLS[name](w, out=out) is out
    assert_same_bits(out, expected)


@pytest.mark.parametrize("name", WITH_OUT)
def test_neighbours_in_memory_are_not_overlapping(name: str) -> None:
    buffer = np.zeros(200, np.float32)
    w, rest = buffer[:100], buffer[100:]
    w[:] = normal(100)
    expected = CALLS[name](w)
    out = rest.view(expected.dtype)[:100]
    assert_same_bits(CALLS[name](w, out=out), expected)


@pytest.mark.parametrize("name", WITH_OUT)
@pytest.mark.parametrize("stride", [0, 1, 3, -8])
def test_the_stride_of_an_axis_of_length_one_is_of_no_account(name: str, stride: int) -> None:
    """An axis of length one may have any stride. NumPy gives a new axis the stride 0."""
    w = normal(1, 60)
    expected = CALLS[name](w)
    for step in (1, 2):  # contiguous and not contiguous
        memory = np.zeros(step * expected.size, expected.dtype)[::step]
        strides = (stride, *memory.strides)
        out = np.lib.stride_tricks.as_strided(memory, expected.shape, strides)
        assert CALLS[name](w, out=out) is out
        assert_same_bits(memory, expected.ravel())


@pytest.mark.parametrize("name", WITH_OUT)
def test_out_of_no_elements(name: str) -> None:
    w = normal(0, 3)
    out = np.zeros((0, 3), CALLS[name](w).dtype)
    assert CALLS[name](w, out=out) is out


# --- alignment -------------------------------------------------------------------------------

PAST_THE_CACHES = 300_000


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("name", WITH_OUT)
@pytest.mark.parametrize("n", [100, PAST_THE_CACHES])
def test_out_at_every_place_in_a_cache_line(n: int, name: str) -> None:
    w = standard(n)
    expected = CALLS[name](w)
    size = expected.itemsize
    for offset in [*range(18), 63 // size]:
        out = at_byte(offset * size, n, expected.dtype)
        assert out.ctypes.data % 64 == offset * size % 64
        assert_same_bits(CALLS[name](w, out=out), expected)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("name", CALLS)
def test_input_at_every_place_in_a_cache_line(name: str) -> None:
    for n in (100, PAST_THE_CACHES):
        w = standard(n)
        expected = CALLS[name](w)
        for offset in (0, 1, 2, 3, 4, 8, 31, 32, 60):
            moved = at_byte(offset, n, w.dtype)
            moved[:] = w
            assert_same_bits(CALLS[name](moved), expected)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_at_every_place_in_a_cache_line(name: str) -> None:
    w = standard(PAST_THE_CACHES)
    expected = CALLS[name](w)
    for offset in range(18):
        moved = at_byte(4 * offset, w.size, w.dtype)
        moved[:] = w
        CALLS[name](moved, out=moved)
        assert_same_bits(moved, expected)
