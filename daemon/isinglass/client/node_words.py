"""Two words of the node's segment, read without asking anybody: how far it is, and its clock.

"Applied through" tells which own writes the store shows; the newest stamp bounds, from below, the
stamps of everything that is written from now on. Both are single aligned words, so a plain load is
whole. The daemon says in its handshake where the first one lies.
"""

from __future__ import annotations

import mmap
import os

from isinglass.errors import DaemonAway
from isinglass.glass import layout
from isinglass.glass.layout import HeaderWord, SharedWord, State

_LENGTH = layout.region_offset(1)
_STAMP = layout.SHARED_OFFSET // layout.WORD_BYTES + SharedWord.STAMP


class NodeWords:
    """The words of one generation of a node's segment.

    Raises:
        DaemonAway: the segment's file is gone, or of another generation than the daemon that
            answered: the node is being restarted.
    """

    __slots__ = ("_applied", "_file", "_path", "_words", "generation")

    def __init__(self, node: str, generation: int, applied_place: int) -> None:
        self._path = path = layout.segment_path(node)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise DaemonAway(f"{path} cannot be opened ({error.strerror}): try again") from error
        try:
            self._file = os.fstat(descriptor)
            memory = mmap.mmap(descriptor, _LENGTH, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self._words = memoryview(memory).cast("Q")
        self.generation = generation
        self._applied = applied_place // layout.WORD_BYTES
        if self._words[HeaderWord.GENERATION] != generation:
            raise DaemonAway(f"node {node} is being restarted: try again")

    @property
    def applied_through(self) -> int:
        """Every update with this place or a lower one is in the store."""
        return self._words[self._applied]

    @property
    def latest_stamp(self) -> int:
        """Whatever is stamped from now on gets a greater stamp."""
        return self._words[_STAMP]

    def outlived(self) -> bool:
        """Tell whether another daemon has taken over, so that these words move no more."""
        try:
            return not os.path.samestat(os.stat(self._path), self._file)
        except OSError:
            return False

    @property
    def ended_cleanly(self) -> bool:
        """Whether the daemon of this generation put everything into the store before it ended."""
        return bool(self._words[HeaderWord.STATE] == State.CLEAN_EXIT)
