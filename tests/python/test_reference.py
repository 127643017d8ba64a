"""Compare `secateur.reference` with oracles that share no code with it.

The oracle of selection is a stable sort, that of quantization is exact fractions. Both are also
compared with constants.
"""

import ast
import inspect
import math
import subprocess
import sys
import warnings
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

import secateur as sc
from secateur import FixedPoint, reference
from support.oracles import code_dtype, ends
from support.refusals import FLOAT_NAMES

FLOATS = hnp.arrays(np.uint32, st.integers(0, 40)).map(lambda bits: bits.view(np.float32))
"""Arrays of any bits: NaN of every kind, infinities, subnormals, both zeros."""

FORMATS = st.builds(FixedPoint, st.integers(2, 32), st.integers(-256, 256), st.booleans())

HOST = {
    "__version__",
    "get_cmake_dir",
    "get_include",
    "get_num_threads",
    "isa",
    "isas",
    "reference",
    "set_num_threads",
    "threads",
}
"""Functions about the machine or the installation, which have no reference."""


def bits_of(w: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(w).view(np.uint32)


def assert_same_bits(actual: Any, expected: Any) -> None:
    expected = np.asarray(expected, np.float32)
    assert actual.dtype == np.float32
    assert_array_equal(bits_of(actual), bits_of(expected), strict=True)


def parameters(function: Any) -> list[tuple[str, object, object]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def public_members(made: object) -> dict[str, object]:
    """Return the parameters of each public method, and the type of each other public attribute."""
    members = {name: getattr(made, name) for name in dir(made) if not name.startswith("_")}
    return {
        name: parameters(value) if callable(value) else type(value)
        for name, value in members.items()
    }


# Of classes that need some.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "BitmaskArray": (np.uint8([1]), np.zeros(1), 3),
    "CompressedTensor": (np.uint8([1]), FixedPoint(8, 0), 1),
}


@pytest.mark.parametrize("name", sorted({*sc.__all__, *reference.__all__} - HOST))
def test_same_public_surface_as_the_package(name: str) -> None:
    ours, theirs = getattr(sc, name), getattr(reference, name)
    assert name in sc.__all__
    assert name in reference.__all__
    if ours is theirs:
        return
    assert parameters(ours) == parameters(theirs)
    if isinstance(ours, type):
        arguments = ARGUMENTS.get(name, ())
        assert public_members(ours(*arguments)) == public_members(theirs(*arguments))


# --- imports and names that the reference shares with the package ------------------------------

SHARED = {
    "secateur.float_state": {"default_float_state"},
    "secateur.formats": {"Affine", "FixedPoint"},
    "secateur.literals": {
        *("Axes", "BitOrder", "ChoiceMethod", "DeterministicRounding", "Encoding", "GroupSize"),
        *(
            "Norm",
            "Overflow",
            "QuantizationNaN",
            "Remainder",
            "Rounding",
            "RowAlign",
            "SelectionNaN",
        ),
    },
    "secateur.results": {"Bracket", "ErrorStats", "TopK"},
}
"""Types of arguments and results, and the floating-point state, which NumPy cannot set. The
reference must not use other code of the package."""

ELSEWHERE = (set(sys.stdlib_module_names) | {"numpy"}) - {"importlib"}
SOURCES = sorted(Path(reference.__file__).parent.rglob("*.py"))


def shared(source: str) -> Iterator[str]:
    """Yield the imports that a module of the reference must not have."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            pairs = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            pairs = [(module, alias.name) for alias in node.names]
        else:
            continue
        for module, name in pairs:
            own = f"{module}.".startswith("secateur.reference.")
            elsewhere = module.split(".")[0] in ELSEWHERE
            if not (own or elsewhere or name in SHARED.get(module, ())):
                yield f"{module} {name}".strip()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_shares_only_types(path: Path) -> None:
    assert list(shared(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from secateur.formats import FixedPoint, integer_in", ["secateur.formats integer_in"]),
        ("from secateur.formats import *", ["secateur.formats *"]),
        ("import secateur.choosing as c", ["secateur.choosing"]),
        ("import secateur", ["secateur"]),
        ("def f():\n    from secateur import _core", ["secateur _core"]),
        ("if TYPE_CHECKING:\n    from ..formats import real", ["..formats real"]),
        ("from secateur.references import x", ["secateur.references x"]),
        ("import importlib, math, numpy.linalg", ["importlib"]),
        ("from secateur.reference import order\nfrom secateur.results import TopK", []),
    ],
)
def test_what_is_shared_is_found(source: str, expected: list[str]) -> None:
    assert list(shared(source)) == expected


def computed(_: FixedPoint) -> Any:
    raise AssertionError


class Bare(FixedPoint):
    """A format that has its arguments as attributes, and raises an error if it must compute."""

    __slots__ = ()
    dtype = min = max = resolution = range = property(computed)  # type: ignore[assignment]
    parse = to_q = to_ap_fixed = computed  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("bits", "frac_bits", "how"),
    [(8, 5, {}), (4, [3, 2, 1], {"axis": 0}), (16, [[9, 8], [7, 6], [5, 4]], {"group_size": 4})],
)
@pytest.mark.parametrize("overflow", ["saturate", "saturate_symmetric", "saturate_zero", "wrap"])
def test_formats_are_taken_by_their_arguments(
    bits: int, frac_bits: Any, how: Any, overflow: str
) -> None:
    w, packed = 3 * normal(3, 6), {"packed": bits <= 8}
    fmt, bare = (kind(bits, frac_bits, **how) for kind in (FixedPoint, Bare))
    assert bare == fmt
    modes = {"overflow": overflow}
    q = reference.quantize(w, fmt, **modes)
    assert_array_equal(reference.quantize(w, bare, **modes), q, strict=True)
    values = reference.dequantize(q, fmt)
    assert_same_bits(reference.dequantize(q, bare), values)
    assert_same_bits(reference.fake_quantize(w, bare, **modes), values)
    one, other = (reference.prune_quantize(w, f, k=9, **packed, **modes) for f in (fmt, bare))
    assert_array_equal(one, other, strict=True)
    axis = how.get("axis")
    if "group_size" not in how:
        one, other = (reference.compare(w, values, fmt=f, axis=axis) for f in (fmt, bare))
        assert_array_equal(one, other)


IMPORTS = {
    "as an attribute": "secateur.reference.prune",
    "by its name": "from secateur import reference; assert reference is secateur.reference",
    "as a module": "import secateur.reference as r; assert r is secateur.reference",
    "with all": "from secateur import *; assert reference is secateur.reference",
}


@pytest.mark.parametrize("how", IMPORTS)
def test_is_imported_when_it_is_used(how: str) -> None:
    code = f"""
import sys, secateur
assert not [name for name in sys.modules if name.startswith("secateur.reference")]
assert {{"reference", "prune", "__version__"}} <= set(dir(secateur))
{IMPORTS[how]}
assert "secateur.reference.pruning" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_other_attributes() -> None:
    with pytest.raises(AttributeError, match=r"^module 'secateur' has no attribute 'references'$"):
        sc.references  # noqa: B018


# --- selection: the oracle is a stable sort --------------------------------------------------


def by_rank(w: np.ndarray, nan: str) -> list[int]:
    """Return flat indices from the largest magnitude to the smallest. Ties are in index order."""
    magnitudes = [int(bits) & 0x7FFFFFFF for bits in w.ravel().view(np.uint32)]
    if nan == "prune":
        magnitudes = [m - 2**31 if m > 0x7F800000 else m for m in magnitudes]
    return sorted(range(w.size), key=lambda i: -magnitudes[i])


def masked(w: np.ndarray, kept: list[int]) -> np.ndarray:
    expected = np.zeros(w.size, np.uint32)
    expected[kept] = w.ravel().view(np.uint32)[kept]
    return expected.view(np.float32).reshape(w.shape)


@given(w=FLOATS, share=st.floats(0, 1), nan=st.sampled_from(["keep", "prune"]))
def test_selection(w: np.ndarray, share: float, nan: str) -> None:
    removed = round(share * w.size)  # rounds half to even
    kept = by_rank(w, nan)[: w.size - removed]
    mask = np.isin(np.arange(w.size), kept)

    for how in ({"sparsity": share}, {"k": len(kept)}):
        assert_array_equal(reference.prune_mask(w, **how, nan=nan), mask, strict=True)
        packed = reference.prune_mask(w, **how, nan=nan, packed=True)
        assert_array_equal(packed, np.packbits(mask, bitorder="little"), strict=True)
        assert_same_bits(reference.prune(w, **how, nan=nan), masked(w, kept))
    assert_same_bits(reference.apply_mask(w, mask), masked(w, kept))
    assert_same_bits(reference.apply_mask(w, packed), masked(w, kept))


@given(w=FLOATS.filter(len), data=st.data(), nan=st.sampled_from(["keep", "prune"]))
def test_kth_magnitude(w: np.ndarray, data: st.DataObject, nan: str) -> None:
    k = data.draw(st.integers(1, w.size))
    result = reference.kth_magnitude(w, k, nan=nan)
    assert type(result) is np.float32
    assert int(result.view(np.uint32)) == int(bits_of(w)[by_rank(w, nan)[k - 1]]) & 0x7FFFFFFF


@given(
    w=FLOATS,
    threshold=st.floats(min_value=0, allow_nan=False) | st.floats(min_value=0, width=32),
    nan=st.sampled_from(["keep", "prune"]),
)
def test_threshold(w: np.ndarray, threshold: float, nan: str) -> None:
    kept = [
        i
        for i, value in enumerate(w.tolist())
        if (nan == "keep" if math.isnan(value) else abs(value) > threshold)
    ]
    assert_same_bits(reference.prune(w, threshold=threshold, nan=nan), masked(w, kept))


@given(value=st.floats(0, width=32, exclude_min=True, allow_infinity=False, allow_nan=False))
def test_threshold_is_compared_exactly(value: float) -> None:
    """A float64 threshold next to a float32 is compared without rounding."""
    w = np.float32([value])
    kept = [
        bool(reference.prune(w, threshold=threshold).any())
        for threshold in (np.nextafter(value, 0), value, np.nextafter(value, np.inf))
    ]
    assert kept == [True, False, False]


def test_selection_by_hand() -> None:
    w = np.float32([[-0.0, 2, -2], [1, 2, -3]])
    assert reference.kth_magnitude(w, 1) == 3
    assert reference.kth_magnitude(w, 4) == 2
    assert_array_equal(reference.prune_mask(w, k=3), [[0, 1, 1], [0, 0, 1]])
    assert_array_equal(reference.prune_mask(w, k=3, packed=True), np.uint8([0b100110]), strict=True)
    assert_same_bits(reference.prune(w, k=3), [[0, 2, -2], [0, 0, -3]])
    assert_same_bits(reference.prune(w, k=6), w)  # a kept zero keeps its sign
    assert_same_bits(reference.prune(w, k=0), np.zeros((2, 3)))
    assert_same_bits(reference.prune(w, threshold=2), [[0, 0, 0], [0, 0, -3]])


@pytest.mark.parametrize(("sparsity", "removed"), [(0.5, 2), (0.3, 2), (0.7, 4), (0.1, 0), (1, 5)])
def test_sparsity_rounds_to_even(sparsity: float, removed: int) -> None:
    w = np.arange(1, 6, dtype=np.float32)  # 2.5, 1.5, 3.5, 0.5 and 5 to remove
    assert np.count_nonzero(reference.prune(w, sparsity=sparsity)) == 5 - removed


def test_nan_by_hand() -> None:
    w = np.float32([1, np.nan, np.inf, -2])
    assert_same_bits(reference.prune(w, k=1, nan="keep"), [0, np.nan, 0, 0])
    assert_same_bits(reference.prune(w, k=1, nan="prune"), [0, 0, np.inf, 0])
    assert_same_bits(reference.prune(w, k=4, nan="prune"), w)
    assert reference.kth_magnitude(w, 3, nan="prune") == 1
    assert np.isnan(reference.kth_magnitude(w, 4, nan="prune"))
    assert_same_bits(reference.prune(w, threshold=np.inf, nan="keep"), [0, np.nan, 0, 0])
    assert_same_bits(reference.prune(w, threshold=0, nan="prune"), [1, 0, np.inf, -2])


def test_counts_as_the_field_does() -> None:
    """Thresholds and counts follow torch's ``hardshrink`` and ``prune.l1_unstructured``."""
    w = np.float32([0.5, -0.75, 0.25, 1.0, -0.1])
    assert_same_bits(reference.prune(w, threshold=0.5), [0, -0.75, 0, 1, 0])
    assert_same_bits(reference.prune(w, sparsity=0.5), [0.5, -0.75, 0, 1, 0])


# --- fixed point: the oracle is exact fractions ----------------------------------------------


def exact_code(value: float, fmt: FixedPoint) -> int:
    if math.isnan(value):
        return 0
    low, high = ends(fmt)
    if math.isinf(value):
        return high if value > 0 else low
    code = round(Fraction(value) * Fraction(2) ** fmt.frac_bits)  # rounds half to even
    return min(max(code, low), high)


def exact_value(code: int, fmt: FixedPoint) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(code * 2.0**-fmt.frac_bits)  # exact in float64, so rounded once


@given(w=FLOATS, fmt=FORMATS)
def test_fixed_point(w: np.ndarray, fmt: FixedPoint) -> None:
    codes = [exact_code(value, fmt) for value in w.tolist()]
    q = reference.quantize(w, fmt, nan="zero")
    assert_array_equal(q, np.array(codes, code_dtype(fmt)), strict=True)
    values = [exact_value(code, fmt) for code in codes]
    assert_same_bits(reference.dequantize(q, fmt), values)
    assert_same_bits(reference.fake_quantize(w, fmt, nan="zero"), values)


@given(halves=hnp.arrays(np.int32, 20, elements=st.integers(-70000, 140000)), fmt=FORMATS)
def test_fixed_point_where_it_is_decided(halves: np.ndarray, fmt: FixedPoint) -> None:
    """The elements are multiples of half a step: ties, the ends of the range, and beyond."""
    with np.errstate(over="ignore"):
        w = np.ldexp(halves.astype(np.float64), -1 - fmt.frac_bits).astype(np.float32)
    codes = [exact_code(value, fmt) for value in w.tolist()]
    assert_array_equal(reference.quantize(w, fmt), np.array(codes, code_dtype(fmt)), strict=True)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("frac_bits", [-256, -128, -127, -126, 0, 126, 127, 149, 150, 256])
def test_all_codes_come_back(bits: int, signed: bool, frac_bits: int) -> None:
    """Values of a format that float32 represents exactly are quantized to the same integer."""
    fmt = FixedPoint(bits, frac_bits, signed)
    low, high = ends(fmt)
    q = np.arange(low, high + 1).astype(code_dtype(fmt))
    values = reference.dequantize(q, fmt)
    assert_same_bits(values, [exact_value(code, fmt) for code in q.tolist()])
    exact = values.astype(np.float64) == q * 2.0**-frac_bits
    assert_array_equal(reference.quantize(values, fmt)[exact], q[exact], strict=True)


@given(w=FLOATS, fmt=FORMATS, share=st.floats(0, 1))
def test_prune_quantize(w: np.ndarray, fmt: FixedPoint, share: float) -> None:
    kept = by_rank(w, "prune")[: w.size - round(share * w.size)]
    values = w.tolist()
    codes = [exact_code(values[i], fmt) if i in kept else 0 for i in range(w.size)]
    q = reference.prune_quantize(w, fmt, sparsity=share, nan="zero")
    assert_array_equal(q, np.array(codes, code_dtype(fmt)), strict=True)


def test_fixed_point_by_hand() -> None:
    w = np.float32([0.25, 0.75, -0.25, -0.75, 100, -100, np.inf, -np.inf, -0.0])
    signed, unsigned = FixedPoint(8, 1), FixedPoint(8, 1, signed=False)
    q = reference.quantize(w, signed)
    assert_array_equal(q, np.int8([0, 2, 0, -2, 127, -128, 127, -128, 0]), strict=True)
    assert_same_bits(reference.fake_quantize(w, signed), [0, 1, 0, -1, 63.5, -64, 63.5, -64, 0])
    q = reference.quantize(w, unsigned)
    assert_array_equal(q, np.uint8([0, 2, 0, 0, 200, 0, 255, 0, 0]), strict=True)
    q = reference.prune_quantize(w[:4], signed, k=2)
    assert_array_equal(q, np.int8([0, 2, 0, -2]), strict=True)


# --- schedules: the oracle is exact fractions --------------------------------------------------

SHARES = st.floats(0, 1)


@given(
    begin=st.integers(-(10**6), 10**6),
    length=st.integers(1, 10**6),
    steps=st.lists(st.integers(-(10**6), 3 * 10**6), max_size=5),
    initial=SHARES,
    final=SHARES,
    power=st.integers(1, 5),
)
def test_sparsity_schedule(
    begin: int, length: int, steps: list[int], initial: float, final: float, power: int
) -> None:
    how = {"begin": begin, "end": begin + length, "final": final, "initial": initial}
    left = [1 - Fraction(min(max(step - begin, 0), length), length) for step in steps]
    exact = [Fraction(final) + (Fraction(initial) - Fraction(final)) * x**power for x in left]
    actual = reference.sparsity_schedule(np.array(steps, np.int64), **how, power=power)
    assert_array_equal(sc.sparsity_schedule(np.array(steps, np.int64), **how, power=power), actual)
    for step, x, y in zip(steps, actual, exact, strict=True):
        one = reference.sparsity_schedule(step, **how, power=power)
        assert type(one) is float
        assert one == x == pytest.approx(float(y), abs=1e-12)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"begin": 10}, ValueError),
        ({"begin": -math.inf}, ValueError),
        ({"end": math.nan}, ValueError),
        ({"end": "10"}, TypeError),
        ({"initial": -0.1}, ValueError),
        ({"final": 1.5}, ValueError),
        ({"final": True}, TypeError),
        ({"power": 0}, ValueError),
        ({"power": math.inf}, ValueError),
        ({"step": [0, math.nan]}, ValueError),
        ({"step": [True]}, TypeError),
    ],
)
def test_sparsity_schedule_refuses(changed: Any, error: type[Exception]) -> None:
    valid = {"step": 5, "begin": 0, "end": 10, "final": 0.5}
    messages = []
    for module in (reference, sc):
        with pytest.raises(error, match=next(iter(changed))) as refused:
            module.sparsity_schedule(**(valid | changed))
        messages.append(str(refused.value))
    assert messages[0] == messages[1]


# --- shapes, strides and out=, of the package and of the reference ----------------------------

FMT = FixedPoint(8, 3)
MASKS = {
    "bool": lambda w: np.abs(w) > 0.7,
    "packed": lambda w: np.packbits(np.abs(w) > 0.7, bitorder="little"),
}

CALLS = {
    "prune k": lambda lib, w, **out: lib.prune(w, k=w.size // 2, **out),
    "prune threshold": lambda lib, w, **out: lib.prune(w, threshold=0.7, **out),
    "apply_mask": lambda lib, w, **out: lib.apply_mask(w, MASKS["bool"](w), **out),
    "apply_mask packed": lambda lib, w, **out: lib.apply_mask(w, MASKS["packed"](w), **out),
    "fake_quantize": lambda lib, w, **out: lib.fake_quantize(w, FMT, **out),
    "quantize": lambda lib, w, **out: lib.quantize(w, FMT, **out),
    "prune_quantize": lambda lib, w, **out: lib.prune_quantize(w, FMT, k=w.size // 2, **out),
    "prune_mask": lambda lib, w: lib.prune_mask(w, k=w.size // 2),
    "dequantize": lambda lib, w, **out: lib.dequantize((w * 8).astype(np.int8), FMT, **out),
}
IN_PLACE = ["prune k", "prune threshold", "apply_mask", "apply_mask packed", "fake_quantize"]
WITH_OUT = [name for name in CALLS if name != "prune_mask"]


@pytest.fixture(params=[reference, sc], ids=["reference", "compiled"])
def lib(request: pytest.FixtureRequest) -> Any:
    return request.param


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32)


LAYOUTS = {
    "0-d": normal(1)[0:1].reshape(()),
    "empty": normal(3, 0, 2),
    "3-d": normal(3, 5, 7),
    "fortran": np.asfortranarray(normal(9, 11)),
    "strided": normal(20, 30)[::2, ::-3],
    "broadcast": np.broadcast_to(normal(5), (4, 5)),
    "byte-swapped": normal(13).astype(normal(1).dtype.newbyteorder()),
    "read-only": np.frombuffer(normal(13).tobytes(), np.float32),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_is_as_its_c_order_copy(lib: Any, name: str, layout: str) -> None:
    w = LAYOUTS[layout]
    plain = np.array(w, np.float32, order="C")
    if name == "apply_mask packed":  # masks are also read in C order
        assert np.array_equal(MASKS["packed"](w), MASKS["packed"](plain))
    result, expected = CALLS[name](lib, w), CALLS[name](lib, plain)
    assert isinstance(result, np.ndarray)
    assert result.shape == w.shape
    assert_array_equal(result, expected, strict=True)


@pytest.mark.parametrize("name", WITH_OUT)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_out_of_any_strides(lib: Any, name: str, layout: str) -> None:
    w = LAYOUTS[layout]
    expected = CALLS[name](lib, w)
    buffer = np.full((*(2 * size for size in w.shape), 2), 99, expected.dtype)
    out = buffer[(*(slice(None, None, 2) for _ in w.shape), ..., 0)]
    result = CALLS[name](lib, w, out=out)
    assert_array_equal(out, expected, strict=True)
    assert np.shares_memory(result, buffer) or w.size == 0
    assert (
        np.count_nonzero(buffer == 99) >= buffer.size - w.size
    )  # memory outside `out` is not written


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(lib: Any, name: str) -> None:
    w = normal(6, 7)
    expected = CALLS[name](lib, w)
    assert CALLS[name](lib, w, out=w) is w
    assert_same_bits(w, expected)


def test_in_place_with_strides(lib: Any) -> None:
    w = normal(6, 14)
    view = w[:, ::2]
    expected, beside = lib.prune(view, k=5), w[:, 1::2].copy()
    assert lib.prune(view, k=5, out=view) is view
    assert_same_bits(view, expected)
    assert_same_bits(w[:, 1::2], beside)


def test_lists_are_converted_as_numpy_would(lib: Any) -> None:
    assert_array_equal(lib.prune([1.0, 2.0], k=1), np.float64([0, 2]), strict=True)
    assert_same_bits(lib.prune([np.float32(1), np.float32(2)], k=1), [0, 2])


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CALLS if name[:5] not in ("apply", "dequa")])
def test_nan_is_counted_and_found(lib: Any, name: str) -> None:
    w = normal(6, 7)
    w[2, 3] = w[4, 4] = w[5, 6] = np.nan
    before = w.copy()
    out = {"out": w} if name in IN_PLACE else {}
    with pytest.raises(ValueError, match=r"w has 3 NaN, the first at flat index 17"):
        CALLS[name](lib, w, **out)
    assert_same_bits(w, before)


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.complex64, np.longdouble, "O"])
@pytest.mark.parametrize("name", [name for name in CALLS if name != "dequantize"])
def test_other_dtypes(lib: Any, name: str, dtype: Any) -> None:
    with pytest.raises(TypeError, match=f"w must be {FLOAT_NAMES}.*, got "):
        CALLS[name](lib, np.ones(4, dtype))


@pytest.mark.parametrize("name", WITH_OUT)
def test_out_that_does_not_fit(lib: Any, name: str) -> None:
    call, w = partial(CALLS[name], lib), normal(4, 5)
    dtype = call(w).dtype
    with pytest.raises(ValueError, match=r"out must .* shape \(4, 5\), got .*\(5, 4\)"):
        call(w, out=np.empty((5, 4), dtype))
    with pytest.raises(TypeError, match=f"out must be {dtype} in native byte order, got float64"):
        call(w, out=np.empty((4, 5)))
    with pytest.raises(TypeError, match=f"out must be an array of {dtype}, got list"):
        call(w, out=[])
    if dtype.itemsize > 1:
        with pytest.raises(TypeError, match=r"out must be .* in native byte order"):
            call(w, out=np.empty((4, 5), dtype.newbyteorder()))
    out = np.empty((4, 5), dtype)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must be writeable"):
        call(w, out=out)


@pytest.mark.parametrize("name", [name for name in WITH_OUT if name != "dequantize"])
def test_out_that_overlaps(lib: Any, name: str) -> None:
    call, both = partial(CALLS[name], lib), normal(20)
    before = both.copy()
    out = both.view(call(both).dtype)[1 : 1 + 10]
    with pytest.raises(ValueError, match=r"^out must .*share no memory with w, got one that does$"):
        call(both[:10], out=out)
    assert_same_bits(both, before)


def test_interleaved_is_not_overlapping(lib: Any) -> None:
    both = normal(20)
    expected = lib.prune(both[::2], k=3)
    assert_same_bits(lib.prune(both[::2], k=3, out=both[1::2]), expected)


def test_out_that_overlaps_the_mask(lib: Any) -> None:
    out = normal(32)
    mask = out.view(np.bool_)[:32]
    mask[:] = True
    with pytest.raises(
        ValueError, match=r"^out must share no memory with mask, got one that does$"
    ):
        lib.apply_mask(normal(32), mask, out=out)


@pytest.mark.parametrize("k", [-1, 5])
def test_k_out_of_range(lib: Any, k: int) -> None:
    w = normal(4)
    for call in (lib.prune, lib.prune_mask):
        with pytest.raises(ValueError, match=f"k must be an integer from 0 to 4, got {k}"):
            call(w, k=k)
    with pytest.raises(ValueError, match=f"k must be an integer from 0 to 4, got {k}"):
        lib.prune_quantize(w, FMT, k=k)
    with pytest.raises(ValueError, match=f"k must be an integer from 1 to 4, got {k}"):
        lib.kth_magnitude(w, k)


def test_no_kth_magnitude(lib: Any) -> None:
    with pytest.raises(ValueError, match="k must be an integer from 1 to 4, got 0"):
        lib.kth_magnitude(normal(4), 0)
    with pytest.raises(ValueError, match=r"w must .* at least one element"):
        lib.kth_magnitude(normal(0), 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ValueError, "exactly one of k, sparsity, threshold, pattern must be given, got none"),
        ({"k": 1, "sparsity": 0.5}, ValueError, "exactly one of .* got k=1, sparsity=0.5"),
        ({"k": 1.0}, TypeError, "k must be an integer"),
        ({"k": True}, TypeError, "k must be an integer"),
        ({"sparsity": 1.01}, ValueError, "sparsity must be a number from 0 to 1, got 1.01"),
        ({"sparsity": -0.1}, ValueError, "sparsity must be a number from 0 to 1, got -0.1"),
        ({"sparsity": float("nan")}, ValueError, "sparsity must be .* got nan"),
        ({"sparsity": True}, TypeError, "sparsity must be a number, got True"),
        ({"sparsity": "half"}, TypeError, "sparsity must be a number, got 'half'"),
        ({"threshold": -1.0}, ValueError, "threshold must be a number, at least 0, got -1.0"),
        ({"threshold": float("nan")}, ValueError, "threshold must be .* got nan"),
        ({"k": 1, "nan": "zero"}, ValueError, "nan must be 'raise' or 'keep' or 'prune'"),
        ({"k": 1, "axis": 1}, ValueError, "axis must be an integer from -1 to 0, got 1"),
        ({"k": 1, "factors": [1]}, TypeError, "factors must be float16 or .*, got int64"),
        ({"pattern": "2:4", "k": 1}, ValueError, "exactly one of .* got k=1, pattern='2:4'"),
        ({"block": 2, "k": 1}, TypeError, "block must be .* got 2"),
    ],
)
def test_prune_arguments(lib: Any, arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lib.prune(normal(4), **arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fmt": (8, 5)}, TypeError, r"fmt must be a FixedPoint or an Affine, got \(8, 5\)"),
        ({"rounding": "half"}, ValueError, "rounding must be 'nearest_even' or .*, got 'half'"),
        ({"overflow": "clip"}, ValueError, "overflow must be 'saturate' or .*, got 'clip'"),
        ({"nan": "keep"}, ValueError, "nan must be 'raise' or 'zero', got 'keep'"),
        ({"seed": 1}, ValueError, "seed must be None"),
    ],
)
def test_quantize_arguments(lib: Any, arguments: Any, error: type[Exception], message: str) -> None:
    arguments = {"fmt": FMT, **arguments}
    for call in (lib.quantize, lib.fake_quantize):
        with pytest.raises(error, match=message):
            call(normal(4), **arguments)
    with pytest.raises(error, match=message):
        lib.prune_quantize(normal(4), **arguments, k=2)


def test_dequantize_arguments(lib: Any) -> None:
    with pytest.raises(TypeError, match="q must be int8, got int16"):
        lib.dequantize(np.int16([1]), FMT)
    with pytest.raises(TypeError, match="q must be int8, got float32"):
        lib.dequantize(normal(4), FMT)
    with pytest.raises(TypeError, match=r"dtype must be .*, got int8"):
        lib.dequantize(np.int8([1]), FMT, dtype=np.int8)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.ones(8, np.bool_), ValueError, r"mask must .* shape \(9,\), that of w, got"),
        (
            np.ones(1, np.uint8),
            ValueError,
            r"mask must .* shape \(2,\), one bit for each element of w",
        ),
        (np.ones((1, 2), np.uint8), ValueError, r"mask must .* shape \(2,\)"),
        (np.ones(9, np.int8), TypeError, "mask must be bool or uint8, got int8"),
    ],
)
def test_mask_arguments(lib: Any, mask: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lib.apply_mask(normal(9), mask)


def test_no_warnings(lib: Any) -> None:
    """Signalling NaN, infinities and overflow cause no warnings."""
    w = np.uint32([0x7F800001, 0xFF800001, 0x7F800000, 0x7F7FFFFF] * 8).view(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lib.prune(w, threshold=1e300, nan="prune")
        lib.prune_quantize(w, FixedPoint(8, 100), k=3, nan="zero")
        lib.fake_quantize(w, FixedPoint(16, -125), nan="zero")
