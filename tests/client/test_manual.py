"""The manual page of the client library runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from daemon_process import daemon

PAGE = Path(__file__).parents[2] / "docs" / "client-library.md"


def test_the_code_of_the_page_runs_from_top_to_bottom() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(blocks) >= 6
    names: dict[str, object] = {}
    with daemon("alder"):
        for number, block in enumerate(blocks):
            exec(compile(block, f"{PAGE.name}, block {number + 1}", "exec"), names)
