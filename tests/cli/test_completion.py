"""Shell completion: the scripts name every option, and each shell really completes by them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli.commands import COMMAND, isinglass
from console.terminal import Terminal, environment
from isinglass.cli.completion import SHELLS, script
from isinglass.cli.options import Command, Option, Positional
from isinglass_console.cli import COMMANDS
from needs import needs

SEARCHED = f"{Path(COMMAND).parent}{os.pathsep}{os.environ['PATH']}"  # for the command itself
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
    needs(shell)
    check = subprocess.run([shell, "-n"], input=script(shell, {"bake": "x"}, TABLES), text=True)
    assert check.returncode == 0


def complete(*words: str) -> list[str]:
    """Return what bash offers for the last word, by the script that the command prints."""
    line = " ".join(f"'{word}'" for word in ("isinglass", *words))
    program = (
        f'eval "$(isinglass completion bash)";'
        f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _isinglass;"
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", program],
        env={**os.environ, "PATH": SEARCHED},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stderr == ""
    return sorted(filter(None, done.stdout.split("\n")))


def test_bash_completes_commands_options_choices_and_nodes(
    bakery: subprocess.Popen[str],
) -> None:
    assert complete("du") == ["dump"]
    assert complete("dump", "--t") == ["--tables", "--tsv"]
    assert complete("dump", "--level", "") == ["debug", "diagnostic", "info"]
    assert complete("dump", "") == ["bakery"]
    assert complete("daemon", "sta") == ["start", "status"]
    assert complete("log", "-n", "") == complete("log", "--node", "ba") == ["bakery"]


def test_bash_completes_names_of_files_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "last night.recording").touch()
    (tmp_path / "last folder").mkdir()
    monkeypatch.chdir(tmp_path)
    both = ["last folder", "last night.recording"]
    assert complete("console", "--replay", "la") == complete("record", "-o", "la") == both
    assert complete("compare", "last n") == ["last night.recording"]


def test_fish_completes_actions_files_and_nodes(
    bakery: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("fish")
    (tmp_path / "last night.recording").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def offered(line: str) -> list[str]:
        program = f"isinglass completion fish | source; complete -C '{line}'"
        done = subprocess.run(
            ["fish", "-c", program], env={**os.environ, "PATH": SEARCHED}, stdout=subprocess.PIPE
        )
        return [each.partition("\t")[0] for each in done.stdout.decode().split("\n") if each]

    assert offered("isinglass alarms si") == ["silence"]
    assert "last night.recording" in offered("isinglass record -o la")
    assert offered("isinglass log -n ba") == offered("isinglass ps ba") == ["bakery"]


@pytest.mark.terminal
def test_zsh_completes_actions_files_and_nodes(
    bakery: subprocess.Popen[str], home: Path, tmp_path: Path
) -> None:
    needs("zsh")
    (tmp_path / "last night.recording").touch()
    (tmp_path / "script").write_text(isinglass("completion", "zsh").stdout)
    terminal = Terminal(home / "tmux", environment(PATH=SEARCHED))
    terminal.start(f"cd {tmp_path} && exec zsh -f")
    try:
        terminal.press("PS1='> '; autoload -Uz compinit; compinit -u -D; source script", "Enter")
        for typed, whole in (
            ("isinglass alarms si", "isinglass alarms silence"),
            ("isinglass alarms silence lag ba", "isinglass alarms silence lag bakery"),
            ("isinglass record -o la", r"isinglass record -o last\ night.recording"),
            ("isinglass log -n ba", "isinglass log -n bakery"),
            ("isinglass log -n bakery --foll", "isinglass log -n bakery --follow"),
        ):
            terminal.press(typed, "Tab")
            terminal.wait_for(whole)
            terminal.press("C-u")
    finally:
        terminal.stop()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_every_shells_script(shell: str) -> None:
    text = isinglass("completion", shell).stdout
    for name, (_module, line) in COMMANDS.items():
        assert (name in text) or not line


def test_a_shell_that_is_not_known_is_refused() -> None:
    assert "not for 'tcsh'" in isinglass("completion", "tcsh", expect=2).stderr
