"""Prints sections on stdout in the form that fits it: a terminal gets rich tables, a pipe text.

rich costs fifty milliseconds to import, so it is imported only when there is a terminal.
"""

from __future__ import annotations

import sys

from isinglass.cli.sheet import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from isinglass.cli.sheet import Section


def show(sections: Iterable[Section]) -> None:
    """Print sections on stdout."""
    if sys.stdout.isatty():
        from isinglass.cli.terminal import print_sections

        print_sections(sections)
    else:
        sys.stdout.write(plain(sections))
