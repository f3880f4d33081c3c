r"""Regular expressions that people bring, matched in time that grows with the text only.

RE2 does that; it leaves out what needs going back (back-references, look-around). What there is means what it does
in Java and Python, with ``\d \w \s`` for ASCII.
"""

from __future__ import annotations

import re2

MAX_LENGTH = 500
"""Characters of a pattern."""

_MEMORY = 1 << 20
"""Bytes a compiled pattern may take, which counts like ``{m,n}`` multiply."""


class BadPattern(ValueError):
    """No regular expression, or none that is matched here."""


class Pattern:
    """A compiled pattern. Raises ``BadPattern``."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise BadPattern(f"a pattern has at most {MAX_LENGTH} characters")
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MEMORY
        try:
            self._compiled = re2.compile(text, options)
        except re2.error as error:
            (why,) = error.args
            raise BadPattern(why.decode(errors="replace")) from error

    def fullmatch(self, text: str) -> list[str | None] | None:
        """The whole match and the groups, when all of ``text`` matches."""
        found = self._compiled.fullmatch(text)
        return None if found is None else [text, *found.groups()]
