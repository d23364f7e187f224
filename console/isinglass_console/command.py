"""`isinglass console`: the option table, and the start of the app.

Textual is imported only here, when the options are known to be good, so that `--help` and a
mistyped option answer at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from isinglass.cli.nodes import SSH_COMMAND
from isinglass.cli.options import Command, Option, Positional

HELP = "Watch nodes live in the terminal console."
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
            "Seconds from frame to frame; + and - change it while it runs.",
            value="SECONDS",
            kind="positive",
            short="i",
            default=1.0,
        ),
        Option(
            "monitor",
            "The monitor whose log and alarms are shown, or the folder of its spool; the one that"
            " runs on this machine when left out.",
            value="NAME",
        ),
        SSH_COMMAND,
        Option(
            "replay",
            "Show a recording (`isinglass record`, or R in the console) instead of nodes.",
            value="FILE",
            completes="files",
        ),
        Option(
            "speed",
            "How many times as fast to play it; ( and ) change it.",
            value="N",
            kind="positive",
            default=1.0,
        ),
        Option("ascii", "Draw with ASCII alone; chosen by itself where the locale is not UTF-8."),
        Option("theme", "A colour theme: isinglass, isinglass-light, ansi-dark ...", value="NAME"),
    ),
    notes=(
        "The last 15 minutes are always kept: space pauses, [ and ] step, b goes to a time.",
        "Keys of your own: $XDG_CONFIG_HOME/isinglass/keys.toml; ? shows all keys.",
        "NO_COLOR is respected.",
    ),
    examples=(
        "isinglass console",
        "isinglass console alder birch --interval 0.5",
        "isinglass console --monitor evening",
        "isinglass console alder ssh://operator@db1.example/birch ssh://db2.example/",
        "isinglass console --replay night.recording --speed 8",
    ),
)


def main(arguments: Sequence[str]) -> int:
    """Run the console; returns the exit code."""
    values = COMMAND.parse(arguments)
    from isinglass_console.app import run

    return run(
        values.texts("NODE"),
        interval_seconds=values.number("interval"),
        monitor=values.text("monitor"),
        ssh_command=values.text("ssh-command"),
        ascii_only=values.flag("ascii"),
        theme=values.text("theme"),
        replay=values.text("replay"),
        speed=values.number("speed"),
    )
