"""One line of input over the last row of the screen; what is below stays visible and live."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Input, Label


class PromptScreen(ModalScreen[str | None]):
    """Asks for a line; gives it back on Enter, None on Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]

    def __init__(
        self,
        label: str,
        value: str,
        hint: str,
        typed: Callable[[str], None] | None = None,
    ) -> None:
        """Make the prompt.

        Args:
            typed: called with the text after each letter.
        """
        super().__init__()
        self._label = label
        self._value = value
        self._hint = hint
        self._typed = typed
        self._over = False

    def compose(self) -> ComposeResult:
        """Give Textual the label and the input."""
        with Horizontal(id="prompt"):
            yield Label(f"{self._label} ")
            yield Input(value=self._value, placeholder=self._hint, compact=True)

    def on_key(self, event: events.Key) -> None:
        """Take letters that were typed before the input had the focus."""
        line = self.query_one(Input)
        if not line.has_focus and event.character and event.is_printable:
            event.stop()
            line.value += event.character
            line.cursor_position = len(line.value)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._typed is not None:
            self._typed(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        # A second Enter, typed before this screen is gone, would dismiss the one below it.
        if not self._over:
            self._over = True
            self.dismiss(event.value)

    def action_cancel(self) -> None:
        """Go back without a line."""
        self.dismiss(None)


class ConfirmScreen(ModalScreen[bool]):
    """Asks whether to do something: `y` does it at once, any other key does not."""

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question
        self._over = False

    def compose(self) -> ComposeResult:
        """Give Textual the question."""
        with Horizontal(id="prompt"):
            yield Label(f"{self._question} y: do it; any other key: leave it")

    def on_key(self, event: events.Key) -> None:
        """Take the answer."""
        event.stop()
        if not self._over:
            self._over = True
            self.dismiss(event.character in ("y", "Y"))
