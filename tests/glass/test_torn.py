"""Words and latched records read at full speed while they are written: none is torn."""

from __future__ import annotations

import subprocess

import pytest

from isinglass.glass.reader import SegmentReader
from panel_figures import whole
from programs import hear, program, tell

WRITER = """
import threading
from isinglass.glass import segment
from isinglass.glass.catalog import Counter, Gauge, Latch, Panel
class TornPanel(Panel):
    '''Written as fast as it goes.'''
    word = Counter("1", "All bits or none.")
    record = Latch("Four equal numbers.", **{n: Gauge("1", "A number.") for n in "abcd"})
panel = TornPanel()
joined = segment.create("alder")
joined.ready()
print("ready", flush=True)
words, WORD, publish = panel.words, TornPanel.word.index, panel.record.publish
ones, number = (1 << 64) - 1, 0
while True:
    number += 1
    words[WORD] = ones
    publish(number, number, number, number)
    words[WORD] = 0
"""


def test_no_torn_word_and_no_torn_latch() -> None:
    distinct: set[int] = set()
    snapshots = 0
    with program(WRITER), SegmentReader("alder") as reader:
        # On a busy machine the writer often stands still between two snapshots.
        while snapshots < 4000 or len(distinct) < 1000:
            snapshots += 1
            panel = reader.snapshot().panel("torn")
            assert panel is not None
            assert panel["word"] in (0, (1 << 64) - 1)
            record = [panel[f"record.{name}"] for name in "abcd"]
            assert len(set(record)) == 1, record
            distinct.add(whole(panel, "record.a"))


# As `Latched.publish` stores, but it always stands in the middle of a record, half of it stored.
HALFWAY = """
import sys
from isinglass.glass import segment
from isinglass.glass.catalog import Counter, Gauge, Latch, Panel
class TornPanel(Panel):
    '''Written step by step.'''
    other = Counter("1", "Beside the latch.")
    record = Latch("Four equal numbers.", **{n: Gauge("1", "A number.") for n in "abcd"})
panel = TornPanel()
panel.other = 3
words, latest = panel.words, TornPanel.record.index
def store(parts):
    for part in parts:
        words[latest + 1 + (number & 7) * 4 + part] = number
number = 1
store((0, 1))
joined = segment.create("alder")
joined.ready()
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        store((2, 3))
        words[latest] = number
        number += 1
        store((0, 1))
    print(number - 1, flush=True)
"""


class OvertakenReader(SegmentReader):
    """A reader as slow as can be: the writer publishes `pace` records between any two reads.

    Args:
        process: the program `HALFWAY`.
        rests_after: the writer publishes no more after so many reads.
    """

    def __init__(self, process: subprocess.Popen[str], pace: int, rests_after: int) -> None:
        self._process, self._pace, self._left = process, pace, rests_after
        tell(process, "8")
        self.published = int(hear(process))
        super().__init__("alder")

    def _read(self, offset: int, length: int) -> bytes:
        raw = super()._read(offset, length)
        if self._left > 0:
            self._left -= 1
            tell(self._process, str(self._pace))
            self.published = int(hear(self._process))
        return raw

    def let_rest(self) -> None:
        """Let the writer publish no more."""
        self._left = 0


@pytest.mark.parametrize("pace", [1, 2, 3, 4, 7, 8, 9])
def test_a_latch_is_whole_however_far_the_writer_got_meanwhile(pace: int) -> None:
    with program(HALFWAY) as writer, OvertakenReader(writer, pace, rests_after=100) as reader:
        panel = reader.snapshot().panel("torn")
        assert panel is not None
        record = {whole(panel, f"record.{name}") for name in "abcd"}
        assert len(record) == 1, record
        assert 8 <= record.pop() <= reader.published


def test_a_latch_that_cannot_be_read_whole_is_left_out_and_comes_back() -> None:
    with program(HALFWAY) as writer, OvertakenReader(writer, 8, rests_after=1 << 30) as reader:
        panel = reader.snapshot().panel("torn")
        assert panel is not None
        assert {field.name: field.value for field in panel.fields} == {"other": 3}
        reader.let_rest()
        panel = reader.snapshot().panel("torn")
        assert panel is not None
        assert [panel[f"record.{name}"] for name in "abcd"] == [reader.published] * 4
