"""What a daemon and a monitor have in common as commands: one name, one process, in the background.

`run` is the service in the foreground, `start` is `run` behind a fork that survives the hang-up of
its terminal, and ends when the service is ready or has said why not. Who has a name holds its lock.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager

from isinglass.cli.printing import tell
from isinglass.cli.roles import refuse_program
from isinglass.errors import IsinglassError, SettingsError, StoreLocked
from isinglass.node import ownership
from isinglass.node.daemonize import Outcome, daemonize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from isinglass.cli.options import Values
    from isinglass.node.ownership import Owner
    from isinglass.settings import Settings

    Serve = Callable[[Callable[[], None]], int]


class Served:
    """What is served under a name.

    Args:
        what: "daemon" or "monitor".
        named: what the name is of: "node" or "monitor".
        ready: that it is ready, without the process.
        already: returns the sentence for one who wants a second one; gets name and owner.
    """

    def __init__(
        self,
        settings: Settings,
        what: str,
        named: str,
        ready: str,
        already: Callable[[str, Owner | None], str],
    ) -> None:
        self._settings, self._what, self._named = settings, what, named
        self._ready, self._already = ready, already

    def run(self, serve: Serve) -> int:
        """Serve in the foreground; return the exit code."""

        def ready() -> None:
            try:
                print(f"{self._ready} (process {os.getpid()}).", file=sys.stderr)
            except OSError:
                # Whoever started it reads no more; it serves all the same, and what is still in
                # line for it, which the interpreter tries again at its end, goes nowhere.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())

        return serve(ready)

    def start(self, serve: Serve, values: Values) -> int:
        """Serve in the background; return the exit code of who asked for it, or the service's.

        Args:
            values: the options of the command; `printing.JSON` is one.

        Raises:
            StoreLocked: the name is taken.
        """
        self._check_free()
        result = daemonize()
        if isinstance(result, Outcome):
            if not result.is_ready:
                print(f"isinglass: {result.sentence}", file=sys.stderr)
            else:
                facts = {self._named: self._settings.node, "pid": result.pid}
                tell(values, f"{self._ready} (process {result.pid}).", facts)
            return result.exit_code
        try:
            return serve(result.ready)
        except IsinglassError as error:
            result.failed(str(error), error.exit_code)
            return error.exit_code
        except Exception as error:
            result.failed(f"The {self._what} failed with {type(error).__name__}: {error}")
            raise

    def _check_free(self) -> None:
        owner = ownership.owner_of(self._settings.node_runtime_dir)
        if owner is not None:
            raise StoreLocked(self._already(self._settings.node, owner))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the name for a block.

        Raises:
            StoreLocked: it is taken, by another service or by a program.
            SettingsError: its directory cannot be made.
        """
        settings = self._settings
        # What this process and the library find their segment by (glass/layout).
        os.environ["ISINGLASS_RUNTIME_DIR"] = str(settings.runtime_dir)
        holding = ownership.NodeOwnership(settings.node, settings.node_runtime_dir, self._already)
        try:
            holding.__enter__()
        except OSError as error:
            raise SettingsError(
                f"{error.filename} cannot be made: {error.strerror}; choose another --runtime-dir."
            ) from error
        try:
            refuse_program(settings)
            yield
        finally:
            holding.__exit__(None, None, None)
