"""What a client is told beside an answer: who gave it, and what it is worth.

    consistency   "eventual"    the own node stamps a write and answers at once; reads are local
                  "immediate"   the record's primary stamps the write, or answers the read
    ack           "primary"     the node that stamped the write holds it
                  "one"         one more node holds it
                  "majority"    more than half of all known nodes hold it

When the primary does not answer in time, the own node does, and the receipt says so: nothing is
refused because another node is away. docs/consistency.md says what is promised.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from isinglass.errors import UsageError
from isinglass.wire.messages import ACKS, CONSISTENCIES, DURABILITIES


class Receipt(NamedTuple):
    """Who answered.

    node: its name. primary: whether it is the record's primary. held: how many nodes are known to
    hold the write. behind_seconds: how old the answer may be, when it is not the primary's.
    """

    node: str
    primary: bool
    held: int = 1
    behind_seconds: float = 0.0


class Answer(NamedTuple):
    """A record's value, None when there is no such record, with its receipt."""

    value: dict[str, Any] | None
    receipt: Receipt


def consistency_number(word: str) -> int:
    """Return the number of a consistency.

    Raises:
        UsageError: there is none of that name.
    """
    return _number(word, CONSISTENCIES, "consistency")


def ack_number(word: str) -> int:
    """Return the number of an ack level.

    Raises:
        UsageError: there is none of that name.
    """
    return _number(word, ACKS, "ack")


def durability_number(word: str) -> int:
    """Return the number of a durability.

    Raises:
        UsageError: there is none of that name.
    """
    return _number(word, DURABILITIES, "durability")


def _number(word: str, allowed: tuple[str, ...], what: str) -> int:
    try:
        return allowed.index(word)
    except ValueError:
        raise UsageError(f"{what} {word!r} is none of {', '.join(allowed)}") from None
