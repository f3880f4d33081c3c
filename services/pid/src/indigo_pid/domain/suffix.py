"""Opaque suffixes with a check character: a mistyped identifier is told from an unknown one.

Source: the Noid Check Digit Algorithm (NCDA), ARK specification (draft-kunze-ark), appendix on the NOID check
digit. The character is computed over ``<naan>/<base>``, so the ARK face passes any NOID checker; handle and
DOI carry the same suffix.
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache

from indigo_contracts.problems import FieldError
from indigo_kernel.problems import InvalidBody

ALPHABET = "0123456789bcdfghjkmnpqrstvwxz"
"""The 29 betanumeric characters: no vowels (no words), no ``l`` (no mix-up with ``1``)."""

BASE_LENGTH = 10
"""Characters before the check character: 48.6 random bits."""

MAX_CHOSEN = 200
"""Characters of a suffix that a client chooses."""

_BASES = len(ALPHABET) ** BASE_LENGTH
_CHOSEN = re.compile(rf"[A-Za-z0-9\-._~:()/;=@!$*+,]{{1,{MAX_CHOSEN}}}")
_VALUE = {character: position for position, character in enumerate(ALPHABET)}


def check_character(naan: str, base: str) -> str:
    """The NOID check character of ``<naan>/<base>``.

    Each character counts its place in the alphabet (others count 0) times its position from 1. One changed
    character, or two neighbors swapped, changes the sum modulo 29 while the text is shorter than 29.
    """
    return ALPHABET[_sum(f"{naan}/{base}") % len(ALPHABET)]


@lru_cache(maxsize=1024)
def _sum(text: str) -> int:
    return sum(position * _VALUE.get(character, 0) for position, character in enumerate(text, start=1))


def is_valid_suffix(naan: str, suffix: str) -> bool:
    """Whether ``suffix`` ends in its own check character."""
    return len(suffix) > 1 and check_character(naan, suffix[:-1]) == suffix[-1]


def looks_made(suffix: str) -> bool:
    """Whether ``suffix`` has the length and the characters of one made here."""
    return len(suffix) == BASE_LENGTH + 1 and all(character in _VALUE for character in suffix)


def new_suffix(naan: str) -> str:
    """A random suffix of ``BASE_LENGTH`` characters and its check character."""
    number = secrets.randbelow(_BASES)
    text, total = "", _sum(f"{naan}/")
    for position in range(len(naan) + 2, len(naan) + 2 + BASE_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        text += ALPHABET[digit]
        total += position * digit
    return text + ALPHABET[total % len(ALPHABET)]


def check_suffix(suffix: str) -> str:
    """Return the suffix a client chose when it can be part of a name and of a path.

    1 to 200 of the characters a path segment holds as they are (RFC 3986, ``pchar``), and ``/`` between parts
    that are neither empty nor ``.`` nor ``..``. Raises ``InvalidBody`` with a pointer to ``/suffix``.
    """
    if not _CHOSEN.fullmatch(suffix):
        raise _refused(
            f"A suffix has 1 to {MAX_CHOSEN} letters, digits and - . _ ~ : ( ) / ; = @ ! $ * + ,", "suffix"
        )
    if any(part in {"", ".", ".."} for part in suffix.split("/")):
        raise _refused("The parts of a suffix between slashes are not empty, and not dots alone", "suffix")
    return suffix


def _refused(detail: str, code: str) -> InvalidBody:
    return InvalidBody(detail, errors=[FieldError(pointer="/suffix", detail=detail, code=code)])
