"""The manual's page of the protocol: its code makes real datagrams, and it names every kind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgpack

from import_graph import ROOT
from isinglass import errors
from isinglass.node import peer_calls
from isinglass.wire import bodies, cluster_key, handshake, reports
from isinglass.wire.datagrams import (
    BODY_LIMIT,
    DATAGRAM_LIMIT,
    HEADER,
    TAG_BYTES,
    TO_ONE,
    Identity,
    Sealer,
)
from isinglass.wire.replay import WINDOW

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
    for operation, (name, _) in peer_calls.OPERATIONS.items():
        assert re.search(rf"^{operation} {name} ", PAGE, re.M), name
    for kind_of_error in handshake.SENTENCES:
        assert f"| `{kind_of_error.__name__}` | " in PAGE
        assert issubclass(kind_of_error, errors.ClusterError)
    for number, phase in enumerate(reports.PHASES):
        assert f"{number} {phase}" in PAGE


def test_the_page_s_figures_are_the_product_s() -> None:
    for figure in (DATAGRAM_LIMIT, BODY_LIMIT, WINDOW):
        assert f"{figure:,}" in PAGE
    assert f"shorter than {HEADER.size + TAG_BYTES} bytes" in PAGE
    assert f"at most {bodies.PARTS_LIMIT} parts" in PAGE
    assert f"at most {bodies.SEQUENCES_LIMIT} in a row" in PAGE
    assert len(msgpack.packb([])) == len(handshake.PROOF)
