"""`isinglass debug` and `isinglass note`, on a running, a stopped and a dead daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

import isinglass as product
from cli.commands import isinglass
from cluster_daemons import ClusterDaemons, cluster, wait_until
from event_listener import listener_of
from isinglass.glass.reader import SegmentReader
from isinglass.glass.severity import DEBUG

pytestmark = pytest.mark.slow


@pytest.fixture
def alder() -> Iterator[ClusterDaemons]:
    with cluster(1) as daemons:
        with product.connect("alder") as database:
            database.create_table("orders")
        yield daemons


def debug_messages(flag: str) -> list[str]:
    with SegmentReader("alder") as reader:
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        return [e.message for e in owner.events if e.flag == flag and e.severity == DEBUG]


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
