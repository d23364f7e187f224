"""Notifiers whose other side is odd: what it says is none, has no end, or goes on afterwards."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from isinglass_monitor.alarms.delivery import Delivery
from isinglass_monitor.alarms.messages import trial_message
from isinglass_monitor.alarms.notifiers import Notifier
from isinglass_monitor.alarms.sending import NotDelivered, send
from waiting import wait_until

MESSAGE = trial_message(1, "orchard")
LIMIT_SECONDS = 0.4


@contextmanager
def talker(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Give the place of a server that talks so to everybody, one after the other."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connected, _ = listening.accept()
                with connected, suppress(OSError):
                    talk(connected)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def answering(data: bytes) -> Callable[[socket.socket], None]:
    def talk(connected: socket.socket) -> None:
        connected.recv(1 << 16)
        connected.sendall(data)

    return talk


def dripping(data: bytes) -> Callable[[socket.socket], None]:
    """Return a talk that goes on until the other side hangs up."""

    def talk(connected: socket.socket) -> None:
        connected.settimeout(0.05)
        while True:
            connected.sendall(data)
            with suppress(TimeoutError):
                if not connected.recv(1 << 16):
                    return

    return talk


def webhook(place: str, timeout_seconds: float = 5.0) -> Notifier:
    return Notifier("test", "webhook", 9, timeout_seconds, url=f"http://{place}/")


def mail(place: str, timeout_seconds: float = 5.0) -> Notifier:
    to = ("ada@example.org", "bob@example.org")
    return Notifier("test", "mail", 9, timeout_seconds, server=place, sender="m@example.org", to=to)


@pytest.mark.parametrize(
    "answer",
    [b"hello\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000, b"HTTP/1.1 twenty OK\r\n\r\n", b""],
    ids=["a word", "a long header", "no code", "nothing"],
)
def test_a_server_that_speaks_no_http_has_not_taken_it_and_is_tried_again(answer: bytes) -> None:
    with talker(answering(answer)) as place:
        delivery = Delivery(webhook(place))
        delivery.start([])
        try:
            delivery.put(MESSAGE)
            wait_until(lambda: delivery.document()["failures"] == 2, "a second try")
        finally:
            delivery.end()


def test_a_webhook_that_never_comes_to_an_end_is_given_up() -> None:
    with (
        talker(dripping(b"HTTP/1.1 100 Continue\r\n\r\n")) as place,
        pytest.raises(NotDelivered, match=r"longer than 0\.4 s"),
    ):
        send(webhook(place, LIMIT_SECONDS), MESSAGE)


def test_a_mail_server_that_never_comes_to_an_end_is_given_up() -> None:
    with (
        talker(dripping(b"220-and\r\n")) as place,
        pytest.raises(NotDelivered, match=r"longer than 0\.4 s"),
    ):
        send(mail(place, LIMIT_SECONDS), MESSAGE)


def mail_talk(connected: socket.socket, taken: list[str], *, refuses: str, goodbye: bytes) -> None:
    """Take mail, but not for one address."""
    connected.sendall(b"220 here\r\n")
    with connected.makefile("r", encoding="utf-8", newline="\r\n") as lines:
        for line in lines:
            verb = line.strip().upper()
            if verb.startswith("RCPT") and refuses and refuses in line:
                connected.sendall(b"550 nobody\r\n")
            elif verb == "DATA":
                connected.sendall(b"354 go on\r\n")
                taken.append("".join(iter(lambda: next(lines), ".\r\n")))
                connected.sendall(b"250 taken\r\n")
            elif verb == "QUIT":
                connected.sendall(goodbye)
                return
            else:
                connected.sendall(b"250 well\r\n")


@pytest.mark.parametrize(
    ("refuses", "goodbye", "trouble"),
    [
        ("bob", b"221 bye\r\n", "the server refused bob@example.org"),
        ("", b"421 too busy to say goodbye\r\n", ""),
        ("", b"", ""),
    ],
    ids=["one address refused", "an odd goodbye", "no goodbye"],
)
def test_mail_that_was_taken_is_not_sent_again(refuses: str, goodbye: bytes, trouble: str) -> None:
    taken: list[str] = []

    def talk(connected: socket.socket) -> None:
        mail_talk(connected, taken, refuses=refuses, goodbye=goodbye)

    with talker(talk) as place:
        delivery = Delivery(mail(place))
        delivery.start([])
        try:
            delivery.put(MESSAGE)
            wait_until(lambda: delivery.document()["waiting"] == 0, "the message delivered")
            assert delivery.document()["trouble"] == trouble
            assert (delivery.document()["delivered"], len(taken)) == (1, 1)
        finally:
            delivery.end()


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def command(script: str, fifo: Path) -> Notifier:
    return Notifier("test", "command", 9, 2.0, command=("sh", "-c", script, "sh", str(fifo)))


def test_a_command_has_delivered_although_what_it_left_behind_goes_on(fifo: Path) -> None:
    kept_open = os.open(fifo, os.O_RDWR)
    try:
        send(command('exec 3< "$1"; cat <&3 > /dev/null & exit 0', fifo), MESSAGE)
    finally:
        os.close(kept_open)  # ends the cat
    wait_until(lambda: not has_reader(fifo), "the end of what was left behind")


def test_a_command_that_hangs_leaves_nothing_behind(fifo: Path) -> None:
    with pytest.raises(NotDelivered, match="timed out"):
        send(command('exec 3<> "$1"; sleep 600; true', fifo), MESSAGE)
    wait_until(lambda: not has_reader(fifo), "the end of what was left behind")


def has_reader(fifo: Path) -> bool:
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as reason:
        assert reason.errno == errno.ENXIO
        return False
    return True
