"""The stub of the extension module: names and numbers of arguments.

The functions of the module have no signatures that `inspect` or stubtest could read, but pybind11
writes their arguments into the docstrings.
"""

import ast
import re
from pathlib import Path

import secateur
from secateur import _core

STUB = ast.parse(Path(secateur.__file__).with_name("_core.pyi").read_text())
FUNCTIONS = {node.name: node.args for node in STUB.body if isinstance(node, ast.FunctionDef)}


def test_names() -> None:
    compiled = {
        name
        for name, value in vars(_core).items()
        if callable(value) and value.__doc__ and not isinstance(value, type)
    }
    assert set(FUNCTIONS) == {name for name in compiled if not name.startswith("__")}


def test_numbers_of_arguments() -> None:
    for name, arguments in FUNCTIONS.items():
        # All are positional-only: pybind11 calls them arg0, arg1 and so on.
        assert not arguments.args + arguments.kwonlyargs, name
        documented = re.findall(r"\barg\d+: ", getattr(_core, name).__doc__)
        assert len(arguments.posonlyargs) == len(documented), name
