"""The screens of a cluster: who limits, who is behind, what was lost; each figure is the dump's."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

import pytest

from console.staged_cluster import ALL_TICKS, NAMES, Frames, desk_of
from console.test_views import SIZES, assert_exact, row_of
from isinglass.cli.documents import document
from isinglass.cli.options import Command
from isinglass.cli.selection import OPTIONS, Selection
from isinglass_console.model import format as text
from isinglass_console.model.filter import Filter
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.views import VIEWS, page_of, views_of
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.glyphs import ASCII
from isinglass_console.widgets.line import Line, text_of


@pytest.fixture
def desk(frames: Frames) -> Desk:
    return desk_of(frames, *NAMES)


def lines(desk: Desk, view: str, width: int = 120, height: int = 34) -> list[Line]:
    desk.settings.view = view
    return page_of(desk.scene(width, height), SourceFiles()).block.lines


def page(desk: Desk, view: str, width: int = 120, height: int = 34) -> str:
    return text_of(lines(desk, view, width, height))


def node_row(shown: str, name: str) -> str:
    """Return a node's row in a table that has a glyph before its name."""
    return next(line for line in shown.split("\n") if re.match(rf".[·▲~✖?] {name} ", line))


def part(shown: str, start: str, end: str = "\n──") -> str:
    """Return the text of a page from one word to another."""
    return shown[shown.index(start) :].partition(end)[0]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_line_is_too_long_or_too_short(frames: Frames, width: int, height: int) -> None:
    for keys in (NAMES, ("alder killed", "birch", "cedar stalled"), ("alder",)):
        desk = desk_of(frames, *keys, ticks=ALL_TICKS)
        for zoomed in (False, True):
            desk.settings.zoomed = zoomed
            for view in VIEWS:
                desk.settings.view = view.name
                block = page_of(desk.scene(width, height), SourceFiles()).block
                assert_exact(block, width)
                assert len(block.lines) <= height or height < 12, view.name


def test_the_overview_finds_the_node_in_trouble(desk: Desk) -> None:
    shown = page(desk, "overview")
    assert re.search(r"cedar\s+▲ backlog.*84 %\s+2 734\s+88 %\s+▲ 1.8 s.*▲ backlog", shown)
    assert re.search(r"alder\s+· serving.*30 %\s+2 733\s+88 %\s+40 ms", shown)
    for pane in ("PROBES", "QUEUE MERGES", "FLOW CONTROL", "REPLICATION LAG"):
        assert pane in shown
    assert "limited by   cedar, by entries, for 42 s" in shown
    assert "8 200 /s of 14 600 /s demanded" in shown
    assert "78 % of limit, falling, drained in 9.8 s" in shown
    assert "report age 110 ms   τ 3.1 × age   steady" in shown
    assert re.search(r"cedar\s+▲ 1.6 s \(3 240\)\s+▲ 1.8 s \(3 390\)\s+-", shown)
    assert "cedar waits on disk 94 %, queue 4 %, network 2 %" in shown
    wide = page(desk, "overview", 200, 58)
    assert "▲ backlog of its limit 84 %; behind by" in row_of(wide, " cedar ")


def test_at_80_columns_each_is_a_line(desk: Desk) -> None:
    desk.select("nodes", "cedar")
    shown = page(desk, "overview", 80, 22)
    assert re.search(r"cedar\s+▲ backlog.*▲ 1.8 s", shown)
    assert "FLOW     limited by cedar, by entries, for 42 s; allowed 8 200 /s" in shown
    assert "LAG      ▲ cedar behind birch 1.8 s (3 390 updates); disk 94 %" in shown


def test_flow_says_who_limits_and_what_that_does_to_writers(desk: Desk) -> None:
    shown = page(desk, "flow", 160, 40)
    assert "limited by cedar, by entries, for 42 s   allowed 8 200 /s of 14 600 /s" in shown
    row = row_of(shown, "▲ cedar")
    assert re.search(r"78 %\s+entries\s+falling, drained 9.8 s\s+2 734\s+4 868\s+2 734", row)
    assert re.search(r"birch.*18 %\s+bytes\s+rising, full 41 s\s+2 733", shown)
    assert re.search(r"counter 2\s+birch\s+5001\s+1 000\s+2 733\s+2 500\s.*60 %\s+7.2 s", shown)
    assert re.search(r"┃.*30 %", row_of(shown, "· alder")), "the target is a tick"


def test_lag_shows_the_matrix_and_what_was_lost(desk: Desk) -> None:
    desk.select("lag", "cedar")
    shown = page(desk, "lag", 160, 40)
    assert re.search(r"▸▲ cedar\s+▲ 1.6 s \(3 240\)\s+▲ 1.8 s \(3 390\)\s+-\s+1.8 s\s+disk", shown)
    assert re.search(r"· birch\s+30 ms \(18\)\s+-\s+0 s \(0\)", shown)
    assert re.search(r"cedar\s+6\s+48\s+24\s+168\s+48", part(shown, "REPAIRS"))
    assert re.search(r"cedar\s+healing\s+█+\S*\s+41 %\s+alder\s+87", shown)
    assert "cedar journal 41 012 of 100 000   may be away 12 min 34" in shown
    assert re.search(r"birch\s+up\s+live\s+● ● ●\s+−2.1 ms\s+340 µs", part(shown, "PEERS"))
    assert re.search(r"socket full\s+168\s+14 /s", shown)
    assert re.search(r"bad tag\s+5\s+0 /s", shown)
    desk.select("lag", "alder")
    assert re.search(r"cedar\s+up\s+healing\s+● ● ○", part(page(desk, "lag", 160, 40), "PEERS"))


def test_at_80_columns_all_of_view_5_is_there(desk: Desk) -> None:
    desk.select("nodes", "cedar")
    shown = page(desk, "lag", 80, 22)
    for word in ("REPLICA", "REPAIRS", "HEALING", "PEERS", "NETWORK", "dropped 173"):
        assert word in shown
    assert "cedar journal 41 012 of 100 000" in shown


@pytest.mark.parametrize("verdict", ["stalled", "killed"])
def test_the_column_of_an_old_origin_is_dim_with_its_age(frames: Frames, verdict: str) -> None:
    desk = desk_of(frames, f"alder {verdict}", "birch", "cedar", ticks=ALL_TICKS)
    desk.select("nodes", "birch")
    shown = lines(desk, "lag")
    condition = {"stalled": "stopped", "killed": "killed"}[verdict]
    assert f"~ from alder: {condition}, 7.2 s old" in text_of(shown)
    row = next(line for line in shown if "3 240" in text_of([line]))
    roles = {piece.split()[-1].strip("()"): role for piece, role in row if "(" in piece}
    assert roles == {"240": "stale", "390": "warning"}
    assert "from alder: 7.2 s old" in page(desk, "overview")
    assert re.search(r"cedar.*▲ 1.8 s", page(desk, "overview")), "birch still measures"
    desk.select("nodes", "alder")
    flow = page(desk, "flow")
    assert "7.2 s old" in flow
    assert re.search(r"alder\s.*30 %\s+entries\s+--\s+--", flow), "a pace of one who is gone"
    assert re.search(r"counter 1\s+alder\s+4712\s+--\s+--\s+--", flow)


def test_a_stopped_replica_is_measured_by_the_others(frames: Frames) -> None:
    desk = desk_of(frames, "alder", "birch", "cedar stalled", ticks=ALL_TICKS)
    row = row_of(page(desk, "overview"), " cedar ")
    assert re.search(r"~ stopped.*▲ 1.8 s", row)


def test_pause_shows_the_lag_of_then(desk: Desk) -> None:
    desk.pause()
    desk.step(-6)
    assert re.search(r"cedar\s+810 ms \(3 240\)\s+900 ms \(3 390\)", page(desk, "lag"))
    assert "▲ 1.8 s" not in page(desk, "overview")


def test_a_baseline_counts_what_was_lost_since(frames: Frames) -> None:
    desk = desk_of(frames, *NAMES)
    desk.toggle_baseline()
    for tick in (13, 14):
        desk.absorb([frames[name][tick - 1] for name in NAMES], tick * 10**9, 1.0)
    shown = part(page(desk, "lag", 160, 40), "REPAIRS")
    assert "since the mark" in shown
    assert re.search(r"cedar\s+6\s+8\s+4\s+28\s+8", shown)


def test_what_was_lost_since_a_mark_that_is_forgotten_is_not_known(frames: Frames) -> None:
    desk = desk_of(frames, *NAMES)
    desk.settings.baseline = 1000
    assert re.search(r"cedar\s+6\s+--\s+--\s+--\s+--", part(page(desk, "lag", 160, 40), "REPAIRS"))


@pytest.mark.parametrize(("width", "view"), [(80, "overview"), (80, "lag"), (160, "lag")])
def test_with_nobody_left_to_measure_nobody_is_said_to_keep_up(
    frames: Frames, width: int, view: str
) -> None:
    desk = desk_of(frames, *(f"{name} stalled" for name in NAMES), ticks=ALL_TICKS)
    shown = page(desk, view, width, 40)
    assert "nobody says now who is behind" in shown and "nobody is behind" not in shown


def test_a_member_elsewhere_is_known_by_what_its_peers_say(frames: Frames) -> None:
    desk = desk_of(frames, "alder")
    shown = page(desk, "lag", 160, 40)
    assert re.search(r"\? cedar\s+▲ 1.6 s \(3 240\)\s+--\s+-\s", shown)
    assert re.search(r"alder\s+-\s+-- \(11\)\s+-- \(30\)", shown), "its own streams say how many"
    flow = page(desk, "flow", 160, 40)
    assert re.search(r"▲ cedar\s.*78 %\s+entries\s+--\s+--\s+4 868\s+--", flow)
    desk.select("lag", "cedar")
    assert desk.settings.node == "alder", "what is not read here cannot be looked at"
    assert re.search(r"▸\? cedar", page(desk, "lag"))


def test_without_a_cluster_its_views_and_columns_are_absent(desk: Desk, frames: Frames) -> None:
    assert [view.digit for view in views_of(desk.scene(80, 24))] == list("12345679")
    assert "PACE/s" in page(desk, "overview")


def test_a_filter_and_zoom_show_writers_alone(desk: Desk) -> None:
    desk.settings.filter = Filter.parse("cedar")
    shown = page(desk, "flow")
    assert "counter 3" in shown
    assert "counter 2" not in shown
    desk.settings.zoomed = True
    desk.settings.filter = Filter()
    desk.sort("writers", "allowed")
    desk.invert("writers")
    shown = page(desk, "flow")
    assert "BACKLOG" not in shown
    assert shown.index("counter 3") < shown.index("counter 1")


def test_every_glyph_has_an_ascii_stand_in(desk: Desk) -> None:
    shown = "".join(page(desk, view.name, 200, 60) for view in VIEWS).translate(ASCII)
    assert shown.isascii()
    assert "?" not in shown.replace("? help", "")


# ---------------------------------------------------------------------- agreement with dump
class Dumped(Protocol):
    """Returns a panel's figures, by their names."""

    def __call__(self, node: str, name: str, instance: str = "") -> dict[str, Any]: ...


@pytest.fixture
def dumped(desk: Desk) -> Dumped:
    """What `isinglass dump --json` prints of the snapshots that are on the screen."""
    snapshots = [node.snapshot for node in desk.scene(80, 24).frame.nodes if node.snapshot]
    selection = Selection(Command("dump", "", options=OPTIONS).parse([]))
    nodes = {node["node"]: node for node in json.loads(document(snapshots, selection))["nodes"]}

    def panel(node: str, name: str, instance: str = "") -> dict[str, Any]:
        for process in nodes[node]["processes"]:
            for each in process["panels"]:
                if (each["panel"], each["instance"]) == (name, instance):
                    return {field["field"]: field["value"] for field in each["fields"]}
        raise KeyError((node, name, instance))

    return panel


def test_the_lags_on_the_screen_are_those_of_the_dump(desk: Desk, dumped: Dumped) -> None:
    shown = page(desk, "lag", 160, 40)
    for replica in NAMES:
        cells = re.findall(r"\S+ \S+ \([\d ]+\)|(?<=\s)-(?=\s)", node_row(shown, replica))
        wanted = []
        for origin in NAMES:
            if origin == replica:
                wanted.append("-")
                continue
            peer = dumped(origin, "peer", replica)
            updates = text.count(peer["lag_updates"])
            wanted.append(f"{text.seconds(peer['lag_seconds'])} ({updates})")
        assert cells == wanted


def test_repairs_and_heals_on_the_screen_are_those_of_the_dump(desk: Desk, dumped: Dumped) -> None:
    shown = page(desk, "lag", 240, 40)
    for name in NAMES:
        others = [dumped(name, "stream", other) for other in NAMES if other != name]
        sums = {key: sum(each[key] for each in others) for key in others[0]}
        own = dumped(name, "cluster")
        row = next(line for line in part(shown, "REPAIRS").split("\n") if f" {name} " in line)
        figures = (
            *(sums["missing"], sums["gaps"], sums["lost_network"], sums["lost_socket"]),
            *(own["repaired"], own["repairs_asked"], own["repairs_served"]),
            *(own["repairs_suppressed"], sums["duplicates"]),
        )
        wanted = r"\s+".join(text.count(figure) for figure in figures)
        assert re.search(rf"{name}\s+{wanted}\s", row)
        away = text.seconds(own["away_seconds"])
        healing = rf"{own['divergent']}\s+{away}\s+{text.count(own['copied'])}\s+{own['heals']}"
        assert re.search(rf"{own['state']}\s.*{healing}\s", row)


def test_flow_on_the_screen_is_that_of_the_dump(desk: Desk, dumped: Dumped) -> None:
    shown = page(desk, "flow", 200, 40)
    for name in NAMES:
        flow = dumped(name, "flow")
        row = node_row(shown, name)
        figures = [text.count(flow[key]) for key in ("allowed", "demand", "admitted")]
        assert re.search(r"\s+".join(figures), row)
        assert text.share(flow["backlog"]) in row
        assert text.count(flow["retired"]) in row
        ends = [flow[key] for key in ("full_in", "drained_in") if flow[key] > 0]
        assert all(text.seconds(end) in row for end in ends)
        assert f"{flow['settling'] / flow['report_age']:.1f}" in row
        client = dumped(name, "client", name)
        writer = next(
            line for line in shown.split("\n") if re.search(rf"counter \d\s+{name}", line)
        )
        assert text.seconds(client["throttled_time"]) in writer
        assert text.count(client["throttled"]) in writer
    seen = dumped("alder", "flow")
    assert f"limited by {seen['limiter']}, by {seen['limited_by']}" in shown
    rate, demand = text.rate(seen["cluster_rate"]), text.rate(seen["cluster_demand"])
    assert f"allowed {rate} of {demand}" in shown
