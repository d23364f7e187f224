"""Senders under floods: of events, which are all accounted for, and of what monitors might send."""

from __future__ import annotations

import os

import pytest

from cluster_daemons import ClusterDaemons, cluster
from event_listener import Heard, listener_of
from isinglass.emit.rings import runs
from isinglass.glass.panel_views import PanelView
from isinglass.glass.reader import SegmentReader
from isinglass.wire.event_bodies import WireEvent
from isinglass.wire.events import ASK, GONE, EventSealer
from programs import hear, program, tell
from waiting import wait_until

pytestmark = pytest.mark.slow
COUNT = 30_000
SHARED = ("cluster", "interface", "multicast_group", "multicast_port")
FLOOD = """
    import sys, threading, isinglass
    database = isinglass.connect("alder", process="flood")
    print("ready", flush=True)
    def work(count):
        for number in range(count):
            isinglass.event(9, "work", "an event of a flood", number=number)
    for line in sys.stdin:
        threads = [threading.Thread(target=work, args=(int(line) // 3,)) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print("done", flush=True)
"""


def log_panel(process: str) -> PanelView:
    with SegmentReader("alder") as reader:
        found = reader.snapshot().process(process)
        assert found is not None
        panel = found.panel("log")
        assert panel is not None
        return panel


def missing_ranges(heard: Heard, last: int) -> list[int]:
    """Return first, last, first, last... of what was not heard."""
    nothing = WireEvent(0, 9, "", "", "", "")
    lost = [(n, nothing) for n in range(1, last + 1) if n not in heard.events]
    return [edge for first, run in runs(lost) for edge in (first, first + len(run) - 1)]


def test_of_a_flood_every_event_is_heard_or_told_to_be_gone() -> None:
    with cluster(1) as daemons, listener_of(daemons) as listener, program(FLOOD) as flood:
        tell(flood, str(COUNT))
        listener.until(lambda: listener.stream("flood").status, "its status")
        heard = listener.stream("flood")
        listener.until(lambda: heard.status[6] == COUNT, "the end of the flood")
        assert hear(flood) == "done"
        lost = missing_ranges(heard, COUNT)
        for start in range(0, len(lost), 40):
            listener.ask(heard, *lost[start : start + 40])
        found = set(heard.events)

        def accounted() -> bool:
            gone = {n for first, last in heard.gone for n in range(first, last + 1)}
            return found | set(heard.again) | gone == set(range(1, COUNT + 1))

        listener.until(accounted, "every event, or that it is gone")
        panel = log_panel("flood")
        sent, overtaken = panel["events"], panel["overtaken"]
        assert isinstance(sent, int)
        assert isinstance(overtaken, int)
        assert sent + overtaken == COUNT


def test_a_program_of_its_own_sends_where_its_settings_say() -> None:
    source = """
        import sys, isinglass
        class ShopPanel(isinglass.Panel):
            "A shop."
            orders = isinglass.Counter("orders", "Orders taken.")
        try:
            isinglass.tell_monitors()
        except isinglass.errors.SegmentError as error:
            assert "isinglass.attach first" in str(error)
        isinglass.attach("shop")
        panel = ShopPanel()
        panel.orders += 7
        assert isinglass.tell_monitors() is bool(sys.argv[1:])
        isinglass.event(9, "work", "open", flag="f", message="m", severity="s")
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with program(source):
        pass
    settings = ClusterDaemons(("alder",))
    with pytest.MonkeyPatch.context() as patch, listener_of(settings) as listener:
        patch.setenv("ISINGLASS_INSECURE", "true")
        for name in SHARED:
            patch.setenv(f"ISINGLASS_{name.upper()}", str(settings.settings[name]))
        with program(source, "cluster"):
            listener.until(lambda: "shop.orders" in listener.figures.get("shop", {}), "figures")
            assert listener.figures["shop"]["shop.orders"] == 7
            heard = listener.stream("main", "shop")
            assert heard.status[3] == "program"
            (fields,) = heard.fields("open")
            assert fields == {"flag": "f", "message": "m", "severity": "s"}


def test_trouble_that_is_over_is_shown_no_more() -> None:
    source = """
        import os, sys, time, isinglass
        from isinglass.glass import layout
        from isinglass.glass.reader import SegmentReader
        isinglass.attach("shop")
        place = os.path.join(layout.runtime_directory(), "shop", "segment")
        os.rename(place, place + ".aside")
        isinglass.tell_monitors()
        with SegmentReader(place + ".aside") as reader:
            while not reader.snapshot().owner.panel("log")["trouble"]:
                time.sleep(0.02)
        os.rename(place + ".aside", place)
        print("ready", flush=True)
        sys.stdin.readline()
    """
    settings = ClusterDaemons(("alder",))
    with pytest.MonkeyPatch.context() as patch, listener_of(settings) as listener:
        patch.setenv("ISINGLASS_INSECURE", "true")
        for name in SHARED:
            patch.setenv(f"ISINGLASS_{name.upper()}", str(settings.settings[name]))
        with program(source), SegmentReader("shop") as reader:
            listener.until(lambda: "shop" in listener.figures, "figures")
            owner = reader.snapshot().owner
            assert owner is not None
            panel = owner.panel("log")
            assert panel is not None
            assert panel["trouble"] == ""


def test_a_sender_bears_whatever_is_sent_to_it() -> None:
    with cluster(1) as daemons, listener_of(daemons) as listener, program(FLOOD) as client:
        tell(client, "3")
        listener.until(lambda: listener.stream("flood").status, "its status")
        heard = listener.stream("flood")
        where = (heard.status[4], heard.status[5])
        name, number = str(daemons.settings["cluster"]), listener.number(heard)
        sealer = EventSealer(name, b"", 5)
        ask = sealer.seal(ASK, [number, [1, 3]], 1)
        sockets = listener._sockets
        for data in (
            *(b"", os.urandom(1400), os.urandom(60_000), b"IL" + bytes(60)),
            *(ask, ask, ask[:-1]),
            EventSealer(name, b"k", 6).seal(ASK, [number, [1, 3]], 1),
            EventSealer("other", b"", 6).seal(ASK, [number, [1, 3]], 1),
            sealer.seal(GONE, [number, 1, 3], 1),
            sealer.seal(ASK, [number ^ 1, [1, 3]], 1),
            sealer.seal(ASK, [number, [1, (1 << 63) - 1]], 1),
        ):
            assert sockets.unicast(where, data)
        listener.until(lambda: len(heard.again) == 3, "an answer")
        wait_until(lambda: log_panel("flood")["asks"] == 3, "three requests")
        # An empty one, and one cut by the buffer, are bad, too.
        wait_until(lambda: log_panel("flood")["bad"] == 9, "the others refused")
        assert not heard.gone
        for _ in range(300):
            sockets.unicast(where, sealer.seal(ASK, [number, [1, 3]], 1))
        wait_until(lambda: log_panel("flood")["asks_held"] != 0, "too many requests")
        tell(client, "3")
        listener.until(lambda: len(heard.events) == 6, "events as ever")
        assert log_panel("flood")["trouble"] == ""
