"""The help text of a command, made from its option table; imported only when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap

from isinglass.cli.options import Command, Option, Positional

LINE_WIDTH = 88
LEFT_WIDTH = 26


def render(command: Command) -> str:
    """Return the whole help text of a command, ending in a newline."""
    blocks = [usage(command), command.summary]
    if command.positionals:
        blocks.append(_rows((word.name, word.help) for word in command.positionals))
    rows = [(_left(option), option_help(option)) for option in command.options]
    blocks.append("Options:\n" + _rows([*rows, ("-h, --help", "Show this text.")]))
    blocks.extend(_wrap(note, "") for note in command.notes)
    if command.examples:
        blocks.append("Examples:\n" + "\n".join(f"  {example}" for example in command.examples))
    return "\n\n".join(blocks) + "\n"


def overview(commands: dict[str, tuple[str, str]], summary: str) -> str:
    """Return the text of `isinglass --help`: every command with its one line."""
    rows = _rows((name, line) for name, (_module, line) in commands.items() if line)
    return (
        f"Usage: isinglass COMMAND [ARGUMENTS]\n\n{summary}\n\nCommands:\n{rows}\n\n"
        "`isinglass COMMAND --help` says more, `isinglass --version` the version.\n"
    )


def usage(command: Command) -> str:
    """Return the usage line of a command."""
    words = " ".join(_word(positional) for positional in command.positionals)
    return f"Usage: isinglass {command.name} {words + ' ' if words else ''}[OPTIONS]"


def _word(positional: Positional) -> str:
    name = f"{positional.name}..." if positional.repeat else positional.name
    return name if positional.required else f"[{name}]"


def _left(option: Option) -> str:
    short = f"-{option.short}, " if option.short else ""
    return f"{short}--{option.name}{' ' + option.value if option.value else ''}"


def option_help(option: Option) -> str:
    """Return what is said of an option: its help, its choices, its default."""
    text = option.help
    if option.choices:
        text += f" One of: {', '.join(option.choices)}."
    if option.default not in (None, False):
        text += f" Default: {option.default}."
    if option.repeat:
        text += " May be given several times."
    return text


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    return "\n".join(_wrap(right, f"  {left:<{LEFT_WIDTH - 4}}  ") for left, right in rows)


def _wrap(text: str, start: str) -> str:
    """Wrap `text` behind `start`, the following lines aligned with the first."""
    indent = " " * LEFT_WIDTH if start else ""
    lines = wrap(text, LINE_WIDTH - len(indent)) or [""]
    if len(start) > LEFT_WIDTH:
        return "\n".join([start.rstrip(), *(indent + line for line in lines)])
    return "\n".join([start + lines[0], *(indent + line for line in lines[1:])])
