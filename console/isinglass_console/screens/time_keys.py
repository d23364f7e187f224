"""What the keys do that play the past, record the present, and save a part of it."""

from __future__ import annotations

from textual.timer import Timer

from isinglass import clock
from isinglass.errors import IsinglassError
from isinglass_console.screens.live import LiveScreen
from isinglass_console.screens.monitor_keys import MonitorKeys
from isinglass_console.screens.prompt import PromptScreen

FOLLOW_SECONDS = 0.5
PLAY_SECONDS = 0.1  # how often playing looks whether there is another frame to show
SAVE_HINT = "-5m, 14:02:30; and a file, if it is to have a name of yours"


class TimeKeys(MonitorKeys):
    """The main screen's part that is about playing and recording."""

    _playing: Timer | None = None

    def begin_playing(self) -> None:
        """Play a recording from the moment that is shown on, and follow who still writes it."""
        self.action_play()
        self.set_interval(FOLLOW_SECONDS, self._follow)

    def _follow(self) -> None:
        """Take in what a recorder adds to the recording that is shown."""
        if self.desk.follow():
            self._paint_top()

    def _paint_top(self) -> None:
        """Paint whichever screen is on top."""
        top = (each for each in reversed(self.app.screen_stack) if isinstance(each, LiveScreen))
        next(top, self).paint()

    def action_play(self) -> None:
        """Play from the moment that is shown on, or stop there."""
        self.say(self.desk.play(clock.monotonic_ns()))
        self._keep_playing()

    def action_speed(self, steps: int) -> None:
        """Play faster or slower."""
        self.say(self.desk.change_speed(steps, clock.monotonic_ns()))

    def _keep_playing(self) -> None:
        if self._playing is None:
            self._playing = self.set_interval(PLAY_SECONDS, self._play_on, pause=True)
        if self.desk.player is not None:
            self._playing.resume()
        else:
            self._playing.pause()

    def _play_on(self) -> None:
        """Show the next frame when it is time."""
        if self.desk.advance(clock.monotonic_ns()):
            self._paint_top()
        self._keep_playing()

    def action_record(self) -> None:
        """Begin a recording, or end it."""
        try:
            self.say(self.outside.record())
        except IsinglassError as reason:
            self.say(str(reason))

    async def action_save(self) -> None:
        """Ask since when, and save the frames since then."""

        def done(value: str | None) -> None:
            if not value or not value.strip():
                self.say("nothing was saved")
                return
            try:
                work = self.outside.save(value.strip())
            except IsinglassError as reason:
                self.say(str(reason))
                return
            self.say("saving")
            self._wait_and_say(work)

        await self.app.push_screen(PromptScreen("save since", "-5m", SAVE_HINT), done)
