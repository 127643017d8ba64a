"""Fixtures that choose what runs: the instruction set and the number of threads."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import settings

import secateur as sc
from isas import LIBRARIES, library, running

# How long an example takes says more about the machine than about the code.
settings.register_profile("secateur", deadline=None)
settings.load_profile("secateur")


@pytest.fixture(params=sc.isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set of this machine in turn."""
    with running(request.param):
        yield request.param


THREADS = [1, 2, 3]


@pytest.fixture(params=THREADS)
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One thread, as many as two, as many as three."""
    with sc.threads(request.param):
        yield request.param


@pytest.fixture(params=LIBRARIES)
def lib(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The package on each instruction set in turn, and the reference."""
    with library(request.param) as module:
        yield module


@pytest.fixture(
    params=[*product(sc.isas(), THREADS), ("reference", 1)], ids=lambda x: f"{x[0]}-{x[1]}"
)
def lib_on_threads(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The package on each instruction set and number of threads, and the reference."""
    name, count = request.param
    with library(name) as module, sc.threads(count):
        yield module
