"""Events of real processes arrive at a monitor's sockets: in order, sealed, and again if asked."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cluster_daemons import ClusterDaemons, cluster
from event_listener import EventListener, Heard, listener_of
from isinglass.glass import layout
from isinglass.glass.layout import RegionWord
from isinglass.glass.reader import SegmentReader
from isinglass.wire import cluster_key
from programs import hear, program, tell

pytestmark = pytest.mark.slow
CLIENT = """
    import sys, isinglass
    from isinglass.glass import segment
    database = isinglass.connect("alder", process="worker")
    print("ready", flush=True)
    number = 0
    for line in sys.stdin:
        words = line.split()
        if words[0] == "end":
            break
        for _ in range(int(words[1])):
            number += 1
            segment.current().event(int(words[0]), "work", f"event {number}", number=number)
        print("done", flush=True)
    database.close()
    print("closed", flush=True)
    sys.stdin.readline()
"""


def expected(count: int, first: int = 1) -> list[str]:
    return [f"event {number}" for number in range(first, first + count)]


def daemon_has_said(listener: EventListener, message: str) -> bool:
    return message in listener.stream("daemon").messages()


def test_events_of_a_daemon_and_a_client_arrive_in_order_and_authenticated(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    cluster_key.create(key_file)
    daemons = ClusterDaemons(("alder",), cluster_key_file=key_file)
    key = cluster_key.load(key_file)
    with listener_of(daemons, key) as listener, listener_of(daemons) as stranger:
        daemons.start()
        with program(CLIENT) as client:
            tell(client, "9 300")
            assert hear(client) == "done"
            listener.until(
                lambda: len(listener.stream("worker").events) == 300, "the client's events"
            )
            worker = listener.stream("worker")
            assert worker.messages() == expected(300)
            assert worker.events[300].fields == "number=300"
            assert worker.events[300].flag == "work"
            listener.until(lambda: worker.status, "the client's status")
            assert worker.status[3] == "client"
            assert worker.status[2] == client.pid
            tell(client, "end")
            assert hear(client) == "closed"
            listener.until(lambda: worker.status[10] == 1, "the last status of the client")
            assert worker.status[6] == 300
        daemon = listener.stream("daemon")
        listener.until(lambda: daemon.status, "the daemon's status")
        assert daemon.status[3] == "daemon"
        listener.until(lambda: "daemon.state" in listener.figures.get("alder", {}), "figures")
        assert listener.figures["alder"]["daemon.state"] == "serving"
        assert listener.figures["alder"]["log.relayed"] == 0
        daemons["alder"].stop()
        listener.until(lambda: daemon_has_said(listener, "the store is closed"), "the last event")
        listener.until(lambda: listener.stream("daemon").status[10] == 1, "the last status")
        assert not listener.refused
        stranger.listen()
        assert set(stranger.refused) == {"bad_tag"}
        assert not stranger.streams


def test_what_a_monitor_misses_it_is_sent_again_as_far_as_the_ring_has_it() -> None:
    with cluster(1) as daemons, listener_of(daemons) as listener, program(CLIENT) as client:
        for _ in range(40):
            tell(client, "9 100")
            assert hear(client) == "done"
        listener.until(lambda: 4000 in listener.stream("worker").events, "the events")
        worker = listener.stream("worker")
        listener.until(lambda: worker.status and worker.status[6] == 4000, "its status")
        oldest = worker.status[7]
        assert 1 < oldest < 4000
        listener.ask(worker, 1, 3, oldest - 1, oldest + 1, 3990, 5000)
        listener.until(lambda: len(worker.again) == 13 and len(worker.gone) == 2, "again")
        assert worker.gone == [(1, 3), (oldest - 1, oldest - 1)]
        assert sorted(worker.again) == [oldest, oldest + 1, *range(3990, 4001)]
        assert worker.again[3990] == worker.events[3990]


def test_a_killed_client_loses_no_event_and_its_ring_still_answers() -> None:
    with cluster(1) as daemons, listener_of(daemons) as listener, program(CLIENT) as client:
        tell(client, "9 10")
        assert hear(client) == "done"
        listener.until(lambda: 10 in listener.stream("worker").events, "the first events")
        worker = listener.stream("worker")
        tell(client, "9 50")
        assert hear(client) == "done"
        client.kill()
        listener.until(lambda: worker.status and worker.status[10] == 1, "the end of its stream")
        assert worker.status[6] == 60
        assert worker.messages() == expected(60)
        listener.ask(worker, 1, 60)
        listener.until(lambda: len(worker.again) == 60, "all of them again, from the daemon")
        assert worker.again == worker.events
        assert not listener.refused


def test_a_client_that_may_not_read_the_key_is_sent_for_by_the_daemon(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    cluster_key.create(key_file)
    daemons = ClusterDaemons(("alder",), cluster_key_file=key_file)
    key = cluster_key.load(key_file)
    with listener_of(daemons, key) as listener:
        daemons.start()
        # Whoever runs the tests may be root, who can read everything; nobody can read what is gone.
        key_file.rename(tmp_path / "elsewhere")
        with program(CLIENT) as client:
            tell(client, "9 10")
            assert hear(client) == "done"
            listener.until(lambda: len(listener.stream("worker").events) == 10, "by the daemon")
            worker = listener.stream("worker")
            tell(client, "9 10")
            assert hear(client) == "done"
            listener.until(lambda: len(worker.events) == 20, "by the daemon")
            assert worker.messages() == expected(20)
            tell(client, "end")
            assert hear(client) == "closed"
            listener.until(lambda: worker.status and worker.status[10] == 1, "its end")
        assert not listener.refused
        daemons["alder"].kill()


def test_a_client_sends_while_its_daemon_is_stopped() -> None:
    with cluster(1) as daemons, listener_of(daemons) as listener, program(CLIENT) as client:
        daemons["alder"].process.send_signal(signal.SIGSTOP)
        tell(client, "9 10")
        assert hear(client) == "done"
        listener.until(lambda: len(listener.stream("worker").events) == 10, "its events")
        daemons["alder"].process.send_signal(signal.SIGCONT)


def test_a_forked_child_has_a_stream_of_its_own() -> None:
    source = """
        import os, sys, isinglass
        from isinglass.glass import segment
        database = isinglass.connect("alder", process="worker")
        segment.current().event(9, "work", "parent")
        child = os.fork()
        if child == 0:
            segment.current().event(9, "work", "child")
            sys.exit()
        os.waitpid(child, 0)
        segment.current().event(9, "work", "parent again")
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with cluster(1) as daemons, listener_of(daemons) as listener, program(source):
        listener.until(lambda: len(listener.stream("worker").events) == 2, "the parent's")
        listener.until(lambda: listener.stream("worker child").events, "the child's")
        assert listener.stream("worker").messages() == ["parent", "parent again"]
        child = listener.stream("worker child")
        assert child.messages() == ["child"]
        listener.until(lambda: child.status and child.status[10] == 1, "the child's end")
        assert not listener.refused


def test_a_child_of_multiprocessing_ends_its_stream() -> None:
    source = """
        import multiprocessing, sys, isinglass
        from isinglass.glass import segment
        database = isinglass.connect("alder", process="worker")
        def work():
            isinglass.event(9, "work", "child")
        for _ in range(2):
            child = multiprocessing.get_context("fork").Process(target=work)
            child.start()
            child.join()
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with cluster(1) as daemons, listener_of(daemons) as listener, program(source):

        def children() -> list[Heard]:
            return [s for s in listener.streams.values() if s.process == "worker child"]

        listener.until(lambda: len(children()) == 2, "two children")
        listener.until(lambda: all(s.status and s.status[10] for s in children()), "their ends")
        assert [s.messages() for s in children()] == [["child"], ["child"]]


def test_a_client_that_connects_again_begins_another_stream() -> None:
    source = """
        import sys, threading, isinglass
        from isinglass.glass import segment
        for number in range(3):
            with isinglass.connect("alder", process="worker"):
                segment.current().event(9, "work", f"time {number}")
        assert not [t for t in threading.enumerate() if t.name in ("log", "heartbeat")]
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with cluster(1) as daemons, listener_of(daemons) as listener, program(source):
        listener.until(lambda: len(listener.streams) == 4, "three streams, and the daemon's")
        workers = [s for s in listener.streams.values() if s.process == "worker"]
        listener.until(lambda: all(s.status and s.status[10] for s in workers), "their ends")
        assert [s.messages() for s in workers] == [["time 0"], ["time 1"], ["time 2"]]


def test_a_client_goes_on_sending_when_its_daemon_was_restarted() -> None:
    with cluster(1) as daemons, listener_of(daemons) as listener, program(CLIENT) as client:
        tell(client, "9 3")
        assert hear(client) == "done"
        daemons["alder"].kill()
        daemons["alder"].start()
        tell(client, "9 3")
        assert hear(client) == "done"
        listener.until(lambda: len(listener.stream("worker").events) == 6, "all six")
        assert listener.stream("worker").messages() == expected(6)
        assert not listener.refused


def test_a_node_without_a_cluster_sends_nothing() -> None:
    from daemon_process import DaemonProcess

    daemon = DaemonProcess("alder", {}).start()
    try:
        with program(CLIENT) as client, SegmentReader("alder") as reader:
            tell(client, "9 3")
            assert hear(client) == "done"
            names = {p.name for process in reader.snapshot().processes for p in process.panels}
            assert "log" not in names
    finally:
        daemon.kill()


def test_the_last_events_of_a_killed_daemon_are_sent_by_the_next_one() -> None:
    daemons = ClusterDaemons(("alder",))
    with listener_of(daemons) as listener:
        alder = daemons["alder"].start()
        daemons.wait_live()
        listener.until(lambda: listener.stream("daemon").events, "the daemon's events")
        listener.until(lambda: listener.stream("daemon").status, "the daemon's status")
        first = listener.stream("daemon")
        number = listener.number(first)
        last = max(first.events)
        # What it had not sent when it was killed: as if the datagrams had been lost with it.
        with SegmentReader("alder") as reader:
            (ring,) = reader.rings()
            told = layout.region_offset(0) + RegionWord.EVENTS_TOLD * layout.WORD_BYTES
        alder.process.send_signal(signal.SIGSTOP)
        with open(alder.path, "r+b") as file:
            file.seek(told)
            file.write((ring.events_told - 1).to_bytes(8, "little"))
        del first.events[last]
        alder.kill()
        alder.start()
        listener.until(lambda: listener.streams[number].status[10] == 1, "its last status")
        assert last in first.events
        listener.ask(first, 1, 2)
        listener.until(lambda: sorted(first.again) == [1, 2], "events of the killed one again")
        listener.until(
            lambda: len({listener.number(s) for s in listener.streams.values()}) == 2,
            "the next one's own stream",
        )
        assert not listener.refused
        alder.kill()
