"""Two recordings side by side, or two moments: what changed most, on the screen and for scripts."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from cli.commands import isinglass
from console.playing import play, screen_text, until
from console.stage import FSYNC, MODULE, PUT, SECOND, START_NS, Stage, filled_desk
from console.test_replay import shown, status
from isinglass.errors import UsageError
from isinglass.glass.schedstat import Usage
from isinglass_console.app import IsinglassApp
from isinglass_console.model.comparison import Change, Comparison, changes, means
from isinglass_console.model.figures import FIGURES
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.heat import Tally
from isinglass_console.recording.opened import opened
from isinglass_console.recording.reading import Recording
from isinglass_console.recording.recorder import Recorder
from isinglass_console.screens.comparison import shown_ratio
from isinglass_console.screens.desk import Desk

VALUES = st.dictionaries(
    st.sampled_from(["alder", "birch"]),
    st.dictionaries(st.sampled_from(sorted(FIGURES)), st.floats(0, 1e9), max_size=5),
    max_size=2,
)


@given(VALUES, VALUES)
def test_what_changed_most_is_first_whichever_way_it_went(
    before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]
) -> None:
    found = changes(before, after)
    assert {(c.node, c.figure) for c in found} == {
        (node, figure) for side in (before, after) for node in side for figure in side[node]
    }
    weights = [change.weight for change in found]
    assert weights == sorted(weights, reverse=True)
    back = {(c.node, c.figure): c.weight for c in changes(after, before)}
    assert all(back[c.node, c.figure] == pytest.approx(c.weight, abs=1e-9) for c in found)


def test_nothing_and_unknown_are_told_apart() -> None:
    assert Change("alder", "load", 0.0, 2.0).weight > Change("alder", "load", 0.5, 2.0).weight
    assert Change("alder", "load", 0.0, 0.005).weight == 0, "nobody would look at it"
    assert Change("alder", "length", 0.0, 2.3).weight == 0
    assert Change("alder", "load", 0.0, 0.0).weight == 0
    assert Change("alder", "load", nan, 2.0).weight < 0
    assert isnan(Change("alder", "load", 0.0, 2.0).ratio)
    assert Change("alder", "load", 2.0, 1.0).weight == Change("alder", "load", 1.0, 2.0).weight
    seconds = [{"alder": {"load": 1.0}}, {"alder": {"load": 3.0, "pace": 5.0}}, {}]
    assert means(seconds) == {"alder": {"load": 2.0, "pace": 5.0}}


def test_a_pace_without_a_limit_is_free_and_no_number(tmp_path: Path) -> None:
    seconds = [{"alder": {"pace": pace}} for pace in (inf, 4.0, inf, 8.0)]
    assert means(seconds) == {"alder": {"pace": 6.0}}
    assert means(seconds[:1]) == {"alder": {"pace": inf}}
    assert [shown_ratio(Change("a", "pace", inf, after)) for after in (inf, 9.0)] == ["=", "--"]
    pairs = ((0.0, 0.5), (0.5, 0.0), (0.5, 0.5), (2.0, 1.0), (0.0001, 0.95))
    told = [shown_ratio(Change("a", "load", *pair)) for pair in pairs]
    assert told == ["new", "gone", "=", "×0.5", "×9 500"]
    for name, pace in (("free", inf), ("held", 5000.0)):
        recorder = Recorder(tmp_path / name, START_NS, durable=False)
        node = NodeFrame("alder", "up", figures={"pace": pace})
        recorder.take(Frame(0, START_NS, 1.0, (node,)), [])
        recorder.close()
    both = [str(tmp_path / name) for name in ("free", "held")]
    document = isinglass("compare", *both, "--json").stdout
    (row,) = json.loads(document, parse_constant=_none)["figures"]
    assert (row["before"], row["after"]) == (None, 5000.0)
    assert "free" in isinglass("compare", *both).stdout
    desk = Desk(recorded=(now := opened(both[1], both[0])).recording, comparison=now.comparison)
    lines = "\n".join(shown(desk, "compare", 120, 30))
    assert re.search(r"alder +pace +free +5 000 updates/s +-- ", lines)


def _none(constant: str) -> None:
    raise AssertionError(f"JSON has no {constant}")


def hot(puts: int, waits: int) -> Tally:
    """Return a second of the applier's samples: on the line that puts, and on fsync."""
    tally = Tally(taken=20, late=0, seconds=1.0)
    words = MODULE << 16 | PUT, MODULE << 16 | FSYNC
    tally.put((0, 1, 0), dict(zip(words, (puts, waits), strict=True)), {words[1]}, Usage(10**9, 0))
    return tally


def run(path: Path, alder: Stage, from_tick: int, puts: int, ticks: int = 20) -> None:
    """Record some seconds of a node; its queue is longer at later ticks."""
    desk, recorder = Desk(), Recorder(path, START_NS, durable=False)
    for tick in range(from_tick, from_tick + ticks):
        reading = alder.reading(tick)
        owner = reading.snapshot.owner if reading.snapshot is not None else None
        assert owner is not None
        key = next(
            (owner.slot, owner.claim, thread.index)
            for thread in owner.threads
            if thread.name == "applier"
        )
        sampled = hot(puts, 20 - puts)
        tally = Tally(taken=20, late=0, seconds=1.0, sampled={key: sampled.sampled[0, 1, 0]})
        frame = desk.absorb([replace(reading, tally=tally)], START_NS + tick * SECOND, 1.0)
        recorder.take(frame, desk.hub.fresh)
    recorder.close()


@pytest.fixture
def runs(alder: Stage, tmp_path: Path) -> tuple[Path, Path]:
    """The same node on two days: on the second one its queue is longer, and it puts more."""
    old, new = tmp_path / "old.recording", tmp_path / "new.recording"
    run(old, alder, 1, 4)
    run(new, alder, 101, 16)
    return old, new


def replay(new: Path, old: Path, at: str = "", old_at: str = "") -> Desk:
    found = opened(str(new), str(old), at, old_at)
    desk = Desk(1.0, found.recording, found.comparison)
    desk.go_to(found.at_ns)
    return desk


def test_two_recordings_go_on_side_by_side(runs: tuple[Path, Path]) -> None:
    old, new = runs
    desk = replay(new, old)
    desk.step(12)
    lines = shown(desk, "compare", 120, 34)
    assert "after: 14:04:53   before: 14:03:13, old" in lines[0]
    (row,) = (line for line in lines if " length " in line)
    # Means of the ten seconds before: ticks 104 to 113, and 4 to 13.
    assert "13 850 updates" in row and "3 850 updates" in row and "×3.6" in row
    assert "Δ old" in status(desk)
    desk.step(5)
    assert "before: 14:03:18, old" in shown(desk, "compare", 120, 34)[0]
    unchanged = next(line for line in shown(desk, "compare", 120, 34) if " load " in line)
    assert " = " in unchanged


def test_what_got_hotter_is_told_across_two_recordings(runs: tuple[Path, Path]) -> None:
    old, new = runs
    desk = replay(new, old)
    desk.step(15)
    text = "\n".join(shown(desk, "probes", 120, 34))
    assert "CHANGE" in text
    assert any("+60 %" in line and "engine.py:8" in line for line in text.split("\n"))
    assert any("−60 %" in line and "engine.py:10" in line for line in text.split("\n"))
    desk.toggle_baseline()
    desk.step(1)
    assert "Δ since the mark" in status(desk)
    assert "+60 %" not in "\n".join(shown(desk, "probes", 120, 34)), "the mark goes before"


def test_the_moments_beside_each_other_can_be_chosen(runs: tuple[Path, Path]) -> None:
    old, new = runs
    desk = replay(new, old, "-3s", "-10s")
    assert desk.comparison is not None
    assert desk.scene(120, 34).frame.wall_ns == START_NS + 117 * SECOND
    beside = desk.scene(120, 34).beside
    assert beside is not None and beside.frame.wall_ns == START_NS + 10 * SECOND
    desk.go_to(START_NS + 101 * SECOND)
    assert desk.scene(120, 34).beside is None, "it had not begun then"
    assert isinstance(desk.comparison, Comparison)


def test_one_recording_is_compared_with_itself(runs: tuple[Path, Path]) -> None:
    _, new = runs
    desk = replay(new, new, "-1s", "-11s")
    lines = shown(desk, "compare", 120, 34)
    assert "before: 14:04:49, new" in lines[0]
    with pytest.raises(UsageError, match="--compare-at"):
        opened(str(new), "", "", "-1s")


def test_a_mark_fills_the_view_of_a_live_console(alder: Stage, tmp_path: Path) -> None:
    desk = filled_desk(alder)
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("0")
        assert "nothing is compared" in screen_text(app)
        await pilot.press("space", "[", "[", "[", "=", "L", "0")
        await until(app, pilot, lambda: "WHAT CHANGED MOST" in screen_text(app))
        assert "the mark" in screen_text(app) and "0 compare" in screen_text(app)

    play(app, script)


# ------------------------------------------------------------------ for scripts
def test_scripts_get_the_same_figures(runs: tuple[Path, Path]) -> None:
    old, new = (str(path) for path in runs)
    document = json.loads(isinglass("compare", old, new, "--json").stdout)
    rows = {(row["node"], row["figure"]): row for row in document["figures"]}
    length = rows["alder", "length"]
    assert length["before"] == 3000 + 100 * 10.5 and length["after"] == 3000 + 100 * 110.5
    assert length["ratio"] == pytest.approx(length["after"] / length["before"])
    assert rows["alder", "load"]["ratio"] == 1.0
    first = document["figures"][0]
    assert first["figure"] in ("length", "backlog"), "what changed most"
    assert document["lines"] == []
    at = json.loads(isinglass("compare", old, new, "--at", "-2s", "--json").stdout)
    (line,) = (one for one in at["lines"] if ":8 " in one["line"])
    assert line["before"] == pytest.approx(0.2) and line["after"] == pytest.approx(0.8)
    recordings = [Recording(path) for path in runs]
    shown_figures = [means(each.figures(each.newest - 11, each.newest - 2)) for each in recordings]
    by_figure = {row["figure"]: row for row in at["figures"]}
    for figure, value in shown_figures[1]["alder"].items():
        assert by_figure[figure]["after"] == value
        assert by_figure[figure]["before"] == shown_figures[0]["alder"][figure]


def test_people_get_a_table_and_others_columns(runs: tuple[Path, Path]) -> None:
    old, new = (str(path) for path in runs)
    done = isinglass("compare", old, new, "--at", "-2s", "--compare-at", "-2s")
    assert "Where time went" in done.stdout and "engine.py:8" in done.stdout
    assert done.stdout.split("\n")[0].split() == [
        "node",
        "figure",
        "before",
        "after",
        "ratio",
        "unit",
    ]
    assert "before 2026" in done.stderr
    chosen = ("--tsv", "--fields", "figure,ratio", "--select", "ratio > 2", "--sort", "figure")
    lines = isinglass("compare", old, new, *chosen).stdout.strip().split("\n")
    assert lines[0] == "figure\tratio" and lines[1].startswith("backlog\t")
    for wrong, says in (
        (("--compare-at", "-2s"), "give that, too"),
        (("--at", "soon"), "no time"),
        (("--fields", "nothing"), "no column"),
    ):
        assert says in isinglass("compare", old, new, *wrong, expect=2).stderr
    assert "no recording" in isinglass("compare", old, f"{new}-none", expect=1).stderr
    beyond = isinglass(
        "compare", f"{old}", new, "--at", "-1s", "--compare-at", "2020-01-01", expect=2
    )
    assert "choose with --compare-at" in beyond.stderr
    assert "goes with --replay" in isinglass("console", "--compare", old, expect=2).stderr
