"""Runs a relay where isinglass is not installed: the modules come through the pipe, as source.

The near side pipes this module and those that a relay needs to `python3 -I -S`, the standard
library alone, and this one is executed first: it lets the import system find the others in memory.
Nothing is written on the far side, and its version is always the client's.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


class SourceFinder:
    """Finds and loads modules whose source is in a mapping by name."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> object:
        """Return where a module comes from, None when it is not one of these."""
        if name not in self._sources:
            return None
        is_package = any(other.startswith(name + ".") for other in self._sources)
        return ModuleSpec(name, self, origin="<piped>", is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, _spec: ModuleSpec) -> ModuleType | None:
        """Let the import system make the module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's source."""
        name = module.__name__
        exec(compile(self._sources[name], f"<isinglass {name}>", "exec"), module.__dict__)


def start(sources: Mapping[str, str], version: str) -> None:
    """Run a relay with these modules until its client goes."""
    sys.meta_path.insert(0, SourceFinder(sources))  # type: ignore[arg-type]
    from isinglass.remote.relay import Relay

    sys.exit(Relay((), 0, 1, version).run())
