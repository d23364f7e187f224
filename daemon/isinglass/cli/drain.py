"""`isinglass daemon drain` and `resume`: have a node take no writes of its clients, for a time."""

from __future__ import annotations

import os

from isinglass import clock
from isinglass.cli import said
from isinglass.cli.debug import duration_seconds
from isinglass.cli.printing import tell
from isinglass.cli.units import seconds
from isinglass.errors import SegmentError, UsageError
from isinglass.glass import control
from isinglass.glass.severity import INFO, WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.options import Values

NO_RATE = 1


def drain(node: str, values: Values) -> int:
    """Drain a node as the options of `isinglass daemon drain` say; return the exit code."""
    length, reason = duration_seconds(values.text("for")), values.text("because")
    until_ns = clock.wall_ns() + int(length * clock.NANOSECONDS_PER_SECOND)
    _switch(node, until_ns)
    facts = {"for_seconds": f"{length:g}"} | ({"because": reason} if reason else {})
    heard = said.say(node, "daemon", WARNING, "daemon", "the node is drained", **facts)
    sentence = f"Node {node} takes no writes of its clients for {seconds(length)}."
    return _told(values, heard, sentence, {
        "node": node, "drained": True, "for_seconds": length, "until_wall_ns": until_ns,
        "because": reason,
    })  # fmt: skip


def resume(node: str, values: Values) -> int:
    """End it before its time; return the exit code."""
    _switch(node, 0)
    heard = said.say(node, "daemon", INFO, "daemon", "the node takes its clients' writes again")
    sentence = f"Node {node} takes the writes of its clients."
    return _told(values, heard, sentence, {"node": node, "drained": False})


def _told(values: Values, heard: bool, sentence: str, facts: dict[str, object]) -> int:
    remark = "" if heard else f"\nWho did so is {said.KEPT}."
    tell(values, sentence + remark, {**facts, "monitors_hear": heard})
    return 0


def _switch(node: str, until_ns: int) -> None:
    path = control.page_path(node)
    try:
        page = control.open_page(path, write=True)
    except OSError as error:
        raise SegmentError(
            f"{path} cannot be opened ({error.strerror}): start the node, or be its user or of its"
            " group."
        ) from error
    try:
        control.switch(page, control.DRAINED, until_ns, NO_RATE, os.getuid())
    except UsageError:
        raise SegmentError(
            f"No daemon that can be drained has run as node {node} since this machine booted."
        ) from None
    finally:
        os.close(page)
