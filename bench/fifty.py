"""What one console costs on fifty nodes at once, at 160 x 48 and one frame a second.

The nodes are processes with segments of their own (`remoting/nodes`), behind a real sshd on the
loopback interface: as fifty nodes of one host, which come through one relay, and as fifty hosts,
each with a connection and a relay. Beside them stand the same nodes read on this machine, and the
sources alone: all that reads and decodes, with nobody who looks at it. Measured is the own process
of the console, by the kernel's account; relays and sshd stand for other machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path

from consoled.terminal import steady_cost
from harness import Claim, Report, Table, finish, folders, options
from remoting.nodes import nodes

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from remote_hosts import RemoteHosts

ISINGLASS = str(Path(sys.executable).with_name("isinglass"))
SOURCES = "from remoting.feeding import feed; print(feed({nodes!r}, {settle:g}, {seconds:g}))"
MOST = 10.0
HERE, ONE_HOST, MANY_HOSTS = "on this machine", "of one host over SSH", "of fifty hosts over SSH"


def sources_alone(addresses: list[str], arguments: Namespace) -> float:
    """Return what reading nodes takes without a screen, % of a core, in a process of its own."""
    line = SOURCES.format(nodes=addresses, settle=arguments.settle, seconds=arguments.seconds)
    done = subprocess.run(
        [sys.executable, "-c", line], stdout=subprocess.PIPE, text=True, check=True,
        cwd=Path(__file__).parent,
    )  # fmt: skip
    return float(done.stdout)


def measure(cases: dict[str, list[str]], arguments: Namespace) -> Report:
    """Measure the console and the sources in each case."""
    report = Report("fifty.py", "one console on fifty nodes, 160 x 48, 1 Hz")
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "SHELL": "/bin/sh"}
    rows = []
    for name, addresses in cases.items():
        line = " ".join([ISINGLASS, "console", *addresses])
        cost = steady_cost(line, environment, arguments.settle, arguments.seconds)
        rows.append((name, cost.cpu, sources_alone(addresses, arguments), cost.memory, cost.sent))
        report.claims.append(
            Claim(f"console on {arguments.nodes} nodes {name}, % of a core", cost.cpu, MOST)
        )
    columns = ("nodes", "console, % of a core", "sources alone, %", "RSS MiB", "KiB/s to terminal")
    report.tables.append(Table(columns, rows))
    report.notes.append(f"Load average meanwhile: {os.getloadavg()[1]:.0f}.")
    return report


def cases_of(names: list[str], wanted: list[str]) -> dict[str, list[str]]:
    """Return what the console is called with in each case."""
    cases = {
        HERE: names,
        ONE_HOST: ["ssh://far/"],
        MANY_HOSTS: [f"ssh://far-{name}/{name}" for name in names],
    }
    return {name: cases[name] for name in wanted or cases}


def main() -> int:
    """Start the nodes and an sshd, measure, and report."""
    parser = options(__doc__.split("\n")[0])
    parser.add_argument("--nodes", type=int, default=50, help="how many nodes")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds a measurement")
    parser.add_argument("--settle", type=float, default=20.0, help="seconds before it")
    parser.add_argument(
        "--only", action="append", choices=(HERE, ONE_HOST, MANY_HOSTS), help="may be repeated"
    )
    arguments = parser.parse_args()
    names = [f"node{number:02}" for number in range(arguments.nodes)]
    with ExitStack() as stack:
        stack.enter_context(folders())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["HOME"] = str(folder / "home")
        os.environ["PYTHONPATH"] = str(Path(__file__).parent)
        os.environ.pop("SSH_AUTH_SOCK", None)
        hosts = RemoteHosts(folder, folder / "home")
        stack.callback(hosts.close)
        hosts.add("far")
        for name in names:
            hosts.alias("far", f"far-{name}")
        stack.enter_context(nodes(names))
        report = measure(cases_of(names, arguments.only or []), arguments)
    return finish(report, arguments)


if __name__ == "__main__":
    sys.exit(main())
