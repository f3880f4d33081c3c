"""The front door: one port with every service under its own path, and a page that says what is where."""

from __future__ import annotations

from fastapi import FastAPI
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.issuer_routes import issuer_routes
from indigo_ui import Pages
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from indigo_suite.layout import ROUTES, Addresses

_PURPOSE = {
    "dmp": ("data management plans, their promises and the ledger", "/dmp/plans"),
    "repository": ("records of datasets, software, plans and analyses", "/repository/api/records"),
    "pid": ("persistent identifiers, DOIs and the resolver", None),
    "integrity": ("tests: existence, metadata, content, processing", None),
    "qos-gateway": ("storage classes and transitions (CDMI)", None),
}
"""What each service is for, and where what anybody may see of it is listed."""


def front_door(services: dict[str, FastAPI], issuer: DevIssuer, addresses: Addresses) -> ASGIApp:
    """The services below their paths, the development issuer below ``/issuer``."""
    pages = Pages("indigo_suite")
    context = {"title": "INDIGO Data Life Cycle", "services": _services(addresses)}

    async def index(_: Request) -> Response:
        return pages.response("front.html", context)

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    tokens = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    tokens.include_router(issuer_routes(issuer))
    return Starlette(
        routes=[
            Route("/", index),
            Route("/livez", live),
            Mount("/issuer", tokens),
            *(Mount(ROUTES[name], api) for name, api in services.items()),
        ]
    )


def _services(addresses: Addresses) -> list[dict[str, str | None]]:
    return [
        {
            "name": name,
            "docs": f"{path}/docs",
            "purpose": purpose,
            "listing": listing,
            "address": addresses.of(name),
        }
        for name, path in ROUTES.items()
        for purpose, listing in (_PURPOSE[name],)
    ]
