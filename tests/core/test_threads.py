"""Results are the same bits with any number of threads, for concurrent callers, and after fork."""

import asyncio
import contextlib
import contextvars
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import secateur as sc
from secateur import Affine, FixedPoint
from support.arrays import LARGE, NUMBERS, VALUES, WITH_NAN, ranking
from support.grids import number, subset
from support.oracles import assert_same_bits, bits_of
from support.processes import PATIENCE, imported, in_child

FMT = FixedPoint(8, 5)
NIBBLES = FixedPoint(4, 2)
WIDE = FixedPoint(32, 28)
SHARED = 600_000  # the number of elements, enough for four threads


def all_results(w: np.ndarray, k: int, nan: str = "raise") -> list[np.ndarray]:
    """Return the results of every function that shares its work among threads."""
    zero = "raise" if nan == "raise" else "zero"
    mask = sc.prune_mask(w, k=k, nan=nan)
    packed = sc.prune_mask(w, k=k, nan=nan, packed=True)
    in_place = w.copy()
    residual = w[::-1].copy()
    q = sc.quantize(w, FMT, nan=zero)
    return [
        np.asarray(sc.kth_magnitude(w, k, nan=nan)),
        mask,
        packed,
        *sc.topk(w, k, residual=residual, nan=nan),
        residual,
        sc.prune(w, k=k, nan=nan),
        sc.prune(in_place, k=k, nan=nan, out=in_place),
        sc.prune(w, threshold=0.5, nan=nan),
        sc.apply_mask(w, mask),
        sc.apply_mask(w, packed),
        q,
        sc.dequantize(q, FMT),
        sc.fake_quantize(w, FMT, nan=zero),
        sc.prune_quantize(w, FMT, k=k, nan=zero),
        *quantized(w, k),
        *compared(w),
    ]


def quantized(w: np.ndarray, k: int) -> list[np.ndarray]:
    """Quantize and dequantize in every way that divides the work differently."""
    in_groups = FixedPoint(8, np.arange(-(-w.size // 1000)) % 9, group_size=1000)
    scales = np.linspace(0.01, 0.1, -(-w.size // 700), dtype=np.float32)
    points = np.arange(scales.size) % 7
    nibbles = sc.quantize(w, NIBBLES, nan="zero", packed=True)
    codes = sc.unpack_ints(nibbles, 4, w.size)
    affine = Affine(scales, points, group_size=700)
    q = sc.quantize(w, affine, nan="zero")
    in_place = w.copy()
    return [
        sc.quantize(w, FMT, nan="zero", rounding="stochastic", seed=1),
        sc.quantize(w, FMT, nan="zero", rounding="ceil", overflow="saturate_zero"),
        sc.quantize(w, FMT, nan="zero", rounding="nearest_away", overflow="wrap"),
        sc.quantize(w, in_groups, nan="zero"),
        sc.quantize(w, WIDE, nan="zero", rounding="floor"),
        sc.fake_quantize(in_place, WIDE, nan="zero", overflow="wrap", out=in_place),
        sc.prune_quantize(w, WIDE, k=k, nan="zero"),
        sc.prune_quantize(w, NIBBLES, k=k, nan="zero", packed=True),
        nibbles,
        codes,
        sc.pack_ints(codes, 4, bitorder="big"),
        sc.dequantize(nibbles, NIBBLES, shape=w.shape, dtype=np.float16),
        q,
        sc.dequantize(q, affine),
        sc.requantize(q, affine, in_groups, rounding="stochastic", seed=1),
        sc.requantize(q, in_groups, WIDE, rounding="stochastic", seed=1),
        sc.requantize(q, FMT, NIBBLES, overflow="wrap"),
        sc.quantize(w, affine, nan="zero", rounding="stochastic", seed=1),
        sc.quantize(w, Affine(0.1, bits=32), nan="zero"),
    ]


def compared(w: np.ndarray) -> list[np.ndarray]:
    """Return statistics of the elements that are not NaN, and whose squares do not overflow."""
    w = w[np.abs(w) < 1e15]  # false for NaN
    chosen = [sc.choose_format(w, 8, method=method) for method in ("max", "percentile", "mse")]
    affine = sc.choose_affine(w, signed=False)
    w_hat = sc.fake_quantize(w, chosen[0])
    quantized = np.empty(w.shape, np.int8)
    by_group = sc.choose_affine(w, group_size=1000, quantized=quantized)
    return [
        np.array([fmt.frac_bits for fmt in chosen]),
        np.array([affine.scale, affine.zero_point]),
        np.array(sc.compare(w, w_hat, fmt=chosen[2])),
        np.asarray(sc.choose_format(w, 8, group_size=1000).frac_bits),
        np.asarray(by_group.scale),
        quantized,
    ]


def assert_all_same(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for a, b in zip(actual, expected, strict=True):
        assert_same_bits(a, b)


# --- results ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(
    "values", ["normal", "constant", "coarse grid", "blocks alike", "raw bits"]
)
def test_same_bits_on_any_number(values: str) -> None:
    nan = "keep" if values in WITH_NAN else "raise"
    w = VALUES[values](LARGE)
    for k in subset((LARGE // 10, LARGE - 1), 1):
        with sc.threads(1):
            expected = all_results(w, k, nan)
        for n in subset((2, 3, 16), 1):
            with sc.threads(n):
                assert_all_same(all_results(w, k, nan), expected)


def test_a_refused_nan_is_the_first_on_any_number() -> None:
    w = VALUES["normal"](LARGE)
    w[[400_000, 500_000, LARGE - 1]] = np.nan
    for n in (1, 2, 3):
        for call in (sc.kth_magnitude, lambda w, k: sc.prune(w, k=k, out=w)):
            with (
                sc.threads(n),
                pytest.raises(ValueError, match="3 NaN, the first at flat index 400000"),
            ):
                call(w, 1000)


# --- many callers ----------------------------------------------------------------------------


def at_once(callers: int, call: Callable[[int], object]) -> list[object]:
    """Run call(0) to call(callers - 1) on separate threads, which start at the same moment."""
    barrier = threading.Barrier(callers, timeout=60)

    def start(i: int) -> object:
        barrier.wait()
        return call(i)

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(start, range(callers)))


def test_eight_callers_with_inputs_of_their_own() -> None:
    names = list(NUMBERS)[:8]
    inputs = [VALUES[name](SHARED + i) for i, name in enumerate(names)]
    with sc.threads(1):
        expected = [all_results(w, SHARED // 3) for w in inputs]

    def call(i: int) -> None:
        with sc.threads(1 + i % 3):
            for _ in range(3):
                assert_all_same(all_results(inputs[i], SHARED // 3), expected[i])

    at_once(8, call)


def test_eight_callers_with_one_input() -> None:
    w = VALUES["coarse grid"](SHARED)
    w.flags.writeable = False
    ks = [1, 10, 1000, SHARED // 10, SHARED // 3, SHARED // 2, SHARED - 5, SHARED]
    expected = ranking("coarse grid", SHARED, "raise")

    def call(i: int) -> None:
        with sc.threads(2):
            for k in ks[i:] + ks[:i]:
                assert_same_bits(sc.prune(w, k=k), expected.pruned(k))
                assert_same_bits(sc.prune_mask(w, k=k, packed=True), expected.packed(k))

    at_once(8, call)


def test_eight_callers_with_small_inputs() -> None:
    """The sizes are below and just above the size at which calls release the GIL."""
    sizes = [1, 64, 1000, 4095, 4096, 5000, 65_536, 65_537]

    def call(i: int) -> None:
        expected = ranking("normal", sizes[i], "raise")
        k = (sizes[i] + 1) // 2
        for _ in range(100):
            assert_same_bits(sc.prune(expected.w, k=k), expected.pruned(k))

    at_once(8, call)


def test_errors_stay_with_their_caller() -> None:
    def call(i: int) -> None:
        w = VALUES["normal"](SHARED)
        w[i * 1000] = np.nan
        for _ in range(5):
            with pytest.raises(ValueError, match=f"1 NaN, the first at flat index {i * 1000};"):
                sc.prune(w, sparsity=0.5)

    at_once(8, call)


# --- the number ------------------------------------------------------------------------------


@pytest.fixture
def restored() -> Iterator[None]:
    before = sc.get_num_threads()
    yield
    sc.set_num_threads(before)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("n", [1, 2, 5, 1024, np.int64(3)])
def test_set_and_get(n: int) -> None:
    sc.set_num_threads(n)
    assert sc.get_num_threads() == n
    assert at_once(1, lambda _: sc.get_num_threads()) == [n]


# Free-threaded Python lets threads inherit the context of the one that starts them.
INHERITED = bool(getattr(sys.flags, "thread_inherit_context", 0))


@pytest.mark.usefixtures("restored")
def test_a_context_is_of_its_thread_alone() -> None:
    sc.set_num_threads(7)
    with sc.threads(3):
        assert sc.get_num_threads() == 3
        assert at_once(1, lambda _: sc.get_num_threads()) == [3 if INHERITED else 7]
        sc.set_num_threads(9)  # sets the number of the process, not of this context
        assert sc.get_num_threads() == 3
    assert sc.get_num_threads() == 9


@pytest.mark.usefixtures("restored")
def test_tasks_that_take_turns_have_numbers_of_their_own() -> None:
    sc.set_num_threads(7)
    seen = []

    async def task(n: int, turns: int) -> None:
        with sc.threads(n):
            for _ in range(turns):
                await asyncio.sleep(0)
                seen.append((n, sc.get_num_threads()))
        await asyncio.sleep(0)
        seen.append((7, sc.get_num_threads()))

    async def main() -> None:
        await asyncio.gather(task(2, 1), task(3, 4), task(4, 2))
        assert sc.get_num_threads() == 7

    asyncio.run(main())
    assert len(seen) == 10
    assert all(expected == number for expected, number in seen)
    assert sc.get_num_threads() == 7


@pytest.mark.usefixtures("restored")
def test_what_is_started_within_a_context_keeps_its_number() -> None:
    sc.set_num_threads(7)

    async def task() -> int:
        await asyncio.sleep(0)
        return sc.get_num_threads()

    async def main() -> list[int]:
        with sc.threads(3):
            started = asyncio.create_task(task())
            in_thread = await asyncio.to_thread(sc.get_num_threads)
        return [await started, in_thread, sc.get_num_threads()]

    assert asyncio.run(main()) == [3, 3, 7]
    with sc.threads(2):
        copied = contextvars.copy_context()
    assert sc.get_num_threads() == 7
    assert copied.run(sc.get_num_threads) == 2


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("first", [0, 1])
def test_generators_are_left_in_any_order(first: int) -> None:
    """A generator runs in the context of its caller, so the number that was set last applies."""
    sc.set_num_threads(7)

    def generator(n: int) -> Iterator[int]:
        with sc.threads(n):
            yield sc.get_num_threads()

    both = [generator(n) for n in (2, 3)]
    assert [next(one) for one in both] == [2, 3]
    assert sc.get_num_threads() == 3
    both[first].close()
    assert sc.get_num_threads() == (3, 2)[first]
    both[1 - first].close()
    assert sc.get_num_threads() == 7
    abandoned = generator(4)
    assert contextvars.copy_context().run(next, abandoned) == 4
    abandoned.close()  # its block was entered in a different context
    assert sc.get_num_threads() == 7


def test_a_decorator_applies_to_each_call() -> None:
    before = sc.get_num_threads()

    @sc.threads(5)
    def number() -> int:
        return sc.get_num_threads()

    assert [number(), number(), sc.get_num_threads()] == [5, 5, before]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's list of threads")
def test_calls_use_the_number_of_their_context() -> None:
    code = """
import asyncio, os
import numpy as np, secateur as sc
w = np.ones(1 << 22, np.float32)
before = len(os.listdir("/proc/self/task"))
def started():
    sc.kth_magnitude(w, 1000)
    return len(os.listdir("/proc/self/task")) - before
async def task(n):
    with sc.threads(n):
        await asyncio.sleep(0)
        return started()
async def main():
    return await asyncio.gather(task(1), task(3))
sc.set_num_threads(1)
print(started(), *asyncio.run(main()), end=" ")
with sc.threads(5):
    print(started(), end=" ")
    sc.set_num_threads(8)
print(started())
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["0", "0", "2", "4", "7"]


@pytest.mark.usefixtures("restored")
def test_contexts_nest_and_are_left_by_exceptions() -> None:
    sc.set_num_threads(7)
    with sc.threads(2):
        with contextlib.suppress(KeyError), sc.threads(4):
            assert sc.get_num_threads() == 4
            raise KeyError
        assert sc.get_num_threads() == 2
        with pytest.raises(ValueError, match="n must be"), sc.threads(0):
            pytest.fail("entered")
        assert sc.get_num_threads() == 2
        with sc.threads(2):
            assert sc.get_num_threads() == 2
        assert sc.get_num_threads() == 2
    assert sc.get_num_threads() == 7


def test_every_caller_has_a_context() -> None:
    def call(i: int) -> list[int]:
        with sc.threads(i + 1):
            return [sc.get_num_threads() for _ in range(50)]

    assert at_once(8, call) == [[i + 1] * 50 for i in range(8)]


@pytest.mark.parametrize("n", [1, 2, 1024])
def test_the_environment_sets_it(n: int) -> None:
    done = imported(SECATEUR_NUM_THREADS=str(n))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == [str(n), "97.0"]


@pytest.mark.parametrize("environment", [{}, {"SECATEUR_NUM_THREADS": ""}])
def test_the_default_is_the_cpus_of_the_process(environment: dict[str, str]) -> None:
    done = imported(**environment)
    assert done.returncode == 0, done.stderr
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert done.stdout.split()[1] == str(cpus)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_the_cpus_are_those_that_the_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert imported().stdout.split()[1] == "1"
    finally:
        os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("text", ["0", "-1", "1025", "99999", "9" * 30, "abc", "2x", " 2", "1.5"])
def test_a_bad_number_is_refused_at_import(text: str) -> None:
    done = imported(SECATEUR_NUM_THREADS=text)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    allowed = "SECATEUR_NUM_THREADS must be an integer from 1 to 1024"
    assert last == f"ImportError: {allowed}, got '{text}'"


# --- fork ------------------------------------------------------------------------------------

# Python warns about a fork while other threads run. These tests do that on purpose.
forking = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def works_on_two_threads(expected: list[np.ndarray]) -> bool:
    w = VALUES["normal"](SHARED)
    with sc.threads(2):
        for a, b in zip(all_results(w, SHARED // 3), expected, strict=True):
            if not np.array_equal(bits_of(a), bits_of(b)):
                return False
    return True


@pytest.fixture(scope="module")
def used() -> list[np.ndarray]:
    """Return the results of calls that leave helper threads and scratch memory behind."""
    w = VALUES["normal"](SHARED)
    with sc.threads(3):
        return all_results(w, SHARED // 3)


class TestFork:
    pytestmark = forking

    def test_after_use(self, used: list[np.ndarray]) -> None:
        assert in_child(partial(works_on_two_threads, used)) == "right"
        assert works_on_two_threads(used)  # and so does the parent

    def test_twice(self, used: list[np.ndarray]) -> None:
        def call() -> bool:
            nested = in_child(partial(works_on_two_threads, used))
            return nested == "right" and works_on_two_threads(used)

        assert in_child(call) == "right"

    def test_within_a_context(self) -> None:
        with sc.threads(5):
            assert in_child(lambda: sc.get_num_threads() == 5) == "right"

    def test_while_others_call(self, used: list[np.ndarray]) -> None:
        """Other threads may hold any lock at the moment of the fork."""
        times = number(10, quick=3)
        stop = threading.Event()

        def call() -> None:
            while not stop.is_set():
                assert works_on_two_threads(used)

        with ThreadPoolExecutor(3) as pool:
            callers = [pool.submit(call) for _ in range(3)]
            try:
                outcomes = [in_child(partial(works_on_two_threads, used)) for _ in range(times)]
            finally:
                stop.set()
            for caller in callers:
                caller.result()
        assert outcomes == ["right"] * times

    def test_while_others_take_scratch_memory(self) -> None:
        """Other threads take the lock of the scratch memory briefly and often."""
        expected = ranking("normal", 5000, "raise")
        stop = threading.Event()

        def call() -> None:
            while not stop.is_set():
                for _ in range(100):
                    sc.kth_magnitude(expected.w, 50)

        def in_the_child() -> bool:
            return sc.kth_magnitude(expected.w, 50) == expected.kth_magnitude(50)

        with ThreadPoolExecutor(3) as pool:
            for _ in range(3):
                pool.submit(call)
            try:
                for _ in range(number(100, quick=20)):
                    assert in_child(in_the_child) == "right"
            finally:
                stop.set()

    def test_multiprocessing(self, used: list[np.ndarray]) -> None:
        assert works_on_two_threads(used)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            calls = [pool.apply_async(works_on_two_threads, (used,)) for _ in range(4)]
            assert [call.get(PATIENCE) for call in calls] == [True] * 4


def test_spawned_processes_work_too() -> None:
    w = VALUES["normal"](1000)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result = pool.apply_async(sc.prune, (w,), {"k": 10}).get(PATIENCE)
    assert_same_bits(result, ranking("normal", 1000, "raise").pruned(10))
