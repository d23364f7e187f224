"""Whatever a text of others has in it, on a terminal it only shows itself."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.harmless import harmless, printable

STEERING = {"Cc", "Cs", "Zl", "Zp"}  # control characters, surrogates, separators of lines
LETTERS = st.text(st.characters(), max_size=40) | st.text(
    st.sampled_from("a ü\x00\x1b\x7f\x9b\u061c\u200e\u200f\u2028\u202e\u2066\u2069\ufeff\ud800")
)


@given(LETTERS)
def test_nothing_that_is_printed_steers_a_terminal(raw: str) -> None:
    for shown in (harmless(raw), printable(raw)):
        assert not STEERING & set(map(unicodedata.category, shown))
        assert not any(unicodedata.bidirectional(one) in {"RLO", "LRO", "RLI"} for one in shown)


@given(LETTERS)
def test_each_letter_keeps_its_place(raw: str) -> None:
    shown = printable(raw)
    assert shown.isprintable()
    assert len(shown) == len(raw)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b]0;owned\x07\n\x7f\u202e", "\\e]0;owned\\x07\\n\\x7f\\u202e"),
        ("grün, 東京", "grün, 東京"),
        ("10\xa0km, 👩\u200d🚒\n", "10\xa0km, 👩\u200d🚒\\n"),
        ("\ud83d", "\\ud83d"),
    ],
)
def test_escapes_are_shown_as_they_are_written(raw: str, shown: str) -> None:
    assert harmless(raw) == shown
