"""isinglass: watch a running daemon through shared memory, live, stopped or dead."""

from __future__ import annotations

__version__ = "0.1.0"
