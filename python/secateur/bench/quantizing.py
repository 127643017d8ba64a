"""The cases of quantization: roundings, overflow rules, layouts of parameters, widths, formats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import secateur as sc
from secateur import reference
from secateur.bench import peers
from secateur.bench.data import (
    AFFINE,
    FORMAT,
    NIBBLES,
    WORDS,
    ZERO_POINT,
    affine_rows,
    as_matrix,
    normal,
    other_floats,
)
from secateur.bench.limits import memory_limit
from secateur.bench.timing import Comparison, Contender

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[Any]
    Call = Callable[[], Any]
    Bind = Callable[[Any, Array], Call]  # (library, floats) -> the call


@dataclass(frozen=True)
class QuantizeCase:
    """A call that quantizes or dequantizes, and its yardstick."""

    name: str
    variant: str
    bind: Bind
    moved: float = 5  # bytes read and written per element
    yardstick: str = (
        "copy"  # or "default", quantize of float32 to int8; or "C order", the same call
    )
    ratio_target: float | None = None  # at 2**24 elements
    cached_target: float | None = None  # at 2**20 elements
    dtype: DTypeLike = np.float32
    torch: Callable[[Array], Call] | None = None
    onnxruntime: Callable[[Array], Call] | None = None
    order: Literal["C", "F"] = "C"  # of the matrix of floats in memory

    def comparison(self, n: int) -> Comparison:
        """Return the contenders of this package, of NumPy, and of installed peers."""
        w = normal(n)
        default = partial(sc.quantize, w, FORMAT, out=np.empty(n, np.int8))
        matrix = as_matrix(w.astype(self.dtype, copy=False))
        floats = matrix.copy(order=self.order)
        yardsticks = {
            "copy": lambda: memory_limit("copy", w),
            "default": lambda: Contender(default),
            "C order": lambda: Contender(self.bind(sc, matrix)),
        }
        return Comparison(
            Contender(self.bind(sc, floats)),
            Contender(self.bind(reference, floats), every=21),
            yardsticks[self.yardstick](),
            peers={
                name: Contender(bind(floats), every=21)
                for name, bind, installed in (
                    ("torch", self.torch, peers.torch()),
                    ("onnxruntime", self.onnxruntime, peers.onnxruntime()),
                )
                if bind and installed
            },
        )


# --- how a library is called ----------------------------------------------------------------


def _quantize(fmt: Any = FORMAT, **options: Any) -> Bind:
    """Bind `quantize` to a format, or to a function that returns the format for an array."""

    def bind(library: Any, w: Array) -> Call:
        chosen = fmt(w) if callable(fmt) else fmt
        if options.get("packed"):
            out = np.empty(-(-w.size * int(np.max(chosen.bits)) // 8), np.uint8)
        else:
            out = np.empty_like(w, chosen.dtype)
        return partial(library.quantize, w, chosen, out=out, **options)

    return bind


def _dequantize_packed(library: Any, w: Array) -> Call:
    packed = reference.quantize(w, NIBBLES, packed=True)
    out = np.empty(w.shape, np.float32)
    return partial(library.dequantize, packed, NIBBLES, shape=w.shape, out=out)


def _dequantize_affine(library: Any, w: Array) -> Call:
    out = np.empty_like(w)
    q = np.empty_like(w, AFFINE.dtype)
    q[...] = reference.quantize(w, AFFINE)
    return partial(library.dequantize, q, AFFINE, out=out)


def _dequantize_words(library: Any, w: Array) -> Call:
    words = np.ldexp(w, WORDS.frac_bits).astype(np.int32) & 0xFFFFFF
    return partial(library.dequantize, words, WORDS, sign_extend=True, out=np.empty_like(w))


def _fake_quantize(library: Any, w: Array) -> Call:
    return partial(library.fake_quantize, w, FORMAT, out=np.empty_like(w))


def _requantize(source: Any, target: Any) -> Bind:
    """Bind `requantize` to two formats. The integers are as large as 20 times normal floats."""

    def bind(library: Any, w: Array) -> Call:
        q = np.rint(np.multiply(w, 20 / source.resolution, dtype=np.float64)).astype(source.dtype)
        return partial(library.requantize, q, source, target, out=np.empty(q.shape, target.dtype))

    return bind


# --- formats with a frac_bits for each channel or group -------------------------------------


def _random_format(*shape: int, **options: Any) -> sc.FixedPoint:
    """Return a format with an array of frac_bits from 4 to 6."""
    frac_bits = np.random.default_rng(3).integers(4, 7, shape)
    return sc.FixedPoint(8, frac_bits, **options)


def _row_groups(size: int, w: Array) -> sc.FixedPoint:
    return _random_format(len(w), -(-w.shape[1] // size), group_size=size)


def _column_groups(size: int, w: Array) -> sc.FixedPoint:
    return _random_format(-(-len(w) // size), w.shape[1], group_size=size, axis=0)


def _row_widths(w: Array) -> sc.FixedPoint:
    return sc.FixedPoint(np.random.default_rng(3).integers(4, 9, len(w)), 3, axis=0)


LAYOUTS: dict[str, Callable[[Array], sc.FixedPoint]] = {
    "each row": lambda w: _random_format(len(w), axis=0),
    "each column": lambda w: _random_format(w.shape[1], axis=1),
    "groups of 32": partial(_row_groups, 32),
    "groups of 128": partial(_row_groups, 128),
    "groups of 32 down columns": partial(_column_groups, 32),
}


# --- the cases ------------------------------------------------------------------------------

ROUNDINGS = (
    *("nearest_away", "nearest_zero", "nearest_up", "nearest_down"),
    *("floor", "ceil", "trunc"),
)
OVERFLOWS = ("saturate_symmetric", "saturate_zero", "wrap", "raise")
IN_RANGE = sc.FixedPoint(8, 4)  # holds all of the data, so that overflow="raise" raises no error


def _against_default(variant: str, bind: Bind) -> QuantizeCase:
    """Return a case of quantization to int8 whose yardstick is the default of `quantize`."""
    return QuantizeCase("quantize", variant, bind, 5, "default", 1.3, 1.3)


PLAIN = QuantizeCase("quantize", "", _quantize(), cached_target=0.55)
FLOAT32_CASES = (
    *(_against_default(name, _quantize(rounding=name)) for name in ROUNDINGS),
    *(_against_default(name, _quantize(IN_RANGE, overflow=name)) for name in OVERFLOWS),
    QuantizeCase(
        *("quantize", "stochastic", _quantize(rounding="stochastic", seed=1)),
        ratio_target=0.9,
        cached_target=1.5,
    ),
    QuantizeCase("quantize", "int16", _quantize(sc.FixedPoint(16, 12)), 6),
    QuantizeCase("quantize", "int32", _quantize(sc.FixedPoint(32, 27)), 8),
    *(
        QuantizeCase(name, "4 bits, packed", bind, 4.5, ratio_target=0.55, cached_target=0.55)
        for name, bind in (
            ("quantize", _quantize(NIBBLES, packed=True)),
            ("dequantize", _dequantize_packed),
        )
    ),
    *(_against_default(name, _quantize(fmt)) for name, fmt in LAYOUTS.items()),
    QuantizeCase("quantize", "each row, of 4 to 8 bits", _quantize(_row_widths)),
    QuantizeCase(
        *("quantize", "affine", _quantize(AFFINE)),
        ratio_target=0.75,
        cached_target=0.75,
        torch=peers.torch_quantize,
        onnxruntime=peers.onnx_quantize,
    ),
    QuantizeCase("quantize", "affine, power of two", _quantize(sc.Affine(2.0**-5, ZERO_POINT))),
    QuantizeCase(
        *("quantize", "affine, each row", _quantize(affine_rows)),
        torch=peers.torch_quantize_rows,
        onnxruntime=peers.onnx_quantize_rows,
    ),
    *(
        QuantizeCase("requantize", variant, _requantize(source, target), moved)
        for variant, source, target, moved in (
            ("int32 to int8", sc.FixedPoint(32, 20), FORMAT, 5),
            ("int64 to int32", sc.FixedPoint(64, 40), sc.FixedPoint(32, 20), 12),
            ("int32 to int8, affine", sc.Affine(3 / 2**20, bits=32), sc.Affine(5 / 2**7, 3), 5),
        )
    ),
    QuantizeCase("dequantize", "24 bits in int32, sign_extend", _dequantize_words, 8),
    QuantizeCase(
        *("dequantize", "affine", _dequantize_affine),
        torch=peers.torch_dequantize,
        onnxruntime=peers.onnx_dequantize,
    ),
    *(
        QuantizeCase(
            *(name, f"Fortran order{variant}", bind, moved, "C order"),
            order="F",
            ratio_target=1.1,
            cached_target=1.1,
        )
        for name, variant, bind, moved in (
            ("quantize", "", _quantize(), 5),
            ("quantize", ", each row", _quantize(LAYOUTS["each row"]), 5),
            ("quantize", ", groups of 32", _quantize(LAYOUTS["groups of 32"]), 5),
            ("dequantize", ", affine", _dequantize_affine, 5),
            ("fake_quantize", "", _fake_quantize, 8),
        )
    ),
)


def other_dtype_cases() -> list[QuantizeCase]:
    """Return the cases of quantization from floats other than float32."""
    return [
        QuantizeCase(
            *("quantize", dtype.name, _quantize(), 1 + dtype.itemsize, "default"),
            ratio_target=1.0 if dtype.itemsize == 2 else None,
            dtype=dtype,
        )
        for dtype in other_floats()
    ]
