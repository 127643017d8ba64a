"""The functions of the package in plain NumPy.

This is the executable specification. A function of the package returns the same bits as its
namesake here. The reference is the oracle of the tests and the baseline of the benchmarks. It
shares the types of arguments and results and `default_float_state` with the package. It shares no
constant, computation or check, except those in the constructors of the formats.

Three rules determine every selection:

* Magnitudes are ordered as the bits of the float with the sign cleared, read as an integer. Zero is
  lowest, infinity is above all numbers, and NaN is above infinity.
* Exactly ``k`` elements are kept. Ties at the boundary go to the lowest flat index (C order).
* A kept element keeps its bits; a removed element becomes ``+0.0``.

NaN is refused (``nan="raise"``), ranked as above (``"keep"``), or ranked below zero (``"prune"``).

docs/semantics.md defines quantization.
"""

from secateur.formats import Affine, FixedPoint
from secateur.reference.bitmask import BitmaskArray, encode_bitmask
from secateur.reference.choosing import choose_affine, choose_format
from secateur.reference.comparing import compare
from secateur.reference.compressed import CompressedTensor, compress
from secateur.reference.global_pruning import prune_global
from secateur.reference.masks import apply_mask, prune_mask, prune_mask_global
from secateur.reference.packing import pack_ints, unpack_ints
from secateur.reference.pruning import prune, soft_threshold
from secateur.reference.quantization import dequantize, fake_quantize, prune_quantize, quantize
from secateur.reference.requantization import requantize
from secateur.reference.schedules import sparsity_schedule
from secateur.reference.selection import kth_magnitude, topk
from secateur.reference.sketch import MagnitudeSketch
from secateur.results import Bracket, ErrorStats, TopK

__all__ = [
    "Affine",
    "BitmaskArray",
    "Bracket",
    "CompressedTensor",
    "ErrorStats",
    "FixedPoint",
    "MagnitudeSketch",
    "TopK",
    "apply_mask",
    "choose_affine",
    "choose_format",
    "compare",
    "compress",
    "dequantize",
    "encode_bitmask",
    "fake_quantize",
    "kth_magnitude",
    "pack_ints",
    "prune",
    "prune_global",
    "prune_mask",
    "prune_mask_global",
    "prune_quantize",
    "quantize",
    "requantize",
    "soft_threshold",
    "sparsity_schedule",
    "topk",
    "unpack_ints",
]
