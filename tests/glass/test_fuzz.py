"""Damaged segments, thousands of them: a typed error or plausible values, never a crash."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from glass.node_program import NODE
from isinglass.errors import (
    FormatTooNew,
    MachineRebooted,
    NotASegment,
    SegmentError,
    SegmentForeign,
    SegmentHalfWritten,
    SegmentMissing,
    SegmentTruncated,
)
from isinglass.glass import layout
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import counters
from programs import program

INTERESTING = [
    (0, 4096),
    (layout.SCHEMA_OFFSET, 4096),
    (layout.SHARED_OFFSET, 64),
    (layout.SHARED_OFFSET + layout.TABLES_PLACE, 512),
    (layout.SLOTS_OFFSET, 256),
    (layout.REGIONS_OFFSET, 256),
    (layout.REGIONS_OFFSET + layout.PROBES_OFFSET, 256),
    (layout.REGIONS_OFFSET + layout.DIRECTORY_OFFSET, 256),
    (layout.REGIONS_OFFSET + layout.FILES_OFFSET, 64),
    (layout.REGIONS_OFFSET + layout.PANELS_OFFSET, 4096),
    (layout.REGIONS_OFFSET + layout.ERRORS_OFFSET, 512),
    (layout.REGIONS_OFFSET + layout.EVENTS_OFFSET, 4096),
]
WORDS = [0, 1, 7, 255, 4096, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a live node's segment, up to the end of its first region."""
    runtime = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISINGLASS_RUNTIME_DIR", str(runtime))
        with program(NODE):
            return (runtime / "alder" / "segment").read_bytes()[: layout.region_offset(1)]


def _write(directory: Path, raw: bytes, size: int = layout.SEGMENT_BYTES) -> str:
    path = directory / "segment"
    with path.open("wb") as file:
        file.write(raw[:size])
        file.truncate(size)
    return str(path)


def read_everything(path: str) -> None:
    """Use all that a snapshot can answer."""
    with SegmentReader(path) as reader:
        snapshot = reader.snapshot(events=True)
        for process in snapshot.processes:
            assert process.verdict
            for thread in process.threads:
                assert thread.stood_seconds >= 0
            for panel in process.panels:
                for field in panel.fields:
                    assert field.name and field.value is not None
            assert all(event.sequence >= 0 for event in process.events)
            assert all(error.count > 0 for error in process.errors)
        assert all(table.rows >= 0 for table in snapshot.tables)
        assert len(counters(snapshot)) < 100_000
        assert len(reader.verdicts()) <= layout.REGION_COUNT


@pytest.mark.parametrize("seed", range(8))
def test_bit_flips_and_odd_words_never_crash_a_reader(
    seed: int, good: bytes, runtime_dir: Path
) -> None:
    chance = random.Random(seed)
    path = _write(runtime_dir, good)
    with open(path, "r+b") as file:
        for _ in range(400):
            changed = []
            for _ in range(chance.randrange(1, 6)):
                base, room = chance.choice(INTERESTING)
                place = base + chance.randrange(room) // 8 * 8
                word = good[place : place + 8]
                if chance.random() < 0.5:
                    value = int.from_bytes(word, "little") ^ 1 << chance.randrange(64)
                else:
                    value = chance.choice(WORDS)
                changed.append((place, word))
                os.pwrite(file.fileno(), value.to_bytes(8, "little"), place)
            try:
                read_everything(path)
            except SegmentError as error:
                assert len(str(error)) > 20
            for place, word in changed:
                os.pwrite(file.fileno(), word, place)


@pytest.mark.parametrize("seed", range(4))
def test_random_bytes_behind_a_good_header_never_crash_a_reader(
    seed: int, good: bytes, runtime_dir: Path
) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        raw = bytearray(good)
        start = chance.choice([0, 4096, layout.SHARED_OFFSET, layout.REGIONS_OFFSET])
        raw[start : start + 200_000] = chance.randbytes(200_000)
        path = _write(runtime_dir, bytes(raw))
        try:
            read_everything(path)
        except SegmentError as error:
            assert len(str(error)) > 20


def test_every_broken_state_is_told_apart(good: bytes, runtime_dir: Path) -> None:
    def patched(place: int, value: bytes) -> bytes:
        return good[:place] + value + good[place + len(value) :]

    size = layout.SEGMENT_BYTES
    for raw, length, error in [
        (good, 0, NotASegment),
        (b"key,name\n1,ada\n", 15, NotASegment),
        (good, 100, SegmentTruncated),
        (good, size - 1, SegmentTruncated),
        (bytes(4096), size, SegmentHalfWritten),
        (b"not at all" + good[10:], size, NotASegment),
        (patched(8, (2 << 32).to_bytes(8, "little")), size, FormatTooNew),
        (patched(16, bytes(8)), size, NotASegment),
        (patched(24, bytes(8)), size, SegmentHalfWritten),
        (patched(layout.BOOT_ID_PLACE, b"another-boot"), size, MachineRebooted),
    ]:
        path = _write(runtime_dir, raw, length)
        with pytest.raises(error) as caught:
            SegmentReader(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(SegmentMissing):
        SegmentReader("nobody")


def test_links_and_directories_are_not_followed(good: bytes, runtime_dir: Path) -> None:
    path = _write(runtime_dir, good)
    link = runtime_dir / "link"
    link.symlink_to(path)
    for odd in (link, runtime_dir):
        with pytest.raises(SegmentForeign) as caught:
            SegmentReader(str(odd))
        assert "remove" not in str(caught.value)


def test_a_file_that_is_cut_while_it_is_open_is_an_error(good: bytes, runtime_dir: Path) -> None:
    path = _write(runtime_dir, good)
    with SegmentReader(path) as reader:
        reader.snapshot()
        os.truncate(path, 700_000)
        with pytest.raises(SegmentTruncated):
            reader.snapshot()
