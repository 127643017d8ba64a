"""The sanitizers whose runtime is loaded into this process, if any."""

import ctypes
from pathlib import Path

import pytest

# What the dynamic linker finds of a runtime that was loaded ahead of Python.
RUNNING = [name for name in ("asan", "tsan") if hasattr(ctypes.CDLL(None), f"__{name}_init")]

# Each makes the package itself, its memory and its threads several times slower.
SLOWDOWN = 10 if RUNNING else 1


def is_instrumented(module: str) -> bool:
    """Whether this extension module was built for every runtime that is loaded."""
    return all(f"__{name}_init".encode() in Path(module).read_bytes() for name in RUNNING)


def not_under_sanitizers(
    reason: str, names: tuple[str, ...] = ("asan", "tsan")
) -> pytest.MarkDecorator:
    running = any(name in RUNNING for name in names)
    return pytest.mark.skipif(running, reason=f"under a sanitizer, {reason}")
