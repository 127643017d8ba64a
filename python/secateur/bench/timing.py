"""Timing: calls that are sampled alternately, and medians of their times."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SAMPLE_SECONDS = 1e-3  # a sample loops over shorter calls until it takes about this long


@dataclass(frozen=True)
class Contender:
    """A call to time, and an optional untimed call that prepares it."""

    call: Callable[[], object]
    prepare: Callable[[], object] | None = None
    every: int = 1  # sampled in one of this many rounds, beginning with the first

    def sample(self, loops: int) -> float:
        """Return the seconds per call, over `loops` consecutive calls."""
        if self.prepare:
            self.prepare()
        start = perf_counter()
        for _ in repeat(None, loops):
            self.call()
        return (perf_counter() - start) / loops

    def loops(self) -> int:
        """Return the number of consecutive calls per sample: one if the call needs preparation."""
        once = self.sample(1)
        return 1 if self.prepare else max(1, round(SAMPLE_SECONDS / max(once, 1e-9)))

    def results(self) -> list[NDArray[Any]]:
        """Return copies of the arrays that one call returns."""
        if self.prepare:
            self.prepare()
        returned = self.call()
        values = returned if isinstance(returned, (list, tuple)) else [returned]
        return [np.array(value) for value in values if value is not None]


@dataclass(frozen=True)
class Comparison:
    """The contenders of one case. If there are goals, the ratio of their times is the target."""

    ours: Contender
    numpy: Contender
    yardstick: Contender | None = None
    goals: tuple[Contender, Contender] | None = None
    peers: dict[str, Contender] = field(default_factory=dict)

    def identical(self) -> bool:
        """Return whether this package and NumPy return the same bits."""
        ours, numpy = (
            [(array.dtype, array.shape, array.tobytes()) for array in contender.results()]
            for contender in (self.ours, self.numpy)
        )
        return ours == numpy

    def medians(self, rounds: int) -> dict[str, float]:
        """Return the median seconds per call of each contender. Their samples alternate."""
        contenders: dict[str, Contender | None] = {
            "ours": self.ours,
            "yardstick": self.yardstick,
            "numpy": self.numpy,
        }
        contenders |= self.peers
        contenders["goal"], contenders["goal base"] = self.goals or (None, None)
        present = {name: contender for name, contender in contenders.items() if contender}
        loops = {name: contender.loops() for name, contender in present.items()}
        samples: dict[str, list[float]] = {name: [] for name in present}
        for number in range(rounds):
            for name, contender in present.items():
                if number % contender.every == 0:
                    samples[name].append(contender.sample(loops[name]))
        return {name: median(seconds) for name, seconds in samples.items()}
