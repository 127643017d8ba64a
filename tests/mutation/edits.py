"""Edits and mutants. A mutant is one edit of one file."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """The replacement of the characters [begin, end) of a source by `text`."""

    begin: int
    end: int
    text: str
    kind: str

    def apply(self, source: str) -> str:
        return source[: self.begin] + self.text + source[self.end :]


@dataclass(frozen=True)
class Mutant:
    """An edit of the file at a path, which is relative to the repository."""

    path: str
    source: str
    edit: Edit

    @property
    def id(self) -> str:
        """A hash of the path, the source and the edit."""
        edit = self.edit
        parts = self.path, self.source, str(edit.begin), str(edit.end), edit.text
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]

    @property
    def line(self) -> int:
        return line_of(self.source, self.edit.begin)

    @property
    def before(self) -> str:
        """The lines that the edit changes, as one line."""
        return self._touched(self.source, self.edit.end)

    @property
    def after(self) -> str:
        return self._touched(self.mutated, self.edit.begin + len(self.edit.text))

    @property
    def mutated(self) -> str:
        return self.edit.apply(self.source)

    def _touched(self, text: str, end: int) -> str:
        begin = text.rfind("\n", 0, self.edit.begin) + 1
        stop = text.find("\n", end)
        return " ".join(text[begin : len(text) if stop < 0 else stop].split())


def line_of(source: str, offset: int) -> int:
    return source.count("\n", 0, offset) + 1


def swapped(source: str, first: tuple[int, int], second: tuple[int, int], kind: str) -> list[Edit]:
    """Return the edit that swaps two ranges of a source; none if their texts are equal."""
    one, other = source[slice(*first)], source[slice(*second)]
    if one.split() == other.split():
        return []
    between = source[first[1] : second[0]]
    return [Edit(first[0], second[1], other + between + one, kind)]
