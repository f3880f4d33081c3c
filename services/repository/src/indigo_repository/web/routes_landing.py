"""The landing page of a record: for people HTML, for machines JSON, JSON-LD and typed links."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from indigo_contracts.dmp import TestLevel
from indigo_contracts.repository import RecordState
from indigo_kernel.auth.dependency import Who
from indigo_kernel.etag import etag
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import Gone, NotAcceptable, NotFound
from indigo_ui import Pages
from indigo_ui.negotiation import preferred, wants_page
from pydantic import BaseModel

from indigo_repository.application.access import gone, may_read_files
from indigo_repository.application.work import OpenWork, Work
from indigo_repository.domain.record import Record
from indigo_repository.domain.site import Site
from indigo_repository.web.signposting import link_header, persistent_url, schema_org

_OFFERS = ["text/html", "application/json", "application/ld+json"]
_MOST_FILES = 200
_MOST_EVENTS = 100
_LEVELS = list(TestLevel)
"""From the cheapest test to the dearest."""

RecordId = Annotated[str, Path(max_length=64, description="Id of the record")]

Show = Callable[[Work, Record, Site], Awaitable[BaseModel]]
"""Gives the record as the API shows it."""


def landing_router(open_work: OpenWork, site: Site, show: Show) -> APIRouter:
    router = APIRouter(tags=["pages"])
    pages = Pages("indigo_repository.web")

    @router.get(
        "/records/{record_id}",
        name="get_landing_page",
        response_class=Response,
        responses=responses(NotFound, Gone, NotAcceptable),
    )
    async def get_landing_page(request: Request, record_id: RecordId, who: Who) -> Response:
        """The record as a page, as JSON or as schema.org JSON-LD, by `Accept`; its tombstone once withdrawn."""
        kind = preferred(request.headers.get("accept"), _OFFERS)
        if kind is None:
            raise NotAcceptable(f"This page comes as {', '.join(_OFFERS)}")
        async with open_work() as work:
            try:
                record = await work.records.get(record_id)
                if record.state is RecordState.DRAFT:
                    raise NotFound("There is no such record")
            except NotFound as error:
                if not wants_page(request.headers.get("accept")):
                    raise
                return pages.response(
                    "message.html",
                    {"title": "No such record", "subject": record_id, "detail": error.detail},
                    status_code=404,
                    headers={"vary": "Accept"},
                )
            events = await work.events.of(record_id, after=None, limit=_MOST_EVENTS)
            if record.state is RecordState.WITHDRAWN:
                if kind != "text/html":
                    raise gone(record)
                context = {"title": record.metadata.title, "record": record, "cite_as": persistent_url(record)}
                return pages.response(
                    "tombstone.html", {**context, "events": events}, status_code=410, headers={"vary": "Accept"}
                )
            readable = may_read_files(record, who)
            files = await work.files.of(record_id) if readable else []
            results = await work.results.of(record_id)
            totals = (await work.files.totals([record_id])).get(record_id, (0, 0))
            plan_url = await work.plans.url(record.plan.plan_id) if record.plan else None
            latest = not await work.records.superseded([record])
            shown = await show(work, record, site)
        headers = {"link": link_header(record, files, site), "vary": "Accept", "etag": etag(record.version)}
        if kind == "application/json":
            return Response(shown.model_dump_json(), 200, headers, "application/json")
        described = schema_org(record, files, site)
        if kind == "application/ld+json":
            return Response(json.dumps(described, ensure_ascii=False), 200, headers, "application/ld+json")
        del headers["etag"]  # the page also shows tests and events, which change without the record
        headers["cache-control"] = "no-cache"
        return pages.response(
            "record.html",
            {
                "title": record.metadata.title,
                "record": record,
                "publisher": record.metadata.publisher or site.publisher,
                "tests": sorted(results, key=lambda result: _LEVELS.index(result.level)),
                "totals": totals,
                "plan_url": plan_url,
                "is_latest": latest,
                "files": files[:_MOST_FILES],
                "damaged": [file.key for file in files if file.damage],
                "more_files": max(len(files) - _MOST_FILES, 0),
                "readable": readable,
                "events": events,
                "cite_as": persistent_url(record),
                "described": described,
                "content_url": site.content,
                "api_url": site.api(record.id),
            },
            headers=headers,
        )

    return router
