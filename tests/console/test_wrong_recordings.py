"""Recordings as the world leaves them: cut off, replaced, gone on with, of a clock that jumped."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import lmdb
import msgpack
import pytest

from cli.commands import isinglass
from console.same import plain_frame
from console.stage import SECOND, START_NS, Stage
from console.test_recording import changed
from held import filled, small_disk
from isinglass.errors import DiskFull, IsinglassError
from isinglass.glass.severity import WARNING
from isinglass_console.model.board import BUILT_IN, Trouble
from isinglass_console.model.frame import Condition, Frame, NodeFrame
from isinglass_console.model.frame_codec import FrameDamaged, FrameEncoder, bare_frame
from isinglass_console.model.heat import Tally
from isinglass_console.model.history import History
from isinglass_console.model.log import LogEntry
from isinglass_console.recording.file import RecordingFile
from isinglass_console.recording.format import CHAPTER_ROWS, RecordingDamaged
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.recorder import Recorder
from isinglass_console.recording.slicing import CUTTING_SUFFIX, write_slice
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.views import page_of
from isinglass_console.sources.files import SourceFiles
from programs import program

LATE = Trouble(BUILT_IN.thresholds[2], 3.0)
RECORD_ONE = """
import sys
from pathlib import Path
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.recording.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), 0)
print("made", flush=True)
for line in sys.stdin:
    recorder.take(Frame(0, int(line) * 10**9, 1.0, (NodeFrame("birch", "up"),)), [])
    print("done", flush=True)
"""


def frame(second: int, *troubles: Trouble, name: str = "alder") -> Frame:
    node = NodeFrame(name, "up", tally=Tally(taken=10, seconds=1.0), troubles=troubles)
    return Frame(second, START_NS + second * SECOND, 1.0, (node,))


def event(second: int, severity: int = 9) -> LogEntry:
    at_ns, place = START_NS + second * SECOND, (second + 1, 1, second)
    return LogEntry(at_ns, "alder", "daemon", severity, "f", f"second {second}", place=place)


def record(
    path: Path,
    frames: list[Frame],
    events: tuple[LogEntry, ...] = (),
    keep_seconds: float = 0.0,
) -> None:
    """Record frames; the first one has all events, as what is in the rings at the start."""
    recorder = Recorder(path, START_NS, keep_seconds, durable=False)
    for number, each in enumerate(frames):
        recorder.take(each, () if number else events)
    recorder.close()


# ------------------------------------------------------------------ files
def test_what_a_cut_that_was_killed_left_is_not_in_the_next_one(tmp_path: Path) -> None:
    target = tmp_path / "slice"
    left = Recorder(tmp_path / f"slice{CUTTING_SUFFIX}", 0)
    left.take(frame(0, name="of another cut"), [])
    left.close(tidy=False)
    assert write_slice(target, [frame(7)], []) == 1
    part = Recording(target)
    assert (part.oldest, part.newest) == (0, 0)
    found = part.frame(0)
    assert found is not None and found.nodes[0].name == "alder"
    assert [p.name for p in tmp_path.iterdir() if "slice" in p.name] == ["slice"]


def test_a_copy_that_has_no_room_leaves_nothing(tmp_path: Path) -> None:
    source = f"""
    import resource
    from pathlib import Path
    from isinglass.errors import IsinglassError
    from isinglass_console.model.frame import Frame
    from isinglass_console.recording.recorder import Recorder
    recorder = Recorder(Path({str(tmp_path)!r}) / "whole", 0, durable=False)
    for number in range(3):
        recorder.take(Frame(number, number, 1.0), [])
    recorder.close()
    recorder = Recorder(Path({str(tmp_path)!r}) / "whole", 0, durable=False)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    try:
        recorder.copy(Path({str(tmp_path)!r}) / "copy")
    except IsinglassError:
        print("refused")
    """
    with program(source, ready="refused"):
        assert not (tmp_path / "copy").exists()


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "data.mdb"
    with lmdb.open(str(path), subdir=False, max_dbs=3, lock=False) as environment:
        for name in (b"records", b"meta"):
            environment.open_db(name)
    before = path.read_bytes()
    with pytest.raises(RecordingDamaged, match="no recording"):
        Recorder(path, 0)
    assert path.read_bytes() == before


def test_a_link_to_a_recording_stays_one(tmp_path: Path) -> None:
    link, path = tmp_path / "newest", tmp_path / "elsewhere"
    link.symlink_to(path)
    record(link, [frame(second) for second in range(3)])
    assert link.is_symlink() and Recording(path).newest == 2


def test_names_that_no_file_can_have_are_sentences(tmp_path: Path) -> None:
    long = str(tmp_path / ("a" * 300))
    record(tmp_path / "some", [frame(0)])
    for line in (
        ("snapshot", long),
        ("snapshot", str(tmp_path / "some"), "-o", long),
        ("compare", str(tmp_path / "some"), long),
        ("compare", long, str(tmp_path / "some")),
        ("dump", "--replay", long),
    ):
        told = isinglass(*line, expect=1).stderr
        assert "too long" in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("time", [("--since", "2040-01-01"), ("--until", "2020-01-01")])
def test_a_part_of_another_time_has_no_frame(tmp_path: Path, time: tuple[str, str]) -> None:
    record(tmp_path / "a", [frame(second) for second in range(3)])
    told = isinglass("snapshot", str(tmp_path / "a"), *time, expect=1).stderr
    assert "no frame in that time" in told
    assert not (tmp_path / "a-slice.recording").exists()


def test_a_row_with_a_number_where_names_should_be_is_damaged() -> None:
    fields = msgpack.unpackb(FrameEncoder().encode(frame(0), key=True))
    fields[4][0][6] = 7
    with pytest.raises(FrameDamaged):
        bare_frame(msgpack.packb(fields))


def test_a_damaged_index_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a"
    record(path, [frame(second) for second in range(CHAPTER_ROWS + 5)])
    with lmdb.open(str(path), subdir=False, max_dbs=12, lock=False) as environment:
        index = environment.open_db(b"index")
        with environment.begin(index) as transaction:
            good = transaction.get(bytes(8))
    assert good is not None
    opened = 0
    for seed in range(200):
        chance, bad = random.Random(seed), bytearray(good)
        for _ in range(1 + seed % 12):
            bad[chance.randrange(len(bad))] = 0xFF if seed % 2 else chance.randrange(256)
        changed(path, b"index", bytes(8), bytes(bad))
        try:
            Recording(path).close()
            opened += 1
        except IsinglassError:
            pass
    assert opened < 200


def test_a_file_that_is_replaced_while_it_is_shown(tmp_path: Path) -> None:
    """By a recording without a frame yet; what was seen is not there any more, and that is told."""
    path = tmp_path / "night"
    record(path, [frame(second) for second in range(20)])
    desk = Desk(recorded=Recording(path))
    desk.step(10)
    path.unlink()
    line = [sys.executable, "-c", RECORD_ONE, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        try:
            assert other.stdout.readline() == "made\n"
            assert desk.follow()
            assert "without a single frame" in desk.settings.notice
            assert desk.scene(80, 24).frame.nodes == () or desk.number == 10
            other.stdin.write("5\n")
            other.stdin.flush()
            assert other.stdout.readline() == "done\n"
            assert desk.follow()
            assert [node.name for node in desk.scene(80, 24).frame.nodes] == ["birch"]
        finally:
            other.kill()
    path.unlink()
    Path(f"{path}-lock").unlink()
    desk.follow()
    assert page_of(desk.scene(80, 24), SourceFiles()).block.lines


def test_a_file_that_is_gone_for_good_keeps_saying_so(tmp_path: Path) -> None:
    path = tmp_path / "night"
    record(path, [frame(second) for second in range(20)])
    desk = Desk(recorded=Recording(path))
    path.write_bytes(b"")
    path.unlink()
    path.mkdir()
    for _ in range(3):
        desk.settings.notice = ""
        assert desk.follow() and "no recording" in desk.settings.notice
    path.rmdir()
    desk.settings.notice = ""
    assert desk.follow() and "no recording" in desk.settings.notice


# ------------------------------------------------------------------ gone on with
def test_what_two_recorders_found_in_the_rings_is_there_once(tmp_path: Path) -> None:
    path, ring = tmp_path / "both", tuple(event(second) for second in range(3))
    record(path, [frame(second) for second in range(3, 6)], ring)
    record(path, [frame(second) for second in range(13, 16)], (*ring, event(12)))
    recording = Recording(path)
    messages = [f"second {second}" for second in (0, 1, 2, 12)]
    assert [entry.message for entry in recording.around(2**62).entries] == messages
    assert [entry.message for entry in recording.entries(0, 9)] == messages


def test_alarms_of_two_recorders_are_told_apart(tmp_path: Path) -> None:
    """Each counts its own from one; the selection in view 8 must come past the first of them."""
    path = tmp_path / "both"
    for begin in (0, 20):
        record(path, [frame(begin), frame(begin + 1, LATE), frame(begin + 2)])
    desk = Desk(recorded=Recording(path))
    desk.step(5)
    desk.settings.view = "alarms"
    page = page_of(desk.scene(100, 24), SourceFiles())
    assert len({row.key for row in page.rows}) == len(page.rows) == 2
    desk.move(page.table, page.rows, 5)
    page = page_of(desk.scene(100, 24), SourceFiles())
    desk.move(page.table, page.rows, 5)
    assert desk.table(page.table).selected == page.rows[1].key


# ------------------------------------------------------------------ what goes wrong later
def test_damaged_events_end_the_search_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "a"
    record(path, [frame(second) for second in range(5)], (event(2, WARNING),))
    changed(path, b"events", bytes(8), b"none")
    desk = Desk(recorded=Recording(path))
    assert "damaged" in desk.next_trouble(WARNING, 1)


def test_a_clock_that_was_set_back_ends_the_seconds_before(tmp_path: Path) -> None:
    frames = [frame(second) for second in range(4000, 4200)]
    frames += [frame(second) for second in range(400, 404)]
    path, history = tmp_path / "a", History()
    record(path, frames)
    for number, each in enumerate(frames):
        history.append(Frame(number, each.wall_ns, 1.0, each.nodes))
    for timeline in (Recording(path), history):
        assert len(timeline.tallies("alder", 203, 10.0)) == 4
        assert len(timeline.tallies("alder", 199, 10.0)) == 10


# ------------------------------------------------------------------ nodes that come and go
def lives(alder: Stage, seconds: int, away: range = range(0), life: int = 1000) -> list[Frame]:
    """Return frames of a node that begins a new life each so many seconds."""
    frames = []
    for second in range(seconds):
        snapshot = alder.reading(second + 1).snapshot
        assert snapshot is not None
        snapshot.generation = snapshot.header.generation = 1 + second // life
        nodes = (NodeFrame("alder", "up", snapshot=snapshot),)
        frames.append(
            Frame(second, START_NS + second * SECOND, 1.0, () if second in away else nodes)
        )
    return frames


def test_a_node_that_was_away_is_there_again_at_once(alder: Stage, tmp_path: Path) -> None:
    """It comes back between two key rows, and whoever begins at the first has not seen it."""
    path, history = tmp_path / "a", History()
    frames = lives(alder, 40, away=range(12, 18))
    for each in frames:
        history.append(each)
    record(path, frames)
    for timeline in (history, Recording(path)):
        for number in (39, 31, 30, 29, 25, 18, 17, 11):
            assert plain_frame(timeline.frame(number)) == plain_frame(frames[number])


def test_lives_that_are_over_are_forgotten(alder: Stage, tmp_path: Path) -> None:
    frames = lives(alder, 4 * CHAPTER_ROWS, life=20)
    history = History(kept_seconds=60)
    for each in frames:
        history.append(each)
    assert plain_frame(history.frame(history.oldest)) == plain_frame(frames[history.oldest])
    path = tmp_path / "a"
    for part in (frames[:130], frames[130:]):  # a second recorder goes on
        record(path, part, keep_seconds=60)
    file = RecordingFile(path)
    assert [len(file.lives(table)) for table in ("schemas", "wholes")] == [12, 12], "of 24"
    file.close()
    recording = Recording(path)
    assert recording.oldest == 250
    for number in range(recording.oldest, recording.newest + 1, 37):
        assert plain_frame(recording.frame(number)) == plain_frame(frames[number])


def test_what_was_not_seen_at_a_moment_is_not_dumped_as_alive(alder: Stage, tmp_path: Path) -> None:
    path, snapshot = tmp_path / "a", alder.reading(1).snapshot
    told = "LINK DOWN since 14:02:00: it broke"
    down = NodeFrame("alder", Condition.LINK_DOWN, told, snapshot, age_seconds=90.0)
    record(path, [Frame(0, START_NS, 1.0, (down,))])
    for command in ("dump", "ps"):
        done = isinglass(command, "alder", "--replay", str(path), expect=1)
        assert f"alder: {told}; this is 90 s older" in done.stderr and done.stdout


@pytest.mark.root
@pytest.mark.parametrize("room_bytes", [0, 4096, 12_288])
def test_a_recording_that_has_no_room_says_so(tmp_path: Path, room_bytes: int) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        with filled(disk, room_bytes), pytest.raises(DiskFull):
            RecordingFile(disk / "a", writes=True)
        RecordingFile(disk / "a", writes=True).close()
