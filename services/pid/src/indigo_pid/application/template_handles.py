"""Handles nobody wrote, looked for: which written one they are computed from, and by which template."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from indigo_contracts.pid import IdentifierState
from indigo_kernel.problems import InvalidBody

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.name_index import NameIndex
from indigo_pid.application.ports import Work
from indigo_pid.domain.handle_values import URL, InvalidValue, Value, first_text, values_of
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Name, Scheme, ascii_lower, parse_name
from indigo_pid.domain.namespaces import NAMESPACE, REGISTRY, Namespace, NotThere, computed_values, read_namespace
from indigo_pid.domain.resolution import Standing, standing_of

MAX_CUTS = 20
"""Shorter names that are looked for at most."""

_CUT = re.compile(r"[^0-9A-Za-z]")


async def template_values(work: Work, rules: Rules, handle: str) -> list[Value] | None:
    """The values of ``handle``, which does not exist itself; ``None`` when no template makes any.

    The template is the HS_NAMESPACE value of the handle it is computed from, or that of the handle of its prefix,
    ``0.NA/<prefix>``. A URL that nobody may be sent to is as if the handle did not exist.
    """
    names = _bases(rules, handle)
    if not names:
        return None
    above = _above(handle)
    found = await work.identifiers.with_handles([*names.values(), above])
    known = {base: found[name.key] for base, name in names.items() if name.key in found}
    own = {base: _namespace(one) for base, one in known.items()}
    chosen = _chosen(handle, own, _namespace(found.get(above.key)))
    if chosen is None or known[chosen[0]].state is not IdentifierState.ACTIVE:
        return None
    base, namespace = chosen
    name = None if namespace.ref is None else parse_name(namespace.ref)
    other = None if name is None else _namespace(await work.identifiers.find(name))
    return _computed(rules, _doing(namespace, other), handle, base, values_of(known[base]))


def place_in_memory(index: NameIndex, rules: Rules, handle: str) -> str | None:
    """Where ``handle``, which does not exist itself, leads; ``None`` when what is in memory does not tell.

    In memory are the values of handles that have a template, and where others lead: that is their URL.
    """
    names = _bases(rules, handle)
    known = {base: entry for base in names if (entry := index.find(base)) is not None}
    own = {base: _template(index.values_of(names[base])) for base in known}
    chosen = _chosen(handle, own, _template(index.values_of(_above(handle))))
    if chosen is None or not index.is_whole:
        return None
    base, namespace = chosen
    name = None if namespace.ref is None else parse_name(namespace.ref)
    template = _doing(namespace, _template(index.values_of(name)))
    values = index.values_of(names[base])
    if values is None:
        if standing_of(known[base]) is not Standing.ACTIVE or template is None or not template.is_about_urls:
            return None
        target = {"format": "string", "value": known[base][1:].decode()}
        values = [{"index": 1, "type": URL, "data": target}]
    made = _computed(rules, template, handle, base, values)
    return None if made is None else first_text(made, URL)


def _bases(rules: Rules, handle: str) -> dict[str, Name]:
    """The names ``handle`` may be computed from, as they are written in it, shortest first."""
    name = parse_name(handle)
    if name is None or name.scheme is not Scheme.HANDLE or not rules.naming.is_ours(name):
        return {}
    prefix, _, suffix = handle.partition("/")
    begin = len(prefix) + 1
    cuts = [begin + cut.start() for cut in _CUT.finditer(suffix) if cut.start() > 0][:MAX_CUTS]
    return {base: parsed for base in (handle[:cut] for cut in cuts) if (parsed := parse_name(base)) is not None}


def _above(handle: str) -> Name:
    """The handle of the prefix."""
    return Name(Scheme.HANDLE, ascii_lower(f"{REGISTRY}/{handle.partition('/')[0]}"))


def _chosen(
    handle: str, own: dict[str, Namespace | None], common: Namespace | None
) -> tuple[str, Namespace] | None:
    """From what ``handle`` is computed, and by which template: that of the longest name, or the ``common`` one."""
    for base, namespace in [*reversed(own.items()), *((base, common) for base in own)]:
        if namespace is not None and handle.startswith(namespace.delimiter, len(base)):
            return base, namespace
    return None


def _computed(
    rules: Rules, namespace: Namespace | None, handle: str, base: str, values: Sequence[Value]
) -> list[Value] | None:
    if namespace is None:
        return None
    try:
        made = computed_values(namespace, handle, base, values)
        url = first_text(made, URL)
        if url is not None:
            rules.target(url, of=handle)
    except (NotThere, InvalidBody):
        return None
    return made


def _namespace(identifier: Identifier | None) -> Namespace | None:
    if identifier is None or identifier.state is not IdentifierState.ACTIVE:
        return None
    return _template(identifier.values)


def _template(values: Collection[Value] | None) -> Namespace | None:
    text = None if values is None else first_text(values, NAMESPACE)
    try:
        return None if text is None else read_namespace(text)
    except InvalidValue:  # written before it was checked
        return None


def _doing(namespace: Namespace, other: Namespace | None) -> Namespace | None:
    """``namespace``, doing what the ``other`` does if it refers to one; one that refers on is not followed."""
    if namespace.ref is None:
        return namespace
    if other is None or other.ref is not None:
        return None
    return Namespace(namespace.delimiter, None, other.template, other.patterns)
