"""Handles nobody wrote, looked for: which written one they are computed from, and by which template."""

from __future__ import annotations

import re

from indigo_contracts.pid import IdentifierState
from indigo_kernel.problems import InvalidBody

from indigo_pid.application.identifiers import Rules
from indigo_pid.application.ports import Work
from indigo_pid.domain.handle_values import URL, InvalidValue, Value, first_text, values_of
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import Name, Scheme, parse_name
from indigo_pid.domain.namespaces import NAMESPACE, REGISTRY, Namespace, NotThere, computed_values, read_namespace

MAX_CUTS = 20
"""Shorter names that are looked for at most."""

_CUT = re.compile(r"[^0-9A-Za-z]")


async def template_values(work: Work, rules: Rules, handle: str) -> list[Value] | None:
    """The values of ``handle``, which does not exist itself; ``None`` when no template makes any.

    The template is the HS_NAMESPACE value of the handle it is computed from, or that of the handle of its prefix,
    ``0.NA/<prefix>``. A URL that nobody may be sent to is as if the handle did not exist.
    """
    name = parse_name(handle)
    if name is None or name.scheme is not Scheme.HANDLE or not rules.naming.is_ours(name):
        return None
    prefix, _, suffix = handle.partition("/")
    begin = len(prefix) + 1
    cuts = [begin + cut.start() for cut in _CUT.finditer(suffix) if cut.start() > 0][:MAX_CUTS]
    names = {base: parsed for base in (handle[:cut] for cut in cuts) if (parsed := parse_name(base)) is not None}
    if not names:
        return None
    above = Name(Scheme.HANDLE, f"{REGISTRY}/{prefix}".lower())
    found = await work.identifiers.with_handles([*names.values(), above])
    known = {base: found[parsed.key] for base, parsed in names.items() if parsed.key in found}
    own = [(base, _namespace(known[base])) for base in sorted(known, key=len, reverse=True)]
    common = _namespace(found[above.key]) if above.key in found else None
    base, namespace = next(
        (
            (base, one)
            for base, one in [*own, *((base, common) for base in sorted(known, key=len))]
            if one is not None and handle.startswith(one.delimiter, len(base))
        ),
        ("", None),
    )
    if namespace is None or known[base].state is not IdentifierState.ACTIVE:
        return None
    template = await _referred(work, namespace)
    if template is None:
        return None
    try:
        values = computed_values(template, handle, base, values_of(known[base]))
        url = first_text(values, URL)
        if url is not None:
            rules.target(url, of=handle)
    except (NotThere, InvalidBody):
        return None
    return values


def _namespace(identifier: Identifier) -> Namespace | None:
    if identifier.state is not IdentifierState.ACTIVE or identifier.values is None:
        return None
    text = first_text(identifier.values, NAMESPACE)
    try:
        return None if text is None else read_namespace(text)
    except InvalidValue:  # written before it was checked
        return None


async def _referred(work: Work, namespace: Namespace) -> Namespace | None:
    """``namespace`` doing what the one it refers to does; one that refers on is not followed."""
    if namespace.ref is None:
        return namespace
    name = parse_name(namespace.ref)
    other = None if name is None else await work.identifiers.find(name)
    found = None if other is None else _namespace(other)
    if found is None or found.ref is not None:
        return None
    return Namespace(namespace.delimiter, None, found.template, found.patterns)
