"""A window that changes its size faster than it is painted: then it is as one that never did.

A recording stands still at its end, so there every cell is compared, with its colours. The figures
of live nodes move on; what has its place whatever they are is compared: rules, columns, titles and
keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from at_work import working_node
from cli.commands import COMMAND, isinglass
from console.terminal import Terminal, environment
from waiting import wait_until

pytestmark = [pytest.mark.terminal, pytest.mark.slow]
SMALLEST, LARGEST = (80, 24), (200, 60)
# Ten sizes from the smallest to the largest, each followed by another one of them.
STEPS = [(80 + 13 * step, 24 + 4 * step) for step in range(10)]
SIZES = [size for step, up in enumerate(STEPS) for size in (up, STEPS[(5 - step) % 10])]
HAS_ITS_PLACE = re.compile("[─│┬┴┼┃├┤]+|[A-Z][A-Z/]+( [A-Z/]+)*")

Start = Callable[[str, tuple[int, int]], Terminal]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Starts consoles, each in a window of its own that is ended with the test."""
    with ExitStack() as stack:

        def started(arguments: str, size: tuple[int, int]) -> Terminal:
            window = Terminal(home / f"tmux{size[0]}", environment())
            stack.callback(window.stop)
            window.start(f"exec {COMMAND} console {arguments}", *size)
            return window

        yield started


def resize_quickly(terminal: Terminal, last: tuple[int, int]) -> None:
    for size in [*SIZES[:19], last]:
        terminal.resize(*size)


@pytest.mark.parametrize("last", [SMALLEST, (121, 37), LARGEST])
def test_every_cell_of_a_recording_is_at_its_place(
    start: Start, tmp_path: Path, last: tuple[int, int]
) -> None:
    recording = tmp_path / "alder.recording"
    with working_node("alder"):
        isinglass("record", "alder", "--seconds", "2", "-i", "0.5", "-o", str(recording))
    resized = start(f"--replay {recording}", (90, 30))
    resized.wait_for("REPLAY END")
    resize_quickly(resized, last)
    untouched = start(f"--replay {recording}", last)
    untouched.wait_for("REPLAY END")
    wait_until(
        lambda: resized.screen(colours=True) == untouched.screen(colours=True), "one picture"
    )


@pytest.mark.parametrize("last", [SMALLEST, LARGEST])
def test_rules_titles_and_keys_of_live_nodes_are_at_their_places(
    start: Start, last: tuple[int, int]
) -> None:
    with working_node("alder"):
        resized = start("--interval 0.5", (90, 30))
        resized.wait_for("serving")
        resize_quickly(resized, last)
        untouched = start("--interval 0.5", last)
        untouched.wait_for("serving")
        wait_until(lambda: places(resized) == places(untouched), "one picture")
        assert "alder" in resized.screen().split("\n")[0]
        keys = resized.screen().split("\n")[last[1] - 1]
        assert keys.startswith(" 1 overview") and "? help" in keys


def places(terminal: Terminal) -> list[tuple[int, int, str]]:
    """Return what has its place on the screen, with its row and column, and the row of keys."""
    rows = terminal.screen().split("\n")
    found = [
        (number, match.start(), match[0])
        for number, row in enumerate(rows)
        for match in HAS_ITS_PLACE.finditer(row)
    ]
    return [*found, (len(rows), 0, rows[-1])]
