"""One row of the benchmark: what it measures, the targets, and the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import secateur as sc

if TYPE_CHECKING:
    from collections.abc import Callable

    from secateur.bench.timing import Comparison


@dataclass(frozen=True)
class Case:
    """One row of the benchmark: an operation, its yardstick and its target."""

    operation: str
    variant: str
    n: int
    moved: float  # bytes read and written per element
    yardstick: str  # the call whose time `ratio` refers to
    build: Callable[[], Comparison] = field(repr=False)
    ratio_target: float | None = None  # upper limit of the time divided by the yardstick's
    call_target: float | None = None  # upper limit of the seconds per call

    def __str__(self) -> str:
        return " ".join(filter(None, (self.operation, self.variant, size(self.n))))


@dataclass(frozen=True)
class Result:
    """One measured row. Values that a case does not have are None."""

    operation: str
    variant: str
    n: int
    seconds: float  # median of one call
    ns_per_element: float
    gb_per_s: float
    yardstick: str
    ratio: float | None  # the time divided by the yardstick's
    ratio_target: float | None
    speedup_over_numpy: float
    call_target: float | None
    speedup_over_peers: dict[str, float]  # by the name of the peer
    identical: bool

    @property
    def time_target_met(self) -> bool | None:
        """Whether the time meets its target; None if there is no target."""
        if self.call_target is not None:
            return self.seconds <= self.call_target
        if self.ratio is None or self.ratio_target is None:
            return None
        return self.ratio <= self.ratio_target


def measure(case: Case, rounds: int = 21) -> Result:
    """Run one case. It runs on one thread unless the case sets another number.

    Parameters
    ----------
    case : Case
        One of :func:`cases`.
    rounds : int, default 21
        The number of rounds. Each contender has one sample per round, but NumPy takes part in every
        seventh round at most.

    Returns
    -------
    Result
        Medians, and ratios of medians.
    """
    with sc.threads(1):
        comparison = case.build()
        identical = comparison.identical()  # this also touches the memory of both results
        seconds = comparison.medians(rounds)
    ours, yardstick = seconds["ours"], seconds.get("yardstick")
    target = seconds["goal"] / seconds["goal base"] if comparison.goals else case.ratio_target
    return Result(
        operation=case.operation,
        variant=case.variant,
        n=case.n,
        seconds=ours,
        ns_per_element=ours / case.n * 1e9,
        gb_per_s=case.n * case.moved / ours / 1e9,
        yardstick=case.yardstick,
        ratio=ours / yardstick if yardstick else None,
        ratio_target=target,
        speedup_over_numpy=seconds["numpy"] / ours,
        call_target=case.call_target,
        speedup_over_peers={name: seconds[name] / ours for name in comparison.peers},
        identical=identical,
    )


def size(n: int) -> str:
    """Format a number of elements, as a power of two if it is one from 2**10 on."""
    return f"2^{n.bit_length() - 1}" if n & (n - 1) == 0 and n >= 1 << 10 else f"{n}"
