"""The address of a node on another host: `ssh://user@host:port/node`.

    ssh://alder.example/               all nodes of the user there
    ssh://ops@10.0.0.7:2222/alder      one node, another user and port
    ssh://host/alder?jump=ops@bastion  through a jump host; several are apart by commas

What is left out comes from ~/.ssh/config, as for `ssh` itself; there `host` may be an alias. Pure.
"""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from isinglass.errors import UsageError

SCHEME = "ssh://"
HINT = "an address is ssh://[USER@]HOST[:PORT]/[NODE][?jump=HOST]"


class Hop:
    """One host on the way: a user and a port are given, or as ~/.ssh/config says."""

    __slots__ = ("host", "port", "user")

    def __init__(self, host: str, user: str = "", port: int = 0) -> None:
        self.host, self.user, self.port = host, user, port

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hop) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @property
    def _key(self) -> tuple[str, str, int]:
        return self.host, self.user, self.port

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        user = f"{self.user}@" if self.user else ""
        return f"{user}{host}:{self.port}" if self.port else f"{user}{host}"


Way = tuple[Hop, ...]  # the jump hosts, then the host itself


class Address:
    """A node on another host, or, with an empty name, all nodes there."""

    __slots__ = ("node", "way")

    def __init__(self, way: Way, node: str) -> None:
        self.way, self.node = way, node

    @property
    def host(self) -> Hop:
        """The host that the node runs on."""
        return self.way[-1]

    def __str__(self) -> str:
        jumps = ",".join(map(str, self.way[:-1]))
        return f"{SCHEME}{self.host}/{self.node}" + (f"?jump={jumps}" if jumps else "")


def is_remote(name: str) -> bool:
    """Tell whether what was given as a node is the address of one on another host."""
    return name.startswith(SCHEME)


def read_hop(text: str) -> Hop:
    """Return the host of `[user@]host[:port]`.

    Raises:
        UsageError: it is none.
    """
    user, _, place = text.rpartition("@")
    try:
        parts = urlsplit(f"//{place}")
        host, port, path = parts.hostname or "", parts.port or 0, parts.path
    except ValueError:
        host, port, path = "", 0, ""
    # A name that begins with a dash would be an option of the system's ssh.
    if not host or host.startswith("-") or user.startswith("-") or path:
        raise UsageError(f"{text!r} is no host: {HINT}.")
    # urlsplit makes names small, but an alias of ~/.ssh/config may have capitals.
    at = place.lower().find(host)
    return Hop(place[at : at + len(host)], unquote(user), port)


def read_address(text: str) -> Address:
    """Return the address that a text is.

    Raises:
        UsageError: it is none; the sentence says how one looks.
    """
    try:
        parts = urlsplit(text)
    except ValueError:  # a bracket without its other one
        raise UsageError(f"{text!r} is no address of a node: {HINT}.") from None
    asked = parse_qs(parts.query, keep_blank_values=True)
    if not is_remote(text) or parts.fragment or asked.keys() - {"jump"}:
        raise UsageError(f"{text!r} is no address of a node: {HINT}.")
    jumps = [jump for entry in asked.get("jump", []) for jump in entry.split(",")]
    node = unquote(parts.path.removeprefix("/"))
    return Address((*map(read_hop, jumps), read_hop(parts.netloc)), node)
