"""Deliver one message: to a command, a webhook, or a mail server. Each way has a time limit.

- A command gets the message's document on its standard input, as JSON, and the line and the kind of
  message in its environment. It runs without a shell; it has delivered when it exits with 0. What
  it leaves behind may go on then; when its time is over, all of it is killed.
- A webhook gets the document in a POST; it has delivered when it answers 2xx. Redirects are not
  followed: what was meant for one host is not for another.
- A mail server gets the text, and the document as an attachment. A message that it takes for some
  of the addresses is not sent again: these would get it each time.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import partial
from typing import IO, Any

from isinglass_monitor.alarms.notifiers import (
    COMMAND,
    STARTTLS,
    TLS,
    WEBHOOK,
    Message,
    Notifier,
)
from isinglass_monitor.alarms.time_limit import TimeLimit

LONGEST_REASON = 300
SAID_BYTES = 4096  # of the end of what a command says


class NotDelivered(Exception):
    """The message did not arrive; the text says why."""


class DeliveredInPart(NotDelivered):
    """It arrived, but not at everybody; the text says at whom not."""


def send(notifier: Notifier, message: Message) -> None:
    """Deliver a message.

    Raises:
        DeliveredInPart: some have it.
        NotDelivered: it did not arrive, as far as one can tell.
    """
    way = {COMMAND: _to_command, WEBHOOK: _to_webhook}.get(notifier.kind, _to_mail)
    try:
        way(notifier, message)
    except NotDelivered:
        raise
    except Exception as error:  # there is no end of what a server answers, and libraries raise then
        why = str(error) or type(error).__name__
        raise NotDelivered(why[:LONGEST_REASON]) from error


def _json(message: Message) -> bytes:
    return json.dumps({**message.document, "subject": message.subject}).encode()


def _to_command(notifier: Notifier, message: Message) -> None:
    environment = {
        **os.environ,
        "ISINGLASS_SUBJECT": message.subject,
        "ISINGLASS_WHAT": str(message.document["what"]),
    }
    # Not a pipe: what the command leaves behind would keep that open, and its end is waited for.
    with (
        open(os.memfd_create("said"), "w+b") as said,
        subprocess.Popen(
            notifier.command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        ) as process,
    ):
        try:
            process.communicate(_json(message), notifier.timeout_seconds)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        if process.returncode:
            why = f"exit code {process.returncode}: {_last_line(said)}"
            raise NotDelivered(why[:LONGEST_REASON])


def _last_line(said: IO[bytes]) -> str:
    said.seek(max(said.seek(0, os.SEEK_END) - SAID_BYTES, 0))
    return said.read().decode(errors="replace").strip().rpartition("\n")[2]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Answers of 3xx become errors."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Follow nothing."""


class _Limited(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Talks within a time limit, encrypted or not."""

    def __init__(self, limit: TimeLimit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an address that begins with http."""
        return self.do_open(partial(self._limit.connection, http.client.HTTPConnection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an address that begins with https."""
        return self.do_open(partial(self._limit.connection, http.client.HTTPSConnection), req)


def _to_webhook(notifier: Notifier, message: Message) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "isinglass", **notifier.headers}
    request = urllib.request.Request(notifier.url, _json(message), headers, method="POST")
    with TimeLimit(notifier.timeout_seconds) as limit:
        opener = urllib.request.build_opener(_NoRedirect, _Limited(limit))
        try:
            with opener.open(request, timeout=notifier.timeout_seconds):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise NotDelivered(f"the server answered {error.code} {error.reason}") from error


def _to_mail(notifier: Notifier, message: Message) -> None:
    with TimeLimit(notifier.timeout_seconds) as limit:
        server = _mail_server(notifier, limit)
        try:
            refused = server.send_message(_mail(notifier, message))
            # Whatever it answers to a goodbye, it has taken the message.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()
    if refused:
        raise DeliveredInPart(f"the server refused {', '.join(refused)}"[:LONGEST_REASON])


def _mail_server(notifier: Notifier, limit: TimeLimit) -> smtplib.SMTP:
    """Return a connection that is ready for a message."""
    host, _, port = notifier.server.rpartition(":")
    context, timeout = ssl.create_default_context(), notifier.timeout_seconds
    made = partial(limit.connection, host=host, port=int(port), timeout=timeout)
    if notifier.tls == TLS:
        server: smtplib.SMTP = made(smtplib.SMTP_SSL, context=context)
    else:
        server = made(smtplib.SMTP)
    try:
        if notifier.tls == STARTTLS:
            server.starttls(context=context)
        if notifier.password_file is not None:
            server.login(notifier.user, notifier.password_file.read_text("utf-8").strip())
    except BaseException:
        server.close()
        raise
    return server


def _mail(notifier: Notifier, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = message.subject
    mail["From"] = notifier.sender
    mail["To"] = ", ".join(notifier.to)
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="isinglass")
    mail.set_content(message.text)
    mail.add_attachment(
        _json(message), maintype="application", subtype="json", filename="alarm.json"
    )
    return mail
