"""Deliberate faults of the protocol: the simulator must catch each within a few seeds.

What these show is that the checks look: a simulation that finds nothing wrong with a node which
forgets deletions too early would find nothing wrong with anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from isinglass.node import primary
from isinglass.node.healing import Healing
from isinglass.node.horizon import Horizon
from isinglass.node.primary import Primary
from isinglass.node.replica import Replica
from isinglass.node.vectors import STREAM_NOTE, Vectors
from isinglass.store import adding, merge
from simulator.run import failure

Patch = pytest.MonkeyPatch
SEEDS = 120


def no_repair_of_the_tail(patch: Patch) -> None:
    """Heartbeats do not tell which updates exist."""
    patch.setattr(Replica, "_hear_vector", lambda *_: None)


def stamps_of_the_writer(patch: Patch) -> None:
    """Each node stamps its own clients' writes, and says that it is the primary."""

    def write(self: Any, table: str, key: bytes, payload: Any, ack: int, done: Any) -> None:
        self._write_here(table, key, payload, ack, done, primary=True)

    patch.setattr(Primary, "write", write)


def early_drop_of_tombstones(patch: Patch) -> None:
    """A deletion is forgotten when this node has it."""
    patch.setattr(Horizon, "everywhere", lambda self: self._latest_stamp())


def join_without_a_copy(patch: Patch) -> None:
    """A new node takes over the vector of another one, and not its records."""

    def differ(self: Any, copy: Any, buckets: Any) -> None:
        copy.buckets, copy.waiting = [], False
        if not copy.items:
            self._fetch(copy)

    patch.setattr(Healing, "_differ", differ)


def acknowledged_before_it_is_held(patch: Patch) -> None:
    """The answer says what was asked for, not what is."""
    await_held = Primary.await_held

    def lie(self: Any, number: int, ack: int, done: Callable[[int], None]) -> None:
        needed = self._needed(ack)
        await_held(self, number, 0, lambda held: done(needed))

    patch.setattr(Primary, "await_held", lie)


def notes_ahead_of_the_batch(patch: Patch) -> None:
    """The store notes what was received, before it is applied."""

    def notes(self: Any, place: int) -> dict[bytes, bytes]:
        return {
            STREAM_NOTE + origin.to_bytes(2, "big") + life.to_bytes(8, "big"):
                inbox.received.to_bytes(8, "big")
            for (origin, life), inbox in self.inboxes.items()
        }  # fmt: skip

    patch.setattr(Vectors, "notes", notes)


def late_stamps(patch: Patch) -> None:
    """A primary stamps whatever it is asked, whenever that comes, and after whatever pause."""
    patch.setattr(Primary, "_is_late", lambda *_: False)
    patch.setattr(primary, "DEAF_NS", 1 << 62)


def streams_let_go_too_early(patch: Patch) -> None:
    """A closed stream is let go once this node has what it knows of."""

    def settled(self: Any, stream: Any) -> bool:
        inbox = self.inboxes[stream]
        return bool(self.is_closed(stream) and inbox.kept == inbox.known_last)

    patch.setattr(Vectors, "settled", settled)


def counts_as_values(patch: Patch) -> None:
    """Of two counts that wait for the store the newer one wins."""

    def joined(queued: bytes | None, record: bytes, _: bytes) -> tuple[bytes, bool]:
        return max(queued or b"", record), record <= (queued or b"")

    patch.setattr(merge, "joined", joined)


def a_total_from_the_first_place(patch: Patch) -> None:
    """An add goes on from the first record of its key that is found, not from all."""
    add = adding.add
    patch.setattr(adding, "add", lambda present, *rest: add(list(present)[:1], *rest))


MUTATIONS: dict[Callable[[Patch], None], int] = {
    no_repair_of_the_tail: 0,
    stamps_of_the_writer: 60,
    early_drop_of_tombstones: 0,
    join_without_a_copy: 0,
    acknowledged_before_it_is_held: 0,
    notes_ahead_of_the_batch: 0,
    late_stamps: 75,  # the rarest: about one run in a hundred
    streams_let_go_too_early: 0,
    counts_as_values: 0,
    a_total_from_the_first_place: 0,
}


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_the_simulator_catches(mutation: Callable[[Patch], None], monkeypatch: Patch) -> None:
    mutation(monkeypatch)
    first = MUTATIONS[mutation]
    caught = any(failure(seed) for seed in range(first, first + SEEDS))
    assert caught, f"nothing is wrong with this: {mutation.__doc__}"
