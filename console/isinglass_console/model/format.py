"""Numbers as an operator reads them: grouped, rounded to what matters, always with their unit.

Widths are bounded, because a column that grows when its number grows makes the whole screen move.
Groups are set off by a plain space: a thin one is a different width in every terminal, and nothing
in the console wraps.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import inf, isfinite

from isinglass.glass.histogram import HistogramValue
from isinglass.glass.panel_views import FieldView
from isinglass.harmless import printable

NANOSECONDS = 1_000_000_000
DAY_NANOSECONDS = 86_400 * NANOSECONDS
LAST_SECOND = 253_402_300_799  # of the year 9999: a clock that is wrong may be beyond any date
NOTHING = "--"

_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def count(value: float) -> str:
    """Return a plain number: `9 340`, `0.4`, `12.3 M` from ten million on."""
    if not isfinite(value):
        return NOTHING
    magnitude = abs(value)
    if magnitude >= 10_000_000:
        for limit, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
            if magnitude >= limit:
                return f"{value / limit:.1f} {letter}"
    if magnitude >= 10 or value == int(value):
        return f"{round(value):,}".replace(",", " ")
    return f"{value:.1f}" if magnitude >= 0.05 else f"{value:.2f}"


def rate(value: float) -> str:
    """Return events per second: `9 340 /s`."""
    return f"{count(value)} /s" if isfinite(value) else NOTHING


def pace(per_second: float) -> str:
    """Return a rate that flow control allows; without a limit it says so."""
    return "free" if per_second == inf else count(per_second)


def share(value: float) -> str:
    """Return a share of one as whole percent; what is small but not zero says so."""
    if not isfinite(value):
        return NOTHING
    if 0 < value < 0.005:
        return "<1 %"
    return f"{value * 100:.0f} %"


def size(value: float) -> str:
    """Return bytes in powers of 1,024: `4.2 MiB`."""
    if not isfinite(value):
        return NOTHING
    step = 0
    magnitude = abs(value)
    while magnitude >= 1024 and step < len(_SIZE_UNITS) - 1:
        magnitude /= 1024
        step += 1
    signed = magnitude if value >= 0 else -magnitude
    if step == 0 or magnitude >= 100:
        return f"{signed:.0f} {_SIZE_UNITS[step]}"
    return f"{signed:.1f} {_SIZE_UNITS[step]}"


def seconds(value: float) -> str:
    """Return a duration in a unit that gives two or three figures: `1.8 s`, `204 ms`, `3 h 02`."""
    if not isfinite(value):
        return NOTHING
    magnitude = abs(value)
    if magnitude >= 86_400:
        return f"{value / 86_400:.1f} d"
    if magnitude >= 3_600:
        return f"{int(value // 3600)} h {int(value % 3600 // 60):02}"
    if magnitude >= 120:
        return f"{int(value // 60)} min {int(value % 60):02}"
    if magnitude >= 10:
        return f"{value:.0f} s"
    if magnitude >= 1:
        return f"{value:.1f} s"
    return _below_a_second(value, magnitude)


def _below_a_second(value: float, magnitude: float) -> str:
    if magnitude == 0:
        return "0 s"
    for factor, unit in ((1e3, "ms"), (1e6, "µs")):
        if magnitude * factor >= 1:
            scaled = value * factor
            return f"{scaled:.0f} {unit}" if magnitude * factor >= 10 else f"{scaled:.1f} {unit}"
    return f"{value * 1e9:.0f} ns"


def clock(wall_ns: int, milliseconds: bool = False) -> str:
    """Return the time of day in UTC: `14:03:07`, or with milliseconds."""
    in_day = wall_ns // 1_000_000 % 86_400_000
    whole, rest = divmod(in_day, 1000)
    text = f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{text}.{rest:03}" if milliseconds else text


def date(wall_ns: int, seconds: bool = False) -> str:
    """Return day and time of day in UTC: `11-28 14:03`; with seconds also the year and these."""
    day = datetime.fromtimestamp(min(wall_ns // NANOSECONDS, LAST_SECOND), UTC)
    return day.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%m-%d %H:%M")


def moment(wall_ns: int, now_wall_ns: int, milliseconds: bool = False) -> str:
    """Return a time of day; of another day than now's, the date and the minute."""
    if now_wall_ns and wall_ns // DAY_NANOSECONDS != now_wall_ns // DAY_NANOSECONDS:
        return date(wall_ns)
    return clock(wall_ns, milliseconds)


def offset(value_seconds: float) -> str:
    """Return a position in the past as the status line shows it: `−00:42`."""
    whole = int(abs(value_seconds) + 0.5)
    sign = "−" if value_seconds < 0 else ""
    if whole >= 3600:
        return f"{sign}{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{sign}{whole // 60:02}:{whole % 60:02}"


_SCALES: dict[str, Callable[[float], str]] = {
    "bytes": size,
    "share": share,
    "seconds": seconds,
    "milliseconds": lambda value: seconds(value / 1e3),
    "microseconds": lambda value: seconds(value / 1e6),
    "nanoseconds": lambda value: seconds(value / 1e9),
    "1": count,
}


def quantity(value: float, unit: str) -> str:
    """Return a number of any declared unit; a unit we have never heard of is written out."""
    scale = _SCALES.get(unit)
    if scale is not None:
        return scale(value)
    return f"{count(value)} {unit}" if isfinite(value) else NOTHING


def quantity_rate(value_per_second: float, unit: str) -> str:
    """Return a rate of any unit: seconds a second are a share of the time."""
    if unit == "bytes":
        return f"{size(value_per_second)}/s" if isfinite(value_per_second) else NOTHING
    if unit in _TIME_UNITS:
        return share(value_per_second * _TIME_UNITS[unit])
    return rate(value_per_second)


_TIME_UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}


def when(wall_ns: int, now_wall_ns: int) -> str:
    """Return a moment as its distance from now: `12 s ago`; 0 is never."""
    if wall_ns <= 0:
        return "never"
    distance = (now_wall_ns - wall_ns) / NANOSECONDS
    return f"{seconds(distance)} ago" if distance >= 0 else f"in {seconds(-distance)}"


def field_value(field: FieldView, now_wall_ns: int) -> str:
    """Return the value of any field with its unit, as one short text."""
    value = field.value
    if isinstance(value, HistogramValue):
        if value.count == 0:
            return "none"
        shown = (quantity(value.percentile(part), field.unit) for part in (0.5, 0.99))
        middle, high = shown
        return f"{middle} p99 {high}"
    if isinstance(value, str):
        return printable(value) or "-"
    if field.kind == "timestamp":
        return when(int(value), now_wall_ns)
    return quantity(value, field.unit)
