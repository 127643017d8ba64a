"""Instruction sets: running on a chosen one, and comparing them all."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import secateur as sc
from oracles import assert_same_bits
from secateur import _core


@contextlib.contextmanager
def running(isa: str) -> Iterator[None]:
    """All calls of the process run on this one."""
    before = sc.isa()
    _core.set_isa(isa)
    try:
        yield
    finally:
        _core.set_isa(before)


def on_every_isa(call: Callable[[], Any]) -> Any:
    """What `call` returns, which is the same bits on all of them."""
    results = {}
    for isa in sc.isas():
        with running(isa):
            results[isa] = np.asarray(call())
    first, *others = results.values()
    for other in others:
        assert_same_bits(other, first)
    return first
