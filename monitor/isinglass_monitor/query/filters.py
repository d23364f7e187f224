"""Which entries a person wants to see, beyond what the spool has an index for. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from isinglass.errors import UsageError
from isinglass_monitor.spool.records import Entry

LEVELS = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "fatal": 21}
HIGHEST = 24


class Filter(NamedTuple):
    """Empty parts want everything."""

    processes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    chooses: Callable[[Entry], bool] | None = None

    def wants(self, entry: Entry) -> bool:
        """Tell whether an entry passes."""
        if self.processes and entry.process not in self.processes:
            return False
        if self.flags and entry.flag not in self.flags:
            return False
        pattern = self.pattern
        if pattern is not None and not (
            pattern.search(entry.message) or pattern.search(entry.fields.replace("\t", " "))
        ):
            return False
        return self.chooses is None or self.chooses(entry)


def parse_level(text: str) -> int:
    """Return the least severity that a text asks for: a name, or a number from 1 to 24.

    Raises:
        UsageError: it is neither.
    """
    found = LEVELS.get(text.lower())
    if found is None and re.fullmatch("[0-9]{1,2}", text) and 1 <= int(text) <= HIGHEST:
        found = int(text)
    if found is None:
        raise UsageError(
            f"--level is one of trace, debug, info, warn, error, fatal, or a number from 1 to"
            f" {HIGHEST}, not {text!r}."
        )
    return found


def parse_pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression of --grep; it ignores case where it has no capital.

    Raises:
        UsageError: it is none.
    """
    try:
        return re.compile(text, 0 if text != text.lower() else re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"--grep {text!r} is no regular expression: {error}.") from None
