"""What was recorded is read again as it was, from any moment; what cannot be read is told."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import lmdb
import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.commands import isinglass
from console.same import plain_frame, plain_tally
from console.stage import SECOND, START_NS, Stage
from isinglass.errors import IsinglassError
from isinglass.glass.schedstat import Usage
from isinglass.glass.snapshot import Verdict
from isinglass_console.model.board import THRESHOLDS, Trouble
from isinglass_console.model.frame import Condition, Frame, NodeFrame
from isinglass_console.model.frame_codec import (
    FrameDamaged,
    FrameDecoder,
    FrameEncoder,
    PackedRow,
    bare_frame,
    events_of,
)
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.file import RecordingFile
from isinglass_console.recording.format import (
    CHAPTER_ROWS,
    FORMAT,
    RecordingDamaged,
    RecordingError,
    RecordingFormatUnknown,
    pack_rows,
    unpack,
)
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.recorder import Recorder
from isinglass_console.recording.slicing import write_slice
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.views import VIEWS, page_of
from isinglass_console.sources.files import SourceFiles

FRAMES = 150
WORD = st.integers(0, 2**64 - 1)
TEXT = st.text(st.characters(exclude_characters="\t", exclude_categories=["Cs"]), max_size=9)


# ------------------------------------------------------------------ rows
@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    seconds = draw(st.floats(0.001, 10))
    tally = Tally(taken=draw(st.integers(0, 9)), late=draw(st.integers(0, 9)), seconds=seconds)
    for _ in range(draw(st.integers(0, 3))):
        key = draw(st.tuples(*[st.integers(0, 255)] * 3))
        words = st.integers(0, 2**30)
        counts = draw(st.dictionaries(words, st.integers(1, 99), min_size=1, max_size=4))
        idle = draw(st.sets(st.sampled_from(sorted(counts))))
        usage = draw(st.none() | st.builds(Usage, st.integers(0, 10**10), st.integers(0, 10**10)))
        tally.put(key, counts, idle, usage)
    return tally


NODES = st.builds(
    NodeFrame,
    name=TEXT,
    condition=st.sampled_from((Condition.ALIVE, Condition.KILLED, Condition.MISSING)),
    sentence=TEXT,
    tally=tallies(),
    age_seconds=st.floats(0, 1e9),
    ended_wall_ns=WORD,
    restarted_wall_ns=WORD,
    figures=st.dictionaries(TEXT.filter(bool), st.floats(allow_nan=False), max_size=5),
    troubles=st.lists(
        st.builds(Trouble, st.sampled_from(THRESHOLDS), st.floats(0, 9)), max_size=2
    ).map(tuple),
)
ENTRIES = st.builds(
    LogEntry, WORD, TEXT, TEXT, st.integers(1, 24), TEXT, TEXT, TEXT, st.tuples(WORD, WORD, WORD)
)


@settings(max_examples=60)
@given(
    st.builds(
        Frame,
        st.integers(0, 2**40),
        st.integers(0, 2**62),
        st.floats(0.1, 10),
        st.lists(NODES, max_size=3, unique_by=lambda node: node.name).map(tuple),
    ),
    st.lists(ENTRIES, max_size=4),
    st.booleans(),
)
def test_a_frame_comes_back_from_its_row(frame: Frame, entries: list[LogEntry], key: bool) -> None:
    row = FrameEncoder().encode(frame, entries, key=key)
    assert bare_frame(row).number == frame.number
    assert plain_frame(bare_frame(row)) == plain_frame(frame)
    assert events_of(row) == entries
    packed = pack_rows([row, row])
    assert packed.events_count == 2 * len(entries)
    rows, events, count = packed.rows, packed.events, packed.events_count
    assert unpack(rows) == [FrameEncoder().encode(frame, key=key)] * 2
    assert [plain_frame(bare_frame(each)) for each in unpack(rows)] == [plain_frame(frame)] * 2
    assert len(unpack(events)) == count if events else not count


@given(st.binary(max_size=300))
def test_any_bytes_are_no_row(data: bytes) -> None:
    with pytest.raises(FrameDamaged):
        bare_frame(data)
    with pytest.raises(FrameDamaged):
        FrameDecoder(FrameEncoder().lives).take(PackedRow(data))


# ------------------------------------------------------------------ recordings
def taken(stage: Stage, ticks: int) -> list[tuple[Frame, list[LogEntry]]]:
    """Return frames of a node that lives, is killed, and comes back, with its events."""
    desk, found = Desk(), []
    for tick in range(1, ticks + 1):
        dead = ticks // 2 <= tick < ticks // 2 + 5
        reading = stage.reading(tick, Verdict.KILLED if dead else Verdict.ALIVE)
        told = LogEntry(START_NS + tick * SECOND, "alder", "daemon", 9, "f", f"second {tick}")
        reading = replace(reading, events=(*reading.events, told))
        reading = replace(reading, restarted=tick == ticks // 2 + 5)
        frame = desk.absorb([reading], START_NS + tick * SECOND, 1.0)
        found.append((frame, list(desk.hub.fresh)))
    return found


def record(path: Path, frames: Sequence[tuple[Frame, list[LogEntry]]], **how: float) -> None:
    recorder = Recorder(path, START_NS, durable=False, **how)
    for frame, events in frames:
        recorder.take(frame, events)
    recorder.close()


@pytest.fixture
def frames(alder: Stage) -> list[tuple[Frame, list[LogEntry]]]:
    """A chapter and a quarter of one node."""
    return taken(alder, FRAMES)


@pytest.fixture
def recording(frames: list[tuple[Frame, list[LogEntry]]], tmp_path: Path) -> Recording:
    """Them, recorded."""
    path = tmp_path / "of alder.recording"
    record(path, frames)
    return Recording(path)


def same(found: Frame | None, frame: Frame) -> None:
    """Check that a frame is the other one, to the last field of its snapshots."""
    assert plain_frame(found) == plain_frame(frame)


def test_every_moment_comes_back_in_any_order(
    recording: Recording, frames: list[tuple[Frame, list[LogEntry]]]
) -> None:
    assert (recording.oldest, recording.newest) == (0, len(frames) - 1)
    order = list(range(len(frames)))
    random.Random(7).shuffle(order)
    for number in order:
        same(recording.frame(number), frames[number][0])
        wall_ns = frames[number][0].wall_ns
        assert recording.number_at(wall_ns + 1) == number == recording.number_from(wall_ns)
    assert recording.frame(-1) is None and recording.frame(len(frames)) is None


def test_it_answers_what_the_memory_of_the_console_answers(
    recording: Recording, frames: list[tuple[Frame, list[LogEntry]]]
) -> None:
    desk = Desk()
    for frame, _ in frames:
        desk.memory.append(frame)
        kept = ((name, v) for name, v in frame.nodes[0].figures.items())
        if frame.nodes[0].condition == Condition.ALIVE:
            desk.hub.series.put(frame.number, ((("alder", name), v) for name, v in kept))
    for number in (3, 59, 60, 76, 80, 149):
        mine, theirs = (each.tallies("alder", number, 10.0) for each in (recording, desk.memory))
        assert [plain_tally(tally) for tally in mine] == [plain_tally(tally) for tally in theirs]
        for figure in ("load", "offered_rate", "no such"):
            tail = recording.tail(("alder", figure), 40, number)
            assert str(tail) == str(desk.hub.series.tail(("alder", figure), 40, number))
    assert recording.tallies("birch", 5, 10.0) == []


def test_the_events_about_a_moment_are_there(
    recording: Recording, frames: list[tuple[Frame, list[LogEntry]]]
) -> None:
    every = [entry for _, events in frames for entry in events]
    assert any("killed" in entry.message for entry in every)
    for number in (0, 70, 149):
        wall_ns = frames[number][0].wall_ns
        until = recording.around(wall_ns).until(wall_ns)
        assert until == [entry for entry in every if entry.wall_ns <= wall_ns]


def test_of_the_events_before_a_moment_no_more_is_read_than_is_wanted(
    frames: list[tuple[Frame, list[LogEntry]]], tmp_path: Path
) -> None:
    path = tmp_path / "long"
    turns = [
        (replace(frame, wall_ns=frame.wall_ns + turn * 150 * SECOND), [event])
        for turn in range(5)
        for frame, _ in frames
        for event in [LogEntry(frame.wall_ns + turn * 150 * SECOND, "alder", "d", 9, "f", "m")]
    ]
    record(path, turns)
    recording, (last, (event,)) = Recording(path), turns[-1]
    every = [entry for _, events in turns for entry in events]
    few = recording.around(last.wall_ns, 10).entries
    assert event in few and few == every[-len(few) :]
    assert 10 < len(few) <= 2 * CHAPTER_ROWS
    assert recording.around(last.wall_ns).entries == every


def test_what_is_too_old_goes_and_the_file_stays_small(
    frames: list[tuple[Frame, list[LogEntry]]], tmp_path: Path
) -> None:
    path = tmp_path / "kept"
    whole = [
        (replace(frame, wall_ns=frame.wall_ns + turn * 150 * SECOND), events)
        for turn in range(16)
        for frame, events in frames
    ]
    again = whole[len(whole) // 2 :]
    record(path, whole[: len(again)], keep_seconds=120)
    first = path.stat().st_size
    record(path, again, keep_seconds=120)
    assert path.stat().st_size < first * 1.5
    recording = Recording(path)
    assert recording.newest == 2 * len(again) - 1
    assert recording.newest - recording.oldest <= 120 + 2 * CHAPTER_ROWS
    same(recording.frame(recording.oldest), again[recording.oldest - len(again)][0])


def test_a_second_recorder_of_a_file_is_refused_and_a_later_one_goes_on(
    frames: list[tuple[Frame, list[LogEntry]]], tmp_path: Path
) -> None:
    path = tmp_path / "both"
    recorder = Recorder(path, START_NS)
    with pytest.raises(RecordingError, match="Another recorder"):
        Recorder(path, START_NS)
    recorder.take(*frames[0])
    dumped = isinglass("dump", "--replay", str(path), "--json")
    assert json.loads(dumped.stdout)["nodes"][0]["taken_wall_ns"] == frames[0][0].wall_ns
    recorder.close(tidy=False)
    record(path, frames[1:70])
    whole = Recording(path)
    for number in (0, 1, 69):
        same(whole.frame(number), frames[number][0])
    assert not Path(f"{path}-lock").exists(), "a recording is one file"


# ------------------------------------------------------------------ slices
def test_a_slice_has_its_moments_alone_and_is_small(
    recording: Recording, frames: list[tuple[Frame, list[LogEntry]]], tmp_path: Path
) -> None:
    target = tmp_path / "slice"
    assert write_slice(target, recording.frames(50, 79), recording.entries(50, 79)) == 30
    part = Recording(target)
    for number in range(30):
        same(part.frame(number), frames[50 + number][0])
    assert [p.name for p in tmp_path.iterdir() if "slice" in p.name] == ["slice"]
    assert target.stat().st_size < 120_000
    messages = [entry.message for entry in part.around(2**62).entries]
    assert "second 80" in messages and "second 81" not in messages
    with pytest.raises(RecordingError, match="already"):
        write_slice(target, [], [])
    with pytest.raises(RecordingError, match="no frame"):
        write_slice(tmp_path / "empty", [], [])


# ------------------------------------------------------------------ what cannot be read
def changed(path: Path, table: bytes, key: bytes, value: bytes) -> None:
    """Put a value of our choice into a recording."""
    with lmdb.open(str(path), subdir=False, max_dbs=9, lock=False) as environment:
        handle = environment.open_db(table)
        with environment.begin(handle, write=True) as transaction:
            assert transaction.get(key) is not None
            transaction.put(key, value)


def test_another_format_is_told_with_who_wrote_it(recording: Recording) -> None:
    recording.close()
    about = {"format": FORMAT + 1, "isinglass": "9.1", "began_ns": 0}
    changed(recording.path, b"meta", b"recording", msgpack.packb(about))
    for open_it in (Recording, lambda path: Recorder(path, 0)):
        with pytest.raises(RecordingFormatUnknown, match=r"isinglass 9\.1 in format 2"):
            open_it(recording.path)


def test_a_damaged_minute_leaves_the_others(
    recording: Recording, frames: list[tuple[Frame, list[LogEntry]]]
) -> None:
    key = (120).to_bytes(8, "big")
    recording.close()
    file = RecordingFile(recording.path)
    tables = ("chapters", "snapshots")
    good = {table: file.of_chapter(table, 120) for table in tables}
    file.close()
    for seed in range(60):
        chance, table = random.Random(seed), tables[seed % 2]
        for each in tables:
            changed(recording.path, each.encode(), key, good[each])
        bad = bytearray(good[table])
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        changed(recording.path, table.encode(), key, bytes(bad) if seed % 3 else bytes(bad[:-seed]))
        damaged = Recording(recording.path)
        with pytest.raises(IsinglassError):
            damaged.frame(130)
        same(damaged.frame(59), frames[59][0])
        same(damaged.frame(119), frames[119][0])
        desk = Desk(recorded=damaged)
        desk.step(130)
        assert desk.scene(80, 24).frame.nodes == ()
        assert "damaged" in desk.settings.notice
        damaged.close()


def test_views_beside_a_damaged_minute_have_gaps(
    frames: list[tuple[Frame, list[LogEntry]]], tmp_path: Path
) -> None:
    path, files = tmp_path / "a", SourceFiles()
    later = [
        (replace(frame, wall_ns=frame.wall_ns + FRAMES * SECOND), told) for frame, told in frames
    ]
    record(path, [*frames, *later])
    for table in (b"chapters", b"events"):
        changed(path, table, (120).to_bytes(8, "big"), b"none")
    desk = Desk(recorded=Recording(path))
    desk.go_to(later[-50][0].wall_ns)
    for view in VIEWS:
        desk.settings.view = view.name
        assert page_of(desk.scene(120, 34), files).block.lines
    trend = desk.scene(120, 34).trend(later[-50][0].nodes[0], "load", 40)
    assert [value == value for value in trend] == [False] * 29 + [True] * 11
    assert "damaged" in desk.settings.notice


def test_a_file_that_is_none_or_was_cut_is_a_sentence(recording: Recording, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="There is no recording"):
        Recording(tmp_path / "nowhere")
    other = tmp_path / "other"
    other.write_bytes(os.urandom(10_000))
    before = other.read_bytes()
    for open_it in (Recording, lambda path: Recorder(path, 0)):
        with pytest.raises(RecordingDamaged, match="no recording"):
            open_it(other)
    assert other.read_bytes() == before
    with pytest.raises(RecordingError, match="is a folder, no recording"):
        Recording(tmp_path)
    for text in ("", "a,b\n1,2\n"):
        other.write_text(text)
        with pytest.raises(RecordingDamaged, match="other is no recording of isinglass"):
            Recording(other)
    whole = recording.path.read_bytes()
    recording.close()
    for length in (0, 100, 4096, 9000, len(whole) // 2, len(whole) - 4096):
        recording.path.write_bytes(whole[:length])
        with pytest.raises(RecordingError):
            Recording(recording.path)
