"""What the keys do that reach out of the console: stacks, debug flags, maintenance, export.

Each asks before it does anything to a process or a node, and the one who does it, a command or the
monitor, leaves an event that says who. What takes a moment is waited for by a thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial

from isinglass import __version__
from isinglass.durations import seconds_of
from isinglass.errors import IsinglassError
from isinglass.glass.snapshot import Process, Thread, Verdict
from isinglass_console.model import format as text
from isinglass_console.model import spots
from isinglass_console.model.frame import Condition, NodeFrame
from isinglass_console.model.rates import word
from isinglass_console.model.stacks import Stacks, nearest
from isinglass_console.model.table import selected_index
from isinglass_console.screens import hot_lines
from isinglass_console.screens.desk import ALL_THREADS, THREAD_TABLE
from isinglass_console.screens.monitor_keys import NO_MONITOR
from isinglass_console.screens.outside import path_of
from isinglass_console.screens.probes import find_thread
from isinglass_console.screens.prompt import ConfirmScreen, PromptScreen
from isinglass_console.screens.stacks_screen import StacksScreen
from isinglass_console.screens.time_keys import TimeKeys
from isinglass_console.widgets.palette import Palette

MAINTENANCE_HINT = "30m new memory"
SWITCH = re.compile(r"[+-][a-z0-9][a-z0-9_.-]*")
DEBUG_TIME = "10m"
DRAINED, LEFT_DRAINED = "drained", "it stays drained"
TOUCHES = "This touches the process: it stands still for some milliseconds, or answers a signal."
NO_THREAD = "2 shows the threads: select one of them"


def _time_and_reason(said: str | None) -> tuple[str, str]:
    """Return a length of time and what follows it; "" for what is missing or is none."""
    time, _, reason = (said or "").strip().partition(" ")
    try:
        return time if time and seconds_of(time) else "", reason.strip()
    except ValueError:
        return "", reason.strip()


class HandKeys(TimeKeys):
    """The main screen's part that does things outside the console."""

    _palette: Palette
    _ascii_only: bool

    # ------------------------------------------------------------------ what is selected
    def thread_selected(self) -> str | None:
        """Return the key of the selected thread's row; None in views that show no threads."""
        rows, table = self.page.rows, self.page.table
        if table not in (THREAD_TABLE, ALL_THREADS) or not rows:
            return None
        key = rows[selected_index(rows, self.desk.table(table))].key
        self.desk.select(table, key)
        return key.rpartition(" ")[2]

    def _node_selected(self) -> str:
        """Return the selected node and no other, however it is; "" without any node."""
        node = self.desk.scene(0, 0).node
        return node.name if node is not None else ""

    def _process_selected(self) -> tuple[NodeFrame, Process, Thread | None] | None:
        """Return whose row is selected, or the daemon of the selected node in other views."""
        key = self.thread_selected()
        node = self.desk.scene(0, 0).node
        if node is None or node.snapshot is None:
            return None
        if key is None:
            owner = node.snapshot.owner
            return (node, owner, None) if owner is not None else None
        found = find_thread(node, key)
        if found is not None:
            return (node, *found)
        bare = (p for p in node.snapshot.processes if f"{p.slot}.{p.claim}" == key)
        return next(((node, process, None) for process in bare), None)

    def _is_here(self, node: str) -> bool:
        """Return whether a node is of this machine; say so when it is not.

        A node of another host may have the name of one here, to which it would be done instead.
        """
        if not self.outside.is_here(node):
            self.say(f"{node} is on another host: give the command there")
            return False
        return True

    # ------------------------------------------------------------------ the debugger's door
    async def action_stacks(self) -> None:
        """Take the whole Python stacks of the selected process; paused, show those of then."""
        found = self._process_selected()
        if found is None:
            self.say("no process is selected whose stacks could be taken")
            return
        node, process, _ = found
        if not self.desk.cursor.live:
            await self._stacks_of_then(node, process)
            return
        if not self._is_here(node.name):
            return
        if process.verdict not in (Verdict.ALIVE, Verdict.STALLED):
            self.say(f"{process.name} {process.pid} is gone: its threads show their last lines")
            return

        def answered(yes: bool | None) -> None:
            if not yes:
                self.say("the process was left alone")
                return
            self.say(f"taking the stacks of {process.name} {process.pid}")
            self._wait_and_show(lambda: self.outside.stacks(node.name, process.pid))

        question = f"{TOUCHES} Stacks of {process.name} {process.pid} of {node.name}?"
        await self.app.push_screen(ConfirmScreen(question), answered)

    async def _stacks_of_then(self, node: NodeFrame, process: Process) -> None:
        at_ns = self.desk.scene(0, 0).frame.wall_ns
        kept = nearest(self.desk.settings.stacks, node.name, process.pid, at_ns)
        if kept is None:
            self.say("no stacks of this process were taken then; L, then S takes those of now")
            return
        await self._show_stacks(kept)

    def _wait_and_show(self, take: Callable[[], Stacks]) -> None:
        async def shown() -> None:
            try:
                stacks = await self.waited(take)
            except IsinglassError as reason:
                self.say(str(reason))
                return
            self.desk.settings.stacks.append(stacks)
            self.say("")
            await self._show_stacks(stacks)

        self.run_worker(shown())

    async def _show_stacks(self, stacks: Stacks) -> None:
        await self.app.push_screen(StacksScreen(self.desk, self._palette, self._ascii_only, stacks))

    # ------------------------------------------------------------------ debug flags
    async def action_debug(self) -> None:
        """Switch debug flags of the selected node for a time: lists them, and asks back."""
        node = self._node_selected()
        if not node:
            self.say("there is no node whose debug flags could be switched")
            return
        if not self._is_here(node):
            return

        async def listed() -> None:
            try:
                flags = await self.waited(lambda: self.outside.debug_flags(node))
            except IsinglassError as reason:
                self.say(str(reason))
                return
            await self._ask_switches(node, flags)

        self.run_worker(listed())

    async def _ask_switches(self, node: str, flags: list[tuple[str, float]]) -> None:
        if not flags:
            self.say(f"no process of {node} has a debug flag yet")
            return
        hint = f"+{flags[0][0]} {DEBUG_TIME}    there are: " + ", ".join(
            f"{name} (on, {text.seconds(left)} left)" if left else name for name, left in flags
        )

        async def done(value: str | None) -> None:
            if not value or not value.strip():
                self.say("no flag was switched")
                return
            await self._confirm_switches(node, value.split())

        await self.app.push_screen(PromptScreen(f"debug {node}:", "", hint), done)

    async def _confirm_switches(self, node: str, said: list[str]) -> None:
        switches = tuple(word for word in said if SWITCH.fullmatch(word))
        times = [word for word in said if word not in switches] or [DEBUG_TIME]
        try:
            seconds = seconds_of(times[0])
        except ValueError:
            seconds = 0.0
        if not switches or not seconds or len(times) > 1:
            self.say(f"a flag is switched with + or -, for a time: +queue {DEBUG_TIME}")
            return

        question = f"switch {' '.join(switches)} at {node} for {text.seconds(seconds)}?"
        switch = partial(self.outside.switch_debug, node, switches, times[0])
        await self._confirm(question, switch, "no flag was switched")

    # ------------------------------------------------------------------ maintenance
    async def action_maintenance(self) -> None:
        """Announce maintenance of the selected node: its alarms are expected until the end."""
        node = self._node_selected()
        if not node or self.desk.told.sheet is None:
            self.say(NO_MONITOR if node else "there is no node to announce maintenance of")
            return

        async def done(value: str | None) -> None:
            time, reason = _time_and_reason(value)
            if not time or not reason:
                self.say(f"maintenance has an end and a reason, such as: {MAINTENANCE_HINT}")
                return
            await self._confirm_maintenance(node, seconds_of(time), reason)

        label = f"maintenance of {node} for"
        await self.app.push_screen(PromptScreen(label, "", MAINTENANCE_HINT), done)

    async def _confirm_maintenance(self, node: str, seconds: float, reason: str) -> None:
        shown = text.seconds(seconds)

        def answered(yes: bool | None) -> None:
            if not yes:
                self.say("nothing was announced")
                return
            order = {
                "do": "announce",
                "kind": "maintenance",
                "node": node,
                "seconds": seconds,
                "reason": reason,
            }
            self._order(order, f"maintenance of {node} for {shown}: its alarms are expected")

        question = f"expect the alarms of {node} for {shown}, because: {reason}?"
        await self.app.push_screen(ConfirmScreen(question), answered)

    # ------------------------------------------------------------------ drain
    async def action_drain(self) -> None:
        """Drain the selected node of its clients' writes for a time, or end it: asks back."""
        node = self.desk.scene(0, 0).newest.node(self.desk.settings.node)
        if node is None or node.condition != Condition.ALIVE:
            self.say("only a node whose daemon lives can be drained")
            return
        if not self._is_here(node.name):
            return
        panel = node.snapshot.panel("daemon") if node.snapshot is not None else None
        if word(panel, "state") == DRAINED:
            question = f"have {node.name} take its clients' writes again?"
            await self._confirm(question, lambda: self.outside.resume(node.name), LEFT_DRAINED)
            return

        async def done(value: str | None) -> None:
            time, reason = _time_and_reason(value)
            if not time or not reason:
                self.say(f"a drain has an end and a reason, such as: {MAINTENANCE_HINT}")
                return
            question = f"refuse writes of {node.name}'s clients for {time}, because: {reason}?"
            drain = partial(self.outside.drain, node.name, time, reason)
            await self._confirm(question, drain, "nothing was drained")

        label = f"drain {node.name} of its clients' writes for"
        await self.app.push_screen(PromptScreen(label, "", MAINTENANCE_HINT), done)

    async def _confirm(self, question: str, work: Callable[[], str], left: str) -> None:
        """Ask, and have a thread do it and say what came of it; or say that nothing was done."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._wait_and_say(work)
            else:
                self.say(left)

        await self.app.push_screen(ConfirmScreen(question), answered)

    # ------------------------------------------------------------------ export
    async def action_export(self) -> None:
        """Write the hot lines that are shown for other tools: speedscope, flame graphs."""
        found = self._process_selected() if self.thread_selected() is not None else None
        if found is None or found[2] is None:
            self.say(NO_THREAD)
            return
        scene = self.desk.scene(0, 0)
        node, process, thread = found[0], found[1], found[2]
        entries = hot_lines.entries_shown(scene, node, process, thread)
        at = text.clock(scene.frame.wall_ns).replace(":", "")
        name = f"isinglass-{node.name}-{at}.speedscope.json"

        def done(value: str | None) -> None:
            if not value or not value.strip():
                self.say("nothing was written")
                return
            about = hot_lines.about(scene, node, process, thread)
            self._wait_and_say(lambda: self._write(value, entries, f"{node.name}: {about}"))

        label = "write to (.json: speedscope, .folded: flame graphs)"
        await self.app.push_screen(PromptScreen(label, name, "FILE"), done)

    def _write(self, said: str, entries: list[spots.Entry], title: str) -> str:
        path = path_of(said)
        if path.suffix == ".folded":
            content = spots.folded_stacks(entries)
        else:
            exporter = f"isinglass {__version__}"
            content = json.dumps(spots.speedscope_document(entries, title, exporter))
        self.outside.write(path, content)
        return f"{path} holds the ten seconds that are shown"
