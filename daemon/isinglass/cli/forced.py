"""What a client asked for behind a key that may do one thing: a forced command in authorized_keys.

sshd hands on what the client wanted to run as SSH_ORIGINAL_COMMAND. The forced command says what
may be seen and done; the client's own words can only make that less.
"""

from __future__ import annotations

import os

from isinglass.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from isinglass.cli.options import Command, Values

FORCED = "SSH_ORIGINAL_COMMAND"


def is_forced() -> bool:
    """Tell whether this process is a forced command."""
    return FORCED in os.environ


def asked_for(command: Command, names: str) -> Values:
    """Return what the client's own command says.

    Args:
        command: what the forced command is.
        names: its positionals, which must be no paths.

    Raises:
        UsageError: it is another command than this one.
    """
    words, verbs = os.environ.get(FORCED, "").split(), command.name.split()
    ends = (at + len(verbs) for at in range(1, len(words)) if words[at : at + len(verbs)] == verbs)
    end = next(ends, 0)
    if not end:
        raise UsageError(
            f"This key is for `isinglass {command.name}` alone: look with"
            " `isinglass console ssh://...`."
        )
    given = command.parse(words[end:])
    if any("/" in name for name in given.texts(names)):
        raise UsageError("This key knows names alone: give no paths.")
    return given


def narrowed(allowed: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Return the names that may be seen of those that were asked for.

    Raises:
        UsageError: none of them may.
    """
    if not allowed or not asked:
        return list(allowed or asked)
    both = [name for name in allowed if name in asked]
    if not both:
        raise UsageError(f"This key shows {', '.join(allowed)} alone, not {', '.join(asked)}.")
    return both
