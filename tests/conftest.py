"""Fixtures that choose what runs: the instruction set and the number of threads."""

from collections.abc import Iterator
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


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One thread, as many as two, as many as three."""
    with sc.threads(request.param):
        yield request.param


@pytest.fixture(params=LIBRARIES)
def lib(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The package on each instruction set in turn, and the reference."""
    with library(request.param) as module:
        yield module
