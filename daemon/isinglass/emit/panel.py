"""What a process shows of the events that it sends to the cluster's monitors."""

from __future__ import annotations

from isinglass.glass.catalog import Counter, Panel, Text


class LogPanel(Panel):
    """The events of this process on their way to the cluster's monitors."""

    group = Text(64, "Where they go: the group, its port, and this machine's address.")
    trouble = Text(120, "Why nothing can be sent now; empty when all is well.")
    events = Counter("events", "Events sent.")
    relayed = Counter("events", "Events sent for processes of the node that do not send theirs.")
    sent = Counter("datagrams", "Datagrams sent to all: events, status, figures.")
    sent_bytes = Counter("bytes", "Bytes of these datagrams.")
    refused = Counter("datagrams", "Datagrams that this machine's kernel did not take.")
    overtaken = Counter("events", "Events overwritten in their ring before they were sent.")
    wakes = Counter("wakes", "Times an event woke the sending thread.")
    asks = Counter("requests", "Requests of monitors for events that they miss.")
    asks_held = Counter("requests", "Of these, not answered: too many in that second.")
    again = Counter("events", "Events sent again, to the monitor that asked.")
    gone = Counter("events", "Events asked for that no ring has any more.")
    bad = Counter("datagrams", "Datagrams received that were not genuine, or no request.")
