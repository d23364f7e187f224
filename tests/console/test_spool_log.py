"""Pages of the log out of a real spool: bounded, complete, followed, and given up when asked to."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.stage import run
from isinglass import clock
from isinglass_console.model.filter import Filter
from isinglass_console.model.log_page import ROWS_AFTER, ROWS_BEFORE, LogPage, LogRequest
from isinglass_console.sources import spool_log
from isinglass_console.sources.spool_log import KEPT_ROWS, SpoolLog
from isinglass_monitor.query.pages import backwards, forwards
from isinglass_monitor.query.spools import SpoolHere
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.reading import Question
from isinglass_monitor.spool.records import Entry
from monitor.spooled import MILLISECOND, NOW, NOW_NS, event, fill, piece
from programs import program

EVENTS = 3000
MILLISECOND_NS = clock.NANOSECONDS_PER_MILLISECOND


def pieces(first: int, end: int, node: str = "oak", stream: int = 7) -> list[Piece]:
    """Return events a millisecond apart, ten a datagram; each hundredth is a warning."""
    return [
        piece(
            stream,
            start,
            [
                event(NOW + at * MILLISECOND, 13 if at % 100 == 0 else 9, f"event {at}")
                for at in range(start, start + 10)
            ],
            node=node,
        )
        for start in range(first, end, 10)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    spool = tmp_path / "monitor" / "spool"
    fill(spool, [*pieces(1, EVENTS), *pieces(1, 200, "elm", 8)])
    return spool


def look(folder: Path, request: LogRequest) -> LogPage:
    source = SpoolLog(SpoolHere(folder), lambda: False)
    page = source.look(request)
    assert page is not None
    assert source.look(request) is None, "nothing has changed"
    source.close()
    return page


def at(number: int) -> int:
    return NOW_NS + number * MILLISECOND_NS


def messages(page: LogPage) -> list[str]:
    return [entry.message.partition(" a=")[0] for entry in page.entries]


def test_parts_neither_miss_nor_repeat(tmp_path: Path) -> None:
    """Also where several nodes have events of one stamp, and a part is cut among them."""
    together = [
        piece(stream, 1 + at, [event(NOW + at * MILLISECOND)], node=f"node{stream}")
        for stream in range(1, 8)
        for at in range(40)
    ]
    fill(tmp_path, together)
    with SpoolHere(tmp_path) as reader:
        whole = list(reader.ask(Question()))
        for look, reverse in ((backwards, True), (forwards, False)):
            found: list[list[Entry]] = []
            question: Question | None = Question()
            while question is not None:
                part = look(reader, question, 25)
                assert len(part.entries) <= 25
                found.append(part.entries)
                question = part.further
            rows = [entry for part in (found[::-1] if reverse else found) for entry in part]
            assert rows == whole


def test_the_newest_page_and_one_around_a_moment(folder: Path) -> None:
    newest = look(folder, LogRequest())
    assert len(newest.entries) == ROWS_BEFORE
    assert messages(newest)[-1] == f"event {EVENTS}"
    assert (newest.more_before, newest.more_after) == (True, False)
    assert newest.source == "the spool of monitor"
    assert "does not run here" in newest.sentence
    around = look(folder, LogRequest(at_ns=at(1500)))
    assert messages(around)[ROWS_BEFORE - 1] == "event 1500"
    assert len(around.entries) == ROWS_BEFORE + ROWS_AFTER
    assert messages(around) == [f"event {n}" for n in range(1101, 1701)]
    first = look(folder, LogRequest(at_ns=at(2), node="oak"))
    assert messages(first)[:3] == ["event 1", "event 2", "event 3"]
    assert (first.more_before, first.more_after) == (False, True)


def test_indexes_and_the_filter_narrow_a_page(folder: Path) -> None:
    warnings = look(folder, LogRequest(severity=13))
    assert messages(warnings)[-3:] == ["event 2800", "event 2900", "event 3000"]
    assert not warnings.more_before
    elm = look(folder, LogRequest(node="elm"))
    assert {entry.node for entry in elm.entries} == {"elm"}
    assert len(elm.entries) == 200
    found = look(folder, LogRequest(filter=Filter.parse(r"event 17\b")))
    assert messages(found) == ["event 17", "event 17"]
    assert not found.searched_from_ns


def test_a_search_is_bounded_and_says_how_far_it_went(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_log, "SEARCHED_PARTS", 2)
    page = look(folder, LogRequest(filter=Filter.parse(r"event 17\b")))
    assert page.entries == ()
    assert page.more_before
    assert at(900) < page.searched_from_ns < at(1200)
    further = look(folder, LogRequest(at_ns=page.searched_from_ns, filter=page.request.filter))
    assert messages(further) == ["event 17", "event 17"]


def test_a_search_is_given_up_when_something_else_is_wanted(folder: Path) -> None:
    hurried = False
    source = SpoolLog(SpoolHere(folder), lambda: hurried)
    request = LogRequest(filter=Filter.parse(r"event 17\b"))
    hurried = True
    page = source.look(request)
    assert page is not None and page.entries == ()
    hurried = False
    again = source.look(request)
    assert again is not None
    assert len(again.entries) == 2, "what was given up is begun anew"
    source.close()


# LMDB opens a file once a process, so what is written meanwhile is written by another.
WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from monitor.spooled import MILLISECOND, NOW, NOW_NS, event, opened, piece
from console.test_spool_log import pieces

writer = opened(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    for one in eval(line):
        writer.commit([one], NOW_NS)
    print("done", flush=True)
writer.close()
"""
TESTS = str(Path(__file__).parents[1])
LATE = "[piece(9, 1, [event(NOW + 2990 * MILLISECOND, 17, 'came late')], node='ash')]"


def test_a_page_that_is_followed_gets_what_comes_also_late(folder: Path) -> None:
    source = SpoolLog(SpoolHere(folder), lambda: False)
    request = LogRequest(filter=Filter.parse(r"!event 3005\b"))
    source.look(request)
    with program(WRITER, str(folder), TESTS) as writer:
        run(writer, f"pieces({EVENTS + 1}, {EVENTS + 10})")
        page = source.look(request)
        assert page is not None
        assert messages(page)[-2:] == ["event 3009", "event 3010"]
        assert "event 3005" not in messages(page)
        run(writer, LATE)
        page = source.look(request)
        assert page is not None
        place = messages(page).index("came late")
        assert messages(page)[place - 1] in ("event 2990", "event 2989")
        assert len(set(page.entries)) == len(page.entries)
        assert source.look(request) is None
    source.close()


def test_more_than_can_be_followed_is_begun_anew(folder: Path) -> None:
    source = SpoolLog(SpoolHere(folder), lambda: False)
    request = LogRequest()
    source.look(request)
    with program(WRITER, str(folder), TESTS) as writer:
        run(writer, f"pieces({EVENTS + 1}, {EVENTS + 9000})")
        for _ in range(2):
            page = source.look(request)
        assert page is not None
        assert len(page.entries) <= KEPT_ROWS
        assert messages(page)[-ROWS_BEFORE:] == [
            f"event {n}" for n in range(EVENTS + 9001 - ROWS_BEFORE, EVENTS + 9001)
        ]
    source.close()


def test_an_entry_is_harmless_before_it_is_shown() -> None:
    raw = Entry(NOW, 1, 1, "o\x1bk", "d\x9b", 9, "f\n", "m\x1b[2J", "a=\x07\tb=\u202e", "w\r", 0)
    made = spool_log.log_entry(raw)
    assert made.message == "m\\e[2J a=\\x07 b=\\u202e"
    for text in (made.node, made.process, made.flag, made.where, made.message):
        assert text.isprintable()
