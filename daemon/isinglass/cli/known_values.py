"""Whether a value that a condition names can ever come, so that nobody waits for a misspelt one.

A panel of a peer, of a task or of a client may come later than the condition, so what counts is not
that the value is there: its name must be one of the node's, or of the product's own catalogue. That
is looked into only for a name that the node does not show, by the names of its modules, since
whoever looks at a node carries nothing of its daemon.
"""

from __future__ import annotations

from isinglass.cli.field_paths import FieldPath, field_names
from isinglass.cli.options import near
from isinglass.cli.units import FIGURES
from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from isinglass.glass.snapshot import Snapshot

NEAREST = 3


def check(paths: Iterable[FieldPath], snapshot: Snapshot) -> None:
    """Refuse a value that the node does not have, and that will not come.

    Raises:
        UsageError: one is misspelt.
    """
    for path in paths:
        if path.awaits_process(snapshot) or path.names_one_of(_of_node(snapshot)):
            continue
        names = sorted({*_of_node(snapshot), *_of_product()})
        if not path.names_one_of(names):
            alike = near(path.name, names, NEAREST)
            raise UsageError(
                f"Node {snapshot.node} has no value {path.name}{alike}; `isinglass dump --level"
                " debug` prints them all."
            )


def _of_node(snapshot: Snapshot) -> Iterator[str]:
    histograms = {
        f"{panel.name}.{field.name}"
        for process in snapshot.processes
        for panel in process.panels
        for field in panel.fields
        if field.kind == "histogram"
    }
    for name in field_names((snapshot,)):
        yield from _with_figures(name, name in histograms)


def _of_product() -> Iterator[str]:
    from isinglass.reference import panel_classes, rows

    for panel in panel_classes():
        for field in panel.schema().fields:
            for name, kind, *_ in rows(field):
                yield from _with_figures(f"{panel.name}.{name}", kind == "histogram")


def _with_figures(name: str, is_histogram: bool) -> Iterator[str]:
    yield name
    if is_histogram:
        yield from (f"{name}.{figure}" for figure in FIGURES)
