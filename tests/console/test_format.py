"""Numbers as an operator reads them: units, groups, and nothing that cannot be shown."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass_console.model import format as text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (9340, "9 340"),
        (9.44, "9.4"),
        (0.012, "0.01"),
        (12_345_678, "12.3 M"),
        (nan, "--"),
    ],
)
def test_counts(value: float, shown: str) -> None:
    assert text.count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 s"),
        (3e-9, "3 ns"),
        (1.7e-6, "1.7 µs"),
        (0.204, "204 ms"),
        (1.84, "1.8 s"),
        (42.4, "42 s"),
        (252, "4 min 12"),
        (7300, "2 h 01"),
        (200_000, "2.3 d"),
        (inf, "--"),
    ],
)
def test_durations(value: float, shown: str) -> None:
    assert text.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (4_404_019, "bytes", "4.2 MiB"),
        (500, "bytes", "500 B"),
        (0.71, "share", "71 %"),
        (0.001, "share", "<1 %"),
        (1_500, "microseconds", "1.5 ms"),
        (7, "visitors", "7 visitors"),
        (3, "1", "3"),
        (nan, "visitors", "--"),
    ],
)
def test_quantities_have_their_unit(value: float, unit: str, shown: str) -> None:
    assert text.quantity(value, unit) == shown


def test_rates_of_times_are_shares_of_time() -> None:
    assert text.quantity_rate(500_000, "microseconds") == "50 %"
    assert text.quantity_rate(2048, "bytes") == "2.0 KiB/s"
    assert text.quantity_rate(9340, "updates") == "9 340 /s"


def test_clock_and_offset() -> None:
    at = (13 * 3600 + 4 * 60 + 5) * 1_000_000_000 + 678_000_000
    assert text.clock(at) == "13:04:05"
    assert text.clock(at, milliseconds=True) == "13:04:05.678"
    assert text.offset(-42.2) == "−00:42"
    assert text.offset(-3_725) == "−1:02:05"
    assert text.date(2**63 - 1) == "04-11 23:47"
    assert text.date(2**68, seconds=True) == "9999-12-31 23:59:59", "a clock that is wrong"


def test_never_is_never() -> None:
    assert text.when(0, 10**18) == "never"
    assert text.when(10**18 - 2_000_000_000, 10**18) == "2.0 s ago"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_number_has_a_short_text(value: float) -> None:
    for shown in (text.share(value), text.count(value), text.seconds(value), text.size(value)):
        assert shown
        assert shown.isprintable()
