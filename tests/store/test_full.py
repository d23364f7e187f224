"""No room: a full disk or map is refused with a sentence, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from isinglass.errors import DiskFull, MapFull
from isinglass.store.changes import Writes
from isinglass.store.database import Store
from needs import missing, needs
from store.store_model import create, drop, value_record

PROGRAM = Path(__file__).with_name("full_disk_program.py")
MAP_BYTES = 1 << 20


def in_mount_namespace() -> list[str]:
    """Return the command that gives a program mounts of its own, or skip."""
    needs("unshare")
    for command in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    return missing("needs a mount namespace: run the tests as root, where one may be made")


def test_a_full_disk_refuses_reads_on_and_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [*in_mount_namespace(), sys.executable, str(PROGRAM), str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert "has no room" in seen["sentence"]
    assert seen["state_when_full"] == "disk full"
    assert (seen["state_after"], seen["trouble_after"]) == ("ready", None)
    assert seen["failures"] == 3
    assert seen["problems"] == []
    assert 0 < seen["rows_when_full"] == seen["readable_when_full"] < seen["acknowledged"]
    assert seen["rows"] == seen["rows_after_restart"] == seen["acknowledged"]
    assert "has no room" in seen["opening_a_new_one"]
    assert seen["rows_on_the_full_disk"] == seen["acknowledged"]


def test_a_quota_on_the_file_is_a_full_disk(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.apply([create("t", 1), Writes("t", {b"a": value_record(2)})])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (store.statistics().file_bytes, limits[1]))
        try:
            with pytest.raises(DiskFull):
                store.apply([Writes("t", {b"b": value_record(2, s="x" * 60000)})])
            assert isinstance(store.trouble, DiskFull)
            assert [record.key for record in store.scan("t")] == ["a"]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        store.apply([Writes("t", {b"b": value_record(2, s="x" * 60000)})])
        assert store.trouble is None
        assert store.verify().problems == []


def fill(store: Store, table: str, turn: int) -> int:
    """Write until the map is full; return how many batches went in."""
    for number in range(10_000):
        rows = {
            b"%d/%06d/%d" % (turn, number, n): value_record(turn, s="x" * 500) for n in range(9)
        }
        try:
            store.apply([Writes(table, rows)])
        except MapFull as error:
            assert "map_size_bytes" in str(error)
            return number
    raise AssertionError("the map never got full")


def test_a_full_map_refuses_until_there_is_room(tmp_path: Path) -> None:
    with Store.open(tmp_path, map_size_bytes=MAP_BYTES, durability="none") as store:
        store.apply([create("t", 1, "", "s"), create("u", 1)])
        went_in = fill(store, "t", 2)
        assert went_in > 20
        assert isinstance(store.trouble, MapFull)
        assert store.tables()[0].rows == 9 * went_in == len(list(store.scan("t")))
        assert store.verify().problems == []
        store.apply([drop("t", 3), create("t", 4, "", "s")])
        while store.reclaim(100).more:
            pass
        assert store.verify().problems == []
        assert fill(store, "u", 5) > 20, "what was dropped makes room"
        assert store.statistics().map_bytes < 2 * MAP_BYTES + (1 << 20)
        rows = sum(table.rows for table in store.tables())
    with Store.open(tmp_path, map_size_bytes=4 * MAP_BYTES, durability="none") as store:
        assert sum(table.rows for table in store.tables()) == rows
        store.apply([Writes("t", {b"%d" % n: value_record(9, s="y" * 900) for n in range(500)})])
        assert store.trouble is None
        assert store.verify().problems == []


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Exception, match="cannot be used") as caught:
        Store.open(blocked / "store")
    assert os.fspath(blocked) in str(caught.value)
