"""The service manager: what it is told over a real socket, and when it is told no more."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.node.watchdog import Progress, Watchdog, pat_interval_seconds
from isinglass.wire.transport import notify_supervisor

SECOND = 1_000_000_000
LIMIT_SECONDS = 10


def watch(*moments: tuple[float, list[tuple[str, int, bool]]]) -> list[str]:
    """Show a watchdog the threads at several moments; return who is stuck at the last."""
    watchdog = Watchdog(LIMIT_SECONDS)
    stuck: list[str] = []
    for at_seconds, threads in moments:
        progress = [Progress(*thread) for thread in threads]
        stuck = watchdog.stuck(int(at_seconds * SECOND), progress)
    return stuck


WORKS, WAITS = False, True
# what happened, and who is stuck at its end
HISTORIES = {
    "all wait for ever": ([(0, [("port", 1, WAITS)]), (999, [("port", 1, WAITS)])], []),
    "one works on one thing": (
        [(0, [("timer", 1, WORKS)]), (11, [("timer", 1, WORKS)])],
        ["timer"],
    ),
    "not yet for the limit": ([(0, [("timer", 1, WORKS)]), (10, [("timer", 1, WORKS)])], []),
    "it takes steps": ([(0, [("timer", 1, WORKS)]), (11, [("timer", 2, WORKS)])], []),
    "it waited meanwhile": (
        [(0, [("a", 1, WORKS)]), (9, [("a", 1, WAITS)]), (18, [("a", 1, WORKS)])],
        [],
    ),
    "it got on again": (
        [(0, [("a", 1, WORKS)]), (11, [("a", 1, WORKS)]), (12, [("a", 2, WORKS)])],
        [],
    ),
    "the longest first": (
        [
            (0, [("new", 1, WAITS), ("old", 1, WORKS)]),
            (5, [("new", 2, WORKS), ("old", 1, WORKS)]),
            (16, [("new", 2, WORKS), ("old", 1, WORKS)]),
        ],
        ["old", "new"],
    ),
    "one that ended is forgotten": (
        [(0, [("a", 1, WORKS)]), (5, []), (11, [("a", 1, WORKS)])],
        [],
    ),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_who_is_stuck(history: str) -> None:
    moments, expected = HISTORIES[history]
    assert watch(*moments) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=40))
def test_a_thread_is_stuck_when_it_stood_still_at_work_longer_than_the_limit(
    history: list[tuple[int, bool]],
) -> None:
    watchdog = Watchdog(LIMIT_SECONDS)
    got_on, earlier = 0, history[0][0]
    for second, (steps, waits) in enumerate(history):
        now = second * 4 * SECOND
        if waits or steps != earlier:
            got_on, earlier = now, steps
        expected = ["only"] if now - got_on > LIMIT_SECONDS * SECOND else []
        assert watchdog.stuck(now, [Progress("only", steps, waits)]) == expected


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "³"}, None),
    ],
)
def test_how_often_the_service_manager_wants_to_hear(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert pat_interval_seconds(environment, 42) == seconds


@pytest.fixture
def manager(runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """A service manager's end: a datagram socket, named in NOTIFY_SOCKET."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(10)
    listener.bind(str(runtime_dir / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(runtime_dir / "notify"))
    return listener


def test_the_service_manager_is_told(manager: socket.socket) -> None:
    with manager:
        assert notify_supervisor("READY=1")
        assert notify_supervisor("WATCHDOG=1\nSTATUS=42 updates waiting")
        assert manager.recv(4096) == b"READY=1"
        assert manager.recv(4096) == b"WATCHDOG=1\nSTATUS=42 updates waiting"


def test_the_service_manager_is_told_at_an_abstract_address(
    monkeypatch: pytest.MonkeyPatch, runtime_dir: Path
) -> None:
    name = f"isinglass-{runtime_dir.name}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(10)
        listener.bind(f"\0{name}")
        assert notify_supervisor("READY=1")
        assert listener.recv(4096) == b"READY=1"


def test_without_a_service_manager_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, manager: socket.socket
) -> None:
    manager.close()
    assert not notify_supervisor("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not notify_supervisor("READY=1")
