"""The floating-point state of the thread: rounding, and what becomes of subnormals."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from secateur import _core

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def default_float_state() -> Iterator[None]:
    """Rounding to nearest, and subnormals that are numbers, as the core sees to for itself.

    The caller's program may have it otherwise, and what NumPy computes would depend on that.
    """
    saved = _core.enter_float_state()
    try:
        yield
    finally:
        _core.leave_float_state(saved)
