"""Calibration: choose the binary point, or the scale and the zero point, that suit the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from secateur import _core
from secateur.formats import chosen_affine, chosen_fixed_point

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from secateur.formats import Affine, FixedPoint
    from secateur.literals import Axes, ChoiceMethod, DeterministicRounding, GroupSize


def choose_format(
    w: ArrayLike,
    bits: int,
    *,
    signed: bool = True,
    method: ChoiceMethod = "max",
    percentile: float = 99.99,
    rounding: DeterministicRounding = "nearest_even",
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
    quantized: NDArray[Any] | None = None,
) -> FixedPoint:
    """Choose the number of fraction bits of a fixed-point format that suits the data.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. All elements must be finite.
    bits : int
        The width of the integers, 2 to 32.
    signed : bool, default True
        Whether the integers are signed. If not, negative elements must round to 0 with the
        `frac_bits` that ``"max"`` chooses.
    method : {"max", "percentile", "mse"}
        ``"max"`` chooses the largest `frac_bits` with which no element is rounded out of the range
        of the format. ``"percentile"`` chooses what ``"max"`` does for `w` clipped to ``±t``, where
        ``t`` is the percentile of ``|w|``. ``"mse"`` chooses the `frac_bits` of the least sum of
        squared errors, if elements out of range saturate, and of several such the largest.
    percentile : float, default 99.99
        From 0 to 100. Of ``n`` elements, the percentile is the one of rank
        ``max(1, ceil(n * percentile / 100))``, counted from the smallest ``|w|``.
    rounding : {"nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", "floor", \
"ceil", "trunc", "away"}
        How the elements will be rounded, as for :func:`quantize`. For ``"stochastic"`` choose with
        ``"away"``: with ``method="max"`` no draw then overflows.
    axis : int or tuple of int, optional
        Choose for each index along this axis, or along these axes. By default one format serves the
        whole array.
    group_size : int or (int, int), optional
        Choose for each group of this many neighbours along the axis, by default the last axis. With
        two numbers, choose for each block of two axes, by default the last two. Groups at the ends
        of the axes may be smaller.
    quantized : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        Receives ``quantize(w, fmt, rounding=rounding)``, where ``fmt`` is the chosen format. Its dtype
        may also be one of ml_dtypes, as for the `out` of :func:`quantize`. With ``"max"`` and groups
        that are contiguous in `w`, choosing and quantizing take one pass over memory. After an error,
        its contents are unspecified.

    Returns
    -------
    FixedPoint
        The format. `frac_bits` is an int; or an array along `axis`; or an array of one entry per
        group. Each is limited to -256 to 256. If the (clipped) range of a group is 0, or if the
        integers are unsigned and the group has no positive element, it is ``bits - 1`` for signed
        integers and ``bits`` for unsigned ones. The format then covers about -1 to 1, or 0 to 1.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or another argument has an unsupported type.
    ValueError
        If `w` holds NaN, infinities, or negative elements that an unsigned format excludes; or if
        another argument is out of range.

    Notes
    -----
    ``"max"``: the highest integer ``h`` is odd and the lowest integer ``l`` is even. With rounding
    half to even, ``x`` does not saturate if ``l - 1/2 <= x * 2**frac_bits < h + 1/2``; with
    ``"floor"``, if ``l <= x * 2**frac_bits < h + 1``. So nothing overflows under the given rounding,
    and ``overflow="wrap"`` flips no sign.

    ``"mse"``: the search evaluates the sum of squared errors only for as many `frac_bits` as the
    minimum needs [1]_. With fewer fraction bits than ``"max"`` chooses, the grid loses every other
    point, so that no error decreases. With more fraction bits, the range halves with each, so that
    the errors of the elements out of range increase. Once the sum of these errors alone exceeds the
    least sum so far, more fraction bits cannot be better. Both statements hold for the computed
    sums, which ``docs/semantics.md`` defines to the bit. For a large array, the search starts at
    the optimum of a sample. Usually one or two passes over the array show that no other `frac_bits`
    is better; otherwise the full search follows.

    References
    ----------
    .. [1] Widrow, B., & Kollár, I. (2008). Quantization Noise. Cambridge University Press, on
       the balance of granular and overload error.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([0.1, -0.25, 0.5, 1.5])
    >>> sc.choose_format(w, 8)
    FixedPoint(bits=8, frac_bits=6, signed=True)
    >>> sc.choose_format(w.reshape(2, 2), 8, axis=0)
    FixedPoint(bits=8, frac_bits=[9, 6], signed=True, axis=0)
    >>> w = np.float32([127.4, -128.4])
    >>> sc.choose_format(w, 8).frac_bits, sc.choose_format(w, 8, rounding="floor").frac_bits
    (0, -1)
    """
    frac_bits, how = _core.choose_format(
        w, bits, signed, method, percentile, rounding, axis, group_size, quantized
    )
    return chosen_fixed_point(frac_bits, **how)


def choose_affine(
    w: ArrayLike,
    bits: int = 8,
    *,
    signed: bool = True,
    symmetric: bool = False,
    method: ChoiceMethod = "max",
    percentile: float = 99.99,
    rounding: DeterministicRounding = "nearest_even",
    axis: Axes | None = None,
    group_size: GroupSize | None = None,
    quantized: NDArray[Any] | None = None,
) -> Affine:
    """Choose an affine format that suits the data, by the rules of ONNX.

    Parameters
    ----------
    w : array_like of float16, bfloat16, float32 or float64, any shape
        The array to quantize. All elements must be finite.
    bits : int, default 8
        The width of the integers, 2 to 16.
    signed : bool, default True
        Whether the integers are signed.
    symmetric : bool, default False
        Whether the range is symmetric about 0. The zero point is then 0 or, for unsigned integers,
        their middle (128 for 8 bits).
    method : {"max", "percentile", "mse"}
        ``"max"`` chooses the smallest range that holds all elements and 0. ``"percentile"`` chooses
        what ``"max"`` does for `w` clipped to ``±t``, where ``t`` is the percentile of ``|w|``.
        ``"mse"`` searches among the scale of ``"max"`` and smaller ones, with the same zero point,
        for that of the least sum of squared errors, if elements out of range saturate. It is never
        worse than ``"max"``.
    percentile : float, default 99.99
        As for :func:`choose_format`.
    rounding : {"nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", "floor", \
"ceil", "trunc", "away"}
        As for :func:`choose_format`.
    axis : int or tuple of int, optional
        Choose for each index along this axis, or along these axes. By default one scale serves the
        whole array.
    group_size : int or (int, int), optional
        Choose for each group of this many neighbours along the axis, by default the last axis. With
        two numbers, choose for each block of two axes, by default the last two. Groups at the ends
        of the axes may be smaller.
    quantized : ndarray of ``fmt.dtype``, of the shape of `w`, optional
        Receives ``quantize(w, fmt, rounding=rounding)``, where ``fmt`` is the chosen format. Its dtype
        may also be one of ml_dtypes, as for the `out` of :func:`quantize`. With ``"max"`` and groups
        that are contiguous in `w`, choosing and quantizing take one pass over memory. After an error,
        its contents are unspecified.

    Returns
    -------
    Affine
        The format. Its scales are positive and not subnormal, of float32, or of float64 if `w` is
        float64. For a group whose (clipped) range is 0, the scale is 1, and the zero point is 0 or,
        with ``symmetric=True`` and ``signed=False``, ``2**(bits - 1)``.

    Raises
    ------
    TypeError
        If `w` has an unsupported dtype, or another argument has an unsupported type.
    ValueError
        If `w` holds NaN or infinities, or another argument is out of range.

    Notes
    -----
    The range includes 0. The zero point is the integer nearest to the position of 0 in the range,
    rounded half to even [1]_. So 0 is represented exactly, as padding and ReLU need. The scale is
    the length of the range divided by the number of steps between the integers; for a symmetric
    range, the largest magnitude divided by the number of steps above the zero point. It is rounded
    to float32, or to float64 if `w` is float64. ``docs/semantics.md`` has the formulas, and says how
    they change with `rounding`, so that both ends of the range are rounded to integers of the format
    and ``"max"`` leaves nothing to overflow.

    ``"mse"``: candidates are ``r`` times the scale of ``"max"``, where ``r`` is 1, 0.995, 0.99, ...
    down to 0.5 and the halves of these, again and again, down to ``2**-16``. The search tries every
    16th from the largest on (in groups of fewer than 4096 every 8th or 2nd), and stops when
    the errors of the elements out of range alone exceed the least sum so far, because they increase as
    the range shrinks [2]_. Then it tries those around the best. A group of ``2**22`` consecutive elements
    or more is searched in a sample first. The errors of all elements then confirm the result, or the
    search is repeated without a sample. In tests, the sum over all groups is within 1 % of that of the
    best of the scales ``i / 200`` times that of ``"max"``, i from 1 to 200. A single group may miss a
    narrow minimum and lose more: one of a few elements, or one whose elements lie on a grid of their
    own, such as dequantized ones. With a `rounding` that is not to nearest, the search tries every
    candidate. ``docs/semantics.md`` defines it to the bit.

    References
    ----------
    .. [1] ONNX operators, "DynamicQuantizeLinear" and "QuantizeLinear".
    .. [2] Widrow, B., & Kollár, I. (2008). Quantization Noise. Cambridge University Press, on
       the balance of granular and overload error.

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> w = np.float32([-1, 0, 0.5, 4.1])
    >>> fmt = sc.choose_affine(w, signed=False)
    >>> fmt
    Affine(scale=0.019999999552965164, zero_point=50, bits=8, signed=False)
    >>> sc.quantize(w, fmt)
    array([  0,  50,  75, 255], dtype=uint8)
    >>> sc.choose_affine(np.float32([[-1, 0.5], [127, 4]]), symmetric=True, axis=0).scale
    array([0.00787402, 1.        ], dtype=float32)

    Choose and quantize in one pass, with a scale for each pair of neighbours:

    >>> q = np.empty(4, np.uint8)
    >>> sc.choose_affine(w, signed=False, group_size=2, quantized=q).zero_point
    array([255,   0], dtype=int32)
    >>> q
    array([  0, 255,  31, 255], dtype=uint8)
    """
    scale, zero_point, how = _core.choose_affine(
        w, bits, signed, symmetric, method, percentile, rounding, axis, group_size, quantized
    )
    return chosen_affine(scale, zero_point, **how)
