"""Turn `mark("label")` into one store of a constant: a pure function from source to syntax tree.

A function with marks looks this thread's word up once, when it is entered, and each mark in it then
is the store that one would write by hand:

    def drain(queue):                         def drain(queue):
                                                  _isinglass_word = _isinglass_thread.word
        while True:                               while True:
            mark.waiting("for work")                  _isinglass_word[0] = 0x1A2B_0003
            item = queue.get()                        item = queue.get()
            mark("draining")                          _isinglass_word[0] = 0x1A2B_0005
            item()                                    item()

Every node that is added stands on a line that runs anyway at that moment, so tracebacks, debuggers
and coverage see the lines of the source. The look-up is an attribute of a `threading.local`, which
enters no Python frame, so a debugger's "step" has nothing new to step into. Generators may be
resumed by another thread, and `locals()` must not show a new name: functions with either, and
class and module bodies, look the word up at each mark.

Switched off (`ISINGLASS_PROBES=0`), `without_marks` takes the statements out, as `python -O` does
with asserts, their arguments included.
"""

from __future__ import annotations

import ast
from opcode import opmap
from types import CodeType
from typing import Any, TypeVar

from isinglass.glass.layout import LINE_BITS
from isinglass.glass.marks import MarkVisitor, literal_label, mark_names, own_nodes
from isinglass.glass.sites import LAST_LINE, SITES_MARKER, SITES_NAME, source_hash

_THREAD, _WORD = "_isinglass_thread", "_isinglass_word"
_BLOCKS = ("body", "orelse", "finalbody")
_SHOWS_LOCALS = {"locals", "vars", "dir", "eval", "exec"}

AnyNode = TypeVar("AnyNode", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef
Entries = dict[tuple[str, int], int]


def with_stores(source: bytes, path: str, module_id: int) -> ast.Module:
    """Return a module's syntax tree with its marks turned into stores.

    A module with marks begins with a constant, which `sites.sites_of` finds in its code.

    Raises:
        SyntaxError: the source is not Python.
    """
    tree = ast.parse(source, path)
    if names := mark_names(tree):
        entries = _entry_lines(compile(source, path, "exec", dont_inherit=True))
        if sites := _Stores(names, module_id << LINE_BITS, entries).run(tree):
            _add_header(tree, (SITES_MARKER, module_id, source_hash(source), sites), entries)
    return tree


def without_marks(source: bytes, path: str) -> ast.Module:
    """Return a module's syntax tree without the statements that are marks.

    Raises:
        SyntaxError: the source is not Python.
    """
    tree = ast.parse(source, path)
    if names := mark_names(tree):
        _Removal(names).run(tree)
    return tree


class _Stores(MarkVisitor):
    """Turns each statement that is a mark with a literal label into a store."""

    def __init__(self, names: dict[str, str], base: int, entries: Entries) -> None:
        super().__init__(names)
        self._base, self._entries = base, entries
        # Of the scope that is being visited: does it look the word up once, and has it a mark?
        self._once = self._used = False

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """Return the store; a mark whose label is made when it runs stays a call."""
        self.generic_visit(node)
        if self.waits(node.value) is None or literal_label(node.value) is None:
            return node
        self._used = True
        word = ast.Name(_WORD, ast.Load()) if self._once else _look_up()
        store = ast.Assign(
            targets=[ast.Subscript(word, ast.Constant(0), ast.Store())],
            value=ast.Constant(self._base | min(node.lineno, LAST_LINE)),
        )
        return _placed(store, node)

    def scope(self, node: ast.AST, *names: str) -> None:
        """Visit a function or class, and give it the look-up if it has marks and looks up once."""
        outer = self._once, self._used
        self._once, self._used = _looks_up_once(node), False
        super().scope(node, *names)
        if self._once and self._used and isinstance(node, Function):
            _add_look_up(node, self._entries)
        self._once, self._used = outer


class _Removal(MarkVisitor):
    """Takes out the statements that are marks."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        """Remove a mark, whatever its label."""
        return node if self.waits(node.value) is None else None

    def generic_visit(self, node: AnyNode) -> AnyNode:
        """Keep blocks whole: one that was only marks passes, and no string becomes a docstring."""
        firsts = {name: _first(node, name) for name in _BLOCKS}
        super().generic_visit(node)
        for name, first in firsts.items():
            if first is None or first is (now := _first(node, name)):
                continue
            if now is None or _is_string(now):
                getattr(node, name).insert(0, ast.copy_location(ast.Pass(), first))
        return node


def _looks_up_once(scope: ast.AST) -> bool:
    if not isinstance(scope, Function):
        return False
    for node in own_nodes(scope):
        if isinstance(node, ast.Yield | ast.YieldFrom) and isinstance(scope, ast.FunctionDef):
            return False
        if isinstance(node, ast.Name) and node.id in _SHOWS_LOCALS:
            return False
    return True


def _first(node: ast.AST, block: str) -> ast.stmt | None:
    statements = getattr(node, block, None)
    return statements[0] if isinstance(statements, list) and statements else None


def _is_string(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _look_up() -> ast.Attribute:
    return ast.Attribute(ast.Name(_THREAD, ast.Load()), "word", ast.Load())


def _placed(statement: ast.stmt, like: ast.stmt) -> ast.stmt:
    for node in ast.walk(statement):
        ast.copy_location(node, like)
    return statement


def _on_line(statement: ast.stmt, line: int) -> ast.stmt:
    return _placed(
        statement, ast.Pass(lineno=line, end_lineno=line, col_offset=0, end_col_offset=0)
    )


def _assigned(name: str, value: ast.expr) -> ast.stmt:
    return ast.Assign(targets=[ast.Name(name, ast.Store())], value=value)


def _add_look_up(function: Function, entries: Entries) -> None:
    start = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    line = entries.get((function.name, start), function.lineno)
    place = int(_is_string(function.body[0]))
    function.body.insert(place, _on_line(_assigned(_WORD, _look_up()), line))


def _add_header(tree: ast.Module, sites: Any, entries: Entries) -> None:
    place = int(_is_string(tree.body[0]))
    while _is_future_import(tree.body[place]):
        place += 1
    line = tree.body[place - 1].lineno if place else entries["<module>", 1]
    header: list[ast.stmt] = [
        ast.ImportFrom("isinglass.glass.probe", [ast.alias("this_thread", _THREAD)], 0),
        _assigned(SITES_NAME, ast.Constant(sites)),
    ]
    tree.body[place:place] = [_on_line(statement, line) for statement in header]


def _is_future_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _entry_lines(code: CodeType) -> Entries:
    """Return for each function, by name and first line, the line that it runs first.

    That is not always the line of its first statement: a bracket may open a line earlier. Only the
    compiler knows, so the code without stores is asked: the instruction after RESUME.
    """
    entries: Entries = {}
    resume = code.co_code[::2].index(opmap["RESUME"])
    lines = [position[0] for position in code.co_positions()][resume + 1 :]
    if (first := next(filter(None, lines), None)) is not None:
        entries[code.co_name, code.co_firstlineno] = first
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            entries.update(_entry_lines(constant))
    return entries
