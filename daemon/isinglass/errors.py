"""Every error that isinglass raises on purpose, each one sentence that says what to do.

One tree, so that a program catches `IsinglassError` and a command prints the sentence instead of a
traceback. The exit code belongs to the class: 1 the thing asked for is not there or in trouble,
2 the question was wrong.
"""

from __future__ import annotations


class IsinglassError(Exception):
    """Root of the tree; its text is one sentence for the operator."""

    exit_code = 1


class UsageError(IsinglassError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class SettingsError(IsinglassError):
    """A setting has a value that cannot be used."""

    exit_code = 2


class SegmentError(IsinglassError):
    """The segment of a node cannot be read or written."""


class SegmentMissing(SegmentError):
    """There is no segment file: the node never ran on this machine since it booted."""


class NotASegment(SegmentError):
    """The file is there, but its bytes are not a segment."""


class FormatTooNew(SegmentError):
    """The segment was written in a format of a later major version."""


class SegmentHalfWritten(SegmentError):
    """The writer was stopped or killed while it made the segment."""


class SegmentTruncated(SegmentError):
    """The file is shorter than its header says."""


class SegmentForeign(SegmentError):
    """The segment belongs to another user, or is not a plain file."""


class MachineRebooted(SegmentError):
    """The segment was written before this machine's last boot."""


class PackedSnapshotError(SegmentError):
    """A snapshot that was made into bytes cannot be made out of them again."""


class SnapshotDamaged(PackedSnapshotError):
    """The bytes are not what was packed."""


class SnapshotBaseMissing(PackedSnapshotError):
    """The bytes are a difference to a snapshot that did not come before."""


class SnapshotFormatUnknown(PackedSnapshotError):
    """The bytes were packed in another version of the format."""


class RegionsTaken(SegmentError):
    """All regions of the segment belong to live processes."""


class RegionFull(SegmentError):
    """A process declared more panels than its region holds."""


class SegmentNoSpace(SegmentError):
    """The tmpfs that holds the segment is full."""


class LockTimeout(SegmentError):
    """A lock was not had within its limit: its holder is stopped."""


class StoreError(IsinglassError):
    """The store cannot do what was asked."""


class DiskFull(StoreError):
    """The disk has no room for the write; nothing acknowledged is lost."""


class MapFull(StoreError):
    """The LMDB map has no room for the write; nothing acknowledged is lost."""


class DiskFailed(StoreError):
    """The disk did not take what it was given; which of it it has is unknown."""


class StoreCorrupt(StoreError):
    """The files of the store are damaged."""


class StoreLocked(StoreError):
    """Another daemon has this store open."""


class TableMissing(StoreError):
    """The table does not exist."""


class TableExists(StoreError):
    """The table exists already, with another shape."""


class IndexMissing(StoreError):
    """The table has no index on that field."""


class RecordTooLarge(StoreError):
    """The key or the value is longer than a record may be."""


class BadRecord(StoreError):
    """The value is not a record."""


class ProcessAway(IsinglassError):
    """The process of a daemon cannot be signalled from here."""


class ThreadStuck(IsinglassError):
    """A thread of the daemon did not end within its limit."""


class ClientError(IsinglassError):
    """The client could not get an answer from its daemon."""


class DaemonAway(ClientError):
    """No daemon answers at the node's socket."""


class RequestTimeout(ClientError):
    """The daemon did not answer in time."""


class WritesLost(ClientError):
    """A daemon was killed with writes of this client still in its queue."""


class AddUnknown(ClientError):
    """The connection broke during an add, and whether it counted cannot be told."""


class NodeDrained(ClientError):
    """An operator drained the node: it takes no writes of its clients for a while."""


class RequestRefused(ClientError):
    """The daemon refused the request and said why."""


class ClusterError(IsinglassError):
    """Another node of the cluster cannot be talked to."""


class WrongClusterKey(ClusterError):
    """The other node was given another cluster key, or none."""


class WrongClusterVersion(ClusterError):
    """The other node speaks another version of the cluster's protocol."""


class WrongCluster(ClusterError):
    """The other node belongs to another cluster."""


class DuplicateNode(ClusterError):
    """Another node has this node's name or its number."""


class RemoteError(IsinglassError):
    """A node on another host cannot be looked at."""


class HostAway(RemoteError):
    """The host cannot be reached, or the connection to it broke."""


class HostKeyRefused(RemoteError):
    """The host's key is not known, or is another than the known one."""


class LoginRefused(RemoteError):
    """The host lets nobody in with the keys that were offered."""


class RelayMissing(RemoteError):
    """The far side has nothing that can relay."""


class RelayMismatch(RemoteError):
    """The far side speaks another version of the relay's protocol."""


class RelayRefused(RemoteError):
    """The relay does not do what the client asked of it."""
