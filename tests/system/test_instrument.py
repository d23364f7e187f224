"""The foreign daemon of docs/instrument-your-daemon.md, put behind the glass as the page says."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.commands import isinglass

PAGE = Path(__file__).parents[2] / "docs" / "instrument-your-daemon.md"


def _blocks() -> tuple[str, str]:
    """Return the page's server and its one line of opting in."""
    found = re.findall(r"^( *)```python\n(.*?)```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    server, opt_in = (textwrap.dedent(code) for _, code in found)
    return server, opt_in


@pytest.fixture
def greeter(tmp_path: Path) -> Iterator[int]:
    """Run the page's server with its package instrumented; yield its port."""
    server, opt_in = _blocks()
    package = tmp_path / "greeter"
    package.mkdir()
    (package / "__init__.py").write_text(opt_in)
    (package / "server.py").write_text(server)
    command = [sys.executable, "-m", "greeter.server", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def test_a_foreign_daemon_shows_its_own_panel_with_labels_and_units(greeter: int) -> None:
    with socket.create_connection(("127.0.0.1", greeter)) as visitor:
        for name in (b"ada\n", b"grace\n", b"edith\n"):
            visitor.sendall(name)
            assert visitor.recv(100) == b"hello " + name
        plain = isinglass("dump", "greeter", "--panel", "greeter").stdout
        assert re.search(r"greeted\s+3\s+visitors", plain)
        shown = json.loads(isinglass("dump", "greeter", "--json").stdout)
        assert "Visitors that were greeted." in json.dumps(shown)
        assert "Who was greeted." in json.dumps(shown)
        where = isinglass("ps", "greeter").stdout
        assert "for a name" in where and re.search(r"server\.py:\d+", where)


def test_few_lines_are_added_to_a_small_server() -> None:
    lines = [line for line in _blocks()[0].splitlines() if line.strip()]
    added = [line for line in lines if line.endswith("# added")]
    assert len(added) <= 8 and len(lines) - len(added) <= 30
