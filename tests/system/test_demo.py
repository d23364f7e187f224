"""The demo as a command: what it counts is right, and whatever ends it, nothing is left."""

from __future__ import annotations

import json
import keyword
import os
import re
import signal
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

import psutil
import pytest

from cli.commands import isinglass
from isinglass import clock
from isinglass.glass.reader import SegmentReader
from isinglass.store.reading import StoreReader
from isinglass_console import demo_child
from isinglass_console import demo_workload as workload
from isinglass_console.demo_nodes import NAMES
from panel_figures import whole
from waiting import wait_until

WAIT_SECONDS = 60.0
MARK = "ISINGLASS_TEST_DEMO"


def demo(*arguments: str, name: str) -> subprocess.Popen[str]:
    """Start the demo; all that it starts carries `name` in its environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "isinglass_console.cli", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: name, "TMPDIR": os.environ["ISINGLASS_DATA_DIR"]},
    )


def processes_of(name: str) -> list[psutil.Process]:
    """Return the processes of a demo that live."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == name and process.status() != "zombie":
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def process_of(name: Path, word: str) -> psutil.Process:
    """Return the demo's process that has a word at the end of one of its command line."""
    (found,) = [p for p in processes_of(str(name)) if any(w.endswith(word) for w in p.cmdline())]
    return found


def wait_until_nothing_is_left(name: str, data_dir: Path) -> None:
    """Wait until no process and no directory of the demo is there."""
    wait_until(
        lambda: not [*processes_of(name), *data_dir.glob("isinglass-demo-*")],
        "no process and no folder of the demo",
        WAIT_SECONDS,
    )
    folders = Path("/dev/shm").glob("isinglass-demo-*")
    ours = [folder for folder in folders if folder.owner() == owner()]
    assert not [folder for folder in ours if folder.name in _seen_folders]


_seen_folders: set[str] = set()


def owner() -> str:
    return Path("/proc/self").owner()


def runtime_of(name: str) -> Path:
    """Return the runtime directory of a demo that runs: its daemon's segment says where it is."""
    folder = wait_until(lambda: _ready_runtime(name), "the demo is ready", WAIT_SECONDS)
    assert folder is not None
    _seen_folders.add(folder.name)
    return folder


def _ready_runtime(name: str) -> Path | None:
    for process in processes_of(name):
        for file in _maps(process):
            if file.endswith("/alder/segment") and _is_ready(Path(file).parents[1]):
                return Path(file).parents[1]
    return None


def _maps(process: psutil.Process) -> list[str]:
    try:
        return [entry.path for entry in process.memory_maps()]
    except (psutil.Error, OSError):
        return []


def _is_ready(runtime: Path) -> bool:
    names: set[str] = set()
    for segment in runtime.glob("*/segment"):
        with SegmentReader(str(segment)) as reader:
            names.update(process.name for process in reader.snapshot().processes)
    return {"counter 1", "counter 2", "counter 3", "reader", "scanner"} <= names


def count_independently(root: Path) -> Counter[str]:
    """Count the identifiers under a directory in another way: bytes, one process, one pass."""
    counts: Counter[str] = Counter()
    for path in root.rglob("*.py"):
        with open(path, "rb") as file:
            counts.update(
                token.string
                for token in tokenize.tokenize(file.readline)
                if token.type == tokenize.NAME and not keyword.iskeyword(token.string)
            )
    return counts


def test_a_demo_that_is_refused_leaves_no_folders(tmp_path: Path, data_dir: Path) -> None:
    place = tmp_path / "taken"
    place.write_text("no folder")
    done = demo("--headless", "--data-dir", str(place), name=str(tmp_path))
    with done:
        assert done.wait(timeout=WAIT_SECONDS) == 2
        assert done.stderr is not None and "name another folder" in done.stderr.read()
    assert not list(data_dir.glob("isinglass-demo-*"))


@pytest.mark.slow
@pytest.mark.parametrize(("nodes", "workers"), [("1", "1"), ("1", "3"), ("3", "3")])
def test_once_stores_the_counts_that_an_independent_count_finds(
    tmp_path: Path, data_dir: Path, nodes: str, workers: str
) -> None:
    source = workload.standard_library() / "json"
    kept = tmp_path / "kept"
    process = demo(
        "--once", "--json", "--source", str(source), "--workers", workers, "--data-dir", str(kept),
        "--nodes", nodes, name=str(tmp_path),
    )  # fmt: skip
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, err
    result, expected = json.loads(out), count_independently(source)
    assert result["occurrences"] == result["occurrences_stored"] == expected.total()
    assert result["identifiers"] == len(expected)
    for node in NAMES[: int(nodes)]:
        with StoreReader.open(kept / node) as store:
            records = [(record.key, record.value) for record in store.scan(workload.TABLE)]
            by_count = [r.value["count"] for r in store.index_scan(workload.TABLE, "count")]
            assert store.verify().problems == []
        assert workload.summed(records) == expected, node
        folders = {key.rpartition("/")[2] for key, _ in records}
        assert folders == {"json"}, "all nodes' workers add to the same records"
        assert by_count == sorted(value["count"] for _, value in records)
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.slow
def test_a_demo_goes_on_with_the_stores_that_it_kept(tmp_path: Path, data_dir: Path) -> None:
    rows = []
    for _ in range(2):
        process = demo(
            "--headless", "--seconds", "1", "--json", "--data-dir", str(tmp_path / "kept"),
            name=str(tmp_path),
        )  # fmt: skip
        out, err = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 0, err
        told = json.loads(out)
        assert told["equal"]
        rows.append(min(node["tables"][workload.TABLE] for node in told["nodes"].values()))
    assert 0 < rows[0] <= rows[1]
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.slow
def test_headless_runs_for_the_seconds_given_and_tells_what_happened(
    tmp_path: Path, data_dir: Path
) -> None:
    process = demo("--headless", "--seconds", "2", "--json", name=str(tmp_path))
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, err
    told = json.loads(out)
    nodes = told["nodes"]
    assert list(nodes) == list(NAMES[:3])
    clients = {name: panel for node in nodes.values() for name, panel in node["clients"].items()}
    assert clients["reader"]["gets"] > 300
    assert clients["scanner"]["scans"] > 0
    for number, node in enumerate(nodes.values(), 1):
        assert node["queue"]["offered"] > 300
        assert 0 < node["queue"]["avoided"] < 1
        assert clients[f"counter {number}"]["adds"] > 100
        assert node["tables"][workload.TABLE] > 100
    assert told["equal"], told
    assert len({node["digest"] for node in nodes.values()}) == 1
    assert 0 < told["equal_after_seconds"] < 60
    assert told["monitor"]["received"] > 10
    assert told["monitor"]["lost"] == told["monitor"]["open"] == 0
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.slow
def test_without_a_terminal_it_prints_the_dump(tmp_path: Path, data_dir: Path) -> None:
    process = demo("--seconds", "1", name=str(tmp_path))
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 0, err
    assert re.search(r"Events at the monitor: [\d,]+ received, \d+ repaired, 0 lost", out)
    for word in ("queue", "applier", "superseded", "counter 1", "ALIVE"):
        assert word in out
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_nothing_is_left_however_the_demo_ends(
    tmp_path: Path, data_dir: Path, ending: signal.Signals
) -> None:
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    runtime = runtime_of(str(tmp_path))
    assert (
        len(processes_of(str(tmp_path))) == 11
    )  # demo, stage, monitor, 3 daemons, 3 counters, 2 readers
    process.send_signal(ending)
    process.communicate(timeout=WAIT_SECONDS)
    wait_until_nothing_is_left(str(tmp_path), data_dir)
    assert not runtime.exists()


@pytest.mark.slow
def test_nothing_goes_on_when_the_stage_itself_is_killed(tmp_path: Path, data_dir: Path) -> None:
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    runtime_of(str(tmp_path))
    process_of(tmp_path, "isinglass_console.demo_stage").kill()
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 1
    assert "stage" in err
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.slow
def test_a_stopped_daemon_ends_with_the_stage(tmp_path: Path, data_dir: Path) -> None:
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    runtime_of(str(tmp_path))
    birch = process_of(tmp_path, "birch.json")
    birch.send_signal(signal.SIGSTOP)
    # The kernel lets those go on that stand still when their group is left alone, not later.
    wait_until(lambda: birch.status() == psutil.STATUS_STOPPED, "birch stands still")
    process_of(tmp_path, "isinglass_console.demo_stage").kill()
    process.communicate(timeout=WAIT_SECONDS)
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.slow
def test_a_daemon_that_dies_ends_the_demo_with_a_sentence(tmp_path: Path, data_dir: Path) -> None:
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    runtime_of(str(tmp_path))
    process_of(tmp_path, "birch.json").kill()
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 1
    assert "birch ended with code -9" in err
    wait_until_nothing_is_left(str(tmp_path), data_dir)


def waits_for_writes(runtime: Path) -> bool:
    """Tell whether the counter at alder waits until its writes are taken again."""
    with SegmentReader(str(runtime / "alder" / "segment")) as reader:
        processes = reader.snapshot().processes
    threads = [t for each in processes if each.name.startswith("counter") for t in each.threads]
    return any(t.site and t.site.label == "for the node to take writes again" for t in threads)


@pytest.mark.slow
def test_the_clients_of_a_drained_node_wait_and_go_on(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    try:
        runtime = runtime_of(str(tmp_path))
        monkeypatch.setenv("ISINGLASS_RUNTIME_DIR", str(runtime))
        isinglass("daemon", "drain", "alder", "--for", "10m")
        wait_until(lambda: waits_for_writes(runtime), "a counter that waits")
        isinglass("daemon", "resume", "alder")
        wait_until(lambda: not waits_for_writes(runtime), "a counter that goes on")
        assert process.poll() is None
    finally:
        process.terminate()
        print(process.communicate(timeout=WAIT_SECONDS))
    wait_until_nothing_is_left(str(tmp_path), data_dir)


def requests_answered(runtime: Path) -> int:
    """Return how many requests the daemon of alder has answered."""
    with SegmentReader(str(runtime / "alder" / "segment")) as reader:
        panel = reader.snapshot().panel("port")
    return whole(panel, "requests") if panel else 0


@pytest.mark.slow
def test_the_clients_of_a_stopped_node_go_on_however_long_it_stood(
    tmp_path: Path, data_dir: Path
) -> None:
    process = demo("--headless", "--seconds", "600", name=str(tmp_path))
    try:
        runtime = runtime_of(str(tmp_path))
        wait_until(lambda: requests_answered(runtime) > 100, "clients at work")
        alder = process_of(tmp_path, "alder.json")
        alder.send_signal(signal.SIGSTOP)
        clock.sleep(demo_child.LIMIT_SECONDS + 2)  # longer than they wait for an answer
        answered = requests_answered(runtime)
        alder.send_signal(signal.SIGCONT)
        wait_until(lambda: requests_answered(runtime) > answered + 100, "clients at work again")
        assert process.poll() is None
    finally:
        process.terminate()
        print(process.communicate(timeout=WAIT_SECONDS))
    wait_until_nothing_is_left(str(tmp_path), data_dir)


@pytest.mark.parametrize(
    "arguments", [["--source", "/nowhere"], ["--workers", "0"], ["--nodes", "8"], ["--nothing"]]
)
def test_a_wrong_command_line_is_one_sentence(arguments: list[str], tmp_path: Path) -> None:
    process = demo(*arguments, name=str(tmp_path))
    _, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert err.startswith("isinglass: ")
    assert len(err.splitlines()) == 1
