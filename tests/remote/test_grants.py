"""How many frames a node is let send: two, and a third when they are late, not at an early tick.

The link is a list of what was sent; the node, its grants and its clock are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable

from isinglass import clock
from isinglass.errors import RemoteError
from isinglass.remote.address import Way, read_address
from isinglass.remote.frames import Kind
from isinglass.remote.pacing import RoundTrip
from isinglass.remote.remote_node import MOST_GRANTS, RemoteNode

INTERVAL_SECONDS = 0.2
SHORT_SECONDS = 0.001


class Sent:
    """A link that is up, and remembers the grants."""

    way: Way = read_address("ssh://far/alder").way
    up, since_wall_ns = True, 0
    wrong: RemoteError | None = None

    def __init__(self) -> None:
        self.round_trip, self.facts = RoundTrip(), dict[str, object]()
        self.grants = 0

    def send(self, kind: int, channel: int = 0, body: bytes = b"") -> bool:
        """Count a grant."""
        self.grants += kind == Kind.GRANT
        return True


def at_once(act: Callable[[], object]) -> object:
    return act()


def test_a_tick_that_comes_early_hurries_nobody() -> None:
    """Fifty nodes, each of which hurried at the early tick of another, never came to rest."""
    link = Sent()
    node = RemoteNode(link, "alder", at_once)
    for _ in range(10):
        node.want(INTERVAL_SECONDS, 5, clock.monotonic_ns())
    assert link.grants == MOST_GRANTS


def test_frames_that_are_late_get_one_that_hurries() -> None:
    link = Sent()
    node = RemoteNode(link, "alder", at_once)
    for _ in range(MOST_GRANTS):
        node.want(SHORT_SECONDS, 5, clock.monotonic_ns())
    end_ns = clock.monotonic_ns() + int(SHORT_SECONDS * clock.NANOSECONDS_PER_SECOND)
    while clock.monotonic_ns() < end_ns:
        pass
    for _ in range(10):
        node.want(SHORT_SECONDS, 5, clock.monotonic_ns())
    assert link.grants == MOST_GRANTS + 1
