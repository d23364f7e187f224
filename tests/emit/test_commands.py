"""`isinglass debug` and `isinglass note`, on a running, a stopped and a dead daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

import isinglass as product
from cli.commands import isinglass
from cluster_daemons import ClusterDaemons, cluster
from event_listener import listener_of
from held_thread import held, wait_until_held
from isinglass.glass.journal import Event
from isinglass.glass.reader import SegmentReader
from isinglass.glass.severity import DEBUG
from isinglass.glass.snapshot import Process
from waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def alder() -> Iterator[ClusterDaemons]:
    with cluster(1) as daemons:
        with product.connect("alder") as database:
            database.create_table("orders")
        yield daemons


def owner_of_alder() -> Process:
    with SegmentReader("alder") as reader:
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        return owner


def debug_events(flag: str) -> list[Event]:
    events = owner_of_alder().events
    return [event for event in events if event.flag == flag and event.severity == DEBUG]


def debug_messages(flag: str) -> list[str]:
    return [event.message for event in debug_events(flag)]


def put() -> None:
    with product.connect("alder") as database:
        database.put("orders", "1", {"total": 3}, durability="commit")


def test_debug_logging_is_switched_while_the_daemon_is_stopped(alder: ClusterDaemons) -> None:
    with listener_of(alder) as listener:
        put()
        assert not debug_messages("queue")
        daemon = alder["alder"].process
        daemon.send_signal(signal.SIGSTOP)
        said = isinglass("debug", "alder", "+queue", "-wire", "--for", "5m", "--rate", "50").stdout
        rows = {line.split()[0]: line.split()[1:] for line in said.splitlines()[1:]}
        assert set(rows) == {"queue", "store", "wire"}
        assert (rows["queue"][0], rows["wire"][0]) == ("on", "off")
        daemon.send_signal(signal.SIGCONT)
        put()
        wait_until(lambda: debug_messages("queue"), "a debug event")
        assert set(debug_messages("queue")) == {"a batch is applied"}
        assert not debug_messages("store")
        assert not debug_messages("wire")
        listener.until(lambda: listener.stream("debug").events, "who switched what")
        (fields,) = listener.stream("debug").fields("debug logging was switched")
        assert fields["switches"] == "+queue -wire"
        assert fields["for_seconds"] == "300"
        assert fields["by"]
        listener.until(
            lambda: "a batch is applied" in listener.stream("daemon").messages(), "at a monitor"
        )
        assert isinglass("debug", "alder", "-queue").stdout.count(" on ") == 0
        isinglass("debug", "+store", "+wire")
        put()
        wait_until(lambda: debug_messages("store") and debug_messages("wire"), "debug events")


def test_debug_logging_is_switched_while_a_thread_of_the_daemon_hangs(
    alder: ClusterDaemons,
) -> None:
    """The applier hangs in the disk's hands; the others log what they do all the same."""
    applier = next(thread.tid for thread in owner_of_alder().threads if thread.name == "applier")
    with held(alder["alder"].pid, applier) as hanging:
        with product.connect("alder") as database:
            database.put("orders", "1", {"total": 3})
            wait_until_held(hanging)
            assert isinglass("debug", "alder", "+wire", "--for", "1m").stdout.count(" on ") == 1
            database.put("orders", "2", {"total": 4})
            wait_until(lambda: debug_messages("wire"), "a debug event of another thread")
        assert not debug_messages("queue")


def test_debug_logging_has_an_end_and_a_rate_whatever_was_asked_for(alder: ClusterDaemons) -> None:
    """Ten minutes when nobody says; a flood of updates is capped, and what is left out is told."""
    said = isinglass("debug", "alder", "+store").stdout.splitlines()[1:]
    (left,) = (line.split()[2:4] for line in said if line.startswith("store"))
    assert left in (["10.0", "min"], ["9.9", "min"])
    on = isinglass("debug", "alder", "+queue", "--for", "3s", "--rate", "5")
    assert on.stdout.count(" on ") == 2
    with product.connect("alder") as database:

        def is_over() -> bool:
            for number in range(100):
                database.put("orders", str(number), {"total": 3}, durability="commit")
            return isinglass("debug", "alder").stdout.count(" on ") == 1

        wait_until(is_over, "its end")
        before = len(debug_events("queue"))
        for number in range(50):
            database.put("orders", str(number), {"total": 3}, durability="commit")
    assert len(debug_events("queue")) == before, "it has ended, and says nothing more"
    messages = debug_messages("queue")
    # Five in each second that the three touch.
    assert 5 < messages.count("a batch is applied") <= 4 * 5
    assert "debug events left out" in messages


def test_debug_refuses_what_it_cannot_do(alder: ClusterDaemons) -> None:
    assert "has no debug flag 'quue'" in isinglass("debug", "+quue", expect=2).stderr
    for length in ("0", "25h", "soon", "-5"):
        assert "--for takes" in isinglass("debug", "+queue", f"--for={length}", expect=2).stderr
    assert "with + or -" in isinglass("debug", "alder", "queue", expect=2).stderr
    assert isinglass("debug").stdout.count(" off ") == 3
    alder["alder"].kill()
    os.unlink(os.path.join(os.environ["ISINGLASS_RUNTIME_DIR"], "alder", "control"))
    assert "start the node" in isinglass("debug", "alder", expect=1).stderr


def test_a_note_is_on_the_timeline(alder: ClusterDaemons) -> None:
    with listener_of(alder) as listener:
        isinglass("note", "rebooting db3")
        listener.until(lambda: listener.stream("note").events, "the note")
        note = listener.stream("note").events[1]
        assert (note.severity, note.flag, note.message) == (9, "note", "rebooting db3")
        assert note.fields.startswith("by=")
        alder["alder"].kill()
        assert "does not run" in isinglass("note", "late", "--node", "alder", expect=1).stdout
        settings = alder.settings
        for name in ("cluster", "interface", "multicast_group", "multicast_port"):
            os.environ[f"ISINGLASS_{name.upper()}"] = str(settings[name])
        os.environ["ISINGLASS_INSECURE"] = "true"
        try:
            isinglass("note", "later", "--node", "alder")
        finally:
            for name in [n for n in os.environ if n.startswith(("ISINGLASS_M", "ISINGLASS_INS"))]:
                del os.environ[name]
            del os.environ["ISINGLASS_CLUSTER"], os.environ["ISINGLASS_INTERFACE"]
        listener.until(
            lambda: any("later" in heard.messages() for heard in listener.streams.values()),
            "the second note, from the command itself",
        )
    isinglass("note", "", expect=2)
