"""`isinglass log`: the events of the cluster, in order of time.

They come from the spool of the monitor on this machine; without one, from the event rings of the
nodes that run here. Looking asks nobody: neither the monitor nor the nodes.
"""

from __future__ import annotations

import sys

from isinglass import clock
from isinglass.cli import tables
from isinglass.cli.nodes import SSH_COMMAND, is_remote
from isinglass.cli.options import Command, Option
from isinglass.errors import UsageError
from isinglass_monitor.query.rendering import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from isinglass.cli.options import Values
    from isinglass_monitor.query.filters import Filter
    from isinglass_monitor.query.sources import Source
    from isinglass_monitor.spool.reading import Cursor, Question
    from isinglass_monitor.spool.records import Entry

FOLLOW_LINES = 10
LOOK_SECONDS = 0.2

COMMAND = Command(
    "log",
    "Print the events of the cluster, or of this machine's nodes.",
    options=(
        Option("since", "Only events from then on.", value="TIME", short="S"),
        Option("until", "Only events before then.", value="TIME", short="U"),
        Option(
            "node", "Only events of this node, or the rings of ssh://HOST/[NODE].", value="NODE",
            short="n", repeat=True, completes="nodes",
        ),
        Option(
            "process", "Only events of processes of this name.", value="NAME", short="p",
            repeat=True,
        ),
        Option(
            "level", "Only events as bad or worse: trace, debug, info, warn, error, fatal, or 1 to"
            " 24.", value="LEVEL", short="l",
        ),
        Option("flag", "Only events of this part of the program.", value="FLAG", repeat=True),
        Option(
            "grep", "Only events whose message or fields match this regular expression; case counts"
            " when it has a capital.", value="PATTERN", short="g",
        ),
        Option("lines", "Only the newest ones.", value="NUMBER", kind="count"),
        Option("follow", "Go on with what comes; begins with the newest 10.", short="f"),
        tables.SELECT,
        tables.SORT,
        tables.COLUMNS,
        Option("json", "Print one JSON document a line."),
        tables.TSV,
        tables.CSV,
        Option("after", "Only what came in after this cursor.", value="CURSOR"),
        Option("show-cursor", "Print, at the end, the cursor for --after."),
        Option(
            "cursor-file", "Only what came in after the cursor in this file, if there is one; and"
            " keep there how far it came.", value="FILE", completes="files",
        ),
        Option(
            "otlp", "Send the events to an OpenTelemetry collector instead of printing them.",
            value="URL",
        ),
        Option(
            "monitor", "The monitor, or the folder of its spool, or ssh://HOST/[NAME].",
            value="NAME",
        ),
        Option("rings", "Read the nodes' own rings, although there is a monitor."),
        SSH_COMMAND,
        Option("install-lnav", "Let lnav read what --json prints: write its format file."),
    ),
    notes=(
        "Times: -10m, -2h30m, 14:05, 14:05:30, 2026-11-28, 2026-11-28 14:05, yesterday, now.",
        "What came late is told by --after and --follow when it comes, and stands in its place"
        " otherwise.",
        f"The columns of --fields, --select and --sort: {', '.join(COLUMNS)}.",
        "Control characters are shown as \\e, \\n, \\x07. NO_COLOR is respected.",
    ),
    examples=(
        "isinglass log --since -10m --level warn",
        "isinglass log --node alder --node birch --follow",
        "isinglass log --since yesterday --json | lnav",
        "isinglass log --since -1h --select 'severity >= 13 and flag = store' --sort -severity",
        "isinglass log --since -1h --fields time,node,message --csv >hour.csv",
        "isinglass log --follow --cursor-file sent --otlp http://localhost:4318/v1/logs",
        "isinglass log --node ssh://operator@db1.example/ --follow",
        "isinglass log --monitor ssh://operator@watch.example/ --since -10m --level warn",
    ),
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Print the log."""
    values = COMMAND.parse(arguments)
    if values.flag("install-lnav"):
        from isinglass_monitor.query.lnav import install

        print(f"lnav reads `isinglass log --json` now: {install()}")
        return 0
    from isinglass_monitor.commands.log_printing import check
    from isinglass_monitor.spool.reading import parse_cursor

    check(values)
    question, passing = _question(values)
    cursor = parse_cursor(values.text("after")) if values.given("after") else None
    if values.given("cursor-file"):
        cursor = _kept_cursor(values)
    source = _source(values, question, cursor)
    try:
        if source.remark:
            print(f"isinglass: {source.remark}", file=sys.stderr)
        _tell_all(source, values, passing)
    finally:
        source.close()
    return 0


def _kept_cursor(values: Values) -> Cursor | None:
    from pathlib import Path

    from isinglass_monitor.commands.log_delivery import kept_cursor

    if values.given("after"):
        raise UsageError("--after and --cursor-file both say where to begin: leave one out.")
    return kept_cursor(Path(values.text("cursor-file")))


def _source(values: Values, question: Question, cursor: Cursor | None) -> Source:
    """Return what the log is read from: a spool, or rings here or on other hosts."""
    from isinglass_monitor.query.sources import open_remote, open_source

    nodes, monitor = values.texts("node"), values.text("monitor")
    if is_remote(monitor):
        return _far_source(values, question, cursor)
    if not any(map(is_remote, nodes)):
        return open_source(monitor, question, cursor, rings=values.flag("rings"))
    if cursor is not None:
        raise UsageError("A cursor is of a monitor's spool, and an ssh:// address has none.")
    return open_remote(nodes, values.text("ssh-command"), question._replace(nodes=()))


def _far_source(values: Values, question: Question, cursor: Cursor | None) -> Source:
    """Return the spool of a monitor on another host."""
    if any(map(is_remote, values.texts("node"))) or values.flag("rings"):
        raise UsageError("Name either a monitor on another host or the rings of nodes, not both.")
    from isinglass_monitor.query.far_monitor import FarMonitor
    from isinglass_monitor.query.sources import SpoolSource

    monitor = FarMonitor(values.text("monitor"), values.text("ssh-command"))
    try:
        return SpoolSource(monitor.spool(), question, cursor, monitor.close)
    except BaseException:
        monitor.close()
        raise


def _question(values: Values) -> tuple[Question, Filter]:
    from isinglass_monitor.commands.log_printing import chooser
    from isinglass_monitor.query.filters import Filter, parse_level, parse_pattern
    from isinglass_monitor.query.times import parse_time
    from isinglass_monitor.spool.reading import LAST_STAMP, Question

    now_ns = clock.wall_ns()

    def stamp(name: str, otherwise: int) -> int:
        if not values.given(name):
            return otherwise
        return clock.stamp_floor(max(parse_time(values.text(name), now_ns), 0))

    level = parse_level(values.text("level")) if values.given("level") else 0
    nodes = tuple(values.texts("node"))
    question = Question(stamp("since", 0), stamp("until", LAST_STAMP), nodes, level)
    pattern = parse_pattern(values.text("grep")) if values.given("grep") else None
    processes, flags = tuple(values.texts("process")), tuple(values.texts("flag"))
    return question, Filter(processes, flags, pattern, chooser(values))


def _tell_all(source: Source, values: Values, passing: Filter) -> None:
    """Print the log, or send it to a collector."""
    from isinglass_monitor.commands.log_printing import printer

    keep = _keeper(source, values)
    if not values.given("otlp"):
        _show_all(source, values, passing, printer(values), keep)
        return
    from isinglass_monitor.commands.log_delivery import Delivery

    delivery = Delivery(values.text("otlp"), patient=values.flag("follow"))
    try:
        _show_all(source, values, passing, delivery, keep)
    finally:
        delivery.close()


def _keeper(source: Source, values: Values) -> Callable[[], None]:
    """Return what keeps how far the source was told, where that is wanted."""
    if not values.given("cursor-file"):
        return lambda: None
    from pathlib import Path

    from isinglass_monitor.commands.log_delivery import keep_cursor

    source.cursor()  # whether there can be one is said before anything is told
    path = Path(values.text("cursor-file"))
    return lambda: keep_cursor(path, source.cursor())


def _show_all(
    source: Source,
    values: Values,
    passing: Filter,
    show: Callable[[Iterable[Entry]], None],
    keep: Callable[[], None],
) -> None:
    from isinglass_monitor.commands.log_printing import in_order

    follow = values.flag("follow")
    newest = values.whole("lines") if values.given("lines") else 0
    whole = values.given("since") or values.given("otlp")
    if follow and not newest and not whole:
        newest = FOLLOW_LINES
    narrow = passing != type(passing)()
    # The spool knows the newest of what it has an index for; what else is asked is counted here.
    past: Iterable[Entry] = filter(passing.wants, source.past(0 if narrow else newest))
    if narrow and newest:
        from collections import deque

        past = deque(past, newest)
    show(in_order(past, values))
    sys.stdout.flush()
    keep()
    try:
        if follow:
            _follow(source, passing, show, keep)
    finally:
        # Whoever ends --follow with Ctrl-C gets the cursor, too.
        if values.flag("show-cursor"):
            _print_cursor(source.cursor(), as_json=values.flag("json"))


def _print_cursor(cursor: str, *, as_json: bool) -> None:
    if as_json:
        import json

        print(json.dumps({"cursor": cursor}))
    else:
        print(f"-- cursor: {cursor}")


def _follow(
    source: Source,
    passing: Filter,
    show: Callable[[Iterable[Entry]], None],
    keep: Callable[[], None],
) -> None:
    while True:
        clock.sleep(LOOK_SECONDS)
        found = [entry for entry in source.new() if passing.wants(entry)]
        if found:
            show(found)
            sys.stdout.flush()
            keep()
