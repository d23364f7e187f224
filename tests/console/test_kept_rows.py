"""The console's memory gives back what was packed, whatever changed from frame to frame."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.same import plain_frame
from console.stage import SECOND, START_NS, Stage
from isinglass.glass.snapshot import Verdict
from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.history import History
from isinglass_console.model.hub import Hub
from isinglass_console.model.kept_rows import RowPacker, RowUnpacker, _packed, _pieces, _unpacked

VERDICTS = st.sampled_from((Verdict.ALIVE, Verdict.STALLED, Verdict.KILLED))
SECONDS = st.lists(
    st.tuples(st.integers(1, 4), VERDICTS, st.booleans(), st.booleans()), max_size=12
)


def bare(frame: Frame) -> Frame:
    return replace(frame, nodes=tuple(replace(node, snapshot=None) for node in frame.nodes))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=SECONDS)
def test_frames_come_back_the_same_whatever_comes_and_goes(
    alder: Stage, seconds: list[tuple[int, str, bool, bool]]
) -> None:
    hub, packer, unpacker, tick = Hub(), RowPacker(), RowUnpacker(), 0
    for number, (step, verdict, there, key) in enumerate(seconds):
        tick += step
        frame = hub.take([alder.reading(tick, verdict)], START_NS + tick * SECOND, 1.0)
        other = replace(frame.nodes[0], name="birch", snapshot=None if step == 1 else
                        alder.reading(tick + 1).snapshot)  # fmt: skip
        frame = replace(frame, nodes=(*frame.nodes, other) if there else frame.nodes)
        row = packer.pack(frame, bare(frame), key=key or number == 0)
        unpacker.take(row)
        assert plain_frame(unpacker.frame()) == plain_frame(frame)
        assert unpacker.frame().number == frame.number


@given(st.binary(max_size=3000), st.lists(st.tuples(st.integers(0, 2999), st.integers(0, 255))))
def test_bytes_come_back_from_what_changed(before: bytes, changes: list[tuple[int, int]]) -> None:
    after = bytearray(before)
    for at, value in changes:
        after[at : at + 1] = bytes([value]) if at < len(after) else b""
    assert _unpacked(before, _packed(_pieces(before), _pieces(bytes(after)))) == bytes(after)


def test_rows_share_what_does_not_change(alder: Stage) -> None:
    packer = RowPacker()
    frame = Hub().take([alder.reading(1)], START_NS, 1.0)
    first, second = (packer.pack(frame, bare(frame), key=key) for key in (True, False))
    assert second.nodes is first.nodes
    assert len(second.packed) < 20 < 1000 < len(first.packed)


def test_frames_that_are_taken_later_are_those_of_now(alder: Stage) -> None:
    history, frames = History(kept_seconds=50), list[Frame]()
    hub = Hub()
    for tick in range(1, 60):
        frames.append(hub.take([alder.reading(tick)], START_NS + tick * SECOND, 1.0))
        history.append(frames[-1])
    later = history.frames_since(40)
    for tick in range(60, 180):
        history.append(hub.take([alder.reading(tick)], START_NS + tick * SECOND, 1.0))
    assert history.oldest > 100
    found = list(later)
    assert [frame.number for frame in found] == list(range(40, 59))
    assert [*map(plain_frame, found)] == [*map(plain_frame, frames[40:])]
    assert isinstance(found[0].nodes[0], NodeFrame)
