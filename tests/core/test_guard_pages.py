"""No call reads or writes outside its arrays.

Each array ends where an inaccessible page begins, or begins where one ends. An access to that page
kills the process, so each ISA runs in a separate process.
"""

import ctypes
import mmap
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, product

import numpy as np
import pytest

import secateur as sc
from support.arrays import DTYPES
from support.grids import subset
from support.oracles import assert_same_bits, masked
from support.processes import with_paths
from support.quantizing import ROUNDINGS, seed_of
from support.sampler import RUN, sample_size, starts
from support.sanitizers import SLOWDOWN, not_under_sanitizers

pytestmark = [
    pytest.mark.skipif(not hasattr(mmap, "MAP_ANONYMOUS"), reason="needs POSIX's mprotect"),
    not_under_sanitizers("a process would take an hour, on one thread", ("tsan",)),
]

# Around the lane counts, the word of 64, kBisectKeys, kBlock and kInCache, and sizes whose results
# bypass the caches.
SMALL = [*range(1, 20), 31, 32, 33, 47, 48, 49, 63, 64, 65, 79, 80, 81, 127, 128, 129, 191, 193]
LARGE = [1023, 1024, 1025, 1087, 1089, 16_383, 16_385, 65_536, 65_537, 131_073, 1_048_577]

PAGE = mmap.PAGESIZE
PATIENCE = 300 * SLOWDOWN  # seconds; only a process that hangs takes this long
NO_ACCESS = 0


class GuardedMemory:
    """Memory for one array at a time, between two inaccessible pages."""

    def __init__(self, most: int) -> None:
        self.size = -(-most // PAGE) * PAGE
        self.map = mmap.mmap(-1, self.size + 2 * PAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        libc = ctypes.CDLL(None, use_errno=True)
        for guard in (address, address + PAGE + self.size):
            if libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), NO_ACCESS) != 0:
                raise OSError(ctypes.get_errno(), "mprotect")

    def first(self, n: int, dtype: np.dtype) -> np.ndarray:
        return np.frombuffer(self.map, dtype, n, PAGE)

    def last(self, n: int, dtype: np.dtype) -> np.ndarray:
        return np.frombuffer(self.map, dtype, n, PAGE + self.size - n * dtype.itemsize)

    def both(self, values: np.ndarray) -> Iterator[np.ndarray]:
        """Yield an array of these values at the beginning of the memory, then one at its end."""
        for place in (self.first, self.last):
            array = place(values.size, values.dtype)
            array[...] = values
            yield array


@dataclass
class Case:
    call: Callable[..., np.ndarray]
    inputs: tuple[np.ndarray, ...]
    has_out: bool = True
    in_place: bool = False


def cases(n: int) -> Iterator[Case]:
    w = np.random.default_rng(n).standard_normal(n, dtype=np.float32)
    mask = w > 0
    k = (n + 1) // 2
    yield Case(partial(sc.kth_magnitude, k=k), (w,), has_out=False)
    for packed in (False, True):
        yield Case(partial(sc.prune_mask, k=k, packed=packed), (w,), has_out=False)
    for how in ({"k": k}, {"k": 0}, {"k": n}, {"threshold": 0.5}):
        yield Case(partial(sc.prune, **how), (w,), in_place=True)
    for form in (mask, np.packbits(mask, bitorder="little")):
        yield Case(sc.apply_mask, (w, form), in_place=True)
    for bits, signed in ((8, True), (8, False), (16, True), (16, False)):
        fmt = sc.FixedPoint(bits, 4, signed)
        yield Case(partial(sc.quantize, fmt=fmt), (w,))
        yield Case(partial(sc.prune_quantize, fmt=fmt, k=k), (w,))
        yield Case(partial(sc.dequantize, fmt=fmt), (sc.quantize(w, fmt),))
    yield Case(partial(sc.fake_quantize, fmt=fmt), (w,), in_place=True)
    for dtype in (np.float16, np.float64):
        v = w.astype(dtype)
        yield Case(partial(sc.kth_magnitude, k=k), (v,), has_out=False)
        yield Case(partial(sc.prune_mask, k=k), (v,), has_out=False)
        yield Case(partial(sc.prune, k=k), (v,), in_place=True)
        yield Case(sc.apply_mask, (v, mask), in_place=True)
    yield from packing_cases(n)
    yield from bitmask_cases(n)
    with_nan = w.copy()
    with_nan[[0, n - 1]] = np.nan
    yield Case(partial(sc.prune_mask, k=k, nan="keep"), (with_nan,), has_out=False)
    yield Case(partial(sc.quantize, fmt=fmt, nan="zero"), (with_nan,))


def packing_cases(n: int) -> Iterator[Case]:
    for bits in (1, 2, 4, 5, 7, 8):
        q = np.random.default_rng(n).integers(0, 1 << bits, n, dtype=np.uint8)
        how = {"bits": bits, "bitorder": "little" if n % 2 else "big"}
        yield Case(partial(sc.pack_ints, **how), (q,))
        yield Case(partial(sc.unpack_ints, shape=n, **how), (sc.pack_ints(q, **how),))
    for bits in (1, 9, 12, 15, 16):
        q = np.random.default_rng(n).integers(0, 1 << bits, n, dtype=np.uint16)
        how = {"bits": bits, "bitorder": "little" if n % 2 else "big"}
        yield Case(partial(sc.pack_ints, **how), (q,))
        unpack = partial(sc.unpack_ints, shape=n, dtype=np.uint16, **how)
        yield Case(unpack, (sc.pack_ints(q, **how),))
        how |= {"row_align": 8}
        columns = next(length for length in (7, 5, 3, 2, 1) if n % length == 0)
        shape = (n // columns, columns)
        packed = sc.pack_ints(q.reshape(shape), **how)
        yield Case(in_shapes(partial(sc.pack_ints, **how), shape, packed.shape), (q,))
        unpack = partial(sc.unpack_ints, shape=shape, dtype=np.uint16, **how)
        yield Case(in_shapes(unpack, packed.shape, shape), (packed.ravel(),))


def bitmask_cases(n: int) -> Iterator[Case]:
    """Yield cases whose arrays end with a stored element, and cases whose arrays begin with one."""
    random = np.random.default_rng(n)
    columns = next(length for length in (7, 5, 3, 2, 1) if n % length == 0)
    for dtype, shape in product(
        (np.uint8, np.uint16, np.float32, np.float64), ((n,), (n // columns, columns))
    ):
        w = (random.random(n) < 0.3).astype(dtype)
        w[[0, n - 1]] = 1
        sparse = sc.encode_bitmask(w.reshape(shape))

        def encode(w: np.ndarray, shape: tuple[int, ...] = shape) -> np.ndarray:
            return sc.encode_bitmask(w.reshape(shape)).values

        def encode_kept(
            w: np.ndarray, kept: np.ndarray, shape: tuple[int, ...] = shape
        ) -> np.ndarray:
            return sc.encode_bitmask(w.reshape(shape), kept.reshape(shape)).values

        def decode(
            bitmask: np.ndarray,
            values: np.ndarray,
            out: np.ndarray | None = None,
            like: sc.BitmaskArray = sparse,
        ) -> np.ndarray:
            given = sc.BitmaskArray(bitmask.reshape(like.bitmask.shape), values, like.shape)
            out = None if out is None else out.reshape(like.shape)
            return given.decode(out=out).ravel()

        yield from gaps_cases(sparse)
        yield Case(encode, (w,), has_out=False)
        yield Case(encode_kept, (w, w != 0), has_out=False)
        yield Case(decode, (sparse.bitmask.ravel(), sparse.values))


def gaps_cases(sparse: sc.BitmaskArray) -> Iterator[Case]:
    shape, bits = sparse.shape, sparse.bitmask
    gaps = sc._core.encode_gaps(bits, shape, sparse.values.size)

    def encode(bitmask: np.ndarray) -> np.ndarray:
        return sc._core.encode_gaps(bitmask.reshape(bits.shape), shape, sparse.values.size)

    def decode(gaps: np.ndarray) -> np.ndarray:
        return sc._core.decode_gaps(gaps, shape)[1].ravel()

    yield Case(encode, (bits.ravel(),), has_out=False)
    yield Case(decode, (gaps,), has_out=False)


def in_shapes(
    function: Callable[..., np.ndarray], shape: tuple[int, ...], out_shape: tuple[int, ...]
) -> Callable[..., np.ndarray]:
    """Return a function that reshapes its flat guarded array and its flat output before the call."""

    def call(w: np.ndarray, **out: np.ndarray) -> np.ndarray:
        shaped = {name: array.reshape(out_shape) for name, array in out.items()}
        return function(w.reshape(shape), **shaped).ravel()

    return call


def in_shape(
    function: Callable[..., np.ndarray], shape: tuple[int, ...], **how: object
) -> Callable[..., np.ndarray]:
    """Return a function that reshapes its flat guarded arrays before the call."""

    def call(w: np.ndarray, **out: np.ndarray) -> np.ndarray:
        shaped = {name: array.reshape(shape) for name, array in out.items()}
        return function(w.reshape(shape), **how, **shaped).ravel()

    return call


def more_cases(n: int) -> Iterator[Case]:
    """Yield cases of slices, scores, patterns, blocks, several arrays, thresholds and sketches."""
    w = np.random.default_rng(n).standard_normal(n, dtype=np.float32)
    x = w[::-1].copy()
    k = (n + 1) // 2
    yield Case(lambda w: sc.topk(w, k).values, (w,), has_out=False)
    yield Case(lambda w: sc.topk(w, k, sorted=True).indices, (w,), has_out=False)
    for dtype in DTYPES.values():
        of_dtype = w.astype(dtype), x.astype(dtype)
        yield Case(partial(remainder, k=k), of_dtype, has_out=False)
    yield Case(
        lambda w: np.concatenate(sc.prune_global([w, w[: n // 2]], k=k)), (w,), has_out=False
    )
    yield Case(
        lambda w: np.concatenate(sc.prune_global([w, w[: n // 2]], k=n, max_sparsity=0.5)),
        (w,),
        has_out=False,
    )
    yield Case(lambda w, x, **out: sc.prune(w, k=k, scores=x, **out), (w, x), in_place=True)
    yield Case(lambda w, x, **out: sc.prune(w, k=k, factors=x, **out), (w, x),
               in_place=True)  # fmt: skip
    widths = [m for m in (1, 2, 3, 4, 8, 16, 32) if n % m == 0]
    for m in {widths[-1], widths[len(widths) // 2]}:
        for shape in {(n // m, m), (m, n // m)}:
            for axis, length in enumerate(shape):
                how = {"k": (length + 1) // 2, "axis": axis}
                yield Case(in_shape(sc.prune, shape, **how), (w,), in_place=True)
                yield Case(in_shape(sc.kth_magnitude, shape, **how), (w,), has_out=False)
                yield Case(in_shape(indices_of_topk, shape, **how), (w,), has_out=False)
                yield Case(in_shape(chosen, shape, axis=axis), (w,), has_out=False)
                yield Case(in_shape(chosen, shape, axis=axis, group_size=5), (w,), has_out=False)
                yield Case(in_shape(chosen_codes, shape, axis=axis, group_size=5), (w,))
                yield Case(
                    lambda w, x, shape=shape, axis=axis: compared(
                        w.reshape(shape), x.reshape(shape), axis=axis
                    ),
                    (w, x),
                    has_out=False,
                )
            block = min(shape[0], 2), min(shape[1], 3)
            for norm in ("l1", "l2", "max"):
                how = {"sparsity": 0.5, "block": block, "norm": norm}
                yield Case(in_shape(sc.prune, shape, **how), (w,), in_place=True)
                yield Case(
                    lambda w, x, shape=shape, how=how: sc.prune(
                        w.reshape(shape), factors=x.reshape(shape), **how
                    ),
                    (w, x),
                    has_out=False,
                )
        for axis, shape in ((1, (n // m, m)), (0, (m, n // m))):
            for pattern in (f"{(m + 1) // 2}:{m}", "2:3"):
                how = {"pattern": pattern, "axis": axis, "remainder": "pad"}
                yield Case(in_shape(sc.prune, shape, **how), (w,), in_place=True)
    for dtype in (np.float16, np.float32, np.float64):
        v = w.astype(dtype)
        yield Case(partial(sc.soft_threshold, threshold=0.5), (v,), in_place=True)
        yield Case(sketched, (v,), has_out=False)
        yield Case(chosen, (v,), has_out=False)
        yield Case(chosen_codes, (v,))
        yield Case(compared, (v, x), has_out=False)


def remainder(w: np.ndarray, residual: np.ndarray, k: int) -> np.ndarray:
    before = residual.copy()
    sc.topk(w, k, residual=residual)
    rest = residual.copy()
    residual[...] = before  # each place of w is tried with the same residual
    return rest


def indices_of_topk(w: np.ndarray, **how: int) -> np.ndarray:
    return sc.topk(w, **how).indices


def chosen(w: np.ndarray, **how: int) -> np.ndarray:
    formats = [sc.choose_format(w, 6, method=m, **how).frac_bits for m in ("max", "mse")]
    return np.concatenate([np.ravel(x) for x in formats])


def chosen_codes(w: np.ndarray, out: np.ndarray | None = None, **how: int) -> np.ndarray:
    out = np.empty(w.shape, np.int8) if out is None else out
    sc.choose_affine(w, 6, quantized=out, **how)
    return out


def compared(w: np.ndarray, w_hat: np.ndarray, **how: int) -> np.ndarray:
    return np.stack(sc.compare(w, w_hat, fmt=sc.FixedPoint(4, 2), **how), axis=-1)


def sketched(w: np.ndarray) -> np.ndarray:
    """Return the bracket of the largest magnitude after two passes of a sketch."""
    sketch = sc.MagnitudeSketch(w.dtype)
    sketch.update(w)
    sketch = sketch.narrow(1)
    sketch.update(w)
    return np.array(sketch.bracket(1))


def quantizing_cases(n: int) -> Iterator[Case]:
    """Yield cases of every float type, of formats along axes and in groups, and of packed codes."""
    w = np.random.default_rng(n).standard_normal(n, dtype=np.float32)
    for number, dtype in enumerate(DTYPES.values()):
        v = w.astype(dtype)
        for bits in (5, 12, 32):
            fmt = sc.FixedPoint(bits, bits - 3)
            rounding = ROUNDINGS[(number + bits) % len(ROUNDINGS)]
            modes = {"fmt": fmt, "rounding": rounding, **seed_of(rounding)}
            yield Case(partial(sc.quantize, **modes), (v,))
            yield Case(partial(sc.prune_quantize, **modes, k=n // 2), (v,))
            yield Case(partial(sc.fake_quantize, **modes), (v,), in_place=True)
            yield Case(partial(sc.dequantize, fmt=fmt, dtype=dtype), (sc.quantize(v, fmt),))
        for bits, bitorder in ((3, "little"), (4, "little"), (4, "big")):
            fmt = sc.FixedPoint(bits, bits - 2)
            how = {"fmt": fmt, "bitorder": bitorder}
            yield Case(partial(sc.quantize, **how, packed=True), (v,))
            packed = sc.quantize(v, **how, packed=True)
            yield Case(partial(sc.dequantize, **how, dtype=dtype, shape=n), (packed,))
        for bits, to in ((8, 5), (16, 8), (32, 16), (64, 32)):
            source, target = sc.FixedPoint(bits, bits // 2), sc.FixedPoint(to, number)
            codes = np.arange(n).astype(source.dtype)
            modes = {"rounding": rounding, **seed_of(rounding)}
            convert = partial(sc.requantize, from_fmt=source, to_fmt=target, **modes)
            yield Case(convert, (codes,))
        for bits in (7, 12, 24, 40):
            source = sc.FixedPoint(bits, 3)
            codes = np.arange(n).astype(source.dtype) % 64
            for how in ({}, {"sign_extend": True}):
                convert = partial(sc.requantize, from_fmt=source, to_fmt=sc.FixedPoint(8, 1), **how)
                yield Case(convert, (codes,))
                if bits <= 32:
                    yield Case(partial(sc.dequantize, fmt=source, **how), (codes,))
        affine = sc.Affine(0.03, 3, bits=(8, 16, 32, 4)[number])
        yield Case(partial(sc.quantize, fmt=affine), (v,))
        yield Case(partial(sc.fake_quantize, fmt=affine, rounding="floor"), (v,), in_place=True)
        q = sc.quantize(v, affine)
        yield Case(partial(sc.dequantize, fmt=affine, dtype=dtype), (q,))
        yield Case(partial(sc.requantize, from_fmt=affine, to_fmt=sc.Affine(0.1)), (q,))
    widths = [m for m in (1, 3, 8, 32) if n % m == 0]
    for m in {widths[-1], widths[len(widths) // 2]}:
        for axis, shape in product((0, 1), {(n // m, m), (m, n // m)}):
            for size in (None, 5):
                groups = list(shape)
                groups[axis] = -(-shape[axis] // 5)
                fitting = groups if size else shape[axis]
                fmt = sc.FixedPoint(8, np.full(fitting, 4), axis=axis, group_size=size)
                yield Case(in_shape(sc.quantize, shape, fmt=fmt), (w,))
                yield Case(in_shape(sc.fake_quantize, shape, fmt=fmt), (w,), in_place=True)
                bits = np.full(fitting, 7)
                bits.flat[0] = 8
                of_widths = sc.FixedPoint(bits, 4, axis=axis, group_size=size)
                yield Case(in_shape(sc.quantize, shape, fmt=of_widths), (w,))
                q = sc.quantize(w.reshape(shape), fmt).ravel()
                yield Case(in_shape(sc.dequantize, shape, fmt=fmt), (q,))
                affine = sc.Affine(np.full(fitting, 0.03), axis=axis, group_size=size)
                yield Case(in_shape(sc.quantize, shape, fmt=affine), (w,))
                yield Case(in_shape(sc.dequantize, shape, fmt=affine), (q,))
        for shape in {(n // m, m), (m, n // m)}:
            blocks = sc.Affine(
                np.full((-(-shape[0] // 3), -(-shape[1] // 5)), 0.03), 1, group_size=(3, 5)
            )
            yield Case(in_shape(sc.quantize, shape, fmt=blocks), (w,))
            yield Case(in_shape(sc.fake_quantize, shape, fmt=blocks), (w,), in_place=True)
            q = sc.quantize(w.reshape(shape), blocks).ravel()
            yield Case(in_shape(sc.dequantize, shape, fmt=blocks), (q,))


def guarded(
    memories: list[GuardedMemory], arrays: tuple[np.ndarray, ...]
) -> Iterator[list[np.ndarray]]:
    """Yield the arrays in separate guarded memory, in all combinations of its two ends."""
    if not arrays:
        yield []
        return
    for first in memories[0].both(arrays[0]):
        for others in guarded(memories[1:], arrays[1:]):
            yield [first, *others]


def run(isa: str, sizes: list[int]) -> None:
    """Call every function with inputs and outputs in guarded memory."""
    sc._core.set_isa(isa)
    memories = [GuardedMemory(8 * max(sizes)) for _ in range(3)]
    makers = product((cases, more_cases, quantizing_cases), sizes)
    for case in chain.from_iterable(make(n) for make, n in makers):
        expected = case.call(*case.inputs)
        for inputs in guarded(memories, case.inputs):
            assert_same_bits(case.call(*inputs), expected)
            if case.has_out:
                for out in memories[2].both(np.zeros_like(expected)):
                    assert_same_bits(case.call(*inputs, out=out), expected)
            if case.in_place:
                assert_same_bits(case.call(*inputs, out=inputs[0]), expected)
                inputs[0][...] = case.inputs[0]
    print("done")


def touch(before: bool) -> None:
    """Access a byte outside the array."""
    memory = GuardedMemory(PAGE)
    array = (
        memory.first(8, np.dtype(np.float32)) if before else memory.last(8, np.dtype(np.float32))
    )
    print("touching", flush=True)
    ctypes.string_at(array.ctypes.data - 1 if before else array.ctypes.data + array.nbytes, 1)


def in_process(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "faulthandler", "-c", f"import {__name__} as t; {code}"]
    return subprocess.run(
        command, env=with_paths(), capture_output=True, text=True, check=False, timeout=PATIENCE
    )


@pytest.mark.timeout(310)
@pytest.mark.parametrize("name", sc.isas())
def test_nothing_beyond_is_touched(name: str) -> None:
    done = in_process(f"t.run({name!r}, {subset(SMALL, 12) + subset(LARGE, 3)})")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


@not_under_sanitizers("its runtime handles the signal")
@pytest.mark.parametrize("before", [True, False])
def test_the_pages_do_guard(before: bool) -> None:
    done = in_process(f"t.touch({before})")
    assert done.stdout == "touching\n"
    assert -done.returncode in (signal.SIGSEGV, signal.SIGBUS)


# --- Many small arrays together: a run of the sample may continue in the next array -----------

MEMBERS, LENGTH = 200, 401


def run_members(isa: str) -> None:
    """Place each member in separate guarded memory, all at the same end."""
    sc._core.set_isa(isa)
    n = MEMBERS * LENGTH
    w, x = np.random.default_rng(n).standard_normal((2, MEMBERS, LENGTH), dtype=np.float32)
    memories = [[GuardedMemory(PAGE) for _ in range(MEMBERS)] for _ in range(2)]
    for place in (GuardedMemory.first, GuardedMemory.last):
        arrays, scores = (
            [place(memory, LENGTH, np.dtype(np.float32)) for memory in each] for each in memories
        )
        for guarded_rows, rows in ((arrays, w), (scores, x)):
            for guarded_row, row in zip(guarded_rows, rows, strict=True):
                guarded_row[...] = row
        for k in (n // 10, n // 2):
            for how, keys in (
                ({}, np.abs(w)),
                ({"scores": scores}, x),
                ({"factors": scores}, np.abs(w * x)),
            ):
                kth = -np.sort(-keys.ravel())[k - 1]  # the keys are distinct
                pruned = sc.prune_global(arrays, k=k, **how)
                assert_same_bits(np.stack(pruned), masked(w, keys >= kth))
    print("done")


@pytest.mark.parametrize("name", sc.isas())
def test_nothing_beyond_members_is_touched(name: str) -> None:
    done = in_process(f"t.run_members({name!r})")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"


def test_runs_of_the_sample_go_on_in_the_next_member() -> None:
    places = starts(MEMBERS * LENGTH, sample_size(MEMBERS * LENGTH) // RUN, RUN, 0)
    assert np.count_nonzero(places % LENGTH > LENGTH - RUN) >= 5
