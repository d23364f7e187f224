"""Commands whose first word says what to do: `daemon start`, `monitor status`, `cluster key`."""

from __future__ import annotations

from isinglass.cli.options import Command, near
from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from isinglass.cli.options import Values


def chosen(
    command: Command, actions: Mapping[str, Command], arguments: list[str]
) -> tuple[str, Values]:
    """Return the action that the first word names, and what the others say.

    Args:
        command: of all actions together; prints their help.

    Raises:
        UsageError: there is no such action, or it is not asked for like that.
    """
    action = arguments[0] if arguments else ""
    if action not in actions:
        if action.startswith("-"):
            command.parse(arguments)
        raise UsageError(
            f"`isinglass {command.name}` has no action {action!r}{near(action, list(actions))};"
            f" there are {', '.join(actions)}."
        )
    return action, actions[action].parse(arguments[1:])
