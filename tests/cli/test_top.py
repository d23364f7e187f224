"""`isinglass top` on real processes: what it finds, how it counts, what it writes."""

from __future__ import annotations

import csv
import gc
import json
import re
import signal
import subprocess
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cli.commands import isinglass, on_terminal, start
from cli.test_profiles import check_schema
from isinglass import clock
from isinglass.cli.sampling import WINDOW_NS, Sampler
from isinglass.cli.top_report import LINE_COLUMNS
from isinglass.glass.reader import SegmentReader
from programs import program
from waiting import wait_until

Program = subprocess.Popen[str]

# Works three quarters of its time on one line and a quarter on another, by its own count of
# rounds; a second thread waits on purpose, a third blocks in the middle of its work.
WORKSHOP = """
import sys, threading
from isinglass.glass import region, segment
role = sys.argv[1]
joined = (segment.create if role == "daemon" else segment.attach)("workshop", role)
sites = ((2, "saw", "sawing", False), (3, "saw", "sanding", False),
         (4, "wait", "for wood", True), (5, "glue", "gluing", False))
region.register_file(9, sys.argv[2], "", sites)

standing = threading.Barrier(3)
def stand(line):
    region.thread_word()[0] = 9 << 16 | line
    standing.wait()
    threading.Event().wait()

for name, line in (("waiter", 4), ("gluer", 5)):
    threading.Thread(target=stand, args=(line,), name=name, daemon=True).start()
if joined.region == 0: joined.ready()
word = region.thread_word()
word[0] = 9 << 16 | 2
standing.wait()
print("ready", flush=True)
while True:
    word[0] = 9 << 16 | 2
    for number in range(30000): pass
    word[0] = 9 << 16 | 3
    for number in range(10000): pass
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    path = tmp_path / "plan.py"
    path.write_text("def saw():\n    mark('sawing')\n    mark('sanding')\n    wait()\n    glue()\n")
    return str(path)


@pytest.fixture
def workshop(plan: str) -> Iterator[Program]:
    with program(WORKSHOP, "daemon", plan) as process:
        yield process


def lines_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {line["label"]: line for line in document["lines"]}


def test_lines_and_columns_are_chosen(workshop: Program) -> None:
    line = ("top", "workshop", "--seconds", "2", "--select", "waits = 0 and label != gluing")
    labels = {each["label"] for each in json.loads(isinglass(*line, "--json").stdout)["lines"]}
    assert {"sawing"} <= labels <= {"sawing", "sanding"}
    shown = isinglass(*line).stdout
    assert "sawing" in shown and "gluing" not in shown and "for wood" not in shown
    asked = ("--fields", "label,share", "--sort", "process")
    tsv = isinglass(*line, *asked, "--tsv").stdout.splitlines()
    assert tsv[0] == "label\tshare" and tsv[1].split("\t")[0] in ("sawing", "sanding")
    _, table = isinglass(*line, *asked).stdout.split("\n\n")
    assert table.splitlines()[0].split() == ["label", "share"]
    code, screen = on_terminal(*line, *asked)
    assert code == 0 and "sawing" in screen and "cpu wait" not in screen
    for wrong in (("--select", "shrae > 1"), ("--fields", "shrae")):
        assert "did you mean share" in isinglass("top", *wrong, expect=2).stderr


def test_where_time_goes(workshop: Program, plan: str) -> None:
    done = isinglass("top", "workshop", "--rate", "500", "--seconds", "2", "--json")
    document = json.loads(done.stdout)
    lines = lines_of(document)
    sawing, sanding = lines["sawing"], lines["sanding"]
    # Three to one when it runs alone; a thread that waits for its turn stands anywhere.
    assert 1.3 < sawing["samples"] / sanding["samples"] < 9
    assert sawing["path"] == plan and sawing["line"] == 2 and sawing["source"] == "mark('sawing')"
    assert sawing["process"] == "daemon" and sawing["pid"] == workshop.pid
    # The main thread never blocks; the other two never run.
    for line in (sawing, sanding):
        awake = line["running_seconds"] + line["cpu_wait_seconds"]
        assert awake > 0.7 * (awake + line["blocked_seconds"])
    for label in ("for wood", "gluing"):
        assert lines[label]["blocked_seconds"] > 0.9 * document["seconds"]
    assert lines["for wood"]["waits"] and not lines["gluing"]["waits"]
    assert sum(line["share"] for line in document["lines"]) == pytest.approx(1)
    assert document["working_share"] == pytest.approx(2 / 3, abs=0.02)
    assert document["thread_seconds"] == pytest.approx(3 * document["seconds"], rel=0.05)
    samples = document["samples"]
    assert samples["taken"] + samples["missed"] == pytest.approx(1000, abs=5)
    assert samples["achieved_hz"] == pytest.approx(samples["taken"] / document["seconds"], rel=0.02)
    assert samples["scheduling"] in {"real time", "short slice", "ordinary"}


def test_the_shape_of_the_json_is_kept(workshop: Program) -> None:
    document = json.loads(isinglass("top", "--seconds", "0.2", "--json").stdout)
    assert set(document) == {
        *("format", "node", "seconds", "restarts", "samples", "thread_seconds"),
        *("working_share", "processes", "lines"),
    }
    assert set(document["samples"]) == {
        *("scheduling", "asked_hz", "achieved_hz", "taken", "late", "missed", "on_time_share"),
    }
    assert set(document["lines"][0]) == {
        *("process", "pid", "thread", "tid", "path", "line", "function", "label", "waits"),
        *("source", "samples", "share"),
        *("running_seconds", "cpu_wait_seconds", "blocked_seconds"),
    }


@pytest.mark.parametrize(("flag", "between"), [("--tsv", "\t"), ("--csv", ",")])
def test_scripts_get_a_line_a_row(workshop: Program, flag: str, between: str) -> None:
    done = isinglass("top", "--rate", "200", "--seconds", "0.5", "--sort", "process", flag)
    rows = list(csv.DictReader(done.stdout.splitlines(), delimiter=between))
    by_label = {row["label"]: row for row in rows}
    assert set(by_label) >= {"sawing", "sanding", "for wood", "gluing"}
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
    assert by_label["for wood"]["waits"] == "True" and by_label["sawing"]["line"] == "2"
    assert by_label["sawing"]["source"] == "mark('sawing')"
    document = json.loads(isinglass("top", "--seconds", "0.2", "--json").stdout)
    assert list(rows[0]) == [*LINE_COLUMNS] and {*document["lines"][0]} == {*LINE_COLUMNS}


def test_the_table_sets_idle_apart(workshop: Program) -> None:
    text = isinglass("top", "workshop", "--rate", "200", "--seconds", "0.5").stdout
    assert re.search(r"of 200 samples/s, \d+ taken, \d+ late, \d+ missed", text)
    assert re.search(r"^working 6\d\.\d% of all thread time, idle 3\d\.\d%$", text, re.M)
    working, idle = text.split("\nidle: waiting for work\n")
    assert "sawing" in working and "gluing" in working and "for wood" not in working
    assert re.search(r"33\.\d%  █+\S* +0% +0% +100% +daemon .* for wood", idle)


def test_sorting_and_choosing(workshop: Program, plan: str) -> None:
    with program(WORKSHOP, "saw", plan) as second:
        text = isinglass("top", "--seconds", "0.3", "--json", "--sort", "running").stdout
        lines = json.loads(text)["lines"]
        running = [line["running_seconds"] for line in lines]
        assert running == sorted(running, reverse=True)
        assert {line["pid"] for line in lines} == {workshop.pid, second.pid}
        text = isinglass("top", "--seconds", "0.3", "--json", "--process", "saw").stdout
        assert {line["pid"] for line in json.loads(text)["lines"]} == {second.pid}


def test_files_for_other_tools(workshop: Program, tmp_path: Path) -> None:
    scope, folded = tmp_path / "scope.json", tmp_path / "folded.txt"
    isinglass(
        *("top", "--rate", "500", "--seconds", "1"),
        *("--speedscope", str(scope), "--folded", str(folded)),
    )
    document = json.loads(scope.read_text())
    check_schema(document)
    assert len(document["profiles"]) == 3
    for profile in document["profiles"]:
        assert profile["endValue"] == pytest.approx(1, rel=0.1)
    stacks = dict(line.rsplit(" ", 1) for line in folded.read_text().splitlines())
    main = f"daemon {workshop.pid};MainThread {workshop.pid};saw;"
    assert int(stacks[f"{main}plan.py:2 sawing"]) > int(stacks[f"{main}plan.py:3 sanding"]) > 0


def wait_until_it_looks(top: Program) -> None:
    """Wait until the region is mapped: the interpreter's own start is over by then."""
    maps = Path(f"/proc/{top.pid}/maps")
    wait_until(lambda: "workshop/segment" in maps.read_text(), "top maps the segment")


def test_processes_that_come_and_go_while_it_looks(workshop: Program, plan: str) -> None:
    with start("top", "--rate", "100", "--seconds", "60", "--json") as top:
        wait_until_it_looks(top)
        with ExitStack() as stack:
            pids = [stack.enter_context(program(WORKSHOP, "saw", plan)).pid for _ in range(2)]
            # By the end of another look the first one has seen both, and then that they ended.
            isinglass("top", "--seconds", "1.2", "--json")
        isinglass("top", "--seconds", "1.2", "--json")
        top.send_signal(signal.SIGINT)
        assert top.stdout
        document = json.loads(top.stdout.read())
        assert top.wait(timeout=20) == 0
    seen = {line["pid"] for line in document["lines"]}
    assert seen == {workshop.pid, *pids}
    verdicts = {process["pid"]: process["verdict"] for process in document["processes"]}
    assert verdicts[pids[0]] == "killed" and verdicts[workshop.pid] == "alive"


def test_of_processes_that_are_gone_it_keeps_no_bytes(workshop: Program, plan: str) -> None:
    """A node whose clients come and go can be looked at for days."""
    sampler = Sampler(SegmentReader("workshop"), 100.0)
    two_looks_ns = 3 * WINDOW_NS
    with program(WORKSHOP, "client", plan):
        sampler.run(clock.monotonic_ns() + two_looks_ns, lambda: None)
        process = sampler.snapshot.process("client")
        assert process is not None
        client = weakref.ref(process)
        del process
    sampler.run(clock.monotonic_ns() + two_looks_ns, lambda: None)
    assert {"daemon", "client"} == {key.process for key, _ in sampler.tally.shares}
    gc.collect()
    assert client() is None
    sampler.close()


def test_a_dead_node_shows_its_last_lines(workshop: Program) -> None:
    workshop.kill()
    workshop.wait()
    text = isinglass("top", "workshop", "--seconds", "0.2", expect=1).stdout
    assert "no thread to sample" in text and "KILLED, last seen" in text
    assert re.search(r"gluer +\d+  \S+/plan.py:5  glue +gluing", text)


@pytest.mark.slow
def test_a_stopped_node_is_blocked_where_it_stands(workshop: Program) -> None:
    workshop.send_signal(signal.SIGSTOP)
    isinglass("watch", "-q", "-i", "0.1", "--until", "verdict = stalled", "--timeout", "20")
    done = isinglass("top", "workshop", "--seconds", "0.5", "--json", expect=1)
    document = json.loads(done.stdout)
    assert document["processes"][0]["verdict"] == "stalled"
    (main,) = (line for line in document["lines"] if line["thread"] == "MainThread")
    assert main["blocked_seconds"] == pytest.approx(document["seconds"], rel=0.1)
    text = isinglass("top", "workshop", "--seconds", "0.2", expect=1).stdout
    assert "STALLED, has not moved for" in text


def test_an_interrupt_ends_it_with_what_it_has(workshop: Program) -> None:
    with start("top", "--seconds", "60", "--json") as top:
        wait_until_it_looks(top)
        isinglass("top", "--seconds", "0.5", "--json")
        top.send_signal(signal.SIGINT)
        assert top.stdout
        assert json.loads(top.stdout.read())["samples"]["taken"] > 0
        assert top.wait(timeout=20) == 0


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sampled(
    workshop: Program, tmp_path: Path
) -> None:
    for name in ("--speedscope", "--folded"):
        done = isinglass("top", "workshop", "-s", "600", name, str(tmp_path / "no/x"), expect=2)
        assert "no/x cannot be written" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("rate", ["0.5", "1001", "0", "fast"])
def test_rates_out_of_range_are_refused(rate: str) -> None:
    assert "--rate" in isinglass("top", "--rate", rate, expect=2).stderr


def test_live_on_a_terminal(workshop: Program) -> None:
    code, text = on_terminal("top", "workshop", "--seconds", "1.5", columns=160)
    assert code == 0 and "\x1b[" in text and "sawing" in text and "samples/s" in text
