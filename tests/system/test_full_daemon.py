"""A daemon whose disk or map is full: refuses clearly, reads on, goes on, and loses nothing."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import clock, errors
from panel_figures import whole
from waiting import wait_until

VALUE = {"filler": "x" * 2000}
MIB = 1 << 20
WAIT_SECONDS = 20.0


def fill(database: isinglass.Client, kind: type[Exception], limit: int = 40_000) -> dict[str, int]:
    """Write until the store takes no more; return the keys that were acknowledged."""
    acknowledged: dict[str, int] = {}
    with pytest.raises(kind) as refused:
        for number in range(limit):
            database.put("t", f"key {number}", {**VALUE, "n": number})
            acknowledged[f"key {number}"] = number
            if number % 200 == 199:
                database.flush()
    assert "oak" in str(refused.value)
    assert len(acknowledged) > 100
    return acknowledged


def write_until_taken(database: isinglass.Client, key: str) -> None:
    """Write a record as soon as the daemon takes writes again."""
    until = clock.monotonic_ns() + int(WAIT_SECONDS * 1e9)
    while True:
        try:
            database.put("t", key, {"n": -1}, durability="commit")
            return
        except errors.StoreError:
            assert clock.monotonic_ns() < until
            clock.sleep(0.05)


def assert_reads_on(database: isinglass.Client, acknowledged: dict[str, int]) -> None:
    for key, number in list(acknowledged.items())[::50]:
        value = database.get("t", key)
        assert value is not None
        assert value["n"] == number


def assert_nothing_lost(database: isinglass.Client, acknowledged: dict[str, int]) -> None:
    stored = {key: value["n"] for key, value in database.scan("t")}
    assert {key: stored.get(key) for key in acknowledged} == acknowledged


@pytest.fixture
def disk(data_dir: Path) -> Iterator[Path]:
    """A disk of 16 MiB under the data directory: a tmpfs."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(data_dir)], check=True)
    yield data_dir
    subprocess.run(["umount", "--lazy", str(data_dir)], check=True)


@pytest.mark.root
def test_a_full_disk_refuses_reads_on_and_goes_on_when_there_is_space(disk: Path) -> None:
    ballast = disk / "ballast"
    with daemon("oak") as oak, isinglass.connect("oak") as database:
        database.create_table("t")
        ballast.write_bytes(bytes(8 * MIB))
        acknowledged = fill(database, errors.DiskFull)
        assert_reads_on(database, acknowledged)
        assert "no room" in wait_for_trouble(oak)
        assert whole(oak.panel("applier"), "failures") >= 1
        ballast.unlink()
        write_until_taken(database, "after")
        assert_nothing_lost(database, {**acknowledged, "after": -1})
        assert oak.stop() == 0


def wait_for_trouble(oak: DaemonProcess) -> str:
    return str(wait_until(lambda: oak.panel("daemon")["trouble"], "a trouble"))


def test_a_quota_refuses_reads_on_and_goes_on_when_it_is_raised(data_dir: Path) -> None:
    """As a full disk, but for anybody: the kernel refuses to let the data file grow.

    LMDB tells a write that was cut short at the limit as an input/output error, whatever cut it.
    """
    with daemon("oak") as oak, isinglass.connect("oak") as database:
        database.create_table("t")
        resource.prlimit(oak.pid, resource.RLIMIT_FSIZE, (4 * MIB, resource.RLIM_INFINITY))
        acknowledged = fill(database, errors.DiskFull)
        assert_reads_on(database, acknowledged)
        with pytest.raises(errors.DiskFull):
            database.put("t", "refused", {"n": 0}, durability="commit")
        resource.prlimit(
            oak.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )
        write_until_taken(database, "after")
        assert_nothing_lost(database, {**acknowledged, "after": -1})
        wait_until(lambda: not oak.panel("daemon")["trouble"], "no trouble any more")


def test_a_full_map_refuses_reads_on_and_goes_on_after_a_drop(data_dir: Path) -> None:
    with daemon("oak", map_size_bytes=8 * MIB) as oak, isinglass.connect("oak") as database:
        database.create_table("ballast")
        database.create_table("t")
        database.put_many("ballast", ((str(number), VALUE) for number in range(900)))
        database.flush()
        acknowledged = fill(database, errors.MapFull)
        assert_reads_on(database, acknowledged)
        assert "map_size_bytes" in wait_for_trouble(oak)
        database.drop_table("ballast")
        write_until_taken(database, "after")
        assert_nothing_lost(database, {**acknowledged, "after": -1})


def test_what_was_acknowledged_is_kept_aside_when_a_full_daemon_must_end(data_dir: Path) -> None:
    with daemon("oak", map_size_bytes=4 * MIB) as oak:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            acknowledged = fill(database, errors.MapFull)
            assert oak.stop() == 0
        assert any("kept aside" in e.message or "would not take" in e.message
                   for e in oak.owner.events)  # fmt: skip
        assert (data_dir / "oak" / "kept-aside").stat().st_size > 0
        oak.flags = ["--map-size-bytes", str(64 * MIB)]
        oak.start()
        assert whole(oak.panel("daemon"), "recovered") > 0
        assert not (data_dir / "oak" / "kept-aside").exists()
        with isinglass.connect("oak") as database:
            assert_nothing_lost(database, acknowledged)
            database.put("t", "after", {"n": -1}, durability="commit")


def assert_serves_reads_and_refuses_writes(
    oak: DaemonProcess, acknowledged: dict[str, int], kind: type[errors.StoreError]
) -> None:
    """Use a daemon that still has to find room for what the last one kept aside."""
    panel = oak.panel("daemon")
    assert (panel["state"], panel["recovered"]) == ("serving", 0)
    assert whole(panel, "kept_aside") > 0
    assert panel["trouble"]
    with isinglass.connect("oak") as database:
        stored = {key: value["n"] for key, value in database.scan("t")}
        assert 0 < len(stored) < len(acknowledged)
        assert stored.items() <= acknowledged.items()
        assert_reads_on(database, stored)
        for durability in ("second", "commit"):
            with pytest.raises(kind, match="oak"):
                database.put("t", "refused", {"n": 0}, durability=durability)
        with pytest.raises(kind):
            database.create_table("refused")
        with pytest.raises(kind):
            database.flush("commit")
        assert database.get("t", "refused") is None


def wait_until_recovered(oak: DaemonProcess) -> None:
    wait_until(
        lambda: not (oak.panel("daemon")["kept_aside"] or oak.panel("daemon")["trouble"]),
        "what was kept aside is in the store",
    )
    assert whole(oak.panel("daemon"), "recovered") > 0


@pytest.mark.root
def test_a_daemon_starts_on_a_disk_that_is_still_full(disk: Path, runtime_dir: Path) -> None:
    ballast = disk / "ballast"
    with daemon("oak") as oak:
        with isinglass.connect("oak") as database:
            database.create_table("t")
            ballast.write_bytes(bytes(8 * MIB))
            acknowledged = fill(database, errors.DiskFull)
        assert oak.stop() == 0
        kept = [folder / "oak" / "kept-aside" for folder in (disk, runtime_dir)]
        sizes = [file.stat().st_size for file in kept if file.exists()]
        assert sum(sizes) > 0
        for _ in range(2):  # and ends, and starts again, and loses nothing
            oak.start()
            assert_serves_reads_and_refuses_writes(oak, acknowledged, errors.DiskFull)
            assert oak.stop() == 0
            assert [file.stat().st_size for file in kept if file.exists()] == sizes
        oak.start()
        with isinglass.connect("oak") as database:
            ballast.unlink()
            write_until_taken(database, "after")
            assert_nothing_lost(database, {**acknowledged, "after": -1})
        wait_until_recovered(oak)
        assert not any(file.exists() for file in kept)


def test_a_daemon_with_a_full_map_starts_and_a_drop_makes_room(data_dir: Path) -> None:
    with daemon("oak", map_size_bytes=8 * MIB) as oak:
        with isinglass.connect("oak") as database:
            database.create_table("ballast")
            database.create_table("t")
            database.put_many("ballast", ((str(number), VALUE) for number in range(900)))
            database.flush()
            acknowledged = fill(database, errors.MapFull)
        assert oak.stop() == 0
        oak.start()
        assert_serves_reads_and_refuses_writes(oak, acknowledged, errors.MapFull)
        with isinglass.connect("oak") as database:
            database.drop_table("ballast")
            wait_until_recovered(oak)
            assert_nothing_lost(database, acknowledged)
            database.put("t", "after", {"n": -1}, durability="commit")
        assert not (data_dir / "oak" / "kept-aside").exists()
        assert any("takes writes again" in event.message
                   for event in oak.owner.events)  # fmt: skip
