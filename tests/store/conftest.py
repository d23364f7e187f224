"""Property tests: the same examples in every run, and no deadline, as the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("store", deadline=None, derandomize=True)
settings.load_profile("store")
