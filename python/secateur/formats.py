"""Number formats: the values that integers represent."""

from __future__ import annotations

import math
import operator
import re
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

import numpy as np

from secateur.messages import shortened, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Int32s: TypeAlias = NDArray[np.int32]
    Float64s: TypeAlias = NDArray[np.float64]


def integer(name: str, value: Any) -> int:
    """Return `value` as an int, or raise an error that names the argument and what is allowed."""
    # A bool and an array of one element have __index__, but are not accepted as integers.
    if isinstance(value, (bool, np.bool_, np.ndarray)) or not hasattr(value, "__index__"):
        msg = f"{name} must be an integer, got {shown(value)}"
        raise TypeError(msg)
    return operator.index(value)


def integer_in(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an int from `low` to `high`, or raise an error."""
    number = integer(name, value)
    if not low <= number <= high:
        msg = f"{name} must be an integer from {low} to {high}, got {shown(value)}"
        raise ValueError(msg)
    return number


def array_of(name: str, values: Any) -> NDArray[Any]:
    """Return `values` as an array, or raise an error if NumPy cannot make one of them."""
    try:
        return np.asarray(values)
    except ValueError:
        msg = f"{name} must be an array with rows of equal lengths, got {shown(values)}"
        raise ValueError(msg) from None


def integers_in(name: str, values: Any, low: int, high: int) -> NDArray[Any]:
    """Return `values` as an array of integers from `low` to `high`, or raise an error."""
    array = array_of(name, values)
    if isinstance(values, (list, tuple)):
        if array.size == 0:  # which NumPy takes for floats
            array = array.astype(np.int32)
        if array.dtype.kind in "Of":  # integers that NumPy has no common type for, or others
            for value in np.asarray(values, object).flat:
                if not isinstance(value, float):
                    integer_in(name, value, low, high)
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "iu":
        got = (
            "a masked array"
            if isinstance(values, np.ma.MaskedArray)
            else shortened(str(array.dtype))
        )
        msg = f"{name} must be an integer or an array of them, got {got}"
        raise TypeError(msg)
    wrong = (array < low) | (array > high)
    if wrong.any():
        index = tuple(map(int, np.argwhere(wrong)[0]))
        msg = f"{name} must be integers from {low} to {high}, got {array[index]} at {index}"
        raise ValueError(msg)
    return array


# Scalars of NumPy with a __float__ that are no real numbers.
_NOT_REAL = (np.bool_, np.character, np.complexfloating, np.timedelta64, np.datetime64, np.void)


def _scalar(value: Any) -> Any:
    """Return the element of an array of no dimensions; any other value as it is."""
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray):
        return value[()] if value.ndim == 0 else None
    return value


def as_double(name: str, value: Any) -> float:
    """Return `value` as the nearest float, or raise an error that names the argument."""
    number = _scalar(value)
    # float() also takes strings and buffers, and bools have __float__.
    converts = hasattr(type(number), "__float__") or hasattr(type(number), "__index__")
    if converts and not isinstance(number, (bool, *_NOT_REAL, np.ndarray)):
        try:
            return float(number)
        except OverflowError:  # an int or a fraction beyond the range of float, but finite
            return sys.float_info.max if number > 0 else -sys.float_info.max
        except TypeError:
            pass
    msg = f"{name} must be a number, got {shown(value)}"
    raise TypeError(msg)


def double_below(name: str, value: Any) -> float:
    """Return the largest float that does not exceed `value`, or raise an error as `as_double` does.

    A float is larger than `value` if and only if it is larger than the result.

    Examples
    --------
    >>> from secateur.formats import double_below
    >>> double_below("threshold", 2**53 + 3) == 2**53 + 2
    True
    """
    nearest = as_double(name, value)
    if isinstance(value, float):
        return nearest
    return math.nextafter(nearest, -math.inf) if _exceeds(nearest, _scalar(value)) else nearest


def _exceeds(number: float, value: Any) -> bool:
    """Whether a float is larger than a number of another type, in exact arithmetic."""
    # Imported here because most programs need neither, and import takes time.
    from decimal import Decimal  # noqa: PLC0415
    from fractions import Fraction  # noqa: PLC0415
    from numbers import Rational  # noqa: PLC0415

    if isinstance(value, np.longdouble):
        return bool(np.longdouble(number) > value)
    if hasattr(type(value), "__index__"):  # NumPy would round its own integers
        return number > operator.index(value)
    if isinstance(value, Decimal):  # which may be too large or too small for a Fraction
        return not value.is_nan() and Decimal.from_float(number) > value
    if isinstance(value, Rational):
        return number > Fraction(int(value.numerator), int(value.denominator))
    return False


def as_dtype(name: str, value: Any, allowed: str) -> np.dtype[Any]:
    """Return `value` as a dtype, or raise an error. None is not accepted as float64."""
    dtype: np.dtype[Any] | None = None
    if value is not None:
        with suppress(Exception):  # NumPy has several errors for what is no dtype
            dtype = np.dtype(value)
    if dtype is None:
        msg = f"{name} must be {allowed}, got {shown(value)}"
        raise TypeError(msg)
    return dtype


def as_bool(name: str, value: Any) -> bool:
    """Return a bool of Python or NumPy as a bool; raise an error for any other type."""
    if not isinstance(value, (bool, np.bool_)):
        msg = f"{name} must be a bool, got {shown(value)}"
        raise TypeError(msg)
    return bool(value)


def as_string(name: str, value: Any) -> str:
    """Return `value` if it is a str, or raise an error."""
    if not isinstance(value, str):
        msg = f"{name} must be a str, got {shown(value)}"
        raise TypeError(msg)
    return value


# --- granularity ----------------------------------------------------------------------------


class Granularity(NamedTuple):
    """The mapping of parameters to the elements of an array.

    The array has the shape ``[outer][length][inner]``, where the middle dimension is the axis. If
    the parameters are `shared`, element ``[o][a][i]`` has the parameter of flat index ``a``. Else
    it has that of flat index ``(o * ceil(length / block) + a // block) * inner + i``.

    Attributes
    ----------
    length : int
        The length of the axis.
    inner : int
        The product of the lengths of the axes after it.
    block : int
        The number of neighbours along the axis that share a parameter. The last block may be
        smaller.
    shared : bool
        Whether all slices along the axis have the same parameters.
    """

    length: int
    inner: int
    block: int
    shared: bool


def granularity(
    name: str,
    params_shape: tuple[int, ...],
    shape: tuple[int, ...],
    axis: int | None,
    group_size: int | None,
    *,
    group_name: str = "group_size",
) -> Granularity | None:
    """Return the mapping of parameters to an array, or None if one parameter serves all of it.

    Parameters
    ----------
    name : str
        The name of the parameters in error messages, such as ``"scale"``. If it has a prefix, as
        ``"fmt.frac_bits"`` does, the other names get it too: ``fmt.axis``.
    params_shape : tuple of int
        The shape of the parameters. It is ``()``; with `axis` alone, the length of the axis; with
        `group_size`, the shape of the array, but with ``ceil(length / group_size)`` along the axis.
    shape : tuple of int
        The shape of the array.
    axis : int, optional
        An axis of the array. With `group_size` the default is the last axis.
    group_size : int, optional
        The number of neighbours along the axis that share a parameter.
    group_name : str, default "group_size"
        The name of `group_size` in error messages.

    Returns
    -------
    Granularity or None
        None if `params_shape` is ``()``.

    Raises
    ------
    TypeError
        If `axis` or `group_size` is not an integer.
    ValueError
        If the arguments do not fit each other.

    Examples
    --------
    >>> from secateur.formats import granularity
    >>> granularity("scale", (3,), (2, 3, 5), 1, None)
    Granularity(length=3, inner=5, block=1, shared=True)
    >>> granularity("scale", (2, 3, 2), (2, 3, 5), None, 4)
    Granularity(length=5, inner=1, block=4, shared=False)
    """
    prefix = "".join(name.rpartition(".")[:2])  # "fmt."
    grouped = group_size is not None
    _check_choice(name, len(params_shape), axis, group_size, prefix, group_name)
    if not params_shape:
        return None
    block = 1
    if group_size is not None:
        block = integer_in(prefix + group_name, group_size, 1, sys.maxsize)
        axis = -1 if axis is None else axis
    if not shape:
        msg = f"{name} must be a single number for an array without axes, got shape {params_shape}"
        raise ValueError(msg)
    axis = integer_in(f"{prefix}axis", axis, -len(shape), len(shape) - 1) % len(shape)
    length = shape[axis]
    entries = -(-length // block)
    fitting = (*shape[:axis], entries, *shape[axis + 1 :]) if grouped else (length,)
    if params_shape != fitting:
        by = f"axis {axis}" + (f" in groups of {block}" if grouped else "")
        msg = f"{name} must be of shape {fitting} for an array of shape {shape} along {by}"
        msg += f", got shape {params_shape}"
        raise ValueError(msg)
    inner = 1
    for others in shape[axis + 1 :]:
        inner *= others
    return Granularity(length, inner, block, not grouped)


def _check_choice(
    name: str, ndim: int, axis: Any, group_size: Any, prefix: str, group_name: str
) -> None:
    """Check that `axis` and `group_size` suit parameters of `ndim` dimensions.

    A single parameter takes neither. Without `group_size`, an array of parameters needs `axis` and
    has one dimension.
    """
    if ndim == 0:
        for argument, value in (("axis", axis), (group_name, group_size)):
            if value is not None:
                msg = f"{prefix}{argument} must be None with {name} a single number, got {shown(value)}"
                raise ValueError(msg)
    elif group_size is None and ndim > 1:
        msg = f"{name} must be a single number or of one axis without {group_name}, got {ndim} axes"
        raise ValueError(msg)
    elif group_size is None and axis is None:
        msg = f"{prefix}axis must be an integer with {name} an array, got None"
        raise ValueError(msg)


# --- fixed point ----------------------------------------------------------------------------

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
_AP = re.compile(
    r"\s*ap_(u?)fixed\s*<\s*(-?\d{1,4})\s*,\s*(-?\d{1,4})\s*(?:,([^<>]*))?>\s*", re.ASCII
)


class FixedPoint:
    """A binary fixed-point format: the integer ``q`` represents ``q * 2**-frac_bits``.

    Formats are immutable. Two formats are equal if all their fields are equal.

    Parameters
    ----------
    bits : int, default 8
        The width of the integers in bits, including the sign bit; 2 to 32.
    frac_bits : int or array_like of int, default 5
        The number of bits after the binary point, -256 to 256. It may be negative (steps larger
        than 1) or exceed `bits` (a range well within ±1). With `axis`, an array holds one entry for
        each index along that axis of the quantized array. With `group_size`, it has the shape of
        the quantized array, but ``ceil(length / group_size)`` entries along `axis`.
    signed : bool, default True
        Whether the integers are signed, in two's complement, or unsigned.
    axis : int, optional
        The axis of the quantized array along which `frac_bits` varies. It is required with a
        one-dimensional `frac_bits`; with `group_size` the default is the last axis.
    group_size : int, optional
        The number of neighbours along `axis` that share an entry of `frac_bits`. The last group may
        be smaller.

    Attributes
    ----------
    bits, signed, axis, group_size
        The arguments. With `group_size`, `axis` is not negative.
    frac_bits : int or read-only ndarray of int32
        The argument, converted.

    Raises
    ------
    TypeError
        If `bits`, `frac_bits`, `axis` or `group_size` is not an integer, or `signed` is not a bool.
    ValueError
        If an argument is out of range, or if `axis` or `group_size` is missing or does not apply.

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
    """

    __slots__ = ("_frac_bits", "axis", "bits", "group_size", "signed")

    bits: int
    _frac_bits: int | Int32s
    signed: bool
    axis: int | None
    group_size: int | None

    def __init__(
        self,
        bits: int = 8,
        frac_bits: int | ArrayLike = 5,
        signed: bool = True,
        *,
        axis: int | None = None,
        group_size: int | None = None,
    ) -> None:
        set_field = object.__setattr__  # bypasses the __setattr__ below
        set_field(self, "bits", integer_in("bits", bits, 2, 32))
        stored: int | Int32s
        if isinstance(frac_bits, (list, tuple)) or (
            isinstance(frac_bits, np.ndarray) and frac_bits.ndim
        ):
            stored = _read_only(integers_in("frac_bits", frac_bits, -256, 256))
        else:
            stored = integer_in("frac_bits", frac_bits, -256, 256)
        set_field(self, "_frac_bits", stored)
        ndim = np.ndim(stored)
        _check_choice("frac_bits", ndim, axis, group_size, "", "group_size")
        if group_size is not None:
            group_size = integer_in("group_size", group_size, 1, sys.maxsize)
            axis = integer_in("axis", -1 if axis is None else axis, -ndim, ndim - 1) % ndim
        elif axis is not None:
            axis = integer_in("axis", axis, -sys.maxsize, sys.maxsize)
        set_field(self, "signed", as_bool("signed", signed))
        set_field(self, "axis", axis)
        set_field(self, "group_size", group_size)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        msg = f"FixedPoint is immutable: cannot set {name!r}"
        raise AttributeError(msg)

    def __delattr__(self, name: str) -> NoReturn:
        msg = f"FixedPoint is immutable: cannot delete {name!r}"
        raise AttributeError(msg)

    def __reduce__(self) -> tuple[Callable[..., FixedPoint], tuple[int, int | Int32s, bool]]:
        make = partial(FixedPoint, axis=self.axis, group_size=self.group_size)
        return make, (self.bits, self.frac_bits, self.signed)

    def _key(self) -> tuple[object, ...]:
        """A hashable key; formats are equal if their keys are."""
        frac_bits = self.frac_bits
        hashable = (
            (frac_bits.shape, frac_bits.tobytes())
            if isinstance(frac_bits, np.ndarray)
            else frac_bits
        )
        return self.bits, hashable, self.signed, self.axis, self.group_size

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FixedPoint):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        frac_bits = self.frac_bits
        shown = _abbreviated(frac_bits) if isinstance(frac_bits, np.ndarray) else str(frac_bits)
        fields = f"bits={self.bits}, frac_bits={shown}, signed={self.signed}"
        for name in ("axis", "group_size"):
            value = getattr(self, name)
            fields += "" if value is None else f", {name}={value}"
        return f"FixedPoint({fields})"

    @property
    def frac_bits(self) -> int | Int32s:
        """The number of bits after the binary point: one number, or a read-only array."""
        stored = self._frac_bits
        # A view, because the shape even of a read-only array can be changed.
        return stored if isinstance(stored, int) else stored.view()

    @property
    def dtype(self) -> np.dtype[np.signedinteger[Any] | np.unsignedinteger[Any]]:
        """The smallest NumPy integer dtype that holds the format."""
        width = 8 if self.bits <= 8 else 16 if self.bits <= 16 else 32
        return np.dtype(f"int{width}" if self.signed else f"uint{width}")

    @property
    def min(self) -> int:
        """The lowest integer of the format."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """The highest integer of the format."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def resolution(self) -> float | Float64s:
        """The step between neighbouring values, ``2.0**-frac_bits``; an array if that is one."""
        if isinstance(self.frac_bits, np.ndarray):
            return np.ldexp(1.0, -self.frac_bits)
        return 2.0**-self.frac_bits

    @property
    def range(self) -> tuple[float, float] | tuple[Float64s, Float64s]:
        """The lowest and the highest value of the format; arrays if `frac_bits` is one."""
        step = self.resolution
        return self.min * step, self.max * step  # type: ignore[return-value]  # both of one kind

    def for_shape(self, shape: tuple[int, ...]) -> Granularity | None:
        """Return the mapping of `frac_bits` to the elements of an array.

        Parameters
        ----------
        shape : tuple of int
            The shape of the array to quantize, or of its integers.

        Returns
        -------
        Granularity or None
            None if `frac_bits` is an integer, which fits any shape.

        Raises
        ------
        ValueError
            If the array has no such axis, or `frac_bits` do not fit it.

        Examples
        --------
        >>> from secateur import FixedPoint
        >>> FixedPoint(8, [5, 6, 3], axis=0).for_shape((3, 40))
        Granularity(length=3, inner=40, block=1, shared=True)
        >>> FixedPoint(8, [[5, 6], [3, 4]], group_size=32).for_shape((2, 40))
        Granularity(length=40, inner=1, block=32, shared=False)
        """
        if not isinstance(self.frac_bits, np.ndarray):
            return None
        return granularity("fmt.frac_bits", self.frac_bits.shape, shape, self.axis, self.group_size)

    # --- other notations --------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str, *, sign_counted: bool = False) -> FixedPoint:
        """Parse a format in Q notation or in AMD's ``ap_fixed`` notation.

        Parameters
        ----------
        text : str
            ``"Qm.n"`` is signed and ``"UQm.n"`` is unsigned, with `m` integer bits and `n` fraction
            bits. ``"Qn"`` has only a sign bit and fraction bits, and ``"UQn"`` only fraction bits.
            ``"ap_fixed<W, I>"`` (signed) and ``"ap_ufixed<W, I>"`` (unsigned) have `W` bits, of
            which `I` are integer bits. Each of `m`, `n` and `I` may be negative or larger than the
            width.
        sign_counted : bool, default False
            Whether `m` of a signed ``"Qm.n"`` includes the sign bit. Arm includes it; Texas
            Instruments does not. A format of 8 bits with 5 fraction bits is ``"Q3.5"`` for Arm and
            ``"Q2.5"`` for Texas Instruments. The `I` of ``ap_fixed`` always includes it.

        Returns
        -------
        FixedPoint
            The format.

        Raises
        ------
        TypeError
            If `text` is not a str, or `sign_counted` is not a bool.
        ValueError
            If `text` is in neither notation, if the format does not have 2 to 32 bits, or if `text`
            has rounding or overflow modes, which are arguments of :func:`secateur.quantize`.

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
        >>> FixedPoint.parse("Q15")
        FixedPoint(bits=16, frac_bits=15, signed=True)
        >>> FixedPoint.parse("ap_ufixed<8, 10>")
        FixedPoint(bits=8, frac_bits=-2, signed=False)
        """
        sign_counted = as_bool("sign_counted", sign_counted)
        text = as_string("text", text)
        if found := _AP.fullmatch(text):
            unsigned, width, integer_bits, modes = found.groups()
            if modes is not None:
                _refuse_modes(text, modes)
            return cls(int(width), int(width) - int(integer_bits), not unsigned)
        if found := _Q.fullmatch(text):
            unsigned, integer_bits, fraction = found.groups()
            # Add the sign bit unless the integer bits include it.
            sign_bit = not unsigned and not (sign_counted and integer_bits is not None)
            bits = int(integer_bits or 0) + int(fraction) + sign_bit
            return cls(bits, int(fraction), not unsigned)
        allowed = "such as 'Q2.5', 'UQ8.8', 'Q15', 'ap_fixed<8, 3>' or 'ap_ufixed<8, 3>'"
        msg = f"text must be a format {allowed}, got {shown(text)}"
        raise ValueError(msg)

    def to_q(self, *, sign_counted: bool = False) -> str:
        """Return the format in Q notation, which :meth:`parse` reads.

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
            If `frac_bits` is an array.

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
        return f"{'' if self.signed else 'U'}Q{self.bits - fraction - sign_bit}.{fraction}"

    def to_ap_fixed(self) -> str:
        """Return the format in AMD's ``ap_fixed`` notation, which :meth:`parse` reads.

        Returns
        -------
        str
            ``"ap_fixed<W, I>"`` or, if the format is unsigned, ``"ap_ufixed<W, I>"``.

        Raises
        ------
        ValueError
            If `frac_bits` is an array.

        Examples
        --------
        >>> from secateur import FixedPoint
        >>> FixedPoint(8, 5).to_ap_fixed()
        'ap_fixed<8, 3>'
        """
        integer_bits = self.bits - self._one_frac_bits("ap_fixed")
        return f"ap_{'' if self.signed else 'u'}fixed<{self.bits}, {integer_bits}>"

    def _one_frac_bits(self, notation: str) -> int:
        if isinstance(self.frac_bits, int):
            return self.frac_bits
        msg = f"frac_bits must be one integer for {notation}, got {shown(self)}"
        raise ValueError(msg)


def _read_only(values: NDArray[Any]) -> Int32s:
    """Return a copy as int32 over immutable memory, because the hash of a format depends on it."""
    copied = values.astype(np.int32, order="C")
    return np.ndarray(copied.shape, np.int32, buffer=copied.tobytes())


def _abbreviated(array: Int32s) -> str:
    """Format an array as a list; if it is long, omit its middle."""
    text = np.array2string(array, separator=", ", threshold=8, edgeitems=2, formatter={"int": str})
    return " ".join(text.split())


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
