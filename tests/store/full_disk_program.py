"""Fill a small disk with a store, look what still works, make room, and go on; run by a test.

    unshare --mount [--map-root-user] python full_disk_program.py DIRECTORY

Mounts a tmpfs of DISK_BYTES on the directory, in a mount namespace of its own, so nothing is left
behind. Prints one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from isinglass.errors import DiskFull
from isinglass.store import records
from isinglass.store.changes import CreateTable
from isinglass.store.database import Store
from isinglass.store.merge import UpdateQueue
from isinglass.store.panels import QueuePanel, StorePanel
from isinglass.store.tables import TableShape

DISK_BYTES = 3 << 20
BALLAST_BYTES = 1 << 20
VALUE = {"text": "x" * 900}


def offer_some(queue: UpdateQueue, first: int, count: int) -> None:
    """Queue records that are acknowledged by being queued."""
    for number in range(first, first + count):
        payload = records.pack_value({**VALUE, "n": number})
        place = queue.offer("t", b"%06d" % number, records.encode(number + 2, 0, payload), 0)
        assert place


def main(directory: str) -> dict[str, object]:
    """Return what happened."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", directory], check=True
    )
    ballast = Path(directory, "ballast")
    ballast.write_bytes(bytes(BALLAST_BYTES))
    panel = StorePanel()
    store = Store.open(Path(directory, "store"), durability="commit", panel=panel)
    store.apply([CreateTable("t", TableShape("", ("n",)), records.version_bytes(1, 0))])
    queue = UpdateQueue(QueuePanel())
    queue.define(store.table_states())
    acknowledged = refusals = 0
    sentence = ""
    while refusals < 3:
        if not refusals:
            offer_some(queue, acknowledged, 50)
            acknowledged += 50
        batch = queue.take(50)
        assert batch is not None
        try:
            store.apply(batch.steps)
        except DiskFull as error:
            refusals, sentence = refusals + 1, str(error)
            continue
        assert not refusals, "nothing was freed, but a retry worked"
        queue.applied(batch, 0, 0)
    store.publish(0)
    state, rows_when_full = panel.state, store.tables()[0].rows
    readable = sum(1 for _ in store.scan("t"))
    problems_when_full = store.verify().problems
    ballast.unlink()
    batch = queue.take(50)
    assert batch is not None
    store.apply(batch.steps)
    queue.applied(batch, 0, 0)
    store.publish(0)
    result: dict[str, object] = {
        "sentence": sentence,
        "state_when_full": state,
        "state_after": panel.state,
        "trouble_after": store.trouble,
        "acknowledged": acknowledged,
        "rows_when_full": rows_when_full,
        "readable_when_full": readable,
        "problems": problems_when_full + store.verify().problems,
        "rows": store.tables()[0].rows,
        "failures": panel.failures,
    }
    store.close()
    with Store.open(Path(directory, "store")) as again:
        result["rows_after_restart"] = again.tables()[0].rows
    result["opening_a_new_one"] = open_on_a_full_disk(Path(directory))
    with Store.open(Path(directory, "store")) as again:
        result["rows_on_the_full_disk"] = sum(1 for _ in again.scan("t"))
    return result


def open_on_a_full_disk(directory: Path) -> str:
    """Fill the disk to its last page, and return what opening a new store says."""
    try:
        with open(directory / "ballast", "wb", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass
    except OSError:
        pass
    try:
        Store.open(directory / "new").close()
    except DiskFull as error:
        return str(error)
    return "it opened"


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
