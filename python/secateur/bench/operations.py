"""The operations that cases run, bound to this package or to the reference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np

import secateur as sc
from secateur import reference
from secateur.bench import peers
from secateur.bench.data import FORMAT, affine_rows
from secateur.bench.timing import Contender

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    from secateur.bench.data import Inputs

    Array = NDArray[Any]
    Call = Callable[[], Any]

GROUP_SIZE = 32  # of formats with a parameter for each group
SHRINKAGE = 0.5  # the threshold of soft_threshold
ROW, KEPT_OF_ROW = 8, 2  # of topk of short rows: choosing 2 of 8 experts


@dataclass(frozen=True)
class Operation:
    """An operation that the package and the reference have, and its target at full size."""

    name: str
    bind: Callable[..., Call]  # (library, inputs, **out) -> the call
    out: DTypeLike | None  # the dtype of `out`; None if the call has no such argument
    moved: float  # bytes read and written per element
    variant: str = ""
    ratio_target: float | None = None
    torch: Callable[[Inputs], Call] | None = None
    every: int = 7  # NumPy takes part in one of this many rounds

    def contenders(self, inputs: Inputs) -> tuple[Contender, Contender]:
        """Return the contenders of this package and of NumPy, each with its own `out`."""
        n = inputs.w.size

        def call(library: Any) -> Call:
            out = {} if self.out is None else {"out": np.empty(n, self.out)}
            return self.bind(library, inputs, **out)

        return Contender(call(sc)), Contender(call(reference), every=self.every)

    def peers(self, inputs: Inputs) -> dict[str, Contender]:
        """Return PyTorch's contender, for float32, if it is installed and has the operation."""
        if self.torch is None or inputs.w.dtype != np.float32 or peers.torch() is None:
            return {}
        return {"torch": Contender(self.torch(inputs), every=21)}


# --- how a library is called ----------------------------------------------------------------


def _kth_magnitude(library: Any, inputs: Inputs) -> Call:
    return partial(library.kth_magnitude, inputs.w, inputs.k)


def _topk(library: Any, inputs: Inputs, *, by_rank: bool) -> Call:
    return partial(library.topk, inputs.w, inputs.k, sorted=by_rank)


def _topk_of_rows(library: Any, inputs: Inputs) -> Call:
    return partial(library.topk, inputs.w, KEPT_OF_ROW, axis=1)


def bind_topk_with_residual(library: Any, inputs: Inputs, residual: Array) -> Call:
    """Return the call that selects from the sums with a residual, which it overwrites."""
    return partial(library.topk, inputs.w, inputs.k, residual=residual)


def _prune_mask(library: Any, inputs: Inputs, *, packed: bool) -> Call:
    return partial(library.prune_mask, inputs.w, k=inputs.k, packed=packed)


def bind_prune(library: Any, inputs: Inputs, out: Array) -> Call:
    """Return the call that prunes to the k largest magnitudes."""
    return partial(library.prune, inputs.w, k=inputs.k, out=out)


def _prune_matrix(
    library: Any,
    inputs: Inputs,
    out: Array,
    scores: Callable[[Inputs], Array] | None = None,
    factors: Callable[[Inputs], Array] | None = None,
    columns: int | None = None,
    **options: Any,
) -> Call:
    given = {"scores": scores, "factors": factors}
    options |= {name: of(inputs) for name, of in given.items() if of}
    matrix = inputs.w.reshape(-1, columns) if columns else inputs.matrix
    return partial(library.prune, matrix, out=out.reshape(matrix.shape), **options)


def _prune_quantize(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.prune_quantize, inputs.w, FORMAT, k=inputs.k, out=out)


def _quantize(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.quantize, inputs.w, FORMAT, out=out)


def _quantize_rows(library: Any, inputs: Inputs, out: Array) -> Call:
    matrix = inputs.matrix
    return partial(library.quantize, matrix, affine_rows(matrix), out=out.reshape(matrix.shape))


def _dequantize(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.dequantize, inputs.codes, FORMAT, out=out)


def _fake_quantize(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.fake_quantize, inputs.w, FORMAT, out=out)


def _apply_mask(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.apply_mask, inputs.w, inputs.mask, out=out)


def _apply_packed_mask(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.apply_mask, inputs.w, inputs.packed_mask, out=out)


def _soft_threshold(library: Any, inputs: Inputs, out: Array) -> Call:
    return partial(library.soft_threshold, inputs.w, SHRINKAGE, out=out)


def _compare(library: Any, inputs: Inputs) -> Call:
    return partial(library.compare, inputs.w, inputs.approximation)


def _choose_format(library: Any, inputs: Inputs, method: str) -> Call:
    return lambda: library.choose_format(inputs.w, 8, method=method).frac_bits


def _least_error_scales(library: Any, inputs: Inputs, bits: int, group_size: int | None) -> Call:
    return lambda: (
        library.choose_affine(
            inputs.w, bits, symmetric=True, method="mse", group_size=group_size
        ).scale
    )


def _choose_by_groups(library: Any, inputs: Inputs, function: str) -> Call:
    choose = getattr(library, function)
    parameters = attrgetter("scale" if function == "choose_affine" else "frac_bits")
    return lambda: parameters(choose(inputs.w, FORMAT.bits, group_size=GROUP_SIZE))


def _choose_and_quantize(library: Any, inputs: Inputs, out: Array, function: str) -> Call:
    choose = getattr(library, function)

    def call() -> Array:
        choose(inputs.w, FORMAT.bits, group_size=GROUP_SIZE, quantized=out)
        return out

    return call


def _first_pass(library: Any, inputs: Inputs) -> Call:
    return partial(_count, partial(library.MagnitudeSketch, inputs.w.dtype), inputs)


def _narrowed_pass(library: Any, inputs: Inputs) -> Call:
    first = library.MagnitudeSketch(inputs.w.dtype)
    first.update(inputs.w)
    return partial(_count, partial(first.narrow, inputs.k), inputs)


def _count(empty: Callable[[], Any], inputs: Inputs) -> Any:
    sketch = empty()
    sketch.update(inputs.w)
    return sketch.bracket(inputs.k)


# --- the operations -------------------------------------------------------------------------

KTH_MAGNITUDE = Operation("kth_magnitude", _kth_magnitude, None, 4, torch=peers.torch_kth_magnitude)
PRUNE = Operation("prune", bind_prune, np.float32, 8, ratio_target=0.95, torch=peers.torch_prune)
PRUNE_QUANTIZE = Operation("prune_quantize", _prune_quantize, np.int8, 5, "int8", 0.75)
QUANTIZE = Operation("quantize", _quantize, np.int8, 5, "int8", 0.55)
QUANTIZE_ROWS = Operation("quantize", _quantize_rows, np.int8, 5, "affine, each row")
SOFT_THRESHOLD = Operation(
    "soft_threshold",
    _soft_threshold,
    np.float32,
    8,
    ratio_target=1.0,
    torch=partial(peers.torch_soft_threshold, threshold=SHRINKAGE),
    every=21,
)
ARRAY_OPERATIONS = (  # all but kth_magnitude, whose targets depend on the size
    PRUNE,
    PRUNE_QUANTIZE,
    Operation(
        *("prune_mask", partial(_prune_mask, packed=False), None, 5, "bool", 0.8),
        torch=peers.torch_mask,
    ),
    Operation("prune_mask", partial(_prune_mask, packed=True), None, 4.125, "packed", 0.65),
    QUANTIZE,
    Operation("dequantize", _dequantize, np.float32, 5, "int8", 0.6),
    Operation("fake_quantize", _fake_quantize, np.float32, 8, "int8"),
    Operation("apply_mask", _apply_mask, np.float32, 9, "bool"),
    Operation("apply_mask", _apply_packed_mask, np.float32, 8.125, "packed"),
    SOFT_THRESHOLD,
)


def topk_operation(kept: float, ratio_target: float | None, *, by_rank: bool) -> Operation:
    """Return the operation of `topk` for a fraction to keep."""
    return Operation(
        "topk",
        partial(_topk, by_rank=by_rank),
        None,
        4 + 12 * kept,
        f"k/n = {kept}" + (", sorted" if by_rank else ""),
        ratio_target,
        torch=partial(peers.torch_topk, by_rank=by_rank),
        every=21,
    )


TOPK_OF_ROWS = Operation(
    "topk",
    _topk_of_rows,
    None,
    4 + 12 * KEPT_OF_ROW / ROW,
    f"{KEPT_OF_ROW} of each row of {ROW}",
    ratio_target=1.0,
    torch=partial(peers.torch_topk_of_rows, k=KEPT_OF_ROW),
    every=21,
)


def _pruning(variant: str, options: dict[str, Any], moved: float = 8, **more: Any) -> Operation:
    """Return the operation of pruning a matrix with options of `prune`."""
    return Operation("prune", partial(_prune_matrix, **options), np.float32, moved, variant, **more)


MATRIX_OPERATIONS = (
    _pruning(
        "by row", {"sparsity": 0.9, "axis": 1}, ratio_target=1.5, torch=peers.torch_prune_rows
    ),
    _pruning(
        "by column", {"sparsity": 0.9, "axis": 0}, ratio_target=2.0, torch=peers.torch_prune_columns
    ),
    _pruning("by row of 64", {"sparsity": 0.9, "axis": 1, "columns": 64}),
    _pruning("2:4", {"pattern": "2:4"}, ratio_target=1.1),
    _pruning("4:8", {"pattern": "4:8"}),
    _pruning("2:4 down columns", {"pattern": "2:4", "axis": 0}),
    _pruning("3:7, padded", {"pattern": "3:7", "remainder": "pad"}),
    _pruning("4x4 blocks", {"sparsity": 0.9, "block": (4, 4)}, every=21),
    _pruning("1x32 blocks", {"sparsity": 0.9, "block": (1, 32)}),
    _pruning(
        "4x4 blocks times gradient",
        {"sparsity": 0.9, "block": (4, 4), "factors": lambda inputs: inputs.scores},
        16,
        every=21,
    ),
    _pruning("by scores", {"sparsity": 0.9, "scores": lambda inputs: inputs.scores}, 12),
    _pruning("times gradient", {"sparsity": 0.9, "factors": lambda inputs: inputs.scores}, 12),
)
WANDA = _pruning(
    "Wanda", {"sparsity": 0.9, "factors": lambda inputs: inputs.norms}, ratio_target=1.3
)
COMPARE = Operation("compare", _compare, None, 8, ratio_target=1.3, every=21)
CHOICES = tuple(
    Operation(
        *("choose_format", partial(_choose_format, method=method), None, 4, method, target),
        every=21,
    )
    for method, target in (("max", 1.15), ("mse", 2.0))
)
LEAST_ERROR_SCALES = tuple(
    Operation(
        *("choose_affine", partial(_least_error_scales, bits=bits, group_size=group_size), None, 4),
        *(variant, 2.0),
        every=21,
    )
    for variant, bits, group_size in (
        ("mse", 8, None),
        ("mse, 4 bits, groups of 32", 4, GROUP_SIZE),
    )
)
CHOICES_BY_GROUPS = tuple(
    Operation(
        *(name, partial(_choose_by_groups, function=name), None, 4 + parameters / GROUP_SIZE),
        *(f"groups of {GROUP_SIZE}", 1.2),
        every=21,
    )
    for name, parameters in (("choose_format", 4), ("choose_affine", 8))
)
CHOICES_WITH_CODES = tuple(
    Operation(
        *(name, partial(_choose_and_quantize, function=name), np.int8, 5 + parameters / GROUP_SIZE),
        *(f"groups of {GROUP_SIZE}, quantized", 0.8),
        every=21,
    )
    for name, parameters in (("choose_format", 4), ("choose_affine", 8))
)
SKETCHES = (
    Operation("MagnitudeSketch", _first_pass, None, 4, "first pass", every=21),
    Operation("MagnitudeSketch", _narrowed_pass, None, 4, "narrowed pass", every=21),
)
