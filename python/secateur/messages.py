"""The text of values in error messages: bounded in length, whatever the value."""

from __future__ import annotations

from typing import Any

import numpy as np

MAX_LENGTH = 200  # characters
MAX_ITEMS = 8  # of an array, a list or a tuple
MAX_DEPTH = 3  # of nested lists and tuples
MAX_INTEGER_BITS = 4096  # Python refuses to format integers of more than 4300 digits
HEAD, TAIL = 140, 40  # what is kept of a longer text


def shown(value: Any) -> str:
    """Return the repr of a value, abbreviated if it is long; never raise an error.

    Examples
    --------
    >>> import numpy as np
    >>> from secateur.messages import shown
    >>> shown(0.5), shown([1, 2])
    ('0.5', '[1, 2]')
    >>> shown(np.zeros((1000, 3)))
    'an array of float64 of shape (1000, 3)'
    >>> shown([0] * 1000)
    '[0, 0, 0, 0, 0, 0, 0, 0, ...] (1000 items)'
    """
    try:
        return shortened(_text(value, MAX_DEPTH))
    except Exception:  # noqa: BLE001  # of a __repr__, or of any other method of the value
        return shortened(object.__repr__(value))


def shortened(text: str) -> str:
    """Return the text; if it is longer than `MAX_LENGTH`, omit its middle.

    Examples
    --------
    >>> from secateur.messages import shortened
    >>> len(shortened("w" * 100_000))
    183
    """
    return text if len(text) <= MAX_LENGTH else f"{text[:HEAD]}...{text[-TAIL:]}"


def _text(value: Any, depth: int) -> str:
    kind = type(value)
    if issubclass(kind, np.ndarray) and value.size > MAX_ITEMS:
        return f"an array of {shortened(str(value.dtype))} of shape {value.shape}"
    if kind is list or kind is tuple:
        return _items(value, depth)
    if issubclass(kind, (str, bytes, bytearray)) and len(value) > MAX_LENGTH:
        return f"{value[:HEAD]!r}... ({len(value)} long)"
    if kind is int and value.bit_length() > MAX_INTEGER_BITS:
        return f"an integer of {value.bit_length()} bits"
    return shortened(repr(value))


def _items(values: list[Any] | tuple[Any, ...], depth: int) -> str:
    opening, closing = "[]" if isinstance(values, list) else "()"
    if depth == 0:
        return f"{opening}...{closing}"
    items = [_text(value, depth - 1) for value in values[:MAX_ITEMS]]
    if len(values) > MAX_ITEMS:
        return f"{opening}{', '.join(items)}, ...{closing} ({len(values)} items)"
    comma = "," if len(items) == 1 and isinstance(values, tuple) else ""
    return f"{opening}{', '.join(items)}{comma}{closing}"
