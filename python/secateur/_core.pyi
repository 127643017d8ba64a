from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from secateur.formats import Format as _Format

__version__: str

# Scores in the form that secateur.scores.core_scores returns
_Scores: TypeAlias = tuple[bool, NDArray[Any], int, NDArray[Any]] | None

def kth_magnitude(w: ArrayLike, k: int, axis: int | tuple[int, ...] | None, nan: str, /) -> Any: ...
def topk(
    w: ArrayLike,
    k: int,
    axis: int | tuple[int, ...] | None,
    scores: _Scores,
    residual: NDArray[Any] | None,
    sorted: bool,
    nan: str,
    /,
) -> tuple[NDArray[Any], NDArray[np.int64]]: ...
def count_magnitudes(
    chunk: ArrayLike,
    dtype: str,
    nan: str,
    first: int,
    last: int,
    counts: NDArray[np.uint64],
    /,
) -> None: ...
def prune(
    w: ArrayLike,
    k: int | None,
    sparsity: float | None,
    threshold: float | None,
    pattern: tuple[int, int] | None,
    remainder: str,
    scores: _Scores,
    axis: int | tuple[int, ...] | None,
    nan: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def prune_global(
    arrays: list[Any],
    scores: list[_Scores],
    out: list[Any],
    labels: list[str],
    k: int | None,
    sparsity: float | None,
    block: tuple[int, int] | None,
    norm: str | None,
    max_sparsity: list[float],
    nan: str,
    /,
) -> list[NDArray[Any]]: ...
def prune_blocks(
    w: ArrayLike,
    k: int | None,
    sparsity: float | None,
    threshold: float | None,
    block: tuple[int, int],
    norm: str | None,
    scores: _Scores,
    axis: int | tuple[int, ...] | None,
    nan: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def prune_mask(
    w: ArrayLike,
    k: int | None,
    sparsity: float | None,
    threshold: float | None,
    pattern: tuple[int, int] | None,
    remainder: str,
    scores: _Scores,
    axis: int | tuple[int, ...] | None,
    packed: bool,
    row_align: int | None,
    bitorder: str,
    nan: str,
    /,
) -> NDArray[Any]: ...
def prune_mask_global(
    arrays: list[Any],
    scores: list[_Scores],
    labels: list[str],
    k: int | None,
    sparsity: float | None,
    block: tuple[int, int] | None,
    norm: str | None,
    max_sparsity: list[float],
    packed: bool,
    row_align: int | None,
    bitorder: str,
    nan: str,
    /,
) -> list[NDArray[Any]]: ...
def prune_mask_blocks(
    w: ArrayLike,
    k: int | None,
    sparsity: float | None,
    threshold: float | None,
    block: tuple[int, int],
    norm: str | None,
    scores: _Scores,
    axis: int | tuple[int, ...] | None,
    packed: bool,
    row_align: int | None,
    bitorder: str,
    nan: str,
    /,
) -> NDArray[Any]: ...
def apply_mask(
    w: ArrayLike,
    mask: ArrayLike,
    row_align: int | None,
    bitorder: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def soft_threshold(w: ArrayLike, threshold: float, out: NDArray[Any] | None, /) -> NDArray[Any]: ...
def encode_bitmask(
    w: ArrayLike, mask: ArrayLike | None, /
) -> tuple[NDArray[np.uint8], NDArray[Any], tuple[int, ...]]: ...
def decode_bitmask(
    bitmask: ArrayLike,
    values: ArrayLike,
    shape: tuple[int, ...],
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def count_bitmask(
    bitmask: ArrayLike, shape: tuple[int, ...], /
) -> tuple[NDArray[np.uint8], int, NDArray[np.int64]]: ...
def check_bitmask_values(values: ArrayLike, /) -> NDArray[Any]: ...
def encode_gaps(
    bitmask: ArrayLike, shape: tuple[int, ...], set_bits: int, /
) -> NDArray[np.uint8]: ...
def decode_gaps(
    gaps: ArrayLike, shape: tuple[int, ...], /
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...
def pack_ints(
    q: ArrayLike,
    bits: int,
    row_align: int | None,
    bitorder: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def unpack_ints(
    packed: ArrayLike,
    bits: int,
    shape: tuple[int, ...],
    row_align: int | None,
    bitorder: str,
    dtype: np.dtype[Any],
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...

class Format:
    def __init__(
        self,
        bits: int,
        signed: bool,
        group_bits: NDArray[np.int32] | None,  # of which `bits` is the largest
        frac_bits: int | NDArray[np.int32] | None,
        scale: float | NDArray[Any] | None,
        zero_point: int | NDArray[np.int32] | None,
        qmin: int,
        qmax: int,
        shape: tuple[int, ...],
        axis: int | tuple[int, ...] | None,
        group_size: int | tuple[int, int] | None,
        are_normal: bool,  # whether the scales are known to be positive and normal
        /,
    ) -> None: ...

def quantize(
    w: ArrayLike,
    fmt: _Format,
    rounding: str,
    overflow: str,
    nan: str,
    seed: int | None,
    index_offset: int,
    packed: bool,
    bitorder: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def dequantize(
    q: ArrayLike,
    fmt: _Format,
    dtype: np.dtype[Any],
    shape: tuple[int, ...] | None,
    bitorder: str,
    sign_extend: bool,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def requantize(
    q: ArrayLike,
    from_fmt: _Format,
    to_fmt: _Format,
    rounding: str,
    overflow: str,
    seed: int | None,
    index_offset: int,
    sign_extend: bool,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def fake_quantize(
    w: ArrayLike,
    fmt: _Format,
    rounding: str,
    overflow: str,
    nan: str,
    seed: int | None,
    index_offset: int,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def prune_quantize(
    w: ArrayLike,
    fmt: _Format,
    k: int | None,
    sparsity: float | None,
    rounding: str,
    overflow: str,
    nan: str,
    seed: int | None,
    index_offset: int,
    packed: bool,
    bitorder: str,
    out: NDArray[Any] | None,
    /,
) -> NDArray[Any]: ...
def compare(
    w: ArrayLike,
    w_hat: ArrayLike,
    axis: int | tuple[int, ...] | None,
    group_size: int | tuple[int, int] | None,
    fmt: _Format | None,
    rounding: str,
    /,
) -> NDArray[np.float64]: ...  # [groups...][sum]; the last sum holds the bits of an int64
def choose_format(
    w: ArrayLike,
    bits: int,
    signed: bool,
    method: str,
    percentile: float,
    rounding: str,
    axis: int | tuple[int, ...] | None,
    group_size: int | tuple[int, int] | None,
    quantized: NDArray[Any] | None,
    /,
) -> tuple[int | NDArray[np.int32], dict[str, Any]]: ...  # frac_bits[groups...], other arguments
def choose_affine(
    w: ArrayLike,
    bits: int,
    signed: bool,
    symmetric: bool,
    method: str,
    percentile: float,
    rounding: str,
    axis: int | tuple[int, ...] | None,
    group_size: int | tuple[int, int] | None,
    quantized: NDArray[Any] | None,
    /,
) -> tuple[  # scales[groups...], zero points[groups...], other arguments
    float | NDArray[Any], int | NDArray[np.int32], dict[str, Any]
]: ...
def isa() -> str: ...
def isas() -> tuple[str, ...]: ...
def set_isa(name: str, /) -> None: ...
def enter_float_state() -> int: ...
def leave_float_state(saved: int, /) -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int, /) -> None: ...
def to_num_threads(n: int, /) -> int: ...
def is_float_dtype(dtype: np.dtype[Any], /) -> bool: ...

float_dtypes: tuple[str, ...]
max_packed_bits: int
integer_dtypes: tuple[tuple[str, int, bool], ...]  # (name, bits, signed)
num_threads_var: ContextVar[tuple[int, ...]]
