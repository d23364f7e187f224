"""`isinglass mirror`: the last hour of nodes on other hosts, kept here in case a host dies.

A killed daemon leaves its segment behind; a host that dies takes it along. So the glass of its
nodes is kept on the workstation and opened there like a post-mortem. A copy is as old as the last
frame: with twice as many as a recording has, and a link that works, never as old as a second.
It is a recording that forgets: links send only what changed, the file holds what is asked for.
"""

from __future__ import annotations

from isinglass.cli.nodes import SSH_COMMAND, is_remote
from isinglass.cli.options import Command, Option, Positional
from isinglass.cli.printing import JSON
from isinglass.errors import UsageError
from isinglass_console.cluster_file import CLUSTER, nodes_of
from isinglass_console.recording.record_command import MONITOR, SECONDS, record

COMMAND = Command(
    "mirror",
    "Keep the last hour of nodes on other hosts here, in case a host dies.",
    positionals=(
        Positional("ADDRESS", "ssh://HOST/[NODE], one or more.", required=False, repeat=True),
    ),
    options=(
        Option(
            "output",
            "The file; gone on with when it is there. One with the time as its name in"
            " $XDG_DATA_HOME/isinglass/recordings when left out.",
            value="FILE",
            short="o",
            completes="files",
        ),
        Option("keep", "Forget what is older.", value="TIME", default="1h"),
        MONITOR,
        SECONDS,
        Option(
            "interval",
            "Seconds from frame to frame: the copy is as old as that at most, and the way there and"
            " back.",
            value="SECONDS",
            kind="positive",
            short="i",
            default=0.5,
        ),
        CLUSTER,
        SSH_COMMAND,
        JSON,
    ),
    notes=(
        "Each frame is in the file as soon as it came; a link that is down is kept as down, behind"
        " the last that was seen.",
        "Exit code: as for `isinglass record`.",
    ),
    examples=(
        "isinglass mirror ssh://db1.example/ ssh://db2.example/ --keep 2h -o cluster.recording",
        "isinglass console --replay cluster.recording",
        "isinglass dump alder --replay cluster.recording --at 03:12:30",
    ),
)


def main(arguments: list[str]) -> int:
    """Mirror until the end that was asked for."""
    values = COMMAND.parse(arguments)
    nodes = nodes_of(values, "ADDRESS")
    if not nodes:
        raise UsageError("`isinglass mirror` needs ADDRESS or --cluster: which nodes to keep here.")
    here = [name for name in nodes if not is_remote(name)]
    if here:
        raise UsageError(
            f"A mirror is of other hosts: give ssh:// addresses, not {', '.join(here)};"
            " `isinglass record` records nodes of this machine."
        )
    return record(values, nodes)
