"""Mutations of C++ source, token by token.

The code is formatted by clang-format, so a binary operator has a space on either side; template
brackets, references and signs do not. Whatever else needs a parser is left to the compiler: a
mutant that does not compile does not count.

A comment that begins with "Tuning:" says that no result depends on the numbers that it belongs to:
those up to the next blank line, or those on its line if it ends a line. They are not mutated.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

from edits import Edit, swapped

TOKEN = re.compile(
    r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<directive>^[ \t]*\#(?:\\\n|[^\n])*)
    |(?P<string>R"(?P<mark>[^(\n]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign><<=|>>=|<=>|\.\.\.|::|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|\S)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)

BINARY = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "&&": "||", "||": "&&", "+": "-", "-": "+", "*": "/", "/": "*", "%": "/",
    "<<": ">>", ">>": "<<", "&": "|", "|": "&", "+=": "-=", "-=": "+=", "*=": "/=", "|=": "&=", "&=": "|=",
}  # fmt: skip
RELATIONS = {"<", "<=", ">", ">=", "==", "!="}
OPPOSITES = {
    "min": "max", "max": "min", "Min": "Max", "Max": "Min", "floor": "ceil", "ceil": "floor",
    "true": "false", "false": "true", "any_of": "all_of", "all_of": "any_of",
    "lower_bound": "upper_bound", "upper_bound": "lower_bound",
}  # fmt: skip

# Functions whose result does not depend on the order of their two arguments.
COMMUTATIVE = {
    "min",
    "max",
    "Min",
    "Max",
    "Add",
    "Mul",
    "And",
    "Or",
    "Xor",
    "swap",
    "least",
    "smaller",
}

# Calls that do not affect results: they reserve or prefetch memory, or order non-temporal stores.
WITHOUT_RESULT = re.compile(r"\w*[pP]refetch\w*|reserve|fence|shrink_to_fit|static_assert")

CONTROL = {"if", "while", "for", "switch", "catch", "return", "sizeof", "alignas", "decltype", "requires",
           "constexpr", "noexcept", "operator", "throw"}  # fmt: skip
TYPES = {"class", "struct", "union", "enum", "namespace"}
CLOSING = {"(": ")", "[": "]", "{": "}", "<": ">"}


@dataclass
class Token:
    kind: str
    text: str
    begin: int
    end: int
    partner: int = -1  # the index of the matching bracket
    in_block: bool = False  # whether the token is within statements
    opens_block: bool = False  # whether the token is the { of a block of statements
    skipped: bool = False  # whether the token is not mutated


@cache
def tuned_names(source: str) -> set[str]:
    """Return the names of the constants that belong to a comment "Tuning:"."""
    code = Code(source)
    return {
        token.text
        for token, after in pairwise(code.tokens)
        if token.skipped and is_constant(token.text) and after.text in {"=", "{"}
    }


def edits_of(source: str, tuned: frozenset[str] = frozenset()) -> list[Edit]:
    """Return all edits of a source file. `tuned` are the tuning constants of all files."""
    code = Code(source, tuned)
    return sorted(
        {
            edit
            for rule in (operators, names, numbers, enumerators, conditions, arguments, statements)
            for edit in rule(code)
        },
        key=lambda edit: (edit.begin, edit.end, edit.text),
    )


def is_constant(name: str) -> bool:
    return re.fullmatch(r"k[A-Z]\w*", name) is not None


@dataclass
class Code:
    """A source file as tokens, with matched brackets and with the skipped tokens marked."""

    source: str
    tuned: frozenset[str] = frozenset()
    tokens: list[Token] = field(default_factory=list)

    def __post_init__(self) -> None:
        tuning = self._tokenize()
        self._pair()
        self._find_blocks()
        self._skip_calls()
        self._skip_types_and_attributes()
        for token in self.tokens:
            if any(begin <= token.begin < end for begin, end in tuning):
                token.skipped = True
        self._skip_inputs_of_skipped()

    def text(self, i: int) -> str:
        return self.tokens[i].text if 0 <= i < len(self.tokens) else ""

    def is_binary(self, i: int) -> bool:
        """Return whether there is white space on either side of the token."""
        token = self.tokens[i]
        around = self.source[token.begin - 1 : token.begin], self.source[token.end : token.end + 1]
        return all(space.isspace() for space in around)

    def is_step(self, i: int) -> bool:
        """Return whether the token is in the head of a `for`."""
        j = i
        while j > 0 and self.text(j) not in {";", "{", "}"}:
            j -= 1
        while j > 0 and self.text(j) not in {"for", "{", "}"}:
            j -= 1
        return self.text(j) == "for" and i < self.tokens[j + 1].partner

    def arguments(self, opening: int) -> list[tuple[int, int]]:
        """Return the ranges of characters of the arguments in a pair of brackets."""
        ranges, i, closing = [], opening + 1, self.tokens[opening].partner
        first = i
        while i <= closing:
            if i == closing or self.text(i) == ",":
                if i > first:
                    ranges.append((self.tokens[first].begin, self.tokens[i - 1].end))
                first = i + 1
            i = max(self.tokens[i].partner, i) + 1
        return ranges

    def _tokenize(self) -> list[tuple[int, int]]:
        """Fill `tokens`, and return the ranges of characters that are tuning."""
        tuning, begin = [], 0
        while match := TOKEN.search(self.source, begin):
            begin = match.end()
            kind, text = match.lastgroup or "", match.group()
            if kind == "mark":
                kind = "string"
            if kind == "comment":
                if re.match(r"//\s*Tuning:", text):
                    tuning.append(self._range_of_comment(match.start()))
            elif text == ">>" and self.source[match.start() - 1] != " ":  # two closing brackets
                begin -= 1
                self.tokens.append(Token(kind, ">", match.start(), match.start() + 1))
            elif kind != "directive":
                self.tokens.append(Token(kind, text, match.start(), match.end()))
        return tuning

    def _range_of_comment(self, begin: int) -> tuple[int, int]:
        """Return the range of characters that a comment "Tuning:" belongs to."""
        line = self.source.rfind("\n", 0, begin) + 1
        if self.source[line:begin].strip():
            return line, begin
        end = self.source.find("\n\n", begin)
        return begin, len(self.source) if end < 0 else end

    def _pair(self) -> None:
        """Match the brackets."""
        open_brackets: list[int] = []
        for i, token in enumerate(self.tokens):
            if token.kind != "sign":
                continue
            is_angle = token.text == "<" and not self.is_binary(i)
            is_angle = is_angle or (token.text == "<" and self.text(i - 1) == "template")
            if token.text in {"(", "[", "{"} or is_angle:
                open_brackets.append(i)
            elif token.text in {")", "]", "}"} or (token.text == ">" and not self.is_binary(i)):
                while open_brackets and CLOSING[self.text(open_brackets[-1])] != token.text:
                    if token.text == ">":  # an operator, not a bracket
                        break
                    open_brackets.pop()
                else:
                    if open_brackets:
                        token.partner = open_brackets.pop()
                        self.tokens[token.partner].partner = i

    def _find_blocks(self) -> None:
        """Mark the braces that hold statements, and the tokens within them."""
        inside = [False]
        for i, token in enumerate(self.tokens):
            token.in_block = inside[-1]
            if token.text == "{":
                kind = self._brace(i)
                token.opens_block = kind == "block"
                inside.append(kind == "block" or (kind == "initializer" and inside[-1]))
            elif token.text == "}" and len(inside) > 1:
                inside.pop()

    def _brace(self, i: int) -> str:
        """Return what a { opens: "types" (a type or a namespace), "block" or "initializer"."""
        head = []  # the tokens before the brace, back to the begin of the statement or declaration
        j = i - 1
        while j >= 0 and (self.text(j) not in {";", "{", "}"} or self._is_initializer_end(j)):
            if 0 <= self.tokens[j].partner < j:
                j = self.tokens[j].partner
            head.append(self.text(j))
            j -= 1
        before = self.text(i - 1)
        if before == "]" and self.text(i - 2) == "]":  # an attribute
            before = self.text(self.tokens[i - 1].partner - 1)
        if head and head[-1] == "template":  # its parameters are in brackets, and so not in head
            head.pop()
        if TYPES & set(head) and before != ")":
            return "types"
        if before in {")", "]", ";", "{", "}", ":", "else", "do", "try", "const", "noexcept", "override",
                      "mutable", ""}:  # fmt: skip
            return "block"
        if "->" in head and head[head.index("->") + 1 : head.index("->") + 2] == ["("]:
            return "block"  # after a trailing return type
        return "initializer"

    def _is_initializer_end(self, j: int) -> bool:
        partner = self.tokens[j].partner
        return self.text(j) == "}" and 0 <= partner < j and not (
            self.tokens[partner].opens_block or self._brace(partner) != "initializer"
        )  # fmt: skip

    def _skip(self, begin: int, end: int) -> None:
        for token in self.tokens[begin : end + 1]:
            token.skipped = True

    def _skip_calls(self) -> None:
        for i, token in enumerate(self.tokens):
            if token.kind == "name" and WITHOUT_RESULT.fullmatch(token.text):
                begin, end = self.statement_around(i)
                self._skip(begin, end)

    def statement_around(self, i: int) -> tuple[int, int]:
        begin, end = i, i
        while begin > 0 and self.text(begin - 1) not in {";", "{", "}"}:
            begin -= 1
        while end < len(self.tokens) - 1 and self.text(end) not in {";", "}"}:
            end = max(self.tokens[end].partner, end) + (not self.tokens[end].opens_block)
        return begin, min(end, len(self.tokens) - 1)

    def _skip_types_and_attributes(self) -> None:
        """Skip template parameters, attributes, enumerations and alignments."""
        for i, token in enumerate(self.tokens):
            if token.text in {"template", "alignas"} and self.tokens[i + 1].partner > i:
                self._skip(i, self.tokens[i + 1].partner)
            elif token.text == "[" and self.text(i + 1) == "[" and token.partner > i:
                self._skip(i, token.partner)
            elif token.text == "enum":
                begin, end = self.statement_around(i)
                self._skip(begin, end)

    def _skip_inputs_of_skipped(self) -> None:
        """Skip declarations of variables that only skipped statements use."""
        changed = True
        while changed:
            changed = False
            for i, token in enumerate(self.tokens):
                if token.skipped or not token.in_block or token.kind != "name":
                    continue
                is_declared = self.text(i + 1) in {"=", "(", "{"} and (
                    self.tokens[i - 1].kind == "name" or self.text(i - 1) in {"&", "*", ">"}
                )
                if not is_declared or self.text(i - 1) in CONTROL:
                    continue
                uses = [
                    t for t in self.tokens[i + 1 : self._end_of_scope(i)] if t.text == token.text
                ]
                if uses and all(use.skipped for use in uses):
                    self._skip(*self.statement_around(i))
                    changed = True

    def _end_of_scope(self, i: int) -> int:
        depth = 0
        for j in range(i, len(self.tokens)):
            depth += (self.text(j) == "{") - (self.text(j) == "}")
            if depth < 0:
                return j
        return len(self.tokens)


def replaced(token: Token, text: str, kind: str) -> Edit:
    return Edit(token.begin, token.end, text, kind)


def editable_tokens(code: Code, kind: str) -> Iterator[tuple[int, Token]]:
    for i, token in enumerate(code.tokens):
        if token.kind == kind and not token.skipped:
            yield i, token


def operators(code: Code) -> Iterator[Edit]:
    for i, token in editable_tokens(code, "sign"):
        if token.text == "!" and code.text(i + 1) != "=":
            yield Edit(token.begin, token.end, "", "negation")
        if token.text not in BINARY or not code.is_binary(i) or token.partner >= 0:
            continue
        if any(
            0 <= j < len(code.tokens) and code.tokens[j].kind == "string" for j in (i - 1, i + 1)
        ):
            continue  # strings have no operator but +
        if token.text in RELATIONS and {code.text(i - 1), code.text(i + 1)} & code.tuned:
            continue  # a tuning constant chooses between methods with the same result
        if token.text in {"+=", "-="} and code.is_step(i):
            continue  # an endless loop is always detected, but only after the time limit
        kind = "relation" if token.text in RELATIONS else "operator"
        yield replaced(token, BINARY[token.text], kind)


def names(code: Code) -> Iterator[Edit]:
    for i, token in editable_tokens(code, "name"):
        if token.text in OPPOSITES and code.text(i - 1) not in {".", "->"}:
            yield replaced(token, OPPOSITES[token.text], "opposite")


def numbers(code: Code) -> Iterator[Edit]:
    for i, token in editable_tokens(code, "number"):
        if sets_counter(code, i):
            continue
        is_hexadecimal = token.text[:2].lower() == "0x"
        if "." in token.text or re.search(
            "p" if is_hexadecimal else "e", token.text, re.IGNORECASE
        ):
            yield replaced(token, f"({token.text} * 2)", "constant")
        elif re.fullmatch(r"\d+", token.text):
            yield replaced(token, str(int(token.text) + 1), "constant")
            if int(token.text) > 0:
                yield replaced(token, str(int(token.text) - 1), "constant")
        else:
            yield replaced(token, f"({token.text} + 1)", "constant")
            yield replaced(token, f"({token.text} - 1)", "constant")
    for i, token in editable_tokens(code, "name"):
        before, after = code.text(i - 1), code.text(i + 1)
        is_used = token.in_block and before not in {"::", ".", "->"}
        is_used = is_used and after not in {"::", ".", "->", "<", "=", "{", "["}
        is_compared = token.text in code.tuned and {before, after} & RELATIONS
        if is_constant(token.text) and is_used and not is_compared:
            yield replaced(token, f"({token.text} + 1)", "constant")
            yield replaced(token, f"({token.text} - 1)", "constant")


def sets_counter(code: Code, i: int) -> bool:
    """Return whether a token is the unused 0 of `for (size_t i = 0; tasks.take(i);)`."""
    variable, after = code.text(i - 2), [code.text(j) for j in range(i + 1, i + 8)]
    return after[:1] == [";"] and after[2:3] == ["."] and after[4:] == ["(", variable, ")"]


def family_of(code: Code, i: int) -> str:
    """Return the enumeration of an enumerator; "" for any other name, and for a case label."""
    name, before = code.text(i), code.text(i - 2)
    if "case" in {code.text(i - 1), code.text(i - 3)}:
        return ""
    if re.fullmatch(r"SC_[A-Z]+_[A-Z0-9_]+", name):
        return "_".join(name.split("_")[:2])
    is_qualified = code.text(i - 1) == "::" and re.fullmatch(r"[A-Z]\w*[a-z]\w*", before)
    is_value = re.fullmatch(r"[a-z]\w*", name) and code.text(i + 1) not in {"(", "<", "::"}
    return before if is_qualified and is_value else ""


def enumerators(code: Code) -> Iterator[Edit]:
    """Replace an enumerator by another one of its enumeration, if the source uses both."""
    found: dict[str, dict[str, list[Token]]] = defaultdict(lambda: defaultdict(list))
    for i, token in editable_tokens(code, "name"):
        if family := family_of(code, i):
            found[family][token.text].append(token)
    for members in found.values():
        for name, tokens in members.items():
            for token in tokens:
                for other in members:
                    if other != name:
                        yield replaced(token, other, "enumerator")


def conditions(code: Code) -> Iterator[Edit]:
    for i, token in enumerate(code.tokens):
        opening = i + 2 if code.text(i + 1) == "constexpr" else i + 1
        if token.skipped or token.text not in {"if", "while"} or code.text(opening) != "(":
            continue
        begin, end = code.tokens[opening].end, code.tokens[code.tokens[opening].partner].begin
        inside = [t.text for t in code.tokens[opening + 1 : code.tokens[opening].partner]]
        if ";" not in inside and "=" not in inside:
            yield Edit(begin, end, f"!({code.source[begin:end]})", "condition")


def arguments(code: Code) -> Iterator[Edit]:
    for i, token in enumerate(code.tokens):
        before = code.tokens[i - 1]
        is_call = token.text == "(" and (before.kind == "name" or before.text == ">")
        is_list = token.text == "{" and not token.opens_block
        if not (is_call or is_list) or not token.in_block or token.skipped or token.partner < 0:
            continue
        if before.text in (CONTROL if is_call else {"="}) | COMMUTATIVE:
            continue
        if any(t.opens_block for t in code.tokens[i : token.partner]):
            continue
        ranges = code.arguments(i)
        for first, second in pairwise(ranges):
            yield from swapped(code.source, first, second, "arguments")


def statements(code: Code) -> Iterator[Edit]:
    """Remove a statement that calls, assigns, or leaves a loop."""
    for opening, token in enumerate(code.tokens):
        if not token.opens_block or token.partner < 0:
            continue
        begin = i = opening + 1
        while i < token.partner:
            text = code.text(i)
            if text == ";":
                if not code.tokens[begin].skipped and is_removable(code, begin, i):
                    yield Edit(code.tokens[begin].begin, code.tokens[i].begin, "", "statement")
                begin = i + 1
            elif code.tokens[i].opens_block or text in {"else", "do"}:
                i = max(code.tokens[i].partner, i)
                begin = i + 1
            elif text == ":" and code.text(begin) in {"case", "default"}:
                begin = i + 1
            elif text == "(" and code.text(begin) in {"if", "while", "for", "switch"}:
                i = code.tokens[i].partner
                begin = i + 1
            else:
                i = max(code.tokens[i].partner, i)
            i += 1


def is_removable(code: Code, begin: int, end: int) -> bool:
    tokens = code.tokens[begin:end]
    texts = [token.text for token in tokens]
    if any(token.opens_block for token in tokens):
        return False  # contains a block: its removal is certain to be detected
    if texts in (["break"], ["continue"], ["return"]):
        return True
    if not texts or texts[0] in {"return", "using", "throw", "goto", "static_assert"}:
        return False
    for one, other in pairwise(tokens):
        if other.text in {"=", "(", "[", "+=", "-=", "*=", "/=", "|=", "&=", "^=", "<<=", ">>="}:
            return other.text != "[" or "=" in texts or "(" in texts
        if other.kind == "name" and (one.kind == "name" or one.text in {">", "*", "&"}):
            return False  # a declaration
    return texts[0] in {"++", "--"} or texts[-1] in {"++", "--"}
