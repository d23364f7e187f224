"""Where a monitor's files are, for the commands that read them or give it orders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from isinglass.cli.accounts import account_name
from isinglass.cli.options import Option
from isinglass.settings import load

DEFAULT_NAME = "monitor"
NAME_HERE = Option(
    "name", "The monitor, when there are several here.", value="NAME", default=DEFAULT_NAME
)
NAME = Option(
    "name",
    "The monitor, when there are several here; or ssh://HOST/[NAME].",
    value="NAME",
    default=DEFAULT_NAME,
)


class Places(NamedTuple):
    """The directories of one monitor."""

    runtime: Path
    data: Path


def places_of(name: str) -> Places:
    """Return the directories of a monitor on this machine.

    Raises:
        SettingsError: the name cannot be a monitor's.
    """
    settings = load({"node": name})
    return Places(settings.node_runtime_dir, settings.node_data_dir)


def operator() -> str:
    """Return who gives an order: the one who logged in, also behind sudo."""
    return os.environ.get("SUDO_USER") or account_name(os.getuid())
