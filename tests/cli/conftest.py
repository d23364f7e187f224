"""Nodes for the commands to look at: real segments, written by real processes of other programs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from programs import program

# A daemon that is not ours: its own panel, labels and units, and two threads with marks.
BAKERY = """
import sys, threading
from isinglass.glass import region, segment
from isinglass.glass.catalog import (
    Counter, Gauge, Histogram, Latch, Panel, Real, Text, Timestamp)

class OvenPanel(Panel):
    '''What the oven does.'''
    loaves = Counter("loaves", "Loaves taken out of the oven.")
    waiting = Gauge("loaves", "Loaves that rise.")
    load = Real("share", "Share of the oven in use.")
    last = Timestamp("When the last loaf came out.")
    state = Text(30, "What the baker does.")
    burnt = Counter("loaves", "Loaves that were burnt.", level="diagnostic")
    ash = Gauge("grams", "Ash in the oven.", level="debug")
    took = Histogram("microseconds", "How long a loaf took.")
    queue = Latch("Orders that wait.", orders=Gauge("orders", "How many."),
                  oldest=Real("seconds", "How old the oldest is."))

class TimerPanel(Panel):
    '''A periodic task.'''
    runs = Counter("runs", "How often it ran.")

name, role = sys.argv[1], sys.argv[2]
joined = segment.create(name, role) if role == "daemon" else segment.attach(name, role)
oven = OvenPanel()
timer = TimerPanel("sweep")
oven.loaves, oven.waiting, oven.load, oven.state = 1234567, -2, 0.5, "baking"
oven.last = 1_700_000_000_000_000_000
for took in (10, 20, 4000): oven.took.record(took)
oven.queue.publish(7, 1.5)
timer.runs = 41
source = sys.argv[3]
sites = ((2, "bake", "kneading", False), (3, "bake", "for orders", True))
region.register_file(5, source, "", sites)
word = region.thread_word()
word[0] = 5 << 16 | 2

def serve():
    region.thread_word()[0] = 5 << 16 | 3
    serving.set()
    threading.Event().wait()

def bake_on():
    pause = threading.Event()
    while not pause.wait(0.001):
        oven.loaves += 1

serving = threading.Event()
threading.Thread(target=serve, name="counter", daemon=True).start()
serving.wait()
joined.tables.set("orders", 12, 4096) if role == "daemon" else None
joined.tables.set("customer", 11, 0, index_of="orders") if role == "daemon" else None
joined.event(17, "oven", "too hot", degrees=300)
try:
    raise ValueError("no flour")
except ValueError as error:
    joined.error(error)
joined.ready() if role == "daemon" else None
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
joined.close()
"""

SOURCE = "def bake():\n    mark('kneading')\n    mark.waiting('for orders')\n"


@pytest.fixture
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source file that the bakery's marks point into."""
    path = tmp_path_factory.mktemp("bakery") / "oven.py"
    path.write_text(SOURCE)
    return str(path)


@pytest.fixture
def bakery(source: str) -> Iterator[subprocess.Popen[str]]:
    """A node `bakery` whose daemon does what it is told on its standard input."""
    with program(BAKERY, "bakery", "daemon", source) as process:
        yield process


@pytest.fixture
def customer(bakery: subprocess.Popen[str], source: str) -> Iterator[subprocess.Popen[str]]:
    """A second process of the node `bakery`."""
    with program(BAKERY, "bakery", "customer", source) as process:
        yield process
