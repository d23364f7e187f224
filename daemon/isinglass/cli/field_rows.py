"""One line a field, for spreadsheets and awk: `isinglass dump --tsv` and `--csv`."""

from __future__ import annotations

import csv

from isinglass.cli.documents import field_json
from isinglass.cli.selection import Selection
from isinglass.cli.tables import cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from isinglass.glass.panel_views import FieldView
    from isinglass.glass.snapshot import Snapshot

COLUMNS = (
    *("node", "process", "pid", "verdict", "panel", "instance"),
    *("field", "kind", "unit", "level", "value", "help"),
)


def write_rows(
    snapshots: Iterable[Snapshot], selection: Selection, out: TextIO, separator: str
) -> None:
    """Write a line of column names, then a line for each field."""
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    writer.writerow(COLUMNS)
    for snapshot in snapshots:
        writer.writerows(map(cell, row) for row in _rows(snapshot, selection))


def _rows(snapshot: Snapshot, selection: Selection) -> Iterator[tuple[object, ...]]:
    for process in filter(selection.process, snapshot.processes):
        head = (snapshot.node, process.name, process.pid, process.verdict)
        for panel, fields in selection.panels(process):
            for field in fields:
                for name, value in values_of(field):
                    yield (
                        *head,
                        *(panel.name, panel.instance, name),
                        *(field.kind, field.unit, field.level, value, field.help),
                    )


def values_of(field: FieldView) -> Iterator[tuple[str, object]]:
    """Yield a field's name and value; a histogram gives a line for each of its figures."""
    # what reads such lines knows "inf", which JSON does not
    value = field.value if isinstance(field.value, float) else field_json(field)
    if isinstance(value, dict):
        for part, figure in value.items():
            yield f"{field.name}.{part}", figure
    else:
        yield field.name, value
