"""An operator's remark from the console: made by `isinglass note`, in a process of its own.

The console only ever reads segments. Whoever stores an event joins one and becomes part of it; so
that is left to a process that does it and ends, which is the command itself.
"""

from __future__ import annotations

import subprocess
import sys

from isinglass.errors import IsinglassError

LIMIT_SECONDS = 20.0


class NotNoted(IsinglassError):
    """The remark was not made; the command said why."""


def note(node: str, text: str) -> str:
    """Put a remark on the timeline of a node's cluster; return what the command says.

    Raises:
        NotNoted: it could not.
    """
    command = [sys.executable, "-m", "isinglass_console.cli", "note", "--node", node, "--", text]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as reason:
        raise NotNoted(f"The note was not made: {reason}.") from reason
    said = (done.stdout or done.stderr).strip().removeprefix("isinglass: ")
    if not done.stdout:
        raise NotNoted(said or f"The note was not made: exit code {done.returncode}.")
    return said
