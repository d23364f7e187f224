"""Frames as plain values: two that show the same are equal, to the last field."""

from __future__ import annotations

from dataclasses import replace

from isinglass_console.model.frame import Frame, NodeFrame
from isinglass_console.model.heat import Tally
from seen import seen


def plain_tally(tally: Tally) -> object:
    """Return the samples of a tally."""
    threads = {
        key: {word: [getattr(share, name) for name in share.__slots__] for word, share in lines}
        for key, lines in ((key, sorted(tally.lines(key).items())) for key in tally.sampled)
    }
    return tally.taken, tally.late, tally.seconds, threads


def plain_node(node: NodeFrame) -> object:
    """Return all that a view could see of a node."""
    snapshot = seen(node.snapshot) if node.snapshot is not None else None
    return replace(node, snapshot=None, tally=Tally()), plain_tally(node.tally), snapshot


def plain_frame(frame: Frame | None) -> object:
    """Return all that a view could see of a frame, but for its number."""
    assert frame is not None
    nodes = [plain_node(node) for node in frame.nodes]
    return frame.wall_ns, frame.interval_seconds, nodes
