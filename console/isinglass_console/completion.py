"""`isinglass completion SHELL`: prints the shell's completion script.

In the top layer because it reads the option table of every command, the console's too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module

from isinglass.cli.completion import SHELLS, script
from isinglass.cli.options import Command, Positional
from isinglass.errors import UsageError
from isinglass_console.cli import COMMANDS

COMMAND = Command(
    "completion",
    "Print the completion script of a shell.",
    positionals=(Positional("SHELL", "bash, zsh or fish", choices=SHELLS),),
    examples=(
        'eval "$(isinglass completion bash)"',
        "isinglass completion fish | source",
        "isinglass completion zsh > ~/.zfunc/_isinglass",
    ),
)


def main(arguments: list[str]) -> int:
    """Print the script."""
    shell = COMMAND.parse(arguments).text("SHELL")
    if shell not in SHELLS:
        raise UsageError(f"There is completion for {', '.join(SHELLS)}, not for {shell!r}.")
    sys.stdout.write(script(shell, _lines(), tables()))
    return 0


def _lines() -> dict[str, str]:
    return {name: line for name, (_module, line) in COMMANDS.items() if line}


def tables() -> dict[str, Command]:
    """Return the option table of every listed command that has one."""
    found = {}
    for name in _lines():
        module = import_module(COMMANDS[name][0])
        if actions := getattr(module, "ACTIONS", None):
            found[name] = _merged(name, actions)
        elif table := getattr(module, "COMMAND", None):
            found[name] = table
    return found


def _merged(name: str, actions: Mapping[str, Command]) -> Command:
    """Return one table for a command of several actions: the union of their words and options."""
    action = Positional("ACTION", "what to do", choices=tuple(actions))
    words = {word.name: word for table in actions.values() for word in table.positionals}
    options = {option.name: option for table in actions.values() for option in table.options}
    return Command(name, "", positionals=(action, *words.values()), options=tuple(options.values()))
