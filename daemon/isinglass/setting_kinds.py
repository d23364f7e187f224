"""What values a setting may have: each kind says it in words and converts a value, or refuses it.

Apart from the table of settings, so that the table reads as a table. A value comes as text (flags,
environment) or typed (TOML); both go through the same function, so both are refused alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NODE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
SIZE_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
UNIT_NAMES = {1: "bytes", 2**10: "KiB", 2**20: "MiB", 2**30: "GiB", 2**40: "TiB"}
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Kind:
    """What values a setting takes: in words, and as the function that converts one."""

    allowed: str
    convert: Callable[[object], Any]  # raises ValueError or TypeError


def _between(number: float, low: float, high: float) -> float:
    if not low <= number <= high:
        raise ValueError(number)
    return number


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(value)
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(value)
    return int(value)


def _size(value: object) -> int:
    if not isinstance(value, str):
        return _whole(value)
    parts = re.fullmatch(r"\s*([0-9_]+)\s*([A-Za-z]*)\s*", value)
    if not parts or parts[2].upper() not in SIZE_UNITS:
        raise ValueError(value)
    return int(parts[1]) * SIZE_UNITS[parts[2].upper()]


def _text(value: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(value)
    return value


def _truth(value: object) -> bool:
    return value if isinstance(value, bool) else TRUTHS[str(value).lower()]


def _directory(value: object) -> Path:
    if not isinstance(value, str | Path) or not Path(value).is_absolute():
        raise ValueError(value)
    return Path(value)


def choice(words: tuple[str, ...]) -> Kind:
    """Return the kind of a setting that is one of a few words."""
    pattern = re.compile("|".join(words))
    return Kind(f"one of {', '.join(words)}", lambda value: _text(value, pattern))


def count(low: int, high: int) -> Kind:
    """Return the kind of a setting that counts things."""
    return Kind(
        f"a whole number from {low:,} to {high:,}", lambda v: int(_between(_whole(v), low, high))
    )


def size(low: int, high: int) -> Kind:
    """Return the kind of a setting that is a size, in bytes or with a binary unit."""
    allowed = f'bytes, or text such as "64 MiB", from {size_text(low)} to {size_text(high)}'
    return Kind(allowed, lambda value: int(_between(_size(value), low, high)))


def seconds(low: float, high: float) -> Kind:
    """Return the kind of a setting that is a time."""
    return Kind(f"seconds, from {low:g} to {high:g}", lambda v: _between(_number(v), low, high))


def size_text(size_bytes: int) -> str:
    """Return a size as people write it: `64 MiB`; one that is no whole number of units in bytes."""
    unit = max(unit for unit in UNIT_NAMES if size_bytes % unit == 0)
    return f"{size_bytes // unit:,} {UNIT_NAMES[unit]}"


NODE = Kind("lower-case letters, digits, - and _, at most 48, a letter or digit first",
            lambda value: _text(value, NODE_NAME))  # fmt: skip
DIRECTORY = Kind("an absolute path", _directory)
SWITCH = Kind("true or false", _truth)
