"""`isinglass top`: where time goes, by process, thread and line, from the probes in the segment.

The sampled processes do nothing for it and notice nothing: their words are read out of shared
memory, and the kernel's account of each thread out of /proc.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import TextIO

from isinglass import __version__, clock
from isinglass.cli import nodes, tables, verdicts
from isinglass.cli.options import Command, Option, Values
from isinglass.cli.printing import show
from isinglass.cli.profiles import folded, speedscope
from isinglass.cli.punctual import be_ordinary, be_punctual, ordinary_meanwhile
from isinglass.cli.sampled import Sampled
from isinglass.cli.sampling import Sampler
from isinglass.cli.selection import PROCESS
from isinglass.cli.top_report import LINE_COLUMNS, SORTS, Report, Shown, summary
from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass.cli.remote_sampling import RemoteSampler

FASTEST_HZ, SLOWEST_HZ = 1000.0, 1.0
DRAW_EVERY_NS = 1_000_000_000
LINES_ON_SCREEN = 24
SECONDS_WITHOUT_TERMINAL = 5.0

COMMAND = Command(
    "top",
    "Sample the probes of a node: where time goes, by process, thread and line.",
    positionals=(nodes.ONE_NODE,),
    options=(
        Option(
            "rate",
            "Samples a second, 1 to 1000.",
            value="HZ",
            kind="positive",
            default=100.0,
            short="r",
        ),
        Option(
            "seconds",
            "End after so long; without a terminal 5, else until interrupted.",
            value="N",
            kind="positive",
            short="s",
        ),
        PROCESS,
        Option(
            "sort", "The order of the lines.", value="KEY", choices=tuple(SORTS), default="share"
        ),
        tables.COLUMNS,
        tables.SELECT,
        Option("json", "Print one JSON document at the end."),
        tables.TSV,
        tables.CSV,
        Option(
            "speedscope",
            "Write a profile for speedscope.app.",
            value="FILE",
            completes="files",
        ),
        Option("folded", "Write folded stacks, for flame graphs.", value="FILE", completes="files"),
        nodes.SSH_COMMAND,
    ),
    notes=(
        "Shares are of the time of all threads; lines where a thread waits on purpose stand apart."
        " Running, waiting for a CPU and blocked are the kernel's account of the thread, divided"
        " among the lines that were seen in the same quarter of a second.",
        "At an ssh:// address the samples are taken there, and told four times a second; their"
        " order within that time is not.",
        "Exit code: as for `isinglass dump`.",
    ),
    examples=(
        "isinglass top alder --rate 1000 --seconds 10",
        "isinglass top alder --seconds 30 --speedscope alder.json",
        "isinglass top alder --seconds 5 --json | jq '.lines[:3]'",
        "isinglass top alder --seconds 60 --csv >alder.csv",
        "isinglass top alder --select 'thread = applier' --fields line,label,share",
    ),
)


def main(arguments: list[str]) -> int:
    """Sample and print; return 0 when the node's daemon is alive at the end, else 1."""
    values = COMMAND.parse(arguments)
    rate_hz = values.number("rate")
    shown = Shown(
        values.text("sort"),
        tables.chosen_columns(values, LINE_COLUMNS),
        tables.chooser(values, LINE_COLUMNS),
        as_asked=values.given("fields"),
    )
    if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
        raise UsageError(f"--rate is 1 to 1000 samples a second, not {rate_hz:g}.")
    sampler = _sampler(values, rate_hz)
    with ExitStack() as stack:
        stack.callback(sampler.close)
        # Before anything is sampled, which takes the operator's time.
        files = {name: stack.enter_context(_new(values.text(name))) for name in _asked(values)}
        report = Report(sampler, rate_hz, shown)
        _sample(sampler, report, values)
        _finish(sampler, report, values, files)
        return verdicts.exit_code(sampler.snapshot)


def _asked(values: Values) -> Iterator[str]:
    """Yield the options whose values are files to write."""
    return filter(values.given, ("speedscope", "folded"))


def _new(path: str) -> TextIO:
    """Open a file to write.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name another.") from error


def _sampler(values: Values, rate_hz: float) -> Sampler | RemoteSampler:
    """Return what samples the node: here, or on its own host."""
    name, globs = values.text("NODE"), values.texts("process")
    keep_order = values.given("speedscope")
    if nodes.is_remote(name):
        from isinglass.cli.remote_sampling import RemoteSampler
        from isinglass.remote.attach import Follower

        follower = Follower(name, values.text("ssh-command"), 0.0)
        return RemoteSampler(follower, rate_hz, globs, keep_order=keep_order)
    reader = nodes.open_reader(nodes.only_one(name))
    return Sampler(reader, rate_hz, globs, keep_order=keep_order)


def _sample(sampler: Sampler | RemoteSampler, report: Report, values: Values) -> None:
    """Sample for the time asked for; an interrupt ends it early, and is no error."""
    on_terminal = sys.stdout.isatty() and not any(map(values.flag, ("json", "tsv", "csv")))
    seconds = SECONDS_WITHOUT_TERMINAL
    if values.given("seconds"):
        seconds = values.number("seconds")
    elif on_terminal:
        seconds = float("inf")
    until_ns = clock.monotonic_ns() + int(min(seconds, 1e9) * clock.NANOSECONDS_PER_SECOND)
    with ExitStack() as stack:
        each_window: Callable[[], None] = _nothing
        if on_terminal:
            each_window = _drawer(report, stack)
        if not nodes.is_remote(values.text("NODE")):
            report.scheduling = be_punctual()
        try:
            sampler.run(until_ns, each_window)
        except KeyboardInterrupt:
            pass
        finally:
            be_ordinary()


def _nothing() -> None:
    """Do nothing after a window: nobody looks before the end."""


def _drawer(report: Report, stack: ExitStack) -> Callable[[], None]:
    """Return what redraws the live table once a second."""
    from isinglass.cli.terminal import LiveScreen

    draw = stack.enter_context(LiveScreen())
    drawn_ns = 0

    def each_window() -> None:
        nonlocal drawn_ns
        now_ns = clock.monotonic_ns()
        if now_ns - drawn_ns >= DRAW_EVERY_NS:
            drawn_ns = now_ns
            with ordinary_meanwhile():
                draw(report.sections(LINES_ON_SCREEN))

    return each_window


def _finish(sampler: Sampled, report: Report, values: Values, files: Mapping[str, TextIO]) -> None:
    """Write the files that were asked for, and the last word on stdout."""
    if "speedscope" in files:
        title = f"{sampler.snapshot.node}: {summary(sampler)}"
        sample_seconds = 1.0 / (sampler.schedule.achieved_hz(sampler.seen_ns) or 1.0)
        document = speedscope(sampler.tracks(), sample_seconds, title, f"isinglass {__version__}")
        json.dump(document, files["speedscope"])
    if "folded" in files:
        stacks = {
            (
                key.process,
                key.pid,
                f"{key.thread} {key.tid}",
                sampler.frame(key, word),
            ): share.samples
            for (key, word), share in sampler.tally.shares.items()
        }
        files["folded"].write(folded(stacks))
    if values.flag("json"):
        sys.stdout.write(json.dumps(report.document(), indent=1) + "\n")
    elif between := tables.separator(values):
        tables.write(report.lines(), report.shown.columns, between)
    else:
        show(report.sections())
