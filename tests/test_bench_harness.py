"""The benchmarks' harness: paired ratios, turns in rotation, and one section a script."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    path = Path(__file__).parents[1] / "bench" / "harness.py"
    spec = importlib.util.spec_from_file_location("bench_harness", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "bench_harness", module)
        spec.loader.exec_module(module)
    return module


def test_cases_take_turns_and_the_first_round_is_thrown_away(harness: ModuleType) -> None:
    order: list[str] = []
    cases = {name: lambda name=name: float(order.append(name) or len(order)) for name in "abc"}
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
