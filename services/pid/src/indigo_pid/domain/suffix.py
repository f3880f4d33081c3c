"""Opaque suffixes with a check character: a mistyped identifier is told from an unknown one.

Source: the Noid Check Digit Algorithm (NCDA), ARK specification (draft-kunze-ark), appendix on the NOID check
digit. The character is computed over ``<naan>/<base>``, so the ARK face passes any NOID checker; handle and
DOI carry the same suffix.
"""

from __future__ import annotations

import secrets

ALPHABET = "0123456789bcdfghjkmnpqrstvwxz"
"""The 29 betanumeric characters: no vowels (no words), no ``l`` (no mix-up with ``1``)."""

BASE_LENGTH = 10
"""Characters before the check character: 48.6 random bits."""

_VALUE = {character: position for position, character in enumerate(ALPHABET)}


def check_character(naan: str, base: str) -> str:
    """The NOID check character of ``<naan>/<base>``.

    Each character counts its place in the alphabet (others count 0) times its position from 1. One changed
    character, or two neighbors swapped, changes the sum modulo 29 while the text is shorter than 29.
    """
    text = f"{naan}/{base}"
    total = sum(position * _VALUE.get(character, 0) for position, character in enumerate(text, start=1))
    return ALPHABET[total % len(ALPHABET)]


def is_valid_suffix(naan: str, suffix: str) -> bool:
    """Whether ``suffix`` ends in its own check character."""
    return len(suffix) > 1 and check_character(naan, suffix[:-1]) == suffix[-1]


def new_suffix(naan: str) -> str:
    """A random suffix of ``BASE_LENGTH`` characters and its check character."""
    base = "".join(secrets.choice(ALPHABET) for _ in range(BASE_LENGTH))
    return base + check_character(naan, base)
