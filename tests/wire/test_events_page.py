"""The manual's page of events says what the code says."""

from __future__ import annotations

from import_graph import ROOT
from isinglass.emit import answers
from isinglass.glass import control, journal
from isinglass.wire import event_bodies, events
from isinglass.wire.replay import WINDOW

PAGE = (ROOT / "docs" / "events.md").read_text("utf-8")


def test_the_page_names_every_kind_and_reason() -> None:
    for name in ("EVENTS", "STATUS", "FIGURES", "ASK", "AGAIN", "GONE"):
        assert f"| {getattr(events, name)} | `{name}` | " in PAGE
    for reason in events.REASONS:
        assert f"`{reason}`" in PAGE


def test_the_figures_in_the_page_are_those_of_the_code() -> None:
    for number, sentence in (
        (events.DATAGRAM_LIMIT, "at most {} bytes, by multicast"),
        (event_bodies.BODY_LIMIT, "msgpack, at most {} bytes"),
        (journal.MAXIMUM_EVENT_BYTES, "holds at most {} bytes"),
        (control.PAGE_BYTES, "file, {} bytes"),
        (control.ENTRIES, "{} entries of 64 bytes"),
        (control.ENTRIES - 1, "modulo {}"),
        (answers.ASKS_A_SECOND, "answers {} requests a second"),
        (answers.EVENTS_AN_ANSWER, "each with {} events"),
        (WINDOW, "already had is {} for each"),
        (events.STREAMS_LIMIT, "of the {} streams heard last"),
    ):
        assert sentence.format(f"{number:,}") in PAGE.replace("\n", " "), sentence
