"""A user's program: selecting and pruning, with every overload of the annotations."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import secateur as sc

if sys.version_info >= (3, 11):
    from typing import assert_type
else:
    from typing_extensions import assert_type

w = np.array([[3, -4, 0.5, 1], [2, -1, 0.25, 8]], np.float32)
out = np.empty_like(w)


def kth_magnitude() -> None:
    assert_type(sc.kth_magnitude(w, 3), np.floating[Any])
    assert_type(sc.kth_magnitude(w, 3, axis=None, nan="keep"), np.floating[Any])
    assert_type(sc.kth_magnitude(w, 2, axis=-1, nan="prune"), NDArray[Any])
    assert_type(sc.kth_magnitude([1.0, -2.0], 1), np.floating[Any])


def topk() -> None:
    largest = sc.topk(w, 2)
    assert_type(largest, sc.TopK)
    assert_type(largest.values, NDArray[Any])
    assert_type(largest.indices, NDArray[np.int64])
    values, indices = sc.topk(w, 2, axis=1, scores=-w, sorted=True, nan="keep")
    assert_type(values, NDArray[Any])
    assert_type(indices, NDArray[np.int64])
    sc.topk(w, 2, factors=[1.0, 2.0, 3.0, 4.0])
    sc.topk(w, 2, residual=np.zeros_like(w))


def prune() -> None:
    assert_type(sc.prune(w, k=2), NDArray[Any])
    assert_type(sc.prune(w, sparsity=0.5, out=out), NDArray[Any])
    assert_type(sc.prune(w, threshold=0.5, nan="keep"), NDArray[Any])
    assert_type(sc.prune(w, pattern="2:4", axis=-1, factors=np.ones(4)), NDArray[Any])
    assert_type(sc.prune(w, pattern="2:3", remainder="pad"), NDArray[Any])
    assert_type(sc.prune(w, k=1, block=(2, 2), norm="max"), NDArray[Any])
    assert_type(sc.prune(w, k=1, block=(2, 2), factors=w, axis=(0, 1)), NDArray[Any])
    assert_type(sc.prune(w, k=2, scores=w), NDArray[Any])
    assert_type(sc.soft_threshold(w, 0.5), NDArray[Any])
    assert_type(sc.soft_threshold(w, 0.5, out=out), NDArray[Any])


def prune_mask(packed: bool) -> None:
    mask = sc.prune_mask(w, k=2)
    assert_type(mask, NDArray[np.bool_])
    bits = sc.prune_mask(w, sparsity=0.5, packed=True, bitorder="big")
    rows = sc.prune_mask(w, sparsity=0.5, packed=True, row_align=8)
    assert_type(rows, NDArray[np.uint8])
    assert_type(sc.apply_mask(w, rows, row_align=8), NDArray[Any])
    assert_type(bits, NDArray[np.uint8])
    assert_type(sc.prune_mask(w, pattern="2:4", packed=False), NDArray[np.bool_])
    assert_type(
        sc.prune_mask(w, k=1, block=(1, 2), norm="l2", packed=packed),
        NDArray[np.bool_] | NDArray[np.uint8],
    )
    assert_type(sc.apply_mask(w, mask), NDArray[Any])
    assert_type(sc.apply_mask(w, bits, bitorder="big", out=out), NDArray[Any])


def prune_global(
    a_mapping: Mapping[str, NDArray[np.float32]], a_sequence: Sequence[NDArray[np.float32]]
) -> None:
    assert_type(sc.prune_global([w, w], k=3), list[NDArray[Any]])
    assert_type(sc.prune_global((w, w), sparsity=0.5), tuple[NDArray[Any], ...])
    assert_type(sc.prune_global({"a": w}, k=3, nan="keep"), dict[str, NDArray[Any]])
    assert_type(sc.prune_global(a_sequence, k=3), list[NDArray[Any]])
    assert_type(sc.prune_global(a_mapping, k=3), dict[str, NDArray[Any]])
    sc.prune_global([w, w], k=3, scores=[w, None])
    sc.prune_global([w, w], k=1, block=(2, 2), norm="l2", max_sparsity=1)
    sc.prune_global({1: w, 2: w}, k=6, max_sparsity={1: 0.5, 2: None})
    sc.prune_global((w, w), k=6, max_sparsity=(0.5, None))
    sc.prune_global((w, w), k=3, factors=(None, w))
    sc.prune_global({1: w, 2: w}, k=3, scores={1: w, 2: None})
    # The type of `out` is the type of the result.
    assert_type(sc.prune_global([w], k=3, out=[out]), list[NDArray[np.float32]])
    assert_type(sc.prune_global((w,), k=3, out=(out,)), tuple[NDArray[np.float32]])
    assert_type(sc.prune_global({"a": w}, k=3, out={"a": out}), dict[str, NDArray[np.float32]])


def prune_mask_global() -> None:
    assert_type(sc.prune_mask_global([w, w], k=3), list[NDArray[Any]])
    assert_type(sc.prune_mask_global((w, w), sparsity=0.5), tuple[NDArray[Any], ...])
    assert_type(sc.prune_mask_global({"a": w}, k=3), dict[str, NDArray[Any]])
    sc.prune_mask_global([w], k=3, packed=True, bitorder="big", nan="prune")
    sc.prune_mask_global([w, w], k=3, scores=(None, w))
    sc.prune_mask_global({"a": w}, k=3, factors={"a": None})


def sketch() -> None:
    part = sc.MagnitudeSketch(np.float32, nan="keep")
    part.update(w)
    other = sc.MagnitudeSketch("float32", nan="keep")
    assert_type(other.update(w[0]), None)
    assert_type(part.merge(other), None)
    bracket = part.bracket(3)
    assert_type(bracket, sc.Bracket)
    assert_type(bracket.low, np.floating[Any])
    assert_type(bracket.high, np.floating[Any])
    assert_type(part.count_above(3), int)
    assert_type(part.narrow(3), sc.MagnitudeSketch)
    assert_type((part.n, part.passes, part.nbytes, part.nan), tuple[int, int, int, str])
    assert_type(part.dtype, np.dtype[Any])


def schedule() -> None:
    assert_type(sc.sparsity_schedule(5, begin=0, end=10, final=0.9), float | NDArray[np.float64])
    sc.sparsity_schedule(np.arange(10), begin=0, end=10, initial=0.1, final=0.9, power=1)


if TYPE_CHECKING:  # both type checkers report these errors
    sc.prune(w, nan="ignore")  # type: ignore[arg-type]
    sc.prune(w, 3)  # type: ignore[call-arg]
    sc.prune(w, k=1, block=(2, 2), norm="l3")  # type: ignore[arg-type]
    sc.prune(w, k=1, out=[0.0])  # type: ignore[arg-type]
    sc.prune_mask(w, k=1, packed="yes")  # type: ignore[call-overload]
    sc.prune_mask(w, k=1, packed=True, bitorder="middle")  # type: ignore[call-overload]
    sc.prune_global(3, k=1)  # type: ignore[call-overload]
    sc.prune_global([w], k=1, scores={"a": w})  # type: ignore[call-overload]
    sc.prune_global({"a": w}, k=1, scores=[w])  # type: ignore[call-overload]
    sc.topk(w)  # type: ignore[call-arg]
    sc.kth_magnitude(w, 1, axis="rows")  # type: ignore[call-overload]

if __name__ == "__main__":
    kth_magnitude()
    topk()
    prune()
    prune_mask(packed=True)
    prune_global({"a": w}, [w])
    prune_mask_global()
    sketch()
    schedule()
