"""Find the marks in a module's source: which calls are `mark`, on which line, saying what.

A pure function from source to sites. The import hook's rewriter and the slow call share it, so that
both give a line the same function and label. Only what is certain counts: a module-level import of
`mark` (by any name, or through `import isinglass`), and a name that the module binds in no other
way; a parameter called `mark` stays a parameter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from isinglass.glass.sites import LAST_LINE, Site

_WAITS = {
    "isinglass.mark": False,
    "isinglass.mark.waiting": True,
    "isinglass.glass.probe.mark": False,
    "isinglass.glass.probe.mark.waiting": True,
}
# Where a node binds a name by a plain string; imports are looked at apart.
_BINDS: dict[type[ast.AST], str] = {
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.AsyncFunctionDef: "name",
    ast.ClassDef: "name",
    ast.ExceptHandler: "name",
    ast.MatchAs: "name",
    ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def sites(source: bytes, path: str) -> tuple[Site, ...]:
    """Return every mark in a module's source, by line.

    Raises:
        SyntaxError: the source is not Python.
    """
    tree = ast.parse(source, path)
    names = mark_names(tree)
    return MarkVisitor(names).run(tree) if names else ()


def mark_names(tree: ast.Module) -> dict[str, str]:
    """Return the module's names that lead to `mark`, each with the dotted name it stands for."""
    names = {
        name: target
        for node in own_nodes(tree)
        for name, target in _imported(node)
        if any(f"{mark}.".startswith(f"{target}.") for mark in _WAITS)
    }
    if names:
        for node in _nodes_but_import_handlers(tree):
            for name in _otherwise_bound(node, names):
                names.pop(name, None)
    return names


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            top = alias.name.partition(".")[0]
            yield alias.asname or top, alias.name if alias.asname else top
    elif isinstance(node, ast.ImportFrom):
        origin = "." * node.level + (node.module or "")
        for alias in node.names:
            yield alias.asname or alias.name, f"{origin}.{alias.name}"


def _otherwise_bound(node: ast.AST, names: dict[str, str]) -> list[str]:
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [name for name, target in _imported(node) if names.get(name) != target]
    attribute = _BINDS.get(type(node))
    return [getattr(node, attribute)] if attribute else []


def _nodes_but_import_handlers(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree past `except ImportError:`, where a module defines its stand-in for `mark`."""
    for child in ast.iter_child_nodes(tree):
        handled = child.type if isinstance(child, ast.ExceptHandler) else None
        if not (isinstance(handled, ast.Name) and handled.id == "ImportError"):
            yield child
            yield from _nodes_but_import_handlers(child)


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Walk a scope's own nodes: nested functions and classes are named, not entered."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _SCOPES):
            yield from own_nodes(child)


class MarkVisitor(ast.NodeTransformer):
    """Visits a module and notes its marks; a subclass may put something else in their place."""

    def __init__(self, names: dict[str, str]) -> None:
        self.found: dict[int, Site] = {}
        self._names = names
        self._path: list[str] = []

    def run(self, tree: ast.Module) -> tuple[Site, ...]:
        """Visit the module; return its sites by line."""
        self.visit(tree)
        return tuple(self.found[line] for line in sorted(self.found))

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """Visit a call that may be a mark."""
        if (waits := self.waits(node)) is not None:
            function = ".".join(self._path).removesuffix(".<locals>") or "<module>"
            label = literal_label(node)
            if label is None:
                label = ast.unparse(node.args[0] if node.args else node)
            line = min(node.lineno, LAST_LINE)
            self.found[line] = (line, function, label, waits)
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Visit a function."""
        self.scope(node, node.name, "<locals>")
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        """Visit a coroutine function."""
        self.scope(node, node.name, "<locals>")
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Visit a class."""
        self.scope(node, node.name)
        return node

    def scope(self, node: ast.AST, *names: str) -> None:
        """Visit what is inside a function or class; `names` are its part of qualified names."""
        self._path.extend(names)
        self.generic_visit(node)
        del self._path[-len(names) :]

    def waits(self, node: ast.expr) -> bool | None:
        """Return whether a mark waits; None for anything else."""
        return _WAITS.get(self._meaning(node.func)) if isinstance(node, ast.Call) else None

    def _meaning(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._meaning(node.value)}.{node.attr}"
        return self._names.get(node.id, "") if isinstance(node, ast.Name) else ""


def literal_label(node: ast.expr) -> str | None:
    """Return the label of a mark when it is written out in the source."""
    arguments = node.args if isinstance(node, ast.Call) and not node.keywords else []
    if len(arguments) == 1 and isinstance(arguments[0], ast.Constant):
        value = arguments[0].value
        return value if isinstance(value, str) else None
    return None
