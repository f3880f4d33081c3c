"""The DataCite REST API, as far as a repository needs it to register DOIs.

Sources: DataCite REST API (``PUT /dois/{doi}`` creates or replaces; JSON:API bodies; error objects with
``source``, ``title``); RFC 9110, 10.2.3 (``Retry-After``). One quirk matters: an event that does not fit
the DOI's state is ignored without an error, so the state in the reply is what counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from indigo_contracts.problems import FieldError
from indigo_contracts.text import storable_text
from indigo_kernel.clock import Clock
from pydantic import BaseModel, ValidationError

from indigo_pid.adapters.asking import ask
from indigo_pid.application.ports import Pace, Reached, RegistrarDown, RemoteDoi, Underway
from indigo_pid.domain.datacite import problems_of
from indigo_pid.domain.doi import Doi, DoiState

MEDIA_TYPE = "application/vnd.api+json"

Event = Literal["publish", "register", "hide"]
"""What a client asks of a DOI besides its attributes."""

TRY_AGAIN = frozenset({401, 404, 407, 408, 409, 421, 423, 425, 429})
"""Client errors that are not about the DOI: wrong credentials or a wrong base URL, which an operator mends, and
matters of the moment."""

_PAGE = 1000
"""DOIs on a page of the list, the most DataCite gives."""


class _Attributes(BaseModel):
    doi: str
    state: DoiState
    registered: datetime | None = None


class _Data(BaseModel):
    attributes: _Attributes


class _Answer(BaseModel):
    data: _Data


class _Links(BaseModel):
    next: str | None = None


class _ListedAttributes(_Attributes):
    url: str | None = None


class _Listed(BaseModel):
    attributes: _ListedAttributes


class _Page(BaseModel):
    data: list[_Listed]
    links: _Links = _Links()


class _Error(BaseModel):
    title: str = ""
    source: str | None = None


class _Errors(BaseModel):
    errors: list[_Error]


class DataCite:
    """Implements ``application.ports.Registrar``. ``http`` has the base URL, credentials and a time limit.

    ``account`` is the repository whose DOIs are listed. With a ``pace`` requests wait for their turn.
    """

    name = "datacite"
    lag = timedelta(0)

    def __init__(
        self,
        http: httpx.AsyncClient,
        clock: Clock,
        account: str,
        prefixes: Collection[str],
        pace: Pace | None = None,
    ) -> None:
        self._http = http
        self._clock = clock
        self._account = account
        self._prefixes = frozenset(prefixes)
        self._pace = pace

    @property
    def prefixes(self) -> Collection[str]:
        return self._prefixes

    @property
    def interval(self) -> timedelta:
        return timedelta(0) if self._pace is None else self._pace.interval

    @property
    def base_url(self) -> str:
        return str(self._http.base_url).rstrip("/")

    def problems(self, doi: Doi) -> Sequence[FieldError]:
        return problems_of(doi.doi, doi.attributes)

    async def bring(self, doi: Doi) -> Reached | Underway:
        """Ask; and once more with the right event when the state in the reply shows it was another one before."""
        remote = await self._put(doi, event_for(doi.desired, doi.observed_state))
        if remote.state is not doi.desired:
            remote = await self._put(doi, event_for(doi.desired, remote.state))
        if remote.state is not doi.desired:
            reason = f"The registrar has it in the state {remote.state}, not in {doi.desired}"
        elif remote.registered is None:
            reason = "The registrar has not written the DOI into the resolver yet"
        else:
            return Reached()
        return Underway(reason, state=remote.state, failed=True)

    async def _put(self, doi: Doi, event: Event) -> _Attributes:
        body = {"data": {"type": "dois", "attributes": {**doi.attributes, "doi": doi.doi, "event": event}}}
        response = await self._ask(
            "PUT",
            # Without these two the reply has publisher and affiliations without their identifiers.
            f"/dois/{quote(doi.doi, safe='/')}?publisher=true&affiliation=true",
            json=body,
            headers={"content-type": MEDIA_TYPE, "accept": MEDIA_TYPE},
        )
        return self._remote(doi.doi, response)

    async def listed(self) -> AsyncIterator[Sequence[RemoteDoi]]:
        cursor: str | None = "1"
        while cursor is not None:
            query = {"client-id": self._account.lower(), "page[size]": str(_PAGE), "page[cursor]": cursor}
            response = await self._ask("GET", "/dois", params=query, headers={"accept": MEDIA_TYPE})
            try:
                page = _Page.model_validate_json(response.content)
            except ValidationError as error:
                raise RegistrarDown(f"The list cannot be read: {error.errors()[0]['msg']}") from error
            found = [one.attributes for one in page.data]
            yield [RemoteDoi(one.doi.lower(), one.state, one.url) for one in found]
            # Only the cursor is taken from the link: requests go to the address that was set and nowhere else.
            following = parse_qs(urlsplit(page.links.next or "").query).get("page[cursor]")
            cursor = following[0] if found and following and following[0] != cursor else None

    async def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        if self._pace is not None:
            await asyncio.sleep(await self._pace.take())
        return await ask(self._http, self._clock, method, path, try_again=TRY_AGAIN, reason=_reason, **content)

    @staticmethod
    def _remote(doi: str, response: httpx.Response) -> _Attributes:
        try:
            attributes = _Answer.model_validate_json(response.content).data.attributes
        except ValidationError as error:
            raise RegistrarDown(f"The answer cannot be read: {error.errors()[0]['msg']}") from error
        if attributes.doi.lower() != doi.lower():
            raise RegistrarDown(f"The answer is about another DOI, {attributes.doi}")
        return attributes


def event_for(desired: DoiState, observed: DoiState | None) -> Event:
    """What takes DataCite from the state it was seen in to the wanted one."""
    if desired is DoiState.FINDABLE:
        return "publish"
    return "hide" if observed is DoiState.FINDABLE else "register"


def _reason(response: httpx.Response) -> str:
    """What the error objects say, or the beginning of whatever the body is; text a database can hold."""
    try:
        errors = _Errors.model_validate_json(response.content).errors
        told = "; ".join(f"{one.source}: {one.title}" if one.source else one.title for one in errors)[:1000]
    except ValidationError:
        told = response.text[:200] or response.reason_phrase
    return storable_text(told)
