"""What is sent to a host without isinglass is all that a relay imports, and runs by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from import_graph import reached_from
from isinglass.glass.reader import SegmentReader
from isinglass.remote import helper
from relay_client import RelayClient

Node = subprocess.Popen[str]
PACKAGES = {"isinglass.glass", "isinglass.remote"}


def test_all_that_a_relay_imports_is_sent_and_nothing_else() -> None:
    needed = {"isinglass.remote.relay", *reached_from(["isinglass.remote.relay"]), *PACKAGES}
    assert set(helper.MODULES) == needed


def test_every_source_is_small_and_whole() -> None:
    packed = helper.packed_sources()
    assert len(packed) < 48 * 1024
    sources = json.loads(zlib.decompress(packed))
    assert set(sources) == {*helper.MODULES, helper.FIRST, "isinglass"}


def test_any_shell_hands_the_line_on_as_it_is() -> None:
    line = helper.command(12345)
    program = line.partition("'")[2].removesuffix("'")
    assert not set("'\n!\\`$") & set(program)


def test_it_runs_on_the_standard_library_alone(
    alder: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an empty folder, by an interpreter that sees no packages and no environment of Python."""
    monkeypatch.chdir(tmp_path)
    there = sorted(tmp_path.rglob("*"))
    sources = helper.packed_sources()
    command = helper.command(len(sources), os.path.realpath(sys.executable))
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(sources)
        client = RelayClient(process)
        hello = client.hello()
        client.open("alder")
        found = client.look(looks=100).snapshot
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert hello["nodes"] == ["alder"]
    with SegmentReader("alder") as reader:
        here = reader.snapshot()
    assert found is not None and found.generation == here.generation
    assert sorted(tmp_path.rglob("*")) == there, "it wrote something"
