"""Events of the log to an OpenTelemetry collector: OTLP over HTTP, by OpenTelemetry's own exporter.

    resource      service.name = the process   service.instance.id = the node
    scope         the flag
    record        time, time of arrival, severity as it is, the message as body
    attributes    the fields, code.file.path, code.line.number, isinglass.stream, .sequence,
                  and of a gap isinglass.missing

The names are those of OpenTelemetry's semantic conventions where it has one. An event may be sent
twice when a delivery was cut off: stream and sequence together tell which ones are the same. The
library belongs to the extra `otlp`, and is asked for only when something is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from isinglass import clock
from isinglass.errors import IsinglassError, SettingsError
from isinglass.glass.severity import severity_name
from isinglass_monitor.spool.records import Entry

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord

RESOURCES_KNOWN = 4_096
# The library tries again meanwhile, with growing pauses, what a collector answered to be temporary.
TIMEOUT_SECONDS = 10.0


class NotDelivered(IsinglassError):
    """The collector did not take events."""


class Exporter:
    """Sends entries of the log to one collector.

    Args:
        endpoint: the whole address, such as `http://localhost:4318/v1/logs`.

    Raises:
        SettingsError: the library is not installed, or the address is none.
    """

    def __init__(self, endpoint: str) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise SettingsError(
                f"{endpoint!r} is no address of a collector:"
                " give one such as http://localhost:4318/v1/logs."
            )
        try:
            from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
            from opentelemetry.sdk._logs.export import LogRecordExportResult
        except ImportError:
            raise SettingsError(
                "Sending events to a collector needs OpenTelemetry's exporter:"
                " install it with `pip install 'isinglass[otlp]'`."
            ) from None
        self._endpoint = endpoint
        self._told = _Told()
        library = logging.getLogger("opentelemetry.exporter")
        library.handlers, library.propagate = [self._told], False
        self._exporter = OTLPLogExporter(endpoint, timeout=TIMEOUT_SECONDS)
        self._success = LogRecordExportResult.SUCCESS

    def send(self, entries: Sequence[Entry]) -> None:
        """Send a batch of entries; all or none of them counts as delivered.

        Raises:
            NotDelivered: the collector did not take them, within ten seconds.
        """
        if self._exporter.export([record_of(entry) for entry in entries]) != self._success:
            raise NotDelivered(
                f"The collector at {self._endpoint} did not take {len(entries)} events"
                f" ({self._told.sentence or 'it did not say why'})."
            )

    def close(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Told(logging.Handler):
    """Keeps what the library said last: it logs why, and returns only that."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentence = ""

    def emit(self, record: logging.LogRecord) -> None:
        if "max retries" not in record.msg:  # that it gave up says less than what made it try
            self.sentence = record.getMessage().strip().rstrip(".")


def record_of(entry: Entry) -> ReadableLogRecord:
    """Return an entry as the record of OpenTelemetry that is sent."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    record = LogRecord(
        timestamp=clock.stamp_wall_ns(entry.stamp),
        observed_timestamp=entry.arrived_ns or clock.stamp_wall_ns(entry.stamp),
        severity_text=severity_name(entry.severity),
        severity_number=SeverityNumber(entry.severity),
        body=entry.message,
        attributes=attributes_of(entry),
    )
    scope = InstrumentationScope(entry.flag)
    return ReadableLogRecord(record, _resource(entry.node, entry.process), scope)


def attributes_of(entry: Entry) -> dict[str, str | int]:
    """Return the attributes of an entry: its own fields, and where and as what it was logged."""
    pairs: Sequence[tuple[str, str, str]] = [
        pair.partition("=") for pair in entry.fields.split("\t") if pair
    ]
    found: dict[str, str | int] = {key: value for key, _, value in pairs}
    path, _, line = entry.where.rpartition(":")
    if path and line.isdecimal():
        found["code.file.path"], found["code.line.number"] = path, int(line)
    found["isinglass.stream"], found["isinglass.sequence"] = f"{entry.stream:016x}", entry.sequence
    if entry.missing:
        found["isinglass.missing"] = entry.missing
    return found


@lru_cache(maxsize=RESOURCES_KNOWN)
def _resource(node: str, process: str) -> Any:
    from opentelemetry.sdk.resources import Resource

    # Not Resource.create: that would add what this process is, which is not who logged.
    return Resource({"service.name": process, "service.instance.id": node})
