"""Keys of the desk: from trouble to trouble, nodes into columns, threads of all nodes, heat."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.playing import body, play, screen_text
from console.stage import FSYNC, MODULE, PUT, SECOND, START_NS, WORK, Stage, filled_desk, stage
from isinglass.cli.documents import node_document
from isinglass.cli.dump import COMMAND as DUMP
from isinglass.cli.selection import Selection
from isinglass.glass.schedstat import Usage
from isinglass.glass.snapshot import Verdict
from isinglass_console.app import IsinglassApp
from isinglass_console.model import format as text
from isinglass_console.model import spots
from isinglass_console.model.heat import Tally
from isinglass_console.model.log import LogEntry
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.source_screen import SourceScreen
from isinglass_console.widgets.line import text_of


@pytest.fixture
def two(alder: Stage, tmp_path: Path) -> Iterator[list[Stage]]:
    """Two nodes; birch runs a source of its own folder with the same text."""
    with stage("birch", tmp_path, pid=5000) as birch:
        yield [alder, birch]


def console(desk: Desk, tmp_path: Path) -> IsinglassApp:
    return IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")


def row(app: IsinglassApp, word: str) -> str:
    """Return the row that begins with a word, whether it is selected or not."""
    lines = screen_text(app).split("\n")
    return next(line for line in lines if line[1:].startswith(word))


# ---------------------------------------------------------------------- trouble
def test_keys_go_from_trouble_to_trouble(app: IsinglassApp) -> None:
    log = app.desk.hub.log
    for second, severity, word in ((4, 17, "broke"), (6, 13, "slow"), (9, 17, "broke again")):
        log.add([LogEntry(START_NS + second * SECOND, "alder", "daemon", severity, "x", word)])

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("e")
        assert "14:03:09 alder: broke again" in screen_text(app), "live: the newest one"
        assert "PAUSED −00:03" in screen_text(app)
        await pilot.press("E")
        assert "14:03:04 alder: broke" in screen_text(app)
        await pilot.press("E")
        assert "no error is known before this moment" in screen_text(app)
        await pilot.press("w")
        assert "14:03:06 alder: slow" in screen_text(app)
        assert "14:03:06 UTC" in screen_text(app)
        await pilot.press("w")
        assert "14:03:08 alder: backlog of its limit 76 %" in screen_text(app), "a threshold"
        await pilot.press("w", "w")
        assert "no warning is known after this moment" in screen_text(app)
        await pilot.press("W", "W", "W", "W")
        assert "14:03:01 alder: " in screen_text(app)

    play(app, script, (160, 40))


def test_a_threshold_that_was_passed_is_a_moment(desk: Desk) -> None:
    (first, *_) = desk.hub.raised
    assert (first.node, first.wall_ns) == ("alder", START_NS + SECOND)
    assert len(desk.hub.raised) == len({moment.sentence for moment in desk.hub.raised})


# ---------------------------------------------------------------------- columns
def test_nodes_turn_into_columns(two: list[Stage], tmp_path: Path) -> None:
    app = console(filled_desk(*two), tmp_path)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("|")
        head = text_of([body(app).lines[0]])
        assert "▸alder" in head and "birch" in head
        assert row(app, "load").count("97 %") == 2
        assert row(app, "backlog").count("▲ 84 %") == 2, "4 200 of 5 000 wait, at both"
        assert row(app, "applier").count("engine.py:8") == 2, "where they were at that instant"
        await pilot.press("l")
        assert "▸birch" in screen_text(app)
        await pilot.click("#body", offset=(head.index("alder"), 0))
        assert "▸alder" in screen_text(app)
        await pilot.press("slash", *"load", "enter")
        assert "backlog" not in screen_text(app)
        await pilot.press("escape", "G", "enter")
        assert app.desk.settings.view == "probes"
        await pilot.press("|", "|")
        assert "QUEUE MERGES" in screen_text(app)

    play(app, script)


def test_columns_agree_with_rows_and_old_ones_are_no_live_ones(
    two: list[Stage], tmp_path: Path
) -> None:
    desk = filled_desk(*two)
    for tick in range(13, 21):
        dead = two[1].reading(tick, Verdict.KILLED, tick - 12 + 0.2)
        desk.absorb([two[0].reading(tick), dead], START_NS + tick * SECOND, 1.0)
    app = console(desk, tmp_path)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("|")
        assert "✖ killed" in row(app, "state")
        line = next(line for line in body(app).lines if text_of([line]).startswith(" applied rate"))
        pieces = [(text.strip(), role) for text, role in line]
        assert any("1 120 /s" in text and role == "plain" for text, role in pieces)
        assert ("--", "stale") in pieces, "a dead node has no rate"

    play(app, script)


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_columns_fit(two: list[Stage], tmp_path: Path, size: tuple[int, int]) -> None:
    app = console(filled_desk(*two), tmp_path)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("|")
        assert "opened the store" in screen_text(app), "the log is below"
        for line in body(app).lines:
            assert sum(len(text) for text, _ in line) == size[0]
        await pilot.press("z")
        assert "opened the store" not in screen_text(app)

    play(app, script, size)


# ---------------------------------------------------------------------- threads and heat
def test_threads_of_all_nodes_at_one_instant(two: list[Stage], tmp_path: Path) -> None:
    app = console(filled_desk(*two), tmp_path)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "t", "slash", *"applier", "enter")
        rows = [line for line in screen_text(app).split("\n") if "engine.py:8" in line]
        assert [line.split()[0].strip("▸") for line in rows[:2]] == ["alder", "birch"]
        await pilot.press("j")
        assert app.desk.settings.node == "birch"
        await pilot.press("enter")
        assert isinstance(app.screen, SourceScreen)
        assert "birch  daemon 5000  applier" in screen_text(app)
        await pilot.press("escape", "t")
        assert "NODE" not in text_of([body(app).lines[0]])

    play(app, script, (160, 40))


def test_hot_lines_are_summed_up(two: list[Stage], tmp_path: Path) -> None:
    app = console(filled_desk(*two), tmp_path)

    def fsync() -> str:
        lines = screen_text(app).split("\n")
        at = next(number for number, line in enumerate(lines) if "HOT LINES" in line)
        return next(line for line in lines[at:] if f"engine.py:{FSYNC}" in line)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "slash", *"applier", "enter")
        assert fsync().split()[0] == "80", "of the applier's time"
        await pilot.press("u")
        assert "all threads of daemon" in screen_text(app)
        assert fsync().split()[0] == "40", "of the time of two threads"
        await pilot.press("u", "u")
        assert "all threads of all nodes" in screen_text(app)
        assert fsync().split()[0] == "40", "the same files at both nodes, in other folders"
        await pilot.press("enter", "u")
        assert app.desk.settings.heat_of == spots.THREAD

    play(app, script, (160, 40))


def test_another_version_of_a_file_is_not_summed_and_said(alder: Stage) -> None:
    desk = filled_desk(alder, ticks=3)
    node = desk.scene(0, 0).node
    assert node is not None and node.snapshot is not None
    entries = spots.entries_of(node, node.tally)
    (own,) = {entry.site.source_hash for entry in entries if entry.site is not None}
    site = next(entry.site for entry in entries if entry.site is not None)
    edited = type(site)(site.path, "0" * 64, site.line, site.function, site.label, site.waits)
    assert own != edited.source_hash
    assert spots.other_versions(entries, edited) == ["alder"]
    assert spots.other_versions(entries, site) == []
    assert not spots.of_file(spots.spots_of(entries), edited)


def test_what_got_hotter_is_shown_against_a_baseline(alder: Stage, tmp_path: Path) -> None:
    desk = filled_desk(alder)
    app = console(desk, tmp_path)

    def later(tick: int) -> None:
        """Add a second in which the applier puts all the time."""
        reading = alder.reading(tick)
        tally = Tally(taken=20, seconds=1.0)
        words = {MODULE << 16 | PUT: 20}
        key = next(key for key in reading.tally.sampled if len(reading.tally.lines(key)) == 2)
        tally.put(key, words, {MODULE << 16 | WORK}, Usage(900_000_000, 0))
        changed = replace(reading, tally=tally)
        desk.absorb([changed], START_NS + tick * SECOND, 1.0)

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("2", "slash", *"applier", "enter", "=")
        assert "CHANGE" in screen_text(app)
        for tick in range(13, 24):
            later(tick)
        app.paint()
        lines = screen_text(app).split("\n")
        hot = [line.split() for line in lines if "+80" in line or "−80" in line]
        assert [line[0] for line in hot] == ["+80", "−80"], "the hotter first"
        await pilot.press("=")
        assert "CHANGE" not in screen_text(app)

    play(app, script, (160, 40))


@pytest.mark.parametrize("name", ["out.folded", "out.json"])
def test_what_is_shown_is_written_for_other_tools(
    two: list[Stage], tmp_path: Path, name: str
) -> None:
    app = console(filled_desk(*two), tmp_path)
    path = tmp_path / name

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("X")
        assert "2 shows the threads" in screen_text(app)
        for _ in range(2):
            await pilot.press("2", "slash", *"applier", "enter", "u", "u", "u", "X")
            field = app.screen.query_one(Input)
            assert field.value.startswith("isinglass-alder-140312")
            field.value = str(path)
            await pilot.press("enter")
            await app.workers.wait_for_complete()
            await pilot.pause()
            if "cannot be written" in screen_text(app):
                break
            assert "holds the ten seconds" in screen_text(app)
            await pilot.press("u", "escape", "escape")
        assert "File exists" in screen_text(app), "nothing is overwritten"

    play(app, script, (200, 40))
    content = path.read_text()
    if name.endswith(".folded"):
        stacks = dict(line.rsplit(" ", 1) for line in content.splitlines())
        (fsync,) = (key for key in stacks if "waiting fsync" in key and key.startswith("birch"))
        assert fsync.startswith("birch daemon 5000;applier 500")
        assert fsync.endswith(";apply;engine.py:10 waiting fsync")
        assert stacks[fsync] == "160", "16 samples a second for ten seconds"
    else:
        document = json.loads(content)
        assert {p["name"].split()[0] for p in document["profiles"]} == {"alder", "birch"}
        applier = next(p for p in document["profiles"] if "applier" in p["name"])
        assert sum(applier["weights"]) == pytest.approx(10.0)


# ---------------------------------------------------------------------- agreement
def test_a_figure_on_the_screen_is_that_of_the_dump(two: list[Stage], tmp_path: Path) -> None:
    desk = filled_desk(*two)
    app = console(desk, tmp_path)
    panels: dict[str, dict[str, object]] = {}
    for node in desk.scene(0, 0).frame.nodes:
        assert node.snapshot is not None
        document = node_document(node.snapshot, Selection(DUMP.parse(["--level", "debug"])))
        daemon = json.loads(json.dumps(document))["processes"][0]
        panels[node.name] = {
            f"{panel['panel']}.{field['field']}": field["value"]
            for panel in daemon["panels"]
            for field in panel["fields"]
        }

    async def script(pilot: Pilot[int]) -> None:
        await pilot.press("|")
        for name, field, shown in AGREED:
            values = [shown(float(str(panels[node][field]))) for node in ("alder", "birch")]
            cells = row(app, name)
            for value in values:
                assert value in cells, (name, value, cells)

    play(app, script, (200, 60))


AGREED = [
    ("load", "applier.load_1s", text.share),
    ("length", "queue.backlog.entries", text.count),
    ("bytes", "queue.backlog.size", text.size),
    ("oldest", "queue.backlog.oldest", text.seconds),
    ("map share", "store.used_share", text.share),
    ("file bytes", "store.file_size", text.size),
]


# ---------------------------------------------------------------------- pictures
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
def test_columns_look_as_they_did(
    snap_compare: Callable[..., bool], two: list[Stage], tmp_path: Path, size: tuple[int, int]
) -> None:
    app = console(filled_desk(*two), tmp_path)
    assert snap_compare(app, press=["|", "l"], terminal_size=size)


def test_threads_of_all_nodes_look_as_they_did(
    snap_compare: Callable[..., bool], two: list[Stage], tmp_path: Path
) -> None:
    app = console(filled_desk(*two), tmp_path)
    assert snap_compare(app, press=["2", "t", "u", "u", "u"], terminal_size=(120, 36))
