"""What rows of frames leave out of each life of a node: its schema, its snapshots that are whole.

Most lives need one of each. A node that starts again and again has many, so what no row needs any
more is let go of together with the rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable

from isinglass.glass.panel_views import Catalogue
from isinglass_console.model.board import BUILT_IN, Levels

Name = tuple[str, int]  # a node, and a generation or a checksum


class Lives:
    """Of each node its schemas by generation, its whole snapshots by checksum.

    `levels`: the levels that judged the frames, each with the number of the first of these.
    """

    def __init__(self) -> None:
        self.catalogues: defaultdict[str, dict[int, Catalogue]] = defaultdict(dict)
        self.wholes: defaultdict[str, dict[int, bytes]] = defaultdict(dict)
        self.levels: list[tuple[int, Levels]] = []
        # of each node, the oldest first: number of the first frame, generation, checksum
        self._begun: defaultdict[str, deque[tuple[int, int, int]]] = defaultdict(deque)

    def levels_at(self, number: int) -> Levels:
        """Return what judged a frame; the built-in ones when that was not kept."""
        at = bisect_right(self.levels, number, key=lambda pair: pair[0])
        return self.levels[at - 1][1] if at else BUILT_IN

    def begin(self, node: str, number: int, generation: int, checksum: int, whole: bytes) -> None:
        """Take the whole snapshot that the rows of a node go by from a frame on."""
        self.wholes[node][checksum] = whole
        self._begun[node].append((number, generation, checksum))

    def let_go(self, oldest: int) -> tuple[list[Name], list[Name]]:
        """Forget what no frame from `oldest` on needs; return schemas and wholes that are gone."""
        schemas: list[Name] = []
        wholes: list[Name] = []
        for node, begun in self._begun.items():
            while len(begun) > 1 and begun[1][0] <= oldest:
                _, generation, checksum = begun.popleft()
                if all(generation != each[1] for each in begun):
                    self.catalogues[node].pop(generation, None)
                    schemas.append((node, generation))
                if all(checksum != each[2] for each in begun):
                    self.wholes[node].pop(checksum, None)
                    wholes.append((node, checksum))
        return schemas, wholes

    def keep_alone(self, schemas: Iterable[Name]) -> None:
        """Forget all schemas but these."""
        kept = set(schemas)
        for node, known in self.catalogues.items():
            for generation in [each for each in known if (node, each) not in kept]:
                del known[generation]
