"""Files of LMDB that were begun on a full disk, or never were any."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from held import filled, small_disk
from isinglass.errors import DiskFull
from isinglass.store.database import Store
from isinglass.store.engine import DATA_FILE, LOCK_FILE, READER_LIMIT
from isinglass.store.opening import HEADER_BYTES, SLOT_BYTES, prepare

TABLE_BYTES = HEADER_BYTES + READER_LIMIT * SLOT_BYTES
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def test_the_reader_table_has_all_its_room(tmp_path: Path) -> None:
    """LMDB writes it through a map: a slot that has no room on a full disk is a SIGBUS."""
    with Store.open(tmp_path / "store"):
        table = os.stat(tmp_path / "store" / LOCK_FILE)
        assert table.st_size == TABLE_BYTES
        assert table.st_blocks * 512 >= table.st_size


@pytest.mark.root
@pytest.mark.parametrize("pages", range(-1, 4))
def test_a_store_that_had_no_room_is_begun_anew(tmp_path: Path, pages: int) -> None:
    """There is room for a part of the table, for all of it, for one page of the store, and more."""
    room_bytes = (TABLE_BYTES // PAGE_BYTES + 1 + pages) * PAGE_BYTES
    with small_disk(tmp_path / "disk", "1m") as disk:
        with filled(disk, room_bytes), pytest.raises(DiskFull):
            Store.open(disk / "store")
        Store.open(disk / "store").close()


@pytest.mark.parametrize("size_bytes", [1, 19, 20, PAGE_BYTES, 2 * PAGE_BYTES - 1])
def test_a_short_file_of_somebody_else_is_left_alone(tmp_path: Path, size_bytes: int) -> None:
    data = tmp_path / DATA_FILE
    whole = bytes(range(256)) * (size_bytes // 256 + 1)
    data.write_bytes(whole[:size_bytes])
    prepare(data, tmp_path / LOCK_FILE, 1, 0o640)
    assert data.read_bytes() == whole[:size_bytes]


def test_a_whole_file_is_left_alone(tmp_path: Path) -> None:
    with Store.open(tmp_path):
        pass
    before = (tmp_path / DATA_FILE).read_bytes()
    prepare(tmp_path / DATA_FILE, tmp_path / LOCK_FILE, READER_LIMIT, 0o640)
    assert (tmp_path / DATA_FILE).read_bytes() == before
