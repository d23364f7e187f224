"""What was kept aside, against a real store: the tables it will make, and whose the files are."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from isinglass.node import kept_aside
from isinglass.node.recovery import Recovery
from isinglass.store import records
from isinglass.store.changes import CreateTable, DropTable, Step, Writes
from isinglass.store.database import Store
from isinglass.store.tables import TableShape
from isinglass.wire.journal import Name

TABLES = ("a", "b", "c")
SHAPES = (TableShape("", ()), TableShape("/", ()), TableShape("", ("n",)))


def changes(seed: int) -> tuple[list[Step], list[Step]]:
    """Return what the store has seen and what was kept aside, in no particular order."""
    chance = random.Random(seed)
    stamps = chance.sample(range(1, 1000), 24)
    made: list[Step] = []
    for stamp in stamps:
        table, version = chance.choice(TABLES), records.version_bytes(stamp, 0)
        if chance.random() < 0.6:
            made.append(CreateTable(table, chance.choice(SHAPES), version))
        else:
            made.append(DropTable(table, version))
    # A drop follows a create of its table, as in a queue.
    made = [CreateTable(table, SHAPES[0], records.version_bytes(0, 1)) for table in TABLES] + made
    return made[:12], made[12:]


@pytest.mark.parametrize("seed", range(20))
def test_the_tables_are_foreseen_as_the_store_then_has_them(seed: int, data_dir: Path) -> None:
    before, aside = changes(seed)
    told: list[int] = []
    names: list[Name] = []
    with Store.open(data_dir / "store") as store:
        store.apply(before)
        kept_aside.save([data_dir], aside)
        recovery = Recovery([data_dir], store, names.extend, told.append)
        foreseen = recovery.foreseen(store.table_states())
        assert recovery.newest_stamp() == max(
            records.version_stamp(step.version) for step in aside if not isinstance(step, Writes)
        )
        recovery.apply()
        assert sorted(foreseen) == sorted(store.table_states())
        assert told == [len(aside)]
        assert sorted(names) == sorted({(step.table, b"") for step in aside})
        assert not recovery.waits and not (data_dir / kept_aside.FILE_NAME).exists()


def test_files_that_were_left_stay_whatever_a_stuck_thread_does(data_dir: Path) -> None:
    step = CreateTable("a", SHAPES[0], records.version_bytes(7, 0))
    with Store.open(data_dir / "store") as store:
        kept_aside.save([data_dir], [step])
        recovery = Recovery([data_dir], store, lambda _: None, lambda _: None)
        recovery.leave()
        recovery.apply()
        assert kept_aside.load([data_dir]).steps == [step]
