"""The filter an operator types: a regular expression, `!` in front for the inverse.

A pattern that is being typed is often no pattern yet (`[a`); then it is searched for as plain text,
and the sentence says so, instead of an error that blinks while one types.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter; the empty one lets everything through."""

    text: str = ""
    inverse: bool = False
    sentence: str = ""
    _pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str) -> Filter:
        """Return the filter for what was typed; upper case in it makes it case-sensitive."""
        text = text.strip()
        inverse = text.startswith("!")
        body = text[1:] if inverse else text
        if not body:
            return cls()
        flags = 0 if body != body.lower() else re.IGNORECASE
        try:
            return cls(text, inverse, "", re.compile(body, flags))
        except (re.error, OverflowError, RecursionError) as reason:
            why = reason.msg if isinstance(reason, re.error) else "it is too large for a pattern"
            sentence = f"searched for as plain text: {why}"
            return cls(text, inverse, sentence, re.compile(re.escape(body), flags))

    def __bool__(self) -> bool:
        return self._pattern is not None

    def lets_through(self, text: str) -> bool:
        """Return whether a row with this text is shown."""
        if self._pattern is None:
            return True
        return (self._pattern.search(text) is None) == self.inverse
