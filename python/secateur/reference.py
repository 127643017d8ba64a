"""The same functions as the package's own, in plain NumPy.

This module is the executable specification: what a function returns here is what the compiled one
returns, bit for bit. It is the oracle of the tests and the baseline of the benchmarks.

Three rules decide every selection:

* The order of magnitudes is the order of the float's bits, read as an integer with the sign
  cleared. So zero is lowest, infinity is above all numbers, and NaN is above infinity.
* Exactly ``k`` elements are kept. Of equal magnitudes at the boundary, those of lowest flat index
  (C order) are kept.
* A kept element keeps its bits; a removed one becomes ``+0.0``.

NaN is refused (``nan="raise"``), or takes part in the order above (``"keep"``), or is ranked
below zero (``"prune"``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

import numpy as np

from secateur.formats import FixedPoint, integer_in, real
from secateur.schedules import sparsity_schedule  # noqa: F401 (plain NumPy already)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    Array = NDArray[Any]
    Float32s = NDArray[np.float32]
    Floats = NDArray[Any]
    Keys = NDArray[Any]  # unsigned integers of the floats' width
    Mask = NDArray[np.bool_]

# The bits of infinity; NaN are the magnitudes above it.
INFINITIES = {
    "float16": 0x7C00,
    "bfloat16": 0x7F80,
    "float32": 0x7F800000,
    "float64": 0x7FF0000000000000,
}


# --- selection ------------------------------------------------------------------------------


def kth_magnitude(
    w: ArrayLike, k: int, *, axis: int | None = None, nan: str = "raise"
) -> np.floating[Any]:
    """The k-th largest ``|w|``.

    Parameters, results and errors are those of :func:`secateur.kth_magnitude`.

    Notes
    -----
    The method is ``numpy.partition`` (introselect) on the sign-cleared bits.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.kth_magnitude(np.float32([3, -4, 0, 1]), 2)
    np.float32(3.0)
    """
    _refuse_unsupported(axis=axis)
    w = _floats("w", w)
    if w.size == 0:
        _refuse("w", f"shape {w.shape}", "of at least one element")
    k = integer_in("k", k, 1, w.size)
    return _magnitude(_kth_key(_keys(w, nan), k), nan, w.dtype)


def topk_mask(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    scores: ArrayLike | None = None,
    axis: int | None = None,
    packed: bool = False,
    nan: str = "raise",
) -> Mask | NDArray[np.uint8]:
    """Where the k largest ``|w|`` are.

    Parameters, results and errors are those of :func:`secateur.topk_mask`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> w = np.float32([3, -4, 3, 1])
    >>> reference.topk_mask(w, k=2)
    array([ True,  True, False, False])
    >>> reference.topk_mask(w, k=2, packed=True)
    array([3], dtype=uint8)
    """
    _refuse_unsupported(scores=scores, axis=axis)
    _exactly_one(k=k, sparsity=sparsity)
    w = _floats("w", w)
    k = _count(w.size, k, sparsity)
    mask = _largest(_keys(w, nan), k)
    return np.packbits(mask, bitorder="little") if packed else mask.reshape(w.shape)


# --- pruning --------------------------------------------------------------------------------


def prune(
    w: ArrayLike,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    threshold: float | None = None,
    pattern: str | None = None,
    block: tuple[int, int] | None = None,
    scores: ArrayLike | None = None,
    axis: int | None = None,
    nan: str = "raise",
    out: Floats | None = None,
) -> Floats:
    """Set all but the largest magnitudes to zero.

    Exactly one of `k`, `sparsity` and `threshold` is given.

    Parameters, results and errors are those of :func:`secateur.prune`.

    Notes
    -----
    The method is that of magnitude pruning (Han et al. 2015, "Learning both weights and
    connections for efficient neural networks").

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> reference.prune(w, sparsity=0.5)
    array([ 3., -4.,  0.,  0.], dtype=float32)
    >>> reference.prune(w, threshold=0.5)
    array([ 3., -4.,  0.,  1.], dtype=float32)
    """
    _refuse_unsupported(pattern=pattern, block=block, scores=scores, axis=axis)
    _exactly_one(k=k, sparsity=sparsity, threshold=threshold)
    w = _floats("w", w)
    out = _result(out, w.dtype, w)
    if threshold is not None:
        key = _threshold_key(threshold, nan, w.dtype)
        mask = _keys(w, nan) > key
    else:
        k = _count(w.size, k, sparsity)
        mask = _largest(_keys(w, nan), k)
    return _masked(w, mask.reshape(w.shape), out)


def apply_mask(w: ArrayLike, mask: ArrayLike, *, out: Floats | None = None) -> Floats:
    """Set to zero what a mask does not keep.

    Parameters, results and errors are those of :func:`secateur.apply_mask`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import reference
    >>> reference.apply_mask(np.float32([3, -4, 5]), [True, False, True])
    array([3., 0., 5.], dtype=float32)
    >>> reference.apply_mask(np.float32([3, -4, 5]), np.uint8([0b101]))
    array([3., 0., 5.], dtype=float32)
    """
    w, mask = _floats("w", w), _plain("mask", mask)
    out = _result(out, w.dtype, w, mask)
    return _masked(w, _unpacked(mask, w), out)


# --- fixed point ----------------------------------------------------------------------------


def quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """The integers nearest to ``w * 2**fmt.frac_bits``.

    The result is as if computed exactly and rounded once.

    Parameters, results and errors are those of :func:`secateur.quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.quantize(np.float32([0.25, 0.75, -1, 100]), FixedPoint(8, frac_bits=1))
    array([  0,   2,  -2, 127], dtype=int8)
    """
    fmt = _format(fmt)
    _check_modes(rounding, overflow, nan, seed)
    w = _float32("w", w)
    out = _result(out, fmt.dtype, w)
    _check_nan(w, nan)
    real = _real_type(fmt)
    with np.errstate(over="ignore", invalid="ignore"):  # past the range, and signalling NaN
        q = np.asarray(np.multiply(w, real(2.0**fmt.frac_bits), dtype=real, order="C"))
        np.rint(q, out=q)
        np.clip(q, fmt.min, fmt.max, out=q)
        if nan == "zero":
            np.copyto(q, 0, where=np.isnan(q))
        np.copyto(out, q, casting="unsafe")
    return out


def dequantize(
    q: ArrayLike,
    fmt: FixedPoint,
    *,
    dtype: DTypeLike = np.float32,
    out: Float32s | None = None,
) -> Float32s:
    """The values ``q * 2**-fmt.frac_bits``, rounded once.

    Parameters, results and errors are those of :func:`secateur.dequantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.dequantize(np.int8([0, 2, -2, 127]), FixedPoint(8, frac_bits=1))
    array([ 0. ,  1. , -1. , 63.5], dtype=float32)
    """
    fmt = _format(fmt)
    if np.dtype(dtype) != np.float32:
        _refuse("dtype", np.dtype(dtype), "float32", TypeError)
    q = _native("q", q, fmt.dtype)
    out = _result(out, np.float32, q)
    real = _real_type(fmt)
    with np.errstate(over="ignore"):  # past float32's range is infinite
        np.multiply(q, real(fmt.resolution), out=out, dtype=real, casting="same_kind")
    return out


def fake_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Float32s | None = None,
) -> Float32s:
    """The values that quantizing would leave: ``dequantize(quantize(w))``.

    Parameters, results and errors are those of :func:`secateur.fake_quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> reference.fake_quantize(np.float32([0.3, -0.1, 100]), FixedPoint(8, frac_bits=1))
    array([ 0.5,  0. , 63.5], dtype=float32)
    """
    w = _float32("w", w)
    out = _result(out, np.float32, w)
    q = quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed)
    return dequantize(q, fmt, out=out)


def prune_quantize(
    w: ArrayLike,
    fmt: FixedPoint,
    *,
    k: int | None = None,
    sparsity: float | None = None,
    rounding: str = "nearest_even",
    overflow: str = "saturate",
    nan: str = "raise",
    seed: int | None = None,
    out: Array | None = None,
) -> Array:
    """The integers of the largest magnitudes, and zero for the rest: ``quantize(prune(w))``.

    Exactly one of `k` and `sparsity` is given.

    Parameters, results and errors are those of :func:`secateur.prune_quantize`.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur import FixedPoint, reference
    >>> w = np.float32([3, -4, 0.5, 1])
    >>> reference.prune_quantize(w, FixedPoint(8, frac_bits=4), sparsity=0.5)
    array([ 48, -64,   0,   0], dtype=int8)
    """
    fmt = _format(fmt)
    _check_modes(rounding, overflow, nan, seed)
    _exactly_one(k=k, sparsity=sparsity)
    w = _float32("w", w)
    out = _result(out, fmt.dtype, w)
    mask = topk_mask(w, k=k, sparsity=sparsity, nan="prune" if nan == "zero" else nan)
    quantize(w, fmt, rounding=rounding, overflow=overflow, nan=nan, seed=seed, out=out)
    return np.multiply(out, mask, out=out)  # integers are cheaper to mask than floats


# --- the order of magnitudes ----------------------------------------------------------------


def _bits(w: Floats) -> Keys:
    return w.view(f"u{w.itemsize}")


def _most(dtype: np.dtype[Any]) -> int:
    """Every bit of a float but its sign: the largest of all keys."""
    return (1 << (8 * dtype.itemsize - 1)) - 1


def _rotation(nan: str, dtype: np.dtype[Any]) -> int:
    """As many as there are NaN, if they are to come round to below zero."""
    return _most(dtype) - INFINITIES[dtype.name] if nan == "prune" else 0


def _keys(w: Floats, nan: str) -> Keys:
    """Integers in the order of the magnitudes; a new array, flat in C order."""
    _one_of("nan", nan, "raise", "keep", "prune")
    _check_nan(w, nan)
    keys: Keys = np.bitwise_and(_bits(w), _most(w.dtype), order="C").ravel()
    if nan == "prune":
        keys += keys.dtype.type(_rotation(nan, w.dtype))
        keys &= keys.dtype.type(_most(w.dtype))
    return keys


def _magnitude(key: int, nan: str, dtype: np.dtype[Any]) -> np.floating[Any]:
    """The magnitude that a key stands for: the inverse of `_keys`."""
    bits = (key - _rotation(nan, dtype)) & _most(dtype)
    return cast("np.floating[Any]", np.array(bits, f"u{dtype.itemsize}").view(dtype)[()])


def _threshold_key(threshold: float, nan: str, dtype: np.dtype[Any]) -> int:
    """The key that ``|w| > threshold`` compares with."""
    value = real("threshold", threshold)
    if not value >= 0:
        _refuse("threshold", repr(threshold), "a number, at least 0")
    # Between two neighbouring floats no |w| can lie, so that the lower one decides as well.
    with np.errstate(over="ignore"):
        nearest = np.array(value).astype(dtype)
    bits = int(_bits(nearest)[()]) & _most(dtype)  # -0.0 is 0
    return bits - (float(nearest) > value) + _rotation(nan, dtype)


def _kth_key(keys: Keys, k: int) -> int:
    return int(np.partition(keys, keys.size - k)[keys.size - k])


def _largest(keys: Keys, k: int) -> Mask:
    """True at the k largest keys; of equal ones, those of lowest index."""
    if k == 0:
        return np.zeros(keys.size, np.bool_)
    kth = _kth_key(keys, k)
    mask = keys > kth
    ties = np.flatnonzero(keys == kth)
    mask[ties[: k - np.count_nonzero(mask)]] = True
    return mask


def _count(n: int, k: int | None, sparsity: float | None) -> int:
    """How many of n elements are kept."""
    if sparsity is None:
        return integer_in("k", k, 0, n)
    share = real("sparsity", sparsity)
    if not 0 <= share <= 1:
        _refuse("sparsity", repr(sparsity), "a number from 0 to 1")
    return n - round(share * n)


# --- masks and scales -----------------------------------------------------------------------


def _masked(w: Floats, mask: Mask, out: Floats) -> Floats:
    # Of the bits, not of the floats: -0.0 and NaN keep theirs, and 0 times anything is +0.0.
    np.multiply(_bits(w), mask, out=_bits(out))
    return out


def _unpacked(mask: Array, w: Floats) -> Mask:
    """A bool mask of the shape of `w`, from one or from its packed form."""
    if mask.dtype == np.bool_:
        if mask.shape != w.shape:
            _refuse("mask", f"shape {mask.shape}", f"of shape {w.shape}, that of w")
        return mask
    if mask.dtype != np.uint8:
        _refuse("mask", mask.dtype, "bool or uint8", TypeError)
    packed = ((w.size + 7) // 8,)
    if mask.shape != packed:
        _refuse("mask", f"shape {mask.shape}", f"of shape {packed}, one bit for each element of w")
    bits = np.unpackbits(mask, count=w.size, bitorder="little")
    return bits.view(np.bool_).reshape(w.shape)


def _real_type(fmt: FixedPoint) -> type[np.float32 | np.float64]:
    """In which products with the format's power of two can be rounded once to what is wanted."""
    # In float32 `w * 2**frac_bits` is exact, or infinite and saturates, or subnormal and becomes 0;
    # and `q * 2**-frac_bits` is exact or infinite. Where the power itself leaves float32's normal
    # numbers, float64 serves: 24 bits of w, and exponents between -405 and 384, are exact there.
    return np.float32 if abs(fmt.frac_bits) <= 126 else np.float64


# --- arguments ------------------------------------------------------------------------------


def _plain(name: str, values: ArrayLike) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        _refuse(name, "a masked one, whose mask would be lost", "a plain array", TypeError)
    return np.asarray(values)


def _native(name: str, values: ArrayLike, dtype: DTypeLike) -> Array:
    """`values` as an array of a dtype in native byte order; never cast from another dtype."""
    array = _plain(name, values)
    if array.dtype.newbyteorder("=") != dtype:
        _refuse(name, array.dtype, f"{np.dtype(dtype)}", TypeError)
    return array.astype(dtype, copy=False)


def _float32(name: str, values: ArrayLike) -> Float32s:
    return _native(name, values, np.float32)


def _floats(name: str, values: ArrayLike) -> Floats:
    """`values` as floats of their own type in native byte order."""
    array = _plain(name, values)
    if array.dtype.name not in INFINITIES:
        _refuse(name, array.dtype, " or ".join(INFINITIES), TypeError)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _result(out: Any, dtype: DTypeLike, like: Array, *others: Array) -> Array:
    """`out` if it can hold the result, else a new array of the shape of `like`, in C order."""
    if out is None:
        return np.empty(like.shape, dtype)
    if not isinstance(out, np.ndarray):
        _refuse("out", type(out).__name__, f"an array of {np.dtype(dtype)}", TypeError)
    _plain("out", out)
    if out.dtype != dtype:
        _refuse("out", out.dtype, f"{np.dtype(dtype)} in native byte order", TypeError)
    if out.shape != like.shape:
        _refuse("out", f"shape {out.shape}", f"of the input's shape {like.shape}")
    if not out.flags.writeable:
        _refuse("out", "a read-only array", "writeable")
    steps = zip(out.strides, out.shape, strict=True)
    if out.size and any(step == 0 and length > 1 for step, length in steps):
        _refuse("out", "strides that make them overlap", "an array with its elements apart")
    for source in (like, *others):
        if not _same(out, source) and np.shares_memory(out, source):
            allowed = "the input itself or share no memory with it"
            _refuse("out", "an array that overlaps it in part", allowed)
    return out


def _same(a: Array, b: Array) -> bool:
    steps = zip(a.strides, b.strides, a.shape, strict=True)
    return bool(a.__array_interface__["data"] == b.__array_interface__["data"]) and (
        (a.dtype, a.shape) == (b.dtype, b.shape)
        and all(x == y for x, y, length in steps if length > 1)
    )


def _format(fmt: FixedPoint) -> FixedPoint:
    if not isinstance(fmt, FixedPoint):
        _refuse("fmt", repr(fmt), "a FixedPoint", TypeError)
    if fmt.bits not in (8, 16):
        _refuse("fmt.bits", repr(fmt), "8 or 16")
    return fmt


def _check_modes(rounding: str, overflow: str, nan: str, seed: int | None) -> None:
    _one_of("rounding", rounding, "nearest_even")
    _one_of("overflow", overflow, "saturate")
    _one_of("nan", nan, "raise", "zero")
    _refuse_unsupported(seed=seed)


def _check_nan(w: Floats, nan: str) -> None:
    if nan != "raise":
        return
    with np.errstate(invalid="ignore"):  # a signalling NaN
        if not np.isnan(np.max(w, initial=0)):  # max is the cheapest look for NaN
            return
        found = np.isnan(w).ravel()
    count, first = np.count_nonzero(found), found.argmax()
    msg = f"w has {count} NaN, the first at flat index {first}; nan= can say what to do with it"
    raise ValueError(msg)


def _one_of(name: str, value: Any, *allowed: str) -> None:
    if not isinstance(value, str) or value not in allowed:
        _refuse(name, repr(value), " or ".join(map(repr, allowed)))


def _exactly_one(**choices: Any) -> None:
    given = [f"{name}={value!r}" for name, value in choices.items() if value is not None]
    if len(given) != 1:
        came = ", ".join(given) or "none"
        msg = f"exactly one of {', '.join(choices)} must be given, got {came}"
        raise ValueError(msg)


def _refuse_unsupported(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value is not None:
            _refuse(name, repr(value), "None, the only value that this version supports")


def _refuse(name: str, came: Any, allowed: str, error: type[Exception] = ValueError) -> NoReturn:
    msg = f"{name} must be {allowed}, got {came}"
    raise error(msg) from None
