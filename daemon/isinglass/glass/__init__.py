"""The segment: live state of a daemon in shared memory, and how to read it."""
