"""The panels of the queue and the store: what an operator sees of the way from update to disk."""

from __future__ import annotations

from isinglass.glass.catalog import (
    Counter,
    Estimate,
    Gauge,
    Histogram,
    Latch,
    Panel,
    Real,
    Text,
    Timestamp,
)


class QueuePanel(Panel):
    """The indexed update queue: what came in, what was merged away, what waits."""

    offered = Counter("updates", "Updates that entered the queue; the place of the newest one.")
    refused = Counter("updates", "Updates refused because the queue was at its limit.")
    superseded = Counter("updates", "Queued updates replaced by a newer one of the same record.")
    stale = Counter("updates", "Updates dropped on arrival: a newer one was queued, or a drop.")
    dropped = Counter("updates", "Queued updates removed by a newer drop of their table.")
    rolled = Counter("updates", "Updates written together with another of their storage group.")
    written = Counter("writes", "Writes handed to the store and applied.")
    batches = Counter("batches", "Batches applied.")
    applied_through = Gauge("place", "Every update up to this place is in the store.")
    length = Gauge("updates", "Updates that wait or are being applied.")
    length_max = Gauge("updates", "The most updates that ever waited.")
    size = Gauge("bytes", "Keys and records of the updates that wait or are being applied.")
    size_max = Gauge("bytes", "The most bytes that ever waited.")
    limit = Gauge("updates", "The most updates that may wait; more are refused.")
    size_limit = Gauge("bytes", "The most bytes of updates that may wait; more are refused.")
    in_flight = Gauge("updates", "Updates of the batch that is being applied.", level="diagnostic")
    oldest = Real("seconds", "For how long the oldest waiting update has waited.")
    avoided = Estimate("share", "Share of the updates that needed no write of their own.")
    offered_bytes = Counter("bytes", "Keys and records of the updates that entered.")
    written_bytes = Counter("bytes", "Bytes of the values that the store wrote for them.")
    write_amplification = Estimate("ratio", "Bytes written for each byte offered, key and record.")
    rules = Latch(
        "The merge rules at the end of a batch; offered is the sum of the others.",
        offered=Counter("updates", "Updates that entered the queue."),
        superseded=Counter("updates", "Replaced by a newer one."),
        stale=Counter("updates", "Dropped on arrival."),
        dropped=Counter("updates", "Removed by a table drop."),
        rolled=Counter("updates", "Written together with another."),
        written=Counter("updates", "Written on their own."),
        waiting=Gauge("updates", "Not applied yet."),
    )
    backlog = Latch(
        "What waits, consistently.",
        entries=Gauge("updates", "Updates that wait or are being applied."),
        size=Gauge("bytes", "Their keys and records."),
        oldest=Real("seconds", "For how long the oldest of them has waited."),
    )


class StorePanel(Panel):
    """The LMDB store: commits and their cost, sizes, readers, and whether it takes writes."""

    state = Text(
        24, "ready, or why writes are refused: disk full, map full, disk failed, damaged, failed."
    )
    durability = Text(8, "When commits reach the disk: commit, second, none.")
    commits = Counter("transactions", "Write transactions committed.")
    failures = Counter("transactions", "Write transactions that failed and were taken back.")
    written = Counter("records", "Records written, tombstones included.")
    outdated = Counter("records", "Records not written: the store had a newer one, or a drop.")
    written_bytes = Counter("bytes", "Bytes of the LMDB values written.")
    batch_records = Histogram("records", "Records of a batch.")
    apply_time = Histogram("microseconds", "Time to apply a batch, its commit included.")
    commit_time = Histogram("microseconds", "Time of the commit alone, its flush included.")
    flush_time = Histogram("microseconds", "Time of a flush on its own.")
    last_commit = Timestamp("The end of the last commit.")
    last_flush = Timestamp("The end of the last flush to the disk.")
    tables = Gauge("tables", "Tables that can be used.")
    rows = Gauge("records", "Records in all tables.")
    tombstones = Gauge("records", "Deleted records that are kept until every node knows.")
    map_size = Gauge("bytes", "The most that the data file may grow to.")
    file_size = Gauge("bytes", "The part of the data file that was ever used.")
    free_size = Gauge("bytes", "The part of that which is free for new writes.")
    used_share = Estimate("share", "Used bytes as a share of the map.")
    readers = Gauge("readers", "Reader slots in use, of all processes.")
    dead_readers = Gauge("readers", "Reader slots whose process is gone.")
    oldest_reader = Real("seconds", "For how long the oldest snapshot has been held.")
    readers_cleared = Counter("readers", "Slots of dead readers that were cleared.")
    garbage_deleted = Counter("entries", "Entries of dropped tables that were deleted.")
    tombstones_deleted = Counter("records", "Tombstones that were deleted.")
