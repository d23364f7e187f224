"""The parts of `bench/spool.py`."""
