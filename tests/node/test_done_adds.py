"""Which adds were done: found again, done when they never came, and never guessed."""

from __future__ import annotations

import random

import pytest

from isinglass.errors import AddUnknown
from isinglass.node import done_adds
from isinglass.node.done_adds import ANSWERS, DoneAdds


def test_an_add_is_found_by_its_client_and_number() -> None:
    adds = DoneAdds()
    adds.remember(7, 1, (10, 2), 100)
    assert adds.find(7, 1, 50) == (10, 2)
    assert adds.find(7, 2, 100) is None
    assert adds.find(8, 1, 100) is None


def test_of_a_client_the_newest_answers_are_kept() -> None:
    adds = DoneAdds()
    for number in range(1, ANSWERS + 2):
        adds.remember(7, number, (number, 1), number)
    assert adds.find(7, 2, 1) == (2, 1)
    with pytest.raises(AddUnknown):
        adds.find(7, 1, 1)


def test_what_may_be_forgotten_is_never_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(done_adds, "CLIENTS", 3)
    generator, adds = random.Random(3), DoneAdds()
    done: dict[tuple[int, int], int] = {}  # client, number: the stamp from before it was sent
    for stamp in range(10, 3000, 10):
        client = generator.randrange(8)
        number = sum(1 for other, _ in done if other == client) + 1
        done[client, number] = stamp - 1
        adds.remember(client, number, (stamp, 1), stamp)
        again = generator.choice(list(done))
        try:
            assert adds.find(*again, done[again]) is not None
        except AddUnknown:
            pass
        assert adds.find(generator.randrange(8), 1000, stamp) is None, "it never came"
    assert len(adds._clients) == 3
