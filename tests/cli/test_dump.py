"""`isinglass dump` on real nodes: every option, every form of output, exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from cli.commands import isinglass, on_terminal
from programs import hear, program, tell

Program = subprocess.Popen[str]


def test_everything_with_labels_and_units(bakery: Program, source: str) -> None:
    text = isinglass("dump", "bakery").stdout
    lines = text.splitlines()
    assert re.match(r"node bakery: ready, generation \d+, seen \d{4}-", lines[0])
    assert re.match(rf"  daemon +{bakery.pid} +ALIVE, heartbeat .* ago", lines[1])
    assert f"daemon {bakery.pid}  oven: What the oven does." in lines
    assert re.search(r"^  loaves +1,234,567 loaves$", text, re.M)
    assert re.search(r"^  waiting +-2 loaves$", text, re.M)
    assert re.search(r"^  load +50.0 %$", text, re.M)
    assert re.search(r"^  last +2023-11-1\d .* \(.* d ago\)$", text, re.M)
    assert re.search(r"^  state +baking$", text, re.M)
    assert re.search(r"^  took +3 times, mean 1,343, p50 .* max 4,000 microseconds$", text, re.M)
    assert re.search(r"^  queue.orders +7 orders$", text, re.M)
    assert re.search(r"^  queue.oldest +1.50 seconds$", text, re.M)
    assert "timer[sweep]: A periodic task." in text
    assert re.search(r"^  orders +12  4,096$", text, re.M)
    assert re.search(r"^  customer +11 +0  orders$", text, re.M)
    assert "ValueError" in text and "no flour" in text
    assert "burnt" not in text and "ash" not in text
    assert "\x1b" not in text


def test_levels_add_up(bakery: Program) -> None:
    diagnostic = isinglass("dump", "bakery", "--level", "diagnostic").stdout
    assert "burnt" in diagnostic and "ash" not in diagnostic
    debug = isinglass("dump", "bakery", "--level", "debug").stdout
    assert "burnt" in debug and "ash" in debug


def test_panels_processes_and_zeros_can_be_left_out(bakery: Program, customer: Program) -> None:
    text = isinglass("dump", "bakery", "--panel", "timer*", "--process", "cust*").stdout
    assert f"customer {customer.pid}  timer[sweep]" in text
    assert "oven" not in text and f"daemon {bakery.pid}" not in text
    by_name = isinglass("dump", "bakery", "--panel", "timer[sweep]", "--panel", "nothing").stdout
    assert by_name.count("timer[sweep]") == 2 and "oven" not in by_name
    by_pid = isinglass("dump", "bakery", "--process", str(bakery.pid)).stdout
    assert "customer " + str(customer.pid) not in by_pid
    shown = isinglass("dump", "bakery", "--level", "debug", "--hide-zero").stdout
    assert "loaves" in shown and "burnt" not in shown and "ash" not in shown


def test_verbose_tables_and_events(bakery: Program) -> None:
    verbose = isinglass("dump", "bakery", "-v").stdout
    assert "Loaves taken out of the oven." in verbose
    tables = isinglass("dump", "bakery", "--tables").stdout
    assert "4,096" in tables and "loaves" not in tables
    events = isinglass("dump", "bakery", "--events").stdout
    assert re.search(r"daemon +\d+ +ERROR +oven +too hot degrees=300", events)
    assert "no flour" in events and "loaves" not in events


def field(document: dict[str, Any], panel: str, name: str) -> dict[str, Any]:
    """Return a field of the first process of a JSON document."""
    found: dict[str, Any]
    (found,) = (
        field
        for view in document["nodes"][0]["processes"][0]["panels"]
        if view["panel"] == panel
        for field in view["fields"]
        if field["field"] == name
    )
    return found


def test_json_says_all_that_the_text_says(bakery: Program, source: str) -> None:
    document = json.loads(isinglass("dump", "bakery", "--json", "--events").stdout)
    assert document["format"] == 1
    assert field(document, "oven", "loaves") == {
        "field": "loaves",
        "kind": "counter",
        "unit": "loaves",
        "level": "info",
        "help": "Loaves taken out of the oven.",
        "value": 1234567,
    }
    took = field(document, "oven", "took")["value"]
    assert took["count"] == 3 and took["sum"] == 4030 and took["max"] == 4000
    (node,) = document["nodes"]
    (process,) = node["processes"]
    assert process["pid"] == bakery.pid and process["verdict"] == "alive"
    threads = {thread["thread"]: thread for thread in process["threads"]}
    assert threads["counter"]["path"] == source and threads["counter"]["waits"] is True
    (error,) = process["errors"]
    assert error["kind"] == "ValueError" and error["count"] == 1
    assert process["events"][0]["fields"] == {"degrees": "300"}


@pytest.mark.parametrize("real", ["inf", "-inf", "nan"])
def test_json_is_valid_for_a_number_that_is_not_finite(bakery: Program, real: str) -> None:
    tell(bakery, f"oven.load = float('{real}'); oven.queue.publish(7, float('{real}'))")
    assert hear(bakery) == "done"
    for command in (("dump", "bakery", "--json"), ("watch", "bakery", "--count", "1", "--json")):
        text = isinglass(*command).stdout
        document = json.loads(text, parse_constant=pytest.fail)
        fields = document["fields"] if "fields" in document else [
            field(document, "oven", "load"), field(document, "oven", "queue.oldest")
        ]  # fmt: skip
        found = {one["field"]: one["value"] for one in fields}
        assert found["load"] is None and found["queue.oldest"] is None
    named = isinglass("dump", "bakery", "--fields", "oven.load,oven.queue.oldest", "--json").stdout
    (row,) = json.loads(named, parse_constant=pytest.fail)["rows"]
    assert row["oven.load"] is None and row["oven.queue.oldest"] is None
    rows = csv.DictReader(io.StringIO(isinglass("dump", "bakery", "--csv").stdout))
    assert {row["value"] for row in rows if row["field"] == "load"} == {real}
    assert re.search(rf"^  load +{real} %$", isinglass("dump", "bakery").stdout, re.M)


# What scripts may rely on; a change here is a change of `format`.
SHAPE = {
    "node": {"node", "state", "generation", "taken_wall_ns", "processes", "tables"},
    "process": {
        *("process", "pid", "verdict", "heartbeat_age_seconds", "slot", "claim", "command"),
        *("claimed_wall_ns", "threads", "panels", "errors", "events"),
    },
    "thread": {
        *("thread", "tid", "stood_seconds", "path", "line", "function", "label", "waits"),
    },
    "panel": {"panel", "instance", "help", "fields"},
    "field": {"field", "kind", "unit", "level", "help", "value"},
    "table": {"name", "rows", "size_bytes", "index_of"},
    "error": {"kind", "message", "where", "count", "first_wall_ns", "last_wall_ns"},
    "event": {
        *("wall_ns", "stamp", "sequence", "severity", "flag", "message", "fields"),
        *("path", "line"),
    },
}


def test_the_shape_of_the_json_is_kept(bakery: Program) -> None:
    document = json.loads(isinglass("dump", "bakery", "--json", "--events").stdout)
    node = document["nodes"][0]
    process = node["processes"][0]
    found = {
        "node": node,
        "process": process,
        "thread": process["threads"][0],
        "panel": process["panels"][0],
        "field": process["panels"][0]["fields"][0],
        "table": node["tables"][0],
        "error": process["errors"][0],
        "event": process["events"][0],
    }
    assert set(document) == {"format", "nodes"}
    assert {name: set(one) for name, one in found.items()} == SHAPE


@pytest.mark.parametrize(("flag", "separator"), [("--tsv", "\t"), ("--csv", ",")])
def test_a_line_a_field(bakery: Program, flag: str, separator: str) -> None:
    text = isinglass("dump", "bakery", flag).stdout
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    found = {(row["panel"], row["instance"], row["field"]): row for row in rows}
    assert found["oven", "", "loaves"]["value"] == "1234567"
    assert found["oven", "", "loaves"]["unit"] == "loaves"
    assert found["oven", "", "took.count"]["value"] == "3"
    assert found["timer", "sweep", "runs"]["value"] == "41"
    assert {row["node"] for row in rows} == {"bakery"}


def test_all_nodes_when_none_is_named(bakery: Program, source: str) -> None:
    from cli.conftest import BAKERY

    with program(BAKERY, "mill", "daemon", source):
        document = json.loads(isinglass("dump", "--json").stdout)
        assert [node["node"] for node in document["nodes"]] == ["bakery", "mill"]
        text = isinglass("dump").stdout
        assert "node bakery:" in text and "node mill:" in text


@pytest.mark.parametrize("command", ["dump", "ps"])
def test_a_node_that_cannot_be_read_hides_no_other(
    bakery: Program, runtime_dir: Path, command: str
) -> None:
    broken = runtime_dir / "abbey" / "segment"
    broken.parent.mkdir()
    broken.write_bytes(b"ISINGLAS")
    done = isinglass(command, expect=1)
    assert "bakery" in done.stdout
    assert "abbey/segment has 8 of" in done.stderr
    assert "has 8 of" in isinglass(command, "abbey", expect=1).stderr
    assert "abbey" not in isinglass(command, "bakery").stderr


def test_a_segment_can_be_named_by_its_path(bakery: Program, runtime_dir: Path) -> None:
    assert "1,234,567" in isinglass("dump", str(runtime_dir / "bakery" / "segment")).stdout


def test_a_killed_daemon_is_shown_with_its_last_state(bakery: Program, source: str) -> None:
    bakery.kill()
    bakery.wait()
    text = isinglass("dump", "bakery", expect=1).stdout
    assert re.search(r"daemon +\d+ +KILLED, last seen .* ago; its last state is below", text)
    assert f"daemon {bakery.pid}: the last line of each thread" in text
    assert re.search(rf"MainThread +\d+  {re.escape(source)}:2  bake +kneading$", text, re.M)
    assert re.search(rf"counter +\d+  {re.escape(source)}:3  bake +waiting for orders$", text, re.M)
    assert re.search(r"^  loaves +1,234,567 loaves$", text, re.M)


@pytest.mark.slow
def test_a_stopped_daemon_is_shown_and_for_how_long_it_has_not_moved(bakery: Program) -> None:
    bakery.send_signal(signal.SIGSTOP)
    held = isinglass(
        *("watch", "bakery", "--quiet", "--interval", "0.1", "--timeout", "20"),
        *("--until", "verdict = stalled and heartbeat_age_seconds > 3"),
    )
    assert held.returncode == 0
    text = isinglass("dump", "bakery", expect=1).stdout
    age = re.search(r"daemon +\d+ +STALLED, has not moved for (\d+\.\d) s", text)
    assert age and 3.0 <= float(age[1]) < 20.0
    assert "the last line of each thread" in text and "kneading" in text
    bakery.send_signal(signal.SIGCONT)
    isinglass("watch", "bakery", "-q", "-i", "0.1", "--until", "verdict = alive", "--timeout", "20")
    assert "ALIVE" in isinglass("dump", "bakery").stdout


def test_a_clean_exit_is_told_from_a_kill(bakery: Program, customer: Program) -> None:
    assert customer.stdin
    customer.stdin.close()
    customer.wait()
    text = isinglass("dump", "bakery", "--ended").stdout
    assert re.search(r"customer +\d+ +CLEAN EXIT at 20", text)
    assert re.search(r"daemon +\d+ +ALIVE", text)
    short = isinglass("dump", "bakery").stdout
    assert "1 more ended cleanly, --ended shows them" in short and "customer" in short
    assert f"customer {customer.pid}" not in short and "CLEAN EXIT" not in short
    assert str(customer.pid) not in isinglass("ps").stdout
    assert str(customer.pid) in isinglass("ps", "--ended").stdout


def test_it_waits_for_a_node_that_is_about_to_start(source: str) -> None:
    from cli.conftest import BAKERY

    found: list[subprocess.CompletedProcess[str]] = []
    asking = threading.Thread(
        target=lambda: found.append(isinglass("dump", "--wait", "20", expect=None))
    )
    asking.start()
    with program(BAKERY, "late", "daemon", source):
        asking.join(timeout=25)
    assert found and "node late:" in found[0].stdout
    missing = isinglass("dump", "never", "--wait", "0.1", expect=1)
    assert "node never has no segment" in missing.stderr


@pytest.mark.parametrize("form", [(), ("--json",), ("--tsv",)], ids=" ".join)
def test_what_fits_nothing_is_refused(bakery: Program, form: tuple[str, ...]) -> None:
    for command in ("dump", "ps"):
        refused = isinglass(command, "bakery", "--process", "daemn", *form, expect=2)
        assert "No process like daemn (did you mean daemon?) has been here" in refused.stderr
        assert refused.stdout == ""
    refused = isinglass("dump", "bakery", "--panel", "ofen", "--panel", "x*", *form, expect=2)
    assert "No panel like ofen or x* (did you mean oven?) is there" in refused.stderr
    assert "timer" in isinglass("dump", "bakery", "--panel", "timer*", *form).stdout


def test_who_has_ended_is_asked_for_with_ended(bakery: Program, source: str) -> None:
    from cli.conftest import BAKERY

    with program(BAKERY, "bakery", "customer", source) as customer:
        customer.communicate()
    refused = isinglass("ps", "bakery", "--process", "customer", expect=2).stderr
    assert "No process like customer lives: give --ended, too." in refused
    assert "customer" in isinglass("ps", "bakery", "--process", "customer", "--ended").stdout


def test_what_is_printed_follows_what_is_stored(bakery: Program) -> None:
    tell(bakery, "oven.loaves += 1; oven.state = 'resting'")
    assert hear(bakery) == "done"
    text = isinglass("dump", "bakery").stdout
    assert "1,234,568" in text and "resting" in text


def test_a_terminal_gets_colours_and_the_same_words(bakery: Program) -> None:
    code, text = on_terminal("dump", "bakery")
    assert code == 0 and "\x1b[" in text
    for words in ("node bakery: ready", "ALIVE", "1,234,567", "What the oven does.", "orders"):
        assert words in text
