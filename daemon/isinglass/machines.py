"""The state machines of docs/protocol.md, drawn from the tables that the code steps through.

`python -m isinglass.machines docs/protocol.md` writes them between the page's two marks, as Mermaid
`stateDiagram-v2` blocks, which GitHub draws and a terminal still reads. A step that leads back to
its own state is not drawn. A test compares the page with this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from isinglass.node import healing
from isinglass.wire import flow, handshake, membership, reports
from isinglass.wire.machine import Machine, State

BEGIN = "<!-- `make docs` writes what follows from the tables of the code -->\n"
END = "<!-- up to here -->\n"
WIDTH = 100


class Drawing(NamedTuple):
    """One machine on the page: its heading, where its table is, what it says, and its figure."""

    title: str
    place: str
    text: str
    figure: list[str]


def figure(machine: Machine[State], name: Callable[[State], str] = str) -> list[str]:
    """Return the lines of a machine's figure; `name` says what a state is called."""
    states = dict.fromkeys([*machine.starts, *machine.steps.values()])
    known = {state: name(state).replace(" ", "_") for state in states}
    lines = [
        f'    state "{name(state)}" as {word}'
        for state, word in known.items()
        if " " in name(state)
    ]
    lines += [f"    [*] --> {known[state]}" for state in machine.starts]
    lines += [
        f"    {known[state]} --> {known[following]}: {event}"
        for (state, event), following in machine.steps.items()
        if state != following
    ]
    return ["```mermaid", "stateDiagram-v2", *lines, "```"]


def drawings() -> Iterator[Drawing]:
    """Yield every machine of the protocol."""
    yield Drawing(
        "A node's phase",
        "node/healing",
        "What a node says of itself in its heartbeats. It begins by joining with a store that was"
        " never part of the cluster, else by healing.",
        figure(healing.MACHINE, reports.PHASES.__getitem__),
    )
    yield Drawing(
        "A member, as another node knows it",
        "wire/membership",
        "Known from the store's notes, or from its first heartbeat. Whatever its state, two signals"
        f" tell whether it gets on: *receiving* fails when it has not all that this node sent,"
        f" *applying* when it has not applied all that it received, and it did not move for"
        f" {membership.STUCK_SECONDS:g} s.",
        figure(membership.MACHINE),
    )
    yield Drawing(
        "One end of a call's connection",
        "wire/handshake",
        "The caller begins by sending HELLO, the answerer by waiting for it. While it is open,"
        " requests and answers change nothing. Who closes for one of the reasons above sends the"
        " refusal first.",
        figure(handshake.MACHINE),
    )
    yield Drawing(
        "What a live node counts for in flow control",
        "wire/flow",
        "Each node computes it of each from its heartbeats. A lagging node holds nobody up.",
        figure(flow.MACHINE),
    )


def section() -> str:
    """Return what stands between the marks."""
    lines: list[str] = []
    for title, place, text, drawn in drawings():
        lines += ["", f"### {title}", "", fill(f"{text} The table: `{place}`.", WIDTH), "", *drawn]
    return "\n".join([*lines, "", ""])


def written(page: str) -> str:
    """Return a page with the section as it is now.

    Raises:
        ValueError: the page has not both marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page lacks the marks between which the machines stand")
    return before + begin + section() + end + after


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text("utf-8")), "utf-8")
