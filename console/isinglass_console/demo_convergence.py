"""Whether the nodes of a demo hold the same: what is outstanding, and the digests of stores."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from isinglass import clock
from isinglass.errors import IsinglassError
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Snapshot
from isinglass.store.reading import StoreReader
from isinglass_console.model.figures import panels_of
from isinglass_console.model.rates import number

LIMIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
QUIET_LOOKS = 5
"""A write is in neither queue nor lag for an instant; several looks in a row see it."""


def store_digest(data_dir: Path) -> str:
    """Return the digest of a store that no daemon writes to: equal for equal records.

    Args:
        data_dir: the folder of the node's store.

    Raises:
        IsinglassError: the store cannot be read.
    """
    with StoreReader.open(data_dir) as store:
        *_, digests = store.bucket_digests()
    whole = b"".join(digest.to_bytes(8, "big") for digest in digests)
    return blake2b(whole, digest_size=16).hexdigest()


def outstanding(snapshot: Snapshot) -> float:
    """Return the updates of a node that wait in its queue, or that a peer has not applied."""
    waiting = number(snapshot.panel("queue"), "length")
    lags = sum(number(peer, "lag_updates") for peer in panels_of(snapshot, "peer"))
    return waiting + lags


def wait_until_equal(nodes: Iterable[str], limit_seconds: float = LIMIT_SECONDS) -> float | None:
    """Wait until nothing is outstanding on any node; return how long that took, None: too long."""
    names = list(nodes)
    start_ns, quiet = clock.monotonic_ns(), 0
    while quiet < QUIET_LOOKS:
        quiet = quiet + 1 if all(_is_quiet(name) for name in names) else 0
        waited = (clock.monotonic_ns() - start_ns) / clock.NANOSECONDS_PER_SECOND
        if waited > limit_seconds:
            return None
        clock.sleep(LOOK_SECONDS)
    return round((clock.monotonic_ns() - start_ns) / clock.NANOSECONDS_PER_SECOND, 3)


def _is_quiet(node: str) -> bool:
    try:
        with SegmentReader(node) as reader:
            return outstanding(reader.snapshot()) == 0
    except IsinglassError:
        return False
