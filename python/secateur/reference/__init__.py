"""The same functions as the package's own, in plain NumPy.

This is the executable specification: what a function returns here is what the compiled one returns,
bit for bit. It is the oracle of the tests and the baseline of the benchmarks.

Three rules decide every selection:

* The order of magnitudes is the order of the float's bits, read as an integer with the sign
  cleared. So zero is lowest, infinity is above all numbers, and NaN is above infinity.
* Exactly ``k`` elements are kept. Of equal magnitudes at the boundary, those of lowest flat index
  (C order) are kept.
* A kept element keeps its bits; a removed one becomes ``+0.0``.

NaN is refused (``nan="raise"``), or takes part in the order above (``"keep"``), or is ranked
below zero (``"prune"``).

What quantizing does is in docs/semantics.md.
"""

from secateur.reference.affine import dequantize_affine, quantize_affine
from secateur.reference.choosing import choose_affine, choose_format
from secateur.reference.comparing import compare
from secateur.reference.fixed_point import dequantize, fake_quantize, prune_quantize, quantize
from secateur.reference.global_pruning import prune_global
from secateur.reference.packing import pack_ints, unpack_ints
from secateur.reference.pruning import apply_mask, prune, soft_threshold
from secateur.reference.selection import kth_magnitude, topk, topk_mask
from secateur.reference.sketch import MagnitudeSketch
from secateur.schedules import sparsity_schedule  # plain NumPy already

__all__ = [
    "MagnitudeSketch",
    "apply_mask",
    "choose_affine",
    "choose_format",
    "compare",
    "dequantize",
    "dequantize_affine",
    "fake_quantize",
    "kth_magnitude",
    "pack_ints",
    "prune",
    "prune_global",
    "prune_quantize",
    "quantize",
    "quantize_affine",
    "soft_threshold",
    "sparsity_schedule",
    "topk",
    "topk_mask",
    "unpack_ints",
]
