"""The records that every system writes, and in which order: the same for all of them.

"uniform" keys hardly meet in a commit; "zipf" keys have the frequencies of words in a text, as a
counter of identifiers makes them.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

TABLE = "bench"
KEYS = 50_000
ORDER_LENGTH = 100_000  # after so many the order begins again
KINDS = ("uniform", "zipf")
BATCH = 100


def key_of(rank: int) -> str:
    """Return the key of a rank; 0 is the most frequent one."""
    return f"key {rank}"


def value_of(number: int) -> dict[str, Any]:
    """Return the value of an update."""
    return {"customer": "Ada Lovelace", "total": number, "open": True}


def keys(kind: str, seed: int) -> list[str]:
    """Return the keys of the updates of one writer, in order."""
    chance = random.Random(seed)
    weights = None
    if kind == "zipf":
        weights = list(itertools.accumulate(1 / rank for rank in range(1, KEYS + 1)))
    ranks = chance.choices(range(KEYS), cum_weights=weights, k=ORDER_LENGTH)
    return [key_of(rank) for rank in ranks]
