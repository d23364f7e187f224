"""The command as a whole: help, version, unknown names, exit codes, pipes and interrupts."""

from __future__ import annotations

import signal
import subprocess

import pytest

from cli.commands import isinglass, start
from isinglass import __version__
from isinglass_console.cli import COMMANDS


def test_help_lists_every_command_with_one_line() -> None:
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        text = isinglass(*arguments).stdout
        for name, (_module, line) in COMMANDS.items():
            assert (f"  {name} " in text and line in text) == bool(line)


@pytest.mark.parametrize("name", [n for n, (m, _) in COMMANDS.items() if "isinglass.cli" in m])
def test_every_command_explains_itself(name: str) -> None:
    text = isinglass(name, "--help").stdout
    assert text.startswith(f"Usage: isinglass {name}")
    assert isinglass("help", name).stdout == text


def test_version() -> None:
    assert isinglass("--version").stdout == f"isinglass {__version__}\n"


def test_an_unknown_command_is_one_sentence_with_the_nearest_name() -> None:
    error = isinglass("dmup", expect=2).stderr
    assert error.count("\n") == 1
    assert "no command 'dmup', did you mean dump" in error


def test_errors_are_one_sentence_with_the_exit_code_of_their_class() -> None:
    missing = isinglass("dump", "nowhere", expect=1).stderr
    assert missing.startswith("isinglass: node nowhere has no segment") and missing.count("\n") == 1
    assert "isinglass daemon start" in isinglass("ps", expect=1).stderr
    assert "no option --nonsense" in isinglass("dump", "--nonsense", expect=2).stderr


def test_a_reader_that_leaves_early_is_no_error(bakery: subprocess.Popen[str]) -> None:
    # More than a pipe holds, so that the command is still writing when its reader goes.
    watch = start("watch", "bakery", "--interval", "0.001", "--level", "debug")
    assert watch.stdin and watch.stdout and watch.stderr
    watch.stdout.readline()
    watch.stdout.close()
    assert watch.stderr.read() == ""
    assert watch.wait(timeout=20) == 141
    for pipe in (watch.stdin, watch.stderr):
        pipe.close()


def test_an_interrupt_ends_a_command_quietly(bakery: subprocess.Popen[str]) -> None:
    with start("watch", "bakery", "--interval", "60") as watch:
        assert watch.stdout and watch.stderr
        assert watch.stdout.readline().startswith("node bakery")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(timeout=20) == 130
        assert watch.stderr.read() == ""
