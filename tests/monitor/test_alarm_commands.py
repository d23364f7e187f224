"""`isinglass alarms`, `history` and `incident` with a real watch, and without one."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import isinglass
from isinglass import clock
from monitor_process import wait_for_points
from waiting import wait_until
from watch_process import WatchProcess, running_watch

TROUBLE = {"alder": (0.0, {"store.state": "disk full"}), "birch": (0.0, {"store.state": "ready"})}
WELL = {node: (0.0, {"store.state": "ready"}) for node in ("alder", "birch")}


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[WatchProcess]:
    rules = tmp_path / "alarms.toml"
    out = tmp_path / "told"
    command = json.dumps(["sh", "-c", f'echo "$ISINGLASS_SUBJECT" >> {out}'])
    rules.write_text(
        'panels = ["bakery"]\n'
        f'[[notifier]]\nname = "log"\nkind = "command"\ncommand = {command}\n'
        '[[notifier]]\nname = "broken"\nkind = "command"\ncommand = ["false"]\n'
        '[[rule]]\nname = "store-refuses"\nhelp = "It takes no writes."\n'
        """when = 'store.state != "ready"'\nlook = "At the disk."\nseverity = "error"\n"""
        '[[rule]]\nname = "cold-oven"\nhelp = "The oven is cold."\nwhen = "bakery.heat < 100"\n'
        'look = "At the oven."\n'
    )
    with running_watch(tmp_path, rules=rules) as made:
        yield made


def test_alarms_are_listed_acknowledged_and_end(watch: WatchProcess) -> None:
    assert isinglass("alarms").stdout == "No alarm is raised; 0 pending.\n"
    assert isinglass("alarms", "--check").returncode == 0
    watch.say(TROUBLE)
    watch.wait_told(1)
    listed = isinglass("alarms", "list", "-v").stdout
    assert "store-refuses  alder" in listed
    assert "look next: At the disk." in listed
    isinglass("alarms", "--check", expect=2)
    [alarm] = json.loads(isinglass("alarms", "--json").stdout)["alarms"]
    assert alarm["sentence"] == "alder: It takes no writes. store.state = 'disk full'"
    done = isinglass("alarms", "ack", str(alarm["number"]), "--by", "ada").stdout
    assert done == f"Alarm {alarm['number']}, store-refuses alder: acknowledged.\n"
    assert "acknowledged by ada" in isinglass("alarms").stdout
    watch.say(WELL)
    wait_until(lambda: not watch.alarms(), "the alarm's end")
    assert f"{alarm['number']}  store-refuses  alder" in isinglass("alarms", "list", "--all").stdout


def test_what_a_monitor_that_hangs_knew_is_not_shown_as_of_now(watch: WatchProcess) -> None:
    os.kill(watch.pid, signal.SIGSTOP)
    try:
        path = watch.runtime / "alarms.json"
        document = json.loads(path.read_text())
        document["written_wall_ns"] -= 60 * 10**9
        path.write_text(json.dumps(document))
        listed = isinglass("alarms")
        assert "the monitor hangs: it has told nothing since" in listed.stderr
        assert isinglass("alarms", "--check", expect=1).stdout == listed.stdout
    finally:
        os.kill(watch.pid, signal.SIGCONT)


def test_silences_and_announcements_have_a_reason_and_an_end(watch: WatchProcess) -> None:
    refused = isinglass("alarms", "silence", "lag", "--for", "1h", expect=2)
    assert "--because is needed" in refused.stderr
    isinglass("alarms", "silence", "lag", "--for", "soon", "--because", "x", expect=2)
    for_long = ("--for", "1h", "--because", "known")
    refused = isinglass("alarms", "silence", "store-refusals", "alder", *for_long, expect=1)
    assert "no rule 'store-refusals', did you mean store-refuses" in refused.stderr
    assert "'*' is all" in isinglass("alarms", "silence", "x?z", *for_long, expect=1).stderr
    made = isinglass("alarms", "silence", "store-*", "alder", "--for", "1h", "--because", "known")
    assert made.stdout == "Silence 1: store-* of alder.\n"
    line = ("alarms", "expect", "birch", "--for", "10m", "--because", "new disk", "--by", "ada")
    assert json.loads(isinglass(*line, "--json").stdout)["announcement"]["kind"] == "maintenance"
    watch.say(dict.fromkeys(TROUBLE, TROUBLE["alder"]))
    wait_until(lambda: len(watch.alarms()) == 2, "both alarms")
    wait_until(
        lambda: {alarm["held_back"] for alarm in watch.alarms()} == {"silenced", "expected"},
        "both held back",
    )
    isinglass("alarms", "--check")
    assert "new disk" in isinglass("alarms").stdout
    isinglass("alarms", "end", "1", "2")
    watch.wait_told(2)
    assert "no silence or announcement 1" in isinglass("alarms", "end", "1", expect=1).stderr


def test_notifiers_are_tried(watch: WatchProcess) -> None:
    assert isinglass("alarms", "test", "log").stdout == "log: delivered\n"
    failed = isinglass("alarms", "test", "broken", expect=1).stdout
    assert failed == "broken: not delivered: exit code 1: \n"
    assert "no notifier x" in isinglass("alarms", "test", "x", expect=1).stderr


def test_without_a_monitor_it_says_so(tmp_path: Path) -> None:
    assert "No monitor monitor has run here" in isinglass("alarms", expect=1).stderr
    assert "No monitor monitor runs" in isinglass("alarms", "ack", "1", expect=1).stderr
    told = isinglass("history", "alder", "node.up", expect=1).stderr
    assert "no statistics" in told and "isinglass monitor start" in told
    assert told.count("/statistics") == 1
    with running_watch(tmp_path) as watch:
        watch.say(TROUBLE)
        watch.wait_told(1)
    done = isinglass("alarms")
    assert "store-refuses" in done.stdout
    assert "no monitor runs; this is what the last one knew at 2" in done.stderr
    isinglass("alarms", "--check", expect=2)


@pytest.mark.parametrize(
    "line",
    [
        ("alarms", "acknowledge"),
        ("alarms", "ack", "one"),
        ("alarms", "end", "1" * 5000),
        ("alarms", "ack"),
        ("alarms", "check", "/none/such.toml"),
        ("incident", "soon"),
    ],
    ids=lambda line: " ".join(line)[:30],
)
def test_a_line_that_cannot_be_meant_is_a_sentence(line: tuple[str, ...]) -> None:
    assert isinglass(*line, expect=2).stderr.startswith("isinglass: ")


def test_a_file_of_rules_is_checked(tmp_path: Path) -> None:
    assert "node-silent" in isinglass("alarms", "check").stdout
    path = tmp_path / "own.toml"
    path.write_text('[[rule]]\nname = "lag"\noff = true\n')
    names = {
        r["name"]
        for r in json.loads(isinglass("alarms", "check", str(path), "--json").stdout)["rules"]
    }
    assert "lag" not in names
    assert "backlog" in names
    path.write_text('[[rule]]\nname = "x"\nhelp = "y"\nlook = "z"\nwhen = "queue.lenght > 1"\n')
    error = isinglass("alarms", "check", str(path), expect=2).stderr
    assert f"{path}:5: 'queue.lenght' is no field of panel queue, did you mean length" in error


@pytest.mark.slow
def test_history_prints_trends_of_nodes_also_of_those_that_are_gone(watch: WatchProcess) -> None:
    started = clock.monotonic_ns()
    while clock.monotonic_ns() - started < 4e9:
        count = (clock.monotonic_ns() - started) / 1e9
        figures: dict[str, float | str] = {"queue.length": 7.0, "queue.offered": count * 100}
        watch.say({"alder": (0.0, figures), "birch": (0.0, {})})
        clock.sleep(0.1)
    watch.say({"birch": (0.0, {})})
    wait_for_points("alder", "queue.offered", 3)
    text = isinglass("history", "alder", "queue.length", "--since", "-1m").stdout
    assert text.startswith("alder queue.length, updates, every 5 s\n")
    assert "█" in text or "▁" in text
    document = json.loads(
        isinglass("history", "alder", "queue.*", "--since", "-1m", "--json").stdout
    )
    length, offered = document["trends"]
    assert {point["mean"] for point in length["points"]} == {7.0}
    assert offered["unit"] == "updates/s"
    rates = [point["maximum"] for point in offered["points"]]
    assert 50 < max(rates) < 250
    bars = isinglass("history", "alder", "queue.*", "--bars", "--totals").stdout
    assert "queue.offered" in bars
    assert "queue.length\n" in isinglass("history", "alder").stdout
    assert "did you mean alder" in isinglass("history", "alde", "node.up", expect=2).stderr
    assert "no figure 'x'" in isinglass("history", "alder", "x", expect=2).stderr
    isinglass(
        "history", "alder", "node.up", "--since", "2001-01-01", "--until", "2001-01-02", expect=1
    )


def test_an_incident_shows_the_figures_of_ones_own_rules(watch: WatchProcess) -> None:
    watch.say({"alder": (0.0, {"bakery.heat": 20.0, "bakery.loaves": 3.0})})
    watch.wait_told(1)
    wait_for_points("alder", "bakery.heat", 1)
    [alarm] = watch.alarms()
    report = json.loads(isinglass("incident", str(alarm["number"]), "--json").stdout)
    shown = {trend["field"] for trend in report["statistics"]}
    assert "bakery.heat" in shown and "bakery.loaves" not in shown


@pytest.mark.parametrize("what", ["-20m", "17", "now"])
def test_where_no_monitor_has_run_there_is_no_incident(what: str, tmp_path: Path) -> None:
    path = tmp_path / "incident.md"
    refused = isinglass("incident", what, "--name", "nosuch", "-o", str(path), expect=1)
    assert "No monitor nosuch has run here" in refused.stderr
    assert not path.exists()


def test_an_incident_is_one_page(watch: WatchProcess, tmp_path: Path) -> None:
    watch.say(TROUBLE)
    watch.wait_told(1)
    [alarm] = watch.alarms()
    isinglass("alarms", "ack", str(alarm["number"]), "--by", "ada")
    wait_until(lambda: watch.alarms()[0]["state"] == "acknowledged", "the acknowledgement")
    wait_for_points("alder", "node.up", 1)
    path = tmp_path / "incident.md"
    said = isinglass("incident", str(alarm["number"]), "-o", str(path)).stdout
    assert said.startswith(f"Wrote {path}: 1 alarm, ")
    page = path.read_text()
    assert page.startswith(f"# Incident: store-refuses of alder, alarm {alarm['number']}\n")
    assert "Where to look: At the disk." in page
    assert f"| {alarm['number']} store-refuses alder | acknowledged | by ada |" in page
    assert "| alder | node.up | `" in page
    report = json.loads(isinglass("incident", str(alarm["number"]), "--json").stdout)
    assert report["subject"]["rule"] == "store-refuses"
    assert [entry["what"] for entry in report["done"]] == ["acknowledged"]
    json_path = tmp_path / "incident.json"
    isinglass("incident", "now", "-o", str(json_path))
    assert json.loads(json_path.read_text())["subject"] is None
    assert "no alarm 99" in isinglass("incident", "99", expect=2).stderr
    refused = isinglass("incident", "now", "-o", str(tmp_path / "none" / "x.md"), expect=1)
    assert "cannot be written" in refused.stderr
