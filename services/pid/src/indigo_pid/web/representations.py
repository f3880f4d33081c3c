"""The representations of what an identifier names: one of the formats, or a citation in a style."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from fastapi import Request, Response
from indigo_contracts.problems import FieldError
from indigo_kernel.etag import not_modified
from indigo_kernel.problems import BadRequest, NotAcceptable

from indigo_pid.application.describe import Description
from indigo_pid.citation.bibliography import (
    USUAL_LOCALE,
    USUAL_STYLE,
    Bibliography,
    UnknownLocale,
    UnknownStyle,
    locale_named,
    style_named,
)
from indigo_pid.citation.csl import csl_item
from indigo_pid.citation.formats import BY_NAME, CITATION, FORMATS, LINKSET, Format, formats_for
from indigo_pid.citation.linkset import linkset
from indigo_pid.citation.negotiation import AWAY, Option, options


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request to the resolver asks for, best first. ``by_query`` when ``?format=`` said so."""

    options: Sequence[Option]
    by_query: bool

    @property
    def leads_away(self) -> bool:
        """Whether the best is to go where the identifier leads."""
        return self.options[0] is AWAY


def asked_for(accept: str | None, named: str | None, style: str | None, locale: str | None) -> Asked:
    """Read ``?format=`` (``named``), which wins, or ``Accept``; ``?style=`` and ``?locale=`` go with either.

    Raises ``BadRequest`` for a format there is not.
    """
    given = {name: value for name, value in (("style", style), ("locale", locale)) if value is not None}
    if named is None:
        return Asked(
            [
                replace(one, parameters={**one.parameters, **given}) if one.format else one
                for one in options(accept)
            ],
            by_query=False,
        )
    wanted = BY_NAME.get(named.strip().lower())
    if wanted is None:
        raise BadRequest("There is no such format", available=[one.name for one in FORMATS])
    return Asked([Option(wanted, wanted.media_type, given)], by_query=True)


class Representations:
    """Makes them, one at a time in a thread of its own: nobody else waits while something large is written.

    Citations are kept, so that only the first to ask for one waits for it.
    """

    def __init__(self) -> None:
        self._bibliography = Bibliography()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="representations")

    async def answer(
        self, request: Request, described: Description, asked: Asked, headers: Mapping[str, str]
    ) -> Response | None:
        """The best representation there is; ``None`` when it is to go where the identifier leads.

        Raises ``NotAcceptable`` (406) with the formats there are, and ``BadRequest`` for a style or a locale
        named in the query that does not exist.
        """
        excuses: list[str] = []
        for option in asked.options:
            if option.format is None:
                return None
            try:
                content = await self._made(described, option.format, option.parameters)
            except (UnknownStyle, UnknownLocale) as unknown:
                if asked.by_query:
                    raise BadRequest(str(unknown)) from unknown
                excuses.append(str(unknown))
                continue
            if content is not None:
                return _response(request, content, option.media_type, described, headers)
        raise _not_acceptable(described, excuses)

    async def usual_citation(self, described: Description) -> str | None:
        """The citation in the usual style; ``None`` when the metadata does not do for one."""
        try:
            content = await self._made(described, CITATION, {})
        except UnknownStyle:
            return None
        return None if content is None else content.decode()

    async def _made(self, described: Description, wanted: Format, parameters: Mapping[str, str]) -> bytes | None:
        """The content; ``None`` when the metadata does not do. Raises ``UnknownStyle``, ``UnknownLocale``."""
        loop = asyncio.get_running_loop()
        if wanted is not CITATION:
            return await loop.run_in_executor(self._thread, _written, described, wanted)
        style = style_named(parameters.get("style", USUAL_STYLE))
        locale = locale_named(parameters.get("locale", USUAL_LOCALE))
        text = self._bibliography.known(described.revision, style, locale)
        if text is None:
            text = await loop.run_in_executor(self._thread, self._cited, described, style, locale)
        return None if text is None else text.encode()

    def _cited(self, described: Description, style: str, locale: str) -> str | None:
        resource, _ = described.read()
        if resource is None:
            return None
        subject = described.subject(resource)
        return self._bibliography.cite(described.revision, style, locale, lambda: csl_item(subject, resource))


def _written(described: Description, wanted: Format) -> bytes | None:
    resource, _ = described.read()
    subject = described.subject(resource)
    if wanted is LINKSET:
        links = linkset(subject, descriptions_at(described, formats_for(resource)))
        return json.dumps(links, ensure_ascii=False).encode()
    if wanted.of_anything is not None:
        return wanted.of_anything(subject)
    if wanted.of_resource is None or resource is None:
        return None
    return wanted.of_resource(subject, resource)


def descriptions_at(described: Description, formats: Sequence[Format]) -> list[tuple[str, str]]:
    """Address and media type of each of ``formats``."""
    return [(f"{described.identifier.resolver_url}?format={one.name}", one.media_type) for one in formats]


def _response(
    request: Request, content: bytes, media_type: str, described: Description, headers: Mapping[str, str]
) -> Response:
    # Of the content: metadata, target and style come from different places, and all of them change it.
    tag = f'"{hashlib.sha256(media_type.encode() + content).hexdigest()[:32]}"'
    sent = {**headers, "etag": tag, "link": f'<{described.identifier.resolver_url}>; rel="cite-as"'}
    unchanged = not_modified(request, tag)
    if unchanged is not None:
        unchanged.headers.update(sent)
        return unchanged
    sent["content-type"] = _content_type(media_type)
    return Response(content, headers=sent)


def _content_type(media_type: str) -> str:
    """JSON types have no ``charset`` (RFC 8259, section 11); the others are said to be UTF-8."""
    return media_type if media_type.endswith("json") else f"{media_type}; charset=utf-8"


def _not_acceptable(described: Description, excuses: Sequence[str]) -> NotAcceptable:
    resource, errors = described.read()
    there_are = formats_for(resource)
    told = list(excuses)
    if resource is None:
        told.append(
            "Its metadata is not complete enough for that" if errors else "Nobody gave metadata for that with it"
        )
    return NotAcceptable(
        ". ".join([*told, "There are the formats named in `available`"]),
        errors=_pointed(errors),
        available=[{"format": one.name, "type": one.media_type} for one in there_are],
        headers={"vary": "accept", "cache-control": "no-cache"},
    )


def _pointed(errors: Sequence[FieldError]) -> list[FieldError]:
    """Errors that point into the metadata of the identifier."""
    return [one.model_copy(update={"pointer": f"/metadata{one.pointer}"}) for one in errors]
