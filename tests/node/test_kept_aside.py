"""The file of updates that were kept aside: whole or not at all, where there is room."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isinglass.node import kept_aside
from isinglass.store import records
from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.tables import TableShape


def some_steps(seed: int) -> list[Step]:
    """Return steps of every kind, as a queue hands them out."""
    generator = random.Random(seed)

    def record() -> bytes:
        payload = None if generator.random() < 0.2 else records.pack_value({"n": seed})
        return records.encode(generator.randrange(1 << 60), 0, payload)

    version = records.version_bytes(seed, 0)
    loose = {b"key %d" % number: record() for number in range(generator.randrange(1, 20))}
    groups = {
        b"g%d/" % group: {b"g%d/%d" % (group, n): record() for n in range(3)} for group in range(3)
    }
    return [
        CreateTable("orders", TableShape("/", ("customer", "day")), version),
        Writes("orders", {}, groups, b"/"),
        Writes("people", loose),
        DropTable("gone", version),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_kept_aside_comes_back_in_its_order(tmp_path: Path, seed: int) -> None:
    first, second = some_steps(seed), some_steps(seed + 100)
    kept_aside.save([tmp_path], first)
    file = kept_aside.save([tmp_path], second)
    assert kept_aside.load([tmp_path]) == (first + second, [file], [])
    people = first[2]
    assert isinstance(people, Writes)
    assert kept_aside.updates_of(first) == 2 + 9 + len(people.records)


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    assert kept_aside.load([tmp_path, tmp_path / "none"]) == ([], [], [])


def test_of_a_damaged_file_every_whole_entry_is_used(tmp_path: Path) -> None:
    steps = some_steps(3)
    ends = [len(kept_aside.save([tmp_path], [step]).read_bytes()) for step in steps]
    file = tmp_path / kept_aside.FILE_NAME
    whole = file.read_bytes()
    generator = random.Random(9)
    for _ in range(300):
        damaged, length = bytearray(whole), generator.randrange(len(whole) + 1)
        hit = {number for number, end in enumerate(ends) if end > length}
        if generator.random() < 0.5:
            place = generator.randrange(len(whole))
            damaged[place] ^= 1 << generator.randrange(8)
            hit.add(next(number for number, end in enumerate(ends) if place < end))
        file.write_bytes(damaged[:length])
        found = kept_aside.load([tmp_path])
        assert found.steps == [step for number, step in enumerate(steps) if number not in hit]
        is_whole = length in (0, *ends) and bytes(damaged[:length]) == whole[:length]
        assert found.damaged == ([] if is_whole else [file])


def test_what_follows_half_an_entry_is_used(tmp_path: Path) -> None:
    first, second = some_steps(1), some_steps(2)
    file = kept_aside.save([tmp_path], first)
    file.write_bytes(file.read_bytes()[:-3])
    kept_aside.save([tmp_path], second)
    found = kept_aside.load([tmp_path])
    assert found == (first[:-1] + second, [file], [file])
    kept_aside.remove(found)
    assert not file.exists() and (tmp_path / kept_aside.DAMAGED_NAME).exists()


@contextmanager
def file_limit(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_does_not_take_it_is_left_as_it_was(tmp_path: Path) -> None:
    disk, other = tmp_path / "disk", tmp_path / "other"
    disk.mkdir()
    before = kept_aside.save([disk], some_steps(1)).read_bytes()
    with file_limit(len(before) + 10), pytest.raises(OSError):
        kept_aside.save([disk], some_steps(2))
    assert (disk / kept_aside.FILE_NAME).read_bytes() == before
    other.mkdir()
    saved = kept_aside.save([tmp_path / "none", other], some_steps(2))
    assert saved.parent == other
    assert kept_aside.load([disk, other]).steps == some_steps(1) + some_steps(2)
