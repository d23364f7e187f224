"""The gate of a process's readers: one who must be alone waits for them, and they for it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from isinglass.errors import StoreError
from isinglass.store import gate
from isinglass.store.changes import Writes
from isinglass.store.database import Store
from isinglass.store.gate import ReadGate
from isinglass.store.reading import StoreReader
from store.store_model import create, value_record

LIMIT_SECONDS = 20


def test_whoever_shuts_it_waits_for_those_inside() -> None:
    made = ReadGate()
    made.live.append(None)
    made.shut()
    leave = threading.Thread(target=made.live.pop)
    leave.start()
    assert made.wait_until_empty()
    leave.join()
    made.open()


def test_the_wait_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "SHUT_LIMIT_SECONDS", 0.01)
    monkeypatch.setattr(gate, "WAIT_LIMIT_SECONDS", 0.01)
    made = ReadGate()
    made.live.append(None)
    made.shut()
    assert not made.wait_until_empty()
    with pytest.raises(StoreError, match="kept the store shut"):
        made.shut()
    with pytest.raises(StoreError):
        made.step_back()
    assert len(made.live) == 1, "the reader still counts: it takes itself out"


def test_a_reader_that_finds_it_shut_steps_back_and_comes_in_later() -> None:
    made = ReadGate()
    made.shut()
    inside = threading.Event()

    def come_in() -> None:
        made.live.append(None)
        made.step_back()
        inside.set()

    reader = threading.Thread(target=come_in)
    reader.start()
    assert made.wait_until_empty()
    assert not inside.is_set()
    made.open()
    assert inside.wait(LIMIT_SECONDS)
    reader.join()


def test_threads_read_while_files_are_reopened_and_the_map_changes(tmp_path: Path) -> None:
    rows = {b"%03d" % n: value_record(2, n=n) for n in range(100)}
    with Store.open(tmp_path, durability="none") as store:
        store.apply([create("t", 1), create("g", 1, "/"), Writes("t", rows), Writes("g", rows)])
        stop = threading.Event()
        wrong: list[object] = []

        def read_on(table: str) -> None:
            number = 0
            while not stop.is_set():
                number = (number + 7) % 100
                value = store.get_value(table, f"{number:03d}")
                if value != {"n": number} or len(list(store.scan(table))) != 100:
                    wrong.append(value)

        threads = [threading.Thread(target=read_on, args=(table,)) for table in "tg"]
        for thread in threads:
            thread.start()
        try:
            for turn in range(30):
                store._engine._reopen()
                store._engine._set_map((64 + turn % 2) << 20)
                store.apply([Writes("t", {b"000": value_record(3 + turn, n=0)})])
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert wrong == []
        assert store.verify().problems == []


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    with Store.open(tmp_path, durability="none") as store:
        store.apply([create("t", 1)])
    reader = StoreReader.open(tmp_path)
    reader.close()
    reader.close()
    with pytest.raises(StoreError, match="cannot be used"):
        reader.get("t", "a")
