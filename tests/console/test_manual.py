"""The manual pages that are installed: one a command, with every option, word and note of it."""

from __future__ import annotations

from importlib import import_module

import pytest

from import_graph import ROOT
from isinglass.cli.options import Command, Option
from isinglass_console.cli import COMMANDS
from isinglass_console.completion import tables
from isinglass_console.manual import pages, parser_of

FOLDER = ROOT / "docs" / "man"


def test_there_is_a_page_for_every_command_and_none_for_others() -> None:
    kept = {path.name for path in FOLDER.iterdir()}
    assert kept == set(pages()), "run `make docs`"
    overview = (FOLDER / "isinglass.1").read_text()
    for name, (_module, line) in COMMANDS.items():
        assert (f"isinglass-{name}.1" in kept) == bool(line)
        assert not line or f".BR isinglass-{name} (1)" in overview


@pytest.mark.parametrize("name", tables())
def test_a_page_says_what_the_table_says(name: str) -> None:
    page = (FOLDER / f"isinglass-{name}.1").read_text()
    text = " ".join(page.replace("\\-", "-").replace("\\e", "\\").split())
    module = import_module(COMMANDS[name][0])
    command: Command = module.COMMAND
    actions: dict[str, Command] = getattr(module, "ACTIONS", {})
    table = tables()[name]
    wanted = [f"--{option.name}" for option in table.options]
    wanted += [option.help for option in table.options]
    wanted += [word.help for word in table.positionals]
    wanted += [*command.notes, *command.examples]
    wanted += [f"{action}: {note}" for action, each in actions.items() for note in each.notes]
    missing = [each for each in wanted if " ".join(each.split()) not in text]
    assert not missing, "run `make docs`"
    known = {f"--{option.name}" for option in table.options} | {"--help"}
    headed = {
        word.strip("\\fB,R").replace("\\-", "-")
        for line in page.splitlines()
        if line.startswith("\\fB")
        for word in line.split()
        if word.startswith(("\\fB\\-\\-", "\\-\\-"))
    }
    assert {word.replace("\\fR", "") for word in headed} <= known, "run `make docs`"


def test_a_percent_sign_is_one() -> None:
    option = Option("share", "Up to 100 % of it.", value="N", default=5)
    text = parser_of(
        Command("try", "Tries.", options=(option,)), Command("try", "", options=(option,))
    )
    assert "Up to 100 % of it. Default: 5." in text.format_help()
