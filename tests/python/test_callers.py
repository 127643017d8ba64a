"""Code of the caller that runs during a call, and threads that write to its arrays."""

import contextlib
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import reference
from support.refusals import FLOAT_NAMES
from support.sanitizers import not_under_sanitizers

N = 1 << 17


class Count:
    """An integer that calls a function when its value is read."""

    def __init__(self, value: int, act: Any) -> None:
        self.value, self.act = value, act

    def __index__(self) -> int:
        self.act()
        return self.value


@pytest.mark.parametrize("name", ["kth_magnitude", "prune_mask", "prune", "prune_quantize"])
def test_an_index_that_shrinks_the_array(name: str) -> None:
    """The array is read after all other arguments."""
    w = np.ones((1000, 1000), np.float32, order="F")
    k = Count(7, lambda: w.resize((10, 10), refcheck=False))
    if name == "kth_magnitude":
        assert sc.kth_magnitude(w, k) == 1  # type: ignore[arg-type]
    elif name == "prune_quantize":
        assert np.count_nonzero(sc.prune_quantize(w, sc.FixedPoint(), k=k)) == 7  # type: ignore[arg-type]
    else:
        assert np.count_nonzero(getattr(sc, name)(w, k=k)) == 7
    assert w.shape == (10, 10)


def test_an_index_that_changes_the_dtype() -> None:
    w = np.ones(N, np.float32)
    k = Count(7, lambda: setattr(w, "dtype", np.int8))
    with pytest.raises(TypeError, match=f"w must be {FLOAT_NAMES}.*, got int8"):
        sc.kth_magnitude(w, k)  # type: ignore[arg-type]


def test_an_out_that_changes_the_dtype_of_w() -> None:
    w = np.ones(N, np.float32)

    class Out(np.ndarray):
        armed = False

        @property
        def __class__(self) -> type:
            if Out.armed:
                Out.armed = False
                w.dtype = np.int8
            return Out

    out = np.zeros(4 * N, np.float32).view(Out)
    Out.armed = True
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        sc.prune(w, k=1, out=out)


def test_a_thread_that_changes_the_dtype_meanwhile() -> None:
    w = np.ones(1 << 20, np.float32)
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            w.dtype = np.int8
            w.dtype = np.float32

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=change)
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        for _ in range(500):
            try:
                assert np.count_nonzero(sc.prune_mask(w, k=1)) == 1
            except (TypeError, ValueError, RuntimeError) as error:
                assert "w " in str(error)  # noqa: PT017
    finally:
        sys.setswitchinterval(interval)
        over.set()
        thread.join()


W = np.ones((4, 6), np.float32)


def each_quantizes(fmt: Any) -> list[Any]:
    q = np.ones(W.shape, np.int8)
    packed = np.ones(3 * W.size // 8, np.uint8)
    return [
        lambda: sc.quantize(W, fmt),
        lambda: sc.quantize(W, fmt, packed=True),
        lambda: sc.fake_quantize(W, fmt),
        lambda: sc.prune_quantize(W, fmt, k=3),
        lambda: sc.dequantize(q, fmt),
        lambda: sc.dequantize(packed, fmt, shape=W.shape),
        lambda: sc.compare(W, W, fmt=fmt),
    ]


class Pretender:
    """An object whose _native does not belong to a format."""

    def __init__(self, core: Any) -> None:
        self._native = core


@pytest.mark.parametrize("core", [None, 5, "core", np.ones(3), sc.FixedPoint, sc.FixedPoint()])
def test_what_pretends_to_be_a_format(core: Any) -> None:
    for call in each_quantizes(Pretender(core)):
        with pytest.raises(TypeError, match=r"^fmt must be a FixedPoint or an Affine, got "):
            call()


def test_a_format_whose_core_raises() -> None:
    class Raising:
        @property
        def _native(self) -> Any:
            raise KeyboardInterrupt

    for call in each_quantizes(Raising()):
        with pytest.raises(KeyboardInterrupt):
            call()


@pytest.mark.parametrize("kind", [sc.FixedPoint, sc.Affine, sc._core.Format])
def test_a_format_that_is_not_initialized(kind: type) -> None:
    for call in each_quantizes(kind.__new__(kind)):
        with pytest.raises(TypeError, match=r"^fmt must be a FixedPoint or an Affine, got "):
            call()


def test_a_subclass_that_replaces_the_fields_changes_nothing() -> None:
    """The core has a copy of the arguments, and does not read the attributes."""

    class Odd(sc.FixedPoint):
        frac_bits = property(lambda _: np.float32(["nan"]))  # type: ignore[assignment]

    for odd, usual in zip(
        each_quantizes(Odd(3, 1)), each_quantizes(sc.FixedPoint(3, 1)), strict=True
    ):
        assert np.array_equal(odd(), usual())


def test_an_exception_of_the_caller_comes_through() -> None:
    class Interrupted:
        def __float__(self) -> float:
            raise KeyboardInterrupt

        def __int__(self) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sc.prune(np.ones(4, np.float32), sparsity=Interrupted())  # type: ignore[arg-type]


def test_in_place_through_a_view_of_another_byte_order() -> None:
    """Both arrays have the same memory, but different elements."""
    swapped = np.array([1, np.nan, 3], ">f4")
    before = swapped.tobytes()
    with pytest.raises(ValueError, match="out must be w itself or share no memory with w"):
        sc.prune(swapped, k=1, out=swapped.view("=f4"))
    assert swapped.tobytes() == before


def test_out_with_the_native_order_spelled_out() -> None:
    order = "<" if sys.byteorder == "little" else ">"
    out = np.empty(3, np.dtype("f4").newbyteorder(order))
    assert sc.prune(np.float32([1, 2, 3]), k=1, out=out) is out
    np.testing.assert_array_equal(out, [0, 0, 3])


def test_nan_to_zero_where_few_numbers_are_left() -> None:
    """Some kept elements are NaN. They become 0, whatever their bits are."""
    rng = np.random.default_rng(5)
    bits = rng.choice(np.uint32([0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000, 0x7F800001]), N)
    w = np.where(rng.random(N) < 0.3, rng.standard_normal(N, np.float32), bits.view(np.float32))
    fmt = sc.FixedPoint(8, 5)
    for k in (N // 5, int(np.isfinite(w).sum()), N // 2, N - 3, N):
        expected = reference.prune_quantize(w, fmt, k=k, nan="zero")
        np.testing.assert_array_equal(sc.prune_quantize(w, fmt, k=k, nan="zero"), expected)


@pytest.mark.parametrize("nan", ["prune", "keep"])
def test_more_infinities_than_are_kept(nan: str) -> None:
    w = np.random.default_rng(6).standard_normal(N, np.float32)
    w[:: N // 10] = -np.inf
    w[5] = np.uint32(0x7FFFFFFF).view(np.float32)
    for k in (1, 2, 3, 11, 12):
        np.testing.assert_array_equal(
            sc.prune(w, k=k, nan=nan).view(np.uint32),
            reference.prune(w, k=k, nan=nan).view(np.uint32),
        )


@not_under_sanitizers("the race is intended", ("tsan",))
def test_a_call_ends_though_its_input_is_written_to() -> None:
    """The result is unspecified, but the call returns."""
    w = np.random.default_rng(7).standard_normal(N, np.float32)
    other = w * np.float32(1e6)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            w[:] = other
            w[:] = 1 / other

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            # The call may detect the change and raise an error.
            with contextlib.suppress(RuntimeError):
                sc.kth_magnitude(w, N // 10, nan="keep")
            with contextlib.suppress(RuntimeError):
                sc.prune(w, k=N // 2, nan="keep")
    finally:
        stop.set()
        writer.join()


def test_exit_while_a_daemon_thread_is_in_a_call() -> None:
    code = """
import threading, time
import numpy as np, secateur as sc
w = np.random.default_rng(0).standard_normal(1 << 22, np.float32)
def work():
    while True:
        sc.kth_magnitude(w, 1000)
for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.3)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_repr_that_is_not_unicode() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "\ud800"

    with pytest.raises(ValueError, match=r"got \\ud800"):
        sc.prune(np.ones(4, np.float32), k=1, nan=Odd())  # type: ignore[arg-type]


@pytest.mark.parametrize("lib", [sc, reference])
def test_in_place_where_only_the_stride_of_a_single_row_differs(lib: Any) -> None:
    w = np.arange(8, dtype=np.float32)
    row = np.lib.stride_tricks.as_strided(w, (1, 8), (4, 4))
    assert lib.prune(row, k=1, out=w.reshape(1, 8)) is not None
    assert w.tolist() == [0] * 7 + [7]


@pytest.mark.parametrize("lib", [sc, reference])
def test_a_mask_of_a_shape_that_no_memory_holds(lib: Any) -> None:
    with pytest.raises(ValueError, match=r"mask must (have|be of) shape"):
        lib.apply_mask(np.ones(8, np.float32), np.broadcast_to(True, (1 << 45,)))


@pytest.mark.parametrize("lib", [sc, reference])
def test_both_refuse_alike(lib: Any) -> None:
    w = np.ones(4, np.float32)
    with pytest.raises(TypeError, match="mask must be a plain array"):
        lib.apply_mask(w, np.ma.array(np.ones(4, bool), mask=[1, 0, 0, 0]))
    with pytest.raises(TypeError, match="out must be a plain array"):
        lib.prune(w, k=1, out=np.ma.array(w.copy()))
    with pytest.raises(TypeError, match="sparsity must be a number"):
        lib.prune(w, sparsity=b"0.5")
    with pytest.raises(ValueError, match="nan must be"):
        lib.prune(w, k=1, nan=np.array(["raise"]))
    with pytest.raises(ValueError, match="out must"):
        lib.prune(w, k=1, out=np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (4,), (0,)))
