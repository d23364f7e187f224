"""The unit for systemd, against the settings whose limits it must leave room for."""

from __future__ import annotations

from configparser import ConfigParser

import pytest

from import_graph import ROOT
from isinglass.cli.daemon import ACTIONS
from isinglass.settings import Settings


class UnitFile(ConfigParser):
    """A file whose keys keep their capitals."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.fixture
def service() -> dict[str, str]:
    parser = UnitFile(strict=False, interpolation=None)
    parser.read_string((ROOT / "docs" / "isinglass@.service").read_text("utf-8"))
    return dict(parser["Service"])


def test_it_runs_a_command_that_there_is(service: dict[str, str]) -> None:
    _, *command, node = service["ExecStart"].split()
    assert command[:2] == ["isinglass", "daemon"]
    assert command[2] in ACTIONS
    assert node == "%i"


def test_systemd_is_more_patient_than_the_daemon(service: dict[str, str]) -> None:
    assert service["Type"] == "notify"
    assert float(service["TimeoutStopSec"]) > Settings.stop_limit_seconds
    # A pat comes each half of WatchdogSec, and stops when a thread stood still for the limit.
    assert float(service["WatchdogSec"]) > 2 * Settings.watchdog_limit_seconds
