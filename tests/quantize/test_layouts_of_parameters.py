"""Quantization with parameters per axis, per group and per block."""

from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateur import Affine, FixedPoint, reference
from support.arrays import DTYPES, in_memory_order
from support.grids import subset
from support.isas import LIBRARIES, library
from support.oracles import (
    assert_same_bits,
    ends_of_width,
    exact_codes,
    exact_values,
    of_elements,
    shape_of_parameters,
)
from support.quantizing import ROUNDINGS, SEED, normal, overflows_of, seed_of
from support.raw_bits import floats
from support.refusals import assert_refuses

Kind = type[FixedPoint] | type[Affine]
Layout = dict[str, Any]  # the arguments axis and group_size

dtypes = pytest.mark.parametrize("dtype", DTYPES)
kinds = pytest.mark.parametrize("kind", [FixedPoint, Affine])
roundings = pytest.mark.parametrize("rounding", ROUNDINGS)


# --- layouts and formats -------------------------------------------------------------------------

SHAPES = [(7,), (1, 1), (3, 5), (5, 3), (2, 3, 4), (4, 1, 6), (0, 3), (3, 0), (2, 0, 3), (2, 2, 3, 2),
          (9, 70)]  # fmt: skip
SIZES = [None, 1, 2, 3, 100]
BLOCKS = [(1, 1), (2, 3), (3, 2), (1, 4), (4, 1), (100, 2), (2, 64), (2**40, 2**40)]


def layouts(
    shape: tuple[int, ...],
    sizes: list[int | None] = SIZES,
    blocks: list[tuple[int, int]] = BLOCKS,
) -> list[Layout]:
    """Return layouts along any axes, in groups along each axis, and in blocks of any two axes.

    Every third layout has negative axes, and every third has a negative last axis.
    """
    ndim = len(shape)
    made: list[tuple[Any, Any]] = [*product(range(ndim), sizes)]
    for count in range(1, ndim + 1):
        made += [(axes, None) for axes in combinations(range(ndim), count)]
    made += product(permutations(range(ndim), 2), blocks)
    found: list[Layout] = []
    for i, (axis, size) in enumerate(made):
        axes = list(axis) if isinstance(axis, tuple) else [axis]
        for place in (range(0), range(len(axes)), [-1])[i % 3]:
            axes[place] -= ndim
        given_axis = tuple(axes) if isinstance(axis, tuple) else axes[0]
        is_default = isinstance(size, tuple) and axis == (ndim - 2, ndim - 1)
        found.append({"axis": None if is_default else given_axis, "group_size": size})
    return found


def cases(shapes: list[tuple[int, ...]]) -> list[tuple[int, tuple[int, ...], Layout]]:
    """Return each shape with each layout that fits it, numbered."""
    pairs = [(shape, layout) for shape in shapes for layout in layouts(shape)]
    return [(number, *pair) for number, pair in enumerate(pairs)]


def format_of(
    kind: Kind,
    shape: tuple[int, ...],
    layout: Layout,
    seed: int = 0,
    width: tuple[int, bool] | None = None,
) -> FixedPoint | Affine:
    """Return a format that fits an array of normal data, with random parameters and width."""
    rng = np.random.default_rng(seed)
    bits = int(rng.choice([1, 4, 5, 8, 11, 16, 24, 32]))
    bits, signed = width or (bits, bool(rng.integers(2)))
    lengths = shape_of_parameters(shape, **layout)
    if kind is FixedPoint:
        bits = max(bits, 2)
        return FixedPoint(bits, bits - 3 + rng.integers(-4, 5, lengths), signed, **layout)
    low, high = ends_of_width(bits, signed)
    if bits > 1 and rng.integers(3) == 0:
        low, high = low + 1, high - 1
    zeros = rng.integers(max(low, -99), min(high, 99) + 1, lengths if rng.integers(5) else ())
    scales = rng.uniform(0.05, 1.0, lengths)
    if rng.integers(4) == 0:
        scales = 2.0 ** rng.integers(-4, 2, lengths)
    scales = scales.astype(list(DTYPES.values())[rng.integers(4)])
    return Affine(scales, zeros, bits=bits, signed=signed, qmin=low, qmax=high, **layout)


# --- quantizing with them ------------------------------------------------------------------------


@kinds
@dtypes
@roundings
def test_every_layout(lib: Any, kind: Kind, dtype: str, rounding: str) -> None:
    for number, shape, layout in subset(cases(SHAPES), 40, 80):
        w, fmt = normal(shape, dtype, 3.0), format_of(kind, shape, layout, number)
        overflow = overflows_of(fmt)[number % len(overflows_of(fmt))]
        modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        codes = exact_codes(w, fmt, rounding, overflow, SEED)
        values = exact_values(codes, fmt, dtype)
        assert_same_bits(lib.quantize(w, fmt, **modes), codes)
        assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
        assert_same_bits(lib.fake_quantize(w, fmt, **modes), values)
        assert_same_bits(lib.prune_quantize(w, fmt, k=w.size, **modes), codes)
        for order in permutations(range(w.ndim)):
            moved = in_memory_order(w, order)
            assert_same_bits(lib.quantize(moved, fmt, **modes), codes)
            moved_codes = in_memory_order(codes, order)
            assert_same_bits(lib.dequantize(moved_codes, fmt, dtype=w.dtype), values)
            out = moved.copy(order="K")
            assert_same_bits(lib.fake_quantize(out, fmt, **modes, out=out), values)


LARGE = [(3, 65), (65, 3), (5, 129, 2), (2, 4097), (4097, 2), (129, 127), (2, 3, 16385), (513, 512),
         (4, 33, 3, 40)]  # fmt: skip
LARGE_SIZES = [None, 1, 16, 32, 33, 128]
LARGE_BLOCKS = [(1, 1), (2, 16), (16, 2), (3, 33), (32, 32), (128, 128), (1, 128), (7, 4096)]


@pytest.mark.parametrize("shape", LARGE)
@kinds
@dtypes
def test_large_arrays(lib: Any, shape: tuple[int, ...], kind: Kind, dtype: str) -> None:
    """Groups and rows of blocks are shorter and longer than a vector, and ragged at the ends."""
    w = normal(shape, dtype, 3.0)
    made = enumerate(layouts(shape, LARGE_SIZES, LARGE_BLOCKS))
    for number, layout in subset(made, 8, 16):
        fmt = format_of(kind, shape, layout, number)
        rounding = ROUNDINGS[-1 - number % len(ROUNDINGS)]
        overflow = overflows_of(fmt)[number % len(overflows_of(fmt))]
        modes = {"rounding": rounding, "overflow": overflow, **seed_of(rounding)}
        codes = reference.quantize(w, fmt, **modes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        q, out = np.zeros_like(codes), w.copy()
        assert lib.quantize(w, fmt, **modes, out=q) is q
        assert_same_bits(q, codes)
        assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
        assert lib.fake_quantize(out, fmt, **modes, out=out) is out
        assert_same_bits(out, values)
        kept = lib.prune_quantize(w, fmt, sparsity=0.5, **modes)
        assert_same_bits(kept, reference.prune_quantize(w, fmt, sparsity=0.5, **modes))
        if fmt.bits <= 8:
            packed = lib.quantize(w, fmt, **modes, packed=True, bitorder="big")
            bits = reference.pack_ints(codes.ravel(), fmt.bits, bitorder="big")
            assert_same_bits(packed, bits)
            back = lib.dequantize(packed, fmt, shape=shape, bitorder="big", dtype=w.dtype)
            assert_same_bits(back, values)


@pytest.mark.parametrize(
    ("rows", "columns", "size"), [(3, 7000, 5000), (9, 3000, 2048), (2, 50_000, 40_000)]
)
@pytest.mark.parametrize("bits", [8, 16])
@kinds
def test_rows_that_end_within_a_long_run(
    lib: Any, kind: Kind, bits: int, rows: int, columns: int, size: int
) -> None:
    """Groups are longer than a chunk, and the end of a row shortens the last group."""
    for number in range(4):
        w = normal((rows, columns), "float32", 2.0)
        layout = {"axis": 1, "group_size": size}
        fmt = format_of(kind, w.shape, layout, number, (bits, bool(number % 2)))
        codes = reference.quantize(w, fmt)
        assert_same_bits(lib.quantize(w, fmt), codes)
        assert_same_bits(lib.dequantize(codes, fmt), reference.dequantize(codes, fmt))


@pytest.mark.parametrize("size", [8, 16, 24, 32, 128, 1000, 1024, 4096])
@pytest.mark.parametrize("bits", [8, 16])
@kinds
def test_offsets_within_a_cache_line(lib: Any, kind: Kind, size: int, bits: int) -> None:
    """Small arrays, and arrays large enough to stream, begin at several offsets in a cache line."""
    for number, n in subset(enumerate([1087, 20_480, (1 << 21) + 4096]), 2):
        memory = normal(n + 64, "float32", 2.0)
        layout = {"axis": 0, "group_size": size}
        fmt = format_of(kind, (n,), layout, number, (bits, bool(number % 2)))
        codes, values = reference.quantize(memory[:n], fmt), np.empty(n + 64, np.float32)
        expected = reference.dequantize(codes, fmt)
        for begin in subset((0, 1, 4, 5, 16, 60) if n < 1 << 20 else (4, 5, 16), 2):
            q = np.empty(n + 64, codes.dtype)[begin : begin + n]
            assert_same_bits(lib.quantize(memory[:n], fmt, out=q), codes)
            out = values[begin : begin + n]
            assert_same_bits(lib.dequantize(codes, fmt, out=out), expected)
            assert_same_bits(lib.fake_quantize(memory[:n], fmt, out=out), expected)
            memory[begin : begin + n] = memory[:n].copy()
            w = memory[begin : begin + n]
            assert_same_bits(lib.quantize(w, fmt), codes)
            memory[:n] = w.copy()


@pytest.mark.parametrize("shape", [(1025, 2050), (2050, 1025), (205, 10, 1025)])
@kinds
def test_rows_and_columns_past_the_caches(lib: Any, shape: tuple[int, ...], kind: Kind) -> None:
    """Large arrays bypass the caches. Affine formats are tried with and without zero points."""
    w = normal(shape, "float32", 2.0)
    made: list[Layout] = [
        {"axis": axis, "group_size": size} for axis, size in product((0, -1), [None, 16, 33])
    ]
    if len(shape) > 2:
        made = [{"axis": (0, 2)}, {"axis": (2, 0), "group_size": (33, 16)}]
    for number, layout in enumerate(made):
        fmt = format_of(kind, shape, layout, number, (8, True))
        assert_same_bits(lib.quantize(w, fmt), reference.quantize(w, fmt))
        if isinstance(fmt, Affine):
            symmetric = Affine(fmt.scale, **layout)
            assert_same_bits(lib.quantize(w, symmetric), reference.quantize(w, symmetric))


THREADED: list[tuple[tuple[int, ...], Layout]] = [
    ((1_100_003,), {}),
    ((1_000_003,), {"axis": 0, "group_size": 97}),
    ((1100, 1003), {"axis": 0}),
    ((1100, 1003), {"axis": 1}),
    ((1100, 1003), {"axis": 0, "group_size": 48}),
    ((1100, 1003), {"axis": 1, "group_size": 96}),
    ((1100, 1003), {"group_size": (128, 128)}),
    ((11, 100, 1003), {"axis": (0, 1)}),
    ((11, 100, 1003), {"axis": (0, 2)}),
    ((11, 100, 1003), {"axis": (2, 0), "group_size": (128, 3)}),
]


@kinds
@dtypes
@roundings
def test_on_several_threads(lib_on_threads: Any, kind: Kind, dtype: str, rounding: str) -> None:
    """The parts of the threads begin in the middle of rows, of groups and of blocks."""
    for number, (shape, layout) in subset(enumerate(THREADED), 2, 4):
        seed = number + 100 * ROUNDINGS.index(rounding)
        w, fmt = normal(shape, dtype), format_of(kind, shape, layout, seed)
        modes = {"rounding": rounding, **seed_of(rounding)}
        codes = reference.quantize(w, fmt, **modes)
        assert_same_bits(lib_on_threads.quantize(w, fmt, **modes), codes)
        values = reference.dequantize(codes, fmt, dtype=w.dtype)
        assert_same_bits(lib_on_threads.dequantize(codes, fmt, dtype=w.dtype), values)
        assert_same_bits(lib_on_threads.fake_quantize(w, fmt, **modes), values)


@st.composite
def any_layout(draw: st.DrawFn, shape: tuple[int, ...]) -> Layout:
    axes = draw(st.permutations(range(len(shape))))
    size = st.integers(1, 7)
    sizes = draw(st.none() | size | st.tuples(size, size))
    if isinstance(sizes, int):
        return {"axis": axes[0], "group_size": sizes}
    if isinstance(sizes, tuple) and len(shape) > 1:
        return {"axis": tuple(axes[:2]), "group_size": sizes}
    return {"axis": tuple(sorted(axes[: draw(st.integers(1, len(shape)))]))}


@st.composite
def any_format(draw: st.DrawFn, shape: tuple[int, ...]) -> FixedPoint | Affine:
    """Draw a format. Adjacent binary points may be 512 apart."""
    layout = draw(any_layout(shape))
    lengths = shape_of_parameters(shape, **layout)
    count = int(np.prod(lengths))

    def parameters(each: st.SearchStrategy, dtype: str) -> np.ndarray:
        chosen = draw(st.lists(each, min_size=count, max_size=count))
        return np.array(chosen, dtype).reshape(lengths)

    bits, signed = draw(st.integers(2, 32)), draw(st.booleans())
    if draw(st.booleans()):
        return FixedPoint(bits, parameters(st.integers(-256, 256), "i8"), signed, **layout)
    low, high = ends_of_width(bits, signed)
    scales = parameters(st.floats(2.0**-126, 2.0**127, width=32), "f8")
    zeros = parameters(st.integers(low, min(high, 2**31 - 1)), "i8")
    return Affine(scales, zeros, bits=bits, signed=signed, **layout)


@given(
    data=st.data(),
    dtype=st.sampled_from(list(DTYPES)),
    shape=st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple),
    rounding=st.sampled_from(ROUNDINGS),
)
def test_any_bits(data: st.DataObject, dtype: str, shape: tuple[int, ...], rounding: str) -> None:
    fmt = data.draw(any_format(shape))
    w = data.draw(floats(dtype, shape))
    overflow = data.draw(st.sampled_from(overflows_of(fmt)))
    modes = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed_of(rounding)}
    codes = exact_codes(w, fmt, rounding, overflow, SEED)
    values = exact_values(codes, fmt, dtype)
    for name in LIBRARIES:
        with library(name) as lib:
            assert_same_bits(lib.quantize(w, fmt, **modes), codes)
            assert_same_bits(lib.dequantize(codes, fmt, dtype=w.dtype), values)
            assert_same_bits(lib.fake_quantize(w, fmt, **modes), values)


@kinds
@dtypes
def test_memory_layouts(lib: Any, kind: Kind, dtype: str) -> None:
    views: list[Any] = [np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2]]
    views += [lambda a: np.ascontiguousarray(a[::-1])[::-1]]
    if dtype != "bfloat16":
        views += [lambda a: a.astype(a.dtype.newbyteorder(">"))]
    for number, shape, layout in subset(cases([(14, 26), (7, 4, 26)]), 12, 24):
        w, fmt = normal(shape, dtype, 3.0), format_of(kind, shape, layout, number)
        q = reference.quantize(w, fmt)
        values = reference.dequantize(q, fmt, dtype=w.dtype)
        for view in views:
            assert_same_bits(lib.quantize(view(w), fmt), q)
            assert_same_bits(lib.dequantize(view(q), fmt, dtype=w.dtype), values)
            wide = (*shape[:-1], 2 * shape[-1])
            out = np.full(wide, 7, q.dtype)[..., ::2]
            assert lib.quantize(view(w), fmt, out=out) is out
            assert_same_bits(out, q)
            back = np.full(wide, 7, w.dtype)[..., ::2]
            assert lib.fake_quantize(view(w), fmt, out=back) is back
            assert_same_bits(back, values)


# --- formats that are the same -------------------------------------------------------------------


@kinds
def test_equal_parameters_are_one(lib: Any, kind: Kind) -> None:
    for _, shape, layout in subset(cases([(40, 70), (4, 10, 70)]), 12, 48):
        w, lengths = normal(shape, "float32", 2.0), shape_of_parameters(shape, **layout)
        one, each = Affine(0.1, 3), Affine(np.full(lengths, 0.1), np.full(lengths, 3), **layout)
        if kind is FixedPoint:
            one, each = FixedPoint(8, 5), FixedPoint(8, np.full(lengths, 5), **layout)
        q = lib.quantize(w, one)
        assert_same_bits(lib.quantize(w, each), q)
        assert_same_bits(lib.dequantize(q, each), lib.dequantize(q, one))


@pytest.mark.parametrize("bits", [8, 32])
def test_fixed_point_is_affine_with_powers_of_two(lib: Any, bits: int) -> None:
    for number, shape, layout in subset(cases([*SHAPES, (40, 70)]), 30, 60):
        w = normal(shape, "float32", 3.0)
        places = np.random.default_rng(number).integers(1, 6, shape_of_parameters(shape, **layout))
        fmt = FixedPoint(bits, places, **layout)
        affine = Affine(np.ldexp(1.0, -places), bits=bits, **layout)
        rounding = ROUNDINGS[number % len(ROUNDINGS)]
        modes = {"rounding": rounding, **seed_of(rounding)}
        codes = lib.quantize(w, fmt, **modes)
        assert_same_bits(lib.quantize(w, affine, **modes), codes)
        assert_same_bits(lib.dequantize(codes, affine), lib.dequantize(codes, fmt))


@kinds
def test_blocks_in_either_order_of_axes(lib: Any, kind: Kind) -> None:
    w = normal((5, 6, 70), "float32", 3.0)
    for axes, sizes in product(permutations(range(3), 2), [(2, 3), (4, 1)]):
        fmt = format_of(kind, w.shape, {"axis": axes, "group_size": sizes}, width=(8, True))
        turned = {"axis": axes[::-1], "group_size": sizes[::-1]}
        other = format_of(kind, w.shape, turned, width=(8, True))
        assert fmt == other
        assert_same_bits(lib.quantize(w, fmt), lib.quantize(w, other))


# --- what is refused -----------------------------------------------------------------------------


@kinds
def test_where_a_refused_element_is(lib: Any, kind: Kind) -> None:
    """The message has the index in the whole array, whatever the layout is."""
    shape = (9, 3, 70)
    made: list[Layout] = [
        *({"axis": axis, "group_size": size} for axis, size in product(range(3), (None, 4))),
        {"axis": (0, 2)},
        {"group_size": (2, 33)},
        {"axis": (2, 0), "group_size": (33, 2)},
    ]
    first, last = (3, 1, 5), (8, 0, 1)
    index = np.ravel_multi_index(first, shape)
    for layout in made:
        w = normal(shape, "float32", 0.01)
        fmt = format_of(kind, shape, layout, width=(16, True))
        w[first], w[last] = np.nan, np.nan
        words = ["w has 2 NaN", f"the first at flat index {index}"]
        assert_refuses(ValueError, words, lib.fake_quantize, w, fmt, out=w)
        w[first], w[last] = 1e6, -np.inf
        words = ["w has 2 element", f"the first at flat index {index}"]
        assert_refuses(OverflowError, words, lib.fake_quantize, w, fmt, overflow="raise", out=w)
        assert_refuses(OverflowError, words, lib.quantize, w, fmt, overflow="raise")


ORDER = "a tuple of axes in ascending order"

# The shape and layout of the parameters, the shape of an array, and the words of the message.
NOT_FITTING: list[tuple[tuple[int, ...], Layout, tuple[int, ...], list[str]]] = [
    ((3,), {"axis": 1}, (3, 4), ["fmt.{name} must be", "(4,)", "(3,)"]),
    ((3,), {"axis": 2}, (3, 4), ["fmt.axis must be", "from -2 to 1", "2"]),
    ((3,), {"axis": 0}, (), ["fmt.{name} must be", "without axes"]),
    ((3,), {"axis": 0}, (0, 4), ["fmt.{name} must be", "(0,)", "(3,)"]),
    ((1, 2), {"group_size": 4}, (1, 9), ["fmt.{name} must be", "(1, 3)", "(1, 2)"]),
    ((1, 2), {"group_size": 4}, (8,), ["fmt.{name} must have as many dimensions", "(1, 2)", "(2,)"]),
    ((2,), {"group_size": 4}, (8, 2), ["fmt.{name} must have as many dimensions", "(2,)", "(8, 1)"]),
    ((1, 2), {"axis": 0, "group_size": 4}, (5, 2), ["fmt.{name} must be", "(2, 2)"]),
    ((2, 2), {"group_size": (2, 3)}, (4, 7), ["fmt.{name} must be", "(2, 3)", "(2, 2)"]),
    ((2, 2), {"axis": (1, 0), "group_size": (2, 3)}, (4, 6), ["fmt.{name} must be", "(2, 3)"]),
    ((2, 2), {"group_size": (2, 3)}, (4,), ["fmt.axis", "from -1 to 0"]),
    ((2, 2), {"group_size": (2, 3)}, (1, 4, 6), ["fmt.{name} must be", "(1, 2, 6)", "(2, 2)"]),
    ((2, 1, 2), {"axis": (0, 2), "group_size": (2, 3)}, (4, 2, 6), ["fmt.{name}", "(2, 2, 2)"]),
    ((2, 3), {"axis": (0, 1)}, (2, 4), ["fmt.{name} must be", "(2, 4)", "(2, 3)"]),
    ((2, 3), {"axis": (0, 2)}, (2, 3, 4), ["fmt.{name} must be", "(2, 4)", "(2, 3)"]),
    ((2, 3), {"axis": (0, 2)}, (2, 3), ["fmt.axis", "from -2 to 1", "2"]),
    ((2, 3), {"axis": (1, 0)}, (3, 2), [f"fmt.axis must be {ORDER}", "(1, 0)"]),
    ((2, 2), {"axis": (1, 0)}, (2, 2), [f"fmt.axis must be {ORDER}", "(1, 0)"]),
    ((4, 2), {"axis": (-1, 0)}, (2, 3, 4), [f"fmt.axis must be {ORDER}", "(-1, 0)"]),
    ((1, 1), {"axis": (1, 0)}, (1, 1), [f"fmt.axis must be {ORDER}", "(1, 0)"]),
    ((2, 2), {"axis": (0, 0)}, (2, 2), ["fmt.axis must be", "(0, 0)"]),
    ((2, 2), {"axis": (0, -2)}, (2, 2), ["fmt.axis must be", "(0, -2)"]),
]  # fmt: skip


@pytest.mark.parametrize(("lengths", "layout", "shape", "words"), NOT_FITTING)
@kinds
def test_formats_that_do_not_fit(
    lib: Any,
    kind: Kind,
    lengths: tuple[int, ...],
    layout: Layout,
    shape: tuple[int, ...],
    words: list[str],
) -> None:
    ones = np.ones(lengths, int)
    is_affine = kind is Affine
    fmt = Affine(ones / 1, **layout) if is_affine else FixedPoint(8, ones, **layout)
    words = [word.format(name="scale" if is_affine else "frac_bits") for word in words]
    w, q = np.zeros(shape, np.float32), np.zeros(shape, np.int8)
    for call in (lib.quantize, lib.fake_quantize):
        assert_refuses(ValueError, words, call, w, fmt)
    assert_refuses(ValueError, words, lib.prune_quantize, w, fmt, k=0)
    assert_refuses(ValueError, words, lib.dequantize, q, fmt)


# --- the oracle ----------------------------------------------------------------------------------


def test_the_oracle_by_hand() -> None:
    each = np.array([[1, 2], [3, 4]])
    for shape, axis, group_size, expected in (
        ((2, 3), 1, 2, [1, 1, 2, 3, 3, 4]),
        ((2, 2), (0, 1), None, [1, 2, 3, 4]),
        ((2, 1, 2), (0, -1), None, [1, 2, 3, 4]),
        ((2, 2, 2), (0, 2), None, [1, 2, 1, 2, 3, 4, 3, 4]),
        ((3, 2), None, (2, 1), [1, 2, 1, 2, 3, 4]),
        ((3, 2), (1, 0), (1, 2), [1, 2, 1, 2, 3, 4]),
    ):
        assert shape_of_parameters(shape, axis, group_size) == (2, 2)
        assert of_elements(each, shape, axis, group_size).tolist() == expected
    assert of_elements(np.array([5, 6]), (2, 2), 0, None).tolist() == [5, 5, 6, 6]
