"""Texts of others made harmless: no control character ever reaches a terminal raw.

A message or a record can hold anything. Escape sequences would move the cursor, change the title or
answer as if somebody typed; directional overrides would let a line read as what it is not.

In a stream of text they are shown as they would be written in a program, and everything else stays
as it is (`harmless`). Where each letter has its place, in a table or on a screen, whatever this
Python does not know to be printable becomes one dot: of a letter of an unknown kind nobody can say
how wide a terminal draws it (`printable`).
"""

from __future__ import annotations

# C0, DEL and C1; line and paragraph separators; the marks of Unicode's bidirectional algorithm that
# change the order of what follows; the byte order mark; surrogates, which no terminal takes.
_HARMFUL = (
    *((0x00, 0x1F), (0x7F, 0x9F), (0x61C, 0x61C), (0x200E, 0x200F), (0x2028, 0x202E)),
    *((0x2066, 0x2069), (0xFEFF, 0xFEFF), (0xD800, 0xDFFF)),
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}


def harmless(text: str) -> str:
    """Return a text of which every character only shows itself."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(letter: str) -> str:
    number = ord(letter)
    if not any(first <= number <= last for first, last in _HARMFUL):
        return letter
    return _NAMED.get(letter) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def printable(text: str) -> str:
    """Return a text of as many letters, with a dot for each that is not printable."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "·" for letter in text)
