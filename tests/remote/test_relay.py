"""A relay tells what a node shows, folds what was not granted, and ends with its client."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.commands import COMMAND
from isinglass import clock
from isinglass.errors import SegmentMissing
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Snapshot, Verdict
from isinglass.remote import message_bodies as bodies
from isinglass.remote.frames import Kind, framed
from relay_client import LIMIT_SECONDS, RelayClient, relay

Node = subprocess.Popen[str]


def field(snapshot: Snapshot | None, panel: str, name: str) -> int:
    assert snapshot is not None
    view = snapshot.panel(panel)
    assert view is not None
    value = view[name]
    assert isinstance(value, int)
    return value


def test_hello_tells_versions_and_nodes(alder: Node) -> None:
    with relay() as client:
        hello = client.hello()
    assert hello["protocol"] == bodies.PROTOCOL
    assert hello["nodes"] == ["alder"]
    assert hello["pid"] == client.process.pid


def test_a_frame_says_what_a_local_reader_says(alder: Node) -> None:
    alder.send_signal(signal.SIGSTOP)  # So that both see the same.
    with relay() as client, SegmentReader("alder") as reader:
        client.hello()
        client.open("alder")
        found = client.look().snapshot
        assert found is not None
        here = reader.snapshot()
    assert [p.verdict for p in found.processes] == [p.verdict for p in here.processes]
    shown = [
        [(panel.name, panel.instance, field.name, str(field.value))]
        for snapshot in (found, here)
        for process in snapshot.processes
        for panel in process.panels
        for field in panel.fields
        if field.kind != "histogram"
    ]
    assert shown[: len(shown) // 2] == shown[len(shown) // 2 :]
    assert [t.site and t.site.line for p in found.processes for t in p.threads] == [
        t.site and t.site.line for p in here.processes for t in p.threads
    ]


def test_differences_follow_the_first_copy_and_are_small(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        first = client.look()
        later = [client.look(delay_seconds=0.1) for _ in range(3)]
    offered = [field(arrival.snapshot, "queue", "offered") for arrival in (first, *later)]
    assert offered == sorted(offered) and offered[0] < offered[-1]
    assert max(arrival.size_bytes for arrival in later) < first.size_bytes / 4


def test_looks_at_the_threads_are_counted_there(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look(looks=200)
        while True:  # a busy machine has no time for some, which is counted, too, or for nearly all
            arrival = client.look(delay_seconds=1.0, looks=200)
            sampling = arrival.sampling
            due = 200 * sampling.span_ns / 1e9
            assert sampling.taken + sampling.missed == pytest.approx(due, rel=0.05)
            assert due >= 190
            if sampling.taken >= 20:
                break
    assert arrival.snapshot is not None
    owner = arrival.snapshot.owner
    assert owner is not None
    by_line = {thread.key[2]: thread for thread in arrival.threads}
    names = {thread.index: thread.name for thread in owner.threads}
    assert {"applier", "timer"} <= {names[line] for line in by_line}
    for thread in by_line.values():
        assert sum(thread.counts.values()) == arrival.sampling.taken
        assert thread.usage is not None
    applier = next(by_line[line] for line, name in names.items() if name == "applier")
    labels = {site.label for word in applier.counts if (site := owner.site(word))}
    assert labels == {"applying a batch", "for work"}


def test_what_was_not_granted_is_folded_into_the_next_frame(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look(looks=100)
        ticks = [client.look(delay_seconds=0.5, looks=100) for _ in range(2)]
        late = client.look(delay_seconds=1.5, looks=100)
    assert late.sampling.taken > 2 * max(tick.sampling.taken for tick in ticks)
    assert late.sampling.span_ns > 1.4e9
    assert late.size_bytes < 2 * max(tick.size_bytes for tick in ticks)


def test_events_come_once(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        first = client.look()
        second = client.look()
    messages = [event[5] for _, _, events in first.events for event in events]
    assert messages == ["opened the store", "commit took 1 204 ms"]
    assert second.events == []


def test_the_whole_rings_come_when_they_are_asked_for(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look()
        client.grant(flags=bodies.RINGS)
        with_rings = client.frame().snapshot
        after = client.look().snapshot
    assert with_rings is not None and with_rings.owner is not None
    assert next(event.message for event in with_rings.owner.events) == "opened the store"
    assert field(after, "queue", "offered") > 0


def test_the_verdict_is_the_far_kernels(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look()
        alder.kill()
        alder.wait()
        arrival = client.look()
    assert arrival.snapshot is not None and arrival.snapshot.owner is not None
    assert arrival.snapshot.owner.verdict == Verdict.KILLED


def test_a_restart_is_followed(start_node: Callable[[str], Node]) -> None:
    first = start_node("alder")
    with relay() as client:
        client.hello()
        client.open("alder")
        before = client.look().snapshot
        first.kill()
        first.wait()
        start_node("alder")
        arrival = client.look()
    assert arrival.restarted
    assert arrival.snapshot is not None and before is not None
    assert arrival.snapshot.generation != before.generation


def test_a_node_that_is_not_there_is_told_until_it_is(start_node: Callable[[str], Node]) -> None:
    with relay() as client:
        client.hello()
        client.open("birch")
        assert isinstance(client.look().wrong, SegmentMissing)
        start_node("birch")
        assert client.look().snapshot is not None
        client.send(Kind.LIST)
        assert client.hear().body == b"birch"


def test_several_nodes_go_through_one_relay(start_node: Callable[[str], Node]) -> None:
    names = ["alder", "birch", "cedar"]
    for name in names:
        start_node(name)
    with relay() as client:
        client.hello()
        for channel, name in enumerate(names, 1):
            client.open(name, channel)
            client.grant(channel)
        found = [client.frame().snapshot for _ in names]
    assert sorted(snapshot.node for snapshot in found if snapshot) == names


def refusal(client: RelayClient, name: str) -> str:
    client.hello()
    client.open(name)
    message = client.hear()
    assert message.kind == Kind.REFUSED
    return bodies.read_wrong(message.body)[1]


def test_only_the_named_nodes_may_be_seen(start_node: Callable[[str], Node]) -> None:
    start_node("alder")
    start_node("birch")
    with relay("alder") as client:
        assert refusal(client, "birch") == "node birch may not be seen here, only alder"
        client.open("alder")
        assert client.look().snapshot is not None


@pytest.mark.parametrize("name", ["/etc/passwd", "../alder/segment", "."])
def test_a_client_opens_no_paths(name: str) -> None:
    with relay() as client:
        assert "opens no paths" in refusal(client, name)


def forced(original: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the relay as sshd runs a forced command."""
    environment = {**os.environ, "SSH_ORIGINAL_COMMAND": original}
    return subprocess.run(
        [COMMAND, "relay", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


def test_a_forced_command_decides(alder: Node, home: Path) -> None:
    assert forced("isinglass relay --list").stdout == "alder\n"
    assert forced("isinglass relay --list", "birch").stdout == "birch\n"
    assert forced("/opt/bin/isinglass relay alder --list", "alder", "birch").stdout == "alder\n"
    for original in ("cat /etc/passwd", "", "isinglass dump", "relay"):
        done = forced(original, "alder")
        assert (done.returncode, done.stdout) == (2, "")
        assert "This key is for `isinglass relay` alone" in done.stderr
    done = forced("isinglass relay birch", "alder")
    assert (done.returncode, done.stdout) == (2, "")
    assert forced(f"isinglass relay {home}/alder/segment").returncode == 2


def test_the_end_of_its_input_ends_it(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look(looks=1000)
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(LIMIT_SECONDS) == 0


def test_the_end_of_its_readers_ends_it(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look()
        assert client.process.stdout is not None
        client.process.stdout.close()
        client.grant()
        assert client.process.wait(LIMIT_SECONDS) == 0
        client.process.stdout = open(os.devnull, "rb")  # noqa: SIM115 - for the closing


def test_nothing_piles_up_for_who_does_not_read(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.look()
        process = psutil.Process(client.process.pid)
        client.grant(looks=100)
        before = process.memory_info().rss
        for _ in range(2000):
            client.grant(looks=100)
        client.send(Kind.LIST)
        frames = 0
        while client.hear().kind == Kind.FRAME:
            frames += 1
        assert frames <= 2001
        assert process.memory_info().rss - before < 4 * 2**20


def test_who_asks_and_does_not_read_has_to_wait() -> None:
    names, asks = [f"node-{number}-{'x' * 40}" for number in range(80)], 10_000
    with relay(*names) as client:
        client.hello()
        process, source = psutil.Process(client.process.pid), client.process.stdin
        assert source is not None
        before, grown, rests = process.memory_info().rss, 0, 0
        questions = framed(Kind.LIST) * asks
        writing = threading.Thread(target=lambda: [source.write(questions), source.flush()])
        writing.start()
        while rests < 5 and grown < 6 * 2**20:  # until it has done what it can
            clock.sleep(0.1)
            rests = rests + 1 if process.status() == psutil.STATUS_SLEEPING else 0
            grown = process.memory_info().rss - before
        assert grown < 6 * 2**20
        assert {client.hear().body for _ in range(asks)} == {"\n".join(names).encode()}
        writing.join()


def test_what_is_no_protocol_is_refused(alder: Node) -> None:
    with relay() as client:
        client.hello()
        client.open("alder")
        client.send(Kind.GRANT, 1, b"short")
        message = client.hear()
        assert message.kind == Kind.REFUSED
        assert client.look().snapshot is not None, "and it goes on"
