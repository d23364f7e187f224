"""The manual page of the format is true: the reader printed in it reads a live node."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from glass.node_program import NODE
from isinglass.glass import layout
from programs import program

PAGE = Path(__file__).parents[2] / "docs" / "segment-format.md"


def test_the_reader_in_the_manual_page_reads_a_live_node(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 40
    reader = tmp_path / "reader.py"
    reader.write_text(code)
    with program(NODE) as node:
        command = [sys.executable, "-I", "-S", str(reader), layout.segment_path("alder")]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in output.splitlines()]
    assert ["process", "daemon", str(node.pid), "alive"] in rows
    assert ["thread", "MainThread", "/alder/queue.py", "10"] in rows
    assert ["field", "every", "offered", "3", "updates"] in rows
    assert ["field", "every", "length", "-4", "updates"] in rows
    assert ["field", "every", "load", "0.5", "share"] in rows


def test_the_figures_in_the_manual_page_are_those_of_the_layout() -> None:
    page = PAGE.read_text()
    for number in (
        layout.SEGMENT_BYTES,
        layout.SCHEMA_BYTES,
        layout.SHARED_OFFSET,
        layout.SLOTS_OFFSET,
        layout.REGIONS_OFFSET,
        layout.REGION_BYTES,
        layout.DIRECTORY_OFFSET,
        layout.FILES_OFFSET,
        layout.PANELS_OFFSET,
        layout.ERRORS_OFFSET,
        layout.EVENTS_OFFSET,
    ):
        assert f"{number:,}" in page
        assert f"{number:,}" in (layout.__doc__ or "") + page
