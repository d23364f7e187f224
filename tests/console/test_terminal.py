"""The console in a real terminal (tmux), on a real daemon: keys, mouse, stop, death, hang-up."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from console.terminal import Terminal, environment
from waiting import wait_until

pytestmark = [pytest.mark.terminal, pytest.mark.slow]
BIN = Path(sys.executable).parent
CONSOLE = f"exec {BIN}/isinglass console --interval 0.5"
ENDS_WITHIN_SECONDS = 30
DEMO_STARTS_WITHIN_SECONDS = 90


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    window = Terminal(home / "tmux", environment())
    yield window
    window.stop()


@contextmanager
def daemon(node: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the real daemon in the foreground until the block ends."""
    process = subprocess.Popen(
        [BIN / "isinglass", "daemon", "run", node],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait(30)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 60)])
def test_keys_and_mouse_at_both_ends_of_sizes(terminal: Terminal, columns: int, rows: int) -> None:
    with daemon("alder"):
        terminal.start(CONSOLE, columns, rows)
        terminal.wait_for("serving")
        wait_until(lambda: last_row(terminal, rows).startswith(" 1 overview"), "the last row")
        terminal.press("2")
        terminal.wait_for("NOW AT")
        terminal.press("j", "Enter")
        terminal.wait_for("same hash")
        terminal.press("Escape")
        terminal.wait_for("NOW AT")
        terminal.mouse(0, last_row(terminal, rows).index("panels"), rows - 1)
        terminal.wait_for("VALUE")
        terminal.mouse(0, 5, 6)
        wait_until(lambda: terminal.screen().split("\n")[6].startswith("▸"), "its row is chosen")
        chosen = row_with(terminal, "▸")
        terminal.mouse(65, 5, 6)
        wait_until(lambda: row_with(terminal, "▸") != chosen, "another row is chosen")
        terminal.press("/", *"offered", "Enter")
        wait_until(lambda: "superseded" not in terminal.screen(), "the view is left")
        terminal.wait_for("offered_bytes")
        terminal.press("Escape", "Space")
        terminal.wait_for("PAUSED")
        terminal.press("q")
        wait_until(lambda: not terminal_lives(terminal), "the terminal's end")


def test_a_second_enter_leaves_the_views_alone(terminal: Terminal) -> None:
    with daemon("alder"):
        terminal.start(CONSOLE)
        terminal.wait_for("serving")
        for _ in range(3):
            terminal.press("/", *"alder", "Enter", "Enter")
            terminal.wait_for("/alder  Esc clears")
            terminal.press("Escape")
            terminal.wait_for("/ filter")


def last_row(terminal: Terminal, rows: int) -> str:
    return [*terminal.screen().split("\n"), *[""] * rows][rows - 1]


def row_with(terminal: Terminal, text: str) -> str:
    return next(line for line in terminal.screen().split("\n") if text in line)


def terminal_lives(terminal: Terminal) -> bool:
    try:
        terminal.screen()
    except subprocess.CalledProcessError:
        return False
    return True


def test_stop_death_and_restart_of_a_real_daemon(terminal: Terminal) -> None:
    with daemon("alder") as process:
        terminal.start(CONSOLE)
        terminal.wait_for("serving")
        process.send_signal(signal.SIGSTOP)
        terminal.wait_for("STOPPED: has not moved for")
        assert "~ stopped" in terminal.screen()
        process.send_signal(signal.SIGCONT)
        terminal.wait_for("serving")
        process.kill()
        screen = terminal.wait_for("KILLED")
        assert re.search(r"✖ KILLED \d\d:\d\d:\d\d, last seen [\d.]+ m?s before", screen)
        terminal.press("2")
        terminal.wait_for("NOW AT")
        screen = terminal.screen()
        assert re.search(r"✖ killed +applier +○ node/applier\.py:\d+", screen)
    with daemon("alder"):
        terminal.wait_for("RESTARTED")
        terminal.press("1")
        terminal.wait_for("the node restarted")
    terminal.wait_for("LEFT")


def test_a_node_of_the_demo_falls_behind_and_heals(terminal: Terminal) -> None:
    terminal.start(f"exec {BIN}/isinglass demo")
    terminal.wait_for("PACE/s", DEMO_STARTS_WITHIN_SECONDS)
    terminal.press("4")
    terminal.wait_for("limited by")
    terminal.wait_for("counter 3")
    terminal.press("5", "j")
    terminal.wait_for("PEERS  of birch")
    terminal.press("Z", "y")
    terminal.wait_for("from birch: stopped")
    wait_until(lambda: "▲" in row_with(terminal, "~ birch"), "birch is in trouble")
    terminal.press("Z")
    terminal.wait_for("gets what it missed")
    wait_until(lambda: "▸· birch" in terminal.screen(), "birch is well again")
    terminal.press("K", "y")
    terminal.wait_for("KILLED")
    terminal.press("8")
    wait_until(
        lambda: re.search("✖ expected .*node-silent +birch", terminal.screen()), "an expected alarm"
    )
    terminal.press("7", "/", *"raised", "Enter")
    terminal.wait_for("the spool of monitor")
    terminal.wait_for("raised: node-silent birch")
    terminal.press("Escape")
    wait_until(lambda: "/raised" not in terminal.screen(), "the filter is gone")
    terminal.press("5", "U")
    terminal.wait_for("RESTARTED")
    wait_until(lambda: "▸· birch" in terminal.screen(), "birch is well again")
    demo = psutil.Process(terminal.pid())
    everyone = [demo, *demo.children(recursive=True)]
    terminal.press("q")
    _, left = psutil.wait_procs(everyone, ENDS_WITHIN_SECONDS)
    assert not left


def test_where_the_locale_is_not_utf_8_all_is_ascii(home: Path) -> None:
    window = Terminal(home / "tmux", environment(LC_ALL="C"))
    try:
        with daemon("alder"):
            window.start(CONSOLE)
            screen = window.wait_for("serving")
            assert screen.isascii()
            assert ">alder" in screen
    finally:
        window.stop()


def test_no_color_and_sixteen_colours(home: Path) -> None:
    cases = [
        ("NO_COLOR=1", r"\x1b\[[\d;]*(3[0-7]|4[0-7]|[34]8;)"),
        ("COLORTERM= TERM=linux", r"[34]8;"),
        ("COLORTERM= TERM=xterm", r"[34]8;"),
    ]
    for number, (settings, pattern) in enumerate(cases):
        window = Terminal(home / f"tmux{number}", environment())
        try:
            with daemon(f"node{number}"):
                window.start(f"export {settings}; {CONSOLE}")
                window.wait_for("serving")
                found = re.search(pattern, window.screen(colours=True))
                assert found is None, (settings, found)
        finally:
            window.stop()


@pytest.mark.parametrize("ignored", [False, True])
def test_a_lost_terminal_ends_the_console(terminal: Terminal, ignored: bool) -> None:
    """Also when SIGHUP is ignored, as under nohup: left alone it would burn a core for ever."""
    with daemon("alder"):
        terminal.start(f"trap '' HUP; {CONSOLE}" if ignored else CONSOLE)
        terminal.wait_for("serving")
        console = psutil.Process(terminal.pid())
        terminal.stop()
        console.wait(ENDS_WITHIN_SECONDS)


def test_without_a_terminal_it_says_what_does_without(home: Path) -> None:
    done = subprocess.run(
        [BIN / "isinglass", "console"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "isinglass dump" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_file_of_settings_and_the_keys_of_the_desk(terminal: Terminal, home: Path) -> None:
    (home / "night.toml").write_text("view = 'store'\ntheme = 'isinglass-light'\n")
    with daemon("alder") as process:
        terminal.start(f"{CONSOLE} --config {home}/night.toml --filter timer")
        terminal.wait_for("LATENCY")
        assert "/timer" in terminal.screen()
        terminal.press("|")
        terminal.wait_for("▸alder")
        terminal.press("2", "t")
        terminal.wait_for("NODE")
        terminal.press("S")
        terminal.wait_for(f"Stacks of daemon {process.pid} of alder?")
        terminal.press("y")
        terminal.wait_for(f"STACKS  alder  daemon {process.pid}")
        terminal.wait_for('"MainThread"')
        terminal.press("q")
        terminal.wait_for("NOW AT")
        terminal.resize(60, 20)
        terminal.press("S")
        screen = terminal.wait_for("any other key: leave it")
        assert len(screen.split("\n")) <= 20, "a long question takes more rows"
