"""Hypothesis strategies for arrays of any bits: NaN, infinities, subnormals, both zeros."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from support.arrays import DTYPES
from support.oracles import INFINITIES, RAW

POLICIES = ["keep", "prune"]

# Bits at the boundaries between zero, subnormal, normal, infinite and NaN.
HARD = [0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FFFFFFF]
WORDS = st.integers(0, 2**32 - 1) | st.sampled_from(HARD + [bits | 1 << 31 for bits in HARD])


@st.composite
def float32s(draw: st.DrawFn) -> np.ndarray:
    """Draw up to 40 floats, or repeat, tile, sort or scatter them to several thousand."""
    bits = draw(hnp.arrays(np.uint32, st.integers(0, 40), elements=WORDS))
    shape = draw(st.sampled_from(["as is", "repeat", "tile", "sort", "scatter"]))
    times = draw(st.integers(1, 100))
    if shape in ("repeat", "sort"):
        bits = np.repeat(bits, times)
    elif shape == "tile":
        bits = np.tile(bits, times)
    elif shape == "scatter" and bits.size:
        bits = np.random.default_rng(times).choice(bits, bits.size * times)
        bits ^= np.random.default_rng(times).integers(0, 4, bits.size, dtype=np.uint32)
    if shape == "sort":
        bits = bits[np.argsort(bits & 0x7FFFFFFF, kind="stable")]
    return bits.view(np.float32)


def floats(dtype: str, shapes: Any) -> st.SearchStrategy[np.ndarray]:
    """Draw any bits of a dtype. Many elements are 0, infinity, NaN or a neighbour of these."""
    unsigned = RAW[DTYPES[dtype].itemsize]
    sign = int(np.iinfo(unsigned).max) // 2 + 1
    hard = [INFINITIES[dtype] + step for step in (-1, 0, 1)] + [0, 1, sign - 1]
    words = st.integers(0, 2 * sign - 1) | st.sampled_from(hard + [bits | sign for bits in hard])
    return hnp.arrays(unsigned, shapes, elements=words).map(lambda bits: bits.view(DTYPES[dtype]))
