"""The export: every figure of the catalogue, read by the library's own parser and by promtool."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from isinglass.errors import SettingsError
from isinglass_monitor.figure_names import DERIVED, catalogue
from isinglass_monitor.openmetrics import Collector, Export, family_of
from isinglass_monitor.scoreboard import Row
from isinglass_monitor.views import Figure
from needs import needs
from watch_process import running_watch

OPENMETRICS = "application/openmetrics-text"


def row(node: str, figures: dict[str, Figure], silent: float = 0.0) -> Row:
    return Row(node, "daemon", "up", 0, 0, silent, False, 0, "", figures)


def everything() -> list[Row]:
    """Return nodes that report every field of the catalogue, and odd ones."""
    figures: dict[str, Figure] = {
        f"{panel}.{'birch.' if panel in ('peer', 'stream', 'timer') else ''}{name}": (
            'text "with" \\ and\nmore' if field.kind == "text" else 1.5e18
            if field.kind == "timestamp" else 7.0
        )
        for panel, fields in catalogue().items()
        if panel not in DERIVED
        for name, field in fields.items()
    }  # fmt: skip
    own: dict[str, Figure] = {"bakery.oven-2.heat %": 200.0, "bakery.loaves": 3.0, "x.y": "text"}
    return [row("alder", figures), row("birch", {**figures, **own}), row("cedar", figures, 60.0)]


def samples(rows: Iterable[Row]) -> list[Sample]:
    registry, collector = CollectorRegistry(), Collector()
    registry.register(collector)
    collector.show(rows)
    text = exposition.generate_latest(registry).decode()
    return [s for family in text_string_to_metric_families(text) for s in family.samples]


def test_every_figure_of_every_node_is_exported() -> None:
    found = samples(everything())
    of_alder = {sample.name for sample in found if sample.labels["node"] == "alder"}
    assert "isinglass_queue_offered_updates_total" in of_alder
    assert "isinglass_timer_last_duration_seconds" in of_alder
    assert "isinglass_store_used_share_ratio" in of_alder
    assert "isinglass_store_commit_time_p99_seconds" in of_alder
    fields = sum(len(fields) for panel, fields in catalogue().items() if panel != "scoreboard")
    assert len(of_alder) == fields, "no two fields have one name"
    own = {sample.name for sample in found if sample.name.startswith("isinglass_bakery")}
    assert own == {"isinglass_bakery_heat_percent", "isinglass_bakery_loaves"}


def test_names_kinds_and_labels() -> None:
    assert family_of("queue", "offered")[:2] == ("isinglass_queue_offered_updates", "counter")
    assert family_of("store", "last_commit").name == "isinglass_store_last_commit_timestamp_seconds"
    assert family_of("cluster", "state").kind == "info"
    figures: dict[str, Figure] = {
        "timer.flush.last_duration": 0.5,
        "store.last_commit": 2e18,
        "cluster.state": "live",
    }
    by_name = {sample.name: sample for sample in samples([row("alder", figures)])}
    timer = by_name["isinglass_timer_last_duration_seconds"]
    assert (timer.labels, timer.value) == ({"node": "alder", "timer": "flush"}, 0.5)
    assert by_name["isinglass_store_last_commit_timestamp_seconds"].value == 2e9
    assert by_name["isinglass_cluster_state_info"].labels == {"node": "alder", "state": "live"}


def test_a_silent_node_exports_that_it_is_silent_and_nothing_old() -> None:
    found = {s.name: s.value for s in samples([row("alder", {"queue.length": 3.0}, silent=60.0)])}
    assert found["isinglass_node_up"] == 0
    assert found["isinglass_node_silent_seconds"] == 60
    assert "isinglass_queue_length_updates" not in found


def test_promtool_finds_nothing_wrong() -> None:
    needs("promtool")
    registry, collector = CollectorRegistry(), Collector()
    registry.register(collector)
    collector.show(everything()[:1])
    text = generate_latest(registry)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert checked.returncode == 0, checked.stderr.decode()


def test_a_running_watch_is_scraped_on_loopback_alone(tmp_path: Path) -> None:
    with running_watch(tmp_path, metrics=True) as watch:
        watch.say({"alder": (0.0, {"queue.length": 3.0})})
        port = int((watch.runtime / "metrics.port").read_text())
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Accept": OPENMETRICS}
        )
        found: list[Sample] = []
        while not any(s.name == "isinglass_queue_length_updates" for s in found):
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.headers["Content-Type"].startswith(OPENMETRICS)
                text = answer.read().decode()
            found = [s for f in text_string_to_metric_families(text) for s in f.samples]
        addresses = Path("/proc/net/tcp").read_text().split()
        assert f"0100007F:{port:04X}" in addresses
        assert f"00000000:{port:04X}" not in addresses


def test_a_port_that_is_taken_is_a_sentence() -> None:
    export = Export("127.0.0.1", 0)
    try:
        with pytest.raises(SettingsError, match="cannot be served"):
            Export("127.0.0.1", export.port)
    finally:
        export.close()
