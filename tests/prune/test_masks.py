"""prune_mask, prune_mask_global and apply_mask: masks of every selection, as bools and as bits."""

from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.arrays import DTYPES, LANES, LARGE, generator, normal, of_type
from support.isas import LIBRARIES, library
from support.oracles import assert_same_bits, bits_of, masked
from support.raw_bits import POLICIES, floats
from support.refusals import assert_refuses


def marked(lib: Any, w: np.ndarray, **how: Any) -> np.ndarray:
    """Return the mask of the elements that prune keeps, kept zeros included.

    It prunes an array of ones with the magnitudes as scores.
    """
    ones = np.ones(w.shape, np.float32)
    if not {"scores", "factors"} & {*how}:
        how["scores"] = np.abs(w)
    return np.asarray(lib.prune(ones, **how) == 1)


def check(lib: Any, w: np.ndarray, mask: np.ndarray, **how: Any) -> None:
    """Check all forms of a mask, and that prune applies the same mask."""
    assert_same_bits(lib.prune_mask(w, **how), mask)
    for bitorder in ("little", "big"):
        packed = lib.prune_mask(w, packed=True, bitorder=bitorder, **how)
        assert_same_bits(packed, np.packbits(mask, bitorder=bitorder))
        applied = lib.apply_mask(w, packed, bitorder=bitorder)
        assert_same_bits(applied, lib.prune(w, **how))
        rows = lib.prune_mask(w, packed=True, row_align=8, bitorder=bitorder, **how)
        assert_same_bits(rows, np.packbits(mask, axis=-1, bitorder=bitorder))
        applied = lib.apply_mask(w, rows, row_align=8, bitorder=bitorder)
        assert_same_bits(applied, lib.prune(w, **how))
    assert_same_bits(lib.apply_mask(w, mask), lib.prune(w, **how))


def with_zeros(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Return an array of which half are zeros of both signs, so that some zeros are kept."""
    n = int(np.prod(shape))
    w = np.array(of_type("coarse grid", n, dtype))
    w[generator(n + 5).permutation(n)[::2]] *= 0
    return w.reshape(shape)


def selections(w: np.ndarray) -> Iterator[dict[str, Any]]:
    x = normal(*w.shape)
    yield {"k": w.size // 4}
    yield {"k": w.size - w.size // 8}
    yield {"sparsity": 1.0}
    yield {"threshold": 0.5}
    yield {"k": w.size // 2, "scores": x}
    yield {"threshold": -0.5, "scores": x}
    for axis in range(w.ndim):
        length = w.shape[axis]
        yield {"k": length - length // 3, "axis": axis}
        yield {"k": length // 2, "axis": axis, "scores": x}
        for m in (m for m in (2, 3, 4, 5, 8, 20, 32) if length % m == 0):
            yield {"pattern": f"{(m + 1) // 2}:{m}", "axis": axis}
            yield {"pattern": f"1:{m}", "axis": axis, "scores": x}


SHAPES = [(1,), (7,), (64,), (65,), (1000,), (3, 4), (8, 8), (5, 24), (24, 5), (2, 3, 40), (60, 7, 9),
          (64, 300), (300, 64)]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_selection(lib: Any, shape: tuple[int, ...], dtype: str) -> None:
    w = with_zeros(*shape, dtype=dtype)
    for how in selections(w):
        check(lib, w, marked(lib, w, **how), **how)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block", [(1, 1), (1, 7), (3, 1), (2, 3), (4, 4), (8, 40)], ids=str)
def test_blocks(lib: Any, block: tuple[int, int], dtype: str) -> None:
    w = with_zeros(3, 21, 40, dtype=dtype)
    for how in ({"k": 5}, {"sparsity": 0.3}, {"sparsity": 0.7, "norm": "max"}, {"threshold": 1.5}):
        mask = np.repeat(np.repeat(kept_blocks(lib, w, block, **how), block[0], -2), block[1], -1)
        check(lib, w, mask[:, :21, :40], block=block, **how)


def kept_blocks(lib: Any, w: np.ndarray, block: tuple[int, int], **how: Any) -> np.ndarray:
    """Return the mask of the blocks that prune keeps. It prunes an array of their norms."""
    r, c = block
    rows, columns = -(-w.shape[-2] // r), -(-w.shape[-1] // c)
    padded = np.zeros((*w.shape[:-2], rows * r, columns * c))
    padded[..., : w.shape[-2], : w.shape[-1]] = np.abs(w.astype(np.float64))
    in_blocks = padded.reshape(*w.shape[:-2], rows, r, columns, c)
    largest = how.pop("norm", None) == "max"
    norms = in_blocks.max((-3, -1)) if largest else in_blocks.sum((-3, -1))
    return marked(lib, norms, **how)


def test_kept_zeros_are_in_the_mask(lib: Any) -> None:
    w = np.float32([[0, -0.0], [3, 0]])
    assert np.array_equal(lib.prune_mask(w, k=3), [[1, 1], [1, 0]])
    assert np.array_equal(lib.prune_mask(w, pattern="1:2"), [[1, 0], [1, 0]])
    assert np.array_equal(lib.prune_mask(w, k=1, axis=0), [[0, 1], [1, 0]])
    assert np.array_equal(lib.prune_mask(w, k=2, block=(2, 1)), [[1, 1], [1, 1]])
    assert np.array_equal(lib.prune_mask(w, k=1, block=(1, 2)), [[0, 0], [1, 1]])
    assert np.array_equal(lib.prune_mask(w, threshold=0), [[0, 0], [1, 0]])


@pytest.mark.parametrize("nan", POLICIES)
def test_nan(lib: Any, nan: str) -> None:
    w = np.float32([1, np.nan, -2, 0, 3, -np.nan, 5, 0])
    for how in ({"k": 3}, {"threshold": 2}, {"pattern": "2:4"}, {"k": 2, "axis": 0}):
        if nan == "raise":
            words = ["w has 2 NaN, the first at flat index 1"]
            assert_refuses(ValueError, words, lib.prune_mask, w, **how)
            continue
        mask = lib.prune_mask(w, nan=nan, **how)
        assert_same_bits(masked(w, mask), lib.prune(w, nan=nan, **how))
    words = ["w has 2 NaN, the first at flat index 1"]
    assert_refuses(ValueError, words, lib.prune_mask, w.reshape(2, 4), k=1, block=(1, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=24))
    w = data.draw(floats(dtype, shape))
    nan = data.draw(st.sampled_from(["keep", "prune"]))
    how: dict[str, Any] = data.draw(st.sampled_from([
        {"k": w.size // 2}, {"threshold": 1.0}, {"k": shape[-1] // 2, "axis": -1},
        {"k": (shape[0] + 1) // 2, "axis": 0}, {"pattern": f"1:{min(shape[-1], 32)}"},
    ]))  # fmt: skip
    if "pattern" in how and shape[-1] % min(shape[-1], 32):
        return
    for name in LIBRARIES:
        with library(name) as lib:
            mask = lib.prune_mask(w, nan=nan, **how)
            # Removed elements are +0.0, kept ones keep their bits.
            assert_same_bits(lib.prune(w, nan=nan, **how), masked(w, mask))
            if "k" in how:
                assert np.count_nonzero(mask) == how["k"] * (
                    w.size // shape[how["axis"]] if "axis" in how else 1
                )
            packed = lib.prune_mask(w, nan=nan, packed=True, **how)
            assert_same_bits(packed, np.packbits(mask, bitorder="little"))


def test_from_memory(lib_on_threads: Any) -> None:
    """Large arrays bypass the caches. Their masks have bits of many blocks and several threads."""
    lib = lib_on_threads
    w = normal(LARGE)
    matrix = w[: LARGE // 384 * 384].reshape(-1, 384)
    for array, how in (
        (w, {"k": LARGE // 10}),
        (w, {"threshold": 1.0}),
        (matrix, {"pattern": "2:4"}),
        (matrix.T.copy(), {"pattern": "1:3", "axis": 0}),
        (matrix, {"k": 100, "axis": 1}),
        (matrix, {"sparsity": 0.5, "block": (3, 5)}),
    ):
        mask = lib.prune_mask(array, **how)
        assert_same_bits(lib.prune(array, **how), masked(array, mask))
        for bitorder in ("little", "big"):
            packed = lib.prune_mask(array, packed=True, bitorder=bitorder, **how)
            assert_same_bits(packed, np.packbits(mask, bitorder=bitorder))
            assert_same_bits(lib.apply_mask(array, packed, bitorder=bitorder), masked(array, mask))


def test_big_masks_applied_anywhere(lib: Any) -> None:
    """Masks apply to arrays of any size and offset in a cache line, in place too."""
    buffer = np.empty(LARGE + 16, np.float32)
    for n in [*LANES, 16384, 16397, 70_001]:
        w, mask = normal(n), generator(n).random(n) < 0.4
        packed = np.packbits(mask)
        for offset in (0, 1, 3, 15):
            out = buffer[offset : offset + n]
            assert lib.apply_mask(w, packed, bitorder="big", out=out) is out
            assert_same_bits(out, masked(w, mask))
            out[...] = w
            lib.apply_mask(out, packed, bitorder="big", out=out)
            assert_same_bits(out, masked(w, mask))


def test_bits_beyond_the_array_are_ignored(lib: Any) -> None:
    w = normal(3)
    rows = np.uint8([[0b01010101], [0b10111010]])
    kept = masked(np.stack([w, w]), [[True, False, True], [False, True, False]])
    assert_same_bits(lib.apply_mask(np.stack([w, w]), rows, row_align=8), kept)
    assert_same_bits(lib.apply_mask(w, np.uint8([0b01010101])), masked(w, [True, False, True]))
    assert_same_bits(lib.apply_mask(w, np.uint8([0b10111111]), bitorder="big"),
                     masked(w, [True, False, True]))  # fmt: skip


def test_bools_take_no_notice_of_the_bitorder(lib: Any) -> None:
    w = normal(9)
    mask = lib.prune_mask(w, k=4)
    assert_same_bits(lib.prune_mask(w, k=4, bitorder="big"), mask)
    assert_same_bits(lib.apply_mask(w, mask, bitorder="big"), lib.prune(w, k=4))


def test_empty(lib: Any) -> None:
    for shape in ((0,), (0, 4), (4, 0), (2, 0, 3)):
        w = normal(*shape)
        for how in ({"k": 0}, {"threshold": 1}, {"k": 0, "axis": 0}, {"pattern": "1:1"}):
            assert_same_bits(lib.prune_mask(w, **how), np.zeros(shape, np.bool_))
            assert_same_bits(lib.prune_mask(w, packed=True, **how), np.zeros(0, np.uint8))
            rows = np.zeros((*shape[:-1], -(-shape[-1] // 8)), np.uint8)
            assert_same_bits(lib.prune_mask(w, packed=True, row_align=8, **how), rows)
            assert_same_bits(lib.apply_mask(w, rows, row_align=8), w)
    assert_same_bits(lib.prune_mask(normal(0, 4), k=0, block=(1, 1)), np.zeros((0, 4), np.bool_))


Pair = namedtuple("Pair", ["first", "second"])


def test_containers_keep_their_kind(lib: Any) -> None:
    a, b = normal(5), normal(2, 9)
    masks = [np.abs(w) > 0.9 for w in (a, b)]
    k = sum(np.count_nonzero(mask) for mask in masks)
    for arrays in ({"a": a, "b": b}, [a, b], (a, b), Pair(a, b)):
        made = lib.prune_mask_global(arrays, k=k)
        assert type(made) is type(arrays)
        members = made.values() if isinstance(made, dict) else made
        for mask, wanted in zip(members, masks, strict=True):
            assert_same_bits(mask, wanted)


@pytest.mark.parametrize("name", ["prune_mask", "prune_mask_global", "apply_mask"])
def test_refused(lib: Any, name: str) -> None:
    w = normal(12)
    call, first, how = {
        "prune_mask": (lib.prune_mask, (w,), {"k": 3}),
        "prune_mask_global": (lib.prune_mask_global, ([w, w],), {"k": 3}),
        "apply_mask": (lib.apply_mask, (w, w > 0), {}),
    }[name]
    for bitorder in ("low_first", "Little", "", None, 0):
        words = ["bitorder must be 'little' or 'big'", repr(bitorder)]
        assert_refuses(ValueError, words, call, *first, **how, bitorder=bitorder)
    if name != "apply_mask":
        for packed in (1, None, "little"):
            words = ["packed must be a bool", repr(packed)]
            assert_refuses(TypeError, words, call, *first, **how, packed=packed)
        how["packed"] = True
        words = ["row_align must be None unless packed is True", "got 8"]
        assert_refuses(ValueError, words, call, *first, k=3, row_align=8)
        of_one = [np.float32(1)] if name == "prune_mask_global" else np.float32(1)
        words = ["must have an axis", "got shape ()", "without row_align"]
        assert_refuses(ValueError, words, call, of_one, k=1, packed=True, row_align=8)
        assert_refuses(ValueError, ["exactly one of k, sparsity"], call, *first)
        assert_refuses(TypeError, ["unexpected keyword"], call, *first, **how, out=w)
    assert_refuses(ValueError, ["None or 8", "32"], call, *first, **how, row_align=32)
    assert_refuses(TypeError, ["row_align must be"], call, *first, **how, row_align="8")


def test_masks_of_rows_that_do_not_fit(lib: Any) -> None:
    w = normal(3, 10)
    words = ["row_align must be None for a mask of bool", "got 8"]
    assert_refuses(ValueError, words, lib.apply_mask, w, w > 0, row_align=8)
    for shape in ((4,), (3, 1), (2, 2), (6,)):
        words = ["mask must", "(3, 2)", str(shape)]
        mask = np.zeros(shape, np.uint8)
        assert_refuses(ValueError, words, lib.apply_mask, w, mask, row_align=8)
    words = ["mask must", "(4,)", "(3, 2)"]
    assert_refuses(ValueError, words, lib.apply_mask, w, np.zeros((3, 2), np.uint8))
    words = ["must have an axis", "got shape ()"]
    assert_refuses(ValueError, words, lib.apply_mask, w[0, 0], np.zeros(1, np.uint8), row_align=8)
    mask = np.zeros((3, 2), np.uint8)
    out = mask.view(np.uint8)
    assert_refuses(
        TypeError, ["out must be float32"], lib.apply_mask, w, mask, row_align=8, out=out
    )


def test_masks_of_rows_of_other_memory_layouts(lib: Any) -> None:
    w = normal(9, 13)
    for array in (np.asfortranarray(w), w[::-1, ::2], w.T):
        mask = np.abs(array) > 0.5
        rows = np.packbits(mask, axis=-1, bitorder="little")
        actual = lib.prune_mask(array, threshold=0.5, packed=True, row_align=8)
        assert_same_bits(actual, rows)
        strided = np.asfortranarray(np.repeat(rows, 2, axis=1))[:, ::2]
        assert_same_bits(lib.apply_mask(array, strided, row_align=8), masked(array, mask))


def test_bits_have_the_order_of_c(lib: Any) -> None:
    w = np.asfortranarray(normal(9, 13))
    for how in ({"k": 50}, {"k": 4, "axis": 0}, {"threshold": 0.3}, {"pattern": "1:3", "axis": 0}):
        mask = lib.prune_mask(w, **how)
        assert_same_bits(lib.prune_mask(np.ascontiguousarray(w), **how), mask)
        assert_same_bits(
            lib.prune_mask(w, packed=True, bitorder="big", **how), np.packbits(mask.ravel())
        )
    assert bits_of(lib.prune(w, k=50)).any()
