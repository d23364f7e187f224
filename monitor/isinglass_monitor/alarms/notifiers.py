"""Notifiers: whom alarms are told, as data; and the queue of one, with its patience; pure.

    [[notifier]]
    name = "operators"
    kind = "mail"            # or "command", "webhook"
    severity = "error"       # the least that it is told; "warning" when left out
    server = "mail.example.org:587"
    from = "monitor@example.org"
    to = ["operators@example.org"]

A message that cannot be delivered is tried again after 1, 2, 4, ... seconds, at most five minutes
apart, in the order in which messages came, and given up after a day. The queue outlives the
monitor, so a message is delivered at least once; it may be delivered twice.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

from isinglass.durations import seconds_of
from isinglass.errors import SettingsError
from isinglass.toml_lines import TomlLines
from isinglass_monitor.alarms.rules import NAME, SEVERITIES, parse_toml

COMMAND, WEBHOOK, MAIL = "command", "webhook", "mail"
PLAIN, STARTTLS, TLS = "none", "starttls", "tls"
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 300.0
GIVE_UP_SECONDS = 86_400.0
WAITING_MESSAGES = 1_000

_OF_KIND: Mapping[str, tuple[set[str], set[str]]] = {  # kind: (needed, further)
    COMMAND: ({"command"}, set()),
    WEBHOOK: ({"url"}, {"headers"}),
    MAIL: ({"server", "from", "to"}, {"tls", "user", "password_file"}),
}
_OF_ALL = {"name", "kind", "severity", "timeout"}


@dataclass(frozen=True)
class Notifier:
    """One way to tell people."""

    name: str
    kind: str
    severity: int
    timeout_seconds: float
    command: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    server: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    tls: str = PLAIN
    user: str = ""
    password_file: Path | None = None

    def wants(self, alarm: Mapping[str, Any]) -> bool:
        """Tell whether it is told of an alarm."""
        return int(alarm["severity"]) >= self.severity


class Message(NamedTuple):
    """What is delivered: a line, a text, and the document of the alarm."""

    number: int
    subject: str
    text: str
    document: dict[str, Any]


def parse_notifiers(text: str, place: str) -> dict[str, Notifier]:
    """Return the notifiers of a TOML text by name.

    Raises:
        SettingsError: the sentence begins with `place:line:`.
    """
    reading = _Reading(place, TomlLines(text))
    found: dict[str, Notifier] = {}
    tables = parse_toml(text, place).get("notifier", [])
    if not isinstance(tables, list):
        raise SettingsError(f"{place}: notifiers are tables [[notifier]].")
    for number, table in enumerate(tables):
        made = reading.notifier(number, table)
        if made.name in found:
            reading.fail(number, "name", f"notifier {made.name} stands twice")
        found[made.name] = made
    return found


class _Reading:
    def __init__(self, place: str, lines: TomlLines) -> None:
        self._place, self._lines = place, lines

    def fail(self, number: int, key: str, why: str) -> NoReturn:
        raise SettingsError(f"{self._place}:{self._lines.line('notifier', number, key)}: {why}.")

    def notifier(self, number: int, table: Any) -> Notifier:
        if not isinstance(table, dict) or table.get("kind") not in [*_OF_KIND]:
            self.fail(number, "kind", f"a notifier needs its kind, one of {', '.join(_OF_KIND)}")
        needed, further = _OF_KIND[table["kind"]]
        for key in sorted({"name", *needed} - table.keys()):
            self.fail(number, "", f"a notifier of kind {table['kind']} needs {key}")
        for key in table.keys() - needed - further - _OF_ALL:
            self.fail(number, key, f"{key} is no key of a notifier of kind {table['kind']}")
        if not isinstance(table["name"], str) or not NAME.fullmatch(table["name"]):
            self.fail(number, "name", "a name has lower-case letters, digits and -")
        return Notifier(
            name=table["name"],
            kind=table["kind"],
            severity=self._severity(number, table),
            timeout_seconds=self._timeout(number, table),
            command=tuple(self._texts(number, table, "command")),
            url=self._url(number, table),
            headers=self._headers(number, table),
            server=self._server(number, table),
            sender=self._text(number, table, "from"),
            to=tuple(self._texts(number, table, "to")),
            tls=self._tls(number, table),
            user=self._text(number, table, "user"),
            password_file=self._password_file(number, table),
        )

    def _severity(self, number: int, table: dict[str, Any]) -> int:
        word = table.get("severity", "warning")
        if word not in [*SEVERITIES]:
            self.fail(number, "severity", f"severity is one of {', '.join(SEVERITIES)}")
        return SEVERITIES[word]

    def _timeout(self, number: int, table: dict[str, Any]) -> float:
        try:
            seconds = seconds_of(table.get("timeout", 10))
        except (ValueError, AttributeError, TypeError):
            seconds = 0.0
        if not 0.1 <= seconds <= 300:
            self.fail(number, "timeout", "timeout is a length of time from 0.1 s to 5 minutes")
        return seconds

    def _text(self, number: int, table: dict[str, Any], key: str) -> str:
        value = table.get(key, "")
        # A line break in a header would be a header of its own.
        if not isinstance(value, str) or any(not letter.isprintable() for letter in value):
            self.fail(number, key, f"{key} is text on one line")
        return value

    def _texts(self, number: int, table: dict[str, Any], key: str) -> list[str]:
        values = table.get(key, [])
        is_list = isinstance(values, list) and (values or key not in table)
        if not is_list or not all(isinstance(v, str) and v.isprintable() for v in values):
            self.fail(number, key, f"{key} is a list of texts")
        return list(values)

    def _url(self, number: int, table: dict[str, Any]) -> str:
        url = self._text(number, table, "url")
        if table["kind"] == WEBHOOK and not _is_url(url):
            self.fail(
                number, "url", "url begins with http:// or https:// and names a host, and a port"
                " when it is not the usual one"
            )  # fmt: skip
        return url

    def _headers(self, number: int, table: dict[str, Any]) -> dict[str, str]:
        headers = table.get("headers", {})
        if not isinstance(headers, dict) or not all(
            isinstance(value, str) and value.isprintable() for value in headers.values()
        ):
            self.fail(number, "headers", "headers is a table of texts")
        return headers

    def _server(self, number: int, table: dict[str, Any]) -> str:
        server = self._text(number, table, "server")
        host, _, port = server.rpartition(":")
        is_port = re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65_536
        if table["kind"] == MAIL and not (host and is_port):
            self.fail(number, "server", 'server is "host:port"')
        return server

    def _tls(self, number: int, table: dict[str, Any]) -> str:
        word = table.get("tls", PLAIN)
        if word not in (PLAIN, STARTTLS, TLS):
            self.fail(number, "tls", f"tls is one of {PLAIN}, {STARTTLS}, {TLS}")
        if table.get("user") and word == PLAIN:
            self.fail(number, "user", "a password is not sent without tls")
        return str(word)

    def _password_file(self, number: int, table: dict[str, Any]) -> Path | None:
        text = self._text(number, table, "password_file")
        if bool(text) != bool(table.get("user")):
            self.fail(number, "user", "user and password_file go together")
        return Path(text) if text else None


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, a bracket that is open
        return False


class Outbox:
    """The messages that one notifier has not delivered yet."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Message, float]] = deque()  # (message, when it came)
        self._tries = 0
        self._due_seconds = 0.0
        self.delivered = self.failures = self.given_up = 0
        self.trouble = ""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, now_seconds: float, message: Message) -> None:
        """Add a message; the oldest one goes when too many wait."""
        if len(self._waiting) >= WAITING_MESSAGES:
            self._waiting.popleft()
            self.given_up += 1
            self._start_over()
        self._waiting.append((message, now_seconds))

    def due(self, now_seconds: float) -> Message | None:
        """Return the message to deliver now, if there is one."""
        return self._waiting[0][0] if self._waiting and now_seconds >= self._due_seconds else None

    def wait_seconds(self, now_seconds: float) -> float | None:
        """Return how long there is nothing to do; None: until a message comes."""
        return max(self._due_seconds - now_seconds, 0.0) if self._waiting else None

    def was_delivered(self, message: Message, trouble: str = "") -> None:
        """Note that a message has arrived, and at whom not when that is the trouble."""
        self.delivered += 1
        self.failures += bool(trouble)
        self.trouble = trouble
        self._drop(message)

    def has_failed(self, now_seconds: float, message: Message, why: str) -> None:
        """Note that a message could not be delivered; it waits, longer each time."""
        self.failures += 1
        self.trouble = why
        if not self._waiting or self._waiting[0][0] is not message:
            return
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(self._tries, 30), LONGEST_WAIT_SECONDS)
        self._tries += 1
        self._due_seconds = now_seconds + wait
        if now_seconds - self._waiting[0][1] >= GIVE_UP_SECONDS:
            self.given_up += 1
            self._drop(message)

    def _drop(self, message: Message) -> None:
        if self._waiting and self._waiting[0][0] is message:
            self._waiting.popleft()
            self._start_over()

    def _start_over(self) -> None:
        self._tries, self._due_seconds = 0, 0.0

    def document(self) -> list[Any]:
        """Return what outlives the monitor."""
        return [list(message) for message, _ in self._waiting]

    def restore(self, now_seconds: float, messages: list[Any]) -> None:
        """Go on with the messages that an earlier life could not deliver."""
        for message in messages:
            self.put(now_seconds, Message(*message))
