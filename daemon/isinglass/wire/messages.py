"""What a client and its daemon say to each other, as bytes; no socket, no thread, no clock.

A stream of frames goes each way. A frame is a length and one msgpack array; the number that a
client gives a request comes back with its answer, so requests can be sent without waiting and
answers may overtake each other. What cannot be understood is a `BadFrame` with one of the REASONS,
which the daemon counts; it never guesses, and closes the connection.

    frame      u32 little-endian length of what follows, at most 16 MiB; msgpack array
    request    [id, operation, argument, ...]       operations and their arguments: OPERATIONS
    answer     [id, DONE, result]
               [id, REFUSED, error name, sentence]  the name of a class of `isinglass.errors`
               [id, WAIT, seconds]                  the queue is full: ask again after that long
               [id, PACED, seconds]                 the node's writers are over their pace: as WAIT
    first request of a connection: [id, HELLO, "isinglass", version, pid]
              answered: [id, DONE, [version, node, generation of the segment, place, data, log]]:
              where the word "applied through" lies in the segment, the directory of the store, and
              where events are to be sent (`emit/target`), empty without a cluster

Results: of PUT a place in line, of PUT_MANY and ADD [place, how many], of WRITE [place, receipt],
of READ [packed value or nil, receipt]; a receipt is [name of the node that answered, whether it is
the record's primary, how many nodes hold it, seconds that the answer may be behind]; of VERIFY what
`node/verifying` found; of INTRODUCE what `node/guests` says, or nil.

A record's value travels as it is stored: the bytes of a msgpack map, packed once, by the client.
"since" is 0, or, when a write is sent again, a stamp from before it was first sent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgpack

from isinglass import errors

PROTOCOL_NAME = "isinglass"
PROTOCOL_VERSION = 3
FRAME_LIMIT_BYTES = 16 * 1024 * 1024
LENGTH = struct.Struct("<I")
LENGTH_BYTES = LENGTH.size

HELLO, PUT, PUT_MANY, FLUSH, CREATE_TABLE, DROP_TABLE, WRITE, READ, VERIFY, FORGET = range(10)
ADD, INTRODUCE = 10, 11
DONE, REFUSED, WAIT, PACED = range(4)

# How long an answer to a write waits: until it is queued (for "none" and "second", which differ
# only in when the store flushes), or until it is on the disk.
DURABILITIES = ("none", "second", "commit")
ACKNOWLEDGE_ON_DISK = DURABILITIES.index("commit")

# Who stamps a write, and how many nodes must hold it before the answer (`node/primary`).
CONSISTENCIES = ("eventual", "immediate")
IMMEDIATE = CONSISTENCIES.index("immediate")
TAKEN_HERE = len(CONSISTENCIES)  # immediate, and the client has asked the primary in vain
ACKS = ("primary", "one", "majority")

Operations = dict[int, tuple[str, tuple[tuple[type, ...], ...]]]

# operation: (name, the types of its arguments)
OPERATIONS: Operations = {
    HELLO: ("hello", ((str,), (int,), (int,))),  # protocol name, version, pid of the client
    # table, key, packed value or nil, durability, since
    PUT: ("put", ((str,), (str,), (bytes, type(None)), (int,), (int,))),
    PUT_MANY: ("put many", ((str,), (list,), (int,), (int,))),  # [[key, value or nil], ...]
    FLUSH: ("flush", ((int,), (int,))),  # place (0: all), durability
    CREATE_TABLE: ("create table", ((str,), (str,), (list,))),  # separator, indexed fields
    DROP_TABLE: ("drop table", ((str,),)),
    # table, key, packed value or nil, durability, consistency, ack, since
    WRITE: ("write", ((str,), (str,), (bytes, type(None)), (int,), (int,), (int,), (int,))),
    READ: ("read", ((str,), (str,))),  # table, key
    VERIFY: ("verify", ()),
    FORGET: ("forget", ((str,),)),  # name of a node
    # table, field, [[key, number], ...], durability, client, number of the request, since
    ADD: ("add", ((str,), (str,), (list,), (int,), (int,), (int,), (int,))),
    INTRODUCE: ("introduce", ()),
}

REASONS = (
    "too long",
    "malformed",
    "not a request",
    "unknown operation",
    "bad argument",
    "no handshake",
    "wrong version",
)


class BadFrame(Exception):
    """Input that is no request of this protocol; `reason` is one of REASONS."""

    def __init__(self, reason: str, sentence: str, request_id: int = 0) -> None:
        super().__init__(sentence)
        self.reason, self.request_id = reason, request_id


_pack = msgpack.Packer(autoreset=True).pack
_unpack = msgpack.unpackb
_ANSWER_LENGTHS = {DONE: 3, REFUSED: 4, WAIT: 3, PACED: 3}


def encode(message: list[Any]) -> bytes:
    """Return one frame.

    Raises:
        BadRecord: something in the message has no place in msgpack.
        RecordTooLarge: the frame would be longer than FRAME_LIMIT_BYTES.
    """
    body = encode_body(message, FRAME_LIMIT_BYTES)
    return LENGTH.pack(len(body)) + body


def encode_body(message: list[Any], limit_bytes: int) -> bytes:
    """Return a message packed, without the length that makes it a frame.

    Raises:
        BadRecord: something in the message has no place in msgpack.
        RecordTooLarge: it is longer than the limit.
    """
    # One packer a process: packing holds the interpreter lock, so threads cannot mix in it.
    try:
        body: bytes = _pack(message)
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise errors.BadRecord(
            f"the value cannot be stored ({error}): use dictionaries with text keys, lists, text,"
            " bytes, numbers, booleans and None"
        ) from error
    if len(body) > limit_bytes:
        raise errors.RecordTooLarge(
            f"the request has {len(body):,} bytes, {limit_bytes:,} are the limit: write less"
            " at once"
        )
    return body


class FrameBuffer:
    """Cuts a stream of bytes into the bodies of its frames; keeps what is not whole yet."""

    __slots__ = ("_kept", "_wanted", "limit_bytes")

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES) -> None:
        self._kept = bytearray()
        self._wanted = 0
        self.limit_bytes = limit_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the bodies that `data` completes, in order; take them all.

        Raises:
            BadFrame: a length is over the limit; nothing after it can be understood.
        """
        if self._kept:
            self._kept += data
            if len(self._kept) < self._wanted:
                return
            data, self._kept = bytes(self._kept), bytearray()
        size, place = len(data), 0
        while place < size:
            wanted = place + LENGTH_BYTES
            if wanted <= size:
                (length,) = LENGTH.unpack_from(data, place)
                if length > self.limit_bytes:
                    raise BadFrame("too long", f"a frame of {length:,} bytes is too long")
                wanted += length
            if wanted > size:
                self._kept += data[place:]
                self._wanted = wanted - place
                return
            yield data[place + LENGTH_BYTES : wanted]
            place = wanted


class Requests:
    """Understands the requests of one table of operations."""

    __slots__ = ("_operations", "_shapes")

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._shapes = {
            operation: set(product((int,), (int,), *kinds))
            for operation, (_, kinds) in operations.items()
        }

    def decode(self, body: bytes) -> list[Any]:
        """Return a request, `[id, operation, argument, ...]`, with the types of its operation.

        Raises:
            BadFrame: it is none.
        """
        # Arbitrary input: msgpack raises ValueError, TypeError, OverflowError and its own kinds.
        try:
            message = _unpack(body, strict_map_key=False)
        except Exception as error:
            raise BadFrame("malformed", f"a frame is not msgpack ({error!r:.80})") from error
        # All types at once: one look-up instead of a call for each argument.
        try:
            if tuple(map(type, message)) in self._shapes[message[1]] and type(message) is list:
                return message
        except (TypeError, LookupError):
            pass
        raise self._what_is_wrong(message)

    def _what_is_wrong(self, message: Any) -> BadFrame:
        if type(message) is not list or len(message) < 2 or type(message[0]) is not int:
            return BadFrame("not a request", "a request is [id, operation, argument, ...]")
        request_id, operation = message[0], message[1]
        if type(operation) is not int or operation not in self._operations:
            sentence = f"there is no operation {operation!r:.40}"
            return BadFrame("unknown operation", sentence, request_id)
        name = self._operations[operation][0]
        return BadFrame("bad argument", f"that is not how {name!r} is asked for", request_id)


decode_request = Requests(OPERATIONS).decode  # of clients


def decode_answer(body: bytes) -> list[Any]:
    """Return an answer, `[id, DONE | REFUSED | WAIT | PACED, ...]`.

    Raises:
        BadFrame: it is none.
    """
    try:
        message = _unpack(body)
        if type(message) is list and _ANSWER_LENGTHS[message[1]] == len(message):
            return message
    except (ValueError, TypeError, LookupError, msgpack.UnpackException):
        pass
    raise BadFrame("malformed", "an answer is [id, DONE | REFUSED | WAIT | PACED, ...]")


def refusal(request_id: int, error: Exception) -> list[Any]:
    """Return the answer that raises `error` again at the client."""
    known = isinstance(error, errors.IsinglassError)
    name = type(error).__name__ if known else errors.RequestRefused.__name__
    return [request_id, REFUSED, name, str(error) or type(error).__name__]


def refused_error(answer: list[Any]) -> errors.IsinglassError:
    """Return the error that a REFUSED answer names; an unknown name is a `RequestRefused`."""
    kind = getattr(errors, str(answer[2]), None)
    if not (isinstance(kind, type) and issubclass(kind, errors.IsinglassError)):
        kind = errors.RequestRefused
    return kind(str(answer[3]))
