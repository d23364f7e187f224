"""Notifiers: real programs, real HTTP and SMTP servers, and what happens when none answers."""

from __future__ import annotations

import json
import math
import socket
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given
from hypothesis import strategies as st

from alarm_stage import AlarmStage
from isinglass.errors import SettingsError
from isinglass_monitor.alarms.delivery import Delivery
from isinglass_monitor.alarms.messages import message_of, trial_message
from isinglass_monitor.alarms.notifiers import (
    GIVE_UP_SECONDS,
    LONGEST_WAIT_SECONDS,
    WAITING_MESSAGES,
    Message,
    Notifier,
    Outbox,
    parse_notifiers,
)
from isinglass_monitor.alarms.sending import NotDelivered, send
from waiting import wait_until

COMMAND = """
[[notifier]]
name = "pager"
kind = "command"
command = ["true"]
"""
MAIL = """
[[notifier]]
name = "mail"
kind = "mail"
server = "localhost:25"
from = "monitor@example.org"
to = ["ada@example.org"]
"""


def message() -> Message:
    """Return the message of a real alarm."""
    scene = AlarmStage()
    scene.says("alder", {"store.state": "disk full\x1b[2J"})
    scene.run(12)
    return message_of(scene.notices[0], 7, "orchard")


def notifier(kind: str, **values: Any) -> Notifier:
    return Notifier("test", kind, 9, 5.0, **values)


class WebServer:
    """An HTTP server that answers with the codes it is told, and keeps what it got."""

    def __init__(self) -> None:
        outer = self
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], Any]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), json.loads(body)))
                code = outer.answers.pop(0) if outer.answers else 204
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alarms"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


class Mailbox:
    """What an SMTP server got."""

    def __init__(self) -> None:
        self.refuses = False
        self.got: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuses:
            return "451 try again later"
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, f"127.0.0.1:{port}"
    controller.stop()


def test_a_command_gets_the_document(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import json, os, sys; json.dump([json.load(sys.stdin), os.environ['ISINGLASS_SUBJECT']],"
        " open(sys.argv[1], 'w'))"
    )
    send(notifier("command", command=(sys.executable, "-c", script, str(out))), message())
    document, subject = json.loads(out.read_text())
    assert subject == "[orchard] ERROR: store-refuses alder"
    assert document["alarm"]["rule"] == "store-refuses"
    assert document["what"] == "raised"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ((sys.executable, "-c", "import sys; sys.exit('no line')"), "exit code 1: no line"),
        (("/no/such/program",), "No such file"),
    ],
)
def test_a_command_that_fails_says_why(command: tuple[str, ...], why: str) -> None:
    with pytest.raises(NotDelivered, match=why):
        send(notifier("command", command=command), message())


def test_a_command_that_hangs_is_given_up() -> None:
    hanging = (sys.executable, "-c", "import time; time.sleep(60)")
    with pytest.raises(NotDelivered, match="timed out"):
        send(Notifier("test", "command", 9, 0.3, command=hanging), message())


def test_a_webhook_gets_the_document(web: WebServer) -> None:
    send(notifier("webhook", url=web.url, headers={"X-Token": "secret"}), message())
    [(headers, document)] = web.got
    assert headers["X-Token"] == "secret"
    assert headers["Content-Type"] == "application/json"
    assert document["alarm"]["sentence"].startswith("alder: The store takes no writes.")


@pytest.mark.parametrize("code", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_has_not_delivered(web: WebServer, code: int) -> None:
    web.answers = [code]
    with pytest.raises(NotDelivered, match=str(code)):
        send(notifier("webhook", url=web.url), message())
    assert len(web.got) == 1


def test_a_webhook_that_is_not_there_has_not_delivered() -> None:
    with pytest.raises(NotDelivered, match="refused"):
        send(notifier("webhook", url="http://127.0.0.1:1/"), message())


def test_mail_has_the_text_and_the_document(mail: tuple[Mailbox, str]) -> None:
    box, server = mail
    to = ("ada@example.org", "bob@example.org")
    send(notifier("mail", server=server, sender="monitor@example.org", to=to), message())
    [(sender, recipients, content)] = box.got
    assert (sender, recipients) == ("monitor@example.org", list(to))
    letter = message_from_bytes(content, policy=default)
    assert letter["Subject"] == "[orchard] ERROR: store-refuses alder"
    text, attached = letter.iter_parts()
    assert "Where to look next: `daemon.trouble` and" in text.get_content()
    assert "\x1b" not in text.get_content()
    assert json.loads(attached.get_content())["alarm"]["rule"] == "store-refuses"


def test_mail_that_is_refused_is_not_delivered(mail: tuple[Mailbox, str]) -> None:
    box, server = mail
    box.refuses = True
    with pytest.raises(NotDelivered, match="try again later"):
        send(notifier("mail", server=server, sender="a@b", to=("c@d",)), message())


def test_a_delivery_tries_again_until_it_arrives(web: WebServer) -> None:
    web.answers = [500, 503]
    delivery = Delivery(notifier("webhook", url=web.url))
    delivery.start([])
    try:
        delivery.put(message())
        wait_until(lambda: delivery.document()["delivered"], "the message delivered")
        assert delivery.document()["failures"] == 2
        assert delivery.document()["trouble"] == ""
        assert delivery.waiting() == []
        assert len(web.got) == 3
    finally:
        delivery.end()


def test_what_waits_is_delivered_by_the_next_life(web: WebServer) -> None:
    gone = Delivery(notifier("webhook", url="http://127.0.0.1:1/"))
    gone.start([])
    gone.put(message())
    wait_until(lambda: gone.document()["failures"], "a failure")
    gone.end()
    waiting = json.loads(json.dumps(gone.waiting()))
    later = Delivery(notifier("webhook", url=web.url))
    later.start(waiting)
    try:
        wait_until(lambda: web.got, "the message delivered")
        assert web.got[0][1]["alarm"]["rule"] == "store-refuses"
    finally:
        later.end()


def test_the_message_of_a_trial_says_that_nothing_is_wrong(web: WebServer) -> None:
    send(notifier("webhook", url=web.url), trial_message(1, "orchard"))
    assert web.got[0][1]["what"] == "test"


@given(st.lists(st.tuples(st.sampled_from(("put", "works", "fails")), st.floats(0, 4000))))
def test_every_message_is_delivered_once_or_given_up_and_in_order(
    deeds: list[tuple[str, float]],
) -> None:
    box, now, made, last_failure = Outbox(), 0.0, 0, -math.inf
    arrived: list[int] = []
    for deed, seconds in deeds:
        now += seconds
        if deed == "put":
            made += 1
            box.put(now, Message(made, "", "", {}))
            continue
        due = box.due(now)
        if due is None:
            assert len(box) == 0 or now - last_failure < LONGEST_WAIT_SECONDS
        elif deed == "works":
            arrived.append(due.number)
            box.was_delivered(due)
        else:
            box.has_failed(now, due, "why")
            last_failure = now
    assert arrived == sorted(set(arrived))
    assert len(arrived) + len(box) + box.given_up == made


def test_waits_grow_to_five_minutes_and_end_after_a_day() -> None:
    box, now, waits = Outbox(), 0.0, []
    box.put(now, Message(1, "", "", {}))
    while (due := box.due(now)) is not None:
        box.has_failed(now, due, "why")
        wait = box.wait_seconds(now)
        if wait is None:
            break
        waits.append(wait)
        now += wait
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) == LONGEST_WAIT_SECONDS
    assert GIVE_UP_SECONDS <= now <= GIVE_UP_SECONDS + LONGEST_WAIT_SECONDS
    assert box.given_up == 1


def test_a_full_outbox_gives_up_the_oldest() -> None:
    box = Outbox()
    for number in range(WAITING_MESSAGES + 3):
        box.put(0.0, Message(number, "", "", {}))
    assert (len(box), box.given_up) == (WAITING_MESSAGES, 3)
    due = box.due(0.0)
    assert due is not None
    assert due.number == 3


def test_notifiers_are_read_from_the_same_file_as_rules() -> None:
    found = parse_notifiers(COMMAND + MAIL + 'severity = "error"\n', "own.toml")
    assert found["pager"].wants({"severity": 13})
    assert not found["mail"].wants({"severity": 13})
    assert found["mail"].to == ("ada@example.org",)


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (COMMAND.replace('"command"', '"pigeon"'), 4, "needs its kind"),
        (COMMAND.replace('command = ["true"]', ""), 2, "needs command"),
        (COMMAND.replace('["true"]', '"true"'), 5, "a list of texts"),
        (COMMAND + 'url = "http://x"', 6, "no key of a notifier of kind command"),
        (COMMAND + 'severity = "bad"', 6, "one of info"),
        (COMMAND + 'timeout = "1h"', 6, "5 minutes"),
        (COMMAND + COMMAND, 8, "stands twice"),
        (MAIL.replace(":25", ""), 5, "host:port"),
        (MAIL + 'user = "ada"', 8, "not sent without tls"),
        (MAIL + 'tls = "starttls"\nuser = "ada"', 9, "go together"),
        (MAIL.replace("monitor@", "monitor\\n@"), 6, "on one line"),
        ('[[notifier]]\nname = "x"\nkind = "webhook"\nurl = "file:///etc"', 4, "begins with http"),
        ('[[notifier]]\nname = "x"\nkind = "webhook"\nurl = "http://[::1/"', 4, "begins with http"),
        ('[[notifier]]\nname = "x"\nkind = "webhook"\nurl = "http://h:99999"', 4, "a port"),
        (COMMAND.replace('"command"', '["command"]'), 4, "needs its kind"),
        (COMMAND + 'severity = ["error"]', 6, "one of info"),
        (MAIL.replace(":25", ":²"), 5, "host:port"),
    ],
)
def test_an_error_in_a_notifier_names_its_line(text: str, line: int, why: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_notifiers(text, "own.toml")
    assert why in str(raised.value)
    assert str(raised.value).startswith(f"own.toml:{line}: ")
