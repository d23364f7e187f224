"""Who is answered by a console that is served to browsers: its own page, with the key.

A port of this machine's own address can be reached by every user of the machine, and by every page
that any browser here has open. So a request must bring a key drawn at random (first in the address,
then as a cookie), must be for this site by its one name (`Host`), and not be made by a page of
another one (`Origin`).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

LOOPBACK = "127.0.0.1"
KEY_BYTES = 24
COOKIE = "isinglass_key"


def new_key() -> str:
    """Return a key that nobody can guess."""
    return secrets.token_urlsafe(KEY_BYTES)


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
