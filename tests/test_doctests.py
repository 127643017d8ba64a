"""The examples in the docstrings of the installed package, wherever it is installed from."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import secateur

pytestmark = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 prints its scalars otherwise"
)

MODULES = sorted(m.name for m in pkgutil.walk_packages(secateur.__path__, "secateur."))


@pytest.mark.parametrize("name", ["secateur", *MODULES])
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_are_found() -> None:
    assert {"secateur.pruning", "secateur.reference.pruning"} <= set(MODULES)
    assert doctest.testmod(importlib.import_module("secateur.pruning")).attempted > 0
