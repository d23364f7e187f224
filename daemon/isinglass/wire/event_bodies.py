"""What a datagram of events may say: each kind of body, how it is packed, and the check it passes.

A body is msgpack. What came over the network is checked once, here, so that whoever gets it meets
no type, range or length that it does not expect. Texts are any Unicode, control characters too:
what shows them to a person makes them harmless.

    1 EVENTS   [node, process, first sequence, [[stamp, severity, flag, message, fields, where],
               ...]]; the numbers run on
    2 STATUS   [node, process, pid, role, address, port, last, oldest, refused, sent, ended]
               each second. last: newest number in the ring, 0 before the first one; oldest: what
               the ring still has, last + 1 when nothing; refused: datagrams that the sender's
               kernel did not take; sent: datagrams to all, this one not counted; ended: 1 in the
               last one of the stream. `address`, `port`: where the sender is asked
    3 FIGURES  [node, second, part, parts, [[panel, instance, {field: number or text}], ...]]
               each second, of the owner of the node's segment; second: since 1970
    4 ASK      [stream, [first, last, first, last, ...]]       missing, ascending
    5 AGAIN    [stream, node, process, [[sequence, stamp, severity, flag, message, fields, where],
               ...]], ascending
    6 GONE     [stream, first, last]                           no more in the ring

`fields` is "key=value", joined by tabs; `where` is "path:line", or "" when it is not known. A
severity is 1 to 24 as in OpenTelemetry. An event too large for a datagram is cut, ends in "…" and
has the field `truncated=1`.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgpack

from isinglass.setting_kinds import NODE_NAME
from isinglass.wire.bodies import SEQUENCE_LIMIT, checked, malformed
from isinglass.wire.seals import DATAGRAM_LIMIT, TAG_BYTES

EVENTS, STATUS, FIGURES, ASK, AGAIN, GONE = range(1, 7)
FIRST_TO_ONE = ASK

HEADER_BYTES = 36
BODY_LIMIT = DATAGRAM_LIMIT - HEADER_BYTES - TAG_BYTES
WORD_LIMIT = 1 << 64
PARTS_LIMIT = 256  # of one second's figures
NAME_LIMIT = 64  # characters of the name of a process, a flag, a role, a panel or a field
WHERE_LIMIT = 256
SEVERITY_LIMIT = 25
TRUNCATED = "truncated=1"

_pack = msgpack.Packer(autoreset=True).pack

Figures = tuple[str, str, dict[str, int | float | str]]


class WireEvent(NamedTuple):
    """One event as it is told; see the module's text."""

    stamp: int
    severity: int
    flag: str
    message: str
    fields: str
    where: str


# ---------------------------------------------------------------------- packing
def _array(packed: Sequence[bytes]) -> bytes:
    """Return a msgpack array of elements that are packed already."""
    length = len(packed)  # a datagram has no room for 2**16
    header = bytes((0x90 | length,)) if length < 16 else b"\xdc" + length.to_bytes(2, "big")
    return header + b"".join(packed)


def _grouped(elements: Iterable[tuple[int, bytes]], room: int) -> Iterator[tuple[int, list[bytes]]]:
    """Split packed elements into runs that fit, each with the mark of its first element."""
    first, run, size = 0, list[bytes](), 3
    for mark, element in elements:
        if run and size + len(element) > room:
            yield first, run
            run, size = [], 3
        if not run:
            first = mark
        run.append(element)
        size += len(element)
    if run:
        yield first, run


def _clean(text: str) -> str:
    """Return a text that UTF-8 can say: what a file name had that was none is "?"."""
    return text.encode("utf-8", "replace").decode()


def _cut(text: str, room: int) -> str:
    """Return a text, cut to `room` bytes of UTF-8 with "…" where it is longer."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= room:
        return encoded.decode()
    return encoded[: max(0, room - 3)].decode("utf-8", "ignore") + "…"


def _packed_event(event: WireEvent, room: int, before: tuple[int, ...] = ()) -> bytes:
    """Return the packed event, cut where it is needed; `before` are numbers put before it."""
    try:
        packed: bytes = _pack((*before, *event))
    except UnicodeEncodeError:
        packed = b""
    if not 0 < len(packed) <= room or not _within_limits(event):
        packed = _pack((*before, *_short_event(event, room - 9 * len(before))))
    return packed


def _within_limits(event: WireEvent) -> bool:
    return (
        0 < event.severity < SEVERITY_LIMIT
        and len(event.flag) <= NAME_LIMIT
        and len(event.where) <= WHERE_LIMIT
    )


def _short_event(event: WireEvent, room: int) -> WireEvent:
    clean = event._replace(
        severity=min(max(event.severity, 1), SEVERITY_LIMIT - 1),
        flag=_cut(event.flag, NAME_LIMIT),
        where=_cut(event.where, WHERE_LIMIT),
        message=_clean(event.message),
        fields=_clean(event.fields),
    )
    if len(_pack(clean)) <= room:
        return clean
    # Two lengths of two bytes each, and the tab before the mark.
    room -= len(_pack(clean._replace(message="", fields=""))) + 4 + 1 + len(TRUNCATED)
    # The message is what people read: the fields get what it leaves, but a third in any case.
    message = _cut(clean.message, max(room - len(clean.fields.encode()), room * 2 // 3))
    fields = _cut(clean.fields, room - len(message.encode()))
    return clean._replace(message=message, fields=f"{fields}\t{TRUNCATED}".lstrip("\t"))


def pack_events(node: str, process: str, first: int, events: Iterable[WireEvent]) -> list[bytes]:
    """Return the bodies of EVENTS datagrams that tell these events, packed.

    Args:
        first: the number of the first one; the others follow without a gap.
    """
    start = _pack(node) + _pack(_cut(process, NAME_LIMIT))
    room = BODY_LIMIT - 1 - len(start) - 9
    elements = (
        (sequence, _packed_event(event, room - 3)) for sequence, event in enumerate(events, first)
    )
    runs = _grouped(elements, room)
    return [b"\x94" + start + _pack(sequence) + _array(run) for sequence, run in runs]


def pack_again(
    stream: int, node: str, process: str, events: Iterable[tuple[int, WireEvent]]
) -> list[bytes]:
    """Return the bodies of AGAIN datagrams that repeat events of a stream, with their numbers."""
    start = b"\x94" + _pack(stream) + _pack(node) + _pack(_cut(process, NAME_LIMIT))
    room = BODY_LIMIT - len(start)
    elements = ((0, _packed_event(event, room - 3, (sequence,))) for sequence, event in events)
    return [start + _array(run) for _, run in _grouped(elements, room)]


def pack_figures(node: str, second: int, rows: Iterable[Figures]) -> list[bytes]:
    """Return the bodies of FIGURES datagrams that tell a second's figures.

    A panel too large for one datagram comes in several rows. What has no place in JSON (an infinite
    number) is left out; a text is cut.
    """
    start = _pack(node) + _pack(second)
    room = BODY_LIMIT - 1 - len(start) - 6
    elements = ((0, row) for panel in rows for row in _figure_rows(panel, room - 3))
    runs = [run for _, run in _grouped(elements, room)][:PARTS_LIMIT]
    parts = _pack(len(runs))
    return [b"\x95" + start + _pack(part) + parts + _array(run) for part, run in enumerate(runs)]


def _figure_rows(row: Figures, room: int) -> Iterator[bytes]:
    panel, instance, figures = row
    start = [panel[:NAME_LIMIT], _cut(instance, NAME_LIMIT)]
    size = len(_pack(start)) + 3
    part: dict[str, int | float | str] = {}
    used = size
    for name, value in figures.items():
        if isinstance(value, float) and not math.isfinite(value):
            continue
        figure = _cut(value, WHERE_LIMIT) if isinstance(value, str) else value
        needed = len(_pack(name)) + len(_pack(figure))
        if part and used + needed > room:
            yield _pack([*start, part])
            part, used = {}, size
        part[name] = figure
        used += needed
    yield _pack([*start, part])


# ---------------------------------------------------------------------- checks
def parse(kind: int, packed: bytes) -> Any:
    """Return the checked body of a datagram.

    Raises:
        BadDatagram: there is no such kind, or the bytes are no body of it.
    """
    return checked(packed, CHECKS.get(kind))


def _need(condition: bool) -> None:
    if not condition:
        malformed()


def _check_number(value: Any, low: int, limit: int) -> None:
    if type(value) is not int or not low <= value < limit:
        malformed()


def _check_text(value: Any, limit: int) -> None:
    if type(value) is not str or len(value) > limit:
        malformed()


def _check_list(value: Any, length: int) -> None:
    if type(value) is not list or len(value) != length:
        malformed()


def _check_node(node: Any, process: Any) -> None:
    _need(type(node) is str and NODE_NAME.fullmatch(node) is not None)
    _check_text(process, NAME_LIMIT)


def _check_event(event: Any) -> None:
    stamp, severity, flag, message, fields, where = event
    if type(stamp) is not int or not 0 <= stamp < WORD_LIMIT:
        malformed()
    if type(severity) is not int or not 0 < severity < SEVERITY_LIMIT:
        malformed()
    if type(flag) is not str or type(message) is not str or type(fields) is not str:
        malformed()
    if type(where) is not str or len(where) > WHERE_LIMIT or len(flag) > NAME_LIMIT:
        malformed()


def _check_events(body: Any) -> None:
    _check_list(body, 4)
    node, process, first, events = body
    _check_node(node, process)
    _need(type(events) is list and len(events) > 0)
    _check_number(first, 1, SEQUENCE_LIMIT - len(events))
    for event in events:
        if type(event) is not list:
            malformed()
        _check_event(event)


def _check_status(body: Any) -> None:
    _check_list(body, 11)
    node, process, pid, role, address, port, last, oldest, refused, sent, ended = body
    _check_node(node, process)
    _check_number(pid, 1, 1 << 31)
    _check_text(role, NAME_LIMIT)
    _need(type(address) is str)
    ipaddress.IPv4Address(address)  # raises ValueError
    _check_number(port, 1, 1 << 16)
    _check_number(last, 0, SEQUENCE_LIMIT)
    _check_number(oldest, 1, last + 2)
    _check_number(refused, 0, WORD_LIMIT)
    _check_number(sent, 0, WORD_LIMIT)
    _check_number(ended, 0, 2)


def _check_figures(body: Any) -> None:
    _check_list(body, 5)
    node, second, part, parts, rows = body
    _check_node(node, "")
    _check_number(second, 0, SEQUENCE_LIMIT)
    _check_number(parts, 1, PARTS_LIMIT + 1)
    _check_number(part, 0, parts)
    _need(type(rows) is list)
    for row in rows:
        _check_list(row, 3)
        panel, instance, figures = row
        _check_text(panel, NAME_LIMIT)
        _check_text(instance, NAME_LIMIT)
        _need(type(figures) is dict)
        for name, value in figures.items():
            _check_text(name, NAME_LIMIT)
            if type(value) is float:
                _need(math.isfinite(value))
            elif type(value) is str:
                _check_text(value, WHERE_LIMIT)
            else:
                _need(type(value) is int)


def _check_ask(body: Any) -> None:
    _check_list(body, 2)
    stream, ranges = body
    _check_number(stream, 1, WORD_LIMIT)
    _need(type(ranges) is list and len(ranges) > 0 and not len(ranges) & 1)
    _need(set(map(type, ranges)) == {int} and ranges[0] >= 1 and ranges[-1] < SEQUENCE_LIMIT)
    firsts, lasts = ranges[::2], ranges[1::2]
    _need(not any(map(int.__gt__, firsts, lasts)) and not any(map(int.__ge__, lasts, firsts[1:])))


def _check_again(body: Any) -> None:
    _check_list(body, 4)
    stream, node, process, events = body
    _check_number(stream, 1, WORD_LIMIT)
    _check_node(node, process)
    _need(type(events) is list and len(events) > 0)
    before = 0
    for event in events:
        _check_list(event, 7)
        _check_number(event[0], before + 1, SEQUENCE_LIMIT)
        before = event[0]
        _check_event(event[1:])


def _check_gone(body: Any) -> None:
    _check_list(body, 3)
    stream, first, last = body
    _check_number(stream, 1, WORD_LIMIT)
    _check_number(first, 1, SEQUENCE_LIMIT)
    _check_number(last, first, SEQUENCE_LIMIT)


CHECKS: dict[int, Callable[[Any], None]] = {
    EVENTS: _check_events,
    STATUS: _check_status,
    FIGURES: _check_figures,
    ASK: _check_ask,
    AGAIN: _check_again,
    GONE: _check_gone,
}
