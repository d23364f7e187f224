"""Buckets of records, and their digests: by which two nodes find out where their stores differ.

Every record belongs to one of 4,096 buckets, whatever its table, by a hash of table and key. The
digest of a bucket is a sum over its records, so it depends neither on the order in which they are
read nor on how a table stores them, and two stores with the same digests hold the same records.

    bucket    the top 12 bits of a CRC-32 over the table's name and the key, after a multiplication
              (Knuth's multiplicative hashing), since keys that differ in one digit lie close by CRC
    digest    u64: the sum, modulo 2**64, of the BLAKE2b-64 of each record's
              u16 length of the table's name, u16 length of the key, name, key, stored record
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from zlib import crc32

COUNT = 4096
_SHIFT = 32 - 12
_WORD = (1 << 32) - 1
_MULTIPLIER = 2654435769  # odd, 2**32 over the golden ratio: Knuth, TAOCP volume 3, 6.4
_LENGTHS = struct.Struct(">HH")
_DIGEST = (1 << 64) - 1


def bucket_of(table: bytes, key: bytes) -> int:
    """Return the bucket of a record, 0 to COUNT - 1, from its table's name and its key."""
    return (crc32(key, crc32(table)) * _MULTIPLIER & _WORD) >> _SHIFT


def record_digest(table: bytes, key: bytes, record: bytes) -> int:
    """Return what one record adds to the digest of its bucket."""
    whole = b"".join((_LENGTHS.pack(len(table), len(key)), table, key, record))
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "big")


def count_in(digests: list[int], table: bytes, key: bytes, record: bytes) -> None:
    """Add one record to the digest of its bucket; `digests` has COUNT of them, 0 at first."""
    bucket = bucket_of(table, key)
    digests[bucket] = digests[bucket] + record_digest(table, key, record) & _DIGEST
