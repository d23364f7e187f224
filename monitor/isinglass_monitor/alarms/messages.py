"""What people are told of an alarm: the line, the text, and the document of a message; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isinglass.cli.units import wall_time
from isinglass.glass.severity import severity_name
from isinglass.harmless import printable
from isinglass_monitor.alarms.book import CLEARED_NOTICE, Notice
from isinglass_monitor.alarms.notifiers import Message

LONGEST_SUBJECT = 200
MESSAGE_FORMAT = 1


def message_of(notice: Notice, number: int, cluster: str) -> Message:
    """Return the message of a notice.

    Args:
        cluster: what the operator calls the whole, before the subject.
    """
    alarm = notice.alarm
    word = "cleared" if notice.what == CLEARED_NOTICE else severity_name(alarm["severity"])
    about = " ".join(filter(None, (alarm["node"], alarm["instance"])))
    subject = f"[{cluster}] {word}: {alarm['rule']} {about}"[:LONGEST_SUBJECT]
    document = {"format": MESSAGE_FORMAT, "cluster": cluster, "what": notice.what, "alarm": alarm}
    return Message(number, printable(subject), _text(notice.what, alarm), document)


def trial_message(number: int, cluster: str) -> Message:
    """Return the message by which a notifier is tried."""
    subject = f"[{cluster}] test of a notifier"
    text = "Nothing is wrong: somebody ran `isinglass alarms test`.\n"
    document = {"format": MESSAGE_FORMAT, "cluster": cluster, "what": "test", "alarm": None}
    return Message(number, subject, text, document)


def _text(what: str, alarm: Mapping[str, Any]) -> str:
    lines = [
        alarm["sentence"],
        "",
        f"alarm     {alarm['number']}, {alarm['rule']}, {what}",
        f"raised    {wall_time(alarm['raised_wall_ns'])}",
    ]
    if alarm["ended_wall_ns"]:
        lines.append(f"cleared   {wall_time(alarm['ended_wall_ns'])}")
    if alarm["culprit"]:
        lines.append(f"expected  but not well in time after {alarm['culprit']}")
    lines += ["", f"Where to look next: {alarm['look']}", "", "What happened:"]
    lines += [
        f"  {wall_time(entry['wall_ns'])}  {entry['what']:<13} {entry['text']}".rstrip()
        for entry in alarm["timeline"]
    ]
    return "\n".join(map(printable, lines)) + "\n"
