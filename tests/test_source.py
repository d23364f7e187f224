"""How long files and functions are, and that everything public says what it is for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from statistics import median

from import_graph import ROOT, broken, modules

LONGEST_FILE_LINES = 400
LONGEST_FUNCTION_LINES = 60
MEDIAN_FILE_LINES = 180
FORBIDDEN_FILES = {"utils.py", "types.py", "helpers.py", "common.py", "misc.py"}

# methods that a framework names and documents
FRAMEWORK_METHODS = re.compile(
    r"(on|action|watch|compute|validate|check|key|visit)_\w+|compose|render\w*|get_content_\w+|run"
)


@cache
def sources() -> dict[str, str]:
    """Return the text of every Python file that is written by hand, by its place."""
    folders = ("daemon", "monitor", "console", "tests", "bench", "screenshots")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in paths}


def test_files_are_short() -> None:
    lengths = {place: len(text.splitlines()) for place, text in sources().items()}
    broken(f"{place} has {n} lines" for place, n in lengths.items() if n > LONGEST_FILE_LINES)


def test_the_median_file_is_shorter_still() -> None:
    lengths = [m.lines for m in modules().values() if m.path.name != "__init__.py"]
    assert median(lengths) <= MEDIAN_FILE_LINES


def test_no_file_is_named_for_nothing() -> None:
    broken(place for place in sources() if place.rpartition("/")[2] in FORBIDDEN_FILES)


Function = ast.FunctionDef | ast.AsyncFunctionDef


def test_functions_are_short() -> None:
    broken(
        f"{place}:{node.lineno} {node.name} has {length} lines"
        for place, text in sources().items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, Function)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION_LINES
    )


def test_every_module_says_what_it_is_for() -> None:
    broken(place for place, text in sources().items() if not ast.get_docstring(ast.parse(text)))


def test_every_public_name_says_what_it_does() -> None:
    broken(
        f"{module.place}:{node.lineno} {node.name} has no docstring"
        for module in modules().values()
        for node in public(module.tree)
        if not ast.get_docstring(node)
    )


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Function | ast.ClassDef]:
    """Yield the public classes and functions, without what is documented elsewhere."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if not any(ast.unparse(base) == "Protocol" for base in node.bases):
                yield from public(node)
        elif isinstance(node, Function) and not node.name.startswith("_"):
            in_class = isinstance(tree, ast.ClassDef)
            if not (in_class and FRAMEWORK_METHODS.fullmatch(node.name)) and not is_restated(node):
                yield node


def is_restated(node: Function) -> bool:
    """Tell whether another definition of the same name has the docstring."""
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    return bool(names & {"overload", "setter", "override"})
