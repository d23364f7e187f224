"""What the commands on records share: which node, which promise, and how a value is written."""

from __future__ import annotations

import json
import math
import re

from isinglass.cli.options import Option, Values
from isinglass.client import Client, connect
from isinglass.errors import UsageError
from isinglass.harmless import harmless
from isinglass.wire.messages import ACKS, CONSISTENCIES

Plain = int | float | bool | str | None

LARGEST_INTEGER, SMALLEST_INTEGER = 2**64 - 1, -(2**63)
NODE = Option(
    "node", "The node; may be left out when there is only one.", value="NODE", completes="nodes"
)
DURABILITY = Option(
    "durability",
    "What is promised when the command ends: in the queue, the same and flushed within a second,"
    " or on the disk.",
    value="LEVEL",
    choices=("none", "second", "commit"),
    default="commit",
)
TEXT = Option("text", "Take values as text; otherwise what looks like a number is one.")

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_REAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Plain] = {"true": True, "false": False, "null": None}


CONSISTENCY = Option(
    "consistency",
    "Who decides: this node (eventual), or the record's primary in the cluster (immediate).",
    value="WHO",
    choices=CONSISTENCIES,
    default="eventual",
)
ACK = Option(
    "ack",
    "How many nodes must hold a write before the command ends: the one that stamped it, one more,"
    " or a majority.",
    value="HOW_MANY",
    choices=ACKS,
    default="primary",
)


def database(
    values: Values, process: str, *, node: str = "", timeout_seconds: float = 5.0
) -> Client:
    """Connect to the node that the options name."""
    return connect(
        node or values.text("node") or None,
        timeout_seconds=timeout_seconds,
        durability=values.text("durability") or "second",
        consistency=values.text("consistency") or "eventual",
        ack=values.text("ack") or "primary",
        process=process,
    )


def number_or_text(text: str) -> int | float | str:
    """Return the number that a text is, or the text itself when a number would lose part of it.

    So `007`, `1_000`, `nan`, `1e999` and integers beyond 64 bits stay text.
    """
    if _INTEGER.fullmatch(text):
        number = int(text)
        return number if SMALLEST_INTEGER <= number <= LARGEST_INTEGER else text
    return float(text) if _REAL.fullmatch(text) and math.isfinite(float(text)) else text


def json_value(text: str) -> object:
    """Return the value that a JSON text is.

    Raises:
        ValueError, RecursionError: it is no JSON, or has a number that is not finite: Python's
            reader takes NaN, Infinity and 1e999, which nobody could read as JSON again.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number that JSON has")
    return number


def typed(text: str, as_text: bool) -> Plain:
    """Return the value of a word on the command line: a number, true, false, null, or text."""
    if as_text:
        return text
    return _WORDS[text] if text in _WORDS else number_or_text(text)


def pair(text: str, as_text: bool) -> tuple[str, Plain]:
    """Return field and value of `field=value`.

    Raises:
        UsageError: there is no equals sign, or no field before it.
    """
    field, equals, value = text.partition("=")
    if not field or not equals:
        raise UsageError(f"{text!r} is not FIELD=VALUE.")
    return field, typed(value, as_text)


def json_text(value: object, indent: int | None = None) -> str:
    """Return a stored value as JSON; bytes become {"hex": ...}, the rest that JSON lacks text."""
    return json.dumps(_in_json(value), ensure_ascii=False, indent=indent)


def _in_json(value: object) -> object:
    """Return what stands for a value in JSON."""
    if isinstance(value, dict):
        return {_name(key): _in_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(part) for part in value]
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)


def _name(key: object) -> str:
    return key.hex() if isinstance(key, bytes) else str(key)


def cell(value: object) -> str:
    """Return a value as one cell or word of a table: text, made harmless, the rest as JSON."""
    return harmless(value if isinstance(value, str) else json_text(value))
