"""dCache's storage events as its user guide shows them: channels, inotify subscriptions, server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse


class _Channel:
    def __init__(self) -> None:
        self.events: asyncio.Queue[str | None] = asyncio.Queue()
        self.subscriptions: dict[str, str] = {}
        self.numbers = 0
        self.listeners = 0

    async def stream(self) -> AsyncIterator[str]:
        self.listeners += 1
        try:
            while (event := await self.events.get()) is not None:
                yield event
        finally:
            self.listeners -= 1


class Channels:
    """What is below ``events/channels``."""

    def __init__(self) -> None:
        self.channels: dict[str, _Channel] = {}

    @property
    def listeners(self) -> int:
        """How many connections wait for events of a subscription."""
        return sum(each.listeners for each in self.channels.values() if each.subscriptions)

    async def answer(self, rest: str, request: Request) -> Response:
        match request.method, *rest.split("/"):
            case "POST", "":
                identifier = uuid4().hex
                self.channels[identifier] = _Channel()
                return _made(f"{request.url}/{identifier}")
            case "GET", identifier if identifier in self.channels:
                if "text/event-stream" not in request.headers.get("accept", ""):
                    return JSONResponse({"timeout": 300})
                return StreamingResponse(self.channels[identifier].stream(), media_type="text/event-stream")
            case "DELETE", identifier if identifier in self.channels:
                self.channels.pop(identifier).events.put_nowait(None)
                return Response(status_code=204)
            case "POST", identifier, "subscriptions", "inotify" if identifier in self.channels:
                selector = await request.json()
                if not set(selector) <= {"path", "flags"} or not isinstance(selector.get("flags", []), list):
                    return JSONResponse({"errors": [{"message": "Bad selector", "status": "400"}]}, 400)
                address = f"{request.url}/{uuid4().hex}"
                channel = self.channels[identifier]
                channel.subscriptions[address] = selector["path"]
                data = json.dumps({"type": "NEW_SUBSCRIPTION", "subscription": address})
                channel.events.put_nowait(f"event: SYSTEM\ndata: {data}\n\n")
                return _made(address)
        return JSONResponse({"errors": [{"message": "Not Found", "status": "404"}]}, 404)

    def tell(self, path: str, flag: str) -> None:
        """Something happened to a path: those who watch its directory are told."""
        directory, _, name = path.rpartition("/")
        for channel in self.channels.values():
            for address, watched in channel.subscriptions.items():
                if watched == (directory or "/"):
                    data = json.dumps({"event": {"name": name, "mask": [flag]}, "subscription": address})
                    channel.events.put_nowait(f"event: inotify\nid: {channel.numbers}\ndata: {data}\n\n")
                    channel.numbers += 1


def _made(address: str) -> Response:
    return Response(status_code=201, headers={"location": address})
