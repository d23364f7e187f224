"""Records on disk in LMDB, and the indexed queue in front of them.

Read in this order: `records`, `counters` with `adding`, and `index` (bytes), `packs` (storage
groups), `tables` (the catalogue), `changes` and `apply` (a batch), `scans`, `reclaim`, `verify`,
`engine` (the only file that imports LMDB), `reading` and `database` (`StoreReader`, `Store`),
`merge` with `lanes` and `line` (the queue), and `buckets` with `pieces` (comparing two stores).
"""
