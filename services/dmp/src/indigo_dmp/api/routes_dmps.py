"""The RDA common maDMP API 1.0 (RDA-DMP-Common/common-madmp-api) on ``/dmps``.

What is stored is lossless: fields the standard does not know come back as they were sent.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from indigo_kernel.etag import etag, not_modified, parse_if_match
from indigo_kernel.http.openapi import Responses
from indigo_kernel.idempotency import idempotent
from indigo_kernel.problems import BadRequest, InvalidBody, StaleVersion
from pydantic import BaseModel

from indigo_dmp.api import common_query, media
from indigo_dmp.api.deps import Who, Works, Writer
from indigo_dmp.api.schemas import CommonError, DmpList, DmpWithId
from indigo_dmp.application import plans
from indigo_dmp.application.access import readable_document, readable_plan
from indigo_dmp.domain.outputs import Document
from indigo_dmp.domain.plan import Plan
from indigo_dmp.madmp.reading import read
from indigo_dmp.madmp.writing import write

router = APIRouter(tags=["RDA common maDMP API"])

# OpenAPI tells these two by the media types of bodies and answers.
Accept = Annotated[str | None, Header(include_in_schema=False)]
ContentType = Annotated[str | None, Header(include_in_schema=False)]
IfMatchHeader = Annotated[str | None, Header(max_length=1024, description='Entity tag, such as `"v3"`')]
IfUnmodifiedSince = Annotated[
    str | None, Header(max_length=100, description="Last-Modified of the plan as it was read")
]


def _responses(*statuses: int, answer: type[BaseModel] | None = None) -> Responses:
    """What a route can answer: ``answer`` in every media type, and errors in the words of this API."""
    everywhere = (400, 410, 413, 422, 500)
    documented: Responses = {status: {"model": CommonError} for status in sorted({*everywhere, *statuses})}
    if answer:
        schema = {"$ref": f"#/components/schemas/{answer.__name__}"}
        documented[200] = {"content": {name: {"schema": schema} for name in media.WRITES}}
    return documented


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            name: {
                "schema": {
                    "type": "object",
                    "required": ["dmp"],
                    "properties": {"dmp": {"type": "object"}},
                }
            }
            for name in media.READS
        },
    }
}


@router.get(
    "/dmps",
    response_model=DmpList,
    operation_id="dmp_list_dmps",
    responses=_responses(401, 406, answer=DmpList),
    openapi_extra={"parameters": common_query.documented()},
)
async def list_dmps(request: Request, who: Who, works: Works, accept: Accept = None) -> Response:
    """Search the plans you may see: published ones, and your own. Filters are joined with AND."""
    media_type = media.negotiate(accept)
    search = common_query.parse(request.query_params.multi_items())
    async with works() as work:
        total, found = await work.plans.search(search, who)
    items = [_entry(one.plan_id, one.document, media_type) for one in found]
    return _answer(DmpList(total_count=total, items=items), media_type)


@router.post(
    "/dmps",
    response_model=DmpWithId,
    operation_id="dmp_create_dmp",
    responses=_responses(401, 403, 406, 409, 415, answer=DmpWithId),
    openapi_extra=_BODY,
)
async def create_dmp(
    request: Request, who: Writer, works: Works, accept: Accept = None, content_type: ContentType = None
) -> Response:
    """Create or import a plan as a draft. It gets a dmp_id of this service; the sent one becomes an alternate."""
    media_type = media.negotiate(accept)
    document = await _read(request, content_type)
    async with works() as work:

        async def create() -> Response:
            plan = await plans.create_plan(work, document, who)
            answer = _plan_answer(plan.id, plan.document, plan.version, media_type)
            answer.headers["location"] = f"{request.app.state.public_url}/dmps/{plan.id}"
            return answer

        return await idempotent(request, work.conn, f"{who.iss} {who.sub}", create, now=work.now, required=False)


@router.get(
    "/dmps/{dmp_id:path}",
    response_model=DmpWithId,
    operation_id="dmp_get_dmp",
    responses=_responses(401, 404, 406, answer=DmpWithId),
)
async def get_dmp(dmp_id: str, request: Request, who: Who, works: Works, accept: Accept = None) -> Response:
    """One plan: the newest version for its owner, the published edition for everybody else."""
    media_type = media.negotiate(accept)
    async with works() as work:
        plan = await readable_plan(work, dmp_id, who)
    document, version = readable_document(plan, who)
    return not_modified(request, etag(version)) or _plan_answer(plan.id, document, version, media_type)


@router.put(
    "/dmps/{dmp_id:path}",
    response_model=DmpWithId,
    operation_id="dmp_replace_dmp",
    responses=_responses(401, 403, 404, 406, 409, 415, answer=DmpWithId),
    openapi_extra=_BODY,
)
async def replace_dmp(
    dmp_id: str,
    request: Request,
    who: Writer,
    works: Works,
    accept: Accept = None,
    content_type: ContentType = None,
    if_match: IfMatchHeader = None,
    if_unmodified_since: IfUnmodifiedSince = None,
) -> Response:
    """Replace the whole document. ``created`` and ``dmp_id`` stay; ``modified`` is set here."""
    media_type = media.negotiate(accept)
    precondition = _precondition(if_match, if_unmodified_since)
    document = await _read(request, content_type)
    async with works() as work:
        plan = await plans.edit_plan(work, dmp_id, document, who, precondition)
    return _plan_answer(plan.id, plan.document, plan.version, media_type)


@router.delete(
    "/dmps/{dmp_id:path}",
    status_code=204,
    operation_id="dmp_delete_dmp",
    responses=_responses(401, 403, 404, 409),
)
async def delete_dmp(
    dmp_id: str,
    who: Writer,
    works: Works,
    if_match: IfMatchHeader = None,
    if_unmodified_since: IfUnmodifiedSince = None,
) -> None:
    """Delete a draft. A plan that was published is withdrawn instead (``POST /plans/{id}/withdraw``)."""
    precondition = _precondition(if_match, if_unmodified_since)
    async with works() as work:
        await plans.delete_plan(work, dmp_id, who, precondition)


async def _read(request: Request, content_type: str | None) -> Document:
    version = media.read_version(content_type)
    body = await request.body()
    if not body:
        raise InvalidBody("The body is missing")
    return read(json.loads(body), version)  # the kernel has refused what is not JSON


def _precondition(if_match: str | None, if_unmodified_since: str | None) -> plans.Precondition:
    """If-Match counts before If-Unmodified-Since (RFC 9110, section 13.2.2), which has seconds only."""
    expected = parse_if_match(if_match) if if_match is not None else None
    since = _since(if_unmodified_since) if if_unmodified_since is not None and expected is None else None

    def check(plan: Plan) -> None:
        if expected is not None:
            expected.check(plan.version)
        elif since is not None and plan.modified.replace(microsecond=0) > since:
            raise StaleVersion(f"The plan was modified at {plan.modified.isoformat()}")

    return check


def _since(text: str) -> datetime:
    """An HTTP date, or an RFC 3339 instant as the API's schema has it. A condition nobody can read is a 400."""
    try:
        moment = datetime.fromisoformat(text.upper()) if text[:1].isdigit() else parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest("If-Unmodified-Since is neither an HTTP date nor an RFC 3339 instant") from None


def _entry(plan_id: str, document: Document, media_type: str) -> DmpWithId:
    return DmpWithId(id=plan_id, dmp=write(document, media.WRITES[media_type])["dmp"])


def _plan_answer(plan_id: str, document: Document, version: int, media_type: str) -> Response:
    answer = _answer(_entry(plan_id, document, media_type), media_type)
    modified = datetime.fromisoformat(document["dmp"]["modified"]).astimezone(UTC)
    answer.headers["etag"] = etag(version)
    answer.headers["last-modified"] = format_datetime(modified, usegmt=True)
    return answer


def _answer(body: BaseModel, media_type: str) -> Response:
    return Response(body.model_dump_json(), media_type=media_type, headers={"vary": "Accept, Authorization"})
