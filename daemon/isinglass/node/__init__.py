"""The node: threads, timers and assembly of the daemon."""
