"""`isinglass export`: every figure of the nodes of this machine as OpenMetrics, once.

It reads the segments itself, so it needs no monitor, and answers for a node that hangs. What serves
metrics over HTTP, of all nodes of a cluster, is the monitor (`--metrics-port`). A node that does
not live exports that it does not, and nothing old.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from isinglass.cli import nodes, verdicts
from isinglass.cli.options import Command, Option, Positional
from isinglass.errors import SettingsError
from isinglass.glass.snapshot import Snapshot, Verdict
from isinglass_monitor.atomic_file import replace_text
from isinglass_monitor.figure_names import FieldFacts
from isinglass_monitor.openmetrics import Told, family, metrics, of_snapshot

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

FORMATS = ("openmetrics", "prometheus")
OUTPUT_MODE = 0o644  # node_exporter has a user of its own
COMMAND = Command(
    "export",
    "Print every figure of the nodes here as OpenMetrics.",
    positionals=(
        Positional(
            "NODE",
            "The node, or the path of its segment; all nodes of this machine when left out.",
            required=False,
            completes="nodes",
        ),
    ),
    options=(
        Option(
            "format",
            "OpenMetrics, or the older format of Prometheus, which node_exporter's folder takes.",
            value="FORMAT",
            choices=FORMATS,
            default=FORMATS[0],
        ),
        Option(
            "output",
            "Write it into this file, whole or not at all, instead of printing it.",
            value="FILE",
            short="o",
            completes="files",
        ),
    ),
    notes=(
        "Needs the library prometheus-client (the extra `export`).",
        "Exit code: as for `isinglass dump`.",
    ),
    examples=(
        "isinglass export",
        "isinglass export --format prometheus -o /var/lib/node_exporter/isinglass.prom",
    ),
)
_UP = FieldFacts("gauge", "1", "1 when its daemon is alive.")


def main(arguments: list[str]) -> int:
    """Print or write the figures; return 0 when every node's daemon is alive, else 1."""
    values = COMMAND.parse(arguments)
    snapshots, unread = nodes.snapshots(values.text("NODE"))
    text = rendered(snapshots, values.text("format"))
    if values.given("output"):
        _write(Path(values.text("output")), text)
    else:
        sys.stdout.write(text)
    return max(*map(verdicts.exit_code, snapshots), unread)


def _write(path: Path, text: str) -> None:
    try:
        replace_text(path, text, mode=OUTPUT_MODE)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error


def rendered(snapshots: list[Snapshot], form: str) -> str:
    """Return the text of some snapshots in one of `FORMATS`.

    Raises:
        SettingsError: the library is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, exposition
        from prometheus_client.openmetrics import exposition as openmetrics
    except ImportError:
        raise SettingsError(
            "Metrics need the library prometheus-client: install it with"
            " `pip install 'isinglass[export]'`."
        ) from None
    registry = CollectorRegistry()
    registry.register(_Collected(snapshots))
    render = openmetrics.generate_latest if form == FORMATS[0] else exposition.generate_latest
    return bytes(render(registry)).decode()


class _Collected:
    """What the library asks for metrics."""

    def __init__(self, snapshots: list[Snapshot]) -> None:
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        return metrics(_told(self._snapshots))


def _told(snapshots: list[Snapshot]) -> Iterator[Told]:
    for snapshot in snapshots:
        owner = snapshot.owner
        alive = owner is not None and owner.verdict == Verdict.ALIVE
        labels = {"node": snapshot.node}
        yield Told(family("node", "up", _UP), labels, "up", float(alive))
        if alive:
            yield from of_snapshot(snapshot)
