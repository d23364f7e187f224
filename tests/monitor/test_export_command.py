"""`isinglass export`: what is in the segment, as the formats of Prometheus."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from at_work import working_node
from cli.commands import isinglass
from isinglass.glass import layout
from isinglass_monitor.figure_names import facts_told
from isinglass_monitor.openmetrics import family
from needs import needs


def test_every_field_of_the_dump_is_exported() -> None:
    with working_node("alder"):
        text = isinglass("export").stdout
        dump = json.loads(isinglass("dump", "--json", "--level", "debug").stdout)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    up = families["isinglass_node_up"].samples[0]
    assert (up.labels, up.value) == ({"node": "alder"}, 1.0)
    panels = dump["nodes"][0]["processes"][0]["panels"]
    for panel in panels:
        for field in panel["fields"]:
            kind, unit, name = field["kind"], field["unit"], field["field"]
            for told, facts in facts_told(kind, unit, field["help"], name).items():
                found = families[family(panel["panel"], told, facts).name]
                assert found.documentation.startswith(field["help"].rstrip("."))
                assert found.samples[0].labels["process"] == "daemon"
    assert panels


def test_a_dead_node_exports_that_it_is_dead_and_nothing_old(tmp_path: Path) -> None:
    with working_node("alder"):
        pass
    path = tmp_path / "isinglass.prom"
    isinglass("export", "--format", "prometheus", "-o", str(path), expect=1)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines == ['isinglass_node_up{node="alder"} 0.0']
    assert path.stat().st_mode & 0o777 == 0o644
    missing = tmp_path / "none" / "x"
    assert "cannot be written" in isinglass("export", "-o", str(missing), expect=2).stderr


def test_a_node_that_cannot_be_read_hides_no_other() -> None:
    with working_node("alder"):
        broken = Path(layout.segment_path("birch"))
        broken.parent.mkdir()
        broken.write_bytes(b"no segment" * 1000)
        done = isinglass("export", expect=1)
    assert 'isinglass_node_up{node="alder"} 1.0' in done.stdout
    assert "birch" in done.stderr


def test_promtool_takes_it() -> None:
    needs("promtool")
    with working_node("alder"):
        text = isinglass("export", "--format", "prometheus").stdout
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
