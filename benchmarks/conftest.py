"""Which sizes to run: small ones by default, the full ones on demand."""

import os

import pytest

from secateur import bench

SMALL = 1 << 16


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        default=os.environ.get("SECATEUR_BENCH_FULL", "0") != "0",
        help="run the sizes that the targets are set for (also: SECATEUR_BENCH_FULL=1)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "contender" in metafunc.fixturenames:
        cases = bench.cases(bench.FULL if metafunc.config.getoption("full") else SMALL)
        contenders = [(case, "ours") for case in cases]
        contenders += [(case, "yardstick") for case in cases if case.yardstick]
        contenders += [(case, "numpy") for case in cases]
        metafunc.parametrize(("case", "contender"), contenders, ids=str)
