"""Sealed lanes: two records say what all that waits of a key says, however many wait."""

from __future__ import annotations

from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from isinglass.store.counters import join, merged
from isinglass.store.lanes import Lane
from isinglass.store.records import NEVER, older_bound
from isinglass.store.tables import TableShape, TableState
from store.steps import RECORDS, SHAPES
from store.store_model import version

KEY = b"g/1"
ACTIONS = st.one_of(
    st.tuples(st.just("offer"), RECORDS),
    st.tuples(st.just("offer"), RECORDS),
    st.tuples(st.just("take"), st.none()),
    st.tuples(st.just("drop"), st.integers(1, 12)),
)


class Model:
    """The open lane of a table, those that are sealed, and what was taken of the key so far."""

    def __init__(self, shape: TableShape) -> None:
        self.lane = Lane(TableState("t", shape, version(1), NEVER))
        self.sealed: list[Lane] = []
        self.taken: list[bytes] = []

    def put(self, record: bytes) -> None:
        if self.lane.get(KEY) is not None:
            self.sealed.append(self.lane)
            self.lane = self.lane.successor()
        if self.lane.separator:
            self.lane.groups[b"g/"] = {KEY: record}
        else:
            self.lane.records[KEY] = record

    def take(self) -> None:
        for lane in self.sealed:
            if (record := lane.get(KEY)) is not None:
                self.taken.append(record)
                lane.records.clear()
                lane.groups.clear()
                lane.taken([KEY])
                return

    def remaining(self) -> list[bytes]:
        found = [lane.get(KEY) for lane in [*self.sealed, self.lane]]
        return [record for record in found if record is not None]


@given(st.lists(ACTIONS, max_size=30), SHAPES)
def test_what_waits_of_a_key_is_said_by_two_records(
    actions: list[tuple[str, object]], shape: TableShape
) -> None:
    model, floor = Model(shape), NEVER

    def whole(found: list[bytes]) -> bytes | None:
        return merged(None, reduce(join, found), floor)

    for action, what in actions:
        if action == "offer":
            assert isinstance(what, bytes)
            model.put(what)
        elif action == "take":
            model.take()
        else:
            assert isinstance(what, int)
            for lane in [*model.sealed, model.lane]:
                lane.remove_older(older_bound(version(what)))
            floor = max(floor, version(what))
        remaining, said = model.remaining(), [*model.lane.waiting(KEY)]
        assert len(said) <= 2
        assert bool(said) == bool(remaining)
        if remaining:
            assert whole([*said, *model.taken]) == whole([*remaining, *model.taken])
            assert whole([*said, *remaining]) == whole(said), "nothing is left out"
    sealed = [lane.get(KEY) for lane in model.sealed]
    assert bool(model.lane.before) == any(sealed)
    if model.lane.before:
        assert [*model.lane.before[KEY].records] == [record for record in sealed if record]
