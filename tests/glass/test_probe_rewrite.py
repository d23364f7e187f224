"""The rewriter: which statements are marks, what they become, and what stays as it was."""

from __future__ import annotations

import ast
import textwrap
from types import CodeType
from typing import Any

import pytest

from isinglass.glass import marks, rewrite
from isinglass.glass.layout import LINE_BITS
from isinglass.glass.probe import this_thread
from isinglass.glass.sites import LAST_LINE, sites_of, source_hash

MODULE_ID = 0x1A2B
PATH = "probed.py"


def source_of(text: str) -> bytes:
    return textwrap.dedent(text).encode()


def code_with_stores(text: str) -> CodeType:
    return compile(rewrite.with_stores(source_of(text), PATH, MODULE_ID), PATH, "exec")


def code_without_marks(text: str) -> CodeType:
    return compile(rewrite.without_marks(source_of(text), PATH), PATH, "exec")


def run(text: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "probed"}
    exec(code_with_stores(text), namespace)
    return namespace


def function_in(code: CodeType, name: str) -> CodeType:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == name:
                return constant
            if found := function_in_or_none(constant, name):
                return found
    raise LookupError(name)


def function_in_or_none(code: CodeType, name: str) -> CodeType | None:
    try:
        return function_in(code, name)
    except LookupError:
        return None


def marked_line() -> int:
    return this_thread.word[0] & LAST_LINE


def test_a_mark_becomes_the_store_one_would_write_by_hand() -> None:
    marked = code_with_stores(
        """
        from isinglass import mark
        def drain(queue):
            '''Doc.'''
            item = None
            while queue:
                mark.waiting("for work")
                item = queue.pop()
                mark("draining")
                item()
        """
    )
    by_hand = compile(
        source_of(
            f"""
            _isinglass_thread = None
            def drain(queue):
                '''Doc.'''
                _isinglass_word = _isinglass_thread.word; item = None
                while queue:
                    _isinglass_word[0] = {MODULE_ID << LINE_BITS | 7}
                    item = queue.pop()
                    _isinglass_word[0] = {MODULE_ID << LINE_BITS | 9}
                    item()
            """
        ),
        PATH,
        "exec",
    )
    rewritten, written = function_in(marked, "drain"), function_in(by_hand, "drain")
    assert rewritten.co_code == written.co_code
    assert set(rewritten.co_names) == set(written.co_names)
    assert rewritten.co_consts == written.co_consts


def test_the_word_shows_the_line_of_the_last_mark_that_ran() -> None:
    namespace = run(
        """
        from isinglass import mark
        def f(deep):
            mark("outside")
            def inner():
                mark("inside")
            if deep:
                inner()
        class Holder:
            def method(self):
                mark.waiting("in a method")
        """
    )
    namespace["f"](False)
    assert this_thread.word[0] == MODULE_ID << LINE_BITS | 4
    namespace["f"](True)
    assert marked_line() == 6
    namespace["Holder"]().method()
    assert marked_line() == 11


def test_class_bodies_and_module_level_look_the_word_up_at_each_mark() -> None:
    run(
        """
        from isinglass import mark
        class Holder:
            mark("building the class")
            line = __import__("isinglass.glass.probe").glass.probe.this_thread.word[0] & 0xFFFF
            assert line == 4
        for _ in range(2):
            mark("at module level")
        """
    )
    assert marked_line() == 8


@pytest.mark.parametrize(
    ("kind", "once"),
    [
        ("def f():\n    mark('a')\n    return 1", True),
        ("async def f():\n    mark('a')\n    await g()", True),
        ("async def f():\n    mark('a')\n    yield 1", True),
        ("def f():\n    mark('a')\n    yield 1", False),
        ("def f():\n    mark('a')\n    yield from g()", False),
        ("def f():\n    mark('a')\n    return locals()", False),
        ("def f():\n    mark('a')\n    return eval('1')", False),
        ("def f():\n    mark('a')\n    def g():\n        yield 1\n        locals()", True),
    ],
)
def test_the_word_is_looked_up_once_except_where_that_could_go_wrong(kind: str, once: bool) -> None:
    code = function_in(code_with_stores(f"from isinglass import mark\n{kind}\n"), "f")
    assert ("_isinglass_word" in code.co_varnames) is once


def test_docstrings_and_future_imports_stay_first() -> None:
    namespace = run(
        """
        '''The module.'''
        from __future__ import annotations
        from isinglass import mark
        def f(argument: NotDefined):
            '''The function.'''
            mark("in f")
        class Holder:
            '''The class.'''
            mark("in Holder")
        """
    )
    assert namespace["__doc__"] == "The module."
    assert namespace["f"].__doc__ == "The function."
    assert namespace["Holder"].__doc__ == "The class."


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from isinglass import mark", "mark"),
        ("from isinglass import mark as here", "here"),
        ("from isinglass.glass.probe import mark", "mark"),
        ("import isinglass", "isinglass.mark"),
        ("import isinglass as glass", "glass.mark"),
        ("import isinglass.glass.probe", "isinglass.glass.probe.mark"),
        ("import isinglass.glass.probe as probe", "probe.mark"),
        ("from isinglass.glass import probe", "probe.mark"),
        ("try:\n    from isinglass import mark\nexcept ImportError:\n    mark = print", "mark"),
        ("if True:\n    from isinglass import mark", "mark"),
    ],
)
def test_every_way_to_import_mark_is_seen(imports: str, call: str) -> None:
    text = f"{imports}\ndef f():\n    {call}('works')\n    {call}.waiting('waits')\n"
    first = text.count("\n") - 1
    found = sites_of(code_with_stores(text))
    assert found is not None
    assert found[2] == ((first, "f", "works", False), (first + 1, "f", "waits", True))
    assert call.split(".")[0] not in function_in(code_with_stores(text), "f").co_names


@pytest.mark.parametrize(
    "text",
    [
        "def f(mark):\n    mark('a')",
        "from isinglass import mark\ndef f(mark):\n    mark('a')",
        "from isinglass import mark\nmark = print\nmark('a')",
        "from isinglass import mark\nfor mark in (print,):\n    mark('a')",
        "from isinglass import mark\ndef g():\n    global mark\n    del mark\nmark('a')",
        "from isinglass import mark\nfrom other import mark\nmark('a')",
        "from isinglass import mark\nfrom .other import mark\nmark('a')",
        "from isinglass import mark\nclass mark: pass\nmark('a')",
        "from isinglass import mark\ntry: pass\nexcept OSError as mark: mark('a')",
        "from isinglass import mark\nmatch 1:\n    case mark: mark('a')",
        "from other import mark\nmark('a')",
        "def f():\n    from isinglass import mark\n    mark('a')",
        "import isinglass\nisinglass.marks('a')\nisinglass.mark.working('a')",
    ],
)
def test_a_name_that_may_be_something_else_stays_a_call(text: str) -> None:
    assert ast.dump(rewrite.with_stores(text.encode(), PATH, 1)) == ast.dump(ast.parse(text))
    assert ast.dump(rewrite.without_marks(text.encode(), PATH)) == ast.dump(ast.parse(text))
    assert marks.sites(text.encode(), PATH) == ()


def test_marks_that_cannot_be_constants_stay_calls_and_have_sites() -> None:
    text = """
        from isinglass import mark
        def f(table):
            mark(f"put into {table}")
            mark(label="by keyword")
            kept = mark("value used")
            return lambda: mark.waiting("in a lambda"), kept
        """
    code = code_with_stores(text)
    assert "mark" in function_in(code, "f").co_names
    assert "_isinglass_word" not in function_in(code, "f").co_varnames
    found = sites_of(code)
    assert found is not None
    assert [(line, label, waits) for line, _, label, waits in found[2]] == [
        (4, "f'put into {table}'", False),
        (5, "mark(label='by keyword')", False),
        (6, "value used", False),
        (7, "in a lambda", True),
    ]
    assert marks.sites(source_of(text), PATH) == found[2]


def test_sites_name_functions_as_python_does() -> None:
    text = """
        import isinglass
        def outer():
            class Local:
                async def method(self):
                    isinglass.mark("deep")
        isinglass.mark("top")
        """
    namespace = run(text)
    found = sites_of(code_with_stores(text))
    assert found is not None
    deep = function_in(code_with_stores(text), "method")
    assert [site[1] for site in found[2]] == [deep.co_qualname, "<module>"]
    assert namespace["__isinglass_sites__"][2] == source_hash(source_of(text))


def test_a_line_past_the_words_room_shows_as_the_last_one() -> None:
    text = "from isinglass import mark\n" + "\n" * 70_000 + "mark('far down')\n"
    exec(compile(rewrite.with_stores(text.encode(), PATH, MODULE_ID), PATH, "exec"), {})
    assert this_thread.word[0] == MODULE_ID << LINE_BITS | LAST_LINE
    assert marks.sites(text.encode(), PATH) == ((LAST_LINE, "<module>", "far down", False),)


# ---------------------------------------------------------------------- switched off
# In each text a line with `mark` is what the second version lacks.
OFF_CASES = {
    "plain": "def f(x):\n    'Doc.'\n    mark('a')\n    y = x\n    mark('b')\n    return y\n",
    "loop": "def f(x):\n    for y in x:\n        mark.waiting('a')\n        x()\n    return 1\n",
    "last": "def f(x):\n    x()\n    mark('a')\n",
    "branches": "def f(x):\n    if x:\n        mark('a')\n        x()\n    else:\n        x = 1\n",
    "try": "def f(x):\n    try:\n        mark('a')\n        x()\n    finally:\n        x = 1\n",
    "async": "async def f(x):\n    async with x:\n        mark('a')\n        await x\n",
    "generator": "def f(x):\n    mark('a')\n    yield x\n",
    "class": "class f:\n    mark('a')\n    x = 1\n",
    "label made": "def f(x):\n    mark(f'a {x}')\n    return x\n",
    "nested": "def f(x):\n    def g():\n        mark('a')\n        return x\n    return g\n",
}


def shape(code: CodeType) -> tuple[object, ...]:
    """All of a function's code but its columns and the code of functions inside it by identity."""
    constants = tuple(shape(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    lines = tuple(code.co_lines())
    return code.co_code, constants, code.co_names, code.co_varnames, lines, code.co_exceptiontable


@pytest.mark.parametrize("text", OFF_CASES.values(), ids=OFF_CASES)
def test_switched_off_the_bytecode_is_that_of_the_function_without_marks(text: str) -> None:
    without = "".join(
        "\n" if line.strip().startswith("mark") else line for line in text.splitlines(True)
    )
    imports = "from isinglass import mark\n"
    plain = compile(imports + without, PATH, "exec")
    assert "mark(" not in without and "mark." not in without
    off = code_without_marks(imports + text)
    assert shape(function_in(off, "f")) == shape(function_in(plain, "f"))
    assert shape(function_in(code_with_stores(imports + text), "f")) != shape(
        function_in(plain, "f")
    )


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    mark('a')\n",
        "def f():\n    mark('a')\n    mark('b')\n",
        "def f(x):\n    if x:\n        mark('a')\n    else:\n        mark('b')\n    return x\n",
        "def f(x):\n    try:\n        x()\n    except OSError:\n        mark('a')\n",
        "def f(x):\n    match x:\n        case 1:\n            mark('a')\n        case _: x()\n",
        "class f:\n    mark('a')\n",
    ],
)
def test_a_block_that_was_only_marks_passes(text: str) -> None:
    lines = text.splitlines(True)
    passing = [
        line.replace(line.strip(), "pass") if line.strip().startswith("mark") else line
        for line in lines
    ]
    first_only = "".join(
        "\n" if index and line.strip() == "pass" == passing[index - 1].strip() else line
        for index, line in enumerate(passing)
    )
    off = function_in(code_without_marks("from isinglass import mark\n" + text), "f")
    assert shape(off) == shape(function_in(compile("\n" + first_only, PATH, "exec"), "f"))


def test_a_string_after_a_removed_mark_does_not_become_the_docstring() -> None:
    namespace: dict[str, object] = {}
    text = "from isinglass import mark\ndef f():\n    mark('a')\n    'not a docstring'\n"
    exec(code_without_marks(text), namespace)
    assert namespace["f"].__doc__ is None
