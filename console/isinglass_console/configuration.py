"""What an operator sets once, in an own file: `config.toml`, checked value by value.

    theme = "isinglass-light"
    view = "flow"

    [[threshold]]
    figure = "lag_seconds"
    severity = "warning"
    raise = 2
    clear = 1
    for = "5s"
    nodes = ["cedar*"]

Every error names the file and the line. A file that was asked for (`--config`) must be right; the
one in the usual place never keeps a console from starting, since it is wanted most when something
is wrong: what is right in it is used, and the last row says what is not.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isinglass.durations import seconds_of
from isinglass.errors import SettingsError, UsageError
from isinglass.toml_lines import TomlLines
from isinglass_console.model.board import BUILT_IN, Levels, Severity, Threshold
from isinglass_console.model.figures import FIGURES
from isinglass_console.model.filter import Filter

FASTEST_SECONDS, SLOWEST_SECONDS = 0.05, 3600.0
SEVERITIES = {"warning": Severity.WARNING, "critical": Severity.CRITICAL}
NEVER = float("inf")
MOST_THRESHOLDS = 500


@dataclass(frozen=True)
class Configuration:
    """What the file says; what it does not is as built in."""

    theme: str = ""
    interval_seconds: float = 1.0
    view: str = "overview"
    node: str = ""
    filter: str = ""
    nodes: tuple[str, ...] = ()
    monitor: str = ""
    ascii: bool = False
    columns: bool = False
    levels: Levels = BUILT_IN


class _Wrong(Exception):
    """A value that cannot be used, and why."""


Check = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the file: the field that it fills, how it is checked, what the manual says."""

    name: str
    field: str
    check: Check
    example: str
    help: str


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("is text between quotes")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("is true or false")
    return value


def given_interval(seconds: float) -> float:
    """Return the interval that a command line gives.

    Raises:
        UsageError: no frames can be made at it.
    """
    if not FASTEST_SECONDS <= seconds <= SLOWEST_SECONDS:
        raise UsageError(
            f"--interval is {FASTEST_SECONDS:g} to {SLOWEST_SECONDS:g} seconds, not {seconds:g}."
        )
    return seconds


def _interval(value: Any) -> float:
    seconds = _seconds(value)
    if not FASTEST_SECONDS <= seconds <= SLOWEST_SECONDS:
        raise _Wrong(f"is {FASTEST_SECONDS:g} to {SLOWEST_SECONDS:g} seconds")
    return seconds


def _seconds(value: Any) -> float:
    try:
        return seconds_of(value)
    except (ValueError, TypeError, AttributeError):
        raise _Wrong('is a length of time such as 0.5 or "30s"') from None


def _pattern(value: Any) -> str:
    found = Filter.parse(_text(value))
    if found.sentence:
        raise _Wrong(f"is no regular expression: {found.sentence.rpartition(': ')[2]}")
    return found.text


def _names(value: Any) -> tuple[str, ...]:
    named = [value] if isinstance(value, str) else value
    if not isinstance(named, list) or not named or not all(isinstance(x, str) for x in named):
        raise _Wrong('is a name, or a list of names such as ["alder", "birch"]')
    return tuple(named)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise _Wrong("is a number")
    return float(value)


def _figure(value: Any) -> str:
    return _one_of(value, FIGURES)


def _one_of(value: Any, known: Collection[str]) -> str:
    if not isinstance(value, str) or value not in known:
        raise _Wrong(f"is one of {', '.join(known)}")
    return value


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "theme", "theme", _text, '"isinglass-light"', "The colours; `:theme` shows all."
    ),
    Setting(
        "interval", "interval_seconds", _interval, "0.5", "Seconds from frame to frame."
    ),
    Setting("view", "view", _text, '"flow"', "The view to begin with, by its name."),
    Setting("node", "node", _text, '"cedar"', "The node that is selected at first."),
    Setting("filter", "filter", _pattern, '"!client"', "The filter to begin with, as after `/`."),
    Setting("nodes", "nodes", _names, '["alder", "birch"]', "The nodes to show; all without it."),
    Setting("monitor", "monitor", _text, '"evening"', "The monitor whose log and alarms to show."),
    Setting("ascii", "ascii", _truth, "true", "Draw with ASCII alone."),
    Setting("columns", "columns", _truth, "true", "Begin with a column a node, as `|` does."),
)  # fmt: skip
THRESHOLD_KEYS: tuple[Setting, ...] = (
    Setting("figure", "figure", _figure, '"lag_seconds"', "What is measured: a figure below."),
    Setting(
        "severity", "severity", lambda value: SEVERITIES[_one_of(value, SEVERITIES)], '"warning"',
        "`warning` or `critical`; it takes the place of what is built in for the figure and"
        " severity.",
    ),
    Setting("raise", "raise_at", _number, "2", "The level from which on it holds."),
    Setting(
        "clear", "clear_at", _number, "1",
        "The level at which it ends; above `raise` when low is bad. As `raise` when left out.",
    ),
    Setting("for", "for_seconds", _seconds, '"5s"', "How long the figure must be that bad first."),
    Setting("nodes", "nodes", _names, '["cedar*"]', "Globs of the nodes that it is for."),
    Setting("word", "word", _text, '"behind"', "What the state column says while it holds."),
    Setting("note", "note", _text, '"behind by"', "What stands before the value in sentences."),
    Setting("off", "off", _truth, "true", "Nothing of this figure and severity raises."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file as read: what is right in it, and a sentence about each thing that is not."""

    configuration: Configuration
    problems: tuple[str, ...] = ()

    def strict(self) -> Configuration:
        """Return the configuration.

        Raises:
            SettingsError: something in the file cannot be used; the first such thing.
        """
        if self.problems:
            raise SettingsError(self.problems[0])
        return self.configuration

    @property
    def notice(self) -> str:
        """What the last row says of the problems, "" without one."""
        if not self.problems:
            return ""
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return f"{self.problems[0]}{more}"


def configuration_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the operator's settings are looked for."""
    base = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "isinglass" / "config.toml"


def load(path: Path, views: Collection[str], themes: Collection[str]) -> Loaded:
    """Return what a file says; a file that is not there says nothing.

    Args:
        views: the names of views there are.
        themes: the names of themes there are.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Loaded(Configuration())
    except OSError as error:
        return Loaded(Configuration(), (f"{path} cannot be read: {error.strerror}",))
    except UnicodeDecodeError:
        return Loaded(Configuration(), (f"{path} is not text in UTF-8",))
    return parse(text, str(path), views, themes)


def parse(text: str, place: str, views: Collection[str], themes: Collection[str]) -> Loaded:
    """Return what a TOML text says; `place` is the file, for the sentences."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = at[1] if at else len(text.splitlines())
        return Loaded(Configuration(), (f"{place}:{line}: this is not TOML: {error}",))
    reading = _Reading(place, TomlLines(text), {"view": views, "theme": themes})
    thresholds = document.pop("threshold", [])
    values = reading.table("", 0, document, SETTINGS)
    added = tuple(reading.thresholds(thresholds))
    levels = Levels((*BUILT_IN.thresholds, *added))
    return Loaded(Configuration(**values, levels=levels), tuple(reading.problems))


class _Reading:
    """Reads one file; keeps a sentence with its line for all that cannot be used."""

    def __init__(
        self, place: str, lines: TomlLines, choices: Mapping[str, Collection[str]]
    ) -> None:
        self._place, self._lines, self._choices = place, lines, choices
        self.problems: list[str] = []

    def table(
        self, name: str, number: int, table: Mapping[str, Any], settings: tuple[Setting, ...]
    ) -> dict[str, Any]:
        """Return the usable values of a table, by field."""
        known = {setting.name: setting for setting in settings}
        found = {}
        for key, value in table.items():
            setting = known.get(key)
            if setting is None:
                self._fail(name, number, key, f"{key} is no setting; there are {', '.join(known)}")
                continue
            try:
                found[setting.field] = setting.check(value)
                if not name and key in self._choices:
                    _one_of(value, self._choices[key])
            except _Wrong as why:
                found.pop(setting.field, None)
                self._fail(name, number, key, f"{key} {why}, not {value!r}")
        return found

    def thresholds(self, tables: Any) -> list[Threshold]:
        """Return the thresholds that can be used."""
        if not isinstance(tables, list) or len(tables) > MOST_THRESHOLDS:
            self.problems.append(
                f"{self._place}: thresholds are tables [[threshold]], at most {MOST_THRESHOLDS}"
            )
            return []
        found = (self._threshold(number, table) for number, table in enumerate(tables))
        return [threshold for threshold in found if threshold is not None]

    def _threshold(self, number: int, table: Any) -> Threshold | None:
        wrong = len(self.problems)
        if not isinstance(table, dict):
            self._fail("threshold", number, "", "a threshold is a table [[threshold]]")
            return None
        values = self.table("threshold", number, table, THRESHOLD_KEYS)
        off = values.pop("off", False)
        for key in ("figure", "severity", *(() if off else ("raise",))):
            if key not in table:
                self._fail("threshold", number, "", f"a threshold needs {key}")
        if len(self.problems) > wrong:
            return None
        level = values.setdefault("raise_at", NEVER)
        values.setdefault("clear_at", level)
        if off:
            values.update(raise_at=NEVER, clear_at=NEVER)
        return replace(_before(values["figure"], values["severity"]), **values)

    def _fail(self, table: str, number: int, key: str, why: str) -> None:
        line = self._lines.line(table, number, key)
        at = f"{self._place}:{line}" if line else self._place
        self.problems.append(f"{at}: {why}")


def _before(figure: str, severity: Severity) -> Threshold:
    """Return the threshold built in, or one with the words of the figure's table."""
    for threshold in BUILT_IN.thresholds:
        if (threshold.figure, threshold.severity) == (figure, severity):
            return threshold
    unit, help_line = FIGURES[figure]
    return Threshold(figure, NEVER, NEVER, severity, figure.partition("_")[0], unit, help_line)
