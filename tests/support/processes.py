"""Run calls in forked children, or in new processes that import the package or a test."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

from support.sanitizers import SLOWDOWN

PATIENCE = 60 * SLOWDOWN  # seconds; only a child that hangs takes this long


def with_paths() -> dict[str, str]:
    """Return the environment of a new process that imports tests and the modules they import."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def imported(**environment: str) -> subprocess.CompletedProcess[str]:
    """Import the package with these variables. It prints its ISA, its threads and a result."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("SECATEUR_")}
    code = (
        "import secateur as sc, numpy as np\n"
        "w = np.arange(100, dtype=np.float32)\n"
        "print(sc.isa(), sc.get_num_threads(), sc.kth_magnitude(w, 3))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env=others | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def in_child(call: Callable[[], bool]) -> str:
    """Run call() in a forked child. Return "right", "wrong", "hung", "died" or the error."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(theirs, b"right" if call() else b"wrong")
        except BaseException as error:  # noqa: BLE001
            os.write(theirs, repr(error).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    try:
        if not select.select([ours], [], [], PATIENCE)[0]:
            os.kill(child, signal.SIGKILL)
            return "hung"
        return os.read(ours, 1000).decode() or "died"
    finally:
        os.close(ours)
        os.waitpid(child, 0)
