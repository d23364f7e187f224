"""`isinglass daemon start|stop|status|drain|resume|run`: the life of a node's daemon.

`run` is the daemon itself, in the foreground, as a service manager wants it; `start` is `run`
behind a fork that survives the hang-up of its terminal, and ends when the daemon is ready or has
said why not; `status` and `stop` find the daemon by the lock it holds and never by a stale file.
Settings are options here under their own names: the options are made from their table.
"""

from __future__ import annotations

from functools import partial

from isinglass.cli.actions import chosen
from isinglass.cli.daemon_life import print_status, stop
from isinglass.cli.options import Command, Option, Positional
from isinglass.cli.printing import JSON
from isinglass.cli.serving import Served
from isinglass.cli.setting_options import options_of, settings_of
from isinglass.node import ownership
from isinglass.node.cluster_settings import cluster_of
from isinglass.settings import TABLE, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from isinglass.cli.options import Values

HELP = "Run, start, stop or ask the state of a node's daemon."
NODE = Positional(
    "NODE", "The node; this machine's host name when left out.", required=False, completes="nodes"
)
CONFIG = Option("config", "The node's file.", value="FILE", completes="files")
SETTINGS = tuple(name for name in TABLE if name != "node")  # which is the command's word
RUNTIME = Option("runtime-dir", TABLE["runtime_dir"].metadata["help"], value="FOLDER")


RUN_OPTIONS = (CONFIG, *options_of(SETTINGS))
LIMIT = Option(
    "limit", "How long to wait for it to end; the daemon's stop limit when left out.",
    value="SECONDS", kind="seconds",
)  # fmt: skip
KILL_AFTER = Option(
    "kill-after", "Kill it when it has not ended by then.",
    value="SECONDS", kind="seconds",
)  # fmt: skip
FOR = Option("for", "How long: 90s, 30m, 2h; at most 24h.", value="TIME", default="30m")
BECAUSE = Option("because", "Why, for whoever reads the log.", value="REASON")

ACTIONS = {
    "start": Command(
        "daemon start",
        "Start the daemon of a node in the background; ends when it is ready.",
        positionals=(NODE,),
        options=(*RUN_OPTIONS, JSON),
        notes=("Exit code: 0 ready, 1 not started, 2 a setting cannot be used.",),
        examples=("isinglass daemon start oak", "ssh -t server isinglass daemon start oak"),
    ),
    "stop": Command(
        "daemon stop",
        "Ask the daemon to write what is queued and end; wait until it has.",
        positionals=(NODE,),
        options=(CONFIG, RUNTIME, LIMIT, KILL_AFTER, JSON),
        notes=("Exit code: 0 it has ended, or none ran; 1 it still runs.",),
        examples=("isinglass daemon stop oak --kill-after 30",),
    ),
    "status": Command(
        "daemon status",
        "Say whether the daemon of a node runs, and how it ended when it does not.",
        positionals=(NODE,),
        options=(CONFIG, RUNTIME, JSON),
        notes=("Exit code: 0 it runs, 3 it does not.",),
        examples=("isinglass daemon status oak --json",),
    ),
    "drain": Command(
        "daemon drain",
        "Have a node take no writes of its clients for a while; it goes on in its cluster.",
        positionals=(NODE,),
        options=(FOR, BECAUSE, JSON),
        notes=(
            "Its clients are told so with a sentence; reads go on, and so do updates of other"
            " nodes and their immediate writes to records whose primary it is. It ends by itself,"
            " and outlives a restart. Needs the right to write NODE/control beside the segment, as"
            " `isinglass debug` does. An event says who did so.",
            "Exit code: 0 done; 1 the node has no page of flags, or it may not be written.",
        ),
        examples=('isinglass daemon drain oak --for 30m --because "new memory"',),
    ),
    "resume": Command(
        "daemon resume",
        "Have a drained node take the writes of its clients again.",
        positionals=(NODE,),
        options=(JSON,),
        examples=("isinglass daemon resume oak",),
    ),
    "run": Command(
        "daemon run",
        "Run the daemon of a node in the foreground, as a service manager does.",
        positionals=(NODE,),
        options=RUN_OPTIONS,
        notes=("Tells the service manager when it is ready, and pats its watchdog.",),
        examples=("isinglass daemon run oak --config oak.toml",),
    ),
}
COMMAND = Command(
    "daemon",
    HELP,
    positionals=(Positional("ACTION", f"One of: {', '.join(ACTIONS)}."), NODE),
    options=(*RUN_OPTIONS, JSON, LIMIT, KILL_AFTER, FOR, BECAUSE),
    notes=("`isinglass daemon ACTION --help` lists the options of one action.",),
    examples=tuple(line for action in ACTIONS.values() for line in action.examples),
)


def main(arguments: list[str]) -> int:
    """Do what the first word says; return its exit code."""
    action, values = chosen(COMMAND, ACTIONS, arguments)
    return _RUNNERS[action](settings_of(values, SETTINGS, values.text("NODE")), values)


def _served(settings: Settings) -> Served:
    ready = f"Node {settings.node} is ready"
    return Served(settings, "daemon", "node", ready, ownership.running_already)


def _start(settings: Settings, values: Values) -> int:
    return _served(settings).start(partial(_serve, settings), values)


def _run(settings: Settings, _: Values) -> int:
    return _served(settings).run(partial(_serve, settings))


def _serve(settings: Settings, ready: Callable[[], None]) -> int:
    """Hold the node and run its daemon until it is told to end.

    What its settings cannot be together is said before anything is made.
    """
    from isinglass.node import service

    cluster_of(settings)
    with _served(settings).held():
        return service.run(settings, ready)


def _status(settings: Settings, values: Values) -> int:
    return print_status(settings, as_json=values.flag("json"))


def _drain(settings: Settings, values: Values) -> int:
    from isinglass.cli.drain import drain

    return drain(settings.node, values)


def _resume(settings: Settings, values: Values) -> int:
    from isinglass.cli.drain import resume

    return resume(settings.node, values)


_RUNNERS: dict[str, Callable[[Settings, Values], int]] = {
    "start": _start,
    "stop": stop,
    "status": _status,
    "drain": _drain,
    "resume": _resume,
    "run": _run,
}
