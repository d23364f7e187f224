"""Stores that are damaged, taken, from elsewhere, or left by a machine that went down."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from isinglass.errors import StoreCorrupt, StoreError, StoreLocked
from isinglass.store import check, ownership
from isinglass.store.changes import Writes
from isinglass.store.database import Store
from isinglass.store.reading import StoreReader
from isinglass.store.transaction import Scope
from programs import program
from store.store_model import create, value_record

ROWS = {b"g%d/%03d" % (n % 5, n): value_record(2, n=n, s="x" * (n % 60)) for n in range(400)}
WRITES_AND_STAYS = """
    import sys
    from isinglass.store.database import Store
    store = Store.open(sys.argv[1], durability=sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store with tables of every shape."""
    with Store.open(tmp_path / "store", durability="none") as store:
        store.apply([create("p", 1), create("i", 1, "", "n"), create("g", 1, "/", "n", "s")])
        store.apply([Writes(table, ROWS) for table in ("p", "i", "g")])
    return tmp_path / "store"


def change_last_boot(path: Path) -> None:
    """Make the store look as if the machine had gone down since its last writer."""
    lock = path / ownership.LOCK_NAME
    text = lock.read_text()
    boot = ownership.BOOT_ID.read_text().strip()
    assert boot in text
    lock.write_text(text.replace(boot, "0" * len(boot)))


def kill_writer(path: Path, durability: str) -> None:
    with program(WRITES_AND_STAYS, str(path), durability) as process:
        process.kill()
        process.wait()


def test_two_daemons_never_have_one_store(path: Path) -> None:
    with program(WRITES_AND_STAYS, str(path), "second"):
        with pytest.raises(StoreLocked, match="another daemon"):
            Store.open(path)
        with StoreReader.open(path) as reader:
            assert len(list(reader.scan("g"))) == len(ROWS)
    with Store.open(path) as store:
        assert store.verify().problems == []


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="start the node's daemon"):
        StoreReader.open(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StoreError, match="start the node's daemon"):
        StoreReader.open(tmp_path / "empty")


@pytest.mark.parametrize("keep", [None, 0])
def test_a_lost_data_file_is_no_beginning(path: Path, keep: int | None) -> None:
    data = path / ownership.DATA_NAME
    if keep is None:
        data.unlink()
    else:
        data.write_bytes(b"")
    with pytest.raises(StoreCorrupt, match="lost its data file"):
        Store.open(path)


@pytest.mark.parametrize("content", [b"text", b"\0" * 8192, bytes(range(256)) * 64])
def test_a_file_that_is_no_store(path: Path, content: bytes) -> None:
    (path / ownership.DATA_NAME).write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged|cannot be used"):
        Store.open(path)


def test_a_store_of_another_format(path: Path) -> None:
    with Store.open(path) as store:
        store._engine.write(lambda scope: scope.put(b"!format", b"\0\0\0\x63", scope.meta))
    with pytest.raises(StoreCorrupt, match="format 99"):
        Store.open(path)
    with pytest.raises(StoreCorrupt, match="format 99"):
        StoreReader.open(path)
    with pytest.raises(StoreCorrupt, match="format 99"):
        Store.open(path)


def test_after_the_machine_went_down_the_store_is_read_first(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Path] = []
    real = ownership.check

    def check(path: Path) -> None:
        checked.append(path)
        real(path)

    monkeypatch.setattr(ownership, "check", check)
    kill_writer(path, "second")
    Store.open(path).close()
    assert checked == [], "a killed daemon leaves nothing to check"
    change_last_boot(path)
    Store.open(path).close()
    assert checked == [], "it was closed"
    kill_writer(path, "commit")
    change_last_boot(path)
    Store.open(path).close()
    assert checked == [], "every commit was flushed in order"
    kill_writer(path, "second")
    change_last_boot(path)
    Store.open(path).close()
    assert checked == [path]


def test_what_the_check_finds_stops_the_daemon(path: Path) -> None:
    kill_writer(path, "none")
    data = path / ownership.DATA_NAME
    with open(data, "r+b") as file:
        file.truncate(data.stat().st_size // 3)
    change_last_boot(path)
    with pytest.raises(StoreCorrupt, match="is damaged"):
        Store.open(path)
    assert ownership.LOCK_NAME in {entry.name for entry in path.iterdir()}


def test_flipped_bits_end_in_an_answer(path: Path, tmp_path: Path) -> None:
    chance = random.Random(5)
    original = (path / ownership.DATA_NAME).read_bytes()
    answers = []
    for _ in range(12):
        damaged = bytearray(original)
        for _ in range(40):
            place = chance.randrange(len(damaged))
            damaged[place] ^= 1 << chance.randrange(8)
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        (copy / ownership.DATA_NAME).write_bytes(damaged)
        try:
            ownership.check(copy)
            answers.append("fine")
        except StoreCorrupt as error:
            answers.append(str(error))
    assert all(answer == "fine" or "is damaged (" in answer for answer in answers)
    assert any("is damaged (" in answer for answer in answers), answers


def problems_after(path: Path, change: Callable[[Scope], object]) -> list[str]:
    """Return what `verify` says after a change behind the store's back."""
    with Store.open(path) as store:
        store._engine.write(change)
        return store.verify().problems


def delete_first(scope: Scope, handle: object) -> None:
    cursor = scope.cursor(handle)
    assert cursor.set_range(b"")
    scope.delete(cursor.key(), handle)


def test_verify_sees_a_missing_index_entry(path: Path) -> None:
    first, second = problems_after(path, lambda scope: delete_first(scope, scope.indexes))
    assert "index 'n': 1 entries are missing, 0 are too many" in first
    assert "index entries are [399], but counted [400]" in second


def test_verify_sees_an_index_entry_that_leads_nowhere(path: Path) -> None:
    def add(scope: Scope) -> None:
        cursor = scope.cursor(scope.indexes)
        assert cursor.set_range(b"")
        scope.put(cursor.key() + b"x", b"", scope.indexes)

    assert "0 entries are missing, 1 are too many" in problems_after(path, add)[0]


def test_verify_sees_a_missing_record(path: Path) -> None:
    problems = problems_after(path, lambda scope: delete_first(scope, scope.records))
    assert "table 'p': rows are 399, but counted 400" in problems


def test_verify_sees_an_entry_of_no_table(path: Path) -> None:
    [problem] = problems_after(path, lambda scope: scope.put(b"\0\0\xff\0x", b"", scope.records))
    assert "entries are stored, but tables have" in problem


def test_the_check_as_a_command(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main([str(path)]) == 0
    assert "3 tables, 1200 records, 1200 index entries" in capsys.readouterr().out
    assert check.main([]) == 2
    assert check.main([str(path / "none")]) == 1
