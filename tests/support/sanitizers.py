"""The sanitizers whose runtime is loaded into this process, if any."""

import ctypes
from pathlib import Path

import pytest

# The runtimes that were loaded before Python. The dynamic linker finds their functions.
RUNNING = [name for name in ("asan", "tsan") if hasattr(ctypes.CDLL(None), f"__{name}_init")]

# Each sanitizer makes the package, its memory accesses and its threads several times slower.
SLOWDOWN = 10 if RUNNING else 1


def is_instrumented(module: str) -> bool:
    """Return whether this extension module was built for every loaded runtime."""
    return all(f"__{name}_init".encode() in Path(module).read_bytes() for name in RUNNING)


def not_under_sanitizers(
    reason: str, names: tuple[str, ...] = ("asan", "tsan")
) -> pytest.MarkDecorator:
    running = any(name in RUNNING for name in names)
    return pytest.mark.skipif(running, reason=f"under a sanitizer, {reason}")
