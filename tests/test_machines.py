"""The protocol's state machines: the page shows the tables, and the tables are what happens."""

from __future__ import annotations

import pytest

from import_graph import ROOT
from isinglass.machines import BEGIN, END, drawings, figure, written
from isinglass.node import healing
from isinglass.wire import flow, handshake, membership
from isinglass.wire.machine import Machine

MACHINES = {
    "phase": healing.MACHINE,
    "member": membership.MACHINE,
    "connection": handshake.MACHINE,
    "flow": flow.MACHINE,
}


def test_the_page_s_machines_are_the_code_s() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    assert page == written(page), "run `make docs`"
    assert sum(1 for _ in drawings()) == len(MACHINES) == page.count("stateDiagram-v2")


def test_a_page_without_the_marks_is_left_alone() -> None:
    for page in ("", BEGIN, END, END + BEGIN):
        with pytest.raises(ValueError, match="lacks the marks"):
            written(page)


def test_a_figure_has_every_step_that_leads_elsewhere() -> None:
    machine = Machine(("at rest",), {("at rest", "go"): "busy", ("busy", "go"): "busy"})
    assert machine.after("at rest", "go") == "busy" and machine.after("busy", "stop") == "busy"
    assert figure(machine) == [
        "```mermaid",
        "stateDiagram-v2",
        '    state "at rest" as at_rest',
        "    [*] --> at_rest",
        "    at_rest --> busy: go",
        "```",
    ]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_state_is_reached_and_every_event_leads_somewhere(machine: Machine[int]) -> None:
    reached = set(machine.starts)
    for _ in machine.steps:
        reached |= {after for (state, _), after in machine.steps.items() if state in reached}
    assert reached == {state for state, _ in machine.steps} | set(machine.steps.values())
    for _, event in machine.steps:
        # the drawing's lines end with the event, and a colon or a semicolon would end it early
        assert not set(event) & set(":;\n")
