"""`isinglass ps`: one line a thread, live and dead, with the source it stands on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from cli.commands import isinglass, on_terminal

Program = subprocess.Popen[str]


def test_one_line_a_thread(bakery: Program, customer: Program) -> None:
    lines = isinglass("ps", "bakery").stdout.splitlines()
    assert lines[0].split() == [
        *("node", "process", "pid", "verdict", "thread", "where"),
        *("function", "doing", "for", "source"),
    ]
    text = "\n".join(lines[1:])
    for process in (("daemon", bakery.pid), ("customer", customer.pid)):
        head = rf"^bakery +{process[0]} +{process[1]} +alive +"
        works = r"MainThread +\S+/oven.py:2 +bake +works kneading +\d\S* \S+ +mark\('kneading'\)$"
        waits = r"counter +\S+/oven.py:3 +bake +waits for orders +\d\S* \S+ +mark.waiting"
        assert re.search(head + works, text, re.M), text
        assert re.search(head + waits, text, re.M), text


def test_processes_can_be_chosen(bakery: Program, customer: Program) -> None:
    text = isinglass("ps", "--process", "customer").stdout
    assert str(customer.pid) in text and str(bakery.pid) not in text


def test_json(bakery: Program, source: str) -> None:
    document = json.loads(isinglass("ps", "bakery", "--json").stdout)
    assert set(document) == {"format", "threads"}
    (main,) = (t for t in document["threads"] if t["thread"] == "MainThread")
    assert main["path"] == source and main["line"] == 2 and main["waits"] is False
    assert main["source"] == "mark('kneading')" and main["verdict"] == "alive"
    assert main["node"] == "bakery" and main["stood_seconds"] >= 0
    assert set(main) == {
        *("node", "process", "pid", "verdict", "heartbeat_age_seconds", "thread", "tid"),
        *("stood_seconds", "path", "line", "function", "label", "waits", "source"),
    }


def test_the_dead_keep_their_last_line(bakery: Program) -> None:
    bakery.kill()
    bakery.wait()
    text = isinglass("ps", "bakery", expect=1).stdout
    assert text.startswith(f"bakery daemon {bakery.pid}: KILLED, last seen")
    assert re.search(r"killed +MainThread +\S+/oven.py:2 +bake +works kneading", text)


def test_a_source_that_is_gone_is_said_to_be(bakery: Program, source: str) -> None:
    Path(source).unlink()
    assert "(source not here)" in isinglass("ps").stdout


def test_on_a_terminal(bakery: Program) -> None:
    code, text = on_terminal("ps", columns=160)
    assert code == 0 and "\x1b[" in text and "kneading" in text
