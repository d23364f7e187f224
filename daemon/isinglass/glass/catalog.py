"""The catalogue: one line declares a field, and everything else comes from that line.

    class QueuePanel(Panel):
        '''The indexed update queue: what came in, what was merged away, what waits.'''
        offered = Counter("updates", "Updates offered to the queue.")

From it come the place in the segment, `dump`, the console's label and unit, the exported name and
the reference page. A field is a descriptor: `panel.offered += 1` reads and stores one word. A hot
loop takes `words = panel.words` and `OFFERED = QueuePanel.offered.index` once, and then writes
`words[OFFERED] += 1`, which is the same store without the look-ups. Every word has one writing
thread.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

from isinglass.glass import histogram, schema
from isinglass.glass.layout import LATCH_SLOTS, WORD_BYTES
from isinglass.glass.region import OWN, fit

T = TypeVar("T")
PANEL_CLASSES: dict[str, type[Panel]] = {}


class Field(Generic[T]):
    """One field of a panel; the subclass says what kind and how many words."""

    kind: ClassVar[str]

    def __init__(
        self, unit: str, help_line: str, *, level: str = "info", length: int = WORD_BYTES
    ) -> None:
        if level not in schema.LEVELS:
            raise ValueError(f"level {level!r} is none of {', '.join(schema.LEVELS)}")
        if not unit or not help_line:
            raise ValueError("a field needs a unit and one line of help")
        self.unit, self.help, self.level, self.length = unit, help_line, level, length
        self.name = ""
        self.lay(0)

    def lay(self, place: int) -> None:
        """Put the field at `place` (bytes from the panel's start); `index` is its word there."""
        self.place, self.index = place, place // WORD_BYTES

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def schema(self) -> schema.FieldSchema:
        """Return the field's description as it stands in a segment."""
        return schema.FieldSchema(
            self.name, self.kind, self.place, self.length, self.unit, self.level, self.help
        )

    @overload
    def __get__(self, panel: None, owner: type) -> Self: ...
    @overload
    def __get__(self, panel: Panel, owner: type) -> T: ...
    def __get__(self, panel: Panel | None, owner: type) -> Self | T:
        return self if panel is None else self.read(panel)

    def read(self, panel: Panel) -> T:
        """Return the value that this process last stored."""
        raise TypeError(f"{type(panel).__name__}.{self.name}: {self.kind} fields cannot be read")


class Counter(Field[int]):
    """A number that only grows, from zero at the start of the process."""

    kind = "counter"

    def read(self, panel: Panel) -> int:
        """Return the count."""
        return panel.words[self.index]

    def __set__(self, panel: Panel, value: int) -> None:
        panel.words[self.index] = value


class Gauge(Field[int]):
    """A whole number that goes up and down; signed."""

    kind = "gauge"

    def read(self, panel: Panel) -> int:
        """Return the number."""
        return panel.signed[self.index]

    def __set__(self, panel: Panel, value: int) -> None:
        panel.signed[self.index] = value


class Real(Field[float]):
    """A number with a fraction: a share, seconds, a moving average."""

    kind = "real"

    def read(self, panel: Panel) -> float:
        """Return the number."""
        return panel.reals[self.index]

    def __set__(self, panel: Panel, value: float) -> None:
        panel.reals[self.index] = value


class Estimate(Real):
    """A moving average, or what was computed from some: seven digits, the 24 bits of a single.

    To readers it is a `Real`. The 29 bits below would be noise, new each second: in a recording,
    which gives back every bit, they made a seventh of it.
    """

    def __set__(self, panel: Panel, value: float) -> None:
        panel.reals[self.index] = array("f", (value,))[0]


class Timestamp(Field[int]):
    """An instant, in nanoseconds of wall time since 1970; 0 is never."""

    kind = "timestamp"

    def __init__(self, help_line: str, *, level: str = "info") -> None:
        super().__init__("time", help_line, level=level)

    def read(self, panel: Panel) -> int:
        """Return the instant, in nanoseconds since 1970."""
        return panel.words[self.index]

    def __set__(self, panel: Panel, value: int) -> None:
        panel.words[self.index] = value


class Text(Field[str]):
    """A short text of a fixed room; a longer one is cut at a character."""

    kind = "text"

    def __init__(self, size_bytes: int, help_line: str, *, level: str = "info") -> None:
        room = size_bytes + (-size_bytes % WORD_BYTES)
        super().__init__("text", help_line, level=level, length=room)

    def read(self, panel: Panel) -> str:
        """Return the text."""
        raw = bytes(panel.bytes[self.place : self.place + self.length])
        return raw.rstrip(b"\0").decode("utf-8", "replace")

    def __set__(self, panel: Panel, value: str) -> None:
        panel.bytes[self.place : self.place + self.length] = fit(value, self.length)


class Recorder:
    """Records values into one histogram of one panel instance."""

    __slots__ = ("_words",)

    def __init__(self, words: memoryview) -> None:
        self._words = words

    def record(self, value: int) -> None:
        """Count one value (a whole number in the field's unit)."""
        words = self._words
        words[histogram.SUM] += max(value, 0)
        if value > words[histogram.MAXIMUM]:
            words[histogram.MAXIMUM] = value
        words[histogram.FIRST_BUCKET + histogram.bucket_of(value)] += 1


class Histogram(Field[Recorder]):
    """How often values of which size came up; `panel.field.record(value)`."""

    kind = "histogram"

    def __init__(self, unit: str, help_line: str, *, level: str = "info") -> None:
        super().__init__(unit, help_line, level=level, length=histogram.WORDS * WORD_BYTES)

    def read(self, panel: Panel) -> Recorder:
        """Return the recorder of this panel's histogram."""
        return cast(Recorder, panel.handle(self, self._recorder))

    def _recorder(self, panel: Panel) -> Recorder:
        return Recorder(panel.words[self.index : self.index + histogram.WORDS])


class Latched:
    """Publishes records of several words that agree with each other: a ring latch.

    The record q goes to slot q & 7 and then q is stored, so a reader that saw q has a whole record
    as long as fewer than seven more were published while it read (after the "latch" of Linux's
    seqcount_latch_t, with eight slots instead of two). Readers never wait, and the last eight
    records are there for the post-mortem.
    """

    __slots__ = ("_first", "_latest", "_stores", "_width")

    def __init__(self, panel: Panel, field: Latch) -> None:
        views: dict[str, memoryview[Any]] = {"q": panel.signed, "d": panel.reals}
        start, parts = field.index, field.parts
        self._latest = panel.words[start : start + 1]
        self._first, self._width = start + 1, len(parts)
        self._stores: list[memoryview[Any]] = [
            views["d" if part.kind == "real" else "q"] for part in parts
        ]

    def publish(self, *values: float) -> None:
        """Publish one record; a value for each part, in the order of the declaration."""
        number = self._latest[0] + 1
        word = self._first + (number & (LATCH_SLOTS - 1)) * self._width
        for view, value in zip(self._stores, values, strict=True):
            view[word] = value
            word += 1
        self._latest[0] = number


class Latch(Field[Latched]):
    """Several numbers that must agree with each other; `panel.field.publish(1, 2, 3.0)`."""

    kind = "latch"

    def __init__(
        self, help_line: str, *, level: str = "info", **parts: Gauge | Real | Counter
    ) -> None:
        self.parts = list(parts.values())
        for number, (name, part) in enumerate(parts.items()):
            part.name = name
            part.lay(number * WORD_BYTES)
        length = WORD_BYTES * (1 + LATCH_SLOTS * len(parts))
        super().__init__("record", help_line, level=level, length=length)

    def schema(self) -> schema.FieldSchema:
        """Return the latch's description with its parts, whose places are within a slot."""
        whole = super().schema()
        whole.parts = [part.schema() for part in self.parts]
        return whole

    def read(self, panel: Panel) -> Latched:
        """Return the publisher of this panel's latch."""
        return cast(Latched, panel.handle(self, lambda panel: Latched(panel, self)))


def _panel_name(class_name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name.removesuffix("Panel")).lower()


class Panel:
    """A named group of fields; subclass it, then make one instance, or one for each name.

    Args:
        instance: tells several instances of one panel apart, 40 bytes at most ("flush", "orders").

    Raises:
        RegionFull: the region of this process has no room for one more panel.
    """

    name: ClassVar[str] = ""
    fields: ClassVar[tuple[Field[Any], ...]] = ()
    size_bytes: ClassVar[int] = 0
    _payload: ClassVar[bytes] = b""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.__doc__:
            raise TypeError(f"{cls.__name__} needs a docstring: its first line is the panel's help")
        cls.name = _panel_name(cls.__name__)
        cls.fields = tuple(value for value in vars(cls).values() if isinstance(value, Field))
        place = 0
        for field in cls.fields:
            field.lay(place)
            place += field.length
        cls.size_bytes = place
        cls._payload = schema.panel_text(cls.schema())
        PANEL_CLASSES[f"{cls.__module__}.{cls.__qualname__}"] = cls

    @classmethod
    def schema(cls) -> schema.PanelSchema:
        """Return the panel's description as it stands in a segment."""
        panel = schema.PanelSchema(cls.name, cls.size_bytes, (cls.__doc__ or "").split("\n")[0])
        panel.fields = [field.schema() for field in cls.fields]
        return panel

    def __init__(self, instance: str = "") -> None:
        self.instance = instance
        self._handles: dict[Field[Any], object] = {}
        self._allocation = OWN.allocate(self._payload, self.size_bytes, instance)
        start, end = self._allocation.place, self._allocation.place + self.size_bytes
        self.bytes = OWN.bytes[start:end]
        self.words = self.bytes.cast("Q")
        self.signed = self.bytes.cast("q")
        self.reals = self.bytes.cast("d")

    def handle(self, field: Field[Any], make: Callable[[Panel], object]) -> object:
        """Return the object that writes a field of several words, made at the first use."""
        known = self._handles.get(field)
        if known is None:
            known = self._handles[field] = make(self)
        return known

    def place_of(self, field: Field[Any]) -> int:
        """Return where a field of this instance lies in the region, in bytes."""
        return self._allocation.place + field.place

    def release(self) -> None:
        """Take this instance off the glass; it must not be written any more."""
        OWN.release(self._allocation)
