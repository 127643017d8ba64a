"""The list of all benchmark cases."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from secateur.bench import limits, operations, quantizing
from secateur.bench.case import Case
from secateur.bench.data import DISTRIBUTIONS, MINILM, other_floats
from secateur.bench.operations import KTH_MAGNITUDE, PRUNE, PRUNE_QUANTIZE, QUANTIZE, SOFT_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from secateur.bench.operations import Operation

FULL = 1 << 24  # elements of the main cases; most targets are set for this size
QUICK = 1 << 22
CACHED = 1 << 20  # elements that fit the caches of most CPUs


def cases(main: int = FULL, cpus: int | None = None) -> list[Case]:
    """Return all benchmark cases.

    Parameters
    ----------
    main : int, default 2**24
        The number of elements of the main cases, a power of two. At sizes other than 2**24, the
        targets that are set for that size are left out, and so are cases of fixed sizes above
        `main`.
    cpus : int, optional
        The number of CPUs; that of this machine by default. The cases of two threads need two.

    Returns
    -------
    list of Case
        The cases, in the order of the report.
    """
    return [
        *_kth_magnitude_cases(main),
        *_array_cases(main),
        *_topk_cases(main),
        *_matrix_cases(main),
        *_sketch_cases(main),
        *_calibration_cases(main),
        *_global_cases(main),
        *_packing_cases(main),
        *_bitmask_cases(main),
        *_compress_cases(main),
        *_quantize_cases(main),
        *_dtype_cases(main),
        *_small_cases(),
        *_thread_cases(main, cpus or os.cpu_count() or 1),
        *_distribution_cases(main),
    ]


def _at_full_size(main: int, target: float | None) -> float | None:
    """Return a target that is set for the full size, or None at other sizes."""
    return target if main == FULL else None


def _case(operation: Operation, n: int, yardstick: str, build: Any, **more: Any) -> Case:
    """Return a case with the description of an operation, and without a target."""
    variant = more.pop("variant", operation.variant)
    return Case(operation.name, variant, n, operation.moved, yardstick, build, **more)


def _main_case(operation: Operation, main: int, yardstick: str, build: Any, **more: Any) -> Case:
    """Return a case of the main size, with the operation's target at full size."""
    return _case(
        operation,
        main,
        yardstick,
        build,
        ratio_target=_at_full_size(main, operation.ratio_target),
        **more,
    )


def _memory_case(operation: Operation, main: int, limit: str, kept: float = 0.1) -> Case:
    """Return a case of the main size whose yardstick is a memory limit."""
    build = partial(limits.against_memory, operation, main, kept, limit)
    return _main_case(operation, main, limit, build)


def _kth_magnitude_cases(main: int) -> Iterator[Case]:
    targets = {FULL: ("read", 1.15), 1 << 20: ("copy", 2.5), 1 << 14: ("copy", 5)}
    for n in sorted({main, *(n for n in targets if n < main)}, reverse=True):
        limit, target = targets.get(n, ("read", None))
        for kept in (0.01, 0.1, 0.5, 0.9):
            build = partial(limits.against_memory, KTH_MAGNITUDE, n, kept, limit)
            variant = f"k/n = {kept}"
            yield _case(KTH_MAGNITUDE, n, limit, build, variant=variant, ratio_target=target)


def _array_cases(main: int) -> Iterator[Case]:
    for operation in operations.ARRAY_OPERATIONS:
        limit = "copy" if operation.out else "fresh copy"
        yield _memory_case(operation, main, limit)
        if operation is PRUNE:
            yield from _in_place_cases(main)


def _in_place_cases(main: int) -> Iterator[Case]:
    prune = replace(PRUNE, variant="in place", ratio_target=1.1)
    yield _main_case(prune, main, "read, negate", partial(limits.prune_in_place, main, 0.1))
    again = replace(prune, variant="in place, nothing changes", moved=4)
    yield _main_case(again, main, "reads", partial(limits.prune_in_place_again, main, 0.1))


def _topk_cases(main: int) -> Iterator[Case]:
    for kept, target in ((0.001, 1.3), (0.1, None)):
        for by_rank in (False, True):
            operation = operations.topk_operation(kept, target, by_rank=by_rank)
            yield _memory_case(operation, main, "read", kept)
    for kept in (0.001, 0.01):
        build = partial(limits.topk_with_residual_against_add, main, kept)
        variant = f"k/n = {kept}, with a residual"
        yield Case("topk", variant, main, 20 + 12 * kept, "add in place", build)
    rows = 100_000
    of_rows = operations.TOPK_OF_ROWS
    build = partial(limits.topk_against_argpartition, of_rows, rows)
    target = of_rows.ratio_target
    yield _case(of_rows, rows * operations.ROW, "argpartition", build, ratio_target=target)


def _matrix_cases(main: int) -> Iterator[Case]:
    for operation in operations.MATRIX_OPERATIONS:
        yield _memory_case(operation, main, "copy")
    wanda = operations.WANDA
    yield _main_case(wanda, main, "plain prune", partial(limits.against_plain_prune, wanda, main))


def _sketch_cases(main: int) -> Iterator[Case]:
    for operation in operations.SKETCHES:
        yield _memory_case(operation, main, "read")


def _calibration_cases(main: int) -> Iterator[Case]:
    compare = operations.COMPARE
    yield _main_case(compare, main, "reads", partial(limits.against_two_reads, compare, main))
    choices = *operations.CHOICES, *operations.LEAST_ERROR_SCALES, *operations.CHOICES_BY_GROUPS
    for operation in choices:
        yield _memory_case(operation, main, "read")
    for operation in operations.CHOICES_WITH_CODES:
        yield _memory_case(operation, main, "copy")


def _global_cases(main: int) -> Iterator[Case]:
    if main == FULL:
        matrices = [shape for shape in MINILM if len(shape) > 1]
        for variant, moved, shapes, options, target in (
            ("MiniLM", 8, MINILM, {}, 1.15),
            ("MiniLM, max_sparsity", 16, MINILM, {"max_sparsity": 0.92}, None),
            ("MiniLM, 1x32 blocks", 12, matrices, {"block": (1, 32)}, None),
        ):
            n = sum(math.prod(shape) for shape in shapes)
            build = partial(limits.prune_global_against_copies, shapes, **options)
            yield Case("prune_global", variant, n, moved, "copies", build, ratio_target=target)


def _packing_cases(main: int) -> Iterator[Case]:
    target = _at_full_size(main, 1.0)
    for name in ("pack_ints", "unpack_ints"):
        for bits, columns in ((4, None), (2, None), (12, None), (4, 1002)):
            build = partial(limits.packing_against_copy, name, bits, columns, main)
            moved = (1 if bits <= 8 else 2) + bits / 8
            variant = f"{bits} bits" if columns is None else f"{bits} bits, rows of {columns}"
            is_usual = bits <= 8 and columns is None
            yield Case(name, variant, main, moved, "copy", build, target if is_usual else None)


def _bitmask_cases(main: int) -> Iterator[Case]:
    target = _at_full_size(main, 0.8)
    moved = 4 + 4 / 10 + 1 / 8
    for name, yardstick in (("encode_bitmask", "fresh copy"), ("decode_bitmask", "copy")):
        build = partial(limits.bitmask_against_copy, name, main)
        yield Case(name, "90 % zeros", main, moved, yardstick, build, target)


def _compress_cases(main: int) -> Iterator[Case]:
    target = _at_full_size(main, 0.9)
    for encoding, stored in (("bitmask", 1 / 10 + 1 / 8), ("gaps", 2 / 10)):
        variant = f"90 % zeros, int8, {encoding}"
        build = partial(limits.compress_against_copy, encoding, main)
        aim = target if encoding == "bitmask" else None
        yield Case("compress", variant, main, 4 + stored, "copy", build, aim)
        build = partial(limits.decompress_against_copy, encoding, main)
        yield Case("decompress", variant, main, 4 + stored, "copy", build)


def _quantize_cases(main: int) -> Iterator[Case]:
    float32 = quantizing.FLOAT32_CASES
    sized = [(main, case) for case in (*float32, *quantizing.other_dtype_cases())]
    if main > CACHED:
        sized += [(CACHED, case) for case in (quantizing.PLAIN, *float32)]
    for n, case in sized:
        target = {FULL: case.ratio_target, CACHED: case.cached_target}.get(n)
        build = partial(case.comparison, n)
        yield Case(case.name, case.variant, n, case.moved, case.yardstick, build, target)


def _dtype_cases(main: int) -> Iterator[Case]:
    targets = {"kth_magnitude": {2: 2.0, 8: 1.25}, "prune": {2: 1.1, 8: 1.1}, "soft_threshold": {}}
    for dtype in other_floats():
        for original in (KTH_MAGNITUDE, PRUNE, SOFT_THRESHOLD):
            limit = "copy" if original.out else "read"
            operation = replace(
                original,
                out=dtype if original.out else None,
                moved=original.moved * dtype.itemsize / 4,
                ratio_target=targets[original.name].get(dtype.itemsize),
            )
            build = partial(limits.against_memory, operation, main, 0.1, limit, dtype)
            yield _main_case(operation, main, limit, build, variant=dtype.name)


def _small_cases(n: int = 64) -> Iterator[Case]:
    for operation in (KTH_MAGNITUDE, *operations.ARRAY_OPERATIONS):
        build = partial(limits.against_nothing, operation, n)
        yield _case(operation, n, "", build, call_target=1.2e-6)
    by_row = operations.QUANTIZE_ROWS  # through arrays of parameters
    yield _case(by_row, n, "", partial(limits.against_nothing, by_row, n), call_target=4e-6)


def _thread_cases(main: int, cpus: int) -> Iterator[Case]:
    if cpus < 2:
        return
    for n in sorted({main, min(main, 1 << 21)}):
        large = n > 1 << 21  # memory is the limit, so the target is the gain of a copy
        for operation in (KTH_MAGNITUDE, PRUNE, PRUNE_QUANTIZE, QUANTIZE):
            build = partial(limits.two_threads_against_one, operation, n, with_copies=large)
            target = 1 / 1.5 if n == 1 << 21 else None
            yield _case(operation, n, "1 thread", build, variant="2 threads", ratio_target=target)


def _distribution_cases(main: int) -> Iterator[Case]:
    for operation in (KTH_MAGNITUDE, PRUNE):
        for name in DISTRIBUTIONS:
            build = partial(limits.against_normal_data, operation, main, name)
            yield _case(operation, main, "random data", build, variant=name, ratio_target=2)
