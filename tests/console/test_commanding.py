"""What the console has its commands do: notes, stacks and debug flags of real processes."""

from __future__ import annotations

import pytest

from at_work import working_node
from isinglass.glass.reader import SegmentReader
from isinglass_console.commanding import NotDone, note


def test_a_note_is_an_event_of_the_node() -> None:
    with working_node("alder"):
        assert note("alder", "--new disk\x1b[2J") == "Noted at node alder."
        with SegmentReader("alder") as reader:
            events = [event for p in reader.snapshot(events=True).processes for event in p.events]
    (made,) = [event for event in events if event.flag == "note"]
    assert made.message == "--new disk\x1b[2J", (
        "as it was typed; whoever shows it makes it harmless"
    )
    assert made.fields["by"]


def test_what_cannot_be_noted_is_a_sentence() -> None:
    with pytest.raises(NotDone, match="elm"):
        note("elm", "nobody there")
