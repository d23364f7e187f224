"""The import graph of the product, read from its source without running it.

Every statement counts, wherever it stands: at the top, in a function, under TYPE_CHECKING; and so
does a module that is imported by a constant name (`import_module("x")`, `__import__("x")`), because
a cycle hidden in a function is a cycle. The import of a package that Python does on the way to its
submodule does not count: `from a.b import c` depends on `a.b.c` when that is a module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    "isinglass": ROOT / "daemon" / "isinglass",
    "isinglass_monitor": ROOT / "monitor" / "isinglass_monitor",
    "isinglass_console": ROOT / "console" / "isinglass_console",
}

FOR_TERMINALS = {"isinglass.cli.terminal"}  # imported when stdout is one, and only then


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its place, and its syntax tree."""

    name: str
    path: Path
    tree: ast.Module
    lines: int

    @property
    def place(self) -> str:
        """The path from the project's root, for messages."""
        return str(self.path.relative_to(ROOT))


def broken(sentences: Iterable[str]) -> None:
    """Fail with one line for each broken rule."""
    found = sorted(set(sentences))
    assert not found, "\n" + "\n".join(found)


@cache
def modules() -> Mapping[str, Module]:
    """Return every module of the three packages by its dotted name."""
    found: dict[str, Module] = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            text = path.read_text("utf-8")
            found[name] = Module(name, path, ast.parse(text, str(path)), len(text.splitlines()))
    return found


@cache
def imported_names(name: str, *, at_run_time: bool = False) -> frozenset[str]:
    """Return the dotted names that a module imports, `from a import b` as `a.b`.

    With `at_run_time`, without those that only a type checker follows.
    """
    module = modules()[name]
    nodes = list(_nodes(module.tree, at_run_time))
    return frozenset(_imported(nodes, name, module.path.name == "__init__.py"))


def _nodes(tree: ast.AST, at_run_time: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if at_run_time and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node, at_run_time)


def _imported(nodes: Iterable[ast.AST], name: str, is_package: bool) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, name, is_package)
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _is_import_call(node.func) and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def _origin(node: ast.ImportFrom, name: str, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    parents = name.split(".")
    base = parents[: len(parents) - node.level + is_package]
    return ".".join([*base, node.module] if node.module else base)


def _is_import_call(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


@cache
def own_imports(name: str, *, at_run_time: bool = False) -> frozenset[str]:
    """Return the modules of the product that a module imports."""
    known = modules()
    targets: set[str] = set()
    for imported in imported_names(name, at_run_time=at_run_time):
        parent = imported.rpartition(".")[0]
        if imported in known:
            targets.add(imported)
        elif parent in known:
            targets.add(parent)
    return frozenset(targets - {name})


def foreign_imports(name: str) -> frozenset[str]:
    """Return the top-level names outside the product that a module imports."""
    tops = {imported.partition(".")[0] for imported in imported_names(name)}
    return frozenset(tops - set(PACKAGES) - {"__future__"})


def reached_from(names: Iterable[str]) -> dict[str, str]:
    """Return every module that `names` import at run time, directly or not, with who does."""
    via: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        current = waiting.pop()
        for target in own_imports(current, at_run_time=True):
            if target not in via:
                via[target] = current
                waiting.append(target)
    return via


def chain(via: Mapping[str, str], target: str) -> str:
    """Return how `target` was reached, as `a -> b -> target`, from a result of `reached_from`."""
    steps = [target]
    while steps[-1] in via and via[steps[-1]] not in steps:
        steps.append(via[steps[-1]])
    return " -> ".join(reversed(steps))


def cycles(graph: Mapping[str, Iterable[str]] | None = None) -> list[list[str]]:
    """Return the groups of modules that import each other in a ring, each sorted.

    The strongly connected components with more than one member (Tarjan, "Depth-first search and
    linear graph algorithms", 1972).
    """
    edges = graph if graph is not None else {name: own_imports(name) for name in modules()}
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    rings: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for target in edges.get(name, ()):
            if target not in number:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], number[target])
        if low[name] == number[name]:
            ring = [stack.pop()]
            while ring[-1] != name:
                ring.append(stack.pop())
            if len(ring) > 1:
                rings.append(sorted(ring))

    for name in edges:
        if name not in number:
            visit(name)
    return rings
