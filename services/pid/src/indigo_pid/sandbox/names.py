"""Random DOI names in the form DataCite gives them.

Source: DataCite REST API, auto-generated suffixes: 30 random bits in Crockford's base 32, padded to six
characters, with a checksum of two digits (ISO 7064 mod 97), in groups of four.
"""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def suffix_of(number: int) -> str:
    """The suffix of a number below 2^30: 122149076 is ``3mfp-6m52``."""
    digits = "".join(_ALPHABET[number >> shift & 31] for shift in range(25, -1, -5))
    text = f"{digits}{98 - number * 100 % 97:02d}"
    return f"{text[:4]}-{text[4:]}"


def random_doi(prefix: str) -> str:
    """A new name under ``prefix``."""
    return f"{prefix}/{suffix_of(secrets.randbits(30))}"
