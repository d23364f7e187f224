"""One daemon a node: the lock, who holds it, and that nobody else is ever signalled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from isinglass.errors import ProcessAway, StoreLocked
from isinglass.node import ownership
from isinglass.node.ownership import NodeOwnership, Owner, grasp, owner_of

HOLD = """
import sys
from pathlib import Path
from isinglass.node.ownership import NodeOwnership
with NodeOwnership("oak", Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(runtime_dir: Path) -> subprocess.Popen[str]:
    """Another process that holds the node until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(runtime_dir / "oak")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_daemon_is_told_who_has_the_node(
    holder: subprocess.Popen[str], runtime_dir: Path
) -> None:
    with (
        pytest.raises(StoreLocked, match=rf"process {holder.pid}.*isinglass daemon stop oak"),
        NodeOwnership("oak", runtime_dir / "oak"),
    ):
        pass
    with NodeOwnership("elm", runtime_dir / "elm"):
        owner = owner_of(runtime_dir / "oak")
        assert owner and owner.pid == holder.pid
    holder.communicate()


def test_the_lock_ends_with_its_holder(holder: subprocess.Popen[str], runtime_dir: Path) -> None:
    holder.kill()
    holder.communicate()
    assert owner_of(runtime_dir / "oak") is None
    with NodeOwnership("oak", runtime_dir / "oak"):
        assert owner_of(runtime_dir / "oak") == Owner(os.getpid(), ownership.pid_namespace())
    assert owner_of(runtime_dir / "oak") is None


def test_a_node_that_never_ran_has_no_owner(runtime_dir: Path) -> None:
    assert owner_of(runtime_dir / "oak") is None


def test_the_holder_is_grasped_and_its_end_is_seen(
    holder: subprocess.Popen[str], runtime_dir: Path
) -> None:
    owner = owner_of(runtime_dir / "oak")
    assert owner
    process = grasp(runtime_dir / "oak", owner)
    signal.pidfd_send_signal(process, signal.SIGKILL)
    ended = os.waitid(os.P_PIDFD, process, os.WEXITED | os.WNOWAIT)
    assert ended and (ended.si_pid, ended.si_status) == (holder.pid, signal.SIGKILL)
    os.close(process)
    holder.communicate()


def test_a_process_that_only_has_the_pid_is_not_the_daemon(
    holder: subprocess.Popen[str], runtime_dir: Path
) -> None:
    namespace = ownership.pid_namespace()
    with pytest.raises(ProcessAway, match="cannot be seen to be the daemon"):
        grasp(runtime_dir / "oak", Owner(os.getpid(), namespace))
    with pytest.raises(ProcessAway, match="another pid namespace"):
        grasp(runtime_dir / "oak", Owner(holder.pid, namespace + 1))
    holder.communicate()
    with pytest.raises(ProcessAway, match="just ending"):
        grasp(runtime_dir / "oak", Owner(holder.pid, namespace))


def test_a_lock_file_that_is_a_link_is_not_followed(runtime_dir: Path) -> None:
    (runtime_dir / "oak").mkdir()
    (runtime_dir / "oak" / ownership.LOCK_NAME).symlink_to(runtime_dir / "elsewhere")
    with pytest.raises(OSError), NodeOwnership("oak", runtime_dir / "oak"):
        pass
    assert not (runtime_dir / "elsewhere").exists()


def test_the_files_are_not_for_strangers(runtime_dir: Path) -> None:
    with NodeOwnership("oak", runtime_dir / "oak"):
        mode = (runtime_dir / "oak" / ownership.LOCK_NAME).stat().st_mode
        assert mode & 0o777 & ~0o640 == 0
        assert (runtime_dir / "oak").stat().st_mode & 0o777 & ~0o750 == 0


STRANGER = """
import os, sys
from pathlib import Path
from isinglass.errors import ProcessAway
from isinglass.node.ownership import owner_of
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
try:
    print(owner_of(Path(sys.argv[1])))
except ProcessAway as error:
    print(error)
"""


@pytest.mark.root
def test_a_stranger_is_told_to_be_someone_else(runtime_dir: Path) -> None:
    runtime_dir.chmod(0o755)
    with NodeOwnership("oak", runtime_dir / "oak"):
        arguments = [sys.executable, "-c", STRANGER, str(runtime_dir / "oak")]
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert "may not be read by this user" in result.stdout
