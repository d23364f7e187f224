"""`isinglass console`: the option table, and the start of the app.

Textual is imported only here, when the options are known to be good, so that `--help` and a
mistyped option answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from isinglass.cli.nodes import SSH_COMMAND, is_remote
from isinglass.cli.options import Command, Option, Positional, Values, near
from isinglass.errors import SettingsError, UsageError
from isinglass_console.cluster_file import CLUSTER, nodes_of
from isinglass_console.configuration import Configuration, configuration_path, given_interval, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass_console.recording.opened import Opened

HELP = "Watch nodes live in the terminal console."
COMPARED = (
    Option("at", "Begin at this moment of it: 14:05:30, -5m (before its end).", value="TIME"),
    Option(
        "compare",
        "With --replay: another recording, or the same one; views 0 and 2 show what changed since.",
        value="FILE",
        completes="files",
    ),
    Option(
        "compare-at",
        "Its moment that stands beside --at; else as long after its start as that is.",
        value="TIME",
    ),
)
COMMAND = Command(
    "console",
    HELP,
    positionals=(
        Positional(
            "NODE",
            "The nodes to show: names, or ssh://[USER@]HOST[:PORT]/[NODE]; all that are found on"
            " this machine when none is given.",
            required=False,
            repeat=True,
            completes="nodes",
        ),
    ),
    options=(
        Option(
            "interval",
            "Seconds from frame to frame, 1 when left out; + and - change it while it runs.",
            value="SECONDS",
            kind="positive",
            short="i",
        ),
        Option(
            "monitor",
            "The monitor whose log and alarms are shown, or the folder of its spool, or"
            " ssh://[USER@]HOST[:PORT]/[NAME]; the one that runs on this machine when left out.",
            value="NAME",
        ),
        CLUSTER,
        SSH_COMMAND,
        Option(
            "replay",
            "Show a recording (`isinglass record`, or R in the console) instead of nodes.",
            value="FILE",
            completes="files",
        ),
        *COMPARED,
        Option(
            "speed",
            "How many times as fast to play it; ( and ) change it.",
            value="N",
            kind="positive",
            default=1.0,
        ),
        Option("ascii", "Draw with ASCII alone; chosen by itself where the locale is not UTF-8."),
        Option("view", "The view to begin with: overview, probes, flow ...", value="NAME"),
        Option(
            "filter", "The filter to begin with: a regular expression, ! inverts.", value="REGEX"
        ),
        Option(
            "config",
            "The file of settings; $XDG_CONFIG_HOME/isinglass/config.toml when left out.",
            value="FILE",
            completes="files",
        ),
        Option("serve", "Serve it to browsers on this machine instead, at 127.0.0.1."),
        Option("port", "The port for --serve.", value="PORT", kind="port", default=8600),
        Option("theme", "A colour theme: isinglass, isinglass-light, ansi-dark ...", value="NAME"),
    ),
    notes=(
        "The last 15 minutes are always kept: space pauses, [ and ] step, b goes to a time.",
        "Settings and thresholds of your own: docs/console.md; what is given here goes first.",
        "Keys of your own: $XDG_CONFIG_HOME/isinglass/keys.toml; ? shows all keys.",
        "NO_COLOR is respected.",
    ),
    examples=(
        "isinglass console",
        "isinglass console alder birch --interval 0.5",
        "isinglass console --monitor evening",
        "isinglass console --config night.toml --view flow",
        "isinglass console alder ssh://operator@db1.example/birch ssh://db2.example/",
        "isinglass console ssh://db1.example/ --monitor ssh://watch.example/",
        "isinglass console --cluster forest.nodes",
        "isinglass console --replay night.recording --speed 8",
        "isinglass console --replay new.recording --compare old.recording",
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run the console; returns the exit code."""
    values = COMMAND.parse(arguments)
    if values.flag("serve"):
        from isinglass_console.serving import serve

        return serve(without_serving(arguments), values.whole("port"))
    from isinglass_console.app import run
    from isinglass_console.screens.views import VIEWS
    from isinglass_console.themes import theme_names

    nodes = nodes_of(values)
    views = [view.name for view in VIEWS]
    configuration, problem = configured(values, views, theme_names())
    _check_monitor(configuration.monitor, values.text("ssh-command"))
    return run(
        nodes or configuration.nodes,
        interval_seconds=configuration.interval_seconds,
        monitor=configuration.monitor,
        ssh_command=values.text("ssh-command"),
        ascii_only=configuration.ascii,
        theme=values.text("theme"),
        replayed=_replayed(values),
        speed=values.number("speed"),
        configuration=configuration,
        problem=problem,
    )


def _replayed(values: Values) -> Opened | None:
    """Return the recordings to show, opened; None to show nodes.

    Raises:
        RecordingError: one cannot be opened.
        UsageError: a moment is none, or there is no recording that it could be of.
    """
    if not values.given("replay"):
        for name in ("at", "compare", "compare-at"):
            if values.given(name):
                raise UsageError(f"--{name} goes with --replay: name the recording to show.")
        return None
    from isinglass_console.recording.opened import opened

    names = ("replay", "compare", "at", "compare-at")
    return opened(*(values.text(name) for name in names))


def _check_monitor(monitor: str, ssh_command: str) -> None:
    """Say what is wrong with the address of a monitor before there is a screen.

    Raises:
        UsageError: it is none, or the command that should reach it is none.
    """
    if is_remote(monitor):
        from isinglass.remote.address import read_address
        from isinglass.remote.links import carrier_for

        read_address(monitor)
        carrier_for(ssh_command)


def without_serving(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of a console that is served: without --serve and its port."""
    kept: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--port":
            next(rest, None)
        elif argument != "--serve" and not argument.startswith("--port="):
            kept.append(argument)
    return kept


def configured(
    values: Values, views: Collection[str], themes: Collection[str]
) -> tuple[Configuration, str]:
    """Return what the operator's file and the command line say together, and what is wrong.

    Raises:
        SettingsError: the file that was asked for cannot be used.
        UsageError: there is no such view, or interval.
    """
    if values.given("config"):
        path = Path(values.text("config"))
        if not os.path.exists(path):
            raise SettingsError(f"{path} is not there, or not for this user to look at.")
        found, problem = load(path, views, themes).strict(), ""
    else:
        loaded = load(configuration_path(), views, themes)
        found, problem = loaded.configuration, loaded.notice
    view = values.text("view")
    if view and view not in views:
        raise UsageError(f"there is no view {view!r}{near(view, list(views))}.")
    given: dict[str, Any] = {
        name: values.text(name) for name in ("view", "filter", "monitor") if values.given(name)
    }
    if values.given("interval"):
        given["interval_seconds"] = given_interval(values.number("interval"))
    if values.flag("ascii"):
        given["ascii"] = True
    return replace(found, **given), problem
