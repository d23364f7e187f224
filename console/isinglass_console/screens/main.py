"""The main screen: all views by digit on one canvas, and what the keys and the mouse do to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from isinglass.errors import IsinglassError
from isinglass.glass.severity import ERROR, WARNING
from isinglass_console.hands import NOT_OURS, Deed, Hands, deed_of
from isinglass_console.keys import of_screen
from isinglass_console.model.cursor import parse_moment
from isinglass_console.model.filter import Filter
from isinglass_console.screens.alarms import ALARM_TABLE
from isinglass_console.screens.columns import TABLE as COLUMNS_TABLE
from isinglass_console.screens.desk import LOG_TABLE, NODE_TABLES, THREAD_TABLE, Desk
from isinglass_console.screens.desk_tables import rows_to_copy
from isinglass_console.screens.flow import TABLE as FLOW_TABLE
from isinglass_console.screens.hand_keys import HandKeys
from isinglass_console.screens.help import HelpScreen
from isinglass_console.screens.monitor_keys import NO_MONITOR
from isinglass_console.screens.outside import Outside
from isinglass_console.screens.panes import thread_key
from isinglass_console.screens.prompt import ConfirmScreen, PromptScreen
from isinglass_console.screens.reasons import applier_of
from isinglass_console.screens.scene import Page, Scene
from isinglass_console.screens.source_screen import SourceScreen
from isinglass_console.screens.views import COMPARE_VIEW, VIEWS, page_of, shown_view, views_of
from isinglass_console.sources.files import SourceFiles
from isinglass_console.widgets.canvas import Canvas
from isinglass_console.widgets.line import text_of
from isinglass_console.widgets.palette import Palette

LEAST = {"error": ERROR, "warning": WARNING}


class MainScreen(HandKeys):
    """Shows one view of the desk at a time."""

    # Priority: the app runs the action before it looks at the next key, so what is typed quickly
    # after `/` goes to the prompt.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.help, id=key.id, priority=True)
        for key in of_screen("main")
    ]
    KEYS_SHOWN = (
        "<pause> pause   <step.back> <step.on> step   <filter> filter   <help> help   <quit> quit",
        "<pause> pause  <filter> filter  <help> help",
        "<help> help",
    )
    KEYS_OF_DEMO = (
        "<demo.stop> stop  <demo.kill> kill  <demo.start> start  <pause> pause  <help> help"
        "  <quit> quit",
        "<demo.stop> stop  <demo.kill> kill  <demo.start> start  <help> help",
        "<help> help",
    )
    KEYS_OF_PAST = (
        "<step.back> <step.on> step   <error.next> <warning.next> trouble   <live> live"
        "   <help> help   <quit> quit",
        "<step.back> <step.on> step  <live> live  <help> help",
        "<live> live  <help> help",
    )

    def __init__(self, desk: Desk, palette: Palette, ascii_only: bool, outside: Outside) -> None:
        super().__init__(desk, palette, ascii_only)
        self.outside = outside
        self._hands = outside.hands
        if self._hands is not None:
            self.KEYS_SHOWN = self.KEYS_OF_DEMO
        self._palette = palette
        self._ascii_only = ascii_only
        self.files = SourceFiles(outside.far_file)

    def on_mount(self) -> None:
        if self._hands is not None:
            self.set_interval(1.0, self._say_trouble)

    def _say_trouble(self) -> None:
        """Say it when the nodes of a demo ended by themselves."""
        if self._hands is not None and self._hands.trouble:
            self.say(self._hands.trouble)

    def build(self, scene: Scene) -> Page:
        """Return the page of the view that is asked for."""
        return page_of(scene, self.files)

    def views(self, scene: Scene) -> Sequence[tuple[str, str]]:
        """Return the views that there is data for."""
        found = [view for view in views_of(scene) if scene.node is not None or not view.of_node]
        return [(view.digit, view.name) for view in found]

    def keys_shown(self) -> Sequence[str]:
        """Return the keys worth knowing: of a moment that is held, those that lead on from it."""
        held = not self.desk.is_live and self.desk.recorded is None
        return self.KEYS_OF_PAST if held else super().keys_shown()

    def dress(self, palette: Palette) -> None:
        """Take another palette, also for screens that are pushed later."""
        self._palette = palette
        super().dress(palette)

    # ------------------------------------------------------------------ views
    def action_view(self, name: str) -> None:
        """Show a view, or say why there is none."""
        self.desk.settings.notice = ""
        scene = self.desk.scene(0, 0)
        absent = name not in [view.name for view in views_of(scene)]
        if absent and any(view.of_monitor and view.name == name for view in VIEWS):
            self.say(scene.told.sentence or NO_MONITOR)
        elif absent and name == COMPARE_VIEW:
            self.say("nothing is compared: = sets a mark, --replay A --compare B shows recordings")
        elif absent and scene.node is not None:
            self.say(f"this node has no panels for the view {name}; 9 shows those it has")
        else:
            self.show_view(name)

    def action_view_next(self, steps: int) -> None:
        """Show the view to the right or left."""
        scene = self.desk.scene(0, 0)
        names = [view.name for view in views_of(scene)]
        self.action_view(names[(names.index(shown_view(scene).name) + steps) % len(names)])

    def action_everywhere(self) -> None:
        """Show the threads of all nodes, or of the selected one."""
        self.desk.settings.everywhere = not self.desk.settings.everywhere
        self.show_view("probes")

    def action_heat_of(self) -> None:
        """Sum the hot lines up: of the thread, its process, its node, all nodes."""
        self.say(self.desk.sum_up())

    def action_columns(self) -> None:
        """Show the overview with a column a node; once more: with a row a node."""
        settings = self.desk.settings
        settings.columns = not settings.columns or settings.view != VIEWS[0].name
        self.show_view(VIEWS[0].name)

    def action_zoom(self) -> None:
        """Show the table alone, or all of the view."""
        self.desk.settings.zoomed = not self.desk.settings.zoomed
        self.paint()

    # ------------------------------------------------------------------ moving
    def action_move(self, steps: int) -> None:
        """Move the selection."""
        self.desk.settings.notice = ""
        if self.page.table == LOG_TABLE:
            self.move_log(steps)
        else:
            self.desk.move(self.page.table, self.page.rows, steps)
        self.paint()

    def action_page(self, direction: int) -> None:
        """Move the selection by a page; on a page that is too long, scroll what is below."""
        lines = self.page.window if self.page.hidden else self.size.height // 2
        self._turn(direction * max(1, lines))

    def _turn(self, steps: int) -> None:
        if not self.page.hidden:
            self.action_move(steps)
            return
        self.desk.scroll(self.page.table, self.page.hidden, steps)
        self.paint()

    def action_node(self, steps: int) -> None:
        """Select another node."""
        self.desk.move_node(steps)
        self.paint()

    async def action_open(self) -> None:
        """Open what is selected: a node's threads, a thread's source."""
        if self.page.table in (*NODE_TABLES, COLUMNS_TABLE):
            if self.page.table == FLOW_TABLE:
                self._select_applier()
            self.action_view("probes")
        elif self.page.table == LOG_TABLE:
            self.open_event()
        elif self.page.table == ALARM_TABLE:
            self.open_alarm()
        elif (key := self.thread_selected()) is not None:
            await self._open_source(key)

    def _select_applier(self) -> None:
        """Select the thread whose speed limits writers, of the selected node."""
        if (found := applier_of(self.desk.scene(0, 0).node)) is not None:
            self.desk.select(THREAD_TABLE, thread_key(*found))

    async def _open_source(self, thread_key: str) -> None:
        await self.app.push_screen(
            SourceScreen(self.desk, self._palette, self._ascii_only, thread_key, self.files)
        )

    def action_back(self) -> None:
        """Clear the notice, the filter, the zoom, the view: the first that is there."""
        settings = self.desk.settings
        if settings.notice:
            settings.notice = ""
        elif settings.filter:
            settings.filter = Filter()
        elif settings.zoomed:
            settings.zoomed = False
        elif settings.view != VIEWS[0].name:
            settings.view = VIEWS[0].name
        self.paint()

    # ------------------------------------------------------------------ nodes of the demo
    async def action_deed(self, key: str) -> None:
        """Stop, kill or start the selected node, when it is one that may be: asks back."""
        hands = self._hands
        node = self.desk.scene(0, 0).newest.node(self.desk.settings.node)
        if hands is None or node is None or node.name not in hands.nodes:
            self.say(NOT_OURS)
            return
        deed = deed_of(key, node.condition)
        if not deed.question:
            self._do(hands, deed, node.name)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._do(hands, deed, node.name)
            else:
                self.say(f"{node.name} was left as it is")

        question = deed.question.format(node=node.name)
        await self.app.push_screen(ConfirmScreen(question), answered)

    def _do(self, hands: Hands, deed: Deed, node: str) -> None:
        try:
            hands.do(deed.name, node)
            self.say(deed.done.format(node=node))
        except IsinglassError as reason:
            self.say(str(reason))

    # ------------------------------------------------------------------ finding
    async def action_filter(self) -> None:
        """Ask for a filter; the rows follow each letter."""
        before = self.desk.settings.filter

        def typed(value: str) -> None:
            self.desk.settings.filter = Filter.parse(value)
            self.say(self.desk.settings.filter.sentence)

        def done(value: str | None) -> None:
            if value is None:
                self.desk.settings.filter = before
            self.paint()

        await self.app.push_screen(PromptScreen("/", before.text, "regex; ! inverts", typed), done)

    def action_match(self, steps: int) -> None:
        """Select the next row that matches; in the log all rows do."""
        if self.page.table == LOG_TABLE:
            self.move_log(steps)
        else:
            self.desk.match(self.page.table, self.page.rows, steps)
        self.paint()

    def action_sort_column(self, steps: int) -> None:
        """Sort by the next column."""
        self.desk.sort_next(self.page.table, self.page.columns, steps)
        self.paint()

    def action_sort_invert(self) -> None:
        """Turn the order round."""
        self.desk.invert(self.page.table)
        self.paint()

    def action_freeze(self) -> None:
        """Keep rows where they are."""
        frozen = self.desk.freeze(self.page.table, self.page.rows)
        self.say("order frozen; f again lets rows move" if frozen else "rows move again")

    def action_tag(self) -> None:
        """Tag the row."""
        self.desk.tag(self.page.table, self.page.rows)
        self.paint()

    def action_copy(self) -> None:
        """Put the tagged rows, or the selected one, on the terminal's clipboard."""
        rows = rows_to_copy(self.desk, self.page.table, self.page.rows)
        lines = [
            "\t".join(
                text_of([row.cells.get(column.key, ())]).strip() for column in self.page.columns
            )
            for row in rows
        ]
        self.app.copy_to_clipboard("\n".join(lines))
        self.say(f"copied {len(rows)} row{'' if len(rows) == 1 else 's'}")

    # ------------------------------------------------------------------ time
    def action_pause(self) -> None:
        """Hold this moment, or go on."""
        if self.desk.recorded is not None:
            self.action_play()
            return
        self.desk.pause()
        self.paint()

    def action_step(self, frames: int) -> None:
        """Go back or on by frames."""
        self.desk.step(frames)
        self.paint()

    def action_live(self) -> None:
        """Show what is now."""
        self.desk.live()
        self.paint()

    async def action_go_to_time(self) -> None:
        """Ask for a moment and go there."""

        def done(value: str | None) -> None:
            newest = self.desk.scene(0, 0).newest.wall_ns
            moment = parse_moment(value, newest) if value else None
            if moment is not None:
                self.desk.go_to(moment)
            elif value:
                self.say(f"{value!r} is no time; try -3m, -90 or 14:02:30")
            self.paint()

        await self.app.push_screen(PromptScreen("go to", "", "-3m, -90, 14:02:30"), done)

    def action_trouble(self, word: str, step: int) -> None:
        """Go to the next error or warning, or the one before."""
        self.say(self.desk.next_trouble(LEAST[word], step))

    def action_baseline(self) -> None:
        """Count since this moment, or show rates."""
        self.desk.toggle_baseline()
        self.paint()

    def action_faster(self, steps: int) -> None:
        """Make frames more or less often."""
        interval = self.desk.next_interval(steps)
        self.outside.set_interval(interval)
        self.say(f"a frame every {interval:g} s")

    async def action_help(self) -> None:
        """Show all keys."""
        own_keys, demo = self.desk.settings.own_keys, self._hands is not None
        await self.app.push_screen(HelpScreen(self._palette, self._ascii_only, own_keys, demo))

    def action_command_palette(self) -> None:
        """Open the command palette."""
        self.app.action_command_palette()

    async def action_quit(self) -> None:
        """End the console."""
        await self.app.action_quit()

    # ------------------------------------------------------------------ the mouse
    async def on_canvas_clicked(self, message: Canvas.Clicked) -> None:
        message.stop()
        kind, _, table = message.hit.kind.partition(":")
        if kind == "view":
            self.action_view(message.hit.value)
        elif kind == "sort" and table == COLUMNS_TABLE:
            self.desk.select(NODE_TABLES[0], message.hit.value)
        elif kind == "sort":
            self.desk.sort(table, message.hit.value)
        elif kind == "open":
            self.desk.select(table, message.hit.value)
            self.action_view("probes")
        elif kind == "row":
            self.desk.select(table, message.hit.value)
            if message.clicks > 1:
                await self.action_open()
        self.paint()

    def on_canvas_wheeled(self, message: Canvas.Wheeled) -> None:
        message.stop()
        self._turn(message.steps)
