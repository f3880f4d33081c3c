"""What clients of the Handle face do: write the values of a handle, some or all, and end it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from indigo_contracts.pid import IdentifierState
from indigo_kernel.auth.principal import Principal
from indigo_kernel.auth.scopes import Scope
from indigo_kernel.problems import AlreadyExists, Conflict, Forbidden, NotFound

from indigo_pid.application.changes import store_change, store_new
from indigo_pid.application.identifiers import Rules, owns
from indigo_pid.application.ports import Work
from indigo_pid.domain.handle_values import (
    LOCATIONS,
    URL,
    InvalidValue,
    Value,
    first_text,
    index_of,
    is_type,
    merged,
    read_values,
    values_of,
)
from indigo_pid.domain.history import Change
from indigo_pid.domain.identifier import Identifier, Owner
from indigo_pid.domain.locations import read_locations
from indigo_pid.domain.names import ascii_lower, parse_name
from indigo_pid.domain.namespaces import NAMESPACE, REGISTRY, read_namespace
from indigo_pid.domain.suffix import check_suffix, new_suffix

DELETED = "It was deleted through the Handle API."


class ForeignPrefix(Exception):
    """Names under this prefix live elsewhere."""


class InvalidHandle(Exception):
    """No name a handle can have here."""


class ValueExists(Exception):
    """There is a value at this index."""


class NoSuchValues(Exception):
    """There are no values at these indices."""


async def put_handle(
    work: Work,
    rules: Rules,
    handle: str,
    given: Any,
    who: Principal,
    *,
    overwrite: bool,
    indices: Collection[int] | None,
) -> tuple[Identifier, bool]:
    """Create a handle with the values ``given``, or replace those it has; whether it, or a value, is new.

    With ``indices`` only values at these are added or replaced; an empty collection stands for those given.
    Raises ``ForeignPrefix``, ``InvalidHandle``, ``InvalidValue``, ``InvalidBody`` for a target nobody may be
    sent to, ``Forbidden``, ``AlreadyExists``, ``ValueExists``, ``NotFound``.
    """
    found = await _for_writing(work, rules, handle, who)
    values = read_values(given, now=work.now)
    if indices and not {index_of(one) for one in values} <= set(indices):
        raise InvalidValue("A value has an index that is not named in the query")
    actor = Owner(who.iss, who.sub)
    if found is None:
        if indices is not None:
            raise NotFound(f"There is no handle {handle}")
        return await _create(work, rules, handle, values, actor), True
    if found.state is IdentifierState.TOMBSTONED:
        raise AlreadyExists(f"{found.handle} was tombstoned, and a name is never given twice")
    if indices is None:
        if not overwrite:
            raise AlreadyExists(f"{found.handle} exists")
        return await _write(work, rules, found, values, actor), False
    old = values_of(found)
    known = {index_of(one) for one in old}
    taken = [index_of(one) for one in values if index_of(one) in known]
    if taken and not overwrite:
        raise ValueExists(f"There is a value at {taken[0]}")
    return await _write(work, rules, found, merged(old, values), actor), not taken


async def mint_handle(work: Work, rules: Rules, begun: str, given: Any, who: Principal) -> Identifier:
    """Create a handle whose name is ``begun`` (prefix, slash, anything) and a random end. Errors as above."""
    made, _ = await put_handle(
        work, rules, begun + new_suffix(rules.naming.naan), given, who, overwrite=False, indices=None
    )
    return made


async def delete_handle(
    work: Work, rules: Rules, handle: str, who: Principal, *, indices: Collection[int] | None
) -> Identifier:
    """Remove the values at ``indices``; without them, leave a tombstone: names are never removed.

    Raises ``ForeignPrefix``, ``InvalidHandle``, ``Forbidden``, ``NotFound``, ``NoSuchValues``.
    """
    found = await _for_writing(work, rules, handle, who)
    if found is None or found.state is IdentifierState.TOMBSTONED:
        raise NotFound(f"There is no handle {handle}")
    actor = Owner(who.iss, who.sub)
    if indices is None:
        gone = found.tombstone(DELETED, now=work.now)
        return await store_change(work, gone, Change.TOMBSTONED, actor)
    old = values_of(found)
    if not set(indices) & {index_of(one) for one in old}:
        raise NoSuchValues("There are no values at these indices")
    return await _write(work, rules, found, [one for one in old if index_of(one) not in indices], actor)


async def _for_writing(work: Work, rules: Rules, handle: str, who: Principal) -> Identifier | None:
    """The identifier if ``who`` may write it, locked; ``None`` when the name is free and ``who`` may take it."""
    who.require(Scope.PID_MINT)
    name = parse_name(handle)
    if name is None:
        raise InvalidHandle("A handle is a prefix, a slash and a suffix")
    found = await work.identifiers.find(name, for_update=True)
    if found is not None:
        if not owns(found, who) and not who.has(Scope.OPERATOR):
            raise Forbidden(f"{found.handle} belongs to somebody else")
        if found.record_id is not None:
            raise Conflict(f"{found.handle} follows the record {found.record_id}; change the record")
        return found
    if _is_of_prefix(rules, handle):
        who.require(Scope.OPERATOR)
        return None
    prefix = rules.prefixes.named(handle.partition("/")[0])
    if prefix is None:
        raise ForeignPrefix("That prefix doesn't live here")
    rules.prefixes.admit(prefix, who)
    return None


def _is_of_prefix(rules: Rules, handle: str) -> bool:
    """Whether this is the handle of one of our prefixes, which says what holds for all below it."""
    registry, _, prefix = handle.partition("/")
    return ascii_lower(registry) == ascii_lower(REGISTRY) and rules.prefixes.named(prefix) is not None


async def _create(work: Work, rules: Rules, handle: str, values: Sequence[Value], actor: Owner) -> Identifier:
    asked, _, suffix = handle.partition("/")
    prefix = REGISTRY if _is_of_prefix(rules, handle) else rules.prefixes.chosen(asked)
    bare = Identifier.mint(rules.naming, check_suffix(suffix), now=work.now, prefix=prefix, owner=actor)
    stored = await store_new(work, [_written(work, rules, bare, values)], actor)
    if not stored:
        raise AlreadyExists(f"{handle} exists")  # another request made it just now
    return stored[0]


async def _write(
    work: Work, rules: Rules, identifier: Identifier, values: Sequence[Value], actor: Owner
) -> Identifier:
    return await store_change(work, _written(work, rules, identifier, values), Change.UPDATED, actor)


def _written(work: Work, rules: Rules, identifier: Identifier, values: Sequence[Value]) -> Identifier:
    """The identifier with ``values``, every place it may lead to checked."""
    for value in values:
        if is_type(value, NAMESPACE):
            read_namespace(str(value["data"]["value"]))
    target = first_text(values, URL)
    locations = first_text(values, LOCATIONS)
    if locations is not None:
        places = [place.href for place in read_locations(locations).places]
        target = target or places[0]
        for place in places:
            rules.target(place, of=identifier.handle)
    if target is not None:
        rules.target(target, of=identifier.handle)
    return identifier.write(values, target, now=work.now)
