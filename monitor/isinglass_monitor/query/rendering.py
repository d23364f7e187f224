"""One entry of the log as a line for people, or as a line of JSON for programs. Pure.

Both have a time of constant width: lnav, for one, reads files with such times a hundred times as
fast. JSON is ASCII alone, so that its text reaches no terminal raw either.
"""

from __future__ import annotations

import json

from isinglass import clock
from isinglass.glass.severity import ERROR, INFO, WARNING, severity_name
from isinglass.harmless import harmless
from isinglass_monitor.spool.records import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.tables import Row

_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_YELLOW, _RED, _CYAN = "\x1b[33m", "\x1b[31m", "\x1b[36m"
COLUMNS = (
    *("time", "level", "node", "process", "flag", "message", "fields", "source"),
    *("severity", "stamp", "stream", "sequence", "arrived", "missing"),
)


def time_text(wall_ns: int) -> str:
    """Return a wall time as local date and time, to the millisecond."""
    seconds, rest = divmod(wall_ns, clock.NANOSECONDS_PER_SECOND)
    date = clock.format_local("%Y-%m-%d %H:%M:%S", clock.local_time(seconds))
    return f"{date}.{rest // clock.NANOSECONDS_PER_MILLISECOND:03d}"


def utc_text(wall_ns: int) -> str:
    """Return a wall time in ISO 8601, UTC, to the millisecond."""
    seconds, rest = divmod(wall_ns, clock.NANOSECONDS_PER_SECOND)
    date = clock.format_local("%Y-%m-%dT%H:%M:%S", clock.utc_time(seconds))
    return f"{date}.{rest // clock.NANOSECONDS_PER_MILLISECOND:03d}Z"


def line(entry: Entry, *, colour: bool = False) -> str:
    """Return an entry as a line for people."""
    time = time_text(clock.stamp_wall_ns(entry.stamp))
    level = f"{severity_name(entry.severity):5}"
    who = harmless(f"{entry.node}/{entry.process}")
    flag, message = harmless(entry.flag), harmless(entry.message)
    facts = harmless(entry.fields.replace("\t", " ").replace("\n", " "))
    where = harmless(entry.where)
    if colour:
        shade = _shade(entry.severity)
        time, where = f"{_DIM}{time}{_RESET}", f"{_DIM}{where}{_RESET}" if where else ""
        level, who = f"{shade}{level}{_RESET}", f"{_CYAN}{who}{_RESET}"
        message = f"{shade}{message}{_RESET}" if entry.severity >= WARNING else message
        facts = f"{_DIM}{facts}{_RESET}" if facts else ""
    parts = [time, level, who, f"{flag}:" if flag else "", message, facts, where]
    return " ".join(part for part in parts if part)


def _shade(severity: int) -> str:
    if severity >= ERROR:
        return _BOLD + _RED
    if severity >= WARNING:
        return _YELLOW
    return "" if severity >= INFO else _DIM


def row(entry: Entry) -> Row:
    """Return an entry as a row of a table, by `COLUMNS`."""
    return {
        "time": utc_text(clock.stamp_wall_ns(entry.stamp)),
        "level": severity_name(entry.severity).lower(),
        "severity": entry.severity,
        "node": entry.node,
        "process": entry.process,
        "flag": entry.flag,
        "message": entry.message,
        "fields": entry.fields.replace("\t", " "),
        "source": entry.where,
        "stamp": entry.stamp,
        "stream": f"{entry.stream:016x}",
        "sequence": entry.sequence,
        "arrived": utc_text(entry.arrived_ns) if entry.arrived_ns else None,
        "missing": entry.missing,
    }


def document(entry: Entry) -> dict[str, object]:
    """Return an entry as a document: what `json_line` prints."""
    pairs = (pair.partition("=") for pair in entry.fields.split("\t") if pair)
    fields = {key: value for key, _, value in pairs}
    found: dict[str, object] = {**row(entry), "fields": fields}
    if not entry.missing:
        del found["missing"]
    return found


def json_line(entry: Entry) -> str:
    """Return an entry as a line of JSON."""
    return json.dumps(document(entry)).replace("\x7f", "\\u007f")
