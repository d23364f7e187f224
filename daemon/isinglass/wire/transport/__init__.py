"""The only sockets of the product: `local` between clients and daemon, `cluster` between nodes.

Who talks to a client or a supervisor needs nothing of the cluster's; so this package's own names
are those of `local`, and the module `cluster` is imported by its name.
"""

from isinglass.wire.transport.local import (
    LONGEST_PATH_BYTES,
    RECEIVE_BYTES,
    SOCKET_MODE,
    ClientSocket,
    Peer,
    Server,
    listen,
    notify_supervisor,
    unlink,
)

__all__ = [
    "LONGEST_PATH_BYTES",
    "RECEIVE_BYTES",
    "SOCKET_MODE",
    "ClientSocket",
    "Peer",
    "Server",
    "listen",
    "notify_supervisor",
    "unlink",
]
