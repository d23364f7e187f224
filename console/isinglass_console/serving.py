"""`isinglass console --serve`: the console in a browser, for who has no terminal at hand.

textual-serve (the extra `serve`) starts a console for each page that is opened and passes on what
it draws and what is typed. Whoever reaches the port sees and does what the one who started it may;
so it is bound to this machine's own address, and a browser elsewhere comes through
`ssh -L 8600:127.0.0.1:8600`.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from isinglass.errors import SettingsError

LOOPBACK = "127.0.0.1"
PORT = 8600
TITLE = "isinglass"


def command_line(arguments: Sequence[str]) -> str:
    """Return the command of one console; what is served is a console without --serve."""
    return shlex.join([sys.executable, "-m", "isinglass_console.cli", "console", *arguments])


def serve(arguments: Sequence[str], port: int) -> int:
    """Serve consoles until interrupted; return the exit code.

    Args:
        arguments: of each console.
        port: of this machine's loopback address.

    Raises:
        SettingsError: the library is not installed, or the port is taken.
    """
    try:
        from textual_serve.server import Server
    except ImportError:
        raise SettingsError(
            "The console in a browser needs the library textual-serve: install it with"
            " `pip install 'isinglass[serve]'`."
        ) from None
    server = Server(command_line(arguments), host=LOOPBACK, port=port, title=TITLE)
    try:
        server.serve()
    except OSError as error:
        raise SettingsError(f"{LOOPBACK}:{port} cannot be had: {error.strerror}.") from error
    return 0
