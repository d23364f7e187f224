"""Records as fast as it can, and prints the number of each frame once it is in the file."""

from __future__ import annotations

import sys
from pathlib import Path

from isinglass.glass.reader import SegmentReader
from isinglass_console.model.frame import Condition
from isinglass_console.model.hub import Hub
from isinglass_console.model.reading import Reading
from isinglass_console.recording.recorder import Recorder

hub, number = Hub(), 0
recorder = Recorder(Path(sys.argv[1]), 0, durable=False)
with SegmentReader("alder") as reader:
    while True:
        snapshot = reader.snapshot()
        reading = Reading("alder", Condition.ALIVE, "", snapshot)
        recorder.take(hub.take([reading], snapshot.taken_wall_ns, 1.0), hub.fresh)
        print(snapshot.taken_wall_ns, flush=True)
