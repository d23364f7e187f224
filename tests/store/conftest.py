"""Property tests without a deadline: the machine may be busy, and pytest has a time limit."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("store", deadline=None)
settings.load_profile("store")
