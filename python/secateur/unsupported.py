"""Parameters that the functions have, and this version does not yet take."""

from __future__ import annotations

from typing import NoReturn


def refuse(**parameters: object) -> NoReturn:
    """Raise ValueError for the first of the parameters that is not None."""
    name, value = next((n, v) for n, v in parameters.items() if v is not None)
    msg = f"{name} must be None, the only value that this version supports, got {value!r}"
    raise ValueError(msg)
