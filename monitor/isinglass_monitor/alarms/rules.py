"""Rules: what is an alarm, as data in TOML; parsed and checked, each error with its line; pure.

The rules of the product stand in `default_rules.toml`. A file of one's own adds to them, replaces
those of the same name, and switches others off (`off = true`). docs/alarms.md lists the keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from isinglass.durations import seconds_of
from isinglass.errors import SettingsError
from isinglass.glass.severity import ERROR, FATAL, INFO, WARNING
from isinglass.toml_lines import TomlLines
from isinglass_monitor.alarms.grammar import Condition
from isinglass_monitor.alarms.outlook import Outlook, outlook
from isinglass_monitor.alarms.states import Timing

SEVERITIES = {"info": INFO, "warning": WARNING, "error": ERROR, "fatal": FATAL}
ABOUT_NODE, ABOUT_PANEL, ABOUT_INSTANCE = ABOUTS = ("node", "panel", "instance")
ANY, MOST = "any", "most"
NAME = re.compile(r"[a-z][a-z0-9-]{0,47}")
LONGEST_TEXT = 2_000
MOST_RULES = 500

DEFAULT_FILE = Path(__file__).with_name("default_rules.toml")
_NEEDED = ("name", "help", "when", "look")
_KEYS = {
    *_NEEDED, "clear", "for", "clear_for", "severity", "about", "agree", "caused_by", "announced",
    "off",
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """One rule.

    `when` raises and `clear` ends the alarm (None: as soon as `when` does not hold). About "node"
    there is an alarm for each node, and for each instance where `when` names a panel that has them;
    about "panel" there is one for all instances of a node; about "instance" the instance is itself
    a node (panel `peer`), and there is one alarm for it, whoever reports it: any, or most of those
    who do.
    """

    name: str
    help: str
    when: Condition
    clear: Condition | None
    timing: Timing
    severity: int
    about: str
    agree: str
    caused_by: frozenset[str]
    announced: bool  # it may be expected while chaos or maintenance is announced
    look: str

    @cached_property
    def outlook(self) -> Outlook:
        """What tells of a node whether the rule could find anything there."""
        return outlook(self.when)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Both conditions, where there are two."""
        return (self.when,) if self.clear is None else (self.when, self.clear)


def default_rules() -> dict[str, Rule]:
    """Return the rules of the product by name."""
    return parse_rules(DEFAULT_FILE.read_text("utf-8"), DEFAULT_FILE.name, {})


def load_rules(path: Path | None) -> dict[str, Rule]:
    """Return the rules of the product, changed by those in a file of one's own.

    Raises:
        SettingsError: the file cannot be read, or a rule in it cannot be used: says where and why.
    """
    rules = default_rules()
    return rules if path is None else parse_rules(read_file(path), str(path), rules)


def read_file(path: Path) -> str:
    """Return the text of a file of rules and notifiers, or raise SettingsError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text in UTF-8.") from None


def parse_rules(text: str, place: str, before: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return the rules of `before`, changed by those in a TOML text.

    Args:
        place: the file, for errors.

    Raises:
        SettingsError: the sentence begins with `place:line:`.
    """
    document = parse_toml(text, place)
    reading = _Reading(place, TomlLines(text), frozenset(_own_panels(document, place)))
    for key in document.keys() - {"rule", "notifier", "panels"}:
        raise SettingsError(f"{place}: {key} is none of panels, [[rule]], [[notifier]].")
    rules, seen = dict(before), set[str]()
    tables = document.get("rule", [])
    if not isinstance(tables, list) or len(tables) > MOST_RULES:
        raise SettingsError(f"{place}: rules are tables [[rule]], at most {MOST_RULES}.")
    for number, table in enumerate(tables):
        name = reading.name(number, table)
        if name in seen:
            reading.fail(number, "name", f"rule {name} stands twice in this file")
        seen.add(name)
        if table.get("off") is True:
            if name not in rules:
                reading.fail(number, "off", f"there is no rule {name} to switch off")
            del rules[name]
        else:
            rules[name] = reading.rule(number, table)
    for number, table in enumerate(tables):
        rule = rules.get(table["name"])
        if rule is None:  # it is off
            continue
        for cause in sorted(rule.caused_by - rules.keys() - before.keys()):
            reading.fail(number, "caused_by", f"there is no rule {cause!r}")
        if rule.name in causes_of(rules, rule.name):
            reading.fail(number, "caused_by", f"rule {rule.name} is among its own causes")
    return rules


def causes_of(rules: Mapping[str, Rule], name: str) -> set[str]:
    """Return the rules that cause a rule, directly or through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        rule = rules.get(waiting.pop())
        new = (rule.caused_by if rule is not None else frozenset()) - found
        found |= new
        waiting.extend(new)
    return found


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """Return the document of a TOML text, or raise SettingsError with its line."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also of numbers and nesting that are too long
        at = re.search(r"line (\d+)", str(error))
        line = at[1] if at else len(text.splitlines())
        raise SettingsError(f"{place}:{line}: this is not TOML: {error}.") from None


def _own_panels(document: dict[str, Any], place: str) -> list[str]:
    panels = document.get("panels", [])
    if not isinstance(panels, list) or not all(isinstance(panel, str) for panel in panels):
        raise SettingsError(f'{place}: panels is a list of names, such as ["orders"].')
    return panels


class _Reading:
    """Reads one file: every value is checked, every error names its line."""

    def __init__(self, place: str, lines: TomlLines, own_panels: frozenset[str]) -> None:
        self._place, self._lines, self._own = place, lines, own_panels

    def fail(self, number: int, key: str, why: str) -> NoReturn:
        """Raise the error for a key of the nth rule."""
        raise SettingsError(f"{self._place}:{self._lines.line('rule', number, key)}: {why}.")

    def name(self, number: int, table: object) -> str:
        """Return the name of the nth rule, after a look at its keys."""
        if not isinstance(table, dict):
            self.fail(number, "", "a rule is a table [[rule]]")
        for key in table.keys() - _KEYS:
            self.fail(number, key, f"{key} is no key of a rule; there are {', '.join(_keys())}")
        name = self._text(number, table, "name")
        if not NAME.fullmatch(name):
            self.fail(number, "name", f"{name!r} is no name: lower-case letters, digits and -")
        return name

    def rule(self, number: int, table: dict[str, Any]) -> Rule:
        """Return the nth rule."""
        for key in _NEEDED:
            self._text(number, table, key)
        return Rule(
            name=table["name"],
            help=" ".join(table["help"].split()),
            when=self._condition(number, "when", table["when"]),
            clear=self._condition(number, "clear", table["clear"]) if "clear" in table else None,
            timing=Timing(
                self._seconds(number, table, "for"), self._seconds(number, table, "clear_for")
            ),
            severity=SEVERITIES[self._one_of(number, table, "severity", SEVERITIES, "warning")],
            about=self._one_of(number, table, "about", ABOUTS, ABOUT_NODE),
            agree=self._one_of(number, table, "agree", (ANY, MOST), ANY),
            caused_by=self._causes(number, table),
            announced=self._truth(number, table, "announced"),
            look=" ".join(table["look"].split()),
        )

    def _text(self, number: int, table: dict[str, Any], key: str) -> str:
        value = table.get(key)
        if value is None:
            self.fail(number, "", f"a rule needs {key}")
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_TEXT:
            self.fail(number, key, f"{key} is text of 1 to {LONGEST_TEXT:,} characters")
        return value

    def _condition(self, number: int, key: str, text: object) -> Condition:
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            self.fail(number, key, f"{key} is a condition, as text")
        try:
            return Condition(text, self._own)
        except SettingsError as error:
            self.fail(number, key, str(error))

    def _seconds(self, number: int, table: dict[str, Any], key: str) -> float:
        value = table.get(key, 0)
        try:
            return seconds_of(value)
        except (ValueError, TypeError, AttributeError):
            self.fail(number, key, f'{key} is a length of time such as "30s", not {value!r}')

    def _one_of(
        self, number: int, table: dict[str, Any], key: str, words: Any, default: str
    ) -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or value not in words:
            self.fail(number, key, f"{key} is one of {', '.join(words)}, not {value!r}")
        return value

    def _causes(self, number: int, table: dict[str, Any]) -> frozenset[str]:
        value = table.get("caused_by", [])
        if not isinstance(value, list) or not all(isinstance(cause, str) for cause in value):
            self.fail(number, "caused_by", "caused_by is a list of names of rules")
        return frozenset(value)

    def _truth(self, number: int, table: dict[str, Any], key: str) -> bool:
        value = table.get(key, True)
        if not isinstance(value, bool):
            self.fail(number, key, f"{key} is true or false, not {value!r}")
        return value


def _keys() -> list[str]:
    return sorted(_KEYS)
