"""Shell completion: the scripts name every option, and bash really completes by them."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cli.commands import COMMAND, isinglass
from isinglass.cli.completion import SHELLS, script
from isinglass.cli.options import Command, Option, Positional
from isinglass_console.cli import COMMANDS

TABLES = {
    "bake": Command(
        "bake",
        "Bake it's own bread.",
        positionals=(Positional("NODE", "a node", completes="nodes"),),
        options=(
            Option("flour", "Which [flour].", value="NAME", choices=("rye", "wheat")),
            Option("into", "Where to.", value="FILE", completes="files", repeat=True, short="i"),
            Option("node", "Which node.", value="NODE", completes="nodes"),
            Option("salt", "It's salty."),
        ),
    )
}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_names_all_commands_options_and_choices(shell: str) -> None:
    text = script(shell, {"bake": "Bake it's own bread."}, TABLES)
    for word in ("bake", "flour", "into", "salt", "rye wheat", "isinglass complete-nodes"):
        assert word in text


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_is_good_syntax(shell: str) -> None:
    binary = shutil.which(shell)
    if binary is None:
        pytest.skip(f"{shell} is not installed")
    check = subprocess.run([binary, "-n"], input=script(shell, {"bake": "x"}, TABLES), text=True)
    assert check.returncode == 0


def complete(*words: str) -> list[str]:
    """Return what bash offers for the last word, by the script that the command prints."""
    line = " ".join(f"'{word}'" for word in ("isinglass", *words))
    program = (
        f'PATH="{COMMAND.rpartition("/")[0]}:$PATH"; eval "$(isinglass completion bash)";'
        f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _isinglass;"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return sorted(done.stdout.split())


def test_bash_completes_commands_options_choices_and_nodes(
    bakery: subprocess.Popen[str],
) -> None:
    assert complete("du") == ["dump"]
    assert complete("dump", "--t") == ["--tables", "--tsv"]
    assert complete("dump", "--level", "") == ["debug", "diagnostic", "info"]
    assert complete("dump", "") == ["bakery"]
    assert complete("daemon", "sta") == ["start", "status"]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_every_shells_script(shell: str) -> None:
    text = isinglass("completion", shell).stdout
    for name, (_module, line) in COMMANDS.items():
        assert (name in text) or not line
    assert "no 'tcsh'" not in text


def test_a_shell_that_is_not_known_is_refused() -> None:
    assert "not for 'tcsh'" in isinglass("completion", "tcsh", expect=2).stderr
