"""A DataCite that is ill: a real server whose answers are spoiled on their way out."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.http.server import listen, serving
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.store import SandboxStore
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

ACCOUNT = Account("INDIGO.REPO", "secret", frozenset({"10.5072"}))


class Ill:
    """A sandbox whose next answers to PUT are spoiled as ``script`` says; then it is well."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.script: deque[Any] = deque()
        self.puts = 0
        self.url = ""

    @property
    def settings(self) -> dict[str, Any]:
        """Of a service that registers here. Its rate is not held back: that would take real time."""
        return {
            "datacite_url": self.url,
            "datacite_password": ACCOUNT.password,
            "datacite_seconds": 0.5,
            "datacite_rate": 10_000,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "PUT":
            await self.app(scope, receive, send)
            return
        self.puts += 1
        fault = self.script.popleft() if self.script else None
        if fault == "lost":
            await self._lose(scope, receive)
        elif fault == "html":
            await PlainTextResponse("<html>it works!</html>")(scope, receive, send)
        elif isinstance(fault, JSONResponse | PlainTextResponse):
            await fault(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _lose(self, scope: Scope, receive: Receive) -> None:
        """Do the work and never answer: the client waits until it gives up."""

        async def swallow(message: Message) -> None:
            pass

        await self.app(scope, receive, swallow)
        while (await receive())["type"] != "http.disconnect":
            pass


@asynccontextmanager
async def ill_registrar(database_url: str) -> AsyncIterator[Ill]:
    """One on a port of its own, for the length of the block."""
    engine = create_engine(database_url, application="registrar")
    ill = Ill(create_sandbox(SandboxRegistrar(SandboxStore(engine, ManualClock()), ACCOUNT)))
    bound = listen("127.0.0.1", 0)
    ill.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    async with serving(ill, bound):
        yield ill
    await engine.dispose()
