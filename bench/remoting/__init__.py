"""Parts of `bench/remote.py`."""
