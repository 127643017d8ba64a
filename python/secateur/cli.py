"""The command ``secateur``: what this machine offers, a demonstration, and the benchmarks."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

try:
    import typer
    from rich import box
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table

    from secateur import demo as demonstration
except ModuleNotFoundError as missing:
    if missing.name not in {"typer", "rich", "safetensors"}:
        raise
    sys.exit('secateur: the command line needs more packages: pip install "secateur[cli]"')

import numpy as np

import secateur as sc
from secateur import bench as benchmarks

app = typer.Typer(
    help="Prune and quantize NumPy arrays as fast as memory allows.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line."""
    app(prog_name="secateur")


@app.command()
def info() -> None:
    """Show the version, the instruction sets, the threads and the caches."""
    table = Table(box=None, show_header=False)
    for name, value in machine().items():
        table.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
    _console().print(table)


@app.command()
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.safetensors", help="A model; a built-in one if left out."),
    ] = None,
    sparsity: Annotated[float, typer.Option(help="The share of each tensor to remove.")] = 0.9,
    bits: Annotated[int, typer.Option(help="Width of the integers: 8 or 16.")] = 8,
    threads: Annotated[
        int | None, typer.Option(help="Threads to use; all that there are if left out.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take tensors of fewer than two dimensions too.")
    ] = False,
) -> None:
    """Prune and quantize every weight of a model, and compare with NumPy."""
    if not 0 <= sparsity <= 1:
        _fail(f"--sparsity must be between 0 and 1; got {sparsity}")
    if bits not in (8, 16):
        _fail(f"--bits must be 8 or 16; got {bits}")
    if threads is not None and not 1 <= threads <= 1024:
        _fail(f"--threads must be between 1 and 1024; got {threads}")
    tensors = _tensors(file)
    chosen = [tensor for tensor in tensors if everything or len(tensor.shape) >= 2]
    with sc.threads(threads or sc.get_num_threads()), _progress() as progress:
        title = f"{file or 'built-in model'}: sparsity {sparsity}, {bits} bits, {_setting()}"
        task = progress.add_task("", total=sum(tensor.size for tensor in chosen))
        reports = []
        for tensor in chosen:
            progress.update(task, description=tensor.name)
            try:
                reports.append(demonstration.process(tensor, sparsity, bits))
            except OSError as error:
                _fail(f"cannot read {file}: {error}")
            progress.advance(task, tensor.size)
    console = _console(least=112 if any(report.note for report in reports) else 80)
    console.print(demonstration.table(reports, title))
    if len(chosen) < len(tensors):
        left = len(tensors) - len(chosen)
        console.print(f"{left} tensors of fewer than two dimensions left out; --all takes them")
    if any(report.refused for report in reports):
        raise typer.Exit(1)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Smaller arrays, fewer rounds.")] = False,
    json_file: Annotated[
        typer.FileTextWrite | None,
        typer.Option("--json", metavar="FILE", lazy=False, help="Write the results there too."),
    ] = None,
) -> None:
    """Measure every operation against the memory limit and against NumPy."""
    cases = benchmarks.cases(benchmarks.QUICK if quick else benchmarks.FULL)
    results = []
    with _progress() as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:
            progress.update(task, description=str(case))
            results.append(benchmarks.measure(case, rounds=7 if quick else 21))
            progress.advance(task)
    if json_file:
        rows = [
            asdict(result) | {"limit_met": result.limit_met, "numpy_met": result.numpy_met}
            for result in results
        ]
        json.dump({"machine": machine(), "results": rows}, json_file, indent=2)
    with sc.threads(1):
        _console(least=120).print(_bench_table(results, f"{machine()['CPU']}, {_setting()}"))
    if not all(result.identical for result in results):
        print("secateur: a result differs from NumPy's", file=sys.stderr)
        raise typer.Exit(1)


def machine() -> dict[str, Any]:
    """What the results of this machine depend on."""
    return {
        "secateur": sc.__version__,
        "ISA used": sc.isa(),
        "ISAs available": list(sc.isas()),
        "threads": sc.get_num_threads(),
        "CPU": _cpu(),
        "CPUs": os.cpu_count(),
        "caches": _caches() or "not told by this system",
        "system": platform.platform(),
        "Python": platform.python_version(),
        "NumPy": np.__version__,
    }


def _cpu() -> str:
    """The CPU's name, where Linux tells it; else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _caches() -> list[str]:
    """The caches of the first CPU, such as "L1 Data 32K", where Linux tells them."""
    found = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    return [
        "L" + " ".join((cache / name).read_text().strip() for name in ("level", "type", "size"))
        for cache in found
    ]


def _bench_table(results: list[benchmarks.Result], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("operation", no_wrap=True)
    table.add_column("case")
    for header in ("size", "us/call", "ns/element", "GB/s", "share"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("target", no_wrap=True)
    table.add_column("x NumPy", justify="right", no_wrap=True)
    table.add_column("target", no_wrap=True)
    peers = sorted({name for result in results for name in result.times_peers})
    for name in peers:
        table.add_column(f"x {name}", justify="right", no_wrap=True)
    for result in results:
        table.add_row(
            result.operation,
            result.variant,
            benchmarks.size(result.n),
            f"{result.seconds * 1e6:.2f}",
            f"{result.ns_per_element:.3f}",
            f"{result.gb_per_s:.1f}",
            "" if result.share is None else f"{result.share:.2f} of {result.yardstick}",
            _verdict(_limit(result), result.limit_met),
            f"{result.times_numpy:.1f}" if result.identical else "WRONG RESULT",
            _verdict(f">= {result.numpy_target or 0:.3g}", result.numpy_met),
            *(
                f"{result.times_peers[name]:.1f}" if name in result.times_peers else ""
                for name in peers
            ),
        )
    return table


def _limit(result: benchmarks.Result) -> str:
    if result.call_target is not None:
        return f"<= {result.call_target * 1e6:.3g} us"
    return f"<= {result.share_target or 0:.3g}"


def _verdict(target: str, met: bool | None) -> str:
    return "" if met is None else f"{target} {'yes' if met else 'NO'}"


def _tensors(file: Path | None) -> list[demonstration.Tensor]:
    if file is None:
        return demonstration.builtin_model()
    try:
        return demonstration.read_safetensors(file)
    except OSError as error:
        _fail(f"cannot read {file}: {error.strerror or error}")
    except ValueError as error:
        _fail(str(error))


def _setting() -> str:
    threads = sc.get_num_threads()
    return f"{sc.isa()}, {threads} thread{'s' if threads > 1 else ''}"


def _console(least: int = 80) -> Console:
    """As wide as the terminal, but so wide that no number is cut; for a pipe, without bounds."""
    return Console(width=max(least, Console().width) if sys.stdout.isatty() else 1000)


def _progress() -> Progress:
    """A bar on stderr, if anybody sees it."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    return Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def _fail(message: str) -> NoReturn:
    """One line on stderr, and the exit code of wrong usage."""
    print(f"secateur: {message}", file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
