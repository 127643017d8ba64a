"""The package and its reference agree on arrays without elements or without axes."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import Affine, FixedPoint, reference
from support.arrays import DTYPES
from support.oracles import assert_same_bits

SHAPES: list[tuple[int, ...]] = [
    (), (0,), (1,), (3,), (0, 0), (3, 0), (0, 3), (1, 1), (2, 0, 3), (0, 2, 0), (1, 4, 1), (2, 3),
]  # fmt: skip
AXES = [None, 0, 1, -1, -2, 3]
FMT = FixedPoint(4, 2)
Call = Callable[[Any, np.ndarray], Any]


def ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def selections(w: np.ndarray) -> Iterator[dict[str, Any]]:
    for axis in AXES:
        for k in (0, 1, 2, w.size):
            yield {"k": k, "axis": axis}
        for sparsity in (0, 0.5, 1):
            yield {"sparsity": sparsity, "axis": axis}


def prunings(w: np.ndarray) -> Iterator[dict[str, Any]]:
    yield from selections(w)
    yield from ({"threshold": x} for x in (0, 0.5, math.inf))
    yield from ({"pattern": p, "axis": axis} for p in ("1:1", "1:2", "2:3") for axis in AXES)
    yield from ({"pattern": "2:3", "axis": axis, "remainder": "pad"} for axis in AXES)
    for block in ((1, 1), (2, 2), (1, 100), (0, 1)):
        for norm in (None, "l2", "max", "mean"):
            yield from ({"k": k, "block": block, "norm": norm} for k in (0, 1, 5))
            yield {"sparsity": 0.5, "block": block, "norm": norm}
            yield {"threshold": 0.5, "block": block, "norm": norm}
            yield {"k": 0, "block": block, "norm": norm, "factors": np.float32(2), "axis": -1}
    for shape in (w.shape, (1,), (1, 1), (0,), (), w.shape[-1:], (2,), (1, *w.shape)):
        for ranking in (
            {"scores": np.ones(shape, np.float32)},
            {"factors": np.ones(shape, np.float64)},
        ):
            yield {"k": 0, **ranking}
            yield {"sparsity": 0.5, "axis": -1, **ranking}
            yield {"threshold": 0.5, **ranking}


def frac_bits(shape: tuple[int, ...]) -> Iterator[FixedPoint]:
    yield FMT
    for axis in (0, 1, -1):
        for length in {0, 1, 3, *shape}:
            yield FixedPoint(4, np.zeros(length, int), axis=axis)
    for axis in range(max(len(shape), 1)):
        for group_size in (1, 2, 100, 2**62):
            lengths = list(shape) or [1]
            lengths[axis] = ceil_div(lengths[axis], group_size)
            yield FixedPoint(4, np.ones(lengths, int), axis=axis, group_size=group_size)


def affines(shape: tuple[int, ...]) -> Iterator[Affine]:
    yield Affine(0.5)
    yield Affine(np.float32(0.5), 3, bits=4)
    yield Affine(np.array(0.5), 2, bits=8, qmin=1, qmax=9)
    for fmt in frac_bits(shape):
        scale = np.ones(np.shape(fmt.frac_bits))
        for zero_point in (0, np.zeros(scale.shape, np.int8), 2):
            yield Affine(scale, zero_point, bits=4, axis=fmt.axis, group_size=fmt.group_size)
    for block in ((1, 1), (2, 3), (2**62, 2**62)):
        lengths = list(shape) if len(shape) > 1 else [1, 1]
        lengths[-2:] = [ceil_div(n, size) for n, size in zip(lengths[-2:], block, strict=True)]
        yield Affine(np.ones(lengths), bits=4, group_size=block)


def packed(shape: tuple[int, ...], bits: int) -> np.ndarray:
    return np.zeros(ceil_div(math.prod(shape) * bits, 8), np.uint8)


def choosings() -> Iterator[dict[str, Any]]:
    for axis in AXES:
        for size in (None, 1, 2, 100, 2**62):
            for method in ("max", "percentile", "mse"):
                yield {"axis": axis, "size": size, "method": method}


def calls(w: np.ndarray) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Yield calls of every function, with arguments that fit the array and with others."""
    n, shape = w.size, w.shape
    for axis in AXES:
        for k in (0, 1, 2, n):
            yield "kth_magnitude", lambda lib, k=k, a=axis: lib.kth_magnitude(w, k, axis=a)
            for by in (False, True):
                yield "topk", lambda lib, k=k, a=axis, by=by: lib.topk(w, k, axis=a, sorted=by)
            yield (
                "topk",
                lambda lib, k=k, a=axis: lib.topk(w[...], k, axis=a, residual=w.copy(), nan="keep"),
            )
    for how in prunings(w):
        yield "prune", lambda lib, how=how: lib.prune(w, **how)
        for bits in (False, True):
            yield "prune_mask", lambda lib, how=how, b=bits: lib.prune_mask(w, **how, packed=b)
        yield (
            "prune_mask",
            lambda lib, how=how: lib.prune_mask(w, **how, packed=True, row_align=8),
        )
    for many in ([w], [w, w], {"a": w, "b": np.float64([1, 2])}, [], {}, (w,)):
        for how in ({"k": 0}, {"k": n}, {"k": 2}, {"sparsity": 0.5}):
            yield "prune_global", lambda lib, m=many, how=how: lib.prune_global(m, **how)
            yield "prune_mask_global", lambda lib, m=many, how=how: lib.prune_mask_global(m, **how)
            more = {**how, "max_sparsity": 0.75}
            yield "prune_global", lambda lib, m=many, how=more: lib.prune_global(m, **how)
            more = {**how, "block": (1, 2)}
            yield "prune_global", lambda lib, m=many, how=more: lib.prune_global(m, **how)
    for mask in (np.ones(shape, bool), np.ones((), bool), packed(shape, 1), np.ones(0, bool),
                 np.ones(0, np.uint8), np.uint8(0), True, np.ones(1, bool)):  # fmt: skip
        yield "apply_mask", lambda lib, m=mask: lib.apply_mask(w, m)
    rows = np.zeros((*shape[:-1], -(-shape[-1] // 8)), np.uint8) if shape else packed(shape, 1)
    yield "apply_mask", lambda lib: lib.apply_mask(w, rows, row_align=8)
    yield "soft_threshold", lambda lib: lib.soft_threshold(w, 0.5)
    for fmt in [*frac_bits(shape), *affines(shape)]:
        for bits in (False, True):
            yield "quantize", lambda lib, f=fmt, b=bits: lib.quantize(w, f, packed=b)
            yield (
                "prune_quantize",
                lambda lib, f=fmt, b=bits: lib.prune_quantize(w, f, k=n // 2, packed=b),
            )
        yield "fake_quantize", lambda lib, f=fmt: lib.fake_quantize(w, f)
        yield "requantize", lambda lib, f=fmt: lib.requantize(np.ones(shape, np.int8), f, f)
        yield "dequantize", lambda lib, f=fmt: lib.dequantize(np.ones(shape, np.int8), f)
        for q in (packed(shape, 4), np.zeros(0, np.uint8), np.zeros((), np.uint8)):
            yield "dequantize", lambda lib, f=fmt, q=q: lib.dequantize(q, f, shape=shape)
        for axis in AXES:
            yield "compare", lambda lib, f=fmt, a=axis: lib.compare(w, w, fmt=f, axis=a)
    for axis in AXES:
        yield "compare", lambda lib, a=axis: lib.compare(w, w, axis=a)
    yield "compare", lambda lib: lib.compare(w, np.zeros((0, 5), np.float32))
    for how in choosings():
        size = how.pop("size")
        yield (
            "choose_format",
            lambda lib, how=how, s=size: lib.choose_format(w, 8, **how, group_size=s),
        )
        yield (
            "choose_affine",
            lambda lib, how=how, s=size: lib.choose_affine(
                w, signed=False, **how, group_size=s, quantized=np.zeros(shape, np.uint8)
            ),
        )
    for bits in (1, 4, 8):
        yield "pack_ints", lambda lib, b=bits: lib.pack_ints(np.zeros(shape, np.int8), b)
        for align in (8, 32):
            yield (
                "pack_ints",
                lambda lib, b=bits, a=align: lib.pack_ints(
                    np.zeros(shape, np.int16), b, row_align=a
                ),
            )
            yield "unpack_ints", lambda lib, b=bits, a=align: unpacked_rows(lib, shape, b, a)
        for count in (0, 1, n, n + 1):
            yield (
                "unpack_ints",
                lambda lib, b=bits, c=count: lib.unpack_ints(packed(shape, b), b, c),
            )
    for name in ("MagnitudeSketch", "sparsity_schedule"):
        yield name, {"MagnitudeSketch": sketched, "sparsity_schedule": scheduled}[name](w)


def unpacked_rows(lib: Any, shape: tuple[int, ...], bits: int, row_align: int) -> np.ndarray:
    packed = reference.pack_ints(np.zeros(shape, np.int8), bits, row_align=row_align)
    return lib.unpack_ints(packed, bits, shape, row_align=row_align)


def sketched(w: np.ndarray) -> Callable[[Any], Any]:
    def call(lib: Any) -> Any:
        sketch = lib.MagnitudeSketch(w.dtype)
        sketch.update(w)
        return sketch.n, sketch.bracket(1), sketch.count_above(1), sketch.narrow(1).n

    return call


def scheduled(w: np.ndarray) -> Callable[[Any], Any]:
    steps = w if w.dtype != DTYPES["bfloat16"] else w.astype(np.float64)
    return lambda lib: lib.sparsity_schedule(steps, begin=-1, end=1, final=0.5)


def outcome(call: Callable[[Any], Any], lib: Any) -> Any:
    try:
        return call(lib)
    except (TypeError, ValueError, OverflowError) as error:
        return error


def assert_same(actual: Any, expected: Any) -> None:
    assert type(actual) is type(expected), (actual, expected)
    if isinstance(expected, Exception):
        return  # if several arguments are wrong, the two may name different ones
    if isinstance(expected, (np.ndarray, np.generic)):
        assert_same_bits(np.asarray(actual), np.asarray(expected))
        assert actual.shape == expected.shape
    elif isinstance(expected, dict):
        assert_same([*actual.items()], [*expected.items()])
    elif isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b)
    elif isinstance(expected, float):
        assert_same_bits(np.array(actual), np.array(expected))
    else:
        assert actual == expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_package_and_the_reference_agree(shape: tuple[int, ...], dtype: str) -> None:
    w = (np.arange(math.prod(shape)) - 1.5).reshape(shape).astype(DTYPES[dtype])
    wrong = []
    for name, call in calls(w):
        expected, actual = outcome(call, reference), outcome(call, sc)
        try:
            assert_same(actual, expected)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(dict.fromkeys(wrong))
