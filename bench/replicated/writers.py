"""Client processes that write, one system each, all with the same records in the same order.

A writer does one order at a time and says how many updates it wrote, from when to when, and how
long each operation took. It ends when the benchmark does: its pipe is closed then.
"""

from __future__ import annotations

import array
import base64
import http.client
import itertools
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import msgpack

import isinglass
from isinglass import clock
from replicated.servers import Late
from replicated.workload import BATCH, TABLE, keys, value_of

TIMEOUT_SECONDS = 60.0
Items = list[tuple[str, dict[str, Any]]]


class Order(NamedTuple):
    """What a writer is to do.

    system: "isinglass", "redis" or "etcd"; "echo" is a bare round trip to another process.
    kind: of keys. together: updates in one operation. seconds: for how long, or until `limit`.
    each_second: updates; 0 is as many as it can. threads: that do so at once.
    apart: not on the processor of the echo. consistency, ack: of isinglass.
    replicas: that redis waits for; -1 does not ask.
    """

    system: str
    kind: str = "uniform"
    together: int = 1
    seconds: float = 1.0
    limit: int = 1 << 40
    each_second: float = 0.0
    threads: int = 1
    consistency: str = "eventual"
    ack: str = "primary"
    replicas: int = -1
    apart: bool = False


class Done(NamedTuple):
    """What a writer did; times are of the machine's monotonic clock.

    elsewhere: the times of the operations that another node stamped.
    """

    updates: int
    started_ns: int
    ended_ns: int
    times_ns: array.array[int]
    elsewhere_ns: array.array[int]


class Targets(NamedTuple):
    """Where the systems are: the name of a node, and ports; 0 for what is not there."""

    node: str
    redis: int = 0
    etcd: int = 0
    echo: int = 0


class _Systems:
    """The connections of one thread of a writer, made when they are needed."""

    def __init__(self, targets: Targets, database: isinglass.Client) -> None:
        self._targets, self._database = targets, database
        self._made: dict[str, Any] = {}

    def operation(self, order: Order) -> Callable[[Items], bool]:
        """Return what writes the items of one operation, and tells whether another node did."""
        return {
            "isinglass": self._isinglass, "redis": self._redis,
            "etcd": self._etcd, "echo": self._echo,
        }[order.system](order)  # fmt: skip

    def _isinglass(self, order: Order) -> Callable[[Items], bool]:
        database, own = self._database, self._targets.node
        consistency, ack = order.consistency, order.ack

        def one(items: Items) -> bool:
            ((key, value),) = items
            receipt = database.put(TABLE, key, value, consistency=consistency, ack=ack)
            return receipt.node != own

        def many(items: Items) -> bool:
            database.put_many(TABLE, items)
            return False

        return one if order.together == 1 else many

    def _redis(self, order: Order) -> Callable[[Items], bool]:
        import redis

        store = self._made.setdefault("redis", redis.Redis(port=self._targets.redis))
        replicas = order.replicas

        def one(items: Items) -> bool:
            ((key, value),) = items
            store.set(key, msgpack.packb(value))
            return False

        def many(items: Items) -> bool:
            pipeline = store.pipeline(transaction=False)
            for key, value in items:
                pipeline.set(key, msgpack.packb(value))
            if replicas >= 0:
                pipeline.execute_command("WAIT", replicas, 1000)
            pipeline.execute()
            return False

        return one if order.together == 1 and replicas < 0 else many

    def _etcd(self, _: Order) -> Callable[[Items], bool]:
        address = "127.0.0.1", self._targets.etcd
        made = self._made.setdefault("etcd", http.client.HTTPConnection(*address, timeout=20))

        def text(data: bytes) -> str:
            return base64.b64encode(data).decode()

        def put(items: Items) -> bool:
            pairs = [
                {"key": text(key.encode()), "value": text(msgpack.packb(value))}
                for key, value in dict(items).items()  # no key twice in a transaction
            ]
            path, body = "/v3/kv/put", json.dumps(pairs[0])
            if len(items) > 1:
                path = "/v3/kv/txn"
                body = json.dumps({"success": [{"requestPut": pair} for pair in pairs]})
            made.request("POST", path, body)
            answer = made.getresponse()
            data = answer.read()
            if answer.status != 200:
                raise RuntimeError(data.decode())
            return False

        return put

    def _echo(self, order: Order) -> Callable[[Items], bool]:
        import socket

        made = self._made.get("echo")
        if made is None:
            made = self._made["echo"] = socket.create_connection(("127.0.0.1", self._targets.echo))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if order.apart:  # of this thread alone, which ends with the order
            processors = os.sched_getaffinity(0)
            os.sched_setaffinity(0, processors - {max(processors)} or processors)

        def there_and_back(items: Items) -> bool:
            ((key, value),) = items
            made.sendall(msgpack.packb([TABLE, key, value]))
            made.recv(4096)
            return False

        return there_and_back


def _write(order: Order, operation: Callable[[Items], bool], order_of_keys: Sequence[str]) -> Done:
    """Write until the time or the count is over."""
    times, elsewhere = array.array("q"), array.array("q")
    following = itertools.cycle(order_of_keys)
    updates, now_ns = 0, clock.perf_ns
    started = ended = clock.monotonic_ns()
    last = started + int(order.seconds * 1e9)
    while ended < last and updates < order.limit:
        if order.each_second:
            clock.sleep(max(updates / order.each_second - (ended - started) / 1e9, 0.0))
        items = [(next(following), value_of(updates + n)) for n in range(order.together)]
        before = now_ns()
        other = operation(items)
        took = now_ns() - before
        times.append(took)
        if other:
            elsewhere.append(took)
        updates += order.together
        ended = clock.monotonic_ns()
    return Done(updates, started, ended, times, elsewhere)


def _joined(parts: Iterable[Done]) -> Done:
    """Return what the threads of a writer did together."""
    found = list(parts)
    times, elsewhere = array.array("q"), array.array("q")
    for part in found:
        times += part.times_ns
        elsewhere += part.elsewhere_ns
    first, last = min(part.started_ns for part in found), max(part.ended_ns for part in found)
    return Done(sum(part.updates for part in found), first, last, times, elsewhere)


def _obey(order: Order, systems: list[_Systems], order_of_keys: Sequence[str]) -> Done:
    done: list[Done | Exception] = []

    def work(own: _Systems, first: int) -> None:
        try:
            turned = [*order_of_keys[first:], *order_of_keys[:first]]
            done.append(_write(order, own.operation(order), turned))
        except Exception as error:
            done.append(error)

    threads = [
        threading.Thread(target=work, args=(systems[number], number * 1000))
        for number in range(order.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failed in done:
        if isinstance(failed, Exception):
            raise failed
    return _joined(part for part in done if isinstance(part, Done))


def _writer(pipe: Connection, targets: Targets, seed: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = {kind: keys(kind, seed) for kind in ("uniform", "zipf")}
    with isinglass.connect(targets.node, timeout_seconds=TIMEOUT_SECONDS) as database:
        systems = [_Systems(targets, database) for _ in range(16)]
        pipe.send(None)
        while True:
            try:
                order = pipe.recv()
                pipe.send(_obey(order, systems, orders[order.kind]))
            except (EOFError, BrokenPipeError):
                return
            except Exception as error:
                pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))


class Writers:
    """One writer for each of some targets; a context manager that ends them."""

    def __init__(self, targets: Sequence[Targets]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes, self._processes = [], []
        for seed, target in enumerate(targets):
            mine, theirs = context.Pipe()
            process = context.Process(target=_writer, args=(theirs, target, seed), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(mine)
            self._processes.append(process)

    def __enter__(self) -> Writers:
        for pipe in self._pipes:
            _received(pipe, TIMEOUT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(1)
            if process.is_alive():
                process.kill()
                process.join()

    def work(self, order: Order, meanwhile: Callable[[], None] | None = None) -> Done:
        """Let all writers do an order at once; return what they did together.

        Args:
            meanwhile: called again and again until they are done.

        Raises:
            Late: one of them is not done in time.
            RuntimeError: one of them failed.
        """
        for pipe in self._pipes:
            pipe.send(order)
        deadline = clock.monotonic_ns() + int((order.seconds + TIMEOUT_SECONDS) * 1e9)
        while meanwhile and not all(pipe.poll() for pipe in self._pipes):
            if clock.monotonic_ns() > deadline:
                raise Late("the writers do not end")
            meanwhile()
        return _joined(_received(pipe, order.seconds + TIMEOUT_SECONDS) for pipe in self._pipes)


def _received(pipe: Connection, limit_seconds: float) -> Any:
    if not pipe.poll(limit_seconds):
        raise Late("a writer does not answer")
    answer = pipe.recv()
    if isinstance(answer, Exception):
        raise answer
    return answer


__all__ = ["BATCH", "Done", "Order", "Targets", "Writers"]
