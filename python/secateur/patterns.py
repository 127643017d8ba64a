"""N:M patterns: N of each M consecutive elements are kept."""

from __future__ import annotations

import re
from functools import lru_cache
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
    found = _parsed(pattern) if isinstance(pattern, str) else None
    if found:
        return found
    msg = f"pattern must be 'N:M' with 1 <= N <= M <= {MOST}, such as '2:4', got {pattern!r}"
    raise ValueError(msg)


@lru_cache(maxsize=64)
def _parsed(pattern: str) -> tuple[int, int] | None:
    found = re.fullmatch("([0-9]{1,2}):([0-9]{1,2})", pattern)
    n, m = map(int, found.groups()) if found else (0, 0)
    return (n, m) if 1 <= n <= m <= MOST else None
