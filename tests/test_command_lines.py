"""Each command line that a page or a `--help` shows is one that its command takes.

Only the option tables are asked; nothing is run.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib import import_module

import pytest

from import_graph import ROOT
from isinglass.cli.options import HelpAsked
from isinglass_console.cli import COMMANDS

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINE = re.compile(r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )*(isinglass [a-z].*)$", re.MULTILINE)
STOPS = frozenset(("|", ">", ">>", "&", ";", "&&"))  # behind them stands no word of ours
SWITCH = re.compile(r"[+-][a-z]{2,}")  # of `isinglass debug`, which are no options
FORMS = re.compile(r"[a-z]\|[a-z]|\[|\.\.\.")  # `start|stop`, `[NODE]`: what may stand there


def words_of(line: str) -> list[str]:
    """Return the words of a command line behind `isinglass`, without what follows the command."""
    without_remark = re.split(r" {2,}", line)[0]
    words = shlex.split(without_remark, comments=True)
    ends = [place for place, word in enumerate(words) if word in STOPS or word[0] in "><"]
    return words[1 : ends[0]] if ends else words[1:]


def shown_by_pages() -> Iterator[tuple[str, str]]:
    """Yield every command line of a page with its place: of blocks, and between backquotes."""
    for page in PAGES:
        text = page.read_text("utf-8")
        lines = [*LINE.findall(text), *re.findall(r"`(isinglass [a-z][^`\n]*)`", text)]
        yield from ((page.name, line) for line in lines if " -" in line and not FORMS.search(line))


def shown_by_help() -> Iterator[tuple[str, str]]:
    """Yield every example of a command's help."""
    for name, (place, line) in COMMANDS.items():
        module = import_module(place)
        tables = [module.COMMAND, *getattr(module, "ACTIONS", {}).values()] if line else []
        examples = dict.fromkeys(example for table in tables for example in table.examples)
        yield from ((name, line) for line in examples if line.startswith("isinglass "))


def parse(line: str) -> None:
    """Read a line by the table of its command."""
    name, *words = words_of(line)
    module = import_module(COMMANDS[name][0])
    if actions := getattr(module, "ACTIONS", None):
        action = words.pop(0) if words and words[0] in actions else next(iter(actions))
        actions[action].parse(words)
    else:
        module.COMMAND.parse(
            [word for word in words if not (name == "debug" and SWITCH.fullmatch(word))]
        )


@pytest.mark.parametrize(("place", "line"), [*shown_by_pages(), *shown_by_help()])
def test_a_line_that_is_shown_is_taken(place: str, line: str) -> None:
    try:
        parse(line)
    except HelpAsked:
        assert "--help" in line
