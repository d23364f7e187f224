"""What comes of a node on another host: frames decoded, each with how old it is at most.

A frame says on the far clock how long after the grant's arrival it was taken. Added to the time of
the grant on this machine's clock, that is the earliest moment at which it can have been taken: so
what lay in a stopped link for a minute is a minute old, and two machines' clocks are never
compared.
"""

from __future__ import annotations

from isinglass import errors
from isinglass.errors import RemoteError, SegmentError
from isinglass.glass.snapshot_codec import SnapshotDecoder
from isinglass.remote import message_bodies as bodies
from isinglass.remote.deflating import Inflater
from isinglass.remote.message_bodies import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.glass.look import Sampling
    from isinglass.glass.probe_counts import ThreadCounts
    from isinglass.glass.snapshot import Snapshot
    from isinglass.remote.message_bodies import Events


class Arrival:
    """One frame of one node.

    `taken_ns` is on this machine's monotonic clock, never later than it really was; `wrong` is why
    the far side could not read the node, in place of a snapshot; `first` that it is the first one
    since the link came up, or since somebody was in a hurry for it.
    """

    __slots__ = (
        "arrived_ns", "events", "first", "restarted", "sampling", "size_bytes", "snapshot",
        "taken_ns", "threads", "wrong",
    )  # fmt: skip

    def __init__(self, taken_ns: int, arrived_ns: int, sampling: Sampling) -> None:
        self.taken_ns, self.arrived_ns, self.sampling = taken_ns, arrived_ns, sampling
        self.snapshot: Snapshot | None = None
        self.wrong: SegmentError | None = None
        self.threads: list[ThreadCounts] = []
        self.events: list[Events] = []
        self.restarted = self.first = False
        self.size_bytes = 0


class Frames:
    """Decodes the frames of one channel, in their order; events that were told once are left out.

    It outlives connections: a new one begins with a whole copy, and repeats the newest events.
    """

    def __init__(self) -> None:
        self._decoder, self._inflater = SnapshotDecoder(), Inflater()
        self._told: dict[tuple[int, int, int], int] = {}  # (generation, slot, claim): sequence

    def decode(self, body: bytes, arrived_ns: int) -> Arrival:
        """Return what a frame says; raises what a damaged one makes its decoders raise."""
        head, rest = bodies.read_frame(body)
        arrival = Arrival(head.granted_ns + head.held_ns, arrived_ns, head.sampling)
        arrival.size_bytes = len(body)
        arrival.restarted = bool(head.flags & bodies.RESTARTED)
        if head.flags & bodies.UNREADABLE:
            arrival.wrong = segment_error(*bodies.read_wrong(rest))
            return arrival
        if head.flags & bodies.WHOLE:
            self._decoder, self._inflater = SnapshotDecoder(), Inflater()
        for tag, part in bodies.read_parts(self._inflater.unpack(rest)):
            if tag == Part.SNAPSHOT:
                arrival.snapshot = self._decoder.decode(part)
            elif tag == Part.COUNTS:
                arrival.threads = bodies.read_counts(part)
            elif tag == Part.EVENTS:
                arrival.events = list(bodies.read_events(part))
        if arrival.snapshot is not None:
            arrival.events = self._news(arrival.snapshot, arrival.events)
        return arrival

    def _news(self, snapshot: Snapshot, tails: list[Events]) -> list[Events]:
        found, told = [], {}
        for process in snapshot.processes:
            life = (snapshot.generation, process.slot, process.claim)
            told[life] = self._told.get(life, 0)
        for slot, claim, events in tails:
            life = (snapshot.generation, slot, claim)
            news = [event for event in events if event[0] > told.get(life, 0)]
            if news:
                told[life] = news[-1][0]
                found.append((slot, claim, news))
        self._told = told
        return found


def segment_error(name: str, sentence: str) -> SegmentError:
    """Return the error that the far side had, of its class as far as this side knows it."""
    kind = getattr(errors, name, SegmentError)
    known = isinstance(kind, type) and issubclass(kind, SegmentError)
    return kind(sentence) if known else SegmentError(sentence)


def remote_error(name: str, sentence: str) -> RemoteError:
    """Return what a relay refused as the error of its class."""
    kind = getattr(errors, name, RemoteError)
    known = isinstance(kind, type) and issubclass(kind, RemoteError)
    return kind(sentence) if known else RemoteError(sentence)
