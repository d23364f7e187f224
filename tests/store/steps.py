"""What property tests do to a store: steps with few keys, few stamps and every shape of a table."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import strategies as st

from isinglass.store import counters, records
from isinglass.store.changes import CreateTable, Writes
from isinglass.store.database import Store
from isinglass.store.tables import TableShape
from store.store_model import drop, tombstone, value_record

KEYS = st.sampled_from([b"k", b"g", b"g/", b"g/1", b"g/2", b"g!", b"h/1", "h/é".encode(), b"z"])
SHAPES = st.sampled_from(
    [TableShape(), TableShape("/"), TableShape("", ("n",)), TableShape("/", ("n", "s"))]
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.none() | st.booleans() | st.integers(-2, 5) | st.floats(-1, 3) | st.just([1]),
        "s": st.text("ab\0", max_size=3)
        | st.text("x", min_size=95, max_size=98)
        | st.binary(max_size=2),
    },
)
STAMPS = st.integers(1, 12)
RECORDS = st.builds(lambda stamp, fields: value_record(stamp, **fields), STAMPS, FIELDS)
RECORDS |= STAMPS.map(tombstone)
WRITERS = st.sampled_from([counters.writer_of(0, 1), counters.writer_of(0, 2)])
ADDED = st.builds(
    lambda epoch, later, total: counters.Contribution(epoch, epoch + later, total),
    STAMPS,
    st.integers(0, 4),
    st.integers(-3, 3),
)
RECORDS |= st.builds(counters.addition, st.sampled_from(["n", "m"]), WRITERS, ADDED)
RECORDS |= STAMPS.map(lambda stamp: counters.deletion(stamp, 0))
TABLES = st.sampled_from(["a", "b"])


def grouped(table: str, found: dict[bytes, bytes], separator: bytes | None) -> Writes:
    """Return writes as a queue groups them, also one that knows another shape of the table."""
    if separator is None:
        return Writes(table, found)
    groups: dict[bytes, dict[bytes, bytes]] = {}
    for key, record in found.items():
        groups.setdefault(records.group_of(key, separator), {})[key] = record
    return Writes(table, {}, groups, separator)


GROUPING = st.sampled_from([None, b"/", b"g"])
WRITES = st.builds(grouped, TABLES, st.dictionaries(KEYS, RECORDS, min_size=1), GROUPING)
STEPS = st.one_of(
    WRITES,
    WRITES,
    st.builds(lambda table, stamp: drop(table, stamp), TABLES, STAMPS),
    st.builds(
        lambda table, shape, stamp: CreateTable(table, shape, records.version_bytes(stamp, 0)),
        TABLES,
        SHAPES,
        STAMPS,
    ),
)


@contextmanager
def fresh_store() -> Iterator[Store]:
    base = tempfile.mkdtemp(prefix="isg-store-", dir="/dev/shm")
    try:
        with Store.open(base, durability="none") as store:
            yield store
    finally:
        shutil.rmtree(base)
