"""A daemon that is told to end while one of its threads hangs: it leaves, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from held_thread import held, wait_until_held
from isinglass.glass.reader import SegmentReader
from isinglass.glass.snapshot import Verdict


@pytest.fixture
def oak() -> Iterator[DaemonProcess]:
    """A daemon that does not wait long for its threads."""
    with daemon("oak", stop_limit_seconds=0.5) as process:
        yield process


def number_of(oak: DaemonProcess, thread: str) -> int:
    owner = oak.snapshot().owner
    assert owner is not None
    return next(probed.tid for probed in owner.threads if probed.name == thread)


@pytest.mark.slow
def test_an_applier_that_hangs_in_a_commit_is_left_behind(
    oak: DaemonProcess, data_dir: Path
) -> None:
    with isinglass.connect("oak") as database:
        database.create_table("t")
        database.put("t", "before", {"n": 0}, durability="commit")
        with held(oak.pid, number_of(oak, "applier")) as applier:
            for number in range(100):
                database.put("t", f"key {number}", {"n": number})
            wait_until_held(applier)
            database.put("t", "last", {"n": 100})
            assert database.get("t", "last") == {"n": 100}
            oak.process.terminate()
            assert oak.process.stderr is not None
            said = oak.process.stderr.read()
            assert oak.gone() == 1
    assert said.startswith("isinglass: the thread applier of the daemon did not end within 5.5 s")
    assert "Traceback" not in said and len(said.splitlines()) == 1
    owner = oak.snapshot().owner
    assert owner is not None and owner.verdict == Verdict.KILLED
    assert any(error.kind == "ThreadStuck" for error in owner.errors)
    assert (data_dir / "oak" / "kept-aside").stat().st_size > 0
    oak.start()
    with isinglass.connect("oak") as database:
        stored = {key: value["n"] for key, value in database.scan("t")}
    expected = {f"key {number}": number for number in range(100)}
    assert stored == {"before": 0, "last": 100, **expected}


STARTING = """
import resource
import threading
from isinglass.errors import IsinglassError
from isinglass.settings import load
{imports}

STACK_BYTES = 256 << 20
PAGE_BYTES = 4096

class Poor(service.Service):
    def start(self):
        # Room for the stack of one thread, and not of a second one.
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * PAGE_BYTES
        threading.stack_size(STACK_BYTES)
        resource.setrlimit(resource.RLIMIT_AS, (used + STACK_BYTES * 3 // 2,) * 2)
        super().start()

service.Service = Poor
try:
    {run}
except IsinglassError as error:
    print(error)
"""


DAEMON = {
    "imports": "from isinglass.node import service",
    "run": """service.run(
        load({"node": "oak", "map_size_bytes": 1 << 20}), lambda: print("ready")
    )""",
}
MONITOR = {
    "imports": """
from pathlib import Path
from isinglass_monitor import service
from isinglass_monitor.watch import WatchSettings
key = Path("key").absolute()
key.write_text("ab" * 32)
key.chmod(0o600)
""",
    "run": """service.run(
        load({
            "node": "oak",
            "cluster": "shop",
            "cluster_key_file": str(key),
            "interface": "lo",
        }),
        service.Options(WatchSettings({}, {})),
        lambda: print("ready"),
    )""",
}


@pytest.mark.parametrize("kind", [DAEMON, MONITOR], ids=["daemon", "monitor"])
def test_a_service_that_gets_too_few_threads_says_so_and_ends(
    kind: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STARTING.format(**kind)],
        capture_output=True, text=True, timeout=60, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.startswith("not all threads could be started (can't start new thread): ")
    assert (done.returncode, done.stderr) == (0, "")
    with SegmentReader("oak") as reader:
        owner = reader.snapshot().owner
    assert owner is not None and owner.verdict == Verdict.CLEAN_EXIT
