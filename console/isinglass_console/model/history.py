"""The last fifteen minutes, always in memory: any frame of them can be had again, at any time.

Frames are packed (`deltas`): one node with ten processes takes about 6 kB a frame, 5 MB for fifteen
minutes at one a second. The limit in bytes goes before the limit in time.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict, deque
from dataclasses import dataclass, replace

from isinglass.cli.tally import Share
from isinglass_console.model.cursor import nearest
from isinglass_console.model.deltas import PackedSnapshot, Packer
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.heat import Tally

KEPT_SECONDS = 900
KEPT_BYTES = 96 * 1024 * 1024
DECODED_FRAMES = 4
FRAME_BYTES = 600
_COLUMNS = 9


@dataclass(frozen=True, slots=True)
class _PackedNode:
    node: NodeFrame
    snapshot: PackedSnapshot | None
    samples: array[float]

    @property
    def size_bytes(self) -> int:
        packed = self.snapshot.size_bytes if self.snapshot else 0
        return packed + 8 * len(self.samples) + FRAME_BYTES


@dataclass(frozen=True, slots=True)
class _Packed:
    frame: Frame
    nodes: tuple[_PackedNode, ...]
    size_bytes: int


class History:
    """The frames of the last fifteen minutes by their number."""

    def __init__(self, kept_seconds: float = KEPT_SECONDS, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_ns = int(kept_seconds * 1e9)
        self._kept_bytes = kept_bytes
        self._frames: deque[_Packed] = deque()
        self._decoded: OrderedDict[int, Frame] = OrderedDict()
        self._packers: dict[str, Packer] = {}
        self.size_bytes = 0

    def append(self, frame: Frame) -> None:
        """Keep a frame; its number must be one more than the last one's."""
        packed = self._pack(frame)
        self._frames.append(packed)
        self._remember(frame)
        self.size_bytes += packed.size_bytes
        while len(self._frames) > 1 and self._too_much(frame.wall_ns):
            self.size_bytes -= self._frames.popleft().size_bytes

    def _too_much(self, now_wall_ns: int) -> bool:
        too_old = now_wall_ns - self._frames[0].frame.wall_ns > self._kept_ns
        return too_old or self.size_bytes > self._kept_bytes

    @property
    def oldest(self) -> int:
        """The number of the oldest frame; -1 when there is none."""
        return self._frames[0].frame.number if self._frames else -1

    @property
    def newest(self) -> int:
        """The number of the newest frame; -1 when there is none."""
        return self._frames[-1].frame.number if self._frames else -1

    def frame(self, number: int) -> Frame | None:
        """Return a frame, None when it is not kept (any more)."""
        known = self._decoded.get(number)
        if known is not None:
            self._decoded.move_to_end(number)
            return known
        packed = self._packed(number)
        if packed is None:
            return None
        frame = _unpack(packed)
        self._remember(frame)
        return frame

    def number_at(self, wall_ns: int) -> int:
        """Return the number of the last frame not after a moment, or of the oldest."""
        times = [packed.frame.wall_ns for packed in self._frames]
        return self._frames[nearest(times, wall_ns)].frame.number if times else -1

    def number_from(self, wall_ns: int) -> int:
        """Return the number of the first frame that is not before a moment, or of the newest."""
        number = self.number_at(wall_ns)
        packed = self._packed(number)
        earlier = packed is not None and packed.frame.wall_ns < wall_ns
        return min(number + earlier, self.newest)

    def tallies(self, node: str, number: int, seconds: float) -> list[Tally]:
        """Return the probe samples of a node in the last `seconds` before frame `number`."""
        found: list[Tally] = []
        last = self._packed(number)
        if last is None:
            return found
        start = last.frame.wall_ns - int(seconds * 1e9)
        at = last.frame.number - self._frames[0].frame.number
        while at >= 0 and self._frames[at].frame.wall_ns > start:
            nodes = self._frames[at].nodes
            found.extend(_unpack_tally(each) for each in nodes if each.node.name == node)
            at -= 1
        return found

    def _packed(self, number: int) -> _Packed | None:
        if not self._frames:
            return None
        at = number - self._frames[0].frame.number
        return self._frames[at] if 0 <= at < len(self._frames) else None

    def _remember(self, frame: Frame) -> None:
        self._decoded[frame.number] = frame
        self._decoded.move_to_end(frame.number)
        while len(self._decoded) > DECODED_FRAMES:
            self._decoded.popitem(last=False)

    def _pack(self, frame: Frame) -> _Packed:
        nodes = []
        for node in frame.nodes:
            snapshot = None
            if node.snapshot is not None:
                packer = self._packers.setdefault(node.name, Packer())
                snapshot = packer.pack(node.snapshot)
            bare = replace(node, snapshot=None, tally=_bare(node.tally))
            nodes.append(_PackedNode(bare, snapshot, _pack_tally(node.tally)))
        size = FRAME_BYTES + sum(node.size_bytes for node in nodes)
        return _Packed(replace(frame, nodes=()), tuple(nodes), size)


def _unpack(packed: _Packed) -> Frame:
    nodes = tuple(
        replace(
            each.node,
            snapshot=each.snapshot.unpack() if each.snapshot else None,
            tally=_unpack_tally(each),
        )
        for each in packed.nodes
    )
    return replace(packed.frame, nodes=nodes)


def _bare(tally: Tally) -> Tally:
    return Tally({}, tally.taken, tally.late, tally.seconds)


def _pack_tally(tally: Tally) -> array[float]:
    numbers = array("d")
    for (slot, claim, thread), lines in tally.threads.items():
        for word, share in lines.items():
            times = (share.running_ns, share.queued_ns, share.blocked_ns, share.unknown_ns)
            numbers.extend((slot, claim, thread, word, share.samples, *times))
    return numbers


def _unpack_tally(packed: _PackedNode) -> Tally:
    tally = _bare(packed.node.tally)
    numbers = packed.samples
    for at in range(0, len(numbers), _COLUMNS):
        slot, claim, thread, word, samples = (int(number) for number in numbers[at : at + 5])
        share = Share()
        share.samples = samples
        share.running_ns, share.queued_ns, share.blocked_ns, share.unknown_ns = numbers[
            at + 5 : at + _COLUMNS
        ]
        tally.threads.setdefault((slot, claim, thread), {})[word] = share
    return tally
