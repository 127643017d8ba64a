"""Generators of random calls of every public function, as source code."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# --- arrays; reproducers include the source of these functions -------------------------------

INFINITIES = {"float16": 0x7C00, "bfloat16": 0x7F80, "float32": 0x7F800000, "float64": 0x7FF << 52}


def values(dtype: str, n: int, style: str, seed: int) -> np.ndarray:
    """Return elements of a dtype: random bits, or values that are hard to select or quantize."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    raw = np.frombuffer(rng.bytes(n * kind.itemsize), f"u{kind.itemsize}").copy()
    if style.startswith("below "):  # "below N": integers of N bits
        bits = int(style.split()[1])
        low, high = (-(1 << bits - 1), 1 << bits - 1) if dtype.startswith("i") else (0, 1 << bits)
        return rng.integers(low, high, n, np.int64 if low else np.uint64).astype(kind)
    if style == "raw":
        return raw.view(kind)
    if style == "sparse":
        return np.where(rng.random(n) < rng.random(), raw, raw.dtype.type(0)).view(kind)
    if style == "true":
        return (raw % 3 == 0).view(kind)
    infinity = raw.dtype.type(INFINITIES[dtype])
    finite = np.where((raw & infinity) == infinity, raw ^ infinity, raw).view(kind)
    normal = rng.standard_normal(n) * 2.0 ** rng.integers(-4, 9)
    with np.errstate(all="ignore"):
        if style == "finite":
            return finite
        if style == "ties":
            few = np.append(finite[:3], normal[:3].astype(kind))
            return few[rng.integers(0, few.size, n)] if n else finite
        if style == "zeros":
            return np.where(raw % 8 != 0, np.copysign(0, normal), normal).astype(kind)
        if style == "ramp":
            return ((np.arange(n) - n // 3) / 8).astype(kind)
        if style == "special":
            few = np.array([0, 0.5, 1, 1.5, 2.5, 127.5, 128, 1e-8, 1e-45, 6e4, 3e38, np.inf])
            return np.copysign(few[rng.integers(0, few.size, n)], normal).astype(kind)
        if style == "nan":
            return np.where(
                raw % 16 == 0, raw | infinity, normal.astype(kind).view(raw.dtype)
            ).view(kind)
        return normal.astype(kind)


def laid_out(array: np.ndarray, layout: str) -> np.ndarray:
    """Return the same elements in another memory layout. "broadcast" repeats the first ones."""
    if layout == "fortran":
        return np.asfortranarray(array)
    if layout == "reversed":
        return np.flip(np.flip(array).copy())
    if layout == "strided":
        buffer = np.zeros((*array.shape[:-1], 2 * array.shape[-1] + 1), array.dtype)
        buffer[..., 1::2] = array
        return buffer[..., 1::2]
    if layout == "permuted":
        return np.moveaxis(np.moveaxis(array, 0, -1).copy(), -1, 0)
    if layout == "framed":
        buffer = np.zeros([length + 2 for length in array.shape], array.dtype)
        inner = tuple(slice(1, -1) for _ in array.shape)
        buffer[inner] = array
        return buffer[inner]
    if layout == "broadcast":
        return np.broadcast_to(array[:1], array.shape)
    if layout == "unaligned":
        buffer = np.zeros(array.nbytes + 1, np.uint8)
        buffer[1:] = np.frombuffer(array.tobytes(), np.uint8)
        return buffer[1:].view(array.dtype).reshape(array.shape)
    if layout == "swapped":
        return array.astype(array.dtype.newbyteorder())
    if layout == "read-only":
        array.flags.writeable = False
    return array


def array(
    dtype: str, shape: tuple[int, ...], style: str, seed: int, layout: str = "c"
) -> np.ndarray:
    return laid_out(values(dtype, math.prod(shape), style, seed).reshape(shape), layout)


# --- cases ------------------------------------------------------------------------------------

FLOATS = ["float32", "float64", "float16", "bfloat16"]
INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "int4", "uint4", "int2", "uint2"]
STYLES = ["normal", "normal", "finite", "ties", "zeros", "ramp", "special", "nan", "raw"]
WITH_NAN = ["nan", "raw"]
LAYOUTS = ["fortran", "reversed", "strided", "permuted", "framed", "unaligned", "swapped"]
UNWRITABLE_LAYOUTS = ["swapped", "read-only", "broadcast"]
SIZE_BOUNDARIES = [64, 1024, 4096, 16384, 65536]
LARGE = [100_000, 140_000, 262_144, 400_000]

ROUNDINGS = ["nearest_even", "nearest_away", "nearest_zero", "nearest_up", "nearest_down", "floor",
             "ceil", "trunc", "away", "stochastic"]  # fmt: skip
OVERFLOWS = ["saturate", "saturate_symmetric", "saturate_zero", "wrap", "raise"]

# Replacements for a valid argument. Most of them have a wrong type or value.
WRONG_NUMBERS = ["-1", "10**30", "-(10**30)", "2**63", "1.5", "True", "'1'", "np.array([1])", "[]",
                 "np.float32(1)", "np.nan", "np.inf", "-0.5", "10**400", "1j", "None", "np.int8(1)",
                 "np.array(1)", "(1,)", "b'1'", "0", "()", "(0, 0)", "(0, 99)", "(0, 1.5)"]  # fmt: skip
WRONG_WORDS = ["'no'", "None", "1", "b'raise'", "''", "['raise']", "'RAISE'", "True"]
WRONG_ARRAYS = ["None", "'abc'", "1.5", "[1, 2]", "[]", "[1.5, None]", "[[1.0], [1.0, 2.0]]", "{}",
                "[[1.5, -2.0], [0.5, 3.0]]",
                "np.zeros(3, complex)", "np.zeros((2, 3), np.int64)", "np.zeros(4, 'M8[s]')",
                "np.zeros(4, object)", "np.ma.masked_array([1.0, 2.0], [False, True])",
                "np.zeros((3, 0), np.float32)", "np.float32(1.5)", "np.zeros(3, bool)",
                "np.zeros(5, np.uint8)"]  # fmt: skip
WRONG_OTHERS = ["None", "3", "'x'", "(2,)", "(0, 1)", "(1, 2, 3)", "('a', 1)", "[1, 1]", "-1"]


class Draw:
    """A random case under construction: statements that create its arrays, and the call."""

    def __init__(self, seed: int, case: int) -> None:
        self.rng = random.Random(f"{seed} {case}")
        self.statements: list[str] = []
        self.positional: dict[str, str] = {}
        self.named: dict[str, str] = {}
        self.names = itertools.count()
        self.members: list[str] = []  # the names of the arrays in `arrays`
        self.styles: set[str] = set()
        self.unwritable: set[str] = set()  # names of arrays that cannot be outputs
        self.uses_all_integers = True  # whether the format uses all of them
        self.wrong = 0  # number of wrong arguments
        self.wrong_in_several_ways = False  # whether one argument is wrong in several ways

    def one_in(self, n: int) -> bool:
        """Return True with a probability of 1 / n."""
        return self.rng.randrange(n) == 0

    def one_of(self, choices: Any) -> Any:
        return self.rng.choice(list(choices))

    def seed(self) -> int:
        return self.rng.randrange(1 << 32)

    def size(self) -> int:
        kind = self.rng.randrange(40)
        if kind == 0:
            return self.one_of(LARGE) + self.rng.randrange(-70, 70)
        if kind < 5:
            return self.one_of(SIZE_BOUNDARIES) + self.rng.randrange(-3, 4)
        return self.rng.randrange(300)

    def shape(self, min_ndim: int = 0) -> tuple[int, ...]:
        """Return a shape of up to 4 axes, whose size is about a random size."""
        left = self.size()
        ndim = self.one_of([0, 1, 1, 2, 2, 2, 3, 4])
        ndim = max(ndim, min_ndim)
        if ndim == 0:
            return ()
        lengths = []
        for _ in range(ndim - 1):
            length = self.one_of([1, 2, 3, 4, 5, 7, 8, 16, 33, 64, self.rng.randrange(1, 200)])
            length = min(length, max(left, 1))
            lengths.append(length)
            left //= length
        lengths.insert(self.rng.randrange(ndim), left)
        return tuple(lengths)

    def layout(self, shape: tuple[int, ...], dtype: str, *, written: bool) -> str:
        if self.rng.randrange(5) < 3:
            return "c"
        if not written and self.one_in(6) and shape:
            return "broadcast"
        if self.one_in(40):
            return "read-only"
        layout = self.one_of(LAYOUTS)
        swaps = dtype in ("float16", "float32", "float64", "int16", "uint16", "int32", "uint32")
        if (layout == "swapped" and not swaps) or (not shape and layout not in ("unaligned", "c")):
            return "c"
        return layout

    def array(
        self,
        dtype: str,
        shape: tuple[int, ...],
        style: str,
        *,
        written: bool = False,
        name: str = "",
    ) -> str:
        """Add a statement that creates an array, and return the name of the array."""
        name = name or f"a{next(self.names)}"
        layout = self.layout(shape, dtype, written=written)
        self.styles.add(style)
        if layout in UNWRITABLE_LAYOUTS:
            self.unwritable.add(name)
            self.wrong += written
        self.statements.append(
            f"{name} = array({dtype!r}, {shape}, {style!r}, {self.seed()}, {layout!r})"
        )
        return name

    def floats(self, min_ndim: int = 0) -> tuple[str, tuple[int, ...], str]:
        """Create `w`, and return its dtype, shape and style."""
        dtype, shape, style = self.one_of(FLOATS), self.shape(min_ndim), self.one_of(STYLES)
        self.array(dtype, shape, style, name="w")
        self.positional["w"] = "w"
        return dtype, shape, style

    def axes(self, shape: tuple[int, ...]) -> int:
        """Pass no axis, one, or several. Return the number of elements of a slice along them."""
        if not shape or self.one_in(2):
            return math.prod(shape)
        axes = self.rng.sample(range(len(shape)), self.rng.randrange(1, len(shape) + 1))
        given = [axis - self.one_of([0, len(shape)]) for axis in axes]
        single = len(axes) == 1 and self.one_in(2)
        self.named["axis"] = str(given[0] if single else tuple(given))
        return math.prod(shape[axis] for axis in axes)

    def adjacent_axes(self, shape: tuple[int, ...]) -> int:
        """Pass no axis, or adjacent ones. Return the number of elements of a slice along them."""
        if self.one_in(2):
            return math.prod(shape)
        first, last = sorted(self.rng.choices(range(len(shape)), k=2))
        self.named["axis"] = str(tuple(range(first, last + 1)))
        return math.prod(shape[first : last + 1])

    def axis(self, shape: tuple[int, ...], *, name: str = "axis") -> int | None:
        """Pass no axis and return None, or pass one, negative or not, and return it."""
        if not shape or self.one_in(2):
            return None
        axis = self.rng.randrange(len(shape))
        self.named[name] = str(axis - self.one_of([0, len(shape)]))
        return axis

    def blocks(self, shape: tuple[int, ...], name: str) -> bool:
        """Pass blocks of two axes, or nothing. Return whether it did."""
        if len(shape) < 2 or not self.one_in(3):
            return False
        axes = [len(shape) - 2, len(shape) - 1]
        if self.one_in(2):
            axes = self.rng.sample(range(len(shape)), 2)
            self.named["axis"] = str(tuple(axis - self.one_of([0, len(shape)]) for axis in axes))
        self.named[name] = str(tuple(self.rng.randrange(1, shape[axis] + 3) for axis in axes))
        return True

    def groups(self, shape: tuple[int, ...]) -> int | None:
        """Pass groups of any kind, or nothing. Return the axis, if one is passed as an integer."""
        if self.one_in(3):
            self.axes(shape)
            return None
        if self.blocks(shape, "group_size"):
            return None
        axis = self.axis(shape)
        if shape and self.one_in(3):
            length = shape[-1 if axis is None else axis]
            self.named["group_size"] = str(self.rng.randrange(1, length + 3))
        return axis

    def policy(self, style: str, other: str, *others: str) -> None:
        """Choose the NaN policy. If there are NaN, it is mostly one that does not refuse them."""
        if style in WITH_NAN and not self.one_in(6):
            self.named["nan"] = repr(self.one_of([other, *others]))
        elif self.one_in(3):
            self.named["nan"] = repr(self.one_of(["raise", other, *others]))
        refuses = self.named.get("nan", "'raise'") == "'raise'"
        self.wrong += refuses and not self.styles.isdisjoint([*WITH_NAN, "special"])

    def selection_size(self, n: int, *, sparsity: bool = True) -> None:
        """Pass `k` or `sparsity` for n candidates."""
        if sparsity and self.one_in(2):
            choices = [0, 1, 0.5, 0.9, 1 / 3, self.rng.random()]
            self.named["sparsity"] = repr(self.one_of(choices))
        else:
            self.named["k"] = str(self.one_of([0, n, self.rng.randrange(n + 1)]))

    def scores(self, shape: tuple[int, ...], style: str) -> str | None:
        """Pass scores or factors and return their style, or pass neither."""
        if self.one_in(2):
            return None
        dtype, scores_style = self.one_of(FLOATS), self.one_of(STYLES)
        if self.one_in(2):
            scores_style = "normal" if style not in WITH_NAN else scores_style
        name = self.one_of(["scores", "factors"])
        if name == "factors" or self.one_in(20):
            shape_of_w = shape
            shape = tuple(1 if self.one_in(3) else length for length in shape)
            shape = shape[self.rng.randrange(len(shape) + 1) :] if self.one_in(2) else shape
            if name == "scores" and shape != shape_of_w:
                self.wrong += 1
                self.wrong_in_several_ways = True
        self.named[name] = self.array(dtype, shape, scores_style)
        if self.one_in(50):
            self.named["factors" if name == "scores" else "scores"] = self.named[name]
            self.wrong += 1
            self.wrong_in_several_ways = True
        return scores_style

    def residual(self, dtype: str, shape: tuple[int, ...]) -> str:
        """Pass a residual, which may not fit, and return a style of sums that may be NaN."""
        if self.one_in(20):
            wrong = ["w", "w[::-1]", "np.zeros(3)", "[1.0]", "np.zeros(np.shape(w), 'i4')"]
            self.named["residual"] = self.one_of(wrong)
            self.wrong += 1
            self.wrong_in_several_ways = True
        else:
            style = self.one_of(STYLES)
            self.named["residual"] = self.array(dtype, shape, style, written=True)
        return "raw"

    def mask_form(self, shapes: list[tuple[int, ...]]) -> None:
        """Pass the form of a mask."""
        if self.one_in(2):
            self.named["packed"] = str(self.one_in(2))
            if self.named["packed"] == "True" and self.one_in(2):
                self.named["row_align"] = "8"
                self.wrong += () in shapes
        self.bitorder()

    def out(
        self, dtype: str, shape: tuple[int, ...], *, may_be_w: bool = False, name: str = "out"
    ) -> None:
        """Pass no array for a result, `w` itself, a separate array, or a wrong one."""
        kind = self.rng.randrange(12)
        if kind < 4:
            return
        if kind < 7 and may_be_w:
            self.named[name] = "w"
            self.wrong += "w" in self.unwritable
        elif kind == 11 and self.one_in(3):
            wrong = [
                "w[...]",
                "w[::-1]",
                "w.T",
                "w.ravel()",
                "np.asarray(w).copy()",
                "w.view('u1')",
            ]
            self.named[name] = self.one_of(wrong)
            self.wrong += 1
            self.wrong_in_several_ways = True
        else:
            if self.one_in(30):
                dtype = self.one_of([*FLOATS, *INTEGERS])
                self.wrong += 1
            if self.one_in(30):
                shape = self.shape()
                self.wrong += 1
            self.named[name] = self.array(dtype, shape, "raw", written=True)

    def layout_of_parameters(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], str]:
        """Return the shape of the parameters of a format, and the arguments that say so."""
        if not shape or self.one_in(2):
            return (), ""
        i = self.rng.randrange(len(shape))
        kind = self.rng.randrange(6)
        if kind == 0 and len(shape) > 1:
            last = [len(shape) - 2, len(shape) - 1]
            axes = last if self.one_in(2) else self.rng.sample(range(len(shape)), 2)
            sizes = [self.rng.randrange(1, min(shape[axis] + 3, 150)) for axis in axes]
            counts = list(shape)
            for axis, size in zip(axes, sizes, strict=True):
                counts[axis] = -(-shape[axis] // size)
            options = f"group_size={tuple(sizes)}"
            if axes != last or self.one_in(2):
                options += f", axis={tuple(axis - self.one_of([0, len(shape)]) for axis in axes)}"
            return tuple(counts), options
        if kind == 1:
            axes = sorted(self.rng.sample(range(len(shape)), self.rng.randrange(len(shape)) + 1))
            shift = self.one_of([0, len(shape)])
            return tuple(shape[axis] for axis in axes), f"axis={tuple(a - shift for a in axes)}"
        options = f"axis={i - self.one_of([0, len(shape)])}"
        if kind < 4:
            return (shape[i],), options
        group = self.rng.randrange(1, shape[i] + 3)
        lengths = (*shape[:i], -(-shape[i] // group), *shape[i + 1 :])
        return lengths, f"{options}, group_size={group}"

    def format(
        self,
        shape: tuple[int, ...],
        layout: tuple[tuple[int, ...], str] | None = None,
        name: str = "fmt",
        most_bits: int = 32,
    ) -> tuple[int, bool]:
        """Create a format, and return its width and whether it is signed."""
        signed = not self.one_in(3)
        any_bits = self.rng.randrange(1, most_bits + 1)
        bits = self.one_of([8, 8, 16, 4, any_bits, self.rng.randrange(1, 9)])
        layout = layout or self.layout_of_parameters(shape)
        self.statements.append(f"rng = np.random.default_rng({self.seed()})")
        if bits <= 32 and (bits == 1 or self.one_in(2)):
            self.affine(bits, signed, *layout, name)
        else:
            self.fixed_point(bits, signed, *layout, name)
        return bits, signed

    def fixed_point(
        self, bits: int, signed: bool, lengths: tuple[int, ...], options: str, name: str
    ) -> None:
        low, high = (-256, 257) if self.one_in(5) else (-3, bits + 4)
        frac_bits = f"rng.integers({low}, {high}, {lengths})"
        frac_bits = frac_bits if lengths else str(self.rng.randrange(low, high))
        widths = str(bits)
        if 0 not in lengths and lengths and bits <= 32 and self.one_in(3):
            self.statements.append(f"widths = rng.integers(2, {bits} + 1, {lengths})")
            self.statements.append(f"widths.flat[0] = {bits}")
            widths = "widths"
            frac_bits = self.one_of([frac_bits, str(self.rng.randrange(low, high))])
        self.statements.append(
            f"{name} = sc.FixedPoint({widths}, {frac_bits}, {signed}, {options})"
        )

    def affine(
        self, bits: int, signed: bool, lengths: tuple[int, ...], options: str, name: str
    ) -> None:
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        arguments = [f"bits={bits}, signed={signed}", options]
        if bits > 1 and self.one_in(3):
            low = self.rng.randrange(low, min(high, 2**31 - 1))
            high = self.rng.randrange(low + 1, high + 1)
            arguments.append(f"qmin={low}, qmax={high}")
            self.uses_all_integers = False
        scale = self.one_of(["np.exp2(rng.integers(-6, 4, {0}).astype('f8'))",
                             "(rng.random({0}) + 0.01)",
                             "np.exp(rng.random({0}) * 160 - 80)",
                             "np.exp(rng.random({0}) * 400 - 200)",
                             "(rng.random({0}) - 0.01)"]).format(lengths)  # fmt: skip
        self.wrong += "400" in scale or "-" in scale[-8:]  # not normal in float32, or negative
        if lengths:
            dtype = self.one_of(["np.float32", "np.float64", "ml_dtypes.bfloat16"])
            scale = scale if dtype == "np.float64" else f"np.clip({scale}, -3e38, 3e38)"
            scale += f".astype({dtype})"
        ends = (low, min(high, 2**31 - 1))
        if lengths and self.one_in(2):
            zero_point = f"rng.integers({ends[0]}, {ends[1] + 1}, {lengths})"
        elif low <= 0 <= high and self.one_in(2):
            zero_point = "0"
        else:
            zero_point = str(self.one_of([*ends, self.rng.randrange(ends[0], ends[1] + 1)]))
        given = [scale if lengths else f"float({scale})", zero_point, *filter(None, arguments)]
        self.statements.append(f"{name} = sc.Affine({', '.join(given)})")

    def modes(self, style: str | None) -> None:
        """Draw the modes of quantization, and the policy for NaN if there are floats of a style."""
        if self.one_in(2):
            self.named["rounding"] = repr(self.one_of(ROUNDINGS))
            if self.named["rounding"] == "'stochastic'":
                self.named["seed"] = str(self.rng.randrange(1 << 64))
        if self.one_in(2):
            self.named["overflow"] = repr(self.one_of(OVERFLOWS))
            self.wrong += self.named["overflow"] == "'wrap'" and not self.uses_all_integers
        if self.one_in(3):
            near = [2**16, 2**32 - 50, 2**32, 2**63, 2**64 - 1, self.rng.randrange(2**64)]
            self.named["index_offset"] = str(self.one_of(near))
        if style is not None:
            self.policy(style, "zero")

    def bitorder(self) -> None:
        if self.one_in(2):
            self.named["bitorder"] = repr(self.one_of(["little", "big"]))

    def spoil(self) -> None:
        """Replace one argument by one that is probably wrong."""
        choices = [(self.positional, name) for name in self.positional]
        choices += [(self.named, name) for name in self.named]
        arguments, name = self.one_of(choices)
        if name in (
            "w",
            "q",
            "packed_bytes",
            "mask",
            "scores",
            "factors",
            "w_hat",
            "residual",
            "out",
        ):
            pool = WRONG_ARRAYS
        elif name in (
            "nan",
            "rounding",
            "overflow",
            "bitorder",
            "method",
            "norm",
            "pattern",
            "remainder",
            "dtype",
        ):
            pool = WRONG_WORDS
        elif name in ("fmt", "block", "shape", "arrays"):
            pool = WRONG_OTHERS
        else:
            pool = WRONG_NUMBERS
        arguments[name] = self.one_of(pool)
        self.wrong += 1
        self.wrong_in_several_ways = pool is WRONG_ARRAYS or pool is WRONG_OTHERS

    def call(self, function: str) -> str:
        given = [*self.positional.values(), *(f"{k}={v}" for k, v in self.named.items())]
        return f"lib.{function}({', '.join(given)})"


def kth_magnitude(draw: Draw) -> None:
    _, shape, style = draw.floats()
    n = draw.axes(shape)
    k = draw.one_of([1, n, draw.rng.randrange(1, n + 2)])
    draw.positional["k"] = str(k)
    draw.wrong += not 1 <= k <= n
    draw.policy(style, "keep", "prune")


def topk(draw: Draw) -> None:
    dtype, shape, style = draw.floats()
    n = draw.axes(shape)
    draw.positional["k"] = str(draw.one_of([0, n, draw.rng.randrange(n + 1)]))
    scores_style = draw.scores(shape, style)
    if scores_style is None and draw.one_in(2):
        scores_style = draw.residual(dtype, shape)
    if draw.one_in(2):
        draw.named["sorted"] = str(draw.one_in(2))
    draw.policy(scores_style or style, "keep", "prune")


def prune(draw: Draw) -> None:
    dtype, shape = selection(draw)
    draw.out(dtype, shape, may_be_w=True)


def prune_mask(draw: Draw) -> None:
    _, shape = selection(draw)
    draw.mask_form([shape])


def selection(draw: Draw) -> tuple[str, tuple[int, ...]]:
    """Create w, pass a selection of its elements, and return its dtype and shape."""
    dtype, shape, style = draw.floats()
    kind = draw.rng.randrange(5)
    scores_style = None
    if kind == 4 and len(shape) >= 2:
        block = [draw.rng.randrange(1, max(min(length, 40), 1) + 1) for length in shape[-2:]]
        draw.named["block"] = str(tuple(block))
        if draw.one_in(2):
            draw.named["norm"] = repr(draw.one_of(["l1", "l2", "max", "mean"]))
        if draw.one_in(3):
            draw.named["threshold"] = repr(draw.rng.random() * 100)
        else:
            counts = [-(-length // each) for length, each in zip(shape[-2:], block, strict=True)]
            draw.selection_size(draw.adjacent_axes((*shape[:-2], *counts)))
        scores_style = draw.scores(shape, style)
    elif kind == 3 and shape:
        length = draw.axes(shape)
        length = length if "axis" in draw.named else shape[-1]
        m = draw.one_of([m for m in range(1, 33) if length % m == 0])
        if draw.one_in(2):
            m = draw.rng.randrange(1, 33)
            draw.named["remainder"] = repr(draw.one_of(["keep", "pad"]))
        draw.named["pattern"] = repr(f"{draw.rng.randrange(1, m + 1)}:{m}")
        scores_style = draw.scores(shape, style)
    elif kind == 2:
        limits = [0, 0.5, 1, 1e-8, 127.5, 1e300, draw.rng.random() * 3]
        draw.named["threshold"] = repr(draw.one_of(limits))
        scores_style = draw.scores(shape, style)
        if scores_style and draw.one_in(3):
            draw.named["threshold"] = "-" + draw.named["threshold"]
            draw.wrong += "scores" not in draw.named
    else:
        draw.selection_size(draw.axes(shape))
        scores_style = draw.scores(shape, style)
    draw.policy(scores_style or style, "keep", "prune")
    return dtype, shape


def prune_global(draw: Draw) -> None:
    dtypes, shapes, container_of = global_selection(draw)
    kind = draw.rng.randrange(3)
    if kind == 1:
        draw.named["out"] = "arrays"
    elif kind == 2:
        outs = [
            draw.array(dtype, shape, "raw", written=True)
            for dtype, shape in zip(dtypes, shapes, strict=True)
        ]
        draw.named["out"] = container_of(outs)


def prune_mask_global(draw: Draw) -> None:
    _, shapes, _ = global_selection(draw)
    draw.mask_form(shapes)


def global_selection(
    draw: Draw,
) -> tuple[list[str], list[tuple[int, ...]], Callable[[list[str]], str]]:
    """Create arrays and pass a selection among them.

    Return their dtypes and shapes, and a function that puts members in a container of their kind.
    """
    count = draw.rng.randrange(1, 5)
    blocks = draw.one_in(3)
    shapes = [draw.shape(2 if blocks else 0) for _ in range(count)]
    dtypes = [draw.one_of(FLOATS) for _ in shapes]
    if draw.one_in(3):
        dtypes = dtypes[:1] * count
    style = draw.one_of(STYLES)
    names = [
        draw.array(dtype, shape, style, written=True)
        for dtype, shape in zip(dtypes, shapes, strict=True)
    ]
    keyed = draw.one_in(2)

    def container_of(members: Iterable[str]) -> str:
        if keyed:
            return "{" + ", ".join(f"'{i}': {member}" for i, member in enumerate(members)) + "}"
        return "[" + ", ".join(members) + "]"

    draw.members = names
    draw.statements.append(f"arrays = {container_of(names)}")
    draw.positional["arrays"] = "arrays"
    counts = [math.prod(shape) for shape in shapes]
    if blocks:
        block = draw.rng.randrange(1, 9), draw.rng.randrange(1, 40)
        draw.named["block"] = str(block)
        if draw.one_in(2):
            draw.named["norm"] = repr(draw.one_of(["l1", "l2", "max", "mean"]))
        counts = [
            math.prod(shape[:-2]) * -(-shape[-2] // block[0]) * -(-shape[-1] // block[1])
            for shape in shapes
        ]
    draw.selection_size(sum(counts))
    if draw.one_in(3):
        limits = [draw.one_of([None, 1, 0.5, draw.rng.random()]) for _ in shapes]
        single = draw.one_in(3)
        draw.named["max_sparsity"] = str(limits[0]) if single else container_of(map(str, limits))
        limits = limits[:1] * count if single else limits
        least = sum(
            0 if limit is None else n - round(limit * n)
            for n, limit in zip(counts, limits, strict=True)
        )
        if "k" in draw.named:
            draw.wrong += int(draw.named["k"]) < least
        else:
            n = sum(counts)
            draw.wrong += n - round(float(draw.named["sparsity"]) * n) < least
    ranking_style = style
    if draw.one_in(2):
        given: dict[str, list[str]] = {"scores": [], "factors": []}
        for shape in shapes:
            scores_style = draw.scores(shape, style)
            for name, members in given.items():
                members.append(draw.named.pop(name, "None"))
            ranking_style = scores_style if scores_style in WITH_NAN else ranking_style
        for name, members in given.items():
            if draw.one_in(2) or {*members} != {"None"}:
                draw.named[name] = container_of(members)
    draw.policy(ranking_style, "keep", "prune")
    return dtypes, shapes, container_of


def apply_mask(draw: Draw) -> None:
    dtype, shape, _ = draw.floats()
    if shape and draw.one_in(3):
        draw.named["row_align"] = "8"
        rows = (*shape[:-1], -(-shape[-1] // 8))
        draw.positional["mask"] = draw.array("uint8", rows, "raw")
    elif draw.one_in(2):
        packed = (-(-math.prod(shape) // 8),)
        draw.positional["mask"] = draw.array("uint8", packed, "raw")
    else:
        draw.positional["mask"] = draw.array("bool", shape, "true")
    draw.bitorder()
    draw.out(dtype, shape, may_be_w=True)


def soft_threshold(draw: Draw) -> None:
    dtype, shape, _ = draw.floats()
    limits = [0, 0.5, 1e-45, 1e-8, 127.5, 7e4, 1e300, np.inf, draw.rng.random() * 3]
    draw.positional["threshold"] = repr(draw.one_of(limits)).replace("inf", "np.inf")
    draw.out(dtype, shape, may_be_w=True)


def packed_rows(
    draw: Draw, shape: tuple[int, ...], bits: int
) -> tuple[str, tuple[int, ...]] | None:
    """Pass `row_align`. Return the dtype and the shape of the packed rows."""
    if not shape or not draw.one_in(2):
        return None
    row_align = draw.one_of([8, 32])
    draw.named["row_align"] = str(row_align)
    return ("uint8" if row_align == 8 else "int32"), (
        *shape[:-1],
        -(-shape[-1] * bits // row_align),
    )


def encode_bitmask(draw: Draw) -> None:
    dtype = draw.one_of(["float16", "bfloat16", "float32", "float64", "int8", "uint16", "int64"])
    shape = draw.shape()
    style = draw.one_of([*STYLES, "sparse"]) if dtype in FLOATS else "sparse"
    draw.positional["w"] = draw.array(dtype, shape, style)
    if draw.one_in(3):
        draw.named["mask"] = draw.array("bool", shape, "true")


def pack_ints(draw: Draw) -> None:
    dtypes = ["int8", "uint8", "int16", "uint16"]
    dtype = draw.one_of([*dtypes, *dtypes, "int4", "uint4", "int2", "uint2"])
    width = int(dtype.lstrip("uint"))
    bits = draw.rng.randrange(1, width + 1)
    style = f"below {bits if draw.rng.randrange(8) else min(bits + 1, width)}"
    shape = draw.shape()
    draw.positional["q"] = draw.array(dtype, shape, style)
    draw.positional["bits"] = str(bits)
    draw.bitorder()
    draw.out(*(packed_rows(draw, shape, bits) or ("uint8", (-(-math.prod(shape) * bits // 8),))))


def unpack_ints(draw: Draw) -> None:
    bits, shape = draw.rng.randrange(1, 17), draw.shape()
    needed = -(-math.prod(shape) * bits // 8) + draw.one_of([0, 0, 0, 1, 5])
    packed = packed_rows(draw, shape, bits) or ("uint8", (needed,))
    draw.positional["packed_bytes"] = draw.array(*packed, "raw")
    draw.positional |= {"bits": str(bits), "shape": str(shape)}
    default = 8 if bits <= 8 else 16
    wanted = f"int{default}"
    if bits in (2, 4) and draw.one_in(2):
        wanted = f"{draw.one_of(['', 'u'])}int{bits}"
        draw.named["dtype"] = f"ml_dtypes.{wanted}"
    elif draw.one_in(3):
        wanted = draw.one_of(["int16", "uint16"])
        draw.named["dtype"] = f"np.{wanted}"
    elif draw.one_in(2):
        wanted = f"{draw.one_of(['', 'u'])}int{default}"
        draw.named["signed"] = str(not wanted.startswith("u"))
    draw.bitorder()
    draw.out(wanted, shape)


def storage_dtype(bits: int, signed: bool) -> str:
    return f"{'' if signed else 'u'}int{max(8, 1 << (bits - 1).bit_length())}"


def integer_output(draw: Draw, bits: int, dtype: str, shape: tuple[int, ...]) -> None:
    """Pass `out` for quantized integers, which may be packed or of a narrow dtype."""
    if bits <= 16 and draw.one_in(3):
        draw.named["packed"] = "True"
        draw.bitorder()
        dtype, shape = "uint8", (-(-math.prod(shape) * bits // 8),)
    elif bits <= 4 and draw.one_in(3):
        dtype = f"{'u' if dtype.startswith('u') else ''}int{2 if bits <= 2 else 4}"
    draw.out(dtype, shape)


def quantize(draw: Draw) -> None:
    _, shape, style = draw.floats()
    bits, signed = draw.format(shape)
    draw.positional["fmt"] = "fmt"
    draw.modes(style)
    integer_output(draw, bits, storage_dtype(bits, signed), shape)


def fake_quantize(draw: Draw) -> None:
    dtype, shape, style = draw.floats()
    draw.format(shape)
    draw.positional["fmt"] = "fmt"
    draw.modes(style)
    draw.out(dtype, shape, may_be_w=True)


def prune_quantize(draw: Draw) -> None:
    _, shape, style = draw.floats()
    bits, signed = draw.format(shape)
    draw.positional["fmt"] = "fmt"
    draw.selection_size(math.prod(shape))
    draw.modes(style)
    integer_output(draw, bits, storage_dtype(bits, signed), shape)


def compress(draw: Draw) -> None:
    _, shape, style = draw.floats()
    draw.format(shape, most_bits=16)
    draw.positional["fmt"] = "fmt"
    if not draw.one_in(4):
        draw.selection_size(math.prod(shape))
    draw.modes(style)
    if draw.one_in(2):
        draw.named["encoding"] = repr(draw.one_of(["smallest", "dense", "bitmask", "gaps"]))


def result_floats(draw: Draw, shape: tuple[int, ...]) -> str:
    dtype = draw.one_of(FLOATS)
    draw.named["dtype"] = "ml_dtypes.bfloat16" if dtype == "bfloat16" else f"np.{dtype}"
    draw.out(dtype, shape)
    return dtype


def wider_codes(draw: Draw) -> bool:
    """Pass `sign_extend`. Return whether integers may be wider than their format."""
    if draw.one_in(3):
        draw.named["sign_extend"] = "True"
        return True
    return draw.one_in(8)  # they are refused


def dequantize(draw: Draw) -> None:
    shape = draw.shape()
    bits, signed = draw.format(shape)
    if bits <= 16 and draw.one_in(3):
        draw.positional["q"] = draw.array("uint8", (-(-math.prod(shape) * bits // 8),), "raw")
        draw.named["shape"] = str(shape[0] if len(shape) == 1 and draw.one_in(2) else shape)
        draw.bitorder()
    else:
        dtype = storage_dtype(bits, signed)
        if bits <= 4 and draw.one_in(3):
            dtype = f"{'' if signed else 'u'}int{2 if bits <= 2 else 4}"
        width = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4}.get(dtype)
        if not wider_codes(draw):
            width = bits
        draw.positional["q"] = draw.array(dtype, shape, f"below {width}" if width else "raw")
    draw.positional["fmt"] = "fmt"
    result_floats(draw, shape)


def requantize(draw: Draw) -> None:
    shape = draw.shape()
    bits, signed = draw.format(shape, name="from_fmt", most_bits=64)
    dtype = storage_dtype(bits, signed)
    draw.positional["q"] = draw.array(dtype, shape, "raw" if wider_codes(draw) else f"below {bits}")
    to_bits, to_signed = draw.format(shape, name="to_fmt")
    draw.positional["from_fmt"], draw.positional["to_fmt"] = "from_fmt", "to_fmt"
    draw.modes(None)
    draw.out(storage_dtype(to_bits, to_signed), shape)


def compare(draw: Draw) -> None:
    _, shape, style = draw.floats()
    draw.positional["w_hat"] = draw.array(draw.one_of(FLOATS), shape, style)
    axis = draw.groups(shape)
    deterministic_rounding(draw)
    if draw.one_in(2):
        if axis is not None and "group_size" not in draw.named and draw.one_in(2):
            draw.format(shape, ((shape[axis],), f"axis={axis}"))
        else:
            draw.format(shape, None if draw.one_in(8) else ((), ""))
        draw.named["fmt"] = "fmt"


def deterministic_rounding(draw: Draw) -> None:
    if draw.one_in(3):
        rounding = draw.one_of(ROUNDINGS)
        draw.named["rounding"] = repr(rounding)
        draw.wrong += rounding == "stochastic"


def choosing(draw: Draw) -> None:
    deterministic_rounding(draw)
    if draw.one_in(2):
        draw.named["method"] = repr(draw.one_of(["max", "percentile", "mse"]))
        if draw.named["method"] == "'percentile'" and draw.one_in(2):
            draw.named["percentile"] = repr(draw.one_of([0, 50, 99, 100, 99.9]))
    shape = draw.shape()
    dtype, style = draw.one_of(FLOATS), draw.one_of([*STYLES[:6], *STYLES])
    draw.array(dtype, shape, style, name="w")
    draw.positional = {"w": "w", **draw.positional}
    draw.groups(shape)
    bits = int(draw.positional.get("bits", draw.named.get("bits", "8")))
    quantized_dtype = storage_dtype(bits, draw.named.get("signed") != "False")
    draw.out(quantized_dtype, shape, name="quantized")


def choose_format(draw: Draw) -> None:
    draw.positional["bits"] = str(draw.one_of([8, 4, 16, draw.rng.randrange(2, 33)]))
    if draw.one_in(3):
        draw.named["signed"] = str(draw.one_in(2))
    choosing(draw)


def choose_affine(draw: Draw) -> None:
    if draw.one_in(2):
        draw.named["bits"] = str(draw.rng.randrange(2, 17))
    for name in ("signed", "symmetric"):
        if draw.one_in(3):
            draw.named[name] = str(draw.one_in(2))
    choosing(draw)


def sketch(draw: Draw) -> None:
    """Pass chunks and a rank to `brackets`."""
    dtype, style = draw.one_of(FLOATS), draw.one_of(STYLES)
    chunks = [draw.array(dtype, draw.shape(), style) for _ in range(draw.rng.randrange(1, 4))]
    draw.statements.append(f"chunks = [{', '.join(chunks)}]")
    draw.positional = {
        "chunks": "chunks",
        "dtype": "ml_dtypes.bfloat16" if dtype == "bfloat16" else f"np.{dtype}",
        "k": str(draw.rng.randrange(1, 400)),
    }
    draw.policy(style, "keep", "prune")


def brackets(lib: Any, chunks: list[Any], dtype: Any, k: int, nan: str = "raise") -> Any:
    """Return the bracket of the k-th magnitude after four passes, which suffice for float64.

    In the first pass, two sketches count different chunks and are merged.
    """
    sketch, other = (lib.MagnitudeSketch(dtype, nan=nan) for _ in range(2))
    for number in range(4):
        sketch = sketch.narrow(k) if number else sketch
        for i, chunk in enumerate(chunks):
            (sketch if number or i % 2 else other).update(chunk)
        if number == 0:
            sketch.merge(other)
    return sketch.n, sketch.bracket(k)


FUNCTIONS: dict[str, Callable[[Draw], None]] = {
    function.__name__: function
    for function in (
        kth_magnitude, topk, prune, prune_mask, prune_global, prune_mask_global, apply_mask, soft_threshold,
        encode_bitmask, pack_ints,
        unpack_ints, quantize, dequantize, requantize, fake_quantize, prune_quantize, compress, compare,
        choose_format, choose_affine, sketch,
    )
}  # fmt: skip
