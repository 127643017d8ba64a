"""How much of a grid of cases is run: all of it with `--exhaustive`, else a part that is always the same.

The quick part has every value of each parameter, and every pair of values of two parameters of a
test (`pairwise`, which conftest.py applies to whatever is parametrized). A loop within a test takes
`grid` or `subset`, whose choice differs from test to test and depends on its name alone.
"""

import random
from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any

exhaustive = False  # set from the option, before any test is collected
choose = random.Random(0)  # seeded again with the name of each test


def pairwise(rows: Sequence[tuple[int, ...]]) -> list[int]:
    """Indices of a few rows that together have every pair of values of any two columns in a row."""
    pairs = [set(combinations(enumerate(row), 2)) for row in rows]
    if not any(pairs):
        return list(range(len(rows)))
    missing = set().union(*pairs)
    order = random.Random(0).sample(range(len(rows)), len(rows))
    chosen = set()
    for enough in range(max(map(len, pairs)), 0, -1):  # those with most pairs first
        for row in order:
            if len(pairs[row] & missing) >= enough:
                chosen.add(row)
                missing -= pairs[row]
    return sorted(chosen)


def grid(*axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """All combinations of one value from each axis; in the quick suite each value at least once."""
    columns = [list(axis) for axis in axes]
    if exhaustive or not all(columns):
        return list(product(*columns))
    rows = max(map(len, columns))
    spread = [(column * -(-rows // len(column)))[:rows] for column in columns]
    return list(
        zip(spread[0], *(choose.sample(column, rows) for column in spread[1:]), strict=True)
    )


def subset(values: Iterable[Any], count: int, most: int | None = None) -> list[Any]:
    """All values or at most `most` of them; in the quick suite at most `count`. The order is kept."""
    values = list(values)
    if exhaustive:
        count = len(values) if most is None else most
    if len(values) <= count:
        return values
    return [values[i] for i in sorted(choose.sample(range(len(values)), count))]


def number(full: int, *, quick: int) -> int:
    """A number that is smaller in the quick suite."""
    return full if exhaustive else quick
