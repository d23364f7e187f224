"""`isinglass debug NODE +FLAG -FLAG`: switch a node's debug logging, and ask no process for it."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress

from isinglass import clock
from isinglass.cli import nodes, said
from isinglass.cli.accounts import account_name
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import JSON, show
from isinglass.cli.sheet import Section
from isinglass.cli.units import seconds, wall_time
from isinglass.durations import seconds_of
from isinglass.errors import SegmentError, UsageError
from isinglass.glass import control
from isinglass.glass.severity import INFO

LONGEST_SECONDS = 24 * 3600
FORMAT = 1
COMMAND = Command(
    "debug",
    "Switch debug logging of a node's processes on and off, always with an end.",
    positionals=(
        Positional("NODE", "the node; may be left out when there is only one", required=False,
                   completes="nodes"),
        Positional("SWITCH", "+FLAG switches a flag on, -FLAG off; none: all are listed",
                   required=False, repeat=True),
    ),
    options=(
        Option("for", "How long it stays on: 90s, 10m, 2h; at most 24h.", value="TIME",
               default="10m"),
        Option("rate", "Events a second that each process stores of it at most.", value="COUNT",
               kind="count", default=100),
        JSON,
    ),
    notes=(
        "The switch is a word in a file that every process of the node has mapped: it works while"
        " the daemon hangs or is stopped, and needs the right to write that file, NODE/control"
        " beside the segment (the daemon's user and group). An event says who switched what.",
        "Exit code: 0 done; 1 the node has no page of flags, or it may not be written; 2 no such"
        " flag.",
    ),
    examples=("isinglass debug alder +queue -store --for 10m", "isinglass debug"),
)  # fmt: skip
COLUMNS = ("flag", "state", "left>", "until", "rate>", "switched by")


def main(arguments: list[str]) -> int:
    """Switch what is asked for, and list the flags."""
    switches = [word for word in arguments if re.fullmatch(r"\+.*|-[a-z0-9][a-z0-9_.-]*", word)]
    switches = [word for word in switches if word != "-h"]
    values = COMMAND.parse([word for word in arguments if word not in switches])
    if unknown := values.texts("SWITCH"):
        raise UsageError(f"A flag is switched with + or -, as in +{unknown[0]}.")
    node = nodes.only_one(values.text("NODE"))
    try:
        page = control.open_page(control.page_path(node), write=bool(switches))
    except OSError as error:
        raise SegmentError(
            f"{control.page_path(node)} cannot be opened ({error.strerror}): start the node, or be"
            " its user or of its group."
        ) from error
    try:
        heard = _switch(page, node, switches, values) if switches else True
        if values.flag("json"):
            _print_json(page, node)
        else:
            show([_section(page)])
    finally:
        os.close(page)
    if not heard:
        out = sys.stderr if values.flag("json") else sys.stdout
        print(f"Who switched what is {said.KEPT}.", file=out)
    return 0


def duration_seconds(text: str) -> float:
    """Return a time such as 90s, 10m or 2h, in seconds.

    Raises:
        UsageError: it is none, or longer than a day.
    """
    with suppress(ValueError):
        length = seconds_of(text)
        if 0 < length <= LONGEST_SECONDS:
            return length
    raise UsageError(f"--for takes a time such as 90s, 10m or 2h, at most 24h, not {text!r}.")


def _switch(page: int, node: str, switches: list[str], values: Values) -> bool:
    length = duration_seconds(values.text("for"))
    until = clock.wall_ns() + int(length * clock.NANOSECONDS_PER_SECOND)
    known = {state.name for state in _flags(page)}
    for word in switches:
        if word[1:] not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UsageError(f"Node {node} has no debug flag {word[1:]!r}; there are {names}.")
    for word in switches:
        end = until if word[0] == "+" else 0
        control.switch(page, word[1:], end, values.whole("rate"), os.getuid())
    changes = {"switches": " ".join(switches), "for_seconds": f"{length:g}"}
    return said.say(node, "debug", INFO, "debug", "debug logging was switched", **changes)


def _flags(page: int) -> list[control.FlagState]:
    """Return the debug flags; the others of the page switch the node itself."""
    states = control.states(page)
    return [state for state in states if not state.name.startswith(control.RESERVED)]


def _print_json(page: int, node: str) -> None:
    import json

    now, flags = clock.wall_ns(), []
    for state in _flags(page):
        on = bool(state.on) and state.until_wall_ns > now
        left = (state.until_wall_ns - now) / clock.NANOSECONDS_PER_SECOND
        flags.append({
            "flag": state.name, "on": on, "left_seconds": round(left, 3) if on else 0.0,
            "until_wall_ns": state.until_wall_ns if on else None,
            "rate": state.rate if on else None,
            "switched_by": account_name(state.user_id) if on else None,
        })  # fmt: skip
    sys.stdout.write(json.dumps({"format": FORMAT, "node": node, "flags": flags}, indent=1) + "\n")


def _section(page: int) -> Section:
    now, rows = clock.wall_ns(), []
    for state in _flags(page):
        on = state.on and state.until_wall_ns > now
        left = (state.until_wall_ns - now) / clock.NANOSECONDS_PER_SECOND
        rows.append((
            state.name, "on" if on else "off", seconds(left) if on else "-",
            wall_time(state.until_wall_ns) if on else "-", str(state.rate) if on else "-",
            account_name(state.user_id) if on else "-",
        ))  # fmt: skip
    return Section("", COLUMNS, rows, lines=() if rows else ("No process has a debug flag yet.",))
