"""The watch: scoreboard, alarms, notifiers, statistics and export, kept once a second.

    intake ──observe(now, nodes)──▶ orders ─▶ scoreboard ─▶ alarms ─▶ messages
                                                   │            └──▶ events, and the timeline
                                                   ├──▶ statistics (a thread of their own)
                                                   └──▶ scoreboard.json, alarms.json, metrics

In the runtime directory stand `scoreboard.json` and `alarms.json`, replaced each second, for
whoever looks. In the data directory stands `watch.json`: what must outlive the monitor (alarms
that are raised, silences, messages that wait, nodes ever seen), written when it changes. Disk and
network are waited for on other threads; `observe` itself writes small files of a tmpfs and returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from isinglass import clock
from isinglass.glass.severity import ERROR, INFO, WARNING
from isinglass_monitor import standing
from isinglass_monitor.alarms.alarm import Alarm
from isinglass_monitor.alarms.book import AlarmBook, Change
from isinglass_monitor.alarms.delivery import deliveries
from isinglass_monitor.alarms.messages import message_of, trial_message
from isinglass_monitor.alarms.notifiers import Notifier, parse_notifiers
from isinglass_monitor.alarms.rules import Rule, load_rules, read_file
from isinglass_monitor.atomic_file import read_document, replace_document, replace_text
from isinglass_monitor.keeping import Keeper
from isinglass_monitor.kept_figures import KeptFigures
from isinglass_monitor.moment import Moment
from isinglass_monitor.obeying import Obeying, Refused
from isinglass_monitor.openmetrics import Export
from isinglass_monitor.orders import OrderBox
from isinglass_monitor.scoreboard import Row, Scoreboard, rows_of
from isinglass_monitor.statistics_store import DIRECTORY, StatisticsWriter
from isinglass_monitor.views import Figure, NodeView

SCOREBOARD_FILE, ALARMS_FILE, STATE_FILE = "scoreboard.json", "alarms.json", "watch.json"
STATE_FORMAT = 1
SWEEP_SECONDS = 60
LOOKS_A_SECOND = 10  # at the threads of nodes whose alarms are raised at once
FLAG = "alarm"


class EventWriter(Protocol):
    """Stores an event in the monitor's own ring: `segment.event`."""

    def __call__(self, severity: int, flag: str, message: str, /, **fields: object) -> None:
        """Store one event."""


class WatchSettings(NamedTuple):
    """What the watch is told.

    `file` has rules and notifiers of one's own; None for the product's rules and no notifier. The
    export of metrics is off without a port.
    """

    rules: Mapping[str, Rule]
    notifiers: Mapping[str, Notifier]
    cluster: str = ""
    metrics_address: str = "127.0.0.1"
    metrics_port: int | None = None

    @classmethod
    def load(
        cls,
        file: Path | None,
        cluster: str = "",
        metrics_port: int | None = None,
        metrics_address: str = "127.0.0.1",
    ) -> WatchSettings:
        """Read the file of rules and notifiers.

        Raises:
            SettingsError: something in it cannot be used; says where.
        """
        notifiers = {} if file is None else parse_notifiers(read_file(file), str(file))
        return cls(load_rules(file), notifiers, cluster, metrics_address, metrics_port)


class Watch:
    """Everything that is watched; `observe` once a second, from one thread.

    Args:
        name: the monitor's name.
        runtime: its runtime directory, on a tmpfs.
        data: its data directory, on a disk.
        event: stores an event of the monitor.

    Raises:
        StoreLocked: another monitor uses the same directory.
        StoreError: the statistics cannot be opened.
        SettingsError: the export of metrics cannot be started.
    """

    def __init__(
        self, name: str, runtime: Path, data: Path, settings: WatchSettings, event: EventWriter
    ) -> None:
        self._name, self._runtime, self._data, self._event = name, runtime, data, event
        self._cluster = settings.cluster or name
        for folder in (runtime, data):
            folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self._orders = OrderBox(runtime)
        port = settings.metrics_port
        try:
            self.export = None if port is None else Export(settings.metrics_address, port)
            self._statistics = StatisticsWriter(data / DIRECTORY)
        except BaseException:
            self._orders.close()
            raise
        self.book = AlarmBook(name, settings.rules)
        state = self._restored()
        self.board = Scoreboard(name, self._rows(state))
        self._deliveries = deliveries(settings.notifiers, state.get("outboxes", {}))
        self._messages = int(state.get("messages", 0))
        self._obeying = Obeying(self.book, self.board, self._try_notifiers)
        self._second, self._looks = 0, 0
        self._saved: object = None
        self._trouble = ""
        self._keeper, self._kept = Keeper(self._not_written), KeptFigures()

    # ------------------------------------------------------------------ a second

    def observe(self, now_ns: int, nodes: Mapping[str, NodeView]) -> None:
        """Take in one second of what is known of every node.

        Args:
            now_ns: the monotonic clock.
        """
        now = Moment(now_ns, clock.wall_ns())
        self._obey(now)
        names = self.board.rows.keys() | nodes.keys()
        announced = self.book.holdings.announced(now.wall_ns, names)
        self.board.update(now, nodes, announced)
        changes, notices = self.book.observe(now, self.board)
        for change in changes:
            self._tell_log(change)
        self._look_at_threads([change.alarm for change in changes if change.what == "raised"])
        for notice in notices:
            self._messages += 1
            message = message_of(notice, self._messages, self._cluster)
            for delivery in self._deliveries.values():
                if delivery.notifier.wants(notice.alarm):
                    delivery.put(message)
        self._keep_statistics(now)
        if self.export is not None:
            self.export.collector.show(self.board.rows.values())
        self._write(now)
        self._looks += 1
        if self._looks % SWEEP_SECONDS == 0:
            self._orders.sweep(now.wall_ns)

    def close(self) -> None:
        """Write what must outlive the monitor, and end the threads."""
        for delivery in self._deliveries.values():
            delivery.end()
        self._saved = None
        self._save()
        self._keeper.close()
        if self.export is not None:
            self.export.close()
        self._statistics.close()
        self._orders.close()

    # ------------------------------------------------------------------ orders

    def _obey(self, now: Moment) -> None:
        for name, order in self._orders.taken():
            answer = self._obeying.obey(now, order)
            if not answer["refused"]:
                self._event(INFO, FLAG, "an operator's order", **_printable(order))
            self._guarded(partial(self._orders.answer, name, answer))

    def _try_notifiers(self, name: str) -> list[str]:
        if name and name not in self._deliveries:
            raise Refused(f"There is no notifier {name}.")
        if not self._deliveries:
            raise Refused("There are no notifiers: name some in the file of alarms.")
        chosen = [name] if name else sorted(self._deliveries)
        for each in chosen:
            self._messages += 1
            self._deliveries[each].put(trial_message(self._messages, self._cluster))
        return chosen

    # ------------------------------------------------------------------ what goes out

    def _tell_log(self, change: Change) -> None:
        alarm = change.alarm
        severity = alarm.rule.severity if change.what == "raised" else INFO
        self._event(
            severity,
            FLAG,
            f"alarm {change.number} {change.what}: {alarm.subject.rule}"
            f" {' '.join(alarm.nodes)}{': ' + change.text if change.text else ''}",
            alarm=change.number,
            rule=alarm.subject.rule,
            node=alarm.subject.node,
            what=change.what,
        )

    def _look_at_threads(self, raised: list[Alarm]) -> None:
        """Keep where the threads stand of nodes on this machine, while it is wrong."""
        for alarm in raised[:LOOKS_A_SECOND]:
            if rows := standing.standing(alarm.nodes):
                keep = partial(standing.keep, self._data, alarm.number, rows)
                self._keeper.put(f"{standing.DIRECTORY}/{alarm.number}", keep)

    def _keep_statistics(self, now: Moment) -> None:
        second = now.wall_ns // clock.NANOSECONDS_PER_SECOND
        if second == self._second:
            return
        self._second = second
        rows = self.board.rows
        self._kept.forget_all_but(rows)
        figures = {
            node: self._kept.of(node, row.figures if row.live else {}) | _numbers(row.derived())
            for node, row in rows.items()
        }
        self._statistics.put(second, figures)

    def _write(self, now: Moment) -> None:
        self._guarded(
            lambda: replace_text(self._runtime / SCOREBOARD_FILE, self.board.text(now) + "\n")
        )
        self._guarded(
            lambda: replace_document(self._runtime / ALARMS_FILE, self._alarms_document(now))
        )
        self._save()

    def _alarms_document(self, now: Moment) -> dict[str, Any]:
        return {
            **self.book.document(),
            "monitor": self._name,
            "written_wall_ns": now.wall_ns,
            "notifiers": [self._deliveries[name].document() for name in sorted(self._deliveries)],
            "statistics": {
                "dropped_seconds": self._statistics.dropped,
                "trouble": self._statistics.trouble,
            },
        }

    def _guarded(self, write: Callable[[], None]) -> None:
        """Write a file; trouble is told once, and the watch goes on."""
        try:
            write()
        except OSError as error:
            self._not_written(error)

    def _not_written(self, error: OSError) -> None:
        if str(error) != self._trouble:
            self._trouble = str(error)
            self._event(ERROR, FLAG, "a file of the watch cannot be written", why=str(error))

    # ------------------------------------------------------------------ what outlives the monitor

    def _save(self) -> None:
        """Have the state written, when something in it has changed that matters."""
        outboxes = {name: delivery.waiting() for name, delivery in self._deliveries.items()}
        mark = (
            [(a.number, a.state, a.told) for a in self.book.alarms.values()],
            len(self.book.ended),
            self.book.holdings.document(),
            {name: [message[0] for message in waiting] for name, waiting in outboxes.items()},
            {(row.node, row.state) for row in self.board.rows.values()},
            self._messages,
        )
        if mark == self._saved and not self._keeper.has_failed(STATE_FILE):
            return
        known = Scoreboard(self._name, [replace(r, figures={}) for r in self.board.rows.values()])
        document = {
            "format": STATE_FORMAT,
            "book": self.book.document(),
            "outboxes": outboxes,
            "messages": self._messages,
            "board": known.document(Moment(0, clock.wall_ns())),
        }
        path = self._data / STATE_FILE
        self._keeper.put(STATE_FILE, partial(replace_document, path, document, durable=True))
        self._saved = mark

    def _restored(self) -> dict[str, Any]:
        path = self._data / STATE_FILE
        state = read_document(path)
        now = Moment(clock.monotonic_ns(), clock.wall_ns())
        try:
            if state is None or state["format"] != STATE_FORMAT:
                return {}
            self.book.restore(state["book"], now)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._event(
                WARNING, FLAG, "the state of the last watch is damaged; begun anew", why=repr(error)
            )
            return {}
        return dict(state)

    def _rows(self, state: Mapping[str, Any]) -> list[Row]:
        """Return the nodes that earlier lives saw; what was written last knows most."""
        found: dict[str, Row] = {}
        for document in (state.get("board"), read_document(self._runtime / SCOREBOARD_FILE)):
            try:
                found.update((row.node, row) for row in rows_of(document or {}))
            except (KeyError, TypeError, AttributeError):
                continue
        return list(found.values())


def _numbers(figures: Mapping[str, Figure]) -> dict[str, float]:
    return {key: value for key, value in figures.items() if not isinstance(value, str)}


def _printable(order: dict[str, Any]) -> dict[str, object]:
    return {key: value for key, value in order.items() if isinstance(value, str | int | float)}
