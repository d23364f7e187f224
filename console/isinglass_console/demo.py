"""`isinglass demo`: a cluster with real work, and the console on it; leaves nothing behind.

The work is real: client processes on every node count all identifiers in the source of the Python
standard library, one update an occurrence, while others read and scan. Everything runs in
directories of its own, started and cleared away by the stage (`demo_stage`), also when this process
is killed. In the console a node can be stopped, killed and started again: this process tells the
stage.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from isinglass import clock
from isinglass.cli.documents import json_figure
from isinglass.cli.options import Command, Option
from isinglass.errors import IsinglassError, UsageError
from isinglass_console import demo_monitor, demo_nodes, demo_stage, demo_workload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from isinglass.cli.options import Values
    from isinglass.glass.panel_views import PanelView
    from isinglass.glass.snapshot import Snapshot

NODES = 3
HEADLESS_SECONDS = 10.0
FINISH_LIMIT_SECONDS = 180.0
ONCE_BATCH = 200
SHOWN_PANELS = ("queue", "applier", "store", "port")

COMMAND = Command(
    "demo",
    "Start a cluster, its monitor and clients with real work, and the console on it.",
    options=(
        Option("nodes", f"Nodes of the cluster, 1 to {demo_nodes.MOST_NODES}.", value="N",
               kind="count", default=NODES),
        Option("headless", "Without the console: print the dump, or JSON, and end."),
        Option("seconds", "How long, without the console.", value="N", kind="positive"),
        Option("once", "Count the whole library once, print what was counted, and end."),
        Option("json", "Print one JSON document; implies --headless."),
        Option("workers", "Processes that count, on all nodes together; at least one on each.",
               value="N", kind="count"),
        Option("batch", "Updates that a worker sends at once; 1, and 200 with --once.",
               value="N", kind="count"),
        Option("source", "Count the Python files under this folder instead.", value="FOLDER",
               completes="files"),
        Option("runtime-dir", "Keep segments and sockets here; see --data-dir.", value="FOLDER",
               completes="files"),
        Option("data-dir", "Keep the stores here; without it everything is removed at the end.",
               value="FOLDER", completes="files"),
    ),
    notes=("The work: counting every identifier in the source of the Python standard library.",
           "In the console Z stops the selected node, K kills it, U starts it again."),
    examples=("isinglass demo", "isinglass demo --nodes 5",
              "isinglass demo --headless --seconds 10 --json",
              "isinglass demo --once --source /usr/lib/python3/dist-packages"),
)  # fmt: skip


class DemoFailed(IsinglassError):
    """A process of the demo ended by itself."""


def main(arguments: list[str]) -> int:
    """Run the demo; return its exit code."""
    values = COMMAND.parse(arguments)
    source = Path(values.text("source")) if values.given("source") else None
    if source is not None and not source.is_dir():
        raise UsageError(f"--source {source} is no folder.")
    if values.number("nodes") > demo_nodes.MOST_NODES:
        raise UsageError(f"--nodes can be 1 to {demo_nodes.MOST_NODES}.")
    folders = demo_stage.new_folders()
    try:
        plan = _plan(values, source or demo_workload.standard_library(), *folders)
        os.environ["ISINGLASS_RUNTIME_DIR"] = plan["runtime"]
        os.environ["ISINGLASS_DATA_DIR"] = plan["data"]
        with Performance(plan) as performance:
            return _watch(performance, values)
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def _plan(values: Values, source: Path, runtime: Path, data: Path) -> dict[str, Any]:
    nodes = demo_nodes.NAMES[: int(values.number("nodes"))]
    once = values.flag("once")
    batch = ONCE_BATCH if once else 1
    workers = values.number("workers") if values.given("workers") else demo_nodes.LEAST_WORKERS
    chosen = {
        "runtime": values.text("runtime-dir") if values.given("runtime-dir") else "",
        "data": values.text("data-dir") if values.given("data-dir") else "",
    }
    kept = Path(chosen["data"]) if chosen["data"] else None
    settings = demo_nodes.cluster_settings(len(nodes), data, kept)
    return {
        "nodes": nodes,
        # A monitor listens to a cluster; of a count that is measured nothing is to be watched.
        "monitor": demo_monitor.NAME if settings and not once else "",
        "settings": settings,
        "source": str(source.absolute()),
        "folder": str(data),
        "runtime": os.path.abspath(chosen["runtime"] or runtime),
        "data": os.path.abspath(chosen["data"] or data / "data"),
        "flags": [],
        "once": once,
        "workers": max(int(workers), len(nodes)),
        "batch": int(values.number("batch")) if values.given("batch") else batch,
        "remove": [str(runtime), str(data)],
    }


def _watch(performance: Performance, values: Values) -> int:
    if values.flag("once"):
        return _print_result(performance.wait_for("done", None), as_json=values.flag("json"))
    at_terminal = sys.stdout.isatty() and sys.stdin.isatty()
    if at_terminal and not (values.flag("headless") or values.flag("json")):
        from isinglass_console import app

        names, monitor = list(performance.nodes), performance.monitor
        code = int(app.run(names, monitor=monitor, hands=performance))
        if performance.trouble:
            raise DemoFailed(performance.trouble)
        return code
    seconds = values.number("seconds") if values.given("seconds") else HEADLESS_SECONDS
    performance.check_for(seconds)
    if values.flag("json"):
        nodes = {node: _summary(node) for node in performance.nodes}
        end = performance.finish()
        for node, digest in end["digests"].items():
            nodes[node]["digest"] = digest
        told = {key: end[key] for key in ("equal", "equal_after_seconds", "monitor")}
        print(json.dumps({"seconds": seconds, **told, "nodes": nodes}))
        return 0
    from isinglass.cli import dump

    code = max(dump.main([node]) for node in performance.nodes)
    if performance.monitor:
        counts = (f"{count:,} {what}" for what, count in demo_monitor.heard().items())
        print(f"\nEvents at the monitor: {', '.join(counts)}.")
    return code


def _print_result(result: dict[str, Any], *, as_json: bool) -> int:
    result.pop("event")
    if as_json:
        print(json.dumps(result))
    else:
        print(
            f"{result['occurrences']:,} occurrences of {result['identifiers']:,} identifiers in"
            f" {result['files']:,} files, counted and stored in {result['seconds']:g} s:"
        )
        for name, count in result["most_frequent"].items():
            print(f"{count:>12,}  {name}")
    return 0 if result["occurrences"] == result["occurrences_stored"] else 1


def _summary(node: str) -> dict[str, Any]:
    """Return what a node of the demo did, from its segment."""
    from isinglass.glass.reader import SegmentReader

    with SegmentReader(node) as reader:
        snapshot = reader.snapshot()
    return {
        "tables": {row.name: row.rows for row in snapshot.tables if not row.index_of},
        **{name: _panel(snapshot, name) for name in SHOWN_PANELS},
        "clients": {
            process.name: _fields(panel)
            for process in snapshot.processes
            if (panel := process.panel("client", node)) is not None
        },
    }


def _panel(snapshot: Snapshot, name: str) -> dict[str, Any]:
    panel = snapshot.panel(name)
    return _fields(panel) if panel else {}


def _fields(panel: PanelView) -> dict[str, Any]:
    plain = (int, float, str)
    return {f.name: json_figure(f.value) for f in panel.fields if isinstance(f.value, plain)}


class Performance:
    """The stage, as its watcher has it: started on entry, cleared away on exit.

    It is the hands of the console, too: what is done to a node is an order to the stage.
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self.nodes: tuple[str, ...] = plan["nodes"]
        self.monitor: str = plan["monitor"]
        self._buffer = b""
        self._trouble = ""

    def __enter__(self) -> Performance:
        self._stage = subprocess.Popen(
            [sys.executable, "-m", "isinglass_console.demo_stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._order(self._plan)
            self.wait_for("ready", demo_stage.START_LIMIT_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        assert self._stage.stdin is not None
        assert self._stage.stdout is not None
        with suppress(BrokenPipeError):
            self._stage.stdin.close()
        while self._stage.stdout.read(4096):
            pass
        self._stage.wait()
        self._stage.stdout.close()

    def do(self, deed: str, node: str) -> None:
        """Order a deed.

        Raises:
            DemoFailed: the stage is gone.
        """
        self._order({"do": deed, "node": node})

    @property
    def trouble(self) -> str:
        """What ended the demo by itself; "" while it goes on."""
        if not self._trouble:
            try:
                self.check_for(0)
            except DemoFailed as reason:
                self._trouble = f"the demo has ended: {reason}"
        return self._trouble

    def finish(self) -> dict[str, Any]:
        """End the clients, wait until the nodes hold the same, end them; return their digests.

        Raises:
            DemoFailed: it could not be done.
        """
        self._order({"do": "finish"})
        return self.wait_for("finished", FINISH_LIMIT_SECONDS)

    def _order(self, order: dict[str, Any]) -> None:
        assert self._stage.stdin is not None
        try:
            self._stage.stdin.write(json.dumps(order).encode() + b"\n")
            self._stage.stdin.flush()
        except OSError as reason:
            raise DemoFailed(f"the demo's stage ended by itself ({reason.strerror})") from reason

    def wait_for(self, event: str, limit_seconds: float | None) -> dict[str, Any]:
        """Return the stage's message of a kind.

        Raises:
            DemoFailed: a process ended by itself, or the message did not come in time.
        """
        message = self._next(limit_seconds)
        if message is None:
            raise DemoFailed(f"the demo was not {event} within {limit_seconds:g} s: try again")
        if message["event"] != event:
            raise DemoFailed(message.get("sentence", "the demo ended by itself"))
        return message

    def check_for(self, seconds: float) -> None:
        """Wait so long while everything goes well.

        Raises:
            DemoFailed: a process ended by itself.
        """
        message = self._next(seconds)
        if message is not None:
            raise DemoFailed(message.get("sentence", "the demo ended by itself"))

    def _next(self, limit_seconds: float | None) -> dict[str, Any] | None:
        assert self._stage.stdout is not None
        descriptor = self._stage.stdout.fileno()
        limit = 1e9 if limit_seconds is None else limit_seconds
        until = clock.monotonic_ns() + int(limit * clock.NANOSECONDS_PER_SECOND)
        while b"\n" not in self._buffer:
            left = (until - clock.monotonic_ns()) / clock.NANOSECONDS_PER_SECOND
            if not select.select([descriptor], [], [], max(left, 0))[0]:
                return None
            data = os.read(descriptor, 65536)
            if not data:
                raise DemoFailed("the demo's stage ended by itself")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
