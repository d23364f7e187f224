"""Records on disk in LMDB, and the indexed queue in front of them."""
