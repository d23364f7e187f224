"""The file that holds a cluster's key: made once, copied to every node, read when a daemon starts.

Its text is at least 32 bytes in hexadecimal or base64, so that it survives an editor, a mail or a
secret store. What the tags are made with is a BLAKE2b digest of those bytes: 32 bytes, however long
the text. A file that others than its owner may read is refused, as sshd refuses such a key: who has
the key can write into every node's store.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import stat
from pathlib import Path

from isinglass.errors import SettingsError, UsageError

SHORTEST_BYTES = 32
FILE_LIMIT_BYTES = 4096
MODE = 0o600
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2})+")
MAKE = "make one with `isinglass cluster key FILE` and copy it to every node"


def load(path: Path) -> bytes:
    """Return the 32 bytes that the key file stands for.

    Raises:
        SettingsError: there is no such file, it is no key, or others may read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise SettingsError(f"The cluster key file {path} is not there: {MAKE}.") from None
    except OSError as error:
        raise SettingsError(
            f"The cluster key file {path} cannot be read ({error.strerror}):"
            " let the daemon's user own it, with mode 0600."
        ) from error
    try:
        _must_be_private(path, os.fstat(descriptor))
        text = os.read(descriptor, FILE_LIMIT_BYTES + 1)
    finally:
        os.close(descriptor)
    return _key(path, text)


def _must_be_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise SettingsError(f"The cluster key file {path} is no file: {MAKE}.")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SettingsError(
            f"The cluster key file {path} may be read by others: run `chmod 600 {path}`, or make a"
            " new key if others had the time to."
        )
    if status.st_uid not in (0, os.geteuid()):
        raise SettingsError(
            f"The cluster key file {path} belongs to another user: let the daemon's user own it."
        )


def _key(path: Path, text: bytes) -> bytes:
    if len(text) > FILE_LIMIT_BYTES:
        raise SettingsError(
            f"The cluster key file {path} is longer than {FILE_LIMIT_BYTES:,} bytes: {MAKE}."
        )
    try:
        words = text.decode("ascii").strip()
        key = bytes.fromhex(words) if _HEXADECIMAL.fullmatch(words) else _base64(words)
    except ValueError:
        raise SettingsError(
            f"The cluster key file {path} is neither hexadecimal nor base64: {MAKE}."
        ) from None
    if len(key) < SHORTEST_BYTES:
        raise SettingsError(
            f"The cluster key file {path} holds {len(key)} bytes, {SHORTEST_BYTES} are the least:"
            f" {MAKE}."
        )
    return hashlib.blake2b(key, digest_size=32, person=b"isinglass key").digest()


def _base64(words: str) -> bytes:
    return base64.b64decode("".join(words.split()), validate=True)


def create(path: Path) -> None:
    """Write a new random key into a new file that its owner alone may read.

    Raises:
        UsageError: there is something already, or it cannot be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, MODE)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already and stays as it is: choose another name, or remove it if no"
            " node uses it."
        ) from None
    except FileNotFoundError as error:
        raise UsageError(f"{path} cannot be made: make its folder first.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}.") from error
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)
            file.write(os.urandom(SHORTEST_BYTES).hex().encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error
