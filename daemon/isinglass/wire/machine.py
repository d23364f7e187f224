"""State machines as tables: the code steps through them, and docs/protocol.md is drawn from them.

A table has the pairs (state, event) that change something; every other event leaves every state as
it is. An event's name is the sentence that stands beside its arrow in the drawing, so it says what
happened, with the figure that decides it.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

State = TypeVar("State", bound=str | int)


class Machine(NamedTuple, Generic[State]):
    """The states that something may begin in, and (state, event): the state that follows."""

    starts: tuple[State, ...]
    steps: Mapping[tuple[State, str], State]

    def after(self, state: State, event: str) -> State:
        """Return the state that an event leads to."""
        return self.steps.get((state, event), state)
