"""Every view is a function of a scene: at any size nothing wraps, and what is old is never live."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from console.stage import SECOND, SOURCE, START_NS, Stage
from isinglass.glass.snapshot import Verdict
from isinglass_console.model import spots
from isinglass_console.model.filter import Filter
from isinglass_console.model.heat import Tally
from isinglass_console.screens import source, waiting
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.panes import thread_key
from isinglass_console.screens.status import key_line, status_line
from isinglass_console.screens.views import VIEWS, page_of, shown_view, views_of
from isinglass_console.sources.files import SourceFiles, compared
from isinglass_console.widgets.glyphs import ASCII
from isinglass_console.widgets.line import Block, cells, text_of
from programs import program

SIZES = [(80, 24), (100, 30), (120, 36), (160, 48), (200, 60), (60, 12), (33, 5)]


def page(desk: Desk, view: str, width: int = 120, height: int = 34) -> str:
    desk.settings.view = view
    scene = desk.scene(width, height)
    return text_of(shown_view(scene).build(scene, SourceFiles()).block.lines)


def row_of(text: str, word: str) -> str:
    return next(line for line in text.split("\n") if word in line)


def applier_key(desk: Desk) -> str:
    node = desk.scene(80, 24).node
    assert node is not None and node.snapshot is not None and node.snapshot.owner is not None
    owner = node.snapshot.owner
    return thread_key(owner, next(t for t in owner.threads if t.name == "applier"))


def test_lines_are_those_that_python_counts() -> None:
    form_feed = b"a = 1\n\x0cb = 2\r\nc = 3\rd = '\xe2\x80\xa8'\n"
    assert compared(form_feed, "").lines == ("a = 1", "\x0cb = 2", "c = 3", "d = '\u2028'")


def test_the_trend_of_a_line_is_of_its_seconds_however_many_frames_they_have(alder: Stage) -> None:
    desk = Desk(0.1)
    for tick in range(1, 291):
        # Looks are counted once a second; nobody looked before the last three.
        counted = tick > 260 and tick % 10 == 0
        reading = alder.reading(tick)
        reading = reading if counted else replace(reading, tally=Tally())
        desk.absorb([reading], START_NS + tick * SECOND // 10, 0.1)
    scene = desk.scene(120, 34)
    opened, files = source.Opened(), SourceFiles()
    shown = text_of(source.build(scene, applier_key(desk), opened, files)[0].block.lines)
    assert re.search(r" 30 s  {27,}▂{3} ", shown), shown


def die(desk: Desk, alder: Stage, verdict: str = Verdict.KILLED, seconds: int = 8) -> None:
    for tick in range(13, 13 + seconds):
        reading = alder.reading(tick, verdict, tick - 12 + 0.2)
        desk.absorb([reading], START_NS + tick * SECOND, 1.0)


def assert_exact(block: Block, width: int) -> None:
    for line in block.lines:
        assert sum(cells(text) for text, _ in line) == width, text_of([line])
    for hit in block.hits:
        assert 0 <= hit.left < hit.right <= width
        assert 0 <= hit.y < len(block.lines)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_no_line_of_any_view_is_too_long_or_too_short(
    desk: Desk, alder: Stage, width: int, height: int
) -> None:
    for dead in (False, True):
        if dead:
            die(desk, alder)
        for zoomed, turned in ((False, False), (True, False), (False, True), (True, True)):
            desk.settings.zoomed = zoomed
            desk.settings.columns = desk.settings.everywhere = turned
            desk.settings.baseline = 3 if turned else None
            desk.settings.heat_of = spots.EVERYWHERE if turned else spots.THREAD
            scene = desk.scene(width, height)
            for view in VIEWS:
                block = view.build(scene, SourceFiles()).block
                assert_exact(block, width)
                assert len(block.lines) <= height or height < 12, view.name
        opened = source.Opened()
        shown, _ = source.build(desk.scene(width, height), applier_key(desk), opened, SourceFiles())
        assert_exact(shown.block, width)
        assert_exact(status_line(scene), width)
        assert_exact(key_line(scene, [("1", "overview")], ["q quit"]), width)
        assert_exact(waiting.build(scene).block, width)


def test_the_overview_says_who_is_in_trouble_and_why(desk: Desk) -> None:
    shown = page(desk, "overview", 160, 48)
    row = row_of(shown, "▸")
    assert "alder" in row
    assert "▲ backlog" in row
    assert "97 %" in row
    assert "84 %" in row, "4 200 of 5 000 wait"
    assert "1 120" in row
    assert "backlog of its limit 84 %" in row
    for pane in ("PROBES", "QUEUE MERGES", "TIMERS", "STORE"):
        assert pane in shown
    assert re.search(r"superseded\s+6 120 /s\s+█+.*66 %", shown)
    assert re.search(r"applier\s+○ store/engine.py:10\s+.*80 %", shown)
    assert "commit took 1 204 ms" in shown


def test_a_stopped_node_is_old_and_says_for_how_long(desk: Desk, alder: Stage) -> None:
    die(desk, alder, Verdict.STALLED)
    assert "STOPPED: has not moved for 8.2 s" in text_of(status_line(desk.scene(120, 1)).lines)
    row = row_of(page(desk, "overview"), "▸")
    assert "~ stopped" in row
    assert "1 120" not in row, "a rate of a node that does not move"
    shown = page(desk, "overview")
    assert "8.2 s old" in shown
    assert "6 120 /s" not in shown


@pytest.mark.parametrize(("verdict", "seconds", "known"), [
    (Verdict.STALLED, 4, True), (Verdict.STALLED, 6, False), (Verdict.KILLED, 1, False),
])  # fmt: skip
def test_what_is_older_than_five_intervals_is_not_compared(
    desk: Desk, alder: Stage, verdict: str, seconds: int, known: bool
) -> None:
    die(desk, alder, verdict, seconds)
    desk.settings.zoomed = True
    row = row_of(page(desk, "overview", 200, 20), "▸")
    assert ("97 %" in row, "84 %" in row, "1.8 s" in row) == (known, known, known)
    assert known or not re.search(r"\d", row.partition("STOPPED")[0].partition("KILLED")[0]), row
    desk.settings.columns = True
    shown = page(desk, "overview", 200, 40)
    for figure, value in (("load", "97 %"), ("backlog", "84 %"), ("length", "4 200")):
        assert row_of(shown, f" {figure} ").endswith(f" {value}" if known else " --")
    page_lines = page_of(desk.scene(200, 40), SourceFiles()).block.lines
    thread = next(line for line in page_lines if text_of([line])[1:].startswith("applier"))
    assert {role for piece, role in thread if "engine.py" in piece or piece == "●"} == {"stale"}


def test_a_killed_node_is_shown_post_mortem(desk: Desk, alder: Stage) -> None:
    die(desk, alder)
    status = text_of(status_line(desk.scene(120, 1)).lines)
    assert "✖ KILLED 14:03:13, last seen 1.2 s before" in status
    assert "0 up" in status
    shown = page(desk, "overview")
    assert "✖ killed" in shown
    assert "late" not in row_of(shown, "statistics"), "who is dead is not late"
    probes = page(desk, "probes")
    assert re.search(r"daemon\s+✖ killed\s+applier\s+● store/engine.py:8", probes)


def test_old_figures_have_no_bright_role(desk: Desk, alder: Stage) -> None:
    die(desk, alder)
    for view, word in [("overview", "superseded"), ("queue", "waiting"), ("store", "LMDB file")]:
        desk.settings.view = view
        scene = desk.scene(120, 34)
        lines = page_of(scene, SourceFiles()).block.lines
        found = [line for line in lines if any(word in text for text, _ in line)]
        roles = {role.split("+")[0] for line in found for text, role in line if text.strip()}
        assert found
        assert roles <= {"stale", "dim", "rule"}, view


def test_the_source_has_heat_and_the_proof_of_its_hash(desk: Desk, alder: Stage) -> None:
    files = SourceFiles()
    key = applier_key(desk)
    shown, opened = source.build(desk.scene(120, 30), key, source.Opened(), files)
    text = text_of(shown.block.lines)
    assert "same hash" in text
    assert "20 samples/s for 10 s, 200 taken" in text
    assert re.search(r"8\s+mark\(.put.\)\s+18 %\s+2 %", text)
    assert re.search(r"10\s+mark.waiting\(.fsync.\)\s+80 %", text)
    assert "▸    8" in text, "where it stands now"
    path = Path(opened.path)
    path.write_text(SOURCE.replace("put(", "insert("))
    text = text_of(source.build(desk.scene(120, 30), key, opened, files)[0].block.lines)
    assert "NOT what the process runs" in text
    path.unlink()
    text = text_of(source.build(desk.scene(120, 30), key, opened, files)[0].block.lines)
    assert "cannot be read here" in text


def test_the_hot_lines_of_a_thread_are_divided(desk: Desk) -> None:
    desk.select("threads", applier_key(desk))
    shown = page(desk, "probes", 160, 40)
    assert re.search(r"80 %\s+█+.*80 %\s+store/engine.py:10", shown)
    assert re.search(r"20 %\s+█+.*18 %\s+2 %\s+store/engine.py:8\s+mark\(", shown)
    assert "HOTTEST OF THE NODE" in shown


def test_the_queue_view_has_counts_rates_and_shares(desk: Desk) -> None:
    shown = page(desk, "queue", 160, 40)
    assert re.search(r"rolled\s+1 960 /s\s+█+.*21 %\s+23 520\s+21 %", shown)
    assert "waiting 4 200 of 5 000" in shown
    assert "written per byte 1.31" in shown
    assert "writes avoided 88 %" in shown
    assert "OLDEST" in shown


def test_a_baseline_counts_instead_of_rates(desk: Desk, alder: Stage) -> None:
    desk.toggle_baseline()
    desk.absorb([alder.reading(13)], START_NS + 13 * SECOND, 1.0)
    desk.absorb([alder.reading(14)], START_NS + 14 * SECOND, 1.0)
    assert re.search(r"offered\s+18 680\s+█", page(desk, "queue"))
    assert re.search(r"queue\s+offered\s.*\+18 680", page(desk, "panels", 160, 60))
    desk.toggle_baseline()
    assert "9 340 /s" in page(desk, "queue")


def test_the_store_view_has_latencies_tables_and_sizes(desk: Desk) -> None:
    shown = page(desk, "store", 120, 40)
    assert re.search(r"commit\s+\S+ \S+\s+\S+ \S+\s+90 ms\s+90 ms\s+3", shown)
    assert re.search(r"orders\s+48 000\s+11.4 MiB", shown)
    assert re.search(r"by total\s+48 000", shown)
    assert "300 MiB, 29 % of 1.0 GiB" in shown
    assert re.search(r"statistics\s+1.0 s\s+300 ms ago", shown)


def test_every_field_of_every_panel_is_in_the_panels_view(desk: Desk) -> None:
    node = desk.scene(200, 400).node
    assert node is not None and node.snapshot is not None and node.snapshot.owner is not None
    shown = page(desk, "panels", 200, 400)
    for panel in node.snapshot.owner.panels:
        for field in panel.fields:
            line = rf"{panel.name}.*\s{re.escape(field.name)}\s.*{re.escape(field.unit)}"
            assert re.search(line, shown), f"{panel.name}.{field.name}"


FOREIGN = """
import sys
from isinglass import Counter, Panel, Real, attach
class GreeterPanel(Panel):
    '''Who was greeted.'''
    greeted = Counter("visitors", "Visitors that were greeted.")
    mood = Real("share", "How friendly.")
attach("greeter"); panel = GreeterPanel()
panel.greeted, panel.mood = 41, 0.5
print("ready", flush=True); sys.stdin.read()
"""


def test_a_daemon_that_is_not_ours_shows_its_own_panels(home: Path) -> None:
    from isinglass_console.sources.local import LocalSource

    with program(FOREIGN):
        local = LocalSource("greeter")
        desk = Desk()
        desk.absorb([local.read()], START_NS, 1.0)
        local.close()
    assert [view.digit for view in views_of(desk.scene(80, 24))] == ["1", "2", "7", "9"]
    for width, height in SIZES:
        shown = page(desk, "overview", width, height)
        if width >= 80:
            assert "41 visitors" in shown
            assert "GREETER" in shown
    assert "QUEUE" not in shown
    assert re.search(r"greeter\s+greeted\s+41 visitors.*Visitors that were", page(desk, "panels"))
    assert page(desk, "queue") == page(desk, "overview"), "an absent view is not an empty one"


def test_a_filter_lets_rows_through(desk: Desk) -> None:
    desk.settings.filter = Filter.parse("oldest|avoided")
    shown = page(desk, "panels")
    assert "avoided" in shown
    assert "superseded" not in shown


def test_pausing_shows_the_past_and_says_so(desk: Desk, alder: Stage) -> None:
    desk.pause()
    desk.step(-7)
    die(desk, alder, seconds=2)
    status = text_of(status_line(desk.scene(120, 1)).lines)
    assert "PAUSED −00:09" in status
    assert "KILLED" not in status
    assert "14:03:05" in status
    assert "70 %" in row_of(page(desk, "overview"), "▸"), "3 500 of 5 000 waited then"
    desk.live()
    assert "KILLED" in text_of(status_line(desk.scene(120, 1)).lines)


def test_every_glyph_has_an_ascii_stand_in(desk: Desk) -> None:
    shown = "".join(page(desk, view.name, 200, 60) for view in VIEWS).translate(ASCII)
    assert shown.isascii()
    assert "?" not in shown.replace("? help", "")
