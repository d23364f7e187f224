"""Snapshots become bytes and come back the same; bytes that are no snapshot are a typed error."""

from __future__ import annotations

import random
import subprocess
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glass.node_program import NODE
from isinglass.errors import (
    PackedSnapshotError,
    SnapshotBaseMissing,
    SnapshotDamaged,
    SnapshotFormatUnknown,
)
from isinglass.glass import layout
from isinglass.glass.columns import turn, turned
from isinglass.glass.differences import Source, put_area, put_bytes, put_number, put_signed
from isinglass.glass.header import Header, header_bytes
from isinglass.glass.layout import RegionWord, SharedWord
from isinglass.glass.panel_views import Catalogue
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Process, Snapshot, Verdict
from isinglass.glass.snapshot_codec import (
    HEAD,
    VERSION,
    SnapshotDecoder,
    SnapshotEncoder,
    base_of,
    checksum_of,
)
from programs import hear, program, tell
from seen import seen

WORD = st.integers(0, 2**64 - 1)
COUNTS = (
    RegionWord.DIRECTORY_COUNT,
    RegionWord.FILE_COUNT,
    RegionWord.LINE_COUNT,
    RegionWord.PANEL_BYTES_USED,
    RegionWord.ERROR_COUNT,
)


# ------------------------------------------------------------------ numbers and areas
@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.binary())
def test_numbers_and_bytes_come_back(number: int, signed: int, data: bytes) -> None:
    out = bytearray()
    put_number(out, number)
    put_signed(out, signed)
    put_bytes(out, data)
    source = Source(bytes(out))
    assert (source.number(), source.signed(), source.block()) == (number, signed, data)
    assert source.ended


@given(st.lists(WORD, max_size=100), st.dictionaries(st.integers(0, 99), WORD), st.integers(-2, 2))
def test_an_area_comes_back_and_costs_what_changed(
    words: list[int], changes: dict[int, int], longer: int
) -> None:
    before = memoryview(bytearray(8 * len(words))).cast("Q") if words else memoryview(b"")
    for at, word in enumerate(words):
        before[at] = word
    changed = list(words)
    for at, word in changes.items():
        if at < len(words):
            changed[at] = word
    changed = changed[: len(changed) + min(longer, 0)] + [7] * longer
    after = b"".join(word.to_bytes(8, "little") for word in changed)
    out = bytearray()
    put_area(out, bytes(before), after)
    assert Source(bytes(out)).area(bytes(before)) == after
    was = [*words, *[0] * len(changed)][: len(changed)]
    count = sum(new != old for new, old in zip(changed, was, strict=True))
    assert len(out) <= min(4 + count * 11, 3 + len(after))


# ------------------------------------------------------------------ a real node
@pytest.fixture
def moving(home: object) -> Iterator[subprocess.Popen[str]]:
    """A live node with every kind of field."""
    with program(NODE) as process:
        yield process


def test_a_live_node_comes_back_the_same_message_by_message(moving: subprocess.Popen[str]) -> None:
    encoder, decoder = SnapshotEncoder(events=True), SnapshotDecoder()
    sizes = []
    with SegmentReader("alder") as reader:
        for second in range(12):
            statement = f"panel.offered += {second}; panel.backlog.publish({second}, 0.5)"
            if second % 3 == 0:
                statement += f"; joined.event(13, 'queue', 'second {second}')"
            if second == 7:
                statement += "; third = EveryPanel('third'); joined.tables.set('more', 1, 2)"
            tell(moving, statement)
            assert hear(moving) == "done"
            snapshot = reader.snapshot(events=True)
            message = encoder.encode(snapshot)
            sizes.append(len(message))
            found = decoder.decode(message)
            assert seen(found) == seen(snapshot)
            assert found.processes[0].events[-1].message.startswith("second")
    assert max(sizes[8:]) < 200 < 1000 < sizes[0], sizes


def test_a_ring_that_goes_round_comes_back_the_same(moving: subprocess.Popen[str]) -> None:
    encoder, decoder = SnapshotEncoder(events=True), SnapshotDecoder()
    with SegmentReader("alder") as reader:
        for second in range(6):
            tell(
                moving, f"for n in range(700): joined.event(9, 'f', f'{second} {{n}} ' + 'x' * 80)"
            )
            assert hear(moving) == "done"
            snapshot = reader.snapshot(events=True)
            assert seen(decoder.decode(encoder.encode(snapshot))) == seen(snapshot)
            without = reader.snapshot()
            assert seen(decoder.decode(encoder.encode(without))) == seen(without)
    assert snapshot.processes[0].events[0].sequence > 1, "the ring has gone round"


def test_a_schema_that_is_kept_apart_is_found_by_its_generation(
    moving: subprocess.Popen[str],
) -> None:
    encoder = SnapshotEncoder(schema=False, deflate=False)
    catalogues: dict[int, Catalogue] = {}
    decoder = SnapshotDecoder(catalogues)
    with SegmentReader("alder") as reader:
        snapshot = reader.snapshot()
    message = encoder.encode(snapshot)
    with pytest.raises(SnapshotBaseMissing):
        decoder.decode(message)
    catalogues[snapshot.generation] = snapshot.catalogue
    assert seen(decoder.decode(message)) == seen(snapshot)
    assert b"\tcounter\t" in snapshot.catalogue.area and b"\tcounter\t" not in message


def test_another_life_and_a_key_frame_are_whole(moving: subprocess.Popen[str]) -> None:
    encoder = SnapshotEncoder()
    with SegmentReader("alder") as reader:
        first, second, third = (reader.snapshot() for _ in range(3))
    encoder.encode(first)
    whole = encoder.encode(second, whole=True)
    assert seen(SnapshotDecoder().decode(whole)) == seen(second)
    third.generation += 1
    third.header.generation += 1
    assert seen(SnapshotDecoder().decode(encoder.encode(third))) == seen(third)


def test_a_key_needs_the_whole_one_alone(moving: subprocess.Popen[str]) -> None:
    encoder, messages, found = SnapshotEncoder(events=True), [], []
    with SegmentReader("alder") as reader:
        for second in range(9):
            statement = f"panel.offered += 1; joined.event(13, 'queue', 'second {second}')"
            if second == 4:
                statement += "; late = EveryPanel('late')"
            tell(moving, statement)
            assert hear(moving) == "done"
            found.append(reader.snapshot(events=True))
            messages.append(encoder.encode(found[-1], key=second % 3 == 0))
    assert [base_of(message) == 0 for message in messages] == [True] + [False] * 8
    assert base_of(messages[6]) == checksum_of(messages[0]) != base_of(messages[7])
    late = SnapshotDecoder()
    late.apply(messages[0])
    for message, snapshot in list(zip(messages, found, strict=True))[6:]:
        assert seen(late.decode(message)) == seen(snapshot)
    assert seen(late.decode(messages[3])) == seen(found[3]), "and back again"
    with pytest.raises(SnapshotBaseMissing):
        late.decode(messages[8])
    every = SnapshotDecoder()
    for message, snapshot in zip(messages, found, strict=True):
        assert seen(every.decode(message)) == seen(snapshot)


def test_doubles_that_were_whole_billionths_are_short_and_exact(
    moving: subprocess.Popen[str],
) -> None:
    encoder, decoder = SnapshotEncoder(deflate=False), SnapshotDecoder()
    sizes = []
    with SegmentReader("alder") as reader:
        for value in ("0.5", "0.000123456", "-12.5", "1/3", "-0.0", "nan", "1e300", "1e-9", "0.0"):
            tell(moving, f"panel.load = float({value!r}) if '/' not in {value!r} else {value}")
            assert hear(moving) == "done"
            snapshot = reader.snapshot()
            message = encoder.encode(snapshot)
            sizes.append(len(message))
            assert seen(decoder.decode(message)) == seen(snapshot)
    assert sizes[3] - sizes[1] >= 5, "a third is nine bytes, 123,456 billionths are three"


@pytest.mark.parametrize("how", [{}, {"events": True}, {"schema": False}])
def test_messages_that_are_turned_on_their_side_come_back(
    moving: subprocess.Popen[str], how: dict[str, bool]
) -> None:
    encoder, messages, shown = SnapshotEncoder(deflate=False, **how), [], []
    catalogues: dict[int, Catalogue] = {}
    decoder = SnapshotDecoder(catalogues)
    with SegmentReader("alder") as reader:
        for turn_number in range(30):
            statement = "panel.offered += 7; panel.load = 1 / (panel.offered % 11 + 3)"
            if turn_number % 10 == 5:
                statement += "; late = EveryPanel('late'); joined.event(13, 'queue', 'more')"
            tell(moving, statement)
            assert hear(moving) == "done"
            snapshot = reader.snapshot(events=True)
            whole, key = turn_number == 20, turn_number % 7 == 0
            messages.append(encoder.encode(snapshot, whole=whole, key=key))
            catalogues[snapshot.generation] = snapshot.catalogue
            shown.append(seen(decoder.decode(messages[-1])))

    def unpacked(data: bytes) -> list[dict[str, object]]:
        decoder, found = SnapshotDecoder(catalogues), []
        for each in turned(rests, data):
            decoder.take(*each.opened())
            found.append(seen(decoder.snapshot()))
        return found

    rests, columns = turn(messages)
    assert sum(map(len, rests)) < sum(map(len, messages)) and columns
    assert unpacked(columns) == shown
    every = turned(rests, columns)
    assert every[0].base == 0 and base_of(messages[9]) == every[9].base
    at_random = SnapshotDecoder(catalogues)
    for index in (0, 1, 2, 3, 0, 1):
        at_random.take(*every[index].opened())
        assert seen(at_random.snapshot()) == shown[index], "back again, as far as was read"
    chance, told = random.Random(3), 0
    for _ in range(40):
        bad = bytearray(columns)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        cut = chance.randrange(len(bad))
        for data in (bytes(bad), bytes(bad[:cut])):
            try:
                told += unpacked(data) != shown
            except (ValueError, PackedSnapshotError):
                told += 1
    assert told > 60, "a word that nobody looks at may be any"
    with pytest.raises(ValueError):
        turn([SnapshotEncoder().encode(snapshot)])


# ------------------------------------------------------------------ anything a segment could be
def region(draw: st.DrawFn, claim: int) -> bytes:
    raw = bytearray(layout.EVENTS_OFFSET if draw(st.booleans()) else layout.PANELS_OFFSET + 64)
    words = memoryview(raw).cast("Q")
    for count in COUNTS:
        words[count] = draw(st.integers(0, 9) | WORD)
    for at, word in draw(
        st.dictionaries(st.integers(14, len(words) - 1), WORD, max_size=9)
    ).items():
        words[at] = word
    words[RegionWord.CLAIM] = claim
    return bytes(raw)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Return a snapshot of words at random, some of a later life."""
    header = Header(header_bytes(_header(draw(st.sampled_from((7, 8))))))
    shared = bytearray(layout.SHARED_BYTES)
    words = memoryview(shared).cast("Q")
    words[SharedWord.TABLE_COUNT] = draw(st.integers(0, 5) | WORD)
    words[SharedWord.SEQUENCE] = draw(WORD)
    snapshot = Snapshot(
        header=header,
        path="/run/alder/\udcff",
        inode=draw(st.integers(0, 2**63)),
        taken_wall_ns=draw(WORD),
        taken_monotonic_ns=draw(WORD),
        catalogue=Catalogue(),
        shared=bytes(shared),
    )
    slots = draw(st.lists(st.integers(0, 255), unique=True, max_size=3))
    snapshot.processes = tuple(_process(draw, slot, snapshot) for slot in sorted(slots))
    return snapshot


def _header(generation: int) -> Header:
    raw = bytearray(layout.HEADER_BYTES)
    memoryview(raw).cast("Q")[layout.HeaderWord.GENERATION] = generation
    return Header(bytes(raw))


def _process(draw: st.DrawFn, slot: int, snapshot: Snapshot) -> Process:
    claim = draw(st.integers(1, 3))
    words = [2, claim, *draw(st.lists(WORD, min_size=5, max_size=5)), 0]
    verdict = draw(st.sampled_from(Verdict.NAMES))
    return Process(slot, words, region(draw, claim), verdict, snapshot)


@settings(max_examples=60)
@given(st.lists(snapshots(), min_size=1, max_size=5), st.booleans())
def test_whatever_stands_in_a_segment_comes_back(found: list[Snapshot], deflate: bool) -> None:
    encoder, decoder = SnapshotEncoder(deflate=deflate), SnapshotDecoder()
    for snapshot in found:
        assert seen(decoder.decode(encoder.encode(snapshot))) == seen(snapshot)


# ------------------------------------------------------------------ what is no snapshot
@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A whole message and two differences, of a live node."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISINGLASS_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        encoder = SnapshotEncoder(events=True)
        with program(NODE) as process, SegmentReader("alder") as reader:
            found = [encoder.encode(reader.snapshot(events=True))]
            for _ in range(2):
                tell(process, "panel.offered += 1; joined.event(13, 'queue', 'again')")
                assert hear(process) == "done"
                found.append(encoder.encode(reader.snapshot(events=True)))
    return found


def test_a_difference_needs_the_very_message_before(messages: list[bytes]) -> None:
    with pytest.raises(SnapshotBaseMissing, match="whole"):
        SnapshotDecoder().decode(messages[1])
    decoder = SnapshotDecoder()
    decoder.decode(messages[0])
    with pytest.raises(SnapshotBaseMissing):
        decoder.decode(messages[2])
    decoder.decode(messages[1])
    decoder.decode(messages[2])
    with pytest.raises(SnapshotBaseMissing):
        SnapshotDecoder().snapshot()


def test_another_version_is_told_as_such(messages: list[bytes]) -> None:
    other = bytes((VERSION + 1,)) + messages[0][1:]
    with pytest.raises(SnapshotFormatUnknown, match="version 2"):
        SnapshotDecoder().decode(other)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PackedSnapshotError):
        SnapshotDecoder().decode(data)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_message_is_refused_and_changes_nothing(messages: list[bytes], seed: int) -> None:
    chance = random.Random(seed)
    decoder = SnapshotDecoder()
    decoder.decode(messages[0])
    before = seen(decoder.snapshot())
    for _ in range(400):
        damaged = bytearray(messages[1])
        if chance.random() < 0.2:
            del damaged[chance.randrange(len(damaged)) :]
        else:
            damaged[chance.randrange(2, len(damaged))] ^= 1 << chance.randrange(8)
        with pytest.raises(PackedSnapshotError):
            decoder.decode(bytes(damaged))
        assert seen(decoder.snapshot()) == before
    assert seen(decoder.decode(messages[1])) != before


@pytest.mark.parametrize("seed", range(4))
def test_a_forged_message_is_refused_or_can_be_looked_at(messages: list[bytes], seed: int) -> None:
    """Damage the body and make its checksum fit, so that what follows it must hold."""
    chance = random.Random(seed)
    refused = 0
    for attempt in range(400):
        decoder = SnapshotDecoder()
        which, base = attempt % 2, 0
        if which:
            decoder.decode(messages[0])
            base = HEAD.unpack_from(messages[1])[3]
        body = bytearray(zlib.decompress(messages[which][HEAD.size :], -zlib.MAX_WBITS))
        for _ in range(chance.randrange(1, 4)):
            body[chance.randrange(min(len(body), 500))] = chance.randrange(256)
        head = HEAD.pack(VERSION, 1 - which, zlib.crc32(body, base), base)
        try:
            assert seen(decoder.decode(head + bytes(body)))
        except SnapshotDamaged as reason:
            refused += 1
            assert "whole" in str(reason)
        except SnapshotBaseMissing:
            refused += 1
    assert refused > 100
