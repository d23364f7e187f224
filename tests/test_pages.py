"""The pages as a reader goes through them: links lead somewhere, pictures stand on a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from import_graph import ROOT

README, TOUR_OF_THE_CODE = ROOT / "README.md", ROOT / "ARCHITECTURE.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PICTURES = sorted(p for p in (ROOT / "screenshots").iterdir() if p.suffix in (".png", ".gif"))
FOLDERS = ("bench", "console", "daemon", "docs", "monitor", "screenshots", "tests")

# what the tour of the code names beside files of ours
NOT_OURS = {"applied_through", "logging", "memoryview", "mmap", "pread", "select"}


def links(page: Path) -> list[str]:
    """Return where the links and pictures of a page lead, without those to other sites."""
    found = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))
    return [link for link in found if "://" not in link]


def linked_files(page: Path) -> set[Path]:
    """Return the files that a page links to."""
    return {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}


def anchors(page: Path) -> set[str]:
    """Return the names that the headings of a page have in links."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.is_file(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_every_picture_is_on_a_page(picture: Path) -> None:
    assert any(picture in linked_files(page) for page in PAGES)


def test_every_document_is_reached_from_the_readme() -> None:
    reached, to_read = set[Path](), [README]
    while to_read:
        page = to_read.pop()
        new = linked_files(page) - reached
        reached |= new
        to_read += [file for file in new if file.suffix == ".md"]
    documents = {file for file in (ROOT / "docs").iterdir() if file.is_file()}
    assert not documents - reached


def test_the_tour_of_the_code_names_files_that_exist() -> None:
    text = re.sub(r"```.*?```", "", TOUR_OF_THE_CODE.read_text("utf-8"), flags=re.DOTALL)
    names = {name.rstrip("/*") for name in re.findall(r"`([a-z_]+(?:/[a-z_.*]+)*/?)`", text)}
    paths = [path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    known = {
        "/".join(parts[start:])
        for path in paths
        for parts in (path.parts, path.with_suffix("").parts)
        for start in range(len(parts))
    }
    assert not names - known - NOT_OURS - {*FOLDERS}
