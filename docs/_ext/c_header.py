"""A Sphinx directive that documents a C header from its declarations and comments.

``.. c-header:: PATH`` parses the header at PATH, relative to the document, and adds its sections,
enums, structs, macros, callbacks and functions to the C domain. A comment that stands directly above
a declaration describes it; any other comment is a paragraph of its section. A comment
``/* ---- Title ---- */`` begins a section. A function without a comment, and text that is not
understood, are errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
SECTION = re.compile(r"/\* -{2,} (?P<title>.*?) -{2,} \*/")
# Lines that are for the compiler only. The pairs of C++ lines are dropped as a whole.
COMPILER_ONLY = re.compile(
    r"#ifdef __cplusplus\n(?:(?!#endif).*\n)*#endif|#(?:ifndef|include|endif|undef).*"
    r"|#define SECATEUR_SECATEUR_H"
)
DECLARATION = re.compile(
    r"typedef (?P<tag>enum|struct) (?P<type>\w+)(?: SC_OF_INT)? \{(?P<body>.*?)\} \w+;"
    r"|typedef (?P<result>[^;{]*?)\(\*(?P<callback>\w+)\)(?P<arguments>\([^;]*\));"
    r"|#define (?P<macro>SC_\w+) (?P<value>\S+)"
    r"|(?P<function>\w[^;{}#]*?(?P<name>sc_\w+)\([^;]*\));",
    re.DOTALL,
)
# Comments and entries of a body. An entry ends at a separator or at the end of the body.
ENTRIES = {
    "enum": re.compile(r"(?P<comment>/\*.*?\*/)|(?P<entry>[^,/]+),?", re.DOTALL),
    "struct": re.compile(r"(?P<comment>/\*.*?\*/)|(?P<entry>[^;/]+);?", re.DOTALL),
}
LIST_ITEM = re.compile(r"(?:-|\d+\.) ")
FUNCTION_NAME = re.compile(r"\b(sc_\w+)\(")
ROLES = {"enum": "enum", "struct": "struct", "macro": "macro", "callback": "type"}


@dataclass
class Item:
    """A declaration, a paragraph or a title, with its comment."""

    kind: str  # "title", "text", "enum", "struct", "callback", "macro" or "function"
    name: str = ""
    text: str = ""  # the comment
    signatures: list[str] = field(default_factory=list)
    entries: list[tuple[str, str]] = field(default_factory=list)  # declaration, comment


def comment_lines(comment: str) -> list[str]:
    """Return the lines of a comment without its frame, indented as in the header."""
    inner = comment.removeprefix("/*").removesuffix("*/")
    return [re.sub(r"^ *\* ?", "", line).rstrip() for line in f"* {inner.strip()}".split("\n")]


def parse(header: str) -> list[Item]:
    """Return the items of a header in their order."""
    items: list[Item] = []
    comment = ""
    position = 0
    while position < len(header):
        if space := re.match(r"\s+", header[position:]):
            if space.group().count("\n") > 1 and comment:
                items.append(Item("text", text=comment))
                comment = ""
            position += space.end()
        elif match := SECTION.match(header, position):
            items.append(Item("title", name=match["title"]))
            position = match.end()
        elif match := COMMENT.match(header, position):
            if comment:
                items.append(Item("text", text=comment))
            comment = match.group()
            position = match.end()
        elif match := COMPILER_ONLY.match(header, position):
            # The comment at the head of the file stands above the include guard.
            if comment and not items:
                items.append(Item("text", text=comment))
            comment = ""
            position = match.end()
        elif match := DECLARATION.match(header, position):
            position = match.end()
            together = re.match(r"\n(?=[\w#])(?!#(?:endif|undef|ifdef))", header[position:])
            # A comment above several adjacent declarations describes them together.
            items.append(declared(match, "" if together else comment))
            if not together:
                comment = ""
        else:
            line = header.count("\n", 0, position) + 1
            msg = f"line {line} is not understood: {header[position:].splitlines()[0]!r}"
            raise ExtensionError(msg)
    return merged(items)


def declared(match: re.Match[str], comment: str) -> Item:
    """Return the item of a declaration."""
    if match["tag"]:
        entries = body_entries(match["tag"], match["body"])
        return Item(match["tag"], match["type"], comment, [match["type"]], entries)
    if match["callback"]:
        signature = f"{match['result']}(*{match['callback']}){match['arguments']}"
        return Item("callback", match["callback"], comment, [signature])
    if match["macro"]:
        return Item("macro", match["macro"], comment, [match["macro"]], [(match["value"], "")])
    return Item("function", match["name"], comment, [" ".join(match["function"].split())])


def body_entries(tag: str, body: str) -> list[tuple[str, str]]:
    """Return the members or enumerators, each with the comment beside or above it."""
    entries: list[tuple[str, str]] = []
    above = ""
    end_of_entry = -1  # where the last entry ends, if no line has ended since
    for match in ENTRIES[tag].finditer(body):
        if match["comment"]:
            beside = end_of_entry >= 0 and "\n" not in body[end_of_entry : match.start()]
            if beside:
                entries[-1] = (entries[-1][0], match["comment"])
            else:
                above = match["comment"]
        elif entry := " ".join(match["entry"].split()):
            entries.append((entry, above))
            above = ""
            # The separator ends the entry, or else the last line of its text.
            end_of_entry = match.start() + len(match.group().rstrip())
    return entries


def merged(items: list[Item]) -> list[Item]:
    """Join adjacent functions that share a comment."""
    result: list[Item] = []
    for item in items:
        last = result[-1] if result else None
        if last and last.kind == item.kind == "function" and not last.text:
            last.signatures += item.signatures
            last.text = item.text
        else:
            result.append(item)
    for item in result:
        if item.kind == "function" and not item.text:
            msg = f"{item.name} has no comment"
            raise ExtensionError(msg)
    return result


# --- reStructuredText -----------------------------------------------------------------------


class Writer:
    """Writes items as reStructuredText, with links between them."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items
        self.roles: dict[str, str] = {}
        for item in items:
            for signature in item.signatures:
                if item.kind == "function":
                    self.roles[FUNCTION_NAME.findall(signature)[0]] = "func"
                else:
                    self.roles[item.name] = ROLES[item.kind]
            if item.kind == "enum":
                self.roles |= {entry.split()[0]: "enumerator" for entry, _ in item.entries}

    def lines(self) -> Iterator[str]:
        for item in self.items:
            yield ""
            if item.kind == "title":
                yield from (item.name, "-" * len(item.name))
            elif item.kind == "text":
                yield from self.prose(item.text)
            else:
                yield from self.declaration(item)

    def declaration(self, item: Item) -> Iterator[str]:
        directive = {"callback": "type"}.get(item.kind, item.kind)
        first, *others = item.signatures
        yield f".. c:{directive}:: {first}"
        yield from (f"   {' ' * len(directive)}     {signature}" for signature in others)
        yield ""
        yield from indented(self.prose(item.text) if item.text else [])
        if item.kind == "macro":
            yield from ("", f"   Its value is {item.entries[0][0]}.")
            return
        member = "enumerator" if item.kind == "enum" else "member"
        for entry, comment in item.entries:
            for declaration in single_declarations(entry):
                yield from ("", f"   .. c:{member}:: {declaration}", "")
                yield from indented(indented(self.prose(comment) if comment else []))

    def prose(self, comment: str) -> Iterator[str]:
        """Return the paragraphs and lists of a comment. Indented lines are the items of a list."""
        paragraph: list[str] = []
        item_indent = 0
        for line in [*comment_lines(comment), ""]:
            indent = len(line) - len(line.lstrip())
            starts_item = indent and (not paragraph or indent <= item_indent or not item_indent)
            if paragraph and (not line or starts_item or (not indent and item_indent)):
                yield from ("", self.inline(paragraph, is_item=item_indent > 0))
                paragraph = []
            if not paragraph:
                item_indent = indent
            if line:
                paragraph.append(line.strip())
        yield ""

    def inline(self, lines: list[str], *, is_item: bool) -> str:
        """Return a paragraph or an item on one line, with links and without markup of its own."""
        text = " ".join(lines)
        marker = ""
        if is_item:
            found = LIST_ITEM.match(text)
            marker = found.group() if found else "- "
            text = text[found.end() :] if found else text
        pieces = re.split(r"(`[^`]*`|\b(?:sc|SC)_\w+)", text)
        return marker + "".join(self.piece(piece) for piece in pieces)

    def piece(self, piece: str) -> str:
        if piece.startswith("`"):
            return f"`{piece}`"
        if re.fullmatch(r"(?:sc|SC)_\w+", piece):  # Sphinx warns of a name that is not declared
            return f":c:{self.roles.get(piece, 'func')}:`{piece}`"
        return re.sub(r"([\\*|_`])", r"\\\1", piece)


def single_declarations(entry: str) -> list[str]:
    """Return one declaration for each name of a declaration such as ``double a, b``."""
    first, *others = entry.split(", ")
    declared_type = first.rpartition(" ")[0]
    return [first, *(f"{declared_type} {name}" for name in others)]


def indented(lines: Iterator[str] | list[str]) -> Iterator[str]:
    return (f"   {line}" if line else "" for line in lines)


class CHeader(SphinxDirective):
    """``.. c-header:: PATH``."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, object]] = {}

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        lines = list(Writer(parse(Path(path).read_text(encoding="utf-8"))).lines())
        node = nodes.section(document=self.state.document)
        nested_parse_with_titles(self.state, StringList(lines, source=path), node)
        return node.children


def setup(app: Sphinx) -> dict[str, object]:
    app.add_directive("c-header", CHeader)
    return {"version": "1", "parallel_read_safe": True}
