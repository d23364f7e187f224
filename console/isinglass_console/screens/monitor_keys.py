"""What the keys do in the views that a monitor fills: the log."""

from __future__ import annotations

from isinglass.glass.severity import ERROR, WARNING
from isinglass_console.screens import log
from isinglass_console.screens.desk import LOG_TABLE, NODE_TABLES
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.views import shown_view

LOG_VIEW = "log"
SEVERITIES = (0, WARNING, ERROR)
EDGE_ROWS = 40


class MonitorKeys(LiveScreen):
    """The main screen's part that is about log and alarms."""

    def say(self, sentence: str) -> None:
        """Show a sentence in the last row until the next key."""
        self.desk.settings.notice = sentence
        self.paint()

    def show_view(self, name: str) -> None:
        """Show a view that is there."""
        self.desk.settings.view = name
        self.desk.settings.zoomed = False
        self.paint()

    # ------------------------------------------------------------------ the log
    def move_log(self, steps: int) -> None:
        """Move in the log: up stops it where it is read, its end lets it follow again."""
        scene, choice = self.desk.scene(*self.size), self.desk.settings.log
        entries, page = log.events_shown(scene), log.page_shown(scene)
        if not entries:
            return
        at = min(max(log.index_shown(scene, entries) + steps, 0), len(entries) - 1)
        entry = entries[at]
        at_end = at == len(entries) - 1 and not page.more_after
        if scene.live and at_end:
            choice.at_ns = None
            self.desk.settings.tables.pop(LOG_TABLE, None)
            return
        self.desk.select(LOG_TABLE, entry.key)
        near_edge = (at < EDGE_ROWS and (page.more_before or page.searched_from_ns)) or (
            at >= len(entries) - EDGE_ROWS and page.more_after
        )
        if scene.request.at_ns is None or near_edge:
            choice.at_ns = entry.wall_ns

    def open_event(self) -> None:
        """Show the instant of the selected event in every view, as far as they reach."""
        scene = self.desk.scene(*self.size)
        entries = log.events_shown(scene)
        if entries:
            entry = entries[log.index_shown(scene, entries)]
            self.desk.select(LOG_TABLE, entry.key)
            self.desk.select(NODE_TABLES[0], entry.node)
            self.say(self.desk.jump(entry.wall_ns))

    def action_log_severity(self) -> None:
        """Show only warnings and worse, only errors, all."""
        choice = self.desk.settings.log
        at = SEVERITIES.index(choice.severity) + 1
        choice.severity = SEVERITIES[at % len(SEVERITIES)]
        self._show_log()

    def action_log_node(self) -> None:
        """Show only events of the selected node, or of all."""
        choice = self.desk.settings.log
        choice.node_only = not choice.node_only
        self._show_log()

    def _show_log(self) -> None:
        self.desk.settings.notice = ""
        self.show_view(LOG_VIEW)

    def is_at_log(self) -> bool:
        """Return whether the log is what is shown."""
        return shown_view(self.desk.scene(0, 0)).name == LOG_VIEW
