"""`isinglass ps`: one line a thread: where it is now, what it does there, and for how long."""

from __future__ import annotations

import sys

from isinglass.cli import nodes, verdicts
from isinglass.cli.options import Command
from isinglass.cli.printing import JSON, show
from isinglass.cli.selection import ENDED, PROCESS, wanted
from isinglass.cli.sheet import Section
from isinglass.cli.source_text import Sources
from isinglass.cli.tables import COLUMNS as COLUMNS_SHOWN
from isinglass.cli.tables import (
    CSV,
    SELECT,
    SORT,
    TSV,
    chosen_columns,
    narrowed,
    separator,
    write,
)
from isinglass.cli.units import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isinglass.cli.options import Values
    from isinglass.cli.tables import Row
    from isinglass.glass.snapshot import Process, Snapshot, Thread

    Place = tuple[Snapshot, Process, Thread]

COMMAND = Command(
    "ps",
    "Print one line a thread: where it is now, what it does there, and for how long.",
    positionals=(nodes.ANY_NODES,),
    options=(
        PROCESS,
        ENDED,
        COLUMNS_SHOWN,
        SELECT,
        SORT,
        JSON,
        TSV,
        CSV,
        nodes.SSH_COMMAND,
        *nodes.REPLAY,
    ),
    notes=(
        "A thread that is no longer alive shows the line where it stood at the end.",
        "Exit code: as for `isinglass dump`.",
    ),
    examples=(
        "isinglass ps",
        "isinglass ps alder --process daemon",
        "isinglass ps --select 'for > 5' --sort -for",
        "isinglass ps --fields node,thread,where --tsv",
    ),
)
COLUMNS = (
    *("node", "process", "pid>", "verdict", "thread", "where"),
    *("function", "doing", "for>", "source"),
)
DROPPABLE = ("node", "pid>", "function", "source")


def main(arguments: list[str]) -> int:
    """Print the threads; return 0 when every node's daemon is alive, else 1."""
    values = COMMAND.parse(arguments)
    nodes.refuse_replay(values)
    name, ssh_command = values.text("NODE"), values.text("ssh-command")
    snapshots, unread = nodes.snapshots(name, ssh_command=ssh_command)
    return max(report(snapshots, values), unread)


def report(snapshots: Sequence[Snapshot], values: Values) -> int:
    """Print the threads of snapshots as the options say; return the exit code."""
    if values.texts("process"):
        from isinglass.cli.asked_for import check_processes

        check_processes(snapshots, values.texts("process"), values.flag("ended"))
    names = [name.rstrip(">") for name in COLUMNS]
    columns = chosen_columns(values, names)
    threads = list(_threads(snapshots, values.texts("process"), values.flag("ended")))
    sources = Sources()
    rows = [_row(number, *place, sources) for number, place in enumerate(threads)]
    rows = narrowed(rows, values, names)
    if values.flag("json"):
        _print_json([threads[int(row["number"] or 0)] for row in rows], sources)
    elif between := separator(values):
        write(rows, columns, between)
    else:
        show(_sections(snapshots, rows, columns))
    return max(verdicts.exit_code(snapshot) for snapshot in snapshots)


def _threads(snapshots: Sequence[Snapshot], globs: Sequence[str], ended: bool) -> Iterator[Place]:
    for snapshot in snapshots:
        for process in snapshot.processes:
            if wanted(process, globs, ended):
                for thread in process.threads:
                    yield snapshot, process, thread


def _sections(
    snapshots: Sequence[Snapshot], rows: Sequence[Row], columns: Sequence[str]
) -> Iterator[Section]:
    for snapshot in snapshots:
        for process in snapshot.processes:
            if process.verdict in ("stalled", "killed"):
                sentence = verdicts.sentence(process, snapshot.taken_wall_ns)
                line = f"{snapshot.node} {process.name} {process.pid}: {sentence}"
                yield Section(line, alarming=True)
    shown = [name for name in COLUMNS if name.rstrip(">") in columns]
    shown.sort(key=lambda name: columns.index(name.rstrip(">")))
    texts = [tuple(_text(name, row[name]) for name in columns) for row in rows]
    droppable = [name for name in DROPPABLE if name in shown]
    yield Section("", shown, texts, droppable=droppable)


def _text(column: str, value: object) -> str:
    if value is None:
        return "-"
    return seconds(value) if column == "for" and isinstance(value, float) else str(value)


def _row(
    number: int, snapshot: Snapshot, process: Process, thread: Thread, sources: Sources
) -> Row:
    site = thread.site
    doing = "no mark reached yet"
    if site is not None:
        doing = f"{'waits' if site.waits else 'works'} {site.label}".rstrip()
    return {
        "number": number,
        "node": snapshot.node,
        "process": process.name,
        "pid": process.pid,
        "verdict": process.verdict,
        "thread": thread.name,
        "where": f"{short_path(site.path)}:{site.line}" if site is not None else None,
        "function": site.function if site is not None else None,
        "doing": doing,
        "for": round(thread.stood_seconds, 6) if site is not None else None,
        "source": sources.line(site),
    }


def short_path(path: str) -> str:
    """Return the last two names of a path: enough to tell files of one program apart."""
    return "/".join(path.rsplit("/", 2)[-2:])


def _print_json(threads: Sequence[Place], sources: Sources) -> None:
    import json

    from isinglass.cli.documents import DOCUMENT_FORMAT, process_head, thread_document

    found = [
        {
            "node": snapshot.node,
            **process_head(process),
            **thread_document(thread),
            "source": sources.line(thread.site),
        }
        for snapshot, process, thread in threads
    ]
    sys.stdout.write(json.dumps({"format": DOCUMENT_FORMAT, "threads": found}, indent=1) + "\n")
