"""A run of updates does to the queue what each of them by itself would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from isinglass.errors import TableMissing
from isinglass.store import records
from isinglass.store.merge import REFUSED, UpdateQueue
from isinglass.store.panels import QueuePanel
from isinglass.store.tables import TableShape, TableState
from store.store_model import value_record, version

TABLES = {"plain": TableShape(), "grouped": TableShape("/")}
PAIRS = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b", b"c", b"g/1", b"g/2"]),
        st.one_of(
            st.builds(value_record, st.integers(10, 60), n=st.integers(0, 3)),
            st.builds(records.encode, st.integers(10, 60), st.just(0), st.none()),
        ),
    ),
    min_size=1,
    max_size=12,
)
STEP = st.one_of(
    st.tuples(st.sampled_from(sorted(TABLES)), PAIRS),
    st.tuples(st.just("drop"), st.integers(10, 60)),
    st.tuples(st.just("take"), st.integers(1, 8)),
)


class Twin:
    """A queue that takes runs, or each update by itself, and everything that it shows."""

    def __init__(self, *, whole: bool, merging: bool, limit: int, limit_bytes: int) -> None:
        self.whole, self.panel = whole, QueuePanel()
        self.queue = UpdateQueue(self.panel, limit, limit_bytes, merging=merging)
        self.queue.define(
            TableState(name, shape, version(1), records.NEVER) for name, shape in TABLES.items()
        )

    def offer(self, table: str, pairs: Sequence[tuple[bytes, bytes]]) -> tuple[int, int]:
        if self.whole:
            flat = [part for pair in pairs for part in pair]
            return self.queue.offer_run(table, flat, 7, True)
        place = REFUSED
        for number, (key, record) in enumerate(pairs):
            taken = self.queue.offer(table, key, record, 7, True)
            if taken == REFUSED:
                return place, number
            place = taken
        return place, len(pairs)

    def take(self, limit: int) -> object:
        batch = self.queue.take(limit)
        if batch is None:
            return None
        self.queue.applied(batch, 0, 9)
        return batch.steps, batch.through, batch.updates, batch.writes, batch.size_bytes

    def shown(self) -> list[int]:
        return self.panel.words[:].tolist()


@settings(max_examples=400)
@given(
    st.lists(STEP, max_size=20), st.booleans(), st.integers(3, 12),
    st.sampled_from([1 << 20, 300]),
)  # fmt: skip
@example(
    [
        ("drop", 10),
        ("take", 2),
        ("plain", [(b"a", value_record(10, n=0)), (b"a", records.encode(11, 0, None))]),
    ],
    True, 3, 1 << 20,
)  # fmt: skip
def test_a_run_is_as_good_as_its_updates(
    steps: list[tuple[str, Any]], merging: bool, limit: int, limit_bytes: int
) -> None:
    twins = [
        Twin(whole=whole, merging=merging, limit=limit, limit_bytes=limit_bytes)
        for whole in (True, False)
    ]
    try:
        for what, how in steps:
            if what == "take":
                results = [twin.take(how) for twin in twins]
            elif what == "drop":
                results = [
                    twin.queue.offer_drop("plain", version(how), 8, foreign=True) for twin in twins
                ]
            else:
                results = [twin.offer(what, how) for twin in twins]
            assert results[0] == results[1]
            assert twins[0].shown() == twins[1].shown()
            assert twins[0].queue.applied_through == twins[1].queue.applied_through
            for key in (b"a", b"b", b"g/1"):
                waiting = [[*twin.queue.waiting("plain", key)] for twin in twins]
                assert waiting[0] == waiting[1]
    finally:
        for twin in twins:
            twin.panel.release()


def test_a_run_into_no_table_is_refused_whole() -> None:
    twin = Twin(whole=True, merging=True, limit=10, limit_bytes=1 << 20)
    with pytest.raises(TableMissing):
        twin.queue.offer_run("none", [b"a", value_record(10)], 0)
    assert twin.queue.last_place == 0
    twin.panel.release()
