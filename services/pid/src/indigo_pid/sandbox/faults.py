"""A registrar that is ill on request: errors, lost replies and silence at given rates, in front of the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Rate = Annotated[float, Field(ge=0, le=1)]


class Faults(BaseModel):
    """How often what goes wrong, as parts of 1; one fault at most for each request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    server_errors: Rate = Field(default=0.0, description="a 502 with an HTML page, and nothing is done")
    too_many: Rate = Field(default=0.0, description="a 429, and nothing is done")
    retry_after: int = Field(default=1, ge=0, le=3600, description="seconds told with a 429")
    lost_replies: Rate = Field(default=0.0, description="the work is done and no answer comes")
    silence: Rate = Field(default=0.0, description="nothing is done and no answer comes")
    silence_seconds: float = Field(
        default=60.0, gt=0, le=600, description="longest wait for a caller without an answer to give up"
    )


class FaultyRegistrar:
    """The sandbox behind ``faults``, which may be set at any time. ``chance`` gives numbers from 0 to 1."""

    def __init__(self, app: ASGIApp, chance: random.Random | None = None) -> None:
        self._app = app
        self._chance = chance or random.Random()  # noqa: S311 - spoils answers, protects nothing
        self.faults = Faults()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        faults = self.faults
        left = self._chance.random()
        for rate, kind in (
            (faults.server_errors, "error"),
            (faults.too_many, "busy"),
            (faults.lost_replies, "lost"),
            (faults.silence, "silent"),
        ):
            if left < rate:
                await self._fail(kind, faults, scope, receive, send)
                return
            left -= rate
        await self._app(scope, receive, send)

    async def _fail(self, kind: str, faults: Faults, scope: Scope, receive: Receive, send: Send) -> None:
        if kind == "error":
            page = PlainTextResponse("<html><h1>502 Bad Gateway</h1></html>", 502, media_type="text/html")
            await page(scope, receive, send)
            return
        if kind == "busy":
            body = {"errors": [{"status": "429", "title": "Too many requests"}]}
            headers = {"retry-after": str(faults.retry_after)}
            await JSONResponse(body, 429, headers=headers)(scope, receive, send)
            return
        if kind == "lost":
            await self._app(scope, receive, _swallow)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(faults.silence_seconds):
                while (await receive())["type"] != "http.disconnect":
                    pass


async def _swallow(_message: Message) -> None:
    """The answer that is lost."""
