"""A real watch as a process of its own, that takes its nodes from a file, ten times a second.

The commands of the monitor meet it as they meet a monitor: by its files, its lock and its answers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from programs import program
from waiting import wait_until

SOURCE = """
import json, signal, sys
from pathlib import Path
from isinglass import clock
from isinglass_monitor.views import NodeView
from isinglass_monitor.watch import Watch, WatchSettings

runtime, data, world, rules, port = sys.argv[1:]
settings = WatchSettings.load(
    Path(rules) if rules else None, "orchard", int(port) if port else None
)
watch = Watch("monitor", Path(runtime), Path(data), settings, lambda *a, **f: None)
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
if watch.export is not None:
    Path(runtime, "metrics.port").write_text(str(watch.export.port))
print("ready", flush=True)
while going:
    now = clock.monotonic_ns()
    said = json.loads(Path(world).read_text())
    views = {
        node: NodeView(node, now - int(10**9 * silent), "daemon", False, figures)
        for node, (silent, figures) in said.items()
    }
    watch.observe(now, views)
    clock.sleep(0.1)
watch.close()
"""


class WatchProcess:
    """The watch's world: which nodes there are, and what they say."""

    def __init__(self, folder: Path) -> None:
        self.pid = 0
        self.runtime = Path(os.environ["ISINGLASS_RUNTIME_DIR"]) / "monitor"
        self.data = Path(os.environ["ISINGLASS_DATA_DIR"]) / "monitor"
        self.world = folder / "world.json"
        self.say({})

    def say(self, nodes: Mapping[str, tuple[float, Mapping[str, float | str]]]) -> None:
        """Let these be the nodes: how long each is silent, and its figures."""
        temporary = self.world.with_suffix(".new")
        temporary.write_text(json.dumps(nodes))
        temporary.replace(self.world)

    def alarms(self) -> list[dict[str, object]]:
        """Return the raised alarms as the monitor last wrote them."""
        document = json.loads((self.runtime / "alarms.json").read_text())
        return [alarm for alarm in document["alarms"] if alarm["number"]]

    def wait_told(self, count: int) -> None:
        """Wait until so many alarms are raised and told."""
        wait_until(
            lambda: sum(bool(alarm["told"]) for alarm in self.alarms()) == count,
            f"{count} alarms that were told",
        )


@contextmanager
def running_watch(
    folder: Path, *, rules: Path | None = None, metrics: bool = False
) -> Iterator[WatchProcess]:
    """Run a watch for a block."""
    made = WatchProcess(folder)
    arguments = (made.runtime, made.data, made.world, rules or "", 0 if metrics else "")
    with program(SOURCE, *map(str, arguments)) as process:
        made.pid = process.pid
        wait_until((made.runtime / "alarms.json").exists, "a first look")
        yield made
        process.terminate()
        process.wait(timeout=20)
