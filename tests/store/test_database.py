"""The store against a model of dictionaries: any steps in any order, scans, indexes, reclaiming."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass import clock
from isinglass.errors import BadRecord, IndexMissing, StoreError, TableMissing
from isinglass.store import packs, reading, records
from isinglass.store.changes import DropTable, Step, Writes
from isinglass.store.database import Store
from isinglass.store.panels import StorePanel
from isinglass.store.tables import TableShape, check_name
from store.steps import KEYS, RECORDS, STEPS, fresh_store
from store.store_model import (
    Model,
    contents,
    create,
    drop,
    tombstone,
    value_record,
    writes,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store", durability="none") as made:
        yield made


@settings(max_examples=150)
@given(st.lists(STEPS, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_any_duplication_make_the_same_store(
    steps: list[Step], shuffler: random.Random
) -> None:
    first: list[Step] = [create("a", 1), create("b", 1, "/", "n")]
    model = Model()
    model.apply([*first, *steps])
    again = [*steps, *shuffler.sample(steps, len(steps) // 2)]
    shuffler.shuffle(again)
    with fresh_store() as straight:
        straight.apply([*first, *steps])
        assert contents(straight) == model.contents()
        assert straight.verify().problems == []
    with fresh_store() as shuffled:
        shuffled.apply(first)
        for step in again:
            shuffled.apply([step])
        assert contents(shuffled) == model.contents()
        assert shuffled.verify().problems == []


@settings(max_examples=100)
@given(
    st.lists(STEPS, max_size=8),
    st.text("gkh/!1é", max_size=3),
    st.none() | st.text("gkhz/!2", max_size=3),
    st.none() | st.integers(0, 9),
    st.booleans(),
)
def test_scans_are_slices_of_the_model(
    steps: list[Step], start: str, stop: str | None, limit: int | None, reverse: bool
) -> None:
    model = Model()
    all_steps = [create("a", 13, "/"), create("b", 13, "", "n"), *steps]
    model.apply(all_steps)
    with fresh_store() as store:
        store.apply(all_steps)
        for table in ("a", "b"):
            wanted = [
                records.decode(key, record)
                for key, record in model.contents()[table].records.items()
                if key >= start.encode() and (stop is None or key < stop.encode())
            ]
            kept = [record for record in wanted if record is not None]
            kept = kept[::-1] if reverse else kept
            found = list(store.scan(table, start, stop, limit=limit, reverse=reverse))
            assert found == kept[:limit]
            for record in found:
                assert store.get(table, record.key) == record
                assert store.get_value(table, record.key) == record.value


@settings(max_examples=100)
@given(
    st.lists(
        st.builds(lambda found: Writes("t", found), st.dictionaries(KEYS, RECORDS)), max_size=8
    ),
    st.sampled_from(["n", "s"]),
    st.integers(-1, 4) | st.floats(-1, 3) | st.text("abx", max_size=3) | st.just("x" * 97),
    st.none() | st.integers(0, 5),
    st.booleans(),
)
def test_index_scans_find_what_a_full_scan_would(
    steps: list[Step], field: str, bound: object, limit: int | None, reverse: bool
) -> None:
    def kind(value: object) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return "number"
        return type(value).__name__

    with fresh_store() as store:
        store.apply([create("t", 1, "/", "n", "s"), *steps])
        everything = [r for r in store.scan("t") if field in r.value and r.value[field] != [1]]
        same_kind = [r for r in everything if kind(r.value[field]) == kind(bound)]
        found = list(store.index_scan("t", field))
        assert sorted(found, key=lambda r: r.key) == everything
        equal = [r for r in same_kind if r.value[field] == bound]
        assert list(store.index_scan("t", field, equal=bound)) == equal
        above = [r for r in same_kind if r.value[field] >= bound]
        above.sort(key=lambda r: (r.value[field], r.key), reverse=reverse)
        found = list(store.index_scan("t", field, start=bound, limit=limit, reverse=reverse))
        if field == "n" or all(len(r.value[field]) < 95 for r in above):
            assert found == above[:limit]
        elif limit is None:
            assert sorted(found) == sorted(above), "the order of cut text is that of its beginning"


@pytest.mark.parametrize("shape", [("",), ("/",), ("/", "n")])
def test_long_scans_are_many_short_snapshots(
    store: Store, shape: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SCAN_CHUNK", 7)
    rows = {b"g%d/%03d" % (n % 3, n): value_record(n + 2, n=n % 5) for n in range(200)}
    rows.update({b"g1/%03d" % n: tombstone(999) for n in range(40, 90)})
    store.apply([create("t", 1, *shape), Writes("t", rows)])
    wanted = [key.decode() for key in sorted(rows) if not records.is_tombstone(rows[key])]
    assert [record.key for record in store.scan("t")] == wanted
    assert [record.key for record in store.scan("t", reverse=True)] == wanted[::-1]
    half = store.scan("t")
    seen = [next(half).key for _ in range(20)]
    assert not any(reader.active for reader in store.readers(clock.monotonic_ns()))
    last = wanted[-1].encode()
    store.apply([Writes("t", {last: tombstone(1000), b"zz": value_record(1000)})])
    seen += [record.key for record in half]
    assert seen == [*wanted[:-1], "zz"], "a later chunk shows the later store"
    if len(shape) > 1:
        by_index = [(r.value.get("n"), r.key) for r in store.index_scan("t", "n")]
        assert by_index == sorted(by_index)
        assert len(by_index) == len(wanted) - 1
        assert [r.key for r in store.index_scan("t", "n", reverse=True)] == [
            key for _, key in reversed(by_index)
        ]


def test_a_group_grows_without_limit_in_packs_of_bounded_size(store: Store) -> None:
    store.apply([create("t", 1, "/")])
    shuffler, model = random.Random(7), Model()
    model.apply([create("t", 1, "/")])
    names = [b"g/%05d" % number for number in range(3000)]
    for turn in range(40):
        chosen = shuffler.sample(names, 150)
        step = Writes(
            "t",
            {
                key: value_record(turn + 2, n="x" * shuffler.randrange(100))
                if shuffler.random() < 0.9
                else tombstone(turn + 2)
                for key in chosen
            },
        )
        store.apply([step])
        model.apply([step])
    assert contents(store) == model.contents()
    assert store.verify().problems == []
    sizes = store._engine.read(
        lambda scope: [len(value) for _, value in scope.cursor(scope.records).iternext()]
    )
    assert max(sizes) <= packs.PACK_LIMIT_BYTES
    assert sum(sizes) > len(sizes) * packs.PACK_LIMIT_BYTES / 3, "packs are not nearly empty"


def test_the_largest_record_and_key_fit_anywhere(store: Store) -> None:
    key = b"g/" + b"k" * (records.KEY_LIMIT_BYTES - 2)
    value = {"s": "x" * (records.VALUE_LIMIT_BYTES - 100)}
    step = {key: value_record(5, **value), key[:-1]: value_record(6, s="y" * 2000)}
    store.apply([create("p", 1, "", "s"), create("g", 1, "/", "s")])
    store.apply([Writes("p", step), Writes("g", step)])
    for table in ("p", "g"):
        assert store.get_value(table, key.decode()) == value
        assert [r.key for r in store.index_scan(table, "s", equal=value["s"])] == [key.decode()]
    assert store.verify().problems == []
    assert store.get("p", "k" * 600) is None
    assert store.get("p", "\ud800") is None


def test_tables_come_and_go(store: Store) -> None:
    store.apply([create("t", 10, "", "n"), writes("t", a=value_record(11, n=1))])
    assert [(t.name, t.rows, t.indexes) for t in store.tables()] == [("t", 1, {"n": 1})]
    store.apply([drop("t", 20)])
    assert store.tables() == []
    for read in (store.get, store.scan, store.get_value):
        with pytest.raises(TableMissing):
            read("t", "a")
    store.apply([writes("t", a=value_record(15), b=value_record(25))])
    store.apply([create("t", 30, "/")])
    assert [(t.name, t.rows, t.group_by, t.indexes) for t in store.tables()] == [("t", 1, "/", {})]
    assert [record.key for record in store.scan("t")] == ["b"], "older than the drop stays out"
    with pytest.raises(IndexMissing):
        store.index_scan("t", "n")
    assert store.apply([writes("u", a=value_record(1))]).unknown == 1
    states = {state.name: state for state in store.table_states()}
    assert states["t"].floor == records.version_bytes(20, 0)
    assert store.newest_stamp() == 30


def test_a_scan_takes_any_text_as_its_bounds(store: Store) -> None:
    rows = {b"a": value_record(2), "\U0001f989".encode(): value_record(2)}
    store.apply([create("t", 1), Writes("t", rows)])
    assert [record.key for record in store.scan("t", "\udcff")] == ["\U0001f989"]
    assert [record.key for record in store.scan("t", "", "\udcff", reverse=True)] == ["a"]


class Counting(Store):
    """A store that counts the snapshots of its scans."""

    snapshots = 0

    def _read_part(self, *arguments: Any, **options: Any) -> list[tuple[bytes, bytes]]:
        self.snapshots += 1
        return super()._read_part(*arguments, **options)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_scan_for_few_passes_over_much_that_is_deleted_in_few_steps(
    tmp_path: Path, reverse: bool
) -> None:
    with Counting.open(tmp_path) as store:
        dead = {b"k%05d" % number: tombstone(9) for number in range(3000)}
        kept = {key: value_record(9) for key in (b"a", b"b", b"y", b"z")}
        store.apply([create("t", 1), Writes("t", dead | kept)])
        found = [record.key for record in store.scan("t", limit=3, reverse=reverse)]
        assert found == (["z", "y", "b"] if reverse else ["a", "b", "y"])
        assert store.snapshots <= 5


def test_a_table_dropped_under_a_scan_ends_it_with_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SCAN_CHUNK", 5)
    store.apply([create("t", 1), Writes("t", {b"%03d" % n: value_record(2) for n in range(20)})])
    scan = store.scan("t")
    next(scan)
    store.apply([drop("t", 3), create("t", 4), writes("t", x=value_record(5))])
    assert [record.key for record in scan] == ["001", "002", "003", "004", "x"]
    scan = store.scan("t")
    store.apply([drop("t", 6)])
    with pytest.raises(TableMissing):
        next(scan)


def test_dropped_tables_are_deleted_in_small_steps(store: Store) -> None:
    rows = {b"g%d/%d" % (n % 50, n): value_record(2, n=n) for n in range(1000)}
    store.apply([create("t", 1, "/", "n"), create("u", 1), Writes("t", rows), Writes("u", rows)])
    before = store.statistics()
    store.apply([drop("t", 3), drop("u", 3), create("u", 4), writes("u", a=value_record(5))])
    assert store.verify().problems == []
    steps = []
    while (done := store.reclaim(100)).more:
        steps.append(done.garbage)
        assert store.verify().problems == []
    steps.append(done.garbage)
    assert max(steps) == 100
    assert sum(steps) > 2000, "1,000 records, 1,000 index entries and the packs"
    after = store.statistics()
    assert after.free_bytes > before.free_bytes
    assert [record.key for record in store.scan("u")] == ["a"]
    assert store.reclaim(100) == (0, 0, False)


@pytest.mark.parametrize("group_by", ["", "/"])
def test_tombstones_go_when_the_horizon_has_passed_them(store: Store, group_by: str) -> None:
    rows = {b"g%d/%03d" % (n % 7, n): value_record(2, n=n) for n in range(300)}
    dead = {key: tombstone(10 + n % 4) for n, key in enumerate(rows) if n % 3 == 0}
    store.apply([create("t", 1, group_by, "n"), create("empty", 1), Writes("t", rows)])
    store.apply([Writes("t", dead)])
    assert [table.tombstones for table in store.tables()] == [0, 100]
    gone = 0
    horizon = records.version_bytes(11, 0)
    for _ in range(50):
        done = store.reclaim(20, horizon)
        gone += done.tombstones
        assert store.verify().problems == []
        if not done.more:
            break
    assert gone == sum(record[:10] <= horizon for record in dead.values()) == 50
    assert not store.reclaim(20, horizon).more, "what is left is too young to look for again"
    while store.reclaim(20, records.version_bytes(99, 0)).more:
        pass
    assert [table.tombstones for table in store.tables()] == [0, 0]
    assert len(list(store.scan("t"))) == 200
    assert store.verify().problems == []


def test_tombstones_that_come_after_the_last_one_went_go_too(store: Store) -> None:
    store.apply([create("t", 1), writes("t", a=tombstone(2), b=tombstone(3))])
    while store.reclaim(20, records.version_bytes(9, 0)).more:
        pass
    store.apply([writes("t", a=tombstone(20), c=tombstone(21))])
    assert store.reclaim(20, records.version_bytes(9, 0)).tombstones == 0, "they are too young"
    while store.reclaim(20, records.version_bytes(30, 0)).more:
        pass
    assert [table.tombstones for table in store.tables()] == [0]


def test_tombstones_of_the_last_daemon_go_before_this_one_writes(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.apply([create("t", 1), writes("t", a=tombstone(2))])
    with Store.open(tmp_path) as store:
        assert store.reclaim(20, records.version_bytes(9, 0)).tombstones == 1


def test_after_a_restart_everything_is_there_and_reclaiming_goes_on(tmp_path: Path) -> None:
    rows = {b"%03d" % n: value_record(2, n=n) for n in range(300)}
    with Store.open(tmp_path, durability="commit") as store:
        store.apply([create("t", 1, "", "n"), create("u", 1), Writes("t", rows)])
        store.apply([Writes("u", rows), drop("t", 3)])
        store.apply([Writes("u", {b"001": tombstone(4)})])
        store.reclaim(50)
        before = contents(store)
    with Store.open(tmp_path) as store:
        assert contents(store) == before
        assert store.verify().problems == []
        horizon = records.version_bytes(9, 0)
        total = 0
        while (done := store.reclaim(100, horizon)).more:
            total += done.garbage
        assert total + done.garbage == 550
        assert store.tables()[0].tombstones == 0


def test_the_panel_tells_what_was_done(tmp_path: Path) -> None:
    panel = StorePanel()
    try:
        with Store.open(tmp_path / "s", panel=panel, durability="second") as store:
            store.apply([create("t", 1)])
            rows = {b"%03d" % n: value_record(5, n=n) for n in range(10)}
            store.apply([Writes("t", rows)], sync=True)
            store.apply([Writes("t", {b"001": value_record(4), b"002": tombstone(6)})])
            store.publish(clock.monotonic_ns())
            assert (panel.commits, panel.failures, panel.written, panel.outdated) == (3, 0, 11, 1)
            assert (panel.tables, panel.rows, panel.tombstones) == (1, 9, 1)
            assert (panel.state, panel.durability) == ("ready", "second")
            assert 0 < panel.file_size < panel.map_size
            flushed = panel.last_flush
            assert 0 < flushed <= panel.last_commit
            store.flush()
            assert panel.last_flush > flushed
            flushed = panel.last_flush
            store.flush()
            assert panel.last_flush == flushed, "there was nothing to flush"
            assert 0 < panel.used_share < 0.01
    finally:
        panel.release()


@pytest.mark.parametrize(
    "shape",
    [
        TableShape("//"),
        TableShape("", ("a", "a")),
        TableShape("", ("",)),
        TableShape("", ("é" * 201,)),
    ],
)
def test_shapes_that_cannot_be_had(shape: TableShape) -> None:
    with pytest.raises(BadRecord):
        shape.check()


@pytest.mark.parametrize("name", ["", "a\n", "é" * 61])
def test_names_that_no_table_can_have(name: str) -> None:
    with pytest.raises(BadRecord):
        check_name(name)


def test_a_durability_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="commit, second, none"):
        Store.open(tmp_path, durability="sometimes")


def test_a_drop_that_arrives_before_its_create(store: Store) -> None:
    store.apply([DropTable("t", records.version_bytes(5, 0))])
    store.apply([create("t", 3)])
    assert store.tables() == []
    store.apply([create("t", 6)])
    assert [table.name for table in store.tables()] == ["t"]
