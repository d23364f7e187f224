"""What the keys of the console can do outside it: handed in by whoever starts the screens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from isinglass.errors import UsageError
from isinglass_console.hands import Hands
from isinglass_console.model.log_page import LogRequest
from isinglass_console.model.stacks import Stacks
from isinglass_console.sources.files import FarFile, SourceFile

Order = Mapping[str, object]


def _nothing(_told: object) -> None:
    return None


def _nobody(_order: Order) -> None:
    raise UsageError("this console has no monitor that it could give orders to")


def _nowhere(_node: str, _text: str) -> str:
    raise UsageError("this console shows no node that could take a note")


def _everywhere(_node: str) -> bool:
    return True


def _nowhere_else(_path: str, _source_hash: str) -> SourceFile | None:
    return None


def _no_process(_node: str, _pid: int) -> Stacks:
    raise UsageError("this console shows no process that could be asked for its stacks")


def _no_flags(_node: str) -> list[tuple[str, float]]:
    raise UsageError("this console shows no node whose debug flags could be switched")


def _no_switch(_node: str, _switches: tuple[str, ...], _time: str) -> str:
    raise UsageError("this console shows no node whose debug flags could be switched")


def _no_drain(_node: str, _time: str, _reason: str) -> str:
    raise UsageError("this console shows no node that could be drained")


def _no_resume(node: str) -> str:
    return _no_drain(node, "", "")


def path_of(said: str) -> Path:
    """Return the file that the operator named, `~` being somebody's home.

    Raises:
        UsageError: nobody of that name has one.
    """
    try:
        return Path(said.strip()).expanduser()
    except RuntimeError:
        raise UsageError(f"{said.strip()!r} begins with nobody's home; give the folder") from None


def write(path: Path, text: str) -> None:
    """Write a new file; one that is there is left as it is.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


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
    `stacks`: take the stacks of a process, by node and pid; `debug_flags`, `switch_debug`: a node's
    debug flags; `drain`, `resume`: its clients' writes; `write`: make a file that is not there yet.
    They take up to some seconds, and raise as `order` does.
    `record`: begin a recording, or end the one that is made; returns what to say.
    `save`: take the frames since a time, `TIME [FILE]`; returns what writes them into the file, in
    a thread, and returns what to say; both raise as `order` does.
    `is_here`: whether a node is one of this machine, as these commands need it to be.
    `far_file`: the source file that a node of another host runs, by path and hash, if one does.
    `hands`: what may be done to some nodes, or None for looking alone.
    """

    set_interval: Callable[[float], None] = _nothing
    order: Callable[[Order], None] = _nobody
    note: Callable[[str, str], str] = _nowhere
    want_log: Callable[[LogRequest | None], None] = _nothing
    hands: Hands | None = None
    stacks: Callable[[str, int], Stacks] = _no_process
    debug_flags: Callable[[str], list[tuple[str, float]]] = _no_flags
    switch_debug: Callable[[str, tuple[str, ...], str], str] = _no_switch
    drain: Callable[[str, str, str], str] = _no_drain
    resume: Callable[[str], str] = _no_resume
    write: Callable[[Path, str], None] = write
    record: Callable[[], str] = _no_recorder
    save: Callable[[str], Callable[[], str]] = _no_saver
    is_here: Callable[[str], bool] = _everywhere
    far_file: FarFile = _nowhere_else
