"""Domains: making, changing and removing them, and whose an object may be (CDMI 1.1.1, clause 10).

Operators make domains and say which groups of the trusted issuers are their members; members, and operators, may
give what they store to them. What nobody gave to a domain belongs to that of its container, in the end to the root
domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from indigo_contracts.problems import FieldError
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.problems import BadRequest, Conflict, Forbidden

from indigo_qos_gateway.application.objects import Gateway
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.viewing import OWNERS
from indigo_qos_gateway.domain.domain import (
    DOMAINS,
    MEMBERS,
    SUMMARY,
    Domain,
    check_metadata,
    domain_path,
    member_group,
    reassigned_to,
)
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.metadata import updated
from indigo_qos_gateway.domain.object_id import object_id_of
from indigo_qos_gateway.domain.paths import lineage, parent


async def check_owner(gateway: Gateway, who: Principal, uri: str | None) -> str | None:
    """The domain something is to be given to, when one is named.

    Raises ``BadRequest`` for one that is not there, ``Forbidden`` unless the giver is a member of it, or of one it
    is in, or an operator.
    """
    if uri is None:
        return None
    try:
        path = domain_path(uri)
    except BadRequest as error:
        raise _bad_domain(error.detail) from None
    async with gateway.work() as work:
        if await get_domain(gateway, work, path) is None:
            raise _bad_domain(f"There is no domain {path}/")
        if who.has(Scope.OPERATOR) or path == DOMAINS:
            return path
        for each in lineage(path):
            found = await work.domains.find(each)
            if found is not None and who.groups & set(found.members.values()):
                return path
    raise Forbidden(f"Only its members give something to the domain {path}/")


async def get_domain(gateway: Gateway, work: Work, path: str) -> Domain | None:
    """A domain, the root one too."""
    if path == DOMAINS:
        return Domain(object_id_of(gateway.enterprise, DOMAINS), DOMAINS, work.now)
    return await work.domains.find(path)


async def put_domain(
    gateway: Gateway, path: str, metadata: Mapping[str, Any], names: tuple[str, ...] | None
) -> tuple[Domain, bool]:
    """Make a domain, or give it other metadata; whether it is new. Raises ``ObjectNotFound``, ``BadRequest``."""
    _check_path(path)
    async with gateway.work() as work:
        await work.alone(OWNERS)
        if await get_domain(gateway, work, parent(path)) is None:
            raise ObjectNotFound(f"{parent(path)}/")
        known = await work.domains.find(path)
        if known is not None:
            changed = replace(known, metadata=check_metadata(updated(known.metadata, metadata, names)))
            await work.domains.save(changed)
            return changed, False
        new = Domain(gateway.new_id(), path, work.now, check_metadata(metadata))
        await work.domains.add(new)
        return new, True


async def change_domain(gateway: Gateway, path: str, metadata: Mapping[str, Any]) -> None:
    """Set the given metadata of a domain, and remove those given as null; the others stay.

    Raises ``ObjectNotFound``, ``BadRequest``.
    """
    _check_path(path)
    async with gateway.work() as work:
        await work.alone(OWNERS)
        known = await _existing(work, path)
        changed = updated(known.metadata, metadata, tuple(metadata))
        await work.domains.save(replace(known, metadata=check_metadata(changed)))


async def put_member(gateway: Gateway, path: str, member: str, metadata: Mapping[str, Any]) -> bool:
    """Make a group a member of a domain, under a name; whether the name is new."""
    if path == DOMAINS:
        raise BadRequest("The root domain has no members: everybody who may store may give to it")
    group = member_group(metadata)
    async with gateway.work() as work:
        await work.alone(OWNERS)
        domain = await _existing(work, path)
        await work.domains.save(replace(domain, members={**domain.members, member: group}))
        return member not in domain.members


async def remove_member(gateway: Gateway, path: str, member: str) -> None:
    """Raises ``ObjectNotFound``."""
    async with gateway.work() as work:
        await work.alone(OWNERS)
        domain = await _existing(work, path)
        if member not in domain.members:
            raise ObjectNotFound(f"{path}/{MEMBERS}/{member}")
        left = {name: group for name, group in domain.members.items() if name != member}
        await work.domains.save(replace(domain, members=left))


async def remove_domain(gateway: Gateway, path: str) -> None:
    """Remove an empty domain, or one that says in ``cdmi_domain_delete_reassign`` who gets what belongs to it.

    Raises ``Conflict`` while it has domains in it, or something belongs to it and nobody gets it.
    """
    _check_path(path)
    async with gateway.work() as work:
        await work.alone(OWNERS)
        domain = await _existing(work, path)
        if await work.domains.inside(path):
            raise Conflict(f"{path}/ has domains in it")
        heir = reassigned_to(domain.metadata)
        if heir is not None and (heir == path or await get_domain(gateway, work, heir) is None):
            raise Conflict(f"There is no domain {heir}/ to take over")
        if heir is None:
            totals = await work.domains.totals(path, work.now)
            if totals.objects or totals.containers or totals.queues:
                raise Conflict(f"Something belongs to {path}/; name its heir in cdmi_domain_delete_reassign")
        else:
            await work.domains.reassign(path, heir)
        await work.domains.remove(path)


async def _existing(work: Work, path: str) -> Domain:
    domain = await work.domains.find(path)
    if domain is None:
        raise ObjectNotFound(f"{path}/")
    return domain


def _bad_domain(detail: str) -> BadRequest:
    return BadRequest(detail, errors=[FieldError(pointer="/domainURI", detail=detail, code="domain")])


def _check_path(path: str) -> None:
    segments = path.removeprefix(DOMAINS).split("/")[1:]
    if not segments or any(each.startswith("cdmi_") for each in segments):
        raise BadRequest(f"A domain has a name below {DOMAINS}/ that does not begin with cdmi_")
    if len(segments) > 8:
        raise BadRequest("Domains are at most 8 deep")
    assert {MEMBERS, SUMMARY}.isdisjoint(segments)
