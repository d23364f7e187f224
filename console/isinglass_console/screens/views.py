"""The views by digit, in a table: which exist for a node, and who builds their page.

A view whose data a node does not have is absent from the row of views, not empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isinglass_console.screens import (
    alarms,
    comparison,
    flow,
    lag,
    log,
    overview,
    panels,
    probes,
    queue,
    store,
    waiting,
)
from isinglass_console.screens.panes import age_note, dimmed
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.sources.files import SourceFiles

COMPARE_VIEW = "compare"
Builder = Callable[[Scene, SourceFiles], Page]


@dataclass(frozen=True, slots=True)
class View:
    """One view: its digit, its name, the panels of which it needs one, its builder.

    `of_daemon`: all that it shows is the daemon's own, so all of it is old when the daemon is.
    `of_node`: it is about the selected node, so without any node it has nothing to show.
    `of_monitor`: it shows what only a monitor has; `of_two`: what changed between two moments.
    """

    digit: str
    name: str
    needs: tuple[str, ...]
    build: Builder
    of_daemon: bool = False
    of_node: bool = True
    of_monitor: bool = False
    of_two: bool = False


def _without_files(build: Callable[[Scene], Page]) -> Builder:
    return lambda scene, _files: build(scene)


VIEWS: tuple[View, ...] = (
    View("1", "overview", (), _without_files(overview.build)),
    View("2", "probes", (), probes.build),
    View("3", "queue", ("queue",), _without_files(queue.build), of_daemon=True),
    View("4", "flow", ("flow",), _without_files(flow.build)),
    View("5", "lag", ("cluster",), _without_files(lag.build)),
    View("6", "store", ("store", "timer"), _without_files(store.build), of_daemon=True),
    View("7", "log", (), _without_files(log.build), of_node=False),
    View("8", "alarms", (), _without_files(alarms.build), of_node=False, of_monitor=True),
    View("9", "panels", (), _without_files(panels.build)),
    View("0", COMPARE_VIEW, (), _without_files(comparison.build), of_node=False, of_two=True),
)
# What a monitor tells is most of what they show: they do not wait for a frame to show it.
OF_MONITOR = ("log", "alarms")


def views_of(scene: Scene) -> list[View]:
    """Return the views that the selected node, and a monitor, have data for."""
    node = scene.node
    owner = node.snapshot.owner if node is not None and node.snapshot is not None else None
    names = owner.panel_names if owner is not None else frozenset[str]()
    return [
        view
        for view in VIEWS
        if (not view.needs or not names.isdisjoint(view.needs))
        and (not view.of_monitor or scene.told.sheet is not None)
        and (not view.of_two or scene.beside is not None)
    ]


def shown_view(scene: Scene) -> View:
    """Return the view that was asked for, or the first when the node has no data for it."""
    found = views_of(scene)
    return next((view for view in found if view.name == scene.settings.view), found[0])


def page_of(scene: Scene, files: SourceFiles) -> Page:
    """Return the page to show: a view of the selected node, or why there is none."""
    node, view = scene.node, shown_view(scene)
    if node is None and view.of_node:
        return waiting.build(scene)
    if node is not None and node.snapshot is None and view is not VIEWS[0] and view.of_node:
        return Page(waiting.unread_node(scene, node))
    page = view.build(scene, files)
    if node is not None and view.of_daemon and age_note(scene, node):
        page.block = dimmed(page.block)
    return page
