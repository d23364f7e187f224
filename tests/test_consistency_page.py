"""The page of promises names what shows each of them; what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "consistency.md"
SHOWN_BY = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_each_promise_names_what_shows_it() -> None:
    text = PAGE.read_text()
    assert "shown by" in text
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if (
            line.startswith("|")
            and cells[-1] not in ("shown by", "---", "meaning")
            and ("shown by" in text[: text.index(line)].rpartition("## ")[2])
        ):
            assert SHOWN_BY.search(cells[-1]), f"nothing shows: {line}"


def test_what_the_page_names_is_there() -> None:
    for file, name in SHOWN_BY.findall(PAGE.read_text()):
        source = (TESTS / file).read_text()
        assert f"def {name}(" in source, f"{file} has no {name}"
