"""What each call of prune_global must do, whatever ranks and limits its arrays."""

from typing import Any

import numpy as np

from support.oracles import assert_same_arrays, masked

Arrays = list[np.ndarray]


def check_global(lib: Any, arrays: Arrays, masks: Arrays, **how: Any) -> None:
    """Check the results in new arrays, in given arrays and in place, and check the masks."""
    wanted = [masked(w, mask) for w, mask in zip(arrays, masks, strict=True)]
    assert_same_arrays(lib.prune_mask_global(arrays, **how), masks)
    for bitorder in ("little", "big"):
        packed = lib.prune_mask_global(arrays, **how, packed=True, bitorder=bitorder)
        assert_same_arrays(packed, [np.packbits(mask, bitorder=bitorder) for mask in masks])
        if all(w.ndim for w in arrays):
            rows = lib.prune_mask_global(arrays, **how, packed=True, row_align=8, bitorder=bitorder)
            assert_same_arrays(
                rows, [np.packbits(mask, axis=-1, bitorder=bitorder) for mask in masks]
            )
    before = [w.copy() for w in arrays]
    assert_same_arrays(lib.prune_global(arrays, **how), wanted)
    assert_same_arrays(arrays, before)
    out = [np.full_like(w, 7) for w in arrays]
    assert lib.prune_global(arrays, **how, out=out) is out
    assert_same_arrays(out, wanted)
    copies = [w.copy() for w in arrays]
    assert lib.prune_global(copies, **how, out=copies) is copies
    assert_same_arrays(copies, wanted)
