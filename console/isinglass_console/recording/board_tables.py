"""What was wrong while it was recorded, and which levels judged it: as bytes, and at any moment.

An alarm is kept once, with the timeline of what happened to it, and written again when something
did: so what it was at a moment is derived as a live console does for its past. An alarm takes some
300 bytes; its value is that of the last time that something happened to it.

    levels  number of the first frame that they judged  → each threshold's fields
    board   number of the first frame                   → monitor, runs, written, pending, holdings
    alarms  when it was raised, its number (8 bytes each) → when it ended (8 bytes), its fields

Fields are msgpack in the order of their dataclass, deflated. A recording without these tables was
made before they were.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, replace
from typing import Any

import msgpack

from isinglass.glass.snapshot_codec import LARGEST_BODY_BYTES
from isinglass_console.model.alarms import ENDED_SHOWN, Alarm, AlarmSheet, Holding, Step, over
from isinglass_console.model.board import Levels, Severity, Threshold
from isinglass_console.model.frame import Frame
from isinglass_console.recording.format import RecordingDamaged, key_of

LEVELS, BOARD, ALARMS = BOARD_TABLES = ("levels", "board", "alarms")
ENDED_BYTES = 8
Put = tuple[str, bytes, bytes]  # table, key, value
Pairs = Iterable[tuple[bytes, bytes]]
_pack: Callable[[Any], bytes] = msgpack.packb
_WRONG = (ValueError, TypeError, IndexError, zlib.error, msgpack.UnpackException)


class BoardWriter:
    """Says what of levels and alarms is new with a frame, since the frame before.

    Args:
        left: alarms that stand in the recording; those that nobody tells any more are over.
    """

    def __init__(self, left: Iterable[Alarm] = ()) -> None:
        self._levels: Levels | None = None
        self._sheet: AlarmSheet | None = None
        self._state: tuple[object, ...] = ()
        self._written = {_key(alarm): alarm for alarm in left}

    def puts(self, frame: Frame, sheet: AlarmSheet) -> Iterator[Put]:
        """Yield what is to be stored with a frame."""
        key = key_of(frame.number)
        if frame.levels != self._levels:
            self._levels = frame.levels
            yield LEVELS, key, _deflated([astuple(each) for each in frame.levels.thresholds])
        if sheet is self._sheet:
            return
        self._sheet = sheet
        state = (sheet.monitor, sheet.runs, sheet.pending, sheet.holdings)
        if state != self._state:
            self._state = state
            holdings = [astuple(each) for each in sheet.holdings]
            told = [sheet.monitor, sheet.runs, sheet.written_ns, sheet.pending, holdings]
            yield BOARD, key, _deflated(told)
        before, self._written = self._written, {_key(each): each for each in sheet.alarms}
        for key, alarm in before.items():
            if key not in self._written and not alarm.ended_ns:
                yield _put(over(alarm, frame.wall_ns, "nobody told it any more"))
        for key, alarm in self._written.items():
            old = before.get(key)
            if old is None or replace(alarm, value=old.value) != old:
                yield _put(alarm)


def _key(alarm: Alarm) -> bytes:
    return key_of(alarm.raised_ns) + key_of(alarm.number)


def _put(alarm: Alarm) -> Put:
    return ALARMS, _key(alarm), key_of(alarm.ended_ns) + _deflated(astuple(alarm))


def _deflated(fields: object) -> bytes:
    return zlib.compress(_pack(fields), 9)


def _inflated(data: bytes) -> Any:
    return msgpack.unpackb(zlib.decompressobj().decompress(data, LARGEST_BODY_BYTES))


class RecordedBoard:
    """Levels and alarms at any moment of a recording.

    `levels`: each with the number of the first frame that they judged; `alarms`: all of them, by
    the time at which they were raised.

    Args:
        levels, boards, alarms: what the tables have.

    Raises:
        RecordingDamaged: that is nothing.
    """

    def __init__(self, levels: Pairs, boards: Pairs, alarms: Pairs) -> None:
        try:
            self.levels = [(_number(key), _levels_of(_inflated(data))) for key, data in levels]
            self._boards = [(_number(key), _inflated(data)) for key, data in boards]
            found = [_alarm_of(_inflated(data[ENDED_BYTES:])) for _, data in alarms]
        except _WRONG as reason:
            raise RecordingDamaged(f"The alarms of this recording are damaged ({reason}).") from (
                reason
            )
        self.alarms = tuple(found)

    def sheet(self, number: int, wall_ns: int) -> AlarmSheet | None:
        """Return the alarms about a frame, as `sheet_at` wants them; None: none were recorded."""
        at = bisect_right(self._boards, number, key=_first)
        if not at:
            return None
        monitor, runs, written_ns, pending, holdings = self._boards[at - 1][1]
        there = self.alarms[: bisect_right(self.alarms, wall_ns, key=_raised)]
        raised = [each for each in there if not each.ended_ns or each.ended_ns > wall_ns]
        gone = [each for each in there if each.ended_ns and each.ended_ns <= wall_ns]
        ended = sorted(gone, key=lambda alarm: -alarm.ended_ns)[:ENDED_SHOWN]
        held = tuple(Holding(*each) for each in holdings)
        return AlarmSheet(monitor, runs, written_ns, tuple(raised), tuple(ended), pending, held)


def _first(pair: tuple[int, Any]) -> int:
    return pair[0]


def _raised(alarm: Alarm) -> int:
    return alarm.raised_ns


def _number(key: bytes) -> int:
    return int.from_bytes(key, "big")


def _levels_of(fields: list[Any]) -> Levels:
    return Levels(tuple(_threshold_of(*each) for each in fields))


def _threshold_of(
    figure: str, raise_at: float, clear_at: float, severity: int, *rest: Any
) -> Threshold:
    word, unit, note, seconds, nodes = rest
    level = Severity(severity)
    return Threshold(figure, raise_at, clear_at, level, word, unit, note, seconds, tuple(nodes))


def _alarm_of(fields: list[Any]) -> Alarm:
    alarm = Alarm(*fields)
    steps: list[list[Any]] = fields[-1]
    return replace(alarm, steps=tuple(Step(*step) for step in steps))
