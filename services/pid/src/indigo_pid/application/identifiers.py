"""Identifiers that clients ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from indigo_contracts.pid import IdentifierState
from indigo_contracts.problems import FieldError
from indigo_contracts.repository import RecordKind
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.etag import Expected
from indigo_kernel.problems import AlreadyExists, Conflict, Forbidden, InvalidBody, NotFound

from indigo_pid.application.changes import store_change, store_new
from indigo_pid.application.ports import Work
from indigo_pid.application.prefixes import Prefixes
from indigo_pid.domain.handle_values import leading_to
from indigo_pid.domain.history import Change, Entry
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.merge import merge_patch
from indigo_pid.domain.names import Name, Naming, ascii_lower, parse_name
from indigo_pid.domain.proxies import name_at
from indigo_pid.domain.suffix import check_suffix, new_suffix
from indigo_pid.domain.target import check_target

MAX_ERRORS = 50
"""Taken names told in one answer."""

MAX_METADATA_BYTES = 64 * 1024
_AT_ONCE = 2_500
"""Identifiers made and stored before other requests of this process have their turn."""

_TRIES = 5
"""A random name being taken once in 2^48 is luck; five times in a row is a broken random source."""


@dataclass(frozen=True, slots=True)
class MintRequest:
    """What a client wants an identifier for. With a ``target`` it is active at once.

    Without a ``suffix`` it is named at random; with one, or under another prefix than the usual one, it is a
    handle only.
    """

    kind: RecordKind | None = None
    target: str | None = None
    metadata: Mapping[str, Any] | None = None
    prefix: str | None = None
    suffix: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How names are made, by whom, and where they may lead."""

    naming: Naming
    prefixes: Prefixes
    allowed_hosts: Collection[str] = ()
    hosts_of_prefix: Mapping[str, Collection[str]] = field(default_factory=dict)
    """For handles under these prefixes, instead of ``allowed_hosts``."""

    def target(self, url: str, *, of: str) -> str:
        """``url`` if ``of``, a handle or its prefix, may lead there. Raises ``InvalidBody``."""
        name = parse_name(name_at(url, self.naming.base_url) or "")
        ours = name is not None and self.naming.is_ours(name)
        prefix = ascii_lower(of.partition("/")[0])
        hosts = next(
            (hosts for one, hosts in self.hosts_of_prefix.items() if ascii_lower(one) == prefix),
            self.allowed_hosts,
        )
        return check_target(url, allowed_hosts=hosts, ours=ours)


async def add_new(work: Work, rules: Rules, **fields: Any) -> Identifier:
    """Store a new reserved identifier under a name nobody has. ``fields`` as of ``Identifier.mint``."""
    (made,) = await add_random(work, rules, [lambda suffix: _minted(work, rules, suffix, fields)], None)
    return made


def _minted(work: Work, rules: Rules, suffix: str, fields: Mapping[str, Any]) -> Identifier:
    return Identifier.mint(rules.naming, suffix, now=work.now, **fields)


Make = Callable[[str], Identifier]
"""Makes an identifier out of a suffix."""


async def add_random(work: Work, rules: Rules, makes: Sequence[Make], actor: Owner | None) -> list[Identifier]:
    """Store an identifier for each of ``makes``, each under a name nobody has."""
    stored: list[Identifier] = []
    for start in range(0, len(makes), _AT_ONCE):
        stored += await _add_batch(work, rules, makes[start : start + _AT_ONCE], actor)
    return stored


async def _add_batch(work: Work, rules: Rules, makes: Sequence[Make], actor: Owner | None) -> list[Identifier]:
    found: list[Identifier] = []
    for _ in range(_TRIES):
        made = [make(new_suffix(rules.naming.naan)) for make in makes[len(found) :]]
        found += await store_new(work, made, actor)
        if len(found) == len(makes):
            return found
    raise RuntimeError(f"{_TRIES} random names in a row were taken")


async def mint_identifier(work: Work, rules: Rules, request: MintRequest, who: Principal) -> Identifier:
    """Mint for whatever a client brings. Needs the scope ``pid:mint``.

    Raises ``Forbidden`` for a prefix of other people's, ``InvalidBody`` for one that is not ours and for a
    suffix or a target that cannot be, ``AlreadyExists`` for a name that was given before.
    """
    (made,) = await mint_identifiers(work, rules, [request], who, item="")
    return made


async def mint_identifiers(
    work: Work, rules: Rules, requests: Sequence[MintRequest], who: Principal, *, item: str = "/items/{}"
) -> list[Identifier]:
    """Mint for all of ``requests`` or for none. Errors as of ``mint_identifier``; ``item`` points to the n-th."""
    who.require(Scope.PID_MINT)
    owner = Owner(who.iss, who.sub)
    makes: list[Make] = []
    for number, request in enumerate(requests):
        if number and request is requests[number - 1]:  # many of a kind are checked once
            makes.append(makes[-1])
            continue
        with errors_below(item.format(number)):
            makes.append(_make(work, rules, request, who, owner))
    named = {number: request.suffix for number, request in enumerate(requests) if request.suffix is not None}
    stored: dict[int, Identifier] = {}
    if named:
        chosen = {number: makes[number](suffix) for number, suffix in named.items()}
        stored = await _add_chosen(work, chosen, owner, item)
    others = [number for number in range(len(requests)) if number not in named]
    random = await add_random(work, rules, [makes[number] for number in others], owner) if others else []
    stored |= dict(zip(others, random, strict=True))
    return [stored[number] for number in range(len(requests))]


def _make(work: Work, rules: Rules, request: MintRequest, who: Principal, owner: Owner) -> Make:
    """Check a request once; then its identifier can be made under any suffix."""
    prefix = rules.prefixes.chosen(request.prefix)
    rules.prefixes.admit(prefix, who)
    if request.suffix is not None:
        check_suffix(request.suffix)
    target = None if request.target is None else rules.target(request.target, of=prefix)
    metadata = _checked(request.metadata)
    alone = request.suffix is not None or prefix != rules.naming.handle_prefix

    def make(suffix: str) -> Identifier:
        made = Identifier.mint(
            rules.naming,
            suffix,
            now=work.now,
            prefix=prefix if alone else None,
            kind=request.kind,
            metadata=metadata,
            owner=owner,
        )
        return made if target is None else made.direct(target, now=work.now)

    return make


async def _add_chosen(
    work: Work, chosen: Mapping[int, Identifier], owner: Owner, item: str
) -> dict[int, Identifier]:
    """Store identifiers under names clients chose. Raises ``AlreadyExists`` naming those that are taken."""
    names = {number: _name(one.handle) for number, one in chosen.items()}
    first: dict[str, int] = {}  # of two that ask for one name
    for number, name in names.items():
        first.setdefault(name.key, number)
    stored = {
        one.handle: one for one in await store_new(work, [chosen[number] for number in first.values()], owner)
    }
    if len(stored) == len(chosen):
        return {number: stored[one.handle] for number, one in chosen.items()}
    states = await work.identifiers.taken(list(names.values()))
    errors = []
    for number, one in chosen.items():
        name = names[number]
        if one.handle in stored and first[name.key] == number:
            continue
        gone = states[name.key] is IdentifierState.TOMBSTONED
        why = "was tombstoned, and a name is never given twice" if gone else "exists"
        detail = f"{one.handle} {why}"
        code = "tombstoned" if gone else "taken"
        errors.append(FieldError(pointer=f"{item.format(number)}/suffix", detail=detail, code=code))
    raise AlreadyExists(errors[0].detail, errors=errors[:MAX_ERRORS])


async def read_identifier(work: Work, handle: str, who: Principal) -> Identifier:
    """Any identifier that resolves or did; a reserved one only for its owner and for services and operators.

    Raises ``NotFound``.
    """
    identifier = await _find(work, handle)
    if identifier.state is IdentifierState.RESERVED and not _may_see_reserved(identifier, who):
        raise NotFound(f"There is no identifier {handle}")
    return identifier


async def unused_identifiers(work: Work, who: Principal, *, after: str | None, limit: int) -> list[Identifier]:
    """Identifiers that were reserved for drafts that came to nothing, by name. For operators."""
    who.require(Scope.OPERATOR)
    return await work.identifiers.unused(after=after, limit=limit)


async def change_identifier(
    work: Work, rules: Rules, handle: str, change: Mapping[str, Any], expected: Expected, who: Principal
) -> Identifier:
    """Lead elsewhere, or describe anew: ``change`` is a merge patch (RFC 7396) of ``target`` and ``metadata``.

    A reserved identifier becomes active with its first target.
    Raises ``NotFound``, ``Forbidden``, ``StaleVersion``, ``Conflict``, ``InvalidBody``.
    """
    before = await own_identifier(work, handle, expected, who)
    identifier = before
    if "metadata" in change:
        metadata = merge_patch(before.metadata, change["metadata"])
        identifier = identifier.describe(_checked(metadata), now=work.now)
    if "target" in change:
        target = rules.target(change["target"], of=before.handle)
        if before.values is None or target == before.target:
            identifier = identifier.direct(target, now=work.now)
        else:  # what the Handle face was told is what it tells: it must not lead to where it led before
            identifier = identifier.write(leading_to(before.values, target, now=work.now), target, now=work.now)
    if identifier is before:
        return before
    return await store_change(work, identifier, Change.UPDATED, Owner(who.iss, who.sub))


async def read_history(work: Work, handle: str, who: Principal) -> tuple[Identifier, list[Entry]]:
    """An identifier and its history, oldest first, for whoever may read it. Raises ``NotFound``."""
    identifier = await read_identifier(work, handle, who)
    return identifier, await work.identifiers.history(identifier.handle)


@contextmanager
def errors_below(pointer: str, *, instead: bool = False) -> Iterator[None]:
    """Errors of fields point to below ``pointer``, or to it ``instead`` of where they pointed."""
    try:
        yield
    except InvalidBody as error:
        error.errors = [
            one.model_copy(update={"pointer": pointer if instead else pointer + one.pointer})
            for one in error.errors
        ]
        raise


def _name(handle: str) -> Name:
    name = parse_name(handle)
    assert name is not None, f"{handle} was made here"
    return name


async def _find(work: Work, handle: str, *, for_update: bool = False) -> Identifier:
    name = parse_name(handle)
    identifier = None if name is None else await work.identifiers.find(name, for_update=for_update)
    if identifier is None:
        raise NotFound(f"There is no identifier {handle}")
    return identifier


async def own_identifier(work: Work, handle: str, expected: Expected, who: Principal) -> Identifier:
    """The identifier if ``who`` may change it and meant its current version, locked."""
    who.require(Scope.PID_MINT)
    identifier = await _find(work, handle, for_update=True)
    if not owns(identifier, who) and not who.has(Scope.OPERATOR):
        if identifier.state is IdentifierState.RESERVED:
            raise NotFound(f"There is no identifier {handle}")
        raise Forbidden(f"{identifier.handle} belongs to somebody else")
    if identifier.record_id is not None:
        raise Conflict(f"{identifier.handle} follows the record {identifier.record_id}; change the record")
    expected.check(identifier.version)
    return identifier


def owns(identifier: Identifier, who: Principal) -> bool:
    """Whether ``identifier`` was minted for ``who``."""
    return identifier.owner is not None and who.owns(identifier.owner.iss, identifier.owner.sub)


def _may_see_reserved(identifier: Identifier, who: Principal) -> bool:
    return owns(identifier, who) or who.has(Scope.OPERATOR) or who.has(Scope.SERVICE)


def _checked(metadata: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if metadata is not None and len(json.dumps(metadata, ensure_ascii=False).encode()) > MAX_METADATA_BYTES:
        detail = f"Metadata has at most {MAX_METADATA_BYTES} bytes"
        raise InvalidBody(detail, errors=[FieldError(pointer="/metadata", detail=detail, code="too_long")])
    return metadata
