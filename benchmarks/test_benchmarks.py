"""Each case of `secateur.bench` under pytest-benchmark: ours, the yardstick and NumPy side by side.

The results of each case are asserted to be identical; no time is.
"""

from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import secateur as sc
from secateur.bench import Case, Comparison


@pytest.fixture
def comparison(case: Case) -> Iterator[Comparison]:
    with sc.threads(1):
        yield case.build()


def test_case(
    benchmark: BenchmarkFixture, case: Case, comparison: Comparison, contender: str
) -> None:
    chosen = getattr(comparison, contender)
    if contender == "ours":
        assert comparison.identical()
    benchmark.group = str(case)
    benchmark.extra_info.update(n=case.n, bytes_per_element=case.moved, yardstick=case.yardstick)
    if chosen.prepare:
        prepare = chosen.prepare
        benchmark.pedantic(chosen.call, setup=lambda: prepare() and None, rounds=5)
    else:
        benchmark(chosen.call)
