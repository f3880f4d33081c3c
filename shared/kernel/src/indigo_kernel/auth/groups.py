"""Which groups a token names, from the three claims in use, in one spelling: ``/vo/group/subgroup``.

Sources: WLCG Common JWT Profile 1.3 (``wlcg.groups``), the INDIGO IAM profile (``groups``), AARC-G002
and AARC-G069 (``eduperson_entitlement``). Membership of a subgroup does not imply the group above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

_SEGMENT = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"
_GROUP = re.compile(rf"(?:/{_SEGMENT})+")
_ENTITLEMENT = re.compile(
    r"urn:(?P<nid>[a-z0-9][a-z0-9-]{0,31}):(?P<namespace>[^#]+?):group:(?P<group>[^#]++)(?:#(?P<authority>.+))?",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A group membership as ``eduperson_entitlement`` states it; ``authority`` says who vouches for it."""

    namespace: str
    group: tuple[str, ...]
    role: str | None
    authority: str | None

    @property
    def path(self) -> str:
        return "/" + "/".join(self.group)


def parse_entitlement(value: str) -> Entitlement | None:
    """Read ``urn:<nid>:<namespace>:group:<group>[:<subgroup>]*[:role=<role>][#<authority>]``.

    ``None`` for any other entitlement, which says nothing about groups.
    """
    match = _ENTITLEMENT.fullmatch(value)
    if match is None:
        return None
    # bytes that are no UTF-8 become surrogates, which _plain() refuses
    parts = [unquote(part, errors="surrogateescape") for part in match["group"].split(":")]
    role = parts.pop().removeprefix("role=") if parts[-1].startswith("role=") else None
    if not parts or role == "" or not all(map(_plain, parts)) or not (role is None or _plain(role)):
        return None
    return Entitlement(
        namespace=f"urn:{match['nid'].lower()}:{match['namespace']}",
        group=tuple(parts),
        role=role,
        authority=match["authority"],
    )


def groups_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Every group the claims name. What does not follow a grammar is left out: it gives no right.

    A role is a group of its own, ``/vo/group:role=manager``, next to the group it is held in.
    """
    return frozenset((*_paths(claims.get("wlcg.groups")), *_paths(claims.get("groups")), *_entitled(claims)))


def _paths(claim: object) -> Iterator[str]:
    for value in _texts(claim):
        path = value if value.startswith("/") else f"/{value}"
        if _GROUP.fullmatch(path):
            yield path


def _entitled(claims: Mapping[str, Any]) -> Iterator[str]:
    for value in _texts(claims.get("eduperson_entitlement")):
        entitlement = parse_entitlement(value)
        if entitlement is None:
            continue
        yield entitlement.path
        if entitlement.role is not None:
            yield f"{entitlement.path}:role={entitlement.role}"


def _texts(claim: object) -> Iterator[str]:
    """The strings of a claim that is a list, or a single string where an issuer flattens lists of one."""
    if isinstance(claim, str):
        yield claim
    elif isinstance(claim, list):
        yield from (value for value in claim if isinstance(value, str))


def _plain(segment: str) -> bool:
    """Whether a decoded segment can stand in a path without being read as more than itself."""
    return segment.isprintable() and not {"/", ":"} & set(segment) and segment not in {"", ".", ".."}
