from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.formats import FixedPoint

__version__: str

def kth_magnitude(w: ArrayLike, k: int, nan: str, /) -> np.floating[Any]: ...
def topk_mask(
    w: ArrayLike, k: int | None, sparsity: float | None, packed: bool, nan: str, /
) -> NDArray[Any]: ...
def prune(
    w: ArrayLike,
    k: int | None,
    sparsity: float | None,
    threshold: float | None,
    pattern: tuple[int, int] | None,
    axis: int | None,
    nan: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def apply_mask(w: ArrayLike, mask: ArrayLike, out: NDArray[Any] | None, /) -> NDArray[Any]: ...
def quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    rounding: str,
    overflow: str,
    nan: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def dequantize(
    q: ArrayLike, fmt: FixedPoint, out: NDArray[np.float32] | None, /
) -> NDArray[np.float32]: ...
def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    rounding: str,
    overflow: str,
    nan: str,
    out: NDArray[np.float32] | None,
    /,
) -> NDArray[np.float32]: ...
def prune_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    k: int | None,
    sparsity: float | None,
    rounding: str,
    overflow: str,
    nan: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def isa() -> str: ...
def isas() -> tuple[str, ...]: ...
def set_isa(name: str, /) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int, /) -> None: ...
def set_thread_num_threads(n: int, least: int, /) -> int: ...
