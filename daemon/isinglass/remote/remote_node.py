"""A node on another host, as the threads of this process see it: granted frames, and their taking.

Grants are given from outside the loop, by whoever shows the node, at most two at a time, and a
third one that hurries: so no more than three frames are under way, however long nobody looked.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from isinglass import clock
from isinglass.errors import HostAway, RemoteError
from isinglass.remote import message_bodies as bodies
from isinglass.remote.address import Way
from isinglass.remote.arrivals import Arrival, Frames
from isinglass.remote.frames import Kind
from isinglass.remote.message_bodies import Grant
from isinglass.remote.pacing import RoundTrip
from isinglass.remote.source_text import SourceText

MOST_GRANTS = 2
MOST_WAITING = 8  # frames that nobody took
MOST_TEXTS = 64  # source files that are asked for and not here yet


class Seen(Protocol):
    """What a node needs of the link that it is seen through."""

    way: Way
    up: bool
    since_wall_ns: int
    wrong: RemoteError | None
    round_trip: RoundTrip
    facts: dict[str, object]

    def send(self, kind: int, channel: int = 0, body: bytes = b"") -> bool:
        """Send a message if the link is up; tell whether it is."""


class RemoteNode:
    """One node behind a link.

    Args:
        link: what it is seen through.
        name: its name on the far side.
        later: runs a function in the loop's thread.
    """

    def __init__(
        self, link: Seen, name: str, later: Callable[[Callable[[], object]], object]
    ) -> None:
        self.link, self.name = link, name
        self.channel = 0
        self.wrong: RemoteError | None = None
        self.news = threading.Event()
        self.frames_taken = self.bytes_taken = 0
        self._later = later
        self._frames = Frames()
        self._arrivals: deque[Arrival] = deque(maxlen=MOST_WAITING)
        self._granted = self._granted_ns = 0
        self._fresh = True
        self._hurried = False
        self._looks_per_second = 0
        self._texts: deque[SourceText] = deque()
        self._texts_begun = 0

    # ------------------------------------------------------------------ from outside
    def take(self) -> list[Arrival]:
        """Return the frames that came since the last call, oldest first."""
        self.news.clear()
        found = []
        while self._arrivals:
            found.append(self._arrivals.popleft())
        return found

    @property
    def expected(self) -> bool:
        """Whether a frame is on its way."""
        return self.link.up and self._granted > 0

    def want(self, interval_seconds: float, looks_per_second: int, tick_ns: int) -> None:
        """Let one frame come, so that it is here just before the next tick.

        Args:
            interval_seconds: the time from tick to tick.
            looks_per_second: how often the far side looks at the threads until then.
            tick_ns: when this tick was due to be shown, on the monotonic clock.
        """
        interval_ns = int(interval_seconds * clock.NANOSECONDS_PER_SECOND)
        self._later(lambda: self._grant(interval_ns, looks_per_second, tick_ns))

    def hurry(self, looks_per_second: int) -> None:
        """Let a frame come at once, and tell who shows it: what there is is too old to be shown."""
        self._later(lambda: self._hurry(looks_per_second))

    def pull(self, flags: int = 0, looks_per_second: int = 0, delay_seconds: float = 0.0) -> None:
        """Let one frame come, taken in `delay_seconds` from now."""
        delay_ns = int(delay_seconds * clock.NANOSECONDS_PER_SECOND)
        self._later(lambda: self._grant_now(delay_ns, looks_per_second, flags))

    def fetch(self, path: str) -> SourceText:
        """Begin to fetch the text of a source file; it comes beside the frames, in pieces."""
        self._texts_begun += 1
        text = SourceText(path, self._texts_begun)
        self._later(lambda: self._fetch(text))
        return text

    def wait(self, timeout_seconds: float) -> Arrival:
        """Wait for the next frame; return the newest one.

        Raises:
            RemoteError: as for `wait_for_all`.
        """
        return self.wait_for_all(timeout_seconds)[-1]

    def wait_for_all(self, timeout_seconds: float) -> list[Arrival]:
        """Wait for the next frame; return all that came, oldest first.

        Raises:
            RemoteError: the link is down, the relay refused, or nothing came in time.
        """
        end_ns = clock.monotonic_ns() + int(timeout_seconds * clock.NANOSECONDS_PER_SECOND)
        while True:
            arrivals = self.take()
            if arrivals:
                return arrivals
            if wrong := self.wrong or self.link.wrong:
                raise wrong
            rest = (end_ns - clock.monotonic_ns()) / clock.NANOSECONDS_PER_SECOND
            if rest <= 0 or not self.news.wait(rest):
                raise HostAway(f"{self.link.way[-1]} sent nothing for {timeout_seconds:g} s")

    # ------------------------------------------------------------------ in the loop
    def link_came(self) -> None:
        """The link is up, and this node open: have a whole copy at once."""
        self._granted, self.wrong, self._fresh, self._hurried = 0, None, True, False
        self._grant_now(0, self._looks_per_second, bodies.WHOLE)
        if self._texts:
            self._texts[0].begin_again()
            self._ask_for_text()

    def link_went(self) -> None:
        """The link is down."""
        self._granted = 0
        self.news.set()

    def refused(self, reason: RemoteError) -> None:
        """The relay does not show this node."""
        self.wrong = reason
        self.news.set()

    def take_frame(self, body: bytes) -> Arrival:
        """Decode a frame that came."""
        arrival = self._frames.decode(body, clock.monotonic_ns())
        self._granted = max(self._granted - 1, 0)
        arrival.first, self._fresh = self._fresh, False
        self._hurried = False
        self.frames_taken += 1
        self.bytes_taken += len(body)
        self._arrivals.append(arrival)
        self.news.set()
        return arrival

    def take_text(self, body: bytes) -> bool:
        """Take a piece of a source file; return whether that was the last one."""
        if not self._texts:
            return False
        text = self._texts[0]
        text.take(body)
        if text.over:
            self._texts.popleft()
        self._ask_for_text()
        return text.over

    def _fetch(self, text: SourceText) -> None:
        if len(self._texts) >= MOST_TEXTS:
            text.refused = "too many files are on their way already"
            return
        self._texts.append(text)
        if len(self._texts) == 1:
            self._ask_for_text()

    def _ask_for_text(self) -> None:
        """Ask for the next piece; one at a time, so that a frame waits for one at most."""
        if self.link.up and not self.link.facts.get("source"):
            while self._texts:
                self._texts.popleft().refused = f"{self.link.way[-1]} hands out no source"
        elif self._texts:
            self.link.send(Kind.SOURCE, self.channel, self._texts[0].question())

    def _grant(self, interval_ns: int, looks_per_second: int, tick_ns: int) -> None:
        if self._granted >= MOST_GRANTS:
            # The link stands still, or is slow. When it goes on, a grant that is as old would be
            # held for its whole delay, so another one lets the newest state come first. A tick that
            # only came early, for another node's sake, says nothing of this one.
            if clock.monotonic_ns() - self._granted_ns >= interval_ns // 2:
                self._hurry(looks_per_second)
            return
        # From the tick, not from now: a frame that was late must not make the next one late, too.
        late_ns = clock.monotonic_ns() - tick_ns
        delay_ns = max(self.link.round_trip.delay_ns(interval_ns) - late_ns, 0)
        self._grant_now(delay_ns, looks_per_second, 0)

    def _hurry(self, looks_per_second: int) -> None:
        if not self._hurried:
            self._hurried = self._fresh = True
            self._grant_now(0, looks_per_second, 0, most=MOST_GRANTS + 1)

    def _grant_now(
        self, delay_ns: int, looks_per_second: int, flags: int, most: int = MOST_GRANTS
    ) -> None:
        self._looks_per_second = looks_per_second
        if self._granted >= most:
            return
        grant = Grant(clock.monotonic_ns(), delay_ns, looks_per_second, flags)
        if self.link.send(Kind.GRANT, self.channel, grant.packed()):
            self._granted += 1
            self._granted_ns = grant.granted_ns
