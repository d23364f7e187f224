"""`isinglass monitor relay`: the far side of a monitor that is looked at over SSH.

It reads the files that the monitor leaves, as a console on this machine does, and answers one
question after the other until its input ends, or nobody has asked for a quarter of an hour. It
fits a forced command; orders go on to the monitor only where that has `--orders`.
"""

from __future__ import annotations

import os
import select
import sys

from isinglass import __version__
from isinglass.cli.forced import asked_for, is_forced, narrowed
from isinglass.cli.options import Command, Option, Positional
from isinglass.errors import IsinglassError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from isinglass.cli.options import Values
    from isinglass.remote.frames import Message
    from isinglass_monitor.query.answering import Answering

READ_BYTES = 65536
SILENT_SECONDS = 900.0
COMMAND = Command(
    "monitor relay",
    "Answer a console elsewhere from a monitor's files; ssh starts it there.",
    positionals=(
        Positional(
            "NAME", "The monitor; the one of this machine when none is given.", required=False
        ),
    ),
    options=(Option("orders", "Pass on orders to it: acknowledge, silence, expect."),),
    notes=(
        "It speaks a protocol of its own on its standard input and output, and ends with its"
        " input.",
        'In authorized_keys: restrict,command="isinglass monitor relay" KEY; then that key reads'
        " this monitor and nothing else, and gives no orders.",
    ),
    examples=("isinglass console --monitor ssh://operator@host/",),
)


def run(values: Values) -> int:
    """Answer until the client goes; returns 0."""
    names, orders = [name] if (name := values.text("NAME")) else [], values.flag("orders")
    if is_forced():
        asked = asked_for(COMMAND, "NAME")
        names = narrowed(names, [name] if (name := asked.text("NAME")) else [])
        orders = orders and asked.flag("orders")
    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UsageError(
            "A relay speaks to a program: look at this monitor from another machine with"
            " `isinglass console --monitor ssh://HOST/`."
        )
    from isinglass_monitor.query.answering import Answering

    answering = Answering(names[0] if names else "", takes_orders=orders)
    try:
        _answer_all(answering)
    except BrokenPipeError:
        pass  # Its client went while it answered.
    finally:
        answering.close()
    return 0


def _answer_all(answering: Answering) -> None:
    from isinglass.remote.frames import Kind
    from isinglass.remote.message_bodies import pack_hello
    from isinglass.remote.questions import PROTOCOL

    asked = sorted(answering.questions)
    facts = {"protocol": PROTOCOL, "version": __version__, "asked": asked, "pid": os.getpid()}
    _send(Kind.HELLO, 0, pack_hello(facts))
    for message in _heard():
        if message.kind == Kind.ASK:
            _send(*_answer(answering, message))


def _answer(answering: Answering, message: Message) -> tuple[int, int, bytes]:
    """Return what goes back: kind, number and body."""
    from isinglass.remote.frames import Kind
    from isinglass.remote.message_bodies import pack_wrong
    from isinglass.remote.questions import packed, unpacked

    try:
        question, arguments = unpacked(message.body)
        return Kind.ANSWER, message.channel, packed(answering.answer(question, arguments))
    except IsinglassError as reason:
        return Kind.REFUSED, message.channel, pack_wrong(reason)
    except Exception as reason:
        # One file that cannot be read, or one question that makes no sense, ends no session.
        wrong = IsinglassError(f"the monitor's files cannot be read there: {reason!r}")
        return Kind.REFUSED, message.channel, pack_wrong(wrong)


def _heard() -> Iterator[Message]:
    """Yield what the client says, until it is gone."""
    from isinglass.remote.frames import ASKING_BYTES, Unframer

    unframer, source = Unframer(ASKING_BYTES), sys.stdin.fileno()
    while select.select([source], (), (), SILENT_SECONDS)[0]:
        data = os.read(source, READ_BYTES)
        if not data:
            return
        yield from unframer.feed(data)


def _send(kind: int, number: int, body: bytes) -> None:
    from isinglass.remote.frames import framed

    rest = memoryview(framed(kind, number, body))
    while rest:
        rest = rest[os.write(sys.stdout.fileno(), rest) :]
