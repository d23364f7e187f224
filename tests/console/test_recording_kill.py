"""A recorder is killed at random moments: every frame that it said is recorded can be looked at."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from glass.node_program import NODE
from isinglass_console.recording.reading import Recording
from programs import program

PROGRAM = Path(__file__).with_name("recording_kill_program.py")


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_recorder_loses_no_frame(home: Path, tmp_path: Path, seed: int) -> None:
    chance, path, told = random.Random(seed), tmp_path / "killed", []
    with program(NODE):
        for _ in range(5):
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(path)], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            said = chance.randrange(1, 200)
            told += [int(process.stdout.readline()) for _ in range(said)]
            process.kill()
            # What it had printed before it died counts, too; a line that is cut does not.
            rest = process.stdout.read()
            told += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
            process.stdout.close()
            process.wait(20)
            recording = Recording(path)
            walls = [recording.wall_ns(n) for n in range(recording.oldest, recording.newest + 1)]
            assert set(told) <= set(walls)
            assert len(walls) <= len(told) + 5, "one frame a kill may be there untold"
            for number in (recording.newest, chance.randrange(len(walls)), 0):
                frame = recording.frame(number)
                assert frame is not None and frame.nodes[0].snapshot is not None
                assert frame.nodes[0].snapshot.taken_wall_ns == walls[number]
                assert frame.nodes[0].snapshot.panel("every") is not None
            recording.close()
    assert len(told) > 100
