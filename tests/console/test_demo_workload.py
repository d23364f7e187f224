"""The demo's counting, by itself: what an identifier is, who counts which file, what is stored."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from isinglass_console import demo_workload as workload


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a = b + a\n", ["a", "b", "a"]),
        ("def f(x):\n    return None if x else True\n", ["f", "x", "x"]),
        ("'a b c'  # d e\n", []),
        ("class Größe: pass\n", ["Größe"]),
        ("match = 1\n", ["match"]),
        ("x = (\n", []),
        ("\tif:\n  broken\n", []),
        ("", []),
        (f"{'n' * 301} = 1; {'m' * 300} = 2\n", ["m" * 300]),
    ],
)
def test_identifiers_are_names_that_are_no_keywords(
    tmp_path: Path, source: str, expected: list[str]
) -> None:
    path = tmp_path / "source.py"
    path.write_text(source, "utf-8")
    assert workload.identifiers(path) == expected


def test_a_file_that_is_no_text_has_none(tmp_path: Path) -> None:
    path = tmp_path / "source.py"
    path.write_bytes(b"\xff\xfe\x00x = 1\n")
    assert workload.identifiers(path) == []


def test_every_file_has_one_worker(tmp_path: Path) -> None:
    files = [Path(f"{number}.py") for number in range(17)]
    for workers in (1, 2, 5, 17, 20):
        shares = [workload.share_of(files, worker, workers) for worker in range(workers)]
        assert sorted(file for share in shares for file in share) == sorted(files)


def test_installed_packages_are_no_part_of_the_library(tmp_path: Path) -> None:
    for name in ("a.py", "site-packages/b.py", "sub/c.py", "sub/__pycache__/d.py", "e.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    found = workload.source_files(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.py", "sub/c.py"]


def test_the_newest_record_of_each_worker_sums_to_the_count() -> None:
    generator = random.Random(4)
    words = [generator.choice("abcdefg") for _ in range(2000)]
    store: dict[str, dict[str, object]] = {}
    for number in range(3):
        counts = workload.Counts(f"counter-{number}")
        mine = words[number::3]
        store.update(counts.met(mine, "file.py"))
        assert counts.occurrences == len(mine)
    assert workload.summed(store.items()) == Counter(words)
    assert set(store["a/counter-1"]) == {"identifier", "worker", "count", "file"}
