"""The option tables: what the parser takes, what it refuses, and what the help says of it."""

from __future__ import annotations

import pytest

from isinglass.cli.help import overview, render
from isinglass.cli.options import Command, HelpAsked, Option, Positional
from isinglass.errors import UsageError

TABLE = Command(
    "bake",
    "Bake bread.",
    positionals=(
        Positional("OVEN", "the oven to use"),
        Positional("LOAF", "a loaf", required=False, repeat=True),
    ),
    options=(
        Option("heat", "How hot.", value="DEGREES", kind="number", default=200.0, short="t"),
        Option("times", "How often.", value="N", kind="count"),
        Option("flour", "Which flour.", value="NAME", choices=("rye", "wheat")),
        Option("seed", "A seed.", value="NAME", repeat=True),
        Option("salt", "With salt.", short="s"),
    ),
    notes=("Exit code: 0 baked.",),
    examples=("isinglass bake stone",),
)


def test_values_in_every_form() -> None:
    values = TABLE.parse(
        ["stone", "--heat=250", "-s", "a", "--seed", "poppy", "--seed=flax", "--times", "3", "b"]
    )
    assert values.text("OVEN") == "stone"
    assert values.texts("LOAF") == ["a", "b"]
    assert values.number("heat") == 250.0
    assert values.whole("times") == 3
    assert values.texts("seed") == ["poppy", "flax"]
    assert values.flag("salt")
    assert not values.given("flour")


def test_defaults_and_plain_words_that_look_like_options() -> None:
    values = TABLE.parse(["-", "-5", "--", "--heat", "-s"])
    assert values.text("OVEN") == "-"
    assert values.texts("LOAF") == ["-5", "--heat", "-s"]
    assert values.number("heat") == 200.0
    assert not values.flag("salt")
    assert TABLE.parse(["x", "-t", "180"]).number("heat") == 180.0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ([], "needs OVEN"),
        (["x", "--heaat", "3"], "did you mean --heat"),
        (["x", "--heat"], "needs its value, DEGREES"),
        (["x", "--heat", "hot"], "takes a number, not 'hot'"),
        (["x", "--heat", "nan"], "takes a number"),
        (["x", "--heat", "inf"], "takes a number"),
        (["x", "--heat", "1e10"], "takes a number"),
        (["x", "--times", "0"], "whole number above 0"),
        (["x", "--times", "1.5"], "whole number above 0"),
        (["x", "--flour", "oat"], "rye or wheat, not 'oat'"),
        (["x", "--salt=yes"], "takes no value"),
        (["x", "-q"], "no option -q"),
        (["x", "-=3"], "no option -"),
    ],
)
def test_what_is_refused_says_why(line: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        TABLE.parse(line)
    assert caught.value.exit_code == 2


def test_too_many_words_are_refused() -> None:
    with pytest.raises(UsageError, match="no use for 'b'"):
        Command("one", "One.", positionals=(Positional("A", "a"),)).parse(["a", "b"])


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_wins_over_missing_words(flag: str) -> None:
    with pytest.raises(HelpAsked) as caught:
        TABLE.parse([flag])
    assert caught.value.command is TABLE


def test_the_help_text_names_everything_once() -> None:
    text = render(TABLE)
    assert text.startswith("Usage: isinglass bake OVEN [LOAF...] [OPTIONS]\n")
    for option in TABLE.options:
        assert text.count(f"--{option.name}") == 1
        assert option.help in text
    assert "-t, --heat DEGREES" in text
    assert "Default: 200.0." in text
    assert "One of: rye, wheat." in text
    assert "Exit code: 0 baked." in text
    assert "  isinglass bake stone" in text
    assert max(map(len, text.splitlines())) <= 88


def test_the_overview_hides_commands_without_a_line() -> None:
    text = overview({"bake": ("m", "Bake."), "secret": ("m", "")}, "All about bread.")
    assert "bake" in text and "secret" not in text
