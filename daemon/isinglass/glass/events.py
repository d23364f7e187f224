"""The event ring and the table of distinct errors in a region: how they are laid out and written.

An event is stored where it happens, in about a microsecond, and outlives the process. Records carry
their own absolute position, so a reader that copied the ring while it was written finds the first
whole record by scanning for a word that equals its own place, and no length is ever believed
without it. Who sends events on (`isinglass.emit`) looks into the ring by itself while events come,
and asks to be woken when it goes to sleep: an event costs one comparison more, the first one after
a silence a wake.

    event    8 position xor MAGIC   4 length   1 severity   1 kind   2 -
             8 stamp   8 sequence   8 probe word   2 flag bytes   2 message bytes   4 field bytes
             flag, message, fields ("key=value" joined by tabs), padded to 8
    error    8 hash   8 count   8 first   8 last (wall ns)   8 probe word   24 -
             64 kind   256 message   128 where
"""

from __future__ import annotations

import threading
import traceback
from binascii import crc32
from collections.abc import Callable

from isinglass import clock
from isinglass.glass import layout
from isinglass.glass.journal import (
    ERROR_KIND,
    ERROR_MESSAGE,
    ERROR_WHERE,
    EVENT,
    EVENT_MAGIC,
    KIND_EVENT,
    KIND_PADDING,
    MAXIMUM_EVENT_BYTES,
)
from isinglass.glass.layout import RegionWord
from isinglass.glass.region import OWN, fit, thread_word

FLAG_BYTES = 64
_HEAD, _COUNT = RegionWord.EVENT_HEAD, RegionWord.EVENT_COUNT
_HEAD_BYTES, _RING_BYTES = EVENT.size, layout.EVENTS_BYTES
_TEXT_BYTES = MAXIMUM_EVENT_BYTES - _HEAD_BYTES
_MILLISECOND_NS, _LOGICAL_BITS = clock.NANOSECONDS_PER_MILLISECOND, clock.LOGICAL_BITS
_NO_STAMP = memoryview(bytes(layout.WORD_BYTES)).cast("Q")
NEVER = 1 << 8  # no severity is as high
_WHITE = str.maketrans({"\t": " ", "\n": " "})


def _nobody() -> None:
    """What is called while nobody sends events on."""


def _text_of(fields: dict[str, object]) -> str:
    """Return fields as they are kept: "key=value", joined by tabs, on one line."""
    text = ""
    for key, value in fields.items():
        text += f"\t{key}={value}"
    if "\n" in text or text.count("\t") > len(fields):
        text = "".join([f"\t{f'{key}={value}'.translate(_WHITE)}" for key, value in fields.items()])
    return text[1:]


def _fitted(*texts: str) -> tuple[bytes, bytes, bytes]:
    """Return flag, message and fields as bytes, cut to the room; the message has half of it."""
    # A surrogate, as in the name of a file that is no UTF-8, must not fail whoever logs it.
    flag, message, fields = [text.encode("utf-8", "replace") for text in texts]
    flag = flag[:FLAG_BYTES].decode("utf-8", "ignore").encode()
    room = _TEXT_BYTES - len(flag)
    if len(message) + len(fields) > room and len(message) > room // 2:
        message = message[: room // 2 - 3].decode("utf-8", "ignore").encode() + "…".encode()
    return flag, message, fields[: room - len(message)]


class EventWriter:
    """Writes this process's events; any thread may."""

    def __init__(self) -> None:
        # A signal's handler, or a finalizer, may log while its own thread is storing an event: it
        # must not wait for itself.
        self._lock = threading.RLock()
        self._stamp = 0
        self._newest = _NO_STAMP
        self.wake_from, self._wake = NEVER, _nobody

    def tell_to(self, wake: Callable[[], None]) -> None:
        """Call `wake` after each event of severity `wake_from` or more; it must not wait."""
        self._wake = wake

    def tell_nobody(self) -> None:
        """Wake nobody from now on."""
        self.wake_from, self._wake = NEVER, _nobody

    def follow(self, word: memoryview | None) -> None:
        """Make each event later than the stamp in `word`, the node's newest one; None: of none."""
        self._newest = _NO_STAMP if word is None else word

    def emit(self, severity: int, flag: str, message: str, fields: dict[str, object]) -> None:
        """Store one event.

        Args:
            severity: 1 to 24 as in OpenTelemetry (9 is INFO, 13 WARN, 17 ERROR).
            flag: the part of the program it belongs to, one word.
            fields: any further facts; kept as text.
        """
        text = _text_of(fields) if fields else ""
        flag_bytes, message_bytes, text_bytes = len(flag), len(message), len(text)
        whole = flag + message + text
        if whole.isascii() and len(whole) <= _TEXT_BYTES and flag_bytes <= FLAG_BYTES:
            stored = whole.encode()
        else:
            parts = _fitted(flag, message, text)
            flag_bytes, message_bytes, text_bytes = map(len, parts)
            stored = b"".join(parts)
        size = _HEAD_BYTES + len(stored)
        length = size + (-size & 7)
        where = thread_word()[0]
        words = OWN.words
        with self._lock:
            position = words[_HEAD]
            start = position % _RING_BYTES
            if _RING_BYTES - start < length:
                position, start = self._pad(position, _RING_BYTES - start), 0
            sequence = words[_COUNT] + 1
            stamp = (clock.wall_ns() // _MILLISECOND_NS) << _LOGICAL_BITS
            if stamp <= (seen := self._newest[0]):
                stamp = seen + 1
            if stamp <= self._stamp:
                stamp = self._stamp + 1
            self._stamp = stamp
            start += layout.EVENTS_OFFSET
            OWN.bytes[start : start + size] = (
                EVENT.pack(
                    position ^ EVENT_MAGIC, length, severity, KIND_EVENT, 0, stamp, sequence, where,
                    flag_bytes, message_bytes, text_bytes,
                ) + stored
            )  # fmt: skip
            words[_HEAD] = position + length
            words[_COUNT] = sequence
        if severity >= self.wake_from:
            self._wake()

    def _pad(self, position: int, room: int) -> int:
        """Fill the end of the ring, too short for the event; return where it starts anew."""
        record = EVENT.pack(position ^ EVENT_MAGIC, room, 0, KIND_PADDING, *[0] * 7)[:room]
        start = layout.EVENTS_OFFSET + position % _RING_BYTES
        OWN.bytes[start : start + len(record)] = record
        return position + room

    def restart(self) -> None:
        """Empty the ring, as another stream: what was in it is told, and its stream has ended."""
        with self._lock:
            OWN.words[RegionWord.EVENT_HEAD] = OWN.words[RegionWord.EVENT_COUNT] = 0
            OWN.draw_stream()

    def after_fork(self) -> None:
        """In a forked child: the lock may have been held by a thread that is not there."""
        self._lock = threading.RLock()
        self.tell_nobody()


class ErrorTable:
    """Counts errors that are the same by kind and place, so that a flood is one line."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # as in EventWriter

    def raised(self, error: BaseException) -> None:
        """Count an error by its kind and where it was raised."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"
        self.record(type(error).__name__, str(error), where)

    def record(self, kind: str, message: str, where: str) -> None:
        """Count one error; the 64 that came first have entries, later ones share the last."""
        digest = crc32(f"{kind}\t{where}".encode("utf-8", "replace")) | 1 << 32
        now = clock.wall_ns()
        with self._lock:
            entry = self._entry(digest)
            start = layout.ERRORS_OFFSET + entry * layout.ERROR_BYTES
            word = start // layout.WORD_BYTES
            words = OWN.words
            if words[word] != digest:
                words[word], words[word + 1], words[word + 2] = digest, 0, now
            texts = ((kind, ERROR_KIND), (message, ERROR_MESSAGE), (where, ERROR_WHERE))
            for text, (place, room) in texts:
                OWN.bytes[start + place : start + place + room] = fit(text, room)
            words[word + 3], words[word + 4] = now, thread_word()[0]
            words[word + 1] += 1

    def _entry(self, digest: int) -> int:
        words = OWN.words
        count = words[RegionWord.ERROR_COUNT]
        for entry in range(count):
            place = layout.ERRORS_OFFSET + entry * layout.ERROR_BYTES
            if words[place // layout.WORD_BYTES] == digest:
                return entry
        if count == layout.ERROR_ENTRIES:
            return count - 1
        words[RegionWord.ERROR_COUNT] = count + 1
        return int(count)

    def after_fork(self) -> None:
        """In a forked child: the lock may have been held by a thread that is not there."""
        self._lock = threading.RLock()


EVENTS = EventWriter()
ERRORS = ErrorTable()
