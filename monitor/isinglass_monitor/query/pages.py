"""The spool a part at a time, from a moment backwards or forwards, for screens that are scrolled.

A part is bounded, however much the spool holds, and says how to go on. Between two parts whoever
asks can do something else, or give up. Events of the stamp at which a part is cut are left
to the next one whole, so nothing is told twice and nothing is missed.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from isinglass_monitor.query.spools import Spool
from isinglass_monitor.spool.reading import Question
from isinglass_monitor.spool.records import Entry

PART_ENTRIES = 1000


class Part(NamedTuple):
    """Some entries, oldest first, and the question that asks for those further on, if any."""

    entries: list[Entry]
    further: Question | None


def backwards(reader: Spool, question: Question, most: int = PART_ENTRIES) -> Part:
    """Return the last entries of an answer; those further on are older."""
    found = reader.newest(question, most)
    if len(found) < most:
        return Part(found, None)
    cut = found[0].stamp
    whole = [entry for entry in found if entry.stamp > cut]
    if not whole:  # more of one millisecond than a part holds
        return Part(found, question._replace(until=cut))
    return Part(whole, question._replace(until=cut + 1))


def forwards(reader: Spool, question: Question, most: int = PART_ENTRIES) -> Part:
    """Return the first entries of an answer; those further on are newer."""
    found = list(islice(reader.ask(question), most))
    if len(found) < most:
        return Part(found, None)
    cut = found[-1].stamp
    whole = [entry for entry in found if entry.stamp < cut]
    if not whole:
        return Part(found, question._replace(since=cut + 1))
    return Part(whole, question._replace(since=cut))
