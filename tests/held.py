"""Changes of the machine that a test needs for a while, and that must never stay: mounts and such.

What is done is undone by a process of its own, which waits for the end of a pipe that only this
process holds open. So it is undone when the block ends, and also when the test is interrupted,
times out or is killed in the middle of it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WAIT_SECONDS = 30.0
_LINES = "set -e; {do}; trap '{undo}' EXIT; echo done; cat > /dev/null"


@contextmanager
def held(do: str, undo: str, *arguments: object) -> Iterator[int]:
    """Do something for a block.

    Args:
        do, undo: shell lines, without single quotes; `arguments` are "$1", "$2" and so on in both.

    Yields:
        The number of the process that holds it.
    """
    process = subprocess.Popen(
        ["sh", "-c", _LINES.format(do=do, undo=undo), "sh", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the terminal's interrupt is for the test alone
    )
    assert process.stdin and process.stdout and process.stderr
    try:
        if process.stdout.readline() != "done\n":
            raise AssertionError(f"{do!r} failed: {process.stderr.read()}")
        yield process.pid
    finally:
        process.stdin.close()
        process.wait(WAIT_SECONDS)
        process.stdout.close()
        process.stderr.close()


@contextmanager
def namespace() -> Iterator[int]:
    """Hold a network namespace; yields the number of a process in it, for nsenter and ip."""
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo done; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin and process.stdout
    try:
        assert process.stdout.readline() == b"done\n", "there is no namespace to be had"
        yield process.pid
    finally:
        process.stdin.close()
        process.wait(WAIT_SECONDS)
        process.stdout.close()


@contextmanager
def small_disk(folder: Path, size: str = "16m") -> Iterator[Path]:
    """Mount a disk that is soon full over a folder: a tmpfs."""
    folder.mkdir(parents=True, exist_ok=True)
    do = 'mount -t tmpfs -o "size=$2" tmpfs "$1"'
    with held(do, 'umount --lazy "$1"', folder, size):
        yield folder


def enlarge(folder: Path, size: str) -> None:
    """Let a `small_disk` be larger."""
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


@contextmanager
def filled(folder: Path, room_bytes: int = 0) -> Iterator[None]:
    """Leave so much room on the disk of a folder, and no more, for a block."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(filler, filler.stat().st_size - room_bytes)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def loop_disk(folder: Path, size_bytes: int = 128 << 20) -> Iterator[Path]:
    """Mount a disk that can be frozen over a folder: an ext4 in a file."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder.with_name(f"{folder.name}.image")
    with image.open("wb") as file:
        os.truncate(file.fileno(), size_bytes)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    with held('mount -o loop "$1" "$2"', 'umount --lazy "$2"', image, folder):
        yield folder
    image.unlink()


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    """Freeze the disk at a folder for a block: whoever writes to it waits in the kernel."""
    with held('fsfreeze --freeze "$1"', 'fsfreeze --unfreeze "$1"', folder):
        yield
