"""What the life of every service has in common: ready, told to end, ended; and what goes wrong.

started ──▶ ready ──a signal, or what only an operator can mend──▶ stopping ──▶ ended
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from isinglass import emit
from isinglass.errors import IsinglassError, ThreadStuck
from isinglass.glass.probe import mark
from isinglass.glass.segment import Segment
from isinglass.glass.severity import ERROR, WARNING
from isinglass.node.stop_signals import StopSignals
from isinglass.wire import transport


class Troubles:
    """What goes wrong in a service: shown as a distinct error, and told when it is another one.

    Args:
        flag: of the events that tell it.
        end: ends the service.
        warnings: kinds of errors that are told as warnings.

    Attributes:
        failure: what ended the service.
    """

    def __init__(
        self,
        glass: Segment,
        flag: str,
        end: Callable[[], None],
        warnings: tuple[type[Exception], ...] = (),
    ) -> None:
        self._glass, self._flag, self._end, self._warnings = glass, flag, end, warnings
        self._told = ""
        self.failure: Exception | None = None

    def report(self, error: Exception) -> None:
        """Show an error."""
        self._glass.error(error)
        sentence = f"{type(error).__name__}: {error}"
        # A store that is full says so four times a second; the table of errors counts them.
        if sentence != self._told:
            self._told = sentence
            severity = WARNING if isinstance(error, self._warnings) else ERROR
            self._glass.event(severity, self._flag, sentence)

    def fail(self, error: Exception) -> None:
        """Let the service end, for a reason that going on does not mend."""
        if self.failure is None:
            self.failure = error
            self.report(error)
            self._end()


class Service(Protocol):
    """What is started, and serves until it is stopped."""

    troubles: Troubles

    def start(self) -> None:
        """Start its threads."""

    def stop(self) -> None:
        """End it, also when not all of its threads were started.

        Raises:
            ThreadStuck: one of its threads does not end.
        """


def start(service: Service) -> None:
    """Start a service; when not all of it can be started, end what was.

    The interpreter would wait for threads that nobody ends any more, and for ever.

    Raises:
        IsinglassError: the machine has no more threads for it.
    """
    try:
        service.start()
    except BaseException as error:
        _stop(service)
        if isinstance(error, RuntimeError):
            raise IsinglassError(
                f"not all threads could be started ({error}): allow the service some ten of them"
                " (`ulimit -u`, pids.max of its control group), and memory for their stacks"
            ) from error
        raise


def serve(service: Service, signals: StopSignals, ready: Callable[[], None]) -> None:
    """Say that a service is ready, and stop it when it is told to end.

    With a thread that cannot be ended the process leaves at once, with one sentence.

    Raises:
        Exception: what made the service fail.
    """
    transport.notify_supervisor("READY=1")
    ready()
    mark.waiting("for a signal to stop")
    signals.wait()
    transport.notify_supervisor("STOPPING=1")
    _stop(service)
    if service.troubles.failure is not None:
        raise service.troubles.failure


def _stop(service: Service) -> None:
    try:
        service.stop()
    except ThreadStuck as error:
        # The interpreter would wait for that thread for ever, and close LMDB under it. The kernel
        # lets go of all locks; the segment stays for the post-mortem as it is.
        emit.end()
        with suppress(OSError):  # perhaps nobody reads it any more
            print(f"isinglass: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)
