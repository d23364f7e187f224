"""`isinglass monitor start|stop|status|run`: the life of a monitor.

As with a node's daemon, `run` is the monitor in the foreground, `start` is `run` behind a fork that
survives the hang-up of its terminal, and who runs is told by the lock that it holds. A monitor has
a name, and under it a segment and a folder for its spool, so several can live on one machine.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from isinglass.cli.actions import chosen
from isinglass.cli.options import Command, Option, Positional
from isinglass.cli.printing import JSON
from isinglass.cli.serving import Served
from isinglass.cli.setting_options import options_of, settings_of
from isinglass.errors import SettingsError
from isinglass.setting_kinds import Kind, count, seconds, size
from isinglass_monitor.commands import relay
from isinglass_monitor.commands.places import DEFAULT_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from isinglass.cli.options import Values
    from isinglass.node.ownership import Owner
    from isinglass.settings import Settings
    from isinglass_monitor.service import Options

HELP = "Run, start, stop or ask the state of a monitor of the cluster."
DAY_SECONDS = 86_400.0
NAME = Option("name", "The monitor's name, as a node's.", value="NAME", default=DEFAULT_NAME)
CONFIG = Option("config", "The monitor's file of settings.", value="FILE", completes="files")
LIMIT = Option(
    "limit", "How long to wait for it to end.", value="SECONDS", kind="seconds", default=60.0
)
SHARED = (
    "cluster",
    "cluster_key_file",
    "insecure",
    "multicast_group",
    "multicast_port",
    "log_group",
    "log_port",
    "interface",
    "multicast_ttl",
    "receive_buffer_bytes",
    "runtime_dir",
    "data_dir",
)
LIMITS = (
    Option("keep-days", "How long events are kept. Default: 30.", value="DAYS"),
    Option("keep-bytes", "How much disk the spool may take. Default: 16 GiB.", value="BYTES"),
    Option("keep-free", "How much of the disk stays free. Default: 1 GiB.", value="BYTES"),
    Option("segment-bytes", "How large one file of it gets. Default: 256 MiB.", value="BYTES"),
    Option("queue-bytes", "What may wait for the disk. Default: 64 MiB.", value="BYTES"),
)
WATCH = (
    Option("alarms", "A file of rules and notifiers.", value="FILE", completes="files"),
    Option("metrics-port", "Serve OpenMetrics at this port; 0: any free one.", value="PORT"),
    Option(
        "metrics-address", "The address to serve them at.", value="ADDRESS", default="127.0.0.1"
    ),
)


WHERE = (NAME, CONFIG, *options_of(("runtime_dir", "data_dir")))
RUN_OPTIONS = (NAME, CONFIG, *options_of(SHARED), *LIMITS, *WATCH)

ACTIONS = {
    "start": Command(
        "monitor start",
        "Start a monitor in the background; ends when it takes events in.",
        options=(*RUN_OPTIONS, JSON),
        notes=("Exit code: 0 ready, 1 not started, 2 a setting cannot be used.",),
        examples=("isinglass monitor start --cluster forest --cluster-key-file /etc/forest.key",),
    ),
    "stop": Command(
        "monitor stop",
        "Ask a monitor to store what waits and end; wait until it has.",
        options=(*WHERE, LIMIT, JSON),
        notes=("Exit code: 0 it has ended, or none ran; 1 it still runs.",),
        examples=("isinglass monitor stop",),
    ),
    "status": Command(
        "monitor status",
        "Say whether a monitor runs, whom it hears, and what its spool holds.",
        options=(*WHERE, JSON),
        notes=("Exit code: 0 it runs, 3 it does not.",),
        examples=("isinglass monitor status --json",),
    ),
    "run": Command(
        "monitor run",
        "Run a monitor in the foreground, as a service manager does.",
        options=RUN_OPTIONS,
        examples=("isinglass monitor run --cluster forest --insecure --interface lo",),
    ),
    "relay": relay.COMMAND,
}
COMMAND = Command(
    "monitor",
    HELP,
    positionals=(Positional("ACTION", f"One of: {', '.join(ACTIONS)}."),),
    options=(*RUN_OPTIONS, JSON, LIMIT),
    notes=("`isinglass monitor ACTION --help` lists the options of one action.",),
    examples=tuple(line for action in ACTIONS.values() for line in action.examples),
)


def main(arguments: list[str]) -> int:
    """Do what the first word says; return its exit code."""
    action, values = chosen(COMMAND, ACTIONS, arguments)
    if action == "relay":
        return relay.run(values)
    return _RUNNERS[action](settings_of(values, SHARED, values.text("name")), values)


def _options(settings: Settings, values: Values) -> Options:
    from isinglass_monitor.service import BACKLOG_BYTES, Options
    from isinglass_monitor.spool.retention import Limits
    from isinglass_monitor.watch import WatchSettings

    def chosen(name: str, kind: Kind, default: float) -> float:
        if not values.given(name):
            return default
        try:
            return float(kind.convert(values.text(name)))
        except (ValueError, TypeError, KeyError, OverflowError):
            raise SettingsError(
                f"--{name} cannot be {values.text(name)!r}: it is {kind.allowed}."
            ) from None

    usual, whole = Limits(), size(2**20, 2**50)
    in_days = replace(seconds(1e-6, 36_500), allowed="days, from 0.000001 to 36,500")
    days = chosen("keep-days", in_days, usual.age_seconds / DAY_SECONDS)
    limits = Limits(
        days * DAY_SECONDS,
        int(chosen("keep-bytes", whole, usual.size_bytes)),
        int(chosen("keep-free", size(0, 2**50), usual.free_bytes)),
        int(chosen("segment-bytes", size(2**20, 2**31), usual.segment_bytes)),
    )
    file = Path(values.text("alarms")).absolute() if values.given("alarms") else None
    port = None
    if values.given("metrics-port"):
        port = int(chosen("metrics-port", count(0, 65_535), 0))
    watch = WatchSettings.load(file, settings.cluster, port, values.text("metrics-address"))
    return Options(watch, limits, int(chosen("queue-bytes", whole, BACKLOG_BYTES)))


def _served(settings: Settings) -> Served:
    ready = f"Monitor {settings.node} listens"
    return Served(settings, "monitor", "monitor", ready, _running_already)


def _start(settings: Settings, values: Values) -> int:
    return _served(settings).start(partial(_serve, settings, _options(settings, values)), values)


def _run(settings: Settings, values: Values) -> int:
    return _served(settings).run(partial(_serve, settings, _options(settings, values)))


def _serve(settings: Settings, options: Options, ready: Callable[[], None]) -> int:
    from isinglass_monitor import service

    service.target(settings)  # what cannot be is said before anything is made
    with _served(settings).held():
        return service.run(settings, options, ready)


def _running_already(name: str, owner: Owner | None) -> str:
    process = f" (process {owner.pid})" if owner and owner.pid else ""
    return (
        f"A monitor or a daemon of the name {name} is running already{process}: choose another one"
        f" with --name, or end it with `isinglass monitor stop --name {name}`."
    )


def _stop(settings: Settings, values: Values) -> int:
    from isinglass_monitor.commands.life import stop

    return stop(settings, values)


def _status(settings: Settings, values: Values) -> int:
    from isinglass_monitor.commands.life import print_status

    return print_status(settings, as_json=values.flag("json"))


_RUNNERS: dict[str, Callable[[Settings, Values], int]] = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "run": _run,
}
