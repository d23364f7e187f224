"""Calls between nodes: the handshake and its refusals, tags on every frame, arbitrary bytes."""

from __future__ import annotations

import os
import random
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isinglass import errors
from isinglass.wire import calls, messages
from isinglass.wire.calls import Answer, CallChannel, Failed, Opened, Request
from isinglass.wire.datagrams import Identity
from isinglass.wire.handshake import ANSWERER, CALLER, VERSION, Member, guest_key
from isinglass.wire.messages import DONE, LENGTH, PACED, REFUSED, WAIT

KEY = b"k" * 32
OPERATIONS: messages.Operations = {1: ("read", ((str,), (bytes,))), 2: ("list", ())}
OAK, ELM = Member("oak", 3, 9), Member("elm", 4, 7)


def channel(role: str, member: Member, key: bytes = KEY, cluster: str = "c") -> CallChannel:
    own = Identity(cluster, key, member.origin, member.incarnation)
    return CallChannel(role, own, member.node, os.urandom(16), OPERATIONS)


def pair(**changed: Any) -> tuple[CallChannel, CallChannel]:
    """Return a caller and an answerer, the second one with something changed."""
    return channel(CALLER, OAK), channel(ANSWERER, **{"member": ELM, **changed})


def exchange(caller: CallChannel, answerer: CallChannel) -> list[list[calls.Event]]:
    """Let both talk until nothing is left to say; return what each end was told."""
    told: list[list[calls.Event]] = [[], []]
    while any(sent := (caller.take(), answerer.take())):
        told[1] += answerer.feed(sent[0])
        told[0] += caller.feed(sent[1])
    return told


def opened(key: bytes = KEY) -> tuple[CallChannel, CallChannel]:
    caller, answerer = channel(CALLER, OAK, key), channel(ANSWERER, ELM, key)
    assert exchange(caller, answerer) == [[Opened(ELM)], [Opened(OAK)]]
    return caller, answerer


@pytest.mark.parametrize("key", [KEY, b""])
def test_both_prove_themselves_then_one_asks_and_the_other_answers(key: bytes) -> None:
    caller, answerer = opened(key)
    first = caller.request(1, "orders", b"key")
    second = caller.request(2)
    assert exchange(caller, answerer)[1] == [
        Request(first, 1, ["orders", b"key"]),
        Request(second, 2, []),
    ]
    answerer.answer([second, DONE, [1, 2]])
    answerer.answer([first, WAIT, 0.5])
    answerer.answer([first, PACED, 1])
    answerer.answer(messages.refusal(first, errors.TableMissing("make it")))
    told, _ = exchange(caller, answerer)
    assert told[:3] == [
        Answer(second, DONE, [second, DONE, [1, 2]]),
        Answer(first, WAIT, [first, WAIT, 0.5]),
        Answer(first, PACED, [first, PACED, 1]),
    ]
    assert isinstance(told[3], Answer)
    assert type(messages.refused_error(told[3].message)) is errors.TableMissing


@pytest.mark.parametrize(
    ("changed", "reason", "kind", "says"),
    [
        ({"key": b"j" * 32}, "bad tag", errors.WrongClusterKey, "cluster_key_file"),
        ({"key": b""}, "bad tag", errors.WrongClusterKey, "cluster_key_file"),
        ({"cluster": "d"}, "wrong cluster", errors.WrongCluster, "the same `cluster`"),
        ({"member": OAK}, "duplicate node", errors.DuplicateNode, "another name"),
        ({"member": Member("ash", 3, 1)}, "duplicate node", errors.DuplicateNode, "origin_number"),
        ({"member": Member("oak", 5, 1)}, "duplicate node", errors.DuplicateNode, "oak"),
    ],
)
def test_both_ends_learn_why_they_must_not_talk(
    changed: dict[str, Any], reason: str, kind: type[errors.ClusterError], says: str
) -> None:
    caller, answerer = pair(**changed)
    (to_caller,), (to_answerer,) = exchange(caller, answerer)
    for told, expected in ((to_caller, "refused"), (to_answerer, reason)):
        assert isinstance(told, Failed)
        assert (told.reason, type(told.error)) == (expected, kind)
        assert says in str(told.error)
    assert caller.failed and answerer.failed
    assert not caller.opened and not answerer.opened


def guest_of(member: Member, key: bytes) -> CallChannel:
    own = Identity("c", key, member.origin, member.incarnation)
    return CallChannel(CALLER, own, member.node, os.urandom(16), {}, guest=True)


def host(may: messages.Operations) -> CallChannel:
    own = Identity("c", KEY, ELM.origin, ELM.incarnation)
    return CallChannel(ANSWERER, own, ELM.node, os.urandom(16), OPERATIONS, guests_may=may)


def test_a_guest_may_ask_what_guests_may_and_no_more() -> None:
    guest, answerer = guest_of(OAK, guest_key(KEY, *OAK[1:])), host({1: OPERATIONS[1]})
    assert exchange(guest, answerer) == [[Opened(ELM)], [Opened(OAK)]]
    assert answerer.guest
    first, second = guest.request(1, "orders", b"key"), guest.request(2)
    (refused,), told = exchange(guest, answerer)
    assert told == [Request(first, 1, ["orders", b"key"])]
    assert isinstance(refused, Answer)
    assert (refused.request_id, refused.status) == (second, REFUSED)


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        b"",
        guest_key(KEY, OAK.origin, OAK.incarnation + 1),
        guest_key(KEY, OAK.origin + 1, OAK.incarnation),
        guest_key(b"j" * 32, *OAK[1:]),
    ],
)
def test_a_guest_with_another_key_than_its_node_s_is_refused(key: bytes) -> None:
    guest, answerer = guest_of(OAK, key), host(OPERATIONS)
    _, (told,) = exchange(guest, answerer)
    assert isinstance(told, Failed) and told.reason == "bad tag"
    assert guest.failed and answerer.failed


def test_the_key_of_guests_opens_nothing_to_who_says_it_is_a_node() -> None:
    caller = channel(CALLER, OAK, guest_key(KEY, *OAK[1:]))
    _, (told,) = exchange(caller, host(OPERATIONS))
    assert isinstance(told, Failed) and told.reason == "bad tag"


def test_nobody_answers_as_a_guest() -> None:
    caller = channel(CALLER, OAK)
    key = guest_key(KEY, *ELM[1:])
    own = Identity("c", key, ELM.origin, ELM.incarnation)
    answerer = CallChannel(ANSWERER, own, ELM.node, os.urandom(16), OPERATIONS, guest=True)
    caller.take()
    hello = guest_of(OAK, guest_key(KEY, *OAK[1:])).take()
    answerer.feed(hello)
    (told,) = caller.feed(answerer.take())
    assert isinstance(told, Failed) and not caller.opened


def test_another_version_is_told_to_both() -> None:
    caller, answerer = pair()
    hello = caller.take().replace(bytes([VERSION, 0xCF]), bytes([VERSION + 1, 0xCF]), 1)
    (failed,) = answerer.feed(hello)
    assert isinstance(failed, Failed) and type(failed.error) is errors.WrongClusterVersion
    assert f"version {VERSION + 1}" in str(failed.error)
    (told,) = caller.feed(answerer.take())
    assert isinstance(told, Failed) and type(told.error) is errors.WrongClusterVersion


def test_a_refusal_in_words_of_a_later_release_is_a_sentence_too() -> None:
    caller, _ = pair()
    word = msgpack.packb(["refused", 9, "SomethingNew", 1])
    (failed,) = caller.feed(LENGTH.pack(len(word) + 16) + word + bytes(16))
    assert isinstance(failed, Failed) and failed.reason == "refused"
    assert type(failed.error) is errors.ClusterError


def test_a_recorded_handshake_opens_nothing() -> None:
    caller, answerer = pair()
    hello = caller.take()
    answerer.feed(hello)
    challenge = answerer.take()
    caller.feed(challenge)
    proof = caller.take()
    again = channel(ANSWERER, ELM)
    again.feed(hello)
    again.take()
    (failed,) = again.feed(proof)
    assert isinstance(failed, Failed) and failed.reason == "bad tag"
    other = channel(CALLER, OAK)
    other.take()
    (failed,) = other.feed(challenge)
    assert isinstance(failed, Failed) and failed.reason == "bad tag"


def test_a_node_that_hears_itself_does_not_believe_it() -> None:
    caller = channel(CALLER, OAK)
    (failed,) = caller.feed(caller.take())
    assert isinstance(failed, Failed) and not caller.opened


def frames_of(count: int) -> tuple[CallChannel, list[bytes]]:
    caller, answerer = opened()
    frames = []
    for place in range(count):
        caller.request(1, "orders", b"key %d" % place)
        frames.append(caller.take())
    return answerer, frames


@pytest.mark.parametrize(
    "order", [[0, 0], [1], [0, 2], [0, 1, 0]], ids=["again", "moved", "left out", "recorded"]
)
def test_a_frame_out_of_its_place_ends_the_connection(order: list[int]) -> None:
    answerer, frames = frames_of(3)
    told = [event for place in order for event in answerer.feed(frames[place])]
    assert [type(event) for event in told] == [Request] * (len(order) - 1) + [Failed]
    assert answerer.failed
    assert answerer.feed(frames[1]) == []


def test_a_frame_of_another_connection_or_the_other_direction_is_not_taken() -> None:
    answerer, _ = frames_of(1)
    _, (foreign,) = frames_of(1)
    (failed,) = answerer.feed(foreign)
    assert isinstance(failed, Failed) and failed.reason == "bad tag"
    caller, _ = opened()
    caller.request(2)
    (failed,) = caller.feed(caller.take())
    assert isinstance(failed, Failed) and failed.reason == "bad tag"


def test_any_changed_bit_of_a_frame_ends_the_connection() -> None:
    for bit in range(32, 8 * len(frames_of(1)[1][0]), 5):
        answerer, (frame,) = frames_of(1)
        changed = bytearray(frame)
        changed[bit >> 3] ^= 1 << (bit & 7)
        (failed,) = answerer.feed(bytes(changed))
        assert isinstance(failed, Failed) and failed.reason == "bad tag"


def test_nothing_is_asked_before_the_proof() -> None:
    with pytest.raises(ValueError, match="proved"):
        channel(CALLER, OAK).request(2)
    stranger, answerer = channel(CALLER, OAK), channel(ANSWERER, ELM)
    answerer.feed(stranger.take())
    body = msgpack.packb([1, 2])
    (failed,) = answerer.feed(LENGTH.pack(len(body) + 16) + body + bytes(16))
    assert isinstance(failed, Failed) and failed.reason == "no handshake"


def test_a_stranger_s_frames_are_short_and_a_member_s_have_a_limit_too() -> None:
    for end in (channel(ANSWERER, ELM), channel(CALLER, OAK)):
        (failed,) = end.feed(LENGTH.pack(calls.HANDSHAKE_LIMIT_BYTES + 1))
        assert isinstance(failed, Failed) and failed.reason == "too long"
    caller, answerer = opened()
    with pytest.raises(errors.RecordTooLarge):
        caller.request(1, "t", bytes(messages.FRAME_LIMIT_BYTES))
    caller.request(1, "t", bytes(1_000_000))
    assert len(exchange(caller, answerer)[1]) == 1
    answerer.answer([1, DONE, bytes(messages.FRAME_LIMIT_BYTES)])
    (told,) = exchange(caller, answerer)[0]
    assert isinstance(told, Answer) and told.status == REFUSED
    (failed,) = answerer.feed(LENGTH.pack(messages.FRAME_LIMIT_BYTES + 1))
    assert isinstance(failed, Failed) and failed.reason == "too long"


def test_what_this_release_cannot_do_is_refused_and_the_connection_stays() -> None:
    caller, answerer = opened()
    unknown, wrong, good = caller.request(77), caller.request(1, 5), caller.request(2)
    to_caller, to_answerer = exchange(caller, answerer)
    assert to_answerer == [Request(good, 2, [])]
    for told, asked in zip(to_caller, (unknown, wrong), strict=True):
        assert isinstance(told, Answer)
        assert (told.request_id, told.status) == (asked, REFUSED)
        assert "install the same release" in told.message[3]


@pytest.mark.parametrize(
    "message", [[1, 9], ["1", 0, 2], [1, REFUSED, 1, 2], [1, WAIT, "x"], [1, PACED, "x"], {}]
)
def test_an_answer_that_is_none_ends_the_connection(message: Any) -> None:
    caller, answerer = opened()
    answerer._put_tagged(message)
    (failed,) = caller.feed(answerer.take())
    assert isinstance(failed, Failed) and failed.reason == "malformed"


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=3000), max_size=8), st.randoms(use_true_random=False))
def test_calls_come_whole_however_the_stream_is_cut(
    keys: list[bytes], generator: random.Random
) -> None:
    caller, answerer = pair()
    asked, told = False, list[calls.Event]()
    while (sent := caller.take()) or not asked:
        while sent:
            size = generator.randrange(1, len(sent) + 1)
            told += answerer.feed(sent[:size])
            sent = sent[size:]
        for byte in answerer.take():
            caller.feed(bytes([byte]))
        if caller.opened and not asked:
            asked = True
            for key in keys:
                caller.request(1, "t", key)
    assert told[1:] == [Request(n, 1, ["t", key]) for n, key in enumerate(keys, 1)]


def test_arbitrary_bytes_are_events_at_every_stage() -> None:
    generator = random.Random(3)
    reasons = dict.fromkeys(calls.REASONS, 0)
    for _ in range(6_000):
        caller, answerer = pair()
        stage = generator.randrange(4)
        streams = [caller.take()]
        if stage:
            answerer.feed(streams[0])
            streams.append(answerer.take())
        if stage > 1:
            caller.feed(streams[1])
            caller.request(1, "t", b"k")
            streams.append(caller.take())
        raw = bytearray(generator.choice([streams[-1], generator.randbytes(90)]))
        for _ in range(generator.randrange(5)):
            raw[generator.randrange(len(raw))] = generator.randrange(256)
        if generator.random() < 0.3:
            raw[:3] = (generator.randrange(len(raw)), 0, 0)
        for event in (caller if stage == 1 else answerer).feed(bytes(raw)):
            if isinstance(event, Failed):
                reasons[event.reason] += 1
                assert len(str(event.error)) < 300
    assert sum(count > 0 for count in reasons.values()) >= 6, reasons
