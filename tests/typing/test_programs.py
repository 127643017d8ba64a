"""The programs whose types mypy and pyright check: they run, and they use every public name."""

import ast
import runpy
from pathlib import Path

import pytest

import secateur

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_programs_run(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def test_every_public_name_is_used() -> None:
    used = {
        node.attr
        for program in PROGRAMS
        for node in ast.walk(ast.parse(program.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "sc"
    }
    assert set(secateur.__all__) <= used
