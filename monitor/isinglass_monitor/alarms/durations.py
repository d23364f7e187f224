"""Lengths of time as people write them: `10s`, `5m`, `2h`, `1d`, `90` (seconds)."""

from __future__ import annotations

import re

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|s|m|h|d|)\s*")


def seconds_of(text: str | float) -> float:
    """Return the seconds of a length of time such as "1h30m".

    Raises:
        ValueError: it is none.
    """
    if isinstance(text, bool):
        raise ValueError(text)
    if isinstance(text, int | float):
        return _finite(float(text))
    rest, total = text.strip().lower(), 0.0
    while rest:
        part = _PART.match(rest)
        if part is None:
            raise ValueError(text)
        total += float(part[1]) * UNITS[part[2]]
        rest = rest[part.end() :]
    if not text.strip():
        raise ValueError(text)
    return _finite(total)


def _finite(seconds: float) -> float:
    if not 0 <= seconds < 1e12:
        raise ValueError(seconds)
    return seconds


def text_of(seconds: float) -> str:
    """Return a length of time as people write it: "90s" is "1m30s"."""
    whole = round(seconds)
    parts = []
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts[:2]) or "0s"
