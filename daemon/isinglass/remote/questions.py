"""The bytes of a question to a program on another host, and of its answer: one deflated value each.

    HELLO    JSON: protocol, version (isinglass), asked: what may be asked here
    ASK      the name of what is asked and its arguments, msgpack, deflated
    ANSWER   what it returns, msgpack, deflated
    REFUSED  name of the error's class, tab, sentence

The channel of ASK is its number, which is also that of its ANSWER or REFUSED. Pure.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgpack

PROTOCOL = 1
MOST_BYTES = 64 * 1024 * 1024
NUMBERS = 1 << 16


def packed(value: object) -> bytes:
    """Return a question or an answer as bytes."""
    return zlib.compress(msgpack.packb(value))


def unpacked(body: bytes) -> Any:
    """Return what `packed` packed.

    Raises:
        ValueError: it is damaged, or would fill the memory.
    """
    try:
        stream = zlib.decompressobj()
        plain = stream.decompress(body, MOST_BYTES)
        if not stream.eof:
            raise ValueError("a message that is cut, or larger than any answer")
        return msgpack.unpackb(plain)
    except (zlib.error, msgpack.UnpackException) as reason:
        raise ValueError(f"a damaged message: {reason}") from None
