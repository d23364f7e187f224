"""The monitor's own rules: its folder is gone, its disk hangs, it loses events; it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from held import frozen, loop_disk
from programs import hear, program, tell
from watched import watching

pytestmark = [pytest.mark.root, pytest.mark.slow]

OWN = "monitor:monitor"
WORKER = """
import sys
import isinglass
database = isinglass.connect(sys.argv[1], process="worker")
print("ready", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        isinglass.event(9, "work", f"event {number}", padding="x" * 60)
    print("done", flush=True)
"""


def test_a_folder_that_is_gone_a_disk_that_hangs_and_events_that_are_lost(
    tmp_path: Path, data_dir: Path
) -> None:
    """Nodes are watched while the disk hangs. The buffer is small: it soon loses something."""
    own = {"keep_free": 0, "receive_buffer_bytes": 8192}
    with (
        loop_disk(data_dir / "monitor") as disk,
        watching(tmp_path, own=own) as watched,
        program(WORKER, "alder") as worker,
    ):
        folder = watched.watching.folder
        away = folder.rename(folder.with_name("away"))
        with frozen(disk), watched.daemons["birch"].stopped():
            tell(worker, "20")
            assert hear(worker) == "done"
            watched.wait_told(
                ("raised", "monitor-behind", OWN),
                ("raised", "node-silent", "birch"),
                ("raised", "timer-fails", OWN),
            )
        away.rename(folder)
        watched.wait_told(("cleared", "monitor-behind", OWN), ("cleared", "node-silent", "birch"))
        with watched.watching.stopped():
            tell(worker, "6000")
            assert hear(worker) == "done"
        watched.wait_told(("raised", "monitor-loses", OWN))
        assert watched.watching.figure("intake", "lost") > 1000
