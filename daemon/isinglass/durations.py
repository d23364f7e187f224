"""Lengths of time as people write them: `10s`, `5m`, `2h`, `1d`, `90` (seconds)."""

from __future__ import annotations

import re

UNITS = {
    "": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0,
}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(min|s|m|h|d|w|)\s*")


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
