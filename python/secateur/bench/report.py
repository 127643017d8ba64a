"""The table that ``secateur bench`` prints, and the rows of its JSON file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from secateur.bench.case import Result, size
from secateur.terminal import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence


def json_rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the results as dictionaries, with whether they meet their targets."""
    return [asdict(result) | {"time_target_met": result.time_target_met} for result in results]


def table(results: Sequence[Result], title: str) -> Table:
    """Return the table of the results, with a column for each peer that took part."""
    text = Text(escaped(title))  # Rich parses a str as markup, but not a Text
    result_table = Table(
        title=text, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1)
    )
    result_table.add_column("operation", no_wrap=True)
    result_table.add_column("case")
    for header in ("size", "us/call", "ns/element", "GB/s", "time /\nyardstick"):
        result_table.add_column(header, justify="right", no_wrap=True)
    result_table.add_column("target", no_wrap=True)
    result_table.add_column("x NumPy", justify="right", no_wrap=True)
    peers = sorted({name for result in results for name in result.speedup_over_peers})
    for name in peers:
        result_table.add_column(f"x {name}", justify="right", no_wrap=True)
    for result in results:
        result_table.add_row(*_cells(result, peers))
    return result_table


def _cells(result: Result, peers: Sequence[str]) -> list[str]:
    return [
        result.operation,
        result.variant,
        size(result.n),
        f"{result.seconds * 1e6:.2f}",
        f"{result.ns_per_element:.3f}",
        f"{result.gb_per_s:.1f}",
        "" if result.ratio is None else f"{result.ratio:.2f} of {result.yardstick}",
        _target(result),
        f"{result.speedup_over_numpy:.1f}" if result.identical else "WRONG RESULT",
        *(
            f"{result.speedup_over_peers[name]:.1f}" if name in result.speedup_over_peers else ""
            for name in peers
        ),
    ]


def _target(result: Result) -> str:
    """Return the target and whether it is met, or nothing if there is no target."""
    if result.time_target_met is None:
        return ""
    if result.call_target is not None:
        target = f"{result.call_target * 1e6:.3g} us"
    else:
        target = f"{result.ratio_target:.3g}"
    return f"<= {target} {'yes' if result.time_target_met else 'NO'}"
