"""Identifiers that clients ask for."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from indigo_contracts.pid import IdentifierMinted, IdentifierState, IdentifierTombstoned, IdentifierUpdated
from indigo_contracts.problems import FieldError
from indigo_contracts.repository import RecordKind
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.etag import Expected
from indigo_kernel.problems import Conflict, Forbidden, InvalidBody, NotFound

from indigo_pid.application.ports import Work
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.merge import merge_patch
from indigo_pid.domain.names import Naming, parse_name
from indigo_pid.domain.suffix import new_suffix
from indigo_pid.domain.target import check_target

MAX_METADATA_BYTES = 64 * 1024
_TRIES = 5
"""A random name being taken once in 2^48 is luck; five times in a row is a broken random source."""


@dataclass(frozen=True, slots=True)
class MintRequest:
    """What a client wants an identifier for. With a ``target`` it is active at once."""

    kind: RecordKind | None = None
    target: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How names are made, and where they may lead."""

    naming: Naming
    allowed_hosts: Collection[str] = ()

    def target(self, url: str) -> str:
        """``url`` if the resolver may redirect to it. Raises ``InvalidBody``."""
        return check_target(url, allowed_hosts=self.allowed_hosts, resolver=self.naming.base_url)


async def add_new(work: Work, rules: Rules, **fields: Any) -> Identifier:
    """Store a new reserved identifier under a name nobody has. ``fields`` as of ``Identifier.mint``."""
    for _ in range(_TRIES):
        suffix = new_suffix(rules.naming.naan)
        identifier = Identifier.mint(rules.naming, suffix, now=work.now, **fields)
        if await work.identifiers.add(identifier):
            return identifier
    raise RuntimeError(f"{_TRIES} random names in a row were taken")


async def mint_identifier(work: Work, rules: Rules, request: MintRequest, who: Principal) -> Identifier:
    """Mint for whatever a client brings. Needs the scope ``pid:mint``."""
    who.require(Scope.PID_MINT)
    target = None if request.target is None else rules.target(request.target)
    identifier = await add_new(
        work,
        rules,
        kind=request.kind,
        metadata=_checked(request.metadata),
        owner=Owner(who.iss, who.sub),
    )
    if target is not None:
        identifier = identifier.direct(target, now=work.now)
        await work.identifiers.save(identifier)
    work.emit(
        IdentifierMinted(identifier=identifier.snapshot(), actor=who.actor),
        subject=identifier.subject,
        version=identifier.version,
    )
    return identifier


async def read_identifier(work: Work, handle: str, who: Principal) -> Identifier:
    """Any identifier that resolves or did; a reserved one only for its owner and for services and operators.

    Raises ``NotFound``.
    """
    identifier = await _find(work, handle)
    if identifier.state is IdentifierState.RESERVED and not _may_see_reserved(identifier, who):
        raise NotFound(f"There is no identifier {handle}")
    return identifier


async def change_identifier(
    work: Work, rules: Rules, handle: str, change: Mapping[str, Any], expected: Expected, who: Principal
) -> Identifier:
    """Lead elsewhere, or describe anew: ``change`` is a merge patch (RFC 7396) of ``target`` and ``metadata``.

    A reserved identifier becomes active with its first target.
    Raises ``NotFound``, ``Forbidden``, ``StaleVersion``, ``Conflict``, ``InvalidBody``.
    """
    before = await _own(work, handle, expected, who)
    identifier = before
    if "metadata" in change:
        metadata = merge_patch(before.metadata, change["metadata"])
        identifier = identifier.describe(_checked(metadata), now=work.now)
    if "target" in change:
        identifier = identifier.direct(rules.target(change["target"]), now=work.now)
    if identifier is not before:
        await work.identifiers.save(identifier)
        work.emit(
            IdentifierUpdated(identifier=identifier.snapshot(), actor=who.actor),
            subject=identifier.subject,
            version=identifier.version,
        )
    return identifier


async def tombstone_identifier(
    work: Work, handle: str, reason: str, expected: Expected, who: Principal
) -> Identifier:
    """State that what the identifier names is gone. The name stays, and is never given again.

    Raises ``NotFound``, ``Forbidden``, ``StaleVersion``, ``Conflict``.
    """
    identifier = (await _own(work, handle, expected, who)).tombstone(reason, now=work.now)
    await work.identifiers.save(identifier)
    work.emit(
        IdentifierTombstoned(identifier=identifier.snapshot(), reason=reason, actor=who.actor),
        subject=identifier.subject,
        version=identifier.version,
    )
    return identifier


async def _find(work: Work, handle: str, *, for_update: bool = False) -> Identifier:
    name = parse_name(handle)
    identifier = None if name is None else await work.identifiers.find(name, for_update=for_update)
    if identifier is None:
        raise NotFound(f"There is no identifier {handle}")
    return identifier


async def _own(work: Work, handle: str, expected: Expected, who: Principal) -> Identifier:
    """The identifier if ``who`` may change it and meant its current version, locked."""
    who.require(Scope.PID_MINT)
    identifier = await _find(work, handle, for_update=True)
    if not _owns(identifier, who) and not who.has(Scope.OPERATOR):
        if identifier.state is IdentifierState.RESERVED:
            raise NotFound(f"There is no identifier {handle}")
        raise Forbidden(f"{identifier.handle} belongs to somebody else")
    if identifier.record_id is not None:
        raise Conflict(f"{identifier.handle} follows the record {identifier.record_id}; change the record")
    expected.check(identifier.version)
    return identifier


def _owns(identifier: Identifier, who: Principal) -> bool:
    return identifier.owner is not None and who.owns(identifier.owner.iss, identifier.owner.sub)


def _may_see_reserved(identifier: Identifier, who: Principal) -> bool:
    return _owns(identifier, who) or who.has(Scope.OPERATOR) or who.has(Scope.SERVICE)


def _checked(metadata: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if metadata is not None and len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        detail = f"Metadata has at most {MAX_METADATA_BYTES} bytes"
        raise InvalidBody(detail, errors=[FieldError(pointer="/metadata", detail=detail, code="too_long")])
    return metadata
