"""`isinglass log` as a user runs it: on spools, on rings, on a terminal, and with lnav."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from cli.commands import COMMAND, isinglass, on_terminal, start
from isinglass import clock
from isinglass.wire.event_bodies import WireEvent
from isinglass_monitor.query.rendering import COLUMNS, time_text
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.folder import FOLDER
from isinglass_monitor.spool.streams import REPAIRED
from monitor import spooled
from monitor.spooled import event, fill
from needs import needs
from programs import program

SECOND = 1000 << clock.LOGICAL_BITS


def piece(stream: int, first: int, events: list[WireEvent], **other: str) -> Piece:
    return spooled.piece(stream, first, events, arrived_ns=clock.wall_ns(), **other)


@pytest.fixture
def now() -> int:
    return clock.stamp_floor(clock.wall_ns())


@pytest.fixture
def spool(data_dir: Path, now: int) -> Path:
    """The spool of a monitor that has ended: two nodes, some warnings, one harmful message."""
    folder = data_dir / "monitor" / FOLDER
    fill(
        folder,
        [
            piece(
                1, 1, [event(now - 50 * SECOND, 9, "first"), event(now - 40 * SECOND, 17, "bad")]
            ),
            piece(2, 1, [event(now - 45 * SECOND, 13, "so so")], node="elm", process="client"),
            piece(1, 3, [event(now - 5 * SECOND, 9, "\x1b[2Jgone")]),
        ],
    )
    return folder


def messages(*arguments: str) -> list[str]:
    """Return the messages that the command prints."""
    done = isinglass("log", "--json", *arguments)
    return [json.loads(line)["message"] for line in done.stdout.splitlines()]


def test_the_log_is_in_order_and_can_be_narrowed(spool: Path, now: int) -> None:
    def ago(seconds: int) -> str:
        return time_text(clock.stamp_wall_ns(now - seconds * SECOND))

    assert messages() == ["first", "so so", "bad", "\x1b[2Jgone"]
    assert messages("--node", "elm") == ["so so"]
    assert messages("--since=-10h", "--until=-1s") == messages()
    assert messages("--level", "warn") == ["so so", "bad"]
    assert messages("--level", "warn", "--node", "oak") == ["bad"]
    assert messages("--since", ago(42)) == ["bad", "\x1b[2Jgone"]
    assert messages("--since", ago(48), "--until", ago(42)) == ["so so"]
    assert messages("--process", "client") == ["so so"]
    assert messages("--grep", "^first") == ["first"]
    assert messages("--flag", "nothing") == []
    assert messages("--lines", "2") == ["bad", "\x1b[2Jgone"]
    assert messages("--lines", "1", "--process", "client") == ["so so"]


def test_the_log_is_a_table_for_scripts(spool: Path, now: int) -> None:
    tsv = isinglass("log", "--tsv", "--fields", "node,message,severity").stdout
    assert tsv == (
        "node\tmessage\tseverity\noak\tfirst\t9\nelm\tso so\t13\noak\tbad\t17\noak\t\\e[2Jgone\t9\n"
    )
    rows = list(csv.DictReader(isinglass("log", "--csv").stdout.splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["stamp"] == str(now - 50 * SECOND)
    assert isinglass("log", "--csv", "--fields", "node", "--select", "node = no").stdout == "node\n"
    people = isinglass("log", "--fields", "level,message", "--lines", "2").stdout
    assert people == "error  bad\ninfo  \\e[2Jgone\n"


def test_entries_are_chosen_and_sorted(spool: Path) -> None:
    assert messages("--select", "severity > 9 and node = oak") == ["bad"]
    assert messages("--sort", "-severity")[:2] == ["bad", "so so"]
    assert messages("--sort", "node", "--lines", "3") == ["so so", "bad", "\x1b[2Jgone"]
    assert messages("--select", "node = oak", "--lines", "2") == ["bad", "\x1b[2Jgone"]


def test_what_makes_no_sense_together_is_one_sentence(spool: Path, now: int) -> None:
    for line, sentence in (
        (("--follow", "--sort", "node"), "--follow has no end: leave out --sort"),
        (("--tsv", "--show-cursor"), "a cursor is no row of a table"),
        (("--otlp", "http://127.0.0.1:9/", "--csv"), "--otlp prints nothing: leave out --csv"),
        (("--fields", "mesage"), "did you mean message"),
        (("--sort", "mesage"), "did you mean message"),
        (("--select", "mesage = first"), "did you mean message"),
    ):
        refused = isinglass("log", *line, expect=2)
        assert refused.stdout == "" and sentence.lower() in refused.stderr.lower(), line
        assert refused.stderr.count("isinglass: ") >= 1
    with start(
        "log", "--follow", "--csv", "--fields", "message", "--select", "severity = 17"
    ) as log:
        assert log.stdout is not None
        assert [log.stdout.readline() for _ in range(2)] == ["message\n", "bad\n"]
        came = [event(now - SECOND, 9, "fine"), event(now, 17, "worse")]
        fill(spool, [piece(1, 4, came)])
        assert log.stdout.readline() == "worse\n"
        log.terminate()


def test_a_pipe_gets_no_colour_and_a_terminal_no_escape_of_others(spool: Path) -> None:
    done = isinglass("log")
    assert "\x1b" not in done.stdout
    assert "\\e[2Jgone" in done.stdout
    assert "the monitor monitor does not run here" in done.stderr
    code, shown = on_terminal("log")
    assert code == 0
    assert "\x1b[1m\x1b[31mERROR" in shown
    assert "\x1b[2J" not in shown


def test_a_cursor_goes_on_exactly(spool: Path, now: int) -> None:
    *lines, last = isinglass("log", "--show-cursor").stdout.splitlines()
    assert len(lines) == 4
    cursor = last.removeprefix("-- cursor: ")
    assert messages("--after", cursor) == []
    late = piece(3, 1, [event(now - 60 * SECOND, 9, "late")], how=REPAIRED)
    fill(spool, [late])
    assert messages("--after", cursor) == ["late"]
    assert messages()[0] == "late"
    assert "no cursor" in isinglass("log", "--after", "x", expect=2).stderr
    assert "of another spool" in isinglass("log", "--after", "s9c1", expect=2).stderr


def test_following_tells_each_event_once(spool: Path, now: int) -> None:
    process = start("log", "--follow", "--json", "--lines", "2")
    told: list[str] = []
    assert process.stdout is not None

    def hear() -> None:
        for line in process.stdout or ():
            told.append(json.loads(line)["message"])  # noqa: PERF401 - seen meanwhile

    hearing = threading.Thread(target=hear)
    hearing.start()
    try:
        deadline = clock.monotonic_ns() + 20 * 10**9
        while len(told) < 2 and clock.monotonic_ns() < deadline:
            clock.sleep(0.02)
        fill(spool, [piece(4, at, [event(now + at, 9, f"new {at}")]) for at in range(1, 6)])
        while len(told) < 7 and clock.monotonic_ns() < deadline:
            clock.sleep(0.02)
    finally:
        process.terminate()
        process.communicate(timeout=10)
        hearing.join()
    assert told == ["bad", "\x1b[2Jgone", *(f"new {at}" for at in range(1, 6))]


def test_a_damaged_segment_is_told_and_the_others_are_read(spool: Path) -> None:
    (spool / "segment-00000007").mkdir()
    (spool / "segment-00000007" / "data.mdb").write_bytes(b"\xff" * 65_536)
    done = isinglass("log", "--json")
    assert len(done.stdout.splitlines()) == 4
    assert "segment-00000007 is damaged" in done.stderr


def test_the_wrong_question_is_answered_with_a_sentence(spool: Path, data_dir: Path) -> None:
    for arguments, said in (
        (("--since", "soon"), "is no time"),
        (("--level", "loud"), "--level is one of"),
        (("--grep", "("), "no regular expression"),
        (("--follow", "--until", "now"), "leave out --until"),
        (("--monitor", "nobody"), "there are monitor"),
    ):
        assert said in isinglass("log", *arguments, expect=None).stderr
    shutil.copytree(spool, data_dir / "a" / FOLDER)
    shutil.move(spool.parent, data_dir / "b")
    assert "name one: a, b" in isinglass("log", expect=2).stderr
    assert len(messages("--monitor", "b")) == 4
    assert len(messages("--monitor", str(data_dir / "a" / FOLDER))) == 4


NODE = """
import sys
from isinglass.glass import segment
joined = segment.create("oak")
joined.event(9, "work", "hello", who="me")
joined.event(17, "work", "trouble")
joined.ready()
print("ready", flush=True)
for line in sys.stdin:
    joined.event(9, "work", line.strip())
    print("done", flush=True)
"""


def test_without_a_monitor_the_rings_are_read() -> None:
    assert "no spool of a monitor" in isinglass("log", expect=1).stderr
    with program(NODE):
        assert messages() == ["hello", "trouble"]
        assert messages("--level", "error") == ["trouble"]
        assert messages("--lines", "1", "--node", "oak") == ["trouble"]
        (first,) = isinglass("log", "--json", "--grep", "hello").stdout.splitlines()
        assert json.loads(first)["fields"] == {"who": "me"}
        assert "is of a monitor's spool" in isinglass("log", "--after", "s1c1", expect=2).stderr


def test_lnav_reads_the_log(spool: Path, tmp_path: Path) -> None:
    needs("lnav")
    home = tmp_path / "home"
    (home / ".config").mkdir(parents=True)
    environment = {**os.environ, "HOME": str(home), "TERM": "xterm"}
    environment.pop("XDG_CONFIG_HOME", None)
    installed = subprocess.run(
        [COMMAND, "log", "--install-lnav"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    log = tmp_path / "events.json"
    log.write_text(isinglass("log", "--json").stdout)
    query = (
        ";SELECT log_time, log_level, node, process, flag, json_extract(fields, '$.a'), log_body"
        " FROM isinglass_log ORDER BY log_time"
    )
    done = subprocess.run(
        ["lnav", "-n", "-c", query, "-c", ":write-json-to -", str(log)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["log_level"] for row in rows] == ["info", "warning", "error", "info"]
    assert [row["node"] for row in rows] == ["oak", "elm", "oak", "oak"]
    assert {str(list(row.values())[5]) for row in rows} == {"1"}
    assert rows[3]["log_body"] == "\x1b[2Jgone"
