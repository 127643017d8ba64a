"""The commands: their options, and what each does."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - Typer reads annotations at run time
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

import secateur as sc
from secateur import bench as benchmarks
from secateur import demo as demonstration
from secateur.bench import report
from secateur.cli.machine import machine
from secateur.cli.output import FAILED, fail, progress_bar, show, writing
from secateur.terminal import escaped, printable

app = typer.Typer(
    help="Prune and quantize NumPy arrays, close to memory bandwidth.",
    add_completion=False,
    rich_markup_mode=None,
)


@app.command()
def info() -> None:
    """Show the version, the instruction sets, the threads and the caches."""
    table = Table(box=None, show_header=False)
    for name, value in machine().items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(name, Text(escaped(text)))  # Rich parses a str as markup, but not a Text
    show(table)


@app.command()
def demo(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.safetensors",
            readable=False,  # not checked here: reading the file gives a better error
            help="A model; a built-in one if left out.",
        ),
    ] = None,
    sparsity: Annotated[float, typer.Option(help="The share of each tensor to remove.")] = 0.9,
    bits: Annotated[int, typer.Option(help="Width of the integers: 8 or 16.")] = 8,
    threads: Annotated[
        int | None, typer.Option(help="Threads to use; by default those of `secateur info`.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Take tensors of fewer than two dimensions too.")
    ] = False,
) -> None:
    """Prune and quantize every weight matrix of a model, and compare with NumPy."""
    if not 0 <= sparsity <= 1:
        fail(f"--sparsity must be between 0 and 1; got {sparsity}")
    if bits not in (8, 16):
        fail(f"--bits must be 8 or 16; got {bits}")
    if threads is not None and not 1 <= threads <= 1024:
        fail(f"--threads must be between 1 and 1024; got {threads}")
    tensors = _tensors(file)
    chosen = [tensor for tensor in tensors if everything or len(tensor.shape) >= 2]
    with sc.threads(threads or sc.get_num_threads()), progress_bar() as progress:
        title = f"{file or 'built-in model'}: sparsity {sparsity}, {bits} bits, {_setting()}"
        task = progress.add_task("", total=sum(tensor.size for tensor in chosen))
        reports = []
        for tensor in chosen:
            progress.update(task, description=printable(tensor.name))
            reports.append(demonstration.process(tensor, sparsity, bits))
            progress.advance(task, tensor.size)
    noted = any(item.note for item in reports)
    show(demonstration.table(reports, title), min_width=118 if noted else 80)
    if left := len(tensors) - len(chosen):
        tensors_left = f"{left} tensor{'s' if left > 1 else ''} of fewer than two dimensions"
        show(f"{tensors_left} left out; --all includes them")
    if refused := sum(item.refused for item in reports):
        fail(f"{refused} of {len(reports)} tensors refused; the table says why", FAILED)


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
    with progress_bar() as progress:
        task = progress.add_task("", total=len(cases))
        for case in cases:
            progress.update(task, description=str(case))
            results.append(benchmarks.measure(case, rounds=7 if quick else 21))
            progress.advance(task)
    try:
        if json_file:
            _write_json(results, json_file)
    finally:  # show the results even if the file cannot be written
        with sc.threads(1):
            show(report.table(results, f"{machine()['CPU']}, {_setting()}"), min_width=120)
    if not all(result.identical for result in results):
        fail("a result differs from NumPy's", FAILED)


def _write_json(results: list[benchmarks.Result], file: typer.FileTextWrite) -> None:
    with writing(file.name):
        json.dump({"machine": machine(), "results": report.json_rows(results)}, file, indent=2)
        file.flush()


def _tensors(file: Path | None) -> list[demonstration.Tensor]:
    if file is None:
        return demonstration.builtin_model()
    try:
        return demonstration.read_safetensors(file)
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror or error}")
    except ValueError as error:
        fail(str(error))


def _setting() -> str:
    threads = sc.get_num_threads()
    return f"{sc.isa()}, {threads} thread{'s' if threads > 1 else ''}"
