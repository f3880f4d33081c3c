"""What the resolver knows of a name, in a few bytes, and under which key it is found.

The faces of an identifier share one suffix, so one entry answers for all of them: its key is the suffix, its
value one character and the target. A name that does not follow this (another prefix, a prefix of earlier days)
has an entry under its whole name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from indigo_contracts.pid import IdentifierState

from indigo_pid.domain.names import Name, Naming, Scheme, ascii_lower

_FACE = {Scheme.HANDLE: 1, Scheme.DOI: 2, Scheme.ARK: 4}
_ALL_FACES = 7
_BASE = 64
"""Keeps the first character of a value printable: ``@`` is nothing at all."""


class Standing(IntEnum):
    """What a resolver does with a name."""

    RESERVED = 0
    ACTIVE = 1
    GONE = 2
    CHOICE = 3
    """Active, and one of several places is chosen for each request; the target is the usual one."""


_OF_STATE = {
    "reserved": Standing.RESERVED,
    "active": Standing.ACTIVE,
    "tombstoned": Standing.GONE,
}


@dataclass(frozen=True, slots=True)
class Row:
    """The part of an identifier that resolution needs; names as they are compared, ``""`` for none."""

    handle_key: str
    ark_key: str
    doi: str
    state: IdentifierState | str
    target: str
    choice: bool = False


def standing_of(value: bytes) -> Standing:
    """What the entry ``value`` says."""
    return Standing((value[0] - _BASE) >> 3)


class Keys:
    """Where entries are kept. Keys of whole names begin with a space, which no suffix has."""

    def __init__(self, naming: Naming) -> None:
        self._ours = {
            Scheme.HANDLE: ascii_lower(naming.handle_prefix),
            Scheme.DOI: naming.doi_prefix,
            Scheme.ARK: naming.naan,
        }
        self._faces_of_prefix = {
            naming.handle_prefix: _FACE[Scheme.HANDLE],
            ascii_lower(naming.handle_prefix): _FACE[Scheme.HANDLE],
            naming.doi_prefix: _FACE[Scheme.DOI],
        }

    def entries(self, row: Row) -> Iterator[tuple[str, bytes]]:
        """The entries that answer for ``row``: one, and one for each name that does not share the suffix."""
        standing = Standing.CHOICE if row.choice else _OF_STATE[row.state]
        target = row.target.encode() if standing in {Standing.ACTIVE, Standing.CHOICE} else b""
        names = ((Scheme.HANDLE, row.handle_key), (Scheme.DOI, row.doi), (Scheme.ARK, row.ark_key))
        prefix, _, suffix = row.handle_key.partition("/")
        faces = 0
        for scheme, key in names:
            if prefix == self._ours[Scheme.HANDLE] and key == f"{self._ours[scheme]}/{suffix}":
                faces |= _FACE[scheme]
            elif key:
                yield _whole(scheme, key), _value(standing, _ALL_FACES, target)
        if faces:
            yield suffix, _value(standing, faces, target)

    def of(self, name: Name) -> Iterator[tuple[str, int]]:
        """Keys an entry for ``name`` may have, most usual first, each with the face its entry must show."""
        prefix, _, suffix = name.key.partition("/")
        if prefix == self._ours[name.scheme]:
            yield suffix, _FACE[name.scheme]
        yield _whole(name.scheme, name.key), _ALL_FACES

    def of_usual(self, text: str) -> tuple[str, int] | None:
        """The one key of a handle or DOI name under our prefixes as it is written; ``None`` for other names.

        The same as ``parse_name`` and ``of`` at a fraction of the time.
        """
        prefix, _, suffix = text.partition("/")
        face = self._faces_of_prefix.get(prefix)
        if face is None or not suffix.isascii():
            return None
        return suffix.lower(), face


def shows(value: bytes, face: int) -> bool:
    """Whether the entry ``value`` is there for ``face``."""
    return bool((value[0] - _BASE) & face)


def _value(standing: Standing, faces: int, target: bytes) -> bytes:
    return bytes((_BASE + (standing << 3) + faces,)) + target


def _whole(scheme: Scheme, key: str) -> str:
    return f" {scheme[0]}{key}"
