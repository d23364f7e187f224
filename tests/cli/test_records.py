"""The commands on records, against a real daemon: load, get, put, delete and scan."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import isinglass as product
from cli.commands import COMMAND, isinglass, on_terminal

WORDS = "word,length,share\nash,3,0.25\nbirch,5,0.5\nelm,3,1.5\nrowan,5,2\n"


@pytest.fixture
def oak() -> Iterator[subprocess.Popen[str]]:
    """The daemon of a node `oak`, empty."""
    process = subprocess.Popen(
        [COMMAND, "daemon", "run", "oak"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "ready" in line, line + process.stdout.read()
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def words(oak: subprocess.Popen[str], tmp_path: Path) -> Path:
    """The file of `WORDS`, loaded into a table of the same name."""
    path = tmp_path / "words.csv"
    path.write_text(WORDS)
    isinglass("load", str(path), "--table", "words", "--key", "word", "--create", "--index=length")
    return path


def test_load_get_and_scan(words: Path) -> None:
    assert json.loads(isinglass("get", "words", "birch", "--json").stdout) == {
        "word": "birch",
        "length": 5,
        "share": 0.5,
    }
    assert isinglass("get", "words", "elm", "--node", "oak").stdout == (
        "word    elm\nlength  3\nshare   1.5\n"
    )
    lines = isinglass("scan", "words").stdout.splitlines()
    assert lines[0] == "ash\tword=ash\tlength=3\tshare=0.25" and len(lines) == 4


def test_what_is_not_there(words: Path) -> None:
    missing = isinglass("get", "words", "yew", expect=1)
    assert missing.stdout == "" and missing.stderr == (
        "isinglass: table words has no record 'yew'.\n"
    )
    assert "trees" in isinglass("get", "trees", "yew", expect=1).stderr
    assert "nowhere" in isinglass("get", "words", "ash", "--node", "nowhere", expect=1).stderr


def keys(*options: str) -> list[str]:
    return isinglass("scan", "words", "--keys", *options).stdout.split()


def test_every_way_to_scan(words: Path) -> None:
    assert keys() == ["ash", "birch", "elm", "rowan"]
    assert keys("--start", "b", "--stop", "f") == ["birch", "elm"]
    assert keys("--start", "birch", "--stop", "elm") == ["birch"]
    assert keys("--prefix", "r") == ["rowan"]
    assert keys("--reverse", "--limit", "2") == ["rowan", "elm"]
    assert keys("--where", "length=5") == ["birch", "rowan"]
    assert keys("--where", "length=4") == []
    assert keys("--where", "length=5", "--text") == []
    assert keys("--by", "length", "--reverse", "-n", "1") == ["rowan"]
    assert keys("--by", "length", "--start", "4") == ["birch", "rowan"]
    assert keys("--by", "length", "--stop", "4") == ["ash", "elm"]
    assert isinglass("scan", "words", "--count").stdout == "4\n"
    documents = [json.loads(x) for x in isinglass("scan", "words", "--json").stdout.splitlines()]
    assert documents[3] == {"key": "rowan", "value": {"word": "rowan", "length": 5, "share": 2}}


def test_ways_that_exclude_each_other_and_fields_without_index(words: Path) -> None:
    both = isinglass("scan", "words", "--prefix", "a", "--by", "length", expect=2)
    assert "two ways to choose" in both.stderr
    assert "share" in isinglass("scan", "words", "--where", "share=1", expect=1).stderr


def test_put_in_every_form_and_delete(words: Path) -> None:
    isinglass("put", "words", "fir", '{"length": 3, "old": [1, null]}')
    isinglass("put", "words", "yew", "length=3", "evergreen=true", "note=a b")
    isinglass("put", "words", "oak", "length=3", "--text")
    isinglass("put", "words", "pine", "-", stdin='{"length": 4}')
    found = {
        key: json.loads(isinglass("get", "words", key, "--json").stdout)
        for key in ("fir", "yew", "oak", "pine")
    }
    assert found == {
        "fir": {"length": 3, "old": [1, None]},
        "yew": {"length": 3, "evergreen": True, "note": "a b"},
        "oak": {"length": "3"},
        "pine": {"length": 4},
    }
    isinglass("delete", "words", "fir", "yew", "never")
    assert keys() == ["ash", "birch", "elm", "oak", "pine", "rowan"]
    isinglass("put", "trees", "yew", "length=3", "--create", "--durability", "second")
    assert isinglass("get", "trees", "yew").stdout == "length  3\n"


ODD = {"nested": {b"\x01k": 1}, "none": [math.nan, -math.inf], "text": "a\tb\n\x1b[2J\x9b2J"}


def test_every_value_is_printed_in_one_line_that_drives_no_terminal(words: Path) -> None:
    with product.connect("oak") as database:
        database.put("words", "\x1b[31mred\n", ODD, durability="commit")
    line, *_ = isinglass("scan", "words").stdout.splitlines()
    assert line == (
        '\\e[31mred\\n\tnested={"016b": 1}\tnone=["nan", "-inf"]\ttext=a\\tb\\n\\e[2J\\x9b2J'
    )
    assert isinglass("scan", "words", "--keys", "-n", "1").stdout == "\\e[31mred\\n\n"
    found = json.loads(isinglass("scan", "words", "--json", "-n", "1").stdout)
    assert found == {
        "key": "\x1b[31mred\n",
        "value": {"nested": {"016b": 1}, "none": ["nan", "-inf"], "text": ODD["text"]},
    }
    shown = isinglass("get", "words", "\x1b[31mred\n").stdout
    assert shown.splitlines()[2] == "text    a\\tb\\n\\e[2J\\x9b2J"


def test_bounds_of_a_scan_may_be_any_bytes(words: Path) -> None:
    done = subprocess.run(
        [COMMAND, "scan", "words", "--start", b"\xff"], capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_add_prints_the_count(words: Path) -> None:
    assert isinglass("add", "words", "fir", "seen").stdout == "1\n"
    assert isinglass("add", "words", "fir", "seen", "-12", "--node", "oak").stdout == "-11\n"
    added = isinglass("add", "words", "ash", "length", "5", "--json", "--durability", "second")
    assert json.loads(added.stdout) == {
        "table": "words",
        "key": "ash",
        "field": "length",
        "added": 5,
        "value": 8,
    }
    assert keys("--where", "length=8") == ["ash"]
    for wrong in ("1.5", "many", "1e3"):
        assert "whole number" in isinglass("add", "words", "a", "b", wrong, expect=2).stderr
    assert "64 bits" in isinglass("add", "words", "a", "b", "1" + "0" * 30, expect=1).stderr
    assert "trees" in isinglass("add", "trees", "yew", "n", expect=1).stderr


@pytest.mark.parametrize(
    "value",
    [
        *(("[1]",), ("{",), ("nothing",), ("{}", "a=1"), ('{"a":' * 20_000,)),
        *(('{"a": NaN}',), ('{"a": -Infinity}',)),
    ],
    ids=lambda value: value[0][:8],
)
def test_values_that_are_no_record_are_refused_before_the_node_is_asked(
    value: tuple[str, ...],
) -> None:
    assert isinglass("put", "words", "fir", *value, expect=2).stderr.startswith("isinglass: ")


def test_put_without_a_table_or_a_value(oak: subprocess.Popen[str]) -> None:
    assert "trees" in isinglass("put", "trees", "yew", "a=1", expect=1).stderr
    assert "needs VALUE" in isinglass("put", "trees", "yew", expect=2).stderr


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "The first line names no columns."), ("word,a\n", "There is no column 'nokey'")],
)
def test_what_is_wrong_with_a_file_names_it(
    words: Path, tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_text(text)
    refused = isinglass("load", str(path), "--table", "words", "--key", "nokey", expect=2)
    assert refused.stderr.startswith(f"isinglass: {path}: {why}")


def test_a_bad_row_stops_a_load_with_its_place(words: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"word": "fir"}\n{"word": "yew"}\nnonsense\n{"word": "oak"}\n')
    load = ("load", str(path), "--table", "words", "--key", "word")
    stopped = isinglass(*load, expect=1)
    assert stopped.stderr.startswith(f"isinglass: {path}:3: not JSON: ")
    assert "what is before it is stored (2 records)" in stopped.stderr
    assert keys("--start", "fir") == ["fir", "rowan", "yew"]
    skipped = isinglass(*load, "--skip-bad", "--json")
    assert f"skipped {path}:3: not JSON" in skipped.stderr
    summary = json.loads(skipped.stdout)
    assert (summary["stored"], summary["skipped"], summary["table"]) == (3, 1, "words")
    assert "oak" in keys()


def test_loading_again_changes_nothing(words: Path) -> None:
    before = isinglass("scan", "words").stdout
    done = isinglass("load", str(words), "--table", "words", "--key", "word", "--batch", "1")
    assert done.stdout.startswith(f"4 records from {words} into table words in ")
    assert isinglass("scan", "words").stdout == before


def test_load_from_standard_input(words: Path) -> None:
    for text in ("word,length\nfir,3\n", '{"word": "yew", "length": 3}\n'):
        isinglass("load", "-", "--table", "words", "--key", "word", stdin=text)
    assert keys("--where", "length=3") == ["ash", "elm", "fir", "yew"]
    isinglass("load", "-", "-t", "words", "-k", "word", "--format", "csv", "--text", stdin=WORDS)
    assert keys("--where", "length=3", "--text") == ["ash", "elm"]


def test_what_load_refuses(oak: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text(WORDS)
    assert (
        "--create makes it"
        in isinglass("load", str(path), "-t", "none", "-k", "word", expect=1).stderr
    )
    assert (
        "no column 'id'"
        in isinglass("load", str(path), "-t", "words", "-k", "id", "--create", expect=2).stderr
    )
    assert "needs --key" in isinglass("load", str(path), "-t", "words", expect=2).stderr
    assert (
        "give --create"
        in isinglass(
            "load", str(path), "-t", "words", "-k", "word", "--index", "length", expect=2
        ).stderr
    )
    missing = isinglass("load", "/no/such.csv", "-t", "words", "-k", "word", expect=2)
    assert "/no/such.csv cannot be read: No such file" in missing.stderr
    path.write_bytes(b"word\n\xff\xfe\n")
    assert (
        "is not UTF-8"
        in isinglass("load", str(path), "-t", "words", "-k", "word", "--create", expect=1).stderr
    )


def test_a_large_load_counts_right(oak: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("n,square\n" + "".join(f"{n},{n * n}\n" for n in range(12_345)))
    done = isinglass("load", str(path), "-t", "numbers", "-k", "n", "--create")
    assert done.stdout.startswith("12,345 records")
    assert isinglass("scan", "numbers", "--count").stdout == "12345\n"
    assert json.loads(isinglass("get", "numbers", "777", "--json").stdout)["square"] == 777 * 777


def test_a_load_shows_how_far_it_is_on_a_terminal_alone(
    oak: subprocess.Popen[str], tmp_path: Path
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"id": {number}}}\n' for number in range(3000)))
    line = ("load", str(path), "--table", "many", "--key", "id", "--create", "--batch", "500")
    code, shown = on_terminal(*line)
    assert code == 0 and "━" in shown and "100%" in shown
    assert shown.index("━") < shown.index(f"3,000 records from {path}")
    for quiet in (on_terminal(*line, "--json")[1], isinglass(*line).stdout):
        assert quiet.count("\n") == 1 and quiet.isascii() and "%" not in quiet
    assert isinglass(*line).stderr == ""


def test_on_a_terminal(words: Path) -> None:
    code, text = on_terminal("load", str(words), "--table", "words", "--key", "word")
    assert code == 0 and "4 records" in text and "100%" in text
    code, text = on_terminal("scan", "words")
    assert code == 0 and "\x1b[" in text and "rowan" in text and "share" in text
    code, text = on_terminal("get", "words", "ash")
    assert code == 0 and "0.25" in text


def test_a_stopped_daemon_is_one_sentence(words: Path, oak: subprocess.Popen[str]) -> None:
    oak.terminate()
    oak.wait(timeout=30)
    refused = isinglass("put", "words", "yew", "length=3", expect=1).stderr
    assert refused.count("\n") == 1 and "isinglass daemon start" in refused
    assert sys.executable not in refused
