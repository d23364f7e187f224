"""`--json` of the commands that act: one object on stdout, with what their sentence says."""

from __future__ import annotations

import json
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

from cli.commands import isinglass
from isinglass_console.cli import COMMANDS

# they serve until they are ended, have a protocol or a language of their own, or list names
WITHOUT = {
    *("console", "daemon run", "monitor run", "relay", "monitor relay"),
    *("export", "completion", "complete-nodes"),
}


def told(*arguments: str, expect: int = 0) -> dict[str, Any]:
    """Return the one object that a command prints with --json, and nothing else does."""
    done = isinglass(*arguments, "--json", expect=expect)
    assert done.stderr == "" and done.stdout.count("\n") == 1, done
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_every_command_that_says_something_says_it_in_json() -> None:
    without = set()
    for name, (place, _) in COMMANDS.items():
        module = import_module(place)
        tables = getattr(module, "ACTIONS", None) or {"": getattr(module, "COMMAND", None)}
        for action, table in tables.items():
            if "json" not in {option.name for option in (table.options if table else ())}:
                without.add(f"{name} {action}".rstrip())
    assert without == WITHOUT


def test_a_daemon_is_started_drained_and_stopped() -> None:
    none = {"node": "oak", "was_running": False, "pid": None, "killed": False}
    assert told("daemon", "stop", "oak") == none
    pid = told("daemon", "start", "oak")["pid"]
    try:
        again = isinglass("daemon", "start", "oak", "--json", expect=1)
        assert again.stdout == "" and again.stderr.count("\n") == 1
        drained = told("daemon", "drain", "oak", "--for", "90s", "--because", "new memory")
        assert drained.pop("until_wall_ns") > 0
        assert drained == {
            **{"node": "oak", "drained": True, "for_seconds": 90.0, "because": "new memory"},
            "monitors_hear": True,
        }
        refused = isinglass("put", "t", "k", "a=1", "--create", "--json", expect=1)
        assert refused.stdout == "" and "drained" in refused.stderr
        resumed = {"node": "oak", "drained": False, "monitors_hear": True}
        assert told("daemon", "resume", "oak") == resumed
        put = {"node": "oak", "table": "t", "key": "k", "held_by_nodes": 1}
        eventual = told("put", "t", "k", "a=1", "--create")
        assert eventual == {**put, "decided_by_primary": False}
        immediate = told("put", "t", "k", "a=1", "--consistency", "immediate")
        assert immediate == {**put, "decided_by_primary": True}
        assert told("delete", "t", "k", "j") == {"node": "oak", "table": "t", "keys": ["k", "j"]}
        noted = {"node": "oak", "note": "rebooting", "monitors_hear": True}
        assert told("note", "rebooting") == noted
        assert isinglass("forget", "elm", "--json", expect=2).stdout == ""
    finally:
        ended = told("daemon", "stop", "oak")
    assert ended == {"node": "oak", "was_running": True, "pid": pid, "killed": False}
    assert told("note", "late", "--node", "oak", expect=1)["monitors_hear"] is False


def test_a_key_and_a_slice_are_named(bakery: subprocess.Popen[str], tmp_path: Path) -> None:
    key, whole, part = (str(tmp_path / name) for name in ("key", "whole", "part"))
    assert told("cluster", "key", key) == {"file": key}
    assert isinglass("cluster", "key", key, "--json", expect=2).stdout == ""
    recorded = told("record", "-o", whole, "--interval", "0.1", "--seconds", "0.5")
    assert recorded["file"] == whole and recorded["frames"] > 1
    assert recorded["size_bytes"] == Path(whole).stat().st_size
    cut = told("snapshot", whole, "-o", part)
    assert cut == {
        "file": part,
        "frames": recorded["frames"],
        "size_bytes": Path(part).stat().st_size,
    }
