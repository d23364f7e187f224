"""A cluster of real daemons on hosts of their own, and what to look at: its glass, its stores.

Every daemon runs in the network namespace of its host (`network`), and all of them in the runtime
and data directory of the test: so this process reads every segment and every store, and connects
to every daemon's Unix socket, whatever is wrong with the network between them.

What a test waits for is always a state on the glass or in the stores, never a time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from daemon_process import DaemonProcess
from isinglass.client.local import borrow, give_back, identity_of
from isinglass.settings import data_directory
from isinglass.store import pieces
from isinglass.store.reading import StoreReader
from isinglass.wire import cluster_key
from network import Host, network, within
from panel_figures import real
from waiting import LIMIT_SECONDS, wait_until

NAMES = ("alder", "birch", "cedar", "damson", "elm")
CLUSTER, KEY_FILE, MULTICAST_PORT = "demo", "cluster.key", 7371


class HostDaemon(DaemonProcess):
    """The daemon of one host."""

    def __init__(self, name: str, host: Host, settings: Mapping[str, object]) -> None:
        super().__init__(name, {"interface": "eth0", **settings}, within(host.process))
        if "runtime_dir" in settings:
            self.path = f"{settings['runtime_dir']}/{name}/segment"
        self.host = host
        self.environment: dict[str, str] = {}
        self.store = Path(str(settings.get("data_dir", data_directory()))) / name

    @contextmanager
    def _opened(self) -> Iterator[StoreReader]:
        """Have the store open to read; a process has it open once."""
        identity = identity_of(str(self.store))
        store = borrow(identity, str(self.store))
        try:
            yield store
        finally:
            give_back(identity)

    def digests(self) -> list[int]:
        """Return the digest of each bucket of the store, all deletions included."""
        with self._opened() as store:
            *_, digests = store.bucket_digests()
            return digests

    def records(self, wanted: list[int]) -> dict[tuple[str, bytes], bytes]:
        """Return what the store has in some buckets, by table and key."""
        with self._opened() as store:
            found: dict[tuple[str, bytes], bytes] = {}
            place: pieces.Place | None = pieces.START
            while place is not None:
                items, place = store.bucket_records(set(wanted), place)
                found.update({(table, key): record for table, key, record in items})
            return found

    def keys(self, table: str = "t") -> dict[str, int]:
        """Return what the store has: the field `n` of each record, by key."""
        with self._opened() as store:
            return {record.key: record.value["n"] for record in store.scan(table)}

    def number(self, panel: str, field: str, instance: str = "") -> float:
        """Return a figure on its glass that is a number; 0 while there is no such panel."""
        shown = self.snapshot().panel(panel, instance)
        return real(shown, field) if shown is not None else 0.0

    def word(self, panel: str, field: str, instance: str = "") -> str:
        """Return a figure on its glass that is a text; empty while there is no such panel."""
        shown = self.snapshot().panel(panel, instance)
        return str(shown[field]) if shown is not None else ""

    def sees(self, other: str) -> str:
        """Return the state in which this node sees another one."""
        return self.word("peer", "state", other)

    def tells(self, part: str) -> bool:
        """Tell whether one of its events says so."""
        owner = self.snapshot().owner
        return owner is not None and any(part in event.message for event in owner.events)

    @property
    def live(self) -> bool:
        """Whether it is a full member."""
        return self.word("cluster", "state") == "live"

    def wait_live(self) -> None:
        """Wait until it is a full member."""
        wait_until(lambda: self.live, f"{self.node} is live")


class Cluster:
    """Daemons of one cluster, by name."""

    def __init__(self, hosts: list[Host], key: Path, settings: dict[str, object]) -> None:
        self.hosts = dict(zip(NAMES, hosts, strict=False))
        self._key, self._settings = key, settings
        self.daemons: dict[str, HostDaemon] = {}

    def __getitem__(self, name: str) -> HostDaemon:
        return self.daemons[name]

    def __iter__(self) -> Iterator[HostDaemon]:
        return iter(self.daemons.values())

    def daemon(self, name: str, host: str = "", /, **settings: object) -> HostDaemon:
        """Return the daemon of a node that does not run yet; `host` is the one of that name."""
        common = {"cluster": CLUSTER, "multicast_port": MULTICAST_PORT, **self._settings}
        if "insecure" not in settings and "insecure" not in common:
            common["cluster_key_file"] = self._key
        return HostDaemon(name, self.hosts[host or name], {**common, **settings})

    def add(
        self,
        *names: str,
        own: Mapping[str, Mapping[str, object]] | None = None,
        environment: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Make nodes members, and return when all are live; see `cluster`."""
        for name in names:
            self.daemons[name] = self.daemon(name, **(own or {}).get(name, {}))
            self.daemons[name].environment.update((environment or {}).get(name, {}))
        self.start(*names)

    def start(self, *names: str) -> None:
        """Start daemons together, and return when they are live."""
        for name in names:
            self[name].launch(**self[name].environment)
        for name in names:
            line, rest = self[name].first_words()
            assert "is ready" in line, line + rest
        for name in names:
            self[name].wait_live()

    # ------------------------------------------------------------------ what holds at the end
    def lags(self) -> list[str]:
        """Say what is not in step, by the figures on the glass; nothing when all is."""
        found = []
        for here in self:
            shown = here.snapshot()
            member = shown.panel("cluster")
            if not member or (member["state"], member["up"]) != ("live", len(self.daemons)):
                found.append(f"{here.node} is not live, or does not hear all")
                continue
            for name in self.daemons.keys() - {here.node}:
                peer, stream = shown.panel("peer", name), shown.panel("stream", name)
                if not peer or peer["state"] != "up" or peer["lag_updates"]:
                    found.append(f"{here.node} sees {name} behind")
                if not stream or stream["missing"] or stream["last"] != stream["applied"]:
                    found.append(f"{here.node} has not all of {name}")
        return found

    def differences(self) -> list[str]:
        """Say which stores differ, by the digests of their buckets."""
        first, *others = self
        expected = first.digests()
        found = []
        for other in others:
            pairs = zip(expected, other.digests(), strict=True)
            differing = [bucket for bucket, (one, another) in enumerate(pairs) if one != another]
            if differing:
                here, there = first.records(differing), other.records(differing)
                found += [
                    f"{key!r} is {here.get(key)!r} at {first.node} and {there.get(key)!r}"
                    f" at {other.node}"
                    for key in sorted(here.keys() | there.keys())
                    if here.get(key) != there.get(key)
                ][:5]
        return found

    def settle(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        """Wait until the figures say that all is in step, and the stores hold the same.

        The glass may be older than the newest write, by a quarter of a second.
        """
        for look in (self.lags, self.differences):
            try:
                wait_until(partial(_says_nothing, look), "in step", limit_seconds)
            except AssertionError as error:
                raise AssertionError("; ".join(look())) from error

    def close(self) -> None:
        """End all daemons."""
        for daemon in self:
            if daemon.process.poll() is None:
                os.kill(daemon.pid, signal.SIGCONT)
                daemon.kill()


def _says_nothing(look: Callable[[], list[str]]) -> bool:
    return not look()


@contextmanager
def cluster(
    count: int = 5,
    *,
    lossy: bool = False,
    own: Mapping[str, Mapping[str, object]] | None = None,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    **settings: object,
) -> Iterator[Cluster]:
    """Run a cluster on five hosts for a block; its first `count` nodes are live when it begins.

    Args:
        lossy: see `network`.
        own, environment: settings and variables of some nodes, by name, beside those of all.
    """
    with network(len(NAMES), lossy=lossy) as hosts:
        key = data_directory() / KEY_FILE
        cluster_key.create(key)
        running = Cluster(hosts, key, settings)
        try:
            running.add(*NAMES[:count], own=own, environment=environment)
            yield running
        finally:
            running.close()
