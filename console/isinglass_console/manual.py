"""Manual pages of all commands, made from their option tables: `man isinglass-dump`.

    python -m isinglass_console.manual docs/man

argparse-manpage (the extra `manual`) writes the pages of an argparse parser; the one here comes of
the same tables as the real parser, the help and the completion, and parses nothing. The pages are
kept in docs/man and installed with the product, as `make docs` is not run where it is installed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from argparse_manpage.manpage import Manpage

from isinglass import __version__
from isinglass.cli.help import option_help
from isinglass.cli.options import Command, Option, Positional
from isinglass_console.cli import COMMANDS, SUMMARY
from isinglass_console.completion import tables

TITLE = "isinglass manual"


def pages() -> dict[str, str]:
    """Return the text of every page by the name of its file."""
    found = {"isinglass.1": _overview()}
    for name, table in tables().items():
        module = import_module(COMMANDS[name][0])
        command: Command = module.COMMAND
        actions: Mapping[str, Command] = getattr(module, "ACTIONS", {})
        found[f"isinglass-{name}.1"] = _page(command, table, actions)
    return found


def parser_of(command: Command, options: Command) -> argparse.ArgumentParser:
    """Return an argparse parser that describes a command.

    Args:
        options: the table whose words and options are described.
    """
    parser = argparse.ArgumentParser(
        prog=f"isinglass {command.name}", description=command.summary, add_help=False
    )
    for word in options.positionals:
        parser.add_argument(word.name, **_word(word))
    for option in options.options:
        names = [f"-{option.short}"] if option.short else []
        parser.add_argument(*names, f"--{option.name}", **_option(option))
    parser.add_argument("-h", "--help", action="store_true", help="Show the help.")
    return parser


def _word(word: Positional) -> dict[str, Any]:
    many = ("+" if word.required else "*") if word.repeat else (None if word.required else "?")
    return {"nargs": many, "help": _escaped(word.help), "metavar": word.name}


def _option(option: Option) -> dict[str, Any]:
    text = option_help(option)
    if not option.value:
        return {"action": "store_true", "help": _escaped(text)}
    return {"metavar": option.value, "help": _escaped(text)}


def _escaped(text: str) -> str:
    return text.replace("%", "%%")  # argparse takes it for a placeholder


def _page(command: Command, table: Command, actions: Mapping[str, Command]) -> str:
    page = _manpage(parser_of(command, table), command.summary)
    page.synopsis[0] = f"isinglass {command.name}"
    if actions:
        page.synopsis[1:] = ["ACTION", "[WORD ...]", "[OPTION ...]"]
        _section(page, "actions", _terms((name, each.summary) for name, each in actions.items()))
    notes = list(command.notes)
    notes += [f"{action}: {note}" for action, each in actions.items() for note in each.notes]
    if notes:
        _section(page, "notes", "\n.PP\n".join(map(_roff, notes)))
    if command.examples:
        lines = "\n".join(_roff(example) for example in command.examples)
        _section(page, "examples", f".nf\n{lines}\n.fi")
    _section(page, "see also", ".BR isinglass (1)")
    return str(page)


def _overview() -> str:
    parser = argparse.ArgumentParser(prog="isinglass", description=SUMMARY, add_help=False)
    parser.add_argument("COMMAND", help="What to do.")
    parser.add_argument("ARGUMENTS", nargs="*", help="As `isinglass COMMAND --help` says.")
    page = _manpage(parser, SUMMARY)
    listed = [(name, line) for name, (_module, line) in COMMANDS.items() if line]
    _section(page, "commands", _terms(listed))
    others = ", ".join(f".BR isinglass-{name} (1)" for name, _line in listed)
    _section(page, "see also", others.replace(", ", ",\n"))
    return str(page)


def _manpage(parser: argparse.ArgumentParser, summary: str) -> Manpage:
    parser.prog = parser.prog.replace(" ", "-")
    data = {
        "project_name": "isinglass",
        "version": __version__,
        "manual_title": TITLE,
        "description": summary.rstrip("."),
        "date": f"version {__version__}",
    }
    return Manpage(parser, data)


def _section(page: Manpage, heading: str, content: str) -> None:
    page.add_section(heading, "=", content)


def _terms(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f".TP\n.B {_roff(name)}\n{_roff(text)}" for name, text in rows)


def _roff(text: str) -> str:
    """Return text as roff has it: no line may begin with a dot or an apostrophe."""
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def main(folder: Path) -> None:
    """Write the pages into a folder, and remove those of commands that are no more."""
    folder.mkdir(exist_ok=True)
    made = pages()
    for path in folder.glob("isinglass*.1"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
