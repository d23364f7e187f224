"""Adds against a real daemon: none lost, none twice, whoever adds and whatever breaks."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import errors
from isinglass.client.connection import BrokenConnection, Connection
from isinglass.store.adding import HIGHEST
from isinglass.wire import messages
from panel_figures import whole

ADDERS = 4


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    """A daemon that applies slowly, so that what was just added still waits."""
    with daemon("oak", gather_seconds=0.2) as process:
        yield process


@pytest.fixture
def database(oak: DaemonProcess) -> Iterator[isinglass.Client]:
    """A client with a table "counts", indexed by "n", and "parts", stored in groups."""
    with isinglass.connect("oak", timeout_seconds=20) as client:
        client.create_table("counts", indexes=["n"])
        client.create_table("parts", group_by="/")
        yield client


def test_own_adds_are_seen_at_once(database: isinglass.Client) -> None:
    generator, model = random.Random(6), Counter[str]()
    for _ in range(40):
        key, number = f"g/{generator.randrange(5)}", generator.randrange(-3, 9)
        database.add("parts", key, "n", number)
        model[key] += number
        assert database.get("parts", key) == {"n": model[key]}
    many = [(f"g/{generator.randrange(30)}", 1) for _ in range(2000)]
    assert database.add_many("parts", many, "n") == 2000
    model.update(key for key, _ in many)
    assert {key: value["n"] for key, value in database.scan("parts")} == model


def test_puts_and_deletions_among_adds_are_read_as_the_store_has_them(
    database: isinglass.Client,
) -> None:
    database.add("counts", "a", "n", 5)
    database.put("counts", "a", {"name": "ash"})
    assert database.get("counts", "a") == {"name": "ash", "n": 5}
    database.put("counts", "a", {"name": "asp", "n": 10})  # the store shows the count by now
    assert database.get("counts", "a") == {"name": "asp", "n": 15}
    database.flush()
    assert [key for key, _ in database.find("counts", "n", 15)] == ["a"]
    database.delete("counts", "a")
    assert database.get("counts", "a") is None
    database.add("counts", "a", "n")
    assert database.get("counts", "a") == {"n": 1}
    database.delete("counts", "a")
    database.add("counts", "a", "n", 2)
    database.flush()
    assert [dict(value) for _, value in database.find("counts", "n")] == [{"n": 2}]
    database.drop_table("counts")
    database.create_table("counts")
    database.add("counts", "a", "n", 3)
    assert database.get("counts", "a") == {"n": 3}


def test_adds_of_threads_and_processes_all_count(database: isinglass.Client) -> None:
    def adding() -> None:
        for _ in range(50):
            database.add("counts", "hot", "n")
            database.add_many("counts", {"hot": 2, "warm": -1}, "n", durability="none")

    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            try:
                adding()
                database.flush()
                os._exit(0)
            except BaseException:
                os._exit(1)
        children.append(child)
    threads = [threading.Thread(target=adding) for _ in range(ADDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    database.flush()
    assert database.get("counts", "hot") == {"n": 6 * 50 * 3}
    assert database.get("counts", "warm") == {"n": -6 * 50}


@pytest.mark.slow
def test_what_a_full_queue_does_not_take_is_asked_for_again(oak: DaemonProcess) -> None:
    with (
        daemon("elm", queue_limit_entries=50, gather_seconds=0.02),
        isinglass.connect("elm", timeout_seconds=60) as database,
    ):
        database.create_table("t")
        keys = [f"k{number % 300}" for number in range(3000)]
        database.add_many("t", [(key, 1) for key in keys], "n")
        assert {value["n"] for _, value in database.scan("t")} == {10}
        with pytest.raises(errors.RequestRefused, match="queue"):
            database.add_many("t", {f"new{number}": 1 for number in range(5000)}, "n", wait=False)


def broken_after(
    monkeypatch: pytest.MonkeyPatch, times: int, before: Callable[[], None] = lambda: None
) -> None:
    """Let the next answers to adds be lost, after the daemon has done what they ask."""
    asked, left = Connection.ask_all, [times]

    def ask_all(connection: Connection, requests: list[list[object]]) -> list[list[object]]:
        answers = asked(connection, requests)
        if requests[0][0] == messages.ADD and left[0]:
            left[0] -= 1
            before()
            raise BrokenConnection("cut")
        return answers

    monkeypatch.setattr(Connection, "ask_all", ask_all)


def test_an_add_whose_answer_is_lost_counts_once(
    oak: DaemonProcess, database: isinglass.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_after(monkeypatch, 2)
    database.add("counts", "a", "n", durability="commit")
    broken_after(monkeypatch, 1)
    database.add_many("counts", [("a", 1)] * 900, "n")  # four requests at once
    assert database.get("counts", "a") == {"n": 901}
    assert whole(oak.panel("port"), "repeated") >= 901


def test_an_add_during_which_the_daemon_is_restarted_is_told_as_unknown(
    oak: DaemonProcess, database: isinglass.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restart() -> None:
        oak.stop()
        oak.start()

    broken_after(monkeypatch, 1, restart)
    with pytest.raises(errors.AddUnknown, match="read the record"):
        database.add("counts", "a", "n")
    assert database.get("counts", "a") == {"n": 1}
    database.add("counts", "a", "n")
    database.put("counts", "b", {})
    assert database.get("counts", "a") == {"n": 2}


def test_lives_of_the_daemon_count_on_and_an_idle_client_notices_nothing(
    oak: DaemonProcess, database: isinglass.Client
) -> None:
    for life in range(1, 4):
        database.add("counts", "a", "n", 10)
        database.add("counts", "a", "n", durability="commit")
        assert database.get("counts", "a") == {"n": 11 * life}
        if life % 2:
            oak.stop()
        else:
            oak.kill()
        oak.start()
    assert database.get("counts", "a") == {"n": 33}


def test_what_cannot_be_counted_is_one_clear_error(database: isinglass.Client) -> None:
    for wrong in (1.5, "1", True, None, HIGHEST + 1):
        with pytest.raises(errors.BadRecord):
            database.add("counts", "a", "n", wrong)  # type: ignore[arg-type]
    with pytest.raises(errors.BadRecord):
        database.add("counts", "a", "")
    with pytest.raises(errors.BadRecord):
        database.add("counts", "", "n")
    with pytest.raises(errors.TableMissing):
        database.add("none", "a", "n")
    database.add("counts", "a", "n", HIGHEST)
    with pytest.raises(errors.BadRecord, match="64 bits"):
        database.add_many("counts", [("b", 1), ("a", 1)], "n")
    assert database.get("counts", "b") == {"n": 1}, "the first ones count, as with put_many"
    database.put("counts", "large", {"text": "x" * 65_500})
    database.flush()
    with pytest.raises(errors.RecordTooLarge):
        database.add("counts", "large", "n")
    assert database.add_many("counts", {}, "n") == 0
    with pytest.raises(errors.IsinglassError):
        database._session.ask([messages.ADD, "counts", "n", [["a"]], 0, 1, 1, 0])
    assert database.get("counts", "a") == {"n": HIGHEST}
