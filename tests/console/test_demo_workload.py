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


def test_the_adds_of_all_workers_sum_to_the_count() -> None:
    generator = random.Random(4)
    words = [generator.choice("abcdefg") for _ in range(2000)]
    stored: Counter[str] = Counter()
    for number in range(3):
        file = Path(f"lib/{generator.choice('xy')}/{number}.py")
        for key, more in workload.adds_of(words[number::3], file):
            stored[key] += more
    records = [(key, {workload.FIELD: count}) for key, count in stored.items()]
    assert workload.summed(records) == Counter(words)
    assert {key.rpartition("/")[2] for key in stored} <= {"x", "y"}


def test_a_key_is_never_too_long() -> None:
    longest = workload.place_of("n" * 300, Path("ä" * 120) / "file.py")
    assert len(longest.encode()) <= 400
    assert longest.startswith("n" * 300 + "/ä")
