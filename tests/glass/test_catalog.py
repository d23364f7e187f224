"""The catalogue and its text: one line a field, and back again from the bytes."""

from __future__ import annotations

import string
from math import isfinite, isinf

import pytest
from hypothesis import given
from hypothesis import strategies as some

from isinglass.errors import RegionFull
from isinglass.glass import histogram, layout, region, schema
from isinglass.glass.catalog import Counter, Estimate, Gauge, Histogram, Latch, Panel, Real, Text

WORDS = some.text(string.ascii_letters + " é→,.-", min_size=1, max_size=30)
KINDS = some.sampled_from(["counter", "gauge", "real", "timestamp", "text", "histogram"])
FIELDS = some.builds(
    schema.FieldSchema,
    WORDS,
    KINDS,
    some.integers(0, 60000),
    some.integers(8, 4000),
    WORDS,
    some.sampled_from(schema.LEVELS),
    WORDS,
)


def _columns(field: schema.FieldSchema) -> tuple[object, ...]:
    return tuple(getattr(field, name) for name in sorted(set(field.__slots__) - {"parts"}))


@given(name=WORDS, size=some.integers(0, 65536), text=WORDS, fields=some.lists(FIELDS, max_size=8))
def test_a_panel_survives_its_text(
    name: str, size: int, text: str, fields: list[schema.FieldSchema]
) -> None:
    panel = schema.PanelSchema(name, size, text)
    panel.fields = fields
    back = schema.parse_panel(schema.panel_text(panel))
    assert (back.name, back.size_bytes, back.help) == (name, size, text)
    assert [_columns(f) for f in back.fields] == [_columns(f) for f in fields]


@given(payloads=some.lists(some.binary(min_size=1, max_size=200), max_size=8), data=some.data())
def test_blocks_are_read_up_to_the_first_damaged_one(
    payloads: list[bytes], data: some.DataObject
) -> None:
    area = bytearray()
    for payload in payloads:
        at = len(area)
        area += schema.block_bytes(1, payload)
        area[at + 16 : at + 24] = len(payload).to_bytes(8, "little")
    assert [p for _, _, p in schema.blocks(bytes(area), len(area))] == payloads
    if payloads:
        bad = data.draw(some.integers(0, len(payloads) - 1))
        places = [place for place, _, _ in schema.blocks(bytes(area), len(area))]
        area[places[bad] + schema.BLOCK_HEADER_BYTES] ^= 1
        assert [p for _, _, p in schema.blocks(bytes(area), len(area))] == payloads[:bad]


@given(area=some.binary(max_size=400), used=some.integers(0, 1 << 64))
def test_any_bytes_are_blocks_or_are_not(area: bytes, used: int) -> None:
    for _, kind, payload in schema.blocks(area, used):
        assert payload and kind >= 0


@given(value=some.integers(0, 1 << 45))
def test_a_value_lies_in_its_bucket(value: int) -> None:
    bucket = histogram.bucket_of(value)
    assert histogram.bucket_floor(bucket) <= value
    if bucket < histogram.BUCKETS - 1:
        floor, ceiling = histogram.bucket_floor(bucket), histogram.bucket_floor(bucket + 1)
        assert value < ceiling and ceiling - floor <= max(1, floor // 4)


VALUES = some.lists(some.integers(0, 1 << 40), min_size=1, max_size=200)


def recorded(values: list[int]) -> histogram.HistogramValue:
    words = [0] * histogram.WORDS
    for value in values:
        words[histogram.SUM] += value
        words[histogram.MAXIMUM] = max(words[histogram.MAXIMUM], value)
        words[histogram.FIRST_BUCKET + histogram.bucket_of(value)] += 1
    return histogram.HistogramValue(words)


@given(values=VALUES)
def test_percentiles_are_right_to_an_eighth(values: list[int]) -> None:
    read = recorded(values)
    exact = sorted(values)[(len(values) + 1) // 2 - 1]
    assert abs(read.percentile(0.5) - exact) <= exact / 7 + 0.5
    assert read.percentile(0.99) <= read.percentile(1.0) == max(values), "the largest is known"
    assert read.since(read).count == read.since(read).percentile(1.0) == 0


@given(before=VALUES, after=VALUES)
def test_the_largest_since_is_exact_when_it_is_the_largest_of_all(
    before: list[int], after: list[int]
) -> None:
    since = recorded([*before, *after]).since(recorded(before))
    if max(after) > max(before):
        assert since.percentile(1.0) == since.maximum == max(after)
    else:
        assert abs(since.percentile(1.0) - max(after)) <= max(after) / 7 + 0.5


class SamplePanel(Panel):
    """A panel of the tests."""

    calls = Counter("calls", "How often.")
    depth = Gauge("levels", "How deep.", level="debug")
    share = Real("share", "How much.")
    note = Text(5, "Why.")
    took = Histogram("microseconds", "How long.")
    pair = Latch("Two that agree.", low=Gauge("1", "One."), high=Real("1", "The other."))


def test_a_field_is_read_and_written_through_its_panel() -> None:
    panel = SamplePanel()
    try:
        panel.calls += 2
        panel.depth -= 7
        panel.share = 0.25
        panel.note = "überlang"
        assert (panel.calls, panel.depth, panel.share, panel.note) == (2, -7, 0.25, "überlan")
        assert panel.words[SamplePanel.calls.index] == 2
        assert SamplePanel.calls.help == "How often." and SamplePanel.name == "sample"
    finally:
        panel.release()


@given(some.floats())
def test_an_estimate_is_good_for_seven_digits(value: float) -> None:
    class Averages(Panel):
        "One moving average."

        load = Estimate("share", "How much.")

    panel = Averages()
    try:
        panel.load = value
        assert panel.load == pytest.approx(value, rel=1e-7, abs=1e-37, nan_ok=True) or (
            isinf(panel.load) and abs(value) > 3e38
        )
        assert Averages.load.kind == Real.kind, "readers need not know"
        assert not isfinite(value) or panel.words[Averages.load.index] % (1 << 29) == 0
    finally:
        panel.release()


def test_a_released_instance_gives_its_words_to_the_next_zeroed() -> None:
    first = SamplePanel("one")
    place = first._allocation.place
    first.calls = 9
    first.release()
    second = SamplePanel("two")
    assert (second._allocation.place, second.calls) == (place, 0)
    second.release()


def test_a_region_has_an_end() -> None:
    made: list[SamplePanel] = []
    with pytest.raises(RegionFull, match="release panels"):
        while True:
            made.append(SamplePanel(str(len(made))))
    for panel in made:
        panel.release()


class WidePanel(Panel):
    """A panel of the tests that needs more room than the other."""

    calls = Counter("calls", "How often.")
    one = Histogram("microseconds", "How long.")
    two = Histogram("microseconds", "How long.")


def test_room_that_was_released_serves_panels_of_other_shapes() -> None:
    made: list[Panel] = []
    with pytest.raises(RegionFull):
        while True:
            made.append(SamplePanel(str(len(made))))
    for panel in made:
        panel.release()
    wide = [WidePanel(str(number)) for number in range(3)]
    small = SamplePanel("small")
    wide[1].release()
    made[0].release()  # twice is once: its place is another panel's now
    fits = SamplePanel("fits")
    assert fits._allocation.place == wide[1]._allocation.place
    places = sorted(p._allocation.place for p in (wide[0], wide[2], small, fits))
    assert len(set(places)) == 4
    for panel in (wide[0], wide[2], small, fits):
        panel.release()


def test_a_declaration_without_unit_or_help_is_refused() -> None:
    with pytest.raises(ValueError, match="unit"):
        Counter("", "Help.")
    with pytest.raises(ValueError, match="none of"):
        Counter("calls", "Help.", level="loud")
    with pytest.raises(TypeError, match="docstring"):
        type("BarePanel", (Panel,), {})


def test_no_two_fields_of_a_panel_share_a_word() -> None:
    end = 0
    for field in SamplePanel.fields:
        assert field.place == end and field.length % layout.WORD_BYTES == 0
        end += field.length
    assert end == SamplePanel.size_bytes


@given(text=some.text(max_size=50), room=some.integers(0, 60))
def test_a_text_that_is_cut_is_still_utf_8(text: str, room: int) -> None:
    raw = region.fit(text, room)
    assert len(raw) == room
    back = raw.rstrip(b"\0").decode()
    assert text.encode("utf-8", "replace").decode().startswith(back.rstrip("\0")) or "\0" in text
