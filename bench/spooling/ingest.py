"""How many events a second each receiver takes without loss, and what one costs it.

The rate is raised step by step until events are missing; the step before counts. A step that fails
is tried once more, because the machine is shared. Of our monitor it is asserted at every rate that
nothing is missing without being reported: stored + reported lost = sent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

import harness

from spooling.receivers import Receiver, has_rsyslog, monitor, python_server, rsyslog

RATES = (10_000, 20_000, 40_000, 60_000, 80_000, 100_000, 130_000, 160_000, 200_000, 250_000)
FIXED_RATE = 10_000
PACKED = 7
REACHED = 0.9  # of the rate: below, the sender is what cannot keep up

Make = Callable[[Path], AbstractContextManager[Receiver]]


class Step:
    """One rate for some seconds."""

    def __init__(self, receiver: Receiver, rate: float, seconds: float) -> None:
        before, cpu = receiver.count(), receiver.cpu_seconds()
        command = [
            sys.executable, "-m", "spooling.flood", receiver.kind, "--rate", str(rate),
            "--seconds", str(seconds), "--together", str(receiver.together), *receiver.target,
        ]  # fmt: skip
        done = subprocess.run(
            command, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parent.parent
        )
        told = json.loads(done.stdout)
        self.sent, self.rate = int(told["sent"]), float(told["rate"])
        got = receiver.await_all(before, self.sent)
        self.stored, self.reported = got.stored, got.lost
        self.missing = self.sent - got.stored
        self.unexplained = self.missing - got.lost
        self.kept_up = self.rate >= rate * REACHED
        self.cpu_us = (receiver.cpu_seconds() - cpu) / max(got.stored, 1) * 1e6


def climb(receiver: Receiver, seconds: float, rates: tuple[int, ...]) -> tuple[float, str, int]:
    """Return the greatest rate without loss, what ended the climb, and the unexplained losses."""
    best, unexplained = 0.0, 0
    for rate in rates:
        for _ in range(2):
            step = Step(receiver, rate, seconds)
            if receiver.kind == "packed":
                unexplained += abs(step.unexplained)
            if not step.missing and step.kept_up:
                break
        if step.missing:
            return best, "loss", unexplained
        best = max(best, step.rate)
        if not step.kept_up:
            return best, "the sender", unexplained
    return best, "the last step", unexplained


def cases() -> dict[str, Make]:
    """Return the receivers that this machine has."""
    made: dict[str, Make] = {
        "monitor, packed": lambda folder: monitor(folder, PACKED),
        "monitor, one a datagram": lambda folder: monitor(folder, 1),
    }
    if has_rsyslog():
        made["rsyslog to a file"] = rsyslog
    made["SysLogHandler, socketserver"] = python_server
    return made


def measure(report: harness.Report, arguments: argparse.Namespace, folder: Path) -> None:
    """Add the table and the claims on taking in."""
    rates = tuple(rate for rate in RATES if rate <= arguments.top)
    best: dict[str, list[float]] = {name: [] for name in cases()}
    cpu: dict[str, list[float]] = {name: [] for name in cases()}
    ended: dict[str, list[str]] = {name: [] for name in cases()}
    unexplained = 0
    for turn in range(arguments.rounds):
        for number, (name, make) in enumerate(cases().items()):
            place = folder / f"{turn}-{number}"
            place.mkdir()
            with make(place) as receiver:
                Step(receiver, FIXED_RATE, 0.5)  # warm
                cpu[name].append(Step(receiver, FIXED_RATE, arguments.seconds).cpu_us)
                rate, why, odd = climb(receiver, arguments.seconds, rates)
            best[name].append(rate)
            ended[name].append(why)
            unexplained += odd
            print(f"{name}: {rate:,.0f} ({why}), {cpu[name][-1]:.1f} µs", file=sys.stderr)
    rows = [
        [name, median(best[name]), ", ".join(sorted(set(ended[name]))), median(cpu[name])]
        for name in best
    ]
    columns = [
        "receiver",
        "events/s without loss",
        "ended by",
        f"CPU µs an event at {FIXED_RATE}/s",
    ]
    report.tables.append(harness.Table(columns, rows, "Taking in"))
    report.claims.append(
        harness.Claim("events missing without being reported, at any rate", unexplained, 0)
    )
    if has_rsyslog():
        ratio = median(best["monitor, packed"]) / median(best["rsyslog to a file"])
        sentence = "events a second, packed into the durable spool, beside rsyslog into a file"
        report.claims.append(harness.Claim(sentence, ratio, 1, at_most=False))
