"""The machine and the software that results depend on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

import secateur as sc


def machine() -> dict[str, Any]:
    """Return the properties of the machine and the software that results depend on."""
    return {
        "secateur": sc.__version__,
        "ISA used": sc.isa(),
        "ISAs available": list(sc.isas()),
        "threads": sc.get_num_threads(),
        "CPU": cpu_name(),
        "CPUs": os.cpu_count(),
        "caches": caches() or "not reported by this system",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
    }


def cpu_name() -> str:
    """Return the name of the CPU from Linux's /proc or, elsewhere, from Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def caches() -> list[str]:
    """Return the caches of the first CPU, such as "L1 Data 32K", from Linux's /sys."""
    found = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    try:
        return [
            "L" + " ".join((cache / name).read_text().strip() for name in ("level", "type", "size"))
            for cache in found
        ]
    except OSError:  # some machines do not report the size
        return []
