"""Turns a file of ``secateur bench --json`` into a plot (SVG) or a Markdown table.

``python benchmarks/figures.py plot FILE.json FILE.svg``
``python benchmarks/figures.py table FILE.json``

The table has the times of the file, and the targets of the present cases. The plot needs
matplotlib, which the extra ``docs`` installs.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

from secateur.bench import Case, cases, size

# The rows of the plot: operation, case, label. Those that a file lacks are left out.
PLOTTED = (
    ("kth_magnitude", "k/n = 0.1", "kth_magnitude"),
    ("prune", "", "prune"),
    ("prune", "2:4", "prune, 2:4"),
    ("prune", "by row", "prune, each row"),
    ("prune_mask", "bool", "prune_mask"),
    ("prune_quantize", "int8", "prune_quantize, int8"),
    ("quantize", "int8", "quantize, int8"),
    ("dequantize", "int8", "dequantize, int8"),
    ("quantize", "affine", "quantize, affine int8"),
    ("soft_threshold", "", "soft_threshold"),
)
PEERS = {"numpy": "NumPy", "torch": "PyTorch", "onnxruntime": "ONNX Runtime"}

Row = dict[str, Any]


def speedups(row: Row) -> dict[str, float]:
    """Return how many times faster than each peer the package is."""
    return {"numpy": row["speedup_over_numpy"], **row["speedup_over_peers"]}


def plotted_rows(results: list[Row]) -> list[tuple[str, Row]]:
    """Return the labels and rows of the plot, at the main size of the run."""
    main = max(row["n"] for row in results if row["operation"] == "kth_magnitude")
    by_case = {(row["operation"], row["variant"]): row for row in results if row["n"] == main}
    return [
        (label, by_case[operation, case])
        for operation, case, label in PLOTTED
        if (operation, case) in by_case
    ]


def plot(data: dict[str, Any], path: Path) -> None:
    """Write two panels of bars: the time relative to memory, and the speedups over the peers."""
    import matplotlib as mpl  # noqa: PLC0415 - only the plot needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    # Text stays text, and the same figures give the same file.
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "secateur", "font.size": 9}
    rows = plotted_rows(data["results"])
    n = rows[0][1]["n"]
    figure = Figure(figsize=(9, 4), layout="constrained")
    limits, peers = figure.subplots(1, 2, sharey=True)
    positions = range(len(rows))

    limits.barh(positions, [row["ratio"] for _, row in rows], height=0.6, color="#356b8c")
    for position, (_, row) in zip(positions, rows, strict=True):
        text = f"{row['ratio']:.2f} of {row['yardstick']}"
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        limits.text(row["ratio"] + 0.03, position, text, va="center", fontsize=8, bbox=behind)
    limits.axvline(1, color="black", linewidth=0.8)
    limits.set_xlim(0, max(row["ratio"] for _, row in rows) * 1.35)
    limits.set_xlabel("time / time of the memory limit (less is faster)")
    limits.set_yticks(positions, [label for label, _ in rows])
    limits.invert_yaxis()

    height = 0.27
    for number, (peer, name) in enumerate(PEERS.items()):
        places = [
            (position + (number - 1) * height, speedups(row)[peer])
            for position, (_, row) in enumerate(rows)
            if peer in speedups(row)
        ]
        if places:
            centers, factors = zip(*places, strict=True)
            widths = [factor - 1 for factor in factors]  # bars begin at 1
            color = ("#8fb339", "#d1703c", "#7a6f9b")[number]
            peers.barh(centers, widths, height=height, left=1, label=name, color=color)
    peers.set_xscale("log")
    peers.axvline(1, color="black", linewidth=0.8)
    peers.set_xlim(left=0.9 * min(1, *(min(speedups(row).values()) for _, row in rows)))
    peers.set_xlabel("times faster than (logarithmic)")
    peers.legend(loc="lower right", fontsize=8)
    for axes in (limits, peers):
        axes.spines[["top", "right"]].set_visible(False)

    machine = data["machine"]
    figure.suptitle(
        f"{machine['CPU']}, {machine['ISA used']}, one thread, {size(n)} float32", fontsize=10
    )
    svg = io.StringIO()
    figure.savefig(svg, format="svg", metadata={"Date": None})
    lines = (line.rstrip() for line in svg.getvalue().splitlines())
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def target_of(row: Row, case: Case | None) -> float | None:
    """Return the target of a row, in the unit of its time, or None if it has no target.

    It is that of the present case, if the row was measured against the same yardstick. The recorded
    target is that of a row that no case has, or of one on two threads whose target was measured.
    """
    kind = "call_target" if row["ratio"] is None else "ratio_target"
    recorded: float | None = row.get(kind)
    if case is None:
        return recorded
    if case.yardstick != row["yardstick"]:
        return None
    present: float | None = getattr(case, kind)
    return recorded if present is None and case.yardstick == "1 thread" else present


def table(data: dict[str, Any]) -> str:
    """Return all rows as a Markdown table. A target that is missed is bold."""
    by_key = {(case.operation, case.variant, case.n): case for case in cases(cpus=2)}
    present = [peer for peer in PEERS if any(peer in speedups(row) for row in data["results"])]
    header = ["operation", "case", "size", "time", "target", *(f"× {PEERS[p]}" for p in present)]
    lines = [header, ["---"] * len(header)]
    for row in data["results"]:
        target = target_of(row, by_key.get((row["operation"], row["variant"], row["n"])))
        if row["ratio"] is None:
            measured, unit = row["seconds"] * 1e6, " µs"
            target = target and target * 1e6
        else:
            measured, unit = row["ratio"], ""
        time = f"{measured:.2f}{unit or ' of ' + row['yardstick']}"
        shown_target = "" if target is None else f"{target:.3g}{unit}"
        if target is not None and measured > target:
            shown_target = f"**{shown_target}, missed**"
        factors = (f"{speedups(row)[p]:.1f}" if p in speedups(row) else "" for p in present)
        lines.append(
            [row["operation"], row["variant"], size(row["n"]), time, shown_target, *factors]
        )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main(arguments: list[str]) -> None:
    match arguments:
        case ["plot", source, target]:
            plot(json.loads(Path(source).read_text(encoding="utf-8")), Path(target))
        case ["table", source]:
            print(table(json.loads(Path(source).read_text(encoding="utf-8"))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
