"""One node behind a relay: what a grant lets through of it, folded since the grant before.

Only the newest state matters, so nothing is kept between two frames but counts and the places up to
which the rings were told: whoever grants nothing for an hour gets one frame of the same size as
ever. Verdicts are asked of this machine's kernel, here, where the processes are.
"""

from __future__ import annotations

from isinglass import clock
from isinglass.errors import SegmentError
from isinglass.glass.look import Look, Looker, Sampling
from isinglass.glass.snapshot_codec import SnapshotEncoder
from isinglass.remote import message_bodies as bodies
from isinglass.remote.deflating import Deflater
from isinglass.remote.message_bodies import FrameHead, Grant, Part
from isinglass.remote.source_pieces import SourcePieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NEVER_NS = 1 << 63
MOST_GRANTS = 4
MOST_EVENT_BYTES = 64 * 1024  # of each ring and frame


class RelayedNode:
    """A node that a client has opened, with the grants that are not used up yet."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.looks_per_second = 0
        self._looker = Looker(node, MOST_EVENT_BYTES)
        self._encoder, self._deflater = SnapshotEncoder(deflate=False), Deflater()
        self._grants: list[tuple[int, int, Grant]] = []  # due, arrived, grant
        self._whole = True
        self._pieces = SourcePieces(self._source_paths)

    def grant(self, grant: Grant, now_ns: int) -> None:
        """Take a grant; the oldest goes when a client grants more than any needs."""
        self.looks_per_second = grant.looks_per_second
        self._grants.append((now_ns + grant.delay_ns, now_ns, grant))
        self._grants.sort(key=lambda entry: entry[0])
        del self._grants[:-MOST_GRANTS]

    @property
    def due_ns(self) -> int:
        """When the next frame is due; `NEVER_NS` without a grant."""
        return self._grants[0][0] if self._grants else NEVER_NS

    def sample(self, late: bool, missed: int) -> None:
        """Look once where every thread is."""
        self._looker.sample(late, missed)

    def source(self, body: bytes) -> bytes:
        """Return the answer to a question for a piece of a source file."""
        return self._pieces.answer(*bodies.read_source(body))

    def _source_paths(self) -> set[str]:
        try:
            return self._looker.source_paths()
        except SegmentError:
            return set()

    def frame(self) -> bytes:
        """Return the body of the frame that is due, and use its grant up."""
        _, arrived_ns, grant = self._grants.pop(0)
        looked_ns, rings = clock.monotonic_ns(), bool(grant.flags & bodies.RINGS)
        try:
            look = self._looker.look(events=rings)
        except SegmentError as reason:
            return self._wrong(grant, looked_ns - arrived_ns, reason)
        except Exception as reason:
            # A damaged segment must not end the relaying of the others.
            self._looker.close()
            sentence = SegmentError(f"its segment cannot be read: {reason!r}")
            return self._wrong(grant, looked_ns - arrived_ns, sentence)
        whole = rings or self._whole or look.restarted or bool(grant.flags & bodies.WHOLE)
        if whole:
            self._encoder = SnapshotEncoder(events=rings, deflate=False)
            self._deflater = Deflater()
        flags = bodies.WHOLE * whole | bodies.RESTARTED * look.restarted
        head = FrameHead(grant.granted_ns, looked_ns - arrived_ns, look.sampling, flags)
        self._whole = rings
        return head.packed() + self._deflater.pack(b"".join(self._parts(look, whole)))

    def _wrong(self, grant: Grant, held_ns: int, reason: SegmentError) -> bytes:
        head = FrameHead(grant.granted_ns, held_ns, Sampling(), bodies.UNREADABLE)
        return head.packed() + bodies.pack_wrong(reason)

    def _parts(self, look: Look, whole: bool) -> Iterator[bytes]:
        yield bodies.part(Part.SNAPSHOT, self._encoder.encode(look.snapshot, whole=whole))
        yield bodies.part(Part.COUNTS, bodies.pack_counts(look.threads))
        tails = [(tail.process.slot, tail.process.claim, tail.events) for tail in look.tails]
        yield bodies.part(Part.EVENTS, bodies.pack_events(tails))

    def close(self) -> None:
        """Let go of the node."""
        self._looker.close()
