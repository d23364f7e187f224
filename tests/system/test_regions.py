"""As many client processes as a segment has regions, and one more; regions come back."""

from __future__ import annotations

import pytest

import isinglass
from daemon_process import DaemonProcess, daemon
from isinglass import errors
from isinglass.glass import layout
from isinglass.glass.snapshot import Verdict
from programs import hear, program, tell

CLIENTS = layout.REGION_COUNT - 1  # the daemon has one, too
FIRST = 200

# Starts clients as it is told ("start 1 200"), each a process, and ends them ("exit 7", "kill 8").
CLIENT_PROGRAM = """
    import ctypes, os, signal, sys
    import isinglass, isinglass.client

    PR_SET_PDEATHSIG = 1

    def client(number, said, order):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        with isinglass.connect("oak", process=f"client {number}", timeout_seconds=60) as database:
            database.put("t", f"{number}", {"pid": os.getpid()})
            os.write(said, b"x")
            os.read(order, 1)

    children = {}
    print("ready", flush=True)
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "start":
            hear, said = os.pipe()
            for number in range(int(numbers[0]), int(numbers[1]) + 1):
                order, give = os.pipe()
                pid = os.fork()
                if not pid:
                    code = 1
                    try:
                        client(number, said, order)
                        code = 0
                    finally:
                        os._exit(code)
                os.close(order)
                children[number] = pid, give
                assert os.read(hear, 1) == b"x"
        else:
            for number in map(int, numbers):
                pid, give = children.pop(number)
                if word == "kill":
                    os.kill(pid, signal.SIGKILL)
                else:
                    os.write(give, b"x")
                os.waitpid(pid, 0)
                os.close(give)
        print("done", flush=True)
"""


def alive(oak: DaemonProcess) -> list[str]:
    """Return the names of the clients that live."""
    shown = oak.snapshot().processes
    return [p.name for p in shown if p.verdict == Verdict.ALIVE and p.name.startswith("client")]


@pytest.mark.slow
def test_every_client_gets_a_region_until_there_are_none_and_they_come_back() -> None:
    with daemon("oak") as oak, program(CLIENT_PROGRAM) as clients:
        with isinglass.connect("oak") as database:
            database.create_table("t")

        def order(line: str) -> None:
            tell(clients, line)
            assert hear(clients) == "done"

        order(f"start 1 {FIRST}")
        names = alive(oak)
        assert sorted(names) == sorted(f"client {number}" for number in range(1, FIRST + 1))
        slots = [process.slot for process in oak.snapshot().processes]
        assert len(set(slots)) == len(slots)
        order(f"start {FIRST + 1} {CLIENTS}")
        assert len(alive(oak)) == CLIENTS

        with pytest.raises(errors.RegionsTaken, match="end some clients"):
            isinglass.connect("oak")
        order("exit 7")
        with isinglass.connect("oak") as database:
            assert len(list(database.scan("t"))) == CLIENTS
        order("kill 8")
        with isinglass.connect("oak"):
            pass
        assert len(alive(oak)) == CLIENTS - 2
        assert oak.panel("port")["refused"] == 0
