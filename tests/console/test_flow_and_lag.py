"""What the console works out of flow and lag by itself: outlooks, fair parts, the worst of all."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.staged_cluster import NAMES, Frames, desk_of
from isinglass.glass.panel_views import PanelView
from isinglass.glass.schema import FieldSchema, PanelSchema
from isinglass_console.model import format as text
from isinglass_console.model.board import Severity
from isinglass_console.model.flow import FlowRow, Outlook, fair_limits, held_fields, outlook
from isinglass_console.model.lag import LagCell, LagRow, lag_matrix
from isinglass_console.screens import columns

RATES = st.lists(st.floats(0, 1e6), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("backlog", "full_in", "drained_in", "own", "wanted"),
    [
        (0.5, 5.0, 0.0, True, Outlook("rising", "full", 5.0)),
        (0.5, 0.0, 5.0, True, Outlook("falling", "drained", 5.0)),
        (0.5, 0.0, 0.0, True, Outlook("steady")),
        (0.5, 90_000.0, 0.0, True, Outlook("steady")),
        (0.001, 0.0, 0.2, True, Outlook("steady")),
        (0.001, 2000.0, 0.0, True, Outlook("steady")),
        (0.001, 30.0, 0.0, True, Outlook("rising", "full", 30.0)),
        (1.0, 0.0, 0.0, True, Outlook("full")),
        (0.5, nan, nan, True, Outlook("steady")),
        (0.5, nan, nan, False, Outlook("")),
    ],
)
def test_where_a_backlog_goes(
    backlog: float, full_in: float, drained_in: float, own: bool, wanted: Outlook
) -> None:
    row = FlowRow("a", own, backlog, "bytes", 0, 0, full_in=full_in, drained_in=drained_in)
    going = outlook(row)
    assert (going.word, going.end) == (wanted.word, wanted.end)
    assert going.seconds == pytest.approx(wanted.seconds, nan_ok=True)


@given(st.floats(0, 1e6), RATES)
def test_fair_parts_use_all_and_no_more(allowed: float, demands: list[float]) -> None:
    limits = fair_limits(allowed, demands)
    got = sum(min(pair) for pair in zip(demands, limits, strict=True))
    assert got == pytest.approx(min(allowed, sum(demands)), rel=1e-6, abs=1e-6)
    assert all(limit <= allowed * (1 + 1e-9) for limit in limits)


@given(st.floats(1, 1e6), RATES)
def test_nobody_who_is_held_gets_less_than_another(allowed: float, demands: list[float]) -> None:
    limits = fair_limits(allowed, demands)
    held = [limit for limit, demand in zip(limits, demands, strict=True) if demand > limit]
    others = [min(pair) for pair in zip(demands, limits, strict=True)]
    for limit in held:
        assert limit == pytest.approx(max(others), rel=1e-6)


def test_without_a_limit_nobody_has_one() -> None:
    assert fair_limits(inf, [1.0, 2.0]) == [inf, inf]
    assert isnan(fair_limits(nan, [1.0])[0])
    assert text.pace(inf) == "free"
    assert text.pace(8200.0) == "8 200"
    assert [columns.shown(pace, "updates/s") for pace in (inf, nan)] == ["free", "--"]


def panel(*names: str) -> PanelView:
    schema = PanelSchema("client", 8 * len(names), "")
    schema.fields = [
        FieldSchema(name, "real", 8 * at, 8, "seconds", "info", "Help.")
        for at, name in enumerate(names)
    ]
    return PanelView(schema, "alder", bytes(8 * len(names)), 0)


def test_the_time_held_up_is_counted_as_finely_as_the_client_does() -> None:
    assert held_fields(panel("waited", "throttled_time")) == ("throttled_time", "throttled")
    assert held_fields(panel("waited")) == ("waited", "waits")


def test_the_furthest_behind_is_the_worst_and_old_figures_are_no_judge() -> None:
    cells = {"a": LagCell(900, 2.0, stale=True), "b": LagCell(5, 0.1), "c": LagCell(90, nan)}
    row = LagRow("d", cells, ())
    assert row.worst_origin == "b"
    assert cells["a"].severity == Severity.STALE
    assert LagCell(1, 1.0).severity == Severity.WARNING
    assert LagCell(1, 31.0).severity == Severity.CRITICAL
    assert LagCell(1, nan).severity == Severity.WELL
    assert LagRow("d", {}, ()).worst is None


def test_the_matrix_has_every_member_but_not_itself(frames: Frames) -> None:
    scene = desk_of(frames, *NAMES).scene(80, 24)
    assert scene.node is not None
    matrix = lag_matrix(scene.frame, scene.node)
    assert matrix.origins == NAMES
    assert [sorted(row.cells) for row in matrix.rows] == [
        ["birch", "cedar"], ["alder", "cedar"], ["alder", "birch"],
    ]  # fmt: skip
    assert [place for place, _ in matrix.rows[2].waits_on] == ["disk", "queue", "network"]
    assert sum(share for _, share in matrix.rows[2].waits_on) == pytest.approx(1)


def test_the_worst_lag_is_a_figure_of_the_node_with_a_trend(frames: Frames) -> None:
    scene = desk_of(frames, "alder", "birch", "cedar stalled", ticks=15).scene(80, 24)
    cedar = scene.frame.node("cedar")
    assert cedar is not None
    assert cedar.figure("lag_seconds") == pytest.approx(1.8)
    assert cedar.figure("lag_updates") == 3390
    trend = scene.trend(cedar, "lag_seconds", 5)
    assert trend[-3:] == pytest.approx([1.8, 1.8, 1.8]), "others measure it while it is stopped"
    assert all(isnan(value) for value in scene.trend(cedar, "load", 3))
