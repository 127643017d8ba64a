"""The cases of a grid that run: all with `--exhaustive`, otherwise always the same part.

The part has every pair of values of two parameters of a test, or under a sanitizer, which takes ten
times as long, every value of a parameter (`covering`, which conftest.py applies to all parametrized
tests). Loops within a test use `grid` or `subset`. Their choice depends only on the name of the test.
"""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any

exhaustive = False  # conftest.py sets it before it collects tests
choose = random.Random(0)  # conftest.py seeds it with the name of each test


def covering(rows: Sequence[tuple[int, ...]], strength: int) -> list[int]:
    """Return the indices of a few rows that have all values of any `strength` columns."""
    values = [set(combinations(enumerate(row), strength)) for row in rows]
    if not any(values):
        return list(range(len(rows)))
    missing = set().union(*values)
    order = random.Random(0).sample(range(len(rows)), len(rows))
    chosen = set()
    for enough in range(max(map(len, values)), 0, -1):  # first the rows that add most
        for row in order:
            if len(values[row] & missing) >= enough:
                chosen.add(row)
                missing -= values[row]
    return sorted(chosen)


def grid(*axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return all combinations of a value per axis. The quick suite has each value at least once."""
    columns = [list(axis) for axis in axes]
    if exhaustive or not all(columns):
        return list(product(*columns))
    rows = max(map(len, columns))
    spread = [(column * -(-rows // len(column)))[:rows] for column in columns]
    return list(
        zip(spread[0], *(choose.sample(column, rows) for column in spread[1:]), strict=True)
    )


def subset(values: Iterable[Any], count: int, most: int | None = None) -> list[Any]:
    """Return all values or at most `most`, in order. The quick suite has at most `count`."""
    values = list(values)
    if exhaustive:
        count = len(values) if most is None else most
    if len(values) <= count:
        return values
    return [values[i] for i in sorted(choose.sample(range(len(values)), count))]


def number(full: int, *, quick: int) -> int:
    """Return a number that is smaller in the quick suite."""
    return full if exhaustive else quick
