"""Which adds were done: so that one that is sent again, because its answer was lost, counts once.

A put can be repeated, since its record tells by its stamp whether it was done; an add cannot, since
somebody else may have added meanwhile. So each add carries the number of its client (one for each
thread) and its own number, and the answers to a client's newest ones are kept:

    known                 the add is answered as it was, and not done again
    unknown               it is done: the first one never arrived
    maybe forgotten       `AddUnknown`: it is not done, and the caller is told

Kept are ANSWERS of each of CLIENTS clients, more than a client has under way: some 3 MB at most. Of
what is forgotten the newest stamp is kept: an add that was first sent after it is not among that. A
daemon that was restarted has forgotten all; the client sees that by itself.
"""

from __future__ import annotations

from isinglass.errors import AddUnknown

CLIENTS = 4096
ANSWERS = 8
Answer = tuple[int, int]
"""The place of the last add of a request that was queued, and how many were."""


class DoneAdds:
    """The newest adds of the clients that added last."""

    __slots__ = ("_clients", "_forgotten")

    def __init__(self) -> None:
        self._clients: dict[int, tuple[int, dict[int, Answer]]] = {}  # the last to add comes last
        self._forgotten = 0

    def remember(self, client: int, number: int, answer: Answer, stamp: int) -> None:
        """Keep an answer.

        Args:
            stamp: none that was drawn for this add is greater.
        """
        _, answers = self._clients.pop(client, (0, {}))
        answers[number] = answer
        if len(answers) > ANSWERS:
            del answers[min(answers)]
        self._clients[client] = (stamp, answers)
        if len(self._clients) > CLIENTS:
            oldest = next(iter(self._clients))
            self._forgotten = max(self._forgotten, self._clients.pop(oldest)[0])

    def find(self, client: int, number: int, since: int) -> Answer | None:
        """Return the answer to an add that is sent again; None when it was not done.

        Args:
            since: a stamp from before it was first sent.

        Raises:
            AddUnknown: it is too long ago to tell.
        """
        _, answers = self._clients.get(client, (0, {}))
        if number in answers:
            return answers[number]
        if since < self._forgotten or (len(answers) == ANSWERS and number < min(answers)):
            raise AddUnknown(
                "an add was sent again, and the daemon no longer knows whether the first one"
                " counted: read the record before you add again"
            )
        return None
