"""The command ``secateur``: information about the machine, a demonstration, and the benchmarks.

It needs the extra ``secateur[cli]``.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

try:
    import typer

    from secateur.cli.commands import app
    from secateur.cli.output import FAILED, INTERRUPTED, MISUSED, flush_or_discard, tell
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] not in {"typer", "rich", "safetensors"}:
        raise
    sys.exit('secateur: the command line needs more packages: pip install "secateur[cli]"')

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

# The base class of all argument errors. Its name depends on the version of Typer.
UsageError: Any = typer.BadParameter.__base__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. A failure prints one line on stderr."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if sys.stdout is None:
        return tell("standard output is closed", FAILED)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr does
    try:
        command = typer.main.get_command(app)
        code = command.main(words or ["--help"], "secateur", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        reason = error.format_message().rstrip(".")
        command_path = error.ctx.command_path if error.ctx else "secateur"
        return tell(f"{reason} (see {command_path} --help)", MISUSED)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        flush_or_discard()
        if isinstance(error, BrokenPipeError):  # the reader, such as head, has ended
            return FAILED
        return tell(error.strerror or str(error), FAILED)
    if code == INTERRUPTED:
        return tell("interrupted", INTERRUPTED)
    return code or 0
