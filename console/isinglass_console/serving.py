"""`isinglass console --serve`: the console in a browser, for who has no terminal at hand.

textual-serve (the extra `serve`) starts a console for each page that is opened and passes on what
it draws and what is typed. Whoever reaches it sees and does what the one who started it may. So it
is bound to this machine's own address, where still every user of the machine, and every page that
any browser here has open, could reach it; therefore the first address that is opened has a key that
was drawn at random, which becomes a cookie, and no request without it is answered, nor one that
comes from another page (its header `Origin`) or by another name of this machine (`Host`).

    this machine    http://127.0.0.1:8600/?key=...
    from elsewhere  ssh -L 8600:127.0.0.1:8600 HOST, and then the same address
"""

from __future__ import annotations

import secrets
import shlex
import sys
from collections.abc import Mapping, Sequence

from isinglass.errors import SettingsError

LOOPBACK = "127.0.0.1"
KEY_BYTES = 24
COOKIE = "isinglass_key"


def command_line(arguments: Sequence[str]) -> str:
    """Return the command of one console; what is served is a console without --serve."""
    line = [sys.executable, "-m", "isinglass_console.cli", "console", *arguments]
    return f"exec {shlex.join(line)}"  # a shell runs it, and would stand in the way of signals


def site(port: int) -> str:
    """Return what `Host` must be."""
    return f"{LOOPBACK}:{port}"


def is_own(headers: Mapping[str, str], port: int) -> bool:
    """Return whether a request is for this site, and not made by a page of another one."""
    own = site(port)
    return headers.get("Host") == own and headers.get("Origin", f"http://{own}") == f"http://{own}"


def has_key(key: str, given: str | None) -> bool:
    """Return whether what was given is the key; takes the same time for any wrong one."""
    return secrets.compare_digest(key.encode(), (given or "").encode())


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
    server = ConsoleServer(command_line(arguments), port, secrets.token_urlsafe(KEY_BYTES))
    try:
        server.serve()
    except OSError as error:
        raise SettingsError(f"{site(port)} cannot be had: {error.strerror}.") from error
    return 0
