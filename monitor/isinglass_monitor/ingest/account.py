"""The accounts on the glass: of all senders together, and of those that were heard last."""

from __future__ import annotations

from collections.abc import Iterable

from isinglass_monitor.ingest.sender import Sender
from isinglass_monitor.ingest.window import BEFORE, CAUSES
from isinglass_monitor.own_panels import IntakePanel, SenderPanel

SHOWN_SENDERS = 150
"""A region has room for that many instances beside the other panels."""


class Accounts:
    """Shows what came of every sender's events; for the thread that has the intake."""

    def __init__(self, panel: IntakePanel) -> None:
        self._panel = panel
        self._rows: dict[int, SenderPanel] = {}
        # Of senders that are forgotten: the sums must not fall.
        self._past = dict.fromkeys(_SUMMED, 0)

    def show(self, senders: Iterable[Sender], wall_ns: int, now_ns: int) -> None:
        """Bring the panels up to date."""
        all_ = list(senders)
        totals = dict(self._past)
        for sender in all_:
            for name, value in _sums(sender).items():
                totals[name] += value
        for name, value in totals.items():
            setattr(self._panel, name, value)
        self._panel.senders = len(all_)
        self._panel.open = sum(sender.window.open for sender in all_)
        shown = sorted(all_, key=lambda sender: -sender.heard_ns)[:SHOWN_SENDERS]
        wanted = {sender.stream for sender in shown}
        for stream in self._rows.keys() - wanted:
            self._rows.pop(stream).release()
        for sender in shown:
            row = self._rows.get(sender.stream)
            if row is None:
                row = self._rows[sender.stream] = SenderPanel(_instance(sender))
                row.node, row.process = sender.node, sender.process
            _show(row, sender, wall_ns - (now_ns - sender.heard_ns))

    def forget(self, senders: Iterable[Sender]) -> None:
        """Keep the sums of senders that are to be forgotten."""
        for sender in senders:
            for name, value in _sums(sender).items():
                self._past[name] += value

    def release(self) -> None:
        """Take the senders off the glass."""
        while self._rows:
            self._rows.popitem()[1].release()


_SUMMED = ("received", "repaired", "lost", "before", "duplicate", "late", "reordered", "no_room",
           "asked")  # fmt: skip


def _sums(sender: Sender) -> dict[str, int]:
    counts = sender.window.counts
    before = counts.lost[BEFORE]
    lost = counts.all_lost - before
    values = (counts.received, counts.repaired, lost, before, counts.duplicate, counts.late,
              counts.reordered, sender.refused, counts.asked)  # fmt: skip
    return dict(zip(_SUMMED, values, strict=True))


def _instance(sender: Sender) -> str:
    return f"{sender.node[:20]}/{sender.process[:10]}.{sender.stream & 0xFFFF:04x}"


def _show(row: SenderPanel, sender: Sender, heard_wall_ns: int) -> None:
    window, counts = sender.window, sender.window.counts
    row.pid, row.heard, row.through = sender.pid, heard_wall_ns, window.through
    row.received, row.repaired, row.open = counts.received, counts.repaired, window.open
    row.duplicate, row.late, row.reordered = counts.duplicate, counts.late, counts.reordered
    row.no_room, row.size = sender.refused, counts.size_bytes
    for cause in CAUSES:
        setattr(row, f"lost_{cause}", counts.lost[cause])
