"""`isinglass stacks`: real stacks of real processes, both ways, and an event about it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.commands import isinglass
from isinglass.cli import debugger
from isinglass.errors import ProcessAway
from isinglass.glass.processes import is_stopped
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Process
from isinglass.glass.stacks import stacks_path
from programs import hear, program, tell

Program = subprocess.Popen[str]
OFFER = "import isinglass; isinglass.stacks_on_request()"


def offer(process: Program) -> None:
    tell(process, OFFER)
    assert hear(process) == "done"


def process_of(node: str, pid: int) -> Process:
    with SegmentReader(node) as reader:
        return next(p for p in reader.snapshot().processes if p.pid == pid)


def events(node: str) -> list[str]:
    with SegmentReader(node) as reader:
        processes = reader.snapshot(events=True).processes
    return [
        f"{event.message} {event.fields}"
        for process in processes
        for event in process.events
        if event.flag == "stacks"
    ]


@pytest.mark.parametrize("way", ["py-spy", "faulthandler"])
def test_all_threads_with_their_functions(bakery: Program, way: str) -> None:
    offer(bakery)
    done = isinglass("stacks", "bakery", "--way", way, "--json")
    document = json.loads(done.stdout)
    assert (document["format"], document["node"]) == (1, "bakery")
    (found,) = document["stacks"]
    assert (found["process"], found["pid"], found["way"]) == ("daemon", bakery.pid, way)
    text = "\n".join(found["lines"])
    assert "serve" in text and "threading.py" in text, "the thread that waits"
    assert "<module>" in text, "the main thread"
    assert bakery.poll() is None
    (said,) = events("bakery")
    assert f"the stacks of daemon {bakery.pid} were taken" in said
    assert f"'way': '{way}'" in said and "'by':" in said


def test_a_second_request_is_a_second_stack(bakery: Program) -> None:
    offer(bakery)
    texts = [isinglass("stacks", "bakery", "--way", "faulthandler").stdout for _ in range(2)]
    assert texts[0].count("in serve") == texts[1].count("in serve") == 1
    assert texts[0].startswith(f"bakery daemon {bakery.pid}, by faulthandler, ")


def test_a_process_that_has_not_offered_gets_no_signal(bakery: Program, customer: Program) -> None:
    """The default action of the signal would end it."""
    offer(bakery)
    line = ("stacks", "bakery", "--process", "customer", "--way", "faulthandler")
    assert "isinglass.stacks_on_request()" in isinglass(*line, expect=1).stderr
    assert customer.poll() is None
    assert not events("bakery")


def test_the_file_of_an_earlier_process_is_no_offer(bakery: Program, customer: Program) -> None:
    offer(customer)
    region = process_of("bakery", customer.pid).slot
    customer.kill()
    customer.wait()
    with program(
        "import sys\nfrom isinglass.glass import segment\n"
        "joined = segment.attach('bakery', 'other')\nprint('ready', flush=True)\nsys.stdin.read()"
    ) as other:
        place = Path(stacks_path(_segment("bakery"), region))
        assert place.exists()
        place.rename(place.with_name(f"stacks.{process_of('bakery', other.pid).slot}"))
        line = ("stacks", "bakery", "--process", "other", "--way", "faulthandler")
        isinglass(*line, expect=1)
        assert other.poll() is None


def _segment(node: str) -> str:
    with SegmentReader(node) as reader:
        return reader.path


def test_a_stopped_process_is_read_as_it_stands(bakery: Program) -> None:
    offer(bakery)
    bakery.send_signal(signal.SIGSTOP)
    os.waitpid(bakery.pid, os.WUNTRACED)
    assert "serve" in isinglass("stacks", "bakery", "--way", "py-spy").stdout
    refused = isinglass("stacks", "bakery", "--way", "faulthandler", expect=1).stderr
    assert "is stopped and cannot write its stacks" in refused
    assert is_stopped(bakery.pid), "nobody set it going"


def test_the_dead_have_no_stacks(bakery: Program) -> None:
    found = process_of("bakery", bakery.pid)
    bakery.kill()
    bakery.wait()
    error = isinglass("stacks", "bakery", expect=2).stderr
    assert "no living daemon" in error and "isinglass ps bakery" in error
    with pytest.raises(ProcessAway, match="is not there"):
        debugger.grasp(found)


def test_a_pid_that_was_used_again_is_left_alone(bakery: Program) -> None:
    found = process_of("bakery", bakery.pid)
    found.start_ticks += 1
    with pytest.raises(ProcessAway, match="is not daemon of this node any more"):
        debugger.grasp(found)


def test_a_process_behind_no_glass_is_told_so() -> None:
    code = "import isinglass\ntry: isinglass.stacks_on_request()\nexcept Exception as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert "call isinglass.attach first" in done.stdout
