"""What a mark costs, against the store that one would write by hand in the same place.

Each case is one function with a hundred such statements in a loop, so that the loop itself is one
percent; the same loop with `pass` is taken off all the same. The marked function is imported by the
real hook from a file. The cases take turns.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from types import CodeType, FunctionType
from typing import Any

from harness import Claim, Report, Table, finish, interleave, nanoseconds_each, options, ratio

import isinglass
from isinglass.glass import rewrite
from isinglass.glass.probe import mark, this_thread

STATEMENTS = 100
TURNS = 2_000
CONSTANT = 0x1A2B_0003

BY_HAND, MARK = "store by hand, word in a local", "mark, instrumented"
WORD_GLOBAL = "store by hand, word in a global"
THREAD_LOCAL = "thread-local look-up and store"
CALL = "mark, a call (not instrumented)"
GETFRAME = "store of sys._getframe().f_lineno"
OFF = "mark, switched off"
MONITORING = "sys.monitoring, every line"
EMPTY = "(empty loop)"

IMPORTS = "from isinglass import mark\n"
MARKED = 'mark("one step")'


def source(statement: str, first: str = "pass") -> str:
    """Return a module whose function `work(turns)` runs the statement STATEMENTS times a turn."""
    lines = "\n".join([f"        {statement}"] * STATEMENTS)
    return f"def work(turns):\n    {first}\n    for _ in range(turns):\n{lines}\n"


def function(text: str | CodeType, **names: object) -> FunctionType:
    """Return `work` of a module, which knows these names."""
    namespace: dict[str, object] = dict(names)
    exec(text, namespace)
    work = namespace["work"]
    assert isinstance(work, FunctionType)
    return work


def instrumented(directory: str) -> FunctionType:
    """Return `work` as the import hook makes it."""
    Path(directory, "marked_module.py").write_text(IMPORTS + source(MARKED))
    sys.path.insert(0, directory)
    isinglass.instrument("marked_module")

    work = import_module("marked_module").work
    assert isinstance(work, FunctionType)
    return work


def switched_off() -> FunctionType:
    """Return `work` as it is with ISINGLASS_PROBES=0; its block is a single `pass` then."""
    tree = rewrite.without_marks((IMPORTS + source(MARKED)).encode(), "off.py")
    return function(compile(tree, "off.py", "exec"))


def monitored(work: FunctionType) -> FunctionType:
    """Return `work` that has its line stored by a callback of sys.monitoring (Python 3.12)."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    word = this_thread.word

    def line(_: CodeType, number: int) -> None:
        word[0] = number

    monitoring.use_tool_id(monitoring.PROFILER_ID, "mark.py")
    monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.LINE, line)
    code = work.__code__
    monitoring.set_local_events(monitoring.PROFILER_ID, code, monitoring.events.LINE)
    return work


def cases(directory: str) -> dict[str, FunctionType]:
    """Return the functions that are compared."""
    local = threading.local()
    local.word = this_thread.word
    store = f"[0] = {CONSTANT}"
    found = {
        EMPTY: function(source("pass")),
        BY_HAND: function(source(f"word{store}", "word = WORD"), WORD=this_thread.word),
        MARK: instrumented(directory),
        OFF: switched_off(),
        WORD_GLOBAL: function(source(f"WORD{store}"), WORD=this_thread.word),
        THREAD_LOCAL: function(source(f"local.word{store}"), local=local),
        GETFRAME: function(
            source("word[0] = _getframe().f_lineno", "word = WORD"),
            WORD=this_thread.word,
            _getframe=sys._getframe,
        ),
        CALL: function(source(MARKED), mark=mark, __name__="script"),
    }
    if sys.version_info >= (3, 12):
        found[MONITORING] = monitored(function(source("x = 1")))
    return found


def bytecode_differences() -> int:
    """Count what differs between a function with its marks off and one that never had them."""
    marked = f"""{IMPORTS}
def work(values):
    total = 0
    {MARKED}
    for value in values:
        mark.waiting("for nothing")
        total += value
    return total
"""
    never = "".join(line for line in marked.splitlines(True) if not line.strip().startswith("mark"))
    off = compile(rewrite.without_marks(marked.encode(), "off.py"), "off.py", "exec")
    codes = [function(text).__code__ for text in (never, off)]
    parts = ("co_code", "co_consts", "co_names", "co_varnames", "co_exceptiontable")
    return sum(getattr(codes[0], part) != getattr(codes[1], part) for part in parts)


def timed(work: FunctionType) -> Callable[[], float]:
    """Return what runs a case once: nanoseconds for each of its statements."""
    return lambda: nanoseconds_each(lambda: work(TURNS), TURNS * STATEMENTS)


def main() -> int:
    """Measure and report."""
    arguments = options(__doc__ or "", rounds=15).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = cases(directory)
        figures = interleave(
            {name: timed(function) for name, function in work.items()}, arguments.rounds
        )
    floor = median(figures.pop(EMPTY))
    net = {name: [max(value - floor, 0.0) for value in row] for name, row in figures.items()}
    rows = [
        (name, median(values), median(values) / median(net[BY_HAND]))
        for name, values in sorted(net.items(), key=lambda item: median(item[1]))
    ]
    report = Report("mark.py", "a mark against a hand-written store")
    report.tables.append(Table(("statement", "ns", "× by hand"), rows))
    report.claims += [
        Claim("mark / store by hand in the same place", ratio(net, MARK, BY_HAND), 1.1),
        Claim("switched off, parts of the bytecode that differ", bytecode_differences(), 0),
    ]
    report.notes.append(
        "A function that has marks looks its thread's word up once more, when it is entered; that"
        " costs about one thread-local look-up a call, however many marks follow."
    )
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
