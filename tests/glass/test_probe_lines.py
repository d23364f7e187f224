"""Marks move nothing: tracebacks, debuggers and coverage see the lines of the source.

Random small programs run three times: with marks that are calls (the meaning), with stores, and
with the marks taken out. A trace function notes every line together with what the word shows then.
"""

from __future__ import annotations

import bdb
import json
import sys
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.glass import rewrite
from isinglass.glass.probe import mark, this_thread
from isinglass.glass.sites import LAST_LINE
from probed_package import INSTRUMENT, run, run_code, write

PATH = "probed.py"
MODULE_ID = 77
IMPORTING = {"_find_and_load", "_handle_fromlist"}


# ---------------------------------------------------------------------- running and watching
@dataclass
class Run:
    """What one run did: its result, its traceback's lines, every line with the word's line."""

    result: object = None
    raised: list[tuple[str, int | None]] = field(default_factory=list)
    lines: list[tuple[str, int, int]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


def watched(code: CodeType) -> Run:
    """Run a module that leaves `result`, and note what a line tracer sees."""
    seen = Run()
    namespace: dict[str, Any] = {"__name__": "probed", "mark": mark}
    this_thread.word[0] = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        if frame.f_code.co_filename != PATH:
            seen.strangers.append(frame.f_code.co_qualname)
            return None
        if event == "line":
            word_line = this_thread.word[0] & LAST_LINE
            seen.lines.append((frame.f_code.co_name, frame.f_lineno, word_line))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        try:
            exec(code, namespace)
        finally:
            sys.settrace(before)
        seen.result = namespace.get("result")
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        seen.raised = [(f.name, f.lineno) for f in frames if f.filename == PATH]
        seen.result = repr(error)
    return seen


def as_calls(source: bytes) -> CodeType:
    return compile(source, PATH, "exec")


def as_stores(source: bytes) -> CodeType:
    return compile(rewrite.with_stores(source, PATH, MODULE_ID), PATH, "exec")


def taken_out(source: bytes) -> CodeType:
    return compile(rewrite.without_marks(source, PATH), PATH, "exec")


# ---------------------------------------------------------------------- random programs
names = st.sampled_from("abc")
values = st.one_of(
    st.integers(0, 9).map(str),
    names,
    st.builds("({} + {})".format, names, st.integers(0, 3)),
    st.builds("(\n    {} &\n    {})".format, names, names),
    st.builds("[x for x in range({})][0]".format, st.integers(0, 2)),
    st.just("1 // 0"),
    st.just("(lambda: a)()"),
)
label_marks = st.sampled_from(['mark("works")', 'mark.waiting("waits")'])
simple = st.one_of(
    label_marks,
    label_marks,
    st.builds("{} = {}".format, names, values),
    st.builds("{} += {}".format, names, values),
    st.builds("{} = {}; mark('behind'); {} = 2".format, names, values, names),
    st.just("pass"),
    st.just("'a string'"),
    st.builds("if {}: mark('on one line')".format, values),
)


def indented(lines: str) -> str:
    return textwrap.indent(lines, "    ")


# A statement of the texts of its blocks.
Compound = Callable[..., str]


def block(head: str) -> Compound:
    return lambda body: f"{head}\n{indented(body)}"


def two_blocks(first: str, second: str, last: str = "pass") -> Compound:
    return lambda one, two: "\n".join([first, indented(one), second, indented(two), indented(last)])


def function(head: str, call: str, last: str) -> Compound:
    """A nested function with its own names, and a statement that calls it."""
    start = "a = b = c = 1"
    return lambda body: f"{head}\n{indented(body.join([start + chr(10), chr(10) + last]))}\n{call}"


COMPOUNDS: list[tuple[int, Compound]] = [
    (1, block("for a in range(2):")),
    (1, block("turn = 0\nwhile (turn := turn + 1) < 3:")),
    (1, block("with lock:")),
    (1, block("if a:")),
    (1, block("class Local:")),
    (1, function("def inner():", "c = inner()", "return b")),
    (1, function("def inner():", "c = list(inner())[0]", "yield a")),
    (1, function("async def inner():", "drive(inner())", "return b")),
    (1, function("@(\n    plain\n)\ndef inner(\n    d=1,\n):", "c = inner()", "return (\n    d)")),
    (2, two_blocks("if c:", "else:")),
    (2, two_blocks("try:", "except ZeroDivisionError:")),
    # Python 3.11 gives the end of a `finally` the line of its last statement unless that is a call,
    # so the block ends with an assignment in both versions.
    (2, two_blocks("try:", "finally:", "c = 1")),
    (2, two_blocks("for b in [1]:", "else:")),
]


@st.composite
def compound(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """One statement with blocks of other statements inside."""
    blocks, make = draw(st.sampled_from(COMPOUNDS))
    bodies = st.lists(inner, min_size=1, max_size=4).map("\n".join)
    return make(*[draw(bodies) for _ in range(blocks)])


statements = st.recursive(simple, compound, max_leaves=12)
HEAD = """
from __future__ import annotations
from isinglass import mark
from _thread import RLock
lock = RLock()
plain = lambda f: f
def drive(coroutine):
    try:
        coroutine.send(None)
    except StopIteration:
        mark("driven")
def main():
    a = b = c = 1
"""


@st.composite
def programs(draw: st.DrawFn) -> bytes:
    """A module: some head, a `main` of random statements, and its call."""
    body = "\n".join(draw(st.lists(statements, min_size=1, max_size=6)))
    docstring = draw(st.sampled_from(["", "'''Doc.'''", "'''Doc.\n\nLong.'''"]))
    return f"{docstring}{HEAD}{indented(body)}\n    return a, b\nresult = main()\n".encode()


@settings(max_examples=200)
@given(programs())
def test_random_programs_keep_behaviour_and_lines(source: bytes) -> None:
    calls, stores, out = (watched(make(source)) for make in (as_calls, as_stores, taken_out))
    assert stores.result == calls.result
    assert stores.raised == calls.raised
    assert stores.lines == calls.lines, "lines, and what the word showed at each"
    assert set(stores.strangers) <= IMPORTING, "a step would enter these"
    assert out.result == calls.result
    assert out.raised == calls.raised
    seen = {(name, line) for name, line, _ in calls.lines}
    assert {(name, line) for name, line, _ in out.lines} <= seen


# ---------------------------------------------------------------------- by hand
AWKWARD = """
    '''Awkward places for a look-up.'''
    from isinglass import mark

    def bracket(value):
        (
            value
        ).append(1)
        mark("after a bracket")

    @(
        lambda f: f
    )
    def decorated(value,
                  other=2):
        '''Doc
        of two lines.'''
        value = (
            other)
        mark(
            "over lines"
        )
        return 1 // 0

    def loop(values):
        while values:
            mark("in a loop")
            values.pop()

    def one_line(): mark("short"); return 1

    result = []
    bracket(result)
    loop([1, 2, 3])
    one_line()
    decorated(1)
    """


def test_a_traceback_shows_the_same_lines_and_marks() -> None:
    source = textwrap.dedent(AWKWARD).encode()
    calls, stores = watched(as_calls(source)), watched(as_stores(source))
    assert stores.raised == calls.raised == [("<module>", 36), ("decorated", 23)]
    assert stores.result == calls.result


def test_lines_are_entered_once_and_in_the_same_order() -> None:
    source = textwrap.dedent(AWKWARD).encode()
    calls, stores = watched(as_calls(source)), watched(as_stores(source))
    expected = [(name, line) for name, line, _ in calls.lines]
    # A call over three lines is entered, shows its label's line, and is left: it is one line now.
    start = expected.index(("decorated", 20))
    assert expected[start : start + 3] == [("decorated", line) for line in (20, 21, 20)]
    del expected[start + 1 : start + 3]
    assert [(name, line) for name, line, _ in stores.lines] == expected


class Stepper(bdb.Bdb):
    """A debugger that steps through everything and notes each stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stops: list[tuple[str, str, int]] = []

    def user_line(self, frame: FrameType) -> None:
        name = Path(frame.f_code.co_filename).name
        self.stops.append((name, frame.f_code.co_name, frame.f_lineno))
        self.set_step()


STEPPED = """
    from isinglass import mark

    def work(items):
        done = []
        for item in items:
            mark("one item")
            done.append(item)
        mark.waiting("the end")
        return done
    """


def test_a_debuggers_step_stops_at_the_lines_of_the_source_and_nowhere_else() -> None:
    source = textwrap.dedent(STEPPED).encode()
    stops = []
    for make in (as_calls, as_stores):
        namespace: dict[str, Any] = {"__name__": "probed"}
        exec(make(source), namespace)
        namespace["work"]([0])
        stepper = Stepper()
        stepper.runcall(namespace["work"], [1, 2])
        stops.append(stepper.stops)
    in_file = [stop for stop in stops[0] if stop[0] == PATH]
    assert len(in_file) < len(stops[0]), "a mark that is a call is stepped into"
    assert stops[1][: len(in_file)] == in_file
    assert {stop[0] for stop in stops[1][len(in_file) :]} <= {"bdb.py"}


@pytest.mark.parametrize("place", ["probed.work:7", "probed.work.work"])
def test_pdb_breaks_at_a_line_and_at_a_function(tmp_path: Path, place: str) -> None:
    package = write(tmp_path, {"work": STEPPED})
    where = place.replace("probed.work:", f"{package / 'work.py'}:")
    code = f"""
        import io, pdb
        from probed import work
        commands = io.StringIO("break {where}\\ncontinue\\nnext\\np done\\nclear 1\\ncontinue\\n")
        output = io.StringIO()
        debugger = pdb.Pdb(stdin=commands, stdout=output, nosigint=True, readrc=False)
        debugger.runcall(work.work, [5])
        print(output.getvalue())
        """
    rewritten = run_code(tmp_path, code)
    (package / "__init__.py").write_text("")
    plain = run_code(tmp_path, code)
    assert rewritten == plain
    assert "Breakpoint 1 at" in plain
    assert ":" not in place or "(Pdb) []" in plain, "stopped at the line, and went on to the next"


COVERED = """
    '''Covered in part.'''
    from isinglass import mark

    def work(items):
        '''Doc.'''
        for item in items:
            mark("one item")
            if item > 5:
                mark("never here")
                raise ValueError
        else:
            mark("all done")
        try:
            mark("dividing")
            return 1 // len(items)
        except ZeroDivisionError:
            mark.waiting(
                "never here either"
            )

    async def later():
        mark("in a coroutine")
        return 1

    def one_by_one():
        (
            yield 1)
        mark("between")
        yield 2

    class Holder:
        mark("in a class")

        def method(self): mark("short")

    def never():
        mark("unused")

    mark("at the end")
    """
COVERED_MAIN = """
    import asyncio
    from probed import work
    work.work([1, 2])
    asyncio.run(work.later())
    list(work.one_by_one())
    work.Holder().method()
    """


@pytest.mark.parametrize("core", ["ctrace", "pytrace", "sysmon"])
def test_coverage_counts_the_same_lines_and_branches(tmp_path: Path, core: str) -> None:
    if core == "sysmon" and sys.version_info < (3, 12):
        pytest.skip("sys.monitoring came with Python 3.12")
    (tmp_path / "main.py").write_text(textwrap.dedent(COVERED_MAIN))
    reports = []
    for initial in (INSTRUMENT, ""):
        write(tmp_path, {"work": COVERED}, initial)
        # Only from Python 3.14 on can sys.monitoring tell branches.
        branch = [] if core == "sysmon" else ["--branch"]
        for command in (
            ("run", *branch, "--include=*/work.py", "main.py"),
            ("json", "-q", "-o", "report.json"),
        ):
            run(tmp_path, "-m", "coverage", *command, COVERAGE_CORE=core)
        report = json.loads((tmp_path / "report.json").read_text())["files"]["probed/work.py"]
        reports.append(report)
    rewritten, plain = reports
    assert plain["missing_lines"] and (core == "sysmon" or plain["missing_branches"])
    assert rewritten == plain
