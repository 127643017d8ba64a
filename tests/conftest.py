"""Choose the cases of each grid, the time limits, the ISAs and the numbers of threads."""

import argparse
import faulthandler
import os
import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pytest
from hypothesis import settings

import secateur as sc
from support import grids, sanitizers
from support.isas import LIBRARIES, library, running

# No deadline: the time of an example depends on the machine more than on the code.
settings.register_profile("quick", deadline=None, max_examples=20)
settings.register_profile("exhaustive", deadline=None)

STDERR = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    parser.addoption(
        "--exhaustive", action="store_true", help="run all cases of each grid, not a part of them"
    )
    if not pluginmanager.hasplugin("xdist"):  # pyproject.toml passes this option of xdist
        parser.addoption("--numprocesses", help=argparse.SUPPRESS)


def pytest_configure(config: pytest.Config) -> None:
    grids.exhaustive = config.getoption("exhaustive")
    settings.load_profile("exhaustive" if grids.exhaustive else "quick")
    if not sanitizers.is_instrumented(sc._core.__file__):
        raise pytest.UsageError(f"{sc._core.__file__} is not built for {sanitizers.RUNNING}")
    assert sys.__stderr__ is not None
    config.stash[STDERR] = os.dup(sys.__stderr__.fileno())  # before pytest captures it


# --- grids -----------------------------------------------------------------------------------


def parameters(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def is_not_redundant(item: pytest.Item) -> bool:
    """Return whether no other case is the same. The reference ignores the number of threads."""
    given = parameters(item)
    return given.get("lib") != "reference" or given.get("threads", 1) == 1


def thinned(cases: list[pytest.Item]) -> list[pytest.Item]:
    """Return the cases of a test to run: all, or a few (see `grids`)."""
    if grids.exhaustive or not cases:
        return cases
    rows = [tuple(map(id, parameters(case).values())) for case in cases]
    return [cases[i] for i in grids.covering(rows, strength=1 if sanitizers.RUNNING else 2)]


@pytest.hookimpl(trylast=True)  # after the options that select tests, such as -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept: list[pytest.Item] = []
    for _, cases in groupby(
        filter(is_not_redundant, items), lambda item: item.nodeid.partition("[")[0]
    ):
        kept += thinned(list(cases))
    dropped = set(items).difference(kept)
    config.hook.pytest_deselected(items=[item for item in items if item in dropped])
    items[:] = kept


def pytest_runtest_setup(item: pytest.Item) -> None:
    grids.choose.seed(item.nodeid)


# --- hangs -----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """End a process that hangs, and print the tracebacks of its threads.

    This works even if the thread that hangs holds the GIL.
    """
    seconds = settings.timeout * sanitizers.SLOWDOWN
    faulthandler.dump_traceback_later(seconds, exit=True, file=item.config.stash[STDERR])
    return True


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_timeout_cancel_timer() -> bool:
    faulthandler.cancel_dump_traceback_later()
    return True


# --- fixtures --------------------------------------------------------------------------------


@pytest.fixture(params=sc.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Make each ISA of this machine active in turn."""
    with running(request.param):
        yield request.param


THREADS = [1, 2, 3]


@pytest.fixture(params=THREADS)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Use at most 1, 2 and 3 threads in turn."""
    with sc.threads(request.param):
        yield request.param


@pytest.fixture(params=LIBRARIES)
def lib(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The package with each ISA in turn, and the reference."""
    with library(request.param) as module:
        yield module


@pytest.fixture
def lib_on_threads(lib: Any, threads: int) -> Any:  # noqa: ARG001
    """The package with each ISA and each number of threads, and the reference."""
    return lib
