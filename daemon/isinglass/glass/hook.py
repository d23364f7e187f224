"""Compile a package's marks to stores when it is imported: `isinglass.instrument("mydaemon")`.

A finder that stands first on `sys.meta_path` asks the others as always; when one of them answers
with an ordinary source file of an instrumented package, it gets a loader that rewrites the marks.
What the loader compiled is cached beside the ordinary .pyc files, under an optimisation tag of its
own (PEP 488), with the same header and the same check of time and size:

    mydaemon/__pycache__/queue.cpython-311.opt-probes1f1.pyc     with stores
    mydaemon/__pycache__/queue.cpython-311.opt-probes0f1.pyc     without marks (ISINGLASS_PROBES=0)

so a second start pays no parsing. A file without marks keeps its ordinary .pyc. The glass itself
has no marks and is left to the ordinary loader: it cannot watch itself. Zip files, extension
modules and other loaders are left alone too.
"""

from __future__ import annotations

import marshal
import os
import sys

# The interpreter's own module: the public names of the same things, in importlib.util, take 2 to
# 7 ms to import, in every process that imports isinglass.
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader, cache_from_source

from isinglass.glass.sites import ENABLED, home_id, sites_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

FORMAT = 1
"""Grows with every change of the code that is generated, so that no older cached file is used."""

_OWN_PARTS = "isinglass.glass."
_PYC_HEADER_BYTES = 16


def cache_tag() -> str:
    """Return the optimisation tag of the cached files, which names all that changes the code."""
    level = f"o{sys.flags.optimize}" if sys.flags.optimize else ""
    return f"probes{ENABLED:d}f{FORMAT}{level}"


def cache_path(path: str) -> str | None:
    """Return where the code of a source file is cached; None where Python caches nothing."""
    try:
        return cache_from_source(path, optimization=cache_tag())
    except NotImplementedError:
        return None


class ProbeLoader(SourceFileLoader):
    """Loads a source file with its marks turned into stores, or taken out."""

    def get_code(self, fullname: str) -> CodeType:
        """Return a module's code, from the cache if that is current, and register its sites.

        Raises:
            ImportError: the source cannot be read.
            SyntaxError: the source is not Python.
        """
        path = self.get_filename(fullname)
        code = self._cached(fullname, path)
        if (found := sites_of(code)) is None:
            return code
        # Only a module with marks brings the writer's side of the glass into the process.
        from isinglass.glass import probe

        module_id, digest, sites = found
        number = probe.reserve(fullname, module_id)
        if number != module_id:
            code = self._compiled(self.get_data(path), path, number)
        probe.register(number, path, digest, sites)
        return code

    def _cached(self, fullname: str, path: str) -> CodeType:
        cache, header = cache_path(path), self._header(path)
        if cache and (code := _read_cache(cache, header, path)):
            return code
        source = self.get_data(path)
        if b"mark" not in source or b"isinglass" not in source:
            # The ordinary cache may exist where this user may not write one.
            return super().get_code(fullname) or self.source_to_code(source, path)
        code = self._compiled(source, path, home_id(fullname))
        if cache and not sys.dont_write_bytecode:
            self.set_data(cache, header + marshal.dumps(code), _mode=os.stat(path).st_mode | 0o200)
        return code

    def _header(self, path: str) -> bytes:
        status = self.path_stats(path)
        numbers = (0, int(status["mtime"]), int(status["size"]))
        words = ((number & 0xFFFFFFFF).to_bytes(4, "little") for number in numbers)
        return b"".join([MAGIC_NUMBER, *words])

    def _compiled(self, source: bytes, path: str, module_id: int) -> CodeType:
        # The syntax tree is for the start after a change only.
        from isinglass.glass import rewrite

        if ENABLED:
            return self.source_to_code(rewrite.with_stores(source, path, module_id), path)
        return self.source_to_code(rewrite.without_marks(source, path), path)


def _read_cache(cache: str, header: bytes, path: str) -> CodeType | None:
    try:
        with open(cache, "rb") as file:
            content = file.read()
        if content[:_PYC_HEADER_BYTES] != header:
            return None
        code: CodeType = marshal.loads(memoryview(content)[_PYC_HEADER_BYTES:])
    except (OSError, EOFError, ValueError, TypeError):
        return None
    # A tree that was moved must not show its old place in tracebacks.
    return code if code.co_filename == path else None


class _Finder:
    """Gives modules of instrumented packages the loader above; finds nothing by itself."""

    def __init__(self) -> None:
        self.prefixes: tuple[str, ...] = ()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders give, with our loader; None: not our business."""
        if not f"{name}.".startswith(self.prefixes) or name.startswith(_OWN_PARTS):
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            if find and (spec := find(name, path, target)):
                return _with_probe_loader(name, spec)
        return None


def _with_probe_loader(name: str, spec: ModuleSpec) -> ModuleSpec:
    if type(spec.loader) is SourceFileLoader:
        spec.loader = ProbeLoader(name, spec.loader.path)
        spec.cached = cache_path(spec.loader.path)
    return spec


_finder = _Finder()


def instrument(package: str) -> None:
    """Turn the marks of a package and all its submodules into stores, as they are imported.

    Call it before they are: in the program's start, or as `isinglass.instrument(__name__)` in the
    package's own `__init__`, for its submodules. Modules that are imported already, and scripts,
    keep marks that are calls; so nothing is wrong when it comes late, only slower.

    Args:
        package: the dotted name of a package or module.
    """
    prefix = f"{package}."
    if prefix not in _finder.prefixes:
        _finder.prefixes += (prefix,)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
