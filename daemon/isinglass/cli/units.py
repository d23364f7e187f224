"""Numbers, times and lengths of time as people read them; the machine forms stay untouched."""

from __future__ import annotations

from isinglass import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.histogram import HistogramValue
    from isinglass.glass.panel_views import FieldView

# The unit of the catalogue: (factor, decimals, the unit that is printed).
SCALED = {"share": (100.0, 1, "%")}
SHOWN_UNIT = {"1": "", "share": "%", "time": "", "text": ""}
LENGTHS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
FIGURES = ("count", "sum", "mean", *(name for name, _ in QUANTILES), "max")  # of a histogram


def number(value: float) -> str:
    """Return a number with thousands apart; fractions with four significant digits."""
    if isinstance(value, int):
        return f"{value:,}"
    size = abs(value)
    if size >= 1000 or value == 0:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:.{3 - len(str(int(size)))}f}" if size < 100 else f"{value:.1f}"
    return f"{value:.4f}" if size >= 0.001 else f"{value:.2e}"


def counted(count: int, thing: str) -> str:
    """Return how many there are of something: "1 frame", "1,200 frames"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def seconds(value: float) -> str:
    """Return a length of time: "0.4 s", "3.2 min", "5.0 h"."""
    for size, name in LENGTHS:
        if value >= size * 2:
            return f"{value / size:.1f} {name}"
    return f"{value:.1f} s" if value >= 0.1 else f"{value * 1000:.1f} ms"


def wall_time(wall_ns: int) -> str:
    """Return a wall time as local date and time, or "never" for zero."""
    if wall_ns <= 0:
        return "never"
    local = clock.local_time(wall_ns / clock.NANOSECONDS_PER_SECOND)
    return clock.format_local("%Y-%m-%d %H:%M:%S", local)


def field_value(field: FieldView, now_wall_ns: int) -> str:
    """Return the value of a field as text, without its unit."""
    value = field.value
    if isinstance(value, str):
        return value or "-"
    if not isinstance(value, int | float):
        return histogram(value)
    if field.kind == "timestamp":
        age = max(now_wall_ns - value, 0) / clock.NANOSECONDS_PER_SECOND
        return f"{wall_time(int(value))} ({seconds(age)} ago)" if value else "never"
    if field.unit in SCALED:
        factor, decimals, _unit = SCALED[field.unit]
        return f"{value * factor:.{decimals}f}"
    return number(value)


def unit(name: str) -> str:
    """Return the unit as it is printed behind a value."""
    return SHOWN_UNIT.get(name, name)


def histogram(value: HistogramValue) -> str:
    """Return a histogram on one line."""
    if not value.count:
        return "none"
    figures = ", ".join(f"{name} {number(figure)}" for name, figure in figures_of(value).items())
    return f"{value.count:,} times, {figures}"


def figures_of(value: HistogramValue) -> dict[str, float]:
    """Return a histogram's mean, quantiles and largest value by name."""
    quantiles = {name: value.percentile(share) for name, share in QUANTILES}
    return {"mean": value.mean, **quantiles, "max": value.maximum}


def is_zero(field: FieldView) -> bool:
    """Return whether a field shows nothing but that nothing happened."""
    value = field.value
    return not (value if isinstance(value, int | float | str) else value.count)


def is_plain_number(field: FieldView) -> bool:
    """Return whether the value is one number, which is read best when aligned to the right."""
    return field.kind != "timestamp" and isinstance(field.value, int | float)
