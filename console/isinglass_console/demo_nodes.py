"""The nodes of the demo: their names, the settings that make a cluster of them, who works where.

Each demo has a key, a multicast group and a port of its own, drawn at random, and speaks on the
loopback interface alone: two demos on one machine never hear each other, and nobody outside does.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

from isinglass.errors import UsageError
from isinglass.wire import cluster_key

NAMES = ("alder", "birch", "cedar", "durmast", "elm", "fir", "gean")
MOST_NODES = len(NAMES)
LEAST_WORKERS = 3
HELPERS = ("reader", "scanner")
INTERFACE = "lo"
NAME_FILE = "cluster.name"
PORTS = range(20_000, 30_000)  # below the kernel's own ephemeral ports


def cluster_settings(nodes: int, folder: Path, kept: Path | None = None) -> dict[str, str]:
    """Return the environment of the daemons that makes one cluster of them; one alone is in none.

    Writes the cluster's key into `folder`.

    Args:
        kept: where the stores of an earlier demo may be, which say of which cluster they are.

    Raises:
        UsageError: nothing can be kept there.
    """
    if nodes < 2:
        return {}
    generator = random.SystemRandom()
    key = folder / "cluster.key"
    cluster_key.create(key)
    return {
        "ISINGLASS_CLUSTER": _cluster_name(f"demo-{generator.getrandbits(32):08x}", kept),
        "ISINGLASS_CLUSTER_KEY_FILE": str(key),
        # 239.255.0.0/16 is for the site alone: RFC 2365.
        "ISINGLASS_MULTICAST_GROUP": ".".join(
            ("239.255", str(generator.randrange(256)), str(generator.randrange(1, 255)))
        ),
        "ISINGLASS_MULTICAST_PORT": str(generator.choice(PORTS)),
        "ISINGLASS_INTERFACE": INTERFACE,
    }


def _cluster_name(new: str, kept: Path | None) -> str:
    """Return the name of the cluster whose stores are kept there; a new one where none are."""
    if kept is None:
        return new
    place = kept / NAME_FILE
    try:
        kept.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), place.open("x", encoding="ascii") as file:
            file.write(new + "\n")
        return place.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{place} cannot be used ({error}): name another folder with --data-dir."
        ) from error


def cast(nodes: tuple[str, ...], workers: int) -> list[dict[str, Any]]:
    """Return who works where: counters dealt out to all nodes, the helpers to the last ones.

    The helpers read where others wrote: with replication they find it all the same.
    """
    players = [
        {"role": "counter", "process": f"counter {at + 1}", "node": nodes[at % len(nodes)]}
        for at in range(workers)
    ]
    for at, role in enumerate(HELPERS):
        players.append({"role": role, "process": role, "node": nodes[-1 - at % len(nodes)]})
    return players
