"""Debug flags: switched from outside while their process is stopped, with an end and a rate."""

from __future__ import annotations

import os
import signal
import time

import pytest

from isinglass import clock
from isinglass.errors import SegmentError, UsageError
from isinglass.glass import control, flags
from isinglass.glass.reader import SegmentReader
from programs import hear, program, tell

SECOND_NS = clock.NANOSECONDS_PER_SECOND
WORKER = """
    import sys, isinglass
    QUEUE, STORE = isinglass.flag("queue"), isinglass.flag("store")
    assert isinglass.flag("queue") is QUEUE
    assert not QUEUE
    with isinglass.attach("alder") as glass:
        LATER = isinglass.flag("later")
        print("ready", flush=True)
        for line in sys.stdin:
            for number in range(int(line)):
                if QUEUE:
                    QUEUE("a step", number=number)
                if STORE:
                    STORE("never")
            print(int(bool(QUEUE)), flush=True)
"""


def debug_events(flag: str = "queue") -> list[tuple[str, dict[str, str]]]:
    with SegmentReader("alder") as reader:
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        return [(e.message, e.fields) for e in owner.events if e.flag == flag and e.severity == 5]


def switch(name: str, seconds: float, rate: int = 100) -> None:
    page = control.open_page(control.page_path("alder"), write=True)
    try:
        until = clock.wall_ns() + int(seconds * SECOND_NS) if seconds else 0
        control.switch(page, name, until, rate, 7)
    finally:
        os.close(page)


def test_a_flag_is_switched_while_its_process_is_stopped() -> None:
    with program(WORKER) as worker:
        tell(worker, "3")
        assert hear(worker) == "0"
        worker.send_signal(signal.SIGSTOP)
        switch("queue", 60)
        worker.send_signal(signal.SIGCONT)
        tell(worker, "2")
        assert hear(worker) == "1"
        assert debug_events() == [("a step", {"number": "0"}), ("a step", {"number": "1"})]
        assert not debug_events("store")
        switch("queue", 0)
        tell(worker, "2")
        assert hear(worker) == "0"
        assert len(debug_events()) == 2


def test_a_flag_goes_off_by_itself_at_its_end() -> None:
    with program(WORKER) as worker:
        switch("queue", 0.2)
        time.sleep(0.3)
        tell(worker, "2")
        assert hear(worker) == "0"
        assert not debug_events()


def test_a_flag_says_no_more_than_its_rate_and_tells_what_it_left_out() -> None:
    with program(WORKER) as worker:
        switch("queue", 60, rate=10)
        # As the clock's second may change in between: at least one second is full.
        for count in ("500", "1"):
            tell(worker, count)
            assert hear(worker) == "1"
            time.sleep(1.1)
        said = [fields for message, fields in debug_events() if message == "a step"]
        left_out = [fields for message, fields in debug_events() if message != "a step"]
        assert 11 <= len(said) <= 21
        assert sum(int(fields["count"]) for fields in left_out) == 501 - len(said)


def test_flags_outlive_a_restart_and_are_known_by_name() -> None:
    with program(WORKER):
        switch("queue", 60, rate=55)
    with program(WORKER) as worker:
        tell(worker, "1")
        assert hear(worker) == "1"
        page = control.open_page(control.page_path("alder"), write=False)
        states = {state.name: state for state in control.states(page)}
        os.close(page)
        assert set(states) == {"later", "queue", "store"}
        assert (states["queue"].on, states["queue"].rate, states["queue"].user_id) == (1, 55, 7)
        assert (states["store"].on, states["store"].user_id) == (0, -1)
        with pytest.raises(UsageError, match="there are later, queue, store"):
            switch("quue", 60)


def test_the_page_is_for_its_owner_and_group_alone() -> None:
    before = os.umask(0o077)
    try:
        with program(WORKER):
            assert os.stat(control.page_path("alder")).st_mode & 0o777 == 0o660
    finally:
        os.umask(before)


def test_of_two_names_with_one_place_only_the_first_can_be_switched() -> None:
    """Also when the first one's entry is on, the second one says nothing."""
    place = control.place_of("queue")
    twin = next(n for n in map("f{}".format, range(10**5)) if control.place_of(n) == place)
    source = WORKER.replace('"store"', f'"{twin}"')
    with program(source) as worker:
        with pytest.raises(UsageError):
            switch(twin, 60)
        switch("queue", 60)
        tell(worker, "1")
        assert hear(worker) == "1"
        assert debug_events() == [("a step", {"number": "0"})]
        assert not debug_events(twin)


def test_a_file_that_is_no_page_leaves_all_flags_off_until_the_node_is_restarted() -> None:
    """As the making leaves one that was killed, or that found the tmpfs full."""
    with program(WORKER):
        path = control.page_path("alder")
        os.truncate(path, 100)
        with program(WORKER) as client:
            tell(client, "1")
            assert hear(client) == "0"
            with pytest.raises(SegmentError, match="is no control page"):
                control.open_page(path, write=False)
    with program(WORKER) as worker:
        switch("queue", 60)
        tell(worker, "1")
        assert hear(worker) == "1"


@pytest.mark.parametrize("name", ["", "Queue", "a" * 32, "a b", "-a"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="flag's name"):
        flags.flag(name)
