"""Kill a writer of a store with SIGKILL at a random moment, and see what the store is afterwards.

A warm parent forks a child that opens the store, applies step after step with durability "commit",
and reports each one in shared memory once `apply` has returned. The parent kills it, opens the
store itself and compares it with the model: exactly the acknowledged steps must be there, or these
and the one that was under way, whole. Every kill goes on with the store that the last one left.

Steps are a function of (seed, number), so the model never has to ask the child.
"""

from __future__ import annotations

import random
from pathlib import Path

from isinglass.store.changes import Step, Writes
from isinglass.store.database import Store
from killed_writer import ACKNOWLEDGED, OPENED, STARTED, KilledWriter
from store.store_model import Model, contents, create, drop, tombstone, value_record

TABLES = ("plain", "indexed", "grouped", "gone")
SHAPES = {"plain": (), "indexed": ("", "n"), "grouped": ("/", "n"), "gone": ("/",)}


def steps_of(seed: int, number: int) -> list[Step]:
    """Return step `number`: a batch as the queue would make it."""
    if number == 1:
        return [create(table, 1, *SHAPES[table]) for table in TABLES]
    choose = random.Random(seed << 32 | number)
    if choose.random() < 0.05:
        return [drop("gone", 10 * number + 30), create("gone", 10 * number + 31, *SHAPES["gone"])]
    batch: list[Step] = []
    for table in choose.sample(TABLES, choose.randrange(1, 4)):
        keys = {b"g%d/%d" % (choose.randrange(6), choose.randrange(40)) for _ in range(12)}
        found = {key: _record(choose, 10 * number + 32) for key in sorted(keys)}
        batch.append(Writes(table, found))
    return batch


def _record(choose: random.Random, stamp: int) -> bytes:
    stamp -= choose.choice((0, 0, 0, 25))
    if choose.random() < 0.15:
        return tombstone(stamp)
    return value_record(stamp, n=choose.randrange(9), s="x" * choose.randrange(120))


class Harness(KilledWriter):
    """One store that is killed again and again.

    Args:
        directory: where the store lies.
        seed: decides the steps and the moments of the kills.
    """

    def __init__(self, directory: Path, seed: int) -> None:
        super().__init__(directory / "store", seed, waits=0.85)
        self.model, self.modelled = Model(), 0
        self.acknowledged = 0

    def write_for_ever(self) -> None:
        """Be the child: apply steps from the one after the last acknowledged, until killed."""
        words = self.words
        words[OPENED] = 0
        with Store.open(self.path, durability="commit") as store:
            words[OPENED] = 1
            number = words[ACKNOWLEDGED] + 1
            while True:
                words[STARTED] = number
                store.apply(steps_of(self.seed, number))
                words[ACKNOWLEDGED] = number
                if number % 16 == 0:
                    store.reclaim(50)
                number += 1

    def check(self) -> None:
        """Open the store and compare it with every acknowledged step."""
        with Store.open(self.path, durability="commit") as store:
            found = store.verify()
            assert found.problems == []
            held = contents(store)
        self._model_through(self.words[ACKNOWLEDGED])
        if held != self.model.contents():
            assert self.words[STARTED] == self.words[ACKNOWLEDGED] + 1, (
                "acknowledged steps are lost"
            )
            self._model_through(self.words[STARTED])
            assert held == self.model.contents(), "the store is neither before nor after a step"
            self.words[ACKNOWLEDGED] = self.words[STARTED]
        self.acknowledged = self.words[ACKNOWLEDGED]

    def _model_through(self, number: int) -> None:
        for step in range(self.modelled + 1, number + 1):
            self.model.apply(steps_of(self.seed, step))
        self.modelled = max(self.modelled, number)
