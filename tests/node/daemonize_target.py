"""A program that becomes a daemon, for the tests that hang up on it.

    python daemonize_target.py HOW REPORT [PAUSE]

HOW is `ours`, or `classic` (fork, setsid, fork, with SIGHUP as it was): the control that shows that
the tests really hang up in the gap. With PAUSE, a fifo, the child stands still in the gap between
its fork and setsid: it says so into the fifo and goes on when its terminal has hung up. The daemon
writes its pid to REPORT and then waits for TERM.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from pathlib import Path

LIFETIME_SECONDS = 300


def pause_before_setsid(fifo: str) -> None:
    """Make the gap as long as it takes for the terminal to hang up."""
    setsid = os.setsid

    def later() -> None:
        Path(fifo).write_text("in the gap\n")
        hung_up = select.poll()
        hung_up.register(sys.stdin, select.POLLHUP)
        hung_up.poll(LIFETIME_SECONDS * 1000)
        setsid()

    os.setsid = later


def classic() -> None:
    """Become a daemon in the order of the old books, whose parent ends at once."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)


def serve(report: str) -> None:
    """Say that the daemon lives, and wait for TERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGALRM})
    signal.alarm(LIFETIME_SECONDS)
    new = Path(f"{report}.new")
    new.write_text(str(os.getpid()))
    new.rename(report)


def main(how: str, report: str, pause: str = "") -> int:
    """Become a daemon; return the exit code of the command that was typed."""
    if pause:
        pause_before_setsid(pause)
    if how == "classic":
        classic()
        serve(report)
    else:
        from isinglass.node.daemonize import Outcome, daemonize

        result = daemonize()
        if isinstance(result, Outcome):
            return result.exit_code
        serve(report)
        result.ready()
    signal.sigwait({signal.SIGTERM, signal.SIGALRM})
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
