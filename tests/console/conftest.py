"""What tests of screens get: a staged node, or the members of a cluster, and the app on a desk.

A module that shows something else has a `desk` of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from console.stage import Stage, filled_desk, stage
from console.staged_cluster import ALIVE_TICKS, ALL_TICKS, MANY, NAMES, Frames, cluster
from isinglass.glass.snapshot import Verdict
from isinglass_console.app import IsinglassApp
from isinglass_console.model.reading import Reading
from isinglass_console.screens.desk import Desk


@pytest.fixture
def alder(tmp_path: Path, home: Path) -> Iterator[Stage]:
    """A node with one life of twelve seconds."""
    with stage("alder", tmp_path) as node:
        yield node


@pytest.fixture
def desk(alder: Stage) -> Desk:
    """A desk with that life on it."""
    return filled_desk(alder)


@pytest.fixture
def app(desk: Desk, tmp_path: Path) -> IsinglassApp:
    """The console on the desk; it reads nothing."""
    return IsinglassApp(desk=desk, feeding=False, keymap_path=tmp_path / "none")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frames]:
    """Readings by `NODE`, and by `NODE stalled` or `NODE killed` from the thirteenth second on."""
    with _members(tmp_path_factory, NAMES) as nodes:
        yield {key: list(readings) for key, readings in _all(nodes)}


@pytest.fixture(scope="module")
def many_frames(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frames]:
    """Two readings of each of seven members."""
    with _members(tmp_path_factory, MANY) as nodes:
        yield {node.node: [node.reading(tick) for tick in (1, 2)] for node in nodes}


@contextmanager
def _members(factory: pytest.TempPathFactory, names: Sequence[str]) -> Iterator[list[Stage]]:
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    runtime = tempfile.mkdtemp(prefix="isg-", dir=shared)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ISINGLASS_RUNTIME_DIR", runtime)
        with cluster(factory.mktemp("sources"), names) as nodes:
            yield nodes
    shutil.rmtree(runtime)


def _all(nodes: list[Stage]) -> Iterator[tuple[str, list[Reading]]]:
    for node in nodes:
        early = [node.reading(tick) for tick in range(1, ALIVE_TICKS + 1)]
        late = range(ALIVE_TICKS + 1, ALL_TICKS + 1)
        for verdict in (Verdict.STALLED, Verdict.KILLED):
            old = [node.reading(tick, verdict, tick - ALIVE_TICKS + 0.2) for tick in late]
            yield f"{node.node} {verdict}", [*early, *old]
        yield node.node, [*early, *(node.reading(tick) for tick in late)]
