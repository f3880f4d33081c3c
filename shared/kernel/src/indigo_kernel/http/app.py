"""How every service's HTTP application is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query
from pydantic import BaseModel, ConfigDict
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from indigo_kernel.health import HealthChecks, Probe
from indigo_kernel.http import errors, openapi
from indigo_kernel.http.access import AccessMiddleware
from indigo_kernel.http.head import HeadMiddleware
from indigo_kernel.http.limits import InputLimits, LimitsMiddleware
from indigo_kernel.http.reference import reference_page
from indigo_kernel.http.routetable import RouteTable
from indigo_kernel.pagination import Cursors
from indigo_kernel.telemetry import state_build

_DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class Version(BaseModel):
    """What runs here."""

    model_config = ConfigDict(frozen=True)

    service: str
    version: str


class Api(FastAPI):
    """The application of a service."""

    _front: ASGIApp | None = None

    def put_in_front(self, wrap: Callable[[ASGIApp], ASGIApp]) -> None:
        """Let what ``wrap`` makes of this application answer first: before its limits, its log and its metrics.

        For the few requests that are so many and so simple that those would cost more than the answer.
        """
        self._front = wrap(super().__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._front or super().__call__)(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with every error a route can answer."""
        made_before = self.openapi_schema
        document = super().openapi()
        if document is not made_before:
            openapi.complete(document)
            openapi.secure(document, self.routes)
        return document


def create_api(
    *,
    title: str,
    service: str,
    version: str,
    routers: Sequence[APIRouter],
    ops: HealthChecks,
    public_url: str,
    cursor_key: bytes,
    description: str = "",
    lifespan: Lifespan[Any] | None = None,
    limits: InputLimits | None = None,
) -> Api:
    """The application of ``service`` (the name in operationIds, logs and metrics) with everything of the house.

    ``public_url`` is what clients see, prefix included, without a slash at the end. ``cursor_key`` signs
    pagination cursors; every replica has the same. A function's name is the rest of its operationId:
    ``publish_plan`` becomes ``dmp_publish_plan``. Raises ``ApiError`` when a route breaks a rule.
    """
    prefix = service.replace("-", "_")
    app = Api(
        title=title,
        version=version,
        description=description,
        lifespan=lifespan,
        servers=[{"url": public_url}],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=openapi.EVERY_ROUTE,
        generate_unique_id_function=lambda route: f"{prefix}_{route.name}",
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    routes = RouteTable(app)
    app.state.public_url = public_url.rstrip("/")
    app.state.cursors = Cursors(cursor_key)
    app.user_middleware = [
        Middleware(AccessMiddleware, service=service, routes=routes),
        Middleware(LimitsMiddleware, limits=limits or InputLimits()),
        Middleware(HeadMiddleware, routes=routes),
    ]
    errors.install(app, routes)
    app.include_router(_house_router(app, Version(service=service, version=version), ops))
    for router in routers:
        app.include_router(router)
    openapi.check_names(app.routes, prefix)
    openapi.check_numbers(app.openapi())
    state_build(service, version)
    return app


def _house_router(app: FastAPI, what: Version, ops: HealthChecks) -> APIRouter:
    """The routes of every service; not part of its API, hence not in its OpenAPI document."""
    router = APIRouter(include_in_schema=False)

    def add_probe(probe: Probe) -> None:
        async def ask(
            verbose: Annotated[str | None, Query()] = None, exclude: Annotated[list[str] | None, Query()] = None
        ) -> Response:
            return await ops.answer(probe, verbose=verbose is not None, exclude=exclude or [])

        async def ask_one(check: str) -> Response:
            return await ops.answer(probe, only=check)

        router.add_api_route(f"/{probe}", ask)
        router.add_api_route(f"/{probe}/{{check}}", ask_one)

    add_probe("livez")
    add_probe("readyz")

    @router.get("/version")
    async def tell_version() -> Version:
        return what

    @router.get("/openapi.json")
    async def tell_openapi() -> Response:
        return JSONResponse(app.openapi())

    @router.get("/docs")
    async def show_docs() -> Response:
        return HTMLResponse(reference_page(app.openapi()), headers={"content-security-policy": _DOCS_POLICY})

    return router
