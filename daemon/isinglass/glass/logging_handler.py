"""From Python's `logging`, and from structlog, into the process's event ring.

    logging.getLogger().addHandler(isinglass.logging_handler())
    structlog.configure(processors=[..., isinglass.structlog_processor, ...])

A record is an event where it is logged: nothing is written, nothing is waited for, and no lock of
the handler is taken, because the ring has its own. The logger's name is the event's flag, what was
given as `extra` its fields, and `at` the line that logged it. An error that comes with the record
is counted in the table of distinct errors as well.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from isinglass.glass.events import ERRORS, EVENTS
from isinglass.glass.severity import DEBUG, ERROR, FATAL, INFO, WARNING

TRACE = 1
PLACE_PARTS = 3  # of a source file's path
REMEMBERED_LIMIT = 4096
_PLAIN = len(vars(logging.makeLogRecord({})))  # attributes of a record that has nothing extra
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS = (
    (logging.CRITICAL, FATAL),
    (logging.ERROR, ERROR),
    (logging.WARNING, WARNING),
    (logging.INFO, INFO),
    (logging.DEBUG, DEBUG),
)
_BY_NAME = {
    "debug": DEBUG,
    "info": INFO,
    "notset": TRACE,
    "warn": WARNING,
    "warning": WARNING,
    "error": ERROR,
    "exception": ERROR,
    "err": ERROR,
    "critical": FATAL,
    "fatal": FATAL,
}


class _Severities(dict[int, int]):
    """The severity of each level of `logging` met so far: one between two has the lower one's."""

    def __missing__(self, level: int) -> int:
        found = next((severity for least, severity in _LEVELS if level >= least), TRACE)
        if len(self) < REMEMBERED_LIMIT:
            self[level] = found
        return found


_severities = _Severities()
_places: dict[tuple[str, int], str] = {}


class GlassHandler(logging.Handler):
    """Stores each record as an event; a formatter, if it has one, makes the message."""

    def createLock(self) -> None:
        """Have no lock: the ring has one."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Store the record if the filters let it pass; as `logging` does it, without a lock."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        """Store one record."""
        try:
            message = self.format(record) if self.formatter else record.getMessage()
            words, fields = record.__dict__, dict[str, object]()
            if len(words) > _PLAIN:
                fields = {name: value for name, value in words.items() if name not in _OWN}
            place = _places.get((record.pathname, record.lineno))
            if place is None:
                place = _remember(record.pathname, record.lineno)
            fields["at"] = place
            if record.exc_info and (error := record.exc_info[1]) is not None:
                fields["error"] = f"{type(error).__name__}: {error}"
                ERRORS.record(type(error).__name__, str(error), _raised_at(error) or place)
            EVENTS.emit(_severities[record.levelno], record.name, message, fields)
        except Exception:
            self.handleError(record)


def _place(path: str, line: int) -> str:
    return "/".join(path.split("/")[-PLACE_PARTS:]) + f":{line}"


def _remember(path: str, line: int) -> str:
    """Return a place in the source, and keep it for the next record from there."""
    if len(_places) >= REMEMBERED_LIMIT:
        _places.clear()
    place = _places[path, line] = _place(path, line)
    return place


def _raised_at(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace is not None:
        place = _place(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return place


def logging_handler(level: int | str = logging.NOTSET) -> GlassHandler:
    """Return a handler for `logging` that stores records in this process's event ring."""
    return GlassHandler(level)


def structlog_processor(
    _logger: Any, method: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Store what structlog logs as an event; hands it on unchanged, so put it near the end."""
    level = str(event_dict.get("level", method)).lower()
    rest = {
        name: value
        for name, value in event_dict.items()
        if name not in ("event", "level", "logger", "timestamp")
    }
    flag = str(event_dict.get("logger", "structlog"))
    EVENTS.emit(_BY_NAME.get(level, INFO), flag, str(event_dict.get("event", "")), rest)
    return event_dict
