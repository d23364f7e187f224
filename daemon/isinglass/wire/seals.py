"""The seal of a datagram: a tag behind it that only who has the cluster's key can make.

A keyed BLAKE2b (RFC 7693) of all before it. Each sort of datagram has a seal of its own, so that
none passes for another. What is keyed is prepared once: a seal costs about 2 µs.
"""

from __future__ import annotations

import hashlib
from hmac import compare_digest
from typing import Any

import msgpack

from isinglass.wire.bodies import BadDatagram

TAG_BYTES = 16
DATAGRAM_LIMIT = 1400

_pack = msgpack.Packer(autoreset=True).pack


class Seal:
    """Seals datagrams of one sort, and checks them; any thread may use it.

    Args:
        key: of the cluster, 32 bytes; empty in a cluster without one.
        sort: at most 16 bytes.
    """

    __slots__ = ("_prepared",)

    def __init__(self, key: bytes, sort: bytes) -> None:
        self._prepared = hashlib.blake2b(key=key, digest_size=TAG_BYTES, person=sort)

    def put(self, header: bytes, packed: bytes) -> bytes:
        """Return the datagram of a header and a packed body."""
        data = header + packed
        tag = self._prepared.copy()
        tag.update(data)
        return data + tag.digest()

    def check(self, data: bytes) -> None:
        """Refuse a datagram that was not made with the key, or was changed on its way.

        Raises:
            BadDatagram: its tag is another one.
        """
        tag = self._prepared.copy()
        tag.update(data[:-TAG_BYTES])
        if not compare_digest(tag.digest(), data[-TAG_BYTES:]):
            raise BadDatagram("bad_tag")


def packed_body(body: Any, limit_bytes: int) -> bytes:
    """Return a body packed, if it is not packed already.

    Raises:
        ValueError: it is longer than the limit.
    """
    packed: bytes = body if type(body) is bytes else _pack(body)
    if len(packed) > limit_bytes:
        raise ValueError(f"a body of {len(packed)} bytes is too long for a datagram")
    return packed
