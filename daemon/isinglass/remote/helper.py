"""What is piped to a host without isinglass: the sources of a relay, and a line that starts them.

The line is one that any shell hands on as it is: within its single quotes stand no single quote,
no line end and no exclamation mark. It reads exactly as many bytes as were packed, unbuffered, so
that what follows on the same pipe is the protocol's.
"""

from __future__ import annotations

import json
import zlib
from importlib.util import find_spec

from isinglass import __version__
from isinglass.errors import RelayMissing

# What `isinglass.remote.relay` needs, of two packages; a test compares it with the imports.
GLASS = (
    *("clock", "errors", "glass", "glass.compaction", "glass.differences", "glass.header"),
    *("glass.histogram", "glass.journal", "glass.layout", "glass.locks", "glass.look"),
    *("glass.panel_views", "glass.permission", "glass.probe_counts", "glass.reader"),
    *("glass.ring_tails", "glass.schedstat", "glass.schedule", "glass.schema"),
    *("glass.snapshot", "glass.snapshot_codec", "glass.unpacking"),
)
FAR_SIDE = (
    *("remote", "remote.deflating", "remote.frames", "remote.looks", "remote.message_bodies"),
    *("remote.relay", "remote.relayed", "remote.source_pieces"),
)
MODULES = tuple(f"isinglass.{name}" for name in (*GLASS, *FAR_SIDE))
FIRST = "isinglass.remote.bare"
OLDEST_PYTHON = (3, 10)
EXIT_TOO_OLD = 3
LINE = (
    "import sys,os,zlib,json;"
    f"sys.version_info<{OLDEST_PYTHON} and sys.exit({EXIT_TOO_OLD});"
    'r=lambda n,b=b"":b if len(b)==n else r(n,b+os.read(0,n-len(b)));'
    "s=json.loads(zlib.decompress(r(%d)));g={};"
    f'exec(s["{FIRST}"],g);g["start"](s,"{__version__}")'
)


def packed_sources() -> bytes:
    """Return the sources of the modules, deflated: about 40 kB."""
    sources = {name: _source(name) for name in (*MODULES, FIRST)}
    # The package itself gives applications its names, which a relay has no use for.
    sources["isinglass"] = ""
    return zlib.compress(json.dumps(sources).encode(), 9)


def _source(name: str) -> str:
    spec = find_spec(name)
    loader = spec.loader if spec is not None else None
    source = loader.get_source(name) if loader is not None else None  # type: ignore[attr-defined]
    if not isinstance(source, str):
        raise RelayMissing(
            "this isinglass is installed without its sources, which a host without isinglass needs:"
            " install isinglass there"
        )
    return source


def command(size_bytes: int, python: str = "python3") -> str:
    """Return the command line for the far side's shell; so many bytes of sources follow it."""
    return f"exec {python} -I -S -c '{LINE % size_bytes}'"
