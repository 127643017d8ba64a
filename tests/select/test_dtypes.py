"""Selection, pruning and masks of float16, bfloat16 and float64. Other tests cover float32."""

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import secateur as sc
from secateur import dtypes, reference
from support.arrays import DTYPES, IN_CACHE, LANES, VALUES, WITH_NAN, ks_to_try, of_type
from support.grids import grid, subset
from support.isas import on_every_isa
from support.oracles import RAW, Ranking, above, assert_same_bits, bits_of, masked
from support.raw_bits import POLICIES, floats

NAMES = ["float16", "bfloat16", "float64"]

TRIED = ["normal", "raw bits", "30 % NaN", "90 % zeros", "coarse grid", "constant", "sorted",
         "organ pipe", "blocks alike", "every exponent", "some infinite", "zeros of both signs",
         "half the largest NaN", "one larger"]  # fmt: skip
# Just above kInCache; large enough for several threads; and large enough to bypass the caches.
FROM_MEMORY = [65_537, 100_003, 524_289, (8 << 20) // 4 + 1]


@lru_cache(maxsize=128)
def ranking(name: str, n: int, dtype: str, nan: str) -> Ranking:
    return Ranking(of_type(name, n, dtype), nan)


def assert_selects(expected: Ranking, k: int, nan: str) -> None:
    """Check all functions that select and prune, out of place and in place."""
    w = expected.w
    if k:
        kth = sc.kth_magnitude(w, k, nan=nan)
        assert_same_bits(kth, expected.kth_magnitude(k))
    assert np.array_equal(sc.prune_mask(w, k=k, nan=nan), expected.mask(k))
    packed = sc.prune_mask(w, k=k, nan=nan, packed=True)
    assert np.array_equal(packed, expected.packed(k))
    pruned = expected.pruned(k)
    assert_same_bits(sc.apply_mask(w, packed), pruned)
    assert_same_bits(sc.apply_mask(w, expected.mask(k)), pruned)
    out = np.ones_like(w)
    assert sc.prune(w, k=k, nan=nan, out=out) is out
    assert_same_bits(out, pruned)
    np.copyto(out, w)
    assert_same_bits(sc.prune(out, k=k, nan=nan, out=out), pruned)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("nan", POLICIES)
@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("dtype", NAMES)
def test_sizes_in_cache(dtype: str, name: str, nan: str) -> None:
    for n in LANES + subset(IN_CACHE, 3):
        expected = ranking(name, n, dtype, nan)
        for k in ks_to_try(expected.w):
            assert_selects(expected, k, nan)


@pytest.mark.usefixtures("isa", "threads")
@pytest.mark.parametrize("name", ["normal", "raw bits", "90 % zeros", "constant", "blocks alike"])
@pytest.mark.parametrize("dtype", NAMES)
def test_sizes_from_memory(dtype: str, name: str) -> None:
    for n, share in grid(subset(FROM_MEMORY, 2), (0.01, 0.5, 1)):
        expected = ranking(name, n, dtype, "prune")
        assert_selects(expected, min(int(share * n), n - 1), "prune")


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("dtype", NAMES)
def test_many_ranks_from_memory(dtype: str, name: str) -> None:
    n = 70_001
    for nan in POLICIES:
        expected = ranking(name, n, dtype, nan)
        for k in ks_to_try(expected.w):
            assert_selects(expected, k, nan)


@pytest.mark.parametrize("dtype", NAMES)
@given(data=st.data())
def test_any_bits(dtype: str, data: st.DataObject) -> None:
    w = data.draw(floats(dtype, st.integers(0, 150)))
    w = np.repeat(w, data.draw(st.integers(1, 20)))
    k = data.draw(st.integers(0, w.size))
    nan = data.draw(st.sampled_from(POLICIES))
    actual = on_every_isa(lambda: sc.prune(w, k=k, nan=nan))
    assert_same_bits(actual, Ranking(w, nan).pruned(k))
    assert_same_bits(reference.prune(w, k=k, nan=nan), actual)
    if k:
        actual = sc.kth_magnitude(w, k, nan=nan)
        assert_same_bits(actual, Ranking(w, nan).kth_magnitude(k))
        assert_same_bits(reference.kth_magnitude(w, k, nan=nan), actual)


# --- by threshold ----------------------------------------------------------------------------

THRESHOLDS = [0.0, -0.0, 5e-324, 2.0**-149, 2.0**-134, 2.0**-133, 2.0**-126, 2.0**-25, 2.0**-24,
              3 * 2.0**-25, 2.0**-15, 2.0**-14, 0.1, 0.5, 1.0, 1 + 2.0**-9, 1 + 2.0**-8, 65503.9,
              65504.0, 65519.99, 65520.0, 65536.0, 3.3e38, 3.39e38, 3.5e38, 1e300,
              1.7976931348623157e308, np.inf]  # fmt: skip


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", NAMES)
def test_threshold(dtype: str) -> None:
    for name in ("normal", "raw bits", "every exponent", "some infinite"):
        w = of_type(name, 3001, dtype)
        for threshold in THRESHOLDS:
            for nan in POLICIES:
                expected = masked(w, above(w, threshold, nan))
                assert_same_bits(sc.prune(w, threshold=threshold, nan=nan), expected)
                assert_same_bits(reference.prune(w, threshold=threshold, nan=nan), expected)


@pytest.mark.parametrize("dtype", NAMES)
def test_a_threshold_beside_every_magnitude(dtype: str) -> None:
    """Thresholds equal each magnitude, or are the float64 next to it."""
    w = of_type("raw bits", 500, dtype)
    with np.errstate(invalid="ignore"):  # for signalling NaN
        w = np.nan_to_num(np.abs(w.astype(np.float64)), posinf=1.0).astype(w.dtype)
    for x in np.unique(w.astype(np.float64)):
        for threshold in (np.nextafter(x, 0), x, np.nextafter(x, np.inf)):
            actual = sc.prune(w, threshold=threshold)
            assert_same_bits(actual, masked(w, above(w, threshold)))


# --- NaN, arguments, layouts -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("n", [100, 70_000, 300_000])
def test_nan_is_counted_and_found(dtype: str, n: int) -> None:
    w = of_type("normal", n, dtype)
    w[[n // 3, n // 2, n - 1]] = np.nan
    before = w.copy()
    message = f"^w has 3 NaN, the first at flat index {n // 3}"
    for lib in (sc, reference):
        for arguments in ({"k": n // 2}, {"k": 0}, {"k": n}, {"threshold": 0.5}):
            with pytest.raises(ValueError, match=message):
                lib.prune(w, **arguments, out=w)
        with pytest.raises(ValueError, match=message):
            lib.kth_magnitude(w, 1)
        with pytest.raises(ValueError, match=message):
            lib.prune_mask(w, sparsity=0.5)
    assert_same_bits(w, before)


@pytest.mark.parametrize("dtype", NAMES)
def test_out_of_another_dtype(dtype: str) -> None:
    w = of_type("normal", 50, dtype)
    for other in {*NAMES, "float32"} - {dtype}:
        out = np.zeros(50, DTYPES[other])
        with pytest.raises(TypeError, match=f"^out must be {dtype} .*, got {other}"):
            sc.prune(w, k=3, out=out)


@pytest.mark.parametrize("dtype", NAMES)
def test_shapes_strides_and_byte_orders(dtype: str) -> None:
    w = of_type("normal", 6 * 7 * 8, dtype).reshape(6, 7, 8)
    for view in (w.T, w[::2, ::-1], w[:, :0], w[0, 0, 0], w.astype(w.dtype.newbyteorder(">"))):
        native = view.astype(DTYPES[dtype])
        k = view.size // 3
        actual = sc.prune(view, k=k)
        assert_same_bits(actual, Ranking(native).pruned(k))
        assert actual.dtype.isnative
        assert_same_bits(reference.prune(view, k=k), actual)
    strided = w.copy()[:, ::2]
    expected = Ranking(strided).pruned(20)
    assert_same_bits(sc.prune(strided, k=20, out=strided), expected)


@pytest.mark.parametrize("dtype", NAMES)
def test_scalars_are_of_the_dtype(dtype: str) -> None:
    assert sc.kth_magnitude(of_type("normal", 9, dtype), 2).dtype == DTYPES[dtype]
    assert sc.prune_mask(of_type("normal", 9, dtype), k=2).dtype == np.bool_


def test_float32_rounds_to_what_is_tried_here() -> None:
    """Rounding to the other dtypes keeps the number of NaN."""
    for dtype in NAMES:
        assert np.isnan(of_type("30 % NaN", 1000, dtype).astype(np.float64)).sum() == 300
        assert set(TRIED) <= set(VALUES)
        assert "raw bits" in WITH_NAN
        assert bits_of(of_type("raw bits", 1000, dtype)).dtype == RAW[DTYPES[dtype].itemsize]


def test_the_table_is_that_of_numpy_and_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert dtypes.FLOATS == ("float16", "bfloat16", "float32", "float64")
    names = "int8 uint8 int16 uint16 int4 uint4 int2 uint2 int32 uint32 int64 uint64"
    assert list(dtypes.INTEGERS) == names.split()
    for name, integers in dtypes.INTEGERS.items():
        info = ml_dtypes.iinfo(np.dtype(getattr(ml_dtypes, name, name)))
        assert (integers.bits, integers.range) == (info.bits, (info.min, info.max))
        assert integers.signed == (info.min < 0)
