"""Number formats: what an integer code means."""

from __future__ import annotations

import operator
import re
import sys
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Int32s: TypeAlias = NDArray[np.int32]
    Float64s: TypeAlias = NDArray[np.float64]


def integer_in(name: str, value: Any, low: int, high: int) -> int:
    """`value` as an int, or an error that names the argument, what came and what is allowed."""
    # An array of one element and a bool have __index__, but neither is meant here as a number.
    if isinstance(value, (bool, np.bool_, np.ndarray)) or not hasattr(value, "__index__"):
        msg = f"{name} must be an integer, got {value!r}"
        raise TypeError(msg)
    number = operator.index(value)
    if not low <= number <= high:
        msg = f"{name} must be an integer from {low} to {high}, got {value!r}"
        raise ValueError(msg)
    return number


def integers_in(name: str, values: Any, low: int, high: int) -> NDArray[Any]:
    """`values` as an array of integers, or an error as above."""
    array = np.asarray(values)
    if isinstance(values, np.ma.MaskedArray) or array.dtype.kind not in "iu":
        came = "a masked array" if isinstance(values, np.ma.MaskedArray) else array.dtype
        msg = f"{name} must be an integer or an array of them, got {came}"
        raise TypeError(msg)
    wrong = (array < low) | (array > high)
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        msg = f"{name} must be integers from {low} to {high}, got {array[place]} at {place}"
        raise ValueError(msg)
    return array


def real(name: str, value: Any) -> float:
    """`value` as a float, or an error as above."""
    if not isinstance(value, (bool, np.bool_, str, bytes)):  # which float() would take
        try:
            return float(value)
        except OverflowError:  # an int that no float holds: out of every range, but below infinity
            return sys.float_info.max if value > 0 else -sys.float_info.max
        except TypeError:
            pass
    msg = f"{name} must be a number, got {value!r}"
    raise TypeError(msg)


def truth(name: str, value: Any) -> bool:
    """`value` as a bool if it is one, of Python or of NumPy."""
    if not isinstance(value, (bool, np.bool_)):
        msg = f"{name} must be a bool, got {value!r}"
        raise TypeError(msg)
    return bool(value)


def string(name: str, value: Any) -> str:
    """`value` if it is a str."""
    if not isinstance(value, str):
        msg = f"{name} must be a str, got {value!r}"
        raise TypeError(msg)
    return value


# --- granularity ----------------------------------------------------------------------------


class Granularity(NamedTuple):
    """Which parameter goes with which element of an array.

    The array is seen as ``[outer][length][inner]``, of which the middle is the axis. Element
    ``[o][a][i]`` has the parameter of flat index ``a`` if they are `shared`, and else
    ``(o * ceil(length / block) + a // block) * inner + i``.

    Attributes
    ----------
    length : int
        Of the axis.
    inner : int
        How many elements lie side by side for each index of the axis.
    block : int
        How many neighbours along the axis have a parameter in common; at the end of the axis it
        may be fewer.
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
    """How parameters of one shape go with an array of another; None if one serves all of it.

    Parameters
    ----------
    name : str
        What the parameters are called in errors: ``"scale"``, or ``"fmt.frac_bits"``, which are
        then beside ``fmt.axis``.
    params_shape : tuple of int
        Of the parameters: ``()``; or with `axis` alone one length, that of the axis; or with
        `group_size` that of the array, with ``ceil(length / group_size)`` along the axis.
    shape : tuple of int
        Of the array.
    axis : int, optional
        An axis of the array; with `group_size` the last by default.
    group_size : int, optional
        How many neighbours along the axis share a parameter.
    group_name : str, default "group_size"
        What `group_size` is called in errors.

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
    """Parameters without axes have no `axis`; those of one axis need it, or a group's size."""
    if ndim == 0:
        for beside, value in (("axis", axis), (group_name, group_size)):
            if value is not None:
                msg = f"{prefix}{beside} must be None with {name} a single number, got {value!r}"
                raise ValueError(msg)
    elif group_size is None and ndim > 1:
        msg = f"{name} must be a single number or of one axis without {group_name}, got {ndim} axes"
        raise ValueError(msg)
    elif group_size is None and axis is None:
        msg = f"{prefix}axis must be an integer with {name} an array, got None"
        raise ValueError(msg)


# --- fixed point ----------------------------------------------------------------------------

# The modes of ap_fixed, by the keywords of quantize.
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
    """A binary fixed-point format: the integer ``q`` stands for ``q * 2**-frac_bits``.

    Formats are immutable, and two of them are equal if all fields are.

    Parameters
    ----------
    bits : int, default 8
        Width of the integers in bits, the sign bit included; 2 to 32.
    frac_bits : int or array_like of int, default 5
        How many of the bits lie behind the binary point; -256 to 256. It may be negative (steps
        larger than 1) or exceed `bits` (a range well within ±1). An array holds one for each index
        along `axis` of the array that is quantized; or with `group_size` it has the shape of that
        array, but ``ceil(length / group_size)`` entries along `axis`.
    signed : bool, default True
        Two's complement if true, else unsigned.
    axis : int, optional
        Of the quantized array, with an array of `frac_bits`; with `group_size` the last by default.
    group_size : int, optional
        How many neighbours along `axis` share an entry of `frac_bits`; at the end of the axis it
        may be fewer.

    Attributes
    ----------
    bits, signed, axis, group_size
        As given; `axis` of groups is counted from the first.
    frac_bits : int or read-only ndarray of int32
        As given.

    Raises
    ------
    TypeError
        If `bits`, `frac_bits`, `axis` or `group_size` is not an integer, or `signed` is not a bool.
    ValueError
        If one of them is out of its range; or `axis` or `group_size` is missing, or has nothing to
        say.

    Notes
    -----
    A format with an integer `frac_bits` has two other notations, see :meth:`parse`.

    Examples
    --------
    >>> from secateur import FixedPoint
    >>> fmt = FixedPoint(bits=8, frac_bits=5)
    >>> fmt.dtype, fmt.min, fmt.max
    (dtype('int8'), -128, 127)
    >>> fmt.resolution, fmt.range
    (0.03125, (-4.0, 3.96875))

    One step for each row of a matrix:

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
        put = object.__setattr__  # the only door past the __setattr__ below
        put(self, "bits", integer_in("bits", bits, 2, 32))
        held: int | Int32s
        if isinstance(frac_bits, (list, tuple)) or (
            isinstance(frac_bits, np.ndarray) and frac_bits.ndim
        ):
            held = _read_only(integers_in("frac_bits", frac_bits, -256, 256))
        else:
            held = integer_in("frac_bits", frac_bits, -256, 256)
        put(self, "_frac_bits", held)
        ndim = np.ndim(held)
        _check_choice("frac_bits", ndim, axis, group_size, "", "group_size")
        if group_size is not None:
            group_size = integer_in("group_size", group_size, 1, sys.maxsize)
            axis = integer_in("axis", -1 if axis is None else axis, -ndim, ndim - 1) % ndim
        elif axis is not None:
            axis = integer_in("axis", axis, -sys.maxsize, sys.maxsize)
        put(self, "signed", truth("signed", signed))
        put(self, "axis", axis)
        put(self, "group_size", group_size)

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
        """What is equal, and hashes alike, where formats are equal."""
        frac_bits = self.frac_bits
        held = (
            (frac_bits.shape, frac_bits.tobytes())
            if isinstance(frac_bits, np.ndarray)
            else frac_bits
        )
        return self.bits, held, self.signed, self.axis, self.group_size

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
        """How many of the bits lie behind the binary point, of all or of each; as given."""
        held = self._frac_bits
        # A view, for the shape of an array can be changed even if it is read-only.
        return held if isinstance(held, int) else held.view()

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
        """The value of one step, ``2.0**-frac_bits``; an array if that is one."""
        if isinstance(self.frac_bits, np.ndarray):
            return np.ldexp(1.0, -self.frac_bits)
        return 2.0**-self.frac_bits

    @property
    def range(self) -> tuple[float, float] | tuple[Float64s, Float64s]:
        """The lowest and the highest value that the format represents; arrays as `resolution`."""
        step = self.resolution
        return self.min * step, self.max * step  # type: ignore[return-value]  # both of one kind

    def for_shape(self, shape: tuple[int, ...]) -> Granularity | None:
        """Which entry of `frac_bits` goes with which element of an array of that shape.

        Parameters
        ----------
        shape : tuple of int
            Of the array that is quantized, or was.

        Returns
        -------
        Granularity or None
            None if `frac_bits` is an integer, which goes with any shape.

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
        """A format from Q notation, or from that of AMD's ``ap_fixed``.

        Parameters
        ----------
        text : str
            ``"Qm.n"`` is signed and ``"UQm.n"`` unsigned, with `m` integer bits and `n` fraction
            bits; ``"Qn"`` and ``"UQn"`` have only fraction bits and the sign. ``"ap_fixed<W, I>"``
            and ``"ap_ufixed<W, I>"`` have `W` bits, of which `I` are integer bits. Any of `m`, `n`
            and `I` may be negative, or larger than the width.
        sign_counted : bool, default False
            Whether `m` of a signed ``"Qm.n"`` counts the sign bit, as Arm writes it, or not, as
            Texas Instruments does: 8 bits with 5 of them behind the point are ``"Q3.5"`` to the
            one, and ``"Q2.5"`` to the other. The `I` of ``ap_fixed`` always counts it.

        Returns
        -------
        FixedPoint

        Raises
        ------
        TypeError
            If `text` is not a str.
        ValueError
            If `text` is in neither notation, the format has not 2 to 32 bits, or `text` has
            rounding and overflow modes: these are arguments of :func:`secateur.quantize`, not of a
            format.

        Notes
        -----
        Without modes ``ap_fixed`` rounds by ``AP_TRN`` and overflows by ``AP_WRAP``: those are
        ``rounding="floor", overflow="wrap"`` here, where neither is the default.

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
        sign_counted = truth("sign_counted", sign_counted)
        text = string("text", text)
        if found := _AP.fullmatch(text):
            unsigned, width, whole, modes = found.groups()
            if modes is not None:
                _refuse_modes(text, modes)
            return cls(int(width), int(width) - int(whole), not unsigned)
        if found := _Q.fullmatch(text):
            unsigned, whole, fraction = found.groups()
            # The sign bit is beside the integer bits, unless it is one of those that were given.
            beside = not unsigned and not (sign_counted and whole is not None)
            return cls(int(whole or 0) + int(fraction) + beside, int(fraction), not unsigned)
        allowed = "such as 'Q2.5', 'UQ8.8', 'Q15', 'ap_fixed<8, 3>' or 'ap_ufixed<8, 3>'"
        msg = f"text must be a format {allowed}, got {text!r}"
        raise ValueError(msg)

    def to_q(self, *, sign_counted: bool = False) -> str:
        """The format in Q notation, which :meth:`parse` reads.

        Parameters
        ----------
        sign_counted : bool, default False
            As for :meth:`parse`.

        Returns
        -------
        str

        Raises
        ------
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
        beside = self.signed and not truth("sign_counted", sign_counted)
        return f"{'' if self.signed else 'U'}Q{self.bits - fraction - beside}.{fraction}"

    def to_ap_fixed(self) -> str:
        """The format in AMD's notation, which :meth:`parse` reads.

        Returns
        -------
        str

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
        whole = self.bits - self._one_frac_bits("ap_fixed")
        return f"ap_{'' if self.signed else 'u'}fixed<{self.bits}, {whole}>"

    def _one_frac_bits(self, notation: str) -> int:
        if isinstance(self.frac_bits, int):
            return self.frac_bits
        msg = f"frac_bits must be one integer for {notation}, got {self!r}"
        raise ValueError(msg)


def _read_only(values: NDArray[Any]) -> Int32s:
    """A copy as int32 that nobody can make writeable again, for formats are hashed by it."""
    held = values.astype(np.int32, order="C")
    return np.ndarray(held.shape, np.int32, buffer=held.tobytes())


def _abbreviated(array: Int32s) -> str:
    """As a list, with the middle of what is long left out."""
    text = np.array2string(array, separator=", ", threshold=8, edgeitems=2, formatter={"int": str})
    return " ".join(text.split())


def _refuse_modes(text: str, modes: str) -> NoReturn:
    words = [word.strip() for word in modes.split(",")]
    instead = [_AP_MODES.get(word, f"nothing for {word}") for word in words]
    msg = f"text must be without modes, which quantize takes as {', '.join(instead)}, got {text!r}"
    raise ValueError(msg)
