"""Many records that are looked up at once, of one snapshot."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass.store.changes import Writes
from store.steps import fresh_store
from store.store_model import create, value_record

GROUPS = st.sampled_from([b"", b"g/", b"g/h/", b"h/"])
PLACES = st.builds(lambda group, place: b"%s%03d" % (group, place), GROUPS, st.integers(0, 60))


@settings(max_examples=60)
@given(st.sampled_from(["", "/"]), st.sets(PLACES, max_size=80), st.sets(PLACES, max_size=40))
def test_records_that_are_looked_up_together_are_those_that_are_looked_up_alone(
    separator: str, there: set[bytes], asked: set[bytes]
) -> None:
    """Large ones, so that a group has many packs: keys lie in, before, between and behind them."""
    rows = {key: value_record(5, s="x" * 600) for key in there}
    with fresh_store() as store:
        store.apply([create("t", 1, separator), Writes("t", rows)])
        alone = {key: record for key in asked if (record := store.stored("t", key)) is not None}
        assert store.stored_all("t", asked) == alone
        assert {key: rows[key] for key in asked & there} == alone
        assert store.stored_all("never heard of", asked) == {}
