"""A node's segment from the outside: what every reader sees of live, stalled, dead processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from glass.node_program import NODE
from isinglass.errors import SegmentError, SegmentMissing
from isinglass.glass import layout, segment
from isinglass.glass.histogram import HistogramValue
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Verdict, rates
from programs import hear, program, tell


def _until(reader: SegmentReader, slot: int, verdict: str, tries: int = 400) -> None:
    """Wait until a process has a verdict; each look is a fresh question to the kernel."""
    import select

    for _ in range(tries):
        if reader.verdicts().get(slot) == verdict:
            return
        select.select([], [], [], 0.025)
    raise AssertionError(f"slot {slot} is {reader.verdicts().get(slot)}, not {verdict}")


def test_every_kind_of_field_is_read_back() -> None:
    with program(NODE), SegmentReader("alder") as reader:
        snapshot = reader.snapshot()
        panel = snapshot.panel("every")
        assert panel is not None and panel.help == "One field of every kind."
        values = {field.name: field.value for field in panel.fields}
        took = values.pop("took")
        assert values == {
            "offered": 3,
            "length": -4,
            "load": 0.5,
            "last": 1_700_000_000_000_000_000,
            "state": "hé" * 10 + "h",
            "backlog.entries": 19,
            "backlog.age": 9.5,
        }
        assert isinstance(took, HistogramValue)
        assert (took.count, took.sum, took.maximum) == (4, 1006, 1000)
        assert [(f.unit, f.level) for f in panel.fields[:2]] == [
            ("updates", "info"),
            ("updates", "diagnostic"),
        ]
        assert snapshot.panel("every", "second") is not None
        assert [(t.name, t.rows, t.index_of) for t in snapshot.tables] == [
            ("orders", 12, ""),
            ("total", 11, "orders"),
        ]
        assert snapshot.state == "ready" and snapshot.node == "alder"


def test_a_thread_stands_at_its_mark_and_rates_come_from_two_snapshots() -> None:
    with program(NODE) as node, SegmentReader("alder") as reader:
        first = reader.snapshot()
        assert first.owner is not None
        thread = first.owner.threads[0]
        assert thread.site is not None and thread.site.label == "draining"
        assert (thread.site.path, thread.site.line) == ("/alder/queue.py", 10)
        tell(node, "word[0] = 5 << 16 | 12; panel.offered += 500")
        assert hear(node) == "done"
        second = reader.snapshot()
        assert second.owner is not None and second.owner.threads[0].site is not None
        assert second.owner.threads[0].site.waits
        seconds = (second.taken_monotonic_ns - first.taken_monotonic_ns) / 1e9
        key = (0, 1, "every", "", "offered")
        assert rates(first, second)[key] == pytest.approx(500 / seconds)


def test_events_are_read_in_order_and_a_full_ring_keeps_the_newest() -> None:
    with program(NODE) as node, SegmentReader("alder") as reader:
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        (event,) = owner.events
        assert (event.flag, event.message, event.severity) == ("queue", "slow", 13)
        assert event.fields == {"size": "7", "what": "a b"}
        assert event.path == "/alder/queue.py" and event.line == 10
        tell(node, "[joined.event(9, 'x', 'm' * (n % 700), n=n) for n in range(5000)]")
        assert hear(node) == "done"
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        sequences = [event.sequence for event in owner.events]
        assert sequences == list(range(sequences[0], 5002)) and len(sequences) > 400
        stamps = [event.stamp for event in owner.events]
        assert stamps == sorted(set(stamps))


def test_a_long_event_is_cut_with_a_mark() -> None:
    with program(NODE) as node, SegmentReader("alder") as reader:
        tell(node, "joined.event(9, 'x', 'é' * 5000, tail='y' * 5000)")
        assert hear(node) == "done"
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        message = owner.events[-1].message
        assert message.endswith("é…") and len(message) > 900


def test_distinct_errors_are_counted_by_kind_and_place() -> None:
    with program(NODE) as node, SegmentReader("alder") as reader:
        tell(
            node,
            "def fail(n):\\n  try: return {}[n]\\n  except KeyError as e: joined.error(e)\\n".join(
                ["exec('", "'); [fail(n) for n in range(7)]"]
            ),
        )
        assert hear(node) == "done"
        owner = reader.snapshot().owner
        assert owner is not None
        (error,) = owner.errors
        assert (error.kind, error.count) == ("KeyError", 7)
        assert error.first_wall_ns <= error.last_wall_ns


def test_kill_9_is_told_from_a_clean_exit_and_the_last_line_stays() -> None:
    with program(NODE) as node, SegmentReader("alder") as reader:
        node.send_signal(signal.SIGKILL)
        node.wait()
        owner = reader.snapshot().owner
        assert owner is not None and owner.verdict == Verdict.KILLED
        assert [t.site.label for t in owner.threads if t.site] == ["draining"]
        assert owner.panel("every") is not None
    with program(NODE) as node:
        assert reader.replaced()
        assert node.stdin is not None
        with SegmentReader("alder") as reader:
            node.stdin.close()
            node.wait()
            snapshot = reader.snapshot()
            assert snapshot.state == "clean exit"
            assert snapshot.owner is not None and snapshot.owner.verdict == Verdict.CLEAN_EXIT


def test_a_stopped_process_is_stalled_and_its_age_grows() -> None:
    with program(NODE) as node, SegmentReader("alder") as reader:
        node.send_signal(signal.SIGSTOP)
        _until(reader, 0, Verdict.STALLED)
        owner = reader.snapshot().owner
        assert owner is not None and owner.heartbeat_age_seconds > layout.STALLED_AFTER_SECONDS
        assert owner.threads[0].stood_seconds > layout.STALLED_AFTER_SECONDS
        node.send_signal(signal.SIGCONT)
        _until(reader, 0, Verdict.ALIVE)


CLIENT = """
import sys
from isinglass.glass import segment
from isinglass.glass.catalog import Counter, Panel
class ClientPanel(Panel):
    '''What a client did.'''
    puts = Counter("records", "Records put.")
panel = ClientPanel()
panel.puts = 1
joined = segment.attach("alder")
panel.puts += 1
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""


def test_a_client_claims_a_region_and_keeps_what_it_counted_before() -> None:
    with program(NODE), program(CLIENT) as client, SegmentReader("alder") as reader:
        process = reader.snapshot().process("client")
        assert process is not None and process.pid == client.pid and process.slot == 1
        panel = process.panel("client")
        assert panel is not None and panel["puts"] == 2


def test_a_forked_child_gets_a_region_of_its_own() -> None:
    fork = "import os, signal\\nif os.fork() == 0: panel.puts = 40; signal.pause()"
    with program(NODE), program(CLIENT) as client, SegmentReader("alder") as reader:
        tell(client, f'exec("{fork}")')
        assert hear(client) == "done"
        _until(reader, 2, Verdict.ALIVE)
        snapshot = reader.snapshot()
        parent, child = (p for p in snapshot.processes if p.slot in (1, 2))
        assert (parent.name, child.name) == ("client", "client child")
        assert child.pid not in (parent.pid, 0)
        panels = [process.panel("client") for process in (parent, child)]
        assert panels[0] is not None and panels[0]["puts"] == 2
        assert panels[1] is not None and panels[1]["puts"] in (0, 40)
        # The child does not keep its parent's region alive.
        client.send_signal(signal.SIGKILL)
        client.wait()
        assert reader.verdicts()[1] == Verdict.KILLED
        assert reader.verdicts()[2] == Verdict.ALIVE
        os.kill(child.pid, signal.SIGKILL)
        _until(reader, 2, Verdict.KILLED)


def test_the_second_daemon_of_a_name_is_refused() -> None:
    with program(NODE), pytest.raises(SegmentError, match="alive already"):
        segment.create("alder")


def test_a_client_of_no_node_gets_one_sentence() -> None:
    with pytest.raises(SegmentMissing, match="isinglass daemon start alder"):
        segment.attach("alder")


def test_a_client_follows_a_restarted_node() -> None:
    with program(NODE) as old, program(CLIENT) as client:
        old.kill()
        old.wait()
        with program(NODE), SegmentReader("alder") as reader:
            tell(client, "assert joined.replaced(); joined = segment.attach('alder')")
            assert hear(client) == "done"
            tell(client, "panel.puts += 1")
            assert hear(client) == "done"
            process = reader.snapshot().process("client")
            assert process is not None and process.verdict == Verdict.ALIVE
            panel = process.panel("client")
            assert panel is not None and panel["puts"] == 3


def test_numbers_and_stamps_are_drawn_once_by_all_processes() -> None:
    draw = (
        "print([joined.sequences(3) for _ in range(2000)] + [joined.stamp() for _ in range(2000)])"
    )
    with program(NODE) as node, program(CLIENT) as one, program(CLIENT) as two:
        drawn: list[int] = []
        for process in (node, one, two):
            tell(process, draw)
        for process in (node, one, two):
            mine = [int(number) for number in hear(process).strip("[]").split(",")]
            assert mine[:2000] == sorted(mine[:2000]) and mine[2000:] == sorted(mine[2000:])
            drawn += mine
            assert hear(process) == "done"
        assert len(set(drawn)) == len(drawn) == 12_000


def test_stamps_are_drawn_above_what_was_seen_elsewhere_by_every_later_draw() -> None:
    with program(NODE) as node, program(CLIENT) as client:
        for process, draw, stamp in (
            (node, "joined.stamp(2, 1 << 62)", (1 << 62) + 1),
            (client, "joined.stamp()", (1 << 62) + 3),
            (node, "joined.stamp(1, 7)", (1 << 62) + 4),
        ):
            tell(process, f"print({draw})")
            assert (int(hear(process)), hear(process)) == (stamp, "done")


def test_a_stopped_holder_of_the_clock_is_an_error_and_a_killed_one_is_not_in_the_way() -> None:
    hold = "joined.draws._lock.__enter__()"
    draw = "exec('try: joined.stamp(); print(1)\\nexcept Exception as e: print(type(e).__name__)')"
    with program(NODE) as node, program(CLIENT) as client:
        tell(client, hold)
        assert hear(client) == "done"
        client.send_signal(signal.SIGSTOP)
        tell(node, draw)
        assert (hear(node), hear(node)) == ("LockTimeout", "done")
        client.kill()
        client.wait()
        tell(node, draw)
        assert (hear(node), hear(node)) == ("1", "done")


def test_regions_come_back_after_exits_and_kills_and_the_257th_gets_an_error() -> None:
    many = """
    import os, signal, sys
    from isinglass.glass import segment
    joined = segment.attach("alder")
    children = []
    for _ in range(254):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
    from isinglass.glass.reader import SegmentReader
    reader = SegmentReader("alder")
    while sum(v == "alive" for v in reader.verdicts().values()) < 256:
        pass
    print("ready", flush=True)
    sys.stdin.readline()
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    print("done", flush=True)
    sys.stdin.readline()
    """
    with program(NODE), program(many) as crowd:
        late = subprocess.run(
            [sys.executable, "-c", "import isinglass.glass.segment as s; s.attach('alder')"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "RegionsTaken" in late.stderr and "live processes" in late.stderr
        tell(crowd, "")
        assert hear(crowd) == "done"
        with program(CLIENT) as client, SegmentReader("alder") as reader:
            alive = [p for p in reader.snapshot().processes if p.pid == client.pid]
            assert len(alive) == 1 and alive[0].claim == 2


@pytest.mark.root
def test_a_full_tmpfs_is_an_error_and_not_a_sigbus(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=True)
    try:
        source = """
        from isinglass.glass import segment
        from isinglass.errors import SegmentNoSpace
        first = segment.create("alder")
        try:
            segment.attach("alder")
            segment.current().region
            import os
            if os.fork() == 0:
                import isinglass.glass.region as r
                r.thread_word()[0] = 1
                os._exit(0 if segment.current() is None else 3)
            print("child", os.waitpid(-1, 0)[1])
        except SegmentNoSpace as error:
            print("refused:", error)
        """
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(source)],
            env={**os.environ, "ISINGLASS_RUNTIME_DIR": str(small)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        assert "child 0" in result.stdout or "no room" in result.stdout
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_an_event_with_a_surrogate_is_stored() -> None:
    """The name of a file that is no UTF-8 comes as surrogates; logging it must not fail."""
    source = """
        import isinglass
        with isinglass.attach("alder") as glass:
            glass.event(9, "f\\udcff", "m\\udcff", name="n\\udcff")
            print("ready", flush=True)
            input()
    """
    with program(source), SegmentReader("alder") as reader:
        process = reader.snapshot(events=True).owner
        assert process is not None
        event = process.events[-1]
        assert (event.flag, event.message, event.fields) == ("f?", "m?", {"name": "n?"})
