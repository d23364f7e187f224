"""Figures of all nodes as OpenMetrics, from the catalogue: names, kinds, units and help.

    isinglass_queue_offered_updates_total{node="alder"} 1234.0
    isinglass_timer_last_duration_seconds{node="alder",timer="flush"} 0.002
    isinglass_node_state_info{node="alder",state="up"} 1.0

The library makes the text, and does the talking. It is asked for only when the export is: it
belongs to the extra `export`. The address is this machine's own unless told otherwise, because what
is read there is not sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from isinglass.clock import NANOSECONDS_PER_SECOND
from isinglass.errors import SettingsError
from isinglass.glass.histogram import HistogramValue
from isinglass.glass.snapshot import Verdict
from isinglass_monitor.figure_names import FieldFacts, facts, facts_told, split
from isinglass_monitor.scoreboard import Row
from isinglass_monitor.views import Figure

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from isinglass.glass.panel_views import FieldView, PanelView
    from isinglass.glass.snapshot import Snapshot

LOOPBACK = "127.0.0.1"
PREFIX = "isinglass"
_UNITS = {
    "1": "",
    "text": "",
    "record": "",
    "time": "timestamp_seconds",
    "microseconds": "seconds",
    "share": "ratio",
    "share/second": "ratio_per_second",
}
_ODD = str.maketrans({"/": "_per_", "-": "_", ".": "_", " ": "_", "%": "percent"})


# The format's base unit is the second.
_A_SECOND = {"time": float(NANOSECONDS_PER_SECOND), "microseconds": 1e6}


_UNKNOWN = FieldFacts("", "1", "A figure of a program's own panel.")


class Family(NamedTuple):
    """A metric's name, kind and help, the label that tells instances apart, and a divisor."""

    name: str
    kind: str  # counter, gauge, info, unknown
    help: str
    label: str
    divisor: float


def family_of(panel: str, field: str) -> Family:
    """Return the metric family of a field, by what the catalogue says of it."""
    return family(panel, field, facts(panel, field) or _UNKNOWN)


@lru_cache(maxsize=4_096)
def family(panel: str, field: str, known: FieldFacts) -> Family:
    """Return the metric family of a field."""
    kind = {"counter": "counter", "text": "info", "": "unknown"}.get(known.kind, "gauge")
    name = f"{PREFIX}_{panel}_{field}".translate(_ODD)
    unit = _UNITS.get(known.unit, known.unit).translate(_ODD)
    if unit and not name.endswith("_" + unit):
        name = f"{name}_{unit}"
    if kind == "counter":
        name = name.removesuffix("_total")
    return Family(_legal(name), kind, known.help, _legal(panel), _A_SECOND.get(known.unit, 1.0))


class Told(NamedTuple):
    """One figure to export: its family, its labels, its field's name and its value."""

    family: Family
    labels: dict[str, str]
    field: str
    value: Figure


def metrics(told: Iterable[Told]) -> Iterator[Metric]:
    """Yield the library's metric families of some figures."""
    from prometheus_client.metrics_core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        InfoMetricFamily,
        UnknownMetricFamily,
    )

    classes: dict[str, Any] = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "info": InfoMetricFamily,
        "unknown": UnknownMetricFamily,
    }
    made: dict[str, tuple[Family, Any]] = {}
    for family, labels, field, value in told:
        if isinstance(value, str) != (family.kind == "info"):
            continue
        known = made.get(family.name)
        if known is None:
            metric = classes[family.kind](family.name, family.help, labels=())
            known = made[family.name] = (family, metric)
        if known[0] != family:
            continue  # two fields of one name and of different kinds: the first counts
        _add(known[1], family, labels, field, value)
    for _, metric in made.values():
        yield metric


def of_snapshot(snapshot: Snapshot) -> Iterator[Told]:
    """Yield every figure of a node's living processes, with what the segment itself says of it."""
    for process in snapshot.processes:
        if process.verdict != Verdict.ALIVE:
            continue
        labels = {"node": snapshot.node, "process": process.name}
        if process.slot:  # Of the daemon there is one; its pid would make it another each time.
            labels["pid"] = str(process.pid)
        for panel in process.panels:
            for field in panel.fields:
                yield from _of_field(panel, field, labels)


def _of_field(panel: PanelView, field: FieldView, labels: dict[str, str]) -> Iterator[Told]:
    value = field.value
    if isinstance(value, HistogramValue):
        values: dict[str, Figure] = {
            f"{field.name}.p50": value.percentile(0.5),
            f"{field.name}.p99": value.percentile(0.99),
            f"{field.name}.max": value.maximum,
        }
    else:
        values = {field.name: value}
    for (name, known), figure in zip(
        facts_told(field.kind, field.unit, field.help, field.name).items(),
        values.values(),
        strict=True,
    ):
        found = family(panel.name, name, known)
        own = {found.label: panel.instance} if panel.instance else {}
        yield Told(found, {**labels, **own}, name, figure)


def _legal(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)


class Collector:
    """Gives the library what the monitor knew a second ago at most; any thread may ask.

    What is shown is replaced whole, so a scrape sees one second and never half of two.
    """

    def __init__(self) -> None:
        self._shown: tuple[tuple[str, Mapping[str, Figure]], ...] = ()

    def show(self, rows: Iterable[Row]) -> None:
        """Show these rows from now on; figures of a node that is silent are left out."""
        self._shown = tuple(
            (row.node, {**(row.figures if row.live else {}), **row.derived()}) for row in rows
        )

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families; called by the library at each scrape."""
        yield from metrics(self._told())

    def _told(self) -> Iterator[Told]:
        for node, figures in self._shown:
            for key, value in figures.items():
                name = split(key)
                found = family_of(name.panel, name.field)
                own = {found.label: name.instance} if name.instance else {}
                yield Told(found, {"node": node, **own}, name.field, value)


def _add(metric: Any, family: Family, labels: dict[str, str], field: str, value: Figure) -> None:
    if isinstance(value, str):
        label = _legal(field)
        if label in labels:  # a field called node or like its panel, as `sender.node` is
            label = f"{family.label}_{label}"
        metric.add_sample(family.name + "_info", {**labels, label: value}, 1.0)
        return
    name = family.name + ("_total" if family.kind == "counter" else "")
    metric.add_sample(name, labels, value / family.divisor)


class Export:
    """The HTTP server of the export.

    Raises:
        SettingsError: the library is not installed, or the address cannot be had.
    """

    def __init__(self, address: str, port: int) -> None:
        try:
            from prometheus_client import CollectorRegistry, start_http_server
        except ImportError:
            raise SettingsError(
                "The export of metrics needs the library prometheus-client:"
                " install it with `pip install 'isinglass[export]'`."
            ) from None
        self.collector = Collector()
        registry = CollectorRegistry()
        registry.register(self.collector)
        try:
            self._server, self._thread = start_http_server(port, address, registry)
        except OSError as error:
            raise SettingsError(
                f"Metrics cannot be served at {address}:{port}: {error.strerror}."
            ) from error
        self.port = int(self._server.server_port)

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
