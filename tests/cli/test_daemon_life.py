"""Asking a daemon to end, when it is just ending by itself."""

from __future__ import annotations

import os
import subprocess

import pytest

from cli.commands import isinglass
from isinglass.cli import daemon_life
from isinglass.cli.daemon import ACTIONS
from isinglass.settings import load


def test_a_daemon_that_ends_before_it_is_killed_has_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with subprocess.Popen(["true"]) as ended:
        process = os.pidfd_open(ended.pid)
    try:
        settings, values = load({"node": "oak"}), ACTIONS["stop"].parse([])
        assert daemon_life.kill(process, settings, ended.pid, values) == 0
    finally:
        os.close(process)
    assert capsys.readouterr().out == f"The daemon of node oak (process {ended.pid}) has ended.\n"


def test_a_name_that_a_program_has_is_not_to_be_had(bakery: subprocess.Popen[str]) -> None:
    for action in ("start", "run"):
        refused = isinglass("daemon", action, "bakery", expect=1).stderr
        assert f"The name bakery is in use by process {bakery.pid} (daemon), a program" in refused
        assert "take another name" in refused
    assert bakery.poll() is None
