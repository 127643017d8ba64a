"""What the command prints and where; its exit codes."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from secateur.terminal import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

# Exit codes.
FAILED = 1  # a tensor was refused, a result is wrong, or the output could not be written
MISUSED = 2  # an argument is wrong, or a file cannot be read
INTERRUPTED = 130  # the convention of shells: 128 plus the number of SIGINT


def show(content: RenderableType, min_width: int = 80) -> None:
    """Print to stdout: in the width of the terminal, at least `min_width`, or in 1000 columns."""
    width = max(min_width, Console().width) if sys.stdout.isatty() else 1000
    with writing("standard output"):
        Console(width=width).print(content, highlight=False)


def progress_bar() -> Progress:
    """Return a progress bar on stderr, disabled unless that is a terminal."""
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn()
    visible = sys.stderr is not None and sys.stderr.isatty()
    # Quiet, because older versions of Rich write a newline at the end of a disabled bar.
    console = Console(stderr=True, quiet=not visible)
    return Progress(*columns, console=console, transient=True, disable=not visible)


@contextlib.contextmanager
def writing(name: str) -> Iterator[None]:
    """Add `name` to the message of a write error. A closed pipe is passed on unchanged."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"cannot write {name}: {error.strerror}") from error


def flush_or_discard() -> None:
    """Empty the buffer of stdout, so that Python does not fail again when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(message: str, code: int) -> int:
    """Print one line on stderr, if it is open, and return the exit code."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"secateur: {escaped(message)}", file=sys.stderr, flush=True)
    return code


def fail(message: str, code: int = MISUSED) -> NoReturn:
    """Print one line on stderr and end the command."""
    raise typer.Exit(tell(message, code))
