"""`isinglass alarms`: what is wrong, and what an operator says to it.

Listing reads what the monitor wrote a second ago, so it works also when the monitor has just died,
and says so. All else is an order to the running monitor (`orders`), which answers within a second.
"""

from __future__ import annotations

import re
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from isinglass import clock
from isinglass.cli.actions import chosen
from isinglass.cli.nodes import SSH_COMMAND, is_remote
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import JSON, show
from isinglass.durations import seconds_of
from isinglass.errors import UsageError
from isinglass.glass.severity import ERROR
from isinglass_monitor.commands.places import NAME, NAME_HERE, operator, places_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from isinglass_monitor.query.far_monitor import FarMonitor

EXIT_WARNING, EXIT_ERROR = 1, 2  # of --check, by the worst alarm
EXIT_NOT_DELIVERED = 1
DELIVERY_PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.1

BY = Option("by", "Who says so; the name that you logged in with when left out.", value="NAME")
FOR = Option("for", "How long: 30m, 2h, 1d.", value="TIME")
BECAUSE = Option("because", "Why, for whoever finds it tomorrow.", value="REASON")
NUMBERS = Positional("ALARM", "the number of an alarm", repeat=True)

ACTIONS = {
    "list": Command(
        "alarms list",
        "Print the alarms that are raised, the worst first; also without the word list.",
        options=(
            Option("all", "Print those that ended lately, too."),
            Option("verbose", "Print where to look next, and what happened.", short="v"),
            Option(
                "check",
                "Exit by the worst alarm that nothing holds back: 1 for a warning, 2 for an error.",
            ),
            JSON,
            NAME,
            SSH_COMMAND,
        ),
        notes=(
            "Exit code: 0 printed; 1 no monitor has run here; with --check 1 also when a warning is"
            " raised, or no monitor runs now, or it hangs, 2 when an error is.",
        ),
        examples=("isinglass alarms", "isinglass alarms list --json | jq '.alarms[].sentence'"),
    ),
    "ack": Command(
        "alarms ack",
        "Say that you have an alarm in hand: it stays on the list, and is told no more.",
        positionals=(NUMBERS,),
        options=(BY, JSON, NAME, SSH_COMMAND),
        examples=("isinglass alarms ack 17",),
    ),
    "silence": Command(
        "alarms silence",
        "Do not tell of alarms that match, until an end.",
        positionals=(
            Positional("RULE", "a rule, or a pattern such as 'disk-*'"),
            Positional("NODE", "a node, or a pattern; all when left out", required=False,
                       completes="nodes"),
        ),
        options=(FOR, BECAUSE, BY, JSON, NAME, SSH_COMMAND),
        notes=("What is still raised at its end is told then.",),
        examples=('isinglass alarms silence lag alder --for 2h --because "restoring a backup"',),
    ),
    "expect": Command(
        "alarms expect",
        "Announce that nodes will be troubled on purpose: their alarms are expected until then.",
        positionals=(Positional("NODE", "a node, or a pattern", completes="nodes"),),
        options=(
            FOR,
            BECAUSE,
            Option("kind", "What for.", value="KIND", choices=("maintenance", "chaos"),
                   default="maintenance"),
            BY,
            JSON,
            NAME,
            SSH_COMMAND,
        ),
        notes=("An alarm that is still raised at the end is told, with your name and reason.",),
        examples=('isinglass alarms expect alder --for 20m --because "new memory"',),
    ),
    "end": Command(
        "alarms end",
        "End a silence or an announcement before its time.",
        positionals=(Positional("NUMBER", "its number", repeat=True),),
        options=(JSON, NAME, SSH_COMMAND),
        examples=("isinglass alarms end 3",),
    ),
    "test": Command(
        "alarms test",
        "Have a notifier deliver a message that says that nothing is wrong.",
        positionals=(Positional("NOTIFIER", "the notifier; all when left out", required=False),),
        options=(JSON, NAME_HERE),
        notes=("Exit code: 0 delivered; 1 not, and what the other side said.",),
        examples=("isinglass alarms test mail",),
    ),
    "check": Command(
        "alarms check",
        "Read a file of rules and notifiers as the monitor will, and print what is in it.",
        positionals=(Positional("FILE", "the file; the product's own rules when left out",
                                required=False, completes="files"),),
        options=(JSON,),
        notes=("Exit code: 0 it can be used; 2 not, with the line that cannot.",),
        examples=("isinglass alarms check /etc/isinglass/alarms.toml",),
    ),
    "forget": Command(
        "alarms forget",
        "Take a node that is gone for good off the scoreboard; its alarms end.",
        positionals=(Positional("NODE", "the node", completes="nodes"),),
        options=(JSON, NAME, SSH_COMMAND),
        examples=("isinglass alarms forget elm",),
    ),
}  # fmt: skip
COMMAND = Command(
    "alarms",
    "Print what is wrong; acknowledge, silence, expect it.",
    positionals=(Positional("ACTION", f"One of: {', '.join(ACTIONS)}.", required=False),),
    options=ACTIONS["list"].options,
    notes=("`isinglass alarms ACTION --help` lists the options of one action.",),
    examples=tuple(line for action in ACTIONS.values() for line in action.examples),
)


def main(arguments: list[str]) -> int:
    """Do what the first word says; list, when it says nothing."""
    if not arguments or arguments[0].startswith("-"):
        return _list(COMMAND.parse(arguments))
    action, values = chosen(COMMAND, ACTIONS, arguments)
    return _RUNNERS[action](values)


def _list(values: Values) -> int:
    from isinglass_monitor.commands.alarms_text import remark, sections

    document, runs, now = _current(values)
    old = remark(document, runs, now)
    if values.flag("json"):
        _print_json({**document, "monitor_runs": runs})
    else:
        if old:
            print(f"isinglass: {old}", file=sys.stderr)
        show(sections(document, now, everything=values.flag("all"), verbose=values.flag("verbose")))
    return _worst(document, not old) if values.flag("check") else 0


def _current(values: Values) -> tuple[dict[str, Any], bool, int]:
    """Return the newest document of alarms, whether its monitor runs, and what time it is there."""
    if is_remote(values.text("name")):
        with closing(_far(values)) as monitor:
            document, runs, _, behind_ns = monitor.alarms()
        return document, runs, clock.wall_ns() - behind_ns
    from isinglass_monitor.commands.alarms_text import current

    return *current(places_of(values.text("name"))), clock.wall_ns()


def _far(values: Values) -> FarMonitor:
    from isinglass_monitor.query.far_monitor import FarMonitor

    return FarMonitor(values.text("name"), values.text("ssh-command"))


def _worst(document: dict[str, Any], is_of_now: bool) -> int:
    """Return the exit code of --check; alarms of a monitor that is gone are what it last knew."""
    told = [
        alarm["severity"]
        for alarm in document["alarms"]
        if alarm["number"] and not alarm["held_back"]
    ]
    if told and max(told) >= ERROR:
        return EXIT_ERROR
    return EXIT_WARNING if told or not is_of_now else 0


def _print_json(document: object) -> None:
    from isinglass.cli.database import json_text

    sys.stdout.write(json_text(document, indent=1) + "\n")


def _order(values: Values, order: dict[str, Any], sentence: str) -> dict[str, Any]:
    """Give one order, and print its answer."""
    if is_remote(values.text("name")):
        with closing(_far(values)) as monitor:
            answer = monitor.order(order)
    else:
        from isinglass_monitor.orders import ask

        answer = ask(places_of(values.text("name")).runtime, order)
    if values.flag("json"):
        _print_json(answer)
    else:
        print(sentence.format(**answer))
    return answer


def _whole(text: str, what: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise UsageError(f"{text!r} is not the number of {what}: `isinglass alarms` prints them.")
    return int(text)


def _acknowledge(values: Values) -> int:
    numbers = [_whole(text, "an alarm") for text in values.texts("ALARM")]
    by = values.text("by") or operator()
    for number in numbers:
        order = {"do": "acknowledge", "alarm": number, "by": by}
        _order(values, order, "Alarm {alarm[number]}, {alarm[rule]} {alarm[node]}: acknowledged.")
    return 0


def _lasting(values: Values) -> dict[str, Any]:
    """Return what a silence and an announcement have in common."""
    for name in ("for", "because"):
        if not values.text(name):
            raise UsageError(f"--{name} is needed: it always has an end and a reason.")
    try:
        seconds = seconds_of(values.text("for"))
    except ValueError:
        raise UsageError(
            f"--for takes a length of time such as 2h, not {values.text('for')!r}."
        ) from None
    return {
        "reason": values.text("because"),
        "by": values.text("by") or operator(),
        "seconds": seconds,
    }


def _silence(values: Values) -> int:
    rule, node = values.text("RULE"), values.text("NODE") or "*"
    order = {"do": "silence", "rule": rule, "node": node, **_lasting(values)}
    _order(values, order, "Silence {silence[number]}: {silence[rule]} of {silence[node]}.")
    return 0


def _expect(values: Values) -> int:
    order = {
        "do": "announce",
        "kind": values.text("kind"),
        "node": values.text("NODE"),
        **_lasting(values),
    }
    text = "Announcement {announcement[number]}: {announcement[kind]} of {announcement[node]}."
    _order(values, order, text)
    return 0


def _end(values: Values) -> int:
    numbers = [_whole(text, "a silence or an announcement") for text in values.texts("NUMBER")]
    for number in numbers:
        _order(values, {"do": "end", "number": number}, f"Ended {number}.")
    return 0


def _forget(values: Values) -> int:
    node = values.text("NODE")
    _order(values, {"do": "forget", "node": node}, f"{node} is off the scoreboard.")
    return 0


def _test(values: Values) -> int:
    from isinglass_monitor.commands.alarms_text import current
    from isinglass_monitor.orders import ask

    where = places_of(values.text("name"))
    before = {one["name"]: one for one in current(where)[0].get("notifiers", [])}
    answer = ask(where.runtime, {"do": "test", "notifier": values.text("NOTIFIER")})
    deadline = clock.monotonic_ns() + round(DELIVERY_PATIENCE_SECONDS * 1e9)
    found: dict[str, str] = {}
    while len(found) < len(answer["notifiers"]) and clock.monotonic_ns() < deadline:
        clock.sleep(LOOK_SECONDS)
        for one in current(where)[0]["notifiers"]:
            old = before.get(one["name"], {"delivered": 0, "failures": 0})
            if one["name"] not in answer["notifiers"] or one["name"] in found:
                continue
            if one["failures"] > old["failures"] and one["trouble"]:
                found[one["name"]] = one["trouble"]
            elif one["delivered"] > old["delivered"] and not one["waiting"]:
                found[one["name"]] = ""
    results = {name: found.get(name, "no answer yet") for name in answer["notifiers"]}
    if values.flag("json"):
        _print_json(results)
    else:
        for name, trouble in results.items():
            print(f"{name}: {'not delivered: ' + trouble if trouble else 'delivered'}")
    return EXIT_NOT_DELIVERED if any(results.values()) else 0


def _check(values: Values) -> int:
    from isinglass_monitor.commands.alarms_text import rule_document, rule_sections
    from isinglass_monitor.watch import WatchSettings

    file = Path(values.text("FILE")) if values.given("FILE") else None
    settings = WatchSettings.load(file)
    if values.flag("json"):
        rules = [rule_document(rule) for rule in settings.rules.values()]
        _print_json({"rules": rules, "notifiers": sorted(settings.notifiers)})
    else:
        show(rule_sections(settings.rules, settings.notifiers))
    return 0


_RUNNERS: dict[str, Callable[[Values], int]] = {
    "list": _list,
    "ack": _acknowledge,
    "silence": _silence,
    "expect": _expect,
    "end": _end,
    "test": _test,
    "check": _check,
    "forget": _forget,
}
