"""Compare quantization with other packages that are installed.

If the rules are the same, the results have the same bits. If not, a comment says what differs.
"""

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from secateur import Affine, FixedPoint
from support.arrays import around
from support.oracles import assert_same_bits
from support.quantizing import normal

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings of the other packages


def with_ties(n: int, frac_bits: int) -> np.ndarray:
    """Return elements of which half are multiples of half a step, and half are next to them."""
    rng = np.random.default_rng(n)
    w = np.ldexp(rng.integers(-600, 600, n).astype(np.float32), -1 - frac_bits)
    w[::2] = np.nextafter(w[::2], rng.choice(np.float32([-np.inf, np.inf]), w[::2].size))
    return w


# --- ONNX: the test cases of its operators, and its runtime ------------------------------------

# The cases with integers that this package supports. The others have 4- and 8-bit floats.
ONNX_CASES = [
    "quantizelinear",
    "quantizelinear_axis",
    "quantizelinear_blocked_asymmetric",
    "quantizelinear_blocked_symmetric",
    "quantizelinear_int16",
    "quantizelinear_int2",
    "quantizelinear_int4",
    "quantizelinear_uint16",
    "quantizelinear_uint2",
    "quantizelinear_uint4",
    "dequantizelinear",
    "dequantizelinear_axis",
    "dequantizelinear_blocked",
    "dequantizelinear_int16",
    "dequantizelinear_int2",
    "dequantizelinear_int4",
    "dequantizelinear_uint16",
    "dequantizelinear_uint2",
    "dequantizelinear_uint4",
]


def kind_of(integers: Any) -> tuple[int, bool]:
    """Return the width of an integer dtype, and whether it is signed."""
    name = np.dtype(integers).name
    return int(name.lstrip("uint")), name.startswith("i")


@pytest.mark.parametrize("case", ONNX_CASES)
def test_onnx_cases(lib: Any, case: str) -> None:
    onnx = pytest.importorskip("onnx", "1.22")
    folder = Path(onnx.__file__).parent / "backend/test/data/node" / f"test_{case}"
    if not folder.exists():
        pytest.skip(f"onnx {onnx.__version__} carries no node tests")
    node = onnx.load(folder / "model.onnx").graph.node[0]
    given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def tensors(what: str) -> list[np.ndarray]:
        files = sorted((folder / "test_data_set_0").glob(f"{what}_*.pb"))
        return [onnx.numpy_helper.to_array(onnx.load_tensor(file)) for file in files]

    x, scale, *zero = tensors("input")
    # ONNX always has an axis, by default 1, which has no effect if there is a single scale. The
    # zero point of a single scale may be an array of one element.
    how: dict[str, Any] = {"axis": given.get("axis", 1) if scale.ndim else None}
    how["group_size"] = given.get("block_size") or None
    zeros = zero[0].reshape(scale.shape) if zero else 0
    expected = tensors("output")[0]
    codes = expected if node.op_type == "QuantizeLinear" else x
    bits, signed = kind_of(codes.dtype)
    fmt = Affine(scale, zeros, bits=bits, signed=signed, **how)
    if node.op_type == "QuantizeLinear":
        assert_same_bits(lib.quantize(x, fmt, out=np.empty_like(expected)), expected)
        assert_same_bits(lib.quantize(x, fmt).astype(codes.dtype), expected)
    else:
        assert_same_bits(lib.dequantize(x, fmt), expected)


def in_onnxruntime(
    operator: str, inputs: dict[str, np.ndarray], to: Any, **attributes: int
) -> np.ndarray:
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    helper = onnx.helper
    kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in inputs.items()}
    values = [
        helper.make_tensor_value_info(name, kinds[name], value.shape)
        for name, value in inputs.items()
    ]
    result = helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(np.dtype(to)), None)
    node = helper.make_node(operator, list(inputs), ["y"], **attributes)
    graph = helper.make_graph([node], "g", values, [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, inputs)[0])


@pytest.mark.parametrize("integers", [np.int8, np.uint8, np.int16, np.uint16])
def test_onnxruntime(lib: Any, integers: Any) -> None:
    """The elements are ties, infinities and values out of range. ONNX does not define NaN."""
    info = np.iinfo(integers)
    for n in around(16, 64, 1000):
        for scale, zero in ((0.1, 3), (1 / 3, info.max), (0.25, info.min)):
            w = np.concatenate([normal(n, "float32", 40.0), with_ties(n, 2) * 8])
            w[:4] = np.inf, -np.inf, 1e30, -1e30
            inputs = {
                "x": w,
                "scale": np.array(scale, np.float32),
                "zero": np.array(zero, integers),
            }
            bits, signed = kind_of(integers)
            fmt = Affine(scale, zero, bits=bits, signed=signed)
            q = lib.quantize(w, fmt)
            assert_same_bits(q, in_onnxruntime("QuantizeLinear", inputs, integers))
            inputs["x"] = q
            values = lib.dequantize(q, fmt)
            assert_same_bits(values, in_onnxruntime("DequantizeLinear", inputs, np.float32))


@pytest.mark.parametrize("block_size", [0, 16])
def test_onnxruntime_along_an_axis(lib: Any, block_size: int) -> None:
    w = normal((6, 48, 5), "float32", 3.0)
    shape = (6, 3, 5) if block_size else (48,)
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.01, 0.1, shape).astype(np.float32)
    zero = rng.integers(-128, 128, shape).astype(np.int8)
    attributes = {"axis": 1} | ({"block_size": block_size} if block_size else {})
    fmt = Affine(scale, zero, axis=1, group_size=block_size or None)
    q = lib.quantize(w, fmt)
    inputs = {"x": w, "scale": scale, "zero": zero}
    assert_same_bits(q, in_onnxruntime("QuantizeLinear", inputs, np.int8, **attributes))
    inputs["x"] = q
    values = lib.dequantize(q, fmt)
    assert_same_bits(values, in_onnxruntime("DequantizeLinear", inputs, np.float32, **attributes))


# --- PyTorch -----------------------------------------------------------------------------------


@pytest.mark.parametrize("frac_bits", [-3, 0, 4, 7])
def test_torch_fixed_point(lib: Any, frac_bits: int) -> None:
    """PyTorch multiplies by the reciprocal of the scale, which is exact for powers of two."""
    torch = pytest.importorskip("torch")
    step = 2.0**-frac_bits
    for n in around(16, 64, 1000):
        w = with_ties(n, frac_bits)
        tensor = torch.from_numpy(w)
        for signed, dtype in ((True, torch.qint8), (False, torch.quint8)):
            fmt = FixedPoint(8, frac_bits, signed)
            theirs = torch.quantize_per_tensor(tensor, step, 0, dtype)
            q = lib.quantize(w, fmt)
            assert_same_bits(q, theirs.int_repr().numpy())
            assert_same_bits(lib.dequantize(q, fmt), theirs.dequantize().numpy())
            fake = torch.fake_quantize_per_tensor_affine(tensor, step, 0, fmt.min, fmt.max)
            assert_same_bits(lib.fake_quantize(w, fmt), fake.numpy())


def test_torch_affine_along_an_axis(lib: Any) -> None:
    """No quotient is so near to a half that multiplying by the reciprocal gives another integer."""
    torch = pytest.importorskip("torch")
    w = normal((48, 65), "float32")
    scale = np.random.default_rng(1).uniform(0.01, 0.1, 48).astype(np.float32)
    zero = np.arange(48) - 24
    exact = w.astype(np.float64) / scale[:, None].astype(np.float64)
    w[np.abs(exact - np.floor(exact) - 0.5) < 1e-4] = 0
    theirs = torch.quantize_per_channel(
        torch.from_numpy(w), torch.from_numpy(scale), torch.from_numpy(zero), 0, torch.qint8
    )
    fmt = Affine(scale, zero, axis=0)
    q = lib.quantize(w, fmt)
    assert_same_bits(q, theirs.int_repr().numpy())
    values = lib.dequantize(q, fmt)
    assert_same_bits(values, theirs.dequantize().numpy())


# --- packages for hardware ---------------------------------------------------------------------

APYTYPES = {
    "nearest_even": "TIES_EVEN",
    "nearest_away": "TIES_AWAY",
    "nearest_zero": "TIES_ZERO",
    "nearest_up": "TIES_POS",
    "nearest_down": "TIES_NEG",
    "floor": "TO_NEG",
    "ceil": "TO_POS",
    "trunc": "TO_ZERO",
    "away": "TO_AWAY",
}


@pytest.mark.parametrize("rounding", APYTYPES)
@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
def test_apytypes(lib: Any, rounding: str, overflow: str) -> None:
    """APyTypes casts exact numbers. They have 60 bits, because it wraps more than 64 wrongly."""
    apytypes = pytest.importorskip("apytypes")
    way = getattr(apytypes.QuantizationMode, APYTYPES[rounding])
    beyond = getattr(apytypes.OverflowMode, {"saturate": "SAT", "wrap": "WRAP"}[overflow])
    for bits, frac_bits in ((8, 5), (4, 2), (12, 3), (16, 14), (24, 20), (8, -2), (6, 9)):
        w = np.concatenate([normal(500, "float32", 4.0), with_ties(500, frac_bits) / 2])
        w = np.ldexp(np.rint(np.ldexp(w.astype(np.float64), 40)), -40)
        exact = apytypes.APyFixedArray.from_float(w, int_bits=20, frac_bits=40)
        cast = exact.cast(bits=bits, frac_bits=frac_bits, quantization=way, overflow=beyond)
        codes = np.ldexp(cast.to_numpy().astype(np.float64), frac_bits)
        fmt = FixedPoint(bits, frac_bits)
        q = lib.quantize(w, fmt, rounding=rounding, overflow=overflow)
        assert_same_bits(q, codes.astype(fmt.dtype))


FXPMATH = {"nearest_even": "around", "floor": "floor", "ceil": "ceil", "trunc": "fix"}


@pytest.mark.parametrize("rounding", FXPMATH)
@pytest.mark.parametrize("overflow", ["saturate", "wrap"])
def test_fxpmath(lib: Any, rounding: str, overflow: str) -> None:
    """fxpmath computes in float64, which is exact here. Its "trunc" is another name for "fix"."""
    fxpmath = pytest.importorskip("fxpmath")
    for bits, frac_bits, signed in ((8, 5, True), (8, 5, False), (12, 3, True), (16, 14, True)):
        w = np.concatenate([normal(500, "float64", 4.0), with_ties(500, frac_bits) / 2])
        how = {"n_word": bits, "n_frac": frac_bits, "rounding": FXPMATH[rounding]}
        theirs = fxpmath.Fxp(w, signed=signed, overflow=overflow, **how)
        fmt = FixedPoint(bits, frac_bits, signed)
        q = lib.quantize(w, fmt, rounding=rounding, overflow=overflow)
        assert_same_bits(q, np.asarray(theirs.val).astype(fmt.dtype))


def test_names_of_narrow_integers() -> None:
    """The 4- and 2-bit integers of ONNX are those of ml_dtypes."""
    onnx = pytest.importorskip("onnx", "1.22")
    for name in ("int4", "uint4", "int2", "uint2"):
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(getattr(ml_dtypes, name)))
        assert kind == getattr(onnx.TensorProto, name.upper())
