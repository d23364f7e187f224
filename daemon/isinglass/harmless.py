"""Texts of others made harmless: no control character ever reaches a terminal raw.

A message or a record can hold anything. Escape sequences would move the cursor, change the title or
answer as if somebody typed; directional overrides would let a line read as what it is not. All of
these are shown as they would be written in a program.
"""

from __future__ import annotations

import re

# C0, DEL and C1; line and paragraph separators; the marks of Unicode's bidirectional algorithm that
# change the order of what follows; surrogates, which no terminal takes; the byte order mark.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def harmless(text: str) -> str:
    """Return a text of which every character only shows itself."""
    return _HARMFUL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    return _NAMED.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")
