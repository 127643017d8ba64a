"""N:M patterns: how many of how many are kept."""

from __future__ import annotations

import re

MOST = 32


def parse_pattern(pattern: object) -> tuple[int, int]:
    """The N and the M of "N:M", or an error that says what came and what is allowed."""
    found = re.fullmatch("([0-9]+):([0-9]+)", pattern) if isinstance(pattern, str) else None
    if found is not None:
        keep, of = int(found[1]), int(found[2])
        if 1 <= keep <= of <= MOST:
            return keep, of
    msg = f"pattern must be 'N:M' with 1 <= N <= M <= {MOST}, got {pattern!r}"
    raise ValueError(msg)
