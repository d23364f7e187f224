"""Prints on stdout in the form that fits: a terminal gets rich tables, a pipe text, a script JSON.

rich costs fifty milliseconds to import, so it is imported only when there is a terminal. What a
command that acts has to say stands here as one call, so that its sentence and its JSON are told of
the same facts.
"""

from __future__ import annotations

import sys

from isinglass.cli.options import Option
from isinglass.cli.sheet import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TextIO

    from isinglass.cli.options import Values
    from isinglass.cli.sheet import Section

JSON = Option("json", "Print one JSON document.")


def show(sections: Iterable[Section]) -> None:
    """Print sections on stdout."""
    if sys.stdout.isatty():
        from isinglass.cli.terminal import print_sections

        print_sections(sections)
    else:
        sys.stdout.write(plain(sections))


def tell(
    values: Values, sentence: str, facts: Mapping[str, object], out: TextIO | None = None
) -> None:
    """Say what a command has done: a sentence, or with `JSON` the facts as a line on stdout.

    Args:
        sentence: for people; "" when there is nothing that they would not know.
        facts: the same for scripts, by names with unit suffixes.
        out: where the sentence goes, when not to stdout.
    """
    if values.flag("json"):
        import json

        print(json.dumps(facts))
    elif sentence:
        print(sentence, file=out)
