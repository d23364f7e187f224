"""What is packed for the pipe comes out of it as it went in."""

from __future__ import annotations

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isinglass.errors import SegmentMissing
from isinglass.glass.look import Sampling
from isinglass.glass.probe_counts import ThreadCounts
from isinglass.glass.schedstat import Usage
from isinglass.remote import deflating
from isinglass.remote import message_bodies as bodies
from isinglass.remote.arrivals import remote_error, segment_error
from isinglass.remote.message_bodies import FrameHead, Grant

WORDS = st.integers(0, 2**63)
KEYS = st.tuples(st.integers(0, 255), st.integers(1, 2**40), st.integers(0, 127))
USAGES = st.none() | st.builds(Usage, WORDS, WORDS)
COUNTS = st.dictionaries(WORDS, st.integers(1, 2**32 - 1), min_size=1, max_size=5)
EVENTS = st.tuples(
    *(WORDS, WORDS, st.integers(0, 24), WORDS),
    *(st.text(max_size=20), st.text(max_size=200), st.text(max_size=200)),
)


@given(st.lists(st.tuples(KEYS, COUNTS, USAGES), max_size=6))
def test_counts(threads: list[tuple[tuple[int, int, int], dict[int, int], Usage | None]]) -> None:
    found = bodies.read_counts(bodies.pack_counts([ThreadCounts(*thread) for thread in threads]))
    assert [(each.key, each.counts, each.usage) for each in found] == threads


@given(st.lists(st.tuples(st.integers(0, 255), WORDS, st.lists(EVENTS, min_size=1)), max_size=4))
def test_events(tails: list[bodies.Events]) -> None:
    assert list(bodies.read_events(bodies.pack_events(tails))) == tails


def test_a_grant_and_a_frame() -> None:
    grant = bodies.read_grant(Grant(2**60, 5, 1000, bodies.WHOLE).packed())
    assert (grant.granted_ns, grant.delay_ns, grant.looks_per_second) == (2**60, 5, 1000)
    head = FrameHead(2**60, 7, Sampling(100, 2, 1, 10**9), bodies.WHOLE)
    parts = bodies.part(1, b"snapshot") + bodies.part(2, b"") + bodies.part(3, b"e")
    read, rest = bodies.read_frame(head.packed() + parts)
    assert (read.granted_ns, read.held_ns, read.flags) == (2**60, 7, bodies.WHOLE)
    assert (read.sampling.taken, read.sampling.late, read.sampling.missed) == (100, 2, 1)
    assert list(bodies.read_parts(rest)) == [(1, b"snapshot"), (3, b"e")]


def test_an_error_keeps_its_class_and_an_unknown_one_becomes_its_root() -> None:
    name, sentence = bodies.read_wrong(bodies.pack_wrong(SegmentMissing("not there")))
    assert type(segment_error(name, sentence)) is SegmentMissing
    assert str(segment_error("OfAnotherVersion", "odd")) == "odd"
    assert str(segment_error("UsageError", "no segment's")) == "no segment's"
    assert str(remote_error("SegmentMissing", "none")) == "none"


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_frames_are_one_stream(frames: list[bytes]) -> None:
    deflater, inflater = deflating.Deflater(), deflating.Inflater()
    assert [inflater.unpack(deflater.pack(frame)) for frame in frames] == frames


def test_what_is_like_the_frame_before_is_short() -> None:
    deflater, frame = deflating.Deflater(), os.urandom(1000)
    assert len(deflater.pack(frame)) > 1000
    assert len(deflater.pack(frame)) < 50


def test_what_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deflating, "MOST_FRAME_BYTES", 1000)
    with pytest.raises(zlib.error):
        deflating.Inflater().unpack(deflating.Deflater().pack(bytes(100_000)))
