"""The format file that lets lnav read `isinglass log --json`, and where lnav looks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from isinglass.errors import UsageError

NAME = "isinglass_log"
_IDENTIFIERS = ("node", "process", "flag")


def format_text() -> str:
    """Return the format file (lnav.org, "Log Formats")."""
    values: dict[str, object] = {
        name: {"kind": "string", "identifier": True} for name in _IDENTIFIERS
    }
    values |= {
        "severity": {"kind": "integer", "foreign-key": True},
        "source": {"kind": "string"},
        "stream": {"kind": "string", "identifier": True, "hidden": True},
        "sequence": {"kind": "integer", "foreign-key": True, "hidden": True},
        "stamp": {"kind": "integer", "foreign-key": True, "hidden": True},
        "arrived": {"kind": "string", "hidden": True},
        "missing": {"kind": "integer", "hidden": True},
        "fields": {"kind": "json"},
    }
    body = {
        "title": "isinglass",
        "description": "What `isinglass log --json` prints: the events of a cluster.",
        "url": "https://pypi.org/project/isinglass/",
        "json": True,
        "hide-extra": False,
        "timestamp-field": "time",
        "level-field": "level",
        "body-field": "message",
        "opid-field": "stream",
        "value": values,
        "line-format": [
            {"field": "__timestamp__"},
            " ",
            {"field": "level", "text-transform": "uppercase", "min-width": 5},
            " ",
            {"field": "node"},
            "/",
            {"field": "process"},
            " ",
            {"field": "flag"},
            ": ",
            {"field": "message"},
        ],
    }
    document = {"$schema": "https://lnav.org/schemas/format-v1.schema.json", NAME: body}
    return json.dumps(document, indent=2) + "\n"


def folder() -> Path:
    """Return lnav's folder for formats, chosen as lnav chooses it."""
    chosen = os.environ.get("XDG_CONFIG_HOME")
    if chosen and Path(chosen).exists():
        return Path(chosen) / "lnav" / "formats"
    home = Path.home()
    if not (home / ".lnav").exists() and (home / ".config").exists():
        return home / ".config" / "lnav" / "formats"
    return home / ".lnav" / "formats"


def install() -> Path:
    """Write the format file where lnav finds it; return its path.

    Raises:
        UsageError: it cannot be written.
    """
    path = folder() / "isinglass" / "log.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(format_text(), "utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
    return path
