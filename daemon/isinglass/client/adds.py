"""Sending adds: in requests of many, each with a number by which the daemon knows it again.

A put that is sent again is recognised by its record; an add is not, so each request has the number
of its thread's client and one of its own. What a full queue did not take is asked for again under
another number, because it is another request.
"""

from __future__ import annotations

from typing import Any

from isinglass.client.session import Session
from isinglass.store import adding
from isinglass.wire import messages

CHUNK = 250
TOGETHER = 4
Pair = tuple[str, int]


def send(
    session: Session, table: str, field: str, pairs: list[Pair], durability: int, *, wait: bool
) -> None:
    """Add to a field of many records, each as often as it is in `pairs`.

    Raises:
        BadRecord: a number or the field cannot be counted; or the errors of `Session.ask_all`.
    """
    adding.check_field(field)
    for _, number in pairs:
        adding.check_number(number)
    left = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    while left:
        together = left[:TOGETHER]
        requests: list[list[Any]] = [
            [messages.ADD, table, field, chunk, durability, *session.number_add(), 0]
            for chunk in together
        ]
        answers = session.ask_all(requests, write=True, once=True, wait=wait)
        rest = []
        for chunk, (place, count) in zip(together, answers, strict=True):
            keys = [key for key, _ in chunk[:count]]
            session.own.add_counts(table, keys, place, session.words.applied_through)
            rest += [chunk[count:]] if count < len(chunk) else []
        left[:TOGETHER] = rest
