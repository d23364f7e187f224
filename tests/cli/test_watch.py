"""`isinglass watch`: values and rates of a moving node, conditions, and restarts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from itertools import pairwise
from threading import Event

import pytest

from cli.commands import isinglass, on_terminal, start
from programs import hear, program, tell

Program = subprocess.Popen[str]


def test_values_as_often_as_asked(bakery: Program) -> None:
    text = isinglass("watch", "bakery", "--interval", "0.01", "--count", "3").stdout
    assert text.count("node bakery") == 3
    assert re.search(r"daemon +\d+ +oven.loaves +1,234,567 +loaves +0$", text, re.M)
    assert re.search(r"oven.took +3 times +microseconds$", text, re.M)


def test_each_look_is_chosen_and_sorted(bakery: Program) -> None:
    line = ("watch", "--interval", "0.01", "--count", "2", "--sort", "-value")
    text = isinglass(*line, "--select", "value > 0.4 and value < 2000").stdout
    assert re.findall(r"oven\.\S+|timer\S+", text) == 2 * [
        *("oven.took", "timer[sweep].runs", "oven.queue.orders", "oven.queue.oldest", "oven.load")
    ]
    look = json.loads(isinglass(*line, "--select", "unit = share", "--json").stdout.splitlines()[0])
    assert [field["field"] for field in look["fields"]] == ["load"]
    head, *rows = isinglass(*line, "--select", "field = oven.took.max", "--tsv").stdout.split("\n")
    assert head.startswith("time\tnode") and [row.split("\t")[5] for row in rows[:2]] == 2 * [
        "4000"
    ]
    for wrong in (("--select", "vlaue > 1"), ("--sort", "-vlaue")):
        assert "did you mean value" in isinglass("watch", *wrong, expect=2).stderr


def test_rates_of_what_moves(bakery: Program) -> None:
    tell(bakery, "threading.Thread(target=bake_on, daemon=True).start()")
    assert hear(bakery) == "done"
    done = isinglass(
        *("watch", "--fields", "oven.loaves, oven.waiting", "--interval", "0.3"),
        *("--count", "3", "--json"),
    )
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(look["fields"]) for look in looks] == [2, 2, 2]
    loaves = [look["fields"][0] for look in looks]
    assert loaves[0]["rate"] is None and loaves[0]["value"] < loaves[2]["value"]
    seconds = (looks[2]["taken_wall_ns"] - looks[1]["taken_wall_ns"]) / 1e9
    assert loaves[2]["rate"] == pytest.approx(
        (loaves[2]["value"] - loaves[1]["value"]) / seconds, rel=0.1
    )
    assert looks[2]["fields"][1]["rate"] is None
    assert set(looks[0]) == {"node", "taken_wall_ns", "verdict", "fields"}
    assert set(loaves[0]) == {
        *("process", "pid", "verdict", "heartbeat_age_seconds"),
        *("panel", "instance", "field", "unit", "value", "rate"),
    }


def test_who_was_stopped_makes_no_look_up_for(bakery: Program) -> None:
    """As after Ctrl-Z and fg: the next look is at once, the one after it an interval later."""
    watch = start("watch", "bakery", "-i", "0.1", "--count", "9", "--json")
    with watch:
        assert watch.stdout is not None
        texts = [watch.stdout.readline()]
        watch.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, watch.pid, os.WSTOPPED)
        Event().wait(1.0)
        watch.send_signal(signal.SIGCONT)
        texts += watch.stdout.readlines()
    at = [json.loads(text)["taken_wall_ns"] / 1e9 for text in texts]
    gaps = [after - before for before, after in pairwise(at)]
    assert len(at) == 9 and max(gaps) > 0.9
    assert sum(gap < 0.05 for gap in gaps) <= 1


def test_a_condition_ends_it_when_it_holds(bakery: Program) -> None:
    watch = start("watch", "bakery", "-q", "-i", "0.05", "--until", "oven.loaves = 7")
    with watch:
        tell(bakery, "oven.loaves = 7")
        assert hear(bakery) == "done"
        assert watch.wait(timeout=20) == 0
        assert watch.stdout and watch.stdout.read() == ""


def test_a_condition_that_does_not_hold_in_time(bakery: Program) -> None:
    for limit in (("--timeout", "0.2"), ("--count", "2")):
        done = isinglass(
            *("watch", "bakery", "-q", "-i", "0.05", "--until", "oven.loaves < 1", *limit),
            expect=1,
        )
        assert done.stderr == ("isinglass: oven.loaves < 1 did not hold in time on node bakery.\n")


def refused(condition: str) -> str:
    """Return the sentence by which a condition is refused at once, whatever its timeout is."""
    line = ("watch", "bakery", "--until", condition, "--timeout", "50")
    done = isinglass(*line, expect=2)
    assert done.stdout == "" and done.stderr.count("\n") == 1
    return done.stderr


def test_a_misspelt_value_is_not_waited_for(bakery: Program) -> None:
    told = refused("oven.loavse < 1")
    assert told.startswith("isinglass: Node bakery has no value oven.loavse, did you mean oven.loa")
    assert "oven.loaves" in told and "`isinglass dump" in told
    assert "did you mean oven.loaves" in refused("oven.waiting = -2 and ovn.loaves < 1")
    assert "oven.took.p99" in refused("oven.took.p98 > 0")
    assert "timer.runs" in refused("rate(timer[sweep].rnus) > 0")
    assert "peer.lag_seconds" in refused("peer.lag_second < 1"), "also of what is not there yet"
    assert "no value zzz.zzz; `" in refused("daemon/zzz.zzz < 1")


@pytest.mark.parametrize(
    "condition", ["peer[elm].lag_seconds < 1", "customer/own.figure < 1", "client.p*s > 0"]
)
def test_a_value_that_may_come_is_waited_for(bakery: Program, condition: str) -> None:
    line = ("watch", "bakery", "-q", "-i", "0.05", "--until", condition, "--timeout", "0.3")
    assert "did not hold in time" in isinglass(*line, expect=1).stderr


def test_a_timeout_alone_ends_it_well(bakery: Program) -> None:
    assert isinglass("watch", "--interval", "10", "--timeout", "0.2").stdout.count("node") >= 1


def test_bad_conditions_and_fields_are_refused_before_anything_is_read() -> None:
    assert "not a condition" in isinglass("watch", "--until", "queue", expect=2).stderr
    assert "not the name of a value" in isinglass("watch", "--fields", "queue", expect=2).stderr


def test_it_follows_a_restart_and_says_so(bakery: Program, source: str) -> None:
    from cli.conftest import BAKERY

    watch = start("watch", "bakery", "-i", "0.05", "--json", "--fields", "oven.loaves")
    with watch:
        assert watch.stdout and watch.stderr
        first = json.loads(watch.stdout.readline())
        assert first["verdict"] == "alive"
        bakery.kill()
        bakery.wait()
        with program(BAKERY, "bakery", "daemon", source) as successor:
            assert watch.stderr.readline() == "isinglass: node bakery was restarted.\n"
            pid = bakery.pid
            while pid != successor.pid:
                look = json.loads(watch.stdout.readline())
                pid = look["fields"][0]["pid"] if look["fields"] else pid
            assert look["verdict"] == "alive"
        watch.terminate()


def test_several_nodes_must_be_told_apart(bakery: Program, source: str) -> None:
    from cli.conftest import BAKERY

    with program(BAKERY, "mill", "daemon", source):
        assert "name one: bakery, mill" in isinglass("watch", expect=2).stderr


def test_on_a_terminal_it_redraws_one_table(bakery: Program) -> None:
    code, text = on_terminal("watch", "bakery", "-i", "0.05", "--count", "3")
    assert code == 0 and "\x1b[" in text and "1,234,567" in text
