"""Signals during a call: their handlers run, and an exception of a handler ends the call.

tests/cpp/interrupt_test.cpp interrupts every function at many runs of the interrupt callback. Here
the callback runs Python's signal handlers, while the main thread is in a long call.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import numpy as np
import pytest

import secateur as sc
from secateur import FixedPoint
from support.isas import running
from support.oracles import assert_same_bits
from support.processes import in_child

N = 1 << 25
FMT = FixedPoint(32, 20)
UNWRITTEN = 77  # no result has this value

Handler = Callable[[int, FrameType | None], Any]


@pytest.fixture(scope="module")
def w() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.tile(rng.standard_normal(1 << 20).astype(np.float16), N >> 20)


@pytest.fixture(autouse=True)
def slow() -> Iterator[None]:
    """Use the scalar kernels, because those of other ISAs may be too fast for the signals."""
    with running("scalar"), sc.threads(2):
        yield


class Alarm:
    """A signal that is sent repeatedly, first after a delay."""

    def __init__(self, handler: Handler, seconds: float = 0.02) -> None:
        self.handler, self.seconds = handler, seconds

    def __enter__(self) -> None:
        self.before = signal.signal(signal.SIGALRM, self.handler)
        signal.setitimer(signal.ITIMER_REAL, self.seconds, self.seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


def slow_call(w: np.ndarray, out: np.ndarray) -> None:
    """Make one of the slowest calls per element."""
    sc.fake_quantize(w, FMT, rounding="stochastic", seed=1, out=out)


def is_half_done(out: np.ndarray) -> bool:
    return bool(np.any(out[:1000] != UNWRITTEN) and np.all(out[-1000:] == UNWRITTEN))


def once(handler: Handler, out: np.ndarray | None = None) -> Handler:
    """Run the handler once: at the first signal, or at the first that finds `out` half done."""
    handlers = [handler]

    def handle(signum: int, frame: FrameType | None) -> None:
        if handlers and (out is None or is_half_done(out)):
            handlers.pop()(signum, frame)

    return handle


def interrupted_within(w: np.ndarray, handler: Handler, expected: type[BaseException]) -> Any:
    """Return the exception of the call. Check that the call is interrupted before its end."""
    out = np.full_like(w, UNWRITTEN)
    with pytest.raises(expected) as raised, Alarm(once(handler, out)):
        slow_call(w, out)
    assert is_half_done(out)
    return raised.value


def test_ctrl_c(w: np.ndarray) -> None:
    interrupted_within(w, signal.default_int_handler, KeyboardInterrupt)


def test_what_a_handler_raises_comes_through(w: np.ndarray) -> None:
    class Special(Exception):
        pass

    special = Special("of the caller's", 7)

    def handler(*_: object) -> None:
        raise special from LookupError("why")

    value = interrupted_within(w, handler, Special)
    assert value is special
    assert isinstance(value.__cause__, LookupError)


def test_the_next_call_is_not_interrupted(w: np.ndarray) -> None:
    interrupted_within(w, signal.default_int_handler, KeyboardInterrupt)
    assert sc.kth_magnitude(w[: 1 << 20], 1) == np.abs(w).max()


def test_handlers_that_return_let_the_call_go_on(w: np.ndarray) -> None:
    expected, out = (np.full_like(w, UNWRITTEN) for _ in range(2))
    slow_call(w, expected)
    within = []
    with Alarm(lambda *_: within.append(is_half_done(out))):
        slow_call(w, out)
    assert any(within)
    assert_same_bits(out, expected)


def test_a_handler_makes_calls_itself(w: np.ndarray) -> None:
    part = w[: 1 << 21]
    expected, out = (np.full_like(w, UNWRITTEN) for _ in range(2))
    slow_call(w, expected)
    pruned = sc.prune(part, k=1000)
    within = []

    def handler(*_: object) -> None:
        before = sc.get_num_threads()
        with sc.threads(3):
            same = np.array_equal(sc.prune(part, k=1000), pruned)
        within.append((same, before, sc.get_num_threads()))

    with Alarm(once(handler, out)):
        slow_call(w, out)
    assert within == [(True, 2, 2)]
    assert_same_bits(out, expected)


@pytest.mark.parametrize("axis", [None, 1])
def test_in_place_it_is_all_or_nothing(w: np.ndarray, axis: int | None) -> None:
    rows = w.reshape(1 << 12, -1)
    expected = sc.prune(rows, sparsity=0.6, axis=axis)
    in_place = np.empty_like(rows)
    for seconds in (0.01, 0.1, 0.2, 0.3, 0.5):
        np.copyto(in_place, rows)
        alarm = Alarm(once(signal.default_int_handler), seconds)
        with contextlib.suppress(KeyboardInterrupt), alarm:
            sc.prune(in_place, sparsity=0.6, axis=axis, out=in_place)
        assert np.array_equal(in_place, rows) or np.array_equal(in_place, expected)


def test_other_threads_are_not_interrupted(w: np.ndarray) -> None:
    """Python runs handlers only on the main thread, while another thread makes the call."""
    expected, out = (np.full_like(w, UNWRITTEN) for _ in range(2))
    slow_call(w, expected)
    thread = threading.Thread(target=slow_call, args=(w, out))
    handler = once(signal.default_int_handler, out)
    thread.start()
    with pytest.raises(KeyboardInterrupt), Alarm(handler):
        threading.Event().wait(60)
    thread.join()
    assert_same_bits(out, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_main_thread_of_a_child_is_interrupted(w: np.ndarray) -> None:
    """The main thread of a child may have been any thread of the parent."""

    def call() -> bool:
        interrupted_within(w, signal.default_int_handler, KeyboardInterrupt)
        return True

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(in_child, call).result() == "right"


@pytest.mark.parametrize("call", [sc.choose_format, sc.kth_magnitude], ids=lambda f: f.__name__)
def test_while_the_index_of_a_nan_is_found(call: Callable[..., Any]) -> None:
    """For reordered axes, a second call of the core finds the index. It may be interrupted too."""
    x = np.ones((3, 1 << 20, 5), np.float16)
    x[-1, -1, -1] = np.nan

    class Interrupted(Exception):
        pass

    def handler(*_: object) -> None:
        raise Interrupted

    begin = time.perf_counter()
    with pytest.raises(ValueError, match="NaN"):
        call(x, 5, axis=(0, 2))
    whole = time.perf_counter() - begin
    for part in (0.3, 0.5, 0.7, 0.9):
        with contextlib.suppress(Interrupted), Alarm(handler, whole * part):  # a signal may be late
            with pytest.raises((Interrupted, ValueError)) as caught:
                call(x, 5, axis=(0, 2))
            assert caught.type is Interrupted or "NaN" in str(caught.value)
