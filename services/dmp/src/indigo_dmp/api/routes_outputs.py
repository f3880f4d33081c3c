"""The parts of an output maDMP has no words for: structure, taxa, storage, tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Body, Response
from indigo_contracts.dmp import PlannedOutput, StoragePromise, TestDefinition
from indigo_contracts.structure import Structure, Taxon
from indigo_kernel.auth.principal import Principal
from indigo_kernel.etag import Expected, IfMatch, etag
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import (
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    PreconditionRequired,
    StaleVersion,
    Unauthenticated,
)
from pydantic import BaseModel

from indigo_dmp.api.deps import WorkFactory, Works, Writer
from indigo_dmp.application import plans

router = APIRouter(
    tags=["outputs"],
    responses=responses(Unauthenticated, Forbidden, NotFound, Gone, Conflict, StaleVersion, PreconditionRequired),
)

Taxa = Annotated[list[Taxon], Body(max_length=10_000)]
Tests = Annotated[list[TestDefinition], Body(max_length=200)]


@router.put("/plans/{plan_id}/outputs/{key}/structure")
async def set_output_structure(
    plan_id: str, key: str, who: Writer, expected: IfMatch, body: Structure, works: Works, response: Response
) -> PlannedOutput:
    """Say which tables an output has, and which columns, types, units and limits they have."""
    return await _put(works, plan_id, key, "structure", body, who, expected, response)


@router.put("/plans/{plan_id}/outputs/{key}/taxa")
async def set_output_taxa(
    plan_id: str, key: str, who: Writer, expected: IfMatch, body: Taxa, works: Works, response: Response
) -> PlannedOutput:
    """Say which taxa an output is about."""
    return await _put(works, plan_id, key, "taxa", body, who, expected, response)


@router.put("/plans/{plan_id}/outputs/{key}/storage")
async def set_output_storage(
    plan_id: str,
    key: str,
    who: Writer,
    expected: IfMatch,
    body: StoragePromise,
    works: Works,
    response: Response,
) -> PlannedOutput:
    """Promise a storage class for an output."""
    return await _put(works, plan_id, key, "storage", body, who, expected, response)


@router.put("/plans/{plan_id}/outputs/{key}/tests")
async def set_output_tests(
    plan_id: str, key: str, who: Writer, expected: IfMatch, body: Tests, works: Works, response: Response
) -> PlannedOutput:
    """Define the tests an output has to pass, at the levels existence, metadata, content and processing."""
    return await _put(works, plan_id, key, "tests", body, who, expected, response)


async def _put(
    works: WorkFactory,
    plan_id: str,
    key: str,
    part: str,
    body: BaseModel | Sequence[BaseModel],
    who: Principal,
    expected: Expected,
    response: Response,
) -> PlannedOutput:
    async with works() as work:
        plan, output = await plans.edit_output(
            work, plan_id, key, part, _written(body), who, lambda plan: expected.check(plan.version)
        )
    response.headers["etag"] = etag(plan.version)
    return output


def _written(body: BaseModel | Sequence[BaseModel]) -> object:
    """As it was sent: what was left out stays out of the document."""
    if isinstance(body, BaseModel):
        return body.model_dump(mode="json", exclude_unset=True)
    return [one.model_dump(mode="json", exclude_unset=True) for one in body]
