"""A snapshot as sections for people: verdicts first, then panels, tables, events and errors."""

from __future__ import annotations

from isinglass.cli.selection import Selection, title
from isinglass.cli.sheet import Section
from isinglass.cli.units import field_value, is_plain_number, number, unit, wall_time
from isinglass.cli.verdicts import sentence
from isinglass.glass.severity import severity_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from isinglass.cli.options import Values
    from isinglass.glass.snapshot import Process, Snapshot, Thread


def sections(snapshot: Snapshot, selection: Selection, values: Values) -> Iterator[Section]:
    """Yield what a dump prints of one node."""
    chosen = [process for process in snapshot.processes if selection.process(process)]
    yield _verdicts(snapshot, chosen, selection.passed_over(snapshot.processes))
    if values.flag("tables"):
        yield from _tables(snapshot)
    if values.flag("events"):
        yield from _errors(chosen)
        yield from _events(chosen)
    if values.flag("tables") or values.flag("events"):
        return
    for process in chosen:
        yield from _post_mortem(process)
        yield from _panels(process, snapshot.taken_wall_ns, selection, values.flag("verbose"))
    if not values.texts("panel"):
        yield from _tables(snapshot)
        yield from _errors(chosen)


def _verdicts(snapshot: Snapshot, chosen: list[Process], passed_over: str) -> Section:
    rows = [
        (process.name, str(process.pid), sentence(process, snapshot.taken_wall_ns))
        for process in chosen
    ]
    if passed_over:
        rows.append(("", "", passed_over))
    heading = (
        f"node {snapshot.node}: {snapshot.state}, generation {snapshot.generation},"
        f" seen {wall_time(snapshot.taken_wall_ns)}"
    )
    alarming = any(is_dead_or_stalled(process) for process in chosen)
    return Section(heading, ("process", "pid>", "verdict"), rows, alarming=alarming, headers=False)


def is_dead_or_stalled(process: Process) -> bool:
    """Return whether a process needs the reader's eye: it hangs, or died unasked."""
    return process.verdict in ("stalled", "killed")


def _post_mortem(process: Process) -> Iterator[Section]:
    """Yield where each thread stood, for a process that no longer moves."""
    if process.verdict == "alive" or not process.threads:
        return
    yield Section(
        f"{process.name} {process.pid}: the last line of each thread",
        ("thread", "tid>", "where", "function", "doing"),
        [thread_row(thread) for thread in process.threads],
        alarming=is_dead_or_stalled(process),
        headers=False,
    )


def thread_row(thread: Thread) -> tuple[str, str, str, str, str]:
    """Return a thread's name, native id, file:line, function, and what it did there."""
    site = thread.site
    if site is None:
        return thread.name, str(thread.tid), "-", "-", "no mark reached yet"
    doing = f"waiting {site.label}" if site.waits else site.label
    return thread.name, str(thread.tid), f"{site.path}:{site.line}", site.function, doing


def _panels(
    process: Process, now_wall_ns: int, selection: Selection, verbose: bool
) -> Iterator[Section]:
    for panel, fields in selection.panels(process):
        values = [field_value(field, now_wall_ns) for field in fields]
        numbers = [is_plain_number(field) for field in fields]
        width = max((len(v) for v, n in zip(values, numbers, strict=True) if n), default=0)
        rows = [
            (field.name, f"{value.rjust(width) if plain else value} {unit(field.unit)}".rstrip())
            + ((field.help,) if verbose else ())
            for field, value, plain in zip(fields, values, numbers, strict=True)
        ]
        columns = ("field", "value", "help") if verbose else ("field", "value")
        heading = f"{process.name} {process.pid}  {title(panel)}: {panel.help}"
        yield Section(heading, columns, rows, headers=False)


def _tables(snapshot: Snapshot) -> Iterator[Section]:
    if snapshot.tables:
        rows = [
            (table.name, number(table.rows), number(table.size_bytes), table.index_of or "")
            for table in snapshot.tables
        ]
        columns = ("table", "records>", "bytes>", "index of")
        yield Section(f"node {snapshot.node}: tables and indexes", columns, rows)


def _errors(chosen: list[Process]) -> Iterator[Section]:
    rows = [
        (
            *(process.name, str(process.pid), number(error.count)),
            *(error.kind, error.message, error.where),
            *(wall_time(error.first_wall_ns), wall_time(error.last_wall_ns)),
        )
        for process in chosen
        for error in process.errors
    ]
    if rows:
        columns = ("process", "pid>", "times>", "kind", "message", "where", "first", "last")
        yield Section(
            "distinct errors", columns, rows, alarming=True, droppable=("first", "pid>", "where")
        )


def _events(chosen: list[Process]) -> Iterator[Section]:
    events = [(event, process) for process in chosen for event in process.events]
    events.sort(key=lambda pair: pair[0].stamp)
    rows = [
        (
            *(wall_time(event.wall_ns), process.name, str(process.pid)),
            *(severity_name(event.severity), event.flag),
            " ".join((event.message, *_pairs(event.fields))),
        )
        for event, process in events
    ]
    if rows:
        columns = ("time", "process", "pid>", "severity", "flag", "message")
        yield Section("events", columns, rows, droppable=("pid>", "flag"))


def _pairs(fields: dict[str, str]) -> Iterator[str]:
    for name, value in fields.items():
        yield f"{name}={value}"
