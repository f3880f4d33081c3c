"""The front door: one port with every service under its own path, and a page that says what is where."""

from __future__ import annotations

from html import escape

from fastapi import FastAPI
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.issuer_routes import issuer_routes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from indigo_suite.layout import ROUTES, Addresses

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PURPOSE = {
    "dmp": "data management plans, their promises and the ledger",
    "repository": "records of datasets, software, plans and analyses",
    "pid": "persistent identifiers, DOIs and the resolver",
    "integrity": "tests: existence, metadata, content, processing",
    "qos-gateway": "storage classes and transitions (CDMI)",
}


def front_door(services: dict[str, FastAPI], issuer: DevIssuer, addresses: Addresses) -> ASGIApp:
    """The services below their paths, the development issuer below ``/issuer``."""
    page = _page(addresses)

    async def index(_: Request) -> Response:
        return HTMLResponse(
            page, headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

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


def _page(addresses: Addresses) -> str:
    rows = "".join(
        f"<tr><th><a href='{path}/docs'>{escape(name)}</a></th><td>{escape(_PURPOSE[name])}</td>"
        f"<td><code>{escape(addresses.of(name))}</code></td></tr>"
        for name, path in ROUTES.items()
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<title>INDIGO Data Life Cycle</title>"
        "<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;"
        "margin:2rem auto;padding:0 1rem}th{text-align:left;padding-right:1rem}td{padding:.3rem 1rem .3rem 0}"
        "@media(max-width:40rem){tr,th,td{display:block}}</style>"
        "<h1>INDIGO Data Life Cycle</h1><p>Data management plans that act.</p>"
        f"<table>{rows}</table></html>"
    )
