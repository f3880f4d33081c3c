"""What the resolver knows of a name, in a few bytes, and under which key it is found.

The faces of an identifier share one suffix, so one entry answers for all of them: its key is the suffix, its
value one character and the target. A name that does not follow this (another prefix, a prefix of earlier days)
has an entry under its whole name. A handle with a template has another one, which holds its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from indigo_contracts.pid import IdentifierState

from indigo_pid.domain.names import Name, Naming, Scheme, ascii_lower

_HANDLE_FACE, _DOI_FACE, _ARK_FACE = 1, 2, 4
_WHOLE_NAME = 8
"""Instead of faces: the entry is under a whole name, and no suffix is looked up there."""

_COMBINATIONS = 9
_FACE = {Scheme.HANDLE: _HANDLE_FACE, Scheme.DOI: _DOI_FACE, Scheme.ARK: _ARK_FACE}
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
    IdentifierState.RESERVED: Standing.RESERVED,
    IdentifierState.ACTIVE: Standing.ACTIVE,
    IdentifierState.TOMBSTONED: Standing.GONE,
}

_FIRST_BYTES = tuple(
    tuple(bytes((_BASE + (standing << 4) + faces,)) for faces in range(_COMBINATIONS)) for standing in Standing
)
_STANDINGS = {first[0]: standing for standing in Standing for first in _FIRST_BYTES[standing]}


NO_TEMPLATE = "-"
"""In place of the values of a handle that has no template (any more)."""


class Row(NamedTuple):
    """The part of an identifier that resolution needs; names as they are compared, ``""`` for none."""

    handle_key: str
    ark_key: str
    doi: str
    state: str
    target: str
    choice: bool = False
    values: str = ""
    """What a handle says that has a template, JSON; ``NO_TEMPLATE`` for others, nothing for what nobody wrote."""


def standing_of(value: bytes) -> Standing:
    """What the entry ``value`` says."""
    return _STANDINGS[value[0]]


class Keys:
    """Where entries are kept. Keys of whole names begin with a space, which no suffix has."""

    def __init__(self, naming: Naming) -> None:
        self._handle = f"{ascii_lower(naming.handle_prefix)}/"
        self._doi = f"{naming.doi_prefix}/"
        self._ark = f"{naming.naan}/"
        self._ours = {Scheme.HANDLE: self._handle, Scheme.DOI: self._doi, Scheme.ARK: self._ark}
        self.leading = {
            naming.handle_prefix: _active(_HANDLE_FACE),
            ascii_lower(naming.handle_prefix): _active(_HANDLE_FACE),
            naming.doi_prefix: _active(_DOI_FACE),
        }
        """By prefix: the first bytes, under their suffix, of handles or DOI names that lead somewhere."""

    def entries(self, row: Row) -> Iterator[tuple[str, bytes]]:
        """The entries that answer for ``row``: one, and one for each name that does not share the suffix.

        An empty one is to be forgotten. Written for speed: it runs a million times when a resolver starts.
        """
        handle_key, ark_key, doi, state, target, choice, values = row
        standing = Standing.CHOICE if choice else _OF_STATE[state]  # type: ignore[index]  # a str enum's value
        firsts = _FIRST_BYTES[standing]
        place = target.encode() if standing & 1 else b""  # active, or a choice
        suffix = handle_key.removeprefix(self._handle)
        ours = len(suffix) < len(handle_key)
        faces, others = (_HANDLE_FACE, []) if ours else (0, [_whole(Scheme.HANDLE, handle_key)])
        if doi:
            if ours and doi == self._doi + suffix:
                faces |= _DOI_FACE
            else:
                others.append(_whole(Scheme.DOI, doi))
        if ark_key:
            if ours and ark_key == self._ark + suffix:
                faces |= _ARK_FACE
            else:
                others.append(_whole(Scheme.ARK, ark_key))
        if faces:
            yield suffix, firsts[faces] + place
        for key in others:
            yield key, firsts[_WHOLE_NAME] + place
        if values:
            yield values_key(handle_key), b"" if values == NO_TEMPLATE else values.encode()

    def of(self, name: Name) -> Iterator[tuple[str, int]]:
        """Keys an entry for ``name`` may have, most usual first, each with the face its entry must show."""
        suffix = name.key.removeprefix(self._ours[name.scheme])
        if len(suffix) < len(name.key):
            yield suffix, _FACE[name.scheme]
        yield _whole(name.scheme, name.key), _WHOLE_NAME


def values_key(handle_key: str) -> str:
    """Where the values of a handle with a template are kept."""
    return f" v{handle_key}"


def _active(face: int) -> frozenset[int]:
    return frozenset(_FIRST_BYTES[Standing.ACTIVE][faces][0] for faces in range(_WHOLE_NAME) if faces & face)


def shows(value: bytes, face: int) -> bool:
    """Whether the entry ``value`` is there for ``face``."""
    return bool((value[0] - _BASE) & face)


def _whole(scheme: Scheme, key: str) -> str:
    return f" {scheme[0]}{key}"
