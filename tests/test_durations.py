"""Lengths of time as people write them."""

from __future__ import annotations

import pytest

from isinglass.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1h30m", 5400), ("2d", 172_800), ("1.5m", 90), (7, 7)]
)
def test_lengths_of_time(text: str | float, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 parsecs", True, float("nan"), -1])
def test_what_is_no_length_of_time(text: str | float) -> None:
    with pytest.raises(ValueError, match=r".*"):
        seconds_of(text)
