"""N:M patterns: N of each M consecutive elements are kept."""

from __future__ import annotations

import re
from typing import Any

MOST = 32  # elements of a group


def parse_pattern(pattern: Any) -> tuple[int, int]:
    """N and M of ``"N:M"``, or an error that says what is allowed.

    Examples
    --------
    >>> from secateur.patterns import parse_pattern
    >>> parse_pattern("2:4")
    (2, 4)
    """
    found = re.fullmatch("([0-9]{1,2}):([0-9]{1,2})", pattern) if isinstance(pattern, str) else None
    if found:
        n, m = map(int, found.groups())
        if 1 <= n <= m <= MOST:
            return n, m
    msg = f"pattern must be 'N:M' with 1 <= N <= M <= {MOST}, such as '2:4', got {pattern!r}"
    raise ValueError(msg)
