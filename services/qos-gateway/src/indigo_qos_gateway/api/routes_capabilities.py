"""The capability tree over HTTP (CDMI 1.1.1, clause 12). Readable without a token."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from indigo_kernel.http.openapi import responses
from indigo_kernel.problems import BadRequest, NotAcceptable, NotFound

from indigo_qos_gateway.api.cdmi_json import capability_json, respond
from indigo_qos_gateway.api.deps import About, Here, Service
from indigo_qos_gateway.api.media import answers
from indigo_qos_gateway.api.negotiation import CAPABILITY, CdmiRoute, Dialect, check_acceptable, negotiate
from indigo_qos_gateway.application.capabilities import Capability, capability_at
from indigo_qos_gateway.domain.object_id import object_id_of
from indigo_qos_gateway.domain.paths import ROOT, parent
from indigo_qos_gateway.domain.selection import Selection

router = APIRouter(route_class=CdmiRoute, tags=["CDMI"], responses=responses(BadRequest, NotFound, NotAcceptable))

BELOW = "/cdmi_capabilities/{path:tree}"
"""Every node below the root; the dependency ``About`` reads the path."""


@router.get("/cdmi_capabilities", response_class=Response, response_model=None, responses=answers(200, CAPABILITY))
async def read_capabilities(request: Request, here: Here, about: About) -> Response:
    """What the gateway can do."""
    return _answer(request, here, about.path, about.selection)


@router.get(BELOW, response_class=Response, response_model=None, responses=answers(200, CAPABILITY))
async def read_capability(request: Request, here: Here, about: About) -> Response:
    """What can be done with data objects or containers, or one storage class of them."""
    return _answer(request, here, about.path, about.selection)


def _answer(request: Request, here: Service, path: str, selection: Selection) -> Response:
    dialect = negotiate(request)
    check_acceptable(request, dialect, CAPABILITY)
    found = capability_at(here.gateway.chooser, here.gateway.enterprise, path)
    return capability_response(here, found, selection, dialect)


def capability_response(here: Service, found: Capability, selection: Selection, dialect: Dialect) -> Response:
    """A node of the tree, however it was found."""
    above = parent(found.uri)
    parent_id = None if above == ROOT else object_id_of(here.gateway.enterprise, above)
    return respond(capability_json(found, parent_id, selection, dialect), dialect, CAPABILITY)
