"""What values a setting may have: each kind says it in words and converts a value, or refuses it.

Apart from the table of settings, so that the table reads as a table. A value comes as text (flags,
environment) or typed (TOML); both go through the same function, so both are refused alike.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NODE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,47}")
SIZE_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
UNIT_NAMES = {1: "bytes", 2**10: "KiB", 2**20: "MiB", 2**30: "GiB", 2**40: "TiB"}
_ANYTHING = re.compile(".*")
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}")  # IFNAMSIZ, linux/if.h
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


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not Path(value).is_absolute():
        raise ValueError(value)
    return Path(value)


def _multicast_group(value: object) -> str:
    address = ipaddress.IPv4Address(_text(value, _ANYTHING))
    # The first 256 groups are for routers and are never forwarded (RFC 5771, section 4).
    if not address.is_multicast or address in ipaddress.IPv4Network("224.0.0.0/24"):
        raise ValueError(value)
    return str(address)


def _interface(value: object) -> str:
    text = _text(value, _INTERFACE)
    # What looks like an address must be one, and one that others can send to.
    if re.fullmatch(r"[0-9.]+", text) and ipaddress.IPv4Address(text).is_unspecified:
        raise ValueError(value)
    return text


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


NAME = Kind("lower-case letters, digits, - and _, at most 48, a letter or digit first",
            lambda value: _text(value, NODE_NAME))  # fmt: skip
GROUP = Kind("an IPv4 multicast address, from 224.0.1.0 to 239.255.255.255", _multicast_group)
INTERFACE = Kind("the name or the IPv4 address of an interface of this machine", _interface)
PATH = Kind("an absolute path", _path)
SWITCH = Kind("true or false", _truth)
