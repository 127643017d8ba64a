"""Exact top-k pruning and fixed-point and affine quantization, close to memory bandwidth.

>>> import numpy as np
>>> import secateur as sc
>>> w = np.float32([0.1, -2.0, 0.3, 4.0])
>>> sc.prune(w, sparsity=0.5, out=w)
array([ 0., -2.,  0.,  4.], dtype=float32)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from secateur._core import __version__
from secateur.bitmask import BitmaskArray, encode_bitmask
from secateur.choosing import choose_affine, choose_format
from secateur.comparing import compare
from secateur.compressed import CompressedTensor, compress
from secateur.formats import Affine, FixedPoint
from secateur.host import (
    get_cmake_dir,
    get_include,
    get_num_threads,
    isa,
    isas,
    set_num_threads,
    threads,
)
from secateur.masks import apply_mask, prune_mask, prune_mask_global
from secateur.packing import pack_ints, unpack_ints
from secateur.pruning import prune, prune_global, soft_threshold
from secateur.quantization import (
    dequantize,
    fake_quantize,
    prune_quantize,
    quantize,
    requantize,
)
from secateur.results import Bracket, ErrorStats, TopK
from secateur.schedules import sparsity_schedule
from secateur.selection import kth_magnitude, topk
from secateur.sketch import MagnitudeSketch

if TYPE_CHECKING:
    from secateur import reference
else:  # type checkers would take any name for an attribute

    def __getattr__(name: str) -> Any:
        """Import `secateur.reference` on first access, because its import takes the longest time."""
        if name == "reference":
            return import_module("secateur.reference")
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)


__all__ = [
    "Affine",
    "BitmaskArray",
    "Bracket",
    "CompressedTensor",
    "ErrorStats",
    "FixedPoint",
    "MagnitudeSketch",
    "TopK",
    "__version__",
    "apply_mask",
    "choose_affine",
    "choose_format",
    "compare",
    "compress",
    "dequantize",
    "encode_bitmask",
    "fake_quantize",
    "get_cmake_dir",
    "get_include",
    "get_num_threads",
    "isa",
    "isas",
    "kth_magnitude",
    "pack_ints",
    "prune",
    "prune_global",
    "prune_mask",
    "prune_mask_global",
    "prune_quantize",
    "quantize",
    "reference",
    "requantize",
    "set_num_threads",
    "soft_threshold",
    "sparsity_schedule",
    "threads",
    "topk",
    "unpack_ints",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
