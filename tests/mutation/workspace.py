"""Copies of the repository in which mutants are built and tested."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from subjects import DESELECTED, OF_ALL_ISAS

ROOT = Path(__file__).resolve().parents[2]
PYTEST = ["-x", "-q", "-n", "0", "--no-header", "--benchmark-disable", "-p", "no:cacheprovider",
          "-p", "pytest_plugin", "--hypothesis-profile=mutation"]  # fmt: skip
MAX_BUILD_SECONDS = 1800


def copy_repository(destination: Path) -> None:
    """Copy all files that git tracks or does not ignore. Unchanged files keep their time stamps."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    wanted = {destination / name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for target in wanted:
        content = (ROOT / target.relative_to(destination)).read_bytes()
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for old in [*destination.glob("tests/**/*.py"), *destination.glob("python/**/*.py")]:
        if old not in wanted:
            old.unlink()


@dataclass
class Outcome:
    """The end of a command. `code` is negative for a signal, and None after a timeout."""

    code: int | None
    output: str
    seconds: float

    @property
    def failed(self) -> bool:
        return self.code != 0


def run(
    command: Sequence[object], cwd: Path, environment: dict[str, str], limit: float | None = None
) -> Outcome:
    """Run a command. Its whole process group is killed when it ends, or after `limit` seconds."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command], cwd=cwd, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    running.add(process)
    output, code = "", None
    try:
        output, _ = process.communicate(timeout=limit)
        code = process.returncode
    except subprocess.TimeoutExpired:
        pass
    finally:
        end(process)
        process.wait()
        running.discard(process)
    return Outcome(code, output, time.monotonic() - begin)


running: set[subprocess.Popen[str]] = set()


def end(process: subprocess.Popen[str]) -> None:
    """Kill the process group of a process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def end_all() -> None:
    for process in list(running):
        end(process)


class Workspace:
    """A copy of the sources that holds one mutant at a time, with a build for each list of ISAs.

    The tests run in another copy, without a mutant, because some tests read the sources.
    """

    def __init__(self, folder: Path, pristine: Path, seconds: int) -> None:
        self.folder, self._pristine, self._seconds = folder, pristine, seconds
        self._package = folder / "python" / "secateur"
        self._last_test = folder / "last_test"
        copy_repository(folder)

    def build(self, isas: Sequence[str]) -> Outcome:
        """Compile, and install into the package of this copy, with the layout of a wheel."""
        build = self._build_folder(isas)
        # SKBUILD gives the layout of a wheel.
        built = self._compile(build, isas, {"SKBUILD": "ON", "pybind11_DIR": self._pybind11()})
        if built.failed:
            return built
        installed = self._tool("cmake", "--install", build, "--prefix", self._package)
        installed.seconds += built.seconds
        return installed

    def build_programs(self, isas: Sequence[str]) -> Outcome:
        """Compile the C and C++ tests."""
        return self._compile(self._programs_folder(isas), isas, {"SECATEUR_BUILD_TESTS": "ON"})

    def test_programs(self, isas: Sequence[str]) -> tuple[Outcome, str]:
        """Run the C and C++ tests until one fails. Also return the name of that one."""
        ctest = ["ctest", "--test-dir", self._programs_folder(isas), "--stop-on-failure"]
        outcome = self._tool(*ctest, "--timeout", self._seconds)
        failed = re.search(
            r"Test +#\d+: (\w+) \.*\**(Failed|Timeout|Subprocess|Exception)", outcome.output
        )
        return outcome, failed[1] if failed else ""

    def write(self, path: str, source: str) -> None:
        target = self.folder / path
        target.write_text(source)
        for compiled in target.parent.glob(f"__pycache__/{target.stem}.*.pyc"):
            compiled.unlink()  # Python compares only seconds and size, which may be the same

    def test(self, what: Sequence[str], *, has_all_isas: bool) -> Outcome:
        """Run tests until one fails or takes too long."""
        self._last_test.unlink(missing_ok=True)
        omitted = DESELECTED if has_all_isas else [*DESELECTED, OF_ALL_ISAS]
        deselected = [f"--deselect={test}" for test in omitted]
        command = [sys.executable, "-m", "pytest", *PYTEST, *deselected, *what]
        outcome = run(command, self._pristine, self._environment())
        if outcome.code == -signal.SIGALRM:
            outcome.code = None
        return outcome

    def last_test(self) -> str:
        """Return the test that ran last; "" if none was started."""
        return self._last_test.read_text() if self._last_test.exists() else ""

    def check(self) -> None:
        """Check that the tests import the package of this copy."""
        code = (
            "import secateur, secateur._core as c; print(secateur.__file__, c.__file__, sep='\\n')"
        )
        outcome = run([sys.executable, "-c", code], self._pristine, self._environment(), 60)
        files = outcome.output.split("\n")[:2]
        if outcome.failed or any(not Path(f).is_relative_to(self._package) for f in files):
            sys.exit(f"the tests would not see the copy of the package:\n{outcome.output}")

    def _build_folder(self, isas: Sequence[str]) -> Path:
        return self.folder / "build" / "-".join(isas)

    def _programs_folder(self, isas: Sequence[str]) -> Path:
        return self.folder / "build" / "-".join([*isas, "programs"])

    def _compile(self, build: Path, isas: Sequence[str], options: dict[str, str]) -> Outcome:
        if not (build / "CMakeCache.txt").exists():
            configured = self._configure(build, isas, options)
            if configured.failed:
                return configured
        return self._tool("cmake", "--build", build, "-j", 1)

    def _configure(self, build: Path, isas: Sequence[str], options: dict[str, str]) -> Outcome:
        options = options | {
            "CMAKE_BUILD_TYPE": "Mutation",  # a build type for which the project sets no flags
            "CMAKE_CXX_FLAGS": "-O1",
            "Python_EXECUTABLE": sys.executable,
            "SECATEUR_ISAS": ";".join(isas),
        }
        if shutil.which("ccache"):
            options["CMAKE_CXX_COMPILER_LAUNCHER"] = "ccache"
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        defined = [f"-D{name}={value}" for name, value in options.items()]
        return self._tool("cmake", *generator, "-S", self.folder, "-B", build, *defined)

    def _pybind11(self) -> str:
        command = [sys.executable, "-m", "pybind11", "--cmakedir"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def _tool(self, *command: object) -> Outcome:
        return run(command, self.folder, self._environment(), MAX_BUILD_SECONDS)

    def _environment(self) -> dict[str, str]:
        here = self._pristine / "tests" / "mutation"
        variables = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join(map(str, [here / "site", here, self.folder / "python"])),
            "LAST_TEST": str(self._last_test),
            "SECONDS_OF_TEST": str(self._seconds),
            "CCACHE_DIR": str(self._pristine.parent / "ccache"),
            "CCACHE_MAXSIZE": "1G",
            "CCACHE_BASEDIR": str(self.folder),
            "CCACHE_NOHASHDIR": "1",
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SECATEUR_")}
        return inherited | variables
