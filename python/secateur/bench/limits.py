"""What the time of a call is compared with: memory limits, other calls, other data, one thread."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import secateur as sc
from secateur import reference
from secateur.bench import operations
from secateur.bench.data import DISTRIBUTIONS, Inputs, normal
from secateur.bench.operations import PRUNE, bind_prune
from secateur.bench.timing import Comparison, Contender

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import DTypeLike, NDArray

    from secateur.bench.operations import Operation
    from secateur.literals import RowAlign

    Array = NDArray[Any]


def memory_limit(name: str, w: Array) -> Contender:
    """Return a call at memory speed: to read an array, copy it, or copy it to new memory."""
    calls: dict[str, Callable[[], object]] = {
        # NumPy compares 16-bit floats one by one; the max of their bits runs at memory speed.
        "read": (w if w.itemsize > 2 else w.view(np.int16)).max,
        "copy": partial(np.copyto, np.empty_like(w), w),
        "fresh copy": w.copy,
    }
    return Contender(calls[name])


def against_memory(
    operation: Operation, n: int, kept: float, limit: str, dtype: DTypeLike = np.float32
) -> Comparison:
    """Compare an operation with a memory limit of the same array, and with PyTorch."""
    inputs = Inputs(normal(n).astype(dtype, copy=False), kept)
    contenders = operation.contenders(inputs)
    return Comparison(*contenders, memory_limit(limit, inputs.w), peers=operation.peers(inputs))


def against_two_reads(operation: Operation, n: int) -> Comparison:
    """Compare an operation on the data and its approximation with reading both."""
    inputs = Inputs(normal(n))
    return Comparison(*operation.contenders(inputs), _reads(inputs.w, inputs.approximation))


def against_plain_prune(operation: Operation, n: int) -> Comparison:
    """Compare pruning by factors with pruning of the same data by magnitude."""
    inputs = Inputs(normal(n))
    return Comparison(*operation.contenders(inputs), PRUNE.contenders(inputs)[0])


def against_normal_data(operation: Operation, n: int, distribution: str) -> Comparison:
    """Compare a call on data of another distribution or order with the same call on normal data."""
    on_normal = operation.contenders(Inputs(normal(n)))[0]
    return Comparison(
        *operation.contenders(Inputs(DISTRIBUTIONS[distribution](normal(n)))), on_normal
    )


def against_nothing(operation: Operation, n: int) -> Comparison:
    """Compare an operation with NumPy only."""
    return Comparison(*operation.contenders(Inputs(normal(n), 0.5)))


def prune_in_place(n: int, kept: float) -> Comparison:
    """Compare pruning in place with reading `w` and then negating it in place.

    Before each call of any contender, `w` is restored. So all find the same data and the same state
    of the caches.
    """
    inputs = Inputs(normal(n).copy(), kept)
    restore = partial(np.copyto, inputs.w, normal(n))
    ours, numpy = (bind_prune(library, inputs, out=inputs.w) for library in (sc, reference))

    def read_and_negate() -> None:
        inputs.w.max()
        np.negative(inputs.w, out=inputs.w)

    return Comparison(
        Contender(ours, restore),
        Contender(numpy, restore, every=7),
        Contender(read_and_negate, restore),
    )


def prune_in_place_again(n: int, kept: float) -> Comparison:
    """Compare pruning in place of an array that is already pruned with reading it twice."""
    pruned = sc.prune(normal(n), k=round(kept * n))
    # Each has its own array, so that a change by one would show in its result alone.
    ours, numpy = (
        bind_prune(library, Inputs(w, kept), out=w)
        for library, w in ((sc, pruned), (reference, pruned.copy()))
    )
    return Comparison(Contender(ours), Contender(numpy, every=7), _reads(pruned, pruned))


def topk_against_argpartition(operation: Operation, rows: int) -> Comparison:
    """Compare `topk` of many short rows with `np.argpartition`, and with PyTorch."""
    columns, k = operations.ROW, operations.KEPT_OF_ROW
    inputs = Inputs(normal(rows * columns).reshape(rows, columns))

    def partition() -> tuple[Array, Array]:
        indices = np.argpartition(np.abs(inputs.w), columns - k, axis=1)[:, columns - k :]
        return np.take_along_axis(inputs.w, indices, axis=1), indices

    contenders = operation.contenders(inputs)
    return Comparison(*contenders, Contender(partition), peers=operation.peers(inputs))


def topk_with_residual_against_add(n: int, kept: float) -> Comparison:
    """Compare `topk` with a residual with adding the array to the residual in place.

    Before each call of any contender, the residual is restored.
    """
    inputs = Inputs(normal(n), kept)
    residual = np.empty_like(inputs.w)
    restore = partial(np.copyto, residual, inputs.w[::-1])
    ours, numpy = (
        operations.bind_topk_with_residual(library, inputs, residual) for library in (sc, reference)
    )
    return Comparison(
        Contender(ours, restore),
        Contender(numpy, restore, every=21),
        Contender(partial(np.add, residual, inputs.w, out=residual), restore),
    )


def prune_global_against_copies(shapes: Sequence[tuple[int, ...]], **options: Any) -> Comparison:
    """Compare global pruning of arrays, with options, with copies of all of them."""
    sizes = [math.prod(shape) for shape in shapes]
    parts = np.split(normal(sum(sizes)), np.cumsum(sizes)[:-1])
    # As in initialized layers, the standard deviation is 1 / sqrt(number of inputs).
    arrays = [
        part.reshape(shape) / np.float32(math.sqrt(shape[-1]))
        for part, shape in zip(parts, shapes, strict=True)
    ]
    ours, numpy, copies = ([np.empty_like(w) for w in arrays] for _ in range(3))

    def copy() -> None:
        for out, w in zip(copies, arrays, strict=True):
            np.copyto(out, w)

    return Comparison(
        Contender(partial(sc.prune_global, arrays, sparsity=0.9, out=ours, **options)),
        Contender(
            partial(reference.prune_global, arrays, sparsity=0.9, out=numpy, **options), every=21
        ),
        Contender(copy),
    )


def packing_against_copy(name: str, bits: int, columns: int | None, n: int) -> Comparison:
    """Compare packing or unpacking of integers with a copy of the unpacked integers.

    With `columns`, the integers are a matrix whose rows are padded to a multiple of 32 bits.
    """
    shape = (n,) if columns is None else (n // columns, columns)
    row_align: RowAlign | None = None if columns is None else 32
    dtype = np.uint8 if bits <= 8 else np.uint16
    q = np.random.default_rng(5).integers(0, 1 << bits, shape, dtype=dtype)
    packed = sc.pack_ints(q, bits, row_align=row_align)

    def contender(library: Any, every: int = 1) -> Contender:
        if name == "pack_ints":
            call = partial(library.pack_ints, q, bits, out=np.empty_like(packed))
        else:
            out = np.empty_like(q)
            call = partial(library.unpack_ints, packed, bits, shape, signed=False, out=out)
        return Contender(partial(call, row_align=row_align), every=every)

    return Comparison(contender(sc), contender(reference, 21), memory_limit("copy", q))


def bitmask_against_copy(name: str, n: int) -> Comparison:
    """Compare encoding or decoding of an array of 90 % zeros with a copy of the array.

    Encoding returns new arrays, and is compared with a copy to a new array.
    """
    w = reference.prune(normal(n), sparsity=0.9)
    sparse = sc.encode_bitmask(w)

    def contender(library: Any, every: int = 1) -> Contender:
        if name == "encode_bitmask":
            return Contender(lambda: library.encode_bitmask(w).values, every=every)
        own = library.BitmaskArray(sparse.bitmask, sparse.values, sparse.shape)
        return Contender(partial(own.decode, out=np.empty_like(w)), every=every)

    limit = memory_limit("fresh copy" if name == "encode_bitmask" else "copy", w)
    return Comparison(contender(sc), contender(reference, 21), limit)


def compress_against_copy(encoding: Any, n: int) -> Comparison:
    """Compare pruning, quantizing and packing of an array with a copy of it."""
    w = normal(n)
    fmt = sc.choose_affine(w, symmetric=True)

    def contender(library: Any, every: int = 1) -> Contender:
        call = partial(library.compress, w, fmt, sparsity=0.9, encoding=encoding)
        return Contender(lambda: call().packed, every=every)

    return Comparison(contender(sc), contender(reference, 21), memory_limit("copy", w))


def decompress_against_copy(encoding: Any, n: int) -> Comparison:
    """Compare decompressing with a copy of the array of floats."""
    w = normal(n)
    tensor = sc.compress(w, sc.choose_affine(w, symmetric=True), sparsity=0.9, encoding=encoding)
    own = reference.CompressedTensor(
        *(tensor.packed, tensor.fmt, tensor.shape, tensor.dtype),
        bitmask=tensor.bitmask,
        gaps=tensor.gaps,
    )
    contenders = [
        Contender(partial(made.decompress, out=np.empty_like(w)), every=every)
        for made, every in ((tensor, 1), (own, 21))
    ]
    return Comparison(contenders[0], contenders[1], memory_limit("copy", w))


def two_threads_against_one(operation: Operation, n: int, *, with_copies: bool) -> Comparison:
    """Compare a call on two threads with the same call on one.

    With `with_copies`, the target is the gain that two threads give a copy.
    """
    inputs = Inputs(normal(n))
    ours, numpy = operation.contenders(inputs)
    goals = None
    if with_copies:
        out = np.empty_like(inputs.w)
        copy = partial(np.copyto, out, inputs.w)
        goals = Contender(_two_thread_copy(out, inputs.w)), Contender(copy)
    two, one = (Contender(partial(_on_threads, threads, ours.call)) for threads in (2, 1))
    return Comparison(two, numpy, one, goals)


def _reads(*arrays: Array) -> Contender:
    """Return a call that reads each array."""
    reads = [memory_limit("read", array).call for array in arrays]
    return Contender(lambda: [read() for read in reads])


def _on_threads(threads: int, call: Callable[[], Any]) -> Any:
    with sc.threads(threads):
        return call()


def _two_thread_copy(out: Array, w: Array) -> Callable[[], None]:
    helper = ThreadPoolExecutor(1)
    half = w.size // 2

    def copy() -> None:
        other = helper.submit(np.copyto, out[half:], w[half:])
        np.copyto(out[:half], w[:half])
        other.result()

    return copy
