"""What the keys of the console can do outside it: handed in by whoever starts the screens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from isinglass.errors import UsageError
from isinglass_console.hands import Hands
from isinglass_console.model.log_page import LogRequest

Order = Mapping[str, object]


def _nothing(_told: object) -> None:
    return None


def _nobody(_order: Order) -> None:
    raise UsageError("this console has no monitor that it could give orders to")


def _nowhere(_node: str, _text: str) -> str:
    raise UsageError("this console shows no node that could take a note")


def _no_recorder() -> str:
    raise UsageError("what this console shows is a recording already")


def _no_saver(_words: str) -> Callable[[], str]:
    raise UsageError("what this console shows is a recording: `isinglass snapshot` cuts one")


@dataclass(frozen=True, slots=True)
class Outside:
    """The ways out.

    `set_interval`: make frames at another interval, in seconds.
    `order`: give an order to the monitor and wait for its answer, up to some seconds; raises an
    IsinglassError that says why it was not obeyed.
    `note`: put a remark at a node on the timeline, and return what to say; raises as `order` does.
    `want_log`: say which part of the log is on the screen, None for none of it.
    `record`: begin a recording, or end the one that is made; returns what to say.
    `save`: take the frames since a time, `TIME [FILE]`; returns what writes them into the file, in
    a thread, and returns what to say; both raise as `order` does.
    `hands`: what may be done to some nodes, or None for looking alone.
    """

    set_interval: Callable[[float], None] = _nothing
    order: Callable[[Order], None] = _nobody
    note: Callable[[str, str], str] = _nowhere
    want_log: Callable[[LogRequest | None], None] = _nothing
    hands: Hands | None = None
    record: Callable[[], str] = _no_recorder
    save: Callable[[str], Callable[[], str]] = _no_saver
