"""Mutations of Python source, node by node of the syntax tree."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise

from edits import Edit, swapped

COMPARISONS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "is": "is not", "is not": "is", "in": "not in", "not in": "in",
}  # fmt: skip
ARITHMETIC = {
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "/", "%": "//", "**": "*",
    "<<": ">>", ">>": "<<", "&": "|", "|": "&", "^": "|",
}  # fmt: skip
OPPOSITES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum",
    "floor": "ceil", "ceil": "floor", "argmin": "argmax", "argmax": "argmin",
}  # fmt: skip
COMMUTATIVE = {"min", "max", "minimum", "maximum", "isclose", "array_equal", "shares_memory"}

# Calls and definitions that only type checkers use.
TYPING = {"cast", "TypeVar", "ParamSpec", "NewType", "overload", "reveal_type"}


def edits_of(source: str) -> list[Edit]:
    module = Module(source)
    found = {edit for node in module.nodes for edit in edits_at(module, node)}
    return sorted(found, key=lambda edit: (edit.begin, edit.end, edit.text))


class Module:
    """A source file, and the nodes of its syntax tree that are executed."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self.nodes = list(running(ast.parse(source)))

    def begin(self, node: ast.AST) -> int:
        return self._offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self._offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def range(self, node: ast.AST) -> tuple[int, int]:
        return self.begin(node), self.end(node)

    def text(self, node: ast.AST) -> str:
        return self.source[slice(*self.range(node))]

    def _offset(self, line: int, column: int) -> int:
        """Return the offset in characters. The syntax tree counts columns in bytes."""
        before = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(before)


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below, except docstrings, types, assertions, imports and f-strings."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and runs(child):
                yield child
                yield from running(child)


def runs(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.JoinedStr():
            return False
        case ast.Expr(value=ast.Constant()):
            return False
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return False
        case ast.FunctionDef(decorator_list=decorators):
            return not any(name_of(decorator) in TYPING for decorator in decorators)
        case ast.Call(func=function):
            return name_of(function) not in TYPING
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return False
    return True


def name_of(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def edits_at(module: Module, node: ast.AST) -> Iterator[Edit]:
    match node:
        case ast.Compare(left=left, comparators=others):
            for one, other in zip([left, *others], others, strict=False):
                yield from operator(module, one, other, COMPARISONS, "relation")
        case ast.BoolOp(values=values):
            for one, other in pairwise(values):
                yield from operator(module, one, other, {"and": "or", "or": "and"}, "operator")
        case ast.BinOp(left=left, right=right):
            if not isinstance(left, ast.Constant) or not isinstance(left.value, str):
                yield from operator(module, left, right, ARITHMETIC, "operator")
        case ast.AugAssign(target=target, value=value):
            swaps = {f"{old}=": f"{new}=" for old, new in ARITHMETIC.items()}
            yield from operator(module, target, value, swaps, "operator")
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield negated(module, test)
        case ast.comprehension(ifs=tests):
            yield from (negated(module, test) for test in tests)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield Edit(module.begin(node), module.begin(operand), "", "negation")
        case ast.Constant(value=bool(value)):
            yield Edit(*module.range(node), str(not value), "constant")
        case ast.Constant(value=int(value)):
            yield Edit(*module.range(node), str(value + 1), "constant")
            if value > 0:
                yield Edit(*module.range(node), str(value - 1), "constant")
        case ast.Constant(value=float(value)):
            yield Edit(*module.range(node), f"({value} * 2)", "constant")
        case ast.Call(func=function, args=values):
            name = name_of(function)
            if name in OPPOSITES:
                end = module.end(function)
                yield Edit(end - len(name), end, OPPOSITES[name], "opposite")
            if name not in COMMUTATIVE and not any(isinstance(v, ast.Starred) for v in values):
                for one, other in pairwise(values):
                    ranges = module.range(one), module.range(other)
                    yield from swapped(module.source, *ranges, "arguments")
    if isinstance(node, ast.stmt) and is_removable(node):
        yield Edit(*module.range(node), "pass", "statement")


def operator(
    module: Module, left: ast.AST, right: ast.AST, swaps: dict[str, str], kind: str
) -> Iterator[Edit]:
    """Yield the edit of the operator between two operands."""
    begin, end = module.end(left), module.begin(right)
    between = re.sub(r"#[^\n]*", lambda m: " " * len(m.group()), module.source[begin:end])
    found = re.search(r"is\s+not|not\s+in|[a-z]+|[-+*/%<>=!&|^]+", between)
    if found:
        old = re.sub(r"\s+", " ", found.group())
        if old in swaps:
            yield Edit(begin + found.start(), begin + found.end(), swaps[old], kind)


def negated(module: Module, test: ast.AST) -> Edit:
    return Edit(*module.range(test), f"(not ({module.text(test)}))", "condition")


def is_removable(node: ast.stmt) -> bool:
    match node:
        case (
            ast.Expr(value=ast.Call())
            | ast.AugAssign()
            | ast.Raise()
            | ast.Continue()
            | ast.Break()
        ):
            return True
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute(), *_]):
            return True
    return False
