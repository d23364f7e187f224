"""Merging never changes the store.

Whatever is offered, taken, failed and applied in any order, the store of a merged run equals the
store of a run that applies each update on its own, and `applied_through` is right at every moment.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.errors import StoreError
from isinglass.store import counters, records
from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.database import Store
from isinglass.store.line import Batch
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape
from store.store_model import Model, contents, identity_holds, tombstone, value_record, version

Action = tuple[Any, ...]  # what is done, and what with
PLAIN, GROUPED, INDEXED = TableShape(), TableShape("/"), TableShape("", ("n",))
TABLES = st.sampled_from(["a", "b"])
KEYS = st.sampled_from([b"k", b"g", b"g/1", b"g/2", b"g/3/x", b"h/1"])
SHIFT = st.integers(-6, 3)  # how far an update's stamp lies from the moment it is offered
ACTIONS = st.one_of(
    st.tuples(st.just("put"), TABLES, KEYS, SHIFT, st.integers(0, 5)),
    st.tuples(st.just("put"), TABLES, KEYS, SHIFT, st.integers(0, 5)),
    st.tuples(st.just("put"), TABLES, KEYS, SHIFT, st.integers(0, 5)),
    st.tuples(st.just("add"), TABLES, KEYS, SHIFT, st.integers(0, 4), st.sampled_from("nm")),
    st.tuples(st.just("add"), TABLES, KEYS, SHIFT, st.integers(0, 4), st.sampled_from("nm")),
    st.tuples(st.just("delete"), TABLES, KEYS, SHIFT),
    st.tuples(st.just("reset"), TABLES, KEYS, SHIFT),
    st.tuples(st.just("drop"), TABLES, SHIFT),
    st.tuples(st.just("create"), TABLES, SHIFT, st.sampled_from([PLAIN, GROUPED, INDEXED])),
    st.tuples(st.just("take"), st.integers(1, 6)),
    st.tuples(st.just("fail")),
    st.tuples(st.just("applied")),
)


@contextmanager
def stores(count: int) -> Iterator[list[tuple[Store, QueuePanel]]]:
    base = Path(tempfile.mkdtemp(prefix="isg-merge-", dir="/dev/shm"))
    opened = [Store.open(base / str(number), durability="none") for number in range(count)]
    panels = [QueuePanel() for _ in range(count)]
    try:
        yield list(zip(opened, panels, strict=True))
    finally:
        for store in opened:
            store.close()
        for panel in panels:
            panel.release()
        shutil.rmtree(base)


class Run:
    """One queue in front of one store, and each accepted update for the check of places."""

    def __init__(self, store: Store, panel: QueuePanel, *, merging: bool) -> None:
        self.panel = panel
        self.queue = UpdateQueue(self.panel, merging=merging)
        self.store = store
        self.batch: Batch | None = None
        self.offered: list[tuple[str, bytes, bytes]] = []  # table, key, record, by place

    def offer(self, step: Step, foreign: bool) -> bool:
        """Offer one update; tell whether it entered."""
        queue, now = self.queue, 0
        try:
            if isinstance(step, CreateTable):
                place = queue.offer_create(
                    step.table, step.shape, step.version, now, foreign=foreign
                )
            elif isinstance(step, DropTable):
                place = queue.offer_drop(step.table, step.version, now, foreign=foreign)
            else:
                [(key, record)] = step.records.items()
                if foreign:
                    place = queue.offer(step.table, key, record, now, True)
                elif records.is_counting(record):
                    place = queue.offer_counting(step.table, key, record, now)
                else:
                    place = queue.offer(step.table, key, record, now)
                self.offered.append((step.table, key, record))
        except StoreError:
            return False
        if not isinstance(step, Writes):
            self.offered.append(("", b"", b""))
        assert place == len(self.offered) == self.queue.last_place
        return True

    def applied(self) -> None:
        if self.batch is not None:
            done = self.store.apply(self.batch.steps)
            assert done.unknown == 0
            through = self.queue.applied(self.batch, done.written_bytes, 0)
            assert through >= self.batch.through
            self.batch = None
            assert identity_holds(self.queue, self.panel)

    def check_places(self) -> None:
        through = self.queue.applied_through
        floors = {state.name: state.floor for state in self.store.table_states()}
        held = contents(self.store)
        for number, (table, key, record) in enumerate(self.offered, start=1):
            if not table or number > through + 1:
                continue
            stored = held[table].records.get(key) if table in held else None
            reached = counters.merged(stored, record, floors.get(table, records.NEVER)) == stored
            if number <= through:
                assert reached, f"place {number} is not in the store, but through is {through}"


def step_of(action: Action, stamp: int) -> Step:
    kind, table = action[0], action[1]
    if kind == "put":
        return Writes(table, {action[2]: value_record(stamp + action[3], n=action[4])})
    if kind == "delete":
        return Writes(table, {action[2]: tombstone(stamp + action[3])})
    if kind == "add":
        latest = stamp + action[3]
        added = counters.Contribution(latest - action[4], latest, latest * 7)
        writer = counters.writer_of(0, latest % 2)
        return Writes(table, {action[2]: counters.addition(action[5], writer, added)})
    if kind == "reset":
        return Writes(table, {action[2]: counters.deletion(stamp + action[3], 0)})
    if kind == "drop":
        return DropTable(table, version(stamp + action[2]))
    return CreateTable(table, action[3], version(stamp + action[2]))


@settings(max_examples=250)
@given(
    st.lists(st.tuples(ACTIONS, st.booleans()), max_size=60),
    st.sampled_from([PLAIN, GROUPED, INDEXED]),
    st.booleans(),
)
def test_merging_never_changes_the_store(
    actions: list[tuple[Action, bool]], shape: TableShape, known: bool
) -> None:
    model = Model()
    with stores(3) as (merged_parts, single_parts, (plain_store, _)):
        merged, single = Run(*merged_parts, merging=True), Run(*single_parts, merging=False)
        runs = (merged, single)
        first = [(("create", "a", 0, shape), False), (("create", "b", 0, GROUPED), False)]
        for number, (action, foreign) in enumerate([*(first if known else ()), *actions]):
            stamp = 10 + 2 * number
            if action[0] == "take":
                for run in runs:
                    run.batch = run.queue.take(action[1])
            elif action[0] == "fail":
                for run in runs:
                    assert run.batch is None or run.queue.take(1) is run.batch
            elif action[0] == "applied":
                for run in runs:
                    run.applied()
                    run.check_places()
            else:
                step = step_of(action, stamp)
                entered = [run.offer(step, foreign) for run in runs]
                assert entered[0] == entered[1]
                if entered[0]:
                    plain_store.apply([step])
                    model.apply([step])
        for run in runs:
            while run.queue.length:
                run.batch = run.queue.take(3)
                run.applied()
            assert run.queue.applied_through == run.queue.last_place == len(run.offered)
        wanted = model.contents()
        for store in (plain_store, merged.store, single.store):
            assert contents(store) == wanted
            assert store.verify().problems == []
        assert single.panel.superseded + single.panel.rolled == 0
