"""Words and latched records read at full speed while they are written: none is torn."""

from __future__ import annotations

from isinglass.glass.reader import SegmentReader
from programs import program

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
            distinct.add(int(record[0]))  # type: ignore[arg-type]
