"""The caller's floating-point state: results do not depend on it, and calls do not change it.

A program may change the rounding direction. It may also make the CPU treat subnormals as zero, as
some numerical libraries do for speed. Both change the results of NumPy, so the tests compute
expected values before they change the state.
"""

import contextlib
import ctypes
import ctypes.util
import platform
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import FixedPoint
from support.arrays import DTYPES, SUBNORMALS, from_bits, of_type, raw, standard, with_signs
from support.oracles import above, assert_same_bits, bulk_codes, bulk_values, masked, sums
from support.quantizing import OVERFLOWS, ROUNDINGS, seed_of

# For each machine: the values of FE_DOWNWARD, FE_UPWARD and FE_TOWARDZERO; the offset in fenv_t of
# the word that turns subnormals off, and the bits in it.
MACHINES = {
    "x86_64": ({"down": 0x400, "up": 0x800, "to zero": 0xC00}, 28, 0x8040),
    "aarch64": ({"up": 0x400000, "down": 0x800000, "to zero": 0xC00000}, 0, 1 << 24),
}
LIBM = ctypes.util.find_library("m")
pytestmark = pytest.mark.skipif(
    platform.system() != "Linux" or platform.machine() not in MACHINES or LIBM is None,
    reason="needs to know the C library's fenv_t",
)
DIRECTIONS, OFFSET, FLUSH = MACHINES.get(platform.machine(), ({}, 0, 0))
STATES = [*DIRECTIONS, "no subnormals"]


@contextlib.contextmanager
def float_state(name: str) -> Iterator[None]:
    """Set a rounding direction, or turn subnormals off, on this thread."""
    libm = ctypes.CDLL(LIBM)
    saved, changed = (ctypes.create_string_buffer(64) for _ in range(2))
    libm.fegetenv(saved)
    try:
        if name in DIRECTIONS:
            assert libm.fesetround(DIRECTIONS[name]) == 0
        else:
            ctypes.memmove(changed, saved, 64)
            word = ctypes.c_uint32.from_buffer(changed, OFFSET)
            word.value |= FLUSH
            assert libm.fesetenv(changed) == 0
        yield
        assert_state_is(name)
    finally:
        libm.fesetenv(saved)


ONE, TINY, LEAST = (np.float32([x]) for x in (1, 2.0**-30, 2.0**-140))


def assert_state_is(name: str) -> None:
    """Check the state by the results of float32 arithmetic."""
    up, down, least = ONE + TINY > 1, -ONE - TINY < -1, LEAST + LEAST > 0
    assert (bool(up), bool(down), bool(least)) == {
        "up": (True, False, True),
        "down": (False, True, True),
        "to zero": (False, False, True),
        "no subnormals": (False, False, False),
    }[name]


FORMATS = [
    FixedPoint(bits, frac_bits, signed)
    for bits in (8, 16)
    for signed in (True, False)
    for frac_bits in (-130, -5, 0, 3, 7, 126, 130, 140, 150)
]


def values() -> np.ndarray:
    subnormal = with_signs(from_bits(raw(500) % SUBNORMALS))
    halves = np.arange(-200, 200, dtype=np.float32) / 2
    return np.concatenate([subnormal, halves, standard(500), standard(500) * np.float32(1e-37)])


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_fixed_point(state: str) -> None:
    w = values()
    codes = [bulk_codes(w, fmt) for fmt in FORMATS]
    expected = [bulk_values(q, fmt) for q, fmt in zip(codes, FORMATS, strict=True)]
    with float_state(state):
        actual = [
            (
                sc.quantize(w, fmt),
                sc.fake_quantize(w, fmt),
                sc.dequantize(q, fmt),
                sc.prune_quantize(w, fmt, k=w.size),
            )
            for q, fmt in zip(codes, FORMATS, strict=True)
        ]
    for (q, fake, back, kept), code, value in zip(actual, codes, expected, strict=True):
        assert_same_bits(q, code)
        assert_same_bits(fake, value)
        assert_same_bits(back, value)
        assert_same_bits(kept, code)


def assert_same_in(state: str, call: Callable[[], list[np.ndarray]]) -> None:
    """Check that a call returns the same bits in this state as in the default state."""
    expected = call()
    with float_state(state):
        actual = call()
    for a, b in zip(actual, expected, strict=True):
        assert_same_bits(a, b)


def of_types(w: np.ndarray) -> list[np.ndarray]:
    with np.errstate(over="ignore", under="ignore"):
        return [w.astype(dtype) for dtype in DTYPES.values()]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_every_rounding(rounding: str, state: str) -> None:
    formats = [FixedPoint(8, 3), FixedPoint(16, 140), FixedPoint(32, 30, signed=False)]
    formats.append(FixedPoint(4, np.arange(3, 13), group_size=200))
    inputs = of_types(values())
    seed = seed_of(rounding)

    def call() -> list[np.ndarray]:
        results = []
        for w in inputs:
            for fmt in formats:
                for overflow in OVERFLOWS:
                    how = {"rounding": rounding, "overflow": overflow, "nan": "zero", **seed}
                    q = sc.quantize(w, fmt, **how)
                    results += [q, sc.fake_quantize(w, fmt, **how)]
                results += [
                    sc.prune_quantize(w, fmt, k=w.size // 2, rounding=rounding, nan="zero", **seed),
                    sc.dequantize(q, fmt, dtype=w.dtype),
                ]
        return results

    assert_same_in(state, call)


def affine(inputs: list[np.ndarray], scales: list[Any]) -> list[np.ndarray]:
    """Quantize and dequantize with affine formats. Arrays of scales are for groups of 50."""
    results = []
    kinds = product(inputs, scales, ((8, True), (16, False), (32, True)))
    for number, (w, scale, (bits, signed)) in enumerate(kinds):
        how: dict[str, Any] = {"group_size": 50} if np.ndim(scale) else {}
        fmt = sc.Affine(scale, 5, bits=bits, signed=signed, **how)
        rounding = ROUNDINGS[number % len(ROUNDINGS)]
        q = sc.quantize(w, fmt, nan="zero", rounding=rounding, **seed_of(rounding))
        results += [q, sc.fake_quantize(w, fmt, nan="zero", overflow="saturate_zero")]
        results += [sc.dequantize(q, fmt, dtype=to) for to in DTYPES.values()]
        results += [sc.requantize(q, fmt, to) for to in (FixedPoint(8, 3), sc.Affine(0.3))]
    return results


SCALES = [0.1, 0.5, 1 / 3, 2.0**-126, 1e-37, np.linspace(0.01, 0.1, values().size // 50)]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_affine(state: str) -> None:
    inputs = of_types(values())
    scales = [np.float32(scale) for scale in SCALES]
    assert_same_in(state, lambda: affine(inputs, scales))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_scales_that_are_rounded(state: str) -> None:
    """Scales are rounded to float32, half to even, as by NumPy in the default state."""
    inputs = of_types(values())
    assert_same_in(state, lambda: affine(inputs, SCALES))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_packing(state: str) -> None:
    w, fmt = values(), FixedPoint(4, 3)

    def call() -> list[np.ndarray]:
        packed = sc.quantize(w, fmt, packed=True)
        codes = sc.unpack_ints(packed, 4, w.size)
        back = sc.dequantize(packed, fmt, shape=w.size)
        return [packed, codes, back, sc.pack_ints(codes, 4, bitorder="big")]

    assert_same_in(state, call)


MATRICES = [values().reshape(19, 100) * np.float32(factor) for factor in (1, 1e-36)]
CELLS: list[dict[str, int]] = [{}, {"axis": 0}, {"axis": 1}]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
def test_choosing_formats(method: str, state: str) -> None:
    def call() -> list[np.ndarray]:
        return [
            np.asarray(sc.choose_format(w, 8, method=method, percentile=99.9, **cells).frac_bits)
            for w, cells in product(MATRICES, CELLS)
        ]

    assert_same_in(state, call)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", ["max", "percentile", "mse"])
def test_choosing_scales(method: str, state: str) -> None:
    def call() -> list[np.ndarray]:
        return [
            np.asarray(part)
            for w, cells in product(MATRICES, CELLS)
            for q in [np.zeros(w.shape, np.int8)]
            for fmt in [sc.choose_affine(w, method=method, percentile=99.9, quantized=q, **cells)]
            for part in (fmt.scale, fmt.zero_point, q)
        ]

    assert_same_in(state, call)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_comparing(state: str) -> None:
    fmt = FixedPoint(8, 5)
    w_hat = sc.fake_quantize(MATRICES[0], fmt)
    inputs = [MATRICES[0], MATRICES[0].astype(np.float64)]

    def call() -> list[np.ndarray]:
        return [
            np.array(sc.compare(w, w_hat, fmt=fmt, axis=axis))
            for w in inputs
            for axis in (None, 0, 1)
        ]

    assert_same_in(state, call)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_on_helper_threads(state: str) -> None:
    """Helper threads may have been started in a state that differs from the caller's."""
    w = np.tile(values(), 1000)
    fmt = FixedPoint(8, 130)
    expected = bulk_codes(w, fmt)
    with float_state(state), sc.threads(3):
        actual = sc.quantize(w, fmt)
    assert_same_bits(actual, expected)


@pytest.mark.parametrize("state", STATES)
def test_sparsity(state: str) -> None:
    shares = [*np.linspace(0, 1, 101).tolist(), *np.random.default_rng(0).random(200).tolist()]
    sizes = [1, 2, 3, 5, 7, 10, 15, 30, 90, 100, 101, 1000, 3001]
    counts = [n - round(share * n) for n in sizes for share in shares]
    arrays = [np.ones(n, np.float32) for n in sizes]
    with float_state(state):
        masks = [sc.prune_mask(w, sparsity=share) for w in arrays for share in shares]
    assert [int(np.count_nonzero(mask)) for mask in masks] == counts


SPANS = [(np.linspace(-0.5, 1.5, 101) * end, Decimal(end) / 10, end) for end in (1, 977, 1e-310)]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("lib", [sc, sc.reference], ids=["package", "reference"])
def test_schedules(lib: Any, state: str) -> None:
    def call() -> list[np.ndarray]:
        return [
            np.asarray(
                lib.sparsity_schedule(
                    steps, begin=begin, end=end, initial=initial, final=0.93, power=power
                )
            )
            for (steps, begin, end), initial, power in product(SPANS, [0, 0.1, 1], [1, 3, 2.7, 0.3])
        ]

    assert_same_in(state, call)


THRESHOLDS = [
    0.1,
    0.5,
    1 + 2.0**-30,
    2 - 2.0**-30,
    1e-40,
    1.5 * 2.0**-149,
    2.0**-149,
    2.0**-126,
    1e39,
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_threshold(threshold: float, state: str) -> None:
    near = np.float32([min(threshold, 3e38)]).view(np.uint32)
    w = np.concatenate([values(), from_bits(near - 1), from_bits(near), from_bits(near + 1)])
    expected = masked(w, above(w, threshold))
    with float_state(state):
        actual = sc.prune(w, threshold=threshold)
    assert_same_bits(actual, expected)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("state", STATES)
def test_selection(state: str) -> None:
    """Selection compares integers, but computes brackets with floats."""
    for n in (2000, 70_000, 300_000):
        w = with_signs(from_bits(raw(n) % SUBNORMALS))
        ks = (1, n // 10, n // 2, n - 1)
        expected = [sc.prune(w, k=k) for k in ks]
        with float_state(state):
            actual = [sc.prune(w, k=k) for k in ks]
        for a, b in zip(actual, expected, strict=True):
            assert_same_bits(a, b)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("state", STATES)
def test_residual(state: str, dtype: str) -> None:
    """The sums are rounded to nearest even."""
    for n in (100, 70_000):
        w, e = (of_type(name, n, dtype) for name in ("normal", "every exponent"))
        expected, actual = sums(w, e), e.copy()
        with float_state(state):
            sc.topk(w, 0, residual=actual, nan="keep")
        assert_same_bits(actual, expected)
