"""Statistics: thinning keeps what matters, and the store keeps what it was given for its time."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from held import filled, small_disk
from isinglass.errors import DiskFull, StoreError
from isinglass_monitor.statistics import (
    POINTS,
    TIERS,
    Block,
    Minute,
    Point,
    Tier,
    spark,
    thin,
    thin_column,
)
from isinglass_monitor.statistics_store import StatisticsFile, StatisticsWriter
from programs import hear, program
from waiting import wait_until

START = 1_700_000_000 - 1_700_000_000 % 3600
VALUES = st.floats(-1e12, 1e12)
SERIES = st.dictionaries(st.integers(0, 5000), VALUES, min_size=1, max_size=200)


def points_of(series: dict[int, float]) -> list[Point]:
    return [Point(second, v, v, v, 1) for second, v in sorted(series.items())]


@given(SERIES, st.sampled_from((10, 60, 600)))
def test_a_thinned_point_stands_for_all_of_its_seconds(series: dict[int, float], step: int) -> None:
    thinned = thin(points_of(series), step)
    assert sum(point.seconds for point in thinned) == len(series)
    for point in thinned:
        seconds = [v for s, v in series.items() if point.second <= s < point.second + step]
        assert point.second % step == 0
        assert (point.minimum, point.maximum) == (min(seconds), max(seconds))
        assert point.seconds == len(seconds)
        assert math.isclose(point.mean, math.fsum(seconds) / len(seconds), abs_tol=1e-3)
        assert point.minimum <= point.mean <= point.maximum


@given(SERIES)
def test_thinning_twice_is_thinning_once(series: dict[int, float]) -> None:
    twice, once = thin(thin(points_of(series), 10), 60), thin(points_of(series), 60)
    for a, b in zip(twice, once, strict=True):
        assert a[:1] + a[2:] == b[:1] + b[2:]
        assert math.isclose(a.mean, b.mean, rel_tol=1e-9, abs_tol=1e-3)


@given(
    st.lists(
        st.one_of(st.just(math.nan), st.sampled_from((1.0, 2.0)), VALUES), min_size=60, max_size=60
    ),
    st.sampled_from((1, 10, 60)),
)
def test_a_column_is_thinned_as_its_points_are(values: list[float], step: int) -> None:
    points = points_of({START + s: v for s, v in enumerate(values) if not math.isnan(v)})
    for a, b in zip(thin_column(START, values, step), thin(points, step), strict=True):
        assert a[:1] + a[2:] == b[:1] + b[2:]
        assert math.isclose(a.mean, b.mean, rel_tol=1e-9, abs_tol=1e-3)


@given(
    st.sampled_from(TIERS),
    st.dictionaries(
        st.integers(0, 2**40),
        st.dictionaries(st.integers(0, POINTS - 1), VALUES, min_size=1),
        max_size=4,
    ),
)
def test_a_block_gives_back_what_was_put(tier: Tier, fields: dict[int, dict[int, float]]) -> None:
    block = Block(tier, START)
    for field, values in fields.items():
        for place, v in values.items():
            block.put(field, Point(START + place * tier.step_seconds, v, v - 1, v + 1, 7))
    again = Block.unpack(tier, START, block.pack())
    for field, values in fields.items():
        assert again.points(field) == [
            Point(START + place * tier.step_seconds, v, v - 1, v + 1, 7)
            for place, v in sorted(values.items())
        ]


@given(st.binary(max_size=100))
def test_bytes_that_are_no_block_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Block.unpack(TIERS[0], 0, data)


def test_a_point_of_another_time_is_refused() -> None:
    with pytest.raises(ValueError, match="not in the block"):
        Block(TIERS[0], START).put(1, Point(START + 60, 1, 1, 1, 1))


@given(st.lists(st.dictionaries(st.integers(0, 5), VALUES), max_size=60))
def test_a_minute_is_the_same_from_its_changes(seconds: list[dict[int, float]]) -> None:
    minute, again = Minute(START), Minute(START)
    for number, figures in enumerate(seconds):
        again.replay(START + number, minute.add(START + number, figures))
    for field in range(6):
        assert thin_column(START, minute.column(field), 1) == thin_column(
            START, again.column(field), 1
        )


def write(file: StatisticsFile, seconds: range, node: str = "alder") -> None:
    for second in seconds:
        figures = {"queue.length": float(second % 100), "store.rows": 5.0}
        file.write(START + second, {node: figures})


@pytest.fixture
def file(runtime_dir: Path) -> Iterator[StatisticsFile]:
    made = StatisticsFile(runtime_dir / "statistics", writes=True)
    yield made
    made.close()


def test_seconds_can_be_read_at_once_and_after_a_restart(
    file: StatisticsFile, runtime_dir: Path
) -> None:
    write(file, range(90))
    for reader in (file, None):
        if reader is None:
            file.close()
            reader = StatisticsFile(runtime_dir / "statistics", writes=False)
        points = reader.read("alder", "queue.length", START, START + 90)
        assert [point.mean for point in points] == [float(second) for second in range(90)]
        assert [point.second - START for point in points] == list(range(90))
        assert reader.nodes() == ["alder"]
        assert reader.fields("alder") == ["queue.length", "store.rows"]
        assert reader.read("alder", "no.field", START, START + 90) == []
        assert reader.read("birch", "store.rows", START, START + 90) == []


def test_points_are_thinned_with_age(file: StatisticsFile) -> None:
    write(file, range(0, 2 * 86_400, 61))  # each minute once, for two days
    write(file, range(2 * 86_400, 2 * 86_400 + 300))
    now = START + 2 * 86_400 + 300
    points = file.read("alder", "store.rows", START, now)
    assert {point.mean for point in points} == {5.0}
    seconds = [point.second for point in points]
    assert seconds == sorted(set(seconds))
    old = [point for point in points if point.second < now - 86_400 - 1200]
    middle = [point for point in points if now - 86_400 <= point.second < now - 4000]
    new = [point for point in points if point.second >= now - 300]
    assert old
    assert all(point.second % 60 == 0 for point in old)
    assert all(point.second % 10 == 0 for point in middle)
    assert any(point.second % 60 for point in middle)
    assert len(new) == 300


def test_what_is_too_old_is_gone(file: StatisticsFile) -> None:
    write(file, range(0, 60))
    write(file, range(40 * 86_400, 40 * 86_400 + 61))
    assert file.read("alder", "store.rows", START, START + 86_400) == []
    assert file.read("alder", "store.rows", START, START + 50 * 86_400)


def test_a_clock_that_steps_back_loses_no_other_minute(file: StatisticsFile) -> None:
    write(file, range(300, 400))
    write(file, range(0, 70))
    write(file, range(400, 420))
    points = file.read("alder", "store.rows", START, START + 1000)
    assert [p.second - START for p in points] == [*range(70), *range(300, 420)]


def test_a_full_map_makes_the_time_shorter(runtime_dir: Path) -> None:
    file = StatisticsFile(runtime_dir / "small", writes=True, map_bytes=800 << 10)
    for second in range(0, 30_000, 60):
        figures = {f"panel.field{n}": math.sin(second * n) for n in range(40)}
        file.write(START + second, {"alder": figures})
    assert file.kept_share < 1
    assert file.read("alder", "panel.field1", START, START + 30_000)[-1].seconds == 1
    file.close()


def test_a_map_that_is_too_small_for_anything_says_so(runtime_dir: Path) -> None:
    file = StatisticsFile(runtime_dir / "small", writes=True, map_bytes=64 << 10)
    with pytest.raises(StoreError, match="full"):
        for second in range(600):
            figures = {f"panel.field{n}": math.sin(second * n) for n in range(400)}
            file.write(START + second, {"alder": figures})
    file.close()


def test_numbers_that_are_none_are_left_out(file: StatisticsFile) -> None:
    file.write(START, {"alder": {"a.b": math.nan, "a.c": math.inf, "a.d": 1.0}})
    assert file.fields("alder") == ["a.d"]


def test_there_are_no_statistics_where_none_were_made(runtime_dir: Path) -> None:
    with pytest.raises(StoreError, match="no statistics"):
        StatisticsFile(runtime_dir / "none", writes=False)


def test_the_writer_stores_everything_until_it_is_closed(runtime_dir: Path) -> None:
    writer = StatisticsWriter(runtime_dir / "statistics")
    for second in range(50):
        writer.put(START + second, {"alder": {"a.b": float(second)}})
    writer.close()
    reader = StatisticsFile(runtime_dir / "statistics", writes=False)
    assert len(reader.read("alder", "a.b", START, START + 50)) + writer.dropped == 50
    assert writer.dropped == 0
    reader.close()


WRITER = """
import sys
from pathlib import Path
from isinglass_monitor.statistics_store import StatisticsFile
file = StatisticsFile(Path(sys.argv[1]), writes=True)
print("ready", flush=True)
second = int(sys.argv[2])
while True:
    file.write(second, {"alder": {"a.b": float(second)}})
    print(second, flush=True)
    second += 1
"""


def test_what_was_committed_survives_a_kill(runtime_dir: Path) -> None:
    path, second = runtime_dir / "statistics", START
    for _ in range(4):
        with program(WRITER, str(path), str(second)) as process:
            deadline = time.monotonic() + 0.4
            while time.monotonic() < deadline:
                second = int(hear(process))
            os.kill(process.pid, signal.SIGKILL)
            assert process.stdout is not None
            rest = process.stdout.read().split("\n")[:-1]  # a line without its end may be cut
            second = max([second, *map(int, rest)]) + 1
        file = StatisticsFile(path, writes=False)
        points = file.read("alder", "a.b", START, second)
        file.close()
        assert sum(point.seconds for point in points) == second - START
        assert all(point.minimum == float(point.second) for point in points)


READER = """
import lmdb, sys
environment = lmdb.open(sys.argv[1], readonly=True)
with environment.begin():
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_readers_that_were_killed_while_they_read_leave_no_slot(runtime_dir: Path) -> None:
    path = runtime_dir / "statistics"
    StatisticsFile(path, writes=True).close()
    with program(READER, str(path)), program(READER, str(path)) as killed:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        StatisticsFile(path, writes=False).close()
        with lmdb.open(str(path), readonly=True) as environment:
            assert str(killed.pid) not in environment.readers()


def test_a_damaged_block_is_trouble_and_does_not_end_the_writing(runtime_dir: Path) -> None:
    path = runtime_dir / "statistics"
    with closing(StatisticsWriter(path)) as writer:
        writer.put(START, {"alder": {"a.b": 1.0}})
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"\0alder\0" + START.to_bytes(8, "big"), b"no block")
    with closing(StatisticsWriter(path)) as writer:
        for _ in range(2):
            writer.put(START + 60, {"alder": {"a.b": 1.0}})
        wait_until(lambda: writer.dropped == 2, "both seconds that cannot be written")
        assert "no block of statistics" in writer.trouble
    with (
        closing(StatisticsFile(path, writes=False)) as file,
        pytest.raises(StoreError, match="cannot be read: no block of statistics"),
    ):
        file.read("alder", "a.b", START - 60, START + 60)


def test_what_is_read_together_is_unpacked_once(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = runtime_dir / "statistics"
    fields = [f"panel.field{number}" for number in range(4)]
    with closing(StatisticsFile(path, writes=True)) as file:
        for second in range(200):
            figures = {field: float(second % (at + 2)) for at, field in enumerate(fields)}
            file.write(START + second, {"alder": figures, "birch": figures})
    wanted = [
        (node, field) for node in ("alder", "birch", "cedar") for field in (*fields, "no.one")
    ]
    unpacked: list[int] = []
    unpack = Block.unpack

    def unpacking(*arguments: Any) -> Block:
        unpacked.append(arguments[1])
        return unpack(*arguments)

    with closing(StatisticsFile(path, writes=False)) as file:
        apart = [file.read(*each, START + 20, START + 190) for each in wanted]
        monkeypatch.setattr(Block, "unpack", unpacking)
        assert file.read_all(wanted, START + 20, START + 190) == apart
    assert [len(points) for points in apart] == [170, 170, 170, 170, 0] * 2 + [0] * 5
    # Of each node the three minutes that have ended, and nothing coarser.
    assert len(unpacked) == 2 * 3


def test_a_line_of_bars() -> None:
    assert spark([0, 1, None, 7]) == "▁▂ █"
    assert spark([3, 3]) == "▁▁"
    assert spark([]) == ""


@pytest.mark.root
@pytest.mark.parametrize("room_bytes", [0, 4096, 12_288])
def test_statistics_that_have_no_room_say_so(tmp_path: Path, room_bytes: int) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        with filled(disk, room_bytes), pytest.raises(DiskFull):
            StatisticsFile(disk / "statistics", writes=True)
        StatisticsFile(disk / "statistics", writes=True).close()
