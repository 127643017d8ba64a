"""Tests of the mutants of given sources, and of their reproducible choice."""

import ast
import json
import textwrap
from pathlib import Path

import cpp_edits
import pytest
import python_edits
import run
import subjects
from edits import Edit, Mutant

ROOT = Path(__file__).parents[2]


def after(edits: list[Edit], source: str) -> set[str]:
    """Return the mutated sources with white space normalized."""
    return {" ".join(edit.apply(source).split()) for edit in edits}


def of_body(body: str) -> set[str]:
    """Return all mutants of C++ statements."""
    source = f"void f() {{ {body} }}"
    return {
        text.removeprefix("void f() { ").removesuffix(" }")
        for text in after(cpp_edits.edits_of(source), source)
    }


@pytest.mark.parametrize(
    ("body", "mutants"),
    [
        ("int x = a < b;", {"int x = a <= b;"}),
        ("int x = a && !b;", {"int x = a || !b;", "int x = a && b;"}),
        ("auto x = f<A, B>(c) + d;", {"auto x = f<A, B>(c) - d;"}),
        ("int x = 5;", {"int x = 4;", "int x = 6;"}),
        ("int x = 0;", {"int x = 1;"}),
        ("auto x = 0x10u;", {"auto x = (0x10u + 1);", "auto x = (0x10u - 1);"}),
        ("double x = 0.5;", {"double x = (0.5 * 2);"}),
        ("int x = kMost;", {"int x = (kMost + 1);", "int x = (kMost - 1);"}),
        ("int x = std::min(a, b);", {"int x = std::max(a, b);"}),
        ("int x = g(a, b);", {"int x = g(b, a);"}),
        ("int x = g(h<A, B>(a), b);", {"int x = g(b, h<A, B>(a));"}),
        ("return {a, b};", {"return {b, a};"}),
        ("if (a) { b = c; }", {"if (!(a)) { b = c; }", "if (a) { ; }"}),
        ("while (a) break;", {"while (!(a)) break;", "while (a) ;"}),
        ("a.b(c); Type d(e); return d;", {"; Type d(e); return d;"}),
        ("for (int i = a; i != b; i += c) {}", {"for (int i = a; i == b; i += c) {}"}),
        ("x = Form::bits; y = Form::bools;",
         {"; y = Form::bools;", "x = Form::bits; ;",
          "x = Form::bools; y = Form::bools;", "x = Form::bits; y = Form::bits;"}),
        ("run([&] { a = b; });", {"run([&] { ; });"}),
    ],
)  # fmt: skip
def test_statements_in_cpp(body: str, mutants: set[str]) -> None:
    assert of_body(body) == mutants


@pytest.mark.parametrize(
    "source",
    [
        "// a < b + 1\n/* c && 2 */\n",
        '#include <a>\n#define B(x) \\\n  ((x) + 1)\n#if 2 < 3\n#endif\nconst char* s = "1 + 2";\n',
        'auto s = R"x(1 < 2)" + )x";\n',
        "static_assert(sizeof(int) == 4, a + b);\n",
        "template <int kA = 1, class T>\nT f(T&& a, T b);\n",
        "void f() { __builtin_prefetch(a + 1); v.reserve(n + 1); kernels().fence(); }\n",
        "void f() { const int later = a + 1; prefetch(later); }\n",
        "enum class A { b = 1, c };\n",
        "alignas(64) int a[b];\n",
        "void f() { [[likely]] return; }\n".replace(" return;", ""),
        "// Tuning: any number.\nconstexpr int kA = 1;\nconstexpr int kB = 2 + 3;\n",
        "constexpr int kA = 1;  // Tuning: any number\n",
        "void f() { for (int i = 0; tasks.take(i);) {} }\n",
    ],
)
def test_what_is_left_out_of_cpp(source: str) -> None:
    assert after(cpp_edits.edits_of(source), source) == set()


def test_tuning_ends_with_the_paragraph() -> None:
    source = "// Tuning: of a.\nint a = 1;\n\nint b = 1;\n"
    assert after(cpp_edits.edits_of(source), source) == {
        "// Tuning: of a. int a = 1; int b = 0;",
        "// Tuning: of a. int a = 1; int b = 2;",
    }
    source = "// Tuning: of a.\nconstexpr int kA = 1;\n\nvoid f() { x = n < kA; }\n"
    tuned = cpp_edits.tuned_names(source)
    assert tuned == {"kA"}
    assert [e.kind for e in cpp_edits.edits_of(source, frozenset(tuned))] == ["statement"]


def of_python(source: str) -> set[str]:
    source = textwrap.dedent(source)
    return after(python_edits.edits_of(source), source)


@pytest.mark.parametrize(
    ("source", "mutants"),
    [
        ("x = a < b <= c", {"x = a <= b <= c", "x = a < b < c"}),
        ("x = a is not None", {"x = a is None"}),
        ("x = a not in b", {"x = a in b"}),
        ("x = a and b", {"x = a or b"}),
        ("x = (a) + (b)", {"x = (a) - (b)"}),
        ("x -= y", {"x += y", "pass"}),
        ("x = 2", {"x = 1", "x = 3"}),
        ("x = True", {"x = False"}),
        ("x = 0.5", {"x = (0.5 * 2)"}),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("x = f(a, b, c=d)", {"x = f(b, a, c=d)"}),
        ("x = f(*a, b)", set()),
        ("x = not a", {"x = a"}),
        ("x = b if a else c", {"x = b if (not (a)) else c"}),
        ("if a: f()", {"if (not (a)): f()", "if a: pass"}),
        ("x[a] = b", {"pass"}),
        ("raise a", {"pass"}),
        ("x = 'é'; y = 1", {"x = 'é'; y = 0", "x = 'é'; y = 2"}),
    ],
)
def test_statements_in_python(source: str, mutants: set[str]) -> None:
    assert of_python(source) == mutants


def test_what_is_left_out_of_python() -> None:
    assert of_python('''
        """Of 1 < 2."""
        from a import b
        __all__ = ["b"]
        if TYPE_CHECKING:
            x = 1
        T = TypeVar("T", bound=1)
        @overload
        def f(a: int = 1) -> None: ...
        @decorated(1)
        def g(a: Literal[1]) -> "2 + 3":
            """Documentation."""
            assert a < 1
            msg = f"{a + 1}"
    ''') == set()  # fmt: skip


def test_mutants_of_python_are_python() -> None:
    for mutant in run.choose(ROOT, ["python"], 50, 1):
        assert mutant.mutated != mutant.source
        ast.parse(mutant.mutated)


def test_a_seed_chooses_the_same() -> None:
    chosen = run.choose(ROOT, ["csrc/select"], 20, 7)
    assert [m.id for m in run.choose(ROOT, ["csrc/select"], 10, 7)] == [m.id for m in chosen[:10]]
    assert [m.id for m in run.choose(ROOT, ["csrc/select"], 10, 8)] != [m.id for m in chosen[:10]]
    assert len({(m.path, m.line) for m in chosen}) == 20
    assert all(m.path.startswith("csrc/select") for m in chosen)


def test_every_source_has_tests() -> None:
    files = subjects.test_files(ROOT)
    for name in run.sources(ROOT, []):
        assert subjects.tests_of(name, files), name
    named = {word for words in subjects.SUBJECTS.values() for word in words.split()}
    assert named <= set(files)
    for name in subjects.SUBJECTS:
        assert list(ROOT.glob(f"{name}*")), f"{name} is no source"


def test_tests_nearest_to_the_source_come_first() -> None:
    files = {"select": ["s/test_axis.py", "s/test_topk.py"], "topk": ["s/test_topk.py"],
             "errors": ["p/test_errors.py"]}  # fmt: skip
    expected = ["s/test_topk.py", "s/test_axis.py", "p/test_errors.py"]
    assert subjects.tests_of("csrc/select/topk.cpp", files) == expected


def test_isas() -> None:
    here = ["scalar", "avx2", "avx512"]
    assert subjects.isas_of("csrc/select/scan.cpp", here) == ["scalar"]
    assert subjects.isas_of("csrc/core/kernels/block_loop.hpp", here) == ["scalar", "avx2"]
    assert subjects.isas_of("csrc/lanes/avx512.hpp", here) == ["scalar", "avx512"]
    assert subjects.isas_of("csrc/core/cpu.cpp", here) == here
    assert subjects.isas_of("csrc/core/kernels/block_loop.hpp", ["scalar"]) == ["scalar"]


def test_programs_contain_the_core() -> None:
    assert subjects.is_in_programs("csrc/select/scan.cpp")
    for other in ("csrc/select/bindings.cpp", "csrc/python/arrays.cpp", "python/secateur/cli.py"):
        assert not subjects.is_in_programs(other)


def test_a_report_is_kept(tmp_path: Path) -> None:
    path, source = tmp_path / "report.json", "a\n  b = 1\nc\n"
    mutant = Mutant("x.py", source, Edit(8, 9, "2", "constant"))
    report = run.Report(path)
    report.add(mutant, {"status": "killed", "by": "t", "built": 1, "tested": 2})
    report.close()
    report.add(Mutant("y.py", source, mutant.edit), {"status": "killed"})
    assert [m["path"] for m in json.loads(path.read_text())] == ["x.py"]
    again = run.Report(path).mutants[mutant.id]
    assert (again["line"], again["before"], again["after"]) == (2, "b = 1", "b = 2")
    text = run.line_about(again)
    assert "x.py:2" in text
    assert "- b = 1" in text
    assert run.summary([again]).splitlines()[-1].split() == ["all", "1", "0", "0", "0", "0", "100%"]
