"""The command ``secateur``: information about the machine, a demonstration, and the benchmarks."""

from __future__ import annotations

import contextlib
import io
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

try:
    import typer
    from rich import box
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Table
    from rich.text import Text

    from secateur import demo as demonstration
except ModuleNotFoundError as missing:
    if missing.name not in {"typer", "rich", "safetensors"}:
        raise
    sys.exit('secateur: the command line needs more packages: pip install "secateur[cli]"')

import numpy as np

import secateur as sc
from secateur import bench as benchmarks
from secateur.terminal import escaped, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

# Exit codes.
FAILED = 1  # a tensor was refused, a result is wrong, or the output could not be written
MISUSED = 2  # an argument is wrong, or a file cannot be read
INTERRUPTED = 130  # the convention of shells: 128 plus the number of SIGINT

# The base class of all argument errors. Its name depends on the version of Typer.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    help="Prune and quantize NumPy arrays as fast as memory allows.",
    add_completion=False,
    rich_markup_mode=None,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. A failure prints one line on stderr."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stdout is None:
        return _tell("standard output is closed", FAILED)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does
    try:
        command = typer.main.get_command(app)
        code = command.main(words or ["--help"], "secateur", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        reason = error.format_message().rstrip(".")
        command_path = error.ctx.command_path if error.ctx else "secateur"
        return _tell(f"{reason} (see {command_path} --help)", MISUSED)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        _flush_or_discard()
        if isinstance(error, BrokenPipeError):  # the reader, such as head, has ended
            return FAILED
        return _tell(error.strerror or str(error), FAILED)
    if code == INTERRUPTED:
        return _tell("interrupted", INTERRUPTED)
    return code or 0


@app.command()
def info() -> None:
    """Show the version, the instruction sets, the threads and the caches."""
    table = Table(box=None, show_header=False)
    for name, value in machine().items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(name, Text(escaped(text)))  # Rich parses a str as markup, but not a Text
    _show(table)


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
            progress.update(task, description=shown(tensor.name))
            reports.append(demonstration.process(tensor, sparsity, bits))
            progress.advance(task, tensor.size)
    noted = any(report.note for report in reports)
    _show(demonstration.table(reports, title), min_width=112 if noted else 80)
    if left := len(tensors) - len(chosen):
        tensors_left = f"{left} tensor{'s' if left > 1 else ''} of fewer than two dimensions"
        _show(f"{tensors_left} left out; --all includes them")
    if refused := sum(report.refused for report in reports):
        _fail(f"{refused} of {len(reports)} tensors refused; the table says why", FAILED)


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
    try:
        if json_file:
            _write_json(results, json_file)
    finally:  # show the results even if the file cannot be written
        with sc.threads(1):
            _show(_bench_table(results, f"{machine()['CPU']}, {_setting()}"), min_width=120)
    if not all(result.identical for result in results):
        _fail("a result differs from NumPy's", FAILED)


def machine() -> dict[str, Any]:
    """Return the properties of the machine and the software that results depend on."""
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
    """Return the name of the CPU from Linux's /proc or, elsewhere, from Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _caches() -> list[str]:
    """Return the caches of the first CPU, such as "L1 Data 32K", from Linux's /sys."""
    found = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    try:
        return [
            "L" + " ".join((cache / name).read_text().strip() for name in ("level", "type", "size"))
            for cache in found
        ]
    except OSError:  # some machines do not report the size
        return []


def _write_json(results: list[benchmarks.Result], file: typer.FileTextWrite) -> None:
    rows = [
        asdict(result) | {"limit_met": result.limit_met, "numpy_met": result.numpy_met}
        for result in results
    ]
    with _writing(file.name):
        json.dump({"machine": machine(), "results": rows}, file, indent=2)
        file.flush()


def _bench_table(results: list[benchmarks.Result], title: str) -> Table:
    text = Text(escaped(title))
    table = Table(title=text, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
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


# --- output ---------------------------------------------------------------------------------


def _show(content: RenderableType, min_width: int = 80) -> None:
    """Print to stdout in the width of the terminal, at least `min_width`; to a pipe, unlimited."""
    width = max(min_width, Console().width) if sys.stdout.isatty() else 1000
    with _writing("standard output"):
        Console(width=width).print(content, highlight=False)


def _progress() -> Progress:
    """Return a progress bar on stderr, disabled unless that is a terminal."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    visible = sys.stderr is not None and sys.stderr.isatty()
    # Quiet, because older versions of Rich write a newline at the end of a disabled bar.
    console = Console(stderr=True, quiet=not visible)
    return Progress(*columns, console=console, transient=True, disable=not visible)


@contextlib.contextmanager
def _writing(name: str) -> Iterator[None]:
    """Add `name` to the message of a write error. A closed pipe is passed on unchanged."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"cannot write {name}: {error.strerror}") from error


def _flush_or_discard() -> None:
    """Empty the buffer of stdout, so that Python does not fail again when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(message: str, code: int) -> int:
    """Print one line on stderr, if it is open, and return the exit code."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"secateur: {escaped(message)}", file=sys.stderr, flush=True)
    return code


def _fail(message: str, code: int = MISUSED) -> NoReturn:
    """Print one line on stderr and end the command."""
    raise typer.Exit(_tell(message, code))


if __name__ == "__main__":
    sys.exit(main())
