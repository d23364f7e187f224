"""Deliver one message: to a command, a webhook, or a mail server. Each way has a time limit.

- A command gets the message's document on its standard input, as JSON, and the line and the kind of
  message in its environment. It runs without a shell; it has delivered when it exits with 0.
- A webhook gets the document in a POST; it has delivered when it answers 2xx. Redirects are not
  followed: what was meant for one host is not for another.
- A mail server gets the text, and the document as an attachment.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import IO, Any

from isinglass_monitor.alarms.notifiers import (
    COMMAND,
    STARTTLS,
    TLS,
    WEBHOOK,
    Message,
    Notifier,
)

LONGEST_REASON = 300


class NotDelivered(Exception):
    """The message did not arrive; the text says why."""


def send(notifier: Notifier, message: Message) -> None:
    """Deliver a message.

    Raises:
        NotDelivered: it did not arrive, as far as one can tell.
    """
    way = {COMMAND: _to_command, WEBHOOK: _to_webhook}.get(notifier.kind, _to_mail)
    try:
        way(notifier, message)
    except (OSError, smtplib.SMTPException, subprocess.SubprocessError, ValueError) as error:
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
    result = subprocess.run(
        notifier.command,
        input=_json(message),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=notifier.timeout_seconds,
        check=False,
    )
    if result.returncode:
        last = result.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NotDelivered(f"exit code {result.returncode}: {last}"[:LONGEST_REASON])


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Answers of 3xx become errors."""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Follow nothing."""


def _to_webhook(notifier: Notifier, message: Message) -> None:
    headers = {"Content-Type": "application/json", "User-Agent": "isinglass", **notifier.headers}
    request = urllib.request.Request(notifier.url, _json(message), headers, method="POST")
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=notifier.timeout_seconds):
            pass
    except urllib.error.HTTPError as error:
        error.close()
        raise NotDelivered(f"the server answered {error.code} {error.reason}") from error


def _to_mail(notifier: Notifier, message: Message) -> None:
    host, _, port = notifier.server.rpartition(":")
    timeout = notifier.timeout_seconds
    context = ssl.create_default_context()
    connection = (
        smtplib.SMTP_SSL(host, int(port), timeout=timeout, context=context)
        if notifier.tls == TLS
        else smtplib.SMTP(host, int(port), timeout=timeout)
    )
    with connection as server:
        if notifier.tls == STARTTLS:
            server.starttls(context=context)
        if notifier.password_file is not None:
            server.login(notifier.user, notifier.password_file.read_text("utf-8").strip())
        refused = server.send_message(_mail(notifier, message))
    if refused:
        raise NotDelivered(f"the server refused {', '.join(refused)}")


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
