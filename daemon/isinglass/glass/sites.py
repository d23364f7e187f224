"""What a mark's word means: its numbers, its site, and whether marks are switched on.

Shared by the import hook, the rewriter and the slow call, and cheap enough for the start of every
process.

    word     bits 29..16 module id     bits 15..0 line     0: this thread was never at a mark

Below 2**30 an int of CPython has one digit; storing a larger one takes half as long again.
"""

from __future__ import annotations

import os

from isinglass.glass.layout import LINE_BITS, MODULE_BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

Site = tuple[int, str, str, bool]
"""One mark: line, qualified name of its function, label, whether it waits."""

ENABLED = os.environ.get("ISINGLASS_PROBES") != "0"
LAST_LINE = (1 << LINE_BITS) - 1
MODULE_IDS = 1 << MODULE_BITS

SITES_NAME = "__isinglass_sites__"
SITES_MARKER = "isinglass sites"


def home_id(module: str) -> int:
    """Return the number, 1 to 16,383, that a module has unless another module took it first."""
    # A C extension, which takes longer to load than this module, for the start after a change only.
    from binascii import crc32

    return crc32(module.encode("utf-8", "replace")) % (MODULE_IDS - 1) + 1


def source_hash(source: bytes) -> str:
    """Return what tells whether two source files are the same: SHA-256, in hexadecimal."""
    # 3 ms that only a process which compiles or shows source has to pay.
    from hashlib import sha256

    return sha256(source).hexdigest()


def sites_of(code: CodeType) -> tuple[int, str, tuple[Site, ...]] | None:
    """Return (module id, source hash, sites) of a module compiled with stores, else None."""
    for constant in reversed(code.co_consts):
        if type(constant) is tuple and len(constant) == 4 and constant[0] == SITES_MARKER:
            return constant[1:]
    return None
