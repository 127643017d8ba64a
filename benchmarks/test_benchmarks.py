"""Each case of `secateur.bench` under pytest-benchmark: ours, the yardstick and NumPy side by side.

The results of each case are asserted to be identical; no time is.
"""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import secateur as sc
from secateur.bench import Case, Contest


@pytest.fixture
def contest(case: Case) -> Iterator[Contest]:
    with sc.threads(1):
        yield case.build()


def test_case(benchmark: BenchmarkFixture, case: Case, contest: Contest, entrant: str) -> None:
    chosen = getattr(contest, entrant)
    if entrant == "ours":
        assert contest.identical()
    benchmark.group = str(case)
    benchmark.extra_info.update(n=case.n, bytes_per_element=case.moved, yardstick=case.yardstick)
    if chosen.prepare:
        prepare = chosen.prepare
        benchmark.pedantic(chosen.call, setup=lambda: prepare() and None, rounds=5)
    else:
        benchmark(chosen.call)
