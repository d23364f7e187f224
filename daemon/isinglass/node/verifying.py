"""Verifying: comparing the stores of all nodes that are heard, down to the record.

Every node digests its buckets; of the buckets that are not the same everywhere the records are
fetched and compared, BUCKETS_TOGETHER buckets at a time. Writers go on meanwhile, so a record that
differs may only be on its way: who wants to be sure verifies twice, and takes what differs both
times (`isinglass verify` does). Marks of deletions that every node has passed do not count, since
some nodes may have forgotten them already.

    digests of all ──▶ buckets that differ ──records of all──▶ records that differ

At most SHOWN_LIMIT records are named; all are counted. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from isinglass.errors import ClusterError, IsinglassError
from isinglass.node.healing import ANY_LIFE, BUCKETS, DIGESTS
from isinglass.node.outside import Outside
from isinglass.store import records
from isinglass.wire.membership import Member

BUCKETS_TOGETHER = 64
SHOWN_LIMIT = 1000

Result = dict[str, Any]
Name = tuple[str, bytes]


class Verifying:
    """One comparison; `done` gets the result, or an error.

    Args:
        name: this node's; members: the others that are heard.
        horizon: the stamp up to which deletions do not count.

    The result: `nodes`: names; `buckets`: how many differ; `records`: how many differ; `differing`:
    of each [table, key, {name: stamp, or None where it is not, negative where it is deleted}].
    """

    def __init__(
        self,
        name: str,
        members: list[Member],
        outside: Outside,
        horizon: int,
        done: Callable[[Result | None, IsinglassError | None], None],
    ) -> None:
        self._name, self._outside, self._done = name, outside, done
        self._members = {member.name: member.origin for member in members}
        self._horizon, self._ended = horizon, False
        self._digests: dict[str, list[int]] = {}
        self._buckets: list[int] = []
        self._pieces: dict[str, dict[Name, bytes]] = {}
        self._waiting = 0
        self._result: Result = {"nodes": sorted([name, *self._members]), "buckets": 0,
                                "records": 0, "differing": []}  # fmt: skip

    def start(self) -> None:
        """Begin."""
        self._waiting = len(self._members) + 1
        self._outside.digests(self._horizon, partial(self._digested, self._name))
        for name, origin in self._members.items():
            self._outside.call(origin, [DIGESTS, self._horizon, True], partial(self._heard, name))

    def _heard(self, name: str, answer: list[Any] | None) -> None:
        if answer is not None:
            self._horizon = max(self._horizon, answer[1])
        self._digested(name, answer[2] if answer is not None else None)

    def _digested(self, name: str, digests: list[int] | None) -> None:
        if digests is None:
            self._fail(name)
            return
        self._digests[name] = digests
        self._waiting -= 1
        if not self._waiting:
            together = zip(*self._digests.values(), strict=True)
            self._buckets = [bucket for bucket, found in enumerate(together) if len(set(found)) > 1]
            self._result["buckets"] = len(self._buckets)
            self._next()

    def _fail(self, name: str) -> None:
        if not self._ended:
            self._ended = True
            self._done(
                None, ClusterError(f"node {name} did not answer in time: see `isinglass dump`")
            )

    # ------------------------------------------------------------------ the buckets that differ
    def _next(self) -> None:
        """Fetch the records of the next buckets from everybody, or end."""
        if self._ended:
            return
        if not self._buckets:
            self._ended = True
            self._done(self._result, None)
            return
        self._pieces = {name: {} for name in self._digests}
        self._waiting = len(self._pieces)
        for name in self._pieces:
            self._fetch(name, [])

    def _fetch(self, name: str, cursor: list[Any]) -> None:
        buckets, origin = self._buckets[:BUCKETS_TOGETHER], self._members.get(name)
        came = partial(self._came, name)
        if origin is None:
            self._outside.records(buckets, cursor, came)
        else:
            self._outside.call(origin, [BUCKETS, buckets, cursor, ANY_LIFE], came)

    def _came(self, name: str, answer: list[Any] | None) -> None:
        if answer is None:
            self._fail(name)
            return
        items, cursor = answer
        self._pieces[name].update({(table, key): record for table, key, record in items})
        if cursor:
            self._fetch(name, cursor)
            return
        self._waiting -= 1
        if not self._waiting:
            self._compare()
            del self._buckets[:BUCKETS_TOGETHER]
            self._next()

    def _compare(self) -> None:
        bound = records.older_bound(records.version_bytes(self._horizon, records.ORIGIN_LIMIT - 1))
        for name in sorted(set().union(*self._pieces.values())):
            found = {node: piece.get(name) for node, piece in self._pieces.items()}
            present = [record for record in found.values() if record is not None]
            if all(record < bound and records.is_tombstone(record) for record in present):
                continue
            if len(present) < len(found) or len(set(present)) > 1:
                self._result["records"] += 1
                if len(self._result["differing"]) < SHOWN_LIMIT:
                    self._result["differing"].append([*name, _stamps(found)])


def _stamps(found: dict[str, bytes | None]) -> dict[str, int | None]:
    """Return each node's stamp of a record: negative for a deletion, None where there is none."""
    return {
        node: None
        if record is None
        else records.version_stamp(record) * (-1 if records.is_tombstone(record) else 1)
        for node, record in found.items()
    }
