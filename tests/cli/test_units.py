"""Numbers, lengths of time and wall times as people read them."""

from __future__ import annotations

import pytest

from isinglass.cli import units
from isinglass.glass.histogram import WORDS, HistogramValue, bucket_of
from isinglass.glass.panel_views import FieldView, Value
from isinglass.glass.schema import FieldSchema


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (1234567, "1,234,567"), (-2, "-2"), (2**64 - 1, "18,446,744,073,709,551,615")),
        *((0.0, "0"), (0.5, "0.5000"), (0.00021, "2.10e-04"), (1.5, "1.50"), (12.345, "12.3")),
        *((123.456, "123.5"), (1234.5, "1,234"), (-1.5, "-1.50"), (1e12, "1,000,000,000,000")),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert units.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.0, "0.0 ms"), (0.0201, "20.1 ms"), (0.4, "0.4 s"), (119.0, "119.0 s")),
        *((120.0, "2.0 min"), (7200.0, "2.0 h"), (200_000.0, "2.3 d")),
    ],
)
def test_lengths_of_time(value: float, text: str) -> None:
    assert units.seconds(value) == text


def view(kind: str, unit: str, value: Value) -> FieldView:
    schema = FieldSchema("f", kind, 0, 8, unit, "info", "help")
    return FieldView(schema, "f", value)


def test_fields_by_kind() -> None:
    now = 1_700_000_060_000_000_000
    assert units.field_value(view("counter", "updates", 1234), now) == "1,234"
    assert units.field_value(view("real", "share", 0.613), now) == "61.3"
    assert units.unit("share") == "%" and units.unit("updates") == "updates"
    assert units.field_value(view("text", "text", ""), now) == "-"
    assert units.field_value(view("timestamp", "time", 0), now) == "never"
    text = units.field_value(view("timestamp", "time", now - 60_000_000_000), now)
    assert text.endswith("(60.0 s ago)") and text.startswith("2023-11-")


def test_histograms_on_one_line() -> None:
    words = [0] * WORDS
    assert units.histogram(HistogramValue(words)) == "none"
    for value in (1, 2, 3):
        words[0] += value
        words[1] = max(words[1], value)
        words[2 + bucket_of(value)] += 1
    text = units.histogram(HistogramValue(words))
    assert text == "3 times, mean 2.00, p50 2.00, p90 3.00, p99 3.00, max 3"


def test_what_is_zero() -> None:
    empty = HistogramValue([0] * WORDS)
    for kind, value in (("counter", 0), ("real", 0.0), ("text", ""), ("histogram", empty)):
        assert units.is_zero(view(kind, "1", value))
    for kind, value in (("counter", 1), ("real", 0.1), ("text", "x"), ("gauge", -1)):
        assert not units.is_zero(view(kind, "1", value))


def test_one_thing_is_not_several() -> None:
    found = [units.counted(count, "frame") for count in (0, 1, 2, 1200)]
    assert found == ["0 frames", "1 frame", "2 frames", "1,200 frames"]
