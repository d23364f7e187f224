"""The benchmarks' harness: paired ratios, turns in rotation, and one section a script."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from import_graph import ROOT

# an interpreter that notes what it should run, and whose runs miss their goals
INTERPRETER = """\
#!/bin/sh
echo "$@" >> "$RAN"
exit 1
"""


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    path = ROOT / "bench" / "harness.py"
    spec = importlib.util.spec_from_file_location("bench_harness", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bench_harness", module)
        spec.loader.exec_module(module)
    return module


def test_cases_take_turns_and_the_first_round_is_thrown_away(harness: ModuleType) -> None:
    order: list[str] = []

    def measure(name: str) -> float:
        order.append(name)
        return float(len(order))

    cases = {name: partial(measure, name) for name in "abc"}
    figures = harness.interleave(cases, 2)
    assert "".join(order) == "abcbcacab"
    assert figures == {"a": [6.0, 8.0], "b": [4.0, 9.0], "c": [5.0, 7.0]}


def test_a_ratio_is_the_median_of_the_rounds_ratios(harness: ModuleType) -> None:
    assert harness.ratio({"over": [1, 20, 9], "under": [1, 2, 3]}, "over", "under") == 3


@pytest.mark.parametrize(
    ("figure", "at_most", "holds"), [(1.0, True, True), (1.2, True, False), (1.2, False, True)]
)
def test_a_claim_holds_or_not(
    harness: ModuleType, figure: float, at_most: bool, holds: bool
) -> None:
    claim = harness.Claim("a / b", figure, 1.1, at_most)
    assert claim.holds is holds
    assert ("DOES NOT HOLD" not in str(claim)) is holds


def test_a_script_replaces_its_own_section_only(harness: ModuleType) -> None:
    document = ""
    for script, text in (("b.py", "old"), ("a.py", "kept"), ("b.py", "new")):
        section = f"## `bench/{script}`: figures\n\n{text}\n"
        document = harness.replace_section(document, script, section)
    assert document.startswith(harness.RESULTS_HEAD)
    assert document.index("kept") < document.index("new")
    assert "old" not in document and document.count("## ") == 2


def test_the_command_of_a_run_can_be_typed_again(
    harness: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench/a.py", "--write", "--note", "others ran, too"])
    assert harness.command_line("a.py") == "python bench/a.py --note 'others ran, too'"


def test_make_bench_runs_and_writes_all_of_them_also_when_one_misses_its_goal(
    tmp_path: Path,
) -> None:
    (tmp_path / "bin").mkdir()
    interpreter = tmp_path / "bin" / "python"
    interpreter.write_text(INTERPRETER)
    interpreter.chmod(0o755)
    for stamp in (".installed", ".installed-bench"):
        (tmp_path / stamp).touch()
    done = subprocess.run(
        ["make", "bench", f"VENV={tmp_path}"],
        cwd=ROOT,
        env={**os.environ, "RAN": str(tmp_path / "ran")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    others = {"harness.py", "busy.py"}
    scripts = {path.name for path in (ROOT / "bench").glob("*.py")} - others
    assert (tmp_path / "ran").read_text().split("\n")[:-1] == [
        f"bench/{script} --write" for script in sorted(scripts)
    ]
    assert done.returncode != 0 and "a goal is not met" in done.stdout
