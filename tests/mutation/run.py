#!/usr/bin/env python3
"""Mutation testing: change one randomly chosen line, build, and run the tests listed for the file.

    python tests/mutation/run.py --count 100 --seed 0 [--only csrc/select] [--jobs 1]

CONTRIBUTING.md explains the results ("Mutation tests"). A smaller count chooses the first mutants of
a larger one.
"""

import argparse
import contextlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cpp_edits
import python_edits
from edits import Mutant, line_of
from subjects import is_in_programs, isas_of, test_files, tests_of
from workspace import ROOT, Outcome, Workspace, copy_repository, end_all

FOLDER = ROOT / "build" / "mutation"

# Not mutated: declarations, which other tests check; the reference, which is part of the tests; the
# benchmarks and the demonstration.
EXCLUDED = (
    "csrc/include",
    "python/secateur/reference",
    "python/secateur/bench",
    "python/secateur/demo",
)

# The results of mutants that the tests detect.
DETECTED = ("killed", "timeout")


def sources(root: Path, only: Iterable[str]) -> Iterator[str]:
    wanted = tuple(only) or ("csrc", "python")
    for pattern in ("csrc/**/*.cpp", "csrc/**/*.hpp", "python/secateur/**/*.py"):
        for path in sorted(root.glob(pattern)):
            name = path.relative_to(root).as_posix()
            if name.startswith(wanted) and not name.startswith(EXCLUDED):
                yield name


def choose(root: Path, only: Iterable[str], count: int, seed: int) -> list[Mutant]:
    """Choose `count` lines, and one mutant of each.

    All lines are equally likely, and so are all kinds of edits of a line.
    """
    tuned = frozenset(
        name
        for path in [*root.glob("csrc/**/*.cpp"), *root.glob("csrc/**/*.hpp")]
        for name in cpp_edits.tuned_names(path.read_text())
    )
    by_line: dict[tuple[str, int], dict[str, list[Mutant]]] = defaultdict(lambda: defaultdict(list))
    for name in sources(root, only):
        source = (root / name).read_text()
        is_python = name.endswith(".py")
        edits = python_edits.edits_of(source) if is_python else cpp_edits.edits_of(source, tuned)
        for edit in edits:
            by_kind = by_line[name, line_of(source, edit.begin)]
            by_kind[edit.kind].append(Mutant(name, source, edit))
    generator = random.Random(seed)
    lines = sorted(by_line)
    generator.shuffle(lines)
    chosen = []
    for line in lines[:count]:
        kind = generator.choice(sorted(by_line[line]))
        chosen.append(generator.choice(by_line[line][kind]))
    return chosen


class Report:
    """The results of all mutants, in a JSON file that is written after each result."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._is_closed = False
        stored = json.loads(path.read_text()) if path.exists() else []
        self.mutants: dict[str, dict[str, Any]] = {m["id"]: m for m in stored}

    def add(self, mutant: Mutant, result: dict[str, object]) -> None:
        described = {
            "id": mutant.id, "path": mutant.path, "line": mutant.line, "kind": mutant.edit.kind,
            "before": mutant.before, "after": mutant.after,
        }  # fmt: skip
        with self._lock:
            if self._is_closed:
                return
            self.mutants[mutant.id] = described | result
            part = self._path.with_suffix(".part")
            part.write_text(json.dumps(list(self.mutants.values()), indent=1) + "\n")
            part.replace(self._path)

    def close(self) -> None:
        """Accept no more results: builds and tests that still run are about to be killed."""
        with self._lock:
            self._is_closed = True


@dataclass
class Judge:
    """Builds and tests mutants one at a time, in a workspace that no other thread uses."""

    space: Workspace
    tests: dict[str, list[str]]  # files by name
    isas: list[str]  # of this machine
    passing: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        built = self.space.build(["scalar"])
        if built.failed:
            sys.exit(f"the sources do not build without a mutant:\n{built.output}")
        self.space.check()

    def judge(self, mutant: Mutant) -> dict[str, object]:
        isas = isas_of(mutant.path, self.isas)
        files = tests_of(mutant.path, self.tests)
        with self.holding(mutant):
            built = self.space.build(isas)
            tested = None if built.failed else self.test(files, isas)
        result: dict[str, object] = {"built": round(built.seconds), "tested": 0, "by": ""}
        if tested is None:
            return result | {"status": "invalid"}
        result["tested"] = round(tested.seconds)
        if not tested.failed:
            return result | self.judge_by_programs(mutant, isas)
        by = self.space.last_test()
        result["by"] = by or "import"
        if not self.passes([by] if by else ["--collect-only", *files], isas):
            return result | {"status": "unsound"}
        if tested.code is None:
            return result | {"status": "timeout"}
        if tested.code < 0:
            result["by"] = f"{by} ({signal.Signals(-tested.code).name})"
        return result | {"status": "killed"}

    def judge_by_programs(self, mutant: Mutant, isas: list[str]) -> dict[str, object]:
        """Run the C and C++ tests.

        They fail single allocations and start threads through the C API, which the Python tests
        cannot do.
        """
        if not is_in_programs(mutant.path):
            return {"status": "survived"}
        with self.holding(mutant):
            built = self.space.build_programs(isas)
            tested, by = (built, "") if built.failed else self.space.test_programs(isas)
        if built.failed:
            return {"status": "invalid", "by": "C and C++ tests"}
        if not tested.failed:
            return {"status": "survived"}
        return {"status": "killed" if self.programs_pass(isas) else "unsound", "by": by}

    @contextlib.contextmanager
    def holding(self, mutant: Mutant) -> Iterator[None]:
        """Put the mutant in the place of its source, and restore the source afterwards."""
        self.space.write(mutant.path, mutant.mutated)
        try:
            yield
        finally:
            self.space.write(mutant.path, mutant.source)

    def test(self, what: list[str], isas: list[str]) -> Outcome:
        return self.space.test(what, has_all_isas=isas == self.isas)

    def passes(self, what: list[str], isas: list[str]) -> bool:
        """Return whether tests in Python pass without a mutant."""
        return self.pass_without_mutant(
            (*what, *isas), lambda: self.space.build(isas), lambda: self.test(what, isas)
        )

    def programs_pass(self, isas: list[str]) -> bool:
        """Return whether the C and C++ tests pass without a mutant."""
        return self.pass_without_mutant(
            ("C and C++ tests", *isas),
            lambda: self.space.build_programs(isas),
            lambda: self.space.test_programs(isas)[0],
        )

    def pass_without_mutant(
        self, key: tuple[str, ...], build: Callable[[], Outcome], test: Callable[[], Outcome]
    ) -> bool:
        """Build and test the restored sources, once for each key."""
        if key not in self.passing:
            self.passing[key] = not (build().failed or test().failed)
        return self.passing[key]


def work(judge: Judge, report: Report, mutants: queue.SimpleQueue[Mutant]) -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            mutant = mutants.get_nowait()
            report.add(mutant, judge.judge(mutant))
            print(line_about(report.mutants[mutant.id]), flush=True)


def line_about(mutant: dict[str, Any]) -> str:
    where = f"{mutant['path']}:{mutant['line']}"
    seconds = f"{mutant['built']} + {mutant['tested']} s"
    text = f"{mutant['status']:8}  {where:40}  {mutant['kind']:10}  {seconds:>12}  {mutant['by']}"
    return f"{text.rstrip()}\n          - {mutant['before']}\n          + {mutant['after']}"


def summary(mutants: list[dict[str, Any]]) -> str:
    """Return a table with one row per folder. The score is the share of mutants detected."""
    rows = defaultdict(Counter)
    for mutant in mutants:
        for folder in (str(Path(mutant["path"]).parent), "all"):
            rows[folder][mutant["status"]] += 1
    columns = ["killed", "timeout", "survived", "invalid", "unsound"]
    text = f"{'folder':24}" + "".join(f"{c:>10}" for c in columns) + f"{'score':>10}\n"
    for folder, counts in sorted(rows.items(), key=lambda row: (row[0] == "all", row[0])):
        detected = sum(counts[status] for status in DETECTED)
        total = detected + counts["survived"]
        score = f"{detected / total:.0%}" if total else "-"
        text += f"{folder:24}" + "".join(f"{counts[c]:10}" for c in columns) + f"{score:>10}\n"
    return text


def isas_here() -> list[str]:
    code = "import secateur; print(*secateur.isas())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return found.stdout.split()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument(
        "--only", action="append", default=[], help="a folder or file; may be repeated"
    )
    parser.add_argument("--jobs", type=int, default=1, help="how many at once")
    parser.add_argument("--seconds", type=int, default=300, help="the longest that a test may take")
    parser.add_argument("--retry", action="store_true", help="test those again that survived")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    parser.add_argument(
        "--report", type=Path, default=FOLDER / "report.json", help="JSON of all results"
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    mutants = choose(ROOT, options.only, options.count, options.seed)
    if options.list:
        for m in mutants:
            print(f"{m.path}:{m.line}  {m.edit.kind}\n  - {m.before}\n  + {m.after}")
        return
    os.nice(10 - os.nice(0))
    pristine = FOLDER / "pristine"
    copy_repository(pristine)
    report = Report(options.report)
    retried = {"survived"} if options.retry else set()
    pending: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        if mutant.id not in report.mutants or report.mutants[mutant.id]["status"] in retried:
            pending.put(mutant)
    tests = test_files(pristine)
    here = isas_here()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threads = []
    try:
        for i in range(min(options.jobs, pending.qsize())):
            space = Workspace(FOLDER / f"worker{i}", pristine, options.seconds)
            task = (Judge(space, tests, here), report, pending)
            threads.append(threading.Thread(target=work, args=task, daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join()
    finally:
        report.close()
        end_all()
    chosen = [report.mutants[m.id] for m in mutants]
    print("\nSurvived:", *(line_about(m) for m in chosen if m["status"] == "survived"), sep="\n")
    print("\n" + summary(chosen))


if __name__ == "__main__":
    main()
