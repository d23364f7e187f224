"""The operator's file of settings: what it says is what the console begins with, errors by line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from cli.commands import isinglass
from console.playing import play, screen_text
from console.stage import Stage, filled_desk
from import_graph import ROOT
from isinglass.errors import SettingsError, UsageError
from isinglass_console.app import IsinglassApp
from isinglass_console.command import COMMAND, configured
from isinglass_console.configuration import (
    SETTINGS,
    THRESHOLD_KEYS,
    Configuration,
    configuration_path,
    load,
    parse,
)
from isinglass_console.model.board import BUILT_IN, Severity
from isinglass_console.reference import TABLES, written
from isinglass_console.screens.desk import Desk
from isinglass_console.themes import theme_names

VIEWS = ("overview", "probes", "flow")
THEMES = ("isinglass", "isinglass-light")


def parsed(text: str) -> Configuration:
    return parse(text, "config.toml", VIEWS, THEMES).strict()


def test_every_example_of_the_manual_is_right_and_is_used() -> None:
    text = "".join(f"{setting.name} = {setting.example}\n" for setting in SETTINGS)
    text += "[[threshold]]\n"
    text += "".join(
        f"{setting.name} = {setting.example}\n"
        for setting in THRESHOLD_KEYS
        if setting.name != "off"
    )
    found = parsed(text)
    for setting in SETTINGS:
        assert getattr(found, setting.field) != getattr(Configuration(), setting.field), setting
    (own,) = found.levels.thresholds[len(BUILT_IN.thresholds) :]
    assert (own.figure, own.raise_at, own.clear_at, own.for_seconds) == ("lag_seconds", 2, 1, 5)
    assert own.nodes == ("cedar*",)
    assert own.severity == Severity.WARNING


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml", VIEWS, THEMES).strict() == Configuration()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "theme = 'dark'\n",
            "config.toml:1: theme is one of isinglass, isinglass-light, not 'dark'",
        ),
        ("\nview = 3\n", "config.toml:2: view is text between quotes, not 3"),
        ("interval = 0\n", "config.toml:1: interval is 0.05 to 3600 seconds, not 0"),
        ("filter = '[a'\n", "config.toml:1: filter is no regular expression"),
        ("ascii = 1\n", "config.toml:1: ascii is true or false, not 1"),
        ("# one\nthem = 'x'\n", "config.toml:2: them is no setting; there are theme,"),
        ("nodes = [1]\n", "config.toml:1: nodes is a name, or a list of names"),
        ("view = \n", "config.toml:1: this is not TOML"),
        ("[[threshold]]\nfigure='load'\n", "config.toml:1: a threshold needs severity"),
        (
            "[[threshold]]\nfigure='load'\nseverity='bad'\nraise=1\n",
            "config.toml:3: severity is one of warning, critical, not 'bad'",
        ),
        (
            "[[threshold]]\nfigure='load'\nseverity='warning'\n[[threshold]]\nfigure='lod'\n",
            "config.toml:1: a threshold needs raise",
        ),
        ("threshold = 3\n", "config.toml: thresholds are tables [[threshold]]"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as told:
        parsed(text)
    assert str(told.value).startswith(sentence)


def test_the_second_threshold_s_line_is_its_own() -> None:
    text = "[[threshold]]\nfigure='load'\nseverity='warning'\nraise=1\n\n[[threshold]]\n"
    (problem, *_) = parse(f"{text}figure='lod'\n", "c", VIEWS, THEMES).problems
    assert problem.startswith("c:7: figure is one of load, ")


def test_what_is_right_beside_an_error_is_used() -> None:
    loaded = parse("view = 'flow'\ntheme = 3\nasci = true\n", "c", VIEWS, THEMES)
    assert loaded.configuration.view == "flow"
    assert loaded.notice == "c:2: theme is text between quotes, not 3 (and 1 more)"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"theme = '\xff'")
    assert "not text in UTF-8" in load(tmp_path / "config.toml", VIEWS, THEMES).notice
    assert "cannot be read: Is a directory" in load(tmp_path, VIEWS, THEMES).notice


def test_the_command_line_goes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> tuple[Configuration, str]:
        return configured(COMMAND.parse(arguments), VIEWS, THEMES)

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = configuration_path(os.environ)
    path.parent.mkdir()
    path.write_text("interval = 2\nview = 'flow'\nascii = true\nnonsense = 1\n")
    found, problem = said("--interval", "0.2", "--filter", "alder")
    assert (found.interval_seconds, found.view, found.filter) == (0.2, "flow", "alder")
    assert found.ascii
    assert "config.toml:4" in problem
    with pytest.raises(SettingsError, match=r"config\.toml:4: nonsense is no setting"):
        said("--config", str(path))
    with pytest.raises(SettingsError, match="is not there"):
        said("--config", str(tmp_path / "none"))
    with pytest.raises(UsageError, match="did you mean flow"):
        said("--view", "flo")


def test_a_bad_file_that_was_named_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text("\nview = 'flwo'\n")
    error = isinglass("console", "--config", str(path), expect=2).stderr
    assert error.startswith(f"isinglass: {path}:2: view is one of overview, probes, ")


def test_the_console_begins_as_the_file_says(alder: Stage, tmp_path: Path) -> None:
    threshold = "[[threshold]]\nfigure='load'\nseverity='critical'\nraise=0.5\nword='busy'\n"
    own = parse(f"view = 'probes'\nfilter = 'applier'\n{threshold}", "c", VIEWS, THEMES).strict()
    desk = Desk()
    desk.begin(own)
    app = IsinglassApp(
        desk=filled_desk(alder, desk=desk),
        feeding=False,
        keymap_path=tmp_path / "none",
        problem="c:9: something else is wrong",
    )

    async def script(pilot: Pilot[int]) -> None:
        assert "c:9: something else is wrong" in screen_text(app)
        assert "HOT LINES" in screen_text(app)
        assert "/applier" in screen_text(app)
        await pilot.press("escape", "escape", "1")
        assert "✖ busy" in screen_text(app)

    play(app, script, (160, 40))


def test_every_theme_that_is_offered_is_one(alder: Stage, tmp_path: Path) -> None:
    app = IsinglassApp(desk=filled_desk(alder, ticks=2), feeding=False, keymap_path=tmp_path / "n")
    assert set(theme_names()) <= set(app.available_themes)


def test_the_page_s_tables_are_the_console_s() -> None:
    page = (ROOT / "docs" / "console.md").read_text("utf-8")
    assert page == written(page), "run `make docs`"
    for name in TABLES:
        with pytest.raises(ValueError, match=name):
            written(page.replace(f"begin {name}:", "begin nothing:"))


def names(settings: Sequence[object]) -> list[str]:
    return [getattr(setting, "name", "") for setting in settings]


def test_no_setting_stands_twice() -> None:
    for settings in (SETTINGS, THRESHOLD_KEYS):
        assert len(set(names(settings))) == len(settings)
