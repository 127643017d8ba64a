"""Number formats: the values that integers represent."""

from __future__ import annotations

import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar, cast

import numpy as np

from secateur import _core
from secateur.arguments import (
    array_of,
    as_bool,
    as_double,
    as_string,
    integer_in,
    integers_in,
    native_array,
)
from secateur.dtypes import FLOATS, INTEGERS, Integers
from secateur.messages import shortened, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from secateur.literals import Axes, GroupSize

    Int32s: TypeAlias = NDArray[np.int32]
    Int64s: TypeAlias = NDArray[np.int64]
    Floats: TypeAlias = NDArray[np.floating[Any]]
    Float64s: TypeAlias = NDArray[np.float64]

Stored = TypeVar("Stored")


class Format:
    """The base of all formats: immutable objects that are equal if all their fields are.

    Attributes
    ----------
    bits : int or read-only ndarray of int32
        The width of the integers in bits; an array in a FixedPoint whose groups have widths of their
        own.
    signed : bool
        Whether the integers are signed, in two's complement, or unsigned.
    axis, group_size
        The groups of elements that share a parameter; None if one parameter serves all.
    """

    __slots__ = ("_native", "_width", "axis", "group_size", "signed")

    _native: _core.Format
    _width: int  # of the stored integers: the largest of `bits`
    signed: bool
    axis: Axes | None
    group_size: GroupSize | None

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)  # bypasses the __setattr__ below

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"{type(self).__name__} is immutable: cannot set {name!r}"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> NoReturn:
        msg = f"{type(self).__name__} is immutable: cannot delete {name!r}"
        raise AttributeError(msg)

    def _arguments(self) -> dict[str, Any]:
        """The arguments from which an equal format can be made."""
        raise NotImplementedError

    def __reduce__(self) -> tuple[Callable[..., Format], tuple[()]]:
        return partial(type(self), **self._arguments()), ()

    def _key(self) -> tuple[object, ...]:
        """A hashable key; formats are equal if their keys are."""
        return tuple(
            (v.shape, v.dtype.name, v.tobytes()) if isinstance(v, np.ndarray) else v
            for v in self._arguments().values()
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)) and not isinstance(self, type(other)):
            return NotImplemented
        return isinstance(other, Format) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        arguments = {k: v for k, v in self._arguments().items() if v is not None}
        text = ", ".join(f"{name}={_text_of(value)}" for name, value in arguments.items())
        return f"{type(self).__name__}({text})"

    @property
    def dtype(self) -> np.dtype[np.signedinteger[Any] | np.unsignedinteger[Any]]:
        """The smallest NumPy integer dtype that holds the format."""
        width = max(8, 1 << (self._width - 1).bit_length())
        return np.dtype(f"int{width}" if self.signed else f"uint{width}")


# The modes of ap_fixed, and the arguments of quantize that select them.
_AP_MODES = {
    "AP_RND": 'rounding="nearest_up"',
    "AP_RND_ZERO": 'rounding="nearest_zero"',
    "AP_RND_MIN_INF": 'rounding="nearest_down"',
    "AP_RND_INF": 'rounding="nearest_away"',
    "AP_RND_CONV": 'rounding="nearest_even"',
    "AP_TRN": 'rounding="floor"',
    "AP_TRN_ZERO": 'rounding="trunc"',
    "AP_SAT": 'overflow="saturate"',
    "AP_SAT_ZERO": 'overflow="saturate_zero"',
    "AP_SAT_SYM": 'overflow="saturate_symmetric"',
    "AP_WRAP": 'overflow="wrap"',
}
_Q = re.compile(r"\s*(U?)Q(?:(-?\d{1,4})\.)?(-?\d{1,4})\s*", re.IGNORECASE | re.ASCII)
_WORDS = (8, 16, 24, 32, 64)  # the bits of words, which most formats fill
_AP = re.compile(
    r"\s*ap_(u?)fixed\s*<\s*(-?\d{1,4})\s*,\s*(-?\d{1,4})\s*(?:,([^<>]*))?>\s*", re.ASCII
)


class FixedPoint(Format):
    """A binary fixed-point format: the integer ``q`` represents ``q * 2**-frac_bits``.

    Formats are immutable. Two formats are equal if all their fields are equal.

    Parameters
    ----------
    bits : int or array_like of int, default 8
        The width of the integers in bits, including the sign bit; 2 to 32, or to 64 for the integers
        that :func:`secateur.requantize` takes. An array holds the width of each group, 2 to 32, and has
        the same shape as an array of `frac_bits`. Either may be a single number. The largest width is
        that of the dtype and of packed integers.
    frac_bits : int or array_like of int, default 5
        The number of bits after the binary point, -256 to 256. It may be negative (steps larger
        than 1) or exceed `bits` (a range well within ±1). With `axis`, an array holds one entry for
        each index along that axis of the quantized array; with a tuple of axes, its shape is the
        lengths of these axes. With `group_size`, it has the shape of the quantized array, but one
        entry for each group along the axis or axes.
    signed : bool, default True
        Whether the integers are signed, in two's complement, or unsigned.
    axis : int or tuple of int, optional
        The axis of the quantized array along which the parameters vary, or several axes in ascending
        order. It is required with an array of `bits` or `frac_bits`; with `group_size` the default is
        the last axis, or the last two.
    group_size : int or tuple of two ints, optional
        The number of neighbours along `axis` that share an entry of an array, or two such numbers, for
        blocks of two axes. The last groups along an axis may be smaller.

    Attributes
    ----------
    signed, axis, group_size
        The arguments. With `group_size`, `axis` is not negative; two axes are sorted, and the two
        group sizes with them.
    bits, frac_bits : int or read-only ndarray of int32
        The arguments, converted.

    Raises
    ------
    TypeError
        If `bits` or `frac_bits` is not an integer or an array of integers, `axis` or `group_size` is not
        an integer or a tuple of integers, or `signed` is not a bool.
    ValueError
        If an argument is out of range, if `bits` and `frac_bits` have different shapes, or if `axis`
        or `group_size` is missing or does not apply.

    Notes
    -----
    The representation is standard binary fixed point; see :meth:`parse` for two common notations
    of formats with an integer `frac_bits`.

    Examples
    --------
    >>> from secateur import FixedPoint
    >>> fmt = FixedPoint(bits=8, frac_bits=5)
    >>> fmt.dtype, fmt.min, fmt.max
    (dtype('int8'), -128, 127)
    >>> fmt.resolution, fmt.range
    (0.03125, (-4.0, 3.96875))

    One step per row of a matrix:

    >>> fmt = FixedPoint(8, [5, 6, 3], axis=0)
    >>> fmt
    FixedPoint(bits=8, frac_bits=[5, 6, 3], signed=True, axis=0)
    >>> fmt.resolution
    array([0.03125 , 0.015625, 0.125   ])

    One width per row:

    >>> fmt = FixedPoint([8, 4, 6], 3, axis=0)
    >>> fmt.max
    array([127,   7,  31])
    """

    __slots__ = ("_bits", "_frac_bits")

    _bits: int | Int32s
    _frac_bits: int | Int32s

    def __init__(
        self,
        bits: int | ArrayLike = 8,
        frac_bits: int | ArrayLike = 5,
        signed: bool = True,
        *,
        axis: Axes | None = None,
        group_size: GroupSize | None = None,
    ) -> None:
        single = axis is None and group_size is None
        bits = _parameter("bits", bits, single=single)
        frac_bits = _parameter("frac_bits", frac_bits, single=single)
        widths = _integers("bits", bits, 2, 32 if _is_array(bits) else 64)
        fractions = _integers("frac_bits", frac_bits, -256, 256)
        shape = np.shape(widths)
        if np.ndim(widths) and np.ndim(fractions) and np.shape(fractions) != shape:
            msg = f"frac_bits must be an integer or of the shape of bits, {shape}"
            msg += f", got shape {np.shape(fractions)}"
            raise ValueError(msg)
        self._store(widths, fractions, as_bool("signed", signed), axis, group_size)

    def _store(
        self,
        bits: int | Int32s,
        frac_bits: int | Int32s,
        signed: bool,
        axis: Axes | None,
        group_size: GroupSize | None,
    ) -> None:
        """Set the fields. Arrays must be over immutable memory."""
        group_bits = bits if isinstance(bits, np.ndarray) else None
        width = bits if isinstance(bits, int) else int(np.max(bits, initial=2))
        varies_alone = group_bits is not None and np.ndim(frac_bits) == 0
        shape = np.shape(bits if varies_alone else frac_bits)
        name = "bits" if varies_alone else "frac_bits"
        axis, group_size = _checked_groups(name, shape, axis, group_size)
        self._set(_width=width, signed=signed, axis=axis, group_size=group_size)
        native = _core.Format(
            *(width, signed, group_bits, frac_bits, None, None, 0, 0, shape, axis, group_size),
            False,
        )
        self._set(_bits=bits, _frac_bits=frac_bits, _native=native)

    def _arguments(self) -> dict[str, Any]:
        names = ("bits", "frac_bits", "signed", "axis", "group_size")
        return {name: getattr(self, name) for name in names}

    @property
    def bits(self) -> int | Int32s:
        """The width of the integers in bits: one number, or a read-only array."""
        return _view_of(self._bits)

    @property
    def frac_bits(self) -> int | Int32s:
        """The number of bits after the binary point: one number, or a read-only array."""
        return _view_of(self._frac_bits)

    @property
    def min(self) -> int | Int64s:
        """The lowest integer of the format; an array if `bits` is one."""
        return self._ends[0]

    @property
    def max(self) -> int | Int64s:
        """The highest integer of the format; an array if `bits` is one."""
        return self._ends[1]

    @property
    def _ends(self) -> tuple[int | Int64s, int | Int64s]:
        if isinstance(self._bits, int):
            return Integers(self._bits, self.signed).range
        codes = np.int64(1) << self._bits.astype(np.int64)
        lowest = -(codes // 2) if self.signed else np.zeros_like(codes)
        return lowest, lowest + codes - 1

    @property
    def resolution(self) -> float | Float64s:
        """The step between neighbouring values, ``2.0**-frac_bits``; an array if that is one."""
        if isinstance(self.frac_bits, np.ndarray):
            return np.ldexp(1.0, -self.frac_bits)
        return 2.0**-self.frac_bits

    @property
    def range(self) -> tuple[float, float] | tuple[Float64s, Float64s]:
        """The lowest and the highest value of the format; arrays if `bits` or `frac_bits` is one."""
        step = self.resolution
        return self.min * step, self.max * step  # type: ignore[return-value]  # both of one kind

    # --- other notations --------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str, *, sign_counted: bool | None = None) -> FixedPoint:
        """Parse a format in Q notation or in AMD's ``ap_fixed`` notation.

        Parameters
        ----------
        text : str
            ``"Qm.n"`` is signed and ``"UQm.n"`` is unsigned, with `m` integer bits and `n` fraction
            bits. ``"Qn"`` has only a sign bit and fraction bits, and ``"UQn"`` only fraction bits.
            ``"ap_fixed<W, I>"`` (signed) and ``"ap_ufixed<W, I>"`` (unsigned) have `W` bits, of
            which `I` are integer bits. Each of `m`, `n` and `I` may be negative or larger than the
            width.
        sign_counted : bool, optional
            Whether `m` of a signed ``"Qm.n"`` includes the sign bit. Arm includes it; Texas
            Instruments does not. A format of 8 bits with 5 fraction bits is ``"Q3.5"`` for Arm and
            ``"Q2.5"`` for Texas Instruments. By default `m` does not include it, but text that
            only with the sign bit included has 8, 16, 24, 32 or 64 bits, such as ``"Q1.15"``, is
            ambiguous and refused. The `I` of ``ap_fixed`` always includes the sign bit.

        Returns
        -------
        FixedPoint
            The format.

        Raises
        ------
        TypeError
            If `text` is not a str, or `sign_counted` is not a bool.
        ValueError
            If `text` is in neither notation or is ambiguous, if the format does not have 2 to 64
            bits, or if `text` has rounding or overflow modes, which are arguments of
            :func:`secateur.quantize`.

        Notes
        -----
        Without modes, ``ap_fixed`` rounds by ``AP_TRN`` and overflows by ``AP_WRAP``. The
        corresponding arguments of :func:`secateur.quantize` are ``rounding="floor"`` and
        ``overflow="wrap"``, which are not its defaults.

        Examples
        --------
        >>> from secateur import FixedPoint
        >>> FixedPoint.parse("Q2.5") == FixedPoint.parse("Q3.5", sign_counted=True)
        True
        >>> FixedPoint.parse("Q1.15", sign_counted=True)
        FixedPoint(bits=16, frac_bits=15, signed=True)
        >>> FixedPoint.parse("Q15")
        FixedPoint(bits=16, frac_bits=15, signed=True)
        >>> FixedPoint.parse("ap_ufixed<8, 10>")
        FixedPoint(bits=8, frac_bits=-2, signed=False)
        """
        if sign_counted is not None:
            sign_counted = as_bool("sign_counted", sign_counted)
        text = as_string("text", text)
        if found := _AP.fullmatch(text):
            unsigned, width, integer_bits, modes = found.groups()
            if modes is not None:
                _refuse_modes(text, modes)
            return cls(int(width), int(width) - int(integer_bits), not unsigned)
        if found := _Q.fullmatch(text):
            unsigned, integer_bits, fraction = found.groups()
            counted_bits = int(integer_bits or 0) + int(fraction)
            may_count_sign = not unsigned and integer_bits is not None
            if may_count_sign and sign_counted is None and counted_bits in _WORDS:
                _refuse_ambiguous(text, counted_bits)
            sign_bit = not unsigned and not (may_count_sign and sign_counted)
            return cls(counted_bits + sign_bit, int(fraction), not unsigned)
        allowed = "such as 'Q2.5', 'UQ8.8', 'Q15', 'ap_fixed<8, 3>' or 'ap_ufixed<8, 3>'"
        msg = f"text must be a format {allowed}, got {shown(text)}"
        raise ValueError(msg)

    def to_q(self, *, sign_counted: bool = False) -> str:
        """Return the format in Q notation.

        :meth:`parse` reads it with the same `sign_counted`. Without it, :meth:`parse` refuses the text
        of signed formats of 9, 17, 25 or 33 bits, because it is ambiguous.

        Parameters
        ----------
        sign_counted : bool, default False
            Whether the number of integer bits includes the sign bit, as for :meth:`parse`.

        Returns
        -------
        str
            ``"Qm.n"`` or, if the format is unsigned, ``"UQm.n"``.

        Raises
        ------
        TypeError
            If `sign_counted` is not a bool.
        ValueError
            If `bits` or `frac_bits` is an array.

        Examples
        --------
        >>> from secateur import FixedPoint
        >>> FixedPoint(8, 5).to_q(), FixedPoint(8, 5).to_q(sign_counted=True)
        ('Q2.5', 'Q3.5')
        >>> FixedPoint(16, 8, signed=False).to_q()
        'UQ8.8'
        """
        fraction = self._one_frac_bits("Q notation")
        sign_bit = self.signed and not as_bool("sign_counted", sign_counted)
        return f"{'' if self.signed else 'U'}Q{self._width - fraction - sign_bit}.{fraction}"

    def to_ap_fixed(self) -> str:
        """Return the format in AMD's ``ap_fixed`` notation, which :meth:`parse` reads.

        Returns
        -------
        str
            ``"ap_fixed<W, I>"`` or, if the format is unsigned, ``"ap_ufixed<W, I>"``.

        Raises
        ------
        ValueError
            If `bits` or `frac_bits` is an array.

        Examples
        --------
        >>> from secateur import FixedPoint
        >>> FixedPoint(8, 5).to_ap_fixed()
        'ap_fixed<8, 3>'
        """
        integer_bits = self._width - self._one_frac_bits("ap_fixed")
        return f"ap_{'' if self.signed else 'u'}fixed<{self._width}, {integer_bits}>"

    def _one_frac_bits(self, notation: str) -> int:
        if isinstance(self._bits, int) and isinstance(self._frac_bits, int):
            return self._frac_bits
        name = "frac_bits" if isinstance(self._bits, int) else "bits"
        msg = f"{name} must be one integer for {notation}, got {shown(self)}"
        raise ValueError(msg)


class Affine(Format):
    """An affine format: the integer ``q`` represents ``(q - zero_point) * scale``.

    Formats are immutable. Two formats are equal if all their fields are equal.

    Parameters
    ----------
    scale : float or array_like of float16, bfloat16, float32 or float64
        The step between neighbouring values. With `axis`, an array holds one scale for each index
        along that axis of the quantized array; with a tuple of axes, its shape is the lengths of
        these axes. With `group_size`, it has the shape of the quantized array, but one entry for
        each group along the axis or axes. :func:`secateur.quantize` needs positive scales that are
        not subnormal; :func:`secateur.dequantize` takes any finite ones.
    zero_point : int or array_like of int, default 0
        The integer that represents 0, from `qmin` to `qmax` and below ``2**31``: one number, or an
        array of the shape of `scale`.
    bits : int, default 8
        The width of the integers in bits, including the sign bit; 1 to 32.
    signed : bool, default True
        Whether the integers are signed, in two's complement, or unsigned.
    qmin, qmax : int, optional
        The lowest and the highest integer in use, ``qmin < qmax``. By default all integers of the
        width are in use.
    axis : int or tuple of int, optional
        The axis of the quantized array along which `scale` varies, or several axes in ascending
        order. It is required with an array of scales; with `group_size` the default is the last
        axis, or the last two.
    group_size : int or tuple of two ints, optional
        The number of neighbours along `axis` that share a scale, or two such numbers, for blocks of
        two axes. The last groups along an axis may be smaller.

    Attributes
    ----------
    bits, signed, qmin, qmax, axis, group_size
        The arguments, with the defaults filled in. With `group_size`, `axis` is not negative; two
        axes are sorted, and the two group sizes with them.
    scale : float or read-only ndarray
    zero_point : int or read-only ndarray of int32
        The arguments, converted.

    Raises
    ------
    TypeError
        If an argument has an unsupported type.
    ValueError
        If an argument is out of range, a scale is not finite, or `axis` or `group_size` is missing
        or does not apply.

    Notes
    -----
    With its defaults, :func:`secateur.quantize` computes what ONNX's operator QuantizeLinear does,
    and :func:`secateur.dequantize` what DequantizeLinear does, opset 25, to the bit. The arithmetic
    is that of float64 if the floating-point array is float64, else of float32; `scale` is rounded
    to that type.

    References
    ----------
    .. [1] https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html
    .. [2] https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html

    Examples
    --------
    >>> import numpy as np
    >>> import secateur as sc
    >>> fmt = sc.Affine(0.5, zero_point=10)
    >>> q = sc.quantize(np.float32([0, 0.25, -1, 100]), fmt)
    >>> q
    array([ 10,  10,   8, 127], dtype=int8)
    >>> sc.dequantize(q, fmt)
    array([ 0. ,  0. , -1. , 58.5], dtype=float32)

    One scale per row of a matrix:

    >>> w = np.float32([[1, 2, 3], [10, 20, 30]])
    >>> sc.quantize(w, sc.Affine([1.0, 10.0], axis=0))
    array([[1, 2, 3],
           [1, 2, 3]], dtype=int8)
    """

    __slots__ = ("_scale", "_zero_point", "qmax", "qmin")

    _scale: float | Floats
    _zero_point: int | Int32s
    qmin: int
    qmax: int

    def __init__(
        self,
        scale: float | ArrayLike,
        zero_point: int | ArrayLike = 0,
        *,
        bits: int = 8,
        signed: bool = True,
        qmin: int | None = None,
        qmax: int | None = None,
        axis: Axes | None = None,
        group_size: GroupSize | None = None,
    ) -> None:
        bits = integer_in("bits", bits, 1, 32)
        signed = as_bool("signed", signed)
        low, high = Integers(bits, signed).range
        qmin = low if qmin is None else integer_in("qmin", qmin, low, high - 1)
        qmax = high if qmax is None else integer_in("qmax", qmax, qmin + 1, high)
        single = axis is None and group_size is None
        scales = _scales(_parameter("scale", scale, single=single))
        zero_point = _parameter("zero_point", zero_point, single=np.ndim(scales) == 0)
        zeros = _zero_points(zero_point, qmin, min(qmax, 2**31 - 1))
        shape = np.shape(scales)
        if np.ndim(zeros) and np.shape(zeros) != shape:
            msg = f"zero_point must be an integer or of the shape of scale, {shape}"
            msg += f", got shape {np.shape(zeros)}"
            raise ValueError(msg)
        self._store(scales, zeros, bits, signed, (qmin, qmax), axis, group_size, are_normal=False)

    def _store(
        self,
        scale: float | Floats,
        zero_point: int | Int32s,
        bits: int,
        signed: bool,
        used: tuple[int, int],
        axis: Axes | None,
        group_size: GroupSize | None,
        *,
        are_normal: bool,
    ) -> None:
        """Set the fields. Arrays must be over immutable memory.

        `used` are the lowest and the highest integer in use. If `are_normal`, the scales are known to
        be positive and not subnormal in their own type.
        """
        shape = np.shape(scale)
        axis, group_size = _checked_groups("scale", shape, axis, group_size)
        qmin, qmax = used
        self._set(_width=bits, signed=signed, qmin=qmin, qmax=qmax)
        self._set(axis=axis, group_size=group_size)
        native = _core.Format(
            *(bits, signed, None, None, scale, zero_point, *used, shape, axis, group_size),
            are_normal,
        )
        self._set(_scale=scale, _zero_point=zero_point, _native=native)

    def _arguments(self) -> dict[str, Any]:
        names = ("scale", "zero_point", "bits", "signed", "axis", "group_size")
        arguments = {name: getattr(self, name) for name in names}
        if (self.qmin, self.qmax) != Integers(self.bits, self.signed).range:
            arguments |= {"qmin": self.qmin, "qmax": self.qmax}
        return arguments

    @property
    def bits(self) -> int:
        """The width of the integers in bits."""
        return self._width

    @property
    def scale(self) -> float | Floats:
        """The step between neighbouring values: one number, or a read-only array."""
        return _view_of(self._scale)

    @property
    def zero_point(self) -> int | Int32s:
        """The integer that represents 0: one number, or a read-only array."""
        return _view_of(self._zero_point)

    @property
    def min(self) -> int:
        """The lowest integer in use, `qmin`."""
        return self.qmin

    @property
    def max(self) -> int:
        """The highest integer in use, `qmax`."""
        return self.qmax

    @property
    def resolution(self) -> float | Float64s:
        """The step between neighbouring values in float64; an array if `scale` is one."""
        scale = self.scale
        return scale.astype(np.float64) if isinstance(scale, np.ndarray) else scale

    @property
    def range(self) -> tuple[float, float] | tuple[Float64s, Float64s]:
        """The values of `qmin` and `qmax` in float64; arrays if `scale` is one."""
        zero_point = self.zero_point
        if isinstance(zero_point, np.ndarray):
            zero_point = zero_point.astype(np.int64)
        step = self.resolution
        return (self.qmin - zero_point) * step, (self.qmax - zero_point) * step  # type: ignore[return-value]


# --- chosen formats ---------------------------------------------------------------------------


def chosen_fixed_point(frac_bits: int | Int32s, **how: Any) -> FixedPoint:
    """Return a format of `frac_bits` that the core has chosen, which need no checks and no copy."""
    fmt = FixedPoint.__new__(FixedPoint)
    fmt._store(frac_bits=frac_bits, **how)
    return fmt


def chosen_affine(scale: float | Floats, zero_point: int | Int32s, **how: Any) -> Affine:
    """Return the same for scales and zero points, with all integers of the width in use."""
    fmt = Affine.__new__(Affine)
    used = Integers(how["bits"], how["signed"]).range
    fmt._store(scale, zero_point, used=used, are_normal=True, **how)
    return fmt


# --- parameters of formats ------------------------------------------------------------------


def _parameter(name: str, value: Any, *, single: bool) -> Any:
    """Return a parameter, with an array of another library converted to one of NumPy.

    An array of no dimensions, or if `single` of one element, becomes its element.
    """
    value = native_array(name, value)
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        return value
    if value.dtype.kind == "V" and value.dtype.name in INTEGERS:
        value = value.astype(np.int64)  # NumPy does not count ml_dtypes' dtypes as integers
    is_element = value.ndim == 0 or (single and value.size == 1)
    return np.asarray(value).reshape(())[()] if is_element else value


def _integers(name: str, value: Any, low: int, high: int) -> int | Int32s:
    """Return an integer, or an array of them over immutable memory."""
    if _is_array(value):
        return _read_only(integers_in(name, value, low, high), np.int32)
    return integer_in(name, value, low, high)


def _is_array(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _scales(scale: Any) -> float | Floats:
    if not _is_array(scale):
        number = as_double("scale", scale)
        if not np.isfinite(number):
            msg = f"scale must be finite, got {shown(scale)}"
            raise ValueError(msg)
        return number
    scales = array_of("scale", scale)
    if scales.dtype.kind in "iu":
        scales = scales.astype(np.float64)
    if isinstance(scale, np.ma.MaskedArray) or scales.dtype.name not in FLOATS:
        is_masked = isinstance(scale, np.ma.MaskedArray)
        got = "a masked array" if is_masked else shortened(str(scales.dtype))
        msg = f"scale must be a number or an array of {' or '.join(FLOATS)}, got {got}"
        raise TypeError(msg)
    wrong = ~np.isfinite(scales)
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        msg = f"scale must be finite, got {scales[index]} at {index}"
        raise ValueError(msg)
    return _read_only(scales, scales.dtype.newbyteorder("="))


def _zero_points(zero_point: Any, low: int, high: int) -> int | Int32s:
    points = zero_point
    if (
        isinstance(points, np.generic)
        and points.dtype.kind == "V"
        and points.dtype.name in INTEGERS
    ):
        points = points.astype(np.int64)
    if not _is_array(points):
        return integer_in("zero_point", points, low, high)
    return _read_only(integers_in("zero_point", points, low, high), np.int32)


def _read_only(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return a copy over immutable memory, because the hash of a format depends on it."""
    copied = values.astype(dtype, order="C")
    return np.ndarray(copied.shape, copied.dtype, buffer=copied.tobytes())


def _view_of(stored: Stored) -> Stored:
    """Return a number itself; a view of an array, because even a read-only one can be reshaped."""
    return cast("Stored", stored.view()) if isinstance(stored, np.ndarray) else stored


def _text_of(value: Any) -> str:
    """Format an array as a list; if it is long, omit its middle."""
    if not isinstance(value, np.ndarray):
        return str(value)
    text = np.array2string(value, separator=", ", threshold=8, edgeitems=2, formatter={"int": str})
    return " ".join(text.split())


# --- groups of elements that share a parameter ----------------------------------------------


def _checked_groups(
    name: str, shape: tuple[int, ...], axis: Any, group_size: Any
) -> tuple[Axes | None, GroupSize | None]:
    """Check that `axis` and `group_size` suit parameters `name` of a shape.

    A single parameter takes neither. Parameters of groups have as many dimensions as the array;
    `axis` is then returned as nonnegative numbers.
    """
    ndim = len(shape)
    if ndim == 0:
        for argument, value in (("axis", axis), ("group_size", group_size)):
            if value is not None:
                msg = f"{argument} must be None with {name} a single number, got {shown(value)}"
                raise ValueError(msg)
        return None, None
    if group_size is None:
        return _checked_axes(name, shape, axis), None
    if not isinstance(group_size, tuple):
        size = integer_in("group_size", group_size, 1, sys.maxsize)
        return integer_in("axis", -1 if axis is None else axis, -ndim, ndim - 1) % ndim, size
    if len(group_size) != 2:
        msg = f"group_size must be an integer or two of them, got {shown(group_size)}"
        raise ValueError(msg)
    sizes = (
        integer_in("group_size[0]", group_size[0], 1, sys.maxsize),
        integer_in("group_size[1]", group_size[1], 1, sys.maxsize),
    )
    if ndim == 1:
        msg = f"{name} must have at least two axes with two numbers in group_size, got one"
        raise ValueError(msg)
    axes = _checked_pair(ndim, axis)
    return tuple(sorted(axes)), (sizes if axes[0] < axes[1] else sizes[::-1])


def _checked_pair(ndim: int, axis: Any) -> tuple[int, int]:
    """Return the two axes of blocks as nonnegative numbers; by default the last two."""
    if axis is None:
        return ndim - 2, ndim - 1
    if isinstance(axis, tuple) and len(axis) == 2:
        first, second = (integer_in("axis", one, -ndim, ndim - 1) % ndim for one in axis)
        if first != second:
            return first, second
    msg = (
        f"axis must be None or two different axes with two numbers in group_size, got {shown(axis)}"
    )
    raise ValueError(msg)


def _checked_axes(name: str, shape: tuple[int, ...], axis: Any) -> Axes:
    """Check the axes along which parameters without groups vary, one for each dimension."""
    ndim = len(shape)
    if axis is None:
        msg = f"axis must be given with an array of {name}, got None"
        raise ValueError(msg)
    if isinstance(axis, tuple):
        if len(axis) != ndim:
            msg = f"axis must have {ndim} axes, as {name} has, got {shown(axis)}"
            raise ValueError(msg)
        return tuple(integer_in("axis", one, -sys.maxsize, sys.maxsize) for one in axis)
    if ndim > 1:
        msg = f"axis must be a tuple of {ndim} integers for {name} of {ndim} dimensions without "
        msg += f"group_size, got {shown(axis)}"
        longer = [length for length in shape if length != 1]
        if len(longer) <= 1:
            msg += f"; {name} of shape {((longer or [1])[0],)} has one dimension"
        raise ValueError(msg)
    return integer_in("axis", axis, -sys.maxsize, sys.maxsize)


def _refuse_ambiguous(text: str, counted_bits: int) -> NoReturn:
    msg = (
        f"text must say whether its integer bits include the sign bit, got {shown(text)}, which has "
        f"{counted_bits} bits if they do (Arm) and {counted_bits + 1} if not (Texas Instruments); "
        "pass sign_counted=True or sign_counted=False"
    )
    raise ValueError(msg)


def _refuse_modes(text: str, modes: str) -> NoReturn:
    words = [word.strip() for word in modes.split(",")]
    instead = [_AP_MODES[word] for word in words if word in _AP_MODES]
    msg = f"text must not contain rounding or overflow modes, got {shown(text)}"
    if instead:
        msg += f"; pass {', '.join(instead)} to quantize"
    for word in words:
        if word not in _AP_MODES:
            msg += f"; {shown(word)} is not supported"
    raise ValueError(msg)
