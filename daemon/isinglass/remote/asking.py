"""Questions to a program on another host, each with its answer, through one pipe that is kept.

For what is asked for now and then and answered from files: a monitor's log and alarms. Whoever asks
waits, on an own thread; one question is under way at a time. A pipe that breaks is made anew
by the next question, though not at once after a failure: until then the same error is given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

from isinglass import __version__, clock, errors
from isinglass.errors import HostAway, IsinglassError, RelayMismatch, RemoteError
from isinglass.remote.address import Way
from isinglass.remote.frames import Kind, Message, Unframer, framed
from isinglass.remote.links import carrier_for
from isinglass.remote.loop_thread import LoopThread
from isinglass.remote.message_bodies import read_hello, read_wrong
from isinglass.remote.pipes import Pipe, last_line
from isinglass.remote.questions import NUMBERS, PROTOCOL, packed, unpacked

ANSWER_SECONDS, CONNECT_SECONDS = 30.0, 60.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0


class Asker:
    """Asks one program on one host; may be used by several threads.

    Args:
        way: the jump hosts and the host.
        command: the program's command line there.
        ssh_command: the system's ssh; empty for asyncssh.
    """

    def __init__(self, way: Way, command: str, ssh_command: str = "") -> None:
        self.way, self._command = way, command
        self._carrier = carrier_for(ssh_command)
        self._pipe: Pipe | None = None
        self._messages: Iterator[Message] = iter(())
        self._unframer = Unframer()
        self._turn = asyncio.Lock()
        self._number = 0
        self._wrong: RemoteError | None = None
        self._again_ns = 0
        self._pause_seconds = SHORTEST_PAUSE_SECONDS
        self._loop = LoopThread("asking", self._last)

    def ask(self, question: str, /, **arguments: object) -> Any:
        """Return the answer to a question.

        Raises:
            RemoteError: the host cannot be reached, or does not answer.
            IsinglassError: what the far side says instead of an answer.
        """
        try:
            return self._loop.promise(self._asked(question, arguments)).result()
        except (CancelledError, RuntimeError):
            raise HostAway(f"the link to {self.way[-1]} was ended") from None

    def close(self) -> None:
        """End the link; whoever waits for an answer gets an error."""
        self._loop.close()

    # ------------------------------------------------------------------ in the loop
    async def _asked(self, question: str, arguments: dict[str, object]) -> Any:
        async with self._turn:
            if self._wrong is not None and clock.monotonic_ns() < self._again_ns:
                raise self._wrong.with_traceback(None)
            try:
                if self._pipe is None:
                    await asyncio.wait_for(self._connect(), CONNECT_SECONDS)
                answer = await asyncio.wait_for(self._answer(question, arguments), ANSWER_SECONDS)
            except TimeoutError:
                raise await self._broke(HostAway(f"{self.way[-1]} does not answer")) from None
            except RemoteError as reason:
                raise await self._broke(reason) from None
            except asyncio.CancelledError:
                await self._drop()
                raise
            self._wrong, self._pause_seconds = None, SHORTEST_PAUSE_SECONDS
        if isinstance(answer, IsinglassError):
            raise answer
        return answer

    async def _answer(self, question: str, arguments: dict[str, object]) -> Any:
        """Ask, and return the answer, or the error that the far side gave in its place."""
        assert self._pipe is not None
        self._number = (self._number + 1) % NUMBERS
        self._pipe.write(framed(Kind.ASK, self._number, packed([question, arguments])))
        while True:
            message = await self._next()
            if message.channel != self._number:
                continue
            if message.kind == Kind.REFUSED:
                return told_error(*read_wrong(message.body))
            if message.kind == Kind.ANSWER:
                try:
                    return unpacked(message.body)
                except ValueError as reason:
                    raise RemoteError(
                        f"what {self.way[-1]} sent cannot be read: {reason}"
                    ) from None

    async def _next(self) -> Message:
        """Return the next message; what follows the end of the pipe is its error."""
        while (message := next(self._messages, None)) is None:
            assert self._pipe is not None
            data = await self._pipe.read()
            if not data:
                raise await self._ended()
            self._messages = self._unframer.feed(data)
        return message

    async def _connect(self) -> None:
        self._unframer, self._messages = Unframer(), iter(())
        self._pipe = await self._carrier.run(self.way, self._command)
        while (message := await self._next()).kind != Kind.HELLO:
            pass
        hello = read_hello(message.body)
        if hello.get("protocol") != PROTOCOL or "asked" not in hello:
            raise RelayMismatch(
                f"{self.way[-1]} has isinglass {hello.get('version')}, which answers otherwise than"
                f" this isinglass {__version__} asks: install the same on both"
            )

    async def _ended(self) -> RemoteError:
        """Return why the far side's program is no more."""
        code, said = await self._drop()
        noise = self._unframer.noise.decode("utf-8", "replace")
        reason = last_line(said) or last_line(noise)
        if not reason:
            reason = "the link broke" if code is None else f"it ended with {code}"
        reason = reason.removeprefix("isinglass: ")
        return HostAway(f"{self.way[-1]} does not answer `{self._command}`: {reason}")

    async def _broke(self, reason: RemoteError) -> RemoteError:
        """Note what went wrong, and how long it will be so at least."""
        await self._drop()
        self._wrong = reason
        pause_ns = int(self._pause_seconds * clock.NANOSECONDS_PER_SECOND)
        self._again_ns = clock.monotonic_ns() + pause_ns
        self._pause_seconds = min(2 * self._pause_seconds, LONGEST_PAUSE_SECONDS)
        return reason

    async def _drop(self) -> tuple[int | None, str]:
        pipe, self._pipe = self._pipe, None
        if pipe is None:
            return None, ""
        try:
            return await pipe.close()
        except RemoteError as reason:
            return None, str(reason)

    async def _last(self) -> None:
        await self._drop()
        await self._carrier.close()


def told_error(name: str, sentence: str) -> IsinglassError:
    """Return the error that the far side had, of its class as far as `errors` knows it."""
    kind = getattr(errors, name, IsinglassError)
    known = isinstance(kind, type) and issubclass(kind, IsinglassError)
    return kind(sentence) if known else IsinglassError(sentence)
