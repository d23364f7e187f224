"""What a test may need: continuous integration installs all of it, so nothing is skipped there."""

from __future__ import annotations

import re

from import_graph import ROOT

SKIPPING = {"needs.py"}  # says what is missing, and fails where nothing may be


def texts() -> dict[str, str]:
    """Return the text of every file of the tests by its name."""
    return {path.name: path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py")}


def test_continuous_integration_installs_every_program_that_a_test_needs() -> None:
    installs = (ROOT / ".ci" / "run").read_text("utf-8")
    named = {name for text in texts().values() for name in re.findall(r'needs\("(\w+)"\)', text)}
    part_of_every_system = {"setpriv", "unshare"}  # of util-linux
    assert {"tmux", "chromium", "promtool"} <= named
    assert not [name for name in named - part_of_every_system if name not in installs]


def test_nothing_is_skipped_without_saying_what_is_missing() -> None:
    skipping = re.compile(r"pytest\.skip\((?!\"sys\.monitoring came with)")
    skips = {name for name, text in texts().items() if skipping.search(text)}
    assert skips <= SKIPPING
