"""Ten million reads of words and latched records while a writer stores as fast as it can.

A word alternates between all bits and none; a latched record has four equal numbers. Anything else
that is read is torn. Words are read from the map as `top` reads its probes, and all of them through
snapshots, as every other reader does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from harness import Claim, Report, Table, finish, options

from isinglass.glass import layout
from isinglass.glass.reader import SegmentReader

WRITER = """
import sys
from isinglass.glass import segment
from isinglass.glass.catalog import Counter, Gauge, Latch, Panel
from isinglass.glass.region import thread_word
fields = {f"word_{n}": Counter("1", "All bits or none.") for n in range(64)}
for n in range(64):
    fields[f"record_{n}"] = Latch("Equal numbers.", **{p: Gauge("1", "A number.") for p in "abcd"})
panel = type("TornPanel", (Panel,), {"__doc__": "Written at full speed.", **fields})()
joined = segment.create("torn")
joined.ready()
probe, ones, number = thread_word(), (1 << 64) - 1, 0
indexes = [getattr(type(panel), f"word_{n}").index for n in range(64)]
latches = [getattr(panel, f"record_{n}").publish for n in range(64)]
words = panel.words
print("ready", flush=True)
while True:
    number += 1
    for value in (ones, 0):
        probe[0] = value
        for index in indexes:
            words[index] = value
    for publish in latches:
        publish(number, number, number, number)
"""
WHOLE = (0, (1 << 64) - 1)


def mapped(reader: SegmentReader, reads: int) -> tuple[int, int]:
    """Return (torn, changes seen) of `reads` reads of one live word."""
    first = (layout.region_offset(0) + layout.PROBES_OFFSET) // layout.WORD_BYTES
    word = reader.live_words()[first : first + 1]
    torn = changes = last = 0
    for _ in range(reads):
        value = word[0]
        if value != last:
            changes += 1
            last = value
            torn += value not in WHOLE
    word.release()
    return torn, changes


def copied(reader: SegmentReader, reads: int) -> tuple[int, int, int, int, int]:
    """Take enough snapshots for `reads` reads.

    Returns:
        Words, torn ones of them, records, torn ones of them, and records that were left out.
    """
    words = torn_words = records = torn_records = left_out = 0
    while words + records < reads:
        panel = reader.snapshot().panel("torn")
        assert panel is not None
        values = [field.value for field in panel.fields]
        words += 64
        torn_words += sum(value not in WHOLE for value in values[:64])
        for first in range(64, len(values), 4):
            records += 1
            torn_records += len(set(values[first : first + 4])) != 1
        left_out += (64 * 5 - len(values)) // 4
    return words, torn_words, records, torn_records, left_out


def main() -> int:
    """Run the writer beside the readers and report what was torn."""
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("--reads", type=int, default=10_000_000, help="reads in all")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as runtime:
        os.environ["ISINGLASS_RUNTIME_DIR"] = runtime
        command = [sys.executable, "-c", WRITER]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            try:
                with SegmentReader("torn") as reader:
                    half = arguments.reads // 2
                    torn, changes = mapped(reader, half)
                    words, torn_words, records, torn_records, left_out = copied(reader, half)
            finally:
                writer.kill()
    rows = [
        ("one live word, mapped", half, torn, f"{changes:,} changes seen"),
        ("words in snapshots", words, torn_words, ""),
        ("latched records in snapshots", records, torn_records, f"{left_out:,} left out"),
    ]
    report = Report("torn.py", "torn reads at full speed of both sides")
    report.tables.append(Table(("what", "reads", "torn", ""), rows))
    report.claims.append(Claim("torn reads", torn + torn_words + torn_records, 0))
    report.claims.append(Claim("changes of that word seen meanwhile", changes, 1, at_most=False))
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
