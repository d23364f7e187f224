"""What a test may need from the machine, and what happens where the machine does not have it.

A test says it with a marker (`@pytest.mark.sshd`) or, for what is needed in the middle of a test,
with a call (`needs("tmux")`). Where it is missing the test is skipped and says why; with
ISINGLASS_REQUIRE_ALL set, as in continuous integration, it fails instead: a suite that quietly
skips its hard tests proves nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from typing import NoReturn

import pytest

from ssh_server import SSHD


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


HOST_PROGRAMS = ("unshare", "nsenter", "ip", "tc", "mount", "mkfs.ext4", "fsfreeze")


@cache
def _has_namespaces() -> bool:
    if os.geteuid() != 0 or not all(map(shutil.which, HOST_PROGRAMS)):
        return False
    trying = ["unshare", "--net", "ip", "link", "add", "trial", "type", "veth"]
    return subprocess.run(trying, capture_output=True).returncode == 0


# name: (whether it is here, what the reader of a skip can do about it)
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "hosts": (
        _has_namespaces,
        f"run the tests as root, where namespaces may be made, with {', '.join(HOST_PROGRAMS)}",
    ),
    "root": (lambda: os.geteuid() == 0, "run the tests as root"),
    "sshd": (
        lambda: os.access(SSHD, os.X_OK) and shutil.which("ssh") is not None,
        "install openssh-server and openssh-client",
    ),
    "terminal": (_program("tmux"), "install tmux"),
    "tmux": (_program("tmux"), "install tmux"),
    "promtool": (_program("promtool"), "unpack it from Debian's package prometheus (see .ci/run)"),
}


def needs(*names: str) -> None:
    """Go on when the machine has everything named; else skip, or fail when nothing may be skipped.

    A name that is not in `NEEDS` is a program, looked for on the PATH.
    """
    for name in names:
        present, remedy = NEEDS.get(name, (_program(name), f"install {name}"))
        if not present():
            missing(f"needs {name}: {remedy}")


def missing(sentence: str) -> NoReturn:
    """Skip because of what the sentence says, or fail when nothing may be skipped."""
    if os.environ.get("ISINGLASS_REQUIRE_ALL"):
        pytest.fail(f"{sentence} (ISINGLASS_REQUIRE_ALL is set, so this is no skip)")
    pytest.skip(sentence)
