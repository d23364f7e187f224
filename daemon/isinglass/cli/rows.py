"""Rows of CSV and JSON Lines files as records, each with the line it came from; pure.

A row that is no record is yielded as a `BadRow` with its reason, so that the caller decides whether
to stop or to count it and go on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from isinglass.cli.database import json_value, number_or_text
from isinglass.errors import StoreError, UsageError
from isinglass.store import records

FORMATS = ("csv", "jsonl")


class Row(NamedTuple):
    """A record, and the number of the line where it ends."""

    line: int
    key: str
    value: dict[str, Any]


class BadRow(NamedTuple):
    """A line that is no record, and why."""

    line: int
    reason: str


def format_of(name: str, first: str) -> str:
    """Return the format of a file by its name, or by its first line when the name does not say."""
    for suffix, kind in ((".csv", "csv"), (".jsonl", "jsonl"), (".ndjson", "jsonl")):
        if name.endswith(suffix):
            return kind
    return "jsonl" if first.lstrip().startswith("{") else "csv"


def read(
    lines: Iterable[str], kind: str, key_field: str, as_text: bool = False
) -> Iterator[Row | BadRow]:
    """Yield the rows of a file.

    Args:
        lines: its lines with their ends.
        kind: one of `FORMATS`.
        key_field: the field whose value becomes the record's key; it stays in the record, too.
        as_text: leave the cells of CSV as text.

    Raises:
        UsageError: the first line of a CSV names no columns, one twice, or not `key_field`.
    """
    rows = _csv(lines, key_field, as_text) if kind == "csv" else _jsonl(lines)
    for row in rows:
        yield row if isinstance(row, BadRow) else _record(*row, key_field)


def _record(line: int, value: dict[str, Any], key_field: str) -> Row | BadRow:
    key = value.get(key_field)
    if isinstance(key, bool) or not isinstance(key, int | str) or key == "":
        why = f"is {json.dumps(key)}, not a key" if key_field in value else "is not there"
        return BadRow(line, f"field {key_field!r} {why}")
    try:
        records.key_bytes(str(key))
        records.pack_value(value)
    except StoreError as error:
        return BadRow(line, str(error))
    return Row(line, str(key), value)


def _csv(
    lines: Iterable[str], key_field: str, as_text: bool
) -> Iterator[tuple[int, dict[str, Any]] | BadRow]:
    reader = csv.reader(lines, strict=True)
    header = _header(reader, key_field)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield BadRow(reader.line_num, f"not CSV: {error}")
            continue
        if cells is None:
            return
        if not cells:
            continue
        if len(cells) != len(header):
            yield BadRow(reader.line_num, f"{len(cells)} cells under {len(header)} columns")
            continue
        value: dict[str, Any] = dict(zip(header, cells, strict=True))
        if not as_text:
            # A key stays as it is written: 1e3 and 1000 are two keys.
            value = {
                name: cell if name == key_field else number_or_text(cell)
                for name, cell in value.items()
            }
        yield reader.line_num, value


def _header(reader: Iterator[list[str]], key_field: str) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise UsageError(f"The first line is not CSV: {error}.") from None
    if not header:
        raise UsageError("The first line names no columns.")
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"Column {twice!r} stands twice in the first line.")
    if key_field not in header:
        raise UsageError(f"There is no column {key_field!r}, only {', '.join(header)}.")
    return header


def _jsonl(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]] | BadRow]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json_value(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"not JSON: {error}")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            yield BadRow(number, "JSON, but not an object")
