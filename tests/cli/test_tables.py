"""Tables for scripts: columns and rows chosen, sorted, as text, TSV and CSV; exit codes stay."""

from __future__ import annotations

import csv
import json
import subprocess

import pytest

from cli.commands import isinglass
from isinglass.cli import tables
from isinglass.cli.options import Command

Program = subprocess.Popen[str]
COMMAND = Command("try", "", options=(tables.COLUMNS, tables.SELECT, tables.SORT))
NAMES = ("name", "age")
ROWS: list[tables.Row] = [
    {"name": "b", "age": 2.0},
    {"name": "a", "age": None},
    {"name": "c", "age": 10.0},
]


def names(*line: str) -> list[object]:
    values = COMMAND.parse(line)
    rows = tables.narrowed(ROWS, values, NAMES)
    return [row["name"] for row in rows]


def test_rows_are_chosen_and_sorted() -> None:
    assert names() == ["b", "a", "c"]
    assert names("--sort", "name") == ["a", "b", "c"]
    assert names("--sort", "-age") == ["c", "b", "a"], "what is not known is least"
    assert names("--select", "age > 1 and name != c") == ["b"]
    assert names("--select", "age > 5 or name = a") == ["a", "c"]


def test_no_line_of_a_table_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tables.write([{"name": "\x1b[2Jred\n", "age": None}], NAMES, "\t")
    assert capsys.readouterr().out == "name\tage\n\\e[2Jred\\n\t\n"


def test_ps_is_narrowed(bakery: Program, customer: Program) -> None:
    lines = isinglass("ps", "--fields", "thread,process", "--sort", "-process").stdout.splitlines()
    assert [line.split() for line in lines][:2] == [["thread", "process"], ["MainThread", "daemon"]]
    line = ("ps", "--select", "process = customer and thread = counter", "--json")
    (thread,) = json.loads(isinglass(*line).stdout)["threads"]
    assert (thread["process"], thread["thread"]) == ("customer", "counter")
    rows = list(csv.DictReader(isinglass("ps", "--csv").stdout.splitlines()))
    assert {row["pid"] for row in rows} == {str(bakery.pid), str(customer.pid)}
    assert all(float(row["for"]) >= 0 for row in rows)
    assert "did you mean thread" in isinglass("ps", "--sort", "thred", expect=2).stderr
    assert "is not a condition" in isinglass("ps", "--select", "for", expect=2).stderr


def test_values_of_a_dump_stand_in_a_row(bakery: Program, customer: Program) -> None:
    line = ("dump", "--fields", "*/oven.loaves,*/oven.took.max,timer.runs", "--sort", "-pid")
    lines = [row.split() for row in isinglass(*line).stdout.splitlines()]
    assert lines[0] == [
        *("node", "process", "pid", "instance"),
        *("oven.loaves", "oven.took.max", "timer.runs"),
    ]
    assert [row[1] for row in lines[1:3]] == ["customer", "daemon"]
    assert ["bakery", "daemon", str(bakery.pid), "sweep", "-", "-", "41"] in lines
    rows = json.loads(isinglass(*line, "--json").stdout)["rows"]
    assert {row["oven.took.max"] for row in rows} == {4000, None}
    tsv = isinglass("dump", "--fields", "oven.load", "--tsv").stdout
    head = "node\tprocess\tpid\tinstance\toven.load"
    assert tsv == f"{head}\nbakery\tdaemon\t{bakery.pid}\t\t0.5\n"
    misspelt = isinglass("dump", "--fields", "oven.load,oven.loavse", "--tsv")
    assert misspelt.stdout == tsv
    assert "no process here has oven.loavse, did you mean oven.loaves" in misspelt.stderr


def test_nodes_of_a_dump_are_chosen(bakery: Program) -> None:
    chosen = ("dump", "--select", "oven.load > 0.4", "--json")
    assert len(json.loads(isinglass(*chosen).stdout)["nodes"]) == 1
    none = ("dump", "--select", "oven.load > 0.6", "--json")
    assert json.loads(isinglass(*none).stdout)["nodes"] == []
    bakery.kill()
    bakery.wait()
    isinglass(*none, expect=1)
    assert "--fields" in isinglass("dump", "--sort", "x", expect=2).stderr


def test_a_watch_in_lines(bakery: Program) -> None:
    line = ("watch", "bakery", "--fields", "oven.loaves", "--count", "2", "--interval", "0.1")
    rows = list(csv.DictReader(isinglass(*line, "--csv").stdout.splitlines()))
    assert [row["field"] for row in rows] == ["oven.loaves"] * 2, "the head once"
    assert [row["value"] for row in rows] == ["1234567"] * 2
    assert rows[0]["rate"] == "" and float(rows[1]["rate"]) == 0
    assert float(rows[1]["time"]) > float(rows[0]["time"])
    assert "\t1234567\tloaves\t" in isinglass(*line, "--tsv").stdout
