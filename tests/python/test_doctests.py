"""The examples in the docstrings of the installed package, in the README and in docs/."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.util
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import secateur

pytestmark = pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 prints its scalars otherwise"
)

MODULES = sorted(m.name for m in pkgutil.walk_packages(secateur.__path__, "secateur."))
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PEERS = {"keras", "torch"}  # no extra installs these; blocks that import a missing one are skipped


@pytest.mark.parametrize("name", ["secateur", *MODULES])
def test_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples_are_found() -> None:
    assert {"secateur.pruning", "secateur.reference.pruning"} <= set(MODULES)
    assert doctest.testmod(importlib.import_module("secateur.pruning")).attempted > 0


class Block(NamedTuple):
    """A block of Python in a page, and the line that it begins at."""

    code: str
    line: int


def python_blocks(text: str) -> list[Block]:
    """Return the fenced blocks of Python of a Markdown page."""
    fenced = re.finditer(r"^```(?:python|py|pycon)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(match[1], text.count("\n", 0, match.start(1)) + 1) for match in fenced]


def missing_peers(code: str) -> set[str]:
    """Return the peers that a block imports and that are not installed."""
    imported = {
        name.name
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import)
        for name in node.names
    }
    return {name for name in imported & PEERS if importlib.util.find_spec(name) is None}


def run_block(block: Block, page: str, names: dict[str, object]) -> None:
    """Run a block with the names of the blocks before it. Interactive ones must print the same."""
    if not block.code.startswith(">>>"):
        if not missing_peers(block.code):
            source = "\n" * (block.line - 1) + block.code  # so that tracebacks have the line
            exec(compile(source, page, "exec"), names)  # noqa: S102
        return
    report: list[str] = []
    test = doctest.DocTestParser().get_doctest(block.code, names, page, page, block.line - 1)
    test.globs = names  # get_doctest copies them
    doctest.DocTestRunner().run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    names: dict[str, object] = {}
    for block in python_blocks(page.read_text(encoding="utf-8")):
        run_block(block, str(page), names)


def test_blocks_of_pages_are_found() -> None:
    counts = {page.name: len(python_blocks(page.read_text(encoding="utf-8"))) for page in PAGES}
    assert counts["README.md"] > 0
    assert counts["guide.md"] > 10


def test_blocks_share_names_and_failures_have_their_line() -> None:
    page = (
        "x\n```python\na = 1\n```\n\n```python\n>>> a + 1\n2\n```\n```python\nassert a == 2\n```\n"
    )
    setup, interactive, wrong = python_blocks(page)
    names: dict[str, object] = {}
    run_block(setup, "page", names)
    run_block(interactive, "page", names)
    with pytest.raises(AssertionError) as caught:
        run_block(wrong, "page", names)
    assert caught.traceback[-1].lineno == 10  # counted from 0
    with pytest.raises(AssertionError, match="Expected"):
        run_block(Block(">>> a\n2\n", 1), "page", names)


def test_the_reference_lists_every_public_name() -> None:
    lines = (ROOT / "docs" / "reference.rst").read_text(encoding="utf-8").splitlines()
    listed = {line.strip() for line in lines if line.startswith("   ")}
    assert set(secateur.__all__) - {"__version__", "reference"} <= listed


def table_of_benchmarks(results: Path) -> str:
    """Return the table that benchmarks/figures.py makes from a file of results."""
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "figures.py", "table", results],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        check=True,
    ).stdout


def test_the_page_of_benchmarks_has_the_recorded_figures() -> None:
    table = table_of_benchmarks(ROOT / "benchmarks" / "results" / "amd-zen5-avx512.json")
    assert table.count("\n") > 100
    assert table in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ({"operation": "prune", "yardstick": "copy", "ratio": 0.9}, "0.95"),
        ({"operation": "prune", "yardstick": "copy", "ratio": 1.0}, "**0.95, missed**"),
        ({"operation": "prune", "yardstick": "read", "ratio": 1.0}, ""),
        ({"operation": "apply_mask", "variant": "bool", "yardstick": "copy", "ratio": 1.0}, ""),
        ({"operation": "prune", "n": 64, "seconds": 1.1e-6, "yardstick": ""}, "1.2 µs"),
        ({"operation": "prune", "n": 64, "seconds": 1.3e-6, "yardstick": ""}, "**1.2 µs, missed**"),
        ({"operation": "of old", "yardstick": "copy", "ratio": 0.4}, "0.5"),
        (
            {"operation": "prune", "variant": "2 threads", "yardstick": "1 thread", "ratio": 0.6},
            "**0.5, missed**",
        ),
    ],
)
def test_the_targets_of_figures_are_those_of_the_cases(
    values: dict[str, object], shown: str, tmp_path: Path
) -> None:
    """The recorded target, 0.5, is that of rows without a case and of the gain of two threads."""
    row = {"variant": "", "n": 1 << 24, "ratio": None, "ratio_target": 0.5, "call_target": 0.5}
    row |= {"speedup_over_numpy": 2.0, "speedup_over_peers": {}} | values
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"results": [row]}), encoding="utf-8")
    assert table_of_benchmarks(results).splitlines()[-1].split(" | ")[4] == shown
