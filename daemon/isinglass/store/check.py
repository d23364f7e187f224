"""Check a store: `python -m isinglass.store.check DIRECTORY` reads it and says what is wrong.

A process of its own, since LMDB trusts its pages: a damaged one may end the process that reads it.
Exit code 0: the store agrees with itself. 1: it does not, or cannot be read. By signal: damaged.
"""

from __future__ import annotations

import sys

from isinglass.errors import StoreError
from isinglass.store.reading import StoreReader


def main(arguments: list[str]) -> int:
    """Check the store in the directory that is named; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m isinglass.store.check DIRECTORY")
        return 2
    try:
        with StoreReader.open(arguments[0]) as store:
            found = store.verify()
    except StoreError as error:
        print(error)
        return 1
    for problem in found.problems:
        print(problem)
    if not found.problems:
        print(
            f"{found.tables} tables, {found.records} records, {found.index_entries} index entries"
        )
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
