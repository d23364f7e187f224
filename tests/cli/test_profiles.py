"""The files for other tools: speedscope's JSON by its schema, folded stacks by their grammar."""

from __future__ import annotations

import json
import re
from typing import Any

from isinglass.cli.profiles import SCHEMA_URL, Frame, Track, folded, speedscope

PUT = Frame("/src/engine.py", 209, "apply", "put", False)
FSYNC = Frame("/src/engine.py", 211, "apply", "fsync", True)
NOWHERE = Frame("", 0, "", "", False)
TRACKS = [
    Track("daemon", 7, "applier", [(PUT, 3), (FSYNC, 1), (PUT, 2)]),
    Track("client", 8, "main", [(NOWHERE, 4)]),
]


def check_schema(document: dict[str, Any]) -> None:
    """Check a document against speedscope's file format schema, its required parts and types."""
    assert document["$schema"] == SCHEMA_URL
    frames = document["shared"]["frames"]
    for frame in frames:
        assert isinstance(frame["name"], str) and frame["name"]
        assert set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame.get("file", ""), str) and isinstance(frame.get("line", 1), int)
    assert isinstance(document["exporter"], str) and isinstance(document["name"], str)
    for profile in document["profiles"]:
        assert profile["type"] == "sampled" and isinstance(profile["name"], str)
        assert profile["unit"] in {"none", "nanoseconds", "microseconds", "milliseconds", "seconds"}
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] >= profile["startValue"] == 0
        assert abs(sum(profile["weights"]) - profile["endValue"]) < 1e-6
        for stack in profile["samples"]:
            assert stack and all(0 <= place < len(frames) for place in stack)
    assert 0 <= document["activeProfileIndex"] < len(document["profiles"])


def test_speedscope() -> None:
    document = json.loads(json.dumps(speedscope(TRACKS, 0.001, "alder", "isinglass 1")))
    check_schema(document)
    first, second = document["profiles"]
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert [[names[place] for place in stack] for stack in first["samples"]] == [
        ["apply", "engine.py:209 put"],
        ["apply", "engine.py:211 waiting fsync"],
        ["apply", "engine.py:209 put"],
    ]
    assert first["weights"] == [0.003, 0.001, 0.002] and first["name"] == "daemon 7 applier"
    assert [names[place] for place in second["samples"][0]] == ["(no mark reached yet)"]
    files = {(f.get("file"), f.get("line")) for f in document["shared"]["frames"]}
    assert ("/src/engine.py", 211) in files
    assert len(names) == len({json.dumps(f) for f in document["shared"]["frames"]})


def test_speedscope_without_a_thread_is_still_a_document() -> None:
    document = speedscope([], 0.001, "alder", "isinglass 1")
    assert document["profiles"] == [] and document["activeProfileIndex"] is None


def test_folded() -> None:
    semicolon = Frame("/src/a.py", 1, "f", "a; b", False)
    text = folded(
        {
            ("daemon", 7, "applier 70", PUT): 5,
            ("daemon", 7, "applier 70", FSYNC): 2,
            ("client", 8, "main 8", NOWHERE): 4,
            ("client", 8, "main 8", semicolon): 1,
        }
    )
    assert text.splitlines() == [
        "client 8;main 8;(no mark reached yet) 4",
        "client 8;main 8;f;a.py:1 a, b 1",
        "daemon 7;applier 70;apply;engine.py:209 put 5",
        "daemon 7;applier 70;apply;engine.py:211 waiting fsync 2",
    ]
    assert all(re.fullmatch(r"[^;]+(;[^;]+)* \d+", line) for line in text.splitlines())
