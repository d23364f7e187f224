"""The program that most tests of the glass look at: a node with every kind of field, on command."""

NODE = """
import os, sys, threading
from isinglass.glass import region, segment
from isinglass.glass.catalog import (
    Counter, Gauge, Histogram, Latch, Panel, Real, Text, Timestamp)

class EveryPanel(Panel):
    '''One field of every kind.'''
    offered = Counter("updates", "Updates offered.")
    length = Gauge("updates", "Updates that wait.", level="diagnostic")
    load = Real("share", "Share of time at work.")
    last = Timestamp("The last update.")
    state = Text(30, "What it does.", level="debug")
    took = Histogram("microseconds", "How long an update took.")
    backlog = Latch(
        "What waits.", entries=Gauge("updates", "How many."), age=Real("seconds", "How old."))

panel, named = EveryPanel(), EveryPanel("second")
joined = segment.create("alder")
sites = ((10, "drain", "draining", False), (12, "drain", "for work", True))
region.register_file(5, "/alder/queue.py", "abc", sites)
word = region.thread_word()
word[0] = 5 << 16 | 10
panel.offered, panel.length, panel.load, panel.last = 3, -4, 0.5, 1_700_000_000_000_000_000
panel.state = "hé" * 20
for value in (1, 2, 3, 1000): panel.took.record(value)
for number in range(20): panel.backlog.publish(number, number / 2)
joined.ready()
joined.event(13, "queue", "slow", size=7, what="a\\tb")
joined.tables.set("orders", 12, 4096); joined.tables.set("total", 11, 0, index_of="orders")
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""
