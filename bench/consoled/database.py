"""A MariaDB server of its own, for Dolphie to look at: another Textual console of a database."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replicated.servers import running, wait_until

PROGRAMS = ("dolphie", "mariadbd", "mariadb-install-db")
START_SECONDS = 30.0


def missing() -> list[str]:
    """Return which of the programs are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


@contextmanager
def mariadb(folder: Path) -> Iterator[Path]:
    """Run an empty server for a block, on a socket alone; gives the socket."""
    data, port = folder / "mariadb", folder / "mariadb.sock"
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--user=root"],
        check=True, capture_output=True,
    )  # fmt: skip
    command = [
        "mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={port}", "--user=root",
        "--skip-networking", "--skip-grant-tables", "--performance-schema",
    ]  # fmt: skip
    with running(command, folder / "mariadb.log"):
        wait_until(port.exists, "the server listens", START_SECONDS)
        yield port
