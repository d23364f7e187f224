"""The command `isinglass`: finds the module of the subcommand and imports that one alone.

It lives in the top layer because only the top may know every subcommand, and it knows them by
name: a headless `isinglass dump` never sees a line of the console. What a command raises on
purpose becomes one sentence on stderr and the exit code of its class; a reader that closes the
pipe early (`| head`) ends the command without a word.

A command's module has `main(arguments: list[str]) -> int`, and, for help and completion, its
option table as `COMMAND`.
"""

from __future__ import annotations

import errno
import gc
import os
import sys

from isinglass.errors import IsinglassError
from isinglass.glass.permission import refusal

SUMMARY = "Watch a running daemon through shared memory: live, stopped or dead."
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Collecting garbage would cost a tenth of the time of those that look and end, and of the time to
# the console's first page; the console collects after that (`isinglass.collecting`).
NOT_COLLECTING = frozenset(("dump", "ps", "complete-nodes", "console"))

# What these look at may be a recording, which only the top layer can read.
OF_RECORDINGS = frozenset(("dump", "ps"))

# name: (module, its line in the help; no line: not listed)
COMMANDS: dict[str, tuple[str, str]] = {
    "console": ("isinglass_console.command", "Watch nodes live in the terminal console."),
    "demo": ("isinglass_console.demo", "Start a cluster with real work, and the console on it."),
    "compare": (
        "isinglass_console.recording.compare_command",
        "Print what changed most between two recordings.",
    ),
    "mirror": (
        "isinglass_console.recording.mirror_command",
        "Keep the last hour of nodes on other hosts here.",
    ),
    "record": (
        "isinglass_console.recording.record_command",
        "Record what nodes do into a file, to be looked at later.",
    ),
    "snapshot": (
        "isinglass_console.recording.snapshot_command",
        "Cut a part out of a recording, for a colleague.",
    ),
    "daemon": ("isinglass.cli.daemon", "Run, start, stop or ask the state of a node's daemon."),
    "monitor": (
        "isinglass_monitor.commands.monitor",
        "Run, start, stop or ask the state of a monitor of the cluster.",
    ),
    "alarms": (
        "isinglass_monitor.commands.alarms",
        "Print what is wrong; acknowledge, silence, expect it.",
    ),
    "history": ("isinglass_monitor.commands.history", "Print how figures of a node went."),
    "incident": ("isinglass_monitor.commands.incident", "Write the report of an incident."),
    "cluster": ("isinglass.cli.cluster", "Make the key of a cluster."),
    "log": (
        "isinglass_monitor.commands.log",
        "Print the events of the cluster, or of this machine's nodes.",
    ),
    "dump": ("isinglass.cli.dump", "Print every panel of a node, live or dead."),
    "watch": ("isinglass.cli.watch", "Print values and rates again and again."),
    "top": ("isinglass.cli.top", "Sample the probes: where time goes, to the line."),
    "ps": ("isinglass.cli.ps", "Print where each thread is now, and for how long."),
    "stacks": ("isinglass.cli.stacks", "Print the whole Python stacks of processes; touches them."),
    "export": (
        "isinglass_monitor.commands.export",
        "Print every figure of the nodes here as OpenMetrics.",
    ),
    "relay": ("isinglass.cli.relay", "Send what a node shows to a console elsewhere, over SSH."),
    "load": ("isinglass.cli.load", "Load a CSV or JSON Lines file into a table."),
    "get": ("isinglass.cli.get", "Print one record."),
    "put": ("isinglass.cli.put", "Store one record."),
    "add": ("isinglass.cli.add", "Add to a field of a record."),
    "delete": ("isinglass.cli.delete", "Delete one record."),
    "scan": ("isinglass.cli.scan", "Print the records of a key range or of an index value."),
    "verify": ("isinglass.cli.verify", "Compare the stores of a cluster's nodes."),
    "debug": ("isinglass.cli.debug", "Switch debug logging of a node on and off, with an end."),
    "note": ("isinglass.cli.note", "Put a remark on the timeline of the cluster's events."),
    "forget": ("isinglass.cli.forget", "Take a node out of its cluster for good."),
    "completion": ("isinglass_console.completion", "Print the completion script of a shell."),
    "complete-nodes": ("isinglass.cli.complete_nodes", ""),
}


def main() -> int:
    """Run the command that `sys.argv` names, and return its exit code."""
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
        return code
    except IsinglassError as error:
        print(f"isinglass: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return EXIT_PIPE_CLOSED
    except OSError as error:
        if isinstance(error, PermissionError) and error.filename is not None:
            print(f"isinglass: {refusal(error.filename)}", file=sys.stderr)
            return IsinglassError.exit_code
        # Other errors of named files are told by the commands themselves.
        if error.errno not in FULL or error.filename is not None:
            raise
        _drop_output()
        print(f"isinglass: the output cannot be written: {error.strerror}.", file=sys.stderr)
        return IsinglassError.exit_code


def _drop_output() -> None:
    """Let the interpreter, which flushes stdout once more at its end, flush into nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("--help", "-h", "help"):
        return _print_overview(arguments)
    name, *rest = arguments
    if name == "--version":
        from isinglass import __version__

        print(f"isinglass {__version__}")
        return 0
    if name not in COMMANDS:
        return _unknown(name)
    if name in NOT_COLLECTING:
        gc.disable()
    module = __import__(COMMANDS[name][0], fromlist=["main"])
    from isinglass.cli.options import HelpAsked

    try:
        if name in OF_RECORDINGS and any(word.partition("=")[0] == "--replay" for word in rest):
            from isinglass_console.recording import look_command

            return int(getattr(look_command, name)(rest))
        return int(module.main(rest))
    except HelpAsked as asked:
        from isinglass.cli.help import render

        sys.stdout.write(render(asked.command))
        return 0


def _print_overview(arguments: list[str]) -> int:
    if len(arguments) > 1 and arguments[0] == "help":
        return _run([arguments[1], "--help"])
    from isinglass.cli.help import overview

    sys.stdout.write(overview(COMMANDS, SUMMARY))
    return 0


def _unknown(name: str) -> int:
    from isinglass.cli.options import near

    listed = [known for known, (_module, line) in COMMANDS.items() if line]
    print(
        f"isinglass: there is no command {name!r}{near(name, listed)};"
        " `isinglass --help` lists them all.",
        file=sys.stderr,
    )
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
