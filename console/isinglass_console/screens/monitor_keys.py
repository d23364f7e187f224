"""What the keys do in the views that a monitor fills: the log, and the alarms; and notes.

An order to the monitor is answered within a second, or not at all: a thread waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from isinglass.durations import seconds_of
from isinglass.errors import IsinglassError
from isinglass.glass.severity import ERROR, WARNING
from isinglass_console.model import format as text
from isinglass_console.model.alarms import CLEARED, Alarm
from isinglass_console.model.frame import Condition
from isinglass_console.screens import alarms, log
from isinglass_console.screens.desk import LOG_TABLE, NODE_TABLES
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.outside import Order, Outside
from isinglass_console.screens.prompt import ConfirmScreen, PromptScreen
from isinglass_console.screens.views import shown_view

LOG_VIEW = "log"
SEVERITIES = (0, WARNING, ERROR)
EDGE_ROWS = 40
NOTE_HINT = "replacing the disk of cedar at 14:30"
SILENCE_HINT = "2h because of the backup"
LEFT_LOUD = "nothing was silenced"
NO_MONITOR = (
    "no monitor runs here: `isinglass monitor start` starts one, `isinglass console --monitor`"
    " names another"
)

Result = TypeVar("Result")


class MonitorKeys(LiveScreen):
    """The main screen's part that is about log and alarms."""

    outside: Outside

    def say(self, sentence: str) -> None:
        """Show a sentence in the last row until the next key."""
        self.desk.settings.notice = sentence
        self.paint()

    def show_view(self, name: str) -> None:
        """Show a view that is there."""
        self.desk.settings.view = name
        self.desk.settings.zoomed = False
        self.paint()

    def _choose(self, node: str) -> None:
        """Make a node the one of all views, if the console has it."""
        if self.desk.scene(0, 0).newest.node(node) is not None:
            self.desk.select(NODE_TABLES[0], node)

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
            self._choose(entry.node)
            self.say(self.desk.jump(entry.wall_ns, entry.key))

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

    def paint(self) -> None:
        """Paint, and say which part of the log is looked at, so that it comes soon."""
        super().paint()
        scene = self.desk.scene(0, 0)
        self.outside.want_log(scene.request if shown_view(scene).name == LOG_VIEW else None)

    # ------------------------------------------------------------------ alarms
    def open_alarm(self) -> None:
        """Show the instant at which the selected alarm was raised in every view."""
        alarm = self._alarm()
        if alarm is not None:
            self._choose(alarm.node)
            self.say(self.desk.jump(alarm.raised_ns))

    async def action_acknowledge(self) -> None:
        """Take the selected alarm in hand: asks back."""
        alarm = self._alarm_to_act_on()
        if alarm is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                order = {"do": "acknowledge", "alarm": alarm.number}
                self._order(order, f"alarm {alarm.number} is in your hands; the log says so")
            else:
                self.say(f"alarm {alarm.number} was left as it is")

        question = f"acknowledge alarm {alarm.number}, {alarm.rule} {alarm.about}?"
        await self.app.push_screen(ConfirmScreen(question), answered)

    async def action_silence(self) -> None:
        """Silence the rule of the selected alarm for its node: asks for an end, and back."""
        alarm = self._alarm_to_act_on()
        if alarm is None:
            return

        async def done(value: str | None) -> None:
            if value is None:
                self.say(LEFT_LOUD)
                return
            time, _, reason = value.strip().partition(" ")
            try:
                seconds = seconds_of(time)
            except ValueError:
                seconds = 0.0
            if not seconds or not reason.strip():
                self.say(f"a silence has an end and a reason, such as: {SILENCE_HINT}")
                return
            await self._confirm_silence(alarm, seconds, reason.strip())

        label = f"silence {alarm.rule} of {alarm.node} for"
        await self.app.push_screen(PromptScreen(label, "", SILENCE_HINT), done)

    async def _confirm_silence(self, alarm: Alarm, seconds: float, reason: str) -> None:
        of, shown = f"{alarm.rule} of {alarm.node}", text.seconds(seconds)

        def answered(yes: bool | None) -> None:
            if not yes:
                self.say(LEFT_LOUD)
                return
            order = {
                "do": "silence",
                "rule": alarm.rule,
                "node": alarm.node,
                "seconds": seconds,
                "reason": reason,
            }
            self._order(order, f"{of} is silent for {shown}")

        question = f"silence {of} for {shown}, because: {reason}?"
        await self.app.push_screen(ConfirmScreen(question), answered)

    def _alarm(self) -> Alarm | None:
        if self.page.table != alarms.ALARM_TABLE:
            return None
        return alarms.selected(self.desk.scene(*self.size), self.page.rows)

    def _alarm_to_act_on(self) -> Alarm | None:
        """Return the selected alarm as it is now, when something can be done about it."""
        if self.desk.recorded is not None:
            self.say("a recording takes no orders: these are the alarms of then")
            return None
        shown, sheet = self._alarm(), self.desk.told.sheet
        if shown is None or sheet is None:
            self.say("8 shows the alarms: select one of them" if sheet else NO_MONITOR)
            return None
        alarm = sheet.alarm(shown.number)
        if alarm is None or alarm.state == CLEARED:
            self.say(f"alarm {shown.number} is over")
            return None
        return alarm

    def _order(self, order: Order, sentence: str) -> None:
        """Give the monitor an order, and say what came of it."""

        def ordered() -> str:
            self.outside.order(order)
            return sentence

        self.say("the monitor is asked")
        self._wait_and_say(ordered)

    # ------------------------------------------------------------------ notes
    async def action_note(self) -> None:
        """Ask for a remark, and put it on the timeline of the cluster."""
        node = self._node_that_listens()
        if not node:
            self.say("there is no node to make a note at")
            return

        def done(value: str | None) -> None:
            if value and value.strip():
                self.say("noting")
                self._wait_and_say(lambda: self.outside.note(node, value.strip()))
            else:
                self.say("nothing was noted")

        await self.app.push_screen(PromptScreen(f"note at {node}:", "", NOTE_HINT), done)

    def _node_that_listens(self) -> str:
        """Return the selected node when its daemon lives, else one whose daemon does."""
        frame = self.desk.scene(0, 0).newest
        chosen = frame.node(self.desk.settings.node)
        nodes = [chosen, *frame.nodes] if chosen is not None else frame.nodes
        here = [node for node in nodes if self.outside.is_here(node.name)]
        alive = (node.name for node in here if node.condition == Condition.ALIVE)
        return next(alive, here[0].name if here else "")

    async def waited(self, work: Callable[[], Result]) -> Result:
        """Have a thread do what takes a moment, and return what it does."""
        return await asyncio.to_thread(work)

    def _wait_and_say(self, work: Callable[[], str]) -> None:
        """Have a thread do what takes a moment, and say what it returns, or why it could not."""

        async def worked() -> None:
            try:
                self.say(await self.waited(work))
            except IsinglassError as reason:
                self.say(str(reason))

        self.run_worker(worked())
