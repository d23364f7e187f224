"""Rows of CSV and JSON Lines: what becomes a record, what is a bad row, and at which line."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as some

from isinglass.cli.database import number_or_text, pair, typed
from isinglass.cli.rows import BadRow, Row, format_of, read
from isinglass.errors import UsageError


def rows(text: str, kind: str, key: str = "id", as_text: bool = False) -> list[Row | BadRow]:
    return list(read(io.StringIO(text, newline=""), kind, key, as_text))


def test_csv_cells_become_numbers_where_nothing_is_lost() -> None:
    found = rows("id,a,b,c\r\n007,12,-1.5e3,x y\r\n8,0,,\r\n", "csv")
    assert found == [
        Row(2, "007", {"id": "007", "a": 12, "b": -1500.0, "c": "x y"}),
        Row(3, "8", {"id": "8", "a": 0, "b": "", "c": ""}),
    ]
    assert rows("id,a\n1,2\n", "csv", as_text=True) == [Row(2, "1", {"id": "1", "a": "2"})]


def test_csv_quotes_and_lines_within_cells() -> None:
    found = rows('id,note\n1,"a, ""b""\nc"\n2,d\n', "csv")
    assert found == [
        Row(3, "1", {"id": "1", "note": 'a, "b"\nc'}),
        Row(4, "2", {"id": "2", "note": "d"}),
    ]


def test_bad_rows_of_a_csv_do_not_hide_the_good_ones() -> None:
    long_key = "k" * 401
    found = rows(f'id,a\n1\n2,b,c\n\n,4\n{long_key},5\n6,"x"y\n7,8\n', "csv")
    assert [(row.line, type(row)) for row in found] == [
        *((2, BadRow), (3, BadRow), (5, BadRow), (6, BadRow), (7, BadRow), (8, Row)),
    ]
    reasons = [row.reason for row in found if isinstance(row, BadRow)]
    assert reasons[0] == "1 cells under 2 columns"
    assert reasons[1] == "3 cells under 2 columns"
    assert reasons[2] == "field 'id' is \"\", not a key"
    assert "400" in reasons[3]
    assert reasons[4].startswith("not CSV: ")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "names no columns"), ("a,a\n", "'a' stands twice"), ("a,b\n1,2\n", "no column 'id'")],
)
def test_a_first_line_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        rows(text, "csv")


def test_json_lines() -> None:
    text = (
        '{"id": 7, "a": [1, {"b": null}]}\n'
        "\n"
        '{"id": "x", "a": 1.5}\n'
        '{"a": 1}\n[1]\n{"id": true}\n{"id": }\n{"id": 9}'
    )
    found = rows(text, "jsonl")
    assert found[0] == Row(1, "7", {"id": 7, "a": [1, {"b": None}]})
    assert found[1] == Row(3, "x", {"id": "x", "a": 1.5})
    assert found[-1] == Row(8, "9", {"id": 9})
    bad = {row.line: row.reason for row in found if isinstance(row, BadRow)}
    assert bad[4] == "field 'id' is not there"
    assert bad[5] == "JSON, but not an object"
    assert bad[6] == "field 'id' is true, not a key"
    assert bad[7].startswith("not JSON: ")


def test_the_format_is_told_by_name_then_by_the_first_line() -> None:
    assert format_of("a.csv", "{") == "csv"
    assert format_of("a.jsonl", "id,a") == format_of("a.ndjson", "") == "jsonl"
    assert format_of("-", ' {"id": 1}') == "jsonl"
    assert format_of("-", "id,a") == "csv"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0", 0), ("-5", -5), ("12", 12), ("1.50", 1.5), ("1e3", 1000.0)),
        *(("007", "007"), ("1_000", "1_000"), ("nan", "nan"), ("inf", "inf"), ("", "")),
        *((str(2**64 - 1), 2**64 - 1), (str(2**64), str(2**64)), (str(-(2**63)), -(2**63))),
        *((" 1", " 1"), ("+1", "+1"), (".5", ".5"), ("1.", "1."), ("\u0661", "\u0661")),
    ],
)
def test_what_looks_like_a_number(text: str, value: object) -> None:
    assert number_or_text(text) == value
    assert type(number_or_text(text)) is type(value)


@given(some.text())
def test_no_text_is_too_strange_to_be_a_cell(text: str) -> None:
    value = number_or_text(text)
    assert isinstance(value, int | float) or value == text


def test_words_of_the_command_line() -> None:
    assert typed("true", False) is True and typed("null", False) is None
    assert typed("true", True) == "true" and typed("5", True) == "5"
    assert pair("a=b=c", False) == ("a", "b=c")
    for bad in ("a", "=b"):
        with pytest.raises(UsageError, match="not FIELD=VALUE"):
            pair(bad, False)


def test_a_number_that_json_does_not_have_is_a_bad_row() -> None:
    texts = ("NaN", "Infinity", "-Infinity", "1e999")
    found = rows("".join(f'{{"id": 1, "a": {text}}}\n' for text in texts), "jsonl")
    reasons = [f"not JSON: {text} is no number that JSON has" for text in texts]
    assert [row.reason for row in found if isinstance(row, BadRow)] == reasons
    (good,) = rows("id,a\n1,1e999\n", "csv")
    assert isinstance(good, Row) and good.value["a"] == "1e999"


def test_json_that_is_nested_too_deeply_is_a_bad_row() -> None:
    bad, good = rows("[" * 100_000 + '\n{"id": 1}\n', "jsonl")
    assert isinstance(bad, BadRow) and bad.reason.startswith("not JSON: ")
    assert good == Row(2, "1", {"id": 1})
