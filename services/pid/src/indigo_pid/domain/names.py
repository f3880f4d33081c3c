"""The faces of an identifier, and how a name that somebody wrote is read.

Sources: Handle System (RFC 3650: ASCII letters compare without case), DOI Handbook 2.4 (the same for DOI
names), ARK specification draft-kunze-ark, normalization (the NAAN without case, the name with case, hyphens
mean nothing, ``ark:/`` is ``ark:``).
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from indigo_contracts.repository import RecordKind

from indigo_pid.domain.suffix import is_valid_suffix, looks_made

_TO_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_HYPHENS = re.compile("[-‐-―]")  # noqa: RUF001 - the hyphens ARK readers ignore
_PREFIX = re.compile(r"[0-9]+(?:\.[0-9A-Za-z]+)+")


class Scheme(StrEnum):
    HANDLE = "handle"
    DOI = "doi"
    ARK = "ark"


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it is compared: ``key`` is its normal form without the scheme."""

    scheme: Scheme
    key: str


@dataclass(frozen=True, slots=True)
class Faces:
    """The names of one identifier."""

    handle: str
    ark: str | None
    doi: str | None
    resolver_url: str


@dataclass(frozen=True, slots=True)
class Naming:
    """The prefixes names are made under. ``base_url`` is the resolver's, without a slash at the end."""

    handle_prefix: str
    doi_prefix: str
    naan: str
    base_url: str
    more_prefixes: tuple[str, ...] = ()
    """Other prefixes handles are named under here."""
    doi_prefixes: Mapping[RecordKind, str] = field(default_factory=dict)
    """Other prefixes for the DOIs of records of some kinds."""

    def faces(self, suffix: str, kind: RecordKind | None = None) -> Faces:
        """The names that share ``suffix``, of something of ``kind``."""
        handle = f"{self.handle_prefix}/{suffix}"
        doi_prefix = self.doi_prefix if kind is None else self.doi_prefixes.get(kind, self.doi_prefix)
        return Faces(
            handle=handle,
            ark=f"ark:/{self.naan}/{suffix}",
            doi=f"{doi_prefix}/{suffix}",
            resolver_url=f"{self.base_url}/{handle}",
        )

    def handle_alone(self, prefix: str, suffix: str) -> Faces:
        """The name of something that is a handle only."""
        handle = f"{prefix}/{suffix}"
        return Faces(handle=handle, ark=None, doi=None, resolver_url=f"{self.base_url}/{handle}")

    def is_ours(self, name: Name) -> bool:
        """Whether names under this prefix are made here."""
        prefix = name.key.partition("/")[0]
        ours = {
            Scheme.HANDLE: (self.handle_prefix, *self.more_prefixes),
            Scheme.DOI: (self.doi_prefix, *self.doi_prefixes.values()),
            Scheme.ARK: (self.naan,),
        }
        return prefix in map(ascii_lower, ours[name.scheme])

    def is_mistyped(self, name: Name) -> bool:
        """Whether the check character shows that ``name``, which looks like one made here, cannot be one."""
        suffix = name.key.partition("/")[2]
        return self.is_ours(name) and looks_made(suffix) and not is_valid_suffix(self.naan, suffix)


def ascii_lower(text: str) -> str:
    """Lower-case the ASCII letters only: others compare exactly in handles and DOI names."""
    return text.lower() if text.isascii() else text.translate(_TO_LOWER)


def parse_name(text: str) -> Name | None:
    """Read ``<prefix>/<suffix>``, ``10.<n>/<suffix>``, ``ark:<naan>/<name>`` or ``ark:/<naan>/<name>``.

    ``None`` when it is none of them.
    """
    if ascii_lower(text[:4]) == "ark:":
        naan, slash, name = text[4:].removeprefix("/").partition("/")
        key = _HYPHENS.sub("", name).rstrip("/.")
        return Name(Scheme.ARK, f"{ascii_lower(naan)}/{key}") if slash and naan and key else None
    prefix, _, suffix = text.partition("/")
    if not suffix or not _PREFIX.fullmatch(prefix):
        return None
    scheme = Scheme.DOI if prefix.startswith("10.") else Scheme.HANDLE
    return Name(scheme, ascii_lower(text))
