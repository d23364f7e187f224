"""isinglass: watch a running daemon through shared memory, live, stopped or dead.

    import isinglass                      # a client of the replicated database
    with isinglass.connect("alder") as database:
        database.put("orders", "2026/1", {"total": 12})

    import isinglass                      # your own daemon behind the glass
    isinglass.attach("mydaemon")

Names are imported when they are first used, so that `import isinglass` costs a millisecond.
"""

from __future__ import annotations

from isinglass.glass.hook import instrument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.client import Client as Client
    from isinglass.client import connect as connect
    from isinglass.emit.program import tell_monitors as tell_monitors
    from isinglass.glass.catalog import Counter as Counter
    from isinglass.glass.catalog import Gauge as Gauge
    from isinglass.glass.catalog import Histogram as Histogram
    from isinglass.glass.catalog import Latch as Latch
    from isinglass.glass.catalog import Panel as Panel
    from isinglass.glass.catalog import Real as Real
    from isinglass.glass.catalog import Text as Text
    from isinglass.glass.catalog import Timestamp as Timestamp
    from isinglass.glass.flags import flag as flag
    from isinglass.glass.logging_handler import GlassHandler as GlassHandler
    from isinglass.glass.logging_handler import logging_handler as logging_handler
    from isinglass.glass.logging_handler import structlog_processor as structlog_processor
    from isinglass.glass.probe import mark as mark
    from isinglass.glass.segment import event as event
    from isinglass.glass.segment import open_or_create as attach
    from isinglass.glass.stacks import stacks_on_request as stacks_on_request

__version__ = "0.1.0"

_HOMES = {
    "Client": ("isinglass.client", "Client"),
    "Counter": ("isinglass.glass.catalog", "Counter"),
    "Gauge": ("isinglass.glass.catalog", "Gauge"),
    "Histogram": ("isinglass.glass.catalog", "Histogram"),
    "Latch": ("isinglass.glass.catalog", "Latch"),
    "Panel": ("isinglass.glass.catalog", "Panel"),
    "Real": ("isinglass.glass.catalog", "Real"),
    "Text": ("isinglass.glass.catalog", "Text"),
    "Timestamp": ("isinglass.glass.catalog", "Timestamp"),
    "attach": ("isinglass.glass.segment", "open_or_create"),
    "connect": ("isinglass.client", "connect"),
    "event": ("isinglass.glass.segment", "event"),
    "flag": ("isinglass.glass.flags", "flag"),
    "GlassHandler": ("isinglass.glass.logging_handler", "GlassHandler"),
    "logging_handler": ("isinglass.glass.logging_handler", "logging_handler"),
    "structlog_processor": ("isinglass.glass.logging_handler", "structlog_processor"),
    "tell_monitors": ("isinglass.emit.program", "tell_monitors"),
    "mark": ("isinglass.glass.probe", "mark"),
    "stacks_on_request": ("isinglass.glass.stacks", "stacks_on_request"),
}
__all__ = [
    "Client",
    "Counter",
    "Gauge",
    "GlassHandler",
    "Histogram",
    "Latch",
    "Panel",
    "Real",
    "Text",
    "Timestamp",
    "attach",
    "connect",
    "event",
    "flag",
    "instrument",
    "logging_handler",
    "mark",
    "stacks_on_request",
    "structlog_processor",
    "tell_monitors",
]

# The marks of isinglass itself are stores, too; this stands before any module that has marks.
instrument("isinglass")


def __getattr__(name: str) -> object:
    """Import a public name from its home at its first use (PEP 562)."""
    try:
        module, attribute = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'isinglass' has no attribute {name!r}") from None
    from importlib import import_module

    value = globals()[name] = getattr(import_module(module), attribute)
    return value
