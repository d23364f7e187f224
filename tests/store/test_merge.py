"""The queue: every rule and its counter, limits, places; and that merging never changes the store.

The property: whatever is offered, taken, failed and applied in any order, the store of a merged
run equals the store of a run that applies each update on its own, and `applied_through` is right at
every moment.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isinglass.errors import StoreError, TableExists, TableMissing
from isinglass.store import records
from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.database import Store
from isinglass.store.merge import REFUSED, TABLE_CHANGE_BYTES, Batch, UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape, TableState
from store.store_model import Model, contents, tombstone, value_record

PLAIN, GROUPED, INDEXED = TableShape(), TableShape("/"), TableShape("", ("n",))
SECOND = 1_000_000_000


@pytest.fixture
def panel() -> Iterator[QueuePanel]:
    made = QueuePanel()
    yield made
    made.release()


@pytest.fixture
def queue(panel: QueuePanel) -> UpdateQueue:
    made = UpdateQueue(panel)
    made.define(
        TableState(name, shape, records.version_bytes(1, 0), records.NEVER)
        for name, shape in (("plain", PLAIN), ("grouped", GROUPED))
    )
    return made


def version(stamp: int) -> bytes:
    return records.version_bytes(stamp, 0)


def finish(queue: UpdateQueue, limit: int = 1000) -> list[Step]:
    """Take and apply one batch; return its steps."""
    batch = queue.take(limit)
    assert batch is not None
    queue.applied(batch, 10, 0)
    return batch.steps


def identity_holds(queue: UpdateQueue, panel: QueuePanel) -> bool:
    """Tell whether every offered update is accounted for, with no batch in flight."""
    parts = panel.superseded + panel.stale + panel.dropped + panel.rolled + panel.written
    return panel.offered == parts + queue.length


def test_a_newer_update_keeps_the_older_ones_place(queue: UpdateQueue, panel: QueuePanel) -> None:
    assert queue.offer("plain", b"a", value_record(10), 0) == 1
    assert queue.offer("plain", b"b", value_record(11), 0) == 2
    assert queue.offer("plain", b"a", value_record(12, n=1), 0) == 3
    assert (panel.superseded, panel.offered, panel.length) == (1, 3, 2)
    batch = queue.take(1)
    assert batch is not None
    assert batch.steps == [Writes("plain", {b"a": value_record(12, n=1)})]
    assert queue.applied_through == 0
    assert queue.applied(batch, 0, 0) == 1
    assert finish(queue) == [Writes("plain", {b"b": value_record(11)})]
    assert queue.applied_through == 3 == panel.applied_through
    assert identity_holds(queue, panel)


def test_an_older_or_equal_update_is_stale(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("plain", b"a", value_record(10), 0)
    assert queue.offer("plain", b"a", value_record(9), 0) == 2
    assert queue.offer("plain", b"a", value_record(10), 0) == 3
    assert panel.stale == 2
    assert finish(queue) == [Writes("plain", {b"a": value_record(10)})]
    assert queue.applied_through == 3


def test_a_stale_update_with_nothing_in_line_is_applied_at_once(
    queue: UpdateQueue, panel: QueuePanel
) -> None:
    queue.offer_drop("plain", version(20), 0)
    queue.offer_create("plain", PLAIN, version(30), 0)
    finish(queue)
    assert panel.applied_through == 2
    assert queue.offer("plain", b"a", value_record(10), 0) == 3
    assert queue.take(10) is None
    assert panel.applied_through == queue.applied_through == 3


def test_what_waits_can_be_looked_up(queue: UpdateQueue) -> None:
    queue.offer("plain", b"a", value_record(10), 0)
    queue.offer("grouped", b"g/1", value_record(11), 0)
    assert queue.pending("plain", b"a") == value_record(10)
    assert queue.pending("grouped", b"g/1") == value_record(11)
    assert queue.pending("grouped", b"g/2") is queue.pending("none", b"a") is None
    finish(queue)
    assert queue.pending("plain", b"a") is None


def test_a_drop_removes_older_updates_of_its_table_alone(
    queue: UpdateQueue, panel: QueuePanel
) -> None:
    queue.offer("plain", b"old", value_record(10), 0)
    queue.offer("plain", b"new", value_record(30), 0)
    queue.offer("grouped", b"g/1", value_record(10), 0)
    queue.offer_drop("plain", version(20), 0)
    assert (panel.dropped, queue.length) == (1, 3)
    assert queue.applied_through == 0
    with pytest.raises(TableMissing):
        queue.offer("plain", b"x", value_record(40), 0)
    assert queue.shape_of("plain") is None
    queue.offer_create("plain", PLAIN, version(35), 0)
    assert queue.offer("plain", b"late", value_record(15), 0) == 6
    assert panel.stale == 1
    steps = finish(queue)
    names = [type(step).__name__ for step in steps]
    assert names == ["DropTable", "Writes", "Writes", "CreateTable"], "the drop took its place"
    assert steps[1] == Writes("plain", {b"new": value_record(30)})
    assert identity_holds(queue, panel)


def test_a_group_is_one_write_taken_whole(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("grouped", b"g/1", value_record(10), 0)
    queue.offer("grouped", b"h/1", value_record(11), 0)
    queue.offer("grouped", b"g/2", value_record(12), 0)
    batch = queue.take(1)
    assert batch is not None
    assert batch.steps == [
        Writes("grouped", {}, {b"g/": {b"g/1": value_record(10), b"g/2": value_record(12)}}, b"/")
    ]
    assert (batch.updates, batch.writes) == (2, 1)
    queue.applied(batch, 0, 0)
    assert (panel.rolled, panel.written, queue.applied_through) == (1, 1, 1)
    assert identity_holds(queue, panel)


def test_a_batch_in_flight_never_changes(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("plain", b"a", value_record(10), 0)
    batch = queue.take(10)
    assert batch is not None
    queue.offer("plain", b"a", value_record(11), 0)
    queue.offer_drop("plain", version(20), 0)
    assert batch.steps == [Writes("plain", {b"a": value_record(10)})]
    assert queue.take(10) is batch, "what could not be applied comes again"
    assert queue.applied_through == 0
    queue.applied(batch, 0, 0)
    assert queue.applied_through == 1, "the drop has the place of what it removed"
    with pytest.raises(ValueError, match="taken last"):
        queue.applied(batch, 0, 0)


def test_limits_refuse_what_grows_and_nothing_else(panel: QueuePanel) -> None:
    small = value_record(1)
    queue = UpdateQueue(panel, limit_entries=2, limit_bytes=4 * TABLE_CHANGE_BYTES)
    queue.define([TableState("t", PLAIN, version(1), records.NEVER)])
    assert queue.offer("t", b"a", small, 0)
    assert queue.offer("t", b"b", small, 0)
    assert queue.offer("t", b"c", small, 0) == REFUSED
    assert queue.offer_drop("t", version(9), 0) == REFUSED
    assert queue.offer_create("u", PLAIN, version(9), 0) == REFUSED
    assert queue.shape_of("u") is None
    assert queue.offer("t", b"a", value_record(2, n=1), 0), "replacing is no growth"
    assert queue.offer("t", b"b", value_record(2, n="x" * 2000), 0) == REFUSED
    assert panel.refused == 4
    assert panel.offered == queue.last_place == 3
    batch = queue.take(10)
    assert batch is not None
    assert queue.offer("t", b"c", small, 0) == REFUSED, "what is in flight counts"
    queue.applied(batch, 0, 0)
    assert queue.offer("t", b"c", small, 0)
    assert (panel.length_max, queue.length) == (2, 1)


def test_age_and_shares(queue: UpdateQueue, panel: QueuePanel) -> None:
    queue.offer("plain", b"a", value_record(10), 1 * SECOND)
    queue.offer("plain", b"b", value_record(11), 2 * SECOND)
    queue.offer("plain", b"a", value_record(12), 3 * SECOND)
    queue.publish(4 * SECOND)
    assert panel.oldest == 3.0
    batch = queue.take(10)
    assert batch is not None
    queue.publish(5 * SECOND)
    assert panel.oldest == 4.0
    assert panel.in_flight == 2
    queue.applied(batch, batch.size_bytes, 6 * SECOND)
    assert panel.oldest == 0.0
    assert panel.avoided == pytest.approx(1 / 3)
    assert panel.write_amplification == pytest.approx(2 / 3)
    assert (panel.size, panel.length) == (0, 0)


def test_tables_that_are_not_there(queue: UpdateQueue) -> None:
    with pytest.raises(TableMissing):
        queue.offer("none", b"a", value_record(1), 0)
    with pytest.raises(TableMissing):
        queue.offer_drop("none", version(1), 0)
    with pytest.raises(TableExists):
        queue.offer_create("plain", GROUPED, version(9), 0)
    assert queue.offer_create("plain", PLAIN, version(9), 0), "the same again is no harm"


def test_an_older_create_shows_nothing(queue: UpdateQueue) -> None:
    queue.offer_drop("plain", version(20), 0)
    queue.offer_create("plain", PLAIN, version(19), 0)
    assert queue.shape_of("plain") is None


# ---------------------------------------------------------------------------- the property
TABLES = st.sampled_from(["a", "b"])
KEYS = st.sampled_from([b"k", b"g", b"g/1", b"g/2", b"g/3/x", b"h/1"])
SHIFT = st.integers(-6, 3)  # how far an update's stamp lies from the moment it is offered
ACTIONS = st.one_of(
    st.tuples(st.just("put"), TABLES, KEYS, SHIFT, st.integers(0, 5)),
    st.tuples(st.just("put"), TABLES, KEYS, SHIFT, st.integers(0, 5)),
    st.tuples(st.just("put"), TABLES, KEYS, SHIFT, st.integers(0, 5)),
    st.tuples(st.just("delete"), TABLES, KEYS, SHIFT),
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

    def offer(self, step: Step) -> bool:
        """Offer one update; tell whether it entered."""
        now = 0
        try:
            if isinstance(step, CreateTable):
                place = self.queue.offer_create(step.table, step.shape, step.version, now)
            elif isinstance(step, DropTable):
                place = self.queue.offer_drop(step.table, step.version, now)
            else:
                [(key, record)] = step.records.items()
                place = self.queue.offer(step.table, key, record, now)
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
            self.queue.applied(self.batch, done.written_bytes, 0)
            self.batch = None
            assert identity_holds(self.queue, self.panel)

    def check_places(self) -> None:
        through = self.queue.applied_through
        floors = {state.name: state.floor for state in self.store.table_states()}
        held = contents(self.store)
        for number, (table, key, record) in enumerate(self.offered, start=1):
            if not table or number > through + 1:
                continue
            stored = held[table].records.get(key, b"") if table in held else b""
            reached = stored >= record or record[:10] <= floors.get(table, b"")
            if number <= through:
                assert reached, f"place {number} is not in the store, but through is {through}"


def step_of(action: tuple, stamp: int) -> Step:
    kind, table = action[0], action[1]
    if kind == "put":
        return Writes(table, {action[2]: value_record(stamp + action[3], n=action[4])})
    if kind == "delete":
        return Writes(table, {action[2]: tombstone(stamp + action[3])})
    if kind == "drop":
        return DropTable(table, version(stamp + action[2]))
    return CreateTable(table, action[3], version(stamp + action[2]))


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS, max_size=60), st.sampled_from([PLAIN, GROUPED, INDEXED]))
def test_merging_never_changes_the_store(actions: list[tuple], shape: TableShape) -> None:
    model = Model()
    with stores(3) as (merged_parts, single_parts, (plain_store, _)):
        merged, single = Run(*merged_parts, merging=True), Run(*single_parts, merging=False)
        runs = (merged, single)
        first = [("create", "a", 0, shape), ("create", "b", 0, GROUPED)]
        for number, action in enumerate([*first, *actions]):
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
                entered = [run.offer(step) for run in runs]
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
