"""`isinglass monitor relay`, spoken to as no console of ours does: it answers, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.commands import COMMAND
from isinglass import clock
from isinglass.remote.frames import Kind
from isinglass.remote.message_bodies import read_wrong
from isinglass.remote.questions import packed, unpacked
from isinglass_monitor.spool.folder import FOLDER
from monitor.spooled import event, fill, piece
from relay_client import RelayClient, relay


@pytest.fixture
def spool(home: Path, data_dir: Path) -> None:
    now = clock.stamp_floor(clock.wall_ns())
    fill(data_dir / "monitor" / FOLDER, [piece(1, 1, [event(now)])])


def asked(client: RelayClient, number: int, word: str, **arguments: object) -> str:
    """Return what a question is refused with; empty when it is answered."""
    client.send(Kind.ASK, number, packed([word, arguments]))
    message = client.hear()
    assert message.channel == number
    if message.kind == Kind.REFUSED:
        return read_wrong(message.body)[1]
    unpacked(message.body)
    return ""


def test_a_question_that_makes_no_sense_ends_no_session(spool: None) -> None:
    with relay(command=(COMMAND, "monitor", "relay")) as client:
        client.hello()
        assert "install a newer one" in asked(client, 1, "explode")
        assert "asked in another way" in asked(client, 2, "end", more=1)
        everything = (0, 1 << 63, (), 0)
        odd: list[tuple[str, dict[str, object]]] = [
            ("newest", {"question": everything, "count": -1}),
            ("newest", {"question": (0,), "count": 1}),
            ("newest", {"question": (0, -5, (), 0), "count": 1}),
            ("since", {"cursor": ("a", "b"), "commits": 1}),
            ("since", {"cursor": (1, -7), "commits": 1}),
            ("forwards", {"question": ("a", {}, 7, None)}),
        ]
        for number, (word, arguments) in enumerate(odd, 3):
            asked(client, number, word, **arguments)
        assert asked(client, 99, "newest", question=everything, count=1) == ""
