"""Source lines are shown only when they are the lines that run."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from isinglass.cli.source_text import Sources
from isinglass.glass.schema import Site

TEXT = "one\n    two  \nthree\n"


def site(path: Path, line: int, digest: str) -> Site:
    return Site(str(path), digest, line, "f", "", False)


def test_the_line_of_the_file_that_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    digest = sha256(TEXT.encode()).hexdigest()
    for known in (digest, digest[:16], ""):
        assert Sources().line(site(path, 2, known)) == "two"


def test_a_file_that_was_edited_shows_no_line(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    digest = sha256(TEXT.encode()).hexdigest()
    path.write_text("zero\n" + TEXT)
    for line in (1, 2, 3):
        assert Sources().line(site(path, line, digest)) == "(source has changed)"


def test_a_file_that_is_not_here_and_a_line_beyond_its_end(tmp_path: Path) -> None:
    assert Sources().line(site(tmp_path / "none.py", 1, "")) == "(source not here)"
    path = tmp_path / "a.py"
    path.write_text(TEXT)
    assert Sources().line(site(path, 9, "")) == "(source has changed)"
    assert Sources().line(None) == ""
