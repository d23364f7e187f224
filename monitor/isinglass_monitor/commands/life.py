"""Ask a monitor to end and wait for it; say how it is. The far side of `isinglass monitor`.

Everything comes from the lock, the monitor's segment and its spool: it is never asked.
"""

from __future__ import annotations

import os
import select
import signal
import sys

from isinglass.cli import units
from isinglass.cli.printing import show, tell
from isinglass.cli.roles import look_at
from isinglass.cli.sheet import Section
from isinglass.node import ownership

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.options import Values
    from isinglass.glass.panel_views import PanelView
    from isinglass.glass.snapshot import Snapshot
    from isinglass.settings import Settings

EXIT_NOT_RUNNING = 3  # LSB, "Init Script Actions"
EXIT_STILL_RUNNING = 1
_SENDER_COLUMNS = (
    "node", "process", "received>", "repaired>", "lost>", "before>", "open>", "late>",
    "duplicate>", "reordered>",
)  # fmt: skip
_CAUSES = ("network", "socket", "sender", "disk", "share", "away")


def stop(settings: Settings, values: Values) -> int:
    """Send TERM and wait for the end; return the exit code."""
    owner, _ = look_at(settings, "monitor", "stop")
    limit_seconds, name = values.number("limit"), settings.node
    if owner is None:
        facts = {"monitor": name, "was_running": False, "pid": None}
        tell(values, f"No monitor {name} runs here.", facts)
        return 0
    process = ownership.grasp(settings.node_runtime_dir, owner)
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        poller = select.poll()
        poller.register(process, select.POLLIN)
        if poller.poll(limit_seconds * 1000):
            facts = {"monitor": name, "was_running": True, "pid": owner.pid}
            tell(values, f"The monitor {name} (process {owner.pid}) has ended.", facts)
            return 0
    finally:
        os.close(process)
    print(
        f"isinglass: the monitor has not ended within {limit_seconds:g} s: wait longer with"
        " --limit, or see with `isinglass ps` where its threads stand",
        file=sys.stderr,
    )
    return EXIT_STILL_RUNNING


def print_status(settings: Settings, *, as_json: bool) -> int:
    """Print whether the monitor runs, and its figures; return 0 when it does, else 3."""
    owner, snapshot = look_at(settings, "monitor", "status")
    if as_json:
        import json

        print(json.dumps(_document(settings, owner, snapshot), indent=1))
    else:
        show(_sections(settings, owner, snapshot))
    return 0 if owner else EXIT_NOT_RUNNING


def _panels(snapshot: Snapshot | None, name: str) -> list[PanelView]:
    owner = snapshot.owner if snapshot else None
    return [panel for panel in owner.panels if panel.name == name] if owner else []


def _plain(panel: PanelView) -> dict[str, object]:
    return {
        field.name: field.value
        for field in panel.fields
        if isinstance(field.value, int | float | str)
    }


def _document(
    settings: Settings, owner: ownership.Owner | None, snapshot: Snapshot | None
) -> dict[str, object]:
    document: dict[str, object] = {
        "monitor": settings.node,
        "running": owner is not None,
        "pid": owner.pid if owner else None,
    }
    for name in ("monitor", "intake", "spool"):
        for panel in _panels(snapshot, name):
            document[f"{name}_panel"] = _plain(panel)
    document["senders"] = [_plain(panel) for panel in _panels(snapshot, "sender")]
    return document


def _sections(
    settings: Settings, owner: ownership.Owner | None, snapshot: Snapshot | None
) -> list[Section]:
    if owner is None and snapshot is None:
        return [Section("", lines=[f"No monitor {settings.node} runs here."])]
    running = f"runs (process {owner.pid})" if owner else "does not run; this is its last state"
    sections = [Section(f"Monitor {settings.node} {running}.", alarming=owner is None)]
    for intake in _panels(snapshot, "intake"):
        sections[0].lines += [
            f"{intake['received']:,} events received, {intake['repaired']:,} repaired,"
            f" {intake['lost']:,} lost, {intake['open']:,} open;"
            f" {intake['before']:,} from before it listened",
            f"{intake['socket_drops']:,} datagrams dropped by its own socket,"
            f" {intake['no_room']:,} events found no room in its queue",
        ]
    for spool in _panels(snapshot, "spool"):
        oldest = spool["oldest"]
        sections[0].lines.append(
            f"{_counted(spool, 'total_events', 'event')} in"
            f" {_counted(spool, 'segments', 'segment')},"
            f" {units.number(int(str(spool['size'])) / 2**20)} MiB,"
            f" since {units.wall_time(int(str(oldest)))}"
        )
    for panel in _panels(snapshot, "monitor"):
        if panel["trouble"]:
            sections[0].lines.append(f"Nothing can be stored now: {panel['trouble']}")
    rows = [_sender_row(panel) for panel in _panels(snapshot, "sender")]
    if rows:
        sections.append(Section("Senders", _SENDER_COLUMNS, sorted(rows)))
    return sections


def _counted(panel: PanelView, field: str, thing: str) -> str:
    return units.counted(int(str(panel[field])), thing)


def _sender_row(panel: PanelView) -> list[str]:
    lost = sum(int(str(panel[f"lost_{cause}"])) for cause in _CAUSES)
    numbers = [panel["received"], panel["repaired"], lost, panel["lost_before"], panel["open"],
               panel["late"], panel["duplicate"], panel["reordered"]]  # fmt: skip
    return [str(panel["node"]), str(panel["process"]), *(f"{number:,}" for number in numbers)]
