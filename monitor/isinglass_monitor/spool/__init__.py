"""The spool: everything that a monitor has heard, in order of time, on its disk."""
