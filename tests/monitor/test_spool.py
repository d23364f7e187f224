"""The spool: what was put in comes out, in order of time and of arrival, over segments."""

from __future__ import annotations

from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from held import filled, small_disk
from isinglass import clock
from isinglass.errors import StoreError, UsageError
from isinglass.glass.severity import ERROR, INFO, WARNING
from isinglass.wire.event_bodies import WireEvent
from isinglass_monitor.spool import folder as folders
from isinglass_monitor.spool import reading
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.reading import Cursor, Question, SpoolReader, parse_cursor
from isinglass_monitor.spool.records import (
    AHEAD_LIMIT_NS,
    CLAMPED,
    HEAD,
    Record,
    entries,
    event_records,
    from_by_node,
    gap_record,
    in_order,
    to_by_node,
)
from isinglass_monitor.spool.retention import AGE, SIZE, SPACE, Held, Limits, expendable
from isinglass_monitor.spool.streams import LOST, REPAIRED, StreamRecord, unpacked
from isinglass_monitor.spool.writer import SpoolWriter
from monitor.spooled import (
    MILLISECOND,
    NOW,
    NOW_NS,
    answer,
    event,
    fill,
    names,
    opened,
    piece,
)

TEXT = st.text(max_size=40)
EVENTS = st.lists(
    st.builds(
        WireEvent,
        st.integers(NOW - 5000 * MILLISECOND, NOW),
        st.integers(1, 24),
        st.text(max_size=8),
        TEXT,
        TEXT,
        TEXT,
    ),
    min_size=1,
    max_size=4,
)


@given(st.lists(EVENTS, max_size=8))
def test_records_give_back_their_events_in_order(datagrams: list[list[WireEvent]]) -> None:
    records, put = [], []
    for stream, events in enumerate(datagrams, 1):
        body = ["oak", "daemon", 5, [list(one) for one in events]]
        records += event_records(stream, body, b"", NOW_NS)
        put += [(one.stamp, stream, 5 + at, one) for at, one in enumerate(events)]
    pairs = sorted((record.key, record.value) for record in records)
    found = list(in_order(pairs))
    assert [one.place for one in found] == sorted(one[:3] for one in put)
    told = {
        one.place: (one.severity, one.flag, one.message, one.fields, one.where) for one in found
    }
    assert told == {one[:3]: one[3][1:] for one in put}


def test_a_part_of_a_datagram_can_be_kept() -> None:
    body = ["oak", "daemon", 5, [list(event(NOW + at)) for at in range(6)]]
    records = event_records(1, body, b"not these bytes", NOW_NS, 7, 9)
    found = [entry for record in records for entry in entries(record.key, record.value)]
    assert [(entry.sequence, entry.stamp) for entry in found] == [
        (at, NOW + at - 5) for at in (7, 8, 9)
    ]


def test_a_stamp_far_ahead_is_clamped_to_its_arrival_and_still_told() -> None:
    ahead = NOW + (AHEAD_LIMIT_NS // 1_000_000 + 5) * MILLISECOND
    body = ["oak", "daemon", 5, [list(event(NOW)), list(event(ahead))]]
    near, far = event_records(1, body, b"", NOW_NS)
    assert HEAD.unpack_from(far.value) == (CLAMPED, NOW_NS)
    (entry,) = entries(far.key, far.value)
    assert (entry.stamp, entry.arrived_ns, entry.sequence) == (NOW, NOW_NS, 6)
    assert f"sender_time={(ahead >> 16) * 1_000_000}" in entry.fields
    assert entries(near.key, near.value)[0].stamp == NOW


def test_a_gap_is_an_entry_of_its_own() -> None:
    record = gap_record(NOW, 3, "oak", "daemon", 7, 9, "network", NOW_NS)
    (entry,) = entries(record.key, record.value)
    assert (entry.missing, entry.sequence, entry.severity) == (3, 7, WARNING)
    assert entry.fields == "first=7\tlast=9\tcause=network"
    assert from_by_node(to_by_node(record.key)) == record.key


def test_the_spool_answers_in_order_of_time(tmp_path: Path) -> None:
    late = piece(1, 3, [event(NOW + 1)])
    fill(tmp_path, [piece(1, 1, [event(NOW), event(NOW + 5)]), piece(2, 1, [event(NOW + 3)]), late])
    assert names(answer(tmp_path)) == [(1, 1), (1, 3), (2, 1), (1, 2)]
    assert names(answer(tmp_path, Question(since=NOW + 1, until=NOW + 5))) == [(1, 3), (2, 1)]


def test_putting_the_same_again_changes_nothing(tmp_path: Path) -> None:
    one = piece(1, 1, [event(NOW), event(NOW + 5)])
    fill(tmp_path, [one, one])
    fill(tmp_path, [one, piece(1, 2, [event(NOW + 5)])])
    assert names(answer(tmp_path)) == [(1, 1), (1, 2)]


def test_nodes_and_warnings_have_indexes(tmp_path: Path) -> None:
    severities = (INFO, WARNING, ERROR, INFO)
    pieces = [
        piece(node, at, [event(NOW + at, severities[at % 4])], node=f"n{node}")
        for at in range(1, 9)
        for node in (1, 2, 3)
    ]
    fill(tmp_path, pieces)
    assert names(answer(tmp_path, Question(nodes=("n2",)))) == [(2, at) for at in range(1, 9)]
    assert names(answer(tmp_path, Question(nodes=("n3", "n1"), severity=ERROR))) == [
        (1, 2), (3, 2), (1, 6), (3, 6),
    ]  # fmt: skip
    everywhere = names(answer(tmp_path, Question(severity=WARNING, since=NOW + 5)))
    assert everywhere == [(1, 5), (2, 5), (3, 5), (1, 6), (2, 6), (3, 6)]
    assert not answer(tmp_path, Question(nodes=("nobody",)))


@pytest.mark.parametrize("count", [1, 3, 10, 100])
def test_the_newest_are_the_end_of_the_answer(tmp_path: Path, count: int) -> None:
    pieces = [
        piece(stream, at, [event(NOW + 300 * at * MILLISECOND + stream, 5 + at % 9)] * 2)
        for at in range(1, 41, 2)
        for stream in (1, 2)
    ]
    fill(tmp_path, pieces)
    for question in (
        Question(),
        Question(severity=WARNING),
        Question(until=NOW + 6000 * MILLISECOND),
    ):
        with SpoolReader(tmp_path) as reader:
            assert reader.newest(question, count) == list(reader.ask(question))[-count:]


def test_a_cursor_goes_on_where_it_was(tmp_path: Path) -> None:
    fill(tmp_path, [piece(1, 1, [event(NOW)]), piece(1, 3, [event(NOW + 9)])])
    with SpoolReader(tmp_path) as reader:
        found, cursor = reader.since(Cursor(0, 0), 1)
        assert names(found) == [(1, 1)]
        found, cursor = reader.since(cursor)
        assert names(found) == [(1, 3)]
        assert cursor == reader.end()
    # What came late is found, although it is older than what was told.
    fill(tmp_path, [piece(1, 2, [event(NOW + 5)], how=REPAIRED)])
    with SpoolReader(tmp_path) as reader:
        found, cursor = reader.since(parse_cursor(str(cursor)))
        assert names(found) == [(1, 2)]
        assert reader.since(cursor) == ([], cursor)
    with pytest.raises(UsageError, match="no cursor"):
        parse_cursor("yesterday")


def test_what_came_in_is_told_in_parts_that_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "NEW_TOGETHER", 5)
    writer = opened(tmp_path)
    for first in range(1, 13, 3):
        writer.commit([piece(1, first + at, [event(NOW + first + at)]) for at in range(3)], NOW_NS)
    writer.close()
    with SpoolReader(tmp_path) as reader:
        cursor, parts = Cursor(0, 0), []
        while cursor != reader.end():
            found, cursor = reader.since(cursor)
            parts.append([sequence for _, sequence in names(found)])
    assert parts == [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]


def test_segments_follow_each_other_and_go_whole(tmp_path: Path) -> None:
    limits = Limits(size_bytes=8 << 20, segment_bytes=1 << 20, free_bytes=0)
    writer = opened(tmp_path, limits)
    number = 0
    while writer.number < 3:
        many = [
            piece(1, number + at, [event(NOW + number + at, message="x" * 900)])
            for at in range(1, 401)
        ]
        writer.commit(many, NOW_NS + number)
        number += len(many)
    assert writer.totals().events == number
    assert writer.streams[1].counts["received"] == number
    writer.close()
    assert names(answer(tmp_path)) == [(1, at + 1) for at in range(number)]
    writer = opened(tmp_path, limits._replace(size_bytes=2 << 20))
    gone = writer.retain(NOW_NS)
    assert [(segment.number, reason) for segment, reason in gone] == [(1, SIZE)]
    writer.close()
    assert folders.segment_numbers(tmp_path) == [2, 3]
    kept = names(answer(tmp_path))
    assert kept == [(1, at + 1) for at in range(number)][-len(kept) :]
    # What the spool has of a stream goes from segment to segment.
    again = opened(tmp_path)
    assert list(again.streams[1].settled) == [(1, number)]
    again.close()


def test_a_late_event_takes_its_gap_back(tmp_path: Path) -> None:
    gap = gap_record(NOW + 9, 1, "oak", "daemon", 2, 3, "network", NOW_NS)
    rest = gap_record(NOW + 9, 1, "oak", "daemon", 3, 3, "network", NOW_NS)
    late = piece(1, 2, [event(NOW + 5)])
    fill(
        tmp_path,
        [
            piece(1, 1, [event(NOW)]),
            Piece(1, "oak", "daemon", LOST, 2, 3, [gap], NOW_NS),
            late._replace(records=[*late.records, rest], late=True, dropped=[gap.key]),
        ],
    )
    assert [(one.sequence, one.missing) for one in answer(tmp_path)] == [(1, 0), (2, 0), (3, 1)]
    writer = opened(tmp_path)
    assert writer.streams[1].counts == {"received": 2, "repaired": 0, "lost": 1, "late": 1}
    writer.close()


@pytest.mark.parametrize("together", [False, True])
def test_of_a_gap_that_came_late_in_part_both_ends_are_left(tmp_path: Path, together: bool) -> None:
    def gap(first: int, last: int) -> Record:
        return gap_record(NOW + 9, 1, "oak", "daemon", first, last, "network", NOW_NS)

    late = piece(1, 5, [event(NOW + 5), event(NOW + 6)])
    left = [gap(2, 4), gap(7, 9)]
    pieces = [
        piece(1, 1, [event(NOW)]),
        Piece(1, "oak", "daemon", LOST, 2, 9, [gap(2, 9)], NOW_NS),
        late._replace(records=[*late.records, *left], late=True, dropped=[gap(2, 9).key]),
    ]
    writer = opened(tmp_path)
    for batch in [pieces] if together else [[one] for one in pieces]:
        writer.commit(batch, NOW_NS)
    writer.close()
    found = [(one.sequence, one.missing) for one in answer(tmp_path)]
    assert found == [(1, 0), (5, 0), (6, 0), (2, 3), (7, 3)]
    warnings = answer(tmp_path, Question(severity=WARNING))
    assert [one.sequence for one in warnings] == [2, 7]


def test_a_spool_that_was_stopped_before_its_first_commit_begins_with_it(tmp_path: Path) -> None:
    opened(tmp_path).close()
    writer = opened(tmp_path)
    writer.commit([piece(1, 1, [event(NOW)])], NOW_NS)
    writer.commit([piece(1, 2, [event(NOW + 1)])], NOW_NS)
    assert (writer.number, writer.totals().created_ns) == (1, NOW_NS)
    writer.close()


def test_what_is_known_of_a_stream_comes_back_from_its_bytes() -> None:
    stream = StreamRecord(7, "oak", "daemon")
    stream.heard_ns, stream.stamp = NOW_NS, NOW
    stream.store("received", 1, 5)
    stream.store("repaired", 9, 9)
    stream.store(LOST, 6, 7, cause="network")
    again = unpacked(7, stream.packed())
    assert again.packed() == stream.packed()
    assert list(again.settled) == [(1, 7), (9, 9)]
    assert list(again.lost["network"]) == [(6, 7)]
    again.store("received", 7, 7, late=True, cause="network")
    assert again.causes == {"network": 1}
    assert (again.counts["late"], again.counts["lost"]) == (1, 1)


def test_a_writer_that_is_killed_while_it_makes_a_segment_leaves_none_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def half(path: str, **_: object) -> None:
        Path(path, "data.mdb").write_bytes(bytes(4096))
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(lmdb, "open", half)
        opened(tmp_path / "spool")
    opened(tmp_path / "spool").close()
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["segment-00000001"]


@pytest.mark.root
@pytest.mark.parametrize("room_bytes", [0, 4096, 8192])
def test_a_segment_that_had_no_room_is_made_when_there_is_some(
    tmp_path: Path, room_bytes: int
) -> None:
    """Of its first pages none, one, or both have room."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        writer = opened(disk / "spool", Limits(segment_seconds=60))
        writer.commit([piece(1, 1, [event(NOW)])], NOW_NS)
        later_ns = NOW_NS + 61 * clock.NANOSECONDS_PER_SECOND
        with filled(disk, room_bytes):
            for _ in range(2):
                with pytest.raises(StoreError):
                    writer.commit([piece(1, 2, [event(NOW + 1)])], later_ns)
        writer.commit([piece(1, 2, [event(NOW + 1)])], later_ns)
        writer.close()
        assert folders.segment_numbers(disk / "spool") == [1, 2]
        assert names(answer(disk / "spool")) == [(1, 1), (1, 2)]
        assert not [*(disk / "spool").glob("making-*")]


def test_a_damaged_segment_is_set_aside(tmp_path: Path) -> None:
    fill(tmp_path, [piece(1, 1, [event(NOW)])])
    data = folders.segment_path(tmp_path, 1) / "data.mdb"
    data.write_bytes(b"\xff" * data.stat().st_size)
    notes: list[str] = []
    writer = SpoolWriter(tmp_path, Limits(), NOW_NS, lambda text, **_: notes.append(text))
    assert notes == ["a damaged segment was set aside"]
    writer.commit([piece(1, 2, [event(NOW + 1)])], NOW_NS)
    writer.close()
    assert names(answer(tmp_path)) == [(1, 2)]
    assert (tmp_path / "damaged-00000001" / "data.mdb").exists()


SEGMENTS = st.lists(
    st.builds(Held, st.integers(1, 10**6), st.integers(0, 10**9), st.integers(1, 10**6)),
    min_size=1,
    max_size=12,
    unique_by=lambda held: held.number,
)


@given(SEGMENTS, st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_only_what_has_to_go_goes(
    segments: list[Held], size_limit: int, free_limit: int, free: int
) -> None:
    limits = Limits(1.0, size_limit, free_limit)
    now_ns = 10**9
    gone = expendable(segments, limits, now_ns, free)
    kept = sorted(set(segments) - {held for held, _ in gone})
    assert kept, "the newest segment stays"
    assert [held for held, _ in gone] == sorted(segments)[: len(gone)], "the oldest go first"
    assert {reason for _, reason in gone} <= {AGE, SIZE, SPACE}
    freed = free + sum(held.size_bytes for held, _ in gone)
    fits = sum(held.size_bytes for held in kept) <= size_limit and freed >= free_limit
    assert fits or len(kept) == 1
    if gone:
        last, reason = gone[-1]
        size = sum(held.size_bytes for held in [last, *kept])
        short = freed - last.size_bytes < free_limit
        assert last.arrived_ns < now_ns - 10**9 or size > size_limit or short, reason
