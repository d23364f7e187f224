"""`isinglass daemon start|stop|status|run`: the life of a node's daemon.

`run` is the daemon itself, in the foreground, as a service manager wants it; `start` is `run`
behind a fork that survives the hang-up of its terminal, and ends when the daemon is ready or has
said why not; `status` and `stop` find the daemon by the lock it holds and never by a stale file.
Settings are options here under their own names: the options are made from their table.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from isinglass.cli.daemon_life import print_status, stop
from isinglass.cli.options import Command, Option, Positional, near
from isinglass.errors import IsinglassError, SettingsError, StoreLocked, UsageError
from isinglass.node import ownership
from isinglass.node.cluster_settings import cluster_of
from isinglass.node.daemonize import Outcome, daemonize
from isinglass.settings import DURABILITIES, TABLE, Settings, default_text, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from isinglass.cli.options import Values

HELP = "Run, start, stop or ask the state of a node's daemon."
NODE = Positional(
    "NODE", "The node; this machine's host name when left out.", required=False, completes="nodes"
)
CONFIG = Option("config", "The node's file.", value="FILE", completes="files")
RUNTIME = Option("runtime-dir", TABLE["runtime_dir"].metadata["help"], value="FOLDER")


def _settings_options() -> tuple[Option, ...]:
    """Return an option for every setting but the node, which is the command's word."""
    return tuple(
        Option(
            name.replace("_", "-"),
            f"{row.metadata['help']} Default: {default_text(row).replace('`', '')}.",
            value="" if row.default is False else "VALUE",
            choices=DURABILITIES if name == "durability" else (),
        )
        for name, row in TABLE.items()
        if name != "node"
    )


RUN_OPTIONS = (CONFIG, *_settings_options())
JSON = Option("json", "Print one JSON document.")
LIMIT = Option(
    "limit", "How long to wait for it to end; the daemon's stop limit when left out.",
    value="SECONDS", kind="seconds",
)  # fmt: skip
KILL_AFTER = Option(
    "kill-after", "Kill it when it has not ended by then.",
    value="SECONDS", kind="seconds",
)  # fmt: skip

ACTIONS = {
    "start": Command(
        "daemon start",
        "Start the daemon of a node in the background; ends when it is ready.",
        positionals=(NODE,),
        options=RUN_OPTIONS,
        notes=("Exit code: 0 ready, 1 not started, 2 a setting cannot be used.",),
        examples=("isinglass daemon start oak", "ssh -t server isinglass daemon start oak"),
    ),
    "stop": Command(
        "daemon stop",
        "Ask the daemon to write what is queued and end; wait until it has.",
        positionals=(NODE,),
        options=(CONFIG, RUNTIME, LIMIT, KILL_AFTER),
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
    options=(*RUN_OPTIONS, JSON, LIMIT, KILL_AFTER),
    notes=("`isinglass daemon ACTION --help` lists the options of one action.",),
    examples=tuple(line for action in ACTIONS.values() for line in action.examples),
)


def main(arguments: list[str]) -> int:
    """Do what the first word says; return its exit code."""
    action = arguments[0] if arguments else ""
    if action not in ACTIONS:
        if action.startswith("-"):
            COMMAND.parse(arguments)
        raise UsageError(
            f"`isinglass daemon` has no action {action!r}{near(action, list(ACTIONS))};"
            f" there are {', '.join(ACTIONS)}."
        )
    values = ACTIONS[action].parse(arguments[1:])
    return _RUNNERS[action](_settings(values), values)


def _settings(values: Values) -> Settings:
    flags: dict[str, object] = {
        name: values.text(name.replace("_", "-")) or values.flag(name.replace("_", "-"))
        for name in TABLE
        if name != "node" and values.given(name.replace("_", "-"))
    }
    if values.given("NODE"):
        flags["node"] = values.text("NODE")
    config = Path(values.text("config")).absolute() if values.given("config") else None
    return load(flags, config=config)


def _start(settings: Settings, _: Values) -> int:
    owner = ownership.owner_of(settings.node_runtime_dir)
    if owner is not None:
        raise StoreLocked(ownership.running_already(settings.node, owner))
    result = daemonize()
    if isinstance(result, Outcome):
        if not result.is_ready:
            print(f"isinglass: {result.sentence}", file=sys.stderr)
        else:
            print(f"Node {settings.node} is ready (process {result.pid}).")
        return result.exit_code
    try:
        return _serve(settings, result.ready)
    except IsinglassError as error:
        result.failed(str(error), error.exit_code)
        return error.exit_code
    except Exception as error:
        result.failed(f"The daemon failed with {type(error).__name__}: {error}")
        raise


def _run(settings: Settings, _: Values) -> int:
    def ready() -> None:
        print(f"Node {settings.node} is ready (process {os.getpid()}).", file=sys.stderr)

    return _serve(settings, ready)


def _serve(settings: Settings, ready: Callable[[], None]) -> int:
    """Hold the node and run its daemon until it is told to end.

    What its settings cannot be together is said before anything is made.
    """
    from isinglass.node import service

    cluster_of(settings)
    # What this process and the library find their segment by (glass/layout).
    os.environ["ISINGLASS_RUNTIME_DIR"] = str(settings.runtime_dir)
    try:
        holding = ownership.NodeOwnership(settings.node, settings.node_runtime_dir).__enter__()
    except OSError as error:
        raise SettingsError(
            f"{error.filename} cannot be made: {error.strerror}; choose another --runtime-dir."
        ) from error
    try:
        return service.run(settings, ready)
    finally:
        holding.__exit__(None, None, None)


def _stop(settings: Settings, values: Values) -> int:
    limit = values.number("limit") if values.given("limit") else settings.stop_limit_seconds
    kill_after = values.number("kill-after") if values.given("kill-after") else None
    return stop(settings, limit, kill_after)


def _status(settings: Settings, values: Values) -> int:
    return print_status(settings, as_json=values.flag("json"))


_RUNNERS: dict[str, Callable[[Settings, Values], int]] = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "run": _run,
}
