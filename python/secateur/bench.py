"""The list of benchmark cases, which ``secateur bench`` and ``benchmarks/`` run.

Absolute times on a shared machine are unreliable; ratios of times taken alternately in one run are
reliable. So each case alternates between the call of this package, a yardstick (mostly the memory
limit: reading or copying the same array), and the same call of `secateur.reference`. If PyTorch or
ONNX Runtime is installed, its equivalent operation is measured too, on one thread. The results are
ratios of medians, next to the targets of the project.

Examples
--------
>>> from secateur import bench
>>> case = bench.cases(main=1 << 10)[0]
>>> result = bench.measure(case, rounds=1)
>>> result.operation, result.identical
('kth_magnitude', True)
"""

from __future__ import annotations

import contextlib
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from importlib import import_module
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

import secateur as sc
from secateur import reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[Any]

FULL = 1 << 24  # elements of the main cases; the targets are set for this size
QUICK = 1 << 22
CACHED = 1 << 20  # elements that fit the caches of most CPUs
FORMAT = sc.FixedPoint(bits=8, frac_bits=5)  # 6 in 100,000 normal numbers saturate
SHRINKAGE = 0.5
# The weights of all-MiniLM-L6-v2: embeddings, six layers, and the pooler.
MINILM = [
    *[(30522, 384), (512, 384), (2, 384), (384,), (384,)],
    *6 * [*4 * [(384, 384), (384,)], *4 * [(384,)], (1536, 384), (1536,), (384, 1536), (384,)],
    *[(384, 384), (384,)],
]
SAMPLE_SECONDS = 1e-3  # a sample loops over shorter calls until it takes about this long


# --- measurement ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Entrant:
    """A call to time, and an optional untimed call that prepares it."""

    call: Callable[[], object]
    prepare: Callable[[], object] | None = None
    every: int = 1  # sampled in one of this many rounds, beginning with the first

    def sample(self, loops: int) -> float:
        """Return the seconds per call, over `loops` consecutive calls."""
        if self.prepare:
            self.prepare()
        start = perf_counter()
        for _ in repeat(None, loops):
            self.call()
        return (perf_counter() - start) / loops

    def loops(self) -> int:
        """Return the number of consecutive calls per sample: one if the call needs preparation."""
        once = self.sample(1)
        return 1 if self.prepare else max(1, round(SAMPLE_SECONDS / max(once, 1e-9)))

    def results(self) -> list[Array]:
        """Return copies of the arrays that one call returns."""
        if self.prepare:
            self.prepare()
        returned = self.call()
        values = returned if isinstance(returned, (list, tuple)) else [returned]
        return [np.array(value) for value in values if value is not None]


@dataclass(frozen=True)
class Contest:
    """The entrants of one case. If there are goals, the ratio of their times is the target."""

    ours: Entrant
    numpy: Entrant
    yardstick: Entrant | None = None
    goals: tuple[Entrant, Entrant] | None = None
    peers: dict[str, Entrant] = field(default_factory=dict)

    def identical(self) -> bool:
        """Return whether this package and NumPy return the same bits."""
        ours, numpy = (
            [(array.dtype, array.shape, array.tobytes()) for array in entrant.results()]
            for entrant in (self.ours, self.numpy)
        )
        return ours == numpy

    def medians(self, rounds: int) -> dict[str, float]:
        """Return the median seconds per call of each entrant. Their samples alternate."""
        entrants: dict[str, Entrant | None] = {
            "ours": self.ours,
            "yardstick": self.yardstick,
            "numpy": self.numpy,
        }
        entrants |= self.peers
        entrants["goal"], entrants["goal base"] = self.goals or (None, None)
        present = {name: entrant for name, entrant in entrants.items() if entrant}
        loops = {name: entrant.loops() for name, entrant in present.items()}
        samples: dict[str, list[float]] = {name: [] for name in present}
        for number in range(rounds):
            for name, entrant in present.items():
                if number % entrant.every == 0:
                    samples[name].append(entrant.sample(loops[name]))
        return {name: median(seconds) for name, seconds in samples.items()}


@dataclass(frozen=True)
class Case:
    """One row of the benchmark: an operation, its yardstick and its targets."""

    operation: str
    variant: str
    n: int
    moved: float  # bytes read and written per element
    yardstick: str  # the call whose time `share` refers to
    build: Callable[[], Contest] = field(repr=False)
    share_target: float | None = None  # upper limit of the time divided by the yardstick's
    numpy_target: float | None = None  # lower limit of the speedup over NumPy
    call_target: float | None = None  # upper limit of the seconds per call

    def __str__(self) -> str:
        return " ".join(filter(None, (self.operation, self.variant, size(self.n))))


@dataclass(frozen=True)
class Result:
    """One measured row. Values that a case does not have are None."""

    operation: str
    variant: str
    n: int
    seconds: float  # median of one call
    ns_per_element: float
    gb_per_s: float
    yardstick: str
    share: float | None  # the time divided by the yardstick's
    share_target: float | None
    times_numpy: float  # speedup over NumPy
    numpy_target: float | None
    call_target: float | None
    times_peers: dict[str, float]  # speedup over each peer
    identical: bool

    @property
    def limit_met(self) -> bool | None:
        """Whether the time meets its target; None if there is no target."""
        if self.call_target is not None:
            return self.seconds <= self.call_target
        if self.share is None or self.share_target is None:
            return None
        return self.share <= self.share_target

    @property
    def numpy_met(self) -> bool | None:
        """Whether the speedup over NumPy meets its target; None if there is no target."""
        return None if self.numpy_target is None else self.times_numpy >= self.numpy_target


def measure(case: Case, rounds: int = 21) -> Result:
    """Run one case. It runs on one thread unless the case sets another number.

    Parameters
    ----------
    case : Case
        One of :func:`cases`.
    rounds : int, default 21
        The number of rounds. Each entrant has one sample per round, but NumPy takes part in every
        seventh round at most.

    Returns
    -------
    Result
        Medians, and ratios of medians.
    """
    with sc.threads(1):
        contest = case.build()
        identical = contest.identical()  # this also touches the memory of both results
        seconds = contest.medians(rounds)
    ours, yardstick = seconds["ours"], seconds.get("yardstick")
    target = seconds["goal"] / seconds["goal base"] if contest.goals else case.share_target
    return Result(
        operation=case.operation,
        variant=case.variant,
        n=case.n,
        seconds=ours,
        ns_per_element=ours / case.n * 1e9,
        gb_per_s=case.n * case.moved / ours / 1e9,
        yardstick=case.yardstick,
        share=ours / yardstick if yardstick else None,
        share_target=target,
        times_numpy=seconds["numpy"] / ours,
        numpy_target=case.numpy_target,
        call_target=case.call_target,
        times_peers={name: seconds[name] / ours for name in contest.peers},
        identical=identical,
    )


def size(n: int) -> str:
    """Format a number of elements, as a power of two if it is one from 2**10 on."""
    return f"2^{n.bit_length() - 1}" if n & (n - 1) == 0 and n >= 1 << 10 else f"{n}"


# --- the operations -------------------------------------------------------------------------


class Data:
    """The arguments of a call: an array, the fraction to keep, and values derived from the two."""

    def __init__(self, w: Array, kept: float) -> None:
        self.w = w
        self.kept = kept
        self.k = round(kept * w.size)

    @cached_property
    def mask(self) -> Array:
        mask: Array = reference.prune_mask(self.w, k=self.k)
        return mask

    @cached_property
    def packed(self) -> Array:
        return np.packbits(self.mask, bitorder="little")

    @cached_property
    def codes(self) -> Array:
        return reference.quantize(self.w, FORMAT)

    @cached_property
    def rounded(self) -> Array:
        return reference.fake_quantize(self.w, FORMAT)

    @cached_property
    def matrix(self) -> Array:
        return _as_matrix(self.w)

    @cached_property
    def norms(self) -> Array:
        """Factors of the columns, as the norms of the input features are in Wanda."""
        return np.abs(_other_normal(self.matrix[0]))

    @cached_property
    def scores(self) -> Array:
        """A second array of the shape of the matrix, such as its gradient or given scores."""
        return _other_normal(self.matrix)

    @cached_property
    def tensor(self) -> Any:
        return torch().from_numpy(self.w.copy())


def _as_matrix(w: Array) -> Array:
    """Reshape to a matrix that is square, or twice as high as wide."""
    return w.reshape(-1, 1 << (w.size.bit_length() - 1) // 2)


def _other_normal(w: Array) -> Array:
    """Return normal float32 of the shape of `w`, independent of it."""
    return np.random.default_rng(4).standard_normal(w.shape, dtype=np.float32)


@lru_cache(maxsize=1)
def torch() -> Any:
    """Import PyTorch and limit it to one thread; return None if it is not installed."""
    try:
        module = import_module("torch")
    except ImportError:
        return None
    module.set_num_threads(1)
    return module


@lru_cache(maxsize=1)
def onnxruntime() -> Any:
    """Import ONNX Runtime; return None if it, or ONNX, which builds the models, is missing."""
    try:
        import_module("onnx")
        return import_module("onnxruntime")
    except ImportError:
        return None


@dataclass(frozen=True)
class Operation:
    """An operation that both libraries have, and its targets at `FULL`."""

    name: str
    bind: Callable[..., Callable[[], Any]]  # (library, data, **out) -> the call
    out: DTypeLike | None  # the dtype of `out`; None if the call has no such argument
    moved: float  # bytes read and written per element
    variant: str = ""
    share_target: float | None = None
    numpy_target: float | None = None
    torch: Callable[[Data], Callable[[], Any]] | None = None
    every: int = 7  # NumPy takes part in one of this many rounds

    def results(self, n: int) -> dict[str, Array]:
        """Return the argument ``out=`` of one entrant, if the operation has one."""
        return {} if self.out is None else {"out": np.empty(n, self.out)}

    def entrants(self, data: Data) -> tuple[Entrant, Entrant]:
        """Return the entrants of this package and of NumPy."""
        n = data.w.size
        return (
            Entrant(self.bind(sc, data, **self.results(n))),
            Entrant(self.bind(reference, data, **self.results(n)), every=self.every),
        )

    def peers(self, data: Data) -> dict[str, Entrant]:
        """Return the entrant of PyTorch, for float32, if it is installed and has the operation."""
        if self.torch is None or data.w.dtype != np.float32 or torch() is None:
            return {}
        return {"torch": Entrant(self.torch(data), every=21)}


def _kth(lib: Any, data: Data) -> Callable[[], Any]:
    return partial(lib.kth_magnitude, data.w, data.k)


def _prune(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.prune, data.w, k=data.k, out=out)


def _prune_quantize(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.prune_quantize, data.w, FORMAT, k=data.k, out=out)


def _prune_mask(lib: Any, data: Data) -> Callable[[], Any]:
    return partial(lib.prune_mask, data.w, k=data.k)


def _prune_mask_packed(lib: Any, data: Data) -> Callable[[], Any]:
    return partial(lib.prune_mask, data.w, k=data.k, packed=True)


def _quantize(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.quantize, data.w, FORMAT, out=out)


def _dequantize(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.dequantize, data.codes, FORMAT, out=out)


def _fake_quantize(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.fake_quantize, data.w, FORMAT, out=out)


def _apply_mask(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.apply_mask, data.w, data.mask, out=out)


def _apply_packed(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.apply_mask, data.w, data.packed, out=out)


def _compare(lib: Any, data: Data) -> Callable[[], Any]:
    return partial(lib.compare, data.w, data.rounded)


def _choose(lib: Any, data: Data, method: str) -> Callable[[], Any]:
    return lambda: lib.choose_format(data.w, FORMAT.bits, method=method).frac_bits


def _topk(lib: Any, data: Data, *, by_rank: bool) -> Callable[[], Any]:
    return partial(lib.topk, data.w, data.k, sorted=by_rank)


def _prune_matrix(
    lib: Any,
    data: Data,
    out: Array,
    scores: Callable[[Data], Array] | None = None,
    factors: Callable[[Data], Array] | None = None,
    columns: int | None = None,
    **options: Any,
) -> Callable[[], Any]:
    given = {"scores": scores, "factors": factors}
    options |= {name: of(data) for name, of in given.items() if of}
    matrix = data.w.reshape(-1, columns) if columns else data.matrix
    return partial(lib.prune, matrix, out=out.reshape(matrix.shape), **options)


def _soft_threshold(lib: Any, data: Data, out: Array) -> Callable[[], Any]:
    return partial(lib.soft_threshold, data.w, SHRINKAGE, out=out)


def _first_pass(lib: Any, data: Data) -> Callable[[], Any]:
    return partial(_count, partial(lib.MagnitudeSketch, data.w.dtype), data)


def _narrowed_pass(lib: Any, data: Data) -> Callable[[], Any]:
    first = lib.MagnitudeSketch(data.w.dtype)
    first.update(data.w)
    return partial(_count, partial(first.narrow, data.k), data)


def _count(empty: Callable[[], Any], data: Data) -> Any:
    sketch = empty()
    sketch.update(data.w)
    return sketch.bracket(data.k)


# The fastest implementations in PyTorch. `topk` is its fastest selection of exactly k elements.
# Scattering the selected elements into zeros is faster than multiplying by a mask. Selecting by
# column is faster on the rows of a transposed copy.


def _torch_kth(data: Data) -> Callable[[], Any]:
    w, rank = data.tensor, data.w.size - data.k + 1

    def call() -> Any:
        return w.abs().kthvalue(rank).values

    return call


def _torch_topk(data: Data, *, by_rank: bool) -> Callable[[], Any]:
    w = data.tensor

    def call() -> Any:
        indices = w.abs().topk(data.k, sorted=by_rank).indices
        return w[indices], indices

    return call


def _torch_prune(data: Data) -> Callable[[], Any]:
    w, out = data.tensor, data.tensor.clone()

    def call() -> Any:
        kept = w.abs().topk(data.k, sorted=False).indices
        return out.zero_().scatter_(0, kept, w.gather(0, kept))

    return call


def _torch_prune_rows(data: Data) -> Callable[[], Any]:
    w = data.tensor.view(data.matrix.shape)
    out, k = w.clone(), round(data.kept * w.shape[1])

    def call() -> Any:
        kept = w.abs().topk(k, sorted=False).indices
        return out.zero_().scatter_(1, kept, w.gather(1, kept))

    return call


def _torch_prune_columns(data: Data) -> Callable[[], Any]:
    w = data.tensor.view(data.matrix.shape)
    out, k = w.clone(), round(data.kept * w.shape[0])

    def call() -> Any:
        rows = w.t().contiguous()
        kept = rows.abs().topk(k, sorted=False).indices
        return out.copy_(rows.new_zeros(rows.shape).scatter_(1, kept, rows.gather(1, kept)).t())

    return call


def _torch_mask(data: Data) -> Callable[[], Any]:
    w, lib = data.tensor, torch()

    def call() -> Any:
        kept = w.abs().topk(data.k, sorted=False).indices
        return lib.zeros(w.shape, dtype=lib.bool).scatter_(0, kept, True)

    return call


def _torch_soft_threshold(data: Data) -> Callable[[], Any]:
    w, out = data.tensor, data.tensor.clone()
    return partial(torch().ops.aten.softshrink.out, w, SHRINKAGE, out=out)


KTH = Operation("kth_magnitude", _kth, None, 4, torch=_torch_kth)
PRUNE = Operation("prune", _prune, np.float32, 8, "", 1.0, 30, _torch_prune)
PRUNE_QUANTIZE = Operation("prune_quantize", _prune_quantize, np.int8, 5, "int8", 0.75, 40)
QUANTIZE = Operation("quantize", _quantize, np.int8, 5, "int8", 0.6, 10)
SOFT_THRESHOLD = Operation(
    "soft_threshold",
    _soft_threshold,
    np.float32,
    8,
    share_target=1.0,
    torch=_torch_soft_threshold,
    every=21,
)
OPERATIONS = (  # all but kth_magnitude, whose targets depend on the size
    PRUNE,
    PRUNE_QUANTIZE,
    Operation("prune_mask", _prune_mask, None, 5, "bool", 0.8, 40, _torch_mask),
    Operation("prune_mask", _prune_mask_packed, None, 4.125, "packed", 0.65, 40),
    QUANTIZE,
    Operation("dequantize", _dequantize, np.float32, 5, "int8", 0.65, 3.5),
    Operation("fake_quantize", _fake_quantize, np.float32, 8, "int8"),
    Operation("apply_mask", _apply_mask, np.float32, 9, "bool"),
    Operation("apply_mask", _apply_packed, np.float32, 8.125, "packed"),
    SOFT_THRESHOLD,
)


def _pruning(variant: str, options: dict[str, Any], moved: float = 8, **more: Any) -> Operation:
    """Return the operation of pruning a matrix with options of `prune`."""
    return Operation("prune", partial(_prune_matrix, **options), np.float32, moved, variant, **more)


MATRIX_OPERATIONS = (
    _pruning("by row", {"sparsity": 0.9, "axis": 1}, share_target=2.0, torch=_torch_prune_rows),
    _pruning(
        "by column", {"sparsity": 0.9, "axis": 0}, share_target=3.0, torch=_torch_prune_columns
    ),
    _pruning("by row of 64", {"sparsity": 0.9, "axis": 1, "columns": 64}),
    _pruning("2:4", {"pattern": "2:4"}, share_target=1.1, numpy_target=40),
    _pruning("4:8", {"pattern": "4:8"}),
    _pruning("2:4 down columns", {"pattern": "2:4", "axis": 0}),
    _pruning("4x4 blocks", {"sparsity": 0.9, "block": (4, 4)}, every=21),
    _pruning("1x32 blocks", {"sparsity": 0.9, "block": (1, 32)}),
    _pruning("by scores", {"sparsity": 0.9, "scores": lambda data: data.scores}, 12),
    _pruning("times gradient", {"sparsity": 0.9, "factors": lambda data: data.scores}, 12),
)
CHOICES = (  # against one read of the array; compare, against reads of its two arrays
    Operation("compare", _compare, None, 8, share_target=1.3, every=21),
    Operation("choose_format", partial(_choose, method="max"), None, 4, "max", 1.15, every=21),
    Operation("choose_format", partial(_choose, method="mse"), None, 4, "mse", 3.0, every=21),
)
WANDA = _pruning("Wanda", {"sparsity": 0.9, "factors": lambda data: data.norms}, share_target=1.3)
SKETCHES = (
    Operation("MagnitudeSketch", _first_pass, None, 4, "first pass", every=21),
    Operation("MagnitudeSketch", _narrowed_pass, None, 4, "narrowed pass", every=21),
)


# --- quantization ---------------------------------------------------------------------------


@dataclass(frozen=True)
class QuantizeCase:
    """A call that quantizes or dequantizes, and its yardstick."""

    name: str
    variant: str
    bind: Callable[[Any, Array], Callable[[], Any]]  # (library, floats) -> the call
    moved: float = 5
    yardstick: str = "copy"  # or "default", which is quantize of float32 to int8
    share_target: float | None = None
    dtype: DTypeLike = np.float32
    torch: Callable[[Array], Callable[[], Any]] | None = None
    onnxruntime: Callable[[Array], Callable[[], Any]] | None = None

    def contest(self, n: int) -> Contest:
        """Return the entrants of this package, of NumPy, and of installed peers."""
        w = normal(n)
        default = partial(sc.quantize, w, FORMAT, out=np.empty(n, np.int8))
        floats = _as_matrix(w.astype(self.dtype, copy=False))
        return Contest(
            Entrant(self.bind(sc, floats)),
            Entrant(self.bind(reference, floats), every=21),
            Entrant(default) if self.yardstick == "default" else _limit("copy", w),
            peers={
                name: Entrant(bind(floats), every=21)
                for name, bind, installed in (
                    ("torch", self.torch, torch()),
                    ("onnxruntime", self.onnxruntime, onnxruntime()),
                )
                if bind and installed
            },
        )


def _quantize_in(fmt: Any = FORMAT, **options: Any) -> Callable[[Any, Array], Callable[[], Any]]:
    """Bind `quantize` to a format, or to a function that returns the format for an array."""

    def bind(lib: Any, w: Array) -> Callable[[], Any]:
        chosen = fmt(w) if callable(fmt) else fmt
        if options.get("packed"):
            out = np.empty(-(-w.size * chosen.bits // 8), np.uint8)
        else:
            out = np.empty(w.shape, chosen.dtype)
        return partial(lib.quantize, w, chosen, out=out, **options)

    return bind


def _random_format(*shape: int, **options: Any) -> sc.FixedPoint:
    """Return a format with an array of frac_bits from 4 to 6."""
    frac_bits = np.random.default_rng(3).integers(4, 7, shape)
    return sc.FixedPoint(8, frac_bits, **options)


def _affine(scale: Any, **options: Any) -> Callable[[Any, Array], Callable[[], Any]]:
    """Bind `quantize_affine` to a scale, or to a function that returns the scales for an array."""

    def bind(lib: Any, w: Array) -> Callable[[], Any]:
        scales = scale(w) if callable(scale) else scale
        out = np.empty(w.shape, np.int8)
        return partial(lib.quantize_affine, w, scales, 3, out=out, **options)

    return bind


def _row_scales(w: Array) -> Array:
    return np.linspace(0.01, 0.05, len(w), dtype=np.float32)


def _dequantize_affine(lib: Any, w: Array) -> Callable[[], Any]:
    q = reference.quantize_affine(w, 0.03, 3)
    return partial(lib.dequantize_affine, q, 0.03, 3, out=np.empty(w.shape, np.float32))


def _dequantize_packed(lib: Any, w: Array) -> Callable[[], Any]:
    packed = reference.quantize(w, NIBBLES, packed=True)
    out = np.empty(w.shape, np.float32)
    return partial(lib.dequantize, packed, NIBBLES, shape=w.shape, out=out)


def _torch_affine(w: Array) -> Callable[[], Any]:
    lib, tensor = torch(), torch().from_numpy(w.copy())
    return lambda: lib.quantize_per_tensor(tensor, 0.03, 3, lib.qint8)


def _torch_affine_rows(w: Array) -> Callable[[], Any]:
    lib, tensor = torch(), torch().from_numpy(w.copy())
    scales, zeros = lib.from_numpy(_row_scales(w)), lib.full((len(w),), 3)
    return lambda: lib.quantize_per_channel(tensor, scales, zeros, 0, lib.qint8)


def _torch_dequantize(w: Array) -> Callable[[], Any]:
    q = _torch_affine(w)()
    dequantize: Callable[[], Any] = q.dequantize
    return dequantize


def _onnx(operator: str, x: Array, scale: Any, dtype: Any, **attributes: int) -> Callable[[], Any]:
    """Return the call of a model of one operator, with zero point 3, on one thread.

    The input and the output are bound to existing arrays.
    """
    lib, onnx = onnxruntime(), import_module("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    type_of = helper.np_dtype_to_tensor_dtype
    scales = np.asarray(scale, np.float32)
    y = np.empty(x.shape, dtype)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "scale", "zero_point"], ["y"], **attributes)],
        operator,
        [helper.make_tensor_value_info("x", type_of(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", type_of(y.dtype), x.shape)],
        [
            helper.make_tensor("scale", types.FLOAT, scales.shape, scales.ravel()),
            helper.make_tensor("zero_point", types.INT8, scales.shape, [3] * scales.size),
        ],
    )
    opset = helper.make_opsetid("", 21)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    options = lib.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = lib.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", lib.OrtValue.ortvalue_from_numpy(x))
    binding.bind_ortvalue_output("y", lib.OrtValue.ortvalue_from_numpy(y))
    return partial(session.run_with_iobinding, binding)


def _onnx_affine(w: Array) -> Callable[[], Any]:
    return _onnx("QuantizeLinear", w, 0.03, np.int8)


def _onnx_affine_rows(w: Array) -> Callable[[], Any]:
    return _onnx("QuantizeLinear", w, _row_scales(w), np.int8, axis=0)


def _onnx_dequantize(w: Array) -> Callable[[], Any]:
    return _onnx("DequantizeLinear", reference.quantize_affine(w, 0.03, 3), 0.03, np.float32)


NIBBLES = sc.FixedPoint(4, 2)
PLAIN = QuantizeCase("quantize", "", _quantize_in(), 5, "copy", 0.6)
ROUNDINGS = (
    *("nearest_away", "nearest_zero", "nearest_up", "nearest_down"),
    *("floor", "ceil", "trunc"),
)
OVERFLOWS = ("saturate_symmetric", "saturate_zero", "wrap", "raise")
QUANTIZE_CASES = (
    *(
        QuantizeCase("quantize", rounding, _quantize_in(rounding=rounding), 5, "default", 1.3)
        for rounding in ROUNDINGS
    ),
    *(
        # The format holds all of the data, so that "raise" raises no error.
        QuantizeCase(
            "quantize", rule, _quantize_in(sc.FixedPoint(8, 4), overflow=rule), 5, "default", 1.3
        )
        for rule in OVERFLOWS
    ),
    QuantizeCase(
        "quantize", "stochastic", _quantize_in(rounding="stochastic", seed=1), 5, "copy", 1.0
    ),
    QuantizeCase("quantize", "int16", _quantize_in(sc.FixedPoint(16, 12)), 6),
    QuantizeCase("quantize", "int32", _quantize_in(sc.FixedPoint(32, 27)), 8),
    QuantizeCase(
        "quantize", "4 bits, packed", _quantize_in(NIBBLES, packed=True), 4.5, "copy", 0.6
    ),
    QuantizeCase("dequantize", "4 bits, packed", _dequantize_packed, 4.5, "copy", 0.6),
    QuantizeCase(
        "quantize",
        "each row",
        _quantize_in(lambda w: _random_format(len(w), axis=0)),
        5,
        "default",
        1.15,
    ),
    QuantizeCase(
        "quantize",
        "each column",
        _quantize_in(lambda w: _random_format(w.shape[1], axis=1)),
        5,
        "default",
        1.15,
    ),
    *(
        QuantizeCase(
            "quantize",
            f"groups of {g}",
            _quantize_in(lambda w, g=g: _random_format(len(w), -(-w.shape[1] // g), group_size=g)),
            5,
            "default",
            1.15,
        )
        for g in (32, 128)
    ),
    QuantizeCase(
        "quantize",
        "groups of 32 down columns",
        _quantize_in(lambda w: _random_format(-(-len(w) // 32), w.shape[1], group_size=32, axis=0)),
        5,
        "default",
        1.15,
    ),
    QuantizeCase(
        *("quantize_affine", "", _affine(0.03), 5, "copy", 0.75),
        torch=_torch_affine,
        onnxruntime=_onnx_affine,
    ),
    QuantizeCase("quantize_affine", "power of two", _affine(2.0**-5)),
    QuantizeCase(
        *("quantize_affine", "each row", _affine(_row_scales, axis=0)),
        torch=_torch_affine_rows,
        onnxruntime=_onnx_affine_rows,
    ),
    QuantizeCase(
        *("dequantize_affine", "", _dequantize_affine),
        torch=_torch_dequantize,
        onnxruntime=_onnx_dequantize,
    ),
)


# --- the data -------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def normal(n: int) -> Array:
    """Return seeded normal float32. The cases of one size share it, so it is read-only."""
    w = np.random.default_rng(2024).standard_normal(n, dtype=np.float32)
    w.flags.writeable = False
    return w


def _mostly_zero(w: Array) -> Array:
    """Return an array with 98 % zeros, so that the k-th largest magnitude is 0."""
    return np.where(np.random.default_rng(1).random(w.size) < 0.02, w, np.float32(0))


def _by_magnitude(w: Array) -> Array:
    return w[np.argsort(np.abs(w))]


def _organ_pipe(w: Array) -> Array:
    """Return the elements sorted so that magnitudes rise to the middle and then fall."""
    rising = _by_magnitude(w)
    return np.concatenate([rising[::2], rising[1::2][::-1]])


def _similar_runs(count: int, w: Array) -> Array:
    """Return runs of `count` elements that differ by a thousandth at most."""
    jitter = np.random.default_rng(count).uniform(1, 1.001, w.size)
    return (np.repeat(w[: -(-w.size // count)], count)[: w.size] * jitter).astype(np.float32)


def _block_scales(w: Array) -> Array:
    """Multiply each block of 4096 elements by a random power of two from 2**-12 to 2**11."""
    blocks = np.random.default_rng(2).integers(-12, 12, w.size // 4096 + 1)
    return np.ldexp(w, np.repeat(blocks, 4096)[: w.size]).astype(np.float32)


def _periodic_outliers(w: Array) -> Array:
    """Multiply every 16th element by 1000. A sample at regular distances finds all or none."""
    large = w.copy()
    large[::16] *= 1000
    return large


def _burst(w: Array) -> Array:
    """Multiply one run of elements by 1000. A sample may miss this run."""
    large = w.copy()
    middle = w.size // 2
    large[middle : middle + w.size // 11] *= 1000
    return large


def _neighbours(w: Array) -> Array:
    """Return magnitudes that differ in the last bits only."""
    order = np.random.default_rng(3).permutation(w.size).astype(np.uint32)
    return (order + np.uint32(0x3F800000)).view(np.float32)


ORDERS: dict[str, Callable[[Array], Array]] = {
    "constant": lambda w: np.full_like(w, 0.5),
    "two values": lambda w: np.where(w > 1, np.float32(1), np.float32(0.5)),
    "mostly zero": _mostly_zero,
    "coarse grid": lambda w: np.round(w * 4) / np.float32(4),
    "last bits": _neighbours,
    "sorted": _by_magnitude,
    "reversed": lambda w: _by_magnitude(w)[::-1].copy(),
    "organ pipe": _organ_pipe,
    "block scales": _block_scales,
    "alike in 64s": partial(_similar_runs, 64),
    "alike in 256s": partial(_similar_runs, 256),
    "periodic outliers": _periodic_outliers,
    "one burst": _burst,
}


# --- the contests ---------------------------------------------------------------------------


def _limit(name: str, w: Array) -> Entrant:
    """Return a yardstick of memory speed: to read an array, copy it, or copy it to new memory."""
    calls: dict[str, Callable[[], object]] = {
        # NumPy compares 16-bit floats one by one; the max of their bits runs at memory speed.
        "read": (w if w.itemsize > 2 else w.view(np.int16)).max,
        "copy": partial(np.copyto, np.empty_like(w), w),
        "fresh copy": w.copy,
    }
    return Entrant(calls[name])


def other_floats() -> list[np.dtype[Any]]:
    """Return the float dtypes other than float32; bfloat16 only if ml_dtypes is installed."""
    dtypes: list[np.dtype[Any]] = [np.dtype(np.float64), np.dtype(np.float16)]
    with contextlib.suppress(ImportError):
        dtypes.append(np.dtype(import_module("ml_dtypes").bfloat16))
    return dtypes


def _against_limit(
    operation: Operation, n: int, kept: float, limit: str, dtype: DTypeLike = np.float32
) -> Contest:
    data = Data(normal(n).astype(dtype, copy=False), kept)
    entrants = operation.entrants(data)
    return Contest(*entrants, _limit(limit, data.w), peers=operation.peers(data))


def _against_plain(operation: Operation, n: int) -> Contest:
    """Compare pruning by scores with pruning of the same data by magnitude."""
    data = Data(normal(n), 0.1)
    return Contest(*operation.entrants(data), PRUNE.entrants(data)[0])


def _against_both(operation: Operation, n: int) -> Contest:
    """Compare an operation on the data and its approximation with reading both."""
    data = Data(normal(n), 0.1)
    reads = [_limit("read", array).call for array in (data.w, data.rounded)]
    return Contest(*operation.entrants(data), Entrant(lambda: [read() for read in reads]))


def _global_against_copies(shapes: Sequence[tuple[int, ...]]) -> Contest:
    """Compare global pruning of arrays with copies of all of them."""
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

    return Contest(
        Entrant(partial(sc.prune_global, arrays, sparsity=0.9, out=ours)),
        Entrant(partial(reference.prune_global, arrays, sparsity=0.9, out=numpy), every=21),
        Entrant(copy),
    )


def _packing(name: str, bits: int, n: int) -> Contest:
    """Compare packing or unpacking of integers with a copy of the unpacked bytes."""
    q = np.random.default_rng(5).integers(0, 1 << bits, n, dtype=np.uint8)
    packed = reference.pack_ints(q, bits)

    def entrant(lib: Any, every: int = 1) -> Entrant:
        if name == "pack_ints":
            call = partial(lib.pack_ints, q, bits, out=np.empty_like(packed))
        else:
            call = partial(lib.unpack_ints, packed, bits, n, signed=False, out=np.empty_like(q))
        return Entrant(call, every=every)

    return Contest(entrant(sc), entrant(reference, 21), _limit("copy", q))


def _small_call(operation: Operation, n: int) -> Contest:
    return Contest(*operation.entrants(Data(normal(n), 0.5)))


def _in_place(n: int, kept: float) -> Contest:
    """Compare pruning in place with a copy. Before each call, `w` is restored, also for the copy.

    So all entrants find the same data and the same state of the caches.
    """
    data = Data(normal(n).copy(), kept)
    restore = partial(np.copyto, data.w, normal(n))
    ours, numpy = (_prune(lib, data, out=data.w) for lib in (sc, reference))
    copy = _limit("copy", data.w).call
    return Contest(Entrant(ours, restore), Entrant(numpy, restore, 7), Entrant(copy, restore))


def _against_random(operation: Operation, n: int, order: str) -> Contest:
    """Compare a call on data of a given order with the same call on random data."""
    on_random = operation.entrants(Data(normal(n), 0.1))[0]
    return Contest(*operation.entrants(Data(ORDERS[order](normal(n)), 0.1)), on_random)


def _two_threads(operation: Operation, n: int, *, against_copy: bool) -> Contest:
    """Compare a call on two threads with the same call on one.

    With `against_copy`, the target is the gain that two threads give a copy.
    """
    data = Data(normal(n), 0.1)
    ours, numpy = operation.entrants(data)
    goals = None
    if against_copy:
        out = np.empty_like(data.w)
        goals = Entrant(_two_thread_copy(out, data.w)), Entrant(partial(np.copyto, out, data.w))
    two, one = (Entrant(partial(_on_threads, threads, ours.call)) for threads in (2, 1))
    return Contest(two, numpy, one, goals)


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


# --- the list -------------------------------------------------------------------------------


def cases(main: int = FULL) -> list[Case]:
    """Return all benchmark cases.

    Parameters
    ----------
    main : int, default 2**24
        The number of elements of the main cases, a power of two. At sizes other than 2**24, the
        targets that are set for that size are left out, and so are cases of fixed sizes above
        `main`.

    Returns
    -------
    list of Case
        The cases, in the order of the report.
    """
    return [
        *_kth_cases(main),
        *_limit_cases(main),
        *_topk_cases(main),
        *_matrix_cases(main),
        *_sketch_cases(main),
        *_choice_cases(main),
        *_global_cases(main),
        *_packing_cases(main),
        *_quantize_cases(main),
        *_dtype_cases(main),
        *_small_cases(),
        *_thread_cases(main),
        *_order_cases(main),
    ]


def _case(operation: Operation, n: int, yardstick: str, build: Any, **more: Any) -> Case:
    variant = more.pop("variant", operation.variant)
    return Case(operation.name, variant, n, operation.moved, yardstick, build, **more)


def _kth_cases(main: int) -> Iterator[Case]:
    targets = {FULL: ("read", 1.25, 40.0), 1 << 20: ("copy", 2.5, 30.0), 1 << 14: ("copy", 5, 15)}
    for n in sorted({main, *(n for n in targets if n < main)}, reverse=True):
        limit, share, numpy = targets.get(n, ("read", None, None))
        for kept in (0.01, 0.1, 0.5, 0.9):
            build = partial(_against_limit, KTH, n, kept, limit)
            variant = f"k/n = {kept}"
            yield _case(
                KTH, n, limit, build, variant=variant, share_target=share, numpy_target=numpy
            )


def _limit_cases(main: int) -> Iterator[Case]:
    for operation in OPERATIONS:
        limit = "copy" if operation.out else "fresh copy"
        targets = {"share_target": operation.share_target, "numpy_target": operation.numpy_target}
        if main != FULL:
            targets = {}
        build = partial(_against_limit, operation, main, 0.1, limit)
        yield _case(operation, main, limit, build, **targets)
        if operation is PRUNE:
            build = partial(_in_place, main, 0.1)
            yield _case(operation, main, limit, build, variant="in place", **targets)


def _topk_cases(main: int) -> Iterator[Case]:
    for kept, target in ((0.001, 1.3), (0.1, None)):
        for by_rank in (False, True):
            operation = Operation(
                "topk",
                partial(_topk, by_rank=by_rank),
                None,
                4 + 12 * kept,
                f"k/n = {kept}" + (", sorted" if by_rank else ""),
                target if main == FULL else None,
                torch=partial(_torch_topk, by_rank=by_rank),
                every=21,
            )
            build = partial(_against_limit, operation, main, kept, "read")
            yield _case(operation, main, "read", build, share_target=operation.share_target)


def _matrix_cases(main: int) -> Iterator[Case]:
    for operation in MATRIX_OPERATIONS:
        targets = {"share_target": operation.share_target, "numpy_target": operation.numpy_target}
        if main != FULL:
            targets = {}
        build = partial(_against_limit, operation, main, 0.1, "copy")
        yield _case(operation, main, "copy", build, **targets)
    target = WANDA.share_target if main == FULL else None
    build = partial(_against_plain, WANDA, main)
    yield _case(WANDA, main, "plain prune", build, share_target=target)


def _sketch_cases(main: int) -> Iterator[Case]:
    for operation in SKETCHES:
        build = partial(_against_limit, operation, main, 0.1, "read")
        yield _case(operation, main, "read", build)


def _choice_cases(main: int) -> Iterator[Case]:
    for operation in CHOICES:
        both = operation.name == "compare"
        build = (
            partial(_against_both, operation, main)
            if both
            else partial(_against_limit, operation, main, 0.1, "read")
        )
        target = operation.share_target if main == FULL else None
        yield _case(operation, main, "reads" if both else "read", build, share_target=target)


def _global_cases(main: int) -> Iterator[Case]:
    if main == FULL:
        n = sum(math.prod(shape) for shape in MINILM)
        build = partial(_global_against_copies, MINILM)
        yield Case("prune_global", "MiniLM", n, 8, "copies", build, share_target=1.15)


def _packing_cases(main: int) -> Iterator[Case]:
    target = 1.0 if main == FULL else None
    for name in ("pack_ints", "unpack_ints"):
        for bits in (4, 2):
            build = partial(_packing, name, bits, main)
            moved = 1 + bits / 8
            yield Case(name, f"{bits} bits", main, moved, "copy", build, share_target=target)


def _quantize_cases(main: int) -> Iterator[Case]:
    by_dtype = (
        QuantizeCase(
            "quantize",
            dtype.name,
            _quantize_in(),
            1 + dtype.itemsize,
            "default",
            1.0 if dtype.itemsize == 2 else None,
            dtype,
        )
        for dtype in other_floats()
    )
    sized = [(main, case) for case in (*QUANTIZE_CASES, *by_dtype)]
    if main > CACHED:
        sized += [(CACHED, case) for case in (PLAIN, *QUANTIZE_CASES)]
    for n, case in sized:
        yield Case(
            case.name,
            case.variant,
            n,
            case.moved,
            case.yardstick,
            partial(case.contest, n),
            share_target=case.share_target if main == FULL else None,
        )


def _dtype_cases(main: int) -> Iterator[Case]:
    targets = {"kth_magnitude": {2: 2.0, 8: 1.25}, "prune": {2: 1.1, 8: 1.1}, "soft_threshold": {}}
    for dtype in other_floats():
        for operation in (KTH, replace(PRUNE, out=dtype), replace(SOFT_THRESHOLD, out=dtype)):
            limit = "copy" if operation.out else "read"
            yield _case(
                replace(operation, moved=operation.moved * dtype.itemsize / 4),
                main,
                limit,
                partial(_against_limit, operation, main, 0.1, limit, dtype),
                variant=dtype.name,
                share_target=targets[operation.name].get(dtype.itemsize) if main == FULL else None,
            )


def _small_cases(n: int = 64) -> Iterator[Case]:
    for operation in (KTH, *OPERATIONS):
        build = partial(_small_call, operation, n)
        yield _case(operation, n, "", build, call_target=1.5e-6, numpy_target=3)


def _thread_cases(main: int) -> Iterator[Case]:
    if (os.cpu_count() or 1) < 2:
        return
    for n in sorted({main, min(main, 1 << 21)}):
        large = n > 1 << 21  # memory is the limit, so the target is the gain of a copy
        for operation in (KTH, PRUNE, PRUNE_QUANTIZE, QUANTIZE):
            build = partial(_two_threads, operation, n, against_copy=large)
            target = 1 / 1.6 if n == 1 << 21 else None
            yield _case(operation, n, "1 thread", build, variant="2 threads", share_target=target)


def _order_cases(main: int) -> Iterator[Case]:
    for operation in (KTH, PRUNE):
        for order in ORDERS:
            build = partial(_against_random, operation, main, order)
            yield _case(operation, main, "random data", build, variant=order, share_target=2)
