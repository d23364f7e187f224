"""The settings of a daemon: one table, from which come the defaults, the checks and the manual.

A value comes from the first that has it: a flag, the environment (`ISINGLASS_` and the name in
capitals), the node's file (`/etc/isinglass/NODE.toml`, or the one named with `--config`), the
default. A value that cannot be used stops the daemon before it touches anything, with the place
where the value stands and what is allowed there; so does a key that nobody knows, because a
misspelt limit is no limit. `docs/settings.md` is made from the same table (`make docs`).
"""

# ruff: noqa: RUF009 - a row of the table is a field, made by a function

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from isinglass.errors import SettingsError
from isinglass.glass import layout
from isinglass.setting_kinds import (
    GROUP,
    INTERFACE,
    NAME,
    PATH,
    SWITCH,
    Kind,
    choice,
    count,
    seconds,
    size,
    size_text,
)

CONFIG_FOLDER = Path("/etc/isinglass")
ENVIRONMENT_PREFIX = "ISINGLASS_"
DURABILITIES = ("commit", "second", "none")


def host_node_name() -> str:
    """Return the node name that this machine has by default: its short host name, made to fit."""
    short = os.uname().nodename.partition(".")[0].lower()
    fitting = re.sub(r"[^a-z0-9_-]", "-", short).strip("-_")[:48]
    return fitting or "node"


def data_directory() -> Path:
    """Return the folder that holds a folder a node, for stores: what must survive a reboot."""
    if chosen := os.environ.get("ISINGLASS_DATA_DIR"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/isinglass")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "isinglass"


def _runtime_directory() -> Path:
    return Path(layout.runtime_directory())


def _setting(kind: Kind, help_: str, default: object, shown: str = "") -> Any:
    """Declare one row of the table; a callable default is asked when the settings are loaded."""
    metadata = {"kind": kind, "help": help_, "shown": shown}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """Everything that a daemon can be told; `load` makes one, and checks each value."""

    node: str = _setting(
        NAME, "The name of the node.", host_node_name, "the machine's short host name"
    )
    runtime_dir: Path = _setting(
        PATH,
        "The folder of the nodes' segments, sockets and locks; on a tmpfs. Clients and the other"
        " commands find another one by the environment alone.",
        _runtime_directory,
        "`/run/isinglass`; not as root `$XDG_RUNTIME_DIR/isinglass`; else `/dev/shm/isinglass-UID`",
    )
    data_dir: Path = _setting(
        PATH,
        "The folder of the nodes' stores; on a disk.",
        data_directory,
        "`/var/lib/isinglass`; not as root `$XDG_STATE_HOME/isinglass`",
    )
    durability: str = _setting(
        choice(DURABILITIES),
        "When a batch of updates is flushed to disk: at its commit, once a second, or when the"
        " kernel likes.",
        "second",
    )
    map_size_bytes: int = _setting(
        size(2**20, 2**44),
        "The most that the store may grow to; address space, not disk, until it is used.",
        16 * 2**30,
    )
    queue_limit_entries: int = _setting(
        count(1, 2**31), "Updates that may wait for the store; more are made to wait.", 200_000
    )
    queue_limit_bytes: int = _setting(
        size(2**10, 2**40), "Bytes of updates that may wait for the store.", 256 * 2**20
    )
    queue_limit_seconds: float = _setting(
        seconds(0.1, 86_400),
        "How long updates may wait for the store; writers are held to half of the queue's limits.",
        10.0,
    )
    flow_control: bool = _setting(
        SWITCH,
        "Hold writers to a pace that the slowest node can take; off, they run into the queue's"
        " limits.",
        True,
    )
    batch_limit: int = _setting(
        count(1, 10**6), "Updates that one transaction of the store applies at most.", 4096
    )
    gather_seconds: float = _setting(
        seconds(0, 10),
        "How long updates may gather in the queue before they are taken: longer merges more.",
        0.01,
    )
    merge: bool = _setting(
        SWITCH, "Merge the updates that wait; off only to measure what merging is worth.", True
    )
    tombstone_seconds: float = _setting(
        seconds(0, 10**9), "How long the mark of a deleted record is kept at least.", 86_400.0
    )
    stop_limit_seconds: float = _setting(
        seconds(0.1, 86_400), "How long a clean stop may take to write what is queued.", 60.0
    )
    watchdog_limit_seconds: float = _setting(
        seconds(0.1, 86_400),
        "How long a thread may work on one thing before the service manager hears no more.",
        10.0,
    )

    cluster: str = _setting(
        NAME,
        "The name of the cluster that the node belongs to; the same at all its nodes.",
        "",
        "none: a node on its own",
    )
    cluster_key_file: Path | None = _setting(
        PATH,
        "The file of the cluster's key, made with `isinglass cluster key FILE`; a copy of the same"
        " file at every node, readable by its owner alone.",
        None,
        "none",
    )
    insecure: bool = _setting(
        SWITCH,
        "Let the cluster do without a key: whoever reaches the network can then read and change"
        " what its nodes store.",
        False,
    )
    origin_number: int = _setting(
        count(0, 65_535),
        "The node's number in the versions of records, for two nodes whose names give the same one;"
        " never another one for the same store.",
        0,
        "`0`: made from the node's name",
    )
    multicast_group: str = _setting(
        GROUP, "The group by which the nodes of a cluster hear each other.", "239.255.73.71"
    )
    multicast_port: int = _setting(
        count(1, 65_535), "The port of the group; another one for each cluster.", 7371
    )
    interface: str = _setting(
        INTERFACE,
        "The interface to the other nodes; `lo` keeps the cluster inside this machine.",
        "",
        "the one through which this machine's routes lead to the group",
    )
    multicast_ttl: int = _setting(
        count(0, 255), "How many networks a datagram to the group may cross.", 1
    )
    receive_buffer_bytes: int = _setting(
        size(2**12, 2**30),
        "What the kernel may keep of other nodes' datagrams until they are read; not as root it"
        " grants no more than `net.core.rmem_max`.",
        4 * 2**20,
    )

    log_group: str = _setting(
        GROUP,
        "The group to which the node's processes send their events, for monitors.",
        "",
        "the same as `multicast_group`",
    )
    log_port: int = _setting(
        count(1, 65_535),
        "The port of that group; not the one of `multicast_port`.",
        0,
        "`multicast_port` + 1",
    )
    patience_seconds: float = _setting(
        seconds(0.001, 60),
        "How long the primary of a record is waited for at least, however quick it was before;"
        " then the node answers alone, and says so.",
        0.1,
    )
    journal_limit: int = _setting(
        count(1_000, 10**8),
        "Updates of all nodes whose names are kept to repair what another node misses; about 100"
        " bytes each. A node that was away for more is healed by comparing and copying.",
        200_000,
    )

    @property
    def node_runtime_dir(self) -> Path:
        """The folder of this node's segment, socket and lock."""
        return self.runtime_dir / self.node

    @property
    def node_data_dir(self) -> Path:
        """The folder of this node's store."""
        return self.data_dir / self.node


TABLE: Mapping[str, Field[Any]] = {row.name: row for row in fields(Settings)}


def load(
    given: Mapping[str, object],
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of a node, each value checked.

    Args:
        given: the flags of the command line by the setting's name, text or typed values.
        config: the file of the node; None for the one in `/etc/isinglass`, when it is there.
        environment: instead of this process's own.

    Raises:
        SettingsError: a value, a key or the file cannot be used; says where and what is allowed.
    """
    variables = os.environ if environment is None else environment
    named = {name: variables.get(ENVIRONMENT_PREFIX + name.upper()) for name in TABLE}
    values = {
        name: _checked(f"{ENVIRONMENT_PREFIX}{name.upper()}", name, text)
        for name, text in named.items()
        if text
    }
    for name, value in given.items():
        _must_know(name, f"--{name.replace('_', '-')}")
        values[name] = _checked(f"--{name.replace('_', '-')}", name, value)
    node = values.get("node") or (host_node_name() if config is None else None)
    path = config or CONFIG_FOLDER / f"{node}.toml"
    from_file = _read_file(path, optional=config is None)
    if node and from_file.setdefault("node", node) != node:
        raise SettingsError(
            f"{path} is for node {from_file['node']}, not {node}: name that node, or another file."
        )
    return Settings(**{**from_file, **values})


def _read_file(path: Path, *, optional: bool) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        import tomllib

        pairs = tomllib.loads(text)
    except OSError as error:
        if optional and isinstance(error, FileNotFoundError | NotADirectoryError):
            return {}
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    for name in pairs:
        _must_know(name, f"{path}: {name}")
    return {name: _checked(f"{path}: {name}", name, value) for name, value in pairs.items()}


def _must_know(name: str, place: str) -> None:
    if name not in TABLE:
        raise SettingsError(f"{place} is no setting; there are {', '.join(TABLE)}.")


def _checked(place: str, name: str, value: object) -> Any:
    kind: Kind = TABLE[name].metadata["kind"]
    try:
        return kind.convert(value)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise SettingsError(f"{place} cannot be {value!r}: {name} is {kind.allowed}.") from None


def reference_page() -> str:
    """Return `docs/settings.md`, a table of every setting."""
    return PAGE_HEAD + "".join(_page_rows(TABLE.values()))


def default_text(row: Field[Any]) -> str:
    """Return the default of a setting as the manual shows it."""
    if row.metadata["shown"]:
        return str(row.metadata["shown"])
    if row.name.endswith("_bytes") and isinstance(row.default, int):
        return f'`"{size_text(row.default)}"`'
    return f"`{str(row.default).lower()}`"


def _page_rows(rows: Iterable[Field[Any]]) -> Iterable[str]:
    for row in rows:
        yield (
            f"| `{row.name}` | {default_text(row)} | {row.metadata['help']} "
            f"| {row.metadata['kind'].allowed} |\n"
        )


PAGE_HEAD = """\
# Settings of a daemon

<!-- Made by `make docs` from daemon/isinglass/settings.py; a test compares them. -->

A setting's value comes from the first of these that has it:

1. a flag of `isinglass daemon start` or `run`: `--queue-limit-bytes "64 MiB"`;
2. the environment: `ISINGLASS_QUEUE_LIMIT_BYTES="64 MiB"`;
3. the node's file, `/etc/isinglass/NODE.toml`, or the one given with `--config FILE`:
   `queue_limit_bytes = "64 MiB"`;
4. the default.

A value that cannot be used, or a key that is no setting, stops the daemon before it starts, with
one sentence: where the value stands, and what is allowed there.

| setting | default | what it is for | allowed |
| --- | --- | --- | --- |
"""


if __name__ == "__main__":
    print(reference_page(), end="")
