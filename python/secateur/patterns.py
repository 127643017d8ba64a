"""N:M sparsity patterns: of each M consecutive elements, N are kept."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from secateur.messages import shown

MAX_GROUP_SIZE = 32


def parse_pattern(pattern: Any) -> tuple[int, int]:
    """Parse ``"N:M"`` to ``(N, M)``.

    Raises
    ------
    ValueError
        If `pattern` is not a str of this form with 1 <= N <= M <= 32.

    Examples
    --------
    >>> from secateur.patterns import parse_pattern
    >>> parse_pattern("2:4")
    (2, 4)
    """
    found = _parsed(pattern) if isinstance(pattern, str) else None
    if found:
        return found
    allowed = f"'N:M' with 1 <= N <= M <= {MAX_GROUP_SIZE}, such as '2:4'"
    msg = f"pattern must be {allowed}, got {shown(pattern)}"
    raise ValueError(msg)


@lru_cache(maxsize=64)
def _parsed(pattern: str) -> tuple[int, int] | None:
    found = re.fullmatch("([0-9]{1,2}):([0-9]{1,2})", pattern)
    n, m = map(int, found.groups()) if found else (0, 0)
    return (n, m) if 1 <= n <= m <= MAX_GROUP_SIZE else None
