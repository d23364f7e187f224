"""Each figure on the console's screens is the one in `dump --json` of the same moment.

A run of the real demo is recorded; the console shows it with --replay, the dump prints the same
moment with --replay --at, and the tables of `agreement_tables.py` say which figure is which.

Left out is what no snapshot has, or not for one moment: shares of probe samples, and with them the
hottest lines; sparklines, charts below their headings, and what is told from trends (means of
merging, when a lag is gone); percentiles of the commits of one interval, of which a dump has those
since the start, so that they are compared where that is the same; alarms, which a monitor tells,
and the sentences about them. The overview in 80 columns, and its panes of a node without a cluster,
say in other words what the views 3 to 6 are compared for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from textual.pilot import Pilot

from agreement_tables import HEADS, LINES, TABLES
from cli.commands import isinglass
from console.playing import play, screen_text, until
from drawn import all_agree, cell, on_line, pane
from dumped import Document, Node
from import_graph import broken
from isinglass.glass.severity import severity_name
from isinglass_console.app import IsinglassApp
from isinglass_console.model import format as text
from isinglass_console.recording.reading import Recording
from isinglass_console.screens.desk import NODE_TABLES, Desk
from system.test_demo import demo, runtime_of, wait_until_nothing_is_left

NAMES = ("alder", "birch", "cedar")
SECONDS, WAIT_SECONDS = 14, 60.0
SIZE = (240, 72)
KEYS = {"overview": "1", "columns": "|", "probes": "2", "queue": "3", "flow": "4", "lag": "5",
        "store": "6", "log": "7"}  # fmt: skip
Event = tuple[str, ...]  # time, node, process, level, flag
Screens = dict[tuple[str, str], list[str]]  # by view and node


class Moment(NamedTuple):
    """What the console shows of a recorded moment, and what the dump prints of it."""

    screens: Screens
    nodes: dict[str, Node]


@pytest.fixture
def recorded(tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A recording of the demo, and what a dump said of the events of its nodes at the end."""
    path = tmp_path / "demo.recording"
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    try:
        monkeypatch.setenv("ISINGLASS_RUNTIME_DIR", str(runtime_of(str(tmp_path))))
        isinglass("record", *NAMES, "-o", str(path), "--seconds", str(SECONDS))
        assert process.poll() is None, process.communicate()
        live = isinglass("dump", "--json", "--events", "--ended").stdout
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_SECONDS)
    wait_until_nothing_is_left(str(tmp_path), data_dir)
    return path, live


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_every_figure_is_that_of_the_dump(recorded: tuple[Path, str], tmp_path: Path) -> None:
    path, live = recorded
    recording = Recording(path)
    # The first moment has none before it: no rates, and what is timed is timed since the start.
    numbers = (recording.oldest, recording.newest - 2)
    screens = _screens(recording, numbers, tmp_path)
    moments = [
        Moment(
            screens[number], _nodes(*(_dump(path, recording, at) for at in (number, number - 1)))
        )
        for number in numbers
    ]
    recording.close()
    compared = [found for moment in moments for found in _compared(moment)]
    assert len(compared) > 1000
    broken(filter(None, compared))
    later = moments[-1].screens["log", NAMES[0]]
    broken(_strange_events(later, json.loads(live)["nodes"]))


def _screens(recording: Recording, numbers: tuple[int, ...], tmp_path: Path) -> dict[int, Screens]:
    """Return what every view shows of every node at some moments."""
    desk = Desk(recorded=recording)
    app = IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")
    screens: dict[int, Screens] = {number: {} for number in numbers}

    async def script(pilot: Pilot[int]) -> None:
        await until(app, pilot, lambda: "REPLAY" in screen_text(app))
        for number in numbers:
            desk.go_to(recording.wall_ns(number))
            for name in NAMES:
                desk.select(NODE_TABLES[0], name)
                for view, key in KEYS.items():
                    await pilot.press(key)
                    screens[number][view, name] = screen_text(app).split("\n")
                    if view == "columns":
                        await pilot.press(key)

    play(app, script, SIZE)
    return screens


def _dump(path: Path, recording: Recording, number: int) -> list[Document]:
    """Return what the command prints of a recorded moment; nothing of one before the first."""
    if number < recording.oldest:
        return []
    # The command takes a time to the microsecond, so it is rounded up.
    since = timedelta(microseconds=recording.wall_ns(number) // 1000 + 1)
    at = f"--at={(datetime.fromtimestamp(0, UTC) + since).isoformat()}"
    line = ("dump", "--replay", str(path), at, "--json", "--ended", "--level", "debug")
    return list(json.loads(isinglass(*line).stdout)["nodes"])


def _nodes(now: list[Document], before: list[Document]) -> dict[str, Node]:
    """Return the nodes of a dump by name, each of which knows the others."""
    earlier = {node["node"]: node for node in before}
    nodes: dict[str, Node] = {}
    for node in now:
        nodes[node["node"]] = Node(node, earlier.get(node["node"]), nodes)
    return nodes


def _compared(moment: Moment) -> Iterator[str]:
    """Yield a sentence for each place that does not show the figure of the dump, "" for others."""
    for name, node in moment.nodes.items():
        for view, title, rows_of in TABLES:
            lines = pane(moment.screens[view, name], title)
            for row, cells in rows_of(node).items():
                for column, wanted in cells.items():
                    found = cell(lines, row, column)
                    well = found.shows(wanted)
                    yield "" if well else f"{view}, {row}, {column}: {wanted} in {found.line!r}"
        for view, title, lines_of in LINES:
            lines = pane(moment.screens[view, name], title)
            for template, figures in lines_of(node):
                shown = on_line(lines, template)
                well = all_agree(shown, figures)
                yield "" if well else f"{view} of {name}, {template}: {figures} is {shown}"
        for view, title, figure in HEADS:
            shown = on_line(pane(moment.screens[view, name], title)[:1], f"{title} {{}}")
            well = all_agree(shown, node.get(figure))
            yield "" if well else f"{view} of {name}, chart {title}: {node.get(figure)} is {shown}"


EVENT = re.compile(r".([\d:.]{12})  (\S+) +(\S.*?)  +([A-Z]+) +(\S+) +(.*)")


def _strange_events(screen: list[str], nodes: list[Document]) -> Iterator[str]:
    """Yield the events that a log shows, and no dump has."""
    messages: dict[Event, list[str]] = {}
    for node in nodes:
        for process in node["processes"]:
            for event in process["events"]:
                at = text.clock(event["wall_ns"], milliseconds=True)
                level = severity_name(event["severity"])
                key = (at, node["node"], process["process"], level, event["flag"])
                messages.setdefault(key, []).append(event["message"])
    rows = [row.groups() for line in screen if (row := EVENT.fullmatch(line))]
    assert rows
    for *head, shown in rows:
        if not any(shown.startswith(message) for message in messages.get(tuple(head), [])):
            yield f"log: {' '.join(head)} {shown}"
