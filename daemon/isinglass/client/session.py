"""Requests to the daemon, whatever happens to it: connections by thread, retries, waits, restarts.

    connected ──broken──▶ backing off ──daemon answers──▶ connected, the request is sent again
                                      └─timeout─────────▶ DaemonAway
              ──WAIT, PACED──▶ waits as told, asks again ──timeout──▶ RequestRefused
              ──silence─▶ RequestTimeout (it may have been done)

Sending again is safe. A write that is repeated carries the newest stamp that the node had given
before it was first sent: when the record is newer than that by now, either the first try did it, or
somebody wrote it after this call began, and the daemon answers as if this write had come just
before that one. It has no effect twice, also when the daemon was restarted in between.

An add has no such mark in its record. It carries numbers, by which the daemon that did it knows it
again; when the daemon was restarted after it was sent, nobody knows, and `AddUnknown` is raised: an
add counts once, or the caller is told.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from isinglass import clock, emit
from isinglass.client import presence
from isinglass.client.connection import (
    BrokenConnection,
    Connection,
    NothingSent,
    answered,
    seconds_left,
)
from isinglass.client.node_words import NodeWords
from isinglass.client.own_writes import OwnWrites
from isinglass.client.panels import ClientPanel
from isinglass.emit import target
from isinglass.errors import (
    AddUnknown,
    DaemonAway,
    IsinglassError,
    RequestRefused,
    WritesLost,
)
from isinglass.glass.probe import mark
from isinglass.wire.messages import DONE, PACED

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.2
LEAST_ANSWER_SECONDS = 0.1  # for what is asked again, however late it is by then
_NO_PAUSE = 0.0
_REQUESTS = ClientPanel.requests.index


def _why_not(node: str, paced: bool) -> str:
    """Return the sentence for a write that was not taken in time, or at once."""
    if paced:
        return (
            f"the writers of node {node} are faster than the slowest node can take (`isinglass dump"
            f" {node}`, panel flow), or it has just started and listens for its cluster: write"
            " later or slower, or allow a longer timeout"
        )
    return (
        f"the queue of node {node} is full, so it takes no more writes now: write later or slower,"
        " or allow a longer timeout"
    )


def _nothing() -> None:
    """What is done at a restart of the daemon before anybody asked for it."""


class _Thread(threading.local):
    connection: Connection | None = None
    unsure: int = -1  # generation of the daemon that may have done an add; 0: none; -1: no add
    client: int = 0  # what the daemon calls this thread, once it adds
    adds: int = 0  # how many requests to add it has made


class Session:
    """One client's way to its daemon; any number of threads use it.

    Raises:
        DaemonAway: no daemon answers now.
        RegionsTaken: the segment has no region left for this process.
    """

    def __init__(self, node: str, process: str, timeout_seconds: float) -> None:
        self.node, self.process, self.timeout_seconds = node, process, timeout_seconds
        self.panel = ClientPanel(node)
        self._time = self.panel.request_time.record
        self.own = OwnWrites()
        self._lock = threading.Lock()
        self._thread = _Thread()
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self.words: NodeWords
        self.data_directory = ""
        self._log: target.Target | None = None
        self.when_restarted: Callable[[], None] = _nothing
        self._generation = self.lost = self._told_lost = 0
        self.closed = False
        try:
            self._thread.connection = self._connect(timeout_seconds)
            self.on_glass = presence.join(node, process)
            emit.begin(self._log)
        except BaseException:
            self._let_go()
            raise
        _sessions.add(self)

    def close(self) -> None:
        """Close all connections; a thread that waits for an answer gets an error."""
        if not self.closed:
            self._let_go()
            emit.end()
            if self.on_glass:
                presence.leave(self.node)

    def _let_go(self) -> None:
        self.closed = True
        for connection in list(self._open):
            connection.close()
        self.panel.release()

    # ------------------------------------------------------------------ connections
    def _connect(self, limit_seconds: float) -> Connection:
        connection = Connection(self.node, limit_seconds)
        try:
            with self._lock:
                if connection.generation != self._generation:
                    self._follow(connection)
        except BaseException:
            connection.close()
            raise
        self._open.add(connection)
        return connection

    def _follow(self, connection: Connection) -> None:
        """Take over what a newly started daemon says of itself."""
        restarted = self._generation != 0
        fresh = NodeWords(self.node, connection.generation, connection.applied_place)
        if restarted and not self.words.ended_cleanly:
            # The segment of a killed daemon still says how far it was.
            self.lost += self.own.not_applied(self.words.applied_through)
            self.panel.lost = self.lost
        self.words = fresh
        self.data_directory = connection.data_directory
        self._log = target.heard(connection.log)
        self._generation = connection.generation
        self.own.clear()
        if restarted:
            self.panel.restarts += 1
            self.when_restarted()
            presence.follow(self.node, self.process)
            emit.follow(self._log)

    def _reconnect(self, deadline_ns: int) -> Connection:
        pause = FIRST_PAUSE_SECONDS
        while True:
            if self.closed:
                raise DaemonAway("this client is closed: make another one with connect()")
            try:
                connection = self._connect(self._answer_limit(deadline_ns))
            except DaemonAway:
                left = seconds_left(deadline_ns)
                if left <= 0:
                    raise
                mark.waiting("for the daemon to come back")
                clock.sleep(min(pause, left))
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                self.panel.reconnects += 1
                return connection

    def _drop(self) -> None:
        if self._thread.connection is not None:
            self._thread.connection.close()
            self._thread.connection = None

    # ------------------------------------------------------------------ requests
    def ask(self, request: list[Any], *, write: bool = False, wait: bool = True) -> Any:
        """Return the result of one request, `[operation, argument, ...]`.

        Args:
            write: the last argument is "since", which a repeated write carries.
            wait: wait while the queue is full or writers are too fast, instead of raising.

        Raises:
            DaemonAway, RequestTimeout, RequestRefused: no answer, or none in time, or no.
            IsinglassError: what the daemon answered.
        """
        since, started = self.words.latest_stamp, clock.monotonic_ns()
        answers = self._exchange([request], started)
        if answers is not None and answers[0][1] == DONE:
            self._time((clock.monotonic_ns() - started) // 1000)
            return answers[0][2]
        return self._insist([request], answers, since if write else None, started, wait)[0]

    def number_add(self) -> tuple[int, int]:
        """Return what the daemon knows a request to add by: the thread's number, and its own."""
        thread = self._thread
        if not thread.client:
            thread.client = int.from_bytes(os.urandom(8), "big") >> 1
        thread.adds += 1
        return thread.client, thread.adds

    def ask_all(
        self,
        requests: list[list[Any]],
        *,
        write: bool = False,
        once: bool = False,
        wait: bool = True,
    ) -> list[Any]:
        """Return the results of several requests that are sent at once; see `ask`.

        Args:
            once: only the daemon that it was sent to first can tell whether it was done.

        Raises:
            AddUnknown: that daemon is no more.
        """
        since, started = self.words.latest_stamp, clock.monotonic_ns()
        self._thread.unsure = 0 if once else -1
        try:
            answers = self._exchange(requests, started)
            return self._insist(requests, answers, since if write else None, started, wait)
        finally:
            self._thread.unsure = -1

    def _insist(
        self,
        requests: list[list[Any]],
        answers: list[list[Any]] | None,
        since: int | None,
        started_ns: int,
        wait: bool,
    ) -> list[Any]:
        """Ask again for what was not done, until it is done, refused, or late."""
        deadline = self._deadline(started_ns)
        results: list[Any] = [None] * len(requests)
        left = list(range(len(requests)))
        while True:
            if answers is None:
                if seconds_left(deadline) <= 0:
                    raise DaemonAway(
                        f"the daemon of node {self.node} broke the connection again and again: see"
                        f" its errors (`isinglass dump {self.node}`)"
                    )
                self.panel.retries += 1
                if since is not None:
                    for number in left:
                        requests[number][-1] = since
            else:
                paced = any(answer[1] == PACED for answer in answers)
                left, pause = self._sort(answers, left, results)
                if not left:
                    self._time((clock.monotonic_ns() - started_ns) // 1000)
                    return results
                self.pause(pause, started_ns, wait=wait, paced=paced)
            again = [requests[number] for number in left]
            answers = self._exchange(again, started_ns, late=True)

    def _deadline(self, started_ns: int) -> int:
        return started_ns + int(self.timeout_seconds * clock.NANOSECONDS_PER_SECOND)

    def _answer_limit(self, deadline_ns: int) -> float:
        """Return how long the daemon may take to answer when time has passed already."""
        least = min(LEAST_ANSWER_SECONDS, self.timeout_seconds)
        return max(seconds_left(deadline_ns), least)

    def _exchange(
        self, requests: list[list[Any]], started_ns: int, *, late: bool = False
    ) -> list[list[Any]] | None:
        """Return the answers; None when the connection broke, so that they are to be sent again.

        Args:
            late: time has passed already, which the daemon cannot have any more.
        """
        connection = self._thread.connection
        if connection is None:
            connection = self._thread.connection = self._reconnect(self._deadline(started_ns))
            self._check_life(connection.generation)
            late = True
        if late:
            connection.limit(self._answer_limit(self._deadline(started_ns)))
        self.panel.words[_REQUESTS] += len(requests)
        mark.waiting("for the daemon's answer")
        try:
            answers = connection.ask_all(requests)
        except BrokenConnection as error:
            if not isinstance(error, NothingSent) and not self._thread.unsure:
                self._thread.unsure = connection.generation
            self._drop()
            return None
        except IsinglassError:
            self._drop()
            raise
        mark("the daemon has answered")
        if late:
            connection.limit(self.timeout_seconds)
        return answers

    def _check_life(self, generation: int) -> None:
        """Do not ask a daemon for an add again that another one may have done."""
        if self._thread.unsure > 0 and self._thread.unsure != generation:
            raise AddUnknown(
                f"the daemon of node {self.node} was restarted while it was asked to add; whether"
                " that counted is unknown: read the record before you add again"
            )

    def _sort(
        self, answers: list[list[Any]], numbers: list[int], results: list[Any]
    ) -> tuple[list[int], float]:
        """File the results; return what is to be asked again, and after how many seconds."""
        again, pause = [], _NO_PAUSE
        for number, answer in zip(numbers, answers, strict=True):
            try:
                done = answered(answer)
            except IsinglassError:
                self.panel.refused += 1
                raise
            if done:
                results[number] = answer[2]
            else:
                again.append(number)
                pause = max(pause, answer[2])
        return again, pause

    def pause(self, seconds: float, started_ns: int, *, wait: bool, paced: bool) -> None:
        """Wait before a request is made again that was told to.

        Args:
            started_ns: when it was made first.
            wait: False: raise instead.
            paced: it is too fast; else there is no room.

        Raises:
            RequestRefused: it is not to wait, or has no time left.
        """
        left = seconds_left(self._deadline(started_ns))
        if not wait or left <= 0:
            raise RequestRefused(_why_not(self.node, paced))
        started = clock.monotonic_ns()
        if paced:
            mark.waiting("for the node's pace")
        else:
            mark.waiting("for room in the daemon's queue")
        clock.sleep(min(seconds, left))
        elapsed = clock.monotonic_ns() - started
        panel, passed = self.panel, elapsed / clock.NANOSECONDS_PER_SECOND
        if paced:
            panel.throttled += 1
            panel.throttled_time += passed
        else:
            panel.waits += 1
            panel.waited += passed
        panel.wait_time.record(elapsed // 1000)

    def check_lost(self) -> None:
        """Say, once, that a killed daemon took writes with it.

        Raises:
            WritesLost: it did.
        """
        unknown, self._told_lost = self.lost - self._told_lost, self.lost
        if unknown:
            raise WritesLost(
                f"the daemon of node {self.node} was killed while up to {unknown} records that this"
                " client wrote were only queued: write them again, or write with"
                ' durability="commit"'
            )

    def after_fork(self) -> None:
        """In a forked child: let go of the parent's connections, which two must not use."""
        for connection in list(self._open):
            connection.close()
        self._open = weakref.WeakSet()
        self._thread, self._lock = _Thread(), threading.Lock()
        self.own.after_fork()


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _after_fork() -> None:
    for session in list(_sessions):
        session.after_fork()


os.register_at_fork(after_in_child=_after_fork)
