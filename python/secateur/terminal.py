"""Escape text from files and arguments so that a terminal can show it safely."""

from __future__ import annotations

MAX_LENGTH = 200  # characters of a name; names in published checkpoints have about 100


def escaped(text: str) -> str:
    r"""Replace all characters that are not printable by the escapes of `repr`.

    The result holds no newline, control sequence, bidirectional override or lone surrogate. It
    takes one line and cannot control the terminal.

    Examples
    --------
    >>> from secateur.terminal import escaped
    >>> print(escaped("a\nb \x1b[31m \u202e \udcff café"))
    a\nb \x1b[31m \u202e \udcff café
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def printable(text: str) -> str:
    """Escape the text; if it is longer than `MAX_LENGTH`, omit its middle.

    Examples
    --------
    >>> from secateur.terminal import printable
    >>> len(printable("w" * 100_000))
    224
    >>> printable("w" * 100_000)[-24:]
    'www (100,000 characters)'
    """
    if len(text) <= MAX_LENGTH:
        return escaped(text)
    half = MAX_LENGTH // 2
    return escaped(f"{text[:half]}...{text[-half:]} ({len(text):,} characters)")
