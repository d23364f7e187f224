"""`isinglass debug` on the flags of a program that is not ours."""

from __future__ import annotations

import subprocess

from cli.commands import isinglass
from programs import hear, tell

Program = subprocess.Popen[str]


def test_a_flag_with_a_hyphen_is_switched_on_and_off(bakery: Program) -> None:
    tell(bakery, "import isinglass; isinglass.flag('rye-dough')")
    assert hear(bakery) == "done"
    assert isinglass("debug", "bakery", "+rye-dough", "--for", "1m").stdout.count(" on ") == 1
    assert isinglass("debug", "bakery", "-rye-dough").stdout.count(" on ") == 0
    assert "no option -rye-Dough" in isinglass("debug", "bakery", "-rye-Dough", expect=2).stderr
