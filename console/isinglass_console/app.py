"""The one Textual app: puts the feed, the desk and the screens together.

The feed's thread wakes the app when there is something to take; the app takes all there is, keeps
every frame, and paints the newest once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme

from isinglass import clock, collecting
from isinglass.errors import UsageError
from isinglass_console import commanding, keymap, keys
from isinglass_console.configuration import Configuration
from isinglass_console.hands import Hands
from isinglass_console.hangup import EXIT_HANGUP, HangupWatch
from isinglass_console.pasting import PasteParser
from isinglass_console.recording_keys import ConsoleRecording
from isinglass_console.screens.desk import Desk
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.main import MainScreen
from isinglass_console.screens.outside import Order, Outside
from isinglass_console.screens.source_screen import SourceScreen
from isinglass_console.screens.views import OF_MONITOR
from isinglass_console.sleeping_driver import SleepingDriver
from isinglass_console.sources.feed import SAMPLES_PER_SECOND, Feed
from isinglass_console.themes import DARK, LIGHT, chosen_theme
from isinglass_console.widgets.glyphs import terminal_speaks_utf8
from isinglass_console.widgets.palette import Palette

TYPE_CHECKING = False
if TYPE_CHECKING:
    from isinglass_console.model.log_page import LogRequest
    from isinglass_console.recording.opened import Opened
    from isinglass_console.sources.monitor import MonitorFeed

SOURCE_SAMPLES_PER_SECOND = 100.0
SILENT_INTERVALS = 3.0
WEB_DRIVER = "textual.drivers.web_driver"


class IsinglassApp(App[int]):
    """The console on local nodes."""

    TITLE = "isinglass"
    CSS_PATH = "theme.tcss"
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = True
    COMMAND_PALETTE_BINDING = "ctrl+p"

    class Arrived(Message):
        """The feed has something to take."""

    class MonitorArrived(Message):
        """The monitor's feed has something new."""

    def __init__(
        self,
        nodes: Sequence[str] = (),
        *,
        interval_seconds: float = 1.0,
        monitor: str = "",
        ssh_command: str = "",
        desk: Desk | None = None,
        feeding: bool = True,
        ascii_only: bool = False,
        theme: str = "isinglass",
        keymap_path: Path | None = None,
        hands: Hands | None = None,
        configuration: Configuration | None = None,
        problem: str = "",
    ) -> None:
        """Make the app.

        Args:
            nodes: the nodes to show; empty for all that are found.
            interval_seconds: the time from frame to frame.
            monitor: its name, its spool or its address; empty for the one that runs here, if any.
            ssh_command: what reaches other hosts; empty for asyncssh.
            desk: a desk with frames in it already.
            feeding: read the nodes; without it only what is in the desk is shown.
            ascii_only: draw with ASCII alone.
            theme: the name of a Textual theme.
            keymap_path: the operator's keys; None for the usual place.
            hands: what may be done to some nodes; None for looking alone.
            configuration: what the operator's file says.
            problem: what is wrong with that file, "" when nothing is.
        """
        # Without this Textual would turn the terminal's own colours into black under NO_COLOR.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = theme
        self.desk = desk or Desk(interval_seconds)
        if configuration is not None:
            self.desk.begin(configuration)
        self._problem = problem
        own_keys, self._keymap_problem = keymap.load_keymap(keymap_path or keymap.keymap_path())
        self.desk.settings.own_keys = own_keys
        arrived = self._feed_arrived
        self.feed = Feed(nodes, interval_seconds, arrived, ssh_command) if feeding else None
        self.monitor_feed: MonitorFeed | None = None
        self._make_monitor_feed = partial(
            _monitor_feed, monitor, self._monitor_arrived, ssh_command
        )
        self._log_wanted: LogRequest | None = None
        self.recording = ConsoleRecording(self.desk)
        self._ascii_only = ascii_only
        self._hands = hands
        self._main: MainScreen | None = None
        self._delivered_ns = clock.monotonic_ns()
        self._hangup: HangupWatch | None = None

    def get_driver_class(self) -> type[Driver]:
        """Return what speaks to the terminal, or to whatever stands for one."""
        usual = super().get_driver_class()
        if _served():
            # A browser's input thread makes the parser that its module names, and takes no other.
            vars(sys.modules[usual.__module__]).update(XTermParser=PasteParser)
        return SleepingDriver if usual is LinuxDriver else usual

    # ------------------------------------------------------------------ life
    def on_mount(self) -> None:
        self.set_keymap(dict(self.desk.settings.own_keys))
        self._main = MainScreen(self.desk, self._palette(), self._ascii_only, self._outside())
        self.desk.settings.notice = self._problem or self._keymap_problem
        self.push_screen(self._main)
        if not self.is_headless:  # then the process is another's
            self.call_after_refresh(collecting.settle)
        self.theme_changed_signal.subscribe(self, self._dress)
        if self.feed is not None:
            self.feed.start()
            self.call_after_refresh(self._begin_monitor)
            self.set_interval(1.0, self._check_feed)
        if self.desk.recorded is not None:
            self.call_after_refresh(self._main.begin_playing)
        if not self.is_headless and not _served():
            self._hangup = HangupWatch(self._leave)
            self._hangup.watch()

    def _outside(self) -> Outside:
        if self.feed is None:
            return Outside(hands=self._hands)
        return Outside(
            self.feed.set_interval,
            self._order,
            commanding.note,
            self._want_log,
            self._hands,
            commanding.stacks,
            commanding.debug_flags,
            commanding.switch_debug,
            commanding.drain,
            commanding.resume,
            record=self.recording.toggle,
            save=self.recording.save,
            is_here=self.feed.is_here,
            far_file=self.feed.far_files.file,
        )

    # ------------------------------------------------------------------ the monitor
    def _begin_monitor(self) -> None:
        """Read a monitor, too, now that the first page is there: it is much to load."""
        self.run_worker(self._read_monitor())

    async def _read_monitor(self) -> None:
        feed = await asyncio.to_thread(self._make_monitor_feed)
        feed.want(self._log_wanted)
        feed.start()
        self.monitor_feed = feed

    def _want_log(self, request: LogRequest | None) -> None:
        self._log_wanted = request
        if self.monitor_feed is not None:
            self.monitor_feed.want(request)

    def _order(self, order: Order) -> None:
        if self.monitor_feed is None:
            raise UsageError("the console has only begun to look for a monitor; try again")
        self.monitor_feed.order(order)

    # ------------------------------------------------------------------ the end
    def _leave(self) -> None:
        """End, with nobody there to see it; called in the watch's thread."""
        self.call_later(self.exit, EXIT_HANGUP)

    def on_unmount(self) -> None:
        for feed in (self.feed, self.monitor_feed):
            if feed is not None:
                feed.stop()
        self.recording.end()

    def stop_watching(self) -> None:
        """The app has ended, its terminal is its caller's again."""
        if self._hangup is not None:
            self._hangup.end()

    def _palette(self) -> Palette:
        theme = self.current_theme
        if theme.ansi or self.no_color:
            return Palette(None)
        variables = self.theme_variables
        colours = {
            name: variables[name][:7]
            for name in ("foreground", "background", "primary", "warning", "error")
        }
        return Palette({**colours, "bright": variables.get("bright", colours["foreground"])[:7]})

    def _dress(self, _theme: Theme) -> None:
        palette = self._palette()
        for screen in self.screen_stack:
            if isinstance(screen, LiveScreen):
                screen.dress(palette)

    # ------------------------------------------------------------------ frames
    def _feed_arrived(self) -> None:
        """Wake the app; called in the feed's thread."""
        self.post_message(self.Arrived())

    def _monitor_arrived(self) -> None:
        """Wake the app; called in the monitor feed's thread."""
        self.post_message(self.MonitorArrived())

    def on_isinglass_app_monitor_arrived(self, message: MonitorArrived) -> None:
        message.stop()
        if self.monitor_feed is not None:
            self.desk.hear(self.monitor_feed.told)
            # Elsewhere the next frame shows it, at no cost of its own.
            if self.desk.settings.view in OF_MONITOR or not self.desk.expects_frames:
                self.paint()

    def on_isinglass_app_arrived(self, message: Arrived) -> None:
        message.stop()
        if self.feed is None:
            return
        deliveries = self.feed.take()
        for delivery in deliveries:
            frame = self.desk.absorb(delivery.readings, delivery.wall_ns, delivery.interval_seconds)
            self.recording.put(frame)
        if deliveries:
            self._delivered_ns = clock.monotonic_ns()
            self.desk.silent_seconds = 0.0
            self.paint()

    def _check_feed(self) -> None:
        """Say so when the readings have stopped: what is old must not look live."""
        if self.feed is None:
            return
        silent = (clock.monotonic_ns() - self._delivered_ns) / 1e9
        if silent > SILENT_INTERVALS * max(self.desk.interval_seconds, 1.0):
            self.desk.silent_seconds = silent
            self.desk.settings.notice = self.feed.problem
            self.paint()

    def paint(self) -> None:
        """Paint the topmost live screen; the ones below it are not seen."""
        # None is left when the app ends, and its feeds have not heard of it yet.
        for screen in [each for each in self.screen_stack if isinstance(each, LiveScreen)][-1:]:
            screen.paint()
        if self.feed is not None:
            source_open = any(isinstance(each, SourceScreen) for each in self.screen_stack[-1:])
            wanted = SOURCE_SAMPLES_PER_SECOND if source_open else SAMPLES_PER_SECOND
            self.feed.samples_per_second = wanted

    # ------------------------------------------------------------------ the palette
    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Give the command palette what the keys do, from the same table."""
        main = self._main
        if main is not None and screen is main:
            for key in keys.of_screen("main"):
                if key.group != keys.DEMO or self._hands is not None:
                    act = partial(main.run_action, key.action)
                    shown = f"key {keys.shown(key, self.desk.settings.own_keys)}   {key.id}"
                    yield SystemCommand(keys.title(key), shown, act)
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        yield SystemCommand("Screenshot", "Save the screen as SVG", self.deliver_screenshot)


def _monitor_feed(monitor: str, arrived: Callable[[], None], ssh_command: str) -> MonitorFeed:
    from isinglass_console.sources.monitor import MonitorFeed

    return MonitorFeed(monitor, arrived, ssh_command)


def run(
    nodes: Sequence[str],
    *,
    interval_seconds: float = 1.0,
    monitor: str = "",
    ssh_command: str = "",
    ascii_only: bool = False,
    theme: str = "",
    hands: Hands | None = None,
    configuration: Configuration | None = None,
    problem: str = "",
    replayed: Opened | None = None,
    speed: float = 1.0,
) -> int:
    """Show the console until the operator quits; returns the exit code.

    Args:
        nodes: the nodes to show, ssh:// addresses among them; empty for all that are found on this
            machine, now and later.
        interval_seconds: the time from frame to frame.
        monitor: its name, its spool or its address; empty for the one that runs here, if any.
        ssh_command: what reaches other hosts; empty for asyncssh.
        ascii_only: draw with ASCII alone; also chosen where the locale is not UTF-8.
        theme: the name of a theme; "" for the one that suits the terminal.
        hands: what may be done to some of the nodes; None for looking alone.
        configuration: what the operator's file says.
        problem: what is wrong with that file, "" when nothing is.
        replayed: recordings to show, instead of nodes.
        speed: how many times as fast it is played.

    Raises:
        UsageError: standard input or output is not a terminal, or there is no such theme.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) and not _served():
        raise UsageError(
            "the console needs a terminal; `isinglass dump` and `isinglass watch` do without one"
        )
    desk = Desk(interval_seconds)
    if replayed is not None:
        desk = Desk(interval_seconds, replayed.recording, replayed.comparison)
        desk.go_to(replayed.at_ns)
    desk.speed = speed
    app = IsinglassApp(
        nodes,
        desk=desk,
        feeding=replayed is None,
        interval_seconds=interval_seconds,
        monitor=monitor,
        ssh_command=ssh_command,
        ascii_only=ascii_only or not terminal_speaks_utf8(),
        theme=chosen_theme(theme, configuration, served=_served()),
        hands=hands,
        configuration=configuration,
        problem=problem,
    )
    try:
        return app.run() or app.return_code or 0
    finally:
        app.stop_watching()


def _served() -> bool:
    """Return whether a browser is this console's terminal (`serving`)."""
    return WEB_DRIVER in os.environ.get("TEXTUAL_DRIVER", "")
