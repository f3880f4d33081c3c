"""What ARK resolvers do besides redirecting: inflections and suffix passthrough.

Sources: ARK specification (draft-kunze-ark), inflections (``?info``; ``??`` of earlier days) and THUMP; ERC in
ANVL (Kunze, "A metadata kernel for electronic permanence"): ``who``, ``what``, ``when``, ``where``, then the
support commitment. Missing elements are ``(:unav)``.
"""

from __future__ import annotations

from fastapi import Request, Response
from indigo_contracts.pid import IdentifierState

from indigo_pid.application.ports import Work
from indigo_pid.domain.identifier import Identifier
from indigo_pid.domain.names import ascii_lower, parse_name
from indigo_pid.domain.passthrough import cuts, extended

_MISSING = "(:unav)"
_TEXT = "text/plain; charset=utf-8"
_PERMANENCE = {
    IdentifierState.ACTIVE: "Permanent: Stable Content",
    IdentifierState.TOMBSTONED: "Not Guaranteed: withdrawn",
}


def wants_kernel_record(request: Request, name: str, *, info: bool) -> bool:
    """Whether an ARK is asked for its kernel metadata as text: ``?info`` or ``??``, and no other media type."""
    if ascii_lower(name[:4]) != "ark:" or not (info or request.scope["query_string"] == b"?"):
        return False
    accept = request.headers.get("accept", "*/*").lower()
    return accept.startswith(("*/*", "text/plain", "text/*"))


def kernel_record(identifier: Identifier, headers: dict[str, str]) -> Response:
    """The electronic resource citation of what ``identifier`` names, in ANVL."""
    record = identifier.record
    told = identifier.metadata or {}
    who = "; ".join(person.name for person in record.creators) if record else str(told.get("creator", ""))
    what = record.title if record else str(told.get("title", ""))
    day = record.publication_date if record else None
    lines = [
        "erc:",
        f"who: {_value(who)}",
        f"what: {_value(what)}",
        f"when: {day.strftime('%Y%m%d') if day else _MISSING}",
        f"where: {identifier.ark}",
        "erc-support:",
        f"who: {_value(record.publisher if record else '')}",
        f"what: {_PERMANENCE.get(identifier.state, _MISSING)}",
        f"when: {identifier.updated_at.strftime('%Y%m%d')}",
        f"where: {identifier.resolver_url}",
        "",
    ]
    return Response(
        "\n".join(lines),
        media_type=_TEXT,
        headers={
            **headers,
            "thump-status": "0.6 200 OK",
            "link": f'</{identifier.ark}>; rel="describes"',
        },
    )


async def below(work: Work, name: str) -> str | None:
    """Where an ARK that was not given leads because a shorter one was; ``None`` when nowhere."""
    for base, rest in cuts(name):
        parsed = parse_name(base)
        found = None if parsed is None else await work.identifiers.find(parsed)
        if found is not None:
            if found.state is not IdentifierState.ACTIVE or found.target is None:
                return None
            return extended(found.target, rest)
    return None


def _value(text: str) -> str:
    """One line: ANVL continues a value on lines that begin with white space."""
    return " ".join(text.split()) or _MISSING
