"""One declaration, everywhere: no field is missing from the segment, the page or the screens."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

from isinglass.glass.reader import SegmentReader
from isinglass.reference import page, panel_classes, rows
from programs import program

ALL_PANELS = """
import sys
from isinglass.glass import segment
from isinglass.reference import panel_classes
panels = [panel() for panel in panel_classes()]
joined = segment.create("alder")
joined.ready()
print("ready", flush=True)
sys.stdin.readline()
"""


def _names() -> set[str]:
    return {
        f"{panel.name}.{row[0]}"
        for panel in panel_classes()
        for field in panel.schema().fields
        for row in rows(field)
    }


def test_the_reference_page_is_the_catalogue() -> None:
    written = (Path(__file__).parents[1] / "docs" / "panels.md").read_text()
    assert written == page(), "run `make docs`"


def test_every_field_is_read_from_a_segment_and_dumped() -> None:
    program_path = str(Path(sys.executable).with_name("isinglass"))
    command = [program_path, "dump", "alder", "--level", "debug"]
    with program(ALL_PANELS):
        with SegmentReader("alder") as reader:
            owner = reader.snapshot().owner
            assert owner is not None
            read = {f"{p.name}.{f.name}": f for p in owner.panels for f in p.fields}
        raw = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
        text = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(read) == _names()
    assert all(field.unit and field.help for field in read.values())
    document = raw.stdout
    assert json.load(io.StringIO(document))
    for name, field in read.items():
        assert f'"{name.split(".", 1)[1]}"' in document and field.help in document, name
        assert name.split(".", 1)[1] in text.stdout, name
