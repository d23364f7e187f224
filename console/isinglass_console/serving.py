"""`isinglass console --serve`: the console in a browser, for who has no terminal at hand.

textual-serve (the extra `serve`) starts a console for each page that is opened and passes on what
it draws and what is typed. Whoever reaches it sees and does what the one who started it may; so it
is bound to this machine's own address, and answers nobody without its key (`page_key`).

    this machine    http://127.0.0.1:8600/?key=...
    from elsewhere  ssh -L 8600:127.0.0.1:8600 HOST, and then the same address
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from isinglass.errors import SettingsError
from isinglass_console.page_key import new_key, site


def command_line(arguments: Sequence[str]) -> str:
    """Return the command of one console; what is served is a console without --serve."""
    line = [sys.executable, "-m", "isinglass_console.cli", "console", *arguments]
    return f"exec {shlex.join(line)}"  # a shell runs it, and would stand in the way of signals


def serve(arguments: Sequence[str], port: int) -> int:
    """Serve consoles until interrupted; return the exit code.

    Args:
        arguments: of each console.
        port: of this machine's loopback address.

    Raises:
        SettingsError: the library is not installed, or the port is taken.
    """
    try:
        from isinglass_console.web_server import ConsoleServer
    except ImportError:
        raise SettingsError(
            "The console in a browser needs the library textual-serve: install it with"
            " `pip install 'isinglass[serve]'`."
        ) from None
    server = ConsoleServer(command_line(arguments), port, new_key())
    try:
        server.serve()
    except OSError as error:
        raise SettingsError(f"{site(port)} cannot be had: {error.strerror}.") from error
    return 0
