"""The scoreboard: states of nodes, deafness, its file and the schema that describes it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from import_graph import ROOT
from isinglass_monitor.atomic_file import read_document, replace_document
from isinglass_monitor.moment import Moment
from isinglass_monitor.scoreboard import (
    CHAOS,
    KINDS,
    LATE,
    LEFT,
    LOST,
    MAINTENANCE,
    STATES,
    STOPPED_BY_CHAOS,
    UP,
    Scoreboard,
    rows_of,
    state_of,
)
from isinglass_monitor.views import NodeView

START = Moment(10**12, 1_700_000_000 * 10**9)
SCHEMA = json.loads((ROOT / "docs" / "scoreboard.schema.json").read_text("utf-8"))


def view(node: str, heard: Moment, *, ended: bool = False, **figures: float | str) -> NodeView:
    """Return a view of a node that was last heard at a moment."""
    return NodeView(node, heard.monotonic_ns, "daemon", ended, figures)


def board_at(silent: dict[str, float], **announced: str) -> Scoreboard:
    """Return a board whose nodes have been silent for so many seconds."""
    board = Scoreboard("monitor")
    now = START.later(100)
    nodes = {name: view(name, now.later(-seconds)) for name, seconds in silent.items()}
    board.update(now, nodes, announced)
    return board


def states(board: Scoreboard) -> dict[str, str]:
    return {name: row.state for name, row in board.rows.items()}


def test_silence_makes_a_node_late_and_then_lost() -> None:
    board = board_at({"alder": 0.5, "birch": 4, "cedar": 30})
    assert states(board) == {"alder": UP, "birch": LATE, "cedar": LOST}
    assert not board.deaf


def test_a_program_does_not_speak_for_a_daemon_that_was_heard_before() -> None:
    board = Scoreboard("monitor")
    board.update(START, {"alder": view("alder", START)}, {})
    now = START.later(20)
    program = view("alder", now)._replace(role="program")
    board.update(now, {"alder": program, "birch": program._replace(node="birch")}, {})
    assert states(board) == {"alder": LOST, "birch": UP}
    assert board.rows["alder"].silent_seconds == 20
    board.update(now, {"alder": view("alder", now)}, {})
    assert states(board)["alder"] == UP


def test_a_node_that_said_goodbye_has_left() -> None:
    board = Scoreboard("monitor")
    board.update(START.later(60), {"alder": view("alder", START, ended=True)}, {})
    assert states(board) == {"alder": LEFT}


def test_what_was_announced_is_told_apart_from_what_was_not() -> None:
    board = board_at({"alder": 30, "birch": 30, "cedar": 1}, alder=CHAOS, birch=MAINTENANCE)
    assert states(board) == {"alder": STOPPED_BY_CHAOS, "birch": MAINTENANCE, "cedar": UP}


def test_all_late_at_once_is_a_deaf_monitor() -> None:
    assert board_at({"alder": 5, "birch": 5.5, "cedar": 6}).deaf
    assert not board_at({"alder": 5}).deaf, "one silent node is a silent node"
    assert not board_at({"alder": 5, "birch": 60}).deaf, "they did not fall silent together"
    assert not board_at({"alder": 1, "birch": 5, "cedar": 5}).deaf, "one is heard"
    assert not board_at({"alder": 5, "birch": 5}, birch=CHAOS).deaf, "one of them was announced"
    assert board_at({"alder": 5, "birch": 5, "cedar": 600}).deaf, "one was lost long before"


def test_nodes_ever_seen_stay_on_the_board_over_a_restart(tmp_path: Path) -> None:
    board = board_at({"alder": 0, "birch": 30})
    path = tmp_path / "scoreboard.json"
    replace_document(path, board.document(START.later(100)))
    later = Scoreboard("monitor", rows_of(read_document(path)))
    later.update(START.later(3600), {"alder": view("alder", START.later(3600))}, {})
    assert states(later) == {"alder": UP, "birch": LOST}
    assert later.rows["birch"].silent_seconds == 3600 - 100 + 30
    assert later.forget("birch")
    assert not later.forget("birch")
    assert states(later) == {"alder": UP}


def test_a_lost_node_stays_lost_when_the_clock_is_set_back() -> None:
    board = board_at({"alder": 30, "birch": 0})
    now = START.later(101)
    board.update(now, {"birch": view("birch", now)}, {})
    now = Moment(now.monotonic_ns + 10**9, now.wall_ns - 3600 * 10**9)
    board.update(now, {"birch": view("birch", now)}, {})
    assert states(board) == {"alder": LOST, "birch": UP}
    assert (board.rows["alder"].silent_seconds, board.rows["alder"].live) == (32, False)


def test_a_node_taken_off_the_board_is_off_it_until_it_is_heard_again() -> None:
    board = board_at({"alder": 30, "birch": 0})
    silent = {"alder": view("alder", START.later(70))}
    assert board.forget("alder")
    for second in (101, 102):
        board.update(START.later(second), silent, {})
        assert "alder" not in board.rows
    board.update(START.later(103), {"alder": view("alder", START.later(102.5))}, {})
    assert states(board)["alder"] == UP


def test_a_restarted_monitor_gives_nodes_the_time_to_speak() -> None:
    before = board_at({"alder": 0, "birch": 0})
    document = before.document(START.later(100))
    board = Scoreboard("monitor", rows_of(document))
    board.update(START.later(3600), {}, {})
    assert states(board) == {"alder": UP, "birch": UP}
    assert not board.deaf
    board.update(START.later(3611), {}, {})
    assert states(board) == {"alder": LOST, "birch": LOST}


def test_the_monitor_itself_is_no_node_of_the_cluster() -> None:
    board = board_at({"monitor:monitor": 0, "alder": 0})
    assert board.counts()[UP] == 1


def test_a_state_says_since_when() -> None:
    board = Scoreboard("monitor")
    for second in range(8):
        board.update(START.later(second), {"alder": view("alder", START)}, {})
    assert board.rows["alder"].state == LATE
    assert board.rows["alder"].since_wall_ns == START.later(3).wall_ns
    assert board.rows["alder"].first_wall_ns == START.wall_ns


def test_a_late_second_of_the_monitor_is_told() -> None:
    board = Scoreboard("monitor")
    board.update(START, {}, {})
    board.update(START.later(4), {}, {})
    assert board.derived()["scoreboard.behind_seconds"] == 3


Figures = dict[str, float | str]
FIGURES = st.dictionaries(
    st.text(min_size=1, max_size=12), st.one_of(st.floats(), st.text(max_size=8)), max_size=4
)


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.tuples(st.floats(0, 1e6), st.booleans(), st.sampled_from(("", *KINDS)), FIGURES),
        max_size=6,
    )
)
def test_the_file_is_as_its_schema_says(nodes: dict[str, tuple[float, bool, str, Figures]]) -> None:
    board = Scoreboard("monitor")
    now = START.later(2e6)
    views = {
        name: NodeView(name, now.later(-silent).monotonic_ns, "daemon", ended, figures)
        for name, (silent, ended, _, figures) in nodes.items()
    }
    announced = {name: kind for name, (_, _, kind, _) in nodes.items() if kind}
    board.update(now, views, announced)
    path = Path("/dev/shm") / f"isg-scoreboard-{id(board)}"
    try:
        replace_document(path, board.document(now))
        jsonschema.validate(read_document(path), SCHEMA)
    finally:
        path.unlink()


@given(st.floats(0, 1e9), st.booleans(), st.sampled_from(("", *KINDS)))
def test_every_node_has_one_of_the_states(silent: float, ended: bool, announced: str) -> None:
    assert state_of(silent, ended, announced) in STATES


def test_a_file_that_cannot_be_replaced_is_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "file"
    replace_document(path, {"a": 1}, durable=True)
    try:
        replace_document(path, {"a": object()})
    except TypeError:
        pass
    assert read_document(path) == {"a": 1}
    assert [entry.name for entry in folder.iterdir()] == ["file"]
