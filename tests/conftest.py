"""What every test gets: directories of its own, the checks of `needs`, and a search for leaks.

Each test has its own runtime and data directory, so tests run side by side and never meet a daemon
of the machine. The runtime directory lies on a tmpfs where there is one, as in production, and its
path is short: a Unix socket's name ends at 107 bytes.

Every process that a test starts inherits ISINGLASS_TEST_RUN; at the end of the run any process
that still carries it is named, ended by its pid, and fails the run.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil
import pytest
from hypothesis import HealthCheck, settings

from isinglass.glass import region
from needs import NEEDS, missing, needs
from ssh_server import LoginRefused, SshServer

RUN_VARIABLE = "ISINGLASS_TEST_RUN"
LEAK_GRACE_SECONDS = 5.0
INHERITED_SETTINGS = ("ISINGLASS_RUNTIME_DIR", "ISINGLASS_DATA_DIR", "ISINGLASS_NODE")

Handler = Callable[[int, FrameType | None], object] | signal.Handlers

_leaked: list[str] = []

# Property tests try the same examples in each run, and none fails because the machine is busy.
# `pytest --hypothesis-profile=others` looks for examples that nobody has tried.
settings.register_profile("others", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("others"), derandomize=True)
settings.load_profile("same")


@pytest.fixture
def runtime_dir() -> Iterator[Path]:
    """A short, empty directory on a tmpfs; `home` makes it the product's."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    path = Path(tempfile.mkdtemp(prefix="isg-", dir=shared))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty directory for stores; `home` makes it the product's."""
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, runtime_dir: Path, data_dir: Path) -> Path:
    """Point this process and all it starts to this test's own directories."""
    monkeypatch.setenv("ISINGLASS_RUNTIME_DIR", str(runtime_dir))
    monkeypatch.setenv("ISINGLASS_DATA_DIR", str(data_dir))
    return runtime_dir


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A real sshd that lets in the user who runs the tests, and only with its own key."""
    needs("sshd")
    passed_on = {name: os.environ[name] for name in (RUN_VARIABLE, "PATH")}
    try:
        server = SshServer(tmp_path_factory.mktemp("sshd"), passed_on)
    except LoginRefused as error:
        missing(f"needs sshd: {error}; run the tests as a user who may")
    yield server
    server.close()


@pytest.fixture(autouse=True, scope="session")
def signals() -> Iterator[None]:
    """Ignore no signal: a run in the background, or under nohup, would hand that on to all."""
    ordinary: dict[signal.Signals, Handler] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGHUP: signal.SIG_DFL,
    }
    ignored = [one for one in ordinary if signal.getsignal(one) == signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, ordinary[one])
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


@pytest.fixture(autouse=True)
def panels() -> Iterator[None]:
    """Release the panels that a test makes: a worker runs many tests, and has one region."""
    before = set(map(id, region.OWN.used()))
    yield
    for allocation in region.OWN.used():
        if id(allocation) not in before:
            region.OWN.release(allocation)


def pytest_configure(config: pytest.Config) -> None:
    """Name this run before any worker starts, and forget settings of the caller's shell."""
    if not hasattr(config, "workerinput"):
        os.environ[RUN_VARIABLE] = f"run-{os.getpid()}"
    for name in INHERITED_SETTINGS:
        os.environ.pop(name, None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, a test whose marker names something this machine does not have."""
    for marker in item.iter_markers():
        if marker.name in NEEDS:
            needs(marker.name)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look for processes that tests left behind, once, after the workers have gone."""
    if hasattr(session.config, "workerinput"):
        return
    left = [process for process in psutil.process_iter() if _is_of_this_run(process)]
    _, left = psutil.wait_procs(left, timeout=LEAK_GRACE_SECONDS)
    for process in left:
        try:
            _leaked.append(f"{process.pid}: {' '.join(process.cmdline())}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    if _leaked:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the processes that were left behind."""
    if _leaked:
        terminalreporter.section("processes that tests left behind (ended now)", red=True)
        for line in _leaked:
            terminalreporter.line(line)


def _is_of_this_run(process: psutil.Process) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        return bool(process.environ().get(RUN_VARIABLE) == os.environ[RUN_VARIABLE])
    except (psutil.Error, OSError):
        return False
