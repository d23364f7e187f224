"""What an operator asks of a cluster through a daemon of it: to compare, to give a node up."""

from __future__ import annotations

from isinglass.errors import IsinglassError, UsageError
from isinglass.node.intake import Intake
from isinglass.node.replica import Replica
from isinglass.node.verifying import Result, Verifying
from isinglass.wire import messages
from isinglass.wire.datagrams import origin_number
from isinglass.wire.messages import DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Send = Callable[[list[Any]], None]


def _number_of(name: str) -> int:
    return int(name) if name.isdecimal() else origin_number(name)


class Operator:
    """The two operations."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def _replica(self) -> Replica:
        if self._intake.replica is None:
            raise UsageError("this node belongs to no cluster: start it with the setting `cluster`")
        return self._intake.replica

    def verify(self, request_id: int, send: Send) -> None:
        """Compare the stores of all nodes that are heard; the answer goes through `send`.

        Raises:
            UsageError: the node has no cluster.
        """

        def done(result: Result | None, error: IsinglassError | None) -> None:
            if error is not None:
                send(messages.refusal(request_id, error))
            else:
                send([request_id, DONE, result])

        replica = self._replica()
        with self._intake:
            horizon = replica.horizon.everywhere()
            Verifying(replica.me.name, replica.members.up(), replica.outside, horizon, done).start()

    def forget(self, name: str) -> None:
        """Take a node out of the cluster: it must join anew, with nothing, when it comes back.

        Args:
            name: of a member; or the name or number of a node that is none, and of whose last life
                updates are left: it was forgotten by who did not know of that life.

        Raises:
            UsageError: there is no such member, or it is alive.
        """
        replica = self._replica()
        with self._intake:
            known = {member.name: member for member in replica.members.members.values()}
            if name in known and known[name].heard:
                raise UsageError(
                    f"node {name} is alive: stop it first (`isinglass daemon stop {name}` there)"
                )
            origin = known[name].origin if name in known else _number_of(name)
            strangers = replica.vectors.strangers()
            if name not in known and origin not in strangers:
                names = ", ".join([*sorted(known), *map(str, sorted(strangers))]) or "none"
                raise UsageError(f"the cluster has no node {name!r}; this node knows {names}")
            replica.forget(origin)
            replica.beat(replica.clock())
