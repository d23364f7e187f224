"""`isinglass ps`: one line a thread: where it is now, what it does there, and for how long."""

from __future__ import annotations

import sys

from isinglass.cli import nodes, verdicts
from isinglass.cli.options import Command, Option, Positional
from isinglass.cli.printing import show
from isinglass.cli.selection import ENDED, PROCESS, wanted
from isinglass.cli.sheet import Section
from isinglass.cli.source_text import Sources
from isinglass.cli.units import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from isinglass.cli.options import Values
    from isinglass.glass.snapshot import Process, Snapshot, Thread

    Place = tuple[Snapshot, Process, Thread]

COMMAND = Command(
    "ps",
    "Print one line a thread: where it is now, what it does there, and for how long.",
    positionals=(
        Positional(
            "NODE",
            "The node, the path of its segment, or ssh://HOST/NODE; all nodes of this machine when"
            " left out.",
            required=False,
            completes="nodes",
        ),
    ),
    options=(
        PROCESS,
        ENDED,
        Option("json", "Print one JSON document."),
        nodes.SSH_COMMAND,
        *nodes.REPLAY,
    ),
    notes=(
        "A thread that is no longer alive shows the line where it stood at the end.",
        "Exit code: as for `isinglass dump`.",
    ),
    examples=("isinglass ps", "isinglass ps alder --process daemon"),
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
    return report(nodes.snapshots(name, ssh_command=ssh_command), values)


def report(snapshots: Sequence[Snapshot], values: Values) -> int:
    """Print the threads of snapshots as the options say; return the exit code."""
    threads = list(_threads(snapshots, values.texts("process"), values.flag("ended")))
    if values.flag("json"):
        _print_json(threads)
    else:
        show(_sections(snapshots, threads))
    return max(verdicts.exit_code(snapshot) for snapshot in snapshots)


def _threads(snapshots: Sequence[Snapshot], globs: Sequence[str], ended: bool) -> Iterator[Place]:
    for snapshot in snapshots:
        for process in snapshot.processes:
            if wanted(process, globs, ended):
                for thread in process.threads:
                    yield snapshot, process, thread


def _sections(snapshots: Sequence[Snapshot], threads: Sequence[Place]) -> Iterator[Section]:
    for snapshot in snapshots:
        for process in snapshot.processes:
            if process.verdict in ("stalled", "killed"):
                sentence = verdicts.sentence(process, snapshot.taken_wall_ns)
                line = f"{snapshot.node} {process.name} {process.pid}: {sentence}"
                yield Section(line, alarming=True)
    sources = Sources()
    rows = [_row(*place, sources) for place in threads]
    yield Section("", COLUMNS, rows, droppable=DROPPABLE)


def _row(snapshot: Snapshot, process: Process, thread: Thread, sources: Sources) -> tuple[str, ...]:
    head = (snapshot.node, process.name, str(process.pid), process.verdict, thread.name)
    site = thread.site
    if site is None:
        return (*head, "-", "-", "no mark reached yet", "-", "")
    doing = f"waits {site.label}" if site.waits else f"works {site.label}"
    place = f"{short_path(site.path)}:{site.line}"
    stood = seconds(thread.stood_seconds)
    return (*head, place, site.function, doing.rstrip(), stood, sources.line(site))


def short_path(path: str) -> str:
    """Return the last two names of a path: enough to tell files of one program apart."""
    return "/".join(path.rsplit("/", 2)[-2:])


def _print_json(threads: Sequence[Place]) -> None:
    import json

    from isinglass.cli.documents import DOCUMENT_FORMAT, process_head, thread_document

    sources = Sources()
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
