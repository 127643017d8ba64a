"""Choose an ISA, and compare the results of all ISAs and of the reference."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import secateur as sc
from secateur import _core, reference
from support.oracles import assert_same_bits

# The package with each ISA of this machine, and the reference.
LIBRARIES = [*sc.isas(), "reference"]


@contextlib.contextmanager
def running(isa: str) -> Iterator[None]:
    """Make this ISA the active one in the block."""
    before = sc.isa()
    _core.set_isa(isa)
    try:
        yield
    finally:
        _core.set_isa(before)


@contextlib.contextmanager
def library(name: str) -> Iterator[Any]:
    """Provide the reference, or the package with the ISA of that name."""
    if name == "reference":
        yield reference
    else:
        with running(name):
            yield sc


def on_every_isa(call: Callable[[], Any]) -> Any:
    """Return the result of `call`. Check that it has the same bits on every ISA."""
    results = {}
    for isa in sc.isas():
        with running(isa):
            results[isa] = np.asarray(call())
    first, *others = results.values()
    for other in others:
        assert_same_bits(other, first)
    return first
