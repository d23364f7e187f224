"""`isinglass record`: what nodes do, into a file, without a terminal, until it is ended.

The thread that reads the nodes is the console's; the main thread writes each frame as it comes, and
ends on TERM, INT or HUP with everything that was read in the file.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from isinglass import clock
from isinglass.cli.nodes import SSH_COMMAND, all_or_one
from isinglass.cli.options import Command, Option, Positional, Values
from isinglass.cli.printing import JSON, tell
from isinglass.cli.units import counted
from isinglass.durations import seconds_of
from isinglass.errors import UsageError
from isinglass_console.cluster_file import CLUSTER, nodes_of
from isinglass_console.configuration import given_interval
from isinglass_console.model import format as text
from isinglass_console.model.hub import Hub
from isinglass_console.recording.places import new_name
from isinglass_console.recording.recorder import Recorder
from isinglass_console.sources.feed import Feed
from isinglass_console.sources.monitor import MonitorFeed

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_WAIT_SECONDS = 3600.0
SECONDS = Option("seconds", "End after so long.", value="N", kind="positive")
INTERVAL = Option(
    "interval",
    "Seconds from frame to frame.",
    value="SECONDS",
    kind="positive",
    short="i",
    default=1.0,
)
MONITOR = Option(
    "monitor",
    "The monitor whose alarms are recorded, too; the one that runs on this machine when left out."
    " Without any, what passes the console's own thresholds.",
    value="NAME",
)

COMMAND = Command(
    "record",
    "Record what nodes do into a file, to be looked at later.",
    positionals=(
        Positional(
            "NODE",
            "The nodes to record, ssh://HOST/[NODE] among them; all that are found on this machine"
            " when none is given.",
            required=False,
            repeat=True,
            completes="nodes",
        ),
    ),
    options=(
        Option(
            "output",
            "The file; gone on with when it is a recording already. One with the time as its name"
            " in $XDG_DATA_HOME/isinglass/recordings when left out.",
            value="FILE",
            short="o",
            completes="files",
        ),
        SECONDS,
        INTERVAL,
        Option("keep", "Forget what is older: 1h, 30m; the file stays that small.", value="TIME"),
        MONITOR,
        CLUSTER,
        SSH_COMMAND,
        JSON,
    ),
    notes=(
        "Each frame is in the file as soon as it was read: a recorder that is killed loses none.",
        "Exit code: 0 it ended as asked, by --seconds, TERM or Ctrl-C; 1 there is no node, none"
        " could be read, or the file cannot be written; 2 the command line is wrong.",
    ),
    examples=(
        "isinglass record -o night.recording",
        "isinglass record alder birch --seconds 600 -o incident.recording",
        "isinglass record --keep 1h -o /var/lib/isinglass/last-hour.recording",
        "isinglass console --replay night.recording",
    ),
)


def main(arguments: list[str]) -> int:
    """Record until the end that was asked for."""
    values = COMMAND.parse(arguments)
    nodes = nodes_of(values)
    if not nodes:
        all_or_one("")
    return record(values, nodes)


def record(values: Values, nodes: Sequence[str]) -> int:
    """Record as a command line says that has the options above; return the exit code.

    Args:
        nodes: what is recorded; empty for all that are found on this machine.
    """
    keep_seconds, interval = _keep_seconds(values), given_interval(values.number("interval"))
    path = Path(values.text("output")) if values.given("output") else new_name(clock.wall_ns())
    went_before = path.exists()
    recorder = Recorder(path, clock.wall_ns(), keep_seconds)
    tidy = False
    recording = _Recording(recorder, values, nodes, interval)
    try:
        recording.run()
        tidy = True
    finally:
        recorder.close(tidy=tidy)
    if not recording.has_read and not went_before:
        path.unlink()
        print("isinglass: nothing was read of any node: there is no recording.", file=sys.stderr)
        return 1
    size_bytes = path.stat().st_size
    sentence = f"{counted(recorder.frames, 'frame')}, {text.size(size_bytes)}: {path}"
    facts = {"file": str(path), "frames": recorder.frames, "size_bytes": size_bytes}
    tell(values, sentence, facts, sys.stderr)
    return 0 if recording.has_read else 1


def _keep_seconds(values: Values) -> float:
    try:
        return seconds_of(values.text("keep")) if values.given("keep") else 0.0
    except ValueError:
        raise UsageError(
            f"--keep takes a time such as 1h or 30m, not {values.text('keep')!r}."
        ) from None


class _Recording:
    """One run of the command: the feed, the end, and what a terminal is told meanwhile."""

    def __init__(
        self, recorder: Recorder, values: Values, names: Sequence[str], interval_seconds: float
    ) -> None:
        self._recorder, self._values = recorder, values
        # Not an event: a signal that comes while this very thread holds its lock would wait for it.
        self._came: SimpleQueue[None] = SimpleQueue()
        self._ended = False
        self.has_read = False  # any node at all
        self._said: dict[tuple[str, str], str] = {}  # last, of each: a node may be called "monitor"
        self._hub = Hub()
        self._feed = Feed(names, interval_seconds, self._wake, values.text("ssh-command"))
        self._monitor = MonitorFeed(
            values.text("monitor"), self._monitor_arrived, values.text("ssh-command")
        )

    def run(self) -> None:
        """Record until a signal, or until the time is over."""
        # What `nohup`, or a shell that began it in the background, has it ignore stays ignored.
        heard = [one for one in ENDING if signal.getsignal(one) != signal.SIG_IGN]
        before = {one: signal.signal(one, self._end) for one in heard}
        until_ns = clock.monotonic_ns() + int(self._seconds() * clock.NANOSECONDS_PER_SECOND)
        self._feed.start()
        self._monitor.start()
        try:
            while not self._ended and (left_ns := until_ns - clock.monotonic_ns()) > 0:
                left = left_ns / clock.NANOSECONDS_PER_SECOND
                with suppress(Empty):
                    self._came.get(timeout=min(left, LONGEST_WAIT_SECONDS))
                self._take()
            self._feed.stop()
            self._take()
        finally:
            self._feed.stop()
            self._monitor.stop()
            for one, handler in before.items():
                signal.signal(one, handler)
            self._tell("\n")

    def _seconds(self) -> float:
        return self._values.number("seconds") if self._values.given("seconds") else float(1 << 32)

    def _end(self, _signal: int, _frame: object) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._came.put(None)

    def _monitor_arrived(self) -> None:
        """The next frame takes what it tells."""

    def _take(self) -> None:
        self._say("reading", "", self._feed.problem)
        self._say("monitor", "monitor", self._monitor.told.sentence)
        for delivery in self._feed.take():
            frame = self._hub.take(delivery.readings, delivery.wall_ns, delivery.interval_seconds)
            self._recorder.take(frame, self._hub.fresh, self._monitor.told.sheet)
            self.has_read |= any(node.snapshot is not None for node in frame.nodes)
            for node in frame.nodes:
                self._say("node", node.name, node.sentence)
            nodes = counted(len(frame.nodes), "node")
            size = text.size(self._recorder.size_bytes)
            self._tell(f"\r{counted(self._recorder.frames, 'frame')} of {nodes}, {size}   ")

    def _say(self, what: str, name: str, sentence: str) -> None:
        """Say what is wrong with a node, the monitor or the reading, until it is something else."""
        if sentence and sentence != self._said.get((what, name)):
            self._tell("\n")
            print(f"isinglass: {f'{name}: ' if name else ''}{sentence}", file=sys.stderr)
        self._said[what, name] = sentence

    def _tell(self, progress: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(progress)
            sys.stderr.flush()
