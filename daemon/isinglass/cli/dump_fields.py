"""`isinglass dump --fields`: the named values alone, a row a process, so that nodes compare.

    isinglass dump --fields queue.length,store.commit_time.p99 --sort -queue.length

A panel that has instances gives a row for each of them.
"""

from __future__ import annotations

import sys

from isinglass.cli.conditions import Condition
from isinglass.cli.field_paths import FieldPath, field_names
from isinglass.cli.options import near
from isinglass.cli.sheet import Section
from isinglass.cli.tables import in_order, separator, text, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from isinglass.cli.options import Values
    from isinglass.cli.tables import Row
    from isinglass.glass.snapshot import Snapshot

HEAD = ("node", "process", "pid", "instance")


def selected(snapshots: Iterable[Snapshot], values: Values) -> list[Snapshot]:
    """Return the nodes for which `--select` holds."""
    if not values.given("select"):
        return list(snapshots)
    condition = Condition(values.text("select"))
    return [snapshot for snapshot in snapshots if condition.holds(snapshot, {})]


def print_fields(snapshots: Sequence[Snapshot], values: Values) -> Iterator[Section]:
    """Print the values that `--fields` names; yield the section when people read it.

    A name that no process has is told on stderr: it may be one that comes later, or misspelt.
    """
    paths = [FieldPath(text.strip()) for text in values.text("fields").split(",") if text.strip()]
    rows, names = _rows(snapshots, paths)
    for path in paths:
        if not any(any(path.fields(snapshot)) for snapshot in snapshots):
            alike = near(path.text, field_names(snapshots))
            print(f"isinglass: no process here has {path.text}{alike}.", file=sys.stderr)
    columns = [*HEAD, *names]
    rows = in_order(rows, values, columns)
    between = separator(values)
    if values.flag("json"):
        import json

        from isinglass.cli.documents import DOCUMENT_FORMAT, json_figure

        plain = [{name: json_figure(value) for name, value in row.items()} for row in rows]
        document = {"format": DOCUMENT_FORMAT, "rows": plain}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    elif between:
        write(rows, columns, between)
    else:
        yield _section(rows, names)


def _rows(snapshots: Sequence[Snapshot], paths: Sequence[FieldPath]) -> tuple[list[Row], list[str]]:
    """Return a row a process and instance, and the names of the columns after the head's."""
    found: dict[tuple[str, int, str], Row] = {}
    names: dict[str, None] = {}
    for snapshot in snapshots:
        for path in paths:
            for process, panel, field in path.fields(snapshot):
                value = path.part(field)
                if value is None:
                    continue
                plain = isinstance(field.value, int | float | str)
                name = f"{panel.name}.{field.name}{'' if plain else '.' + path.part_name}"
                key = (snapshot.node, process.slot, panel.instance)
                head = (snapshot.node, process.name, process.pid, panel.instance)
                row = found.setdefault(key, dict(zip(HEAD, head, strict=True)))
                row[name] = value
                names[name] = None
    for row in found.values():
        row.update({name: None for name in names if name not in row})
    return list(found.values()), list(names)


def _section(rows: Sequence[Row], names: Sequence[str]) -> Section:
    instances = any(row["instance"] for row in rows)
    head = HEAD if instances else HEAD[:-1]
    texts = [tuple(text(row[name]) for name in (*head, *names)) for row in rows]
    columns = ("node", "process", "pid>", *head[3:], *(f"{name}>" for name in names))
    return Section("", columns, texts, droppable=("pid>",))
