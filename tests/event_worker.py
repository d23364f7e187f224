"""A process that logs as much as it is told, and what a real monitor's accounts say of it."""

from __future__ import annotations

import subprocess

from isinglass_monitor.ingest.window import CAUSES
from monitor_process import MonitorProcess
from panel_figures import whole
from programs import hear, tell
from waiting import wait_until

SMALL_BUFFER = 8192
WORKER = """
    import sys, time, isinglass
    from isinglass.glass import segment
    database = isinglass.connect(sys.argv[1], process=sys.argv[2] if sys.argv[2:] else "worker")
    print("ready", flush=True)
    number = 0
    for line in sys.stdin:
        count, pause = line.split()
        for _ in range(int(count)):
            number += 1
            segment.current().event(9, "work", f"event {number}", padding="x" * 60)
            if number % 10 == 0:
                time.sleep(float(pause))
        print("done", flush=True)
    database.close()
"""


def log(worker: subprocess.Popen[str], count: int, pause: float = 0.0) -> None:
    """Let the worker log events, with a pause after each ten."""
    tell(worker, f"{count} {pause}")
    assert hear(worker) == "done"


def account(watching: MonitorProcess, process: str) -> dict[str, int]:
    """Return what came of a process's events; the parts are the whole, and the spool agrees."""
    (panel,) = [p for p in watching.panels("sender") if p["process"] == process]
    lost = sum(whole(panel, f"lost_{cause}") for cause in CAUSES)
    found = {name: whole(panel, name) for name in ("through", "received", "repaired", "open")}
    assert found["received"] + found["repaired"] + lost + found["open"] == found["through"]
    entries = [entry for entry in watching.entries() if entry.process == process]
    numbers = sorted(entry.sequence for entry in entries if not entry.missing)
    gaps = [n for e in entries if e.missing for n in range(e.sequence, e.sequence + e.missing)]
    assert len(numbers) == len(set(numbers)) == found["received"] + found["repaired"]
    assert len(gaps) == lost
    assert sorted(numbers + gaps) == list(range(1, found["through"] - found["open"] + 1))
    causes = {cause: whole(panel, f"lost_{cause}") for cause in CAUSES}
    return {**found, "lost": lost, **causes}


def wait_through(watching: MonitorProcess, process: str, count: int) -> None:
    """Wait until a process's events are known up to a number, and nothing is open."""

    def there() -> bool:
        panels = [p for p in watching.panels("sender") if p["process"] == process]
        return bool(panels) and panels[0]["through"] == count and panels[0]["open"] == 0

    wait_until(there, f"{count} events of {process}, none of them open")
    wait_until(lambda: not watching.figure("spool", "waiting"), "everything on the disk")
