"""The same operations in PyTorch and ONNX Runtime, on one thread, where these are installed.

A peer takes part in the cases that it has an operation for. It uses its fastest code that gives an
equally exact selection. `torch.topk` is PyTorch's fastest selection of exactly k elements.
Scattering the selected elements into zeros is faster than multiplying by a mask. Selecting by
column is faster on the rows of a transposed copy.
"""

from __future__ import annotations

from functools import lru_cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from secateur import reference
from secateur.bench.data import AFFINE, ZERO_POINT, affine_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from secateur.bench.data import Inputs

    Array = NDArray[Any]
    Call = Callable[[], Any]


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


# --- PyTorch: selection ---------------------------------------------------------------------


def _tensor(w: Array) -> Any:
    return torch().from_numpy(w.copy())


def torch_kth_magnitude(inputs: Inputs) -> Call:
    w, rank = _tensor(inputs.w), inputs.w.size - inputs.k + 1

    def call() -> Any:
        return w.abs().kthvalue(rank).values

    return call


def torch_topk(inputs: Inputs, *, by_rank: bool) -> Call:
    w = _tensor(inputs.w)

    def call() -> Any:
        indices = w.abs().topk(inputs.k, sorted=by_rank).indices
        return w[indices], indices

    return call


def torch_topk_of_rows(inputs: Inputs, *, k: int) -> Call:
    w = _tensor(inputs.w)

    def call() -> Any:
        indices = w.abs().topk(k, sorted=False).indices
        return w.gather(-1, indices), indices

    return call


def torch_mask(inputs: Inputs) -> Call:
    w, lib = _tensor(inputs.w), torch()

    def call() -> Any:
        kept = w.abs().topk(inputs.k, sorted=False).indices
        return lib.zeros(w.shape, dtype=lib.bool).scatter_(0, kept, True)

    return call


def torch_prune(inputs: Inputs) -> Call:
    return _prune_last_axis(inputs.w, inputs.k)


def torch_prune_rows(inputs: Inputs) -> Call:
    return _prune_last_axis(inputs.matrix, round(inputs.kept * inputs.matrix.shape[1]))


def _prune_last_axis(array: Array, k: int) -> Call:
    w, out = _tensor(array), _tensor(array)

    def call() -> Any:
        kept = w.abs().topk(k, sorted=False).indices
        return out.zero_().scatter_(-1, kept, w.gather(-1, kept))

    return call


def torch_prune_columns(inputs: Inputs) -> Call:
    w, out = _tensor(inputs.matrix), _tensor(inputs.matrix)
    k = round(inputs.kept * len(inputs.matrix))

    def call() -> Any:
        rows = w.t().contiguous()
        kept = rows.abs().topk(k, sorted=False).indices
        return out.copy_(rows.new_zeros(rows.shape).scatter_(1, kept, rows.gather(1, kept)).t())

    return call


def torch_soft_threshold(inputs: Inputs, *, threshold: float) -> Call:
    w, out = _tensor(inputs.w), _tensor(inputs.w)
    return partial(torch().ops.aten.softshrink.out, w, threshold, out=out)


# --- PyTorch: quantization ------------------------------------------------------------------


def torch_quantize(w: Array) -> Call:
    lib, tensor = torch(), _tensor(w)
    return lambda: lib.quantize_per_tensor(tensor, AFFINE.scale, ZERO_POINT, lib.qint8)


def torch_quantize_rows(w: Array) -> Call:
    lib, tensor = torch(), _tensor(w)
    scales = lib.from_numpy(np.array(affine_rows(w).scale))
    zero_points = lib.full((len(w),), ZERO_POINT)
    return lambda: lib.quantize_per_channel(tensor, scales, zero_points, 0, lib.qint8)


def torch_dequantize(w: Array) -> Call:
    dequantize: Call = torch_quantize(w)().dequantize
    return dequantize


# --- ONNX Runtime ---------------------------------------------------------------------------


def onnx_quantize(w: Array) -> Call:
    return _one_operator("QuantizeLinear", w, AFFINE.scale, np.int8)


def onnx_quantize_rows(w: Array) -> Call:
    return _one_operator("QuantizeLinear", w, affine_rows(w).scale, np.int8, axis=0)


def onnx_dequantize(w: Array) -> Call:
    q = reference.quantize(w, AFFINE)
    return _one_operator("DequantizeLinear", q, AFFINE.scale, np.float32)


def _one_operator(operator: str, x: Array, scale: Any, dtype: Any, **attributes: int) -> Call:
    """Return the call of a model of one operator. Its input and output are existing arrays."""
    lib, onnx = onnxruntime(), import_module("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    type_of = helper.np_dtype_to_tensor_dtype
    scales = np.asarray(scale, np.float32)
    zero_points = [ZERO_POINT] * scales.size
    y = np.empty(x.shape, dtype)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "scale", "zero_point"], ["y"], **attributes)],
        operator,
        [helper.make_tensor_value_info("x", type_of(x.dtype), x.shape)],
        [helper.make_tensor_value_info("y", type_of(y.dtype), x.shape)],
        [
            helper.make_tensor("scale", types.FLOAT, scales.shape, scales.ravel()),
            helper.make_tensor("zero_point", types.INT8, scales.shape, zero_points),
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
