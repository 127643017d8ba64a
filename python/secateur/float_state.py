"""The floating-point state of the thread: rounding mode and treatment of subnormals."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from secateur import _core

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def default_float_state() -> Iterator[None]:
    """Compute in the default floating-point state within a ``with`` block.

    Within the block the thread rounds to nearest and does not flush subnormals to zero. The caller
    may have set another state, and the results of NumPy would depend on it. (The core sets the
    state of its own computations.) The block also silences overflow, underflow and invalid
    operations, some of which are intended, whatever the caller's ``numpy.seterr``.
    """
    saved = _core.enter_float_state()
    try:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            yield
    finally:
        _core.leave_float_state(saved)
