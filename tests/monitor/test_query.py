"""What people ask and see: times, levels, patterns, and texts that can do no harm."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.errors import UsageError
from isinglass_monitor.query.filters import Filter, parse_level, parse_pattern
from isinglass_monitor.query.rendering import json_line, line
from isinglass_monitor.query.times import parse_time
from isinglass_monitor.spool.records import Entry
from monitor.spooled import NOW, NOW_NS

SECOND = 1_000_000_000
NOON = int(datetime(2026, 11, 28, 12, 0, 30).timestamp()) * SECOND


def local(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    microsecond: int = 0,
) -> int:
    moment = datetime(year, month, day, hour, minute, second, microsecond)
    return int(moment.timestamp() * 1000) * 1_000_000


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("now", NOON),
        ("-10m", NOON - 600 * SECOND),
        ("-1h30m", NOON - 5400 * SECOND),
        ("-1.5s", NOON - 3 * SECOND // 2),
        ("-2d", NOON - 172_800 * SECOND),
        ("11:05", local(2026, 11, 28, 11, 5)),
        ("9:05", local(2026, 11, 28, 9, 5)),
        ("12:00:30", NOON),
        ("12:00:31", NOON - 86_399 * SECOND),
        ("14:05", local(2026, 11, 27, 14, 5)),
        ("11:05:06.250", local(2026, 11, 28, 11, 5, 6, 250_000)),
        ("2026-11-27", local(2026, 11, 27)),
        ("2026-11-27 23:59", local(2026, 11, 27, 23, 59)),
        ("2026-11-27T23:59:01Z", 1_795_823_941 * SECOND),
        ("today", local(2026, 11, 28)),
        ("yesterday", local(2026, 11, 27)),
    ],
)
def test_times_are_read_as_people_write_them(text: str, wanted: int) -> None:
    assert parse_time(text, NOON) == wanted


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("02:40", (25, 1, 40)),  # there were two, and both have been
        ("02:50", (25, 0, 50)),  # of the two, one has been
        ("01:40", (24, 23, 40)),
        ("03:00", (24, 1, 0)),
    ],
)
def test_of_two_times_of_day_the_later_one_that_has_been_counts(
    monkeypatch: pytest.MonkeyPatch, text: str, utc: tuple[int, int, int]
) -> None:
    def at(day: int, hour: int, minute: int) -> int:
        return int(datetime(2026, 10, day, hour, minute, tzinfo=UTC).timestamp()) * SECOND

    try:
        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        assert parse_time(text, at(25, 1, 45)) == at(*utc)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("text", ["", "10m", "-10", "-m", "25:00", "12:61", "soon", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time: give a time as -10m"):
        parse_time(text, NOON)


@given(st.text(max_size=30))
def test_no_text_makes_the_reader_of_times_fail(text: str) -> None:
    try:
        parse_time(text, NOON)
    except UsageError:
        pass


def test_levels_have_names_and_numbers() -> None:
    assert [parse_level(text) for text in ("WARN", "warning", "error", "7")] == [13, 13, 17, 7]
    for text in ("loud", "0", "25", "²", "1" * 5000):
        with pytest.raises(UsageError, match="--level is one of"):
            parse_level(text)


def entry(message: str, fields: str = "", severity: int = 9, **other: Any) -> Entry:
    known = Entry(
        NOW, 7, 3, "oak", "daemon", severity, "store", message, fields, "oak.py:7", NOW_NS
    )
    return known._replace(**other)


def test_filters_look_at_process_flag_and_text() -> None:
    full = entry("the disk is full", "path=/data\tfree=0")
    assert Filter().wants(full)
    assert Filter(processes=("daemon",), flags=("store", "queue")).wants(full)
    assert not Filter(processes=("client",)).wants(full)
    assert not Filter(flags=("queue",)).wants(full)
    for pattern, found in (
        ("DISK", False),
        ("disk.*full", True),
        ("free=0", True),
        ("nope", False),
    ):
        assert Filter(pattern=parse_pattern(pattern)).wants(full) is found
    assert Filter(pattern=parse_pattern("the")).wants(entry("The disk"))
    with pytest.raises(UsageError, match="no regular expression"):
        parse_pattern("(")


BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@given(st.text(), st.text(), st.booleans())
def test_no_control_character_reaches_a_terminal(message: str, fields: str, colour: bool) -> None:
    shown = line(entry(message, fields, flag=message[:20], where=fields[:20]), colour=colour)
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[33m", "\x1b[36m"):
        shown = shown.replace(code, "")
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert not BIDI.search(shown)
    told = json_line(entry(message, fields))
    assert told.isascii()
    assert told.isprintable()
    assert json.loads(told)["message"] == message


def test_a_line_says_when_who_and_what() -> None:
    shown = line(entry("the disk is full", "free=0\tpath=/x", 17))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.000 ERROR oak/daemon store: the disk is full"
        r" free=0 path=/x oak.py:7",
        shown,
    )
    told = json.loads(json_line(entry("x", "free=0\tpath=/x", 17, missing=2)))
    assert told["time"] == "2023-11-14T22:13:20.000Z"
    assert told["fields"] == {"free": "0", "path": "/x"}
    assert (told["level"], told["missing"], told["stream"]) == ("error", 2, "0000000000000007")
