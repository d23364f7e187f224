"""The file of `--cluster`: the nodes of a cluster, so that nobody types their addresses each time.

    # one address a line, as on the command line
    alder                   # of this machine
    ssh://ops@db1/birch

A daemon's settings name no members, who find each other by multicast; so this is a file of its own,
for whoever looks from a machine outside. What cannot be used is told with its line.
"""

from __future__ import annotations

from pathlib import Path

from isinglass.cli.nodes import is_remote
from isinglass.cli.options import Option, Values
from isinglass.errors import SettingsError, UsageError
from isinglass.setting_kinds import NAME

CLUSTER = Option(
    "cluster",
    "A file of more nodes, one address a line as here; # begins a remark.",
    value="FILE",
    completes="files",
)


def nodes_of(values: Values, word: str = "NODE") -> list[str]:
    """Return the nodes that a command line names, and those of its file; each once.

    Args:
        word: what the nodes are called in the command's table.

    Raises:
        SettingsError: the file, or a line of it, cannot be used.
    """
    named = values.texts(word)
    if values.given("cluster"):
        named = [*named, *read(Path(values.text("cluster")))]
    return list(dict.fromkeys(named))


def read(path: Path) -> list[str]:
    """Return the addresses in a file.

    Raises:
        SettingsError: it cannot be read, names no node, or a line is no address.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text in UTF-8.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if address := line.partition("#")[0].strip():
            found.append(_checked(address, f"{path}:{number}"))
    if not found:
        raise SettingsError(f"{path} names no node: write one address a line, as ssh://HOST/NODE.")
    return found


def _checked(address: str, place: str) -> str:
    try:
        if is_remote(address):
            from isinglass.remote.address import read_address

            read_address(address)
        else:
            NAME.convert(address)
    except UsageError as error:
        raise SettingsError(f"{place}: {error}") from None
    except (ValueError, TypeError):
        raise SettingsError(
            f"{place}: {address!r} is neither a node's name nor ssh://HOST/NODE."
        ) from None
    return address
