"""Make the pictures of README and docs: the real demo, in a real terminal, drawn as SVG and PNG.

    python screenshots/make.py [NAME ...]

The demo and its console run in tmux; keys are typed into it as an operator would type them. Faults
are real, too: the demo's own keys stop and kill a node, a foreign program holds a store, a burst of
writes comes from `isinglass load`, a link is cut at its sshd. Meanwhile the run is recorded; the
last pictures are of that recording, and of a console that reaches two of the nodes over SSH.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cairosvg
from drawing import draw

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent / "tests"
sys.path.insert(0, str(TESTS))
from console.terminal import Terminal  # noqa: E402
from demo_stage import SMALL_BATCHES, Walk  # noqa: E402
from remote_hosts import RemoteHosts  # noqa: E402

BIN = Path(sys.executable).parent
SCALE = 1.5
WARM_UP_SECONDS = 70.0  # view 3 compares with the minute before
LEAVE_SECONDS = 20.0
LIMIT_SECONDS = 90.0
SIZE = (120, 36)


@dataclass(frozen=True)
class Shot:
    """One picture: the size of the terminal, the keys to type, what must be on the screen then (a
    pattern).

    `lasting`: how long what the keys do goes on before the picture is taken; `after`: keys that
    lead back to where the next one begins.
    """

    name: str  # "": no picture, only what leads to the next one
    keys: tuple[str, ...]
    shows: str
    lasting: float = 2.5
    after: tuple[str, ...] = ()
    size: tuple[int, int] = SIZE


WELL = (
    Shot("overview", ("1", "g"), "REPLICATION LAG"),
    Shot("overview-wide", ("1",), "REPLICATION LAG", size=(200, 60)),
    Shot("overview-small", ("1",), "MERGES", size=(80, 24)),
    Shot("columns", ("1", "|"), "flow backlog", after=("|",), size=(160, 40)),
    Shot("probes", ("2", "g", "j", "j"), "HOT LINES"),
    Shot("source", ("2", "g", "j", "j", "Enter"), "same hash", after=("q",)),
    Shot("", ("2", "g", "S", "y"), "STACKS"),  # Its first lines name folders of this machine.
    Shot("stacks", ("j", "j", "j"), "MainThread", after=("q",)),
    Shot("threads", ("2", "t", "u", "u", "u"), "all nodes", after=("t", "u")),
    Shot("queue", ("3",), "MERGE RULE"),
    Shot("flow", ("4",), "WRITERS"),
    Shot("lag", ("5",), "HEALING"),
    Shot("store", ("6",), r"LATENCY(?!.*/bin/)", 0.0),  # A reader may be known by its path alone.
    Shot("panels", ("9",), "WHAT IT MEANS"),
    Shot("log", ("7",), "the spool of monitor"),
    Shot("help", ("?",), "keys; Esc goes back", after=("q",)),
)
BURST = (Shot("merging", ("3",), "most write: load", 0.0),)
SLOW = (
    Shot(
        "limited", ("1", "g"), r"limited by   cedar.*applier .*[5-9]\d %.*held up      \w+ c", 0.0
    ),
    Shot("limiting", ("4", "g"), r"limited by cedar.*counter \d .*[1-9]\d %  ", 0.0),
    Shot("standing", ("j", "j", "Enter", "Enter"), r"store/writer_lock\.py", 3.0, after=("q",)),
    Shot("compare", ("Space", *"{" * 8, "=", "L", "0"), "WHAT CHANGED MOST", 1.0, after=("=", "1")),
)
FAULTS = (
    Shot("stopped", ("5", "g", "k", "k", "j", "Z", "y"), "from birch: stopped", 12.0),
    Shot("catching-up", ("+", "+", "Z"), "even in", 0.0, after=("-", "-")),
    Shot("killed", ("1", "K", "y"), "KILLED", 4.0),
    Shot("alarms", ("8",), "expected", 4.0),
    Shot("instant", ("Enter", "7"), "raised: node-silent", 1.0, after=("L", "1", "U")),
)
REPLAYED = (Shot("replay", ("Space", "5", "j", "L", "{", "{", "{"), "REPLAY PAUSED", 1.0),)
FAR = (Shot("ssh", ("1", "j"), "LINK DOWN", 3.0),)


def wait_for(terminal: Terminal, pattern: str) -> None:
    """Wait until the whole screen, its lines taken together, matches a pattern."""
    end, wanted = time.monotonic() + LIMIT_SECONDS, re.compile(pattern, re.DOTALL)
    while not wanted.search(screen := terminal.screen()):
        if time.monotonic() > end:
            raise TimeoutError(f"the screen never showed {pattern!r}:\n{screen}")
        time.sleep(0.1)


def take(shot: Shot, terminal: Terminal) -> None:
    """Drive the console to what the shot shows, and draw it."""
    terminal.resize(*shot.size)
    for key in shot.keys:
        terminal.press(key)
        time.sleep(0.4)
    wait_for(terminal, shot.shows)
    time.sleep(shot.lasting)
    if shot.name:
        svg, path = draw(terminal.screen(colours=True), shot.size[0]), str(HERE / shot.name)
        Path(f"{path}.svg").write_text(svg)
        cairosvg.svg2png(bytestring=svg.encode(), write_to=f"{path}.png", scale=SCALE)
        print(f"screenshots/{shot.name}.svg .png  {shot.size[0]} x {shot.size[1]}", flush=True)
    for key in shot.after:
        terminal.press(key)
        time.sleep(0.4)


# ---------------------------------------------------------------------- the stage
def environment(**more: str) -> dict[str, str]:
    """Return what a terminal of true colours has."""
    own = {"COLORTERM": "truecolor", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    return {**os.environ, **own, **more}


@contextmanager
def demo(folder: Path, warm_up_seconds: float = WARM_UP_SECONDS) -> Iterator[Walk]:
    """Run the demo, all clients at work for a while, until the block ends."""
    walk = Walk(Terminal(folder / "tmux", environment(**SMALL_BATCHES)), folder)
    try:
        walk.start(*SIZE)
        time.sleep(warm_up_seconds)
        yield walk
    finally:
        walk.press("q")
        time.sleep(LEAVE_SECONDS)
        walk.terminal.stop()


@contextmanager
def console(folder: Path, name: str, arguments: str, **more: str) -> Iterator[Terminal]:
    """Run a console in a terminal of its own until the block ends."""
    terminal = Terminal(folder / name, environment(**more))
    try:
        terminal.start(f"exec {BIN}/isinglass console {arguments}", *SIZE)
        yield terminal
    finally:
        terminal.stop()


@contextmanager
def recorded(walk: Walk, recording: Path) -> Iterator[None]:
    """Record all nodes of the demo until the block ends."""
    recorder = subprocess.Popen(
        [BIN / "isinglass", "record", *walk.nodes, "-o", recording],
        env=environment(ISINGLASS_RUNTIME_DIR=str(walk.runtime)),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        recorder.terminate()
        recorder.wait()


def of_demo(folder: Path, walk: Walk, wanted: Callable[[Sequence[Shot]], list[Shot]]) -> None:
    """Take the pictures of the demo, and record what happens to it meanwhile."""
    for shot in wanted(WELL):
        take(shot, walk.terminal)
    with recorded(walk, folder / "run.recording"):
        if wanted(SLOW):
            with walk.slow_store("cedar"):
                for shot in wanted(SLOW):
                    take(shot, walk.terminal)
        if wanted(BURST):
            loading = walk.load("alder", 200_000, folder)
            for shot in BURST:
                take(shot, walk.terminal)
            loading.terminate()
            loading.wait()
        if wanted(FAULTS) or wanted(REPLAYED):
            for shot in FAULTS:
                take(shot, walk.terminal)
    if wanted(REPLAYED):
        with console(folder, "replay", f"--replay {folder}/run.recording") as terminal:
            for shot in REPLAYED:
                take(shot, terminal)


def over_ssh(folder: Path, walk: Walk) -> None:
    """Take a picture of nodes behind two real sshds, of which one is cut off."""
    home = folder / "home"
    home.mkdir()
    os.environ["ISINGLASS_RUNTIME_DIR"] = str(walk.runtime)
    hosts = RemoteHosts(folder, home)
    try:
        hosts.add("gate")
        far = hosts.add("far", jump="gate")
        nodes = "alder ssh://gate/birch ssh://far/cedar"
        with console(folder, "ssh", nodes, HOME=str(home)) as terminal:
            terminal.wait_for("3 up", 60.0)
            time.sleep(8.0)
            sessions = far.sessions()
            far.close()
            for session in sessions:
                session.kill()
            terminal.press("l", "l")
            for shot in FAR:
                take(shot, terminal)
    finally:
        hosts.close()


def main() -> int:
    """Make the pictures that are named, or all."""
    names = set(sys.argv[1:])

    def wanted(shots: Sequence[Shot]) -> list[Shot]:
        pairs = zip(shots, [*shots[1:], shots[-1]], strict=True)
        return [
            shot for shot, following in pairs if not names or (shot.name or following.name) in names
        ]

    with tempfile.TemporaryDirectory(prefix="isg-", dir="/dev/shm") as name:
        folder = Path(name)
        with demo(folder) as walk:
            of_demo(folder, walk, wanted)
            if wanted(FAR):
                over_ssh(folder, walk)
    return 0


if __name__ == "__main__":
    sys.exit(main())
