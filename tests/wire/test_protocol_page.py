"""The manual's page of the protocol: its code makes real datagrams, and it names every kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgpack

from import_graph import ROOT
from isinglass import errors
from isinglass.node import peer_calls, repairs, replica, strangers
from isinglass.store import buckets
from isinglass.wire import bodies, cluster_key, handshake, primary_calls, reports
from isinglass.wire.datagrams import (
    ALIVE_NS,
    BODY_LIMIT,
    HEADER,
    PROBATION_NS,
    TO_ONE,
    Identity,
    Sealer,
)
from isinglass.wire.replay import WINDOW
from isinglass.wire.reports import Load, Progress, Report
from isinglass.wire.seals import DATAGRAM_LIMIT, TAG_BYTES

PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")


def test_the_page_s_datagram_is_the_product_s(tmp_path: Path) -> None:
    names: dict[str, Callable[..., bytes]] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE, re.S)[0], names)
    path = tmp_path / "key"
    cluster_key.create(path)
    body = [3, 9, 5]
    for text, key in ((path.read_text(), cluster_key.load(path)), ("", b"")):
        sealer = Sealer(Identity("shop", key, 3, 9))
        made = names["datagram"](text, "shop", bodies.ACK | TO_ONE, 3, 9, 1, 77, body)
        assert made == sealer.seal(bodies.ACK | TO_ONE, body, 77)


def test_the_page_s_keys_of_the_directions_are_the_product_s() -> None:
    own = Identity("shop", b"k" * 32, 3, 9)
    caller = handshake.Handshake(handshake.CALLER, own, "oak", bytes(16))
    first = caller.first()
    assert first
    answerer = handshake.Handshake(handshake.ANSWERER, own._replace(origin=4), "elm", bytes(16))
    challenge = answerer.take(*first)
    assert challenge and caller.take(*challenge)
    assert '"isg from caller" or "isg from answer"' in PAGE
    for end, purposes in ((caller, ("caller", "answer")), (answerer, ("answer", "caller"))):
        for direction, purpose in zip(end.directions(), purposes, strict=True):
            key = handshake.tag_of(own.key, f"from {purpose}", first[0], challenge[0], size=32)
            assert direction.tag(b"x") == handshake.Direction(key).tag(b"x")


def test_the_page_names_every_kind_reason_operation_and_refusal() -> None:
    for kind, (name, _) in bodies.KINDS.items():
        assert f"| {kind} | `{name}` | " in PAGE
    for reason in bodies.REASONS:
        assert f"| `{reason}` | " in PAGE
    for operation, (name, kinds) in peer_calls.OPERATIONS.items():
        said = re.search(rf"^{operation} {name} +(.*)\n +\[", PAGE, re.M)
        assert said and len(re.sub(r"\[.*?\]", "", said[1]).split(", ")) == len(kinds), name
    for kind_of_error in handshake.SENTENCES:
        assert f"| `{kind_of_error.__name__}` | " in PAGE
        assert issubclass(kind_of_error, errors.ClusterError)
    for number, phase in enumerate(reports.PHASES):
        assert f"{number} {phase}" in PAGE


def test_the_page_s_heartbeat_is_the_product_s() -> None:
    rows = re.findall(r"^ ?(\d+)  ([a-z]\w*|\[.*?\])", PAGE.partition("### Heartbeat")[2], re.M)
    body = Report("n", "", 0, 0, 0, 0, 0, 0, Load(), 0, (), {}, {}, {}).body()
    assert reports.is_body(body) and [int(row) for row, _ in rows] == list(range(len(body)))
    lists = [row for row, name in rows if name.startswith("[")]
    assert lists == [str(place) for place, part in enumerate(body) if type(part) is list]
    entry = re.search(r"in turn:\s+\[origin, incarnation, (.*?)\]", PAGE)
    assert entry and tuple(entry[1].split(", ")) == Progress._fields
    for limit in (reports.ECHO_LIMIT, reports.VECTOR_LIMIT, reports.LET_GO_LIMIT):
        assert f"at most {limit}" in PAGE


def test_the_page_s_figures_are_the_product_s() -> None:
    for limit in (DATAGRAM_LIMIT, BODY_LIMIT, WINDOW):
        assert f"{limit:,}" in PAGE
    assert f"shorter than {HEADER.size + TAG_BYTES} bytes" in PAGE
    assert f"at most {bodies.PARTS_LIMIT} parts" in PAGE
    assert f"at most {bodies.SEQUENCES_LIMIT} in a row" in PAGE
    assert len(msgpack.packb([])) == len(handshake.PROOF)
    words = " ".join(PAGE.split())
    for sentence, figure in {
        "listened for less than {} s": strangers.YOUNG_SECONDS,
        "at most once in {} s each": strangers.TOLD_SECONDS,
        "nothing of the earlier one came for {} s": PROBATION_NS / 1e9,
        "spans {} s of its sender's clock": ALIVE_NS / 1e9,
        "for the same within {} ms": repairs.SEVERAL_NS / 1e6,
        "Sent each {} ms": replica.HEARTBEAT_NS / 1e6,
        "the answer waits for them for {} s": primary_calls.ACK_LIMIT_NS / 1e9,
        "A call is given up after {} s": peer_calls.CALL_LIMIT_SECONDS,
        "the whole store after {} minutes": peer_calls.STORE_LIMIT_SECONDS / 60,
        "not proved within {} s": peer_calls.PROOF_LIMIT_SECONDS,
        "a list of {} u64": buckets.COUNT,
    }.items():
        assert sentence.format(f"{figure:,.0f}") in words
