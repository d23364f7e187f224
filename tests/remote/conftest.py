"""What tests of the glass over SSH get: hosts, working nodes, and links that are ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from at_work import Node, working_node
from console.terminal import Terminal, environment
from needs import missing, needs
from remote_hosts import RemoteHosts
from ssh_server import LoginRefused


@pytest.fixture
def start_node(home: Path) -> Iterator[Callable[[str], Node]]:
    """Starts nodes that work until the test ends."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(working_node(name))


@pytest.fixture
def alder(start_node: Callable[[str], Node]) -> Node:
    """One node that works."""
    return start_node("alder")


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    """A window of tmux."""
    window = Terminal(home / "tmux", environment())
    yield window
    window.stop()


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[RemoteHosts]:
    """Hosts that are made when a test names them; HOME is the test's own."""
    needs("sshd")
    own_home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(own_home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made = RemoteHosts(tmp_path, own_home)
    try:
        yield made
    except LoginRefused as error:
        missing(f"needs sshd: {error}; run the tests as a user who may")
    finally:
        made.close()
