"""What the console looks at: a cluster of five daemons, a monitor, and clients with eight threads.

A daemon has seven or eight threads of its own, so each node shows about sixteen. The clients write
at a pace that leaves most of the machine to what is measured.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from replicated.servers import START_SECONDS, cluster, running, wait_until

import isinglass
from isinglass import clock

NODES, THREADS, PUTS_PER_SECOND = 5, 8, 5.0
TABLE = "words"
CLIENT = """
import random, sys, threading, time
import isinglass
from isinglass import mark

def work(client, number, node):
    chance = random.Random(number)
    while True:
        mark("counting words")
        words = [str(chance.randrange(1000)) for _ in range(300)]
        most = max(set(words), key=words.count)
        mark("writing the most frequent one")
        client.put("words", f"{node} {most}", {"count": words.count(most)})
        mark.waiting("for the next page")
        time.sleep(1 / PACE)
""".replace("PACE", str(PUTS_PER_SECOND))
RUN = """
import sys, threading, isinglass
isinglass.instrument("console_client")
import console_client
node, threads = sys.argv[1], int(sys.argv[2])
with isinglass.connect(node, timeout_seconds=60) as client:
    for number in range(threads - 1):
        arguments = (client, number, node)
        threading.Thread(target=console_client.work, args=arguments, daemon=True).start()
    console_client.work(client, threads, node)
"""


@contextmanager
def stage(folder: Path) -> Iterator[tuple[str, ...]]:
    """Run everything for a block; yield the names of the nodes."""
    (folder / "console_client.py").write_text(CLIENT)
    os.environ["PYTHONPATH"] = str(folder)
    place = os.getpid()
    group = {
        "cluster": f"bench-{place}",
        "multicast_group": f"239.255.{place % 250 + 1}.{place // 250 % 250 + 1}",
        "multicast_port": 20_000 + 2 * (place % 20_000),
    }
    watching = [sys.executable, "-m", "isinglass_console.cli", "monitor", "run", "--insecure"]
    watching += [f"--{name.replace('_', '-')}={value}" for name, value in group.items()]
    with ExitStack() as stack:
        made = stack.enter_context(cluster(folder, NODES, **group))
        stack.enter_context(running([*watching, "--interface", "lo"], folder / "monitor.log"))
        with isinglass.connect(made.names[0], timeout_seconds=START_SECONDS) as client:
            client.create_table(TABLE)
        for name in made.names:
            command = [sys.executable, "-c", RUN, name, str(THREADS)]
            stack.enter_context(running(command, folder / f"client-{name}.log"))

        def all_write() -> bool:
            return all(
                made.field(name, "queue", "applied_through") > THREADS * PUTS_PER_SECOND * NODES
                for name in made.names
            )

        wait_until(all_write, "every node applies what is written", START_SECONDS)
        clock.sleep(2.0)
        yield tuple(made.names)
