"""What joining, making and forking leave behind when they fail, or happen at once."""

from __future__ import annotations

import subprocess
import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from glass.node_program import NODE
from isinglass.glass import layout, segment
from isinglass.glass.layout import RegionWord, SlotWord
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Verdict
from programs import hear, program, tell

CLIENT = """
import os, resource, sys
from isinglass.errors import SegmentError
from isinglass.glass import layout, region, segment
from isinglass.glass.catalog import Counter, Panel
joined = segment.attach("alder")
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


def do(process: subprocess.Popen[str], source: str) -> None:
    """Have a client run some source, and wait until it has."""
    tell(process, f"exec({textwrap.dedent(source)!r})")
    assert hear(process) == "done"


def test_a_child_that_gets_no_region_does_not_end_in_its_parents_name() -> None:
    """Without room for one more open file it cannot claim; it works on without a glass."""
    fork = """
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, allowed[1]))
    child = os.fork()
    resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
    if child == 0:
        sys.exit(0 if segment.current() is None else 1)
    assert os.waitpid(child, 0)[1] == 0
    """
    with program(NODE), program(CLIENT) as client, SegmentReader("alder") as reader:
        do(client, fork)
        assert reader.verdicts() == {0: Verdict.ALIVE, 1: Verdict.ALIVE}


def test_who_could_not_join_stores_nothing_into_the_region_any_more() -> None:
    """Its lock is gone, so the next process may have the region."""
    describe = """
    class {name}Panel(Panel):
        '''A panel whose description takes more than half of the schema.'''
        puts = Counter("records", "{name}" * (layout.SCHEMA_BYTES // 8))
    kept.append({name}Panel())
    """
    with program(NODE), program(CLIENT) as client:
        do(client, "kept = []; joined.close()")
        do(client, describe.format(name="Long"))
        do(client, "joined = segment.attach('alder'); joined.close()")
        do(client, describe.format(name="Wide"))
        refused = """
        try:
            segment.attach("alder")
        except SegmentError as error:
            assert "is full" in str(error), error
        else:
            raise AssertionError("there was room")
        """
        do(client, refused)
        with program(CLIENT) as other, SegmentReader("alder") as reader:
            do(client, "region.OWN.words[region.RegionWord.PID] = 1")
            alive = {ring.pid for ring in reader.rings() if ring.verdict == Verdict.ALIVE}
            assert other.pid in alive


def test_of_processes_that_make_a_node_at_once_one_makes_it_and_the_others_join() -> None:
    at_once = """
    import sys
    from isinglass.glass import segment
    print("ready", flush=True)
    sys.stdin.readline()
    with segment.open_or_create("alder", "worker"):
        print("in", flush=True)
        sys.stdin.readline()
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(program(at_once)) for _ in range(8)]
        for worker in workers:
            tell(worker, "")
        assert [hear(worker) for worker in workers] == ["in"] * 8
        with SegmentReader("alder") as reader:
            processes = reader.snapshot().processes
        assert {process.pid for process in processes} == {worker.pid for worker in workers}


def test_what_a_killed_maker_left_is_not_in_the_way() -> None:
    path = Path(layout.segment_path("alder"))
    path.parent.mkdir(parents=True)
    path.with_name("segment.new").write_bytes(b"half")
    with program(NODE):
        assert {file.name for file in path.parent.iterdir()} == {"segment", "control"}


def test_an_error_may_be_counted_by_a_signal_that_comes_while_one_is_counted() -> None:
    """The handler runs in the thread that it interrupts, which must not wait for itself.

    A signal comes before each line, by a trace function: a timer's would come as rarely as the
    kernel's clock ticks, which on some machines is 250 times a second.
    """
    errors = """
    import faulthandler, signal
    from isinglass.glass import events
    handled = []
    def count(number, frame):
        handled.append(number)
        events.ERRORS.record("Late", "the signal", "here:1")
    def interrupted(frame, event, argument):
        if frame.f_code.co_filename == events.__file__:
            signal.raise_signal(signal.SIGUSR1)
            return interrupted
    faulthandler.dump_traceback_later(20, exit=True)
    signal.signal(signal.SIGUSR1, count)
    sys.settrace(interrupted)
    events.ERRORS.record("Early", "the work", "here:2")
    sys.settrace(None)
    faulthandler.cancel_dump_traceback_later()
    print(len(handled), flush=True)
    """
    with program(NODE), program(CLIENT) as client, SegmentReader("alder") as reader:
        tell(client, f"exec({textwrap.dedent(errors)!r})")
        handled = int(hear(client))
        assert handled > 20
        assert hear(client) == "done"
        process = reader.snapshot().process("client")
        assert process is not None
        assert {error.kind: error.count for error in process.errors} == {
            "Early": 1,
            "Late": handled,
        }


def test_a_region_that_is_claimed_while_it_is_copied_shows_nobody_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The slots are copied first: what follows may be the next process's, under the last's name."""
    claimed = SegmentReader._claimed

    def claimed_anew(self: SegmentReader, *arguments: Any) -> list[tuple[int, list[int], str]]:
        found = claimed(self, *arguments)
        with open(self.path, "r+b") as file:
            file.seek(layout.region_offset(0) + RegionWord.CLAIM * layout.WORD_BYTES)
            file.write((found[0][1][SlotWord.CLAIM] + 1).to_bytes(layout.WORD_BYTES, "little"))
        return found

    with segment.create("oak"), SegmentReader("oak") as reader:
        assert [process.slot for process in reader.snapshot().processes] == [0]
        monkeypatch.setattr(SegmentReader, "_claimed", claimed_anew)
        assert reader.snapshot().processes == ()
