"""Real daemons killed and stopped under load: what was acknowledged is there, and all agrees.

Writers go on through every kill, as applications do: the library reconnects, and sends again what
was not answered. Every key is written once, so a write that was lost stays lost until the end.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import clock, errors
from isinglass.store.reading import StoreReader

KILLS = 10
WRITERS = 4


class Writer(threading.Thread):
    """Writes new keys as fast as it gets answers, and remembers what was acknowledged."""

    def __init__(self, name: str, durability: str) -> None:
        super().__init__()
        self.label, self.durability = name, durability
        self.acknowledged: list[str] = []
        self.tried = 0
        self.ending = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            with isinglass.connect("oak", timeout_seconds=20) as database:
                while not self.ending.is_set():
                    self.tried += 1
                    self._write(database, f"{self.label}/{self.tried}")
        except BaseException as error:
            self.failure = error

    def _write(self, database: isinglass.Client, key: str) -> None:
        if self.tried % 10:
            database.put("t", key, {"n": self.tried % 7}, durability=self.durability)
            self.acknowledged.append(key)
        else:
            many = {f"{key}/{n}": {"n": n % 7} for n in range(20)}
            database.put_many("t", many, durability=self.durability)
            self.acknowledged += many


@contextmanager
def writing(durability: str) -> Iterator[list[Writer]]:
    """Let writers run for a block, each with connections and a table to itself."""
    with isinglass.connect("oak") as database:
        database.create_table("t", group_by="/", indexes=["n"])
    writers = [Writer(f"w{number}", durability) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.ending.set()
        for writer in writers:
            writer.join(30)
    assert [writer.failure for writer in writers] == [None] * WRITERS


def assert_all_there(oak: DaemonProcess, data_dir: Path, writers: list[Writer]) -> None:
    """Check the store that a daemon has closed: nothing missing, nothing invented, index agrees."""
    with StoreReader.open(data_dir / "oak") as store:
        assert store.verify().problems == []
        stored = {record.key: record.value["n"] for record in store.scan("t")}
        by_index = {record.key for n in range(7) for record in store.index_scan("t", "n", equal=n)}
    acknowledged = {key for writer in writers for key in writer.acknowledged}
    assert acknowledged <= set(stored)
    assert by_index == set(stored)
    assert len(acknowledged) > 100
    for key, n in stored.items():
        name, number, *part = key.split("/")
        assert int(number) <= next(w.tried for w in writers if w.label == name)
        assert n == int(part[0] if part else number) % 7


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_committed_survives_kills_at_random_moments(seed: int, data_dir: Path) -> None:
    generator = random.Random(seed)
    with daemon("oak") as oak:
        with writing("commit") as writers:
            for _ in range(KILLS):
                wait_for_answers(writers, generator.randrange(5, 60))
                clock.sleep(generator.random() * 0.02)
                oak.kill()
                assert oak.owner.verdict == "killed"
                oak.start()
            wait_for_answers(writers, 20)
        assert oak.stop() == 0
    assert_all_there(oak, data_dir, writers)


def wait_for_answers(writers: Sequence[Writer], count: int) -> None:
    """Wait until the writers together got that many more answers."""
    until = clock.monotonic_ns() + 30 * 10**9
    goal = sum(len(writer.acknowledged) for writer in writers) + count
    while sum(len(writer.acknowledged) for writer in writers) < goal:
        assert clock.monotonic_ns() < until
        assert [writer.failure for writer in writers if not writer.is_alive()] == []
        clock.sleep(0.001)


class Adder(Writer):
    """Adds to one counter, and remembers how many adds nobody could tell it about."""

    unknown = 0

    def _write(self, database: isinglass.Client, key: str) -> None:
        many = self.tried % 3 + 1
        try:
            database.add_many("t", [("hot", 1)] * many, "n", durability=self.durability)
        except errors.AddUnknown:
            self.unknown += many
        else:
            self.acknowledged += [key] * many


@pytest.mark.slow
def test_adds_count_once_through_kills_at_random_moments() -> None:
    generator = random.Random(4)
    with daemon("oak") as oak:
        with isinglass.connect("oak") as database:
            database.create_table("t")
        adders = [Adder(f"a{number}", "commit") for number in range(WRITERS)]
        for adder in adders:
            adder.start()
        for _ in range(KILLS):
            wait_for_answers(adders, generator.randrange(5, 60))
            clock.sleep(generator.random() * 0.02)
            oak.kill()
            oak.start()
        wait_for_answers(adders, 20)
        for adder in adders:
            adder.ending.set()
        for adder in adders:
            adder.join(30)
        assert [adder.failure for adder in adders] == [None] * WRITERS
        with isinglass.connect("oak") as database:
            record = database.get("t", "hot")
    counted = sum(len(adder.acknowledged) for adder in adders)
    assert record is not None
    assert counted <= record["n"] <= counted + sum(adder.unknown for adder in adders)


@pytest.mark.parametrize("durability", ["second", "none"])
def test_a_stop_under_load_loses_nothing_that_was_acknowledged(
    durability: str, data_dir: Path
) -> None:
    with daemon("oak", gather_seconds=0.1) as oak:
        with writing(durability) as writers:
            for _ in range(3):
                wait_for_answers(writers, 500)
                assert oak.stop() == 0
                assert oak.snapshot().state == "clean exit"
                oak.start()
            wait_for_answers(writers, 500)
            for writer in writers:
                writer.ending.set()
            assert oak.stop() == 0
            oak.start()  # whoever still waits for an answer gets one
        assert oak.stop() == 0
    assert_all_there(oak, data_dir, writers)


def test_a_kill_takes_what_was_only_queued_and_nothing_else(data_dir: Path) -> None:
    """The promise of "second" to the letter: applied survives the kill, queued does not."""
    with daemon("oak", gather_seconds=10) as oak:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            database.put_many("t", {f"applied {n}": {"n": n} for n in range(300)})
            database.flush()
            database.put_many("t", {f"queued {n}": {"n": n} for n in range(300)})
            assert database.get("t", "queued 7") == {"n": 7}
            oak.kill()
            oak.start()
            assert database.get("t", "applied 7") == {"n": 7}
            database.put("t", "new", {"n": 1})  # finds the new daemon
            with pytest.raises(errors.WritesLost, match="300 records"):
                database.flush()
            database.flush()  # told once
            assert database.get("t", "queued 7") is None
            stored = [key for key, _ in database.scan("t")]
        assert sorted(stored) == sorted(["new", *(f"applied {n}" for n in range(300))])


def test_of_two_daemons_for_one_store_the_second_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with daemon("oak"):
        other = DaemonProcess("oak", {"runtime_dir": tmp_path})
        with pytest.raises(AssertionError, match="another daemon has the store"):
            other.start()
        other.process.wait(30)
        assert other.process.stderr is not None
        other.process.stderr.close()
        with isinglass.connect("oak") as database, pytest.raises(errors.TableMissing):
            database.put("t", "1", {})
