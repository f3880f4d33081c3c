r"""Regular expressions that people bring, matched in time that grows with the text and the pattern only.

All ways through a pattern are followed at once (Thompson's construction, as in RE2), so that none takes
exponential time. That leaves out what needs going back: back-references and look-around. What there is means what
it does in Java and Python: ``.``, classes, ``\d \w \s`` and their opposites, groups, ``|``, ``* + ? {m,n}`` with
their lazy forms, ``^`` and ``$``.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

MAX_LENGTH = 500
"""Characters of a pattern."""

MAX_STEPS = 300
"""Steps a pattern is made into, which ``{m,n}`` multiplies: with the length of the text they bound the time."""

MAX_DEPTH = 20
"""Groups inside one another."""

_WORD = frozenset(string.ascii_letters + string.digits + "_")
_SPACE = frozenset(" \t\n\r\f\v")
_DIGIT = frozenset(string.digits)
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
_COUNT = re.compile(r"\{(\d{1,3})(,(\d{1,3})?)?\}")

Test = Callable[[str], bool]


class BadPattern(ValueError):
    """No regular expression, or none that is matched here."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What to do next: look at a character, go on at one or two places, note a place, or see an end."""

    test: Test | None = None
    to: tuple[int, ...] = ()
    note: int | None = None
    edge: str | None = None


_Code = list[_Step]
"""Steps whose targets are relative to themselves; running off the end is having matched."""


class Pattern:
    """A compiled pattern. Raises ``BadPattern``."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise BadPattern(f"a pattern has at most {MAX_LENGTH} characters")
        self._steps, self.groups = _Parser(text).parsed()

    def fullmatch(self, text: str) -> list[str | None] | None:
        """The whole match and the groups, when all of ``text`` matches."""
        notes = (-1,) * (2 * self.groups + 2)
        threads = self._reached([(0, notes)], 0, text)
        for position, character in enumerate(text):
            moved = [
                (place + 1, seen)
                for place, seen in threads
                if place < len(self._steps) and (test := self._steps[place].test) is not None and test(character)
            ]
            threads = self._reached(moved, position + 1, text)
            if not threads:
                return None
        found = next((seen for place, seen in threads if place == len(self._steps)), None)
        if found is None:
            return None
        pairs = zip(found[2::2], found[3::2], strict=True)
        return [text, *(text[begin:end] if begin >= 0 and end >= 0 else None for begin, end in pairs)]

    def _reached(
        self, begun: list[tuple[int, tuple[int, ...]]], position: int, text: str
    ) -> list[tuple[int, tuple[int, ...]]]:
        """Where one can be without looking at another character, preferred ways first."""
        reached, seen = [], set()
        waiting = begun[::-1]
        while waiting:
            place, notes = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            step = self._steps[place] if place < len(self._steps) else None
            if step is None or step.test is not None:
                reached.append((place, notes))
            elif step.note is not None:
                waiting.append((place + 1, (*notes[: step.note], position, *notes[step.note + 1 :])))
            elif step.edge is not None:
                if position == (0 if step.edge == "^" else len(text)):
                    waiting.append((place + 1, notes))
            else:
                waiting += [(place + to, notes) for to in reversed(step.to)]
        return reached


class _Parser:
    """Recursive descent over a pattern."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth, self._groups = text, 0, 0, 0

    def parsed(self) -> tuple[_Code, int]:
        code = self._choice()
        if self._at < len(self._text):
            self._fail("a bracket is closed that was not opened")
        return code, self._groups

    def _choice(self) -> _Code:
        code = self._sequence()
        if self._taken("|"):
            other = self._choice()
            code = [_Step(to=(1, len(code) + 2)), *code, _Step(to=(len(other) + 1,)), *other]
        return self._bounded(code)

    def _sequence(self) -> _Code:
        code: _Code = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            code += self._repeated(self._atom())
            self._bounded(code)
        return code

    def _repeated(self, atom: _Code) -> _Code:
        if self._taken("*"):
            least, most = 0, None
        elif self._taken("+"):
            least, most = 1, None
        elif self._taken("?"):
            least, most = 0, 1
        elif counted := _COUNT.match(self._text, self._at):
            self._at = counted.end()
            least = int(counted[1])
            most = least if counted[2] is None else int(counted[3]) if counted[3] else None
            if (most is not None and most < least) or len(atom) * (most or least or 1) > MAX_STEPS:
                self._fail("the counts of a repetition are too large")
        else:
            return atom
        lazy = self._taken("?")
        if self._at < len(self._text) and self._text[self._at] in "*+?":
            self._fail("a repetition is repeated")
        size = len(atom)
        code = atom * least
        if most is None:
            return [*code, _either(size + 2, lazy), *atom, _Step(to=(-size - 1,))]
        for left in range(most - least, 0, -1):
            code = [*code, _either(left * (size + 1), lazy), *atom]
        return code

    def _atom(self) -> _Code:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return [_Step(test=self._class())]
        if character == ".":
            return [_Step(test=lambda one: one != "\n")]
        if character in "^$":
            return [_Step(edge=character)]
        if character in "*+?":
            self._fail("there is nothing to repeat")
        if character == "\\":
            return [_Step(test=_in(*self._escape()))]
        return [_Step(test=character.__eq__)]

    def _group(self) -> _Code:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail("the groups are too deep")
        kept = True
        if self._taken("?"):
            if not self._taken(":"):
                self._fail("of the groups with (? there is (?: only")
            kept = False
        if kept:
            self._groups += 1
        number = self._groups
        code = self._choice()
        if not self._taken(")"):
            self._fail("a group is not closed")
        self._depth -= 1
        return [_Step(note=2 * number), *code, _Step(note=2 * number + 1)] if kept else code

    def _class(self) -> Test:
        opposite = self._taken("^")
        members: set[str] = set()
        ranges: list[tuple[str, str]] = []
        others: list[frozenset[str]] = []
        first = True
        while first or not self._taken("]"):
            first = False
            begin = self._member(members, others)
            if begin is None:
                continue
            if self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._next()
                end = self._member(set(), others)
                if end is None or end < begin:
                    self._fail("a range of characters goes from a lower one to a higher")
                ranges.append((begin, end))
            else:
                members.add(begin)
        return lambda one: (
            (
                one in members
                or any(low <= one <= high for low, high in ranges)
                or any(one not in no for no in others)
            )
            is not opposite
        )

    def _member(self, members: set[str], others: list[frozenset[str]]) -> str | None:
        """One character of a class; ``None`` when it was a class itself, which is noted."""
        character = self._next()
        if character == "[":
            self._fail("classes are not in one another")
        if character != "\\":
            return character
        inside, outside = self._escape()
        if outside:
            others.append(inside)
            return None
        if len(inside) > 1:
            members |= inside
            return None
        return next(iter(inside))

    def _escape(self) -> tuple[frozenset[str], bool]:
        """The characters an escape stands for, or with ``True`` those it does not."""
        character = self._next()
        if character.lower() in _CLASSES:
            return _CLASSES[character.lower()], character.isupper()
        if character in _CONTROLS:
            return frozenset(_CONTROLS[character]), False
        if character.isalnum():
            self._fail(f"\\{character} is not known here")
        return frozenset(character), False

    def _next(self) -> str:
        if self._at >= len(self._text):
            self._fail("it ends too early")
        self._at += 1
        return self._text[self._at - 1]

    def _taken(self, character: str) -> bool:
        taken = self._text[self._at : self._at + 1] == character
        self._at += taken
        return taken

    def _bounded(self, code: _Code) -> _Code:
        if len(code) > MAX_STEPS:
            self._fail("it is too large")
        return code

    def _fail(self, why: str) -> NoReturn:
        raise BadPattern(f"{why}, at character {self._at}")


def _in(characters: frozenset[str], outside: bool) -> Test:
    return lambda one: (one in characters) is not outside


def _either(past: int, lazy: bool) -> _Step:
    """Try what follows, or skip ``past`` it; skip first when ``lazy``."""
    return _Step(to=(past, 1) if lazy else (1, past))
