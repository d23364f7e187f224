"""Events sent to a collector: a real HTTP server that reads what OpenTelemetry's exporter sends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from cli.commands import isinglass, start
from isinglass import clock
from isinglass.errors import SettingsError
from isinglass.wire.event_bodies import WireEvent
from isinglass_monitor.otlp import Exporter, attributes_of
from isinglass_monitor.spool.batch import Piece
from isinglass_monitor.spool.folder import FOLDER
from isinglass_monitor.spool.records import Entry
from monitor import spooled
from monitor.spooled import event, fill
from waiting import wait_until

SECOND = 1000 << clock.LOGICAL_BITS
WAIT_SECONDS = 30.0


class Collector(ThreadingHTTPServer):
    """Takes what is sent, and answers the next requests with `refusals` first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.taken: Queue[tuple[str, str, LogRecord]] = Queue()  # node, flag, record
        self.refusals: list[int] = []
        self.refused = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/logs"

    def next(self, count: int) -> list[tuple[str, str, LogRecord]]:
        return [self.taken.get(timeout=WAIT_SECONDS) for _ in range(count)]

    def messages(self, count: int) -> list[str]:
        return [record.body.string_value for _, _, record in self.next(count)]


class Answer(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refusals:
            self._answer(self.server.refusals.pop(0))
            self.server.refused.set()
            return
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    place = f"{named['service.instance.id']}/{named['service.name']}"
                    self.server.taken.put((place, scope.scope.name, record))
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def piece(stream: int, first: int, events: list[WireEvent], **other: str) -> Piece:
    return spooled.piece(stream, first, events, arrived_ns=clock.wall_ns(), **other)


@contextmanager
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def now() -> int:
    return clock.stamp_floor(clock.wall_ns())


@pytest.fixture
def folder(data_dir: Path, now: int) -> Path:
    """A spool with three events of two nodes."""
    spool = data_dir / "monitor" / FOLDER
    first = [event(now - 50 * SECOND, 9, "first"), event(now - 40 * SECOND, 17, "bad")]
    fill(
        spool,
        [
            piece(1, 1, first),
            piece(2, 1, [event(now - 45 * SECOND, 13, "so so")], node="elm", process="client"),
        ],
    )
    return spool


def test_all_of_an_event_is_sent(folder: Path, now: int) -> None:
    with collector() as there:
        done = isinglass("log", "--otlp", there.address)
        assert f"3 events sent to {there.address}" in done.stderr and not done.stdout
        found = {record.body.string_value: (place, record) for place, _, record in there.next(3)}
    place, record = found["so so"]
    assert place == "elm/client"
    assert (record.severity_number, record.severity_text) == (13, "WARN")
    assert record.time_unix_nano == clock.stamp_wall_ns(now - 45 * SECOND)
    attributes = {pair.key: pair.value for pair in record.attributes}
    assert attributes["isinglass.stream"].string_value == f"{2:016x}"
    assert attributes["isinglass.sequence"].int_value == 1


def test_a_collector_that_comes_back_gets_everything(folder: Path, now: int) -> None:
    kept = folder / "sent"
    with collector() as there:
        there.refusals = [400]
        log = start("log", "--follow", "--otlp", there.address, "--cursor-file", str(kept))
        try:
            assert there.refused.wait(WAIT_SECONDS)
            assert not kept.exists(), "nothing is delivered yet"
            assert sorted(there.messages(3)) == ["bad", "first", "so so"]
            wait_until(kept.exists, "the cursor to be kept")
            before = kept.read_text()
            fill(folder, [piece(1, 3, [event(now - SECOND, 9, "later")])])
            assert there.messages(1) == ["later"]
            wait_until(lambda: kept.read_text() != before, "the cursor to move")
        finally:
            log.terminate()
            said = log.communicate()[1]
        assert "Bad Request" in said
        again = isinglass("log", "--otlp", there.address, "--cursor-file", str(kept))
        assert "0 events sent" in again.stderr
        fill(folder, [piece(1, 4, [event(now, 9, "latest")])])
        isinglass("log", "--otlp", there.address, "--cursor-file", str(kept))
        assert there.messages(1) == ["latest"]


def test_a_collector_that_refuses_is_an_error_and_moves_no_cursor(folder: Path) -> None:
    kept = folder / "sent"
    with collector() as there:
        there.refusals = [403]
        done = isinglass("log", "--otlp", there.address, "--cursor-file", str(kept), expect=1)
        assert "did not take 3 events" in done.stderr
        assert not kept.exists()


def test_what_could_not_be_printed_moves_no_cursor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    kept = tmp_path / "cursor"
    with open("/dev/full", "w") as full:
        process = start("log", "--cursor-file", str(kept), stdout=full)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the output cannot be written: No space left" in told and "Traceback" not in told
    assert not kept.exists()


def test_cursors_in_files(folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "cursor"
    assert isinglass("log", "--json", "--cursor-file", str(kept)).stdout.count("\n") == 3
    assert isinglass("log", "--json", "--cursor-file", str(kept)).stdout == ""
    both = isinglass("log", "--cursor-file", str(kept), "--after", "s1c1", expect=2)
    assert "leave one out" in both.stderr
    kept.write_text("no cursor\n")
    wrong = isinglass("log", "--cursor-file", str(kept), expect=2)
    assert f"What {kept} has is no cursor: remove it" in wrong.stderr
    away = isinglass("log", "--cursor-file", str(tmp_path / "none" / "cursor"), expect=2)
    assert "cannot be kept" in away.stderr


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="no address of a collector"):
        Exporter("localhost:4318")


def test_fields_places_and_gaps_are_attributes() -> None:
    entry = Entry(
        1 << 20, 0xAB, 7, "alder", "daemon", 13, "gap", "missing", "cause=network\todd", "a.py:12",
        0, 40,
    )  # fmt: skip
    assert attributes_of(entry) == {
        "cause": "network",
        "odd": "",
        "code.file.path": "a.py",
        "code.line.number": 12,
        "isinglass.stream": "00000000000000ab",
        "isinglass.sequence": 7,
        "isinglass.missing": 40,
    }
