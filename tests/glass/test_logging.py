"""`logging`, structlog and the direct call: what they store in the ring of a process."""

from __future__ import annotations

from isinglass.glass.journal import Event
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Process
from programs import program

TEXT = """
    import logging, sys, isinglass
    glass = isinglass.attach("alder")
    {work}
    print("ready", flush=True)
    sys.stdin.readline()
"""


def behind_the_glass(work: str) -> tuple[Process, tuple[Event, ...]]:
    """Run a few lines in a process of its own; return it, and its events."""
    indented = "\n    ".join(line.strip("\n") for line in work.strip().splitlines())
    with program(TEXT.format(work=indented)), SegmentReader("alder") as reader:
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        return owner, owner.events


def test_a_logging_record_is_an_event_with_its_fields_and_its_line() -> None:
    process, events = behind_the_glass(
        """
log = logging.getLogger("shop.orders")
log.addHandler(isinglass.logging_handler())
log.setLevel(1)
for level in (1, 10, 15, 20, 30, 40, 50, 60):
 log.log(level, "order %d", level, extra={"order": level})
try: 1 / 0
except ZeroDivisionError: log.exception("failed")
log.info("%s and %s", "too few")
"""
    )
    said = [event for event in events if event.message.startswith("order")]
    assert [event.severity for event in said] == [1, 5, 5, 9, 13, 17, 21, 21]
    assert said[3].message == "order 20"
    assert said[3].flag == "shop.orders"
    assert said[3].fields == {"order": "20", "at": "<string>:8"}
    failed = next(event for event in events if event.message == "failed")
    assert failed.severity == 17
    assert failed.fields["error"] == "ZeroDivisionError: division by zero"
    assert [(error.kind, error.count) for error in process.errors] == [("ZeroDivisionError", 1)]
    assert events[-1] is failed, "a record that cannot be formatted is no event"


def test_a_formatter_makes_the_message_and_a_level_keeps_records_out() -> None:
    _, events = behind_the_glass(
        """
handler = isinglass.logging_handler("WARNING")
handler.setFormatter(logging.Formatter("%(name)s says %(message)s"))
logging.getLogger("shop").addHandler(handler)
logging.getLogger("shop").warning("hm")
logging.getLogger("shop").setLevel(logging.INFO)
logging.getLogger("shop").info("no")
"""
    )
    assert events[-1].message == "shop says hm"


def test_structlog_events_come_with_their_context() -> None:
    _, events = behind_the_glass(
        """
import structlog
structlog.configure(
 processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
  isinglass.structlog_processor, structlog.processors.JSONRenderer()],
 logger_factory=structlog.ReturnLoggerFactory())
log = structlog.get_logger().bind(user="ann", logger="shop")
log.warning("hm", order=7)
log.info("ok")
log.error("text\\twith\\ttabs", note="a\\tb")
"""
    )
    shop = [event for event in events if event.flag == "shop"]
    assert [(e.severity, e.message) for e in shop[:2]] == [(13, "hm"), (9, "ok")]
    assert shop[0].fields == {"user": "ann", "order": "7"}
    assert shop[2].fields == {"user": "ann", "note": "a b"}


def test_the_direct_call_works_before_and_after_the_process_joins_a_node() -> None:
    source = """
        import sys, isinglass
        isinglass.event(9, "early", "before", number=1)
        with isinglass.attach("alder"):
            isinglass.event(13, "late", "behind the glass")
            print("ready", flush=True)
            sys.stdin.readline()
    """
    with program(source), SegmentReader("alder") as reader:
        owner = reader.snapshot(events=True).owner
        assert owner is not None
        found = [(e.severity, e.flag, e.message) for e in owner.events if e.flag != "glass"]
        assert found == [(9, "early", "before"), (13, "late", "behind the glass")]
