"""What the daemon does for each request of a client; no socket, no event loop.

A handler returns the answer at once, or None when the answer comes later, through the `Later` that
it gave to the queue. Everything from a client is checked here before it gets near the queue: a key
or value that the store could not take would otherwise fail long after it was acknowledged.
"""

from __future__ import annotations

from isinglass import clock
from isinglass.errors import BadRecord, IsinglassError, UsageError
from isinglass.node.done_adds import DoneAdds
from isinglass.node.draining import Drain
from isinglass.node.immediate import Immediate
from isinglass.node.intake import Intake
from isinglass.node.operator import Operator
from isinglass.node.panels import PortPanel
from isinglass.store import adding, records
from isinglass.store.merge import REFUSED
from isinglass.store.tables import TableShape, check_name
from isinglass.wire import messages
from isinglass.wire.admission import Admission
from isinglass.wire.messages import ACKNOWLEDGE_ON_DISK, DONE, PACED, WAIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Send = Callable[[list[Any]], None]

# How long a writer is told to wait for room, or for word from the cluster: about what a batch takes
# to be applied.
WAIT_SECONDS = 0.02
_CONSISTENCIES, _ACKS = range(messages.TAKEN_HERE + 1), range(len(messages.ACKS))
_UPDATES = PortPanel.updates.index
_WAITS = PortPanel.waits.index


class Later:
    """An answer that comes when a place is reached; called on the applier's thread."""

    __slots__ = ("answer", "result", "send")

    def __init__(self, request_id: int, result: Any, send: Send) -> None:
        self.answer, self.result, self.send = [request_id, DONE, result], result, send

    def __call__(self, error: IsinglassError | None) -> None:
        """Send the answer, or the error in its place."""
        self.send(self.answer if error is None else messages.refusal(self.answer[0], error))


class Requests:
    """The operations of `messages.OPERATIONS`, by their numbers.

    Args:
        introduction: see `Guests`; called with the node's lock held.
    """

    def __init__(
        self,
        intake: Intake,
        panel: PortPanel,
        admission: Admission,
        node: str,
        introduction: Callable[[], list[Any] | None],
    ) -> None:
        self._introduction = introduction
        self._intake, self._panel, self._words = intake, panel, panel.words
        self._immediate = Immediate(intake, node)
        self._adds = DoneAdds()
        self._operator = Operator(intake)
        self._drain = Drain()
        self._admission = admission
        self.handlers: dict[int, Callable[[list[Any], Send], list[Any] | None]] = {
            messages.HELLO: self._hello,
            messages.PUT: self._put,
            messages.PUT_MANY: self._put_many,
            messages.FLUSH: self._flush,
            messages.CREATE_TABLE: self._create_table,
            messages.DROP_TABLE: self._drop_table,
            messages.WRITE: self._write,
            messages.READ: self._read,
            messages.VERIFY: self._verify,
            messages.FORGET: self._forget,
            messages.ADD: self._add,
            messages.INTRODUCE: self._introduce,
        }

    def _hello(self, *_: object) -> list[Any]:
        raise UsageError("the handshake comes once, first")

    def _put(self, request: list[Any], send: Send) -> list[Any] | None:
        request_id, _, table, key, payload, durability, since = request
        encoded = records.key_bytes(key)
        if payload is not None:
            records.check_payload(payload)
        place = since and self._repeated(table, encoded, since)
        if not place:
            if seconds := self._held_up(send, 1):
                return [request_id, PACED, seconds]
            place, _ = self._intake.offer(table, ((encoded, payload),))
            if not place:
                self._admission.give_back(id(send), 1)
                return self._wait(request_id)
            self._words[_UPDATES] += 1
        return self._acknowledge(request_id, place, place, durability, send)

    def _acknowledge(
        self, request_id: int, place: int, result: Any, durability: int, send: Send
    ) -> list[Any] | None:
        """Answer a write at once, or later, when what stands at its place is on the disk."""
        if durability != ACKNOWLEDGE_ON_DISK:
            return [request_id, DONE, result]
        self._intake.await_place(place, True, Later(request_id, result, send))
        return None

    def _put_many(self, request: list[Any], send: Send) -> list[Any] | None:
        request_id, _, table, pairs, durability, since = request
        items = [checked_pair(pair) for pair in pairs]
        count, place = len(items), 0
        if since:
            known = [self._repeated(table, key, since) for key, _ in items]
            items = [item for item, done in zip(items, known, strict=True) if not done]
            place = max(known, default=0)
        entered = 0
        if items:
            if seconds := self._held_up(send, len(items)):
                return [request_id, PACED, seconds]
            newest, entered = self._intake.offer(table, items)
            if entered < len(items):
                self._admission.give_back(id(send), len(items) - entered)
            if not entered:
                return self._wait(request_id)
            place = max(place, newest)
            self._words[_UPDATES] += entered
        # A repeated request that found only some room is asked for whole again: nothing twice.
        done = count if entered == len(items) else 0 if since else entered
        return self._acknowledge(request_id, place, [place, done], durability, send)

    def _add(self, request: list[Any], send: Send) -> list[Any] | None:
        request_id, _, table, field, pairs, durability, client, number, since = request
        adding.check_field(field)
        items = [checked_addition(pair) for pair in pairs]
        done = self._adds.find(client, number, since) if since else None
        if done is not None:
            self._panel.repeated += done[1]
        elif items:
            if seconds := self._held_up(send, len(items)):
                return [request_id, PACED, seconds]
            done = self._intake.add(table, field, items)
            if done[1] < len(items):
                self._admission.give_back(id(send), len(items) - done[1])
            if not done[1]:
                return self._wait(request_id)
            self._adds.remember(client, number, done, self._intake.newest_stamp)
            self._words[_UPDATES] += done[1]
        place, entered = done or (0, 0)
        return self._acknowledge(request_id, place, [place, entered], durability, send)

    def _write(self, request: list[Any], send: Send) -> list[Any] | None:
        request_id, _, table, key, payload, durability, consistency, ack, since = request
        encoded = records.key_bytes(key)
        if payload is not None:
            records.check_payload(payload)
        if consistency not in _CONSISTENCIES or ack not in _ACKS:
            raise UsageError("a write is eventual or immediate, with one of three acks")
        if since and (place := self._repeated(table, encoded, since)):
            result = [place, [self._immediate.node, False, 1, 0.0]]
            return self._acknowledge(request_id, place, result, durability, send)
        if seconds := self._held_up(send, 1):
            return [request_id, PACED, seconds]
        if not self._immediate.write(
            request_id, table, encoded, payload, durability, consistency, ack, send
        ):
            self._admission.give_back(id(send), 1)
            return self._wait(request_id)
        self._words[_UPDATES] += 1
        return None

    def _read(self, request: list[Any], send: Send) -> None:
        request_id, _, table, key = request
        self._immediate.read(request_id, table, records.key_bytes(key), send)

    def _introduce(self, request: list[Any], _: Send) -> list[Any]:
        self._drain.check(self._immediate.node)
        with self._intake:
            return [request[0], DONE, self._introduction()]

    def _verify(self, request: list[Any], send: Send) -> None:
        self._operator.verify(request[0], send)

    def _forget(self, request: list[Any], _: Send) -> list[Any]:
        self._operator.forget(request[2])
        return [request[0], DONE, None]

    def _repeated(self, table: str, key: bytes, since: int) -> int:
        place = self._intake.newer_than(table, key, since)
        self._panel.repeated += bool(place)
        return place

    def _held_up(self, send: Send, updates: int) -> float:
        """Return how many seconds a connection must wait with updates; 0.0 when it may go on.

        While the store takes no writes nobody is held up: the offer says what is the matter.

        Raises:
            NodeDrained: an operator drained the node.
        """
        self._drain.check(self._immediate.node)
        if self._intake.trouble is not None:
            return 0.0
        if self._hushed():
            return WAIT_SECONDS
        return self._admission.admit(clock.monotonic_ns(), id(send), updates)

    def _hushed(self) -> bool:
        """Tell whether it is still to be heard that this node is a member of its cluster."""
        replica = self._intake.replica
        return replica is not None and replica.hushed

    def _wait(self, request_id: int) -> list[Any]:
        self._words[_WAITS] += 1
        return [request_id, WAIT, WAIT_SECONDS]

    def _flush(self, request: list[Any], send: Send) -> list[Any] | None:
        request_id, _, place, durability = request
        on_disk = durability == ACKNOWLEDGE_ON_DISK
        self._intake.await_place(max(place, 0), on_disk, Later(request_id, place, send))
        return None

    def _create_table(self, request: list[Any], send: Send) -> list[Any] | None:
        request_id, _, table, group_by, indexes = request
        check_name(table)
        if not all(type(field) is str for field in indexes):
            raise BadRecord("the names of indexed fields are text")
        shape = TableShape(group_by, tuple(indexes)).check()
        self._drain.check(self._immediate.node)
        if self._hushed():
            return self._wait(request_id)
        place = self._intake.create_table(table, shape)
        if place == REFUSED:
            return self._wait(request_id)
        # Clients read the store by themselves, so a table must be there when they are told so.
        self._intake.await_place(place, False, Later(request_id, place, send))
        return None

    def _drop_table(self, request: list[Any], send: Send) -> list[Any] | None:
        self._drain.check(self._immediate.node)
        taken = not self._hushed() and self._intake.drop_table(
            request[2], Later(request[0], None, send)
        )
        return None if taken else self._wait(request[0])


def checked_pair(pair: object) -> tuple[bytes, bytes | None]:
    """Return the key and the packed value of one update of many.

    Raises:
        UsageError: it is no pair of a text and bytes or nothing.
        BadRecord, RecordTooLarge: no record can have that key or value.
    """
    if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
        raise UsageError("each update is a pair of a key and a packed value")
    payload = pair[1]
    if payload is not None:
        records.check_payload(payload)
    return records.key_bytes(pair[0]), payload


def checked_addition(pair: object) -> tuple[bytes, int]:
    """Return the key and the number of one add.

    Raises:
        UsageError: it is no pair of a text and something.
        BadRecord, RecordTooLarge: no record can have that key, or no count that number.
    """
    if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
        raise UsageError("each add is a pair of a key and a number")
    return records.key_bytes(pair[0]), adding.check_number(pair[1])
